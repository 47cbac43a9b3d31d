/**
 * XREAD and XREADGROUP: reading on behind an id, for oneself or as a consumer of a group, and waiting for entries.
 */
import { Blocking } from "../../conversations/blocking.ts";
import { fail, messages } from "../../core/errors.ts";
import {
  compareIds,
  copyId,
  decrementId,
  ID_MAX,
  ID_TEXT_MAX,
  ID_WORDS,
  incrementId,
  newId,
  type StreamId,
  writeId,
} from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import { KeyFlag } from "../../dispatch/key_flags.ts";
import type { CommandSpec, KeySpec } from "../../dispatch/spec.ts";
import { type Request, RequestBuilder } from "../../resp/request.ts";
import { Type } from "../../store/keyspace.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import { type GroupRef, StreamPoint } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import { deadlineInMs } from "../shared/timeout.ts";
import { lastIdText, logClaim, logConsumer, logGroupId, logNothing } from "./effects.ts";
import { countArgument } from "./ranges.ts";
import {
  changedQuietly,
  findGroup,
  idArgument,
  obtainConsumer,
  openStream,
  replyEntry,
  replyFields,
  replyId,
  replyWide,
  shown,
} from "./stream_call.ts";

const READ = KeyFlag.RO | KeyFlag.ACCESS;

const WAIT_SYNTAX = "[COUNT count] [BLOCK milliseconds]", STREAMS_SYNTAX = "STREAMS <key [key ...] id [id ...]>";
const GROUP_SYNTAX = `<GROUP group consumer> ${WAIT_SYNTAX}`;

export const readCommands: readonly CommandSpec[] = [
  {
    name: "xread",
    summary: "Returns the entries of streams behind ids; waits until there are any.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(M) for each stream with M entries returned",
    arity: -4,
    flags: ["blocking", "readonly", "movablekeys"],
    growsWithReply: true,
    keys: streamsFrom(1),
    syntax: `${WAIT_SYNTAX} ${STREAMS_SYNTAX}`,
    differs: ["The error for an odd number of keys and ids names `+` in Redis only."],
    handler: (call) => read(call, false),
  },
  {
    name: "xreadgroup",
    summary: "Returns entries that a group has not read, or what a consumer has pending; waits until there are any.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(M*log(N)) for each stream with M entries returned and N pending",
    arity: -7,
    flags: ["blocking", "write", "movablekeys"],
    keys: streamsFrom(4),
    syntax: `${GROUP_SYNTAX} [CLAIM min-idle-time] [NOACK] ${STREAMS_SYNTAX}`,
    types: { "min-idle-time": "integer" },
    valkey: { syntax: `${GROUP_SYNTAX} [NOACK] ${STREAMS_SYNTAX}` },
    handler: (call) => read(call, true),
  },
];

function streamsFrom(from: number): readonly KeySpec[] {
  return [{ flags: READ, begin: { keyword: "STREAMS", from }, find: { last: -1, step: 1, limit: 2 } }];
}

const onlyGroup = (option: string) =>
  `ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`;
const meaningless = (id: string) =>
  `ERR The ${id} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by ` +
  "specifying a proper ID, or use the > ID to get new messages. The " + id +
  " ID would just return an empty result set.";
const ONLY_GROUP_ID =
  "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.";

/** The options of a request, and where its streams are. */
interface Options {
  readonly grouped: boolean;
  /** The arguments of the names of the group and the consumer. */
  group: number;
  consumer: number;
  noAck: boolean;
  /** The most entries of each stream; 0 is no limit. */
  count: number;
  /** The end of the wait; 0 never; NaN without a wait. */
  deadlineMs: number;
  /** Idle time from which entries of other consumers are claimed; -1 for none. */
  claimIdle: number;
  /** The argument of the first key, and how many there are. */
  first: number;
  streams: number;
}

function parse(call: Call, grouped: boolean): Options {
  const { argc } = call;
  const options: Options = {
    grouped,
    group: 0,
    consumer: 0,
    noAck: false,
    count: 0,
    deadlineMs: NaN,
    claimIdle: -1,
    first: 0,
    streams: 0,
  };
  for (let i = 1; i < argc && options.first === 0; i++) {
    const more = argc - 1 - i;
    if (more > 0 && call.is(i, "claim")) {
      if (!grouped) fail(onlyGroup("CLAIM"));
      options.claimIdle = call.integer(++i, "ERR min-idle-time is not an integer or out of range");
      if (options.claimIdle < 0) fail("ERR min-idle-time must be a positive integer");
    } else if (more > 0 && call.is(i, "block")) {
      options.deadlineMs = deadlineInMs(call, ++i);
    } else if (more > 0 && call.is(i, "count")) {
      options.count = countArgument(call, ++i);
    } else if (more > 0 && call.is(i, "streams")) {
      options.first = i + 1;
      if (more % 2 === 1) {
        const what = grouped ? "ID or '>'" : call.valkey ? "ID or '$'" : "ID, '+', or '$'";
        fail(
          `ERR Unbalanced '${call.command.fullName}' list of streams: ` +
            `for each stream key an ${what} must be specified.`,
        );
      }
      options.streams = more / 2;
    } else if (more > 1 && call.is(i, "group")) {
      if (!grouped) fail(onlyGroup("GROUP"));
      options.group = i + 1;
      options.consumer = i + 2;
      i += 2;
    } else if (call.is(i, "noack")) {
      if (!grouped) fail(onlyGroup("NOACK"));
      options.noAck = true;
    } else {
      fail(messages.syntax);
    }
  }
  if (options.first === 0) fail(messages.syntax);
  if (grouped && options.group === 0) fail("ERR Missing GROUP option for XREADGROUP");
  return options;
}

/** The ids behind which the streams of the request are read, and the one of the stream at hand. */
let starts = new Int32Array(8 * ID_WORDS);
const behind: StreamId = newId();

function read(call: Call, grouped: boolean): void {
  const { reply } = call;
  const options = parse(call, grouped);
  const { first, streams: count } = options;
  if (starts.length < ID_WORDS * count) starts = new Int32Array(2 * ID_WORDS * count);
  for (let k = 0; k < count; k++) {
    startOf(call, options, k, behind);
    copyId(behind, 0, starts, ID_WORDS * k);
  }
  if (grouped) logNothing(call);
  // The time at which the first entry can be claimed; Infinity if nothing is pending.
  let oldestMs = Infinity, served = 0, mark = 0;
  const begin = () => {
    if (served++ === 0) mark = reply.version === 3 ? reply.beginMap(count) : reply.beginArray(count);
    if (reply.version === 2) reply.array(2);
  };
  for (let k = 0; k < count; k++) {
    const ref = call.lookup(first + k);
    if (ref === 0) continue;
    const streams = openStream(call, ref);
    copyId(starts, ID_WORDS * k, behind, 0);
    if (grouped) oldestMs = Math.min(oldestMs, serveConsumer(call, streams, options, k, behind, begin));
    else serve(call, streams, options, k, behind, begin);
  }
  if (served > 0) return reply.endArray(mark, count, served);
  if (Number.isNaN(options.deadlineMs) || !wait(call, options, oldestMs)) reply.nullArray();
}

/** Reads where stream k is read from. `>` is the largest id. */
function startOf(call: Call, { grouped, group, first, streams: count }: Options, k: number, id: StreamId): void {
  const key = first + k, i = key + count;
  const ref = call.lookupType(key, Type.STREAM);
  const streams = ref === 0 ? undefined : openStream(call, ref);
  if (grouped && (streams === undefined || findGroup(call, streams, group) === 0)) {
    fail(
      `NOGROUP No such key '${shown(call, key)}' or consumer group '${
        shown(call, group)
      }' in XREADGROUP with GROUP option`,
    );
  }
  if (call.is(i, "$")) {
    if (grouped) fail(meaningless("$"));
    id.fill(0);
    streams?.readPoint(StreamPoint.LAST, id);
  } else if (call.is(i, "+")) {
    if (grouped) fail(meaningless("+"));
    id.fill(0);
    if (streams?.readLastLive(id)) decrementId(id);
  } else if (call.is(i, ">")) {
    if (!grouped) fail(ONLY_GROUP_ID);
    id.fill(-1);
  } else {
    idArgument(call, i, id);
  }
}

const last = newId(), start = newId();

/** Puts the cursor of the stream on the first entry behind the id at `words[at]`. False if there is none. Hot. */
function seekBehind(streams: StreamValue, words: Int32Array, at: number): boolean {
  if (streams.length === 0 || streams.compareToPoint(words, at, StreamPoint.LAST) >= 0) return false;
  copyId(words, at, start, 0);
  incrementId(start);
  return streams.entries.seekFrom(streams.nodeIndex, start);
}

/** Replies with the entries of a stream behind an id, if there are any. */
function serve(
  call: Call,
  streams: StreamValue,
  { first, count }: Options,
  k: number,
  id: StreamId,
  begin: () => void,
): void {
  if (!seekBehind(streams, id, 0)) return;
  const { reply } = call, { entries } = streams;
  begin();
  reply.bulk(call.bytes, call.start(first + k), call.end(first + k));
  const most = Math.min(count === 0 ? Infinity : count, streams.length);
  const mark = reply.beginArray(most);
  let found = 0;
  for (let there = true; there; there = found < most && entries.next()) {
    replyEntry(call, streams, entries);
    found++;
  }
  reply.endArray(mark, most, found);
}

/** Serves a consumer of a group. Returns when the oldest pending entry was delivered; Infinity without CLAIM or any. */
function serveConsumer(
  call: Call,
  streams: StreamValue,
  options: Options,
  k: number,
  id: StreamId,
  begin: () => void,
): number {
  const { first, claimIdle } = options, key = first + k;
  const { groups } = streams, group = findGroup(call, streams, options.group);
  const oldest = claimIdle < 0 ? Infinity : oldestDelivery(streams, group);
  const claims = claimIdle >= 0 && call.store.nowMs - oldest >= claimIdle;
  const history = compareIds(id, 0, ID_MAX, 0) !== 0;
  const news = !history && seekBehind(streams, groups.wordsOf(group), groups.lastIdAt(group));
  const { consumer, created } = obtainConsumer(call, streams, group, options.consumer, key);
  if (created && options.noAck) logConsumer(call, key, options.group, options.consumer);
  if (!history && !news && !claims) return oldest;
  begin();
  call.reply.bulk(call.bytes, call.start(key), call.end(key));
  if (history) {
    // As in Redis, the streams behind this one are read without CLAIM too.
    options.claimIdle = -1;
    start.set(id);
    incrementId(start);
    replyHistory(call, streams, group, consumer, options.count);
    return oldest;
  }
  deliver(call, streams, group, consumer, options, key, news);
  return oldest;
}

/** When the oldest pending entry that was not deleted was delivered; Infinity if there is none. */
function oldestDelivery(streams: StreamValue, group: GroupRef): number {
  const { pending } = streams.groups, { times } = pending;
  for (times.seekFirst(pending.byTime(group)); times.leaf !== 0; times.step()) {
    pending.readId(times.ref, last);
    if (streams.hasEntry(last)) return pending.timeOf(times.ref);
  }
  return Infinity;
}

/** Replies with what a consumer has pending from `start` on; deleted entries have no fields. */
function replyHistory(
  call: Call,
  streams: StreamValue,
  group: GroupRef,
  consumer: RecordRef,
  count: number,
): void {
  const { reply } = call, { pending } = streams.groups, { ids } = pending, tree = pending.ofConsumer(consumer);
  const most = Math.min(count === 0 ? Infinity : count, ids.count(tree));
  const mark = reply.beginArray(most);
  const id = newId();
  let found = 0;
  for (ids.seekFrom(tree, start, 0, false); ids.leaf !== 0 && found < most; ids.step()) {
    const { ref } = ids;
    pending.readId(ref, id);
    found++;
    if (streams.hasEntry(id)) {
      replyEntry(call, streams, streams.probe);
      pending.countDelivery(ref);
      pending.setTime(group, ref, call.store.nowMs);
    } else {
      reply.array(2);
      replyId(call, id);
      reply.nullArray();
    }
  }
  reply.endArray(mark, most, found);
}

/** Delivers entries to a consumer: those that it claims, then, if there are any, new ones from the cursor on. */
function deliver(
  call: Call,
  streams: StreamValue,
  group: GroupRef,
  consumer: RecordRef,
  { count, claimIdle, noAck, group: groupAt }: Options,
  key: number,
  news: boolean,
): void {
  const { reply } = call, { groups, entries } = streams, { pending } = groups, { nowMs } = call.store;
  const lastText = call.engine.effects.open ? lastIdText(streams, group) : "";
  const most = Math.min(count === 0 ? Infinity : count, streams.length + pending.ids.count(pending.byId(group)));
  const mark = reply.beginArray(most);
  let found = claimIdle < 0 ? 0 : claimPending(call, streams, group, consumer, claimIdle, most, key, groupAt, lastText);
  let changes = found;
  if (news && found < most) {
    // The cursor stays on the last entry, from which the next call goes on.
    for (let there = true; there; there = found < most && entries.next()) {
      const { id } = entries;
      streams.advance(group, id);
      reply.array(claimIdle < 0 ? 2 : 4);
      replyId(call, id);
      replyFields(call, streams, entries);
      if (claimIdle >= 0) {
        reply.integer(0);
        reply.integer(0);
      }
      found++;
      if (noAck) continue;
      let ref = pending.find(group, id);
      if (ref === 0) {
        ref = pending.add(group, consumer, id, nowMs, 1);
      } else {
        // SETID can make a group read entries again that are pending.
        pending.give(ref, consumer);
        pending.setDeliveries(ref, 0, 1);
        pending.setTime(group, ref, nowMs);
      }
      groups.setActive(consumer, nowMs);
      logClaim(call, streams, group, ref, id, key, groupAt, lastText);
      changes++;
    }
    logGroupId(call, streams, group, key, groupAt);
    changes++;
  }
  if (changes > 0) changedQuietly(call, "", key);
  reply.endArray(mark, most, found);
}

/** Claims entries that are idle for long, the longest first, and replies with them. Returns how many. */
function claimPending(
  call: Call,
  streams: StreamValue,
  group: GroupRef,
  consumer: RecordRef,
  idleMs: number,
  most: number,
  key: number,
  groupAt: number,
  lastText: string,
): number {
  const { reply } = call, { groups, probe } = streams, { pending } = groups, { times } = pending;
  const { nowMs } = call.store, tree = pending.byTime(group), id = newId();
  // Claimed entries go to the end.
  const end = pending.lastOf(times, tree);
  let found = 0;
  for (times.seekFirst(tree); times.leaf !== 0 && found < most;) {
    const { ref } = times;
    const idle = nowMs - pending.timeOf(ref);
    if (idle < idleMs) break;
    times.step();
    const next = times.leaf === 0 ? 0 : times.ref;
    pending.readId(ref, id);
    if (streams.hasEntry(id)) {
      reply.array(4);
      replyId(call, id);
      replyFields(call, streams, probe);
      reply.integer(idle);
      replyWide(call, pending.exactDeliveriesOf(ref));
      pending.give(ref, consumer);
      pending.countDelivery(ref);
      pending.setTime(group, ref, nowMs);
      groups.setActive(consumer, nowMs);
      logClaim(call, streams, group, ref, id, key, groupAt, lastText);
      found++;
    }
    if (ref === end || next === 0) break;
    pending.seekTime(group, next);
  }
  return found;
}

/** Waits for entries. False if the session may not wait. */
function wait(call: Call, options: Options, oldestMs: number): boolean {
  const { first, streams: count, grouped, deadlineMs, claimIdle } = options;
  let retryAtMs = 0;
  if (claimIdle >= 0) retryAtMs = (oldestMs === Infinity ? call.store.nowMs : oldestMs) + claimIdle + 1;
  return call.engine.part(Blocking).wait(call, {
    type: Type.STREAM,
    first,
    last: first + count - 1,
    deadlineMs,
    onRemoval: grouped,
    retryAtMs,
    request: lastKnown(call, first + count),
  });
}

const builder = new RequestBuilder(), idText = new Uint8Array(ID_TEXT_MAX);

/** The request with ids in the place of `$`, valid until the next call; undefined if it has none. Hot. */
function lastKnown(call: Call, from: number): Request | undefined {
  const { argc, bytes } = call;
  let changed = false;
  for (let i = from; i < argc && !changed; i++) changed = call.is(i, "$");
  if (!changed) return undefined;
  builder.begin(argc);
  for (let i = 0; i < argc; i++) {
    if (i < from || !call.is(i, "$")) builder.add(bytes, call.start(i), call.end(i));
    else builder.add(idText, 0, writeId(idText, 0, starts, ID_WORDS * (i - from)));
  }
  return builder.end();
}
