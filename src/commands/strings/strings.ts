/**
 * Strings: setting and reading whole values, and the table of all string commands. Parts of values are in ranges.ts,
 * arithmetic is in numbers.ts.
 *
 * Hot: SET without options, GET and MSET, MGET allocate nothing.
 */
import { equalsWord } from "../../core/bytes.ts";
import { Notify } from "../../engine/listeners.ts";
import { PREFETCH_MAX } from "../../store/blocks/dict.ts";
import { hashBytes } from "../../core/hash_function.ts";
import { NEVER, Type } from "../../store/keyspace.ts";
import type { Request } from "../../resp/request.ts";
import type { Call } from "../../dispatch/call.ts";
import { keyFlags } from "../../dispatch/key_flags.ts";
import { type CommandSpec, keyAt, type KeyPosition, keyRange, notDeprecated } from "../../dispatch/spec.ts";
import { stringNumberCommands } from "./numbers.ts";
import { Unit } from "../shared/expiry.ts";
import { deadlineAt, StringOptions } from "./options.ts";
import { stringRangeCommands } from "./ranges.ts";
import type { Deadline } from "../../store/deadline.ts";
import { NONE, type RecordRef } from "../../store/memory/arena.ts";

const EXPIRY_SYNTAX = "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds";

export const stringCommands: readonly CommandSpec[] = [
  {
    name: "get",
    summary: "Returns the string at a key.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: get,
  },
  {
    name: "set",
    summary: "Sets a key to a string, replacing any old value; optionally on a condition and with an expire time.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [{
      ...keyAt(1, "RW ACCESS UPDATE VARIABLE_FLAGS")[0],
      notes: "read only when GET is given",
    }],
    findKeys: setKeys,
    syntax: `key value [NX | XX] [GET] [${EXPIRY_SYNTAX} | KEEPTTL]`,
    handler: set,
  },
  {
    name: "getset",
    summary: "Sets a key to a string and returns the one that it held before.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    syntax: "key value",
    deprecated: { since: "6.2.0", replacedBy: "`SET` with the `!GET` argument" },
    valkey: notDeprecated,
    handler: getset,
  },
  {
    name: "getdel",
    summary: "Returns the string at a key and deletes the key.",
    since: "6.2.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    syntax: "key",
    handler: getdel,
  },
  {
    name: "getex",
    summary: "Returns the string at a key and sets or removes the key's expire time.",
    since: "6.2.0",
    group: "string",
    complexity: "O(1)",
    arity: -2,
    flags: ["write", "fast"],
    keys: [{ ...keyAt(1, "RW ACCESS UPDATE")[0], notes: "RW and UPDATE because it changes the TTL" }],
    syntax: `key [${EXPIRY_SYNTAX} | PERSIST]`,
    differs: ["A wrong time is an error in Valkey even if the key is missing or of another type."],
    handler: getex,
  },
  {
    name: "setnx",
    summary: "Sets a key to a string if the key is missing.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "OW INSERT"),
    syntax: "key value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `NX` argument" },
    valkey: notDeprecated,
    handler: setnx,
  },
  {
    name: "setex",
    summary: "Sets a key to a string that expires after some seconds.",
    since: "2.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "OW UPDATE"),
    syntax: "key seconds value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `EX` argument" },
    valkey: notDeprecated,
    handler: (call) => setExpiring(call, Unit.EX),
  },
  {
    name: "psetex",
    summary: "Sets a key to a string that expires after some milliseconds.",
    since: "2.6.0",
    group: "string",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "OW UPDATE"),
    syntax: "key milliseconds value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `PX` argument" },
    valkey: notDeprecated,
    handler: (call) => setExpiring(call, Unit.PX),
  },
  {
    name: "mget",
    summary: "Returns the strings at several keys.",
    since: "1.0.0",
    group: "string",
    complexity: "O(N) with N the number of keys.",
    arity: -2,
    flags: ["readonly", "fast"],
    tips: ["request_policy:multi_shard"],
    keys: keyRange(1, -1, 1, "RO ACCESS"),
    syntax: "key [key ...]",
    handler: mget,
  },
  {
    name: "mset",
    summary: "Sets several keys to strings.",
    since: "1.0.1",
    group: "string",
    complexity: "O(N) with N the number of keys.",
    arity: -3,
    flags: ["write", "denyoom"],
    tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
    keys: keyRange(1, -1, 2, "OW UPDATE"),
    syntax: "key value [key value ...]",
    handler: mset,
  },
  {
    name: "msetnx",
    summary: "Sets several keys to strings if all of them are missing.",
    since: "1.0.1",
    group: "string",
    complexity: "O(N) with N the number of keys.",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: keyRange(1, -1, 2, "OW INSERT"),
    syntax: "key value [key value ...]",
    handler: msetnx,
  },
  ...stringNumberCommands,
  ...stringRangeCommands,
];

const options = new StringOptions();

/** SET reads its key only with GET, an option at any position after the value. */
function setKeys({ argc, bytes, start, end }: Request): KeyPosition[] {
  for (let i = 3; i < argc; i++) {
    if (equalsWord(bytes, start[i], end[i], "get")) return [{ index: 1, flags: keyFlags("RW ACCESS UPDATE") }];
  }
  return [{ index: 1, flags: keyFlags("OW UPDATE") }];
}

/** Hash codes of the keys that `prefetch` was called for. */
const hashes = new Int32Array(PREFETCH_MAX);

/**
 * Prefetches the keys in every `step`-th argument from `from` on; returns the number of keys whose codes are in
 * `hashes`.
 */
function prefetch(call: Call, from: number, step: number): number {
  const { argc, bytes, start, end } = call.request;
  let n = 0;
  for (let i = from; i < argc && n < PREFETCH_MAX; i += step) hashes[n++] = hashBytes(bytes, start[i], end[i]);
  call.db.prefetch(hashes, n);
  return n;
}

/** Sets key argument i to value argument v. */
function assign(call: Call, i: number, v: number, deadline: Deadline): void {
  const { bytes, start, end } = call.request, before = call.typeBefore(i);
  call.db.setString(bytes, start[i], end[i], bytes, start[v], end[v], deadline, call.hash(i));
  call.overwrote(i, before, Type.STRING);
  call.changed(Notify.STRING, "set", i);
}

/** Replies with the string of record `ref`, or null if it is 0. */
function replyString(call: Call, ref: RecordRef): void {
  const { db, reply } = call;
  if (ref === 0) return reply.null();
  db.readString(ref);
  reply.bulkView(db.view, db.start, db.start + db.length);
}

function get(call: Call): void {
  replyString(call, call.lookupType(1, Type.STRING));
}

function set(call: Call): void {
  if (call.argc > 3) return setWithOptions(call);
  assign(call, 1, 2, NEVER);
  call.reply.ok();
}

function setWithOptions(call: Call): void {
  const { db, reply } = call;
  options.parse(call, 3, true);
  let deadline = options.deadline(call);
  const expires = deadline !== NEVER;
  if (options.get || options.nx || options.xx || options.keepTtl) {
    const old = options.get ? call.lookupType(1, Type.STRING) : call.lookupWrite(1);
    if (options.get) replyString(call, old);
    if (old === 0 ? options.xx : options.nx) {
      if (!options.get) reply.null();
      return;
    }
    if (options.keepTtl && old !== 0) deadline = db.deadlineOf(old);
  }
  assign(call, 1, 2, deadline);
  if (expires) call.changed(Notify.GENERIC, "expire", 1);
  if (call.engine.effects.open) logSet(call, deadline);
  if (!options.get) reply.ok();
}

/** The log entry of a SET with options: relative times become absolute, and GET is left out. */
function logSet(call: Call, deadline: Deadline): void {
  if (options.unit === Unit.PXAT) return;
  if (options.unit !== Unit.NONE) return call.logInstead("SET", call.view(1), call.view(2), "PXAT", `${deadline}`);
  if (!options.get) return;
  const kept: Uint8Array[] = [];
  for (let i = 1; i < call.argc; i++) if (i < 3 || !call.is(i, "get")) kept.push(call.view(i));
  call.logInstead("SET", ...kept);
}

function getset(call: Call): void {
  replyString(call, call.lookupType(1, Type.STRING));
  assign(call, 1, 2, NEVER);
  if (call.engine.effects.open) call.logInstead("SET", call.view(1), call.view(2));
}

function getdel(call: Call): void {
  const ref = call.lookupType(1, Type.STRING);
  replyString(call, ref);
  if (ref !== 0) drop(call, ref);
}

/** Deletes key argument 1, whose record is `ref`. */
function drop(call: Call, ref: RecordRef): void {
  call.db.unlink(ref);
  call.changed(Notify.GENERIC, "del", 1);
  if (call.engine.effects.open) call.logInstead("DEL", call.view(1));
}

function getex(call: Call): void {
  const { db, engine } = call;
  options.parse(call, 2, false);
  // In Redis a missing key is answered before the time is checked, in Valkey after it.
  if (call.valkey) options.deadline(call);
  const ref = call.lookupType(1, Type.STRING);
  if (ref === 0) return call.reply.null();
  const deadline = options.deadline(call);
  replyString(call, ref);
  if (deadline !== NEVER) {
    if (call.isOver(deadline)) return drop(call, ref);
    db.setDeadline(ref, deadline);
    call.changed(Notify.GENERIC, "expire", 1);
    if (engine.effects.open) call.logInstead("PEXPIREAT", call.view(1), `${deadline}`);
  } else if (options.persist && db.deadlineOf(ref) !== NEVER) {
    db.setDeadline(ref, NEVER);
    call.changed(Notify.GENERIC, "persist", 1);
    if (engine.effects.open) call.logInstead("PERSIST", call.view(1));
  }
}

function setnx(call: Call): void {
  const missing = call.lookupWrite(1) === 0;
  if (missing) assign(call, 1, 2, NEVER);
  call.reply.integer(missing ? 1 : 0);
}

function setExpiring(call: Call, unit: Unit): void {
  const deadline = deadlineAt(call, 2, unit);
  assign(call, 1, 3, deadline);
  call.changed(Notify.GENERIC, "expire", 1);
  if (call.engine.effects.open) call.logInstead("SET", call.view(1), call.view(3), "PXAT", `${deadline}`);
  call.reply.ok();
}

function mget(call: Call): void {
  const { argc, db, reply } = call;
  const { bytes, start, end } = call.request;
  reply.array(argc - 1);
  for (let from = 1; from < argc; from += PREFETCH_MAX) {
    const n = prefetch(call, from, 1);
    for (let k = 0, i = from; k < n; k++, i++) {
      const ref = db.lookup(bytes, start[i], end[i], hashes[k]);
      replyString(call, ref !== 0 && db.typeOf(ref) === Type.STRING ? ref : NONE);
    }
  }
}

function checkPairs(call: Call): void {
  if ((call.argc & 1) === 0) call.failArity();
}

function mset(call: Call): void {
  checkPairs(call);
  const { argc, db } = call;
  const { bytes, start, end } = call.request;
  for (let from = 1; from < argc; from += 2 * PREFETCH_MAX) {
    const n = prefetch(call, from, 2);
    for (let k = 0, i = from; k < n; k++, i += 2) {
      const before = call.typeBefore(i);
      db.setString(bytes, start[i], end[i], bytes, start[i + 1], end[i + 1], NEVER, hashes[k]);
      call.overwrote(i, before, Type.STRING);
      call.changed(Notify.STRING, "set", i);
    }
  }
  call.reply.ok();
}

function msetnx(call: Call): void {
  checkPairs(call);
  const { argc, reply } = call;
  for (let i = 1; i < argc; i += 2) if (call.lookupWrite(i) !== 0) return reply.integer(0);
  for (let i = 1; i < argc; i += 2) assign(call, i, i + 1, NEVER);
  reply.integer(1);
}
