/**
 * Entries that are pending: acknowledging them, and asking for them.
 */
import { fail, messages } from "../../core/errors.ts";
import { compareIds, copyId, ID_WORDS, newId, type StreamId } from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { Notify } from "../../engine/listeners.ts";
import { Type } from "../../store/keyspace.ts";
import type { IndexRef } from "../../store/memory/arena.ts";
import type { GroupRef } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import { Removal, removalRule, replyNoIds } from "./ranges.ts";
import {
  changedQuietly,
  endArgument,
  findGroup,
  idArguments,
  openStream,
  replyId,
  replyName,
  replyWide,
  shown,
  startArgument,
} from "./stream_call.ts";
import { parseIds, referencesSyntax } from "./trim_options.ts";

export const pendingCommands: readonly CommandSpec[] = [
  {
    name: "xack",
    summary: "Acknowledges entries that a group has pending, and returns how many.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(log(N)) for each id with N entries pending",
    arity: -4,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: "key group id [id ...]",
    handler: acknowledge,
  },
  {
    name: "xackdel",
    summary: "Acknowledges entries that a group has pending, and deletes them.",
    since: "8.2.0",
    group: "stream",
    complexity: "O(log(N)) for each id with N entries in the stream",
    arity: -6,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE DELETE"),
    syntax: `key group [${referencesSyntax}] IDS <numids id [id ...]>`,
    types: { numids: "integer" },
    only: "redis",
    handler: acknowledgeAndDelete,
  },
  {
    name: "xpending",
    summary: "Returns what a group has pending: a summary, or the entries in a range of ids.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(log(N)+M) with N entries pending and M looked at; O(C) for the summary with C consumers",
    arity: -3,
    flags: ["readonly"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key group [[IDLE min-idle-time] start end count [consumer]]",
    types: { "min-idle-time": "integer", start: "string", end: "string" },
    handler: pending,
  },
];

const from: StreamId = newId(), to: StreamId = newId(), id: StreamId = newId();

function acknowledge(call: Call): void {
  const ref = call.lookupType(1, Type.STREAM);
  if (ref === 0) return call.reply.integer(0);
  const streams = openStream(call, ref), group = findGroup(call, streams, 2);
  if (group === 0) return call.reply.integer(0);
  const ids = idArguments(call, 3, call.argc);
  let count = 0;
  for (let k = 0; k < call.argc - 3; k++) {
    copyId(ids, ID_WORDS * k, id, 0);
    if (streams.acknowledge(group, id)) count++;
  }
  if (count > 0) changedQuietly(call, "", 1, count);
  call.reply.integer(count);
}

function acknowledgeAndDelete(call: Call): void {
  const { reply } = call;
  const ref = call.lookupType(1, Type.STREAM);
  const { first, count, references } = parseIds(call, 3);
  if (ref === 0) return replyNoIds(call, count);
  const streams = openStream(call, ref), group = findGroup(call, streams, 2);
  if (group === 0) return replyNoIds(call, count);
  const ids = idArguments(call, first, first + count);
  const mayRemove = removalRule(streams, references);
  let acknowledged = 0, deleted = 0;
  reply.array(count);
  for (let k = 0; k < count; k++) {
    copyId(ids, ID_WORDS * k, id, 0);
    if (!streams.acknowledge(group, id)) {
      reply.integer(Removal.NO_ID);
      continue;
    }
    acknowledged++;
    if (mayRemove(id)) {
      if (streams.remove(id)) deleted++;
      reply.integer(Removal.DELETED);
    } else {
      reply.integer(Removal.STILL_REFERENCED);
    }
  }
  if (deleted > 0) call.changed(Notify.STREAM, "xdel", 1, acknowledged);
  else if (acknowledged > 0) changedQuietly(call, "", 1, acknowledged);
}

function pending(call: Call): void {
  const { argc } = call;
  if (argc !== 3 && (argc < 6 || argc > 9)) fail(messages.syntax);
  let idle = 0, count = 0, at = 3;
  if (argc >= 6) {
    if (call.is(3, "idle")) {
      idle = call.integer(4);
      if (argc < 8) fail(messages.syntax);
      at = 5;
    }
    count = Math.max(0, call.integer(at + 2));
    startArgument(call, at, from);
    endArgument(call, at + 1, to);
  }
  const ref = call.lookupType(1, Type.STREAM);
  const streams = ref === 0 ? undefined : openStream(call, ref);
  const group = streams === undefined ? 0 as GroupRef : findGroup(call, streams, 2);
  if (streams === undefined || group === 0) {
    fail(`NOGROUP No such key '${shown(call, 1)}' or consumer group '${shown(call, 2)}'`);
  }
  if (argc === 3) return replySummary(call, streams, group);
  const { groups } = streams;
  let tree: IndexRef = groups.pending.byId(group);
  if (at + 3 < argc) {
    const consumer = groups.findConsumer(group, call.bytes, call.start(at + 3), call.end(at + 3));
    if (consumer === 0) return call.reply.array(0);
    tree = groups.pending.ofConsumer(consumer);
  }
  replyPending(call, streams, tree, count, idle);
}

function replySummary(call: Call, streams: StreamValue, group: GroupRef): void {
  const { reply } = call, { groups } = streams, { pending } = groups, { ids } = pending;
  const tree = pending.byId(group), total = ids.count(tree);
  reply.array(4);
  reply.integer(total);
  if (total === 0) {
    reply.null();
    reply.null();
    return reply.nullArray();
  }
  pending.readId(pending.firstOf(ids, tree), id);
  replyId(call, id);
  pending.readId(pending.lastOf(ids, tree), id);
  replyId(call, id);
  const owners = groups.names.all(groups.consumersOf(group)).filter((consumer) =>
    ids.count(pending.ofConsumer(consumer)) > 0
  );
  reply.array(owners.length);
  for (const consumer of owners) {
    reply.array(2);
    replyName(call, streams, consumer);
    reply.bulkInteger(ids.count(pending.ofConsumer(consumer)));
  }
}

function replyPending(call: Call, streams: StreamValue, tree: IndexRef, count: number, idle: number): void {
  const { reply } = call, { pending } = streams.groups, { ids } = pending, { nowMs } = call.store;
  const most = Math.min(count, ids.count(tree));
  const mark = reply.beginArray(most);
  let found = 0;
  for (ids.seekFrom(tree, from, 0, false); ids.leaf !== 0 && found < most; ids.step()) {
    const { ref } = ids;
    pending.readId(ref, id);
    if (compareIds(id, 0, to, 0) > 0) break;
    const elapsed = nowMs - pending.timeOf(ref);
    if (idle !== 0 && elapsed < idle) continue;
    found++;
    reply.array(4);
    replyId(call, id);
    replyName(call, streams, pending.consumerOf(ref));
    reply.integer(Math.max(0, elapsed));
    replyWide(call, pending.exactDeliveriesOf(ref));
  }
  reply.endArray(mark, most, found);
}
