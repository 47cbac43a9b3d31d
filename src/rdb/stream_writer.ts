/**
 * Writing streams, in the forms of Redis 7.0, 7.2 and 8.6. The counterpart of stream_reader.ts.
 */
import { wideAt } from "../core/stream_id.ts";
import { CHUNK_SHIFT, GRANULE_MASK, type IndexRef, type RecordRef } from "../store/memory/arena.ts";
import type { Store } from "../store/store.ts";
import { StreamCounter, StreamPoint } from "../store/values/streams/layout.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";
import { RdbType, VERSION_PRODUCERS, VERSION_STREAM_ACTIVE_TIME } from "./format.ts";
import type { RdbOutput } from "./output.ts";

const ID_BYTES = 16;

/** The RDB type of streams in files of a version. */
export function streamType(version: number): number {
  if (version < VERSION_STREAM_ACTIVE_TIME) return RdbType.STREAM_LISTPACKS_2;
  return version === VERSION_PRODUCERS ? RdbType.STREAM_LISTPACKS_4 : RdbType.STREAM_LISTPACKS_3;
}

export class StreamWriter {
  readonly #store: Store;
  readonly #streams: StreamValue;
  readonly #output: RdbOutput;
  readonly #id = new Uint8Array(ID_BYTES);
  readonly #idView = new DataView(this.#id.buffer);
  readonly #words = new Int32Array(4);

  constructor(store: Store, streams: StreamValue, output: RdbOutput) {
    this.#store = store;
    this.#streams = streams;
    this.#output = output;
  }

  /** Writes the stream at hand in the form of a type. */
  write(type: number): void {
    const streams = this.#streams, output = this.#output;
    this.#nodes();
    output.count(streams.length);
    for (const point of [StreamPoint.LAST, StreamPoint.FIRST, StreamPoint.DELETED]) this.#idLengths(point);
    output.wide(streams.counter(StreamCounter.ADDED));
    const { groups, body } = streams;
    const all = groups.all(body);
    output.count(all.length);
    for (const record of all) this.#group(type, record);
    if (type === RdbType.STREAM_LISTPACKS_4) this.#producers();
  }

  #nodes(): void {
    const { nodes, nodeIndex } = this.#streams, { index, packed } = nodes, output = this.#output;
    output.count(index.count(nodeIndex));
    for (index.seekFirst(nodeIndex); index.leaf !== 0; index.step()) {
      const node = index.ref;
      this.#setId(this.#store.arena.i32[node >>> CHUNK_SHIFT], (node & GRANULE_MASK) << 1);
      output.string(this.#id, 0, ID_BYTES);
      const image = packed.image(nodes.blockOf(node));
      output.string(image, 0, image.length);
    }
  }

  /** Writes an id of the stream as two numbers. */
  #idLengths(point: StreamPoint): void {
    this.#streams.readPoint(point, this.#words);
    this.#numbers(this.#words);
  }

  #numbers(id: Int32Array): void {
    this.#output.wide(wideAt(id, 0));
    this.#output.wide(wideAt(id, 2));
  }

  #group(type: number, record: RecordRef): void {
    const { groups } = this.#streams, output = this.#output, { pending } = groups, { ids } = pending;
    const group = groups.groupOf(record);
    this.#name(record);
    groups.readLastId(group, this.#words);
    this.#numbers(this.#words);
    output.wide(BigInt.asUintN(64, groups.entriesReadOf(group)));
    const tree = pending.byId(group);
    output.count(ids.count(tree));
    for (ids.seekFirst(tree); ids.leaf !== 0; ids.step()) {
      const { ref } = ids;
      this.#rawId(ref);
      output.int64(pending.timeOf(ref));
      output.wide(BigInt.asUintN(64, pending.exactDeliveriesOf(ref)));
    }
    const consumers = groups.names.all(groups.consumersOf(group));
    output.count(consumers.length);
    for (const consumer of consumers) {
      this.#name(consumer);
      output.int64(groups.seenOf(consumer));
      if (type !== RdbType.STREAM_LISTPACKS_2) output.int64(groups.activeOf(consumer));
      const own: IndexRef = pending.ofConsumer(consumer);
      output.count(ids.count(own));
      for (ids.seekFirst(own); ids.leaf !== 0; ids.step()) this.#rawId(ids.ref);
    }
  }

  #producers(): void {
    const streams = this.#streams, output = this.#output, { producers, body } = streams;
    output.count(streams.duration);
    output.count(streams.maxSize);
    const all = producers.all(body);
    output.count(all.length);
    for (const producer of all) {
      this.#name(producer);
      output.count(producers.messageCount(producer));
      producers.each(producer, (bytes, start, end, id) => {
        output.string(bytes, start, end);
        this.#numbers(id);
      });
    }
    output.wide(streams.counter(StreamCounter.IIDS_ADDED));
    output.wide(streams.counter(StreamCounter.IIDS_DUPLICATE));
  }

  #name(record: RecordRef): void {
    const { groups } = this.#streams;
    this.#output.string(groups.bytesOf(record), groups.startOf(record), groups.endOf(record));
  }

  /** Writes the id at the start of a block, the highest byte first. */
  #rawId(ref: number): void {
    this.#setId(this.#store.arena.i32[ref >>> CHUNK_SHIFT], (ref & GRANULE_MASK) << 1);
    this.#output.raw(this.#id, 0, ID_BYTES);
  }

  #setId(words: Int32Array, at: number): void {
    for (let i = 0; i < 4; i++) this.#idView.setInt32(4 * i, words[at + i]);
  }
}
