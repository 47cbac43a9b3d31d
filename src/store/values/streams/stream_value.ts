/**
 * The stream: entries in the order of their ids, groups of consumers that read them, and the producers that added them.
 * layout.ts draws how a stream lies in the arena; this file owns its body and the operations on the whole: adding and
 * deleting entries, the counters, and what groups have read.
 *
 * One StreamValue serves all streams of a store. `open` takes one up. The body never moves. Cursors (`entries`,
 * `probe`, those of the indexes) are valid until the next write to what they walk over.
 */
import { invariant } from "../../../core/assert.ts";
import { compareIds, copyId, isZeroId, putWide, type StreamId, wideAt } from "../../../core/stream_id.ts";
import { setBody } from "../../blocks/record.ts";
import { Type } from "../../keyspace.ts";
import { type BodyRef, CHUNK_SHIFT, GRANULE_MASK, type IndexRef, NONE, type RecordRef } from "../../memory/arena.ts";
import type { Arena } from "../../memory/arena.ts";
import type { CommandWriter, Store, ValueType } from "../../store.ts";
import { EntryCursor } from "./entries.ts";
import { emitStream, StreamWalk } from "./emit.ts";
import { Groups } from "./groups.ts";
import {
  ADDED,
  DELETED_ID,
  DURATION,
  FIRST_ID,
  type GroupRef,
  GROUPS,
  incrementWide,
  LAST_ID,
  LENGTH,
  MAX_SIZE,
  type NodeRef,
  NODES,
  type PendingRef,
  STREAM_BYTES,
  StreamCounter,
  StreamPoint,
  UNKNOWN_COUNT,
} from "./layout.ts";
import { type Pairs, StreamNodes } from "./nodes.ts";
import { Producers } from "./producers.ts";

/** In the place of an encoding: parts of a stream that wait to be freed, an index of nodes and a group. */
const FREED_NODES = 14, FREED_GROUP = 15;
/** More nodes are cut off at once. */
const REMOVED_ONE_BY_ONE = 32;
/** A consumer with a larger part of what is pending in its group takes the indexes along; the others get new ones. */
const REMOVED_SHARE = 8;

export class StreamValue implements ValueType {
  /** Redis's stream-idmp-duration and stream-idmp-maxsize, for new streams. */
  messageSeconds = 100;
  messagesMax = 100;
  /** Since the start a stream knew messages of producers, or had limits of its own for them. */
  knowsMessages = false;

  readonly nodes: StreamNodes;
  readonly groups: Groups;
  readonly producers: Producers;
  /** The cursor of commands, and one for a look at a single entry meanwhile. */
  readonly entries: EntryCursor;
  readonly probe: EntryCursor;
  /** The stream at hand. */
  body: BodyRef = NONE;

  readonly #store: Store;
  readonly #arena: Arena;
  readonly #id: StreamId = new Int32Array(4);
  readonly #smallest: StreamId = new Int32Array(4);

  constructor(store: Store) {
    const { arena, dict } = store;
    this.#store = store;
    this.#arena = arena;
    this.nodes = new StreamNodes(arena);
    this.entries = new EntryCursor(arena, this.nodes);
    this.probe = new EntryCursor(arena, this.nodes);
    this.groups = new Groups(arena);
    this.producers = new Producers(arena, dict, this.groups.names);
  }

  /** Takes up a stream. */
  open(body: BodyRef): void {
    this.body = body;
  }

  /** Takes up a new, empty stream. */
  create(): void {
    const body: BodyRef = this.#arena.alloc(STREAM_BYTES);
    const nodes = this.nodes.index.create();
    this.open(body);
    const { words, at } = this;
    words.fill(0, at, at + (STREAM_BYTES >>> 2));
    words[at + NODES] = nodes;
    words[at + DURATION] = this.messageSeconds;
    words[at + MAX_SIZE] = this.messagesMax;
  }

  /** The words of the stream's chunk, and the index of its body in them. */
  get words(): Int32Array {
    return this.#arena.i32[this.body >>> CHUNK_SHIFT];
  }

  get at(): number {
    return (this.body & GRANULE_MASK) << 1;
  }

  /** Number of entries. */
  get length(): number {
    return this.words[this.at + LENGTH] >>> 0;
  }

  set length(length: number) {
    this.words[this.at + LENGTH] = length;
  }

  /** The index of the stream's nodes. */
  get nodeIndex(): IndexRef {
    return this.words[this.at + NODES] as IndexRef;
  }

  /** Seconds for which the entries of producers are known to new ones, and how many of each producer. */
  get duration(): number {
    return this.words[this.at + DURATION];
  }

  set duration(seconds: number) {
    if (seconds !== this.messageSeconds) this.knowsMessages = true;
    this.words[this.at + DURATION] = seconds;
  }

  get maxSize(): number {
    return this.words[this.at + MAX_SIZE];
  }

  set maxSize(messages: number) {
    if (messages !== this.messagesMax) this.knowsMessages = true;
    this.words[this.at + MAX_SIZE] = messages;
  }

  readPoint(point: StreamPoint, id: StreamId): void {
    copyId(this.words, this.at + point, id, 0);
  }

  setPoint(point: StreamPoint, id: StreamId): void {
    copyId(id, 0, this.words, this.at + point);
  }

  /** How the id at `words[i]` stands to one that the stream keeps. */
  compareToPoint(words: Int32Array, i: number, point: StreamPoint): number {
    return compareIds(words, i, this.words, this.at + point);
  }

  /** A counter, exactly. Cold. */
  counter(counter: StreamCounter): bigint {
    return wideAt(this.words, this.at + counter);
  }

  setCounter(counter: StreamCounter, value: bigint): void {
    if (counter === StreamCounter.IIDS_ADDED && value > 0n) this.knowsMessages = true;
    putWide(this.words, this.at + counter, value);
  }

  incrementCounter(counter: StreamCounter): void {
    if (counter === StreamCounter.IIDS_ADDED) this.knowsMessages = true;
    incrementWide(this.words, this.at + counter);
  }

  /** Adds an entry with an id above the last one. Hot. */
  append(id: StreamId, pairs: Pairs): void {
    const { words, at } = this;
    this.nodes.append(this.nodeIndex, id, pairs);
    incrementWide(words, at + ADDED);
    copyId(id, 0, words, at + LAST_ID);
    if (++words[at + LENGTH] === 1) copyId(id, 0, words, at + FIRST_ID);
  }

  /** Deletes the entry with an id. False if there is none. Whatever is pending stays so. */
  remove(id: StreamId): boolean {
    const { probe, nodes } = this;
    if (!probe.find(this.nodeIndex, id)) return false;
    const { node } = probe;
    if (nodes.live(node) === 1) {
      nodes.remove(this.nodeIndex, node);
    } else {
      nodes.markDeleted(probe.block, probe.position);
      nodes.countDeleted(node, 1);
    }
    this.length--;
    if (this.compareToPoint(id, 0, StreamPoint.DELETED) > 0) this.setPoint(StreamPoint.DELETED, id);
    if (this.compareToPoint(id, 0, StreamPoint.FIRST) === 0) this.findFirst();
    return true;
  }

  /** Finds the id of the first entry anew. */
  findFirst(): void {
    const { probe } = this;
    if (this.length > 0 && probe.first(this.nodeIndex)) this.setPoint(StreamPoint.FIRST, probe.id);
    else this.words.fill(0, this.at + FIRST_ID, this.at + FIRST_ID + 4);
  }

  /** Whether there is an entry with an id. */
  hasEntry(id: StreamId): boolean {
    return this.probe.find(this.nodeIndex, id);
  }

  /** Leaves the id of the last entry that is not deleted in `id`. False if there is none. */
  readLastLive(id: StreamId): boolean {
    const { probe } = this;
    if (!probe.last(this.nodeIndex)) return false;
    id.set(probe.id);
    return true;
  }

  /** Leaves the id of the first entry, deleted or not, in `id`; the largest id if there is none. */
  readEdge(id: StreamId): void {
    const { probe } = this;
    probe.tombstones = true;
    if (probe.first(this.nodeIndex)) id.set(probe.id);
    else id.fill(-1);
    probe.tombstones = false;
  }

  /** Removes all entries at once; they are freed in slices. */
  removeAll(): void {
    const { words, at } = this, old = this.nodeIndex;
    words[at + NODES] = this.nodes.index.create();
    words[at + LENGTH] = 0;
    this.findFirst();
    this.#store.freeBody(Type.STREAM, FREED_NODES, old as unknown as BodyRef);
  }

  /** Removes the first nodes, but not all, which have so many entries; they are freed in slices if they are many. */
  removeFirst(nodes: number, entries: number): void {
    const { index } = this.nodes, tree = this.nodeIndex;
    this.length -= entries;
    if (nodes > REMOVED_ONE_BY_ONE) {
      this.nodes.moves++;
      this.#store.freeBody(Type.STREAM, FREED_NODES, index.cut(tree, nodes) as unknown as BodyRef);
      return;
    }
    for (; nodes > 0; nodes--) this.nodes.free(index.removeAt(tree, 0));
  }

  /** Whether an entry between an id, or the first one, and the end may have been deleted. */
  hasGapsFrom(words: Int32Array, i: number): boolean {
    if (this.length === 0 || isZeroId(this.words, this.at + DELETED_ID)) return false;
    return this.compareToPoint(words, i, StreamPoint.DELETED) <= 0;
  }

  /** How many entries were ever added up to the one at `words[i]`; UNKNOWN_COUNT if that cannot be told. */
  countUpTo(words: Int32Array, i: number): bigint {
    const added = this.counter(StreamCounter.ADDED), { length } = this;
    if (added === 0n) return 0n;
    const toLast = this.compareToPoint(words, i, StreamPoint.LAST);
    if (length === 0 && toLast <= 0) return added;
    if (!isZeroId(words, i) && this.compareToPoint(words, i, StreamPoint.DELETED) < 0) return UNKNOWN_COUNT;
    if (toLast === 0) return added;
    if (toLast > 0) return UNKNOWN_COUNT;
    const { at } = this, own = this.words;
    if (isZeroId(own, at + DELETED_ID) || compareIds(own, at + DELETED_ID, own, at + FIRST_ID) < 0) {
      const toFirst = this.compareToPoint(words, i, StreamPoint.FIRST);
      if (toFirst <= 0) return added - BigInt(length) + (toFirst === 0 ? 1n : 0n);
    }
    return UNKNOWN_COUNT;
  }

  /** How many entries a group has still to read; undefined if that cannot be told. */
  lagOf(group: GroupRef): bigint | undefined {
    const { groups, at } = this, own = this.words;
    const words = groups.wordsOf(group), last = groups.lastIdAt(group);
    const added = this.counter(StreamCounter.ADDED);
    if (added === 0n || this.length === 0) return 0n;
    if (
      this.compareToPoint(words, last, StreamPoint.FIRST) < 0 &&
      compareIds(own, at + DELETED_ID, own, at + FIRST_ID) < 0
    ) return BigInt(this.length);
    const read = groups.entriesReadOf(group);
    if (read !== UNKNOWN_COUNT && !this.hasGapsFrom(words, last)) return BigInt.asIntN(64, added - read);
    const upTo = this.countUpTo(words, last);
    return upTo === UNKNOWN_COUNT ? undefined : added - upTo;
  }

  /** Moves the last delivered id of a group on to an entry that it reads, and counts that entry. Hot. */
  advance(group: GroupRef, id: StreamId): void {
    const { groups } = this;
    const words = groups.wordsOf(group), last = groups.lastIdAt(group);
    if (
      !groups.isCountUnknown(group) && this.compareToPoint(words, last, StreamPoint.FIRST) >= 0 &&
      !this.hasGapsFrom(words, last)
    ) groups.countRead(group);
    else if (this.words[this.at + ADDED] !== 0 || this.words[this.at + ADDED + 1] !== 0) {
      groups.setEntriesRead(group, this.countUpTo(id, 0));
    }
    groups.setLastId(group, id);
  }

  /**
   * The smallest last delivered id of the groups, for `isReferenced`, as long as groups do not change. False if there
   * are no groups.
   */
  findSmallestRead(): boolean {
    const { groups } = this, smallest = this.#smallest.fill(-1);
    const all = groups.all(this.body);
    for (const record of all) {
      const group = groups.groupOf(record);
      if (compareIds(groups.wordsOf(group), groups.lastIdAt(group), smallest, 0) < 0) {
        groups.readLastId(group, smallest);
      }
    }
    return all.length > 0;
  }

  /** Whether a group has not read an entry, or has it pending. After `findSmallestRead`, if there are groups. */
  isReferenced(id: StreamId): boolean {
    if (compareIds(this.#smallest, 0, id, 0) < 0) return true;
    const { groups } = this;
    return groups.all(this.body).some((record) => groups.pending.find(groups.groupOf(record), id) !== 0);
  }

  /** Takes an entry out of what is pending in all groups. */
  dropReferences(id: StreamId): void {
    const { groups } = this, { pending } = groups;
    for (const record of groups.all(this.body)) {
      const group = groups.groupOf(record), ref = pending.find(group, id);
      if (ref !== 0) pending.remove(group, ref);
    }
  }

  /** Removes the group with a name. False if there is none. A large one is freed in slices. */
  removeGroup(bytes: Uint8Array, start: number, end: number): boolean {
    const group = this.groups.detach(this.body, bytes, start, end);
    if (group === 0) return false;
    this.#store.freeBody(Type.STREAM, FREED_GROUP, group as unknown as BodyRef);
    return true;
  }

  /** Removes a consumer with all that it has pending. Returns how many entries those were. */
  removeConsumer(group: GroupRef, consumer: RecordRef): number {
    const { groups } = this, { pending } = groups, { ids } = pending;
    const count = ids.count(pending.ofConsumer(consumer)), total = ids.count(pending.byId(group));
    if (count === 0) {
      groups.removeConsumer(group, consumer);
      return 0;
    }
    const freed = groups.detachConsumer(group, consumer, count > total / REMOVED_SHARE);
    this.#store.freeBody(Type.STREAM, FREED_GROUP, freed as unknown as BodyRef);
    return count;
  }

  emit(_encoding: number, body: BodyRef, cursor: number, writer: CommandWriter): number {
    this.open(body);
    const walk = cursor === 0 ? new StreamWalk() : writer.place as StreamWalk;
    writer.place = walk;
    return emitStream(this, walk, writer) ? 0 : 1;
  }

  copy(_encoding: number, body: BodyRef): BodyRef {
    const { nodes, groups, producers } = this, { index } = nodes;
    this.create();
    const target = this.body, { words, at } = this, copies = this.nodeIndex;
    const own = this.#arena.i32[body >>> CHUNK_SHIFT], from = (body & GRANULE_MASK) << 1;
    for (let i = LENGTH; i < STREAM_BYTES >>> 2; i++) words[at + i] = own[from + i];
    words[at + GROUPS] = words[at + GROUPS + 1] = 0;
    for (index.seekFirst(own[from + NODES] as IndexRef); index.leaf !== 0; index.step()) {
      // Adding moves the cursor.
      const { leaf, index: place, ref } = index;
      const id = this.#arena.i32[ref >>> CHUNK_SHIFT];
      nodes.add(copies, id, (ref & GRANULE_MASK) << 1, nodes.packed.copy(nodes.blockOf(ref)));
      index.leaf = leaf;
      index.index = place;
    }
    groups.copy(body, target);
    producers.copy(body, target);
    return target;
  }

  free(encoding: number, body: BodyRef, budget: number): BodyRef {
    if (encoding === FREED_GROUP) return this.groups.free(body as unknown as GroupRef, budget) as unknown as BodyRef;
    if (encoding === FREED_NODES) return this.#freeNodes(body as unknown as IndexRef, budget) as unknown as BodyRef;
    const arena = this.#arena, { groups } = this;
    const words = arena.i32[body >>> CHUNK_SHIFT], at = (body & GRANULE_MASK) << 1;
    if (words[at + NODES] !== 0) {
      words[at + NODES] = this.#freeNodes(words[at + NODES] as IndexRef, budget);
      if (words[at + NODES] !== 0) return body;
    }
    const tree = groups.treeOf(body), { ordered } = groups.names;
    while (tree !== 0 && ordered.count(tree) > 0) {
      ordered.seek(tree, ordered.count(tree) - 1);
      const record = ordered.ref;
      const rest = groups.free(groups.groupOf(record), budget);
      setBody(arena, record, rest as unknown as BodyRef);
      if (rest !== 0) return body;
      // The consumers of the group were in an index of the same kind.
      ordered.removeAt(tree, ordered.count(tree) - 1);
      arena.free(record);
      if ((budget -= 8) <= 0) return body;
    }
    if (tree !== 0) {
      const rest = ordered.drain(tree, Infinity);
      invariant(rest === 0, "an index was not freed");
    }
    this.producers.clear(body);
    arena.free(body);
    return NONE;
  }

  count(_encoding: number, body: BodyRef): number {
    return this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + LENGTH] >>> 0;
  }

  sizeBytes(_encoding: number, body: BodyRef, samples: number): number {
    const arena = this.#arena, { nodes } = this, { index } = nodes;
    this.open(body);
    const tree = this.nodeIndex, count = index.count(tree);
    const looked = samples === 0 ? count : Math.min(samples, count);
    let sum = 0;
    index.seekFirst(tree);
    for (let i = 0; i < looked; i++, index.step()) {
      sum += arena.sizeOf(index.ref) + arena.sizeOf(nodes.blockOf(index.ref));
    }
    return arena.sizeOf(body) + index.sizeBytes(tree) + (looked === 0 ? 0 : Math.round(sum / looked * count)) +
      this.groups.sizeBytes(body) + this.producers.sizeBytes(body);
  }

  check(_encoding: number, body: BodyRef, reached: Set<number>): void {
    const { nodes, entries } = this;
    reached.add(body);
    this.open(body);
    let length = 0;
    const refs: NodeRef[] = [];
    nodes.index.check(this.nodeIndex, reached, (node) => refs.push(node));
    for (const node of refs) length += nodes.check(node, reached);
    invariant(length === this.length, "the entries of a stream are miscounted");
    const first = this.#id.fill(0);
    if (entries.first(this.nodeIndex)) first.set(entries.id);
    invariant(this.compareToPoint(first, 0, StreamPoint.FIRST) === 0, "the first entry of a stream is another one");
    if (entries.last(this.nodeIndex)) {
      invariant(
        this.compareToPoint(entries.id, 0, StreamPoint.LAST) <= 0,
        "an entry is above the last id of its stream",
      );
    }
    this.groups.check(body, reached);
    this.producers.check(body, reached);
  }

  /** Takes the pending entry with an id out of a group, if it is there. */
  acknowledge(group: GroupRef, id: StreamId): boolean {
    const { pending } = this.groups, ref: PendingRef = pending.find(group, id);
    if (ref === 0) return false;
    pending.remove(group, ref);
    return true;
  }

  #freeNodes(tree: IndexRef, budget: number): IndexRef {
    // Each node is two blocks.
    return this.nodes.index.drain(tree, budget >>> 1, (node) => this.nodes.free(node));
  }
}
