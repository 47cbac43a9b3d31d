/**
 * SAVE, BGSAVE and LASTSAVE: snapshots of all data in RDB files, which redis-server can load.
 */
import { fail, messages } from "../../core/errors.ts";
import { isSystemError } from "../../core/io_error.ts";
import { save, saveInBackground } from "../../rdb/save.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";

export const snapshotCommands: readonly CommandSpec[] = [
  {
    name: "bgsave",
    summary: "Begins to write a snapshot of this moment to disk, in the background.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: -1,
    flags: ["admin", "noscript", "no_async_loading"],
    syntax: "[SCHEDULE]",
    valkey: { syntax: "[SCHEDULE | CANCEL]" },
    handler: bgsave,
  },
  {
    name: "lastsave",
    summary: "Returns the time of the last snapshot, in seconds since the epoch.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: ["loading", "stale", "fast"],
    categories: ["admin", "dangerous"],
    tips: ["nondeterministic_output"],
    syntax: "",
    handler: ({ engine, reply }) => reply.integer(Math.floor(engine.snapshots.lastSaveMs / 1000)),
  },
  {
    name: "save",
    summary: "Writes a snapshot to disk while everybody waits.",
    since: "1.0.0",
    group: "server",
    complexity: "O(N) where N is the number of keys",
    arity: 1,
    flags: ["admin", "noscript", "no_async_loading", "no_multi"],
    syntax: "",
    handler: saveAll,
  },
];

const IN_PROGRESS = "ERR Background save already in progress";

function saveAll({ engine, reply }: Call): void {
  if (engine.snapshots.cancel !== undefined) fail(IN_PROGRESS);
  try {
    save(engine);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    // The log has the reason; Redis does not send it to clients.
    fail("ERR");
  }
  reply.ok();
}

/** As in Valkey. */
function cancel({ engine: { snapshots }, reply }: Call): void {
  if (snapshots.cancel === undefined) fail("ERR Background saving is currently not in progress or scheduled");
  snapshots.cancel();
  reply.simple("Background saving cancelled");
}

/**
 * SCHEDULE delays BGSAVE until a rewrite of the append-only file ends; here both can run at the same time, so it has
 * no effect.
 */
function bgsave(call: Call): void {
  const { argc, engine, reply } = call;
  if (argc === 2 && call.is(1, "cancel")) return cancel(call);
  if (argc > 2 || (argc === 2 && !call.is(1, "schedule"))) fail(messages.syntax);
  if (engine.snapshots.cancel !== undefined) fail(IN_PROGRESS);
  try {
    void saveInBackground(engine);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    // The log has the reason; Redis does not send it to clients.
    fail("ERR");
  }
  reply.simple("Background saving started");
}
