/**
 * The two packed forms of a hash: one packed block, in which a field takes as many elements as the `stride` says.
 *
 *     stride 2    field, value, field, value …                 LISTPACK
 *     stride 3    field, value, deadline, field, value …       LISTPACK_EX; in the order of the deadlines
 *
 * The deadline is in milliseconds. Fields without one say NO_DEADLINE and come last. A position is that of the field's
 * own element. This file does not know the time: expired fields are fields like the others.
 */
import { invariant } from "../../core/assert.ts";
import { writeDecimal } from "../../core/numbers.ts";
import { Packed } from "../blocks/packed.ts";
import { NEVER } from "../keyspace.ts";
import type { Arena, BodyRef } from "../memory/arena.ts";

const NO_DEADLINE = 0;
const DEADLINE_TEXT_MAX = 20;
/** Stride of the form without deadlines, and of the other. */
export const PAIRS = 2, TRIPLES = 3;

/** A field with its value and deadline, in the places where they lie. Valid until the next write. */
export interface FieldRegisters {
  fieldBytes: Uint8Array;
  fieldStart: number;
  fieldEnd: number;
  bytes: Uint8Array;
  start: number;
  end: number;
  /** A view in which `start` and `end` hold, too; undefined if the value's text was made, which is short. */
  view: DataView | undefined;
  /** In milliseconds, or NEVER. */
  deadline: number;
}

export class PackedHash {
  readonly #registers: FieldRegisters;
  // Two, because each holds one element: the field, and the value or the deadline.
  readonly #fields: Packed;
  readonly #values: Packed;
  readonly #deadlineText = new Uint8Array(DEADLINE_TEXT_MAX);

  /** Reads load `registers`. */
  constructor(arena: Arena, registers: FieldRegisters) {
    this.#registers = registers;
    this.#fields = new Packed(arena);
    this.#values = new Packed(arena);
  }

  /** An empty hash with room for fields and values of so many bytes. */
  create(bytes: number): BodyRef {
    return this.#fields.create(bytes);
  }

  copy(body: BodyRef): BodyRef {
    return this.#fields.copy(body);
  }

  /** Number of fields. */
  count(body: BodyRef, stride: number): number {
    const elements = this.#fields.count(body);
    return stride === PAIRS ? elements >>> 1 : elements / TRIPLES;
  }

  /** Position of the first field, `end` if there is none. */
  first(body: BodyRef): number {
    return this.#fields.first(body);
  }

  end(body: BodyRef): number {
    return this.#fields.end(body);
  }

  /** Position of the field with an index from 0. */
  at(body: BodyRef, stride: number, index: number): number {
    return this.#fields.at(body, index * stride);
  }

  /**
   * Position of the field `bytes[start, end)`, 0 if there is none. The field stays encoded for `set` and `move`. Hot.
   */
  find(body: BodyRef, stride: number, bytes: Uint8Array, start: number, end: number): number {
    const fields = this.#fields;
    fields.encode(bytes, start, end);
    return fields.find(body, fields.first(body), stride);
  }

  /** Loads the registers with the field at a position, and returns the position of the next. */
  read(body: BodyRef, stride: number, position: number): number {
    const fields = this.#fields, registers = this.#registers;
    fields.read(body, position);
    const { after } = fields;
    fields.text();
    registers.fieldBytes = fields.bytes;
    registers.fieldStart = fields.start;
    registers.fieldEnd = fields.start + fields.length;
    return this.#readValue(body, stride, after);
  }

  /** `read` without the field itself. Hot. */
  readValue(body: BodyRef, stride: number, position: number): void {
    this.#readValue(body, stride, this.#fields.next(body, position));
  }

  /**
   * Sets the field that `find` just looked for, and found at `position` unless that is 0. The deadline of the field
   * stays or goes.
   */
  set(
    body: BodyRef,
    stride: number,
    position: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    keepDeadline: boolean,
  ): BodyRef {
    const fields = this.#fields, values = this.#values;
    values.encode(bytes, start, end);
    if (position !== 0) {
      if (keepDeadline) return values.replace(body, fields.next(body, position));
      body = fields.remove(body, position, stride);
    }
    body = values.append(fields.append(body, values.encodedBytes));
    return stride === PAIRS ? body : this.#insertDeadline(body, fields.end(body), NEVER);
  }

  remove(body: BodyRef, stride: number, position: number): BodyRef {
    return this.#fields.remove(body, position, stride);
  }

  /** Removes the `count` fields before `position`. */
  removeBefore(body: BodyRef, stride: number, position: number, count: number): BodyRef {
    return this.#fields.removeRange(body, this.#fields.first(body), position, count * stride);
  }

  /** Gives each field a third element. */
  addDeadlines(body: BodyRef): BodyRef {
    const fields = this.#fields;
    fields.encode(this.#deadlineText, 0, writeDecimal(this.#deadlineText, 0, NO_DEADLINE));
    for (let position = fields.first(body); position < fields.end(body);) {
      const behind = fields.next(body, fields.next(body, position));
      body = fields.insert(body, behind);
      position = fields.next(body, fields.position);
    }
    return body;
  }

  /** Moves the field that `find` found, and the registers hold, to where its new deadline belongs. */
  move(body: BodyRef, position: number, deadline: number): BodyRef {
    const fields = this.#fields, values = this.#values, registers = this.#registers;
    // The value must not lie in the block that is written.
    const value = registers.bytes.slice(registers.start, registers.end);
    body = fields.remove(body, position, TRIPLES);
    const end = fields.end(body);
    let to = deadline === NEVER ? end : fields.first(body);
    while (to < end) {
      values.read(body, fields.next(body, fields.next(body, to)));
      if (values.value === NO_DEADLINE || values.value >= deadline) break;
      to = values.after;
    }
    body = fields.insert(body, to);
    values.encode(value, 0, value.length);
    body = values.insert(body, fields.position + fields.encodedBytes);
    return this.#insertDeadline(body, values.position + values.encodedBytes, deadline);
  }

  /** The earliest deadline of a hash with stride 3, NEVER if there is none. */
  earliestDeadline(body: BodyRef): number {
    const fields = this.#fields, values = this.#values;
    const first = fields.first(body);
    if (first === fields.end(body)) return NEVER;
    values.read(body, fields.next(body, fields.next(body, first)));
    return values.value === NO_DEADLINE ? NEVER : values.value;
  }

  check(body: BodyRef, stride: number): void {
    this.#fields.check(body);
    invariant(this.#fields.count(body) % stride === 0, "a packed hash ends within a field");
    let last = 0;
    const end = this.#fields.end(body);
    for (let position = this.#fields.first(body); position < end;) {
      position = this.read(body, stride, position);
      const deadline = this.#registers.deadline === NEVER ? Infinity : this.#registers.deadline;
      invariant(last <= deadline, "the fields of a packed hash are not in the order of their deadlines");
      last = deadline;
    }
  }

  #insertDeadline(body: BodyRef, position: number, deadline: number): BodyRef {
    const text = this.#deadlineText, values = this.#values;
    values.encode(text, 0, writeDecimal(text, 0, deadline === NEVER ? NO_DEADLINE : deadline));
    return values.insert(body, position);
  }

  /** Loads the registers with the value at a position, and its deadline; returns the position behind. Hot. */
  #readValue(body: BodyRef, stride: number, position: number): number {
    const values = this.#values, registers = this.#registers;
    registers.deadline = NEVER;
    let behind = 0;
    if (stride === TRIPLES) {
      values.read(body, values.next(body, position));
      if (values.value !== NO_DEADLINE) registers.deadline = values.value;
      behind = values.after;
    }
    values.read(body, position);
    if (values.integer) {
      values.text();
      registers.view = undefined;
    } else {
      registers.view = values.view;
    }
    registers.bytes = values.bytes;
    registers.start = values.start;
    registers.end = values.start + values.length;
    return behind === 0 ? values.after : behind;
  }
}
