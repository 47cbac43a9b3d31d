/**
 * XXH3 with 128 bits and its default secret, and the hash that Redis makes of the fields and values of a stream's
 * entry. It names messages that have no name of their own, and the names are kept in files; so it must be Redis's, bit
 * by bit.
 */
import { SECRET, SECRET_BYTES, SECRET_BYTES_MIN } from "./xxh3_secret.ts";

const MASK = (1n << 64n) - 1n;
const PRIME32_1 = 0x9E3779B1n, PRIME32_2 = 0x85EBCA77n, PRIME32_3 = 0xC2B2AE3Dn;
const PRIME64_1 = 0x9E3779B185EBCA87n, PRIME64_2 = 0xC2B2AE3D27D4EB4Fn, PRIME64_3 = 0x165667B19E3779F9n;
const PRIME64_4 = 0x85EBCA77C2B2AE63n, PRIME64_5 = 0x27D4EB2F165667C5n;
const MIX_1 = 0x165667919E3779F9n, MIX_2 = 0x9FB21C651E98DF25n;

const STRIPE_BYTES = 64, LANES = 8;
const STRIPES_PER_BLOCK = (SECRET_BYTES - STRIPE_BYTES) / LANES;
const BLOCK_BYTES = STRIPE_BYTES * STRIPES_PER_BLOCK;
const SHORT_MAX = 16, MIDDLE_MIN = 129, MIDDLE_MAX = 240;

interface Hash128 {
  low: bigint;
  high: bigint;
}

/** The hash of `bytes[start, end)`. */
export function xxh3(bytes: Uint8Array, start: number, end: number): Hash128 {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  if (end - start <= SHORT_MAX) return hashShort(view);
  return end - start <= MIDDLE_MAX ? hashMiddle(view) : hashLong(view);
}

/**
 * The hash of `count` pairs of a field and a value, whatever their order, in 16 bytes. The k-th of them is
 * `bytes[start[k], end[k])` from `first` on.
 */
export function combinedHash(
  bytes: Uint8Array,
  start: ArrayLike<number>,
  end: ArrayLike<number>,
  first: number,
  count: number,
): Uint8Array {
  const sum = { low: 0n, high: 0n }, mixed = { low: 0n, high: 0n };
  for (let k = first; k < first + 2 * count; k += 2) {
    const field = end[k] - start[k];
    // The length of the field stands between it and the value.
    const pair = new Uint8Array(field + 8 + end[k + 1] - start[k + 1]);
    pair.set(bytes.subarray(start[k], end[k]));
    new DataView(pair.buffer).setBigUint64(field, BigInt(field), true);
    pair.set(bytes.subarray(start[k + 1], end[k + 1]), field + 8);
    const { low, high } = xxh3(pair, 0, pair.length);
    sum.low = (sum.low + low) & MASK;
    sum.high = (sum.high + high) & MASK;
    mixed.low ^= low;
    mixed.high ^= high;
  }
  const hash = new DataView(new ArrayBuffer(16));
  hash.setBigUint64(0, sum.low ^ rotateByOne(mixed.high), true);
  hash.setBigUint64(8, sum.high ^ rotateByOne(mixed.low), true);
  return new Uint8Array(hash.buffer);
}

function hashShort(view: DataView): Hash128 {
  const length = view.byteLength;
  if (length === 0) {
    return { low: finish64(secret(64) ^ secret(72)), high: finish64(secret(80) ^ secret(88)) };
  }
  if (length <= 3) {
    const first = view.getUint8(0), middle = view.getUint8(length >> 1), last = view.getUint8(length - 1);
    const low = BigInt((first << 16 | middle << 24 | last | length << 8) >>> 0);
    const swapped = swap32(low);
    const high = (swapped << 13n | swapped >> 19n) & 0xffffffffn;
    return {
      low: finish64(low ^ BigInt(SECRET.getUint32(0, true) ^ SECRET.getUint32(4, true)) & 0xffffffffn),
      high: finish64(high ^ BigInt(SECRET.getUint32(8, true) ^ SECRET.getUint32(12, true)) & 0xffffffffn),
    };
  }
  if (length <= 8) {
    const input = BigInt(view.getUint32(0, true)) + (BigInt(view.getUint32(length - 4, true)) << 32n);
    const product = (input ^ secret(16) ^ secret(24)) * (PRIME64_1 + BigInt(length << 2));
    let low = product & MASK;
    const high = ((product >> 64n) + (low << 1n)) & MASK;
    low ^= high >> 3n;
    low = ((low ^ low >> 35n) * MIX_2) & MASK;
    return { low: low ^ low >> 28n, high: finish(high) };
  }
  const inputLow = view.getBigUint64(0, true);
  let inputHigh = view.getBigUint64(length - 8, true);
  const product = (inputLow ^ inputHigh ^ secret(32) ^ secret(40)) * PRIME64_1;
  let low = ((product & MASK) + (BigInt(length - 1) << 54n)) & MASK;
  inputHigh ^= secret(48) ^ secret(56);
  const high = ((product >> 64n) + inputHigh + (inputHigh & 0xffffffffn) * (PRIME32_2 - 1n)) & MASK;
  low ^= swap64(high);
  const last = low * PRIME64_2;
  return { low: finish(last & MASK), high: finish(((last >> 64n) + high * PRIME64_2) & MASK) };
}

function hashMiddle(view: DataView): Hash128 {
  const length = view.byteLength;
  const sum: Hash128 = { low: (BigInt(length) * PRIME64_1) & MASK, high: 0n };
  if (length < MIDDLE_MIN) {
    for (let i = (length - 1) >> 5; i >= 0; i--) mixPair(sum, view, 16 * i, length - 16 * (i + 1), 32 * i);
  } else {
    for (let i = 0; i < 128; i += 32) mixPair(sum, view, i, i + 16, i);
    sum.low = finish(sum.low);
    sum.high = finish(sum.high);
    for (let i = 128; i + 32 <= length; i += 32) mixPair(sum, view, i, i + 16, 3 + i - 128);
    mixPair(sum, view, length - 16, length - 32, SECRET_BYTES_MIN - 17 - 16);
  }
  const low = (sum.low + sum.high) & MASK;
  const high = (sum.low * PRIME64_1 + sum.high * PRIME64_4 + BigInt(length) * PRIME64_2) & MASK;
  return { low: finish(low), high: -finish(high) & MASK };
}

function hashLong(view: DataView): Hash128 {
  const length = view.byteLength;
  const lanes = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
  const blocks = Math.floor((length - 1) / BLOCK_BYTES);
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < STRIPES_PER_BLOCK; i++) {
      accumulate(lanes, view, block * BLOCK_BYTES + i * STRIPE_BYTES, i * LANES);
    }
    for (let i = 0; i < LANES; i++) {
      lanes[i] = ((lanes[i] ^ lanes[i] >> 47n ^ secret(SECRET_BYTES - STRIPE_BYTES + 8 * i)) * PRIME32_1) & MASK;
    }
  }
  const from = blocks * BLOCK_BYTES, stripes = Math.floor((length - 1 - from) / STRIPE_BYTES);
  for (let i = 0; i < stripes; i++) accumulate(lanes, view, from + i * STRIPE_BYTES, i * LANES);
  accumulate(lanes, view, length - STRIPE_BYTES, SECRET_BYTES - STRIPE_BYTES - 7);
  return {
    low: merge(lanes, 11, (BigInt(length) * PRIME64_1) & MASK),
    high: merge(lanes, SECRET_BYTES - STRIPE_BYTES - 11, ~(BigInt(length) * PRIME64_2) & MASK),
  };
}

function accumulate(lanes: bigint[], view: DataView, at: number, secretAt: number): void {
  for (let i = 0; i < LANES; i++) {
    const data = view.getBigUint64(at + 8 * i, true), key = data ^ secret(secretAt + 8 * i);
    lanes[i ^ 1] = (lanes[i ^ 1] + data) & MASK;
    lanes[i] = (lanes[i] + (key & 0xffffffffn) * (key >> 32n)) & MASK;
  }
}

function merge(lanes: readonly bigint[], secretAt: number, start: bigint): bigint {
  let sum = start;
  for (let i = 0; i < LANES; i += 2) {
    sum += fold(lanes[i] ^ secret(secretAt + 8 * i), lanes[i + 1] ^ secret(secretAt + 8 * i + 8));
  }
  return finish(sum & MASK);
}

function mixPair(sum: Hash128, view: DataView, a: number, b: number, secretAt: number): void {
  sum.low = (sum.low + mix(view, a, secretAt)) & MASK;
  sum.low ^= (view.getBigUint64(b, true) + view.getBigUint64(b + 8, true)) & MASK;
  sum.high = (sum.high + mix(view, b, secretAt + 16)) & MASK;
  sum.high ^= (view.getBigUint64(a, true) + view.getBigUint64(a + 8, true)) & MASK;
}

function mix(view: DataView, at: number, secretAt: number): bigint {
  return fold(view.getBigUint64(at, true) ^ secret(secretAt), view.getBigUint64(at + 8, true) ^ secret(secretAt + 8));
}

function fold(a: bigint, b: bigint): bigint {
  const product = a * b;
  return (product & MASK) ^ product >> 64n;
}

function secret(at: number): bigint {
  return SECRET.getBigUint64(at, true);
}

function finish(hash: bigint): bigint {
  hash = ((hash ^ hash >> 37n) * MIX_1) & MASK;
  return hash ^ hash >> 32n;
}

function finish64(hash: bigint): bigint {
  hash = ((hash ^ hash >> 33n) * PRIME64_2) & MASK;
  hash = ((hash ^ hash >> 29n) * PRIME64_3) & MASK;
  return hash ^ hash >> 32n;
}

function rotateByOne(value: bigint): bigint {
  return (value << 1n | value >> 63n) & MASK;
}

function swap32(value: bigint): bigint {
  return (value & 0xffn) << 24n | (value & 0xff00n) << 8n | value >> 8n & 0xff00n | value >> 24n;
}

function swap64(value: bigint): bigint {
  return swap32(value & 0xffffffffn) << 32n | swap32(value >> 32n);
}
