/**
 * XINFO: streams, their groups and consumers in figures.
 */
import { fail, messages } from "../../core/errors.ts";
import { ID_MAX, ID_MIN, newId } from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { Type } from "../../store/keyspace.ts";
import type { IndexRef, RecordRef } from "../../store/memory/arena.ts";
import { type GroupRef, StreamCounter, StreamPoint, UNKNOWN_COUNT } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import { failWords, subcommandHelp } from "../shared/help.ts";
import { replyRange } from "./ranges.ts";
import { findGroup, openStream, replyEntry, replyId, replyName, replyWide, shown } from "./stream_call.ts";

const COMMON = { group: "stream", since: "5.0.0", complexity: "O(1)" } as const;

export const streamInfoCommands: readonly CommandSpec[] = [{
  ...COMMON,
  name: "xinfo",
  summary: "A container for commands that describe streams.",
  complexity: "Depends on subcommand.",
  arity: -2,
  flags: [],
  syntax: "",
  subcommands: [
    {
      ...COMMON,
      name: "consumers",
      summary: "Describes the consumers of a group.",
      complexity: "O(N) with N consumers",
      arity: 4,
      flags: ["readonly"],
      tips: ["nondeterministic_output"],
      keys: keyAt(2, "RO ACCESS"),
      syntax: "key group",
      handler: consumers,
    },
    {
      ...COMMON,
      name: "groups",
      summary: "Describes the groups of a stream.",
      complexity: "O(N) with N groups",
      arity: 3,
      flags: ["readonly"],
      keys: keyAt(2, "RO ACCESS"),
      syntax: "key",
      differs: [
        "Valkey counts `entries-read` and `lag` as Redis 7.2 did, with negative lags. MemDB counts as Redis 8.6.",
      ],
      handler: groups,
    },
    {
      ...COMMON,
      name: "help",
      summary: "Describes the subcommands.",
      arity: 2,
      flags: ["loading", "stale"],
      syntax: "",
      handler: subcommandHelp,
    },
    {
      ...COMMON,
      name: "stream",
      summary: "Describes a stream; with FULL also its entries, groups and pending entries.",
      complexity: "O(1); with FULL O(N) with N the number of described things",
      arity: -3,
      flags: ["readonly"],
      keys: keyAt(2, "RO ACCESS"),
      syntax: "key [FULL [COUNT count]]",
      differs: ["Redis returns six more fields about idempotent producers."],
      handler: stream,
    },
  ],
}];

/** Entries that FULL describes without COUNT. */
const FULL_COUNT = 10;
const id = newId();

function required(call: Call): StreamValue {
  const ref = call.lookupType(2, Type.STREAM);
  return ref === 0 ? fail(messages.noSuchKey) : openStream(call, ref);
}

function consumers(call: Call): void {
  const { reply } = call, { nowMs } = call.store;
  const streams = required(call), { groups } = streams, { pending } = groups;
  const group = findGroup(call, streams, 3);
  if (group === 0) fail(`NOGROUP No such consumer group '${shown(call, 3)}' for key name '${shown(call, 2)}'`);
  const all = groups.names.all(groups.consumersOf(group));
  reply.array(all.length);
  for (const consumer of all) {
    const active = groups.activeOf(consumer);
    reply.map(4);
    reply.bulkText("name");
    replyName(call, streams, consumer);
    field(call, "pending", pending.ids.count(pending.ofConsumer(consumer)));
    field(call, "idle", Math.max(0, nowMs - groups.seenOf(consumer)));
    field(call, "inactive", active === -1 ? -1 : nowMs - active);
  }
}

function groups(call: Call): void {
  const { reply } = call;
  const streams = required(call), { groups } = streams, { pending } = groups;
  const all = groups.all(streams.body);
  reply.array(all.length);
  for (const record of all) {
    const group = groups.groupOf(record);
    reply.map(6);
    reply.bulkText("name");
    replyName(call, streams, record);
    field(call, "consumers", groups.names.count(groups.consumersOf(group)));
    field(call, "pending", pending.ids.count(pending.byId(group)));
    replyProgress(call, streams, group);
  }
}

function field(call: Call, name: string, value: number | bigint): void {
  call.reply.bulkText(name);
  if (typeof value === "number") call.reply.integer(value);
  else replyWide(call, value);
}

function replyPoint(call: Call, streams: StreamValue, name: string, point: StreamPoint): void {
  streams.readPoint(point, id);
  call.reply.bulkText(name);
  replyId(call, id);
}

/** How far a group has read. */
function replyProgress(call: Call, streams: StreamValue, group: GroupRef): void {
  const { reply } = call, { groups } = streams;
  reply.bulkText("last-delivered-id");
  groups.readLastId(group, id);
  replyId(call, id);
  const read = groups.entriesReadOf(group), lag = streams.lagOf(group);
  reply.bulkText("entries-read");
  if (read === UNKNOWN_COUNT) reply.null();
  else replyWide(call, read);
  reply.bulkText("lag");
  if (lag === undefined) reply.null();
  else replyWide(call, lag);
}

function stream(call: Call): void {
  const { reply, argc } = call;
  const streams = required(call);
  let count = FULL_COUNT;
  const full = argc > 3;
  if (full) {
    if ((argc !== 4 && argc !== 6) || !call.is(3, "full") || (argc === 6 && !call.is(4, "count"))) {
      failWords(call, "XINFO");
    }
    if (argc === 6) count = call.integer(5);
    if (count < 0) count = FULL_COUNT;
  }
  const { nodes, body, nodeIndex } = streams;
  reply.map((full ? 9 : 10) + (call.valkey ? 0 : 6));
  field(call, "length", streams.length);
  field(call, "radix-tree-keys", nodes.index.count(nodeIndex));
  field(call, "radix-tree-nodes", nodes.index.nodeCount(nodeIndex));
  replyPoint(call, streams, "last-generated-id", StreamPoint.LAST);
  replyPoint(call, streams, "max-deleted-entry-id", StreamPoint.DELETED);
  field(call, "entries-added", streams.counter(StreamCounter.ADDED));
  replyPoint(call, streams, "recorded-first-entry-id", StreamPoint.FIRST);
  if (!call.valkey) replyMessages(call, streams);
  if (full) return replyFull(call, streams, count);
  field(call, "groups", streams.groups.count(body));
  const { entries } = streams;
  reply.bulkText("first-entry");
  if (entries.first(nodeIndex)) replyEntry(call, streams, entries);
  else reply.null();
  reply.bulkText("last-entry");
  if (entries.last(nodeIndex)) replyEntry(call, streams, entries);
  else reply.null();
}

/** What the stream knows of its producers: six fields, which only Redis has. */
function replyMessages(call: Call, streams: StreamValue): void {
  const { producers, body } = streams;
  const known = producers.all(body);
  field(call, "idmp-duration", streams.duration);
  field(call, "idmp-maxsize", streams.maxSize);
  field(call, "pids-tracked", known.length);
  field(call, "iids-tracked", known.reduce((sum, producer) => sum + producers.messageCount(producer), 0));
  field(call, "iids-added", streams.counter(StreamCounter.IIDS_ADDED));
  field(call, "iids-duplicates", streams.counter(StreamCounter.IIDS_DUPLICATE));
}

function replyFull(call: Call, streams: StreamValue, count: number): void {
  const { reply } = call, { groups, body } = streams, { pending } = groups, { ids } = pending;
  const most = count === 0 ? Infinity : count;
  reply.bulkText("entries");
  replyRange(call, streams, ID_MIN, ID_MAX, most, false);
  reply.bulkText("groups");
  const all = groups.all(body);
  reply.array(all.length);
  for (const record of all) {
    const group = groups.groupOf(record), tree = pending.byId(group);
    reply.map(7);
    reply.bulkText("name");
    replyName(call, streams, record);
    replyProgress(call, streams, group);
    field(call, "pel-count", ids.count(tree));
    reply.bulkText("pending");
    replyPending(call, streams, tree, most, true);
    reply.bulkText("consumers");
    const consumers = groups.names.all(groups.consumersOf(group));
    reply.array(consumers.length);
    for (const consumer of consumers) replyConsumer(call, streams, consumer, most);
  }
}

function replyConsumer(call: Call, streams: StreamValue, consumer: RecordRef, most: number): void {
  const { groups } = streams, { pending } = groups, tree = pending.ofConsumer(consumer);
  call.reply.map(5);
  call.reply.bulkText("name");
  replyName(call, streams, consumer);
  field(call, "seen-time", groups.seenOf(consumer));
  field(call, "active-time", groups.activeOf(consumer));
  field(call, "pel-count", pending.ids.count(tree));
  call.reply.bulkText("pending");
  replyPending(call, streams, tree, most, false);
}

function replyPending(call: Call, streams: StreamValue, tree: IndexRef, most: number, withOwner: boolean): void {
  const { reply } = call, { pending } = streams.groups, { ids } = pending;
  let left = Math.min(most, ids.count(tree));
  reply.array(left);
  for (ids.seekFirst(tree); left > 0; left--, ids.step()) {
    const { ref } = ids;
    pending.readId(ref, id);
    reply.array(withOwner ? 4 : 3);
    replyId(call, id);
    if (withOwner) replyName(call, streams, pending.consumerOf(ref));
    reply.integer(pending.timeOf(ref));
    replyWide(call, pending.exactDeliveriesOf(ref));
  }
}
