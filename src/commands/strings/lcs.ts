/**
 * The longest common subsequence of two byte strings, and the positions of its pieces. If several are equally long, it
 * finds the same one as Redis: the search runs from the ends, and on a tie it steps back in the second string.
 */

/** A common piece, of equal length in both strings: from `a` in the first, from `b` in the second. */
export interface CommonRange {
  a: number;
  b: number;
  length: number;
}

/** lengths[i * (b.length + 1) + j] is the length of the sequence of the first i bytes of a and the first j of b. */
export class CommonSubsequence {
  readonly #a: Uint8Array;
  readonly #b: Uint8Array;
  readonly #lengths: Uint32Array;
  readonly #width: number;

  /**
   * Time and memory are proportional to the product of the lengths. Throws RangeError if there is not enough memory.
   */
  constructor(a: Uint8Array, b: Uint8Array) {
    this.#a = a;
    this.#b = b;
    const width = this.#width = b.length + 1;
    const lengths = this.#lengths = new Uint32Array((a.length + 1) * width);
    for (let i = 0; i < a.length; i++) {
      const byte = a[i];
      let above = i * width, at = above + width + 1;
      for (let j = 0; j < b.length; j++, above++, at++) {
        if (byte === b[j]) lengths[at] = lengths[above] + 1;
        else lengths[at] = Math.max(lengths[above + 1], lengths[at - 1]);
      }
    }
  }

  /** Bytes of working memory for strings of these lengths, by Redis's formula. */
  static sizeBytes(aLength: number, bLength: number): number {
    return (aLength + 1) * (bLength + 1) * 4;
  }

  get length(): number {
    return this.#lengths[this.#lengths.length - 1];
  }

  /** The pieces, the last one first. */
  ranges(): CommonRange[] {
    const ranges: CommonRange[] = [];
    let open: CommonRange | undefined;
    for (let i = this.#a.length, j = this.#b.length; i > 0 && j > 0;) {
      if (this.#a[i - 1] === this.#b[j - 1]) {
        i--;
        j--;
        if (open === undefined) ranges.push(open = { a: i, b: j, length: 0 });
        open.a = i;
        open.b = j;
        open.length++;
      } else {
        open = undefined;
        if (this.#lengths[(i - 1) * this.#width + j] > this.#lengths[i * this.#width + j - 1]) i--;
        else j--;
      }
    }
    return ranges;
  }

  /** The bytes of the sequence. */
  bytes(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = out.length;
    for (const { a, length } of this.ranges()) {
      at -= length;
      out.set(this.#a.subarray(a, a + length), at);
    }
    return out;
  }
}
