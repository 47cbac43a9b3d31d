/**
 * The queues of clients that wait for keys of one database: for each key a linked list of places in order of arrival.
 * The table is a map from the hash of a key to a chain of queues, so that looking for a key makes no string.
 */
import { bytesEqual } from "../core/bytes.ts";
import { hashBytes } from "../core/hash_function.ts";
import { Arena, type BodyRef, CHUNK_SHIFT, copyIn, GRANULE_MASK } from "../store/memory/arena.ts";
import type { Keyspace } from "../store/keyspace.ts";

/**
 * Bytes that waiting clients need: keys and requests, each with a ref and a length. They are in an arena, because a
 * small typed array, or an object for each, would cost more than the bytes.
 */
export class HeldBytes {
  readonly #arena = new Arena();

  /** Checks the arena, for tests. Returns the number of kept byte strings. */
  check(): number {
    return this.#arena.check().size;
  }

  /** Keeps a copy of `bytes[start, end)`. */
  hold(bytes: Uint8Array, start: number, end: number): BodyRef {
    const arena = this.#arena, ref: BodyRef = arena.alloc(Math.max(end - start, 1));
    copyIn(arena, bytes, start, end, ref >>> CHUNK_SHIFT, startOf(ref));
    return ref;
  }

  /** The array that has the bytes of a ref from `startOf(ref)` on, until the bytes are freed. */
  bytesOf(ref: BodyRef): Uint8Array {
    return this.#arena.u8[ref >>> CHUNK_SHIFT];
  }

  equals(ref: BodyRef, length: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = startOf(ref);
    return bytesEqual(this.bytesOf(ref), from, from + length, bytes, start, end);
  }

  copyTo(out: Uint8Array, ref: BodyRef, length: number): void {
    const bytes = this.bytesOf(ref), start = startOf(ref);
    for (let i = 0; i < length; i++) out[i] = bytes[start + i];
  }

  /** Frees the bytes. The ref must not be used afterwards. */
  free(ref: BodyRef): void {
    this.#arena.free(ref);
  }
}

/** The position of kept bytes within their array. */
export function startOf(ref: BodyRef): number {
  return (ref & GRANULE_MASK) << 3;
}

/** The clients that wait for one key. */
export class Queue<W> {
  head: Place<W> | undefined;
  tail: Place<W> | undefined;
  /** True while the queue is in the list of ready keys. */
  ready = false;
  /** Number of clients that also wait for the removal of the key. */
  onRemoval = 0;
  /** The next queue of the chain. */
  other: Queue<W> | undefined;

  constructor(
    readonly db: Keyspace,
    readonly keyRef: BodyRef,
    readonly keyLength: number,
    readonly hash: number,
  ) {}

  /** Appends a place. */
  add(place: Place<W>): void {
    place.previous = this.tail;
    if (this.tail === undefined) this.head = place;
    else this.tail.next = place;
    this.tail = place;
  }

  /** Removes a place. */
  remove({ previous, next }: Place<W>): void {
    if (previous === undefined) this.head = next;
    else previous.next = next;
    if (next === undefined) this.tail = previous;
    else next.previous = previous;
  }
}

/** The place of one client in one queue. */
export class Place<W> {
  previous: Place<W> | undefined;
  next: Place<W> | undefined;
  /** The client's place in the queue of its next key. */
  sibling: Place<W> | undefined;

  constructor(readonly waiter: W, readonly queue: Queue<W>) {}
}

export class QueueTable<W> {
  /** Number of queues. */
  size = 0;
  readonly #db: Keyspace;
  readonly #held: HeldBytes;
  readonly #chains = new Map<number, Queue<W>>();

  /** `held` keeps the keys. */
  constructor(db: Keyspace, held: HeldBytes) {
    this.#db = db;
    this.#held = held;
  }

  /** The queue of the key `bytes[start, end)`. Hot. */
  find(bytes: Uint8Array, start: number, end: number, hash = hashBytes(bytes, start, end)): Queue<W> | undefined {
    let queue = this.#chains.get(hash);
    while (queue !== undefined && !this.#held.equals(queue.keyRef, queue.keyLength, bytes, start, end)) {
      queue = queue.other;
    }
    return queue;
  }

  /** Adds an empty queue for a key that has none. */
  add(bytes: Uint8Array, start: number, end: number, hash: number): Queue<W> {
    const queue = new Queue<W>(this.#db, this.#held.hold(bytes, start, end), end - start, hash);
    queue.other = this.#chains.get(hash);
    this.#chains.set(hash, queue);
    this.size++;
    return queue;
  }

  delete(queue: Queue<W>): void {
    const { hash, other } = queue;
    const first = this.#chains.get(hash)!;
    this.#held.free(queue.keyRef);
    this.size--;
    if (first !== queue) {
      let before = first;
      while (before.other !== queue) before = before.other!;
      before.other = other;
    } else if (other !== undefined) {
      this.#chains.set(hash, other);
    } else {
      this.#chains.delete(hash);
    }
  }

  *values(): Iterable<Queue<W>> {
    for (let queue of this.#chains.values()) {
      for (; queue !== undefined; queue = queue.other!) yield queue;
    }
  }
}
