/**
 * Claiming entries that are pending for another consumer.
 */
import { fail, messages } from "../../core/errors.ts";
import { compareIds, IdForm, IdOption, newId, parseId, type StreamId } from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { Type } from "../../store/keyspace.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import type { GroupRef, PendingRef } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import { logClaim, logGroupId, logNothing } from "./effects.ts";
import {
  changedQuietly,
  findGroup,
  idArgument,
  obtainConsumer,
  openStream,
  replyEntry,
  replyId,
  shown,
  startArgument,
} from "./stream_call.ts";

export const claimCommands: readonly CommandSpec[] = [
  {
    name: "xclaim",
    summary: "Gives pending entries to a consumer, as if they were delivered to it.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(log(N)) for each id with N entries pending",
    arity: -6,
    flags: ["write", "fast"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] " +
      "[RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
    handler: claim,
  },
  {
    name: "xautoclaim",
    summary: "Gives the pending entries that are idle for long to a consumer, from an id on.",
    since: "6.2.0",
    group: "stream",
    complexity: "O(log(N)+M) with N entries pending and M looked at",
    arity: -6,
    flags: ["write", "fast"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RW DELETE"),
    syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
    types: { start: "string" },
    handler: autoClaim,
  },
];

const COUNT_DEFAULT = 100;
/** Pending entries that one call looks at for each that it may claim. */
const ATTEMPTS_FACTOR = 10;
const LONG_MAX = 2 ** 63;
/** The most that COUNT may be: ids of 16 bytes must not overflow. */
const COUNT_MAX = LONG_MAX / 16;

/** The options of XCLAIM. */
interface Options {
  /** The argument behind the last id. */
  readonly end: number;
  /** When the entries count as delivered. */
  readonly timeMs: number;
  /** The number of deliveries; -1 to count on. */
  readonly deliveries: bigint;
  readonly force: boolean;
  readonly justId: boolean;
  readonly lastId: StreamId;
}

function claim(call: Call): void {
  const ref = call.lookupType(1, Type.STREAM);
  const streams = ref === 0 ? undefined : openStream(call, ref);
  const group = streams === undefined ? 0 as GroupRef : findGroup(call, streams, 2);
  if (streams === undefined || group === 0) failGroup(call);
  const idle = Math.max(0, call.integer(4, "ERR Invalid min-idle-time argument for XCLAIM"));
  const ids: StreamId[] = [];
  const options = parseOptions(call, ids);
  const { groups } = streams, { reply } = call, { nowMs } = call.store;
  let advanced = compareIds(options.lastId, 0, groups.wordsOf(group), groups.lastIdAt(group)) > 0;
  if (advanced) groups.setLastId(group, options.lastId);
  logNothing(call);
  const { consumer } = obtainConsumer(call, streams, group, 3, 1);
  const mark = reply.beginArray(ids.length);
  let found = 0;
  for (const id of ids) {
    let ref = groups.pending.find(group, id);
    if (!streams.hasEntry(id)) {
      if (ref === 0) continue;
      dropDeleted(call, streams, group, ref, id);
      advanced = false;
      continue;
    }
    if (ref !== 0) {
      if (idle > 0 && nowMs - groups.pending.timeOf(ref) < idle) continue;
    } else if (options.force) {
      ref = groups.pending.add(group, consumer, id, options.timeMs, 1);
    } else {
      continue;
    }
    take(call, streams, group, ref, consumer, options.timeMs, options.justId, options.deliveries);
    reportClaimed(call, streams, options.justId);
    found++;
    logClaim(call, streams, group, ref, id, 1, 2);
    advanced = false;
  }
  if (advanced) {
    logGroupId(call, streams, group, 1, 2);
    changedQuietly(call, "", 1);
  }
  reply.endArray(mark, ids.length, found);
}

function failGroup(call: Call): never {
  fail(`NOGROUP No such key '${shown(call, 1)}' or consumer group '${shown(call, 2)}'`);
}

/** Reads the ids from argument 5 on, and the options behind them. */
function parseOptions(call: Call, ids: StreamId[]): Options {
  const { argc, bytes } = call, { nowMs } = call.store;
  let i = 5;
  for (; i < argc; i++) {
    const id = newId();
    if (parseId(bytes, call.start(i), call.end(i), id, IdOption.NONE) === IdForm.INVALID) break;
    ids.push(id);
  }
  const end = i, lastId = newId();
  let timeMs = NaN, deliveries = -1n, force = false, justId = false;
  for (; i < argc; i++) {
    const more = i + 1 < argc;
    if (call.is(i, "force")) {
      force = true;
    } else if (call.is(i, "justid")) {
      justId = true;
    } else if (more && call.is(i, "idle")) {
      timeMs = nowMs - call.integer(++i, "ERR Invalid IDLE option argument for XCLAIM");
    } else if (more && call.is(i, "time")) {
      timeMs = call.integer(++i, "ERR Invalid TIME option argument for XCLAIM");
    } else if (more && call.is(i, "retrycount")) {
      deliveries = call.int64(++i, "ERR Invalid RETRYCOUNT option argument for XCLAIM");
    } else if (more && call.is(i, "lastid")) {
      idArgument(call, ++i, lastId);
    } else {
      fail(`ERR Unrecognized XCLAIM option '${shown(call, i)}'`);
    }
  }
  // A time that cannot be is that of now.
  if (!(timeMs >= 0 && timeMs <= nowMs)) timeMs = nowMs;
  return { end, timeMs, deliveries, force, justId, lastId };
}

/** Takes an entry that is pending but deleted out of a group. */
function dropDeleted(call: Call, streams: StreamValue, group: GroupRef, ref: PendingRef, id: StreamId): void {
  logClaim(call, streams, group, ref, id, 1, 2);
  streams.groups.pending.remove(group, ref);
  changedQuietly(call, "", 1);
}

/** Gives a pending entry to a consumer. */
function take(
  call: Call,
  { groups }: StreamValue,
  group: GroupRef,
  ref: PendingRef,
  consumer: RecordRef,
  timeMs: number,
  justId: boolean,
  deliveries: bigint,
): void {
  const { pending } = groups;
  pending.setTime(group, ref, timeMs);
  if (deliveries >= 0n) {
    pending.setDeliveries(ref, Number(BigInt.asIntN(32, deliveries >> 32n)), Number(BigInt.asIntN(32, deliveries)));
  } else if (!justId) {
    pending.countDelivery(ref);
  }
  pending.give(ref, consumer);
  groups.setActive(consumer, call.store.nowMs);
  changedQuietly(call, "", 1);
}

/** Replies with the entry that `hasEntry` has found. */
function reportClaimed(call: Call, streams: StreamValue, justId: boolean): void {
  const { probe } = streams;
  if (justId) replyId(call, probe.id);
  else replyEntry(call, streams, probe);
}

function autoClaim(call: Call): void {
  const { argc, db, reply } = call, { nowMs } = call.store;
  // As in Redis, a missing key is announced even if an argument is wrong.
  const record = call.lookup(1);
  const idle = Math.max(0, call.integer(4, "ERR Invalid min-idle-time argument for XAUTOCLAIM"));
  const cursor = newId();
  startArgument(call, 5, cursor);
  let count = COUNT_DEFAULT, justId = false;
  for (let i = 6; i < argc; i++) {
    if (i + 1 < argc && call.is(i, "count")) {
      const tooSmall = "ERR COUNT must be > 0";
      count = call.integerIn(++i, 1, COUNT_MAX, tooSmall, tooSmall);
    } else if (call.is(i, "justid")) {
      justId = true;
    } else {
      fail(messages.syntax);
    }
  }
  if (record !== 0 && db.typeOf(record) !== Type.STREAM) fail(messages.wrongType);
  const streams = record === 0 ? undefined : openStream(call, record);
  const group = streams === undefined ? 0 as GroupRef : findGroup(call, streams, 2);
  if (streams === undefined || group === 0) failGroup(call);
  logNothing(call);
  const { consumer } = obtainConsumer(call, streams, group, 3, 1);
  const { pending } = streams.groups, { ids } = pending, tree = pending.byId(group);
  const claimed: StreamId[] = [], deleted: StreamId[] = [];
  let attempts = count * ATTEMPTS_FACTOR;
  for (ids.seekFrom(tree, cursor, 0, false); ids.leaf !== 0 && attempts-- > 0 && count > 0;) {
    const { ref } = ids, id = newId();
    pending.readId(ref, id);
    if (!streams.hasEntry(id)) {
      dropDeleted(call, streams, group, ref, id);
      deleted.push(id);
      count--;
    } else if (idle === 0 || nowMs - pending.timeOf(ref) >= idle) {
      take(call, streams, group, ref, consumer, nowMs, justId, -1n);
      logClaim(call, streams, group, ref, id, 1, 2);
      claimed.push(id);
      count--;
    }
    // Changes move the cursor.
    ids.seekFrom(tree, id, 0, true);
  }
  cursor.fill(0);
  if (ids.leaf !== 0) pending.readId(ids.ref, cursor);
  reply.array(3);
  replyId(call, cursor);
  reply.array(claimed.length);
  for (const id of claimed) {
    streams.hasEntry(id);
    reportClaimed(call, streams, justId);
  }
  reply.array(deleted.length);
  for (const id of deleted) replyId(call, id);
}
