/**
 * Transactions: MULTI, EXEC, DISCARD, and WATCH and UNWATCH for optimistic locking. This file owns their checks and
 * replies; the executor queues requests, and runs and logs a unit as a whole.
 */
import { fail } from "../../core/errors.ts";
import { Transaction } from "../../engine/transaction.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyRange } from "../../dispatch/spec.ts";

const FLAGS = ["noscript", "loading", "stale", "fast", "allow_busy"] as const;

export const transactionCommands: readonly CommandSpec[] = [
  {
    name: "multi",
    summary: "Begins a transaction: the commands that follow are queued.",
    since: "1.2.0",
    group: "transactions",
    complexity: "O(1)",
    arity: 1,
    flags: FLAGS,
    immediate: true,
    syntax: "",
    valkey: { flags: [...FLAGS, "no_multi"] },
    differs: ["The texts of its errors differ."],
    handler: multi,
  },
  {
    name: "exec",
    summary: "Runs the queued commands as one unit, unless a watched key has changed.",
    since: "1.2.0",
    group: "transactions",
    complexity: "That of the queued commands",
    arity: 1,
    flags: ["noscript", "loading", "stale", "skip_slowlog"],
    immediate: true,
    runsQueue: true,
    syntax: "",
    valkey: { flags: ["noscript", "loading", "stale", "skip_commandlog"] },
    handler: exec,
  },
  {
    name: "discard",
    summary: "Ends a transaction without running its commands.",
    since: "2.0.0",
    group: "transactions",
    complexity: "O(N) with N queued commands",
    arity: 1,
    flags: FLAGS,
    immediate: true,
    syntax: "",
    handler: discard,
  },
  {
    name: "watch",
    summary: "Watches keys: if one of them changes, the next transaction does not run.",
    since: "2.2.0",
    group: "transactions",
    complexity: "O(1) for each key",
    arity: -2,
    flags: FLAGS,
    immediate: true,
    keys: keyRange(1, -1, 1, "RO"),
    syntax: "key [key ...]",
    valkey: { flags: [...FLAGS, "no_multi"] },
    differs: ["The texts of its errors differ."],
    handler: watch,
  },
  {
    name: "unwatch",
    summary: "Watches no key any more.",
    since: "2.2.0",
    group: "transactions",
    complexity: "O(1)",
    arity: 1,
    flags: FLAGS,
    syntax: "",
    handler: unwatch,
  },
];

function multi(call: Call): void {
  const { reply, session } = call;
  if (session.transaction !== undefined) fail("ERR MULTI calls can not be nested");
  session.transaction = new Transaction();
  reply.ok();
}

function exec(call: Call): void {
  const { engine: { watches }, session } = call;
  const { transaction } = session;
  if (transaction === undefined) return fail("ERR EXEC without MULTI");
  watches.settle(session);
  const broken = watches.isBroken(session);
  session.transaction = undefined;
  watches.forget(session);
  if (transaction.failed) fail("EXECABORT Transaction discarded because of previous errors.");
  if (broken) call.reply.nullArray();
  else {
    call.reply.array(transaction.requests.length);
    call.runner.replyInParts(call);
    call.unit(() => transaction.requests.forEach((request) => call.perform(request)));
  }
}

function discard(call: Call): void {
  const { engine, session } = call;
  if (session.transaction === undefined) fail("ERR DISCARD without MULTI");
  session.transaction = undefined;
  engine.watches.forget(session);
  call.reply.ok();
}

function watch(call: Call): void {
  const { db, engine: { watches }, session } = call;
  if (session.transaction !== undefined) fail("ERR WATCH inside MULTI is not allowed");
  // One changed key is enough to abort EXEC, so the others need no check.
  for (let i = 1; i < call.argc; i++) watches.watch(session, db, call.arg(i));
  call.reply.ok();
}

function unwatch(call: Call): void {
  call.engine.watches.forget(call.session);
  call.reply.ok();
}
