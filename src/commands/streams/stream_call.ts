/**
 * Helpers of the stream commands: opening a stream, reading ids, and replying with entries.
 */
import { fail, shownText } from "../../core/errors.ts";
import {
  copyId,
  decrementId,
  ID_WORDS,
  IdForm,
  IdOption,
  IdWriter,
  incrementId,
  newId,
  parseId,
  type StreamId,
} from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import { Notify } from "../../engine/listeners.ts";
import { Type } from "../../store/keyspace.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import type { EntryCursor } from "../../store/values/streams/entries.ts";
import type { GroupRef } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";

const INVALID_ID = "ERR Invalid stream ID specified as stream command argument";
const INVALID_START = "ERR invalid start ID for the interval";
const INVALID_END = "ERR invalid end ID for the interval";

const idWriter = new IdWriter();

/** The store's streams. */
export function streamsOf(call: Call): StreamValue {
  return call.store.valueType(Type.STREAM) as StreamValue;
}

/** Opens the stream of a record. */
export function openStream(call: Call, ref: RecordRef): StreamValue {
  const streams = streamsOf(call);
  streams.open(call.db.bodyOf(ref));
  return streams;
}

/** The group with the name in argument i of the stream at hand, 0 if there is none. */
export function findGroup(call: Call, streams: StreamValue, i: number): GroupRef {
  return streams.groups.find(streams.body, call.bytes, call.start(i), call.end(i));
}

/** Argument i as an id; a missing sequence is 0. */
export function idArgument(call: Call, i: number, id: StreamId, options: number = IdOption.NONE): number {
  const form = parseId(call.bytes, call.start(i), call.end(i), id, options);
  return form === IdForm.INVALID ? fail(INVALID_ID) : form;
}

let listed = new Int32Array(64);
const one: StreamId = newId();

/** The ids in arguments `from` to `to`, one behind the other, valid until the next call. Hot. */
export function idArguments(call: Call, from: number, to: number): Int32Array {
  if (listed.length < ID_WORDS * (to - from)) listed = new Int32Array(2 * ID_WORDS * (to - from));
  for (let i = from; i < to; i++) {
    idArgument(call, i, one);
    copyId(one, 0, listed, ID_WORDS * (i - from));
  }
  return listed;
}

const PARENTHESIS = 40;

/** Argument i as the first id of a range: `-`, an id, or `(` and an id that does not belong to it. */
export function startArgument(call: Call, i: number, id: StreamId): void {
  if (!boundArgument(call, i, id, IdOption.EDGES)) return;
  if (!incrementId(id)) fail(INVALID_START);
}

/** Argument i as the last id of a range. */
export function endArgument(call: Call, i: number, id: StreamId): void {
  if (!boundArgument(call, i, id, IdOption.EDGES | IdOption.MISSING_MAX)) return;
  if (!decrementId(id)) fail(INVALID_END);
}

/** Reads a bound. True if its id does not belong to the range. */
function boundArgument(call: Call, i: number, id: StreamId, options: number): boolean {
  const { bytes } = call, start = call.start(i), end = call.end(i);
  const open = end - start > 1 && bytes[start] === PARENTHESIS;
  const form = open
    ? parseId(bytes, start + 1, end, id, options & ~IdOption.EDGES)
    : parseId(bytes, start, end, id, options);
  if (form === IdForm.INVALID) fail(INVALID_ID);
  return open;
}

/** A bulk string of the id at `words[at]`. Hot. */
export function replyId(call: Call, words: Int32Array, at = 0): void {
  call.reply.bulkView(idWriter.view, 0, idWriter.write(words, at));
}

/** Replies with the fields and values of the entry under a cursor. Hot. */
export function replyFields(call: Call, streams: StreamValue, cursor: EntryCursor): void {
  const { reply } = call, { count } = cursor, { packed } = streams.nodes;
  reply.array(2 * count);
  if (cursor.readAll()) return reply.bulkViews(cursor.view, cursor.starts, cursor.ends, 2 * count);
  const element = () => {
    if (packed.integer) {
      packed.text();
      reply.bulk(packed.bytes, packed.start, packed.start + packed.length);
    } else {
      reply.bulkView(packed.view, packed.start, packed.start + packed.length);
    }
  };
  cursor.begin();
  for (let i = 0; i < count; i++) {
    cursor.readField();
    element();
    cursor.readValue();
    element();
  }
}

/** Replies with the id and the fields of the entry under a cursor. Hot. */
export function replyEntry(call: Call, streams: StreamValue, cursor: EntryCursor): void {
  const { reply } = call, { count, id } = cursor;
  if (cursor.readAll()) {
    reply.entry(idWriter.view, idWriter.write(id, 0), cursor.view, cursor.starts, cursor.ends, 2 * count);
    return;
  }
  reply.array(2);
  replyId(call, id);
  replyFields(call, streams, cursor);
}

/** Replies with the name of a group, consumer or producer. */
export function replyName(call: Call, { groups }: StreamValue, record: RecordRef): void {
  call.reply.bulk(groups.bytesOf(record), groups.startOf(record), groups.endOf(record));
}

/** Reports `count` changes of key argument i that WATCH does not see, because Redis does not count them as changes. */
export function changedQuietly(call: Call, event: string, i: number, count = 1): void {
  call.countChanges(count);
  const { bytes, start, end } = call.request;
  call.store.noteChange(call.db, bytes, start[i], end[i]);
  if (event !== "") call.announced(Notify.STREAM, event, i);
}

/** An integer reply of a 64-bit number. */
export function replyWide(call: Call, value: bigint): void {
  const number = Number(value);
  if (Number.isSafeInteger(number)) call.reply.integer(number);
  else call.reply.bigInteger(BigInt.asIntN(64, value));
}

/** Argument i as error messages show it. */
export function shown(call: Call, i: number): string {
  return shownText(call.text(i));
}

/** The consumer with the name in argument i of a group, which is added if it is missing. */
export function obtainConsumer(
  call: Call,
  streams: StreamValue,
  group: GroupRef,
  i: number,
  key: number,
): { readonly consumer: RecordRef; readonly created: boolean } {
  const { groups } = streams, { bytes } = call, { nowMs } = call.store;
  const found = groups.findConsumer(group, bytes, call.start(i), call.end(i));
  if (found !== 0) {
    groups.setSeen(found, nowMs);
    return { consumer: found, created: false };
  }
  const consumer = groups.createConsumer(group, bytes, call.start(i), call.end(i), nowMs);
  changedQuietly(call, "xgroup-createconsumer", key);
  return { consumer, created: true };
}

export { newId };
