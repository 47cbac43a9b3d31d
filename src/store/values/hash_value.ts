/**
 * The hash: a packed block while it is small, otherwise a table of pages. This file owns the conversions, at Redis's
 * thresholds, and gives all forms one interface.
 *
 *     LISTPACK      body: a packed block of pairs, packed_hash.ts
 *     LISTPACK_EX   body: a packed block of triples, packed_hash.ts
 *     HASHTABLE     body: a page table
 *     HASHTABLE_EX  body: +0 page table · +4 ordered index, 0 once it is freed, of the fields that have a deadline
 *
 * A hash gets one of the two EX encodings with its first deadline and keeps it. In a table a field with a deadline is
 * always a record (field_record.ts), and the deadline is its score. Only `expire` finds a field that is past its
 * deadline; the caller runs it before it works on a hash.
 *
 * One HashValue serves all hashes of a store. `open` takes up a hash; writes leave its encoding and body in the
 * registers `encoding` and `body`, for the caller to store. The registers of fields and values, and the result of
 * `find`, are valid until the next write. A hash is empty only between a write and the deletion of its key.
 */
import { invariant } from "../../core/assert.ts";
import { NO_BYTES } from "../../core/bytes.ts";
import type { Random } from "../../core/random.ts";
import {
  type Arena,
  type BodyRef,
  CHUNK_SHIFT,
  GRANULE_MASK,
  type IndexRef,
  NONE,
  type RecordRef,
  type Ref,
} from "../memory/arena.ts";
import {
  createField,
  freeField,
  hasDeadline,
  overwriteValue,
  rebuildField,
  valueBlock,
} from "../blocks/field_record.ts";
import { Encoding, ExpiryMode, NEVER } from "../keyspace.ts";
import { Ordered } from "../blocks/ordered.ts";
import type { Entry } from "../blocks/page.ts";
import { PageTable } from "../blocks/page_table.ts";
import { keyLength, keyStart, scoreOf, setScore } from "../blocks/record.ts";
import { type FieldRegisters, PackedHash, PAIRS, TRIPLES } from "./packed_hash.ts";
import { type CommandWriter, ELEMENTS_PER_COMMAND, type Store, type ValueType } from "../store.ts";

const TABLE = 0, INDEX = 1;
const BODY_BYTES = 8;
/** In a page table a field's number is page * PLACES + slot. */
const PLACES = 256;
/** Tries to meet a field that is not expired before all are looked at. */
const RANDOM_TRIES = 64;

export class HashValue implements ValueType, FieldRegisters {
  /** Redis's hash-max-listpack-entries and hash-max-listpack-value. */
  maxPackedEntries = 512;
  maxPackedValueBytes = 64;

  /** The hash at hand. */
  encoding: number = Encoding.LISTPACK;
  body: BodyRef = NONE;
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
  readonly #table: PageTable;
  /** The table's entry that was read last. */
  readonly #entry: Entry;
  readonly #ordered: Ordered;
  readonly #packed: PackedHash;
  // The position that find found in a packed block, expired or not.
  #position = 0;

  constructor(store: Store) {
    this.#store = store;
    this.#arena = store.arena;
    this.#table = new PageTable(store.arena, true);
    this.#entry = this.#table.entry;
    this.#ordered = new Ordered(store.arena);
    this.#packed = new PackedHash(store.arena, this);
  }

  /** Takes up a hash. */
  open(encoding: number, body: BodyRef): void {
    this.encoding = encoding;
    this.body = body;
  }

  /** Takes up a new, empty hash; `bytes` is the size of its fields and values, 0 if unknown. */
  create(bytes = 0): void {
    this.open(Encoding.LISTPACK, this.#packed.create(bytes));
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
    return isPacked(this.encoding);
  }

  /** Number of fields, without those that are expired. */
  get length(): number {
    return this.count(this.encoding, this.body) - this.#expiredCount();
  }

  prefetch(encoding: number, body: BodyRef, hashes: Int32Array, count: number): void {
    if (isPacked(encoding)) return;
    this.#table.prefetch(this.#tableOf(encoding, body), hashes, count);
  }

  /** Looks for a field, whose hash is `hash`, or 0; loads the registers with its value and deadline. Hot. */
  find(bytes: Uint8Array, start: number, end: number, hash = 0): boolean {
    if (!this.seek(bytes, start, end, hash)) return false;
    if (this.packed) {
      this.#packed.readValue(this.body, this.#stride, this.#position);
    } else {
      this.#table.readFound();
      this.#readValue();
    }
    return true;
  }

  /** `find` that reads no more than the deadline; it serves all writes but `setDeadline`. Hot. */
  seek(bytes: Uint8Array, start: number, end: number, hash = 0): boolean {
    this.deadline = NEVER;
    if (this.packed) {
      this.#position = this.#packed.find(this.body, this.#stride, bytes, start, end);
      if (this.#position === 0) return false;
      if (this.encoding === Encoding.LISTPACK) return true;
      this.#packed.readValue(this.body, TRIPLES, this.#position);
    } else {
      if (!this.#table.find(this.#tableOf(this.encoding, this.body), bytes, start, end, hash)) return false;
      if (this.encoding === Encoding.HASHTABLE) return true;
      this.deadline = this.#deadlineOf(this.#entry.record);
    }
    return !this.#isExpired();
  }

  /**
   * Sets the field `fb[fs, fe)`, which `find` or `seek` just looked for, to `vb[vs, ve)`. Neither may lie in the arena.
   * The field's deadline goes unless it is kept; that of an expired field always goes. Hot.
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
    const table = this.#tableOf(this.encoding, this.body), { deadline } = this;
    if (deadline === NEVER) {
      this.#table.put(table, fb, fs, fe, vb, vs, ve);
      return;
    }
    const old = this.#entry.record;
    if (!keepDeadline || this.#isExpired()) {
      this.#unindex(old);
      this.#table.put(table, fb, fs, fe, vb, vs, ve);
    } else if (!overwriteValue(this.#arena, old, vb, vs, ve, true)) {
      this.#unindex(old);
      this.#putIndexed(createField(this.#arena, fb, fs, fe, vb, vs, ve, true), deadline);
      freeField(this.#arena, old);
    }
  }

  /** Removes the field that `find` or `seek` just found. Hot. */
  remove(): void {
    if (this.packed) {
      this.body = this.#packed.remove(this.body, this.#stride, this.#position);
      return;
    }
    this.#unindex(this.#entry.record);
    this.#table.remove(this.#tableOf(this.encoding, this.body));
  }

  /** Gives the hash an encoding that has room for deadlines. */
  allowDeadlines(): void {
    if (this.encoding === Encoding.LISTPACK) {
      this.open(Encoding.LISTPACK_EX, this.#packed.addDeadlines(this.body));
    } else if (this.encoding === Encoding.HASHTABLE) {
      const body: BodyRef = this.#arena.alloc(BODY_BYTES);
      this.#setPart(body, TABLE, this.body);
      this.#setPart(body, INDEX, this.#ordered.create());
      this.open(Encoding.HASHTABLE_EX, body);
    }
  }

  /** Gives the field that `find` just found a deadline, or NEVER. The hash has room for deadlines. */
  setDeadline(deadline: number): void {
    if (this.encoding === Encoding.LISTPACK_EX) {
      this.body = this.#packed.move(this.body, this.#position, deadline);
      return;
    }
    const arena = this.#arena, entry = this.#entry, index = this.#part(this.body, INDEX);
    const old = entry.record, indexed = this.deadline !== NEVER;
    if (indexed && deadline !== NEVER) {
      this.#ordered.rescore(index, old, deadline);
    } else if (deadline !== NEVER) {
      const { bytes, start, end, valueChunk, valueStart, valueEnd } = entry;
      const record = old === 0
        ? createField(arena, bytes, start, end, arena.u8[valueChunk], valueStart, valueEnd, true)
        : rebuildField(arena, old, true);
      this.#putIndexed(record, deadline);
    } else if (indexed) {
      const { bytes, start, end, valueChunk, valueStart, valueEnd } = entry;
      const table = this.#part(this.body, TABLE);
      this.#unindex(old);
      // A value with a block of its own changes hands; others are copied, most of them back into their page.
      if (valueBlock(arena, old) !== old) this.#table.putRecord(table, rebuildField(arena, old, false));
      else this.#table.put(table, bytes, start, end, arena.u8[valueChunk], valueStart, valueEnd);
    }
  }

  /**
   * Removes up to `limit` expired fields, the earliest first; `visit` hears of each while the registers hold it.
   * Returns how many. Nothing expires while the store holds expiry.
   */
  expire(limit: number, visit: () => void): number {
    let count = 0;
    if (this.encoding === Encoding.LISTPACK_EX) {
      const packed = this.#packed, end = packed.end(this.body);
      let position = packed.first(this.body);
      while (count < limit && position < end) {
        const next = packed.read(this.body, TRIPLES, position);
        if (!this.#isExpired()) break;
        visit();
        count++;
        position = next;
      }
      if (count > 0) this.body = packed.removeBefore(this.body, TRIPLES, position, count);
    } else if (this.encoding === Encoding.HASHTABLE_EX) {
      const index = this.#part(this.body, INDEX), table = this.#part(this.body, TABLE);
      for (; count < limit && this.#ordered.count(index) > 0; count++) {
        this.#ordered.seek(index, 0);
        const { ref } = this.#ordered;
        this.deadline = scoreOf(this.#arena, ref);
        if (!this.#isExpired()) break;
        const start = keyStart(this.#arena, ref);
        const found = this.#table.find(
          table,
          this.#arena.u8[ref >>> CHUNK_SHIFT],
          start,
          start + keyLength(this.#arena, ref),
        );
        invariant(found && this.#entry.record === ref, "a field with a deadline is not in its hash");
        this.#table.readFound();
        this.#readField();
        visit();
        this.#ordered.removeAt(index, 0);
        this.#table.remove(table);
      }
    }
    return count;
  }

  /** Visits all fields of the hash, in any order, until `visit` returns false; it must not write. */
  each(visit: () => boolean | void): void {
    if (this.packed) {
      const packed = this.#packed, stride = this.#stride, end = packed.end(this.body);
      for (let position = packed.first(this.body); position < end;) {
        position = packed.read(this.body, stride, position);
        if (!this.#isExpired() && visit() === false) return;
      }
      return;
    }
    this.#table.each(this.#tableOf(this.encoding, this.body), () => {
      this.#readField();
      return this.#isExpired() || visit() !== false;
    });
  }

  /**
   * Visits fields from `cursor` (0 starts) on, about `count` of them, and returns the cursor to go on with; 0 is the
   * end. The guarantees are those of the page table's scan; a packed hash is visited whole.
   */
  scan(cursor: number, count: number, visit: () => void): number {
    if (this.packed) {
      this.each(visit);
      return 0;
    }
    return this.#table.scan(this.#tableOf(this.encoding, this.body), cursor, count, () => {
      this.#readField();
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
      this.#packed.read(this.body, this.#stride, this.#packed.at(this.body, this.#stride, i));
      return i;
    }
    const table = this.#tableOf(this.encoding, this.body), pages = this.#table;
    for (let tries = 0; tries < RANDOM_TRIES; tries++) {
      pages.random(table, random);
      pages.read(table);
      this.#readField();
      if (!this.#isExpired()) return pages.page * PLACES + pages.slot;
    }
    // Nearly all are expired: of those that are not, the one that the dice choose.
    let left = random.below(this.length);
    this.each(() => left-- > 0);
    pages.find(table, this.fieldBytes, this.fieldStart, this.fieldEnd);
    return pages.page * PLACES + pages.slot;
  }

  emit(encoding: number, body: BodyRef, cursor: number, writer: CommandWriter): number {
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

  copy(encoding: number, body: BodyRef): BodyRef {
    if (isPacked(encoding)) return this.#packed.copy(body);
    const table = this.#table.copy(this.#tableOf(encoding, body));
    return encoding === Encoding.HASHTABLE ? table : this.#withIndex(table);
  }

  free(encoding: number, body: BodyRef, budget: number): BodyRef {
    if (encoding === Encoding.HASHTABLE) return this.#table.drain(body, budget);
    if (encoding === Encoding.HASHTABLE_EX) {
      const index = this.#part(body, INDEX);
      if (index !== 0) {
        const rest = this.#ordered.drain(index, budget);
        this.#setPart(body, INDEX, rest);
        if (rest !== 0) return body;
      }
      const rest = this.#table.drain(this.#part(body, TABLE), budget);
      this.#setPart(body, TABLE, rest);
      if (rest !== 0) return body;
    }
    this.#arena.free(body);
    return NONE;
  }

  count(encoding: number, body: BodyRef): number {
    if (isPacked(encoding)) return this.#packed.count(body, strideOf(encoding));
    return this.#table.count(this.#tableOf(encoding, body));
  }

  sizeBytes(encoding: number, body: BodyRef, samples: number): number {
    const arena = this.#arena;
    if (isPacked(encoding)) return arena.sizeOf(body);
    const own = this.#table.sizeBytes(this.#tableOf(encoding, body), samples);
    if (encoding === Encoding.HASHTABLE) return own;
    return own + arena.sizeOf(body) + this.#ordered.sizeBytes(this.#part(body, INDEX));
  }

  /** A view of the field's value, for SORT. Takes the hash up. */
  fieldValue(encoding: number, body: BodyRef, bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    this.open(encoding, body);
    return this.find(bytes, start, end) ? this.bytes.subarray(this.start, this.end) : undefined;
  }

  earliestDeadline(encoding: number, body: BodyRef): number {
    if (encoding === Encoding.LISTPACK_EX) return this.#packed.earliestDeadline(body);
    if (encoding !== Encoding.HASHTABLE_EX) return NEVER;
    const index = this.#part(body, INDEX);
    if (this.#ordered.count(index) === 0) return NEVER;
    this.#ordered.seek(index, 0);
    return scoreOf(this.#arena, this.#ordered.ref);
  }

  check(encoding: number, body: BodyRef, reached: Set<number>): void {
    if (encoding !== Encoding.HASHTABLE) reached.add(body);
    if (isPacked(encoding)) {
      this.#packed.check(body, strideOf(encoding));
      return;
    }
    const table = this.#tableOf(encoding, body);
    const withDeadline = new Set<number>();
    this.#table.check(table, reached);
    this.#table.eachRecord(table, (ref) => {
      if (hasDeadline(this.#arena, ref)) withDeadline.add(ref);
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

  get #stride(): number {
    return strideOf(this.encoding);
  }

  /** Whether the deadline that was just read has passed. */
  #isExpired(): boolean {
    return this.deadline !== NEVER && this.deadline <= this.#store.nowMs && this.#store.expiryMode !== ExpiryMode.KEEP;
  }

  #expiredCount(): number {
    const { nowMs, expiryMode } = this.#store;
    if (expiryMode === ExpiryMode.KEEP || this.encoding < Encoding.LISTPACK_EX) return 0;
    if (this.encoding === Encoding.HASHTABLE_EX) {
      return this.#ordered.seekScore(this.#part(this.body, INDEX), nowMs, true);
    }
    const packed = this.#packed, end = packed.end(this.body);
    let count = 0;
    for (let position = packed.first(this.body); position < end; count++) {
      position = packed.read(this.body, TRIPLES, position);
      if (!this.#isExpired()) break;
    }
    return count;
  }

  /** Makes a packed hash large. */
  unpack(): void {
    if (!this.packed) return;
    const withDeadlines = this.encoding === Encoding.LISTPACK_EX, block = this.body, arena = this.#arena;
    const table = this.#table.create();
    const packed = this.#packed, stride = this.#stride, blockEnd = packed.end(block);
    for (let position = packed.first(block); position < blockEnd;) {
      position = packed.read(block, stride, position);
      const { fieldBytes, fieldStart, fieldEnd, bytes, start, end, deadline } = this;
      this.#table.find(table, fieldBytes, fieldStart, fieldEnd);
      if (deadline === NEVER) {
        this.#table.put(table, fieldBytes, fieldStart, fieldEnd, bytes, start, end);
      } else {
        const record = createField(arena, fieldBytes, fieldStart, fieldEnd, bytes, start, end, true);
        setScore(arena, record, deadline);
        this.#table.putRecord(table, record);
      }
    }
    arena.free(block);
    if (withDeadlines) this.open(Encoding.HASHTABLE_EX, this.#withIndex(table));
    else this.open(Encoding.HASHTABLE, table);
  }

  /** The body of a table whose fields may have deadlines, and of an index of those that have one. */
  #withIndex(table: BodyRef): BodyRef {
    const body: BodyRef = this.#arena.alloc(BODY_BYTES), index = this.#ordered.create();
    this.#setPart(body, TABLE, table);
    this.#setPart(body, INDEX, index);
    this.#table.eachRecord(table, (record) => {
      if (hasDeadline(this.#arena, record)) this.#ordered.insert(index, record);
    });
    return body;
  }

  /** Sets the packed field that `find` looked for, which is still encoded. */
  #setPacked(bytes: Uint8Array, start: number, end: number, keepDeadline: boolean): void {
    // Only a field with a deadline has one to lose.
    const keeps = this.deadline === NEVER || (keepDeadline && !this.#isExpired());
    this.body = this.#packed.set(this.body, this.#stride, this.#position, bytes, start, end, keeps);
    if (this.count(this.encoding, this.body) > this.maxPackedEntries) this.unpack();
  }

  /** Loads the registers with the table's entry that was read last. */
  #readField(): void {
    const entry = this.#entry;
    this.fieldBytes = entry.bytes;
    this.fieldStart = entry.start;
    this.fieldEnd = entry.end;
    this.deadline = this.#deadlineOf(entry.record);
    this.#readValue();
  }

  /** Loads the registers with the value of the table's entry that was read last. Hot. */
  #readValue(): void {
    const { valueChunk, valueStart, valueEnd } = this.#entry;
    this.bytes = this.#arena.u8[valueChunk];
    this.view = this.#arena.view[valueChunk];
    this.start = valueStart;
    this.end = valueEnd;
  }

  /** The deadline of an entry that is a record, or inline if that is 0. */
  #deadlineOf(record: RecordRef): number {
    return record !== 0 && hasDeadline(this.#arena, record) ? scoreOf(this.#arena, record) : NEVER;
  }

  /** Makes the field that `find` or `seek` looked for a record with a deadline. */
  #putIndexed(record: RecordRef, deadline: number): void {
    setScore(this.#arena, record, deadline);
    this.#table.putRecord(this.#part(this.body, TABLE), record);
    this.#ordered.insert(this.#part(this.body, INDEX), record);
  }

  /** Takes an entry that is about to change or go out of the index, if it is in there. */
  #unindex(record: RecordRef): void {
    if (record === 0 || !hasDeadline(this.#arena, record)) return;
    this.#ordered.remove(this.#part(this.body, INDEX), record);
  }

  #tableOf(encoding: number, body: BodyRef): BodyRef {
    return encoding === Encoding.HASHTABLE ? body : this.#part(body, TABLE);
  }

  #part(body: BodyRef, part: typeof TABLE): BodyRef;
  #part(body: BodyRef, part: typeof INDEX): IndexRef;
  #part(body: BodyRef, part: number): Ref {
    return this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + part] as Ref;
  }

  #setPart(body: BodyRef, part: number, value: Ref): void {
    this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + part] = value;
  }
}

function isPacked(encoding: number): boolean {
  return encoding === Encoding.LISTPACK || encoding === Encoding.LISTPACK_EX;
}

/** The stride of a packed encoding. */
function strideOf(encoding: number): number {
  return encoding === Encoding.LISTPACK ? PAIRS : TRIPLES;
}
