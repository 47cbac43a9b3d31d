/**
 * The hash: a packed block while it is small, else a dictionary of records. This file owns the conversions, at Redis's
 * thresholds, and makes all forms look alike; what commands reply and announce is not its business.
 *
 *     LISTPACK      body: a packed block of field, value, field, value …
 *     LISTPACK_EX   body: a packed block of field, value, deadline …; by deadline, then those without, which say 0
 *     HASHTABLE     body: a dictionary of records (field_record.ts)
 *     HASHTABLE_EX  body: +0 dictionary · +4 ordered index, 0 once it is freed, of the records that have a deadline
 *
 * A hash gets one of the two EX encodings with the first deadline and keeps it. A deadline is the record's score. A field
 * past its deadline is found by nothing but `expire`, which the caller runs before it works on a hash.
 *
 * One HashTable serves all hashes of a store. `open` takes a hash up; writes leave its encoding and body in the registers
 * `encoding` and `body`, for the caller to store. The registers of fields and values, and what `find` found, are valid
 * until the next write. An empty hash stands only between a write and the deletion of its key.
 */
import { invariant } from "../core/assert.ts";
import { NO_BYTES } from "../core/bytes.ts";
import { writeDecimal } from "../core/numbers.ts";
import type { Random } from "../core/random.ts";
import { type Arena, CHUNK_SHIFT, GRANULE_MASK } from "./arena.ts";
import type { Dict } from "./dict.ts";
import { hashBytes } from "./hash.ts";
import {
  createField,
  fieldSize,
  freeField,
  hasDeadline,
  overwriteValue,
  rebuildField,
  valueBlock,
  valueBytes,
  valuePlace,
} from "./field_record.ts";
import { Encoding, NEVER } from "./keyspace.ts";
import { Ordered } from "./ordered.ts";
import { Packed } from "./packed.ts";
import { keyLength, keyStart, scoreOf, setScore } from "./record.ts";
import { type CommandWriter, ELEMENTS_PER_COMMAND, type Store, type ValueType } from "./store.ts";

const DICT = 0, INDEX = 1;
const BODY_BYTES = 8;
/** What a packed hash says of a field that has no deadline. */
const NO_DEADLINE = 0;
const DEADLINE_TEXT_MAX = 20;
/** Tables from here on do not fit into the processor's nearer caches. */
const LARGE_FIELDS = 1 << 12;
/** Tries to meet a field that is not expired before all are looked at. */
const RANDOM_TRIES = 64;

export class HashTable implements ValueType {
  /** Redis's hash-max-listpack-entries and hash-max-listpack-value. */
  maxPackedEntries = 512;
  maxPackedValueBytes = 64;

  /** The hash at hand. */
  encoding: number = Encoding.LISTPACK;
  body = 0;
  /** The field that a visit or `readRandom` is about. */
  fieldBytes: Uint8Array = NO_BYTES;
  fieldStart = 0;
  fieldEnd = 0;
  /** Its value, or that of the field that was found. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** A view in which `start` and `end` hold, too; undefined if the value's text was made, which is short. */
  view: DataView | undefined;
  /** The field's deadline in milliseconds, or NEVER. */
  deadline: number = NEVER;

  readonly #store: Store;
  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #ordered: Ordered;
  // Two, because each holds one element: the field, and the value or the deadline.
  readonly #fields: Packed;
  readonly #values: Packed;
  readonly #deadlineText = new Uint8Array(DEADLINE_TEXT_MAX);
  // What find found, be it expired or not: a record or a position, and the hash of what it looked for.
  #ref = 0;
  #position = 0;
  #hash = 0;

  constructor(store: Store) {
    this.#store = store;
    this.#arena = store.arena;
    this.#dict = store.dict;
    this.#ordered = new Ordered(store.arena);
    this.#fields = new Packed(store.arena);
    this.#values = new Packed(store.arena);
  }

  /** Takes up a hash. */
  open(encoding: number, body: number): void {
    this.encoding = encoding;
    this.body = body;
  }

  /** Takes up a new, empty hash; `bytes` is what its fields and values will take, as far as that is known. */
  create(bytes = 0): void {
    this.open(Encoding.LISTPACK, this.#fields.create(bytes));
  }

  /** Makes a packed hash large where Redis does before it sets `count` fields. */
  expect(count: number): void {
    if (count > this.maxPackedEntries) this.unpack();
  }

  /** Whether a field or value of so many bytes may be packed; makes the hash large if not. */
  admit(bytes: number): void {
    if (bytes > this.maxPackedValueBytes) this.unpack();
  }

  get packed(): boolean {
    return this.encoding === Encoding.LISTPACK || this.encoding === Encoding.LISTPACK_EX;
  }

  /** Number of fields, without those that are expired. */
  get length(): number {
    return this.count(this.encoding, this.body) - this.#expiredCount();
  }

  approach(encoding: number, body: number, hashes: Int32Array, count: number): void {
    if (encoding === Encoding.LISTPACK || encoding === Encoding.LISTPACK_EX) return;
    const dict = this.#fieldDict(encoding, body);
    if (this.#dict.count(dict) >= LARGE_FIELDS) this.#dict.approach(dict, hashes, count);
  }

  /** Looks for a field, whose hash is `hash`, or 0; loads the registers with its value and deadline. Hot. */
  find(bytes: Uint8Array, start: number, end: number, hash = 0): boolean {
    if (!this.seek(bytes, start, end, hash)) return false;
    if (this.packed) this.#readPackedValue(this.#fields.next(this.body, this.#position));
    else this.#readValue(this.#ref);
    return true;
  }

  /** `find` that reads no more than the deadline; it serves all writes but `setDeadline`. Hot. */
  seek(bytes: Uint8Array, start: number, end: number, hash = 0): boolean {
    this.deadline = NEVER;
    if (this.packed) {
      const fields = this.#fields, { body } = this;
      fields.encode(bytes, start, end);
      this.#position = fields.find(body, fields.first(body), this.#stride);
      if (this.#position === 0) return false;
      if (this.encoding === Encoding.LISTPACK) return true;
      this.#readPackedValue(fields.next(body, this.#position));
    } else {
      this.#hash = hash || hashBytes(bytes, start, end);
      this.#ref = this.#dict.find(this.#fieldDict(this.encoding, this.body), bytes, start, end, this.#hash);
      if (this.#ref === 0) return false;
      if (this.encoding === Encoding.HASHTABLE) return true;
      if (hasDeadline(this.#arena, this.#ref)) this.deadline = scoreOf(this.#arena, this.#ref);
    }
    return !this.#isExpired();
  }

  /**
   * Sets the field `fb[fs, fe)`, which `find` or `seek` just looked for, to `vb[vs, ve)`. Neither may lie in the arena. The field's
   * deadline goes unless it is kept; that of an expired field always goes. Hot.
   */
  set(
    fb: Uint8Array,
    fs: number,
    fe: number,
    vb: Uint8Array,
    vs: number,
    ve: number,
    keepDeadline = false,
  ): void {
    if (this.packed) {
      if (fe - fs <= this.maxPackedValueBytes && ve - vs <= this.maxPackedValueBytes) {
        this.#setPacked(vb, vs, ve, keepDeadline);
        return;
      }
      this.unpack();
      this.seek(fb, fs, fe);
    }
    const old = this.#ref;
    const kept = old !== 0 && keepDeadline && this.deadline !== NEVER && !this.#isExpired();
    const { deadline } = this;
    if (old !== 0 && overwriteValue(this.#arena, old, vb, vs, ve, kept)) return;
    const ref = createField(this.#arena, fb, fs, fe, vb, vs, ve, kept);
    if (old === 0) {
      this.#dict.insert(this.#fieldDict(this.encoding, this.body), this.#hash, ref);
    } else {
      this.#dict.replace(ref);
      this.#unindex(old);
      freeField(this.#arena, old);
    }
    if (kept) this.#index(ref, deadline);
  }

  /** Removes the field that `find` or `seek` just found. Hot. */
  remove(): void {
    if (this.packed) {
      this.body = this.#fields.remove(this.body, this.#position, this.#stride);
      return;
    }
    this.#dict.remove(this.#fieldDict(this.encoding, this.body));
    this.#unindex(this.#ref);
    freeField(this.#arena, this.#ref);
  }

  /** Gives the hash an encoding that has room for deadlines. */
  allowDeadlines(): void {
    if (this.encoding === Encoding.LISTPACK) {
      const fields = this.#fields;
      let { body } = this;
      fields.encode(this.#deadlineText, 0, writeDecimal(this.#deadlineText, 0, NO_DEADLINE));
      for (let position = fields.first(body); position < fields.end(body);) {
        const behind = fields.next(body, fields.next(body, position));
        body = fields.insert(body, behind);
        position = fields.next(body, fields.position);
      }
      this.open(Encoding.LISTPACK_EX, body);
    } else if (this.encoding === Encoding.HASHTABLE) {
      const words = this.#arena.alloc(BODY_BYTES);
      this.#setPart(words, DICT, this.body);
      this.#setPart(words, INDEX, this.#ordered.create());
      this.open(Encoding.HASHTABLE_EX, words);
    }
  }

  /** Gives the field that `find` just found a deadline, or NEVER. The hash has room for deadlines. */
  setDeadline(deadline: number): void {
    if (this.encoding === Encoding.LISTPACK_EX) {
      this.#movePacked(deadline);
      return;
    }
    const ref = this.#ref, indexed = hasDeadline(this.#arena, ref);
    if (indexed && deadline !== NEVER) {
      this.#ordered.rescore(this.#part(this.body, INDEX), ref, deadline);
    } else if (indexed || deadline !== NEVER) {
      this.#unindex(ref);
      const to = rebuildField(this.#arena, ref, deadline !== NEVER);
      this.#dict.replace(to);
      if (deadline !== NEVER) this.#index(to, deadline);
    }
  }

  /**
   * Removes up to `limit` expired fields, the earliest first; `visit` hears of each while the registers hold it. Returns
   * how many. Nothing expires while the store holds expiry.
   */
  expire(limit: number, visit: () => void): number {
    let count = 0;
    if (this.encoding === Encoding.LISTPACK_EX) {
      const fields = this.#fields;
      let position = fields.first(this.body);
      const first = position, end = fields.end(this.body);
      while (count < limit && position < end) {
        const next = this.#readPacked(position);
        if (!this.#isExpired()) break;
        visit();
        count++;
        position = next;
      }
      if (count > 0) this.body = fields.removeRange(this.body, first, position, count * 3);
    } else if (this.encoding === Encoding.HASHTABLE_EX) {
      const index = this.#part(this.body, INDEX), dict = this.#part(this.body, DICT);
      for (; count < limit && this.#ordered.count(index) > 0; count++) {
        this.#ordered.seek(index, 0);
        const { ref } = this.#ordered;
        this.#readRecord(ref);
        if (!this.#isExpired()) break;
        visit();
        this.#ordered.removeAt(index, 0);
        const found = this.#dict.locate(dict, this.#dict.hashOf(ref), ref);
        invariant(found, "a field with a deadline is not in its hash");
        this.#dict.remove(dict);
        freeField(this.#arena, ref);
      }
    }
    return count;
  }

  /** Visits all fields of the hash, in any order, until `visit` returns false; it must not write. */
  each(visit: () => boolean | void): void {
    if (this.packed) {
      const end = this.#fields.end(this.body);
      for (let position = this.#fields.first(this.body); position < end;) {
        position = this.#readPacked(position);
        if (!this.#isExpired() && visit() === false) return;
      }
      return;
    }
    let go = true;
    this.#dict.each(this.#fieldDict(this.encoding, this.body), (ref) => {
      if (!go) return;
      this.#readRecord(ref);
      if (!this.#isExpired()) go = visit() !== false;
    });
  }

  /**
   * Visits fields from `cursor` (0 starts) on, about `count` of them, and returns the cursor to go on with; 0 is the end.
   * The guarantees are those of the dictionary's scan; a packed hash is visited whole.
   */
  scan(cursor: number, count: number, visit: () => void): number {
    if (this.packed) {
      this.each(visit);
      return 0;
    }
    return this.#dict.scan(this.#fieldDict(this.encoding, this.body), cursor, count, (ref) => {
      this.#readRecord(ref);
      if (!this.#isExpired()) visit();
    });
  }

  /**
   * Reads a uniformly chosen field of a hash that has some. Returns a number that stands for it, the same for the same
   * field until the next write.
   */
  readRandom(random: Random): number {
    if (this.packed) {
      const expired = this.#expiredCount();
      const i = expired + random.below(this.count(this.encoding, this.body) - expired);
      this.#readPacked(this.#fields.at(this.body, i * this.#stride));
      return i;
    }
    const dict = this.#fieldDict(this.encoding, this.body);
    for (let tries = 0; tries < RANDOM_TRIES; tries++) {
      const ref = this.#dict.random(dict, random);
      this.#readRecord(ref);
      if (!this.#isExpired()) return ref;
    }
    // Nearly all are expired: of those that are not, the one that the dice choose.
    let left = random.below(this.length), chosen = 0;
    this.#dict.each(dict, (ref) => {
      this.#readRecord(ref);
      if (!this.#isExpired() && left-- === 0) chosen = ref;
    });
    this.#readRecord(chosen);
    return chosen;
  }

  emit(encoding: number, body: number, cursor: number, writer: CommandWriter): number {
    let room = 0;
    const write = () => {
      const expires = this.deadline !== NEVER;
      if (room-- === 0 || expires) {
        writer.command("HSET");
        room = ELEMENTS_PER_COMMAND - 1;
      }
      writer.bytes(this.fieldBytes, this.fieldStart, this.fieldEnd);
      writer.bytes(this.bytes, this.start, this.end);
      if (!expires) return;
      writer.command("HPEXPIREAT");
      writer.text(`${this.deadline}`);
      writer.text("FIELDS");
      writer.text("1");
      writer.bytes(this.fieldBytes, this.fieldStart, this.fieldEnd);
      room = 0;
    };
    this.open(encoding, body);
    do {
      cursor = this.scan(cursor, ELEMENTS_PER_COMMAND, write);
    } while (cursor !== 0 && !writer.full);
    return cursor;
  }

  copy(encoding: number, body: number): number {
    if (encoding === Encoding.LISTPACK || encoding === Encoding.LISTPACK_EX) return this.#fields.copy(body);
    const arena = this.#arena, dict = this.#dict;
    const copied = dict.create();
    const index = encoding === Encoding.HASHTABLE_EX ? this.#ordered.create() : 0;
    dict.each(this.#fieldDict(encoding, body), (ref) => {
      this.#readRecord(ref);
      const { fieldBytes, fieldStart, fieldEnd, bytes, start, end, deadline } = this;
      const hash = hashBytes(fieldBytes, fieldStart, fieldEnd);
      dict.find(copied, fieldBytes, fieldStart, fieldEnd, hash);
      const copy = createField(arena, fieldBytes, fieldStart, fieldEnd, bytes, start, end, deadline !== NEVER);
      dict.insert(copied, hash, copy);
      if (deadline === NEVER) return;
      setScore(arena, copy, deadline);
      this.#ordered.insert(index, copy);
    });
    if (index === 0) return copied;
    const to = arena.alloc(BODY_BYTES);
    this.#setPart(to, DICT, copied);
    this.#setPart(to, INDEX, index);
    return to;
  }

  free(encoding: number, body: number, budget: number): number {
    const release = (ref: number) => freeField(this.#arena, ref);
    if (encoding === Encoding.HASHTABLE) return this.#dict.drain(body, budget, release);
    if (encoding === Encoding.HASHTABLE_EX) {
      const index = this.#part(body, INDEX);
      if (index !== 0) {
        const rest = this.#ordered.drain(index, budget);
        this.#setPart(body, INDEX, rest);
        if (rest !== 0) return body;
      }
      const rest = this.#dict.drain(this.#part(body, DICT), budget, release);
      this.#setPart(body, DICT, rest);
      if (rest !== 0) return body;
    }
    this.#arena.free(body);
    return 0;
  }

  count(encoding: number, body: number): number {
    if (encoding === Encoding.LISTPACK) return this.#fields.count(body) >>> 1;
    if (encoding === Encoding.LISTPACK_EX) return this.#fields.count(body) / 3;
    return this.#dict.count(this.#fieldDict(encoding, body));
  }

  sizeBytes(encoding: number, body: number, samples: number): number {
    const arena = this.#arena;
    if (encoding === Encoding.LISTPACK || encoding === Encoding.LISTPACK_EX) return arena.sizeOf(body);
    const dict = this.#fieldDict(encoding, body), count = this.#dict.count(dict);
    let looked = 0, sum = 0;
    const measure = (ref: number) => {
      looked++;
      sum += fieldSize(arena, ref);
    };
    if (samples === 0 || samples >= count) this.#dict.each(dict, measure);
    else this.#dict.scan(dict, 0, samples, measure);
    const records = looked === 0 ? 0 : Math.round(sum / looked * count);
    const own = this.#dict.sizeBytes(dict) + records;
    if (encoding === Encoding.HASHTABLE) return own;
    return own + arena.sizeOf(body) + this.#ordered.sizeBytes(this.#part(body, INDEX));
  }

  /** A view of the field's value, for SORT. Takes the hash up. */
  fieldValue(encoding: number, body: number, bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    this.open(encoding, body);
    return this.find(bytes, start, end) ? this.bytes.subarray(this.start, this.end) : undefined;
  }

  earliestDeadline(encoding: number, body: number): number {
    if (encoding === Encoding.LISTPACK_EX) {
      const fields = this.#fields, values = this.#values;
      const first = fields.first(body);
      if (first === fields.end(body)) return NEVER;
      values.read(body, fields.next(body, fields.next(body, first)));
      return values.value === NO_DEADLINE ? NEVER : values.value;
    }
    if (encoding !== Encoding.HASHTABLE_EX) return NEVER;
    const index = this.#part(body, INDEX);
    if (this.#ordered.count(index) === 0) return NEVER;
    this.#ordered.seek(index, 0);
    return scoreOf(this.#arena, this.#ordered.ref);
  }

  check(encoding: number, body: number, reached: Set<number>): void {
    reached.add(body);
    if (encoding === Encoding.LISTPACK || encoding === Encoding.LISTPACK_EX) {
      this.#checkPacked(encoding, body);
      return;
    }
    const arena = this.#arena;
    const withDeadline = new Set<number>();
    this.#dict.check(this.#fieldDict(encoding, body), reached, (ref) => {
      invariant(!reached.has(ref), "a field belongs to two owners");
      reached.add(ref);
      reached.add(valueBlock(arena, ref));
      if (hasDeadline(arena, ref)) withDeadline.add(ref);
    });
    let indexed = 0;
    if (encoding === Encoding.HASHTABLE_EX) {
      this.#ordered.check(this.#part(body, INDEX), reached, (ref) => {
        invariant(withDeadline.has(ref), "a field without a deadline is indexed as having one");
        indexed++;
      });
    }
    invariant(indexed === withDeadline.size, "a field with a deadline is not indexed");
  }

  #checkPacked(encoding: number, body: number): void {
    const stride = encoding === Encoding.LISTPACK ? 2 : 3;
    this.#fields.check(body);
    invariant(this.#fields.count(body) % stride === 0, "a packed hash ends within a field");
    this.open(encoding, body);
    let last = 0;
    const end = this.#fields.end(body);
    for (let position = this.#fields.first(body); position < end;) {
      position = this.#readPacked(position);
      const deadline = this.deadline === NEVER ? Infinity : this.deadline;
      invariant(last <= deadline, "the fields of a packed hash are not in the order of their deadlines");
      last = deadline;
    }
  }

  get #stride(): number {
    return this.encoding === Encoding.LISTPACK ? 2 : 3;
  }

  /** Whether the deadline that was just read has passed. */
  #isExpired(): boolean {
    return this.deadline !== NEVER && this.deadline <= this.#store.nowMs && !this.#store.holdExpiry;
  }

  #expiredCount(): number {
    const { nowMs, holdExpiry } = this.#store;
    if (holdExpiry || this.encoding < Encoding.LISTPACK_EX) return 0;
    if (this.encoding === Encoding.HASHTABLE_EX) {
      return this.#ordered.seekScore(this.#part(this.body, INDEX), nowMs, true);
    }
    const end = this.#fields.end(this.body);
    let count = 0;
    for (let position = this.#fields.first(this.body); position < end; count++) {
      position = this.#readPacked(position);
      if (!this.#isExpired()) break;
    }
    return count;
  }

  /** Makes a packed hash large. */
  unpack(): void {
    if (!this.packed) return;
    const withDeadlines = this.encoding === Encoding.LISTPACK_EX, block = this.body, dict = this.#dict;
    const large = dict.create(), index = withDeadlines ? this.#ordered.create() : 0;
    const blockEnd = this.#fields.end(block);
    for (let position = this.#fields.first(block); position < blockEnd;) {
      position = this.#readPacked(position);
      const { fieldBytes, fieldStart, fieldEnd, bytes, start, end, deadline } = this;
      const hash = hashBytes(fieldBytes, fieldStart, fieldEnd);
      dict.find(large, fieldBytes, fieldStart, fieldEnd, hash);
      const ref = createField(this.#arena, fieldBytes, fieldStart, fieldEnd, bytes, start, end, deadline !== NEVER);
      dict.insert(large, hash, ref);
      if (deadline === NEVER) continue;
      // Fields with equal deadlines are packed in any order.
      setScore(this.#arena, ref, deadline);
      this.#ordered.insert(index, ref);
    }
    this.#arena.free(block);
    this.open(Encoding.HASHTABLE, large);
    if (!withDeadlines) return;
    const body = this.#arena.alloc(BODY_BYTES);
    this.#setPart(body, DICT, large);
    this.#setPart(body, INDEX, index);
    this.open(Encoding.HASHTABLE_EX, body);
  }

  /** Sets the packed field that `find` looked for, which is still encoded. */
  #setPacked(bytes: Uint8Array, start: number, end: number, keepDeadline: boolean): void {
    const fields = this.#fields, values = this.#values;
    const found = this.#position !== 0;
    values.encode(bytes, start, end);
    if (found && (this.deadline === NEVER || (keepDeadline && !this.#isExpired()))) {
      this.body = values.replace(this.body, fields.next(this.body, this.#position));
    } else {
      if (found) this.body = fields.remove(this.body, this.#position, 3);
      this.body = fields.append(this.body);
      this.body = values.append(this.body);
      if (this.encoding === Encoding.LISTPACK_EX) this.#insertDeadline(fields.end(this.body), NEVER);
    }
    if (this.count(this.encoding, this.body) > this.maxPackedEntries) this.unpack();
  }

  /** Moves the packed field that `find` found, which is still encoded, to where its new deadline belongs. */
  #movePacked(deadline: number): void {
    const fields = this.#fields, values = this.#values;
    // The value must not lie in the block that is written.
    const value = this.bytes.slice(this.start, this.end);
    this.body = fields.remove(this.body, this.#position, 3);
    const end = fields.end(this.body);
    let position = deadline === NEVER ? end : fields.first(this.body);
    while (position < end) {
      values.read(this.body, fields.next(this.body, fields.next(this.body, position)));
      if (values.value === NO_DEADLINE || values.value >= deadline) break;
      position = values.after;
    }
    this.body = fields.insert(this.body, position);
    values.encode(value, 0, value.length);
    this.body = values.insert(this.body, fields.position + fields.encodedBytes);
    this.#insertDeadline(values.position + values.encodedBytes, deadline);
  }

  #insertDeadline(position: number, deadline: number): void {
    const text = this.#deadlineText, values = this.#values;
    values.encode(text, 0, writeDecimal(text, 0, deadline === NEVER ? NO_DEADLINE : deadline));
    this.body = values.insert(this.body, position);
  }

  /** Loads the registers with the packed field at a position, and returns the position behind all of it. */
  #readPacked(position: number): number {
    const fields = this.#fields, { body } = this;
    fields.read(body, position);
    const { after } = fields;
    fields.text();
    this.fieldBytes = fields.bytes;
    this.fieldStart = fields.start;
    this.fieldEnd = fields.start + fields.length;
    return this.#readPackedValue(after);
  }

  /** Loads the registers with the value at a position, and its deadline; returns the position behind. Hot. */
  #readPackedValue(position: number): number {
    const values = this.#values, { body } = this;
    this.deadline = NEVER;
    let behind = 0;
    if (this.encoding === Encoding.LISTPACK_EX) {
      values.read(body, values.next(body, position));
      if (values.value !== NO_DEADLINE) this.deadline = values.value;
      behind = values.after;
    }
    values.read(body, position);
    if (values.integer) {
      values.text();
      this.view = undefined;
    } else {
      this.view = values.view;
    }
    this.bytes = values.bytes;
    this.start = values.start;
    this.end = values.start + values.length;
    return behind === 0 ? values.after : behind;
  }

  #readRecord(ref: number): void {
    const arena = this.#arena;
    this.fieldBytes = arena.u8[ref >>> CHUNK_SHIFT];
    this.fieldStart = keyStart(arena, ref);
    this.fieldEnd = this.fieldStart + keyLength(arena, ref);
    this.#readValue(ref);
  }

  /** Loads the registers with the value and the deadline of a record. Hot. */
  #readValue(ref: number): void {
    const arena = this.#arena;
    const block = valueBlock(arena, ref);
    this.deadline = hasDeadline(arena, ref) ? scoreOf(arena, ref) : NEVER;
    this.start = valuePlace(arena, ref, block);
    this.end = this.start + valueBytes(arena, ref, block);
    this.bytes = arena.u8[block >>> CHUNK_SHIFT];
    this.view = arena.view[block >>> CHUNK_SHIFT];
  }

  #index(ref: number, deadline: number): void {
    setScore(this.#arena, ref, deadline);
    this.#ordered.insert(this.#part(this.body, INDEX), ref);
  }

  /** Takes a record that is about to go out of the index, if it is in there. */
  #unindex(ref: number): void {
    if (hasDeadline(this.#arena, ref)) this.#ordered.remove(this.#part(this.body, INDEX), ref);
  }

  #fieldDict(encoding: number, body: number): number {
    return encoding === Encoding.HASHTABLE ? body : this.#part(body, DICT);
  }

  #part(body: number, part: number): number {
    return this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + part];
  }

  #setPart(body: number, part: number, value: number): void {
    this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + part] = value;
  }
}
