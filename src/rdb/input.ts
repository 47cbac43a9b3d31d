/**
 * Reads the bytes of an RDB file or payload: integers, lengths and strings, with a running checksum. This file owns the
 * encodings of lengths and strings, and limits every announced length to the bytes that exist. It knows no opcodes and
 * values. All methods throw RdbError.
 */
import { NO_BYTES } from "../core/bytes.ts";
import { writeDecimal } from "../core/numbers.ts";
import { Crc64 } from "./crc64.ts";
import {
  LENGTH_14,
  LENGTH_32_BYTE,
  LENGTH_6,
  LENGTH_64_BYTE,
  LENGTH_ENCODED,
  RdbError,
  STRING_INT16,
  STRING_INT32,
  STRING_INT8,
  STRING_LZF,
} from "./format.ts";
import { decompress, isPossibleLength } from "./lzf.ts";
import { type Deadline, deadlineOfMs } from "../store/deadline.ts";

const BUFFER_BYTES = 256 * 1024;
/** A scratch buffer above this size is released after use. */
const KEPT_BYTES = 1 << 20;
/** The longest string in any version of Redis. A longer one is damage. */
const STRING_BYTES_MAX = 2 ** 32;

/** Fills the target from its start. Returns the number of bytes, null at the end, like Deno.FsFile.readSync. */
export type ReadBytes = (target: Uint8Array) => number | null;

/** Bytes that stay valid while the input reads more. */
export class Held {
  bytes: Uint8Array = new Uint8Array(256);
  end = 0;

  /** Takes a copy of the string read last. */
  hold(input: RdbInput): void {
    const length = input.end - input.start;
    if (this.bytes.length < length || (this.bytes.length > KEPT_BYTES && length <= KEPT_BYTES)) {
      this.bytes = new Uint8Array(Math.max(256, length));
    }
    this.bytes.set(input.bytes.subarray(input.start, input.end));
    this.end = length;
  }
}

export class RdbInput {
  /** After `string`: its bytes, valid until the next read. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** After `length`: the result is the number of an encoding, not a length. */
  encoded = false;

  readonly #read: ReadBytes;
  readonly totalBytes: number;
  #buffer: Uint8Array;
  #at = 0;
  #filled: number;
  /** Number of bytes that have left the buffer. */
  #passed = 0;
  readonly #crc = new Crc64();
  #summed = 0;
  #view: DataView;
  #scratch: Uint8Array = new Uint8Array(256);
  readonly #digits = new Uint8Array(24);

  /** Reads `totalBytes` in all: first the bytes in `buffer`, then those of `read`. */
  constructor(read: ReadBytes, totalBytes: number, buffer: Uint8Array = new Uint8Array(BUFFER_BYTES), filled = 0) {
    this.#read = read;
    this.totalBytes = totalBytes;
    this.#buffer = buffer;
    this.#filled = filled;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  /** An input of bytes in memory. */
  static of(bytes: Uint8Array): RdbInput {
    return new RdbInput(() => null, bytes.length, bytes, bytes.length);
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#passed + this.#at;
  }

  /** Number of bytes that remain. */
  get left(): number {
    return this.totalBytes - this.offset;
  }

  fail(reason: string): never {
    throw new RdbError(this.offset, reason);
  }

  byte(): number {
    this.#need(1);
    return this.#buffer[this.#at++];
  }

  /** A 32-bit integer, the low byte first. */
  int32(): number {
    this.#need(4);
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4, true);
  }

  /** A 64-bit integer, the low byte first; the nearest double beyond 2^53. */
  int64(): number {
    this.#need(8);
    this.#at += 8;
    return Number(this.#view.getBigInt64(this.#at - 8, true));
  }

  /** A deadline: a 64-bit integer, exactly. */
  deadline(): Deadline {
    this.#need(8);
    this.#at += 8;
    return deadlineOfMs(this.#view.getBigInt64(this.#at - 8, true));
  }

  double(): number {
    this.#need(8);
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  /** A double: one byte for its length, then its text. Three values of the length stand for nan and the infinities. */
  textDouble(): number {
    const length = this.byte();
    if (length === 255) return -Infinity;
    if (length === 254) return Infinity;
    if (length === 253) return NaN;
    this.raw(length);
    const text = String.fromCharCode(...this.bytes.subarray(this.start, this.end));
    return /^[-+]?([0-9]|\.[0-9])[-+0-9.eE]*$/.test(text) ? Number(text) : this.fail("a score is no number");
  }

  /** A length, or with `encoded` set the number of an encoding. */
  length(): number {
    const first = this.byte();
    this.encoded = false;
    switch (first >>> 6) {
      case LENGTH_6:
        return first & 63;
      case LENGTH_14:
        return (first & 63) << 8 | this.byte();
      case LENGTH_ENCODED:
        this.encoded = true;
        return first & 63;
    }
    if (first === LENGTH_32_BYTE) {
      this.#need(4);
      this.#at += 4;
      return this.#view.getUint32(this.#at - 4);
    }
    if (first !== LENGTH_64_BYTE) this.fail("a length of an unknown kind");
    this.#need(8);
    this.#at += 8;
    return Number(this.#view.getBigUint64(this.#at - 8));
  }

  /** A number of a module: a length of up to 64 bits, exactly. */
  wideLength(): bigint {
    const length = this.plainLength();
    // The buffer still has the bytes that were read last.
    return Number.isSafeInteger(length) ? BigInt(length) : this.#view.getBigUint64(this.#at - 8);
  }

  /** A length that must not be the number of an encoding. */
  plainLength(): number {
    const length = this.length();
    return this.encoded ? this.fail("an encoding stands where a length must be") : length;
  }

  /** The number of the following elements, each of which has at least `bytesEach` bytes. */
  count(bytesEach: number): number {
    const count = this.plainLength();
    if (count * bytesEach > this.left) this.fail(`${count} elements are announced where fewer have room`);
    return count;
  }

  /** Leaves the next `length` bytes in the registers. */
  raw(length: number): void {
    this.#need(length);
    this.bytes = this.#buffer;
    this.start = this.#at;
    this.end = this.#at += length;
  }

  skip(length: number): void {
    if (length > this.left) this.#short();
    while (length > 0) {
      const step = Math.min(length, BUFFER_BYTES);
      this.raw(step);
      length -= step;
    }
  }

  /** Leaves the next string in the registers. Hot. */
  string(): void {
    const length = this.length();
    if (!this.encoded) {
      if (length > STRING_BYTES_MAX) this.fail(`a string of ${length} bytes is announced`);
      return this.raw(length);
    }
    switch (length) {
      case STRING_INT8:
        return this.#integer(this.byte() << 24 >> 24);
      case STRING_INT16: {
        const low = this.byte();
        return this.#integer((low | this.byte() << 8) << 16 >> 16);
      }
      case STRING_INT32:
        return this.#integer(this.int32());
      case STRING_LZF:
        return this.#compressed();
    }
    this.fail("a string of an unknown kind");
  }

  /** The next string as text, one character a byte. Cold. */
  text(): string {
    this.string();
    let text = "";
    for (let i = this.start; i < this.end; i++) text += String.fromCharCode(this.bytes[i]);
    return text;
  }

  /**
   * Reads the checksum at the end and compares it with the running one. Zeros, which mean that the file has no
   * checksum, are accepted.
   */
  checksumMatches(): boolean {
    this.#sum();
    this.#need(8);
    const at = this.#at;
    this.#at += 8;
    this.#summed = this.#at;
    return this.#view.getBigUint64(at) === 0n || this.#crc.matches(this.#buffer, at);
  }

  #integer(value: number): void {
    this.bytes = this.#digits;
    this.start = 0;
    this.end = writeDecimal(this.#digits, 0, value);
  }

  #compressed(): void {
    const compressed = this.plainLength();
    const length = this.plainLength();
    if (length > STRING_BYTES_MAX || !isPossibleLength(compressed, length)) {
      this.fail(`${compressed} compressed bytes cannot be ${length}`);
    }
    this.raw(compressed);
    if (this.#scratch.length < length || (this.#scratch.length > KEPT_BYTES && length <= KEPT_BYTES)) {
      this.#scratch = new Uint8Array(Math.max(256, length));
    }
    if (!decompress(this.bytes, this.start, this.end, this.#scratch, length)) {
      this.fail("a compressed string is not what was compressed");
    }
    this.bytes = this.#scratch;
    this.start = 0;
    this.end = length;
  }

  #short(): never {
    throw new RdbError(this.totalBytes, "it ends too early");
  }

  #sum(): void {
    this.#crc.add(this.#buffer, this.#summed, this.#at);
    this.#summed = this.#at;
  }

  /** Makes the next `length` bytes available in the buffer. */
  #need(length: number): void {
    if (this.#at + length > this.#filled) this.#fill(length);
  }

  #fill(length: number): void {
    if (length > this.left) this.#short();
    this.#sum();
    const rest = this.#filled - this.#at;
    let target = this.#buffer;
    if (length > target.length || (target.length > KEPT_BYTES && length <= BUFFER_BYTES)) {
      target = new Uint8Array(Math.max(length, BUFFER_BYTES));
    }
    target.set(this.#buffer.subarray(this.#at, this.#filled));
    this.#buffer = target;
    this.#view = new DataView(target.buffer, target.byteOffset, target.byteLength);
    this.#passed += this.#at;
    this.#at = this.#summed = 0;
    this.#filled = rest;
    while (this.#filled < length) {
      const count = this.#read(target.subarray(this.#filled));
      if (count === null) this.#short();
      this.#filled += count;
    }
  }
}
