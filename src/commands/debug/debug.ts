/**
 * DEBUG: commands for tests and for finding faults, enabled by the setting enable-debug-command. As in Redis its
 * subcommands are no commands of their own. Subcommands for structures that MemDB does not have are unknown.
 */
import { InvariantError } from "../../core/assert.ts";
import { fromUtf8, utf8 } from "../../core/bytes.ts";
import { sleepFor } from "../../core/clock.ts";
import { fail, messages } from "../../core/errors.ts";
import { globMatch } from "../../core/glob.ts";
import { Notify } from "../../engine/listeners.ts";
import { reloadFromFile, reloadThroughSnapshot } from "../../rdb/reload.ts";
import { snapshotPath } from "../../rdb/save.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { knobSubcommands } from "./knobs.ts";
import { replyTestValue } from "./protocol.ts";
import { digestOfStore, digestOfValue } from "./digest.ts";
import { structureSubcommands } from "./structures.ts";
import type { DebugSubcommand } from "./subcommand.ts";
import { failWords, replyHelp } from "../shared/help.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";

export const debugCommands: readonly CommandSpec[] = [{
  name: "debug",
  summary: "A container for commands that help to find errors.",
  since: "1.0.0",
  group: "server",
  complexity: "Depends on subcommand.",
  arity: -2,
  flags: ["admin", "noscript", "loading", "stale"],
  syntax: "",
  system: true,
  handler: debug,
}];

const ownSubcommands: readonly DebugSubcommand[] = [
  {
    name: "DIGEST",
    argc: [2, 2],
    syntax: "",
    summary: "Returns a digest of all data, the same as that of a redis-server with the same data.",
    run: ({ reply, store, valkey }) => reply.simple(digestOfStore(store, !valkey)),
  },
  {
    name: "DIGEST-VALUE",
    argc: [2, Infinity],
    syntax: "[key ...]",
    summary: "Returns a digest of each key's value.",
    run: digestValues,
  },
  {
    name: "ERROR",
    argc: [3, 3],
    syntax: "<message>",
    summary: "Answers with this error.",
    run: (call) => fail(call.text(2)),
  },
  {
    name: "LOADAOF",
    argc: [2, 2],
    syntax: "",
    summary: "Empties all databases and loads the append-only file.",
    run: loadAof,
  },
  {
    name: "LOG",
    argc: [3, 3],
    syntax: "<message>",
    summary: "Writes a message to the server's log.",
    run: log,
  },
  {
    name: "POPULATE",
    argc: [3, 5],
    syntax: "<count> [<prefix>] [<size>]",
    summary: "Adds strings under the names key:0, key:1 and so on, but leaves keys that exist alone.",
    run: populate,
  },
  {
    name: "PROTOCOL",
    argc: [3, 3],
    syntax: "<type>",
    summary: "Answers with a value of a type of the protocol.",
    run: (call) => replyTestValue(call.reply, call.text(2).toLowerCase()),
  },
  {
    name: "RELOAD",
    argc: [2, Infinity],
    syntax: "[NOSAVE]",
    summary: "Takes all data through a snapshot and back, or loads that of the last SAVE; checks every structure.",
    run: reload,
  },
  {
    name: "SLEEP",
    argc: [3, 3],
    syntax: "<seconds>",
    summary: "Stops the whole server for some seconds.",
    run: sleep,
  },
  {
    name: "STRINGMATCH-LEN",
    argc: [4, 4],
    syntax: "<pattern> <string>",
    summary: "Says whether a string matches a glob pattern.",
    run: stringMatch,
  },
];

const SUBCOMMANDS = [...ownSubcommands, ...structureSubcommands, ...knobSubcommands]
  .sort((a, b) => a.name < b.name ? -1 : 1);

const NOT_ALLOWED =
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run ' +
  "it from a local connection, otherwise you need to set this option in the configuration file, and then restart the " +
  "server.";

function debug(call: Call): void {
  const { argc, engine, session } = call;
  const allowed = engine.settings.values.enableDebugCommand;
  if (allowed === "no" || (allowed === "local" && !session.local)) fail(NOT_ALLOWED);
  if (call.is(1, "help") && argc === 2) {
    return replyHelp(
      call,
      "debug",
      SUBCOMMANDS.map(({ name, syntax, summary }) => [`${name} ${syntax}`.trimEnd(), summary]),
    );
  }
  const found = SUBCOMMANDS.find(({ name, argc: [least, most] }) =>
    argc >= least && argc <= most && call.is(1, name.toLowerCase())
  );
  if (found === undefined) return failWords(call, "DEBUG");
  found.run(call);
}

function digestValues(call: Call): void {
  const { argc, bytes, db, reply } = call;
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) {
    reply.simple(digestOfValue(db, db.find(bytes, call.start(i), call.end(i)), !call.valkey));
  }
}

function log(call: Call): void {
  call.engine.log("warning", `DEBUG LOG: ${fromUtf8(call.arg(2))}`);
  call.reply.ok();
}

/** Parses the number as strtod does: up to the first invalid character, 0 if there is no digit. */
function sleep(call: Call): void {
  const { engine, reply, store } = call;
  const ms = 1000 * (parseFloat(call.text(2)) || 0);
  if (ms > 0) sleepFor(ms);
  // Within a unit the time stands still.
  if (!call.inUnit) store.setTime(engine.clock.nowMs());
  reply.ok();
}

function stringMatch(call: Call): void {
  const { bytes, reply } = call;
  const found = globMatch(bytes, call.start(2), call.end(2), bytes, call.start(3), call.end(3), false);
  reply.integer(found ? 1 : 0);
}

function loadAof({ engine, reply }: Call): void {
  if (!engine.reload?.()) fail("ERR Error trying to load the AOF files, check server logs.");
  reply.ok();
}

/**
 * Reloads all data through a snapshot, or from the file of the last SAVE, and checks every structure. With NOFLUSH a
 * key that exists already is an error, which ends Redis, unless MERGE replaces it. NOSAVE is refused with an
 * append-only file, because the next start loads that file and would lose the data of the snapshot.
 */
function reload(call: Call): void {
  const { argc, engine, reply } = call;
  let flush = true, merge = false, save = true;
  for (let i = 2; i < argc; i++) {
    if (call.is(i, "noflush")) flush = false;
    else if (call.is(i, "nosave")) save = false;
    else if (call.is(i, "merge")) merge = true;
    else fail("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
  }
  if (!save && engine.persistence.enabled) {
    fail("ERR DEBUG RELOAD NOSAVE is not possible: the data would not be that of the append-only file");
  }
  try {
    if (save) reloadThroughSnapshot(engine, { flush, merge });
    else reloadFromFile(engine, snapshotPath(engine.settings.values), { flush, merge });
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    engine.log("warning", `DEBUG RELOAD failed: ${(error as Error).message}`);
    fail("ERR Error trying to load the RDB dump, check server logs.");
  }
  reply.ok();
}

/** Logs the keys, unlike Redis: data that a client can read must survive a restart. */
function populate(call: Call): void {
  const { argc, db, engine, reply } = call;
  const positive = (i: number) => call.integerIn(i, 0, Infinity, messages.mustBePositive, messages.mustBePositive);
  const count = positive(2);
  const prefix = argc > 3 ? call.arg(3) : utf8("key");
  const size = argc > 4 ? positive(4) : 0;
  for (let i = 0; i < count; i++) {
    const key = utf8(`:${i}`);
    const name = new Uint8Array(prefix.length + key.length);
    name.set(prefix);
    name.set(key, prefix.length);
    if (db.find(name, 0, name.length) !== 0) continue;
    const text = utf8(`value:${i}`);
    const value = new Uint8Array(size === 0 ? text.length : size);
    value.set(text.subarray(0, value.length));
    db.setString(name, 0, name.length, value, 0, value.length, NEVER);
    engine.stats.changes++;
    engine.effects.command(db.index, ["SET", name, value]);
    call.changedKey(db, Notify.STRING, "set", name, 0, name.length, 0);
  }
  reply.ok();
}
