/**
 * SORT and SORT_RO for every type that lists its elements (`ValueType.elements`). This file owns the patterns of BY
 * and GET and the order; it does not depend on the structure of lists, sets or sorted sets.
 *
 * Elements are copied first, because resolving a pattern may delete a key that has expired. ALPHA compares bytes, like
 * Redis without a locale.
 */
import { latin1, NO_BYTES } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import { parseDouble, parsePlainDouble } from "../../core/numbers.ts";
import { KeyedItems } from "../../core/radix_sort.ts";
import { ByteStrings } from "../../core/byte_strings.ts";
import { Notify } from "../../engine/listeners.ts";
import { Access } from "../../engine/user.ts";
import type { Request } from "../../resp/request.ts";
import { type Keyspace, Type } from "../../store/keyspace.ts";
import type { List } from "../../store/values/list.ts";
import type { Call } from "../../dispatch/call.ts";
import { storeValue } from "../shared/store_value.ts";
import { keyFlags } from "../../dispatch/key_flags.ts";
import { permitsEveryKey } from "../../dispatch/permissions.ts";
import { type CommandSpec, keyAt, type KeyPosition, type KeySpec } from "../../dispatch/spec.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

const STAR = "*".charCodeAt(0), SELF = "#".charCodeAt(0), NUL = 0;

const badWeight = "ERR One or more scores can't be converted into double";

const NO_ORDER = new Int32Array(0);

const byAndGet = "[BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]";
const complexity = "O(N+M*log(M)) with N elements in the source and M returned; O(N) where nothing is sorted";
const categories = ["-keyspace", "set", "sortedset", "list", "dangerous"];

const patternKeys: KeySpec = {
  flags: keyFlags("RO ACCESS"),
  notes: "The keys that BY and GET read depend on the elements.",
  begin: "unknown",
  find: "unknown",
};
const storeKey: KeySpec = {
  flags: keyFlags("OW UPDATE"),
  notes: "The key that STORE writes may stand anywhere among the options.",
  begin: "unknown",
  find: "unknown",
};

const DIFFERS = [
  "A weight that is empty, too large or too small for a double is an error in Valkey; Redis takes 0 or infinity.",
];

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
    differs: DIFFERS,
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
    findKeys: () => [{ index: 1, flags: keyFlags("RO ACCESS") }],
    syntax: `key ${byAndGet}`,
    differs: DIFFERS,
    handler: (call) => sort(call, false),
  },
];

interface Options {
  descending: boolean;
  alpha: boolean;
  offset: number;
  /** Negative: no limit. */
  count: number;
  by: Pattern | undefined;
  get: Pattern[];
  /** Argument index of the destination key, 0 for none. */
  store: number;
}

/** Number of arguments after an option's name. */
const OPTION_ARGUMENTS: Readonly<Record<string, number>> = { limit: 2, get: 1, by: 1 };

/** The keys of SORT: its source, and the key after the last STORE. */
function sortKeys(request: Request): KeyPosition[] {
  const { bytes, start, end, argc } = request;
  let store = 0;
  for (let i = 2; i < argc; i++) {
    const word = latin1(bytes, start[i], end[i]).toLowerCase();
    if (word === "store" && i + 1 < argc) store = ++i;
    else i += OPTION_ARGUMENTS[word] ?? 0;
  }
  const source = { index: 1, flags: keyFlags("RO ACCESS") };
  return store === 0 ? [source] : [source, { index: store, flags: keyFlags("OW UPDATE") }];
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
    else if (call.is(i, "by") && follow >= 1) {
      options.by = new Pattern(argument(call, ++i));
      if (options.by.varies) needAllKeys(call, "BY");
    } else if (call.is(i, "get") && follow >= 1) {
      needAllKeys(call, "GET");
      options.get.push(new Pattern(argument(call, ++i)));
    } else fail(messages.syntax);
  }
  return options;
}

/** The keys that a pattern leads to are not known in advance, so it needs the permission to read all keys. */
function needAllKeys({ command, db, request, session }: Call, option: string): void {
  if (!permitsEveryKey(session.user, command, request, db.index, Access.READ)) {
    fail(`ERR ${option} option of SORT denied due to insufficient ACL permissions.`);
  }
}

/** A view of argument i, valid while the command runs. */
function argument(call: Call, i: number): Uint8Array {
  return call.bytes.subarray(call.start(i), call.end(i));
}

/** A pattern of BY or GET: `#`, `prefix*suffix` or `prefix*suffix->field`. */
class Pattern {
  readonly isSelf: boolean;
  /** Whether the pattern depends on the element. If not, GET finds nothing, and BY disables sorting. */
  readonly varies: boolean;
  /** The value found by `follow`, valid until the next write. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;

  readonly #star: number;
  readonly #text: Uint8Array;
  readonly #suffixEnd: number;
  readonly #field: Uint8Array | undefined;
  /** Buffer for the keys that a pattern makes of elements. */
  #key: Uint8Array = NO_BYTES;

  constructor(text: Uint8Array) {
    this.#text = text;
    this.isSelf = text.length === 1 && text[0] === SELF;
    this.#star = text.indexOf(STAR);
    this.varies = this.#star >= 0;
    const arrow = latin1(text).indexOf("->", this.#star + 1);
    const hasField = this.varies && arrow >= 0 && arrow + 2 < text.length;
    this.#suffixEnd = hasField ? arrow : text.length;
    if (hasField) this.#field = text.subarray(arrow + 2);
  }

  /**
   * Looks up the value that the pattern gives for an element, and leaves it in the registers. False if there is none.
   */
  follow(db: Keyspace, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.isSelf) return this.#found(bytes, start, end);
    if (!this.varies) return false;
    const length = this.#writeKey(bytes, start, end);
    const ref = db.lookup(this.#key, 0, length);
    if (ref === 0) return false;
    const type = db.typeOf(ref), field = this.#field;
    if (field === undefined) {
      if (type !== Type.STRING) return false;
      db.readString(ref);
      return this.#found(db.bytes, db.start, db.start + db.length);
    }
    if (type !== Type.HASH) return false;
    const hashes = db.store.valueType(type);
    const value = hashes.fieldValue?.(db.encodingOf(ref), db.bodyOf(ref), field, 0, field.length);
    return value !== undefined && this.#found(value, 0, value.length);
  }

  #found(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return true;
  }

  /** Replaces the star by the element. Returns the length of the key. */
  #writeKey(bytes: Uint8Array, start: number, end: number): number {
    const star = this.#star, after = star + end - start;
    const length = after + this.#suffixEnd - star - 1;
    if (this.#key.length < length) {
      this.#key = new Uint8Array(2 * length);
      this.#key.set(this.#text.subarray(0, star));
    }
    this.#key.set(bytes.subarray(start, end), star);
    this.#key.set(this.#text.subarray(star + 1, this.#suffixEnd), after);
    return length;
  }
}

function sort(call: Call, mayStore: boolean): void {
  const options = readOptions(call, mayStore);
  const ref = call.lookup(1);
  const { elements, order } = ref === 0 ? { elements: new ByteStrings(), order: NO_ORDER } : sorted(call, ref, options);
  if (options.store > 0) {
    store(call, options, elements, order);
    return;
  }
  const { db, reply } = call;
  reply.array(order.length * Math.max(1, options.get.length));
  elements.each(order, (start, end) => {
    if (options.get.length === 0) reply.bulk(elements.bytes, start, end);
    for (const pattern of options.get) {
      if (pattern.follow(db, elements.bytes, start, end)) reply.bulk(pattern.bytes, pattern.start, pattern.end);
      else reply.null();
    }
  });
}

/** A copy of a value's elements in order, limited to those that the options select. */
interface Sorted {
  readonly elements: ByteStrings;
  readonly order: Int32Array;
}

function sorted(call: Call, ref: RecordRef, options: Options): Sorted {
  const { db } = call;
  const type = db.typeOf(ref), encoding = db.encodingOf(ref), body = db.bodyOf(ref);
  const source = type === Type.STRING ? undefined : call.store.valueType(type);
  if (source?.elements === undefined) fail(messages.wrongType);
  let { alpha, by } = options;
  let ordered = by !== undefined && !by.varies;
  const unordered = type === Type.SET;
  if (ordered && unordered && (options.store > 0 || call.session.caller !== undefined)) {
    // A stored result must not depend on the internal order of a set, because replaying the log has to repeat it. What
    // scripts get does not depend on it either.
    ordered = false;
    alpha = true;
    by = undefined;
  }
  const length = source.count(encoding, body);
  const from = Math.min(Math.max(options.offset, 0), length);
  const to = options.count < 0 ? length : Math.min(from + options.count, length);
  const elements = new ByteStrings();
  source.elements(encoding, body, ordered && options.descending && !unordered, (bytes, start, end) => {
    if (ordered && elements.count >= to) return false;
    elements.add(bytes, start, end);
    return true;
  });
  let order: Int32Array = Int32Array.from({ length: elements.count }, (_, i) => i);
  const mask = options.descending ? -1 : 0;
  if (!ordered) {
    order = alpha
      ? orderByText(db, elements, order, { by, mask, unordered, whole: options.store > 0 })
      : orderByNumber(call, elements, order, by, mask);
  }
  return { elements, order: order.subarray(from, to) };
}

/** Orders elements by numeric weights, their own or looked up; equal weights are ordered by the elements. */
function orderByNumber(
  { db, valkey }: Call,
  elements: ByteStrings,
  order: Int32Array,
  by: Pattern | undefined,
  mask: number,
): Int32Array {
  const keyed = new KeyedItems(order);
  const { bytes, count } = elements;
  for (let i = 0; i < count; i++) {
    const start = elements.start(i), end = elements.end(i);
    let score = 0;
    if (by === undefined) score = scoreOf(bytes, start, end, valkey);
    else if (by.follow(db, bytes, start, end)) score = scoreOf(by.bytes, by.start, by.end, valkey);
    keyed.setDouble(i, score, mask);
  }
  keyed.sort();
  keyed.eachTie((from, to) => elements.sort(keyed.items, from, to, mask));
  return keyed.items;
}

interface TextOrder {
  readonly by: Pattern | undefined;
  readonly mask: number;
  /** The elements of a set have no order that a stable sort could preserve. */
  readonly unordered: boolean;
  /** Stored results are ordered by all bytes; replies only by the bytes before a NUL, as C compares strings. */
  readonly whole: boolean;
}

/** Orders elements by bytes, their own or looked up; elements whose lookup finds nothing come first. */
function orderByText(db: Keyspace, elements: ByteStrings, order: Int32Array, options: TextOrder): Int32Array {
  const { mask, unordered, whole } = options;
  const by = options.by ?? new Pattern(Uint8Array.of(SELF));
  if (by.isSelf && (whole || !elements.has(NUL))) {
    elements.sort(order, 0, order.length, mask);
    return order;
  }
  const weights = new ByteStrings();
  const missing: number[] = [], present: number[] = [];
  const { bytes, count } = elements;
  for (let i = 0; i < count; i++) {
    const found = by.follow(db, bytes, elements.start(i), elements.end(i));
    (found ? present : missing).push(i);
    if (!found) weights.add(NO_BYTES, 0, 0);
    else weights.add(by.bytes, by.start, whole ? by.end : beforeNul(by.bytes, by.start, by.end));
  }
  const first = Int32Array.from(missing), rest = Int32Array.from(present);
  if (unordered) elements.sort(first, 0, first.length, mask);
  weights.sort(rest, 0, rest.length, mask, (from, to) => {
    if (unordered) elements.sort(rest, from, to, mask);
  });
  order.set(mask === 0 ? first : rest);
  order.set(mask === 0 ? rest : first, (mask === 0 ? first : rest).length);
  return order;
}

/** The end of `bytes[start, end)`, or the index of its first NUL. */
function beforeNul(bytes: Uint8Array, start: number, end: number): number {
  const length = bytes.subarray(start, end).indexOf(NUL);
  return length < 0 ? end : start + length;
}

const WEIGHT = /^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|(inf(?:inity)?))$/i;

/**
 * Parses a weight. Redis reads it up to its first NUL: overflow gives infinity, empty text gives 0, hex is refused.
 * `strict` is as in Valkey: the whole text must be a number in the range of doubles.
 */
function scoreOf(bytes: Uint8Array, start: number, end: number, strict: boolean): number {
  const score = parsePlainDouble(bytes, start, end);
  if (!Number.isNaN(score)) return score;
  if (strict) {
    return WEIGHT.test(latin1(bytes, start, end)) ? parseDouble(bytes, start, end) ?? fail(badWeight) : fail(badWeight);
  }
  const text = latin1(bytes, start, end).split("\0", 1)[0];
  if (text === "") return 0;
  const match = WEIGHT.exec(text) ?? fail(badWeight);
  if (match[1] === undefined) return Number(text);
  return text[0] === "-" ? -Infinity : Infinity;
}

/** Replaces a key by the list of the results, and replies with its length. */
function store(call: Call, options: Options, elements: ByteStrings, order: Int32Array): void {
  const { db } = call;
  const key = options.store;
  const list = call.store.valueType(Type.LIST) as List;
  list.createLong();
  elements.each(order, (from, to) => {
    if (options.get.length === 0) list.pushTail(elements.bytes, from, to);
    for (const pattern of options.get) {
      const found = pattern.follow(db, elements.bytes, from, to);
      if (found) list.pushTail(pattern.bytes, pattern.start, pattern.end);
      else list.pushTail(NO_BYTES, 0, 0);
    }
  });
  const { length } = list;
  if (length > 0) list.settle();
  const value = { type: Type.LIST, encoding: list.encoding, body: list.body, length };
  storeValue(call, key, value, Notify.LIST, "sortstore", length);
}
