/**
 * The hash commands without those on field deadlines, which are in field_expiry.ts. This file owns their arguments,
 * replies and events; the structure of a hash belongs to the store.
 *
 * Hot: HSET, HGET, HMGET, HDEL and HINCRBY allocate nothing.
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import {
  addLongDoubles,
  formatLongDouble,
  isFiniteLongDouble,
  LONG_ZERO,
  parseLongDouble,
} from "../../core/long_double.ts";
import { INT64_MAX, INT64_MIN, parseInt64, parseSafeInt, writeDecimal } from "../../core/numbers.ts";
import { PREFETCH_MAX } from "../../store/blocks/dict.ts";
import type { HashValue } from "../../store/values/hash_value.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import {
  admitPairs,
  approachFields,
  changed,
  createHash,
  fieldHashes,
  findField,
  hasField,
  hashes,
  keepHash,
  keepOrDeleteHash,
  openHash,
  openHashToWrite,
  replyValue,
  setField,
} from "./hash_call.ts";
import { matchesPattern, parseCursor, parseScanOptions } from "../shared/scanning.ts";
import { type CommandSpec, keyAt, notDeprecated } from "../../dispatch/spec.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

const NOT_INTEGER = "ERR hash value is not an integer";
const NOT_FLOAT = "ERR hash value is not a float";
const NOT_FINITE = "ERR increment would produce NaN or Infinity";
const INFINITE_INCREMENT = "ERR value is NaN or Infinity";
const OUT_OF_RANGE = "ERR value is out of range";
const COUNT_RANGE = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
const COUNT_MAX = INT64_MAX;

export const hashCommands: readonly CommandSpec[] = [
  {
    name: "hset",
    summary: "Sets fields of a hash to values; makes the hash if there is none.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) with N the number of fields",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    element: 2,
    partialEffect: "elements",
    syntax: "key field value [field value ...]",
    handler: (call) => call.reply.integer(setPairs(call)),
  },
  {
    name: "hmset",
    summary: "Sets fields of a hash to values; makes the hash if there is none.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) with N the number of fields",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    element: 2,
    partialEffect: "elements",
    syntax: "key field value [field value ...]",
    deprecated: { since: "4.0.0", replacedBy: "`HSET` with multiple field-value pairs" },
    valkey: notDeprecated,
    handler: (call) => {
      setPairs(call);
      call.reply.ok();
    },
  },
  {
    name: "hsetnx",
    summary: "Sets a field of a hash to a value if the field is missing.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
    element: 2,
    partialEffect: "elements",
    syntax: "key field value",
    handler: hsetnx,
  },
  {
    name: "hget",
    summary: "Returns the value of a field of a hash.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    element: 2,
    syntax: "key field",
    handler: hget,
  },
  {
    name: "hmget",
    summary: "Returns the values of several fields of a hash.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) with N the number of fields",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    element: 2,
    syntax: "key field [field ...]",
    handler: hmget,
  },
  {
    name: "hgetall",
    summary: "Returns all fields of a hash with their values.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) with N fields in the hash",
    arity: 2,
    flags: ["readonly"],
    tips: ["nondeterministic_output_order"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: hgetall,
  },
  {
    name: "hdel",
    summary: "Deletes fields of a hash, and the hash with the last of them.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) with N the number of fields to delete",
    arity: -3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW DELETE"),
    element: 2,
    partialEffect: "elements",
    syntax: "key field [field ...]",
    handler: hdel,
  },
  {
    name: "hexists",
    summary: "Tells whether a hash has a field.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    element: 2,
    syntax: "key field",
    handler: (call) => call.reply.integer(openHash(call) !== 0 && hasField(call, hashes(call), 2) ? 1 : 0),
  },
  {
    name: "hlen",
    summary: "Returns the number of fields of a hash.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    syntax: "key",
    handler: (call) => call.reply.integer(openHash(call) === 0 ? 0 : hashes(call).length),
  },
  {
    name: "hkeys",
    summary: "Returns all fields of a hash.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) with N fields in the hash",
    arity: 2,
    flags: ["readonly"],
    tips: ["nondeterministic_output_order"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: (call) => replyAll(call, replyField),
  },
  {
    name: "hvals",
    summary: "Returns the values of all fields of a hash.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) with N fields in the hash",
    arity: 2,
    flags: ["readonly"],
    tips: ["nondeterministic_output_order"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: (call) => replyAll(call, replyValue),
  },
  {
    name: "hstrlen",
    summary: "Returns the length of the value of a field in bytes.",
    since: "3.2.0",
    group: "hash",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    element: 2,
    syntax: "key field",
    handler: hstrlen,
  },
  {
    name: "hincrby",
    summary: "Adds a number to the integer in a field; a missing field counts as 0.",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    element: 2,
    partialEffect: "elements",
    syntax: "key field increment",
    handler: hincrby,
  },
  {
    name: "hincrbyfloat",
    summary: "Adds a floating-point number to the number in a field; a missing field counts as 0.",
    since: "2.6.0",
    group: "hash",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    element: 2,
    partialEffect: "elements",
    syntax: "key field increment",
    types: { increment: "double" },
    handler: hincrbyfloat,
  },
  {
    name: "hrandfield",
    summary: "Returns fields of a hash at random: one, several different ones or, if negative, some that may repeat.",
    since: "6.2.0",
    group: "hash",
    complexity: "O(N) with N the number of fields returned",
    arity: -2,
    flags: ["readonly"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key [count [WITHVALUES]]",
    handler: hrandfield,
  },
  {
    name: "hscan",
    summary: "Goes through the fields of a hash step by step.",
    since: "2.8.0",
    group: "hash",
    complexity: "O(1) for a call, O(N) for a whole walk over N fields",
    arity: -3,
    flags: ["readonly"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    handler: hscan,
  },
];

/** The digits of the number to set. */
const digits = new Uint8Array(24);

/** Sets the pairs from argument 2 on; returns the number of new fields. Hot. */
function setPairs(call: Call): number {
  const { argc } = call;
  if ((argc & 1) !== 0) call.failArity();
  const ref = openHashToWrite(call);
  const hash = hashes(call);
  if (ref === 0) createHash(call, hash, 2);
  if (hash.packed) admitPairs(call, hash, 2);
  let added = 0;
  const many = argc > 4 && !hash.packed;
  for (let i = 2, k = 0; i < argc; i += 2, k = (k + 1) % PREFETCH_MAX) {
    if (many && k === 0) approachFields(call, hash, i, 2);
    if (!hasField(call, hash, i, many ? fieldHashes[k] : undefined)) added++;
    setField(call, hash, i);
  }
  keepHash(call, ref, hash);
  changed(call, "hset", (argc - 2) >>> 1);
  return added;
}

function hsetnx(call: Call): void {
  const ref = openHashToWrite(call);
  const hash = hashes(call);
  if (ref !== 0 && hasField(call, hash, 2)) return call.reply.integer(0);
  if (ref === 0) createHash(call, hash, 2);
  if (hash.packed) admitPairs(call, hash, 2);
  hasField(call, hash, 2);
  setField(call, hash, 2);
  keepHash(call, ref, hash);
  changed(call, "hset", 1);
  call.reply.integer(1);
}

/** Hot. */
function hget(call: Call): void {
  const hash = hashes(call);
  if (openHash(call) !== 0 && findField(call, hash, 2)) replyValue(call, hash);
  else call.reply.null();
}

function hmget(call: Call): void {
  const { argc, reply } = call;
  const hash = hashes(call);
  const missing = openHash(call) === 0;
  reply.array(argc - 2);
  const many = argc > 3 && !missing && !hash.packed;
  for (let i = 2, k = 0; i < argc; i++, k = (k + 1) % PREFETCH_MAX) {
    if (many && k === 0) approachFields(call, hash, i, 1);
    if (!missing && findField(call, hash, i, many ? fieldHashes[k] : undefined)) replyValue(call, hash);
    else reply.null();
  }
}

function replyField(call: Call, hash: HashValue): void {
  call.reply.bulk(hash.fieldBytes, hash.fieldStart, hash.fieldEnd);
}

function hgetall(call: Call): void {
  const { reply } = call;
  const hash = hashes(call);
  if (openHash(call) === 0) return reply.map(0);
  reply.map(hash.length);
  hash.each(() => {
    replyField(call, hash);
    replyValue(call, hash);
  });
}

function replyAll(call: Call, part: (call: Call, hash: HashValue) => void): void {
  const { reply } = call;
  const hash = hashes(call);
  if (openHash(call) === 0) return reply.array(0);
  reply.array(hash.length);
  hash.each(() => part(call, hash));
}

function hdel(call: Call): void {
  const ref = openHashToWrite(call);
  if (ref === 0) return call.reply.integer(0);
  const hash = hashes(call);
  let count = 0;
  for (let i = 2; i < call.argc; i++) {
    if (!hasField(call, hash, i)) continue;
    hash.remove();
    count++;
  }
  if (count > 0) {
    changed(call, "hdel", count);
    keepOrDeleteHash(call, ref, hash);
  }
  call.reply.integer(count);
}

function hstrlen(call: Call): void {
  const hash = hashes(call);
  const found = openHash(call) !== 0 && findField(call, hash, 2);
  call.reply.integer(found ? hash.end - hash.start : 0);
}

/** Hot for numbers of at most 15 digits. */
function hincrby(call: Call): void {
  const { request, reply } = call;
  const delta = parseSafeInt(request.bytes, request.start[3], request.end[3]);
  const exact = Number.isNaN(delta) ? call.int64(3) : undefined;
  const ref = openHashToWrite(call);
  const hash = hashes(call);
  const found = ref !== 0 && findField(call, hash, 2);
  const sum = delta + (found ? parseSafeInt(hash.bytes, hash.start, hash.end) : 0);
  if (Number.isNaN(sum)) return incrementBig(call, ref, hash, found, exact ?? BigInt(delta));
  setNumber(call, ref, hash, digits, writeDecimal(digits, 0, sum));
  changed(call, "hincrby", 1);
  reply.integer(sum);
}

function incrementBig(call: Call, ref: RecordRef, hash: HashValue, found: boolean, delta: bigint): void {
  const old = found ? parseInt64(hash.bytes, hash.start, hash.end) ?? fail(NOT_INTEGER) : 0n;
  const sum = old + delta;
  if (sum < INT64_MIN || sum > INT64_MAX) fail(messages.overflow);
  const text = fromLatin1(String(sum));
  setNumber(call, ref, hash, text, text.length);
  changed(call, "hincrby", 1);
  call.reply.bigInteger(sum);
}

/** Sets the field in argument 2 to the text of a number; its deadline stays. */
function setNumber(call: Call, ref: RecordRef, hash: HashValue, text: Uint8Array, length: number): void {
  const { bytes, start, end } = call.request;
  if (ref === 0) {
    hash.create();
    hasField(call, hash, 2);
  }
  hash.set(bytes, start[2], end[2], text, 0, length, true);
  keepHash(call, ref, hash);
}

function hincrbyfloat(call: Call): void {
  const { request, reply, engine } = call;
  const delta = parseLongDouble(request.bytes, request.start[3], request.end[3]) ?? fail(messages.notFloat);
  if (!isFiniteLongDouble(delta)) fail(INFINITE_INCREMENT);
  const ref = openHashToWrite(call);
  const hash = hashes(call);
  const found = ref !== 0 && findField(call, hash, 2);
  const value = found ? parseLongDouble(hash.bytes, hash.start, hash.end) ?? fail(NOT_FLOAT) : LONG_ZERO;
  const sum = addLongDoubles(value, delta);
  if (!isFiniteLongDouble(sum)) fail(NOT_FINITE);
  const keepsDeadline = found && hash.deadline !== NEVER;
  const text = fromLatin1(formatLongDouble(sum));
  setNumber(call, ref, hash, text, text.length);
  changed(call, "hincrbyfloat", 1);
  // Logs the result, so that a replay does not depend on the floating-point arithmetic of this machine.
  if (engine.effects.open) {
    if (keepsDeadline) call.logInstead("HSETEX", call.view(1), "KEEPTTL", "FIELDS", 1, call.view(2), text);
    else call.logInstead("HSET", call.view(1), call.view(2), text);
  }
  reply.bulk(text);
}

function hrandfield(call: Call): void {
  const { argc, reply, store } = call;
  const hash = hashes(call);
  if (argc === 2) {
    if (openHash(call) === 0 || hash.length === 0) return reply.null();
    hash.readRandom(store.random);
    return replyField(call, hash);
  }
  const count = call.int64(2);
  if (count < -COUNT_MAX) fail(COUNT_RANGE);
  if (argc > 4 || (argc === 4 && !call.is(3, "withvalues"))) fail(messages.syntax);
  const withValues = argc === 4;
  if (withValues && (count > COUNT_MAX / 2n || count < -COUNT_MAX / 2n)) fail(OUT_OF_RANGE);
  const length = openHash(call) === 0 ? 0 : hash.length;
  if (count === 0n || length === 0) return reply.array(0);
  if (count < 0n) randomWithRepeats(call, hash, Number(-count), withValues);
  else randomSubset(call, hash, Math.min(Number(count), length), length, withValues);
}

/** The header of a reply of `count` fields. In RESP3 each pair is an array. */
function replyFieldCount(call: Call, count: number, withValues: boolean): void {
  call.reply.array(withValues && call.reply.version === 2 ? count * 2 : count);
}

function replyFieldOrPair(call: Call, hash: HashValue, withValues: boolean): void {
  if (withValues && call.reply.version === 3) call.reply.array(2);
  replyField(call, hash);
  if (withValues) replyValue(call, hash);
}

function randomWithRepeats(call: Call, hash: HashValue, count: number, withValues: boolean): void {
  replyFieldCount(call, count, withValues);
  // The count may be far beyond the output limit of the client.
  for (; count > 0 && !call.session.closing; count--) {
    hash.readRandom(call.store.random);
    replyFieldOrPair(call, hash, withValues);
  }
}

/** Replies with `count` different fields out of `length`; every subset is equally likely. */
function randomSubset(call: Call, hash: HashValue, count: number, length: number, withValues: boolean): void {
  const { random } = call.store;
  replyFieldCount(call, count, withValues);
  if (count * SPARSE_FACTOR > length || hash.packed) {
    let wanted = count, left = length;
    hash.each(() => {
      if (wanted === left || random.below(left) < wanted) {
        replyFieldOrPair(call, hash, withValues);
        wanted--;
      }
      left--;
      return wanted > 0;
    });
    return;
  }
  const chosen = new Set<number>();
  while (chosen.size < count) {
    const before = chosen.size;
    if (chosen.add(hash.readRandom(random)).size > before) replyFieldOrPair(call, hash, withValues);
  }
}

/** From a third of the fields on, one pass over all is faster than drawing until enough different fields are found. */
const SPARSE_FACTOR = 3;

function hscan(call: Call): void {
  const { reply } = call;
  const cursor = parseCursor(call, 2);
  const hash = hashes(call);
  if (openHash(call) === 0) {
    reply.array(2);
    reply.bulkInteger(0);
    return reply.array(0);
  }
  const { count, pattern, noValues } = parseScanOptions(call, 3, "hash");
  const matches = () => matchesPattern(call, pattern, hash.fieldBytes, hash.fieldStart, hash.fieldEnd);
  // Two passes, because the reply begins with the number of fields.
  let found = 0;
  const next = hash.scan(cursor, count, () => {
    if (matches()) found++;
  });
  reply.array(2);
  reply.bulkInteger(next);
  reply.array(noValues ? found : found * 2);
  hash.scan(cursor, count, () => {
    if (!matches()) return;
    replyField(call, hash);
    if (!noValues) replyValue(call, hash);
  });
}
