/**
 * Many byte strings stored one after another in one buffer, and their sort order. A string has no object of its own: a
 * million strings are two typed arrays.
 */
import { compareBytes } from "./bytes.ts";
import { KeyedItems } from "./radix_sort.ts";

/**
 * Bytes of a string that a sort key holds. The last byte of the key is the number of bytes from the key's start to the
 * end of the string, at most KEY_BYTES + 1.
 */
const KEY_BYTES = 7;
/** Below this number of strings comparing whole strings is faster than creating keys. */
const KEYED_MIN = 20;
const GROWTH = 2;
const LOADED_AHEAD = 32;
const aheadStarts = new Float64Array(LOADED_AHEAD), aheadEnds = new Float64Array(LOADED_AHEAD);
/** Prevents the compiler from removing loads. */
let loaded = 0;

export class ByteStrings {
  bytes = new Uint8Array(256);
  /**
   * Start positions, as doubles because all strings together may exceed 4 GiB. The entry after the last start is the
   * end.
   */
  starts = new Float64Array(16);
  count = 0;

  /** Appends a copy of `bytes[start, end)`. Hot. */
  add(bytes: Uint8Array, start: number, end: number): void {
    let at = this.starts[this.count++];
    const after = at + end - start;
    if (after > this.bytes.length) this.#growBytes(after);
    if (this.count === this.starts.length) this.#growStarts();
    this.starts[this.count] = after;
    const target = this.bytes;
    if (end - start > 40) target.set(bytes.subarray(start, end), at);
    else while (start < end) target[at++] = bytes[start++];
  }

  start(i: number): number {
    return this.starts[i];
  }

  end(i: number): number {
    return this.starts[i + 1];
  }

  /** Whether a byte occurs in any string. */
  has(byte: number): boolean {
    return this.bytes.subarray(0, this.starts[this.count]).includes(byte);
  }

  /**
   * Visits strings by their indices, in the order of `items`, with their positions in `bytes`. Several strings are
   * loaded together before they are visited, so that cache misses overlap: for a million strings in random order this
   * takes 60 % of the time.
   */
  each(items: Int32Array, visit: (start: number, end: number) => void): void {
    const { bytes, starts } = this;
    for (let from = 0; from < items.length; from += LOADED_AHEAD) {
      const to = Math.min(from + LOADED_AHEAD, items.length);
      for (let k = from; k < to; k++) {
        aheadStarts[k - from] = starts[items[k]];
        aheadEnds[k - from] = starts[items[k] + 1];
      }
      for (let k = 0; k < to - from; k++) loaded ^= bytes[aheadStarts[k]];
      for (let k = 0; k < to - from; k++) visit(aheadStarts[k], aheadEnds[k]);
    }
  }

  /** The order of two strings as in memcmp: negative, zero or positive. */
  compare(a: number, b: number): number {
    return compareBytes(this.bytes, this.start(a), this.end(a), this.bytes, this.start(b), this.end(b));
  }

  /**
   * Sorts the strings with the indices `items[from, to)` by their bytes; the sort is stable. `mask` is 0, or -1 for
   * descending order. Calls `visit` with each range of two or more equal strings.
   */
  sort(items: Int32Array, from: number, to: number, mask: number, visit?: (from: number, to: number) => void): void {
    this.#sort(items, from, to, mask, visit, 0);
  }

  #sortFew(
    items: Int32Array,
    from: number,
    to: number,
    mask: number,
    visit?: (from: number, to: number) => void,
  ): void {
    const sign = mask === 0 ? 1 : -1;
    for (let i = from + 1; i < to; i++) {
      const item = items[i];
      let at = i;
      for (; at > from && sign * this.compare(items[at - 1], item) > 0; at--) items[at] = items[at - 1];
      items[at] = item;
    }
    if (visit === undefined) return;
    for (let i = from; i < to;) {
      const first = i++;
      while (i < to && this.compare(items[first], items[i]) === 0) i++;
      if (i - first > 1) visit(first, i);
    }
  }

  /** Sorts strings whose first `depth` bytes are equal. */
  #sort(
    items: Int32Array,
    from: number,
    to: number,
    mask: number,
    visit: ((from: number, to: number) => void) | undefined,
    depth: number,
  ): void {
    if (to - from < KEYED_MIN) return this.#sortFew(items, from, to, mask, visit);
    const some = items.subarray(from, to);
    depth = this.#common(some, depth);
    const keyed = new KeyedItems(some);
    const { bytes, starts } = this;
    for (let i = 0; i < some.length; i++) {
      const at = starts[some[i]] + depth, rest = starts[some[i] + 1] - at;
      let high = 0, low = 0;
      for (let k = 0; k < 4; k++) high = high << 8 | (k < rest ? bytes[at + k] : 0);
      for (let k = 4; k < KEY_BYTES; k++) low = low << 8 | (k < rest ? bytes[at + k] : 0);
      keyed.high[i] = high ^ mask;
      keyed.low[i] = (low << 8 | Math.min(rest, KEY_BYTES + 1)) ^ mask;
    }
    keyed.sort();
    some.set(keyed.items);
    keyed.eachTie((tieFrom, tieTo) => {
      const low = keyed.low[tieFrom] ^ mask;
      if ((low & 0xff) <= KEY_BYTES) visit?.(from + tieFrom, from + tieTo);
      else this.#sort(items, from + tieFrom, from + tieTo, mask, visit, depth + KEY_BYTES);
    });
  }

  /** The length of the common prefix of strings, which is at least `depth`. */
  #common(items: Int32Array, depth: number): number {
    const { bytes, starts } = this;
    const first = starts[items[0]];
    let end = starts[items[0] + 1] - first;
    for (let i = 1; i < items.length && end > depth; i++) {
      const start = starts[items[i]];
      end = Math.min(end, starts[items[i] + 1] - start);
      let at = depth;
      while (at < end && bytes[start + at] === bytes[first + at]) at++;
      end = at;
    }
    return end;
  }

  #growBytes(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * GROWTH));
    grown.set(this.bytes);
    this.bytes = grown;
  }

  #growStarts(): void {
    const grown = new Float64Array(this.starts.length * GROWTH);
    grown.set(this.starts);
    this.starts = grown;
  }
}
