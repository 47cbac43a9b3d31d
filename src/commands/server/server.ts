/**
 * Commands about the running server: time, shutdown, role, slow log, latency, monitoring. Statistics are in info.ts
 * and memory.ts.
 */
import { fail, messages } from "../../core/errors.ts";
import { REDIS_VERSION } from "../../core/version.ts";
import { saveAtEnd, savesAtEnd } from "../../rdb/save.ts";
import type { Call } from "../../dispatch/call.ts";
import { failWords, subcommandHelp } from "../shared/help.ts";
import type { Command } from "../../dispatch/registry.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";

const ADMIN = ["admin", "loading", "stale"] as const;
const CLOSED = ["admin", "noscript", "loading", "stale"] as const;
const SLOWLOG = { group: "server", since: "2.2.12", complexity: "O(1)", flags: ADMIN, syntax: "", arity: 2 } as const;
const LATENCY = { group: "server", complexity: "O(1)", flags: CLOSED, syntax: "", arity: 2 } as const;

export const serverCommands: readonly CommandSpec[] = [
  {
    name: "latency",
    summary: "A container for commands about latencies.",
    since: "2.8.13",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: [],
    syntax: "",
    subcommands: [
      {
        ...LATENCY,
        name: "help",
        summary: "Describes the subcommands.",
        since: "2.8.13",
        flags: ["loading", "stale"],
        handler: subcommandHelp,
      },
      {
        ...LATENCY,
        name: "histogram",
        summary: "Returns how the durations of commands are distributed.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of commands that are shown",
        arity: -2,
        tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        syntax: "[command [command ...]]",
        handler: latencyHistogram,
      },
    ],
  },
  {
    name: "lolwut",
    summary: "Draws something, and tells the version.",
    since: "5.0.0",
    group: "server",
    complexity: "",
    arity: -1,
    flags: ["readonly", "fast"],
    syntax: "[VERSION version]",
    handler: lolwut,
  },
  {
    name: "monitor",
    summary: "Shows every command that the server runs from now on.",
    since: "1.0.0",
    group: "server",
    complexity: "",
    arity: 1,
    flags: CLOSED,
    syntax: "",
    handler: monitor,
  },
  {
    name: "role",
    summary: "Returns the server's part in replication.",
    since: "2.8.12",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: ["noscript", "loading", "stale", "fast"],
    categories: ["admin", "dangerous"],
    syntax: "",
    handler: role,
  },
  {
    name: "shutdown",
    summary: "Stops the server in order.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: -1,
    flags: ["admin", "noscript", "loading", "stale", "no_multi", "allow_busy"],
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    handler: shutdown,
  },
  {
    name: "slowlog",
    summary: "A container for commands about the slow log.",
    since: "2.2.12",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: [],
    syntax: "",
    subcommands: [
      {
        ...SLOWLOG,
        name: "get",
        summary: "Returns the slow log's last entries: 10 by default, all with -1.",
        complexity: "O(N) where N is the number of entries returned",
        arity: -2,
        tips: ["request_policy:all_nodes", "nondeterministic_output"],
        syntax: "[count]",
        handler: slowlogGet,
      },
      {
        ...SLOWLOG,
        name: "help",
        summary: "Describes the subcommands.",
        since: "6.2.0",
        flags: ["loading", "stale"],
        handler: subcommandHelp,
      },
      {
        ...SLOWLOG,
        name: "len",
        summary: "Returns the number of entries of the slow log.",
        tips: ["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        handler: ({ engine, reply }) => reply.integer(engine.slowlog.entries.length),
      },
      {
        ...SLOWLOG,
        name: "reset",
        summary: "Empties the slow log.",
        complexity: "O(N) where N is the number of entries",
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        handler: slowlogReset,
      },
    ],
  },
  {
    name: "time",
    summary: "Returns the server's time.",
    since: "2.6.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: ["loading", "stale", "fast"],
    tips: ["nondeterministic_output"],
    syntax: "",
    handler: time,
  },
];

/** The commands of a batch share one reading of the clock; TIME reads the clock itself. */
function time({ engine, reply }: Call): void {
  const us = Math.floor(engine.clock.nowMs() * 1000);
  reply.array(2);
  reply.bulkInteger(Math.floor(us / 1e6));
  reply.bulkInteger(us % 1e6);
}

function role({ reply }: Call): void {
  reply.array(3);
  reply.bulkText("master");
  reply.integer(0);
  reply.array(0);
}

/** As in Redis, a client that already monitors gets no reply. */
function monitor({ engine, inUnit, reply, session }: Call): void {
  if (inUnit) fail("ERR MONITOR isn't allowed for DENY BLOCKING client");
  if (session.monitoring) return;
  session.monitoring = true;
  engine.monitors.add(session);
  reply.ok();
}

/**
 * Gets no reply on success: the connection ends. SAVE, or a save point, writes a snapshot first. With FORCE the server
 * stops even if that fails; otherwise it continues.
 */
function shutdown(call: Call): void {
  const { argc, engine, session } = call;
  const asked = new Set<string>();
  for (let i = 1; i < argc; i++) {
    const word = ["nosave", "save", "now", "force", "abort"].find((option) => call.is(i, option));
    asked.add(word ?? fail(messages.syntax));
  }
  if ((asked.has("abort") && asked.size > 1) || (asked.has("save") && asked.has("nosave"))) fail(messages.syntax);
  if (asked.has("abort")) fail("ERR No shutdown in progress.");
  const force = asked.has("force");
  const saves = asked.has("save") || (savesAtEnd(engine) && !asked.has("nosave"));
  if (saves && !saveAtEnd(engine) && !force) fail("ERR Errors trying to SHUTDOWN. Check logs.");
  engine.snapshots.cancel?.();
  session.closing = true;
  engine.shutdown({ save: asked.has("save"), now: asked.has("now"), force });
}

const SLOWLOG_COUNT = 10;

function slowlogGet(call: Call): void {
  const { argc, engine, reply } = call;
  if (argc > 3) failWords(call, "SLOWLOG");
  const message = "ERR count should be greater than or equal to -1";
  const count = argc === 3 ? call.integerIn(2, -1, Infinity, message, message) : SLOWLOG_COUNT;
  const { entries } = engine.slowlog;
  const shown = count === -1 ? entries : entries.slice(0, count);
  reply.array(shown.length);
  for (const { id, timeSeconds, durationUs, args, client, name } of shown) {
    reply.array(6);
    reply.integer(id);
    reply.integer(timeSeconds);
    reply.integer(durationUs);
    reply.array(args.length);
    for (const arg of args) reply.bulk(arg);
    reply.bulkText(client);
    reply.bulkText(name);
  }
}

function slowlogReset({ engine, reply }: Call): void {
  engine.slowlog.reset();
  reply.ok();
}

/** The commands named by an argument; the name of a container stands for all of its subcommands. */
function commandsOf(call: Call, i: number): readonly Command[] {
  const command = call.table.named(call.text(i));
  if (command === undefined) return [];
  return command.subcommands.length > 0 ? [command, ...command.subcommands] : [command];
}

function latencyHistogram(call: Call): void {
  const { argc, reply, table } = call;
  const asked = argc === 2
    ? [...table.all()]
    : Array.from({ length: argc - 2 }, (_, k) => commandsOf(call, k + 2)).flat();
  const shown = asked.filter(({ stats }) => stats.latency.total > 0);
  reply.map(shown.length);
  for (const { fullName, stats } of shown) {
    reply.bulkText(fullName);
    reply.map(2);
    reply.bulkText("calls");
    reply.integer(stats.latency.total);
    reply.bulkText("histogram_usec");
    const steps = stats.latency.cumulative();
    reply.map(steps.length);
    for (const { us, count } of steps) {
      reply.integer(us);
      reply.integer(count);
    }
  }
}

const MAZE_COLUMNS = 40, MAZE_ROWS = 8;

/** Draws a maze of slashes, a classic one-line program. */
function lolwut(call: Call): void {
  const { engine, reply } = call;
  if (call.argc > 2 && call.is(1, "version")) call.integer(2);
  let text = "";
  for (let row = 0; row < MAZE_ROWS; row++) {
    for (let column = 0; column < MAZE_COLUMNS; column++) text += engine.random.below(2) === 0 ? "╱" : "╲";
    text += "\n";
  }
  reply.verbatim("txt", `${text}\nRedis ver. ${REDIS_VERSION}\n`);
}
