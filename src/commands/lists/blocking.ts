/**
 * The list commands that wait for an element. Each does the same as the command without the B, but waits where that
 * command finds nothing. The log contains the command without the B.
 */
import { Blocking } from "../../conversations/blocking.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt, keyCount, keyRange, notDeprecated } from "../../dispatch/spec.ts";
import { Type } from "../../store/keyspace.ts";
import { deadlineInSeconds } from "../shared/timeout.ts";
import { atTail, move, parsePop, popFromFirst, popOne, positions } from "./ends.ts";

export const blockingListCommands: readonly CommandSpec[] = [
  {
    name: "blpop",
    summary: "Removes the first element of the first of several lists that has any; waits until one has.",
    since: "2.0.0",
    group: "list",
    complexity: "O(N) with N keys",
    arity: -3,
    flags: ["write", "blocking"],
    keys: keyRange(1, -2, 1, "RW ACCESS DELETE"),
    syntax: "key [key ...] timeout",
    handler: (call) => pop(call, false),
  },
  {
    name: "brpop",
    summary: "Removes the last element of the first of several lists that has any; waits until one has.",
    since: "2.0.0",
    group: "list",
    complexity: "O(N) with N keys",
    arity: -3,
    flags: ["write", "blocking"],
    keys: keyRange(1, -2, 1, "RW ACCESS DELETE"),
    syntax: "key [key ...] timeout",
    handler: (call) => pop(call, true),
  },
  {
    name: "blmove",
    summary: "Moves an element from an end of a list to an end of another, and returns it; waits until there is one.",
    since: "6.2.0",
    group: "list",
    complexity: "O(1)",
    arity: 6,
    flags: ["write", "denyoom", "blocking"],
    keys: [...keyAt(1, "RW ACCESS DELETE"), ...keyAt(2, "RW INSERT")],
    syntax: `source destination ${positions} ${positions} timeout`,
    handler: (call) => {
      const fromTail = atTail(call, 3), toTail = atTail(call, 4);
      moveOrWait(call, fromTail, toTail, 5);
      call.logInstead("LMOVE", call.view(1), call.view(2), call.view(3), call.view(4));
    },
  },
  {
    name: "brpoplpush",
    summary: "Moves the last element of a list to the head of another, and returns it; waits until there is one.",
    since: "2.2.0",
    group: "list",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom", "blocking"],
    keys: [...keyAt(1, "RW ACCESS DELETE"), ...keyAt(2, "RW INSERT")],
    syntax: "source destination timeout",
    deprecated: { since: "6.2.0", replacedBy: "`BLMOVE` with the `RIGHT` and `LEFT` arguments" },
    valkey: notDeprecated,
    handler: (call) => {
      moveOrWait(call, true, false, 3);
      call.logInstead("RPOPLPUSH", call.view(1), call.view(2));
    },
  },
  {
    name: "blmpop",
    summary: "Removes elements from the first of several lists that has any; waits until one has.",
    since: "7.0.0",
    group: "list",
    complexity: "O(N+M) with N keys and M elements returned",
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    keys: keyCount(2, "RW ACCESS DELETE"),
    syntax: `timeout numkeys key [key ...] ${positions} [COUNT count]`,
    handler: popMany,
  },
];

function pop(call: Call, tail: boolean): void {
  const last = call.argc - 2;
  const deadlineMs = deadlineInSeconds(call, call.argc - 1);
  for (let i = 1; i <= last; i++) {
    const ref = call.lookupTypeWrite(i, Type.LIST);
    if (ref === 0) continue;
    call.reply.array(2);
    call.reply.bulk(call.bytes, call.start(i), call.end(i));
    popOne(call, ref, i, tail);
    call.logInstead(tail ? "RPOP" : "LPOP", call.view(i));
    return;
  }
  wait(call, 1, last, deadlineMs);
}

function popMany(call: Call): void {
  const pop = parsePop(call, 2);
  const deadlineMs = deadlineInSeconds(call, 1);
  if (!popFromFirst(call, pop)) wait(call, pop.first, pop.last, deadlineMs);
}

function moveOrWait(call: Call, fromTail: boolean, toTail: boolean, timeout: number): void {
  const deadlineMs = deadlineInSeconds(call, timeout);
  if (call.lookupTypeWrite(1, Type.LIST) !== 0) return move(call, fromTail, toTail);
  const waits = call.engine.part(Blocking).wait(call, { type: Type.LIST, first: 1, last: 1, deadlineMs });
  if (!waits) call.reply.null();
}

function wait(call: Call, first: number, last: number, deadlineMs: number): void {
  const waits = call.engine.part(Blocking).wait(call, { type: Type.LIST, first, last, deadlineMs });
  if (!waits) call.reply.nullArray();
}
