/**
 * Reading ranges of a stream, and deleting entries by their ids.
 */
import { compareIds, copyId, ID_WORDS, newId, type StreamId } from "../../core/stream_id.ts";
import { fail, messages } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { Notify } from "../../engine/listeners.ts";
import { Type } from "../../store/keyspace.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import { References } from "../../store/values/streams/trim.ts";
import { endArgument, idArguments, openStream, replyEntry, startArgument } from "./stream_call.ts";
import { parseIds, referencesSyntax } from "./trim_options.ts";

export const rangeCommands: readonly CommandSpec[] = [
  {
    name: "xlen",
    summary: "Returns the number of entries of a stream.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    syntax: "key",
    handler: length,
  },
  {
    name: "xrange",
    summary: "Returns the entries of a stream with ids in a range.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(log(N)+M) with N entries in the stream and M returned",
    arity: -4,
    flags: ["readonly"],
    growsWithReply: true,
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key start end [COUNT count]",
    types: { start: "string", end: "string" },
    handler: (call) => range(call, false),
  },
  {
    name: "xrevrange",
    summary: "Returns the entries of a stream with ids in a range, the last first.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(log(N)+M) with N entries in the stream and M returned",
    arity: -4,
    flags: ["readonly"],
    growsWithReply: true,
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key end start [COUNT count]",
    types: { start: "string", end: "string" },
    handler: (call) => range(call, true),
  },
  {
    name: "xdel",
    summary: "Deletes entries of a stream and returns how many.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(log(N)) for each entry with N entries in the stream",
    arity: -3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW DELETE"),
    syntax: "key id [id ...]",
    handler: remove,
  },
  {
    name: "xdelex",
    summary: "Deletes entries of a stream, with a say in what becomes of pending ones.",
    since: "8.2.0",
    group: "stream",
    complexity: "O(log(N)) for each entry with N entries in the stream",
    arity: -5,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW DELETE"),
    syntax: `key [${referencesSyntax}] IDS <numids id [id ...]>`,
    types: { numids: "integer" },
    only: "redis",
    handler: removeWithReferences,
  },
];

/** What XDELEX and XACKDEL say of an id. */
export const Removal = { NO_ID: -1, DELETED: 1, STILL_REFERENCED: 2 } as const;

const from: StreamId = newId(), to: StreamId = newId();

function length(call: Call): void {
  const ref = call.lookupType(1, Type.STREAM);
  call.reply.integer(ref === 0 ? 0 : openStream(call, ref).length);
}

/** A number of entries from a COUNT option; negative ones are 0. */
export function countArgument(call: Call, i: number): number {
  return Math.max(0, call.integer(i));
}

function range(call: Call, reverse: boolean): void {
  const { reply } = call;
  startArgument(call, reverse ? 3 : 2, from);
  endArgument(call, reverse ? 2 : 3, to);
  let count = -1;
  for (let i = 4; i < call.argc; i += 2) {
    if (!call.is(i, "count") || i + 1 >= call.argc) fail(messages.syntax);
    count = countArgument(call, i + 1);
  }
  const ref = call.lookupType(1, Type.STREAM);
  if (ref === 0) return reply.array(0);
  const streams = openStream(call, ref);
  if (count === 0) return reply.nullArray();
  replyRange(call, streams, from, to, count < 0 ? Infinity : count, reverse);
}

/** Replies with up to `count` entries from one id to another. Hot. */
export function replyRange(
  call: Call,
  streams: StreamValue,
  first: StreamId,
  last: StreamId,
  count: number,
  reverse: boolean,
): void {
  const { reply } = call, { entries, nodeIndex } = streams;
  const most = Math.min(count, streams.length);
  const mark = reply.beginArray(most);
  let found = 0;
  if (reverse) {
    for (let there = entries.seekTo(nodeIndex, last); there; there = found < most && entries.previous()) {
      if (compareIds(entries.id, 0, first, 0) < 0) break;
      replyEntry(call, streams, entries);
      found++;
    }
  } else {
    for (let there = entries.seekFrom(nodeIndex, first); there; there = found < most && entries.next()) {
      if (compareIds(entries.id, 0, last, 0) > 0) break;
      replyEntry(call, streams, entries);
      found++;
    }
  }
  reply.endArray(mark, most, found);
}

function remove(call: Call): void {
  const ref = call.lookupTypeWrite(1, Type.STREAM);
  if (ref === 0) return call.reply.integer(0);
  const ids = idArguments(call, 2, call.argc);
  const streams = openStream(call, ref);
  let deleted = 0;
  for (let k = 0; k < call.argc - 2; k++) {
    copyId(ids, ID_WORDS * k, from, 0);
    if (streams.remove(from)) deleted++;
  }
  if (deleted > 0) call.changed(Notify.STREAM, "xdel", 1, deleted);
  call.reply.integer(deleted);
}

function removeWithReferences(call: Call): void {
  const { reply } = call;
  const ref = call.lookupTypeWrite(1, Type.STREAM);
  const { first, count, references } = parseIds(call, 2);
  if (ref === 0) return replyNoIds(call, count);
  const ids = idArguments(call, first, first + count);
  const streams = openStream(call, ref);
  const mayRemove = removalRule(streams, references);
  let deleted = 0;
  reply.array(count);
  for (let k = 0; k < count; k++) {
    copyId(ids, ID_WORDS * k, from, 0);
    if (!mayRemove(from)) {
      reply.integer(Removal.STILL_REFERENCED);
    } else if (streams.remove(from)) {
      deleted++;
      reply.integer(Removal.DELETED);
    } else {
      reply.integer(Removal.NO_ID);
    }
  }
  if (deleted > 0) call.changed(Notify.STREAM, "xdel", 1, deleted);
}

export function replyNoIds({ reply }: Call, count: number): void {
  reply.array(count);
  for (let i = 0; i < count; i++) reply.integer(Removal.NO_ID);
}

/** Whether an entry may be deleted; if it may, it is no longer pending where that is wanted. */
export function removalRule(streams: StreamValue, references: References): (id: StreamId) => boolean {
  if (references === References.ACKED && streams.findSmallestRead()) return (id) => !streams.isReferenced(id);
  return (id) => {
    if (references === References.DROP) streams.dropReferences(id);
    return true;
  };
}
