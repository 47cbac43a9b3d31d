/**
 * Commands on whole databases: size, emptying, swapping.
 */
import { fail, messages } from "../../core/errors.ts";
import type { Keyspace } from "../../store/keyspace.ts";
import { saveAtEnd, savesAtEnd } from "../../rdb/save.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";

const FIRST_INDEX = "ERR invalid first DB index";
const SECOND_INDEX = "ERR invalid second DB index";
const INT32_MIN = -2147483648, INT32_MAX = 2147483647;

export const databaseCommands: readonly CommandSpec[] = [
  {
    name: "dbsize",
    summary: "Counts the keys of the database, those included that have expired and wait to be removed.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: ["readonly", "fast"],
    categories: ["keyspace"],
    tips: ["request_policy:all_shards", "response_policy:agg_sum"],
    syntax: "",
    handler: (call) => call.reply.integer(call.db.size),
  },
  {
    name: "flushdb",
    summary: "Removes all keys of the database.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1); what the N keys hold is freed in slices afterwards.",
    arity: -1,
    flags: ["write"],
    categories: ["keyspace", "dangerous"],
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    reach: "database",
    syntax: "[ASYNC | SYNC]",
    differs: ["The invalidation of a client's cache precedes its reply in Redis, and follows it in Valkey."],
    handler: (call) => flush(call, [call.db]),
  },
  {
    name: "flushall",
    databases: "all",
    summary: "Removes all keys of all databases.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1); what the N keys hold is freed in slices afterwards.",
    arity: -1,
    flags: ["write"],
    categories: ["keyspace", "dangerous"],
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    reach: "all",
    syntax: "[ASYNC | SYNC]",
    differs: ["The invalidation of a client's cache precedes its reply in Redis, and follows it in Valkey."],
    handler: flushAll,
  },
  {
    name: "swapdb",
    databases: () => [1, 2],
    summary: "Exchanges the contents of two databases.",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "fast"],
    categories: ["keyspace", "dangerous"],
    reach: "swapped",
    syntax: "index1 index2",
    handler: swapdb,
  },
];

/**
 * Removes the keys at once; the memory of many keys is freed in slices, whatever the mode. Logged even if there were
 * no keys. As in Redis, SYNC has an effect only within a unit; otherwise memory freed at once counts as freed lazily
 * too. Redis lets a SYNC outside of a unit wait, so that the client's own invalidations precede the reply.
 */
function flush(call: Call, databases: readonly Keyspace[]): void {
  const async = call.argc === 2 && call.is(1, "async");
  if (call.argc > 2 || (call.argc === 2 && !async && !call.is(1, "sync"))) fail(messages.syntax);
  const { session, store } = call, { freedLater } = store;
  let removed = 0;
  for (const db of databases) {
    if (db.size === 0) continue;
    removed += db.size;
    db.clear();
  }
  if (call.inUnit && !async) store.freedLater = freedLater;
  call.engine.listeners.databasesFlushed();
  // CLIENT REPLY OFF drops all that is written before the end of the command.
  if (!call.inUnit && !async && !call.valkey && session.replyMode === "on") session.sendAhead();
  call.countChanges(Math.max(1, removed));
  call.reply.ok();
}

/** With save points the snapshot file is emptied too, because otherwise the keys would return after a crash. */
function flushAll(call: Call): void {
  flush(call, call.store.databases);
  const { engine } = call;
  // The snapshot has the changes of this command too, which are counted after it.
  if (savesAtEnd(engine) && saveAtEnd(engine)) engine.snapshots.savedChanges += call.dirty;
}

function swapdb(call: Call): void {
  const first = call.integerIn(1, INT32_MIN, INT32_MAX, FIRST_INDEX, FIRST_INDEX);
  const second = call.integerIn(2, INT32_MIN, INT32_MAX, SECOND_INDEX, SECOND_INDEX);
  const count = call.store.databases.length;
  if (first < 0 || first >= count || second < 0 || second >= count) fail(messages.dbIndex);
  if (first !== second) {
    call.store.swap(first, second);
    call.engine.listeners.databasesFlushed();
  }
  call.countChanges(1);
  call.reply.ok();
}
