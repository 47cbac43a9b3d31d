/**
 * Streams that are read become streams of the store here. What contradicts itself makes no value: a node twice, a
 * length that is not that of the nodes, an entry that is pending for two consumers or for none.
 */
import type { StreamId } from "../core/stream_id.ts";
import { NONE, type RecordRef } from "../store/memory/arena.ts";
import type { GroupRef, PendingRef } from "../store/values/streams/layout.ts";
import { StreamCounter, StreamPoint, UNKNOWN_COUNT } from "../store/values/streams/layout.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";
import type { StreamBuilder, StreamHead } from "./stream_reader.ts";

export class StreamTarget implements StreamBuilder {
  /** The parts contradict each other. */
  damaged = false;
  readonly #streams: StreamValue;
  #live = 0;
  #group: GroupRef = NONE as unknown as GroupRef;
  #consumer: RecordRef = NONE;
  #producer: RecordRef = NONE;
  /** Pending entries of the group, and how many of them have a consumer. */
  #pending = 0;
  #owned = 0;

  /** Builds the stream at hand, which is new. */
  constructor(streams: StreamValue) {
    this.#streams = streams;
  }

  node(id: StreamId, bytes: Uint8Array, start: number, end: number, elements: number, live: number): void {
    const { nodes, nodeIndex } = this.#streams;
    if (nodes.index.find(nodeIndex, id) !== 0) {
      this.damaged = true;
      return;
    }
    nodes.add(nodeIndex, id, 0, nodes.packed.fromImage(bytes, start, end, elements));
    this.#live += live;
  }

  head({ length, lastId, more }: StreamHead): void {
    const streams = this.#streams;
    if (length !== this.#live) this.damaged = true;
    streams.length = this.#live;
    streams.setPoint(StreamPoint.LAST, lastId);
    streams.findFirst();
    streams.setCounter(StreamCounter.ADDED, more?.added ?? BigInt(length));
    if (more === undefined) return;
    streams.setPoint(StreamPoint.DELETED, more.deletedId);
  }

  group(bytes: Uint8Array, start: number, end: number, lastId: StreamId, entriesRead: bigint | undefined): void {
    const streams = this.#streams, { groups, body } = streams;
    if (groups.find(body, bytes, start, end) !== 0) this.damaged = true;
    const read = entriesRead ?? streams.countUpTo(lastId, 0);
    if (!this.damaged) {
      this.#group = groups.create(body, bytes, start, end, lastId, read < 0n ? UNKNOWN_COUNT : read);
    }
    this.#consumer = NONE;
    this.#pending = this.#owned = 0;
  }

  pending(id: StreamId, timeMs: number, deliveries: bigint): void {
    if (this.damaged) return;
    const { pending } = this.#streams.groups;
    if (pending.find(this.#group, id) !== 0) {
      this.damaged = true;
      return;
    }
    const ref = pending.add(this.#group, NONE, id, timeMs, 0);
    pending.setDeliveries(ref, Number(BigInt.asIntN(32, deliveries >> 32n)), Number(BigInt.asIntN(32, deliveries)));
    this.#pending++;
  }

  consumer(bytes: Uint8Array, start: number, end: number, seenMs: number, activeMs: number): void {
    const { groups } = this.#streams;
    if (this.damaged || groups.findConsumer(this.#group, bytes, start, end) !== 0) {
      this.damaged = true;
      return;
    }
    this.#consumer = groups.createConsumer(this.#group, bytes, start, end, seenMs);
    groups.setActive(this.#consumer, activeMs);
  }

  owned(id: StreamId): void {
    if (this.damaged) return;
    const { pending } = this.#streams.groups;
    const ref: PendingRef = pending.find(this.#group, id);
    if (ref === 0 || pending.consumerOf(ref) !== 0) {
      this.damaged = true;
      return;
    }
    pending.give(ref, this.#consumer);
    this.#owned++;
  }

  groupEnd(): void {
    if (this.#owned !== this.#pending) this.damaged = true;
  }

  messageLimits(seconds: number, most: number): void {
    this.#streams.duration = seconds;
    this.#streams.maxSize = most;
  }

  producer(bytes: Uint8Array, start: number, end: number): void {
    const { producers, body } = this.#streams;
    if (producers.find(body, bytes, start, end) !== 0) this.damaged = true;
    this.#producer = producers.obtain(body, bytes, start, end);
  }

  message(bytes: Uint8Array, start: number, end: number, id: StreamId): void {
    const { producers } = this.#streams;
    // As in Redis, the first of two messages of one name counts.
    if (producers.lookUp(this.#producer, bytes, start, end, new Int32Array(4))) return;
    producers.insert(this.#producer, bytes, start, end, id);
  }

  messageCounters(added: bigint, duplicates: bigint): void {
    this.#streams.setCounter(StreamCounter.IIDS_ADDED, added);
    this.#streams.setCounter(StreamCounter.IIDS_DUPLICATE, duplicates);
  }
}
