/**
 * Numbers as Redis parses and prints them: 64-bit integers in their canonical form, doubles with the shortest digits
 * that parse to the same double.
 */
import { latin1 } from "./bytes.ts";
import { digitCount, digitPower, digits, findDigits } from "./grisu.ts";
import { type FloatFormat, readFloat } from "./long_double.ts";

const PLUS = 43, MINUS = 45, POINT = 46, ZERO = 48, EXPONENT = 101;

export const INT64_MIN = -(2n ** 63n);
/** Bound for 64-bit integers that are read as doubles: the nearest double above the largest integer. */
export const INT64_BOUND = 2 ** 63;
export const INT64_MAX = 2n ** 63n - 1n;

/** Result of parseSafeInt for anything but an integer of at most 15 digits. */
export const NOT_SAFE = NaN;
/** Numbers with this many digits fit in 31 bits. */
const SHORT_DIGITS = 9;

/**
 * The integer in `bytes[start, end)` if it is canonical (no sign except a minus, no leading zero, no space) and has at
 * most 15 digits; NaN otherwise, also for longer integers. Hot.
 */
export function parseSafeInt(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  if (i >= end) return NOT_SAFE;
  const negative = bytes[i] === 45;
  if (negative) i++;
  const digits = end - i;
  if (digits > 15 || digits === 0) return NOT_SAFE;
  const first = bytes[i] - 48;
  if (first === 0 ? digits > 1 || negative : first < 0 || first > 9) return NOT_SAFE;
  const value = readDigits(bytes, i, end);
  return negative ? -value : value;
}

/** The number of the digits `bytes[start, end)`; NaN if there is any other character. Exact below 2^53. Hot. */
function readDigits(bytes: Uint8Array, start: number, end: number): number {
  let i = start, short = 0;
  for (const stop = Math.min(end, start + SHORT_DIGITS); i < stop; i++) {
    const d = bytes[i] - 48;
    if (d < 0 || d > 9) return NaN;
    short = (short * 10 + d) | 0;
  }
  if (i === end) return short;
  let value = short;
  for (; i < end; i++) {
    const d = bytes[i] - 48;
    if (d < 0 || d > 9) return NaN;
    value = value * 10 + d;
  }
  return value;
}

/** The powers of ten that doubles represent exactly. */
const EXACT_POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const MANTISSA_END = 2 ** 53;

/**
 * The double in `bytes[start, end)` if the text has only a sign, digits and a point, and the digits form an integer of
 * at most 53 bits. One division then rounds it as strtod does. NaN for other text. Hot.
 */
export function parsePlainDouble(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  const negative = i < end && bytes[i] === 45;
  if (negative || (i < end && bytes[i] === 43)) i++;
  const first = i;
  while (i < end && bytes[i] === 48) i++;
  let point = i;
  while (point < end && bytes[point] !== 46) point++;
  let value = readDigits(bytes, i, point);
  let digits = point - first, places = 0;
  if (point < end) {
    places = end - point - 1;
    digits += places;
    if (places >= EXACT_POWERS.length) return NaN;
    for (i = point + 1; i < end; i++) {
      const d = bytes[i] - 48;
      if (d < 0 || d > 9) return NaN;
      value = value * 10 + d;
    }
  }
  if (digits === 0 || !(value < MANTISSA_END)) return NaN;
  if (places > 0) value /= EXACT_POWERS[places];
  return negative ? -value : value;
}

/** The signed 64-bit integer in `bytes[start, end)`; undefined where Redis finds none. */
export function parseInt64(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const length = end - start;
  if (length === 0 || length > 20) return undefined;
  const text = latin1(bytes, start, end);
  if (!/^(?:0|-?[1-9][0-9]*)$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < INT64_MIN || value > INT64_MAX ? undefined : value;
}

/** Whether the text is a canonical 64-bit integer, which OBJECT ENCODING reports as "int". */
export function isInt64(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start <= 15) return !Number.isNaN(parseSafeInt(bytes, start, end));
  return parseInt64(bytes, start, end) !== undefined;
}

/** Number of characters of a safe integer in decimal. */
export function decimalLength(value: number): number {
  let length = value < 0 ? 2 : 1;
  for (let v = Math.abs(value); v >= 10; v = Math.floor(v / 10)) length++;
  return length;
}

/** Writes a safe integer in decimal at `at` and returns the index after it. Hot. */
export function writeDecimal(target: Uint8Array, at: number, value: number): number {
  if (value >= 0 && value < 100) return writePair(target, at, value | 0);
  if (value < 0) {
    target[at++] = 45;
    value = -value;
  }
  if (value > 0x7fffffff) {
    // Removing six digits at a time leaves a number of 31 bits.
    const high = Math.floor(value / 1000000);
    at = writeDecimal(target, at, high);
    writeDigits(target, at, at + 6, (value - high * 1000000) | 0);
    return at + 6;
  }
  const v = value | 0;
  let end = at + 2;
  if (v >= 100) end++;
  if (v >= 1000) end++;
  if (v >= 10000) end++;
  if (v >= 100000) end++;
  if (v >= 1000000) end += v >= 10000000 ? v >= 100000000 ? v >= 1000000000 ? 4 : 3 : 2 : 1;
  if (v < 10) end--;
  writeDigits(target, at, end, v);
  return end;
}

/** Writes a number below 100. */
function writePair(target: Uint8Array, at: number, value: number): number {
  if (value >= 10) target[at++] = 48 + ((value / 10) | 0);
  target[at] = 48 + value % 10;
  return at + 1;
}

/** Fills `target[at, end)` with the digits of `value`, with leading zeros. */
function writeDigits(target: Uint8Array, at: number, end: number, value: number): void {
  while (end > at) {
    const rest = (value / 10) | 0;
    target[--end] = 48 + value - rest * 10;
    value = rest;
  }
}

/** Redis prints integers up to this value with all their digits. */
const PLAIN_INTEGER_MAX = 2 ** 62;

/** The most bytes that `writeDouble` and `writeShortest` write. */
export const DOUBLE_BYTES_MAX = 32;
const doubleText = new Uint8Array(DOUBLE_BYTES_MAX);

/** A double in the format of `writeDouble`. */
export function formatDouble(value: number): string {
  return latin1(doubleText, 0, writeDouble(doubleText, 0, value));
}

/** A double in the format of `writeShortest`. */
export function shortestText(value: number): string {
  return latin1(doubleText, 0, writeShortest(doubleText, 0, value));
}

const PRECISE_DIGITS = 17;
/**
 * Exactly halfway between two texts of seventeen digits, of which the lower ends with an even digit. C rounds down here
 * and JavaScript up.
 */
const HALF = /^(-?[0-9]\.[0-9]{15}[02468])50*(e.*)$/;

/** A double with 17 digits and without trailing zeros, as "%.17g" prints it. */
export function preciseText(value: number): string {
  if (!Number.isFinite(value)) return shortestText(value);
  if (Object.is(value, -0)) return "-0";
  const half = HALF.exec(value.toExponential(40));
  const rounded = half === null ? value.toExponential(PRECISE_DIGITS - 1) : half[1] + half[2];
  const [mantissa, power] = rounded.split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= PRECISE_DIGITS) {
    return `${withoutZeros(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const sign = value < 0 ? "-" : "", digits = mantissa.replace(/[-.]/g, "");
  if (exponent < 0) return `${sign}${withoutZeros(`0.${"0".repeat(-exponent - 1)}${digits}`)}`;
  return `${sign}${withoutZeros(`${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`)}`;
}

/** A decimal fraction without trailing zeros. */
function withoutZeros(text: string): string {
  return text.replace(/\.?0*$/, "");
}

/**
 * Writes a double as Redis replies it: integers up to 2^62 with all digits, other numbers as `writeShortest` does.
 * Returns the index after it. Hot.
 */
export function writeDouble(target: Uint8Array, at: number, value: number): number {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return writeDecimal(target, at, value);
  if (Number.isInteger(value) && value !== 0 && Math.abs(value) <= PLAIN_INTEGER_MAX) {
    return writeText(target, at, String(BigInt(value)));
  }
  return writeShortest(target, at, value);
}

/**
 * Writes a double with few digits that parse to the same double: without an exponent if at most seven zeros are added
 * after or before the digits, otherwise with an exponent. Returns the index after it. Hot.
 */
export function writeShortest(target: Uint8Array, at: number, value: number): number {
  if (!Number.isFinite(value)) return writeText(target, at, Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");
  if (value < 0 || Object.is(value, -0)) target[at++] = MINUS;
  if (value === 0) {
    target[at++] = ZERO;
    return at;
  }
  findDigits(Math.abs(value));
  const count = digitCount, zeros = digitPower, exponent = zeros + count - 1;
  if (zeros >= 0 && exponent < count + 7) {
    at = writeFound(target, at, 0, count);
    return writeZeros(target, at, zeros);
  }
  if (zeros < 0 && (zeros > -7 || Math.abs(exponent) < 4)) {
    const point = count + zeros;
    if (point > 0) {
      at = writeFound(target, at, 0, point);
      target[at++] = POINT;
      return writeFound(target, at, point, count);
    }
    target[at++] = ZERO;
    target[at++] = POINT;
    at = writeZeros(target, at, -point);
    return writeFound(target, at, 0, count);
  }
  target[at++] = ZERO + digits[0];
  if (count > 1) {
    target[at++] = POINT;
    at = writeFound(target, at, 1, count);
  }
  target[at++] = EXPONENT;
  target[at++] = exponent < 0 ? MINUS : PLUS;
  return writeDecimal(target, at, Math.abs(exponent));
}

/** Writes a range of the digits that `findDigits` found. */
function writeFound(target: Uint8Array, at: number, from: number, to: number): number {
  for (let i = from; i < to; i++) target[at++] = ZERO + digits[i];
  return at;
}

function writeZeros(target: Uint8Array, at: number, count: number): number {
  while (count-- > 0) target[at++] = ZERO;
  return at;
}

function writeText(target: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
  return at;
}

const DOUBLE: FloatFormat = { precision: 53, minExponent: -1074, limit: 1024 };
/** Longer text is not parsed as a number. */
const DOUBLE_TEXT_MAX = 1 << 20;
const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/**
 * The double in the whole text `bytes[start, end)`, as strtod parses it. Returns undefined where Redis finds no valid
 * float: NaN, a number that is too large, or one that is so small that it rounds to zero.
 */
export function parseDouble(bytes: Uint8Array, start: number, end: number): number | undefined {
  const plain = parsePlainDouble(bytes, start, end);
  if (!Number.isNaN(plain)) return plain;
  if (end - start > DOUBLE_TEXT_MAX) return undefined;
  const text = latin1(bytes, start, end);
  if (DECIMAL.test(text)) {
    const value = Number(text);
    if (value === 0 && /[1-9]/.test(text.replace(/e.*/i, ""))) return undefined;
    return Number.isFinite(value) ? value : undefined;
  }
  const float = readFloat(text, DOUBLE);
  // Exact: the mantissa has 53 bits, and a scaled mantissa of 2^-1074 is one unit of the smallest double.
  return float === undefined ? undefined : Number(float.mantissa) * 2 ** float.exponent;
}
