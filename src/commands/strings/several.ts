/**
 * Strings of several keys at once.
 *
 * Hot: MSET and MGET allocate nothing.
 */
import { fail, messages } from "../../core/errors.ts";
import { hashBytes } from "../../core/hash_function.ts";
import type { Call } from "../../dispatch/call.ts";
import { keyFlags } from "../../dispatch/key_flags.ts";
import { type CommandSpec, keyRange } from "../../dispatch/spec.ts";
import type { EffectArgument } from "../../engine/effects.ts";
import { Notify } from "../../engine/listeners.ts";
import { PREFETCH_MAX } from "../../store/blocks/dict.ts";
import type { Deadline } from "../../store/deadline.ts";
import { NEVER, Type } from "../../store/keyspace.ts";
import { NONE } from "../../store/memory/arena.ts";
import { Unit } from "../shared/expiry.ts";
import { EXPIRY_SYNTAX, StringOptions } from "./options.ts";
import { replyString } from "./string_call.ts";

const COUNT_MAX = 2 ** 31 - 1;
const BAD_COUNT = "ERR invalid numkeys value";

export const severalStringsCommands: readonly CommandSpec[] = [
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
    name: "msetex",
    summary: "Sets several keys to strings with one expire time, optionally if all of them exist or none does.",
    since: "8.4.0",
    group: "string",
    complexity: "O(N) with N the number of keys.",
    arity: -4,
    flags: ["write", "denyoom"],
    tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
    keys: [{ flags: keyFlags("OW UPDATE"), begin: { index: 1 }, find: { keynum: 0, first: 1, step: 2 } }],
    syntax: `numkeys key value [key value ...] [NX | XX] [${EXPIRY_SYNTAX} | KEEPTTL]`,
    valkey: { since: "9.1.0" },
    differs: ["The event `expire` precedes `set` in Redis, and follows it in Valkey.", "The texts of errors differ."],
    handler: msetex,
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
];

const options = new StringOptions();

/** Hash codes of the keys that `prefetch` was called for. */
const hashes = new Int32Array(PREFETCH_MAX);

/**
 * Prefetches the keys in every `step`-th argument of [from, to); returns the number of keys whose codes are in
 * `hashes`.
 */
function prefetch(call: Call, from: number, to: number, step: number): number {
  const { bytes, start, end } = call.request;
  let n = 0;
  for (let i = from; i < to && n < PREFETCH_MAX; i += step) hashes[n++] = hashBytes(bytes, start[i], end[i]);
  call.db.prefetch(hashes, n);
  return n;
}

function mget(call: Call): void {
  const { argc, db, reply } = call;
  const { bytes, start, end } = call.request;
  reply.array(argc - 1);
  for (let from = 1; from < argc; from += PREFETCH_MAX) {
    const n = prefetch(call, from, argc, 1);
    for (let k = 0, i = from; k < n; k++, i++) {
      const ref = db.lookup(bytes, start[i], end[i], hashes[k]);
      replyString(call, ref !== 0 && db.typeOf(ref) === Type.STRING ? ref : NONE);
    }
  }
}

function deadlineOfKey({ db, request }: Call, i: number, hash: number): Deadline {
  const ref = db.lookupWrite(request.bytes, request.start[i], request.end[i], hash);
  return ref === 0 ? NEVER : db.deadlineOf(ref);
}

/** Sets the pairs of a key and a value in the arguments [first, stop). With `keepTtl` keys keep their deadlines. */
function setPairs(call: Call, first: number, stop: number, deadline: Deadline = NEVER, keepTtl = false): void {
  const { db } = call;
  const { bytes, start, end } = call.request, expires = deadline !== NEVER;
  for (let from = first; from < stop; from += 2 * PREFETCH_MAX) {
    const n = prefetch(call, from, stop, 2);
    for (let k = 0, i = from; k < n; k++, i += 2) {
      const before = call.typeBefore(i);
      const kept = keepTtl ? deadlineOfKey(call, i, hashes[k]) : deadline;
      db.setString(bytes, start[i], end[i], bytes, start[i + 1], end[i + 1], kept, hashes[k]);
      call.overwrote(i, before, Type.STRING);
      if (expires && !call.valkey) call.announced(Notify.GENERIC, "expire", i);
      call.changed(Notify.STRING, "set", i);
      if (expires && call.valkey) call.announced(Notify.GENERIC, "expire", i);
    }
  }
}

function checkPairs(call: Call): void {
  if ((call.argc & 1) === 0) call.failArity();
}

/** Whether any of the keys in every second argument of [first, stop) exists, or is missing. */
function any(call: Call, existing: boolean, first: number, stop: number): boolean {
  for (let i = first; i < stop; i += 2) if (call.lookupWrite(i) !== 0 === existing) return true;
  return false;
}

function mset(call: Call): void {
  checkPairs(call);
  setPairs(call, 1, call.argc);
  call.reply.ok();
}

function msetnx(call: Call): void {
  checkPairs(call);
  const { argc, reply } = call;
  if (any(call, true, 1, argc)) return reply.integer(0);
  setPairs(call, 1, argc);
  reply.integer(1);
}

function msetex(call: Call): void {
  const badCount = call.valkey ? `${BAD_COUNT} or out of range` : BAD_COUNT;
  const count = call.integerIn(1, 1, COUNT_MAX, badCount, badCount), stop = 2 + 2 * count;
  if (stop > call.argc) fail(call.valkey ? messages.syntax : "ERR wrong number of key-value pairs");
  options.parse(call, stop, "msetex");
  const deadline = options.deadline(call), { keepTtl, nx, xx } = options;
  if ((nx || xx) && any(call, nx, 2, stop)) return call.reply.integer(0);
  setPairs(call, 2, stop, deadline, keepTtl);
  if (call.engine.effects.open) logPairs(call, stop, deadline);
  call.reply.integer(1);
}

/** The log entry of MSETEX: a relative time becomes absolute, and conditions are left out. */
function logPairs(call: Call, stop: number, deadline: Deadline): void {
  const args: EffectArgument[] = ["MSETEX"];
  for (let i = 1; i < stop; i++) args.push(call.view(i));
  if (options.unit !== Unit.NONE) args.push("PXAT", `${deadline}`);
  else if (options.keepTtl) args.push("KEEPTTL");
  call.logInstead(...args);
}
