/**
 * The set: sorted integers while all members are integers (INTSET), one packed block while they are few and short
 * (LISTPACK), otherwise a table (HASHTABLE). This file owns the choice between the three and the conversions, at
 * Redis's thresholds. The layouts are those of intset.ts, packed.ts and page_table.ts.
 *
 * One MemberSet serves all sets of a store. `open` takes up a set; writes leave its encoding and body in the registers
 * `encoding` and `body`, for the caller to store. The member read last is in `bytes`, `start` and `end`, valid until
 * the next write. Methods with an encoding and a body among their arguments do not change the open set. A set is empty
 * only between a write and the deletion of its key.
 */
import { NO_BYTES } from "../../core/bytes.ts";
import type { Random } from "../../core/random.ts";
import { type Arena, type BodyRef, NONE } from "../memory/arena.ts";
import { IntSet } from "../blocks/intset.ts";
import { Encoding } from "../keyspace.ts";
import { Packed } from "../blocks/packed.ts";
import type { KeyVisitor } from "../blocks/page.ts";
import { PageTable } from "../blocks/page_table.ts";
import { type CommandWriter, ELEMENTS_PER_COMMAND, type ValueType } from "../store.ts";

/** Redis's own limits, above any setting; that of integers less the two that an intset here cannot count. */
const INTSET_ENTRIES_MAX = (1 << 30) - 2;
const LISTPACK_BYTES_MAX = 1 << 30;
/** A new packed block has room for the announced members up to this size. */
const ROOM_BYTES_MAX = 8192;
/** A table's places are page * PLACES + slot. */
const PLACES = 256;

export class MemberSet implements ValueType {
  /** Redis's set-max-intset-entries, set-max-listpack-entries and set-max-listpack-value. */
  maxIntSetEntries = 512;
  maxPackedEntries = 128;
  maxPackedValueBytes = 64;

  /** The set at hand. */
  encoding: number = Encoding.LISTPACK;
  body: BodyRef = NONE;
  /** The member read last. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** After `random`: a number that only the chosen member has, until the next write. */
  place = 0;

  readonly integers: IntSet;
  readonly packed: Packed;
  readonly #table: PageTable;
  readonly #arena: Arena;
  // A walk has its own registers, so that its visitor may look up members in other sets and add them there.
  readonly #walkedIntegers: IntSet;
  readonly #walkedPacked: Packed;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.integers = new IntSet(arena);
    this.packed = new Packed(arena);
    this.#table = new PageTable(arena, false);
    this.#walkedIntegers = new IntSet(arena);
    this.#walkedPacked = new Packed(arena);
  }

  /** Takes up a set. */
  open(encoding: number, body: BodyRef): void {
    this.encoding = encoding;
    this.body = body;
  }

  /** Takes up a new, empty set. */
  create(encoding: number): void {
    if (encoding === Encoding.INTSET) this.open(encoding, this.integers.create());
    else if (encoding === Encoding.LISTPACK) this.open(encoding, this.packed.create());
    else this.open(Encoding.HASHTABLE, this.#table.create());
  }

  /**
   * Takes up a new, empty set that will get up to `count` members, the first of them `bytes[start, end)`; `room` is the
   * size of all their entries, as far as it is known.
   */
  createFor(count: number, bytes: Uint8Array, start: number, end: number, room = end - start): void {
    if (count <= this.maxIntSetEntries && this.integers.take(bytes, start, end)) {
      this.create(Encoding.INTSET);
    } else if (count <= this.maxPackedEntries) {
      this.open(Encoding.LISTPACK, this.packed.create(Math.min(room, ROOM_BYTES_MAX)));
    } else {
      this.create(Encoding.HASHTABLE);
    }
  }

  /** Makes the set large if `count` members, more than the limit, are about to come. */
  expect(count: number): void {
    if (this.encoding === Encoding.LISTPACK && count > this.maxPackedEntries) this.#toTable();
    else if (this.encoding === Encoding.INTSET && count > this.maxIntSetEntries) this.#toTable();
  }

  get length(): number {
    return this.count(this.encoding, this.body);
  }

  prefetch(encoding: number, body: BodyRef, hashes: Int32Array, count: number): void {
    if (encoding === Encoding.HASHTABLE) this.#table.prefetch(body, hashes, count);
  }

  /** Whether `bytes[start, end)` is a member of a set; `hash` is its hash, or 0. Hot. */
  has(encoding: number, body: BodyRef, bytes: Uint8Array, start: number, end: number, hash = 0): boolean {
    if (encoding === Encoding.HASHTABLE) return this.#table.find(body, bytes, start, end, hash);
    if (encoding === Encoding.INTSET) return this.integers.take(bytes, start, end) && this.integers.find(body);
    this.packed.encode(bytes, start, end);
    return this.packed.find(body, this.packed.first(body), 1) !== 0;
  }

  /**
   * Adds `bytes[start, end)`, whose hash is `hash`, or 0; false if it is a member already. The bytes must not
   * lie in this set. Hot.
   */
  add(bytes: Uint8Array, start: number, end: number, hash = 0): boolean {
    if (this.encoding === Encoding.HASHTABLE) {
      if (this.#table.find(this.body, bytes, start, end, hash)) return false;
      this.#table.put(this.body, bytes, start, end, NO_BYTES, 0, 0);
      return true;
    }
    if (this.encoding === Encoding.LISTPACK) return this.#addPacked(bytes, start, end);
    const { integers } = this;
    if (integers.take(bytes, start, end)) {
      if (integers.find(this.body)) return false;
      this.body = integers.insert(this.body);
      if (integers.count(this.body) > Math.min(this.maxIntSetEntries, INTSET_ENTRIES_MAX)) this.#toTable();
      return true;
    }
    if (
      this.#fitsPacked(integers.count(this.body), end - start) && this.#longestInteger() <= this.maxPackedValueBytes
    ) {
      this.#toPacked();
    } else {
      this.#toTable();
    }
    return this.add(bytes, start, end);
  }

  /** Removes `bytes[start, end)`, whose hash is `hash`, or 0; false if it is no member. Hot. */
  remove(bytes: Uint8Array, start: number, end: number, hash = 0): boolean {
    if (this.encoding === Encoding.HASHTABLE) {
      if (!this.#table.find(this.body, bytes, start, end, hash)) return false;
      this.#table.remove(this.body);
      return true;
    }
    if (this.encoding === Encoding.INTSET) {
      if (!this.integers.take(bytes, start, end) || !this.integers.find(this.body)) return false;
      this.body = this.integers.remove(this.body);
      return true;
    }
    const { packed } = this;
    packed.encode(bytes, start, end);
    const position = packed.find(this.body, packed.first(this.body), 1);
    if (position === 0) return false;
    this.body = packed.remove(this.body, position);
    return true;
  }

  /** Reads a uniformly chosen member of a set that is not empty. */
  random(random: Random): void {
    if (this.encoding === Encoding.HASHTABLE) {
      const table = this.#table;
      table.random(this.body, random);
      table.read(this.body);
      this.place = table.page * PLACES + table.slot;
      this.bytes = table.entry.bytes;
      this.start = table.entry.start;
      this.end = table.entry.end;
      return;
    }
    this.place = random.below(this.length);
    this.start = 0;
    if (this.encoding === Encoding.INTSET) {
      this.integers.read(this.body, this.place);
      this.bytes = this.integers.text;
      this.end = this.integers.length;
    } else {
      const { packed } = this;
      packed.read(this.body, packed.at(this.body, this.place));
      packed.text();
      this.bytes = packed.bytes;
      this.start = packed.start;
      this.end = packed.start + packed.length;
    }
  }

  /** Removes the member that `random` just chose. */
  removeChosen(): void {
    if (this.encoding === Encoding.HASHTABLE) this.#table.remove(this.body);
    else if (this.encoding === Encoding.INTSET) this.body = this.integers.removeAt(this.body, this.place);
    else this.body = this.packed.remove(this.body, this.packed.at(this.body, this.place));
  }

  /** After a set lost most of its members at once: packs the rest of a table, if it fits. */
  repack(): void {
    if (this.encoding !== Encoding.HASHTABLE || this.length > this.maxPackedEntries) return;
    const { encoding, body } = this;
    this.create(Encoding.LISTPACK);
    this.elements(encoding, body, false, (bytes, start, end) => this.add(bytes, start, end));
    this.free(encoding, body, Infinity);
  }

  /** Makes a set whose members are all integers an intset, unless there are too many. */
  toIntegers(): void {
    if (this.encoding === Encoding.INTSET || this.length > Math.min(this.maxIntSetEntries, INTSET_ENTRIES_MAX)) return;
    const { encoding, body } = this;
    this.create(Encoding.INTSET);
    this.elements(encoding, body, false, (bytes, start, end) => this.add(bytes, start, end));
    this.free(encoding, body, Infinity);
  }

  /**
   * Visits the members of a set from `cursor` on as page_table.ts has it, and returns the next cursor. A set that is no
   * table is visited as a whole.
   */
  scan(
    encoding: number,
    body: BodyRef,
    cursor: number,
    count: number,
    visit: (bytes: Uint8Array, start: number, end: number) => void,
  ): number {
    if (encoding === Encoding.HASHTABLE) return this.#table.scan(body, cursor, count, visit);
    this.elements(encoding, body, false, (bytes, start, end) => {
      visit(bytes, start, end);
      return true;
    });
    return 0;
  }

  /** `visit` may look at and change other sets. Walks do not nest. */
  elements(encoding: number, body: BodyRef, _reverse: boolean, visit: KeyVisitor): void {
    if (encoding === Encoding.HASHTABLE) this.#table.each(body, visit);
    else if (encoding === Encoding.INTSET) eachInteger(this.#walkedIntegers, body, visit);
    else eachPacked(this.#walkedPacked, body, visit);
  }

  emit(encoding: number, body: BodyRef, cursor: number, writer: CommandWriter): number {
    let room = 0;
    do {
      cursor = this.scan(encoding, body, cursor, ELEMENTS_PER_COMMAND, (bytes, start, end) => {
        if (room-- === 0) {
          writer.command("SADD");
          room = ELEMENTS_PER_COMMAND - 1;
        }
        writer.bytes(bytes, start, end);
      });
    } while (cursor !== 0 && !writer.full);
    return cursor;
  }

  count(encoding: number, body: BodyRef): number {
    if (encoding === Encoding.HASHTABLE) return this.#table.count(body);
    return encoding === Encoding.INTSET ? this.integers.count(body) : this.packed.count(body);
  }

  copy(encoding: number, body: BodyRef): BodyRef {
    if (encoding === Encoding.HASHTABLE) return this.#table.copy(body);
    return encoding === Encoding.INTSET ? this.integers.copy(body) : this.packed.copy(body);
  }

  free(encoding: number, body: BodyRef, budget: number): BodyRef {
    if (encoding === Encoding.HASHTABLE) return this.#table.drain(body, budget);
    this.#arena.free(body);
    return NONE;
  }

  sizeBytes(encoding: number, body: BodyRef, samples: number): number {
    return encoding === Encoding.HASHTABLE ? this.#table.sizeBytes(body, samples) : this.#arena.sizeOf(body);
  }

  check(encoding: number, body: BodyRef, reached: Set<number>): void {
    if (encoding === Encoding.HASHTABLE) return this.#table.check(body, reached);
    if (encoding === Encoding.INTSET) this.integers.check(body);
    else this.packed.check(body);
    reached.add(body);
  }

  #addPacked(bytes: Uint8Array, start: number, end: number): boolean {
    const { packed } = this;
    packed.encode(bytes, start, end);
    if (packed.find(this.body, packed.first(this.body), 1) !== 0) return false;
    const bytesAfter = packed.sizeOf(this.body) + end - start;
    if (this.#fitsPacked(packed.count(this.body), end - start) && bytesAfter <= LISTPACK_BYTES_MAX) {
      this.body = packed.append(this.body);
      return true;
    }
    this.#toTable();
    return this.add(bytes, start, end);
  }

  /** Whether the limits of a packed block allow for one more member than `count`, of so many bytes. */
  #fitsPacked(count: number, bytes: number): boolean {
    return count < this.maxPackedEntries && bytes <= this.maxPackedValueBytes;
  }

  /** The most characters of an integer in the set at hand: one at either end has them. */
  #longestInteger(): number {
    const { integers, body } = this;
    const count = integers.count(body);
    if (count === 0) return 0;
    integers.read(body, 0);
    const { length } = integers;
    integers.read(body, count - 1);
    return Math.max(length, integers.length);
  }

  #toTable(): void {
    const { encoding, body } = this;
    this.create(Encoding.HASHTABLE);
    const add: KeyVisitor = (bytes, start, end) => this.add(bytes, start, end);
    if (encoding === Encoding.INTSET) eachInteger(this.integers, body, add);
    else eachPacked(this.packed, body, add);
    this.#arena.free(body);
  }

  #toPacked(): void {
    const { packed, body } = this;
    this.create(Encoding.LISTPACK);
    eachInteger(this.integers, body, (bytes, start, end) => {
      packed.encode(bytes, start, end);
      this.body = packed.append(this.body);
      return true;
    });
    this.#arena.free(body);
  }
}

function eachInteger(integers: IntSet, set: BodyRef, visit: KeyVisitor): void {
  const count = integers.count(set);
  for (let i = 0; i < count; i++) {
    integers.read(set, i);
    if (!visit(integers.text, 0, integers.length)) return;
  }
}

function eachPacked(packed: Packed, block: BodyRef, visit: KeyVisitor): void {
  const end = packed.end(block);
  for (let position = packed.first(block); position < end; position = packed.after) {
    packed.read(block, position);
    packed.text();
    if (!visit(packed.bytes, packed.start, packed.start + packed.length)) return;
  }
}
