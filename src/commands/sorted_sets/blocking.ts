/**
 * The sorted set commands that wait for a member. The log contains the resulting pop.
 */
import { Blocking } from "../../conversations/blocking.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyCount, keyRange } from "../../dispatch/spec.ts";
import { Type } from "../../store/keyspace.ts";
import { deadlineInSeconds } from "../shared/timeout.ts";
import { popElements } from "../shared/sorted_set_call.ts";
import { parsePop, popFromFirst } from "./sorted_sets.ts";

export const blockingSortedSetCommands: readonly CommandSpec[] = [
  {
    name: "bzpopmin",
    summary:
      "Removes the member with the lowest score of the first of several sorted sets that has any; waits for one.",
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) with N elements in the sorted set",
    arity: -3,
    flags: ["write", "blocking", "fast"],
    keys: keyRange(1, -2, 1, "RW ACCESS DELETE"),
    syntax: "key [key ...] timeout",
    handler: (call) => pop(call, false),
  },
  {
    name: "bzpopmax",
    summary:
      "Removes the member with the highest score of the first of several sorted sets that has any; waits for one.",
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) with N elements in the sorted set",
    arity: -3,
    flags: ["write", "blocking", "fast"],
    keys: keyRange(1, -2, 1, "RW ACCESS DELETE"),
    syntax: "key [key ...] timeout",
    handler: (call) => pop(call, true),
  },
  {
    name: "bzmpop",
    summary: "Removes elements from the first of several sorted sets that has any; waits until one has.",
    since: "7.0.0",
    group: "sorted-set",
    complexity: "O(K) + O(M*log(N)) with K keys, N elements in the sorted set and M removed",
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    keys: keyCount(2, "RW ACCESS DELETE"),
    syntax: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    handler: popMany,
  },
];

function pop(call: Call, highest: boolean): void {
  const last = call.argc - 2;
  const deadlineMs = deadlineInSeconds(call, call.argc - 1);
  for (let i = 1; i <= last; i++) {
    const ref = call.lookupTypeWrite(i, Type.ZSET);
    if (ref === 0) continue;
    call.reply.array(3);
    call.reply.bulk(call.bytes, call.start(i), call.end(i));
    popElements(call, ref, i, highest, 1, "bare");
    call.logInstead(highest ? "ZPOPMAX" : "ZPOPMIN", call.view(i));
    return;
  }
  wait(call, 1, last, deadlineMs);
}

function popMany(call: Call): void {
  const pop = parsePop(call, 2);
  const deadlineMs = deadlineInSeconds(call, 1);
  if (!popFromFirst(call, pop)) wait(call, pop.first, pop.last, deadlineMs);
}

function wait(call: Call, first: number, last: number, deadlineMs: number): void {
  const waits = call.engine.part(Blocking).wait(call, { type: Type.ZSET, first, last, deadlineMs });
  if (!waits) call.reply.nullArray();
}
