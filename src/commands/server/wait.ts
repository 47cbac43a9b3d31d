/**
 * WAIT and WAITAOF: a client waits until its changes are acknowledged.
 */
import { Acknowledgements } from "../../conversations/acknowledgements.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";
import { deadlineInMs } from "../shared/timeout.ts";

const COMMON = {
  group: "generic",
  complexity: "O(1)",
  flags: ["blocking"],
  categories: ["connection", "-keyspace"],
  tips: ["request_policy:all_shards", "response_policy:agg_min"],
  types: { numlocal: "integer", numreplicas: "integer", timeout: "integer" },
} as const;

const NOT_POSITIVE = "ERR value is out of range, must be positive";

export const waitCommands: readonly CommandSpec[] = [
  {
    ...COMMON,
    name: "wait",
    summary: "Waits until so many replicas have the changes of the connection. There are no replicas.",
    since: "3.0.0",
    arity: 3,
    syntax: "numreplicas timeout",
    handler: wait,
  },
  {
    ...COMMON,
    name: "waitaof",
    summary: "Waits until the changes of the connection survive a power failure, here and in so many replicas.",
    since: "7.2.0",
    arity: 4,
    syntax: "numlocal numreplicas timeout",
    handler: waitAof,
  },
];

function wait(call: Call): void {
  const replicas = call.integer(1), deadlineMs = deadlineInMs(call, 2);
  call.engine.part(Acknowledgements).wait(call, { replicas, deadlineMs });
}

function waitAof(call: Call): void {
  const local = call.integerIn(1, 0, 1, "ERR value is out of range, value must between 0 and 1");
  const replicas = call.integerIn(2, 0, Infinity, NOT_POSITIVE, NOT_POSITIVE);
  const deadlineMs = deadlineInMs(call, 3);
  call.engine.part(Acknowledgements).wait(call, { local, replicas, deadlineMs });
}
