/**
 * The heaviest of many names, counted in bounded memory by the algorithm Space-Saving: when all entries are taken, a
 * new name takes over the lightest entry with its weight, which may then be an error of that size. The rest of the
 * weight is sure.
 */
export interface Weighted {
  readonly name: string;
  /** The weight that is sure. */
  readonly weight: number;
}

/** Longer names are not counted, so that the names take bounded memory. */
export const NAME_LENGTH_MAX = 16384;

export class HeavyHitters {
  readonly #capacity: number;
  /** The entries; `#numbers` finds them by name. */
  readonly #names: string[] = [];
  readonly #weights: Float64Array;
  readonly #errors: Float64Array;
  readonly #numbers = new Map<string, number>();
  /** The numbers of entries as a heap with the lightest first, and the place of each entry in it. */
  readonly #heap: Int32Array;
  readonly #places: Int32Array;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#weights = new Float64Array(capacity);
    this.#errors = new Float64Array(capacity);
    this.#heap = new Int32Array(capacity);
    this.#places = new Int32Array(capacity);
  }

  add(name: string, weight: number): void {
    if (weight <= 0 || name.length > NAME_LENGTH_MAX) return;
    let entry = this.#numbers.get(name);
    if (entry === undefined) {
      if (this.#names.length < this.#capacity) {
        entry = this.#names.length;
        this.#names.push(name);
        this.#numbers.set(name, entry);
        this.#weights[entry] = weight;
        return this.#rise(entry, entry);
      }
      entry = this.#heap[0];
      this.#numbers.delete(this.#names[entry]);
      this.#numbers.set(name, entry);
      this.#names[entry] = name;
      this.#errors[entry] = this.#weights[entry];
    }
    this.#weights[entry] += weight;
    this.#sink(entry, this.#places[entry]);
  }

  /** At most `count` names, the heaviest first. */
  heaviest(count: number): Weighted[] {
    const all = this.#names.map((name, i) => ({ name, weight: this.#weights[i] - this.#errors[i] }));
    return all.sort((a, b) => b.weight - a.weight).slice(0, count);
  }

  /** Puts an entry at `place` of the heap or above it. */
  #rise(entry: number, place: number): void {
    const weights = this.#weights, heap = this.#heap;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (weights[heap[above]] <= weights[entry]) break;
      this.#put(heap[above], place);
      place = above;
    }
    this.#put(entry, place);
  }

  /** Puts an entry at `place` of the heap or below it. */
  #sink(entry: number, place: number): void {
    const weights = this.#weights, heap = this.#heap, { length } = this.#names;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= length) break;
      if (below + 1 < length && weights[heap[below + 1]] < weights[heap[below]]) below++;
      if (weights[heap[below]] >= weights[entry]) break;
      this.#put(heap[below], place);
      place = below;
    }
    this.#put(entry, place);
  }

  #put(entry: number, place: number): void {
    this.#heap[place] = entry;
    this.#places[entry] = place;
  }
}
