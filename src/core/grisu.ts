/**
 * The decimal digits of a double as Redis computes them: Grisu2 (F. Loitsch, "Printing Floating-Point Numbers Quickly
 * and Accurately with Integers", 2010). The digits always parse to the same double. For about one number in some
 * hundred they are not the shortest or nearest ones, so JavaScript's digits would differ from Redis's. The input is
 * positive and finite; numbers.ts formats the digits as text.
 *
 * A number is fraction × 2^exponent with a fraction of 64 bits, stored as an upper and a lower word below 2^32. Hot: no
 * BigInt, which would take ten times as long.
 */

const WORD = 2 ** 32;
/** The bit that doubles do not store, within the upper word. */
const HIDDEN_BIT = 2 ** 20;
/** Exponent of the last bit of the smallest doubles. */
const EXPONENT_MIN = -1074;

/** Powers of ten from 10^-348 in steps of 8, each rounded to 64 bits. */
const POWER_FIRST = -348, POWER_STEP = 8, POWER_COUNT = 87;
/**
 * After multiplication by a power, the exponent of the upper boundary is in this range, so its integer part fits in 32
 * bits.
 */
const SCALED_MIN = -60, SCALED_MAX = -32;
const LOG10_OF_2 = Math.log10(2);
/** No double has more digits. */
const DIGITS_MAX = 20;

const powerUpper = new Float64Array(POWER_COUNT), powerLower = new Float64Array(POWER_COUNT);
const powerExponent = new Int32Array(POWER_COUNT).fill(1); // 1: not calculated yet
const words = new Uint32Array(2), double = new Float64Array(words.buffer);

/** The digits of the last call, each 0 to 9; their number; and the power of ten of the last digit. */
export const digits = new Uint8Array(DIGITS_MAX);
export let digitCount = 0;
export let digitPower = 0;

// The result of the last multiplication.
let upper = 0, lower = 0;

/** Finds the digits of a positive finite double and stores them in `digits`, `digitCount` and `digitPower`. */
export function findDigits(value: number): void {
  double[0] = value;
  const biased = words[1] >>> 20;
  const high = (words[1] & (HIDDEN_BIT - 1)) + (biased === 0 ? 0 : HIDDEN_BIT), low = words[0];
  const exponent = Math.max(biased, 1) - 1 + EXPONENT_MIN;
  // The boundaries lie halfway to the neighbours; below a power of two the lower one is nearer. 2^53 and 2^53 - 1 are
  // doubles, but 2^54 - 1 is not. So the fraction is doubled and 1 is added word by word.
  const upperHigh = high * 2 + (low >>> 31), upperLow = (low * 2) % WORD + 1;
  const bits = upperHigh > 0 ? 64 - Math.clz32(upperHigh) : 32 - Math.clz32(upperLow);
  const shift = 64 - bits;
  const scale = exponent - 1 - shift;
  const index = powerIndex(scale);
  const ph = powerUpper[index], pl = powerLower[index];
  shiftLeft(upperHigh, upperLow, shift);
  multiply(upper, lower, ph, pl);
  // One unit inside the boundaries, whose error is less than one unit.
  let topHigh = upper, topLow = lower - 1;
  if (topLow < 0) {
    topLow += WORD;
    topHigh--;
  }
  shiftLeft(high, low, shift + 1);
  multiply(upper, lower, ph, pl);
  const middleHigh = upper, middleLow = lower;
  if (high === HIDDEN_BIT && low === 0) {
    // Four times the fraction minus 1: all bits below the hidden bit are ones.
    shiftLeft(HIDDEN_BIT * 4 - 1, WORD - 1, shift - 1);
  } else {
    const doubledLow = (low * 2) % WORD;
    shiftLeft(doubledLow === 0 ? upperHigh - 1 : upperHigh, doubledLow === 0 ? WORD - 1 : doubledLow - 1, shift);
  }
  multiply(upper, lower, ph, pl);
  let bottomHigh = upper, bottomLow = lower + 1;
  if (bottomLow === WORD) {
    bottomLow = 0;
    bottomHigh++;
  }
  generate(topHigh, topLow, middleHigh, middleLow, bottomHigh, bottomLow, -(scale + powerExponent[index] + 64));
  digitPower -= POWER_FIRST + index * POWER_STEP;
}

/**
 * Generates the shortest digits of the number `top` that stay above `bottom`, then lowers them towards `middle`. All
 * three are in units of 2^-one, where `one` is 32 to 60.
 */
function generate(
  topHigh: number,
  topLow: number,
  middleHigh: number,
  middleLow: number,
  bottomHigh: number,
  bottomLow: number,
  one: number,
): void {
  let distanceHigh = topHigh - middleHigh, distanceLow = topLow - middleLow;
  if (distanceLow < 0) {
    distanceLow += WORD;
    distanceHigh--;
  }
  let widthHigh = topHigh - bottomHigh, widthLow = topLow - bottomLow;
  if (widthLow < 0) {
    widthLow += WORD;
    widthHigh--;
  }
  const unit = 2 ** (one - 32); // in upper words
  const whole = Math.floor(topHigh / unit);
  const partHigh = topHigh - whole * unit;
  let ten = 1, length = 1;
  while (ten * 10 <= whole) {
    ten *= 10;
    length++;
  }
  let count = 0;
  for (let left = whole; length > 0; ten /= 10) {
    const digit = Math.floor(left / ten);
    left -= digit * ten;
    length--;
    digits[count++] = digit;
    const restHigh = left * unit + partHigh;
    if (restHigh < widthHigh || (restHigh === widthHigh && topLow <= widthLow)) {
      digitCount = count;
      digitPower = length;
      lowerLast(distanceHigh, distanceLow, widthHigh, widthLow, restHigh, topLow, ten * unit);
      return;
    }
  }
  let restHigh = partHigh, restLow = topLow;
  for (let power = -1;; power--) {
    restLow *= 10;
    let carry = Math.floor(restLow / WORD);
    restLow -= carry * WORD;
    restHigh = restHigh * 10 + carry;
    distanceLow *= 10;
    carry = Math.floor(distanceLow / WORD);
    distanceLow -= carry * WORD;
    distanceHigh = distanceHigh * 10 + carry;
    widthLow *= 10;
    carry = Math.floor(widthLow / WORD);
    widthLow -= carry * WORD;
    widthHigh = widthHigh * 10 + carry;
    const digit = Math.floor(restHigh / unit);
    restHigh -= digit * unit;
    digits[count++] = digit;
    if (restHigh < widthHigh || (restHigh === widthHigh && restLow < widthLow)) {
      digitCount = count;
      digitPower = power;
      lowerLast(distanceHigh, distanceLow, widthHigh, widthLow, restHigh, restLow, unit);
      return;
    }
  }
}

/** Lowers the last digit while this brings it nearer to the number. `unit` is in upper words. */
function lowerLast(
  distanceHigh: number,
  distanceLow: number,
  widthHigh: number,
  widthLow: number,
  restHigh: number,
  restLow: number,
  unit: number,
): void {
  for (;;) {
    if (restHigh > distanceHigh || (restHigh === distanceHigh && restLow >= distanceLow)) return;
    const nextHigh = restHigh + unit;
    if (nextHigh > widthHigh || (nextHigh === widthHigh && restLow > widthLow)) return;
    if (nextHigh > distanceHigh || (nextHigh === distanceHigh && restLow >= distanceLow)) {
      // Past the number: continue only if the result is nearer than before. Upper words are below 2^33, so sums are
      // exact.
      const before = (distanceHigh - restHigh) - (nextHigh - distanceHigh), lows = 2 * (distanceLow - restLow);
      if (before * WORD + lows <= 0) return;
    }
    digits[digitCount - 1]--;
    restHigh = nextHigh;
  }
}

/** Stores a number of two words, shifted left, in the registers. No set bit is shifted out. */
function shiftLeft(high: number, low: number, by: number): void {
  if (by >= 32) {
    upper = low * 2 ** (by - 32);
    lower = 0;
    return;
  }
  const shifted = low * 2 ** by, carry = Math.floor(shifted / WORD);
  upper = high * 2 ** by + carry;
  lower = shifted - carry * WORD;
}

/** Stores the upper half of a product, rounded, in the registers. */
function multiply(ah: number, al: number, bh: number, bl: number): void {
  const crossed = upperProduct(al, bl) + lowerProduct(al, bh) + lowerProduct(ah, bl) + WORD / 2;
  const sum = lowerProduct(ah, bh) + upperProduct(al, bh) + upperProduct(ah, bl) + Math.floor(crossed / WORD);
  const carry = Math.floor(sum / WORD);
  lower = sum - carry * WORD;
  upper = upperProduct(ah, bh) + carry;
}

function upperProduct(a: number, b: number): number {
  const low = (a & 0xffff) * b;
  return Math.floor(((a >>> 16) * b + Math.floor(low / 0x10000)) / 0x10000);
}

function lowerProduct(a: number, b: number): number {
  return Math.imul(a, b) >>> 0;
}

/** The index of the power of ten that brings a number with this exponent into the range. */
function powerIndex(exponent: number): number {
  let index = Math.trunc((-(exponent + POWER_COUNT) * LOG10_OF_2 - POWER_FIRST) / POWER_STEP);
  for (;;) {
    if (powerExponent[index] === 1) calculatePower(index);
    const scaled = exponent + powerExponent[index] + 64;
    if (scaled < SCALED_MIN) index++;
    else if (scaled > SCALED_MAX) index--;
    else return index;
  }
}

function calculatePower(index: number): void {
  const ten = POWER_FIRST + index * POWER_STEP;
  const factor = 10n ** BigInt(Math.abs(ten));
  const length = factor.toString(2).length;
  let fraction: bigint;
  if (ten < 0) {
    fraction = ((1n << BigInt(length + 63)) + factor / 2n) / factor;
    powerExponent[index] = -(length + 63);
  } else {
    const cut = BigInt(length - 64);
    fraction = cut <= 0n ? factor << -cut : (factor + (1n << (cut - 1n))) >> cut;
    powerExponent[index] = length - 64;
  }
  powerUpper[index] = Number(fraction >> 32n);
  powerLower[index] = Number(fraction & 0xffffffffn);
}
