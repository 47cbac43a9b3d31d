/**
 * The packed block: a short sequence of elements in one block of the arena, in the format of Redis's listpack. This
 * file owns that layout. Small lists, hashes, sets and sorted sets are packed blocks, and so are the nodes of large
 * lists.
 *
 *     narrow    +0 first:11 | end:11 | count:10                         · gap · entries in [first, end) · room
 *     wide      +0 0 · +4 first:32 · +8 end:32 · +12 count:32           · gap · entries in [first, end) · room
 *     listpack  bytes:32 · count:16 (65535: unknown) · entries · 0xFF      little endian; made on demand, see `image`
 *
 * A block up to 1.5 KiB is narrow (its first entry is never at 0), because most blocks are a small collection each. The
 * entries have room on both sides, which makes a push at the head as cheap as one at the tail. The thresholds of the
 * types count `sizeOf`, the size of the listpack alone.
 *
 * A position is an entry's offset in its block; 0 is none. Operations that may move a block return its new ref and
 * invalidate all positions in it but the one they leave in `position`. One Packed serves all blocks of an arena; its
 * registers hold the element to write (`encode`) and the element read last (`read`).
 */
import { invariant } from "../../core/assert.ts";
import { writeDecimal } from "../../core/numbers.ts";
import { type Arena, type BodyRef, CHUNK_SHIFT, copyBetween, copyBytes, GRANULE_MASK } from "../memory/arena.ts";
import {
  backLengthBytes,
  bodyBytes,
  entryBytes,
  INT16,
  INT24,
  INT32,
  INT64,
  INTEGER_TEXT_MAX,
  PendingEntry,
  putWord,
  STRING12,
  STRING32,
  word,
} from "./entry.ts";

// Of a narrow head: its word. An entry takes two bytes at least, so a narrow block has at most 1021.
const FIRST_MASK = 0x7ff, END_MASK = 0x7ff, END_SHIFT = 11, COUNT_SHIFT = 22;
const NARROW_HEAD_BYTES = 4;
/** Blocks made for more are wide; narrow ones must not reach 2 KiB when the arena rounds them up. */
const NARROW_ENTRIES_BYTES_MAX = 1536 - NARROW_HEAD_BYTES;
// Of a wide head: its words, the first of which is 0.
const FIRST = 1, END = 2, COUNT = 3;
const WIDE_HEAD_BYTES = 16;
/** Bytes of a listpack that are no entries. */
export const LISTPACK_BYTES = 7;
const LISTPACK_HEAD_BYTES = 6;
const COUNT_UNKNOWN = 65535;
const TERMINATOR = 0xff;

/** Up to here entries get no more room than the size class happens to give: such blocks are many, and soon copied. */
const TIGHT_BYTES_MAX = 512;
/** From here on room is worth more than memory. */
const ROOMY_BYTES_MIN = 4096;
/** Blocks below this size do not shrink. */
const SHRINKING_BYTES_MIN = 128;

/** The most elements of one `readRun`. */
const READ_RUN_MAX = 128;

export class Packed {
  /** After `read`: the element's bytes; of an integer only once `text` was called. Valid until the next write. */
  bytes: Uint8Array;
  start = 0;
  length = 0;
  /** After `read`: the number of the chunk that the element lies in. */
  #chunk = 0;
  /** After `read`: whether the element is an integer, and which (rounded to a double beyond 2^53). */
  integer = false;
  value = 0;
  /** After `read`: the position behind the element, which is `end(block)` after the last. */
  after = 0;
  /** After a write: where the written element is, or the one behind the removed elements. */
  position = 0;
  /** After `readRun`: where the strings are. */
  readonly starts = new Int32Array(READ_RUN_MAX);
  readonly ends = new Int32Array(READ_RUN_MAX);
  /** After `find`: how many entries were passed over. */
  passed = 0;

  readonly #arena: Arena;
  readonly #text = new Uint8Array(INTEGER_TEXT_MAX);
  #low = 0;
  #high = 0;
  readonly #pending = new PendingEntry();

  constructor(arena: Arena) {
    this.#arena = arena;
    this.bytes = this.#text;
  }

  /** After a read of a string: a view in which `start` and `length` hold as they do in `bytes`. */
  get view(): DataView {
    return this.#arena.view[this.#chunk];
  }

  /** An empty block with room for `bytes` of entries. */
  create(bytes = 0): BodyRef {
    const block = this.#alloc(bytes), head = this.#headBytes(block);
    this.#setHead(block, head, head, 0);
    return block;
  }

  /** Bytes of entries that the block has room for in all. */
  capacity(block: BodyRef): number {
    return this.#arena.sizeOf(block) - this.#headBytes(block);
  }

  /** A copy that is as large as it must be. */
  copy(block: BodyRef): BodyRef {
    return this.copyRange(block, this.first(block), this.end(block), this.count(block));
  }

  /** A new block of the `count` entries in `[from, to)`. */
  copyRange(block: BodyRef, from: number, to: number, count: number): BodyRef {
    const target = this.create(to - from), first = this.first(target);
    const source = (block & GRANULE_MASK) << 3, at = ((target & GRANULE_MASK) << 3) + first;
    const bytes = this.#arena.u8[target >>> CHUNK_SHIFT];
    copyBytes(this.#arena.u8[block >>> CHUNK_SHIFT], source + from, source + to, bytes, at);
    this.#setHead(target, first, first + to - from, count);
    return target;
  }

  /** Number of elements. */
  count(block: BodyRef): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    return words[h] !== 0 ? words[h] >>> COUNT_SHIFT : words[h + COUNT];
  }

  /** Bytes that the listpack of these elements takes in Redis. */
  sizeOf(block: BodyRef): number {
    return this.end(block) - this.first(block) + LISTPACK_BYTES;
  }

  /** Position of the first element, `end` in an empty block. */
  first(block: BodyRef): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    return words[h] !== 0 ? words[h] & FIRST_MASK : words[h + FIRST];
  }

  /** The position behind the last element. */
  end(block: BodyRef): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    return words[h] !== 0 ? (words[h] >>> END_SHIFT) & END_MASK : words[h + END];
  }

  /** The position behind an element's. */
  next(block: BodyRef, position: number): number {
    return position + entryBytes(this.#arena.u8[block >>> CHUNK_SHIFT], ((block & GRANULE_MASK) << 3) + position);
  }

  /** Position of the element before `position`, or 0 before the first. */
  previous(block: BodyRef, position: number): number {
    if (position === this.first(block)) return 0;
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT];
    let i = ((block & GRANULE_MASK) << 3) + position - 1;
    let length = bytes[i] & 127;
    for (let unit = 128; bytes[i] >= 128; unit *= 128) length += (bytes[--i] & 127) * unit;
    return position - length - backLengthBytes(length);
  }

  /** Position of the element with an index from 0 to `count`, which gives `end`; walks from the nearer side. */
  at(block: BodyRef, index: number): number {
    const count = this.count(block);
    if (index <= count >>> 1) {
      const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
      let i = base + this.first(block);
      while (index-- > 0) i += entryBytes(bytes, i);
      return i - base;
    }
    let position = this.end(block);
    for (let left = count - index; left > 0; left--) position = this.previous(block, position);
    return position;
  }

  /** Loads the registers with the element at `position`. Hot. */
  read(block: BodyRef, position: number): void {
    this.#chunk = block >>> CHUNK_SHIFT;
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT];
    const i = ((block & GRANULE_MASK) << 3) + position;
    const code = bytes[i];
    if ((code & 0xc0) === 0x80) {
      this.bytes = bytes;
      this.start = i + 1;
      this.length = code & 63;
      this.integer = false;
      this.after = position + (code & 63) + 2;
    } else if (code < 0x80) {
      this.integer = true;
      this.value = code;
      this.after = position + 2;
    } else {
      this.#readWide(bytes, i, position);
    }
  }

  /**
   * Reads strings from `position` to `end`, at most `limit` and all shorter than 64 bytes, into `starts` and `ends`,
   * which hold in `view`; stops before any other element. Returns how many, and leaves the position behind them in
   * `after`. Hot.
   */
  readRun(block: BodyRef, position: number, end: number, limit: number): number {
    this.#chunk = block >>> CHUNK_SHIFT;
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const { starts, ends } = this;
    const most = Math.min(limit, READ_RUN_MAX);
    let i = base + position, count = 0;
    for (const stop = base + end; i < stop && count < most; count++) {
      const code = bytes[i];
      if ((code & 0xc0) !== 0x80) break;
      starts[count] = i + 1;
      i = ends[count] = i + 1 + (code & 63);
      i++;
    }
    this.after = i - base;
    return count;
  }

  #readWide(bytes: Uint8Array, i: number, position: number): void {
    const code = bytes[i];
    this.after = position + entryBytes(bytes, i);
    if (code >= STRING12 && code <= STRING32) {
      const head = code === STRING32 ? 5 : 2;
      this.bytes = bytes;
      this.start = i + head;
      this.length = bodyBytes(bytes, i) - head;
      this.integer = false;
      return;
    }
    this.integer = true;
    if (code < STRING12) {
      this.value = (((code & 31) << 8 | bytes[i + 1]) << 19) >> 19;
    } else if (code === INT16) {
      this.value = ((bytes[i + 1] | bytes[i + 2] << 8) << 16) >> 16;
    } else if (code === INT24) {
      this.value = ((bytes[i + 1] | bytes[i + 2] << 8 | bytes[i + 3] << 16) << 8) >> 8;
    } else if (code === INT32) {
      this.value = word(bytes, i + 1);
    } else {
      invariant(code === INT64, "a packed block holds no such code");
      this.#low = word(bytes, i + 1);
      this.#high = word(bytes, i + 5);
      this.value = this.#high * 0x100000000 + (this.#low >>> 0);
    }
  }

  /**
   * Makes the element read last available as bytes: of an integer, its decimal digits. Call it before using `bytes`.
   */
  text(): void {
    if (!this.integer) return;
    const { value } = this;
    this.bytes = this.#text;
    if (Number.isSafeInteger(value)) {
      this.start = 0;
      this.length = writeDecimal(this.#text, 0, value);
      return;
    }
    // Beyond 2^53 the digits come from the two words. Neither the remainder nor a word's product reaches 2^53.
    const negative = this.#high < 0;
    let low = this.#low >>> 0, high = this.#high >>> 0;
    if (negative) {
      high = (~this.#high + (low === 0 ? 1 : 0)) >>> 0;
      low = -this.#low >>> 0;
    }
    let i = INTEGER_TEXT_MAX;
    while (high > 0 || low > 0) {
      const quotient = Math.floor(high / 10);
      const rest = (high - quotient * 10) * 0x100000000 + low;
      high = quotient;
      low = Math.floor(rest / 10);
      this.#text[--i] = 48 + rest - low * 10;
    }
    if (negative) this.#text[--i] = 45;
    this.start = i;
    this.length = INTEGER_TEXT_MAX - i;
  }

  /**
   * Takes `bytes[start, end)` as the element that the following writes and comparisons mean. The bytes must stay where
   * they are until then, so they must not lie in the block that is written.
   */
  encode(bytes: Uint8Array, start: number, end: number): void {
    this.#pending.take(bytes, start, end);
  }

  /** Bytes that the entry of the encoded element takes. */
  get encodedBytes(): number {
    return this.#pending.size;
  }

  /** Whether the element at `position` is the encoded one. */
  equals(block: BodyRef, position: number): boolean {
    return this.#pending.matches(this.#arena.u8[block >>> CHUNK_SHIFT], ((block & GRANULE_MASK) << 3) + position);
  }

  /**
   * Looks for the encoded element at `position` and every `stride`-th from there, and returns its position or 0. Leaves
   * the number of entries before it, or until the end, in `passed`. Hot.
   */
  find(block: BodyRef, position: number, stride: number): number {
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT];
    const base = (block & GRANULE_MASK) << 3, end = base + this.end(block);
    const code = this.#pending.code;
    let i = base + position;
    let passed = 0;
    while (i < end) {
      if (bytes[i] === code && this.#pending.matches(bytes, i)) {
        this.passed = passed;
        return i - base;
      }
      for (let k = 0; k < stride; k++) i += entryBytes(bytes, i);
      passed += stride;
    }
    this.passed = passed;
    return 0;
  }

  /** Adds the encoded element behind the last; `more` is as in `insert`. */
  append(block: BodyRef, more = 0): BodyRef {
    return this.insert(block, this.end(block), more);
  }

  /** Adds the encoded element before the first; `more` is as in `insert`. */
  prepend(block: BodyRef, more = 0): BodyRef {
    return this.insert(block, this.first(block), more);
  }

  /**
   * Adds the encoded element before the one at `position`, or at the end. If the block must move, it gets room for
   * `more` bytes that come next.
   */
  insert(block: BodyRef, position: number, more = 0): BodyRef {
    block = this.#open(block, position, this.#pending.size, 1, more);
    this.#pending.write(this.#arena, block >>> CHUNK_SHIFT, ((block & GRANULE_MASK) << 3) + this.position);
    return block;
  }

  /**
   * Makes room for `count` entries of `size` bytes behind the last; the caller writes them at `position`. `more` is as
   * in `insert`.
   */
  extend(block: BodyRef, size: number, count: number, more: number): BodyRef {
    return this.#open(block, this.end(block), size, count, more);
  }

  /** Takes the integer of two words as `encode` takes text. */
  encodeInteger(low: number, high: number): void {
    this.#pending.takeInteger(low, high);
  }

  /** Puts the encoded element in the place of the one at `position`. */
  replace(block: BodyRef, position: number): BodyRef {
    const old = this.next(block, position) - position;
    const more = this.#pending.size - old;
    this.position = position;
    if (more > 0) block = this.#open(block, position, more, 0, 0);
    else if (more < 0) block = this.#close(block, position, -more, 0);
    this.#pending.write(this.#arena, block >>> CHUNK_SHIFT, ((block & GRANULE_MASK) << 3) + this.position);
    return block;
  }

  /** Removes `count` elements from `position` on; there must be so many. */
  remove(block: BodyRef, position: number, count = 1): BodyRef {
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    let i = base + position;
    for (let k = 0; k < count; k++) i += entryBytes(bytes, i);
    return this.removeRange(block, position, i - base, count);
  }

  /** Removes the `count` elements in `[from, to)`. */
  removeRange(block: BodyRef, from: number, to: number, count: number): BodyRef {
    return this.#close(block, from, to - from, count);
  }

  /** Adds all elements of another block behind the last; the other stays as it is. */
  appendAll(block: BodyRef, other: BodyRef): BodyRef {
    const first = this.first(other), end = this.end(other);
    const to = this.#open(block, this.end(block), end - first, this.count(other), 0);
    const from = (other & GRANULE_MASK) << 3, at = ((to & GRANULE_MASK) << 3) + this.position;
    copyBytes(this.#arena.u8[other >>> CHUNK_SHIFT], from + first, from + end, this.#arena.u8[to >>> CHUNK_SHIFT], at);
    return to;
  }

  /** The block as a listpack, byte for byte that of Redis for the same elements. */
  image(block: BodyRef): Uint8Array {
    const first = this.first(block), end = this.end(block), count = this.count(block);
    const image = new Uint8Array(this.sizeOf(block));
    putWord(image, 0, image.length);
    image[4] = Math.min(count, COUNT_UNKNOWN);
    image[5] = Math.min(count, COUNT_UNKNOWN) >> 8;
    const base = (block & GRANULE_MASK) << 3;
    copyBytes(this.#arena.u8[block >>> CHUNK_SHIFT], base + first, base + end, image, LISTPACK_HEAD_BYTES);
    image[image.length - 1] = TERMINATOR;
    return image;
  }

  /** A block of the `count` entries of a listpack, `image[start, end)`. */
  fromImage(image: Uint8Array, start: number, end: number, count: number): BodyRef {
    const length = end - start - LISTPACK_BYTES;
    const block = this.create(length), first = this.first(block);
    const at = ((block & GRANULE_MASK) << 3) + first;
    copyBytes(image, start + LISTPACK_HEAD_BYTES, end - 1, this.#arena.u8[block >>> CHUNK_SHIFT], at);
    this.#setHead(block, first, first + length, count);
    return block;
  }

  /** Checks all invariants of a block. */
  check(block: BodyRef): void {
    const first = this.first(block), end = this.end(block);
    invariant(
      first >= this.#headBytes(block) && first <= end && end <= this.#arena.sizeOf(block),
      "a packed block's bounds are off",
    );
    let count = 0;
    for (let position = first; position < end; count++) {
      this.read(block, position);
      const { after } = this;
      this.text();
      this.encode(this.bytes, this.start, this.start + this.length);
      invariant(
        this.encodedBytes === after - position && this.equals(block, position),
        "an entry is not in its shortest encoding",
      );
      invariant(this.previous(block, after) === position, "an entry's backward length is wrong");
      position = after;
      invariant(position <= end, "an entry goes beyond its block");
    }
    invariant(count === this.count(block), "the entries of a packed block are miscounted");
  }

  /** A block with room for `bytes` of entries, whose first word says which header it has; the rest is not set. */
  #alloc(bytes: number): BodyRef {
    const arena = this.#arena;
    const narrow = bytes <= NARROW_ENTRIES_BYTES_MAX;
    const block: BodyRef = arena.alloc(bytes + (narrow ? NARROW_HEAD_BYTES : WIDE_HEAD_BYTES));
    arena.i32[block >>> CHUNK_SHIFT][(block & GRANULE_MASK) << 1] = narrow ? NARROW_HEAD_BYTES : 0;
    return block;
  }

  #headBytes(block: BodyRef): number {
    return this.#arena.i32[block >>> CHUNK_SHIFT][(block & GRANULE_MASK) << 1] !== 0
      ? NARROW_HEAD_BYTES
      : WIDE_HEAD_BYTES;
  }

  #setHead(block: BodyRef, first: number, end: number, count: number): void {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    if (words[h] !== 0) {
      words[h] = first | (end << END_SHIFT) | (count << COUNT_SHIFT);
      return;
    }
    words[h + FIRST] = first;
    words[h + END] = end;
    words[h + COUNT] = count;
  }

  /** Adds the differences, positive or negative, to the values of the header. Hot. */
  #adjustHead(words: Int32Array, h: number, first: number, end: number, count: number): void {
    if (words[h] !== 0) {
      // No part can overflow into the next: all values are within the block.
      words[h] += first + (end << END_SHIFT) + (count << COUNT_SHIFT);
      return;
    }
    words[h + FIRST] += first;
    words[h + END] += end;
    words[h + COUNT] += count;
  }

  /**
   * Makes a hole of `size` bytes for `count` entries at `position`, moving the shorter side if it has room; the hole is
   * at `position`. A block that must move gets room for `more` bytes beside. Hot.
   */
  #open(block: BodyRef, position: number, size: number, count: number, more: number): BodyRef {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    const word = words[h], base = h << 2;
    const first = word !== 0 ? word & FIRST_MASK : words[h + FIRST];
    const end = word !== 0 ? (word >>> END_SHIFT) & END_MASK : words[h + END];
    const front = position - first, back = end - position;
    if (front < back) {
      if (first - (word !== 0 ? NARROW_HEAD_BYTES : WIDE_HEAD_BYTES) < size) {
        return this.#moveOpen(block, position, size, count, more);
      }
      move(this.#arena.u8[block >>> CHUNK_SHIFT], base + first, front, base + first - size);
      this.#adjustHead(words, h, -size, 0, count);
      this.position = position - size;
    } else {
      if (this.#arena.sizeOf(block) - end < size) return this.#moveOpen(block, position, size, count, more);
      move(this.#arena.u8[block >>> CHUNK_SHIFT], base + position, back, base + position + size);
      this.#adjustHead(words, h, 0, size, count);
      this.position = position;
    }
    return block;
  }

  /** `#open` where the shorter side has no room: brings all room there, in this block or a larger one. */
  #moveOpen(block: BodyRef, position: number, size: number, count: number, more: number): BodyRef {
    const arena = this.#arena;
    const first = this.first(block), end = this.end(block);
    const front = position - first, back = end - position;
    const needed = end - first + size;
    let target = block, capacity = this.capacity(block);
    if (capacity < needed) {
      target = this.#alloc(growth(needed + more));
      capacity = this.capacity(target);
    }
    const head = this.#headBytes(target);
    const newFirst = front < back ? head + capacity - needed : head;
    const from = (block & GRANULE_MASK) << 3, to = (target & GRANULE_MASK) << 3;
    const newPosition = newFirst + front;
    if (target !== block) {
      const source = block >>> CHUNK_SHIFT, chunk = target >>> CHUNK_SHIFT;
      copyBetween(arena, source, from + first, from + position, chunk, to + newFirst);
      copyBetween(arena, source, from + position, from + end, chunk, to + newPosition + size);
      this.#setHead(target, newFirst, newPosition + size + back, this.count(block) + count);
      arena.free(block);
    } else {
      // The side that moves outwards moves first; the other then finds its place empty.
      const bytes = arena.u8[block >>> CHUNK_SHIFT];
      if (newFirst < first) move(bytes, to + first, front, to + newFirst);
      move(bytes, to + position, back, to + newPosition + size);
      if (newFirst > first) move(bytes, to + first, front, to + newFirst);
      this.#setHead(target, newFirst, newPosition + size + back, this.count(block) + count);
    }
    this.position = newPosition;
    return target;
  }

  /**
   * Takes `count` entries of `size` bytes out at `position`, moving the shorter side; a block mostly empty shrinks.
   * Hot.
   */
  #close(block: BodyRef, position: number, size: number, count: number): BodyRef {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    const word = words[h], base = h << 2;
    const first = word !== 0 ? word & FIRST_MASK : words[h + FIRST];
    const end = word !== 0 ? (word >>> END_SHIFT) & END_MASK : words[h + END];
    const front = position - first, back = end - position - size;
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT];
    if (front < back) {
      move(bytes, base + first, front, base + first + size);
      this.#adjustHead(words, h, size, 0, -count);
      this.position = position + size;
    } else {
      move(bytes, base + position + size, back, base + position);
      this.#adjustHead(words, h, 0, -size, -count);
      this.position = position;
    }
    const used = front + back, room = this.#arena.sizeOf(block);
    return room >= SHRINKING_BYTES_MIN && used <= room >>> 2 ? this.#shrink(block, used) : block;
  }

  #shrink(block: BodyRef, used: number): BodyRef {
    const arena = this.#arena;
    const first = this.first(block), end = this.end(block);
    const target = this.#alloc(used + (used >>> 2)), head = this.#headBytes(target);
    this.#setHead(target, head, head + used, this.count(block));
    const from = (block & GRANULE_MASK) << 3, to = ((target & GRANULE_MASK) << 3) + head;
    copyBytes(arena.u8[block >>> CHUNK_SHIFT], from + first, from + end, arena.u8[target >>> CHUNK_SHIFT], to);
    arena.free(block);
    this.position += head - first;
    return target;
  }
}

/**
 * Bytes of entries to make room for where `needed` no longer fit: the more the larger, but not past a power of two,
 * where nodes are full.
 */
function growth(needed: number): number {
  if (needed <= TIGHT_BYTES_MAX) return needed;
  if (needed < ROOMY_BYTES_MIN) return needed + (needed >>> 4);
  const bytes = needed + WIDE_HEAD_BYTES;
  return Math.min(bytes + (bytes >>> 2), 2 ** (32 - Math.clz32(bytes - 1))) - WIDE_HEAD_BYTES;
}

/** Moves `length` bytes within an array; source and target may overlap. */
function move(bytes: Uint8Array, from: number, length: number, to: number): void {
  if (length === 0 || from === to) return;
  bytes.copyWithin(to, from, from + length);
}
