/**
 * Union, intersection and difference of sorted sets and of sets, whose members have the score 1. The result is
 * collected completely before it is stored or replied, because its order is only known at the end.
 */
import { fail, messages } from "../../core/errors.ts";
import { INT64_BOUND, parseDouble } from "../../core/numbers.ts";
import { Type } from "../../store/keyspace.ts";
import type { SortedSet } from "../../store/values/sorted_set.ts";
import type { Call } from "../../dispatch/call.ts";
import { formOf, replyElements, replyHeader, sortedSets, storeSet } from "../shared/sorted_set_call.ts";
import { type CommandSpec, keyAt, keyCount } from "../../dispatch/spec.ts";
import { type BodyRef, NONE } from "../../store/memory/arena.ts";

const weightNotFloat = "ERR weight value is not a float";
const limitNegative = "ERR LIMIT can't be negative";

const combining = "O(N)+O(M*log(M)) with N elements in all sets and M in the result";
const intersecting = "O(N*K)+O(M*log(M)) with N elements in the smallest of K sets and M in the result";
const subtracting = "O(L + (N-K)log(N)) with L elements in all sets, N in the first and K in the result";

type Operation = "union" | "inter" | "diff";

const operands = "numkeys key [key ...]";
const aggregation = "[WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]";
const weightTypes = { weight: "integer" } as const;

export const sortedSetAlgebraCommands: readonly CommandSpec[] = [
  {
    name: "zunion",
    summary: "Returns the union of sorted sets.",
    since: "6.2.0",
    group: "sorted-set",
    complexity: combining,
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: keyCount(1, "RO ACCESS"),
    syntax: `${operands} ${aggregation} [WITHSCORES]`,
    types: weightTypes,
    handler: (call) => replyResult(call, "union"),
  },
  {
    name: "zinter",
    summary: "Returns the intersection of sorted sets.",
    since: "6.2.0",
    group: "sorted-set",
    complexity: intersecting,
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: keyCount(1, "RO ACCESS"),
    syntax: `${operands} ${aggregation} [WITHSCORES]`,
    types: weightTypes,
    handler: (call) => replyResult(call, "inter"),
  },
  {
    name: "zdiff",
    summary: "Returns the elements of the first sorted set whose members are in none of the others.",
    since: "6.2.0",
    group: "sorted-set",
    complexity: subtracting,
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: keyCount(1, "RO ACCESS"),
    syntax: `${operands} [WITHSCORES]`,
    handler: (call) => replyResult(call, "diff"),
  },
  {
    name: "zunionstore",
    summary: "Stores the union of sorted sets.",
    since: "2.0.0",
    group: "sorted-set",
    complexity: combining,
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: [...keyAt(1, "OW UPDATE"), ...keyCount(2, "RO ACCESS")],
    syntax: `destination ${operands} ${aggregation}`,
    types: { ...weightTypes, destination: "key" },
    handler: (call) => storeResult(call, "union"),
  },
  {
    name: "zinterstore",
    summary: "Stores the intersection of sorted sets.",
    since: "2.0.0",
    group: "sorted-set",
    complexity: intersecting,
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: [...keyAt(1, "OW UPDATE"), ...keyCount(2, "RO ACCESS")],
    syntax: `destination ${operands} ${aggregation}`,
    types: { ...weightTypes, destination: "key" },
    handler: (call) => storeResult(call, "inter"),
  },
  {
    name: "zdiffstore",
    summary: "Stores the elements of the first sorted set whose members are in none of the others.",
    since: "6.2.0",
    group: "sorted-set",
    complexity: subtracting,
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: [...keyAt(1, "OW UPDATE"), ...keyCount(2, "RO ACCESS")],
    syntax: `destination ${operands}`,
    types: { destination: "key" },
    handler: (call) => storeResult(call, "diff"),
  },
  {
    name: "zintercard",
    summary: "Returns the number of members that all of several sorted sets have, counted up to a limit.",
    since: "7.0.0",
    group: "sorted-set",
    complexity: "O(N*K) with N elements in the smallest of K sets",
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: keyCount(1, "RO ACCESS"),
    syntax: `${operands} [LIMIT limit]`,
    handler: replyCardinality,
  },
];

/** One operand: a sorted set, or a set. A missing key has no elements and no body. */
interface Source {
  readonly type: number;
  readonly encoding: number;
  readonly body: BodyRef;
  readonly count: number;
  weight: number;
  /** Scores count as 1, so that weights are counted. */
  counts: boolean;
}

type Combine = (a: number, b: number) => number;

/** The sum of opposite infinities is 0. */
const sum: Combine = (a, b) => Number.isNaN(a + b) ? 0 : a + b;
const min: Combine = (a, b) => b < a ? b : a;
const max: Combine = (a, b) => b > a ? b : a;

/** The operands: the count in argument `first` and the keys after it. Throws CommandError. */
function readSources(call: Call, first: number): Source[] {
  const keys = call.integer(first);
  if (keys < 1) fail(`ERR at least 1 input key is needed for '${call.command.fullName}' command`);
  if (keys > call.argc - first - 1) fail(messages.syntax);
  return Array.from({ length: keys }, (_, i) => readSource(call, first + 1 + i));
}

function readSource(call: Call, i: number): Source {
  const { db, store } = call;
  const ref = call.lookup(i);
  if (ref === 0) return { type: Type.ZSET, encoding: 0, body: NONE, count: 0, weight: 1, counts: false };
  const type = db.typeOf(ref), encoding = db.encodingOf(ref);
  if (type !== Type.ZSET && type !== Type.SET) fail(messages.wrongType);
  const body = db.bodyOf(ref);
  return { type, encoding, body, count: store.valueType(type).count(encoding, body), weight: 1, counts: false };
}

interface AlgebraOptions {
  combine: Combine;
  withScores: boolean;
}

/** Parses the options from argument `first` on; weights are set in the sources. Throws CommandError. */
function readOptions(
  call: Call,
  first: number,
  sources: Source[],
  operation: Operation,
  stores: boolean,
): AlgebraOptions {
  const options: AlgebraOptions = { combine: sum, withScores: false };
  const { argc } = call;
  const weighs = operation !== "diff";
  for (let i = first; i < argc; i++) {
    if (weighs && argc - i > sources.length && call.is(i, "weights")) {
      for (const source of sources) source.weight = readWeight(call, ++i);
    } else if (weighs && i + 1 < argc && call.is(i, "aggregate")) {
      options.combine = readAggregate(call, ++i);
      // As in Redis 8.8: the scores do not matter, only where a member is.
      for (const source of sources) source.counts = call.is(i, "count");
    } else if (!stores && call.is(i, "withscores")) {
      options.withScores = true;
    } else {
      fail(messages.syntax);
    }
  }
  return options;
}

function readWeight(call: Call, i: number): number {
  return parseDouble(call.bytes, call.start(i), call.end(i)) ?? fail(weightNotFloat);
}

function readAggregate(call: Call, i: number): Combine {
  if (call.is(i, "sum") || call.is(i, "count")) return sum;
  if (call.is(i, "min")) return min;
  return call.is(i, "max") ? max : fail(messages.syntax);
}

/** Collects the result of an operation and opens it. Only a result to be stored may be packed. */
function collect(call: Call, first: number, operation: Operation, stores: boolean): AlgebraOptions {
  const sources = readSources(call, first);
  const options = readOptions(call, first + 1 + sources.length, sources, operation, stores);
  const { combine } = options;
  const set = sortedSets(call);
  // The smallest first, as in Redis: the order of additions determines how the sum is rounded.
  const ordered = sources.toSorted((a, b) => a.count - b.count);
  set.collect(stores, (add) => {
    if (operation === "union") {
      for (const source of ordered) {
        eachElement(call, set, source, (bytes, start, end, score) => {
          add(bytes, start, end, weighted(source, score));
        });
      }
    } else if (operation === "diff") {
      const [minuend, ...others] = sources;
      eachElement(call, set, minuend, (bytes, start, end, score) => {
        if (!others.some((other) => !Number.isNaN(scoreIn(call, set, other, bytes, start, end)))) {
          add(bytes, start, end, score);
        }
      });
    } else {
      eachShared(call, set, ordered, combine, (bytes, start, end, score) => {
        add(bytes, start, end, score);
        return true;
      });
    }
  }, combine);
  return options;
}

/** A score times its weight; 0 where the product is NaN. */
function weighted(source: Source, score: number): number {
  const value = source.counts ? source.weight : source.weight * score;
  return Number.isNaN(value) ? 0 : value;
}

/** Visits the members that all sources contain, until `visit` returns false. The first source is the smallest. */
function eachShared(
  call: Call,
  set: SortedSet,
  sources: readonly Source[],
  combine: Combine,
  visit: (bytes: Uint8Array, start: number, end: number, score: number) => boolean,
): void {
  const [smallest, ...others] = sources;
  let more = true;
  eachElement(call, set, smallest, (bytes, start, end, score) => {
    if (!more) return;
    let value = weighted(smallest, score);
    for (const other of others) {
      const own = scoreIn(call, set, other, bytes, start, end);
      if (Number.isNaN(own)) return;
      value = combine(value, other.counts ? other.weight : other.weight * own);
    }
    more = visit(bytes, start, end, value);
  });
}

function eachElement(
  call: Call,
  set: SortedSet,
  source: Source,
  visit: (bytes: Uint8Array, start: number, end: number, score: number) => void,
): void {
  const { type, encoding, body } = source;
  if (body === 0) return;
  if (type === Type.ZSET) {
    set.each(encoding, body, visit);
    return;
  }
  call.store.valueType(type).elements!(encoding, body, false, (bytes, start, end) => {
    visit(bytes, start, end, 1);
    return true;
  });
}

/** The score of a member of a source, NaN if the source does not contain it. */
function scoreIn(call: Call, set: SortedSet, source: Source, bytes: Uint8Array, start: number, end: number): number {
  const { type, encoding, body } = source;
  if (body === 0) return NaN;
  if (type === Type.ZSET) return set.scoreIn(encoding, body, bytes, start, end);
  return call.store.valueType(type).has!(encoding, body, bytes, start, end) ? 1 : NaN;
}

function replyResult(call: Call, operation: Operation): void {
  const { withScores } = collect(call, 1, operation, false);
  const set = sortedSets(call);
  const { length, encoding, body } = set;
  const form = formOf(call, withScores);
  replyHeader(call, length, form);
  set.seek(0);
  replyElements(call, set, length, false, form);
  call.store.freeBody(Type.ZSET, encoding, body);
}

function storeResult(call: Call, operation: Operation): void {
  collect(call, 2, operation, true);
  storeSet(call, 1, sortedSets(call), call.command.fullName);
}

function replyCardinality(call: Call): void {
  const { argc } = call;
  const sources = readSources(call, 1);
  let limit = 0;
  for (let i = 2 + sources.length; i < argc; i += 2) {
    if (!call.is(i, "limit") || i + 1 === argc) fail(messages.syntax);
    limit = call.integerIn(i + 1, 0, INT64_BOUND, limitNegative, limitNegative);
  }
  let count = 0;
  const ordered = sources.toSorted((a, b) => a.count - b.count);
  eachShared(call, sortedSets(call), ordered, sum, () => ++count !== limit);
  call.reply.integer(count);
}
