/**
 * Writes the bytes of an RDB file or payload: integers, lengths and strings, with a running checksum. The counterpart
 * of input.ts: it owns the encodings of lengths and strings, and knows no opcodes and values.
 */
import { parseSafeInt } from "../core/numbers.ts";
import { Crc64 } from "./crc64.ts";
import { LENGTH_32_BYTE, LENGTH_64_BYTE, STRING_INT16, STRING_INT32, STRING_INT8, STRING_LZF } from "./format.ts";
import { compress } from "./lzf.ts";

const BUFFER_BYTES = 64 * 1024;
/** A buffer above this size is released after use. */
const KEPT_BYTES = 1 << 20;
/** The longest text of an integer that has an encoding. */
const INTEGER_TEXT_MAX = 11;
/** Only longer strings are compressed, and only if that saves four bytes. */
const COMPRESSED_MIN = 20;
const COMPRESSION_GAIN_MIN = 4;

export class RdbOutput {
  /** The written bytes that the caller has not taken yet: `bytes[0, length)`. */
  bytes = new Uint8Array(BUFFER_BYTES);
  length = 0;
  readonly #compression: boolean;
  readonly #crc: Crc64 | undefined;
  #view = new DataView(this.bytes.buffer);
  #summed = 0;
  #packed = new Uint8Array(0);

  constructor(options: { compression: boolean; checksum: boolean }) {
    this.#compression = options.compression;
    this.#crc = options.checksum ? new Crc64() : undefined;
  }

  /** The caller has taken all bytes. */
  taken(): void {
    this.#sum();
    this.length = this.#summed = 0;
    if (this.bytes.length > KEPT_BYTES) this.#useBuffer(new Uint8Array(BUFFER_BYTES));
  }

  byte(value: number): void {
    this.#room(1);
    this.bytes[this.length++] = value;
  }

  int16(value: number): void {
    this.#room(2);
    this.#view.setInt16(this.length, value, true);
    this.length += 2;
  }

  int64(value: number | bigint): void {
    this.#room(8);
    this.#view.setBigInt64(this.length, BigInt(value), true);
    this.length += 8;
  }

  double(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** A length or count, at most 2^53. */
  count(value: number): void {
    this.#room(9);
    if (value < 64) {
      this.bytes[this.length++] = value;
    } else if (value < 16384) {
      this.bytes[this.length++] = 0x40 | value >>> 8;
      this.bytes[this.length++] = value;
    } else if (value < 2 ** 32) {
      this.bytes[this.length] = LENGTH_32_BYTE;
      this.#view.setUint32(this.length + 1, value);
      this.length += 5;
    } else {
      this.bytes[this.length] = LENGTH_64_BYTE;
      this.#view.setBigUint64(this.length + 1, BigInt(value));
      this.length += 9;
    }
  }

  /** A length or count of up to 64 bits. */
  wide(value: bigint): void {
    if (value <= Number.MAX_SAFE_INTEGER) return this.count(Number(value));
    this.#room(9);
    this.bytes[this.length] = LENGTH_64_BYTE;
    this.#view.setBigUint64(this.length + 1, value);
    this.length += 9;
  }

  raw(bytes: Uint8Array, start: number, end: number): void {
    this.#room(end - start);
    this.bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.length);
    this.length += end - start;
  }

  /** A string in its shortest encoding. Hot. */
  string(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= INTEGER_TEXT_MAX) {
      const value = parseSafeInt(bytes, start, end);
      if (value === (value | 0)) return this.#integer(value);
    }
    if (length > COMPRESSED_MIN && this.#compression && this.#compressed(bytes, start, end)) return;
    this.count(length);
    this.raw(bytes, start, end);
  }

  /** A string given as text, one byte for each character. */
  text(text: string): void {
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    this.string(bytes, 0, bytes.length);
  }

  /** The checksum of all written bytes; zeros if checksums are off. */
  checksum(): void {
    this.#sum();
    this.#room(8);
    this.bytes.fill(0, this.length, this.length + 8);
    this.#crc?.write(this.bytes, this.length);
    this.length += 8;
    this.#summed = this.length;
  }

  #integer(value: number): void {
    if (value === value << 24 >> 24) {
      this.byte(0xc0 | STRING_INT8);
      this.byte(value);
    } else if (value === value << 16 >> 16) {
      this.byte(0xc0 | STRING_INT16);
      this.int16(value);
    } else {
      this.byte(0xc0 | STRING_INT32);
      this.#room(4);
      this.#view.setInt32(this.length, value, true);
      this.length += 4;
    }
  }

  #compressed(bytes: Uint8Array, start: number, end: number): boolean {
    const room = end - start - COMPRESSION_GAIN_MIN;
    if (this.#packed.length < room || (this.#packed.length > KEPT_BYTES && room <= KEPT_BYTES)) {
      this.#packed = new Uint8Array(Math.max(room, BUFFER_BYTES));
    }
    const length = compress(bytes, start, end, this.#packed, room);
    if (length === 0) return false;
    this.byte(0xc0 | STRING_LZF);
    this.count(length);
    this.count(end - start);
    this.raw(this.#packed, 0, length);
    return true;
  }

  #sum(): void {
    this.#crc?.add(this.bytes, this.#summed, this.length);
    this.#summed = this.length;
  }

  #room(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.#useBuffer(grown);
  }

  #useBuffer(buffer: Uint8Array<ArrayBuffer>): void {
    this.bytes = buffer;
    this.#view = new DataView(buffer.buffer);
  }
}
