/**
 * Sorts many items by 64-bit keys: a stable radix sort of integers and doubles in temporary typed arrays. The caller
 * creates the keys and orders items with equal keys.
 */

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
/** The digits of a key by word and shift, lowest first. */
const PASSES = [[0, 0], [0, 11], [0, 22], [1, 0], [1, 11], [1, 22]] as const;
/** Below this number of items comparison is faster than counting digits. */
const COUNTED_MIN = 300;

const double = new Float64Array(1), halves = new Uint32Array(double.buffer);

/** Items and their keys. The words of a key are compared as unsigned integers, the high word first. */
export class KeyedItems {
  items: Int32Array;
  low: Uint32Array;
  high: Uint32Array;

  constructor(items: Int32Array) {
    this.items = items;
    this.low = new Uint32Array(items.length);
    this.high = new Uint32Array(items.length);
  }

  /**
   * Sets the key of the i-th item to a double. NaN is not allowed; -0 equals 0. `mask` is 0, or -1 for descending
   * order.
   */
  setDouble(i: number, value: number, mask = 0): void {
    double[0] = value + 0;
    // Flipping the sign bit, and all bits of negative numbers, gives the bit patterns the order of the numbers.
    const flip = halves[1] >> 31;
    this.low[i] = halves[0] ^ flip ^ mask;
    this.high[i] = halves[1] ^ (flip | 0x80000000) ^ mask;
  }

  /** Sorts the items together with their keys. */
  sort(): void {
    if (this.items.length < COUNTED_MIN) this.#sortFew();
    else this.#sortMany();
  }

  /** Calls `visit` with each range of two or more sorted items with equal keys. */
  eachTie(visit: (from: number, to: number) => void): void {
    const { low, high } = this, count = low.length;
    for (let from = 0; from < count;) {
      let to = from + 1;
      while (to < count && low[to] === low[from] && high[to] === high[from]) to++;
      if (to - from > 1) visit(from, to);
      from = to;
    }
  }

  #sortFew(): void {
    const { items, low, high } = this;
    const order = items.map((_, i) => i).sort((a, b) => high[a] - high[b] || low[a] - low[b] || a - b);
    this.items = order.map((i) => items[i]);
    this.low = low.map((_, at) => low[order[at]]);
    this.high = high.map((_, at) => high[order[at]]);
  }

  #sortMany(): void {
    const count = this.items.length;
    let spare: KeyedItems | undefined;
    const places = new Uint32Array(DIGITS);
    for (const [word, shift] of PASSES) {
      const { items, low, high } = this;
      const source = word === 0 ? low : high;
      places.fill(0);
      for (let i = 0; i < count; i++) places[(source[i] >>> shift) & (DIGITS - 1)]++;
      // A digit that is the same in all keys does not change the order.
      if (places[(source[0] >>> shift) & (DIGITS - 1)] === count) continue;
      for (let digit = 0, at = 0; digit < DIGITS; digit++) {
        const size = places[digit];
        places[digit] = at;
        at += size;
      }
      spare ??= new KeyedItems(new Int32Array(count));
      const { items: toItems, low: toLow, high: toHigh } = spare;
      for (let i = 0; i < count; i++) {
        const to = places[(source[i] >>> shift) & (DIGITS - 1)]++;
        toItems[to] = items[i];
        toLow[to] = low[i];
        toHigh[to] = high[i];
      }
      [this.items, this.low, this.high] = [toItems, toLow, toHigh];
      [spare.items, spare.low, spare.high] = [items, low, high];
    }
  }
}
