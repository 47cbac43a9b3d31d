/**
 * Deadlines of keys: milliseconds since the epoch, from 0 to 2^63-1, exact over the whole range. A deadline is a number
 * below 2^53 and a bigint from there on. So comparisons of two deadlines, or of one with the time, are exact as they
 * stand; arithmetic needs a conversion, which the compiler asks for.
 */
export type Deadline = number | bigint;

/** The deadline at so many milliseconds since the epoch, 0 if they are negative. */
export function deadlineOfMs(ms: bigint): Deadline {
  if (ms <= 0n) return 0;
  return ms <= Number.MAX_SAFE_INTEGER ? Number(ms) : ms;
}
