/**
 * Ids of stream entries: a time in milliseconds and a sequence number, both unsigned integers of 64 bits. An id is four
 * words of 32 bits, the highest first, so that ids are compared exactly and without BigInt. Ids in the arena have the
 * same form; so functions take an array and the index of the first word.
 */
import { writeDecimal } from "./numbers.ts";

/** The four words of an id: time high and low, sequence high and low. */
export type StreamId = Int32Array;

export const ID_WORDS = 4;
/** The longest text of an id: two numbers of 20 digits and a dash. */
export const ID_TEXT_MAX = 41;
/** Redis refuses longer texts before it looks into them. */
const ID_ARGUMENT_MAX = 127;
/** Numbers up to these many digits are exact as doubles. */
const SAFE_DIGITS = 15;
const TWO32 = 0x100000000;
const DASH = 45, ZERO = 48;

export function newId(msHigh = 0, msLow = 0, seqHigh = 0, seqLow = 0): StreamId {
  return Int32Array.of(msHigh, msLow, seqHigh, seqLow);
}

/** The smallest and the largest id. Never written to. */
export const ID_MIN: StreamId = newId(), ID_MAX: StreamId = newId(-1, -1, -1, -1);

/** Negative if the id at `a[i]` is below the one at `b[k]`, positive if above, 0 if they are equal. Hot. */
export function compareIds(a: Int32Array, i: number, b: Int32Array, k: number): number {
  if (a[i] !== b[k]) return (a[i] >>> 0) - (b[k] >>> 0);
  if (a[i + 1] !== b[k + 1]) return (a[i + 1] >>> 0) - (b[k + 1] >>> 0);
  if (a[i + 2] !== b[k + 2]) return (a[i + 2] >>> 0) - (b[k + 2] >>> 0);
  return (a[i + 3] >>> 0) - (b[k + 3] >>> 0);
}

export function copyId(from: Int32Array, i: number, to: Int32Array, k: number): void {
  to[k] = from[i];
  to[k + 1] = from[i + 1];
  to[k + 2] = from[i + 2];
  to[k + 3] = from[i + 3];
}

/** Whether the id at `words[at]` is 0-0. */
export function isZeroId(words: Int32Array, at = 0): boolean {
  return (words[at] | words[at + 1] | words[at + 2] | words[at + 3]) === 0;
}

/** Sets the time of an id from milliseconds below 2^53. */
export function setIdTime(id: StreamId, ms: number): void {
  id[0] = ms / TWO32;
  id[1] = ms;
}

/** The time of the id at `words[at]`; the nearest double beyond 2^53. */
export function idTime(words: Int32Array, at = 0): number {
  return (words[at] >>> 0) * TWO32 + (words[at + 1] >>> 0);
}

/** Makes an id the next one. False if it was the largest; it is then 0-0. */
export function incrementId(id: StreamId): boolean {
  for (let i = ID_WORDS - 1; i >= 0; i--) if (++id[i] !== 0) return true;
  return false;
}

/** Makes an id the one before. False if it was 0-0; it is then the largest. */
export function decrementId(id: StreamId): boolean {
  for (let i = ID_WORDS - 1; i >= 0; i--) if (id[i]-- !== 0) return true;
  return false;
}

/** Outcome of `parseId`. AUTO_SEQUENCE: the text is `ms-*`, the sequence is 0. */
export const IdForm = { INVALID: 0, WHOLE: 1, AUTO_SEQUENCE: 2 } as const;
/**
 * What `parseId` takes beyond `ms-seq` and `ms`. MISSING_MAX: a missing sequence is the largest, and not 0. EDGES: `-`
 * and `+` are the smallest and the largest id. AUTO: `ms-*`.
 */
export const IdOption = { NONE: 0, MISSING_MAX: 1, EDGES: 2, AUTO: 4 } as const;

/** Reads the id in `bytes[start, end)` into `id`. Hot. */
export function parseId(bytes: Uint8Array, start: number, end: number, id: StreamId, options: number): number {
  let ms = 0, i = start;
  for (; i < end && i - start < SAFE_DIGITS; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) break;
    ms = ms * 10 + digit;
  }
  if (i === start) return parseUnusual(bytes, start, end, id, options);
  let seq = 0;
  if (i < end) {
    const first = i + 1;
    if (bytes[i] !== DASH || first === end || end - first > SAFE_DIGITS) {
      return parseUnusual(bytes, start, end, id, options);
    }
    for (i = first; i < end; i++) {
      const digit = bytes[i] - ZERO;
      if (digit < 0 || digit > 9) return parseUnusual(bytes, start, end, id, options);
      seq = seq * 10 + digit;
    }
    id[2] = seq / TWO32;
    id[3] = seq;
  } else {
    id[2] = id[3] = (options & IdOption.MISSING_MAX) !== 0 ? -1 : 0;
  }
  id[0] = ms / TWO32;
  id[1] = ms;
  return IdForm.WHOLE;
}

/** Reads an id that is not just short digits. Redis reads the text up to its first zero byte. */
function parseUnusual(bytes: Uint8Array, start: number, end: number, id: StreamId, options: number): number {
  if (end - start > ID_ARGUMENT_MAX) return IdForm.INVALID;
  const [text] = String.fromCharCode(...bytes.subarray(start, end)).split("\0", 1);
  if (text === "-" || text === "+") {
    if ((options & IdOption.EDGES) === 0) return IdForm.INVALID;
    id.fill(text === "-" ? 0 : -1);
    return IdForm.WHOLE;
  }
  const dash = text.indexOf("-"), sequence = text.slice(dash + 1);
  if (!parsePart(dash < 0 ? text : text.slice(0, dash), id, 0)) return IdForm.INVALID;
  if (dash < 0) {
    id[2] = id[3] = (options & IdOption.MISSING_MAX) !== 0 ? -1 : 0;
    return IdForm.WHOLE;
  }
  if ((options & IdOption.AUTO) !== 0 && sequence === "*") {
    id[2] = id[3] = 0;
    return IdForm.AUTO_SEQUENCE;
  }
  return parsePart(sequence, id, 2) ? IdForm.WHOLE : IdForm.INVALID;
}

/** The forms that C's strtoull takes: space and a sign before the digits, of which a minus wraps around. */
const UNSIGNED = /^[ \t-\r]*([-+]?)([0-9]+)$/;
const NEGATIVE = /^-[1-9][0-9]*$/;

function parsePart(text: string, id: StreamId, at: number): boolean {
  const match = UNSIGNED.exec(text);
  // A canonical negative integer of 64 bits is refused; other texts of negative numbers wrap.
  if (match === null || (NEGATIVE.test(text) && BigInt(text) >= -(2n ** 63n))) return false;
  const value = BigInt(match[2]);
  if (value >= 2n ** 64n) return false;
  putWide(id, at, match[1] === "-" ? -value : value);
  return true;
}

/** An unsigned integer of 64 bits in two words, the highest first. Cold. */
export function wideAt(words: Int32Array, at: number): bigint {
  return (BigInt(words[at] >>> 0) << 32n) | BigInt(words[at + 1] >>> 0);
}

/** Puts the lower 64 bits of an integer in two words, the highest first. Cold. */
export function putWide(words: Int32Array, at: number, value: bigint): void {
  words[at] = Number(BigInt.asIntN(32, value >> 32n));
  words[at + 1] = Number(BigInt.asIntN(32, value));
}

/** Writes the id at `words[i]` as text from `target[at]` on and returns the end. Hot. */
export function writeId(target: Uint8Array, at: number, words: Int32Array, i = 0): number {
  at = writePart(target, at, words[i], words[i + 1]);
  target[at++] = DASH;
  return writePart(target, at, words[i + 2], words[i + 3]);
}

function writePart(target: Uint8Array, at: number, high: number, low: number): number {
  if (high >>> 21 === 0) return writeDecimal(target, at, high * TWO32 + (low >>> 0));
  const text = String((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
  for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
  return at;
}

/** Ids as text, for many that are near to each other: the digits above the last three of a time are kept. */
export class IdWriter {
  readonly bytes = new Uint8Array(ID_TEXT_MAX);
  readonly view = new DataView(this.bytes.buffer);
  // The time is `#thousand` and less than a thousand more, with its last digit before #dash.
  #thousand = NaN;
  #dash = 0;

  /** Writes the id at `words[i]` from the beginning of `bytes` and returns the end. Hot. */
  write(words: Int32Array, i: number): number {
    const { bytes } = this, high = words[i];
    const rest = high >>> 21 === 0 ? high * TWO32 + (words[i + 1] >>> 0) - this.#thousand : NaN;
    if (rest >= 0 && rest < 1000) {
      const at = this.#dash, hundreds = rest / 100 | 0, tens = rest / 10 | 0;
      bytes[at - 3] = ZERO + hundreds;
      bytes[at - 2] = ZERO + tens - hundreds * 10;
      bytes[at - 1] = ZERO + rest - tens * 10;
    } else {
      this.#dash = writePart(bytes, 0, high, words[i + 1]);
      const time = idTime(words, i);
      this.#thousand = this.#dash > 3 && high >>> 21 === 0 ? time - time % 1000 : NaN;
    }
    bytes[this.#dash] = DASH;
    return writePart(bytes, this.#dash + 1, words[i + 2], words[i + 3]);
  }
}

const textBytes = new Uint8Array(ID_TEXT_MAX);

/** An id as text. Cold. */
export function idText(words: Int32Array, at = 0): string {
  return String.fromCharCode(...textBytes.subarray(0, writeId(textBytes, 0, words, at)));
}
