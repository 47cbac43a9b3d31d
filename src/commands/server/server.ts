/**
 * Commands about the running server: time, shutdown, role, monitoring. Statistics are in info.ts, memory.ts, latency.ts
 * and command_log.ts.
 */
import { fail, messages } from "../../core/errors.ts";
import { saveAtEnd, savesAtEnd } from "../../rdb/save.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";
import type { Suspension } from "../../engine/session.ts";

const CLOSED = ["admin", "noscript", "loading", "stale"] as const;

export const serverCommands: readonly CommandSpec[] = [
  {
    name: "lolwut",
    summary: "Draws something, and tells the version.",
    since: "5.0.0",
    group: "server",
    complexity: "",
    arity: -1,
    flags: ["readonly", "fast"],
    syntax: "[VERSION version]",
    differs: ["The last line names the server and its version."],
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
    valkey: { syntax: "[[NOSAVE | SAVE] [NOW] [FORCE] [SAFE] [FAILOVER] | ABORT]" },
    differs: ["SAFE and FAILOVER, which concern nodes of a cluster, are Valkey's."],
    handler: shutdown,
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
/** Within a unit the time stands still. */
function time({ engine, inUnit, reply, store }: Call): void {
  const us = Math.floor((inUnit ? store.nowMs : engine.clock.nowMs()) * 1000);
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

/** The wait of a client that stops a server while a script runs: its connection ends behind the listeners. */
const STOPPING: Suspension = { again: false, end: () => {}, timeOut: () => false, fail: () => false };

/**
 * Gets no reply on success: the connection ends. SAVE, or a save point, writes a snapshot first. With FORCE the server
 * stops even if that fails; otherwise it continues.
 */
/** Valkey's SAFE and FAILOVER concern clusters. */
const SHUTDOWN_WORDS = ["nosave", "save", "now", "force", "abort", "safe", "failover"];

function shutdown(call: Call): void {
  const { argc, engine, session } = call;
  const asked = new Set<string>();
  for (let i = 1; i < argc; i++) {
    const word = SHUTDOWN_WORDS.find((option) => call.is(i, option));
    asked.add(word ?? fail(messages.syntax));
  }
  if ((asked.has("abort") && asked.size > 1) || (asked.has("save") && asked.has("nosave"))) fail(messages.syntax);
  if (asked.has("abort")) fail("ERR No shutdown in progress.");
  if (asked.has("failover")) fail("ERR SHUTDOWN FAILOVER is only supported in cluster mode.");
  if (engine.busy !== undefined && !asked.has("nosave")) fail(engine.busy.message);
  const force = asked.has("force");
  const saves = asked.has("save") || (savesAtEnd(engine) && !asked.has("nosave"));
  if (saves && !saveAtEnd(engine) && !force) fail("ERR Errors trying to SHUTDOWN. Check logs.");
  engine.snapshots.cancel?.();
  if (engine.busy === undefined) session.closing = true;
  else session.suspension = STOPPING;
  engine.shutdown({ save: asked.has("save"), now: asked.has("now"), force });
  engine.busy?.end();
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
  const { title, version } = engine.identity;
  reply.verbatim("txt", `${text}\n${title} ver. ${version}\n`);
}
