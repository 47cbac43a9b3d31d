/**
 * Blocks of entries that come from files and payloads: every length in them is checked before they become a node.
 */
import { backLengthBytes, bodyBytes, INT13, INT64, IntegerEntry, STRING12, STRING32 } from "../../blocks/entry.ts";
import { SAME_FIELDS } from "./layout.ts";

const HEAD_BYTES = 6, TERMINATOR = 0xff;
const COUNT_UNKNOWN = 65535;
/** In the place of an integer. */
const DAMAGED = -1;

export class NodeImage {
  /** After `check`: the number of elements, and of entries that are not deleted. */
  elements = 0;
  live = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Where the next element is, and where the terminator stands. */
  #at = 0;
  #stop = 0;
  readonly #integer = new IntegerEntry();

  /** Whether `bytes[start, end)` is a listpack of a master entry and entries. */
  check(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < HEAD_BYTES + 1 || bytes[end - 1] !== TERMINATOR) return false;
    const size = (bytes[start] | bytes[start + 1] << 8 | bytes[start + 2] << 16 | bytes[start + 3] << 24) >>> 0;
    if (size !== end - start) return false;
    this.#bytes = bytes;
    this.#at = start + HEAD_BYTES;
    this.#stop = end - 1;
    this.elements = 0;
    this.live = this.#next();
    const deleted = this.#next(), fields = this.#next();
    if (this.live < 0 || deleted < 0 || fields < 0 || !this.#skip(fields) || this.#next() !== 0) return false;
    for (let left = this.live + deleted; left > 0; left--) if (!this.#entry(fields)) return false;
    const count = bytes[start + 4] | bytes[start + 5] << 8;
    return this.#at === this.#stop && (count === COUNT_UNKNOWN || count === this.elements);
  }

  /** Walks over an entry. */
  #entry(masterFields: number): boolean {
    const flags = this.#next();
    if (flags < 0 || !this.#isInteger() || !this.#skip(1) || !this.#isInteger() || !this.#skip(1)) return false;
    const same = (flags & SAME_FIELDS) !== 0;
    const fields = same ? masterFields : this.#next();
    if (fields < 0 || !this.#skip(same ? fields : 2 * fields)) return false;
    return this.#next() === (same ? fields + 3 : 2 * fields + 4);
  }

  #isInteger(): boolean {
    const code = this.#bytes[this.#at];
    return code < 0x80 || (code >= INT13 && code < STRING12) || (code > STRING32 && code <= INT64);
  }

  /** Reads a small integer that is not negative; a negative number if there is none. */
  #next(): number {
    const at = this.#at, integer = this.#integer;
    if (at >= this.#stop || !this.#isInteger() || !this.#skip(1)) return DAMAGED;
    integer.read(this.#bytes, at);
    return integer.high === 0 && integer.low >= 0 ? integer.low : DAMAGED;
  }

  /** Walks over elements. False if there are not so many, or one is damaged. */
  #skip(count: number): boolean {
    const bytes = this.#bytes, stop = this.#stop;
    let i = this.#at;
    for (let k = 0; k < count; k++) {
      const code = bytes[i];
      if (i >= stop || code > INT64 || (code === STRING32 && i + 5 > stop)) return false;
      const length = bodyBytes(bytes, i);
      if (length < 1) return false;
      const back = backLengthBytes(length);
      if (i + length + back > stop) return false;
      let written = bytes[i + length] & 127;
      for (let n = 1; n < back; n++) written = written * 128 + (bytes[i + length + n] & 127);
      if (written !== length) return false;
      i += length + back;
    }
    this.elements += count;
    this.#at = i;
    return true;
  }
}
