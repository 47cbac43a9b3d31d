/**
 * The table of client-side caching: which clients have read which keys, whatever the database. It is a keyspace of its
 * own in the arena. An item is one client of one key. A key holds the numbers of its clients in one of two forms,
 * whichever is shorter; up to 64 clients fit into the bits that a key takes at once:
 *
 *     LIST   | kind 1 byte | number | number | …    32-bit little-endian, ascending
 *     BITS   | kind 1 byte | bit of number 0 | bit of number 1 | …    64 bits at a time, lowest bit of a byte first
 */
import type { Random } from "../core/random.ts";
import { type Keyspace, NEVER } from "../store/keyspace.ts";
import type { RecordRef } from "../store/memory/arena.ts";
import type { Store } from "../store/store.ts";

const LIST = 0, BITS = 1;
const KIND_BYTES = 1, NUMBER_BYTES = 4, WORD_BYTES = 8, WORD_BITS = 64;

export class TrackedKeys {
  readonly #keys: Keyspace;
  /** A value of one client: the longer of the two forms. */
  readonly #first = new Uint8Array(KIND_BYTES + WORD_BYTES);
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
      const value = encode([number], this.#first);
      keys.setString(bytes, start, end, value, 0, value.length, NEVER, hash);
      this.itemCount++;
      return true;
    }
    keys.readString(ref);
    const at = keys.start + KIND_BYTES + (number >>> 3);
    if (keys.bytes[keys.start] === BITS && at < keys.start + keys.length) {
      const bit = 1 << (number & 7), own = keys.bytes[at];
      if ((own & bit) !== 0) return false;
      keys.bytes[at] = own | bit;
    } else {
      const numbers = this.#numbers(ref), place = numbers.findIndex((other) => other >= number);
      if (numbers[place] === number) return false;
      numbers.splice(place < 0 ? numbers.length : place, 0, number);
      this.#write(ref, numbers);
    }
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
      this.#write(ref, kept);
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
    const { bytes, view, start, length } = keys, from = start + KIND_BYTES;
    if (bytes[start] === LIST) {
      const count = (length - KIND_BYTES) / NUMBER_BYTES;
      return Array.from({ length: count }, (_, i) => view.getUint32(from + i * NUMBER_BYTES, true));
    }
    const numbers: number[] = [];
    for (let i = 0; i < length - KIND_BYTES; i++) {
      for (let bits = bytes[from + i]; bits !== 0; bits &= bits - 1) {
        numbers.push(i * 8 + 31 - Math.clz32(bits & -bits));
      }
    }
    return numbers;
  }

  #write(ref: RecordRef, numbers: readonly number[]): void {
    const keys = this.#keys, value = encode(numbers);
    keys.readString(ref);
    if (value.length !== keys.length) keys.resizeString(ref, value.length);
    keys.bytes.set(value, keys.start);
  }
}

/** The value of a key with these clients, in ascending order; in `room` if that is given. */
function encode(numbers: readonly number[], room?: Uint8Array): Uint8Array {
  const bitBytes = Math.ceil((numbers[numbers.length - 1] + 1) / WORD_BITS) * WORD_BYTES;
  const isList = bitBytes > Math.max(WORD_BYTES, numbers.length * NUMBER_BYTES);
  const length = KIND_BYTES + (isList ? numbers.length * NUMBER_BYTES : bitBytes);
  const value = room?.subarray(0, length) ?? new Uint8Array(length);
  value.fill(0);
  if (isList) {
    value[0] = LIST;
    const view = new DataView(value.buffer, value.byteOffset);
    numbers.forEach((number, i) => view.setUint32(KIND_BYTES + i * NUMBER_BYTES, number, true));
  } else {
    value[0] = BITS;
    for (const number of numbers) value[KIND_BYTES + (number >>> 3)] |= 1 << (number & 7);
  }
  return value;
}
