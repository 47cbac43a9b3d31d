/**
 * INCREX of Redis 8.8: adds to a number within bounds, and sets or removes the deadline of its key.
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import {
  addLongDoubles,
  formatLongDouble,
  isFiniteLongDouble,
  LONG_ZERO,
  type LongDouble,
  negateLongDouble,
  parseLongDouble,
} from "../../core/long_double.ts";
import { INT64_MAX, INT64_MIN, parseInt64 } from "../../core/numbers.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { Notify } from "../../engine/listeners.ts";
import type { Deadline } from "../../store/deadline.ts";
import { Encoding, NEVER, Type } from "../../store/keyspace.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import { Unit, unitAt } from "../shared/expiry.ts";
import { deadlineAt, EXPIRY_SYNTAX } from "./options.ts";

const NOT_FINITE = "ERR increment would produce NaN or Infinity";
const BAD_BOUNDS = "ERR LBOUND can't be greater than UBOUND";

export const increxCommands: readonly CommandSpec[] = [{
  name: "increx",
  summary: "Adds to the number at a key within bounds, and sets or removes the key's expire time.",
  since: "8.8.0",
  group: "string",
  complexity: "O(1)",
  arity: -2,
  flags: ["write", "denyoom", "fast"],
  keys: keyAt(1, "RW ACCESS UPDATE"),
  byDocumentation: true,
  syntax: "key [BYFLOAT float | BYINT integer] [LBOUND lowerbound] [UBOUND upperbound] [SATURATE] " +
    `[${EXPIRY_SYNTAX} | PERSIST] [ENX]`,
  types: { float: "double", integer: "integer" },
  handler: increx,
}];

/** Argument indices, 0 where an option is not given. */
interface Options {
  delta: number;
  isFloat: boolean;
  lower: number;
  upper: number;
  saturate: boolean;
  unit: Unit;
  time: number;
  persist: boolean;
  ifNone: boolean;
}

/** Throws CommandError. */
function readOptions(call: Call): Options {
  const options: Options = {
    delta: 0,
    isFloat: false,
    lower: 0,
    upper: 0,
    saturate: false,
    unit: Unit.NONE,
    time: 0,
    persist: false,
    ifNone: false,
  };
  for (let i = 2; i < call.argc; i++) {
    const hasValue = i + 1 < call.argc, unit = unitAt(call, i);
    if (call.is(i, "saturate")) options.saturate = true;
    else if (call.is(i, "enx")) options.ifNone = true;
    else if (call.is(i, "persist") && options.unit === Unit.NONE) options.persist = true;
    else if (!hasValue) fail(messages.syntax);
    else if ((call.is(i, "byint") || call.is(i, "byfloat")) && options.delta === 0) {
      options.isFloat = call.is(i, "byfloat");
      options.delta = ++i;
    } else if (call.is(i, "lbound")) options.lower = ++i;
    else if (call.is(i, "ubound")) options.upper = ++i;
    else if (unit !== Unit.NONE && options.unit === Unit.NONE && !options.persist) {
      options.unit = unit;
      options.time = ++i;
    } else fail(messages.syntax);
  }
  if (options.ifNone && options.unit === Unit.NONE) fail(messages.syntax);
  return options;
}

function increx(call: Call): void {
  const options = readOptions(call), { unit } = options;
  const deadline = unit === Unit.NONE ? NEVER : deadlineAt(call, options.time, unit);
  const ref = call.lookupTypeWrite(1, Type.STRING);
  if (options.isFloat) addFloat(call, options, ref, deadline);
  else addInteger(call, options, ref, deadline);
}

function addInteger(call: Call, options: Options, ref: RecordRef, deadline: Deadline): void {
  const { db, reply } = call, at = (i: number, otherwise: bigint) => i === 0 ? otherwise : call.int64(i);
  const delta = at(options.delta, 1n), lower = at(options.lower, INT64_MIN), upper = at(options.upper, INT64_MAX);
  if (lower > upper) fail(BAD_BOUNDS);
  let value = 0n;
  if (ref !== 0) {
    db.readString(ref);
    value = parseInt64(db.bytes, db.start, db.start + db.length) ?? fail(messages.notInteger);
  }
  let sum = value + delta;
  const isOutside = sum < lower || sum > upper;
  if (isOutside) sum = options.saturate ? (sum < lower ? lower : upper) : value;
  const added = sum - value;
  if (added < INT64_MIN || added > INT64_MAX) fail(messages.overflow);
  if (!isOutside || options.saturate) {
    store(call, options, ref, deadline, fromLatin1(String(sum)), Encoding.AUTO, "incrby");
  }
  reply.array(2);
  reply.bigInteger(sum);
  reply.bigInteger(added);
}

function addFloat(call: Call, options: Options, ref: RecordRef, deadline: Deadline): void {
  const { db, reply } = call, { bytes, start, end } = call.request;
  const at = (i: number) => i === 0 ? undefined : parseLongDouble(bytes, start[i], end[i]) ?? fail(messages.notFloat);
  const delta = at(options.delta)!, lower = at(options.lower), upper = at(options.upper);
  if (lower !== undefined && upper !== undefined && isLess(upper, lower)) fail(BAD_BOUNDS);
  let value = LONG_ZERO;
  if (ref !== 0) {
    db.readString(ref);
    value = parseLongDouble(db.bytes, db.start, db.start + db.length) ?? fail(messages.notFloat);
  }
  let sum = addLongDoubles(value, delta);
  if (!isFiniteLongDouble(sum)) fail(NOT_FINITE);
  const bound = lower !== undefined && isLess(sum, lower)
    ? lower
    : upper !== undefined && isLess(upper, sum)
    ? upper
    : undefined;
  if (bound !== undefined) sum = options.saturate ? bound : value;
  const added = addLongDoubles(sum, negateLongDouble(value));
  if (!isFiniteLongDouble(added)) fail(NOT_FINITE);
  if (bound === undefined || options.saturate) {
    store(call, options, ref, deadline, fromLatin1(formatLongDouble(sum)), Encoding.EMBSTR, "incrbyfloat");
  }
  reply.array(2);
  for (const number of [sum, added]) {
    const text = formatLongDouble(number);
    if (reply.version === 3) reply.double(Number(text));
    else reply.bulkText(text);
  }
}

function isLess(a: LongDouble, b: LongDouble): boolean {
  return addLongDoubles(a, negateLongDouble(b)).mantissa < 0n;
}

/** Sets the key to `text`, and its deadline by the options. The log gets the outcome. */
function store(
  call: Call,
  { ifNone, persist, unit }: Options,
  ref: RecordRef,
  deadline: Deadline,
  text: Uint8Array,
  encoding: number,
  event: string,
): void {
  const { db, engine } = call, { bytes, start, end } = call.request;
  const old = ref === 0 ? NEVER : db.deadlineOf(ref);
  const sets = unit !== Unit.NONE && (!ifNone || old === NEVER), removes = persist && old !== NEVER;
  const next = sets ? deadline : removes ? NEVER : old;
  db.setEncoding(db.setString(bytes, start[1], end[1], text, 0, text.length, next), encoding);
  call.changed(Notify.STRING, event, 1);
  if (sets) call.announced(Notify.GENERIC, "expire", 1);
  if (removes) call.announced(Notify.GENERIC, "persist", 1);
  if (!engine.effects.open) return;
  if (next === NEVER) call.logInstead("SET", call.view(1), text);
  else call.logInstead("SET", call.view(1), text, "PXAT", `${next}`);
}
