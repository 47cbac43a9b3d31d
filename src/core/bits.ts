/**
 * Operations on runs of bits in bytes, four bytes at a time: counting, finding and combining. Bit 0 is the highest bit
 * of the first byte, as in SETBIT.
 */

/** Number of set bits in `bytes[start, end)`. */
export function countBits(bytes: Uint8Array, start: number, end: number): number {
  const view = viewOf(bytes);
  let count = 0, i = start;
  for (const stop = end - 3; i < stop; i += 4) count += onesOf(view.getInt32(i));
  for (; i < end; i++) count += onesOf(bytes[i]);
  return count;
}

/** Number of set bits in a 32-bit word. */
export function onesOf(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Index of the first byte in `bytes[start, end)` that has a bit of value `bit`; `end` if there is none. */
export function findByte(bytes: Uint8Array, start: number, end: number, bit: number): number {
  const without = bit === 1 ? 0 : -1;
  const view = viewOf(bytes);
  let i = start;
  for (const stop = end - 3; i < stop && view.getInt32(i) === without; i += 4);
  while (i < end && bytes[i] === (without & 0xff)) i++;
  return i;
}

export type BitOperation = "and" | "or" | "xor" | "and not";

/**
 * Combines `target` with `source[start, end)`. The source is not longer than the target and counts as zero beyond its
 * end. The target begins at a word of its buffer.
 */
export function combineBits(
  target: Uint8Array,
  source: Uint8Array,
  start: number,
  end: number,
  operation: BitOperation,
): void {
  const length = end - start, words = length >>> 2;
  combineWords(wordsOf(target, 0, words), wordsOf(source, start, words), operation);
  for (let i = words * 4; i < length; i++) target[i] = combined(target[i], source[start + i], operation);
  if (operation === "and") target.fill(0, length);
}

/**
 * Adds `source[start, end)` to `any`, the bits that are set in any of some strings, and to `several`, those that are
 * set in more than one.
 */
export function countTwice(any: Uint8Array, several: Uint8Array, source: Uint8Array, start: number, end: number): void {
  const length = end - start, words = length >>> 2;
  const ones = wordsOf(any, 0, words), twos = wordsOf(several, 0, words), from = wordsOf(source, start, words);
  for (let i = 0; i < words; i++) {
    twos[i] |= ones[i] & from[i];
    ones[i] |= from[i];
  }
  for (let i = words * 4; i < length; i++) {
    several[i] |= any[i] & source[start + i];
    any[i] |= source[start + i];
  }
}

/** `count` words of bytes from `start` on; a copy of them where they do not begin at a word of their buffer. */
function wordsOf(bytes: Uint8Array, start: number, count: number): Int32Array {
  const at = bytes.byteOffset + start;
  if ((at & 3) === 0) return new Int32Array(bytes.buffer, at, count);
  return new Int32Array(bytes.slice(start, start + 4 * count).buffer);
}

/** One loop for each operation, so that none has a branch. */
function combineWords(target: Int32Array, source: Int32Array, operation: BitOperation): void {
  const { length } = source;
  if (operation === "and") { for (let i = 0; i < length; i++) target[i] &= source[i]; }
  else if (operation === "or") { for (let i = 0; i < length; i++) target[i] |= source[i]; }
  else if (operation === "xor") { for (let i = 0; i < length; i++) target[i] ^= source[i]; }
  else for (let i = 0; i < length; i++) target[i] &= ~source[i];
}

function combined(a: number, b: number, operation: BitOperation): number {
  if (operation === "and") return a & b;
  if (operation === "or") return a | b;
  return operation === "xor" ? a ^ b : a & ~b;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
