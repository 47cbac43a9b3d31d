/**
 * Deadlines of hash fields: setting, reading and taking them away, and the commands that do so while they read or set
 * values. A deadline is a whole number of milliseconds since the epoch, below 2^46 as in Redis. What is logged is the
 * deadline, never the time to live.
 */
import { fail, shownText } from "../../core/errors.ts";
import type { EffectArgument } from "../../engine/effects.ts";
import type { HashValue } from "../../store/values/hash_value.ts";
import { ExpiryMode, NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { wrongArity } from "../../dispatch/executor.ts";
import {
  admitPairs,
  changed,
  checkFieldsWord,
  createHash,
  fieldCount,
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
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";

const FIELDS_POSITIVE = "ERR Number of fields must be a positive integer";
const EXPIRED_FIELDS_POSITIVE = "ERR Parameter `numFields` should be greater than 0";
const SET_FIELDS_INVALID = "ERR invalid number of fields";
const NEGATIVE_TIME = "ERR invalid expire time, must be >= 0";
const ONE_CONDITION = "ERR Only one of FXX or FNX arguments can be specified";
const ONE_EXPIRY = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";

const FIELDS_SYNTAX = "FIELDS numfields field [field ...]";
const CONDITION_SYNTAX = "[NX | XX | GT | LT]";
const EXPIRY_SYNTAX = "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds";
const COMPLEXITY = "O(N) with N the number of fields";

/** The latest deadline. */
const DEADLINE_MAX = 2 ** 46 - 1;

/** What is replied for a field. */
const Outcome = { MISSING: -2, NO_DEADLINE: -1, UNMET: 0, DONE: 1, DELETED: 2 } as const;

export const hashExpiryCommands: readonly CommandSpec[] = [
  {
    name: "hexpire",
    summary: "Gives fields of a hash a time to live in seconds.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -6,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: `key seconds ${CONDITION_SYNTAX} ${FIELDS_SYNTAX}`,
    handler: (call) => expire(call, "ex"),
  },
  {
    name: "hpexpire",
    summary: "Gives fields of a hash a time to live in milliseconds.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -6,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: `key milliseconds ${CONDITION_SYNTAX} ${FIELDS_SYNTAX}`,
    handler: (call) => expire(call, "px"),
  },
  {
    name: "hexpireat",
    summary: "Lets fields of a hash expire at a Unix time in seconds.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -6,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: `key unix-time-seconds ${CONDITION_SYNTAX} ${FIELDS_SYNTAX}`,
    handler: (call) => expire(call, "exat"),
  },
  {
    name: "hpexpireat",
    summary: "Lets fields of a hash expire at a Unix time in milliseconds.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -6,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    partialEffect: "elements",
    syntax: `key unix-time-milliseconds ${CONDITION_SYNTAX} ${FIELDS_SYNTAX}`,
    handler: (call) => expire(call, "pxat"),
  },
  {
    name: "httl",
    summary: "Tells the seconds that fields of a hash have left; -1 without a deadline, -2 without a field.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -5,
    flags: ["readonly", "fast"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: `key ${FIELDS_SYNTAX}`,
    handler: (call) => replyDeadlines(call, 1000, true),
  },
  {
    name: "hpttl",
    summary: "Tells the milliseconds that fields of a hash have left; -1 without a deadline, -2 without a field.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -5,
    flags: ["readonly", "fast"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: `key ${FIELDS_SYNTAX}`,
    handler: (call) => replyDeadlines(call, 1, true),
  },
  {
    name: "hexpiretime",
    summary: "Tells the Unix times in seconds at which fields of a hash expire; -1 if never, -2 without a field.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -5,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: `key ${FIELDS_SYNTAX}`,
    handler: (call) => replyDeadlines(call, 1000, false),
  },
  {
    name: "hpexpiretime",
    summary: "Tells the Unix times in milliseconds at which fields of a hash expire; -1 if never, -2 without a field.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -5,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: `key ${FIELDS_SYNTAX}`,
    handler: (call) => replyDeadlines(call, 1, false),
  },
  {
    name: "hpersist",
    summary: "Takes away the deadlines of fields of a hash.",
    since: "7.4.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -5,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    partialEffect: "elements",
    syntax: `key ${FIELDS_SYNTAX}`,
    handler: persist,
  },
  {
    name: "hgetdel",
    summary: "Returns the values of fields of a hash and deletes the fields.",
    since: "8.0.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -5,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    syntax: `key ${FIELDS_SYNTAX}`,
    handler: hgetdel,
  },
  {
    name: "hgetex",
    summary: "Returns the values of fields of a hash and sets or removes the fields' deadlines.",
    since: "8.0.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -5,
    flags: ["write", "fast"],
    keys: [{ ...keyAt(1, "RW ACCESS UPDATE")[0], notes: "RW and UPDATE because it changes the TTL" }],
    syntax: `key [${EXPIRY_SYNTAX} | PERSIST] ${FIELDS_SYNTAX}`,
    handler: hgetex,
  },
  {
    name: "hsetex",
    summary: "Sets fields of a hash to values, on a condition and with a deadline if asked to.",
    since: "8.0.0",
    group: "hash",
    complexity: COMPLEXITY,
    arity: -6,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: `key [FNX | FXX] [${EXPIRY_SYNTAX} | KEEPTTL] FIELDS numfields field value [field value ...]`,
    handler: hsetex,
  },
];

/** How a time is given: in seconds or milliseconds, from now or since the epoch. */
type Unit = "ex" | "px" | "exat" | "pxat";
const UNITS: readonly Unit[] = ["ex", "px", "exat", "pxat"];

/** The unit that argument i names, undefined if none. */
function unitAt(call: Call, i: number): Unit | undefined {
  return UNITS.find((unit) => call.is(i, unit));
}

/** The deadline that argument i means in its unit. Throws CommandError. */
function deadlineAt(call: Call, i: number, unit: Unit): number {
  const value = call.integer(i);
  if (value < 0) fail(NEGATIVE_TIME);
  const ms = unit === "ex" || unit === "exat" ? value * 1000 : value;
  const base = unit === "ex" || unit === "px" ? call.store.nowMs : 0;
  if (ms > DEADLINE_MAX - base) fail(`ERR invalid expire time in '${call.command.fullName}' command`);
  return Math.max(1, base + ms);
}

/** Whether a field with such a deadline is to be deleted. While a file loads the past stays: the file says what went. */
function isPast(call: Call, deadline: number): boolean {
  return deadline <= call.store.nowMs && call.store.expiryMode !== ExpiryMode.KEEP;
}

/** Replies the same outcome for `count` fields. */
function replyMissing(call: Call, count: number): void {
  call.reply.array(count);
  for (; count > 0; count--) call.reply.integer(Outcome.MISSING);
}

/** The arguments from i on, for the log. */
function viewsFrom(call: Call, i: number): Uint8Array[] {
  return Array.from({ length: call.argc - i }, (_, k) => call.view(i + k));
}

/** Logs the deletion of the fields from argument i on, those that were missing included. */
function logDeletion(call: Call, i: number): void {
  if (call.engine.effects.open) call.logInstead("HDEL", call.view(1), ...viewsFrom(call, i));
}

const CONDITIONS = ["nx", "xx", "gt", "lt"] as const;

function expire(call: Call, unit: Unit): void {
  const { argc, reply } = call;
  const ref = openHashToWrite(call);
  const deadline = deadlineAt(call, 2, unit);
  const condition = CONDITIONS.find((word) => call.is(3, word));
  const fieldsAt = condition === undefined ? 3 : 4;
  checkFieldsWord(call, fieldsAt);
  const count = fieldCount(call, fieldsAt + 1, EXPIRED_FIELDS_POSITIVE);
  if (ref === 0) return replyMissing(call, count);
  const hash = hashes(call);
  const past = isPast(call, deadline);
  hash.allowDeadlines();
  const deleted: Uint8Array[] = [];
  reply.array(count);
  let changes = 0;
  for (let i = fieldsAt + 2; i < argc; i++) {
    if (!findField(call, hash, i)) {
      reply.integer(Outcome.MISSING);
    } else if (!conditionHolds(condition, hash.deadline, deadline)) {
      reply.integer(Outcome.UNMET);
    } else {
      changes++;
      applyDeadline(hash, deadline, past);
      if (past && call.engine.effects.open) deleted.push(call.view(i));
      reply.integer(past ? Outcome.DELETED : Outcome.DONE);
    }
  }
  if (changes > 0) {
    changed(call, past ? "hdel" : "hexpire", changes);
    if (past) call.logInstead("HDEL", call.view(1), ...deleted);
    else logExpireAt(call, deadline, condition === undefined ? fieldsAt : fieldsAt - 1);
  }
  keepOrDeleteHash(call, ref, hash);
}

/** Gives the field that was found a deadline, or deletes it if that is past. */
function applyDeadline(hash: HashValue, deadline: number, past: boolean): void {
  if (past) hash.remove();
  else hash.setDeadline(deadline);
}

/** Logs a deadline for the fields that the arguments from i on name, a condition before them included. */
function logExpireAt(call: Call, deadline: number, i: number): void {
  if (call.engine.effects.open) call.logInstead("HPEXPIREAT", call.view(1), deadline, ...viewsFrom(call, i));
}

function conditionHolds(condition: typeof CONDITIONS[number] | undefined, old: number, deadline: number): boolean {
  switch (condition) {
    case "nx":
      return old === NEVER;
    case "xx":
      return old !== NEVER;
    case "gt":
      // No deadline is the latest of all.
      return old !== NEVER && deadline > old;
    case "lt":
      return old === NEVER || deadline < old;
    default:
      return true;
  }
}

function replyDeadlines(call: Call, unitMs: number, fromNow: boolean): void {
  const { argc, reply, store } = call;
  const ref = openHash(call);
  checkFieldsWord(call, 2);
  const count = fieldCount(call, 3, FIELDS_POSITIVE);
  if (ref === 0) return replyMissing(call, count);
  const hash = hashes(call);
  const base = fromNow ? store.nowMs : 0;
  reply.array(count);
  for (let i = 4; i < argc; i++) {
    if (!findField(call, hash, i)) reply.integer(Outcome.MISSING);
    else if (hash.deadline === NEVER) reply.integer(Outcome.NO_DEADLINE);
    else reply.integer(Math.ceil(Math.max(0, hash.deadline - base) / unitMs));
  }
}

function persist(call: Call): void {
  const { argc, reply } = call;
  const ref = openHashToWrite(call);
  checkFieldsWord(call, 2);
  const count = fieldCount(call, 3, FIELDS_POSITIVE);
  if (ref === 0) return replyMissing(call, count);
  const hash = hashes(call);
  reply.array(count);
  let changes = 0;
  for (let i = 4; i < argc; i++) {
    if (!findField(call, hash, i)) {
      reply.integer(Outcome.MISSING);
    } else if (hash.deadline === NEVER) {
      reply.integer(Outcome.NO_DEADLINE);
    } else {
      hash.setDeadline(NEVER);
      changes++;
      reply.integer(Outcome.DONE);
    }
  }
  if (changes === 0) return;
  keepHash(call, ref, hash);
  changed(call, "hpersist", changes);
}

function replyNulls(call: Call, count: number): void {
  call.reply.array(count);
  for (; count > 0; count--) call.reply.null();
}

function hgetdel(call: Call): void {
  const { argc, reply } = call;
  const ref = openHashToWrite(call);
  checkFieldsWord(call, 2);
  const count = fieldCount(call, 3, FIELDS_POSITIVE);
  if (ref === 0) return replyNulls(call, count);
  const hash = hashes(call);
  reply.array(count);
  let changes = 0;
  for (let i = 4; i < argc; i++) {
    if (!findField(call, hash, i)) {
      reply.null();
    } else {
      replyValue(call, hash);
      hash.remove();
      changes++;
    }
  }
  if (changes === 0) return;
  changed(call, "hdel", changes);
  logDeletion(call, 4);
  keepOrDeleteHash(call, ref, hash);
}

function hgetex(call: Call): void {
  const { argc, reply } = call;
  const ref = openHashToWrite(call);
  const unit = unitAt(call, 2);
  const persists = call.is(2, "persist");
  let fieldsAt = 2, deadline: number = NEVER;
  if (unit !== undefined) {
    deadline = deadlineAt(call, 3, unit);
    fieldsAt = 4;
  } else if (persists) {
    fieldsAt = 3;
  }
  checkFieldsWord(call, fieldsAt);
  const count = fieldCount(call, fieldsAt + 1, FIELDS_POSITIVE);
  if (ref === 0) return replyNulls(call, count);
  const hash = hashes(call);
  const past = unit !== undefined && isPast(call, deadline);
  if (unit !== undefined || persists) hash.allowDeadlines();
  reply.array(count);
  let changes = 0;
  for (let i = fieldsAt + 2; i < argc; i++) {
    if (!findField(call, hash, i)) {
      reply.null();
      continue;
    }
    replyValue(call, hash);
    if (unit === undefined && !(persists && hash.deadline !== NEVER)) continue;
    applyDeadline(hash, deadline, past);
    changes++;
  }
  if (changes > 0) {
    changed(call, past ? "hdel" : persists ? "hpersist" : "hexpire", changes);
    if (past) logDeletion(call, fieldsAt + 2);
    else if (!persists) logExpireAt(call, deadline, fieldsAt);
    else if (call.engine.effects.open) call.logInstead("HPERSIST", call.view(1), ...viewsFrom(call, fieldsAt));
  }
  keepOrDeleteHash(call, ref, hash);
}

/** The options of one HSETEX; see `parseSetOptions`. */
interface SetOptions {
  condition: "fnx" | "fxx" | undefined;
  unit: Unit | undefined;
  /** The argument that names the unit. */
  unitAt: number;
  deadline: number;
  keepTtl: boolean;
  /** The argument of the first field. */
  first: number;
}

function parseSetOptions(call: Call): SetOptions {
  const options: SetOptions = {
    condition: undefined,
    unit: undefined,
    unitAt: 0,
    deadline: NEVER,
    keepTtl: false,
    first: 0,
  };
  for (let i = 2; i < call.argc; i++) {
    const unit = unitAt(call, i);
    if (call.is(i, "fields")) {
      if (i >= call.argc - 3) fail(wrongArity(call.command));
      const count = call.integerIn(i + 1, 1, 2 ** 31 - 1, SET_FIELDS_INVALID, SET_FIELDS_INVALID);
      if (count * 2 !== call.argc - i - 2) fail(wrongArity(call.command));
      options.first = i + 2;
      return options;
    } else if (unit !== undefined || call.is(i, "keepttl")) {
      if (options.unit !== undefined || options.keepTtl) fail(ONE_EXPIRY);
      if (unit === undefined) {
        options.keepTtl = true;
        continue;
      }
      if (i + 1 === call.argc) fail("ERR missing expire time");
      options.unit = unit;
      options.unitAt = i;
      options.deadline = deadlineAt(call, ++i, unit);
    } else if (call.is(i, "fnx") || call.is(i, "fxx")) {
      if (options.condition !== undefined) fail(ONE_CONDITION);
      options.condition = call.is(i, "fnx") ? "fnx" : "fxx";
    } else {
      fail(`ERR unknown argument: ${shownText(call.text(i))}`);
    }
  }
  return fail(wrongArity(call.command));
}

function hsetex(call: Call): void {
  const { argc, reply } = call;
  const { condition, unit, unitAt, deadline, keepTtl, first } = parseSetOptions(call);
  const ref = openHashToWrite(call);
  const hash = hashes(call);
  if (ref === 0 && condition === "fxx") return reply.integer(0);
  for (let i = first; i < argc && ref !== 0 && condition !== undefined; i += 2) {
    if (hasField(call, hash, i) === (condition === "fnx")) return reply.integer(0);
  }
  const past = unit !== undefined && isPast(call, deadline);
  if (ref === 0) createHash(call, hash, first);
  if (hash.packed) admitPairs(call, hash, first);
  if (unit !== undefined) hash.allowDeadlines();
  for (let i = first; i < argc; i += 2) {
    hasField(call, hash, i);
    setField(call, hash, i, keepTtl);
    if (unit === undefined) continue;
    findField(call, hash, i);
    applyDeadline(hash, deadline, past);
  }
  const count = (argc - first) >>> 1;
  changed(call, "hset", count);
  if (past) {
    changed(call, "hdel", count);
  } else if (unit !== undefined) {
    changed(call, "hexpire", count);
  }
  if (unit !== undefined && call.engine.effects.open) logSet(call, unitAt, deadline, first, past);
  keepOrDeleteHash(call, ref, hash);
  reply.integer(1);
}

/** What the log gets of an HSETEX with an expire time: the deadline, or that the fields are gone. */
function logSet(call: Call, unitAt: number, deadline: number, first: number, past: boolean): void {
  if (past) {
    const fields = Array.from({ length: (call.argc - first) >>> 1 }, (_, k) => call.view(first + 2 * k));
    return call.logInstead("HDEL", call.view(1), ...fields);
  }
  const words: EffectArgument[] = ["HSETEX", ...viewsFrom(call, 1)];
  words[unitAt] = "PXAT";
  words[unitAt + 1] = deadline;
  call.logInstead(...words);
}
