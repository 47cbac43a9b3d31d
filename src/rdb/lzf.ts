/**
 * LZF, the compression of strings in RDB files. A compressed string is a sequence of runs:
 *
 *     000lllll                      l + 1 bytes as they are
 *     lllooooo oooooooo             l + 2 bytes from o + 1 bytes back, l from 1 to 6
 *     111ooooo llllllll oooooooo    l + 9 bytes from o + 1 bytes back
 */
const LITERAL_MAX = 32;
const MATCH_MAX = 264;
const DISTANCE_MAX = 8192;
/** The most bytes that one byte of a run expands to. */
const GAIN_MAX = Math.ceil(MATCH_MAX / 3);
const HASH_BITS = 16;

/** The last index of three bytes with a hash, plus `base`; entries below `base` are of earlier strings. */
const seen = new Int32Array(1 << HASH_BITS);
let base = 0;

/** Whether `compressed` bytes can expand to `length`. Check it before memory is allocated for an announced length. */
export function isPossibleLength(compressed: number, length: number): boolean {
  return length <= compressed * GAIN_MAX;
}

/** Expands `from[start, end)` to exactly `target[0, length)`; false if it is not LZF of that length. */
export function decompress(
  from: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  length: number,
): boolean {
  let i = start, at = 0;
  while (i < end) {
    const control = from[i++];
    if (control < LITERAL_MAX) {
      const n = control + 1;
      if (i + n > end || at + n > length) return false;
      for (let k = 0; k < n; k++) target[at++] = from[i++];
      continue;
    }
    let n = control >>> 5;
    if (n === 7) {
      if (i >= end) return false;
      n += from[i++];
    }
    if (i >= end) return false;
    let source = at - ((control & 31) << 8) - from[i++] - 1;
    n += 2;
    if (source < 0 || at + n > length) return false;
    // Byte by byte, because a run may read bytes that it has written.
    for (let k = 0; k < n; k++) target[at++] = target[source++];
  }
  return at === length;
}

/**
 * Compresses `from[start, end)` into `target` from index 0 on. Returns the compressed length, 0 if it would exceed
 * `room`.
 */
export function compress(
  from: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  room: number,
): number {
  if (base > 2 ** 30) {
    seen.fill(0);
    base = 0;
  }
  // The index p of this string is stored as base + p - start + 1.
  const shift = base - start + 1;
  base += end - start;
  let at = 0, literals = start, i = start;
  const last = end - 3;
  while (i <= last) {
    const h = Math.imul(from[i] | from[i + 1] << 8 | from[i + 2] << 16, 0x9e3779b1) >>> (32 - HASH_BITS);
    const p = seen[h] - shift;
    seen[h] = i + shift;
    const distance = i - p;
    if (
      p < start || distance > DISTANCE_MAX ||
      from[p] !== from[i] || from[p + 1] !== from[i + 1] || from[p + 2] !== from[i + 2]
    ) {
      i++;
      continue;
    }
    const longest = Math.min(MATCH_MAX, end - i);
    let n = 3;
    while (n < longest && from[p + n] === from[i + n]) n++;
    at = putLiterals(from, literals, i, target, at, room - 3);
    if (at < 0) return 0;
    const offset = distance - 1;
    if (n < 9) {
      target[at++] = (n - 2) << 5 | offset >>> 8;
    } else {
      target[at++] = 7 << 5 | offset >>> 8;
      target[at++] = n - 9;
    }
    target[at++] = offset & 255;
    i += n;
    literals = i;
  }
  at = putLiterals(from, literals, end, target, at, room);
  return Math.max(at, 0);
}

/** Writes `from[i, end)` as literal runs. Returns the index after them, -1 if that exceeds `room`. */
function putLiterals(
  from: Uint8Array,
  i: number,
  end: number,
  target: Uint8Array,
  at: number,
  room: number,
): number {
  if (at + (end - i) + Math.ceil((end - i) / LITERAL_MAX) > room) return -1;
  while (i < end) {
    const n = Math.min(LITERAL_MAX, end - i);
    target[at++] = n - 1;
    for (let k = 0; k < n; k++) target[at++] = from[i++];
  }
  return at;
}
