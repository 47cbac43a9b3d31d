/**
 * Writing a stream as the commands that build it, in steps: first its entries, then its ids and counters, then group by
 * group the consumers and what is pending, and the producers last.
 *
 * Redis has no command for an entry that is pending but deleted, so such entries are left out, as in Redis's own files.
 */
import { bytesEqual, compareBytes } from "../../../core/bytes.ts";
import { idText, isZeroId, newId, type StreamId } from "../../../core/stream_id.ts";
import type { RecordRef } from "../../memory/arena.ts";
import type { CommandWriter } from "../../store.ts";
import { type GroupRef, StreamCounter, StreamPoint } from "./layout.ts";
import type { StreamValue } from "./stream_value.ts";

/** How far a stream is written. */
export class StreamWalk {
  /** The entries up to their ids and counters are written. */
  entriesDone = false;
  /** The id from which entries are to be written. */
  readonly from: StreamId = newId();
  /** The name of the group that is half written; the groups before it are written. */
  group: Uint8Array | undefined;
  /** The name of its consumer that is half written. */
  consumer: Uint8Array | undefined;
  /** The id from which the consumer's pending entries are to be written. */
  readonly pendingFrom: StreamId = newId();
  /** All groups are written. */
  groupsDone = false;
}

/** Goes on with a walk until the writer is full. True if the stream is written. */
export function emitStream(streams: StreamValue, walk: StreamWalk, writer: CommandWriter): boolean {
  if (!walk.entriesDone && !emitEntries(streams, walk, writer)) return false;
  if (!walk.groupsDone && !emitGroups(streams, walk, writer)) return false;
  emitProducers(streams, writer);
  return true;
}

function emitEntries(streams: StreamValue, walk: StreamWalk, writer: CommandWriter): boolean {
  const { entries, nodeIndex } = streams, { packed } = streams.nodes;
  const isFirst = isZeroId(walk.from);
  const bulk = () => {
    packed.text();
    writer.bytes(packed.bytes, packed.start, packed.start + packed.length);
  };
  if (isFirst && streams.length === 0) {
    // The only way to an empty stream without a group.
    writer.command("XADD");
    for (const word of ["MAXLEN", "0", "0-1", "x", "y"]) writer.text(word);
  }
  for (let there = entries.seekFrom(nodeIndex, walk.from); there; there = entries.next()) {
    if (writer.full) {
      walk.from.set(entries.id);
      return false;
    }
    writer.command("XADD");
    writer.text(idText(entries.id));
    entries.begin();
    for (let i = entries.count; i > 0; i--) {
      entries.readField();
      bulk();
      entries.readValue();
      bulk();
    }
  }
  const id = newId();
  if (!isFirst && streams.length > 0) {
    // Entries that were written may have been trimmed since.
    streams.readPoint(StreamPoint.FIRST, id);
    writer.command("XTRIM");
    for (const word of ["MINID", "=", idText(id)]) writer.text(word);
  }
  writer.command("XSETID");
  streams.readPoint(StreamPoint.LAST, id);
  writer.text(idText(id));
  writer.text("ENTRIESADDED");
  writer.text(String(streams.counter(StreamCounter.ADDED)));
  writer.text("MAXDELETEDID");
  streams.readPoint(StreamPoint.DELETED, id);
  writer.text(idText(id));
  walk.entriesDone = true;
  return true;
}

function emitGroups(streams: StreamValue, walk: StreamWalk, writer: CommandWriter): boolean {
  const { groups, body } = streams;
  const id = newId();
  for (const record of from(streams, groups.all(body), walk.group)) {
    const group = groups.groupOf(record), name = nameOf(streams, record);
    if (walk.group === undefined || !equal(walk.group, name)) {
      if (writer.full) return false;
      writer.command("XGROUP CREATE");
      writer.bytes(name, 0, name.length);
      groups.readLastId(group, id);
      writer.text(idText(id));
      writer.text("ENTRIESREAD");
      writer.text(String(groups.entriesReadOf(group)));
      walk.group = name;
      walk.consumer = undefined;
    }
    if (!emitConsumers(streams, group, walk, writer)) return false;
  }
  walk.groupsDone = true;
  return true;
}

function emitConsumers(streams: StreamValue, group: GroupRef, walk: StreamWalk, writer: CommandWriter): boolean {
  const { groups } = streams, { pending } = groups, { ids } = pending, id = newId();
  const groupName = walk.group!;
  for (const record of from(streams, groups.names.all(groups.consumersOf(group)), walk.consumer)) {
    const name = nameOf(streams, record), tree = pending.ofConsumer(record);
    if (walk.consumer === undefined || !equal(walk.consumer, name)) {
      if (writer.full) return false;
      walk.consumer = name;
      walk.pendingFrom.fill(0);
      if (ids.count(tree) === 0) {
        writer.command("XGROUP CREATECONSUMER");
        writer.bytes(groupName, 0, groupName.length);
        writer.bytes(name, 0, name.length);
      }
    }
    for (ids.seekFrom(tree, walk.pendingFrom, 0, false); ids.leaf !== 0; ids.step()) {
      const { ref } = ids;
      pending.readId(ref, id);
      if (writer.full) {
        walk.pendingFrom.set(id);
        return false;
      }
      writer.command("XCLAIM");
      writer.bytes(groupName, 0, groupName.length);
      writer.bytes(name, 0, name.length);
      for (
        const word of [
          "0",
          idText(id),
          "TIME",
          String(pending.timeOf(ref)),
          "RETRYCOUNT",
          String(pending.exactDeliveriesOf(ref)),
          "JUSTID",
          "FORCE",
        ]
      ) writer.text(word);
    }
    walk.pendingFrom.fill(-1);
  }
  return true;
}

function emitProducers(streams: StreamValue, writer: CommandWriter): void {
  const { producers, body } = streams;
  if (streams.duration !== streams.messageSeconds || streams.maxSize !== streams.messagesMax) {
    writer.command("XCFGSET");
    for (const word of ["IDMP-DURATION", String(streams.duration), "IDMP-MAXSIZE", String(streams.maxSize)]) {
      writer.text(word);
    }
  }
  for (const producer of producers.all(body)) {
    const name = nameOf(streams, producer);
    producers.each(producer, (bytes, start, end, id) => {
      if (!streams.hasEntry(id)) return;
      writer.command("XIDMPRECORD");
      writer.bytes(name, 0, name.length);
      writer.bytes(bytes, start, end);
      writer.text(idText(id));
    });
  }
}

/** The records from a name on. */
function from(
  { groups }: StreamValue,
  records: readonly RecordRef[],
  name: Uint8Array | undefined,
): readonly RecordRef[] {
  if (name === undefined) return records;
  return records.filter((record) =>
    compareBytes(
      groups.bytesOf(record),
      groups.startOf(record),
      groups.endOf(record),
      name,
      0,
      name.length,
    ) >= 0
  );
}

function nameOf({ groups }: StreamValue, record: RecordRef): Uint8Array {
  return groups.bytesOf(record).slice(groups.startOf(record), groups.endOf(record));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return bytesEqual(a, 0, a.length, b, 0, b.length);
}
