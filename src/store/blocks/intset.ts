/**
 * The integer set: sorted integers in one block of the arena, in the format of Redis's intset behind a header of our
 * own. This file owns that layout and the text of 64-bit integers in it.
 *
 *     block   +0 width:2 (0, 1, 2 for integers of 2, 4, 8 bytes) | count:30 · integers in ascending order
 *     intset  bytes of an integer:32 · count:32 · integers     little endian; made on demand, see `image`
 *
 * All integers have the width of the widest that was ever added. Registers: `take` reads the integer that the following
 * operations use from its text; `read` leaves an integer's text in `text[start, length)`. An integer is two words, the
 * upper one signed, because a double has no room for 64 bits.
 */
import { invariant } from "../../core/assert.ts";
import { parseInt64, parseSafeInt, writeDecimal } from "../../core/numbers.ts";
import { type Arena, type BodyRef, CHUNK_SHIFT, copyBytes, GRANULE_MASK } from "../memory/arena.ts";
import { putWord } from "./entry.ts";

const WIDTH_MASK = 3, COUNT_SHIFT = 2;
const HEAD_BYTES = 4;
const IMAGE_HEAD_BYTES = 8;
/** The most characters of a 64-bit integer, and the most that parseSafeInt reads. */
const TEXT_BYTES_MAX = 20, SAFE_TEXT_BYTES_MAX = 15;

export class IntSet {
  /** After `read`: the integer's digits are `text[0, length)`. */
  readonly text = new Uint8Array(TEXT_BYTES_MAX);
  length = 0;

  readonly #arena: Arena;
  // The integer taken.
  #high = 0;
  #low = 0;
  // The integer loaded from a set.
  #loadedHigh = 0;
  #loadedLow = 0;
  /** After `find`: the index of the integer, or the one that it would have. */
  #index = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** An empty set. */
  create(): BodyRef {
    const set = this.#arena.alloc(HEAD_BYTES);
    this.#setHead(set, 2, 0);
    return set;
  }

  /** The bytes of the set, as Redis has them. */
  image(set: BodyRef): Uint8Array {
    const count = this.count(set), width = this.#width(set), bytes = count * width;
    const image = new Uint8Array(IMAGE_HEAD_BYTES + bytes), base = ((set & GRANULE_MASK) << 3) + HEAD_BYTES;
    putWord(image, 0, width);
    putWord(image, 4, count);
    copyBytes(this.#arena.u8[set >>> CHUNK_SHIFT], base, base + bytes, image, IMAGE_HEAD_BYTES);
    return image;
  }

  copy(set: BodyRef): BodyRef {
    const bytes = HEAD_BYTES + this.count(set) * this.#width(set);
    const copy = this.#arena.alloc(bytes);
    const from = (set & GRANULE_MASK) << 3;
    const target = this.#arena.u8[copy >>> CHUNK_SHIFT];
    copyBytes(this.#arena.u8[set >>> CHUNK_SHIFT], from, from + bytes, target, (copy & GRANULE_MASK) << 3);
    return copy;
  }

  count(set: BodyRef): number {
    return this.#arena.i32[set >>> CHUNK_SHIFT][(set & GRANULE_MASK) << 1] >>> COUNT_SHIFT;
  }

  /**
   * Takes `bytes[start, end)` as the integer that the following mean. False if it is no canonical 64-bit integer. Hot.
   */
  take(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start <= SAFE_TEXT_BYTES_MAX) {
      const value = parseSafeInt(bytes, start, end);
      if (Number.isNaN(value)) return false;
      this.#high = Math.floor(value / 0x100000000);
      this.#low = value | 0;
      // Conversion to 32 bits takes the value modulo 2^32, which is right for negative ones, too.
      return true;
    }
    if (end - start > TEXT_BYTES_MAX) return false;
    const value = parseInt64(bytes, start, end);
    if (value === undefined) return false;
    this.#high = Number(value >> 32n);
    this.#low = Number(BigInt.asIntN(32, value));
    return true;
  }

  /** Whether the integer taken is there. Hot. */
  find(set: BodyRef): boolean {
    const width = this.#width(set);
    let low = 0, high = this.count(set);
    while (low < high) {
      const middle = (low + high) >>> 1;
      this.#load(set, width, middle);
      const order = this.#compare();
      if (order === 0) {
        this.#index = middle;
        return true;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    this.#index = low;
    return false;
  }

  /** Adds the integer taken, which `find` just did not find. Returns the set's new ref. */
  insert(set: BodyRef): BodyRef {
    const count = this.count(set);
    let width = this.#width(set);
    if (this.#takenWidth() > width) {
      width = this.#takenWidth();
      set = this.#widen(set, width);
    }
    set = this.#arena.realloc(set, HEAD_BYTES + count * width, HEAD_BYTES + (count + 1) * width);
    const bytes = this.#arena.u8[set >>> CHUNK_SHIFT], base = ((set & GRANULE_MASK) << 3) + HEAD_BYTES;
    const at = base + this.#index * width;
    bytes.copyWithin(at + width, at, base + count * width);
    store(bytes, at, width, this.#low, this.#high);
    this.#setHead(set, width, count + 1);
    return set;
  }

  /** Removes the integer that `find` just found. Returns the set's new ref. */
  remove(set: BodyRef): BodyRef {
    return this.removeAt(set, this.#index);
  }

  removeAt(set: BodyRef, index: number): BodyRef {
    const count = this.count(set), width = this.#width(set);
    const bytes = this.#arena.u8[set >>> CHUNK_SHIFT], base = ((set & GRANULE_MASK) << 3) + HEAD_BYTES;
    bytes.copyWithin(base + index * width, base + (index + 1) * width, base + count * width);
    this.#setHead(set, width, count - 1);
    const size = HEAD_BYTES + (count - 1) * width;
    return this.#arena.realloc(set, size, size);
  }

  /** Reads the integer with an index from 0. */
  read(set: BodyRef, index: number): void {
    this.#load(set, this.#width(set), index);
    const high = this.#loadedHigh, low = this.#loadedLow;
    const value = high * 0x100000000 + (low >>> 0);
    if (Number.isSafeInteger(value)) {
      this.length = writeDecimal(this.text, 0, value);
      return;
    }
    const digits = String(BigInt(high) << 32n | BigInt(low >>> 0));
    for (let i = 0; i < digits.length; i++) this.text[i] = digits.charCodeAt(i);
    this.length = digits.length;
  }

  /** Checks all invariants. */
  check(set: BodyRef): void {
    const count = this.count(set), width = this.#width(set);
    invariant(width === 2 || width === 4 || width === 8, "an integer set has no such width");
    invariant(HEAD_BYTES + count * width <= this.#arena.sizeOf(set), "an integer set overflows");
    for (let i = 0; i < count; i++) {
      this.read(set, i);
      invariant(this.take(this.text, 0, this.length) && this.find(set), "an integer cannot be found");
      invariant(this.#index === i, "an integer set is out of order");
    }
  }

  #width(set: BodyRef): number {
    return 2 << (this.#arena.i32[set >>> CHUNK_SHIFT][(set & GRANULE_MASK) << 1] & WIDTH_MASK);
  }

  #setHead(set: BodyRef, width: number, count: number): void {
    this.#arena.i32[set >>> CHUNK_SHIFT][(set & GRANULE_MASK) << 1] = (count << COUNT_SHIFT) | (width >>> 2);
  }

  /** Bytes that the integer taken needs. */
  #takenWidth(): number {
    const low = this.#low;
    if (this.#high !== low >> 31) return 8;
    return low << 16 >> 16 === low ? 2 : 4;
  }

  #load(set: BodyRef, width: number, index: number): void {
    const chunk = set >>> CHUNK_SHIFT, words = this.#arena.i32[chunk], base = (set & GRANULE_MASK) << 1;
    if (width === 2) {
      const bytes = this.#arena.u8[chunk], at = (base << 2) + HEAD_BYTES + (index << 1);
      this.#loadedLow = (bytes[at] | bytes[at + 1] << 8) << 16 >> 16;
      this.#loadedHigh = this.#loadedLow >> 31;
    } else if (width === 4) {
      this.#loadedLow = words[base + 1 + index];
      this.#loadedHigh = this.#loadedLow >> 31;
    } else {
      this.#loadedLow = words[base + 1 + index * 2];
      this.#loadedHigh = words[base + 2 + index * 2];
    }
  }

  /** Order of the integer loaded against the one taken: negative, zero or positive. */
  #compare(): number {
    if (this.#loadedHigh !== this.#high) return this.#loadedHigh < this.#high ? -1 : 1;
    return (this.#loadedLow >>> 0) - (this.#low >>> 0);
  }

  /** Gives all integers another width. Returns the set's new ref. */
  #widen(set: BodyRef, width: number): BodyRef {
    const count = this.count(set), old = this.#width(set);
    const wide = this.#arena.alloc(HEAD_BYTES + count * width);
    const bytes = this.#arena.u8[wide >>> CHUNK_SHIFT], base = ((wide & GRANULE_MASK) << 3) + HEAD_BYTES;
    for (let i = 0; i < count; i++) {
      this.#load(set, old, i);
      store(bytes, base + i * width, width, this.#loadedLow, this.#loadedHigh);
    }
    this.#setHead(wide, width, count);
    this.#arena.free(set);
    return wide;
  }
}

function store(bytes: Uint8Array, at: number, width: number, low: number, high: number): void {
  for (let i = 0; i < width; i++) bytes[at + i] = (i < 4 ? low : high) >>> ((i & 3) << 3);
}
