/**
 * SORT and SORT_RO over every type that lists its elements (`ValueType.elements`). This file owns the patterns of BY and
 * GET and the order; it refuses to know how a list, a set or a sorted set is stored.
 *
 * Elements and weights are latin1 strings, one character a byte, whose order is that of their bytes. As in Redis without
 * a locale, ALPHA compares bytes.
 */
import { fromLatin1, latin1 } from "../core/bytes.ts";
import { fail, messages } from "../core/errors.ts";
import { Notify } from "../engine/engine.ts";
import type { Request } from "../resp/request.ts";
import { type Keyspace, Type } from "../store/keyspace.ts";
import type { List } from "../store/list.ts";
import type { Call } from "./call.ts";
import { type CommandSpec, keyAt, type KeyPosition, type KeySpec } from "./spec.ts";

const badWeight = "ERR One or more scores can't be converted into double";

const byAndGet = "[BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]";
const complexity = "O(N+M*log(M)) with N elements in the source and M returned; O(N) where nothing is sorted";
const categories = ["-keyspace", "set", "sortedset", "list", "dangerous"];

const patternKeys: KeySpec = {
  flags: "RO ACCESS",
  notes: "The keys that BY and GET read depend on the elements.",
  begin: "unknown",
  find: "unknown",
};
const storeKey: KeySpec = {
  flags: "OW UPDATE",
  notes: "The key that STORE writes may stand anywhere among the options.",
  begin: "unknown",
  find: "unknown",
};

export const sortCommands: readonly CommandSpec[] = [
  {
    name: "sort",
    summary:
      "Returns the elements of a list, a set or a sorted set in order, or what they lead to; or stores that as a list.",
    since: "1.0.0",
    group: "generic",
    complexity,
    arity: -2,
    flags: ["write", "denyoom", "movablekeys"],
    categories,
    keys: [...keyAt(1, "RO ACCESS"), patternKeys, storeKey],
    findKeys: sortKeys,
    syntax: `key ${byAndGet} [STORE destination]`,
    types: { destination: "key" },
    handler: (call) => sort(call, true),
  },
  {
    name: "sort_ro",
    summary: "Returns the elements of a list, a set or a sorted set in order, or what they lead to.",
    since: "7.0.0",
    group: "generic",
    complexity,
    arity: -2,
    flags: ["readonly", "movablekeys"],
    categories,
    keys: [...keyAt(1, "RO ACCESS"), patternKeys],
    findKeys: () => [{ index: 1, flags: "RO ACCESS" }],
    syntax: `key ${byAndGet}`,
    handler: (call) => sort(call, false),
  },
];

interface Options {
  descending: boolean;
  alpha: boolean;
  offset: number;
  /** Negative: all. */
  count: number;
  by: Pattern | undefined;
  get: Pattern[];
  /** Argument index of the key to store to, 0 for none. */
  store: number;
}

/** How many arguments follow an option's word. */
const OPTION_ARGUMENTS: Readonly<Record<string, number>> = { limit: 2, get: 1, by: 1 };

/** The keys of SORT: its source, and what the last STORE names. */
function sortKeys(request: Request): KeyPosition[] {
  const { bytes, start, end, argc } = request;
  let store = 0;
  for (let i = 2; i < argc; i++) {
    const word = latin1(bytes, start[i], end[i]).toLowerCase();
    if (word === "store" && i + 1 < argc) store = ++i;
    else i += OPTION_ARGUMENTS[word] ?? 0;
  }
  const source = { index: 1, flags: "RO ACCESS" };
  return store === 0 ? [source] : [source, { index: store, flags: "OW UPDATE" }];
}

function readOptions(call: Call, mayStore: boolean): Options {
  const options: Options = {
    descending: false,
    alpha: false,
    offset: 0,
    count: -1,
    by: undefined,
    get: [],
    store: 0,
  };
  for (let i = 2; i < call.argc; i++) {
    const follow = call.argc - i - 1;
    if (call.is(i, "asc")) options.descending = false;
    else if (call.is(i, "desc")) options.descending = true;
    else if (call.is(i, "alpha")) options.alpha = true;
    else if (call.is(i, "limit") && follow >= 2) {
      options.offset = call.integer(++i);
      options.count = call.integer(++i);
    } else if (mayStore && call.is(i, "store") && follow >= 1) options.store = ++i;
    else if (call.is(i, "by") && follow >= 1) options.by = new Pattern(call.text(++i));
    else if (call.is(i, "get") && follow >= 1) options.get.push(new Pattern(call.text(++i)));
    else fail(messages.syntax);
  }
  return options;
}

/** A pattern of BY or GET: `#`, `prefix*suffix` or `prefix*suffix->field`. */
class Pattern {
  readonly #self: boolean;
  /** Whether the pattern depends on the element. One that does not leads nowhere, and as BY says not to sort. */
  readonly varies: boolean;
  readonly #prefix: string = "";
  readonly #suffix: string = "";
  readonly #field: Uint8Array | undefined;

  constructor(text: string) {
    this.#self = text === "#";
    const star = text.indexOf("*");
    this.varies = star >= 0;
    if (!this.varies) return;
    this.#prefix = text.slice(0, star);
    const arrow = text.indexOf("->", star + 1);
    const hasField = arrow >= 0 && arrow + 2 < text.length;
    this.#suffix = hasField ? text.slice(star + 1, arrow) : text.slice(star + 1);
    if (hasField) this.#field = fromLatin1(text.slice(arrow + 2));
  }

  /** What an element leads to, undefined where that is nothing. */
  follow(db: Keyspace, element: string): string | undefined {
    if (this.#self) return element;
    if (!this.varies) return undefined;
    const key = fromLatin1(this.#prefix + element + this.#suffix);
    const ref = db.lookup(key, 0, key.length);
    if (ref === 0) return undefined;
    const type = db.typeOf(ref), field = this.#field;
    if (field === undefined) {
      if (type !== Type.STRING) return undefined;
      db.readString(ref);
      return latin1(db.bytes, db.start, db.start + db.length);
    }
    if (type !== Type.HASH) return undefined;
    const hashes = db.store.valueType(type);
    const value = hashes.fieldValue?.(db.encodingOf(ref), db.bodyOf(ref), field, 0, field.length);
    return value && latin1(value);
  }
}

function sort(call: Call, mayStore: boolean): void {
  const options = readOptions(call, mayStore);
  const ref = call.lookup(1);
  const elements = ref === 0 ? [] : sorted(call, ref, options);
  if (options.store > 0) {
    store(call, options, elements);
    return;
  }
  const { db, reply } = call;
  reply.array(elements.length * Math.max(1, options.get.length));
  for (const element of elements) {
    if (options.get.length === 0) reply.bulk(fromLatin1(element));
    for (const pattern of options.get) {
      const value = pattern.follow(db, element);
      if (value === undefined) reply.null();
      else reply.bulk(fromLatin1(value));
    }
  }
}

/** The elements of a value that the options ask for, in order. */
function sorted(call: Call, ref: number, options: Options): string[] {
  const { db } = call;
  const type = db.typeOf(ref), encoding = db.encodingOf(ref), body = db.bodyOf(ref);
  const source = type === Type.STRING ? undefined : call.store.valueType(type);
  if (source?.elements === undefined) fail(messages.wrongType);
  let { alpha, by } = options;
  let ordered = by !== undefined && !by.varies;
  const unordered = type === Type.SET;
  if (ordered && unordered && options.store > 0) {
    // What is stored must not hang on the order in which a set happens to be: a file that is read has to repeat it.
    ordered = false;
    alpha = true;
    by = undefined;
  }
  const length = source.count(encoding, body);
  const from = Math.min(Math.max(options.offset, 0), length);
  const to = options.count < 0 ? length : Math.min(from + options.count, length);
  const all: string[] = [];
  source.elements(encoding, body, ordered && options.descending && !unordered, (bytes, start, end) => {
    if (ordered && all.length >= to) return false;
    all.push(latin1(bytes, start, end));
    return true;
  });
  if (ordered) return all.slice(from, to);
  const weighed = all.map((element) => {
    const weight = by === undefined ? element : by.follow(db, element);
    return { element, weight, score: alpha ? 0 : scoreOf(weight) };
  });
  const sign = options.descending ? -1 : 1;
  weighed.sort((a, b) => {
    if (!alpha) return sign * (compare(a.score, b.score) || compare(a.element, b.element));
    return sign * (compareWeights(a.weight, b.weight) || (unordered ? compare(a.element, b.element) : 0));
  });
  return weighed.slice(from, to).map(({ element }) => element);
}

function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Nothing comes before everything. */
function compareWeights(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return compare(a, b);
}

const WEIGHT = /^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|(inf(?:inity)?))$/i;

/** A weight up to its first NUL, as Redis reads it here: what is too large is infinite, nothing is 0, hex is no number. */
function scoreOf(weight: string | undefined): number {
  const text = (weight ?? "").split("\0", 1)[0];
  if (text === "") return 0;
  const match = WEIGHT.exec(text) ?? fail(badWeight);
  if (match[1] === undefined) return Number(text);
  return text[0] === "-" ? -Infinity : Infinity;
}

/** Replaces a key by the list of what the elements lead to, and replies with its length. */
function store(call: Call, options: Options, elements: string[]): void {
  const { db } = call;
  const { bytes, start, end } = call.request;
  const key = options.store;
  const values = options.get.length === 0
    ? elements
    : elements.flatMap((element) => options.get.map((pattern) => pattern.follow(db, element) ?? ""));
  const existed = db.remove(bytes, start[key], end[key]);
  if (values.length > 0) {
    const list = call.store.valueType(Type.LIST) as List;
    list.createLong();
    for (const value of values) list.pushTail(fromLatin1(value), 0, value.length);
    list.settle();
    db.add(bytes, start[key], end[key], Type.LIST, list.encoding, list.body);
    call.modified(Notify.LIST, "sortstore", key);
    call.dirty += values.length - 1;
  } else if (existed) {
    call.modified(Notify.GENERIC, "del", key);
  }
  call.reply.integer(values.length);
}
