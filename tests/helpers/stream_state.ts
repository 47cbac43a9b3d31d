/**
 * What a stream knows beside its entries, as text, for tests that compare two stores: ids, counters, groups, and what
 * is pending for whom.
 */
import { idText, newId } from "../../src/core/stream_id.ts";
import { type Keyspace, Type } from "../../src/store/keyspace.ts";
import type { RecordRef } from "../../src/store/memory/arena.ts";
import { StreamCounter, StreamPoint } from "../../src/store/values/streams/layout.ts";
import type { StreamValue } from "../../src/store/values/streams/stream_value.ts";
import { latin1 } from "./client.ts";

/** `deletedToo`: also pending entries that the stream no longer has, which rewritten files cannot hold. */
export function streamState(db: Keyspace, ref: RecordRef, deletedToo: boolean): string {
  if (db.typeOf(ref) !== Type.STREAM) return "";
  const streams = db.store.valueType(Type.STREAM) as StreamValue, { groups } = streams, { pending } = groups;
  streams.open(db.bodyOf(ref));
  const id = newId();
  const point = (which: StreamPoint) => {
    streams.readPoint(which, id);
    return idText(id);
  };
  const nameOf = (record: RecordRef) =>
    latin1(groups.bytesOf(record).subarray(groups.startOf(record), groups.endOf(record)));
  const parts = [
    point(StreamPoint.LAST),
    point(StreamPoint.FIRST),
    point(StreamPoint.DELETED),
    streams.counter(StreamCounter.ADDED),
  ].map(String);
  for (const record of groups.all(streams.body)) {
    const group = groups.groupOf(record), { ids } = pending;
    groups.readLastId(group, id);
    parts.push(`group ${nameOf(record)} ${idText(id)} ${groups.entriesReadOf(group)}`);
    for (ids.seekFirst(pending.byId(group)); ids.leaf !== 0; ids.step()) {
      pending.readId(ids.ref, id);
      if (deletedToo || streams.hasEntry(id)) parts.push(`${idText(id)}:${nameOf(pending.consumerOf(ids.ref))}`);
    }
  }
  return ` ${parts.join(" ")}`;
}
