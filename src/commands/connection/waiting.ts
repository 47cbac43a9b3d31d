/**
 * The subcommands of CLIENT that suspend clients or resume them: PAUSE, UNPAUSE, UNBLOCK.
 */
import { fail } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";
import { failWords } from "../shared/help.ts";
import { deadlineInMs } from "../shared/timeout.ts";

const COMMON = { group: "connection", flags: ["admin", "noscript", "loading", "stale"] } as const;
const UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

export const waitingSubcommands: readonly CommandSpec[] = [
  {
    ...COMMON,
    name: "pause",
    summary: "Lets the requests of clients wait for a time: all, or those that write.",
    since: "3.0.0",
    complexity: "O(1)",
    arity: -3,
    syntax: "timeout [WRITE | ALL]",
    types: { timeout: "integer" },
    handler: pause,
  },
  {
    ...COMMON,
    name: "unblock",
    summary: "Ends the wait of a client whose command blocks.",
    since: "5.0.0",
    complexity: "O(log N) with N clients that wait",
    arity: -3,
    syntax: "client-id [TIMEOUT | ERROR]",
    differs: ["Valkey ignores further arguments."],
    handler: unblock,
  },
  {
    ...COMMON,
    name: "unpause",
    summary: "Lets the requests of paused clients go on.",
    since: "6.2.0",
    complexity: "O(N) with N paused clients",
    arity: 2,
    syntax: "",
    handler: ({ engine, reply }) => {
      engine.pause?.end();
      reply.ok();
    },
  },
];

function pause(call: Call): void {
  const { argc, engine, reply, store } = call;
  if (argc > 4) failWords(call, "CLIENT");
  const all = argc === 3 || call.is(3, "all");
  if (!all && !call.is(3, "write")) fail("ERR CLIENT PAUSE mode must be WRITE or ALL");
  engine.pauseClients(Math.max(deadlineInMs(call, 2), store.nowMs), all);
  reply.ok();
}

function unblock(call: Call): void {
  const { argc, engine, reply } = call;
  if (argc > 4 && !call.valkey) failWords(call, "CLIENT");
  const failing = argc > 3 && call.is(3, "error");
  if (argc > 3 && !failing && !call.is(3, "timeout")) fail("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  const waiting = engine.sessions.get(call.integer(2))?.suspension;
  const ended = failing ? waiting?.fail(UNBLOCKED) : waiting?.timeOut();
  reply.integer(ended ? 1 : 0);
}
