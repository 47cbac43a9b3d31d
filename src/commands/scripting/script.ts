/**
 * SCRIPT: the cache of scripts, and the end of a script that runs too long.
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { fail, shownText } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";
import { ScriptRunner } from "../../scripting/script_runner.ts";
import { Scripts } from "../../scripting/scripts.ts";
import { failWords, subcommandHelp } from "../shared/help.ts";

const COMMON = { group: "scripting", flags: ["noscript"] } as const;

export const scriptCommands: readonly CommandSpec[] = [
  {
    name: "script",
    summary: "A container for commands about Lua scripts.",
    since: "2.6.0",
    group: "scripting",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: [],
    syntax: "",
    subcommands: [
      {
        ...COMMON,
        name: "debug",
        summary: "Sets the debug mode for the next scripts.",
        since: "3.2.0",
        complexity: "O(1)",
        arity: 3,
        syntax: "<YES | SYNC | NO>",
        valkey: { arity: -3, syntax: "<YES | SYNC | NO> [engine]" },
        handler: debug,
      },
      {
        ...COMMON,
        name: "exists",
        summary: "Tells which scripts are in the cache.",
        since: "2.6.0",
        complexity: "O(N) with N scripts asked for",
        arity: -3,
        tips: ["request_policy:all_shards", "response_policy:agg_logical_and"],
        syntax: "sha1 [sha1 ...]",
        valkey: { flags: ["noscript", "stale"] },
        handler: exists,
      },
      {
        ...COMMON,
        name: "flush",
        summary: "Empties the cache of scripts.",
        since: "2.6.0",
        complexity: "O(N) with N scripts in the cache",
        arity: -2,
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        syntax: "[ASYNC | SYNC]",
        valkey: { flags: ["noscript", "stale"] },
        handler: flush,
      },
      {
        ...COMMON,
        name: "help",
        summary: "Describes the subcommands.",
        since: "5.0.0",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        syntax: "",
        handler: subcommandHelp,
      },
      {
        ...COMMON,
        name: "kill",
        summary: "Ends the running script if it has not written anything.",
        since: "2.6.0",
        complexity: "O(1)",
        arity: 2,
        flags: ["noscript", "allow_busy"],
        tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
        syntax: "",
        handler: kill,
      },
      {
        ...COMMON,
        name: "load",
        summary: "Adds a script to the cache and returns its SHA-1.",
        since: "2.6.0",
        complexity: "O(N) with N bytes of the script",
        arity: 3,
        flags: ["noscript", "stale"],
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        syntax: "script",
        handler: (call) => call.reply.bulk(fromLatin1(call.engine.part(Scripts).load(call.arg(2)))),
      },
      {
        ...COMMON,
        name: "show",
        summary: "Returns the source of a script in the cache.",
        since: "8.0.0",
        complexity: "O(1).",
        arity: 3,
        flags: ["noscript", "stale"],
        only: "valkey",
        syntax: "sha1",
        handler: show,
      },
    ],
  },
];

function show(call: Call): void {
  const scripts = call.engine.part(Scripts);
  const script = scripts.cache.find(call.bytes, call.start(2), call.end(2)) ?? fail(scripts.missing);
  call.reply.bulk(script.source);
}

/** The engine is an argument of Valkey's. */
function debug(call: Call): void {
  if (call.argc > 4) failWords(call, "SCRIPT");
  if (call.argc === 4 && !call.is(3, "lua")) {
    fail(`ERR No scripting engine found with name '${shownText(call.text(3))}' to enable debug`);
  }
  if (call.is(2, "no")) return call.reply.ok();
  if (call.is(2, "yes") || call.is(2, "sync")) fail("ERR The debugger for Lua scripts is not available");
  fail("ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

function exists(call: Call): void {
  const { argc, engine, reply, request: { bytes, start, end } } = call;
  const { cache } = engine.part(Scripts);
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) reply.integer(cache.find(bytes, start[i], end[i]) === undefined ? 0 : 1);
}

function flush(call: Call): void {
  if (call.argc > 3 || (call.argc === 3 && !call.is(2, "sync") && !call.is(2, "async"))) {
    fail("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  }
  call.engine.part(Scripts).flush(call.argc === 3 && call.is(2, "async"));
  call.reply.ok();
}

function kill(call: Call): void {
  const refusal = call.engine.part(ScriptRunner).kill("script");
  if (refusal !== "") fail(refusal);
  call.reply.ok();
}
