/**
 * The packed block: a short sequence of elements in one block of the arena, in the bytes of Redis's listpack. This file
 * owns that layout; it serves small lists, hashes, sets and sorted sets and the nodes of large lists, and refuses to know
 * what the elements mean.
 *
 *     block     +0 first:32 · +4 end:32 · +8 count:32 · gap · entries in [first, end) · room
 *     listpack  bytes:32 · count:16 (65535: unknown) · entries · 0xFF      little endian; made on demand, see `image`
 *
 * The entries have room on both sides, which makes a push at the head as cheap as one at the tail; the thresholds of the
 * types count `sizeOf`, which is what the listpack alone would take.
 *
 * A position is an entry's offset in its block; 0 is none. Operations that may move a block return its new ref and make
 * all positions in it invalid but the one they leave in `position`. One Packed serves all blocks of an arena; its
 * registers hold the element to write (`encode`) and the element read last (`read`).
 */
import { invariant } from "../core/assert.ts";
import { writeDecimal } from "../core/numbers.ts";
import { type Arena, CHUNK_SHIFT, copyBytes, GRANULE_MASK } from "./arena.ts";
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

const FIRST = 0, END = 1, COUNT = 2;
const HEAD_BYTES = 12;
/** Bytes of a listpack that are no entries. */
const LISTPACK_BYTES = 7;
const LISTPACK_HEAD_BYTES = 6;
const COUNT_UNKNOWN = 65535;
const TERMINATOR = 0xff;

/** Blocks of this size and more do not grow while they have any room left: moving them is the cheaper evil. */
const SETTLED_BYTES = 4096;
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
  /** After a write: where the written element is, or the one behind what was removed. */
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

  /** After a read of what is no integer: a view in which `start` and `length` hold as they do in `bytes`. */
  get view(): DataView {
    return this.#arena.view[this.#chunk];
  }

  /** An empty block with room for `bytes` of entries. */
  create(bytes = 0): number {
    const block = this.#arena.alloc(HEAD_BYTES + bytes);
    this.#setHead(block, HEAD_BYTES, HEAD_BYTES, 0);
    return block;
  }

  /** A copy that is as large as it must be. */
  copy(block: number): number {
    return this.copyRange(block, this.first(block), this.end(block), this.count(block));
  }

  /** A new block of the `count` entries in `[from, to)`. */
  copyRange(block: number, from: number, to: number, count: number): number {
    const target = this.#arena.alloc(HEAD_BYTES + to - from);
    const base = (block & GRANULE_MASK) << 3;
    const at = ((target & GRANULE_MASK) << 3) + HEAD_BYTES;
    copyBytes(
      this.#arena.u8[block >>> CHUNK_SHIFT],
      base + from,
      base + to,
      this.#arena.u8[target >>> CHUNK_SHIFT],
      at,
    );
    this.#setHead(target, HEAD_BYTES, HEAD_BYTES + to - from, count);
    return target;
  }

  /** Number of elements. */
  count(block: number): number {
    return this.#arena.i32[block >>> CHUNK_SHIFT][((block & GRANULE_MASK) << 1) + COUNT];
  }

  /** Bytes that the listpack of these elements takes in Redis. */
  sizeOf(block: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], i = (block & GRANULE_MASK) << 1;
    return words[i + END] - words[i + FIRST] + LISTPACK_BYTES;
  }

  /** Position of the first element, `end` in an empty block. */
  first(block: number): number {
    return this.#arena.i32[block >>> CHUNK_SHIFT][((block & GRANULE_MASK) << 1) + FIRST];
  }

  /** The position behind the last element. */
  end(block: number): number {
    return this.#arena.i32[block >>> CHUNK_SHIFT][((block & GRANULE_MASK) << 1) + END];
  }

  /** The position behind an element's. */
  next(block: number, position: number): number {
    return position + entryBytes(this.#arena.u8[block >>> CHUNK_SHIFT], ((block & GRANULE_MASK) << 3) + position);
  }

  /** Position of the element before `position`, or 0 before the first. */
  previous(block: number, position: number): number {
    if (position === this.first(block)) return 0;
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT];
    let i = ((block & GRANULE_MASK) << 3) + position - 1;
    let length = bytes[i] & 127;
    for (let unit = 128; bytes[i] >= 128; unit *= 128) length += (bytes[--i] & 127) * unit;
    return position - length - backLengthBytes(length);
  }

  /** Position of the element with an index from 0 to `count`, which gives `end`; walks from the nearer side. */
  at(block: number, index: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    const count = words[h + COUNT];
    if (index <= count >>> 1) {
      const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], base = h << 2;
      let i = base + words[h + FIRST];
      while (index-- > 0) i += entryBytes(bytes, i);
      return i - base;
    }
    let position = words[h + END];
    for (let left = count - index; left > 0; left--) position = this.previous(block, position);
    return position;
  }

  /** Loads the registers with the element at `position`. Hot. */
  read(block: number, position: number): void {
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
   * Reads strings from `position` to `end`, at most `limit` and all shorter than 64 bytes, into `starts` and `ends`, which
   * hold in `view`; stops before any other element. Returns how many, and leaves the position behind them in `after`. Hot.
   */
  readRun(block: number, position: number, end: number, limit: number): number {
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

  /** Makes the element read last available as bytes: of an integer, its decimal digits. Call it before using `bytes`. */
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
  equals(block: number, position: number): boolean {
    return this.#pending.matches(this.#arena.u8[block >>> CHUNK_SHIFT], ((block & GRANULE_MASK) << 3) + position);
  }

  /**
   * Looks for the encoded element at `position` and every `stride`-th from there, and returns its position or 0. Leaves
   * the number of entries before it, or until the end, in `passed`. Hot.
   */
  find(block: number, position: number, stride: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT];
    const base = h << 2, end = base + words[h + END];
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

  /** Adds the encoded element behind the last. */
  append(block: number): number {
    return this.insert(block, this.end(block));
  }

  /** Adds the encoded element before the first. */
  prepend(block: number): number {
    return this.insert(block, this.first(block));
  }

  /** Adds the encoded element before the one at `position`, or at the end. */
  insert(block: number, position: number): number {
    block = this.#open(block, position, this.#pending.size);
    this.#pending.write(this.#arena, block >>> CHUNK_SHIFT, ((block & GRANULE_MASK) << 3) + this.position);
    this.#arena.i32[block >>> CHUNK_SHIFT][((block & GRANULE_MASK) << 1) + COUNT]++;
    return block;
  }

  /** Puts the encoded element in the place of the one at `position`. */
  replace(block: number, position: number): number {
    const old = this.next(block, position) - position;
    const more = this.#pending.size - old;
    this.position = position;
    if (more > 0) block = this.#open(block, position, more);
    else if (more < 0) block = this.#close(block, position, -more);
    this.#pending.write(this.#arena, block >>> CHUNK_SHIFT, ((block & GRANULE_MASK) << 3) + this.position);
    return block;
  }

  /** Removes `count` elements from `position` on; there must be so many. */
  remove(block: number, position: number, count = 1): number {
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    let i = base + position;
    for (let k = 0; k < count; k++) i += entryBytes(bytes, i);
    return this.removeRange(block, position, i - base, count);
  }

  /** Removes the `count` elements in `[from, to)`. */
  removeRange(block: number, from: number, to: number, count: number): number {
    this.#arena.i32[block >>> CHUNK_SHIFT][((block & GRANULE_MASK) << 1) + COUNT] -= count;
    return this.#close(block, from, to - from);
  }

  /** Adds all elements of another block behind the last; the other stays as it is. */
  appendAll(block: number, other: number): number {
    const first = this.first(other), end = this.end(other);
    const to = this.#open(block, this.end(block), end - first);
    const from = (other & GRANULE_MASK) << 3, at = ((to & GRANULE_MASK) << 3) + this.position;
    copyBytes(this.#arena.u8[other >>> CHUNK_SHIFT], from + first, from + end, this.#arena.u8[to >>> CHUNK_SHIFT], at);
    this.#arena.i32[to >>> CHUNK_SHIFT][((to & GRANULE_MASK) << 1) + COUNT] += this.count(other);
    return to;
  }

  /** The block as a listpack, byte for byte what Redis has for the same elements. */
  image(block: number): Uint8Array {
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

  /** Checks all invariants of a block. */
  check(block: number): void {
    const first = this.first(block), end = this.end(block);
    invariant(
      first >= HEAD_BYTES && first <= end && end <= this.#arena.sizeOf(block),
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

  #setHead(block: number, first: number, end: number, count: number): void {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], i = (block & GRANULE_MASK) << 1;
    words[i + FIRST] = first;
    words[i + END] = end;
    words[i + COUNT] = count;
  }

  /** Makes a hole of `size` bytes at `position`, moving the shorter side if it has room; the hole is at `position`. */
  #open(block: number, position: number, size: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    const first = words[h + FIRST], end = words[h + END];
    const front = position - first, back = end - position;
    const base = h << 2;
    if (front < back) {
      if (first - HEAD_BYTES < size) return this.#moveOpen(block, position, size);
      move(this.#arena.u8[block >>> CHUNK_SHIFT], base + first, front, base + first - size);
      words[h + FIRST] = first - size;
      this.position = position - size;
    } else {
      if (this.#arena.sizeOf(block) - end < size) return this.#moveOpen(block, position, size);
      move(this.#arena.u8[block >>> CHUNK_SHIFT], base + position, back, base + position + size);
      words[h + END] = end + size;
      this.position = position;
    }
    return block;
  }

  /** `#open` where the shorter side has no room: brings all room there, in this block or a larger one. */
  #moveOpen(block: number, position: number, size: number): number {
    const arena = this.#arena;
    const first = this.first(block), end = this.end(block), count = this.count(block);
    const front = position - first, back = end - position;
    const needed = HEAD_BYTES + end - first + size;
    let target = block, capacity = arena.sizeOf(block);
    const spare = capacity - needed;
    if (spare < 0 || (capacity < SETTLED_BYTES && spare < needed >>> 3)) {
      target = arena.alloc(growth(needed));
      capacity = arena.sizeOf(target);
    }
    const newFirst = front < back ? HEAD_BYTES + capacity - needed : HEAD_BYTES;
    const from = (block & GRANULE_MASK) << 3, to = (target & GRANULE_MASK) << 3;
    const newPosition = newFirst + front;
    if (target !== block) {
      const source = arena.u8[block >>> CHUNK_SHIFT], bytes = arena.u8[target >>> CHUNK_SHIFT];
      copyBytes(source, from + first, from + position, bytes, to + newFirst);
      copyBytes(source, from + position, from + end, bytes, to + newPosition + size);
      arena.free(block);
    } else {
      // The side that moves outwards moves first; the other then finds its place empty.
      const bytes = arena.u8[block >>> CHUNK_SHIFT];
      if (newFirst < first) move(bytes, to + first, front, to + newFirst);
      move(bytes, to + position, back, to + newPosition + size);
      if (newFirst > first) move(bytes, to + first, front, to + newFirst);
    }
    this.#setHead(target, newFirst, newPosition + size + back, count);
    this.position = newPosition;
    return target;
  }

  /** Takes `size` bytes out at `position`, moving the shorter side, and gives back a block that is mostly empty. */
  #close(block: number, position: number, size: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], h = (block & GRANULE_MASK) << 1;
    const first = words[h + FIRST], end = words[h + END];
    const front = position - first, back = end - position - size;
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], base = h << 2;
    if (front < back) {
      move(bytes, base + first, front, base + first + size);
      words[h + FIRST] = first + size;
      this.position = position + size;
    } else {
      move(bytes, base + position + size, back, base + position);
      words[h + END] = end - size;
      this.position = position;
    }
    const used = HEAD_BYTES + front + back;
    const capacity = this.#arena.sizeOf(block);
    return capacity >= SHRINKING_BYTES_MIN && used <= capacity >>> 2 ? this.#shrink(block, used) : block;
  }

  #shrink(block: number, used: number): number {
    const arena = this.#arena;
    const first = this.first(block), end = this.end(block);
    const target = arena.alloc(used + (used >>> 2));
    this.#setHead(target, HEAD_BYTES, used, this.count(block));
    const from = (block & GRANULE_MASK) << 3, to = ((target & GRANULE_MASK) << 3) + HEAD_BYTES;
    copyBytes(arena.u8[block >>> CHUNK_SHIFT], from + first, from + end, arena.u8[target >>> CHUNK_SHIFT], to);
    arena.free(block);
    this.position += HEAD_BYTES - first;
    return target;
  }
}

/** What to ask for where `needed` bytes no longer fit: a quarter more, but not past a power of two, where nodes are full. */
function growth(needed: number): number {
  return Math.min(needed + (needed >>> 2), 2 ** (32 - Math.clz32(needed - 1)));
}

/** Moves `length` bytes within an array, whatever the overlap. */
function move(bytes: Uint8Array, from: number, length: number, to: number): void {
  if (length === 0 || from === to) return;
  bytes.copyWithin(to, from, from + length);
}
