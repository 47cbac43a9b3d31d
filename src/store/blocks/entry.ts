/**
 * One entry of a packed block: its codes, its length in both directions, and the encoder of new ones. This file owns
 * the bytes of an entry, which are those of Redis's listpack.
 *
 *     entry     code and data · their length backwards, in 7-bit groups, so that a walk can go either way
 *
 *     0xxxxxxx                7-bit unsigned          11110001 +2     16-bit integer
 *     10llllll data           string below 64         11110010 +3     24-bit integer
 *     110xxxxx +1             13-bit integer          11110011 +4     32-bit integer
 *     1110llll +1 data        string below 4096       11110100 +8     64-bit integer
 *     11110000 +4 data        longer string           words and integers: low byte first
 *
 * Whatever reads as a canonical 64-bit integer is stored as the shortest of the integers, so one text has one encoding:
 * two elements are equal when their bytes are.
 */
import { type Arena, copyIn } from "../memory/arena.ts";

export const INT13 = 0xc0, STRING12 = 0xe0, STRING32 = 0xf0, INT16 = 0xf1, INT24 = 0xf2, INT32 = 0xf3, INT64 = 0xf4;
/** The longest text of a 64-bit integer. */
export const INTEGER_TEXT_MAX = 20;

/** The 32-bit integer at index `i`, the low byte first. */
export function word(bytes: Uint8Array, i: number): number {
  return bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24;
}

/** Writes a 32-bit integer at index `i`, the low byte first. */
export function putWord(bytes: Uint8Array, i: number, value: number): void {
  bytes[i] = value;
  bytes[i + 1] = value >>> 8;
  bytes[i + 2] = value >>> 16;
  bytes[i + 3] = value >>> 24;
}

/**
 * Bytes that the backward length takes. The bounds are the format's own, one below the powers of two from 14 bits on.
 */
export function backLengthBytes(length: number): number {
  if (length < 128) return 1;
  if (length < 16383) return 2;
  if (length < 2097151) return 3;
  return length < 268435455 ? 4 : 5;
}

/** Bytes of the code and data of the entry at index `i`. */
export function bodyBytes(bytes: Uint8Array, i: number): number {
  const code = bytes[i];
  if (code < 0x80) return 1;
  if (code < INT13) return 1 + (code & 63);
  if (code < STRING12) return 2;
  if (code < STRING32) return 2 + ((code & 15) << 8 | bytes[i + 1]);
  if (code === STRING32) return 5 + word(bytes, i + 1);
  return code === INT64 ? 9 : 2 + code - STRING32;
}

/** Bytes of the whole entry at index `i`. Hot. */
export function entryBytes(bytes: Uint8Array, i: number): number {
  const code = bytes[i];
  if (code < 0x80) return 2;
  if (code < INT13) return 2 + (code & 63);
  const length = bodyBytes(bytes, i);
  return length + backLengthBytes(length);
}

/**
 * Bytes of the entries of `bytes[start[i], end[i])` for `i` in `[from, to)`, so that a block for all of them has the
 * right size from the start.
 */
export function entriesBytes(
  bytes: Uint8Array,
  start: ArrayLike<number>,
  end: ArrayLike<number>,
  from: number,
  to: number,
): number {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const length = end[i] - start[i];
    if (length > 0 && length < 64 && bytes[start[i]] > DIGIT_NINE) {
      sum += length + 2;
    } else {
      measured.take(bytes, start[i], end[i]);
      sum += measured.size;
    }
  }
  return sum;
}

const DIGIT_NINE = 57;

/** The integer of an entry, as two words. */
export class IntegerEntry {
  low = 0;
  high = 0;

  /** Reads the entry at index `i`, which must be an integer, and returns the index behind it. Hot. */
  read(bytes: Uint8Array, i: number): number {
    const code = bytes[i];
    if (code < 0x80) {
      this.low = code;
      this.high = 0;
      return i + 2;
    }
    switch (code) {
      case INT16:
        this.low = (bytes[i + 1] | bytes[i + 2] << 8) << 16 >> 16;
        break;
      case INT24:
        this.low = (bytes[i + 1] | bytes[i + 2] << 8 | bytes[i + 3] << 16) << 8 >> 8;
        break;
      case INT32:
        this.low = word(bytes, i + 1);
        break;
      case INT64:
        this.low = word(bytes, i + 1);
        this.high = word(bytes, i + 5);
        return i + 10;
      default:
        this.low = ((code & 31) << 8 | bytes[i + 1]) << 19 >> 19;
    }
    this.high = this.low >> 31;
    return i + entryBytes(bytes, i);
  }
}

/** The element that is to be written or looked for: the code (of an integer, all of it), then the data of a string. */
export class PendingEntry {
  /** Bytes of the whole entry. */
  size = 0;
  readonly #code = new Uint8Array(9);
  #codeLength = 0;
  #source: Uint8Array = this.#code;
  #sourceStart = 0;
  #sourceEnd = 0;
  #bodyBytes = 0;
  // The integer that parsing found.
  #low = 0;
  #high = 0;

  /** Encodes `bytes[start, end)`, which must stay where they are until the entry is written. */
  take(bytes: Uint8Array, start: number, end: number): void {
    const code = this.#code, length = end - start;
    this.#source = bytes;
    this.#sourceStart = start;
    this.#sourceEnd = end;
    if (length <= INTEGER_TEXT_MAX && this.#parse(bytes, start, end)) {
      this.#sourceEnd = start;
      this.#bodyBytes = this.#codeLength = this.#encodeInteger();
    } else {
      if (length < 64) {
        code[0] = 0x80 | length;
        this.#codeLength = 1;
      } else if (length < 4096) {
        code[0] = STRING12 | length >> 8;
        code[1] = length;
        this.#codeLength = 2;
      } else {
        code[0] = STRING32;
        putWord(code, 1, length);
        this.#codeLength = 5;
      }
      this.#bodyBytes = this.#codeLength + length;
    }
    this.size = this.#bodyBytes + backLengthBytes(this.#bodyBytes);
  }

  /** Encodes the 64-bit integer of two words. */
  takeInteger(low: number, high: number): void {
    this.#low = low;
    this.#high = high;
    this.#sourceStart = this.#sourceEnd = 0;
    this.#bodyBytes = this.#codeLength = this.#encodeInteger();
    this.size = this.#bodyBytes + 1;
  }

  /** The first byte of the entry, for a quick look before `matches`. */
  get code(): number {
    return this.#code[0];
  }

  /** Whether the entry at index `i` is this one. */
  matches(bytes: Uint8Array, i: number): boolean {
    const code = this.#code, n = this.#codeLength;
    for (let k = 0; k < n; k++) if (bytes[i++] !== code[k]) return false;
    const source = this.#source, end = this.#sourceEnd;
    for (let k = this.#sourceStart; k < end; k++) if (bytes[i++] !== source[k]) return false;
    return true;
  }

  /** Writes the entry at index `i` of a chunk. */
  write(arena: Arena, chunk: number, i: number): void {
    const bytes = arena.u8[chunk];
    const code = this.#code, n = this.#codeLength;
    for (let k = 0; k < n; k++) bytes[i++] = code[k];
    copyIn(arena, this.#source, this.#sourceStart, this.#sourceEnd, chunk, i);
    i += this.#sourceEnd - this.#sourceStart;
    const length = this.#bodyBytes;
    if (length < 128) {
      bytes[i] = length;
      return;
    }
    // Read from its last byte on: the lowest group stands there, and all but the first byte say that one precedes.
    let rest = length;
    for (let k = i + backLengthBytes(length) - 1; k >= i; k--) {
      bytes[k] = k === i ? rest : 128 | (rest & 127);
      rest >>>= 7;
    }
  }

  /** Leaves the canonical 64-bit integer in `bytes[start, end)` in the two words; false if it is none. */
  #parse(bytes: Uint8Array, start: number, end: number): boolean {
    let i = start;
    if (i >= end) return false;
    const negative = bytes[i] === 45;
    if (negative && ++i === end) return false;
    const digits = end - i;
    let d = bytes[i] - 48;
    if (d < 1 || d > 9) {
      this.#low = this.#high = 0;
      return d === 0 && digits === 1 && !negative;
    }
    if (digits <= 9) {
      let value = d;
      while (++i < end) {
        d = bytes[i] - 48;
        if (d < 0 || d > 9) return false;
        value = value * 10 + d;
      }
      this.#low = negative ? -value : value;
      this.#high = this.#low >> 31;
      return true;
    }
    if (digits > 19) return false;
    let low = d, high = 0;
    while (++i < end) {
      d = bytes[i] - 48;
      if (d < 0 || d > 9) return false;
      const product = low * 10 + d;
      low = product >>> 0;
      high = high * 10 + (product - low) / 0x100000000;
    }
    if (high >= 0x80000000 && !(negative && high === 0x80000000 && low === 0)) return false;
    this.#low = negative ? -low | 0 : low | 0;
    this.#high = negative ? (~high + (low === 0 ? 1 : 0)) | 0 : high | 0;
    return true;
  }

  /** Writes the code of the integer in the two words and returns its length. */
  #encodeInteger(): number {
    const code = this.#code, v = this.#low;
    if (this.#high !== v >> 31) {
      code[0] = INT64;
      putWord(code, 1, v);
      putWord(code, 5, this.#high);
      return 9;
    }
    if (v >= 0 && v < 128) {
      code[0] = v;
      return 1;
    }
    if (v >= -4096 && v < 4096) {
      code[0] = INT13 | (v >> 8 & 31);
      code[1] = v;
      return 2;
    }
    putWord(code, 1, v);
    if (v === v << 16 >> 16) {
      code[0] = INT16;
      return 3;
    }
    if (v === v << 8 >> 8) {
      code[0] = INT24;
      return 4;
    }
    code[0] = INT32;
    return 5;
  }
}

/** For measuring only. */
const measured = new PendingEntry();
