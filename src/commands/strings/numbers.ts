/**
 * Strings as counters: INCR, DECR and their variants on 64-bit integers, INCRBYFLOAT on long doubles.
 *
 * Hot: integers of at most 15 digits are parsed from the stored bytes and written back in place; other numbers use
 * BigInt and text.
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
import { decimalLength, INT64_MAX, INT64_MIN, parseInt64, parseSafeInt, writeDecimal } from "../../core/numbers.ts";
import { Notify } from "../../engine/listeners.ts";
import { Encoding, NEVER, Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

export const stringNumberCommands: readonly CommandSpec[] = [
  {
    name: "incr",
    summary: "Adds one to the integer at a key; a missing key counts as 0.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    syntax: "key",
    handler: (call) => increment(call, 1),
  },
  {
    name: "decr",
    summary: "Takes one from the integer at a key; a missing key counts as 0.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    syntax: "key",
    handler: (call) => increment(call, -1),
  },
  {
    name: "incrby",
    summary: "Adds a number to the integer at a key; a missing key counts as 0.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    syntax: "key increment",
    handler: (call) => {
      const delta = parseSafeInt(call.bytes, call.start(2), call.end(2));
      if (Number.isNaN(delta)) incrementBig(call, call.int64(2));
      else increment(call, delta);
    },
  },
  {
    name: "decrby",
    summary: "Takes a number from the integer at a key; a missing key counts as 0.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    syntax: "key decrement",
    handler: decrby,
  },
  {
    name: "incrbyfloat",
    summary: "Adds a floating-point number to the number at a key; a missing key counts as 0.",
    since: "2.6.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    syntax: "key increment",
    types: { increment: "double" },
    handler: incrbyfloat,
  },
];

const NOT_FINITE = "ERR increment would produce NaN or Infinity";
const DECREMENT_OVERFLOW = "ERR decrement would overflow";

/** Digits of a new counter. */
const digits = new Uint8Array(24);

/** Adds an increment of at most 15 digits. */
function increment(call: Call, delta: number): void {
  const { db, request } = call;
  const ref = call.lookupTypeWrite(1, Type.STRING);
  let sum = delta;
  if (ref === 0) {
    const length = writeDecimal(digits, 0, delta);
    db.setString(request.bytes, request.start[1], request.end[1], digits, 0, length, NEVER);
  } else {
    db.readString(ref);
    sum += parseSafeInt(db.bytes, db.start, db.start + db.length);
    if (Number.isNaN(sum)) return incrementRecord(call, ref, BigInt(delta));
    const length = decimalLength(sum);
    const written = length === db.length ? ref : db.resizeString(ref, length);
    writeDecimal(db.bytes, db.start, sum);
    if (db.encodingOf(written) !== Encoding.AUTO) db.setEncoding(written, Encoding.AUTO);
  }
  call.changed(Notify.STRING, "incrby", 1);
  call.reply.integer(sum);
}

function incrementBig(call: Call, delta: bigint): void {
  incrementRecord(call, call.lookupTypeWrite(1, Type.STRING), delta);
}

/** Adds to the string of record `ref`, 0 if there is none. */
function incrementRecord(call: Call, ref: RecordRef, delta: bigint): void {
  const { db } = call;
  let sum = delta;
  if (ref !== 0) {
    db.readString(ref);
    sum += parseInt64(db.bytes, db.start, db.start + db.length) ?? fail(messages.notInteger);
  }
  if (sum < INT64_MIN || sum > INT64_MAX) fail(messages.overflow);
  store(call, ref, fromLatin1(String(sum)), Encoding.AUTO);
  call.changed(Notify.STRING, "incrby", 1);
  call.reply.bigInteger(sum);
}

function decrby(call: Call): void {
  const delta = parseSafeInt(call.bytes, call.start(2), call.end(2));
  if (!Number.isNaN(delta)) return increment(call, 0 - delta);
  const big = call.int64(2);
  if (big === INT64_MIN) fail(DECREMENT_OVERFLOW);
  incrementBig(call, -big);
}

function incrbyfloat(call: Call): void {
  const { db, reply } = call;
  const ref = call.lookupTypeWrite(1, Type.STRING);
  let value = LONG_ZERO;
  if (ref !== 0) {
    db.readString(ref);
    value = parseLongDouble(db.bytes, db.start, db.start + db.length) ?? fail(messages.notFloat);
  }
  const delta = parseLongDouble(call.bytes, call.start(2), call.end(2)) ?? fail(messages.notFloat);
  const sum = addLongDoubles(value, delta);
  if (!isFiniteLongDouble(sum)) fail(NOT_FINITE);
  const text = fromLatin1(formatLongDouble(sum));
  store(call, ref, text, Encoding.EMBSTR);
  call.changed(Notify.STRING, "incrbyfloat", 1);
  // Logs the result, so that a replay does not depend on the floating-point arithmetic of this machine.
  if (call.engine.effects.open) call.logInstead("SET", call.view(1), text, "KEEPTTL");
  reply.bulk(text);
}

/** Stores `text` in the string of record `ref`, which keeps its deadline, or in a new one if `ref` is 0. */
function store(call: Call, ref: RecordRef, text: Uint8Array, encoding: number): void {
  const { db, request } = call;
  if (ref === 0) {
    ref = db.setString(request.bytes, request.start[1], request.end[1], text, 0, text.length, NEVER);
  } else {
    ref = db.resizeString(ref, text.length);
    db.bytes.set(text, db.start);
  }
  db.setEncoding(ref, encoding);
}
