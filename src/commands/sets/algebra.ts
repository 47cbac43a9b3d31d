/**
 * Intersections, unions and differences of sets. This file owns the choice of the algorithm, which follows Redis
 * because it determines the encoding of a stored result, and the replacement of the destination key.
 *
 * A replied result takes two passes, because the reply begins with the number of members: the first pass marks each
 * matching member of one source with a bit, the second writes the marked members.
 */
import { fail, messages } from "../../core/errors.ts";
import { INT64_BOUND } from "../../core/numbers.ts";
import { Notify } from "../../engine/listeners.ts";
import { Encoding, Type } from "../../store/keyspace.ts";
import { estimate, HyperLogLog, REGISTERS } from "../../store/values/hyperloglog.ts";
import { MemberBatch } from "../../store/values/member_batch.ts";
import type { MemberSet } from "../../store/values/set.ts";
import type { Call } from "../../dispatch/call.ts";
import { storeValue } from "../shared/store_value.ts";
import { replyMembers, setsOf } from "./set_call.ts";
import { type CommandSpec, keyAt, keyCount, keyRange } from "../../dispatch/spec.ts";
import { type BodyRef, NONE } from "../../store/memory/arena.ts";

const keysPositive = "ERR numkeys should be greater than 0";
const tooManyKeys = "ERR Number of keys can't be greater than number of args";
const limitNegative = "ERR LIMIT can't be negative";

const sourcesSyntax = "key [key ...]";
const storeSyntax = "destination key [key ...]";
const sourceKeys = keyRange(1, -1, 1, "RO ACCESS");
const storeKeys = [...keyAt(1, "OW UPDATE"), ...keyRange(2, -1, 1, "RO ACCESS")];
const unordered = ["nondeterministic_output_order"];
const intersectionCost = "O(N*M) at worst, with N members in the smallest set and M sets";
const sumCost = "O(N) with N members in all sets together";

export const setAlgebraCommands: readonly CommandSpec[] = [
  {
    name: "sinter",
    summary: "Returns the members that several sets have in common.",
    since: "1.0.0",
    group: "set",
    complexity: intersectionCost,
    arity: -2,
    flags: ["readonly"],
    tips: unordered,
    keys: sourceKeys,
    syntax: sourcesSyntax,
    handler: replyIntersection,
  },
  {
    name: "sintercard",
    summary: "Returns how many members several sets have in common, counting up to a limit.",
    since: "7.0.0",
    group: "set",
    complexity: intersectionCost,
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: keyCount(1, "RO ACCESS"),
    syntax: "numkeys key [key ...] [LIMIT limit]",
    handler: countCommon,
  },
  {
    name: "sinterstore",
    summary: "Stores the members that several sets have in common.",
    since: "1.0.0",
    group: "set",
    complexity: intersectionCost,
    arity: -3,
    flags: ["write", "denyoom"],
    keys: storeKeys,
    syntax: storeSyntax,
    handler: storeIntersection,
  },
  {
    name: "sunion",
    summary: "Returns the members of several sets, each once.",
    since: "1.0.0",
    group: "set",
    complexity: sumCost,
    arity: -2,
    flags: ["readonly"],
    tips: unordered,
    keys: sourceKeys,
    syntax: sourcesSyntax,
    handler: (call) => {
      unite(setsOf(call), sourcesOf(call, 1, call.argc), Encoding.HASHTABLE);
      replyResult(call);
    },
  },
  {
    name: "sunionstore",
    summary: "Stores the members of several sets, each once.",
    since: "1.0.0",
    group: "set",
    complexity: sumCost,
    arity: -3,
    flags: ["write", "denyoom"],
    keys: storeKeys,
    syntax: storeSyntax,
    handler: (call) => {
      unite(setsOf(call), sourcesOf(call, 2, call.argc), Encoding.INTSET);
      storeResult(call, "sunionstore");
    },
  },
  {
    name: "sunioncard",
    summary: "Returns how many members several sets have together, or about how many, counting up to a limit.",
    since: "8.10.0",
    group: "set",
    complexity: sumCost,
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: keyCount(1, "RO ACCESS"),
    byDocumentation: true,
    syntax: "numkeys key [key ...] [APPROX] [LIMIT limit]",
    handler: countUnion,
  },
  {
    name: "sdiff",
    summary: "Returns the members of a set that several others do not have.",
    since: "1.0.0",
    group: "set",
    complexity: sumCost,
    arity: -2,
    flags: ["readonly"],
    tips: unordered,
    keys: sourceKeys,
    syntax: sourcesSyntax,
    handler: replyDifference,
  },
  {
    name: "sdiffcard",
    summary: "Returns how many members of a set several others do not have, counting up to a limit.",
    since: "8.10.0",
    group: "set",
    complexity: sumCost,
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: keyCount(1, "RO ACCESS"),
    byDocumentation: true,
    syntax: "numkeys key [key ...] [LIMIT limit]",
    handler: countDifference,
  },
  {
    name: "sdiffstore",
    summary: "Stores the members of a set that several others do not have.",
    since: "1.0.0",
    group: "set",
    complexity: sumCost,
    arity: -3,
    flags: ["write", "denyoom"],
    keys: storeKeys,
    syntax: storeSyntax,
    handler: storeDifference,
  },
];

/** A source that exists; its body does not move while the command runs. */
interface Source {
  readonly encoding: number;
  readonly body: BodyRef;
  readonly count: number;
}

/** The sets of key arguments [from, to), undefined where there is none. */
function sourcesOf(call: Call, from: number, to: number): (Source | undefined)[] {
  const { db } = call;
  const sets = setsOf(call);
  const sources: (Source | undefined)[] = [];
  for (let i = from; i < to; i++) {
    const ref = call.lookupType(i, Type.SET);
    const encoding = ref === 0 ? 0 : db.encodingOf(ref), body = ref === 0 ? NONE : db.bodyOf(ref);
    sources.push(ref === 0 ? undefined : { encoding, body, count: sets.count(encoding, body) });
  }
  return sources;
}

/**
 * The sources of an intersection, the smallest first; undefined if one is missing, because then the result is empty.
 */
function commonSources(call: Call, from: number, to: number): Source[] | undefined {
  const sources = sourcesOf(call, from, to).filter((source) => source !== undefined);
  return sources.length < to - from ? undefined : sources.sort((a, b) => a.count - b.count);
}

/** The sources without the first one and without repetitions of it. */
function othersOf([first, ...rest]: readonly Source[]): readonly Source[] {
  return rest.filter((source) => source.body !== first.body);
}

/**
 * Calls `visit` with batches of those members of a source that all other sources contain (`wanted`), or that none of
 * them contains (not `wanted`), until it returns false.
 */
function eachKept(
  sets: MemberSet,
  source: Source,
  others: readonly Source[],
  wanted: boolean,
  visit: (batch: MemberBatch) => boolean,
): void {
  new MemberBatch(sets).each(source.encoding, source.body, (batch) => {
    for (const { encoding, body } of others) if (batch.count > 0) batch.sift(encoding, body, wanted);
    return batch.count === 0 || visit(batch);
  });
}

function replyIntersection(call: Call): void {
  const sources = commonSources(call, 1, call.argc);
  if (sources === undefined) return call.reply.set(0);
  replyKept(call, sources[0], othersOf(sources), true);
}

/** The arguments of a command that counts the result. */
interface Counting {
  /** The index behind the last key. */
  readonly behind: number;
  /** Infinity if there is no limit. */
  readonly limit: number;
  readonly approximate: boolean;
}

/** Throws CommandError. */
function readCounting(call: Call, mayApproximate = false): Counting {
  const count = call.integerIn(1, 1, INT64_BOUND, keysPositive, keysPositive);
  if (count > call.argc - 2) fail(tooManyKeys);
  let limit = 0, approximate = false;
  for (let i = 2 + count; i < call.argc; i++) {
    if (mayApproximate && call.is(i, "approx")) {
      approximate = true;
      continue;
    }
    if (!call.is(i, "limit") || i + 1 === call.argc) fail(messages.syntax);
    limit = call.integerIn(++i, 0, INT64_BOUND, limitNegative, limitNegative);
  }
  return { behind: 2 + count, limit: limit === 0 ? Infinity : limit, approximate };
}

function countCommon(call: Call): void {
  const { behind, limit } = readCounting(call);
  const sources = commonSources(call, 2, behind);
  call.reply.integer(sources === undefined ? 0 : countKept(call, sources[0], othersOf(sources), true, limit));
}

/** The number of members that `eachKept` visits, at most `limit`. */
function countKept(call: Call, source: Source, others: readonly Source[], wanted: boolean, limit: number): number {
  let count = 0;
  eachKept(setsOf(call), source, others, wanted, (batch) => {
    count += batch.count;
    return count < limit;
  });
  return Math.min(count, limit);
}

function countUnion(call: Call): void {
  const { behind, limit, approximate } = readCounting(call, true);
  const sources = sourcesOf(call, 2, behind).filter((source) => source !== undefined), sets = setsOf(call);
  if (approximate) return call.reply.integer(Math.min(limit, estimateUnion(call, sources)));
  // The largest set alone has its members already.
  if (sources.some(({ count }) => count >= limit)) return call.reply.integer(limit);
  unite(sets, sources, Encoding.HASHTABLE, limit);
  const { encoding, body, length } = sets;
  call.store.freeBody(Type.SET, encoding, body);
  call.reply.integer(Math.min(limit, length));
}

/** About the number of members of all sources together, in the memory of a HyperLogLog. */
function estimateUnion(call: Call, sources: readonly Source[]): number {
  const workbench = new HyperLogLog(), registers = new Uint8Array(REGISTERS), batch = new MemberBatch(setsOf(call));
  workbench.clear();
  workbench.makeDense();
  for (const { encoding, body } of sources) {
    batch.each(encoding, body, ({ count, bytes, start, end }) => {
      for (let i = 0; i < count; i++) workbench.add(bytes[i], start[i], end[i]);
      return true;
    });
  }
  workbench.maximum(registers);
  return estimate(registers);
}

function countDifference(call: Call): void {
  const { behind, limit } = readCounting(call);
  const difference = differenceOf(call, 2, behind);
  if (difference === undefined) return call.reply.integer(0);
  const { first, others } = difference;
  call.reply.integer(countKept(call, first, others, false, limit));
}

/**
 * Replies with those members of a source that all other sources contain, or, unless `wanted`, that none contains. Hot.
 */
function replyKept(call: Call, source: Source, others: readonly Source[], wanted: boolean): void {
  const { reply } = call;
  // The first pass marks positions, because the reply begins with the count. Members of a small set have no fixed
  // position.
  const arrays: Uint8Array[] = [], starts: number[] = [], ends: number[] = [];
  const stay = source.encoding === Encoding.HASHTABLE;
  eachKept(setsOf(call), source, others, wanted, ({ count, bytes, start, end }) => {
    for (let i = 0; i < count; i++) {
      arrays.push(stay ? bytes[i] : bytes[i].slice(start[i], end[i]));
      starts.push(stay ? start[i] : 0);
      ends.push(stay ? end[i] : end[i] - start[i]);
    }
    return true;
  });
  reply.set(arrays.length);
  for (let i = 0; i < arrays.length; i++) reply.bulk(arrays[i], starts[i], ends[i]);
}

function storeIntersection(call: Call): void {
  const sets = setsOf(call);
  const sources = commonSources(call, 2, call.argc);
  sets.create(sources?.[0].encoding === Encoding.INTSET ? Encoding.INTSET : Encoding.LISTPACK);
  if (sources !== undefined) {
    let integersOnly = true;
    eachKept(sets, sources[0], othersOf(sources), true, (batch) => {
      const { count, bytes, start, end } = batch;
      for (let i = 0; i < count && integersOnly; i++) integersOnly = sets.integers.take(bytes[i], start[i], end[i]);
      batch.add();
      return true;
    });
    if (integersOnly && sets.length > 0) sets.toIntegers();
  }
  storeResult(call, "sinterstore");
}

/** Opens a new set with the members of all sources, or with at least `enough` of them. */
function unite(
  sets: MemberSet,
  sources: readonly (Source | undefined)[],
  encoding: number,
  enough = Infinity,
): void {
  // If the result becomes a table in any case, copying a set that is a table is much cheaper than adding its members.
  const largest = sources.reduce((a, b) => (b?.count ?? 0) > (a?.count ?? 0) ? b : a, undefined);
  const limit = Math.max(sets.maxIntSetEntries, sets.maxPackedEntries);
  const copied = largest?.encoding === Encoding.HASHTABLE && largest.count > limit ? largest : undefined;
  if (copied === undefined) sets.create(encoding);
  else sets.open(copied.encoding, sets.copy(copied.encoding, copied.body));
  const batch = new MemberBatch(sets);
  for (const source of sources) {
    if (source === undefined || source === copied) continue;
    batch.each(source.encoding, source.body, () => {
      batch.add();
      return sets.length < enough;
    });
  }
}

/** The operands of a difference; undefined if the result is empty: the first set is missing, or is also subtracted. */
interface Difference {
  readonly first: Source;
  readonly others: readonly Source[];
  /** Whether copying the first set and removing the others' members is cheaper than looking each member up. */
  readonly removing: boolean;
}

function differenceOf(call: Call, from: number, to = call.argc): Difference | undefined {
  const [first, ...rest] = sourcesOf(call, from, to);
  if (first === undefined || rest.some((source) => source?.body === first.body)) return undefined;
  const others = rest.filter((source) => source !== undefined);
  const lookups = first.count * (others.length + 1);
  const removals = others.reduce((sum, { count }) => sum + count, first.count);
  // Redis prefers lookups by a factor of two. For lookups it puts the largest sets first, as the likeliest to contain
  // a member.
  const removing = Math.floor(lookups / 2) > removals;
  return { first, others: removing ? others : others.sort((a, b) => b.count - a.count), removing };
}

function replyDifference(call: Call): void {
  const difference = differenceOf(call, 1);
  if (difference === undefined) return call.reply.set(0);
  const { first, others, removing } = difference;
  if (!removing) return replyKept(call, first, others, false);
  subtract(setsOf(call), difference, Encoding.HASHTABLE);
  replyResult(call);
}

function storeDifference(call: Call): void {
  const sets = setsOf(call);
  const difference = differenceOf(call, 2);
  if (difference === undefined) sets.create(Encoding.INTSET);
  else subtract(sets, difference, Encoding.INTSET);
  storeResult(call, "sdiffstore");
}

/** Opens a new set with the members of a difference. */
function subtract(sets: MemberSet, { first, others, removing }: Difference, encoding: number): void {
  if (removing) {
    unite(sets, [first], encoding);
    const batch = new MemberBatch(sets);
    for (const other of others) {
      batch.each(other.encoding, other.body, () => {
        batch.remove();
        return sets.length > 0;
      });
    }
    return;
  }
  sets.create(encoding);
  eachKept(sets, first, others, false, (batch) => {
    batch.add();
    return true;
  });
}

/** Replies with the open set, which belongs to no key, and frees it. */
function replyResult(call: Call): void {
  const { encoding, body, length } = setsOf(call);
  call.reply.set(length);
  replyMembers(call, encoding, body);
  call.store.freeBody(Type.SET, encoding, body);
}

/** Stores the open set as key argument 1, or deletes the key if the set is empty, and replies with its length. */
function storeResult(call: Call, event: string): void {
  const { encoding, body, length } = setsOf(call);
  storeValue(call, 1, { type: Type.SET, encoding, body, length }, Notify.SET, event);
}
