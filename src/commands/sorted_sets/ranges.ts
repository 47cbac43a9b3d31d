/**
 * The sorted set commands on ranges: by rank, by score and by member, forwards and backwards, to read, count, store or
 * remove. Every range is first converted to a range of ranks.
 */
import { fail, messages } from "../../core/errors.ts";
import { Type } from "../../store/keyspace.ts";
import type { SortedSet } from "../../store/values/sorted_set.ts";
import type { Call } from "../../dispatch/call.ts";
import {
  boundScore,
  checkMemberBound,
  formOf,
  fromStart,
  isExclusive,
  keepRemoved,
  memberRankFrom,
  memberRankTo,
  openSet,
  replyElements,
  replyHeader,
  sortedSets,
  storeSet,
} from "../shared/sorted_set_call.ts";
import { type CommandSpec, keyAt, notDeprecated } from "../../dispatch/spec.ts";

const limitNeedsBounds = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
const noScoresByLex = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";

const counting = "O(log(N)) with N elements in the sorted set";
const reading = "O(log(N)+M) with N elements in the sorted set and M returned";
const removing = "O(log(N)+M) with N elements in the sorted set and M removed";

/** The kind of the two bounds of a range. */
type Bounds = "rank" | "score" | "member";

const rangeOptions = "[BYSCORE | BYLEX] [REV] [LIMIT offset count]";
const scoreTypes = { min: "double", max: "double" } as const;

export const sortedSetRangeCommands: readonly CommandSpec[] = [
  {
    name: "zrange",
    summary: "Returns the elements of a range of ranks, scores or members.",
    since: "1.2.0",
    group: "sorted-set",
    complexity: reading,
    arity: -4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    growsWithReply: true,
    syntax: `key start stop ${rangeOptions} [WITHSCORES]`,
    types: { start: "string", stop: "string" },
    handler: (call) => range(call, 1, undefined, undefined),
  },
  {
    name: "zrangestore",
    summary: "Stores the elements of a range of ranks, scores or members as a sorted set.",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N elements in the sorted set and M stored",
    arity: -5,
    flags: ["write", "denyoom"],
    keys: [...keyAt(1, "OW UPDATE"), ...keyAt(2, "RO ACCESS")],
    syntax: `dst src min max ${rangeOptions}`,
    types: { dst: "key", src: "key", min: "string", max: "string" },
    handler: (call) => range(call, 2, undefined, undefined),
  },
  {
    name: "zrevrange",
    summary: "Returns the elements of a range of ranks, the highest score first.",
    since: "1.2.0",
    group: "sorted-set",
    complexity: reading,
    arity: -4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    growsWithReply: true,
    syntax: "key start stop [WITHSCORES]",
    types: { start: "integer", stop: "integer" },
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `REV` argument" },
    valkey: notDeprecated,
    handler: (call) => range(call, 1, "rank", true),
  },
  {
    name: "zrangebyscore",
    summary: "Returns the elements of a range of scores.",
    since: "1.0.5",
    group: "sorted-set",
    complexity: reading,
    arity: -4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    growsWithReply: true,
    syntax: "key min max [WITHSCORES] [LIMIT offset count]",
    types: scoreTypes,
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `BYSCORE` argument" },
    valkey: notDeprecated,
    handler: (call) => range(call, 1, "score", false),
  },
  {
    name: "zrevrangebyscore",
    summary: "Returns the elements of a range of scores, the highest first.",
    since: "2.2.0",
    group: "sorted-set",
    complexity: reading,
    arity: -4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    growsWithReply: true,
    syntax: "key max min [WITHSCORES] [LIMIT offset count]",
    types: scoreTypes,
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `REV` and `BYSCORE` arguments" },
    valkey: notDeprecated,
    handler: (call) => range(call, 1, "score", true),
  },
  {
    name: "zrangebylex",
    summary: "Returns the members of a range of members, where all scores are equal.",
    since: "2.8.9",
    group: "sorted-set",
    complexity: reading,
    arity: -4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    growsWithReply: true,
    syntax: "key min max [LIMIT offset count]",
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `BYLEX` argument" },
    valkey: notDeprecated,
    handler: (call) => range(call, 1, "member", false),
  },
  {
    name: "zrevrangebylex",
    summary: "Returns the members of a range of members, the last first, where all scores are equal.",
    since: "2.8.9",
    group: "sorted-set",
    complexity: reading,
    arity: -4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    growsWithReply: true,
    syntax: "key max min [LIMIT offset count]",
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `REV` and `BYLEX` arguments" },
    valkey: notDeprecated,
    handler: (call) => range(call, 1, "member", true),
  },
  {
    name: "zcount",
    summary: "Returns the number of elements in a range of scores.",
    since: "2.0.0",
    group: "sorted-set",
    complexity: counting,
    arity: 4,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key min max",
    types: scoreTypes,
    handler: (call) => count(call, "score"),
  },
  {
    name: "zlexcount",
    summary: "Returns the number of elements in a range of members, where all scores are equal.",
    since: "2.8.9",
    group: "sorted-set",
    complexity: counting,
    arity: 4,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key min max",
    handler: (call) => count(call, "member"),
  },
  {
    name: "zremrangebyrank",
    summary: "Removes the elements of a range of ranks.",
    since: "2.0.0",
    group: "sorted-set",
    complexity: removing,
    arity: 4,
    flags: ["write"],
    keys: keyAt(1, "RW DELETE"),
    syntax: "key start stop",
    types: { start: "integer", stop: "integer" },
    handler: (call) => removeRange(call, "rank", "zremrangebyrank"),
  },
  {
    name: "zremrangebyscore",
    summary: "Removes the elements of a range of scores.",
    since: "1.2.0",
    group: "sorted-set",
    complexity: removing,
    arity: 4,
    flags: ["write"],
    keys: keyAt(1, "RW DELETE"),
    syntax: "key min max",
    types: scoreTypes,
    handler: (call) => removeRange(call, "score", "zremrangebyscore"),
  },
  {
    name: "zremrangebylex",
    summary: "Removes the elements of a range of members, where all scores are equal.",
    since: "2.8.9",
    group: "sorted-set",
    complexity: removing,
    arity: 4,
    flags: ["write"],
    keys: keyAt(1, "RW DELETE"),
    syntax: "key min max",
    handler: (call) => removeRange(call, "member", "zremrangebylex"),
  },
];

/** Throws CommandError unless arguments i and j are bounds of this kind. */
function checkBounds(call: Call, bounds: Bounds, i: number, j: number): void {
  if (bounds === "score") {
    boundScore(call, i);
    boundScore(call, j);
  } else if (bounds === "rank") {
    call.integer(i);
    call.integer(j);
  } else {
    checkMemberBound(call, i);
    checkMemberBound(call, j);
  }
}

/**
 * The rank of the first element within the lower bound in argument i. Moves the cursor there unless the bound is a
 * rank.
 */
function rankFrom(call: Call, set: SortedSet, bounds: Bounds, i: number): number {
  if (bounds === "score") return set.rankOfScore(boundScore(call, i), isExclusive(call, i));
  return bounds === "rank" ? fromStart(call.integer(i), set.length) : memberRankFrom(call, set, i);
}

/** The rank after the last element within the upper bound in argument i. */
function rankTo(call: Call, set: SortedSet, bounds: Bounds, i: number): number {
  if (bounds === "score") return set.rankOfScore(boundScore(call, i), !isExclusive(call, i));
  if (bounds === "member") return memberRankTo(call, set, i);
  const stop = call.integer(i), { length } = set;
  return Math.min(stop < 0 ? stop + length + 1 : stop + 1, length);
}

/**
 * Reads a range of the set of key argument `key`; if `key` is the second, stores it as key argument 1. Bounds and
 * direction are options unless the command implies them. Hot.
 */
function range(call: Call, key: number, givenBounds: Bounds | undefined, givenReverse: boolean | undefined): void {
  const { argc } = call;
  const stores = key === 2;
  let bounds = givenBounds, reverse = givenReverse;
  let withScores = false, offset = 0, limit = -1;
  for (let i = key + 3; i < argc; i++) {
    if (!stores && call.is(i, "withscores")) {
      withScores = true;
    } else if (i + 2 < argc && call.is(i, "limit")) {
      offset = call.integer(++i);
      limit = call.integer(++i);
    } else if (reverse === undefined && call.is(i, "rev")) {
      reverse = true;
    } else if (bounds === undefined && call.is(i, "bylex")) {
      bounds = "member";
    } else if (bounds === undefined && call.is(i, "byscore")) {
      bounds = "score";
    } else {
      fail(messages.syntax);
    }
  }
  bounds ??= "rank";
  reverse ??= false;
  if (bounds === "rank") {
    // A limit of -1 means no limit, and disables the offset too.
    if (limit !== -1) fail(limitNeedsBounds);
    offset = 0;
  }
  if (bounds === "member" && withScores) fail(noScoresByLex);
  // For a reverse range the bounds are given in the order of the walk; ranks always count from the lowest.
  const swapped = reverse && bounds !== "rank";
  const low = swapped ? key + 2 : key + 1, high = swapped ? key + 1 : key + 2;
  let least = 0, greatest = 0;
  if (bounds === "score") {
    least = boundScore(call, low);
    greatest = boundScore(call, high);
  } else {
    checkBounds(call, bounds, low, high);
  }
  const ref = call.lookupType(key, Type.ZSET);
  if (ref === 0) {
    if (stores) storeRange(call, 0, false, false);
    else call.reply.array(0);
    return;
  }
  const set = openSet(call, ref);
  const { length } = set;
  const most = limit < 0 || offset < 0 ? length : Math.min(length, offset + limit);
  let count = 0;
  if (bounds === "score") {
    count = set.walkScores(least, isExclusive(call, low), greatest, !isExclusive(call, high), reverse, most);
  } else {
    const from = rankFrom(call, set, bounds, low), to = rankTo(call, set, bounds, high);
    if (bounds === "member") set.seek(reverse ? to - 1 : from);
    else set.seek(reverse ? length - 1 - from : from);
    count = Math.min(Math.max(0, to - from), most);
  }
  count = offset < 0 ? 0 : Math.max(0, count - offset);
  if (limit >= 0) count = Math.min(count, limit);
  if (offset > 0 && count > 0) set.skip(reverse ? -offset : offset);
  if (stores) {
    storeRange(call, count, reverse, bounds === "rank");
    return;
  }
  const form = formOf(call, withScores);
  replyHeader(call, count, form);
  replyElements(call, set, count, reverse, form);
}

/**
 * Stores `count` elements from the cursor on, in either direction, as key argument 1. `counted`: Redis knows their
 * number in advance.
 */
function storeRange(call: Call, count: number, reverse: boolean, counted: boolean): void {
  const set = sortedSets(call);
  // Redis fills a packed set as long as possible, even if it has to become a table later; a packed set stores -0 as 0.
  let packed = !counted || count <= set.maxPackedEntries;
  set.collect(true, (add) => {
    let i = 0;
    set.walk(count, reverse, (bytes, start, end, score) => {
      if (i++ >= set.maxPackedEntries || end - start > set.maxPackedValueBytes) packed = false;
      add(bytes, start, end, packed ? score + 0 : score);
      return true;
    });
  });
  storeSet(call, 1, set, "zrangestore");
}

function count(call: Call, bounds: Bounds): void {
  checkBounds(call, bounds, 2, 3);
  const ref = call.lookupType(1, Type.ZSET);
  if (ref === 0) {
    call.reply.integer(0);
    return;
  }
  const set = openSet(call, ref);
  const to = rankTo(call, set, bounds, 3), from = rankFrom(call, set, bounds, 2);
  call.reply.integer(Math.max(0, to - from));
}

function removeRange(call: Call, bounds: Bounds, event: string): void {
  checkBounds(call, bounds, 2, 3);
  const ref = call.lookupTypeWrite(1, Type.ZSET);
  if (ref === 0) {
    call.reply.integer(0);
    return;
  }
  const set = openSet(call, ref);
  const to = rankTo(call, set, bounds, 3), from = rankFrom(call, set, bounds, 2);
  const removed = Math.max(0, to - from);
  if (removed > 0) {
    const left = set.length - removed;
    if (left > 0) set.removeRange(from, removed);
    keepRemoved(call, ref, set, 1, event, removed, left);
  }
  call.reply.integer(removed);
}
