/**
 * The x87 80-bit float, in which Redis computes INCRBYFLOAT and HINCRBYFLOAT: parsing as strtold does, addition, and
 * printing as those commands do. JavaScript has no such type, so it is built on BigInt; a double is faster where it
 * suffices. NaN is not supported: no text is parsed as NaN, and the sum of opposite infinities is reported as not
 * finite.
 */
import { latin1 } from "./bytes.ts";

/** mantissa × 2^exponent. The mantissa has a sign and at most 64 bits; ±1 × 2^Infinity is infinite. */
export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/**
 * The rounding of an IEEE 754 format: the bits of the mantissa, the exponent of the last bit of the smallest number,
 * and the exponent n for which 2^n is too large.
 */
export interface FloatFormat {
  readonly precision: number;
  readonly minExponent: number;
  readonly limit: number;
}

const LONG_DOUBLE: FloatFormat = { precision: 64, minExponent: -16445, limit: 16384 };

/** Redis parses no longer text as a long double. */
const TEXT_BYTES_MAX = 5 * 1024 - 1;
/** An exponent of ten or two that is beyond the range of every format. */
const EXPONENT_MAX = 16_500;

const DECIMAL = /^([+-]?)(?=\.?[0-9])([0-9]*)\.?([0-9]*)(?:e([+-]?[0-9]+))?$/i;
const HEXADECIMAL = /^([+-]?)0x(?=\.?[0-9a-f])([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?[0-9]+))?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** Zero, the value of a missing key. */
export const LONG_ZERO: LongDouble = { mantissa: 0n, exponent: 0 };

/** The number in the whole text `bytes[start, end)`; undefined where Redis finds no valid float. */
export function parseLongDouble(bytes: Uint8Array, start: number, end: number): LongDouble | undefined {
  return end - start > TEXT_BYTES_MAX ? undefined : readFloat(latin1(bytes, start, end), LONG_DOUBLE);
}

export function isFiniteLongDouble(value: LongDouble): boolean {
  return Number.isFinite(value.exponent);
}

/** The rounded sum. It is infinite if it overflows or an operand is infinite, including opposite infinities. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble {
  if (!isFiniteLongDouble(a)) return a;
  if (!isFiniteLongDouble(b)) return b;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  return exponent < 0
    ? round(sum, 1n << BigInt(-exponent), LONG_DOUBLE)
    : round(sum << BigInt(exponent), 1n, LONG_DOUBLE);
}

export function negateLongDouble({ mantissa, exponent }: LongDouble): LongDouble {
  return { mantissa: -mantissa, exponent };
}

/** The number with 17 digits after the point and without trailing zeros, as INCRBYFLOAT stores it. */
export function formatLongDouble(value: LongDouble): string {
  if (!isFiniteLongDouble(value)) return value.mantissa < 0n ? "-inf" : "inf";
  const magnitude = abs(value.mantissa) * 10n ** 17n;
  const scaled = value.exponent < 0
    ? divideToEven(magnitude, 1n << BigInt(-value.exponent))
    : magnitude << BigInt(value.exponent);
  if (scaled === 0n) return "0";
  const digits = String(scaled).padStart(18, "0");
  const fraction = digits.slice(-17).replace(/0+$/, "");
  const sign = value.mantissa < 0n ? "-" : "";
  return sign + digits.slice(0, -17) + (fraction === "" ? "" : `.${fraction}`);
}

/**
 * Parses text as C reads a float (decimal, hexadecimal, inf), rounded to `format`. Returns undefined for other text,
 * and for numbers that are too large or so small that they round to zero, because Redis accepts neither.
 */
export function readFloat(text: string, format: FloatFormat): LongDouble | undefined {
  let match = INFINITE.exec(text);
  if (match !== null) return infinity(match[1] === "-");
  match = DECIMAL.exec(text);
  const base = match === null ? 16 : 10;
  match ??= HEXADECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, fraction, power = "0"] = match;
  const digits = whole + fraction;
  const magnitude = BigInt(base === 16 ? `0x${digits}` : digits);
  if (magnitude === 0n) return LONG_ZERO;
  const scale = Number(power) - (base === 16 ? 4 : 1) * fraction.length;
  // A number may have more digits than the limit, and an exponent that compensates for them.
  if (Math.abs(scale) > EXPONENT_MAX + 4 * digits.length) return undefined;
  const factor = (base === 16 ? 2n : 10n) ** BigInt(Math.abs(scale));
  const numerator = sign === "-" ? -magnitude : magnitude;
  const value = scale < 0 ? round(numerator, factor, format) : round(numerator * factor, 1n, format);
  return value.mantissa === 0n || !isFiniteLongDouble(value) ? undefined : value;
}

function infinity(negative: boolean): LongDouble {
  return { mantissa: negative ? -1n : 1n, exponent: Infinity };
}

/** numerator / denominator, rounded to the nearest number of the format, ties to even. */
function round(numerator: bigint, denominator: bigint, format: FloatFormat): LongDouble {
  const negative = numerator < 0n;
  const magnitude = abs(numerator);
  if (magnitude === 0n) return LONG_ZERO;
  // The quotient lies between 2^(length - 1) and 2^(length + 1); the comparison determines which half contains it.
  const length = bitLength(magnitude) - bitLength(denominator);
  const low = length < 0 ? magnitude << BigInt(-length) < denominator : magnitude < denominator << BigInt(length);
  const exponent = Math.max(length + (low ? 0 : 1) - format.precision, format.minExponent);
  const quotient = exponent < 0
    ? divideToEven(magnitude << BigInt(-exponent), denominator)
    : divideToEven(magnitude, denominator << BigInt(exponent));
  if (quotient !== 0n && bitLength(quotient) + exponent > format.limit) return infinity(negative);
  return { mantissa: negative ? -quotient : quotient, exponent };
}

function divideToEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator - quotient * denominator) * 2n;
  return twice > denominator || (twice === denominator && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** Number of bits of a positive integer. */
function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return hex.length * 4 - Math.clz32(parseInt(hex[0], 16)) + 28;
}
