/**
 * The pending entries of a group: entries that were delivered to a consumer and not acknowledged. Each is one block in
 * three indexes: those of its group, by id and by time of delivery, and that of its consumer, by id. Entries delivered
 * at the same time are in the order in which they got that time, as Redis's list has them.
 */
import { invariant } from "../../../core/assert.ts";
import { copyId, type StreamId, wideAt } from "../../../core/stream_id.ts";
import { WordIndex } from "../../blocks/word_index.ts";
import { bodyOf } from "../../blocks/record.ts";
import { type Arena, CHUNK_SHIFT, GRANULE_MASK, type IndexRef, NONE, type RecordRef } from "../../memory/arena.ts";
import {
  BY_ID,
  BY_TIME,
  CONSUMER_PENDING,
  DELIVERIES,
  type GroupRef,
  incrementWide,
  PENDING_BYTES,
  PENDING_CONSUMER,
  PENDING_ID,
  PENDING_PLACE,
  PENDING_TIME,
  type PendingRef,
} from "./layout.ts";

const TWO32 = 0x100000000;
const SIGN = 0x80000000 | 0;

export class Pending {
  /** The index of a group or of a consumer by id. */
  readonly ids: WordIndex<PendingRef>;
  /** The index of a group by time. */
  readonly times: WordIndex<PendingRef>;
  readonly #arena: Arena;
  // The time that is looked for, with the largest place.
  readonly #time = Int32Array.of(0, 0, -1);

  constructor(arena: Arena) {
    this.#arena = arena;
    this.ids = new WordIndex(arena, PENDING_ID, 4);
    this.times = new WordIndex(arena, PENDING_TIME, 3);
  }

  /** The pending entries of a group by id. */
  byId(group: GroupRef): IndexRef {
    return this.#word(group, BY_ID) as IndexRef;
  }

  /** The pending entries of a group by time of delivery. */
  byTime(group: GroupRef): IndexRef {
    return this.#word(group, BY_TIME) as IndexRef;
  }

  /** The pending entries of the consumer of a record by id. */
  ofConsumer(consumer: RecordRef): IndexRef {
    return this.#word(bodyOf(this.#arena, consumer), CONSUMER_PENDING) as IndexRef;
  }

  /** The pending entry of a group with an id, 0 if there is none. Hot. */
  find(group: GroupRef, id: StreamId): PendingRef {
    return this.ids.find(this.byId(group), id);
  }

  /** Adds an entry that is not pending in the group. `deliveries` is below 2^53. Hot. */
  add(group: GroupRef, consumer: RecordRef, id: StreamId, timeMs: number, deliveries: number): PendingRef {
    const ref = this.#arena.alloc(PENDING_BYTES) as PendingRef;
    const words = this.#arena.i32[ref >>> CHUNK_SHIFT], at = (ref & GRANULE_MASK) << 1;
    copyId(id, 0, words, at + PENDING_ID);
    words[at + PENDING_CONSUMER] = consumer;
    words[at + DELIVERIES] = deliveries / TWO32;
    words[at + DELIVERIES + 1] = deliveries;
    this.ids.add(this.byId(group), ref);
    if (consumer !== 0) this.ids.add(this.ofConsumer(consumer), ref);
    this.#addAt(group, ref, timeMs);
    return ref;
  }

  /** Takes a pending entry out and frees it. Hot. */
  remove(group: GroupRef, ref: PendingRef): void {
    this.ids.remove(this.byId(group), ref);
    this.times.remove(this.byTime(group), ref);
    this.ids.remove(this.ofConsumer(this.consumerOf(ref)), ref);
    this.#arena.free(ref);
  }

  /**
   * Takes the entries of a consumer's index out of the indexes of its group. They stay in that index, which must not be
   * read any more.
   */
  removeAll(group: GroupRef, own: IndexRef): void {
    const { ids, times } = this, byId = this.byId(group), byTime = this.byTime(group);
    for (ids.seekFirst(own); ids.leaf !== 0; ids.step()) {
      const { leaf, index, ref } = ids;
      // Removing moves the cursor.
      ids.remove(byId, ref);
      times.remove(byTime, ref);
      ids.leaf = leaf;
      ids.index = index;
    }
  }

  /** A new index of the entries in another one that a consumer does not have. */
  withoutConsumer(index: WordIndex<PendingRef>, tree: IndexRef, consumer: RecordRef): IndexRef {
    const rest = index.create();
    for (index.seekFirst(tree); index.leaf !== 0; index.step()) {
      const { leaf, index: place, ref } = index;
      if (this.consumerOf(ref) === consumer) continue;
      // Adding moves the cursor.
      index.add(rest, ref);
      index.leaf = leaf;
      index.index = place;
    }
    return rest;
  }

  setIndexOf(consumer: RecordRef, tree: IndexRef): void {
    const body = bodyOf(this.#arena, consumer);
    this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + CONSUMER_PENDING] = tree;
  }

  /** Gives an entry to a consumer. */
  give(ref: PendingRef, consumer: RecordRef): void {
    const owner = this.consumerOf(ref);
    if (owner === consumer) return;
    if (owner !== 0) this.ids.remove(this.ofConsumer(owner), ref);
    this.#arena.i32[ref >>> CHUNK_SHIFT][((ref & GRANULE_MASK) << 1) + PENDING_CONSUMER] = consumer;
    this.ids.add(this.ofConsumer(consumer), ref);
  }

  /** Sets the time of the last delivery; the entry comes behind all others of that time. */
  setTime(group: GroupRef, ref: PendingRef, timeMs: number): void {
    this.times.remove(this.byTime(group), ref);
    this.#addAt(group, ref, timeMs);
  }

  /** Puts the cursor of the index by time on an entry of the group. */
  seekTime(group: GroupRef, ref: PendingRef): void {
    const words = this.#arena.i32[ref >>> CHUNK_SHIFT];
    this.times.seekFrom(this.byTime(group), words, ((ref & GRANULE_MASK) << 1) + PENDING_TIME, false);
  }

  /** Copies the id of an entry. */
  readId(ref: PendingRef, id: StreamId): void {
    copyId(this.#arena.i32[ref >>> CHUNK_SHIFT], ((ref & GRANULE_MASK) << 1) + PENDING_ID, id, 0);
  }

  /** The record of the consumer that has an entry; 0 while a file is read. */
  consumerOf(ref: PendingRef): RecordRef {
    return this.#word(ref, PENDING_CONSUMER) as RecordRef;
  }

  /** The time of the last delivery in milliseconds. */
  timeOf(ref: PendingRef): number {
    return (this.#word(ref, PENDING_TIME) ^ SIGN) * TWO32 + (this.#word(ref, PENDING_TIME + 1) >>> 0);
  }

  /** The number of deliveries; the nearest double beyond 2^53. */
  deliveriesOf(ref: PendingRef): number {
    return (this.#word(ref, DELIVERIES) >>> 0) * TWO32 + (this.#word(ref, DELIVERIES + 1) >>> 0);
  }

  /** The number of deliveries as a signed integer, exactly. Cold. */
  exactDeliveriesOf(ref: PendingRef): bigint {
    return BigInt.asIntN(64, wideAt(this.#arena.i32[ref >>> CHUNK_SHIFT], ((ref & GRANULE_MASK) << 1) + DELIVERIES));
  }

  /** Sets the number of deliveries from the words of a 64-bit number. */
  setDeliveries(ref: PendingRef, high: number, low: number): void {
    const words = this.#arena.i32[ref >>> CHUNK_SHIFT], at = (ref & GRANULE_MASK) << 1;
    words[at + DELIVERIES] = high;
    words[at + DELIVERIES + 1] = low;
  }

  copyDeliveries(from: PendingRef, to: PendingRef): void {
    this.setDeliveries(to, this.#word(from, DELIVERIES), this.#word(from, DELIVERIES + 1));
  }

  countDelivery(ref: PendingRef): void {
    incrementWide(this.#arena.i32[ref >>> CHUNK_SHIFT], ((ref & GRANULE_MASK) << 1) + DELIVERIES);
  }

  #word(ref: number, word: number): number {
    return this.#arena.i32[ref >>> CHUNK_SHIFT][((ref & GRANULE_MASK) << 1) + word];
  }

  /** Adds an entry to the index by time, behind all others of the same time. */
  #addAt(group: GroupRef, ref: PendingRef, timeMs: number): void {
    const { times } = this, { i32 } = this.#arena, tree = this.byTime(group), time = this.#time;
    time[0] = Math.floor(timeMs / TWO32) ^ SIGN;
    time[1] = timeMs;
    // Mostly it is the latest delivery.
    times.seekLast(tree);
    if (times.leaf !== 0 && times.compareHere(time, 0) > 0) times.seekTo(tree, time, 0);
    let place = 0;
    if (times.leaf !== 0) {
      const before = times.ref;
      const words = i32[before >>> CHUNK_SHIFT], at = (before & GRANULE_MASK) << 1;
      if (words[at + PENDING_TIME] === time[0] && words[at + PENDING_TIME + 1] === time[1]) {
        place = words[at + PENDING_PLACE] + 1;
      }
    }
    const words = i32[ref >>> CHUNK_SHIFT], at = (ref & GRANULE_MASK) << 1;
    words[at + PENDING_TIME] = time[0];
    words[at + PENDING_TIME + 1] = time[1];
    words[at + PENDING_PLACE] = place;
    times.add(tree, ref);
  }

  /** Checks the pending entries of a group against those of its consumers; adds their blocks to `reached`. */
  check(group: GroupRef, consumers: readonly RecordRef[], reached: Set<number>): void {
    const ids = new Set<number>(), times = new Set<number>();
    this.ids.check(this.byId(group), reached, (ref) => ids.add(ref));
    this.times.check(this.byTime(group), reached, (ref) => times.add(ref));
    invariant(ids.size === times.size, "the indexes of pending entries differ");
    let owned = 0;
    for (const consumer of consumers) {
      this.ids.check(this.ofConsumer(consumer), reached, (ref) => {
        invariant(ids.has(ref) && times.has(ref), "a consumer has an entry that is not pending in its group");
        invariant(this.consumerOf(ref) === consumer, "a pending entry belongs to another consumer");
        owned++;
      });
    }
    invariant(owned === ids.size, "a pending entry has no consumer");
    for (const ref of ids) reached.add(ref);
  }

  /** The first entry of an index, 0 if it is empty. Puts the cursor of the index there. */
  firstOf(index: WordIndex<PendingRef>, tree: IndexRef): PendingRef {
    index.seekFirst(tree);
    return index.leaf === 0 ? NONE as unknown as PendingRef : index.ref;
  }

  /** The last entry of an index, 0 if it is empty. */
  lastOf(index: WordIndex<PendingRef>, tree: IndexRef): PendingRef {
    index.seekLast(tree);
    return index.leaf === 0 ? NONE as unknown as PendingRef : index.ref;
  }
}
