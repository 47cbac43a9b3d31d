/**
 * The packed forms in which Redis writes small collections as one string: listpack, and of older versions ziplist,
 * zipmap and intset. This file reads them element by element. It checks every length, because the bytes come from
 * files. value_reader.ts owns the meaning of the elements.
 *
 *     listpack   bytes:32 · count:16 · entries (see store/blocks/entry.ts) · 0xFF
 *     ziplist    bytes:32 · offset of the last entry:32 · count:16 · entries · 0xFF
 *                entry: bytes of the one before, 0 for the first, in 1 byte, or 0xFE and 4 · code · data
 *     zipmap     count:8 · (length · key · length · unused:8 · value · unused bytes) ... · 0xFF
 *                length: 1 byte, or 0xFE and 4
 *     intset     bytes of an integer:32 · count:32 · integers in order
 *
 * Integers are little-endian, except for the lengths in a ziplist.
 */
import { NO_BYTES } from "../core/bytes.ts";
import { writeDecimal } from "../core/numbers.ts";
import {
  backLengthBytes,
  bodyBytes,
  INT13,
  INT16,
  INT24,
  INT32,
  INT64,
  STRING12,
  STRING32,
} from "../store/blocks/entry.ts";
import type { RdbInput } from "./input.ts";

export type BlobKind = "listpack" | "ziplist" | "zipmap" | "intset";

const TERMINATOR = 0xff;
const COUNT_UNKNOWN = 65535;
const LONG_LENGTH = 0xfe;
const INTEGER_TEXT_MAX = 20;
/** Number of integer elements that stay readable: those that belong together. */
const TEXTS = 4;

export class Blob {
  /** The element read last. It and the two before it stay valid while the blob does. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** Number of elements, or of keys and values in a zipmap; Infinity if a listpack or ziplist does not have it. */
  count = 0;

  #kind: BlobKind = "listpack";
  #source: Uint8Array = NO_BYTES;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  /** Index of the terminator, or the end of an intset. */
  #stop = 0;
  #seen = 0;
  /** In a ziplist: the announced index of the last entry, and index and size of the entry that was read last. */
  #lastAt = 0;
  #entryAt = 0;
  #entryBytes = 0;
  #unit = 0;
  #input!: RdbInput;
  readonly #texts = Array.from({ length: TEXTS }, () => new Uint8Array(INTEGER_TEXT_MAX + 1));
  #text = 0;

  /** Takes up the string that the input read last. Throws RdbError. */
  open(kind: BlobKind, input: RdbInput): void {
    const { bytes, start, end } = input;
    this.#kind = kind;
    this.#input = input;
    this.#source = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#seen = 0;
    const head = { listpack: 6, ziplist: 10, zipmap: 1, intset: 8 }[kind];
    if (end - start < head + (kind === "intset" ? 0 : 1)) this.#fail();
    this.#at = start + head;
    this.#stop = kind === "intset" ? end : end - 1;
    if (kind !== "intset" && bytes[this.#stop] !== TERMINATOR) this.#fail();
    if (kind === "intset") {
      this.#unit = this.#view.getUint32(start, true);
      this.count = this.#view.getUint32(start + 4, true);
      const known = this.#unit === 2 || this.#unit === 4 || this.#unit === 8;
      if (!known || this.count * this.#unit !== end - this.#at) this.#fail();
    } else if (kind === "zipmap") {
      this.count = bytes[start] < LONG_LENGTH ? bytes[start] * 2 : Infinity;
      // The encoding of a hash depends on the number of its fields, which is far below that of other uncounted blobs.
      if (this.count === Infinity) this.count = this.#countAhead();
    } else {
      if (this.#view.getUint32(start, true) !== end - start) this.#fail();
      const count = this.#view.getUint16(this.#at - 2, true);
      this.count = count === COUNT_UNKNOWN ? Infinity : count;
      if (kind === "ziplist") {
        this.#lastAt = start + this.#view.getUint32(start + 4, true);
        this.#entryAt = this.#at;
        this.#entryBytes = 0;
        if (this.#lastAt > this.#stop) this.#fail();
      }
    }
  }

  /** Reads the next element; false after the last. Throws RdbError. */
  next(): boolean {
    if (this.#at >= this.#stop) {
      if (this.#at > this.#stop || (this.count !== Infinity && this.#seen !== this.count)) this.#fail();
      if (this.#kind === "ziplist" && this.#seen > 0 && this.#entryAt !== this.#lastAt) this.#fail();
      return false;
    }
    this.#seen++;
    if (this.#kind === "listpack") this.#nextOfListpack();
    else if (this.#kind === "ziplist") this.#nextOfZiplist();
    else if (this.#kind === "zipmap") this.#nextOfZipmap();
    else this.#nextOfIntset();
    return true;
  }

  /** The number of elements from here to the end. Throws RdbError. */
  #countAhead(): number {
    const at = this.#at;
    let count = 0;
    while (this.next()) count++;
    this.#at = at;
    this.#seen = 0;
    return count;
  }

  /** Reads the next element, which must exist. */
  more(): void {
    if (!this.next()) this.#fail();
  }

  #nextOfListpack(): void {
    const bytes = this.#source, i = this.#at, code = bytes[i];
    if (code > INT64) this.#fail();
    // A length of 32 bits may become negative.
    const length = bodyBytes(bytes, i);
    if (length < (code === STRING32 ? 5 : 1)) this.#fail();
    const back = backLengthBytes(length);
    if (i + length + back > this.#stop) this.#fail();
    let written = bytes[i + length] & 127;
    for (let k = 1; k < back; k++) written = written * 128 + (bytes[i + length + k] & 127);
    if (written !== length) this.#fail();
    this.#at = i + length + back;
    if (code < 0x80) this.#integer(code);
    else if (code < INT13) this.#string(i + 1, i + length);
    else if (code < STRING12) this.#integer(((code & 31) << 8 | bytes[i + 1]) << 19 >> 19);
    else if (code < STRING32) this.#string(i + 2, i + length);
    else if (code === STRING32) this.#string(i + 5, i + length);
    else if (code === INT16) this.#integer(this.#view.getInt16(i + 1, true));
    else if (code === INT24) this.#integer(this.#int24(i + 1));
    else if (code === INT32) this.#integer(this.#view.getInt32(i + 1, true));
    else this.#long(i + 1);
  }

  #nextOfZiplist(): void {
    const bytes = this.#source;
    const isLong = bytes[this.#at] === LONG_LENGTH;
    const i = this.#at + (isLong ? 5 : 1);
    if (i >= this.#stop) this.#fail();
    const before = isLong ? this.#view.getUint32(this.#at + 1, true) : bytes[this.#at];
    if (before !== this.#entryBytes) this.#fail();
    this.#entryAt = this.#at;
    this.#readZiplistValue(i);
    this.#entryBytes = this.#at - this.#entryAt;
  }

  #readZiplistValue(i: number): void {
    const bytes = this.#source;
    const code = bytes[i];
    if (code < 0xc0) {
      const head = code < 0x40 ? 1 : code < 0x80 ? 2 : 5;
      if (i + head > this.#stop) this.#fail();
      const length = code < 0x40 ? code : code < 0x80 ? (code & 63) << 8 | bytes[i + 1] : this.#view.getUint32(i + 1);
      if (i + head + length > this.#stop) this.#fail();
      this.#at = i + head + length;
      return this.#string(i + head, this.#at);
    }
    const size = { 0xc0: 2, 0xd0: 4, 0xe0: 8, 0xf0: 3, 0xfe: 1 }[code];
    if (size === undefined) {
      if (code < 0xf1 || code > 0xfd) this.#fail();
      this.#at = i + 1;
      return this.#integer((code & 15) - 1);
    }
    if (i + 1 + size > this.#stop) this.#fail();
    this.#at = i + 1 + size;
    if (size === 1) this.#integer(this.#view.getInt8(i + 1));
    else if (size === 2) this.#integer(this.#view.getInt16(i + 1, true));
    else if (size === 3) this.#integer(this.#int24(i + 1));
    else if (size === 4) this.#integer(this.#view.getInt32(i + 1, true));
    else this.#long(i + 1);
  }

  #nextOfZipmap(): void {
    const bytes = this.#source;
    let i = this.#at;
    let length = bytes[i++];
    if (length === LONG_LENGTH) {
      if (i + 4 > this.#stop) this.#fail();
      length = this.#view.getUint32(i, true);
      i += 4;
    }
    const isValue = this.#seen % 2 === 0;
    const unused = isValue && i < this.#stop ? bytes[i] : 0;
    if (isValue) i++;
    this.#at = i + length + unused;
    if (this.#at > this.#stop) this.#fail();
    this.#string(i, i + length);
  }

  #nextOfIntset(): void {
    const i = this.#at;
    this.#at += this.#unit;
    if (this.#unit === 2) this.#integer(this.#view.getInt16(i, true));
    else if (this.#unit === 4) this.#integer(this.#view.getInt32(i, true));
    else this.#long(i);
  }

  #int24(i: number): number {
    return this.#view.getUint16(i, true) | this.#source[i + 2] << 24 >> 8;
  }

  #string(start: number, end: number): void {
    this.bytes = this.#source;
    this.start = start;
    this.end = end;
  }

  #integer(value: number): void {
    this.#nextText();
    this.end = writeDecimal(this.bytes, 0, value);
  }

  #long(i: number): void {
    const value = this.#view.getBigInt64(i, true);
    this.#nextText();
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) {
      this.end = writeDecimal(this.bytes, 0, Number(value));
      return;
    }
    const text = String(value);
    for (let k = 0; k < text.length; k++) this.bytes[k] = text.charCodeAt(k);
    this.end = text.length;
  }

  #nextText(): void {
    this.#text = (this.#text + 1) % TEXTS;
    this.bytes = this.#texts[this.#text];
    this.start = 0;
  }

  #fail(): never {
    this.#input.fail(`a ${this.#kind} does not hold what it should`);
  }
}
