/**
 * HyperLogLog: estimates how many different elements were seen, in a string of at most 12,304 bytes. The layout is
 * Redis's, byte for byte, and so is the hash, so that such strings can be exchanged.
 *
 *     +0  "HYLL"   +4 encoding (0 dense, 1 sparse)   +5 three zeros   +8 cached estimate:63 | stale:1, low byte first
 *     +16 dense:   16,384 registers of 6 bits, low bits first
 *         sparse:  opcodes for runs of registers: 00nnnnnn zeros (1 to 64) · 01nnnnnn nnnnnnnn zeros (1 to 16,384) ·
 *                  1vvvvvnn the value v + 1 (1 to 32), one to four times
 *
 * A HyperLogLog object is a workbench: a value is loaded, changed, and stored by the caller.
 */
import { invariant } from "../../core/assert.ts";

const HEAD_BYTES = 16;
const INDEX_BITS = 14;
export const REGISTERS = 1 << INDEX_BITS;
const REGISTER_BITS = 6;
const REGISTER_MAX = (1 << REGISTER_BITS) - 1;
export const DENSE_BYTES = HEAD_BYTES + (REGISTERS * REGISTER_BITS) / 8;
/** Bits of the hash that are left for a register's run of zeros. */
const RUN_BITS = 64 - INDEX_BITS;
const DENSE = 0, SPARSE = 1;
const MAGIC = [72, 89, 76, 76];
const STALE = 0x80;
const ZEROS_MAX = 64, VALUE_MAX = 32, VALUE_RUN_MAX = 4;
/** Opcodes that are looked at for merging after a change. */
const MERGE_OPCODES = 5;
const ALPHA = 0.721347520444481703680;
const HASH_SEED = 0xadc83b19;

/** A value whose opcodes do not add up to all registers. */
export class CorruptHyperLogLog extends Error {
  override name = "CorruptHyperLogLog";
}

/** Whether the bytes have the head of a HyperLogLog, and the length if dense. */
export function isHyperLogLog(bytes: Uint8Array, start: number, length: number): boolean {
  if (length < HEAD_BYTES || MAGIC.some((byte, i) => bytes[start + i] !== byte)) return false;
  const encoding = bytes[start + 4];
  return encoding === SPARSE || (encoding === DENSE && length === DENSE_BYTES);
}

/** The cached estimate, or -1 if it is stale. */
export function cachedCount(bytes: Uint8Array, start: number): number {
  if ((bytes[start + 15] & STALE) !== 0) return -1;
  let count = 0;
  for (let i = 15; i >= 8; i--) count = count * 256 + bytes[start + i];
  return count;
}

export class HyperLogLog {
  /** The value at work is `bytes[0, length)`. */
  readonly bytes = new Uint8Array(DENSE_BYTES + HEAD_BYTES);
  length = 0;
  /** A sparse value that would grow beyond so many bytes becomes dense (hll-sparse-max-bytes). */
  sparseBytesMax = 3000;

  get dense(): boolean {
    return this.bytes[4] === DENSE;
  }

  /** Begins with an empty, sparse value. */
  clear(): void {
    const { bytes } = this;
    bytes.fill(0, 0, HEAD_BYTES);
    bytes.set(MAGIC);
    bytes[4] = SPARSE;
    bytes[HEAD_BYTES] = 0x7f;
    bytes[HEAD_BYTES + 1] = 0xff;
    this.length = HEAD_BYTES + 2;
  }

  /** Takes up a copy of a value that isHyperLogLog. Throws CorruptHyperLogLog if it is longer than any can be. */
  load(bytes: Uint8Array, start: number, length: number): void {
    if (length > DENSE_BYTES) throw new CorruptHyperLogLog();
    this.bytes.set(bytes.subarray(start, start + length));
    this.length = length;
  }

  /** Adds an element. Returns whether a register changed. Throws CorruptHyperLogLog. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    hash64(bytes, start, end);
    const index = hashLow & (REGISTERS - 1);
    // The run of zeros above the index, with a one behind the last bit to end it.
    const low = ((hashLow >>> INDEX_BITS) | (hashHigh << (32 - INDEX_BITS))) | 0;
    const high = (hashHigh >>> INDEX_BITS) | (1 << (RUN_BITS - 32));
    const zeros = low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high);
    return this.raise(index, zeros + 1);
  }

  /** Raises a register to at least `value`. Returns whether it changed. Throws CorruptHyperLogLog. */
  raise(index: number, value: number): boolean {
    return this.dense ? this.#raiseDense(index, value) : this.#raiseSparse(index, value);
  }

  /** Marks the cached estimate as stale. */
  invalidate(): void {
    this.bytes[15] |= STALE;
  }

  /** Converts to the dense encoding. Throws CorruptHyperLogLog. */
  makeDense(): void {
    if (this.dense) return;
    const registers = new Uint8Array(REGISTERS);
    this.maximum(registers);
    const { bytes } = this;
    bytes.fill(0, HEAD_BYTES, DENSE_BYTES);
    bytes[4] = DENSE;
    this.length = DENSE_BYTES;
    for (let i = 0; i < REGISTERS; i++) if (registers[i] !== 0) this.#raiseDense(i, registers[i]);
  }

  /** Raises each of `registers` to at least this value's. Throws CorruptHyperLogLog. */
  maximum(registers: Uint8Array): void {
    if (this.dense) {
      for (let i = 0; i < REGISTERS; i++) registers[i] = Math.max(registers[i], this.#dense(i));
      return;
    }
    let index = 0;
    this.runs((value, length) => {
      if (index + length > REGISTERS) throw new CorruptHyperLogLog();
      for (const end = index + length; index < end; index++) registers[index] = Math.max(registers[index], value);
    });
    if (index !== REGISTERS) throw new CorruptHyperLogLog();
  }

  /** Visits the opcodes of a sparse value: the value of the registers, how many, whether it is the two-byte opcode. */
  runs(visit: (value: number, length: number, long: boolean) => void): void {
    for (let p = HEAD_BYTES; p < this.length; p += this.#opcodeBytes(p)) {
      visit(this.#valueAt(p), this.#runAt(p), this.#opcodeBytes(p) === 2);
    }
  }

  /** Stores an estimate as the cached one. */
  cache(count: number): void {
    for (let i = 8; i < 16; i++) {
      this.bytes[i] = count % 256;
      count = Math.floor(count / 256);
    }
  }

  #dense(index: number): number {
    const bit = index * REGISTER_BITS;
    const at = HEAD_BYTES + (bit >>> 3);
    return ((this.bytes[at] | (this.bytes[at + 1] << 8)) >>> (bit & 7)) & REGISTER_MAX;
  }

  #raiseDense(index: number, value: number): boolean {
    if (this.#dense(index) >= value) return false;
    const bit = index * REGISTER_BITS;
    const at = HEAD_BYTES + (bit >>> 3), shift = bit & 7;
    const pair = ((this.bytes[at] | (this.bytes[at + 1] << 8)) & ~(REGISTER_MAX << shift)) | (value << shift);
    this.bytes[at] = pair;
    // The last register ends with the last byte.
    if (at + 1 < DENSE_BYTES) this.bytes[at + 1] = pair >>> 8;
    return true;
  }

  #opcodeBytes(p: number): number {
    return (this.bytes[p] & 0xc0) === 0x40 ? 2 : 1;
  }

  #valueAt(p: number): number {
    return (this.bytes[p] & 0x80) === 0 ? 0 : ((this.bytes[p] >>> 2) & 31) + 1;
  }

  #runAt(p: number): number {
    const op = this.bytes[p];
    if ((op & 0x80) !== 0) return (op & 3) + 1;
    return (op & 0x40) === 0 ? (op & 63) + 1 : (((op & 63) << 8) | this.bytes[p + 1]) + 1;
  }

  #raiseSparse(index: number, value: number): boolean {
    if (value > VALUE_MAX) return this.#promote(index, value);
    let p = HEAD_BYTES, before = HEAD_BYTES, first = 0, run = 0;
    while (p < this.length) {
      run = this.#runAt(p);
      if (index < first + run) break;
      before = p;
      p += this.#opcodeBytes(p);
      first += run;
    }
    if (p >= this.length) throw new CorruptHyperLogLog();
    const old = this.#valueAt(p);
    if (old >= value) return false;
    const opcodes: number[] = [];
    pushRun(opcodes, old, index - first);
    pushRun(opcodes, value, 1);
    pushRun(opcodes, old, first + run - 1 - index);
    const growth = opcodes.length - this.#opcodeBytes(p);
    if (growth > 0 && this.length + growth > this.sparseBytesMax) return this.#promote(index, value);
    if (this.length + growth > this.bytes.length) return this.#promote(index, value);
    this.bytes.copyWithin(p + opcodes.length, p + opcodes.length - growth, this.length);
    this.bytes.set(opcodes, p);
    this.length += growth;
    this.#merge(before);
    return true;
  }

  /** Joins neighbouring runs of the same value, from `p` on, as far as a change can have made them. */
  #merge(p: number): void {
    const { bytes } = this;
    for (let i = 0; i < MERGE_OPCODES && p < this.length; i++) {
      const value = this.#valueAt(p);
      if (value > 0 && p + 1 < this.length && this.#valueAt(p + 1) === value) {
        const run = this.#runAt(p) + this.#runAt(p + 1);
        if (run <= VALUE_RUN_MAX) {
          bytes.copyWithin(p, p + 1, this.length);
          this.length--;
          bytes[p] = valueOpcode(value, run);
          continue;
        }
      }
      p += this.#opcodeBytes(p);
    }
  }

  #promote(index: number, value: number): boolean {
    this.makeDense();
    const changed = this.#raiseDense(index, value);
    invariant(changed, "a register that was to change is high already");
    return true;
  }
}

/** The estimate for these registers, as Otmar Ertl's improved estimator has it (arXiv:1702.01284). */
export function estimate(registers: Uint8Array): number {
  const histogram = new Float64Array(64);
  for (const value of registers) histogram[value]++;
  const m = REGISTERS;
  let z = m * tau((m - histogram[RUN_BITS + 1]) / m);
  for (let j = RUN_BITS; j >= 1; j--) z = (z + histogram[j]) * 0.5;
  z += m * sigma(histogram[0] / m);
  return Math.round((ALPHA * m * m) / z);
}

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let y = 1, z = x, before: number;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (before !== z);
  return z;
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let y = 1, z = 1 - x, before: number;
  do {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  } while (before !== z);
  return z / 3;
}

function valueOpcode(value: number, run: number): number {
  return 0x80 | ((value - 1) << 2) | (run - 1);
}

/** Adds the opcode for `run` registers of `value`; a run of none adds nothing. */
function pushRun(opcodes: number[], value: number, run: number): void {
  if (run === 0) return;
  if (value > 0) opcodes.push(valueOpcode(value, run));
  else if (run <= ZEROS_MAX) opcodes.push(run - 1);
  else opcodes.push(0x40 | ((run - 1) >>> 8), (run - 1) & 0xff);
}

// Registers of the hash: MurmurHash64A (Austin Appleby, public domain) in halves of 32 bits.
let hashLow = 0, hashHigh = 0;
const M_LOW = 0x5bd1e995, M_HIGH = 0xc6a4a793;

/** Multiplies (high, low) by the constant of the hash; leaves the lower 64 bits in the registers. */
function multiply(high: number, low: number): void {
  const a0 = low & 0xffff, a1 = low >>> 16, b0 = M_LOW & 0xffff, b1 = M_LOW >>> 16;
  const p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const carry = a1 * b1 + Math.floor(p01 / 65536) + Math.floor(p10 / 65536) + (middle >>> 16);
  hashLow = ((p00 & 0xffff) | (middle << 16)) | 0;
  hashHigh = (carry + Math.imul(low, M_HIGH) + Math.imul(high, M_LOW)) | 0;
}

function hash64(bytes: Uint8Array, start: number, end: number): void {
  const length = end - start;
  multiply(0, length);
  let low = hashLow ^ HASH_SEED, high = hashHigh;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const wordLow = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    const wordHigh = bytes[i + 4] | (bytes[i + 5] << 8) | (bytes[i + 6] << 16) | (bytes[i + 7] << 24);
    multiply(wordHigh, wordLow);
    // A shift to the right by 47 leaves the upper half's upper bits alone.
    multiply(hashHigh, hashLow ^ (hashHigh >>> 15));
    low ^= hashLow;
    high ^= hashHigh;
    multiply(high, low);
    low = hashLow;
    high = hashHigh;
  }
  if (i < end) {
    for (let k = end - i - 1; k >= 0; k--) {
      if (k >= 4) high ^= bytes[i + k] << (8 * (k - 4));
      else low ^= bytes[i + k] << (8 * k);
    }
    multiply(high, low);
    low = hashLow;
    high = hashHigh;
  }
  multiply(high, low ^ (high >>> 15));
  hashLow ^= hashHigh >>> 15;
}
