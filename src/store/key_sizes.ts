/**
 * The sizes of a database's keys, as INFO keysizes reports them: for each type a histogram by powers of two. The size
 * of a string is its length, that of any other value the number of its elements.
 *
 *     bin 0   size 0
 *     bin n   sizes from 2^(n-1) to 2^n - 1
 */
const BIN_BITS = 6;
const BINS = 1 << BIN_BITS;
/** The numbers of types are below it. */
const TYPES = 16;

/** The bin of a size below 2^32. */
export function binOf(size: number): number {
  return 32 - Math.clz32(size);
}

export class KeySizes {
  readonly #counts = new Int32Array(TYPES * BINS);

  add(type: number, bin: number): void {
    this.#counts[(type << BIN_BITS) + bin]++;
  }

  remove(type: number, bin: number): void {
    this.#counts[(type << BIN_BITS) + bin]--;
  }

  /** Counts a key in another bin. */
  move(type: number, from: number, to: number): void {
    this.#counts[(type << BIN_BITS) + from]--;
    this.#counts[(type << BIN_BITS) + to]++;
  }

  clear(): void {
    this.#counts.fill(0);
  }

  /** Number of keys of a type in a bin. */
  count(type: number, bin: number): number {
    return this.#counts[(type << BIN_BITS) + bin];
  }

  /** The bins of a type that are not empty: the smallest size of each, and the number of its keys. */
  bins(type: number): { from: number; keys: number }[] {
    const found: { from: number; keys: number }[] = [];
    for (let bin = 0; bin < BINS; bin++) {
      const keys = this.count(type, bin);
      if (keys !== 0) found.push({ from: bin === 0 ? 0 : 2 ** (bin - 1), keys });
    }
    return found;
  }

  /** Whether two histograms are equal. */
  equals(other: KeySizes): boolean {
    return this.#counts.every((count, i) => count === other.#counts[i]);
  }
}
