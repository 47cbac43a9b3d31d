/**
 * The sorted set commands that add, remove, pop, look up and scan, and the table of all sorted set commands. Ranges
 * are in ranges.ts, unions, intersections and differences in algebra.ts.
 */
import { fail, messages } from "../../core/errors.ts";
import { formatDouble, INT64_BOUND, preciseText } from "../../core/numbers.ts";
import { Notify } from "../../engine/listeners.ts";
import { entriesBytes } from "../../store/blocks/entry.ts";
import { Encoding, Type } from "../../store/keyspace.ts";
import type { SortedSet } from "../../store/values/sorted_set.ts";
import type { Call } from "../../dispatch/call.ts";
import { matchesPattern, parseCursor, parseScanOptions } from "../shared/scanning.ts";
import { sortedSetAlgebraCommands } from "./algebra.ts";
import {
  formOf,
  keepRemoved,
  keepSet,
  openSet,
  popElements,
  replyElement,
  replyElements,
  replyHeader,
  sortedSets,
} from "../shared/sorted_set_call.ts";
import { sortedSetRangeCommands } from "./ranges.ts";
import { type CommandSpec, keyAt, keyCount } from "../../dispatch/spec.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

const nxAndXx = "ERR XX and NX options at the same time are not compatible";
const nxGtLt = "ERR GT, LT, and/or NX options at the same time are not compatible";
const incrOnce = "ERR INCR option supports a single increment-element pair";
const notANumber = "ERR resulting score is not a number (NaN)";
const keysPositive = "ERR numkeys should be greater than 0";
const countPositive = "ERR count should be greater than 0";
const countRange = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
const pairsRange = "ERR value is out of range";

const logarithmic = "O(log(N)) with N elements in the sorted set";

/** Options of ZADD. */
const NX = 1, XX = 2, GT = 4, LT = 8, CH = 16, INCR = 32;

export const sortedSetCommands: readonly CommandSpec[] = [
  {
    name: "zadd",
    summary:
      "Adds members with scores to a sorted set, or gives those it has other scores; makes the set if there is none.",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)) for each element, with N elements in the sorted set",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    element: 3,
    partialEffect: "elements",
    syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    types: { score: "double" },
    handler: add,
  },
  {
    name: "zincrby",
    summary: "Adds a number to a member's score; a missing member counts as 0 and is added.",
    since: "1.2.0",
    group: "sorted-set",
    complexity: logarithmic,
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    element: 3,
    partialEffect: "elements",
    syntax: "key increment member",
    types: { increment: "integer" },
    handler: (call) => addPairs(call, INCR, 2),
  },
  {
    name: "zrem",
    summary: "Removes members from a sorted set.",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(M*log(N)) with M members to remove and N elements in the sorted set",
    arity: -3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW DELETE"),
    element: 2,
    partialEffect: "elements",
    syntax: "key member [member ...]",
    handler: remove,
  },
  {
    name: "zcard",
    summary: "Returns the number of elements of a sorted set.",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    syntax: "key",
    handler: (call) => {
      const ref = call.lookupType(1, Type.ZSET);
      call.reply.integer(ref === 0 ? 0 : openSet(call, ref).length);
    },
  },
  {
    name: "zscore",
    summary: "Returns the score of a member.",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    element: 2,
    syntax: "key member",
    handler: (call) => replyScoreOf(call, call.lookupType(1, Type.ZSET), 2),
  },
  {
    name: "zmscore",
    summary: "Returns the scores of members, and nothing for those that are missing.",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(N) for N members asked for",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    element: 2,
    syntax: "key member [member ...]",
    handler: (call) => {
      const ref = call.lookupType(1, Type.ZSET);
      call.reply.array(call.argc - 2);
      for (let i = 2; i < call.argc; i++) replyScoreOf(call, ref, i);
    },
  },
  {
    name: "zrank",
    summary: "Returns the index of a member from the lowest score on, and its score if asked for.",
    since: "2.0.0",
    group: "sorted-set",
    complexity: logarithmic,
    arity: -3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    element: 2,
    syntax: "key member [WITHSCORE]",
    handler: (call) => rank(call, false),
  },
  {
    name: "zrevrank",
    summary: "Returns the index of a member from the highest score on, and its score if asked for.",
    since: "2.0.0",
    group: "sorted-set",
    complexity: logarithmic,
    arity: -3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    element: 2,
    syntax: "key member [WITHSCORE]",
    handler: (call) => rank(call, true),
  },
  {
    name: "zpopmin",
    summary: "Removes the elements with the lowest scores and returns them.",
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)*M) with N elements in the sorted set and M removed",
    arity: -2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    syntax: "key [count]",
    handler: (call) => pop(call, false),
  },
  {
    name: "zpopmax",
    summary: "Removes the elements with the highest scores and returns them.",
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)*M) with N elements in the sorted set and M removed",
    arity: -2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    syntax: "key [count]",
    handler: (call) => pop(call, true),
  },
  {
    name: "zmpop",
    summary:
      "Removes elements from the first of several sorted sets that has any, and returns them with the set's key.",
    since: "7.0.0",
    group: "sorted-set",
    complexity: "O(K) + O(M*log(N)) with K keys, N elements in the sorted set and M removed",
    arity: -4,
    flags: ["write", "movablekeys"],
    keys: keyCount(1, "RW ACCESS DELETE"),
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    handler: (call) => {
      if (!popFromFirst(call, parsePop(call, 1))) call.reply.nullArray();
    },
  },
  {
    name: "zrandmember",
    summary: "Returns members at random: different ones, or, if the count is negative, any.",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(N) for N members returned",
    arity: -2,
    flags: ["readonly"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key [count [WITHSCORES]]",
    handler: randomMembers,
  },
  {
    name: "zscan",
    summary: "Walks through the members and scores of a sorted set, some at a time.",
    since: "2.8.0",
    group: "sorted-set",
    complexity: "O(1) for each call, O(N) for the whole walk",
    arity: -3,
    flags: ["readonly"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    types: { cursor: "integer" },
    valkey: { syntax: "key cursor [MATCH pattern] [COUNT count] [NOSCORES]" },
    handler: scan,
  },
  ...sortedSetRangeCommands,
  ...sortedSetAlgebraCommands,
];

/** Hot. */
function add(call: Call): void {
  let options = 0;
  let i = 2;
  for (let option = optionOf(call, i); option !== 0; option = optionOf(call, i)) {
    options |= option;
    i++;
  }
  const count = call.argc - i;
  if (count === 0 || count % 2 !== 0) fail(messages.syntax);
  if ((options & NX) !== 0 && (options & XX) !== 0) fail(nxAndXx);
  const directions = options & (GT | LT);
  if (directions === (GT | LT) || (directions !== 0 && (options & NX) !== 0)) fail(nxGtLt);
  if ((options & INCR) !== 0 && count > 2) fail(incrOnce);
  addPairs(call, options, i);
}

/** The option in argument i, 0 if it is none: a score never begins with one of these letters. Hot. */
function optionOf(call: Call, i: number): number {
  if (i >= call.argc) return 0;
  const start = call.start(i);
  if (call.end(i) === start || call.bytes[start] <= 57) return 0;
  if (call.is(i, "nx")) return NX;
  if (call.is(i, "xx")) return XX;
  if (call.is(i, "gt")) return GT;
  if (call.is(i, "lt")) return LT;
  if (call.is(i, "ch")) return CH;
  return call.is(i, "incr") ? INCR : 0;
}

/** Adds the pairs from argument `first` on. Hot. */
function addPairs(call: Call, options: number, first: number): void {
  const { db, argc } = call;
  const { bytes, start, end } = call.request;
  const pairs = (argc - first) >>> 1;
  let score = 0;
  for (let i = first; i < argc; i += 2) score = call.double(i);
  const ref = call.lookupTypeWrite(1, Type.ZSET);
  const increment = (options & INCR) !== 0;
  if (ref === 0 && (options & XX) !== 0) {
    if (increment) call.reply.null();
    else call.reply.integer(0);
    return;
  }
  const set = sortedSets(call);
  if (ref === 0) {
    const memberBytes = end[first + 1] - start[first + 1];
    set.create(pairs, memberBytes, pairs <= set.maxPackedEntries ? entriesBytes(bytes, start, end, first, argc) : 0);
  } else {
    set.open(db.encodingOf(ref), db.bodyOf(ref));
    if (increment && (options & NX) === 0) checkIncrement(call, set, score);
    set.expect(pairs);
  }
  let added = 0, updated = 0, skipped = 0;
  for (let i = first; i < argc; i += 2) {
    // A single score was parsed above.
    if (pairs > 1) score = call.double(i);
    const member = i + 1;
    if (!set.find(bytes, start[member], end[member], call.elementHash(member))) {
      if ((options & XX) !== 0) {
        skipped++;
      } else {
        set.insert(score, bytes, start[member], end[member]);
        added++;
      }
      continue;
    }
    const old = set.score;
    if (increment) score += old;
    if (
      (options & NX) !== 0 || ((options & GT) !== 0 && score <= old) || ((options & LT) !== 0 && score >= old)
    ) {
      skipped++;
    } else if (score !== old) {
      set.rescore(score, bytes, start[member], end[member]);
      updated++;
    }
  }
  if (ref === 0) db.add(bytes, start[1], end[1], Type.ZSET, set.encoding, set.body);
  else keepSet(call, ref, set);
  if (added + updated > 0) {
    call.changed(Notify.ZSET, increment ? "zincr" : "zadd", 1, added + updated);
  }
  if (!increment) call.reply.integer((options & CH) !== 0 ? added + updated : added);
  else if (skipped > 0) call.reply.null();
  else call.reply.double(score);
}

/** Throws CommandError if the sum of the last argument's score and `score` is NaN. */
function checkIncrement(call: Call, set: SortedSet, score: number): void {
  const i = call.argc - 1;
  if (
    Math.abs(score) === Infinity && set.find(call.bytes, call.start(i), call.end(i), call.elementHash(i)) &&
    set.score === -score
  ) {
    fail(notANumber);
  }
}

/** Hot. */
function remove(call: Call): void {
  const { bytes, start, end } = call.request;
  const ref = call.lookupTypeWrite(1, Type.ZSET);
  if (ref === 0) {
    call.reply.integer(0);
    return;
  }
  const set = openSet(call, ref);
  let removed = 0;
  for (let i = 2; i < call.argc; i++) {
    if (!set.find(bytes, start[i], end[i], call.elementHash(i))) continue;
    set.remove();
    removed++;
  }
  if (removed > 0) keepRemoved(call, ref, set, 1, "zrem", removed);
  call.reply.integer(removed);
}

/** Replies with the score of the member in argument i. Hot. */
function replyScoreOf(call: Call, ref: RecordRef, i: number): void {
  if (ref !== 0) {
    const set = openSet(call, ref);
    if (set.find(call.bytes, call.start(i), call.end(i), call.elementHash(i))) {
      call.reply.double(set.score);
      return;
    }
  }
  call.reply.null();
}

function rank(call: Call, reverse: boolean): void {
  const { argc, reply } = call;
  if (argc > 4) call.failArity();
  const withScore = argc === 4;
  if (withScore && !call.is(3, "withscore")) fail(messages.syntax);
  const ref = call.lookupType(1, Type.ZSET);
  const set = sortedSets(call);
  if (ref === 0 || !openSet(call, ref).find(call.bytes, call.start(2), call.end(2), call.elementHash(2))) {
    if (withScore) reply.nullArray();
    else reply.null();
    return;
  }
  const place = reverse ? set.length - 1 - set.foundRank() : set.foundRank();
  if (withScore) reply.array(2);
  reply.integer(place);
  if (withScore) call.reply.double(set.score);
}

/** Hot without a count. */
function pop(call: Call, highest: boolean): void {
  if (call.argc > 3) fail(messages.syntax);
  const counted = call.argc === 3;
  const count = counted ? call.integerIn(2, 0, INT64_BOUND, messages.mustBePositive, messages.mustBePositive) : 1;
  const ref = call.lookupTypeWrite(1, Type.ZSET);
  if (ref === 0 || count === 0) {
    call.reply.array(0);
    return;
  }
  popElements(call, ref, 1, highest, count, counted ? formOf(call, true) : "flat");
}

/** The parsed arguments of ZMPOP and BZMPOP: key arguments `first` to `last`, the end and the count. */
export interface Pop {
  readonly first: number;
  readonly last: number;
  readonly highest: boolean;
  readonly count: number;
}

/** Parses `numkeys key [key ...] MIN | MAX [COUNT count]` from argument i on. */
export function parsePop(call: Call, i: number): Pop {
  const { argc } = call;
  const keys = call.integerIn(i, 1, INT64_BOUND, keysPositive, keysPositive);
  const where = i + 1 + keys;
  if (where >= argc) fail(messages.syntax);
  const highest = call.is(where, "max");
  if (!highest && !call.is(where, "min")) fail(messages.syntax);
  let count = 0;
  for (let k = where + 1; k < argc; k += 2) {
    if (count > 0 || !call.is(k, "count") || k + 1 === argc) fail(messages.syntax);
    count = call.integerIn(k + 1, 1, INT64_BOUND, countPositive, countPositive);
  }
  return { first: i + 1, last: where - 1, highest, count: Math.max(1, count) };
}

/**
 * Pops from the first sorted set that exists and replies with the elements; returns false, without a reply, if none
 * exists.
 */
export function popFromFirst(call: Call, { first, last, highest, count }: Pop): boolean {
  const { reply } = call;
  for (let i = first; i <= last; i++) {
    const ref = call.lookupTypeWrite(i, Type.ZSET);
    if (ref === 0) continue;
    reply.array(2);
    reply.bulk(call.bytes, call.start(i), call.end(i));
    const popped = popElements(call, ref, i, highest, count, "pairs");
    call.logInstead(highest ? "ZPOPMAX" : "ZPOPMIN", call.view(i), popped);
    return true;
  }
  return false;
}

function randomMembers(call: Call): void {
  const { argc, reply, engine } = call;
  if (argc === 2) {
    const ref = call.lookupType(1, Type.ZSET);
    if (ref === 0) return reply.null();
    const set = openSet(call, ref);
    set.readRandom(engine.random);
    return replyElement(call, set, "members");
  }
  const count = call.integerIn(2, -INT64_BOUND, INT64_BOUND, countRange);
  if (count === -INT64_BOUND && call.int64(2) === -(2n ** 63n)) fail(countRange);
  const withScores = argc > 3;
  if (argc > 4 || (withScores && !call.is(3, "withscores"))) fail(messages.syntax);
  if (withScores && Math.abs(count) >= INT64_BOUND / 2) fail(pairsRange);
  const ref = call.lookupType(1, Type.ZSET);
  if (ref === 0 || count === 0) return reply.array(0);
  const set = openSet(call, ref);
  const { length } = set, form = formOf(call, withScores);
  if (count < 0) {
    replyHeader(call, -count, form);
    for (let i = 0; i < -count && !call.session.closing; i++) {
      set.readRandom(engine.random);
      replyElement(call, set, form);
    }
  } else if (count >= length) {
    // The whole set, which Redis replies with from the end.
    replyHeader(call, length, form);
    set.seek(length - 1);
    replyElements(call, set, length, true, form);
  } else {
    replyHeader(call, count, form);
    for (const place of distinctRanks(call, count, length)) {
      set.seek(place);
      set.next();
      replyElement(call, set, form);
    }
  }
}

/** `count` different ranks below `length`, every subset equally likely (R. Floyd's algorithm). */
function distinctRanks(call: Call, count: number, length: number): Set<number> {
  const ranks = new Set<number>();
  for (let top = length - count; top < length; top++) {
    const place = call.engine.random.below(top + 1);
    ranks.add(ranks.has(place) ? top : place);
  }
  return ranks;
}

function scan(call: Call): void {
  const cursor = parseCursor(call, 2);
  const ref = call.lookupType(1, Type.ZSET);
  const found: (Uint8Array | string)[] = [];
  let next = 0;
  if (ref !== 0) {
    // As in Redis, the options of a scan of a missing key are not checked.
    const { count, pattern, noValues } = parseScanOptions(call, 3, "sorted set");
    const set = openSet(call, ref);
    const format = set.encoding === Encoding.SKIPLIST ? preciseText : formatDouble;
    next = set.scan(cursor, count, (bytes, start, end, score) => {
      if (!matchesPattern(call, pattern, bytes, start, end)) return;
      found.push(bytes.slice(start, end));
      if (!noValues) found.push(format(score));
    });
  }
  const { reply } = call;
  reply.array(2);
  reply.bulkText(String(next));
  reply.array(found.length);
  for (const part of found) {
    if (typeof part === "string") reply.bulkText(part);
    else reply.bulk(part);
  }
}
