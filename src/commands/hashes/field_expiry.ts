/**
 * Deadlines of hash fields: the commands that set, read and remove them, alone or while reading or setting values. A
 * deadline is a whole number of milliseconds since the epoch, below 2^46 as in Redis. The log contains the deadline,
 * never the time to live.
 */
import { fail } from "../../core/errors.ts";
import type { EffectArgument } from "../../engine/effects.ts";
import type { HashValue } from "../../store/values/hash_value.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import {
  type BlockRules,
  ChangedFields,
  deadlineAt,
  type FieldBlock,
  logDeletion,
  readBlock,
} from "./field_arguments.ts";
import { conditionAt, conditionHolds, Unit, unitAt } from "../shared/expiry.ts";
import {
  admitPairs,
  changed,
  checkFieldsWord,
  createHash,
  deleteIfEmpty,
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
const ONE_CONDITION = "ERR Only one of FXX or FNX arguments can be specified";

const FIELDS_SYNTAX = "FIELDS numfields field [field ...]";
const CONDITION_SYNTAX = "[NX | XX | GT | LT]";
const EXPIRY_SYNTAX = "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds";
const COMPLEXITY = "O(N) with N the number of fields";

/** The reply for one field. */
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
    handler: (call) => expire(call, Unit.EX),
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
    handler: (call) => expire(call, Unit.PX),
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
    handler: (call) => expire(call, Unit.EXAT),
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
    handler: (call) => expire(call, Unit.PXAT),
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

/** Replies the same outcome for `count` fields. */
function replyMissing(call: Call, count: number): void {
  call.reply.array(count);
  for (; count > 0; count--) call.reply.integer(Outcome.MISSING);
}

const EXPIRE_RULES: BlockRules = {
  width: 1,
  least: 2,
  tooShort: () => fail("ERR FIELDS requires at least numfields and one field argument"),
  badCount: "ERR Parameter `numFields` should be greater than 0",
};

function expire(call: Call, unit: Unit): void {
  const { reply } = call;
  const ref = openHashToWrite(call);
  const deadline = deadlineAt(call, 2, unit);
  let conditions = 0;
  const block = readBlock(call, 3, EXPIRE_RULES, (i) => {
    const found = conditionAt(call, i);
    conditions |= found;
    return found === 0 ? 0 : 1;
  });
  // More than one condition.
  if ((conditions & (conditions - 1)) !== 0) fail("ERR Multiple condition flags specified");
  if (ref === 0) return replyMissing(call, block.count);
  const hash = hashes(call);
  const past = call.isOver(deadline);
  hash.allowDeadlines();
  const fields = new ChangedFields(call);
  reply.array(block.count);
  for (let i = block.first; i < block.end; i++) {
    if (!findField(call, hash, i)) {
      reply.integer(Outcome.MISSING);
    } else if (!conditionHolds(conditions, hash.deadline, deadline)) {
      reply.integer(Outcome.UNMET);
    } else {
      fields.add(i);
      applyDeadline(hash, deadline, past);
      reply.integer(past ? Outcome.DELETED : Outcome.DONE);
    }
  }
  if (fields.count > 0) {
    changed(call, past ? "hdel" : "hexpire", fields.count);
    if (past) fields.logDeletion();
    else fields.logDeadline(deadline);
  }
  keepOrDeleteHash(call, ref, hash);
}

/** Sets the deadline of the field just found, or deletes the field if the deadline is past. */
function applyDeadline(hash: HashValue, deadline: number, past: boolean): void {
  if (past) hash.remove();
  else hash.setDeadline(deadline);
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
  const fields = new ChangedFields(call);
  for (let i = 4; i < argc; i++) {
    if (!findField(call, hash, i)) {
      reply.integer(Outcome.MISSING);
    } else if (hash.deadline === NEVER) {
      reply.integer(Outcome.NO_DEADLINE);
    } else {
      hash.setDeadline(NEVER);
      fields.add(i);
      reply.integer(Outcome.DONE);
    }
  }
  if (fields.count === 0) return;
  keepHash(call, ref, hash);
  changed(call, "hpersist", fields.count);
  if (fields.count < count) fields.logDeadline(NEVER);
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
  logDeletion(call, { count, first: 4, end: argc });
  keepOrDeleteHash(call, ref, hash);
}

/** The options of HGETEX and HSETEX, and their fields. */
interface Options {
  readonly block: FieldBlock;
  readonly condition: "fnx" | "fxx" | undefined;
  /** Whether the deadline applies to the fields. */
  readonly expires: boolean;
  readonly deadline: number;
  readonly persist: boolean;
  readonly keepTtl: boolean;
}

const GET_RULES: BlockRules = {
  width: 1,
  least: 1,
  tooShort: (call) => call.failArity(),
  badCount: "ERR invalid number of fields",
};
const SET_RULES: BlockRules = { ...GET_RULES, width: 2 };

/**
 * Parses the arguments of HGETEX and HSETEX. Both accept the union of their options first, and each refuses the
 * other's at the end, as in Redis.
 */
function readOptions(call: Call, rules: BlockRules): Options {
  const sets = rules === SET_RULES;
  let condition: Options["condition"], expires = false, persist = false, keepTtl = false, deadline: number = NEVER;
  const block = readBlock(call, 2, rules, (i) => {
    const unit = unitAt(call, i);
    if (unit !== Unit.NONE) {
      if (expires || persist || keepTtl) failExpiry(sets);
      if (i + 1 === call.argc) fail("ERR missing expire time");
      deadline = deadlineAt(call, i + 1, unit);
      expires = true;
      return 2;
    }
    if (call.is(i, "persist")) {
      if (expires || persist) failExpiry(sets);
      persist = true;
    } else if (call.is(i, "keepttl")) {
      if (expires || keepTtl) failExpiry(sets);
      keepTtl = true;
    } else if (call.is(i, "fnx") || call.is(i, "fxx")) {
      if (condition !== undefined) fail(ONE_CONDITION);
      condition = call.is(i, "fnx") ? "fnx" : "fxx";
    } else {
      return 0;
    }
    return 1;
  });
  if (sets ? persist : keepTtl || condition !== undefined) fail("ERR unknown argument");
  return { block, condition, expires, deadline, persist, keepTtl };
}

function failExpiry(sets: boolean): never {
  fail(`ERR Only one of EX, PX, EXAT, PXAT or ${sets ? "KEEPTTL" : "PERSIST"} arguments can be specified`);
}

function hgetex(call: Call): void {
  const { reply } = call;
  const ref = openHashToWrite(call);
  const { block, expires, persist, deadline } = readOptions(call, GET_RULES);
  if (ref === 0) return replyNulls(call, block.count);
  const hash = hashes(call);
  const past = expires && call.isOver(deadline);
  if (expires || persist) hash.allowDeadlines();
  reply.array(block.count);
  const fields = new ChangedFields(call);
  for (let i = block.first; i < block.end; i++) {
    if (!findField(call, hash, i)) {
      reply.null();
      continue;
    }
    replyValue(call, hash);
    if (!expires && !(persist && hash.deadline !== NEVER)) continue;
    applyDeadline(hash, deadline, past);
    fields.add(i);
  }
  if (fields.count > 0) {
    changed(call, past ? "hdel" : persist ? "hpersist" : "hexpire", fields.count);
    if (past) fields.logDeletion();
    else fields.logDeadline(deadline);
  }
  keepOrDeleteHash(call, ref, hash);
}

function hsetex(call: Call): void {
  const { reply } = call;
  const { block, condition, expires, deadline, keepTtl } = readOptions(call, SET_RULES);
  const { count, first, end } = block;
  const ref = openHashToWrite(call);
  const hash = hashes(call);
  if (ref === 0 && condition === "fxx") return reply.integer(0);
  for (let i = first; i < end && ref !== 0 && condition !== undefined; i += 2) {
    if (hasField(call, hash, i) === (condition === "fnx")) return reply.integer(0);
  }
  const past = expires && call.isOver(deadline);
  if (ref === 0) createHash(call, hash, first);
  // As in Redis, options after FIELDS count as fields here.
  if (hash.packed) admitPairs(call, hash, first);
  if (expires) hash.allowDeadlines();
  for (let i = first; i < end; i += 2) {
    hasField(call, hash, i);
    setField(call, hash, i, keepTtl);
    if (!expires) continue;
    findField(call, hash, i);
    applyDeadline(hash, deadline, past);
  }
  const kept = keepHash(call, ref, hash);
  changed(call, "hset", count);
  if (past) {
    changed(call, "hdel", count);
  } else if (expires) {
    changed(call, "hexpire", count);
  }
  if (past) logDeletion(call, block, 2);
  else if (expires || condition !== undefined) logSet(call, block, deadline, keepTtl);
  deleteIfEmpty(call, kept, hash);
  reply.integer(1);
}

/** The log entry of an HSETEX with a time or a condition: it has the deadline and no condition. */
function logSet(call: Call, { count, first, end }: FieldBlock, deadline: number, keepTtl: boolean): void {
  if (!call.engine.effects.open) return;
  const words: EffectArgument[] = ["HSETEX", call.view(1)];
  if (deadline !== NEVER) words.push("PXAT", deadline);
  if (keepTtl) words.push("KEEPTTL");
  words.push("FIELDS", count);
  for (let i = first; i < end; i++) words.push(call.view(i));
  call.logInstead(...words);
}
