/**
 * XXH3 with 64 bits and its default secret: the digest of a string's value, which DIGEST replies and IFDEQ compares.
 * Numbers of 64 bits are pairs of 32-bit words, so that nothing is allocated for them. Source: the specification of
 * xxHash.
 */
import { SECRET, SECRET_BYTES, SECRET_BYTES_MIN } from "./xxh3_secret.ts";

const PRIME32_1 = 0x9E3779B1;
const PRIME64_1_HIGH = 0x9E3779B1, PRIME64_1_LOW = 0x85EBCA87;
const PRIME64_2_HIGH = 0xC2B2AE3D, PRIME64_2_LOW = 0x27D4EB4F;
const PRIME64_3_HIGH = 0x165667B1, PRIME64_3_LOW = 0x9E3779F9;
const MIX_1_HIGH = 0x16566791, MIX_1_LOW = 0x9E3779F9;
const MIX_2_HIGH = 0x9FB21C65, MIX_2_LOW = 0x1E98DF25;
/** The upper and lower words of the eight lanes at the beginning. */
const LANES_HIGH = [0, 0x9E3779B1, 0xC2B2AE3D, 0x165667B1, 0x85EBCA77, 0, 0x27D4EB2F, 0];
const LANES_LOW = [0xC2B2AE3D, 0x85EBCA87, 0x27D4EB4F, 0x9E3779F9, 0xC2B2AE63, 0x85EBCA77, 0x165667C5, 0x9E3779B1];

const STRIPE_BYTES = 64, LANES = 8;
const STRIPES_PER_BLOCK = (SECRET_BYTES - STRIPE_BYTES) / LANES;
const BLOCK_BYTES = STRIPE_BYTES * STRIPES_PER_BLOCK;
const SHORT_MAX = 16, MIDDLE_MIN = 129, MIDDLE_MAX = 240;
const WORD = 2 ** 32;

/** The number that is computed, as two signed words. */
let high = 0, low = 0;
const laneHigh = new Int32Array(LANES), laneLow = new Int32Array(LANES);
/** The secret as words; word i begins at byte i. */
const secretAt = Int32Array.from({ length: SECRET_BYTES - 3 }, (_, i) => SECRET.getInt32(i, true));

/** The number of hexadecimal digits of a digest. */
export const DIGEST_LENGTH = 16;
const digest = new Uint8Array(DIGEST_LENGTH);
const HEX_DIGITS = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

/** The hash of the bytes [start, end) of a view, as hexadecimal digits. The next call overwrites them. */
export function xxh3Digest(view: DataView, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length <= SHORT_MAX) hashShort(view, start, length);
  else if (length < MIDDLE_MIN) hashMiddle(view, start, length);
  else if (length <= MIDDLE_MAX) hashUpperMiddle(view, start, length);
  else hashLong(view, start, length);
  for (let i = 0; i < 8; i++) {
    digest[i] = HEX_DIGITS[high >>> (28 - 4 * i) & 15];
    digest[8 + i] = HEX_DIGITS[low >>> (28 - 4 * i) & 15];
  }
  return digest;
}

function hashShort(view: DataView, at: number, length: number): void {
  if (length > 8) {
    const lowA = view.getInt32(at, true) ^ secretAt[24] ^ secretAt[32];
    const highA = view.getInt32(at + 4, true) ^ secretAt[28] ^ secretAt[36];
    const lowB = view.getInt32(at + length - 8, true) ^ secretAt[40] ^ secretAt[48];
    const highB = view.getInt32(at + length - 4, true) ^ secretAt[44] ^ secretAt[52];
    fold(highA, lowA, highB, lowB);
    add(highB, lowB);
    add(swap(lowA), swap(highA));
    add(0, length);
    return finish();
  }
  if (length >= 4) {
    high = view.getInt32(at, true) ^ secretAt[12] ^ secretAt[20];
    low = view.getInt32(at + length - 4, true) ^ secretAt[8] ^ secretAt[16];
    const a = rotatedHigh(49) ^ rotatedHigh(24), b = rotatedLow(49) ^ rotatedLow(24);
    high ^= a;
    low ^= b;
    multiply(MIX_2_HIGH, MIX_2_LOW);
    const shifted = high >>> 3;
    // A sum of 29 bits and a short length has no carry.
    low ^= shifted + length;
    multiply(MIX_2_HIGH, MIX_2_LOW);
    return mixDown(28);
  }
  if (length === 0) {
    high = secretAt[60] ^ secretAt[68];
    low = secretAt[56] ^ secretAt[64];
  } else {
    const first = view.getUint8(at), middle = view.getUint8(at + (length >> 1)), last = view.getUint8(at + length - 1);
    high = 0;
    low = (first << 16 | middle << 24 | last | length << 8) ^ secretAt[0] ^ secretAt[4];
  }
  mixDown(33);
  multiply(PRIME64_2_HIGH, PRIME64_2_LOW);
  mixDown(29);
  multiply(PRIME64_3_HIGH, PRIME64_3_LOW);
  mixDown(32);
}

function hashMiddle(view: DataView, at: number, length: number): void {
  begin(length);
  for (let i = (length - 1) >> 5; i >= 0; i--) {
    mixIn(view, at + 16 * i, 32 * i);
    mixIn(view, at + length - 16 * (i + 1), 32 * i + 16);
  }
  finish();
}

function hashUpperMiddle(view: DataView, at: number, length: number): void {
  begin(length);
  for (let i = 0; i < 128; i += 16) mixIn(view, at + i, i);
  finish();
  for (let i = 128; i + 16 <= length; i += 16) mixIn(view, at + i, i - 128 + 3);
  mixIn(view, at + length - 16, SECRET_BYTES_MIN - 17);
  finish();
}

function hashLong(view: DataView, at: number, length: number): void {
  laneHigh.set(LANES_HIGH);
  laneLow.set(LANES_LOW);
  const blocks = Math.floor((length - 1) / BLOCK_BYTES), behind = at + blocks * BLOCK_BYTES;
  for (let block = at; block < behind; block += BLOCK_BYTES) {
    for (let i = 0; i < STRIPES_PER_BLOCK; i++) accumulate(view, block + i * STRIPE_BYTES, i * LANES);
    scramble();
  }
  const stripes = Math.floor((length - 1 - blocks * BLOCK_BYTES) / STRIPE_BYTES);
  for (let i = 0; i < stripes; i++) accumulate(view, behind + i * STRIPE_BYTES, i * LANES);
  accumulate(view, at + length - STRIPE_BYTES, SECRET_BYTES - STRIPE_BYTES - 7);
  begin(length);
  for (let i = 0; i < LANES; i += 2) {
    const sumHigh = high, sumLow = low, secret = 11 + 8 * i;
    fold(
      laneHigh[i] ^ secretAt[secret + 4],
      laneLow[i] ^ secretAt[secret],
      laneHigh[i + 1] ^ secretAt[secret + 12],
      laneLow[i + 1] ^ secretAt[secret + 8],
    );
    add(sumHigh, sumLow);
  }
  finish();
}

/** Mixes a stripe at byte `at` into the lanes, with the secret from byte `secret` on. */
function accumulate(view: DataView, at: number, secret: number): void {
  for (let i = 0; i < LANES; i++, at += 8, secret += 8) {
    const dataLow = view.getInt32(at, true), dataHigh = view.getInt32(at + 4, true), other = i ^ 1;
    const sum = (laneLow[other] >>> 0) + (dataLow >>> 0);
    laneLow[other] = sum;
    laneHigh[other] += dataHigh + (sum >= WORD ? 1 : 0);
    const a = dataLow ^ secretAt[secret], b = dataHigh ^ secretAt[secret + 4];
    const product = (laneLow[i] >>> 0) + (Math.imul(a, b) >>> 0);
    laneLow[i] = product;
    laneHigh[i] += upperProduct(a, b) + (product >= WORD ? 1 : 0);
  }
}

function scramble(): void {
  for (let i = 0; i < LANES; i++) {
    const secret = SECRET_BYTES - STRIPE_BYTES + 8 * i, a = laneHigh[i] ^ secretAt[secret + 4];
    const b = laneLow[i] ^ laneHigh[i] >>> 15 ^ secretAt[secret];
    laneLow[i] = Math.imul(b, PRIME32_1);
    laneHigh[i] = upperProduct(b, PRIME32_1) + Math.imul(a, PRIME32_1);
  }
}

/** Sets the number to the product of a length and a prime. */
function begin(length: number): void {
  high = Math.floor(length / WORD);
  low = length | 0;
  multiply(PRIME64_1_HIGH, PRIME64_1_LOW);
}

/** Adds the mixture of 16 bytes with the secret from byte `secret` on to the number. */
function mixIn(view: DataView, at: number, secret: number): void {
  const sumHigh = high, sumLow = low;
  fold(
    view.getInt32(at + 4, true) ^ secretAt[secret + 4],
    view.getInt32(at, true) ^ secretAt[secret],
    view.getInt32(at + 12, true) ^ secretAt[secret + 12],
    view.getInt32(at + 8, true) ^ secretAt[secret + 8],
  );
  add(sumHigh, sumLow);
}

function finish(): void {
  mixDown(37);
  multiply(MIX_1_HIGH, MIX_1_LOW);
  mixDown(32);
}

/** The upper half of the product of two unsigned words. */
function upperProduct(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const across = a1 * b0 + (a0 * b0 >>> 16), rest = a0 * b1 + (across & 0xffff);
  return a1 * b1 + (across >>> 16) + (rest >>> 16) | 0;
}

/** Sets the number to the two halves of a product of 128 bits, combined. */
function fold(highA: number, lowA: number, highB: number, lowB: number): void {
  const first = Math.imul(lowA, lowB);
  const second = (upperProduct(lowA, lowB) >>> 0) + (Math.imul(lowA, highB) >>> 0) + (Math.imul(highA, lowB) >>> 0);
  const third = (upperProduct(lowA, highB) >>> 0) + (upperProduct(highA, lowB) >>> 0) +
    (Math.imul(highA, highB) >>> 0) + Math.floor(second / WORD);
  low = first ^ third;
  high = second ^ upperProduct(highA, highB) + Math.floor(third / WORD);
}

function multiply(factorHigh: number, factorLow: number): void {
  high = upperProduct(low, factorLow) + Math.imul(high, factorLow) + Math.imul(low, factorHigh) | 0;
  low = Math.imul(low, factorLow);
}

function add(otherHigh: number, otherLow: number): void {
  const sum = (low >>> 0) + (otherLow >>> 0);
  low = sum | 0;
  high = high + otherHigh + (sum >= WORD ? 1 : 0) | 0;
}

/** Combines the number with itself, shifted to the right. */
function mixDown(bits: number): void {
  if (bits >= 32) {
    low ^= high >>> (bits - 32);
    return;
  }
  low ^= low >>> bits | high << (32 - bits);
  high ^= high >>> bits;
}

/** The upper word of the number, rotated to the left. */
function rotatedHigh(bits: number): number {
  return bits < 32 ? high << bits | low >>> (32 - bits) : low << (bits - 32) | high >>> (64 - bits);
}

function rotatedLow(bits: number): number {
  return bits < 32 ? low << bits | high >>> (32 - bits) : high << (bits - 32) | low >>> (64 - bits);
}

function swap(word: number): number {
  return word << 24 | (word & 0xff00) << 8 | word >>> 8 & 0xff00 | word >>> 24;
}
