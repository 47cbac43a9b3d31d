/**
 * The table of client-side caching: which clients have read which keys, whatever the database. It is a keyspace of its
 * own in the arena: each key holds the numbers of its clients, 32-bit little-endian, in ascending order. An item is one
 * client of one key.
 */
import type { Random } from "../core/random.ts";
import { type Keyspace, NEVER } from "../store/keyspace.ts";
import type { RecordRef } from "../store/memory/arena.ts";
import type { Store } from "../store/store.ts";

const NUMBER_BYTES = 4;

export class TrackedKeys {
  readonly #keys: Keyspace;
  readonly #number = new Uint8Array(NUMBER_BYTES);
  readonly #numberView = new DataView(this.#number.buffer);
  itemCount = 0;

  constructor(store: Store) {
    this.#keys = store.createTable();
  }

  get keyCount(): number {
    return this.#keys.size;
  }

  /** Loads the entries of keys with these hashes into the processor's caches. */
  prefetch(hashes: Int32Array, count: number): void {
    this.#keys.prefetch(hashes, count);
  }

  /** Adds a client to a key. Returns false if the key has it already. Hot. */
  add(bytes: Uint8Array, start: number, end: number, hash: number, number: number): boolean {
    const keys = this.#keys, ref = keys.peek(bytes, start, end, hash);
    if (ref === 0) {
      this.#numberView.setUint32(0, number, true);
      keys.setString(bytes, start, end, this.#number, 0, NUMBER_BYTES, NEVER, hash);
      this.itemCount++;
      return true;
    }
    keys.readString(ref);
    const { length } = keys, at = this.#search(number);
    if (at < length && keys.view.getUint32(keys.start + at, true) === number) return false;
    keys.resizeString(ref, length + NUMBER_BYTES);
    const from = keys.start + at;
    keys.bytes.copyWithin(from + NUMBER_BYTES, from, keys.start + length);
    keys.view.setUint32(from, number, true);
    this.itemCount++;
    return true;
  }

  /** Removes a key, and returns the numbers of its clients. */
  take(bytes: Uint8Array, start: number, end: number): readonly number[] {
    const ref = this.#keys.find(bytes, start, end);
    return ref === 0 ? [] : this.#take(ref);
  }

  /** Removes a key that is chosen at random; the table must not be empty. */
  takeRandom(random: Random): { key: Uint8Array; numbers: readonly number[] } {
    const keys = this.#keys, ref = keys.store.dict.random(keys.keys, random);
    keys.readKey(ref);
    const key = keys.bytes.slice(keys.start, keys.start + keys.length);
    return { key, numbers: this.#take(ref) };
  }

  clear(): void {
    this.#keys.clear();
    this.itemCount = 0;
  }

  /**
   * Removes the clients for which `lives` is false from about `count` keys, beginning at `cursor` (0 at first). Returns
   * the cursor for the next call; 0 at the end.
   */
  sweep(cursor: number, count: number, lives: (number: number) => boolean): number {
    const keys = this.#keys, refs: RecordRef[] = [];
    const next = keys.store.dict.scan(keys.keys, cursor, count, (ref) => refs.push(ref));
    for (const ref of refs) {
      const numbers = this.#numbers(ref), kept = numbers.filter(lives);
      if (kept.length === numbers.length) continue;
      this.itemCount -= numbers.length - kept.length;
      if (kept.length === 0) {
        keys.unlink(ref);
        continue;
      }
      keys.resizeString(ref, kept.length * NUMBER_BYTES);
      kept.forEach((number, i) => keys.view.setUint32(keys.start + i * NUMBER_BYTES, number, true));
    }
    return next;
  }

  #take(ref: RecordRef): readonly number[] {
    const numbers = this.#numbers(ref);
    this.itemCount -= numbers.length;
    this.#keys.unlink(ref);
    return numbers;
  }

  #numbers(ref: RecordRef): number[] {
    const keys = this.#keys;
    keys.readString(ref);
    const { view, start, length } = keys;
    return Array.from({ length: length / NUMBER_BYTES }, (_, i) => view.getUint32(start + i * NUMBER_BYTES, true));
  }

  /** Offset of the first number in the registers that is not below `number`. */
  #search(number: number): number {
    const { view, start, length } = this.#keys;
    let low = 0, high = length / NUMBER_BYTES;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (view.getUint32(start + middle * NUMBER_BYTES, true) < number) low = middle + 1;
      else high = middle;
    }
    return low * NUMBER_BYTES;
  }
}
