/**
 * Sorts records by (score, key) all at once, for those who build an ordered index over many: a radix sort of the scores,
 * then a comparison sort of the keys where scores are equal. The bytes in between are temporary typed arrays.
 */
import { compareBytes } from "../core/bytes.ts";
import { type Arena, CHUNK_SHIFT } from "./arena.ts";
import { keyLength, keyStart, scoreOf } from "./record.ts";

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
/** Digits of a 64-bit score by word and shift, the lowest first. */
const PASSES = [[0, 0], [0, 11], [0, 22], [1, 0], [1, 11], [1, 22]] as const;

/** The records in order; `refs` is used up. Every score is a number. */
export function sortByScore(arena: Arena, refs: Int32Array): Int32Array {
  const count = refs.length;
  const double = new Float64Array(1), halves = new Uint32Array(double.buffer);
  let words: Uint32Array[] = [new Uint32Array(count), new Uint32Array(count)];
  for (let i = 0; i < count; i++) {
    double[0] = scoreOf(arena, refs[i]) + 0; // -0 is 0
    // Flipping the sign, and all bits of negative numbers, makes the order of the bits that of the numbers.
    const flip = halves[1] >>> 31 === 1 ? 0xffffffff : 0;
    words[0][i] = halves[0] ^ flip;
    words[1][i] = halves[1] ^ (flip | 0x80000000);
  }
  let sorted = refs;
  let spare: Int32Array | undefined;
  let spareWords: Uint32Array[] = [];
  const places = new Uint32Array(DIGITS);
  for (const [word, shift] of PASSES) {
    const source = words[word];
    places.fill(0);
    for (let i = 0; i < count; i++) places[(source[i] >>> shift) & (DIGITS - 1)]++;
    if (count === 0 || places[(source[0] >>> shift) & (DIGITS - 1)] === count) continue;
    for (let digit = 0, at = 0; digit < DIGITS; digit++) {
      const size = places[digit];
      places[digit] = at;
      at += size;
    }
    if (spare === undefined) {
      spare = new Int32Array(count);
      spareWords = [new Uint32Array(count), new Uint32Array(count)];
    }
    const [low, high] = words, [toLow, toHigh] = spareWords;
    for (let i = 0; i < count; i++) {
      const to = places[(source[i] >>> shift) & (DIGITS - 1)]++;
      spare[to] = sorted[i];
      toLow[to] = low[i];
      toHigh[to] = high[i];
    }
    [sorted, spare] = [spare, sorted];
    [words, spareWords] = [spareWords, words];
  }
  const [low, high] = words;
  for (let from = 0; from < count;) {
    let to = from + 1;
    while (to < count && low[to] === low[from] && high[to] === high[from]) to++;
    if (to - from > 1) sorted.subarray(from, to).sort((a, b) => compareKeys(arena, a, b));
    from = to;
  }
  return sorted;
}

function compareKeys(arena: Arena, a: number, b: number): number {
  const start = keyStart(arena, a), otherStart = keyStart(arena, b);
  return compareBytes(
    arena.u8[a >>> CHUNK_SHIFT],
    start,
    start + keyLength(arena, a),
    arena.u8[b >>> CHUNK_SHIFT],
    otherStart,
    otherStart + keyLength(arena, b),
  );
}
