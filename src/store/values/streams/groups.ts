/**
 * The groups of a stream and their consumers, each found by its name and walked in the order of names. This file owns
 * their bodies; pending.ts owns what is pending.
 */
import { invariant } from "../../../core/assert.ts";
import { copyId, type StreamId, wideAt } from "../../../core/stream_id.ts";
import { Ordered } from "../../blocks/ordered.ts";
import {
  BODY,
  bodyOf,
  createRecord,
  keyEquals,
  keyLength,
  keyStart,
  NUMBER,
  setBody,
  setScore,
} from "../../blocks/record.ts";
import {
  type Arena,
  type BodyRef,
  CHUNK_SHIFT,
  GRANULE_MASK,
  type IndexRef,
  NONE,
  type RecordRef,
} from "../../memory/arena.ts";
import {
  BY_ID,
  BY_TIME,
  CONSUMER_BYTES,
  CONSUMER_PENDING,
  CONSUMERS,
  ENTRIES_READ,
  GROUP_BYTES,
  GROUP_LAST_ID,
  type GroupRef,
  GROUPS,
  incrementWide,
} from "./layout.ts";
import { Pending } from "./pending.ts";

/** Names in order, each a record with a body. */
export class Names {
  readonly ordered: Ordered;
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.ordered = new Ordered(arena);
  }

  /** The record of a name, 0 if there is none, or no index (0). */
  find(tree: IndexRef, bytes: Uint8Array, start: number, end: number): RecordRef {
    if (tree === 0) return NONE;
    const { ordered } = this;
    ordered.seekKey(tree, bytes, start, end, false);
    if (ordered.leaf === 0) return NONE;
    const { ref } = ordered;
    return keyEquals(this.#arena, ref, bytes, start, end) ? ref : NONE;
  }

  /** Adds a name that is not in the index. */
  add(tree: IndexRef, bytes: Uint8Array, start: number, end: number, body: number): RecordRef {
    const ref = createRecord(this.#arena, NUMBER | BODY, bytes, start, end, 0);
    setScore(this.#arena, ref, 0);
    setBody(this.#arena, ref, body as BodyRef);
    this.ordered.insert(tree, ref);
    return ref;
  }

  /** All records in the order of their names. */
  all(tree: IndexRef): RecordRef[] {
    const refs: RecordRef[] = [], { ordered } = this;
    if (tree === 0) return refs;
    for (ordered.seek(tree, 0); ordered.leaf !== 0; ordered.step()) refs.push(ordered.ref);
    return refs;
  }

  count(tree: IndexRef): number {
    return tree === 0 ? 0 : this.ordered.count(tree);
  }
}

export class Groups {
  readonly names: Names;
  readonly pending: Pending;
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.names = new Names(arena);
    this.pending = new Pending(arena);
  }

  /** The index of a stream's groups, 0 for none. */
  treeOf(stream: BodyRef): IndexRef {
    return this.#arena.i32[stream >>> CHUNK_SHIFT][((stream & GRANULE_MASK) << 1) + GROUPS] as IndexRef;
  }

  /** The group with a name, 0 if there is none. Hot. */
  find(stream: BodyRef, bytes: Uint8Array, start: number, end: number): GroupRef {
    const record = this.names.find(this.treeOf(stream), bytes, start, end);
    return (record === 0 ? NONE : this.groupOf(record)) as unknown as GroupRef;
  }

  /** The records of all groups, in the order of their names. */
  all(stream: BodyRef): RecordRef[] {
    return this.names.all(this.treeOf(stream));
  }

  count(stream: BodyRef): number {
    return this.names.count(this.treeOf(stream));
  }

  groupOf(record: RecordRef): GroupRef {
    return bodyOf(this.#arena, record) as unknown as GroupRef;
  }

  /** Adds a group whose name is not taken. */
  create(
    stream: BodyRef,
    bytes: Uint8Array,
    start: number,
    end: number,
    lastId: StreamId,
    entriesRead: bigint,
  ): GroupRef {
    const arena = this.#arena, { pending } = this;
    if (this.treeOf(stream) === 0) {
      const tree = this.names.ordered.create();
      arena.i32[stream >>> CHUNK_SHIFT][((stream & GRANULE_MASK) << 1) + GROUPS] = tree;
    }
    const group = arena.alloc(GROUP_BYTES) as unknown as GroupRef;
    const byId = pending.ids.create(), byTime = pending.times.create(), consumers = this.names.ordered.create();
    this.#setIndexes(group, byId, byTime);
    this.wordsOf(group)[((group & GRANULE_MASK) << 1) + CONSUMERS] = consumers;
    this.setLastId(group, lastId);
    this.setEntriesRead(group, entriesRead);
    this.names.add(this.treeOf(stream), bytes, start, end, group);
    return group;
  }

  /** Takes a group out of the stream and returns its body, which the caller frees. 0 if there is none. */
  detach(stream: BodyRef, bytes: Uint8Array, start: number, end: number): GroupRef {
    const tree = this.treeOf(stream), record = this.names.find(tree, bytes, start, end);
    if (record === 0) return NONE as unknown as GroupRef;
    const group = this.groupOf(record);
    this.names.ordered.remove(tree, record);
    this.#arena.free(record);
    return group;
  }

  /** The words of a group and the index of its last delivered id in them. */
  wordsOf(group: GroupRef): Int32Array {
    return this.#arena.i32[group >>> CHUNK_SHIFT];
  }

  lastIdAt(group: GroupRef): number {
    return ((group & GRANULE_MASK) << 1) + GROUP_LAST_ID;
  }

  readLastId(group: GroupRef, id: StreamId): void {
    copyId(this.wordsOf(group), this.lastIdAt(group), id, 0);
  }

  setLastId(group: GroupRef, id: StreamId): void {
    copyId(id, 0, this.wordsOf(group), this.lastIdAt(group));
  }

  /** The number of entries that the group has read, -1 if unknown. Cold. */
  entriesReadOf(group: GroupRef): bigint {
    return BigInt.asIntN(64, wideAt(this.wordsOf(group), ((group & GRANULE_MASK) << 1) + ENTRIES_READ));
  }

  setEntriesRead(group: GroupRef, count: bigint): void {
    const words = this.wordsOf(group), at = ((group & GRANULE_MASK) << 1) + ENTRIES_READ;
    words[at] = Number(BigInt.asIntN(32, count >> 32n));
    words[at + 1] = Number(BigInt.asIntN(32, count));
  }

  isCountUnknown(group: GroupRef): boolean {
    const words = this.wordsOf(group), at = ((group & GRANULE_MASK) << 1) + ENTRIES_READ;
    return (words[at] & words[at + 1]) === -1;
  }

  countRead(group: GroupRef): void {
    incrementWide(this.wordsOf(group), ((group & GRANULE_MASK) << 1) + ENTRIES_READ);
  }

  /** The index of a group's consumers. */
  consumersOf(group: GroupRef): IndexRef {
    return this.wordsOf(group)[((group & GRANULE_MASK) << 1) + CONSUMERS] as IndexRef;
  }

  /** The record of the consumer with a name, 0 if there is none. Hot. */
  findConsumer(group: GroupRef, bytes: Uint8Array, start: number, end: number): RecordRef {
    return this.names.find(this.consumersOf(group), bytes, start, end);
  }

  /** Adds a consumer whose name is not taken; it was seen now and never active. */
  createConsumer(group: GroupRef, bytes: Uint8Array, start: number, end: number, seenMs: number): RecordRef {
    const arena = this.#arena;
    const consumer = arena.alloc(CONSUMER_BYTES);
    const pending = this.pending.ids.create();
    const words = arena.i32[consumer >>> CHUNK_SHIFT], at = (consumer & GRANULE_MASK) << 1;
    words[at + CONSUMER_PENDING] = pending;
    words[at + CONSUMER_PENDING + 1] = 0;
    const record = this.names.add(this.consumersOf(group), bytes, start, end, consumer);
    this.setSeen(record, seenMs);
    this.setActive(record, -1);
    return record;
  }

  /** Takes a consumer out that has nothing pending, and frees it. */
  removeConsumer(group: GroupRef, record: RecordRef): void {
    const arena = this.#arena, consumer = bodyOf(arena, record);
    const rest = this.pending.ids.drain(this.pending.ofConsumer(record), Infinity);
    invariant(rest === 0, "an index was not freed");
    this.names.ordered.remove(this.consumersOf(group), record);
    arena.free(consumer);
    arena.free(record);
  }

  /**
   * Takes a consumer out of its group with all that it has pending. Returns both as a group without a name, which the
   * caller frees. What others have pending moves to new indexes if `much` of the group's belongs to the consumer.
   */
  detachConsumer(group: GroupRef, record: RecordRef, much: boolean): GroupRef {
    const { pending } = this, { ids, times } = pending, { ordered } = this.names;
    const own = pending.ofConsumer(record);
    let oldIds: IndexRef, oldTimes: IndexRef;
    if (much) {
      [oldIds, oldTimes] = [pending.byId(group), pending.byTime(group)];
      this.#setIndexes(
        group,
        pending.withoutConsumer(ids, oldIds, record),
        pending.withoutConsumer(times, oldTimes, record),
      );
    } else {
      pending.removeAll(group, own);
      [oldIds, oldTimes] = [ids.create(), times.create()];
    }
    ordered.remove(this.consumersOf(group), record);
    const freed = this.#arena.alloc(GROUP_BYTES) as unknown as GroupRef, consumers = ordered.create();
    this.wordsOf(freed)[((freed & GRANULE_MASK) << 1) + CONSUMERS] = consumers;
    ordered.insert(consumers, record);
    // The pending entries are freed with the index by id of the group: those of the consumer's index.
    this.#setIndexes(freed, own, oldTimes);
    pending.setIndexOf(record, oldIds);
    return freed;
  }

  #setIndexes(group: GroupRef, byId: IndexRef, byTime: IndexRef): void {
    const words = this.wordsOf(group), at = (group & GRANULE_MASK) << 1;
    words[at + BY_ID] = byId;
    words[at + BY_TIME] = byTime;
  }

  /** When a consumer last tried something, in milliseconds. */
  seenOf(record: RecordRef): number {
    return this.#times(record)[this.#timesAt(record)];
  }

  setSeen(record: RecordRef, ms: number): void {
    this.#times(record)[this.#timesAt(record)] = ms;
  }

  /** When a consumer last got an entry, in milliseconds, -1 for never. */
  activeOf(record: RecordRef): number {
    return this.#times(record)[this.#timesAt(record) + 1];
  }

  setActive(record: RecordRef, ms: number): void {
    this.#times(record)[this.#timesAt(record) + 1] = ms;
  }

  /** The name of a record: `bytesOf(record)` from `startOf` to `endOf`. */
  bytesOf(record: RecordRef): Uint8Array {
    return this.#arena.u8[record >>> CHUNK_SHIFT];
  }

  startOf(record: RecordRef): number {
    return keyStart(this.#arena, record);
  }

  endOf(record: RecordRef): number {
    return keyStart(this.#arena, record) + keyLength(this.#arena, record);
  }

  /**
   * Frees about `budget` blocks of a group that was detached. Returns it while something is left, 0 when it is gone.
   */
  free(group: GroupRef, budget: number): GroupRef {
    const arena = this.#arena, { ids, times } = this.pending;
    const words = arena.i32[group >>> CHUNK_SHIFT], at = (group & GRANULE_MASK) << 1;
    if (words[at + BY_TIME] !== 0) {
      words[at + BY_TIME] = times.drain(words[at + BY_TIME] as IndexRef, budget);
      if (words[at + BY_TIME] !== 0) return group;
    }
    // Consumers go one by one, the last first, each with its index.
    const consumers = words[at + CONSUMERS] as IndexRef, { ordered } = this.names;
    while (consumers !== 0 && ordered.count(consumers) > 0) {
      ordered.seek(consumers, ordered.count(consumers) - 1);
      const record = ordered.ref, consumer = bodyOf(arena, record);
      const own = arena.i32[consumer >>> CHUNK_SHIFT], place = ((consumer & GRANULE_MASK) << 1) + CONSUMER_PENDING;
      own[place] = ids.drain(own[place] as IndexRef, budget);
      if (own[place] !== 0) return group;
      ordered.removeAt(consumers, ordered.count(consumers) - 1);
      arena.free(consumer);
      arena.free(record);
      if ((budget -= 8) <= 0) return group;
    }
    if (consumers !== 0) {
      const rest = ordered.drain(consumers, Infinity);
      invariant(rest === 0, "an index was not freed");
      words[at + CONSUMERS] = 0;
    }
    words[at + BY_ID] = ids.drain(words[at + BY_ID] as IndexRef, budget, (ref) => arena.free(ref));
    if (words[at + BY_ID] !== 0) return group;
    arena.free(group);
    return NONE as unknown as GroupRef;
  }

  /** Bytes of the arena that a stream's groups take. */
  sizeBytes(stream: BodyRef): number {
    const arena = this.#arena, { ids, times } = this.pending, { ordered } = this.names;
    const tree = this.treeOf(stream);
    if (tree === 0) return 0;
    let bytes = ordered.sizeBytes(tree);
    for (const record of this.all(stream)) {
      const group = this.groupOf(record);
      const byId = this.pending.byId(group);
      bytes += arena.sizeOf(record) + arena.sizeOf(group) + ids.sizeBytes(byId) +
        times.sizeBytes(this.pending.byTime(group));
      ids.seekFirst(byId);
      if (ids.leaf !== 0) bytes += ids.count(byId) * arena.sizeOf(ids.ref);
      bytes += ordered.sizeBytes(this.consumersOf(group));
      for (const consumer of this.names.all(this.consumersOf(group))) {
        bytes += arena.sizeOf(consumer) + arena.sizeOf(bodyOf(arena, consumer)) +
          ids.sizeBytes(this.pending.ofConsumer(consumer));
      }
    }
    return bytes;
  }

  /** Copies the groups of a stream to another one, which has none. */
  copy(from: BodyRef, to: BodyRef): void {
    const { pending } = this, id = new Int32Array(4);
    for (const record of this.all(from)) {
      const source = this.groupOf(record);
      this.readLastId(source, id);
      const group = this.create(
        to,
        this.bytesOf(record),
        this.startOf(record),
        this.endOf(record),
        id,
        this.entriesReadOf(source),
      );
      const consumers = new Map<RecordRef, RecordRef>();
      for (const consumer of this.names.all(this.consumersOf(source))) {
        const copy = this.createConsumer(
          group,
          this.bytesOf(consumer),
          this.startOf(consumer),
          this.endOf(consumer),
          this.seenOf(consumer),
        );
        this.setActive(copy, this.activeOf(consumer));
        consumers.set(consumer, copy);
      }
      const { ids } = pending;
      for (ids.seekFirst(pending.byId(source)); ids.leaf !== 0; ids.step()) {
        // Adding moves the cursor.
        const { leaf, index, ref } = ids;
        pending.readId(ref, id);
        const copy = pending.add(group, consumers.get(pending.consumerOf(ref))!, id, pending.timeOf(ref), 0);
        pending.copyDeliveries(ref, copy);
        ids.leaf = leaf;
        ids.index = index;
      }
    }
  }

  check(stream: BodyRef, reached: Set<number>): void {
    const tree = this.treeOf(stream);
    if (tree === 0) return;
    const arena = this.#arena;
    const records: RecordRef[] = [];
    this.names.ordered.check(tree, reached, (record) => records.push(record));
    for (const record of records) {
      const group = this.groupOf(record);
      reached.add(record).add(group);
      const consumers: RecordRef[] = [];
      this.names.ordered.check(this.consumersOf(group), reached, (consumer) => consumers.push(consumer));
      for (const consumer of consumers) reached.add(consumer).add(bodyOf(arena, consumer));
      this.pending.check(group, consumers, reached);
    }
  }

  #times(record: RecordRef): Float64Array {
    return this.#arena.f64[bodyOf(this.#arena, record) >>> CHUNK_SHIFT];
  }

  #timesAt(record: RecordRef): number {
    return bodyOf(this.#arena, record) & GRANULE_MASK;
  }
}
