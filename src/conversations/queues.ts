/**
 * The queues of clients that wait for keys of one database: for each key a linked list of places in order of arrival.
 * The table is a map from the hash of a key to a chain of queues, so that looking for a key makes no string.
 */
import { bytesEqual } from "../core/bytes.ts";
import { hashBytes } from "../core/hash_function.ts";
import { type Arena, type BodyRef, CHUNK_SHIFT, copyIn, GRANULE_MASK } from "../store/memory/arena.ts";
import type { Keyspace } from "../store/keyspace.ts";

/** Bytes that a waiting client needs, in an arena: a small typed array of its own would cost more than its bytes. */
export class HeldBytes {
  readonly #arena: Arena;
  readonly #ref: BodyRef;
  readonly length: number;

  constructor(arena: Arena, bytes: Uint8Array, start: number, end: number) {
    this.#arena = arena;
    this.length = end - start;
    this.#ref = arena.alloc(Math.max(this.length, 1));
    copyIn(arena, bytes, start, end, this.#ref >>> CHUNK_SHIFT, this.start);
  }

  /** The bytes are `bytes[start, start + length)`, until the arena changes. */
  get bytes(): Uint8Array {
    return this.#arena.u8[this.#ref >>> CHUNK_SHIFT];
  }

  get start(): number {
    return (this.#ref & GRANULE_MASK) << 3;
  }

  equals(bytes: Uint8Array, start: number, end: number): boolean {
    return bytesEqual(this.bytes, this.start, this.start + this.length, bytes, start, end);
  }

  copyTo(out: Uint8Array): void {
    const { bytes, start } = this;
    for (let i = 0; i < this.length; i++) out[i] = bytes[start + i];
  }

  /** Frees the bytes. They must not be used afterwards. */
  free(): void {
    this.#arena.free(this.#ref);
  }
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

  constructor(readonly db: Keyspace, readonly key: HeldBytes, readonly hash: number) {}

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
  readonly #arena: Arena;
  readonly #chains = new Map<number, Queue<W>>();

  /** `arena` holds the keys. */
  constructor(db: Keyspace, arena: Arena) {
    this.#db = db;
    this.#arena = arena;
  }

  /** The queue of the key `bytes[start, end)`. Hot. */
  find(bytes: Uint8Array, start: number, end: number, hash = hashBytes(bytes, start, end)): Queue<W> | undefined {
    let queue = this.#chains.get(hash);
    while (queue !== undefined && !queue.key.equals(bytes, start, end)) queue = queue.other;
    return queue;
  }

  /** Adds an empty queue for a key that has none. */
  add(bytes: Uint8Array, start: number, end: number, hash: number): Queue<W> {
    const queue = new Queue<W>(this.#db, new HeldBytes(this.#arena, bytes, start, end), hash);
    queue.other = this.#chains.get(hash);
    this.#chains.set(hash, queue);
    this.size++;
    return queue;
  }

  delete(queue: Queue<W>): void {
    const { hash, other } = queue;
    const first = this.#chains.get(hash)!;
    queue.key.free();
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
