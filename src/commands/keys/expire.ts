/**
 * Deadlines of keys: setting, reading and removing them. The log contains the exact deadline in milliseconds since the
 * epoch.
 */
import { fail } from "../../core/errors.ts";
import { INT64_MAX, INT64_MIN } from "../../core/numbers.ts";
import { Notify } from "../../engine/listeners.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { conditionHolds, conditionsIn, dropPast, PAST_DIFFERS } from "../shared/expiry.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { type Deadline, deadlineOfMs } from "../../store/deadline.ts";

const CONDITION = "[NX | XX | GT | LT]";

export const expireCommands: readonly CommandSpec[] = [
  {
    name: "expire",
    summary: "Gives a key a time to live in seconds.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    partialEffect: "later",
    syntax: `key seconds ${CONDITION}`,
    differs: [PAST_DIFFERS],
    handler: (call) => expire(call, 1000, true),
  },
  {
    name: "pexpire",
    summary: "Gives a key a time to live in milliseconds.",
    since: "2.6.0",
    group: "generic",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    partialEffect: "later",
    syntax: `key milliseconds ${CONDITION}`,
    differs: [PAST_DIFFERS],
    handler: (call) => expire(call, 1, true),
  },
  {
    name: "expireat",
    summary: "Lets a key expire at a Unix time in seconds.",
    since: "1.2.0",
    group: "generic",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    partialEffect: "later",
    syntax: `key unix-time-seconds ${CONDITION}`,
    differs: [PAST_DIFFERS],
    handler: (call) => expire(call, 1000, false),
  },
  {
    name: "pexpireat",
    summary: "Lets a key expire at a Unix time in milliseconds.",
    since: "2.6.0",
    group: "generic",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    partialEffect: "later",
    syntax: `key unix-time-milliseconds ${CONDITION}`,
    differs: [PAST_DIFFERS],
    handler: (call) => expire(call, 1, false),
  },
  {
    name: "ttl",
    summary: "Tells the seconds that a key has left; -1 without a deadline, -2 without a key.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: (call) => replyDeadline(call, true, true),
  },
  {
    name: "pttl",
    summary: "Tells the milliseconds that a key has left; -1 without a deadline, -2 without a key.",
    since: "2.6.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: (call) => replyDeadline(call, false, true),
  },
  {
    name: "expiretime",
    summary: "Tells the Unix time in seconds at which a key expires; -1 if never, -2 without a key.",
    since: "7.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: (call) => replyDeadline(call, true, false),
  },
  {
    name: "pexpiretime",
    summary: "Tells the Unix time in milliseconds at which a key expires; -1 if never, -2 without a key.",
    since: "7.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: (call) => replyDeadline(call, false, false),
  },
  {
    name: "persist",
    summary: "Takes away the deadline of a key.",
    since: "2.2.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    partialEffect: "later",
    syntax: "key",
    handler: persist,
  },
];

function expire(call: Call, unitMs: number, fromNow: boolean): void {
  const { db, reply } = call;
  const condition = conditionsIn(call, 3, call.argc);
  const deadline = parseDeadline(call, unitMs, fromNow);
  const ref = call.lookupWrite(1);
  if (ref === 0 || (condition !== 0 && !conditionHolds(condition, db.deadlineOf(ref), deadline))) {
    return reply.integer(0);
  }
  if (call.isOver(deadline)) {
    dropPast(call, ref);
  } else {
    db.setDeadline(ref, typeof deadline === "number" ? Math.max(0, deadline) : deadlineOfMs(deadline));
    if ((fromNow || unitMs !== 1) && call.engine.effects.open) {
      const conditions = Array.from({ length: call.argc - 3 }, (_, i) => call.view(3 + i));
      call.logInstead("PEXPIREAT", call.view(1), `${deadline}`, ...conditions);
    }
    call.changed(Notify.GENERIC, "expire", 1);
  }
  reply.integer(1);
}

/** The deadline from argument 2, in milliseconds since the epoch; a bigint where doubles are not exact. */
function parseDeadline(call: Call, unitMs: number, fromNow: boolean): Deadline {
  const base = fromNow ? call.store.nowMs : 0;
  const near = call.integer(2) * unitMs + base;
  if (Number.isSafeInteger(near)) return near;
  const ms = call.int64(2) * BigInt(unitMs);
  const deadline = ms + BigInt(base);
  if (ms < INT64_MIN || ms > INT64_MAX || deadline > INT64_MAX) {
    fail(`ERR invalid expire time in '${call.command.fullName}' command`);
  }
  return deadline;
}

function replyDeadline(call: Call, seconds: boolean, fromNow: boolean): void {
  const { db, reply, store } = call;
  const ref = call.peek(1);
  if (ref === 0) return reply.integer(-2);
  const deadline = db.deadlineOf(ref);
  if (deadline === NEVER) return reply.integer(-1);
  const base = fromNow ? store.nowMs : 0;
  if (typeof deadline === "bigint") {
    const ms = deadline - BigInt(base);
    return reply.bigInteger(seconds ? (ms + 500n) / 1000n : ms);
  }
  const ms = Math.max(0, deadline - base);
  reply.integer(seconds ? Math.floor((ms + 500) / 1000) : ms);
}

function persist(call: Call): void {
  const { db, reply } = call;
  const ref = call.lookupWrite(1);
  if (ref === 0 || db.deadlineOf(ref) === NEVER) return reply.integer(0);
  db.setDeadline(ref, NEVER);
  call.changed(Notify.GENERIC, "persist", 1);
  reply.integer(1);
}
