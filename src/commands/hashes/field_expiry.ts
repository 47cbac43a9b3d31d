/**
 * Deadlines of hash fields: the commands that set, read and remove them, alone or while reading or setting values. A
 * deadline is a whole number of milliseconds since the epoch, below 2^46 as in Redis. The log contains the deadline,
 * never the time to live.
 */
import type { EffectArgument } from "../../engine/effects.ts";
import { Notify } from "../../engine/listeners.ts";
import type { HashValue } from "../../store/values/hash_value.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { ChangedFields, type FieldBlock, type Forms, logDeletion } from "./field_arguments.ts";
import { conditionHolds, Unit } from "../shared/expiry.ts";
import {
  admitPairs,
  changed,
  createHash,
  deleteIfEmpty,
  findField,
  hasField,
  hashes,
  keepHash,
  keepOrDeleteHash,
  replyValue,
  setField,
} from "./hash_call.ts";
import { redisForms } from "./redis_forms.ts";
import { valkeyForms } from "./valkey_forms.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";

const FIELDS_SYNTAX = "FIELDS numfields field [field ...]";
const CONDITION_SYNTAX = "[NX | XX | GT | LT]";
const EXPIRY_SYNTAX = "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds";
const SET_SYNTAX = `[FNX | FXX] [${EXPIRY_SYNTAX} | KEEPTTL] FIELDS numfields field value [field value ...]`;
const COMPLEXITY = "O(N) with N the number of fields";

const ORDER =
  "Redis takes the options and FIELDS in any order. In Valkey FIELDS comes last, and the texts of errors differ.";
const PAST =
  "Fields that go because their new deadline is past are announced as `hdel` in Redis, as `hexpired` in Valkey.";
const LATEST =
  "Redis refuses deadlines from 2^46 ms on. Valkey takes them, and MemDB then sets the latest one, 2^46-1.";
const DIFFERS = {
  EXPIRE: [ORDER, PAST, LATEST, "Valkey allows XX together with GT or LT; Redis allows one condition."],
  TTL: ["Redis rounds seconds up, Valkey to the nearest.", "The texts of errors differ."],
  PLAIN: ["The texts of errors differ."],
  GETEX: [ORDER, PAST, LATEST],
  SETEX: [
    ORDER,
    "NX and XX, which ask for a missing or an existing key, are Valkey's. Both personalities take them.",
    "For a past deadline Redis announces `hset` and `hdel`; Valkey `hset`, `hexpire` and `hexpired`.",
    LATEST,
  ],
} as const;

/** Valkey describes Unix times as integers here. */
const TIME_TYPES = { "unix-time-seconds": "integer", "unix-time-milliseconds": "integer" } as const;

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
    handler: (call) => expire(call, redisForms, Unit.EX),
    valkey: { since: "9.0.0", handler: (call) => expire(call, valkeyForms, Unit.EX) },
    differs: DIFFERS.EXPIRE,
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
    handler: (call) => expire(call, redisForms, Unit.PX),
    valkey: { since: "9.0.0", handler: (call) => expire(call, valkeyForms, Unit.PX) },
    differs: DIFFERS.EXPIRE,
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
    handler: (call) => expire(call, redisForms, Unit.EXAT),
    valkey: { since: "9.0.0", types: TIME_TYPES, handler: (call) => expire(call, valkeyForms, Unit.EXAT) },
    differs: DIFFERS.EXPIRE,
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
    handler: (call) => expire(call, redisForms, Unit.PXAT),
    valkey: { since: "9.0.0", types: TIME_TYPES, handler: (call) => expire(call, valkeyForms, Unit.PXAT) },
    differs: DIFFERS.EXPIRE,
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
    handler: (call) => replyDeadlines(call, redisForms, 1000, true),
    valkey: { since: "9.0.0", tips: undefined, handler: (call) => replyDeadlines(call, valkeyForms, 1000, true) },
    differs: DIFFERS.TTL,
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
    handler: (call) => replyDeadlines(call, redisForms, 1, true),
    valkey: { since: "9.0.0", tips: undefined, handler: (call) => replyDeadlines(call, valkeyForms, 1, true) },
    differs: DIFFERS.TTL,
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
    handler: (call) => replyDeadlines(call, redisForms, 1000, false),
    valkey: { since: "9.0.0", handler: (call) => replyDeadlines(call, valkeyForms, 1000, false) },
    differs: DIFFERS.TTL,
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
    handler: (call) => replyDeadlines(call, redisForms, 1, false),
    valkey: { since: "9.0.0", handler: (call) => replyDeadlines(call, valkeyForms, 1, false) },
    differs: DIFFERS.TTL,
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
    handler: (call) => persist(call, redisForms),
    valkey: { since: "9.0.0", handler: (call) => persist(call, valkeyForms) },
    differs: DIFFERS.PLAIN,
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
    handler: (call) => hgetdel(call, redisForms),
    valkey: { since: "9.1.0", handler: (call) => hgetdel(call, valkeyForms) },
    differs: DIFFERS.PLAIN,
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
    handler: (call) => hgetex(call, redisForms),
    valkey: { since: "9.0.0", keys: keyAt(1, "RW ACCESS UPDATE"), handler: (call) => hgetex(call, valkeyForms) },
    differs: DIFFERS.GETEX,
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
    syntax: `key ${SET_SYNTAX}`,
    handler: (call) => hsetex(call, redisForms),
    valkey: {
      since: "9.0.0",
      keys: keyAt(1, "RW INSERT"),
      syntax: `key [NX | XX] ${SET_SYNTAX}`,
      handler: (call) => hsetex(call, valkeyForms),
    },
    differs: DIFFERS.SETEX,
  },
];

/** Replies the same outcome for `count` fields. */
function replyMissing(call: Call, count: number): void {
  call.reply.array(count);
  for (; count > 0; count--) call.reply.integer(Outcome.MISSING);
}

function expire(call: Call, forms: Forms, unit: Unit): void {
  const { reply } = call;
  const { ref, block, deadline, conditions } = forms.expire(call, unit);
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
    changed(call, past ? forms.pastEvent : "hexpire", fields.count);
    if (past) fields.logDeletion();
    else fields.logDeadline(deadline);
    if (past && forms.countsPast) call.store.expiredFields += fields.count;
  }
  keepOrDeleteHash(call, ref, hash);
}

/** Sets the deadline of the field just found, or deletes the field if the deadline is past. */
function applyDeadline(hash: HashValue, deadline: number, past: boolean): void {
  if (past) hash.remove();
  else hash.setDeadline(deadline);
}

function replyDeadlines(call: Call, forms: Forms, unitMs: number, fromNow: boolean): void {
  const { reply, store } = call;
  const { ref, block } = forms.ask(call);
  if (ref === 0) return replyMissing(call, block.count);
  const hash = hashes(call);
  const base = fromNow ? store.nowMs : 0;
  reply.array(block.count);
  for (let i = block.first; i < block.end; i++) {
    if (!findField(call, hash, i)) {
      reply.integer(Outcome.MISSING);
    } else if (hash.deadline === NEVER) {
      reply.integer(Outcome.NO_DEADLINE);
    } else {
      const ms = Math.max(0, hash.deadline - base);
      reply.integer(unitMs === 1 ? ms : forms.seconds(ms));
    }
  }
}

function persist(call: Call, forms: Forms): void {
  const { reply } = call;
  const { ref, block } = forms.change(call);
  if (ref === 0) return replyMissing(call, block.count);
  const hash = hashes(call);
  reply.array(block.count);
  const fields = new ChangedFields(call);
  for (let i = block.first; i < block.end; i++) {
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
  if (fields.count < block.count) fields.logDeadline(NEVER);
}

function replyNulls(call: Call, count: number): void {
  call.reply.array(count);
  for (; count > 0; count--) call.reply.null();
}

function hgetdel(call: Call, forms: Forms): void {
  const { reply } = call;
  const { ref, block } = forms.change(call);
  if (ref === 0) return replyNulls(call, block.count);
  const hash = hashes(call);
  reply.array(block.count);
  let changes = 0;
  for (let i = block.first; i < block.end; i++) {
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
  logDeletion(call, block);
  keepOrDeleteHash(call, ref, hash);
}

function hgetex(call: Call, forms: Forms): void {
  const { reply } = call;
  const { ref, block, expires, persist, deadline } = forms.hgetex(call);
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
    changed(call, past ? forms.pastEvent : persist ? "hpersist" : "hexpire", fields.count);
    if (past) fields.logDeletion();
    else fields.logDeadline(deadline);
    if (past && forms.countsPast) call.store.expiredFields += fields.count;
  }
  keepOrDeleteHash(call, ref, hash);
}

function hsetex(call: Call, forms: Forms): void {
  const { reply } = call;
  const { ref, block, keyCondition, condition, expires, deadline, keepTtl } = forms.hsetex(call);
  const { count, first, end } = block;
  const hash = hashes(call);
  if (ref === 0 ? condition === "fxx" || keyCondition === "xx" : keyCondition === "nx") return reply.integer(0);
  for (let i = first; i < end && ref !== 0 && condition !== undefined; i += 2) {
    if (hasField(call, hash, i) === (condition === "fnx")) return reply.integer(0);
  }
  const past = expires && call.isOver(deadline);
  if (ref === 0) createHash(call, hash, first);
  // As in Redis, options after FIELDS count as fields here.
  if (hash.packed) admitPairs(call, hash, first);
  if (expires) hash.allowDeadlines();
  let replaces = false;
  for (let i = first; i < end; i += 2) {
    if (hasField(call, hash, i)) replaces = true;
    setField(call, hash, i, keepTtl);
    if (!expires) continue;
    findField(call, hash, i);
    applyDeadline(hash, deadline, past);
  }
  const kept = keepHash(call, ref, hash);
  // In Valkey new fields whose deadline is past change nothing.
  const report = past && !replaces && forms.announcesPastDeadline ? announced : changed;
  report(call, "hset", count);
  if (expires && (!past || forms.announcesPastDeadline)) report(call, "hexpire", count);
  if (past) report(call, forms.pastEvent, count);
  if (past && forms.countsPast) call.store.expiredFields += count;
  if (past) logDeletion(call, block, 2);
  else if (first > 4 || end < call.argc) logSet(call, block, deadline, keepTtl);
  deleteIfEmpty(call, kept, hash);
  reply.integer(1);
}

function announced(call: Call, event: string): void {
  call.announced(Notify.HASH, event, 1);
}

/** The log entry of an HSETEX with options: it has the deadline, no condition, and a form that both servers take. */
function logSet(call: Call, { count, first, end }: FieldBlock, deadline: number, keepTtl: boolean): void {
  if (!call.engine.effects.open) return;
  const words: EffectArgument[] = ["HSETEX", call.view(1)];
  if (deadline !== NEVER) words.push("PXAT", deadline);
  if (keepTtl) words.push("KEEPTTL");
  words.push("FIELDS", count);
  for (let i = first; i < end; i++) words.push(call.view(i));
  call.logInstead(...words);
}
