/**
 * Doubles as text, in the simplest form: Grisu2 with BigInt and strings. It is the model for tests of the server's
 * implementation, which computes with pairs of 32-bit numbers.
 */

const HIDDEN_BIT = 1n << 52n;
const FRACTION_MASK = HIDDEN_BIT - 1n;
/** Exponent of the last bit of the smallest doubles. */
const EXPONENT_MIN = -1074;

/** Powers of ten from 10^-348 in steps of 8, each rounded to 64 bits. */
const POWER_FIRST = -348, POWER_STEP = 8, POWER_COUNT = 87;
/** Multiplied by a power, the upper boundary gets an exponent in this range: its integer part fits in 32 bits. */
const SCALED_MIN = -60, SCALED_MAX = -32;
const LOG10_OF_2 = Math.log10(2);

interface Power {
  readonly fraction: bigint;
  readonly exponent: number;
}

const powers: (Power | undefined)[] = [];
const bits = new DataView(new ArrayBuffer(8));

/** The digits of a positive finite double, and the power of ten of the last one. */
function grisuDigits(value: number): { digits: string; power: number } {
  bits.setFloat64(0, value);
  const raw = bits.getBigUint64(0);
  const biased = Number(raw >> 52n);
  const fraction = (raw & FRACTION_MASK) | (biased === 0 ? 0n : HIDDEN_BIT);
  const exponent = Math.max(biased, 1) - 1 + EXPONENT_MIN;
  // Half way to the neighbours; the lower one is nearer below a power of two.
  const upper = fraction * 2n + 1n;
  const shift = 64 - upper.toString(2).length;
  const scale = exponent - 1 - shift;
  const lower = fraction === HIDDEN_BIT
    ? (fraction * 4n - 1n) << BigInt(shift - 1)
    : (fraction * 2n - 1n) << BigInt(shift);
  const index = powerIndex(scale);
  const power = powerAt(index);
  // One unit inside the boundaries, which are inexact by less than that.
  const high = multiply(upper << BigInt(shift), power.fraction) - 1n;
  const low = multiply(lower, power.fraction) + 1n;
  const middle = multiply(fraction << BigInt(shift + 1), power.fraction);
  const one = -(scale + power.exponent + 64);
  return generate(high, high - middle, high - low, BigInt(one), -(POWER_FIRST + index * POWER_STEP));
}

/**
 * The shortest digits of `high` that stay within `width` of it, then lowered towards the number itself, which is
 * `distance` below `high`. The unit of all three is 2^-one.
 */
function generate(
  high: bigint,
  distance: bigint,
  width: bigint,
  one: bigint,
  power: number,
): { digits: string; power: number } {
  const whole = String(high >> one);
  for (let i = 1; i <= whole.length; i++) {
    const unit = 10n ** BigInt(whole.length - i) << one;
    const rest = high % unit;
    if (rest <= width) {
      const digits = lowered(whole.slice(0, i), distance, width, rest, unit);
      return { digits, power: power + whole.length - i };
    }
  }
  const unit = 1n << one;
  let rest = high & (unit - 1n);
  for (let digits = whole;;) {
    rest *= 10n;
    distance *= 10n;
    width *= 10n;
    power--;
    digits += String(rest >> one);
    rest &= unit - 1n;
    if (rest < width) return { digits: lowered(digits, distance, width, rest, unit), power };
  }
}

/** Lowers the last digit while that brings it nearer to the number. */
function lowered(digits: string, distance: bigint, width: bigint, rest: bigint, unit: bigint): string {
  let last = Number(digits.at(-1));
  while (
    rest < distance && width - rest >= unit && (rest + unit < distance || distance - rest > rest + unit - distance)
  ) {
    last--;
    rest += unit;
  }
  return digits.slice(0, -1) + last;
}

/** The upper half of a product of 64 bits each, rounded. */
function multiply(a: bigint, b: bigint): bigint {
  return (a * b + (1n << 63n)) >> 64n;
}

/** The power of ten that brings a number with this exponent into the range. */
function powerIndex(exponent: number): number {
  let index = Math.trunc((-(exponent + POWER_COUNT) * LOG10_OF_2 - POWER_FIRST) / POWER_STEP);
  for (;;) {
    const scaled = exponent + powerAt(index).exponent + 64;
    if (scaled < SCALED_MIN) index++;
    else if (scaled > SCALED_MAX) index--;
    else return index;
  }
}

function powerAt(index: number): Power {
  return powers[index] ??= calculatePower(POWER_FIRST + index * POWER_STEP);
}

function calculatePower(ten: number): Power {
  const factor = 10n ** BigInt(Math.abs(ten));
  const length = factor.toString(2).length;
  if (ten >= 0) {
    if (length <= 64) return { fraction: factor << BigInt(64 - length), exponent: length - 64 };
    const cut = BigInt(length - 64);
    return { fraction: (factor + (1n << (cut - 1n))) >> cut, exponent: length - 64 };
  }
  const shift = BigInt(length + 63);
  return { fraction: ((1n << shift) + factor / 2n) / factor, exponent: -(length + 63) };
}

/** A double in few digits that parse to the same double. */
export function shortestText(value: number): string {
  const sign = value < 0 ? "-" : "";
  const { digits, power: zeros } = grisuDigits(Math.abs(value));
  const exponent = zeros + digits.length - 1;
  if (zeros >= 0 && exponent < digits.length + 7) return sign + digits + "0".repeat(zeros);
  if (zeros < 0 && (zeros > -7 || Math.abs(exponent) < 4)) {
    const point = digits.length + zeros;
    if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
    return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
  }
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
  return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}
