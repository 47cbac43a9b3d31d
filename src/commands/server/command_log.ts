/**
 * SLOWLOG, and COMMANDLOG as in Valkey: the latest commands that were slow, large, or had a large reply.
 */
import { fail } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";
import type { CommandLog } from "../../engine/command_log.ts";
import { failWords, subcommandHelp } from "../shared/help.ts";

/** Fields that all subcommands share. */
const COMMON = { group: "server", complexity: "O(1)", flags: ["admin", "loading", "stale"] } as const;
const CONTAINER = { group: "server", complexity: "Depends on subcommand.", arity: -2, flags: [], syntax: "" } as const;
const HELP = {
  ...COMMON,
  name: "help",
  summary: "Describes the subcommands.",
  flags: ["loading", "stale"],
  arity: 2,
  syntax: "",
  handler: subcommandHelp,
} as const;
const GET = {
  ...COMMON,
  name: "get",
  complexity: "O(N) where N is the number of entries returned",
  tips: ["request_policy:all_nodes", "nondeterministic_output"],
} as const;
const LENGTH = {
  ...COMMON,
  name: "len",
  tips: ["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
} as const;
const RESET = {
  ...COMMON,
  name: "reset",
  complexity: "O(N) where N is the number of entries",
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
} as const;

const TYPES = ["slow", "large-request", "large-reply"] as const;
const TYPE = "<SLOW | LARGE-REQUEST | LARGE-REPLY>";
/** The number of entries that SLOWLOG GET returns without an argument. */
const COUNT = 10;

export const commandLogCommands: readonly CommandSpec[] = [
  {
    ...CONTAINER,
    name: "commandlog",
    summary: "A container for commands about the logs of commands.",
    since: "8.1.0",
    only: "valkey",
    subcommands: [
      {
        ...GET,
        summary: "Returns the last entries of a log, all with -1.",
        since: "8.1.0",
        arity: 4,
        syntax: `count ${TYPE}`,
        handler: (call) => replyEntries(call, countAt(call, 2), logAt(call, 3)),
      },
      { ...HELP, since: "8.1.0" },
      {
        ...LENGTH,
        summary: "Returns the number of entries of a log.",
        since: "8.1.0",
        arity: 3,
        syntax: TYPE,
        handler: (call) => call.reply.integer(logAt(call, 2).entries.length),
      },
      {
        ...RESET,
        summary: "Empties a log.",
        since: "8.1.0",
        arity: 3,
        syntax: TYPE,
        handler: (call) => reset(call, logAt(call, 2)),
      },
    ],
  },
  {
    ...CONTAINER,
    name: "slowlog",
    summary: "A container for commands about the slow log.",
    since: "2.2.12",
    subcommands: [
      {
        ...GET,
        summary: "Returns the slow log's last entries: 10 by default, all with -1.",
        since: "2.2.12",
        arity: -2,
        syntax: "[count]",
        handler: slowlogGet,
      },
      { ...HELP, since: "6.2.0" },
      {
        ...LENGTH,
        summary: "Returns the number of entries of the slow log.",
        since: "2.2.12",
        arity: 2,
        syntax: "",
        handler: ({ engine, reply }) => reply.integer(engine.commandLogs.slow.entries.length),
      },
      {
        ...RESET,
        summary: "Empties the slow log.",
        since: "2.2.12",
        arity: 2,
        syntax: "",
        handler: (call) => reset(call, call.engine.commandLogs.slow),
      },
    ],
  },
];

function logAt(call: Call, i: number): CommandLog {
  const type = TYPES.find((name) => call.is(i, name));
  if (type === undefined) return fail(`ERR type should be one of the following: ${TYPES.join(", ")}`);
  return call.engine.commandLogs[type];
}

function countAt(call: Call, i: number): number {
  const message = "ERR count should be greater than or equal to -1";
  return call.integerIn(i, -1, Infinity, message, message);
}

function slowlogGet(call: Call): void {
  if (call.argc > 3) failWords(call, "SLOWLOG");
  replyEntries(call, call.argc === 3 ? countAt(call, 2) : COUNT, call.engine.commandLogs.slow);
}

function replyEntries({ reply }: Call, count: number, { entries }: CommandLog): void {
  const shown = count === -1 ? entries : entries.slice(0, count);
  reply.array(shown.length);
  for (const { id, timeSeconds, value, args, client, name } of shown) {
    reply.array(6);
    reply.integer(id);
    reply.integer(timeSeconds);
    reply.integer(value);
    reply.array(args.length);
    for (const arg of args) reply.bulk(arg);
    reply.bulkText(client);
    reply.bulkText(name);
  }
}

function reset({ reply }: Call, log: CommandLog): void {
  log.reset();
  reply.ok();
}
