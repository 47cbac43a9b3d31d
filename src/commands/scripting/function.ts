/**
 * FUNCTION: the libraries of functions.
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { fail, shownText } from "../../core/errors.ts";
import { globMatch } from "../../core/glob.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandFlag, CommandSpec } from "../../dispatch/spec.ts";
import { VERSION_DUMP } from "../../rdb/format.ts";
import { dumpLibraries, readLibraries } from "../../rdb/libraries.ts";
import { isSound } from "../../rdb/payload.ts";
import { Functions } from "../../scripting/functions.ts";
import type { Library } from "../../scripting/library.ts";
import { ScriptRunner } from "../../scripting/script_runner.ts";
import { FLAG_NAMES } from "../../scripting/shebang.ts";
import { failWords, subcommandHelp } from "../shared/help.ts";

const COMMON = { group: "scripting", since: "7.0.0", flags: ["noscript"] } as const;
const WRITING: readonly CommandFlag[] = ["write", "noscript"];
const ADDING: readonly CommandFlag[] = ["write", "denyoom", "noscript"];
const ON_SHARDS = ["request_policy:all_shards", "response_policy:all_succeeded"];

export const functionCommands: readonly CommandSpec[] = [
  {
    name: "function",
    summary: "A container for commands about functions.",
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: [],
    syntax: "",
    subcommands: [
      {
        ...COMMON,
        name: "delete",
        summary: "Deletes a library and its functions.",
        complexity: "O(1)",
        arity: 3,
        flags: WRITING,
        tips: ON_SHARDS,
        syntax: "library-name",
        handler: deleteLibrary,
      },
      {
        ...COMMON,
        name: "dump",
        summary: "Returns all libraries as one payload for FUNCTION RESTORE.",
        complexity: "O(N) with N functions",
        arity: 2,
        syntax: "",
        handler: dump,
      },
      {
        ...COMMON,
        name: "flush",
        summary: "Deletes all libraries.",
        complexity: "O(N) with N functions deleted",
        arity: -2,
        flags: WRITING,
        tips: ON_SHARDS,
        syntax: "[ASYNC | SYNC]",
        handler: flush,
      },
      {
        ...COMMON,
        name: "help",
        summary: "Describes the subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        syntax: "",
        handler: subcommandHelp,
      },
      {
        ...COMMON,
        name: "kill",
        summary: "Ends the running function if it has not written anything.",
        complexity: "O(1)",
        arity: 2,
        flags: ["noscript", "allow_busy"],
        tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
        syntax: "",
        handler: kill,
      },
      {
        ...COMMON,
        name: "list",
        summary: "Returns the libraries with their functions.",
        complexity: "O(N) with N functions",
        arity: -2,
        tips: ["nondeterministic_output_order"],
        syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
        handler: list,
      },
      {
        ...COMMON,
        name: "load",
        summary: "Adds a library and returns its name.",
        complexity: "O(1) (considering compilation time is redundant)",
        arity: -3,
        flags: ADDING,
        tips: ON_SHARDS,
        syntax: "[REPLACE] function-code",
        handler: load,
      },
      {
        ...COMMON,
        name: "restore",
        summary: "Adds the libraries of a payload of FUNCTION DUMP.",
        complexity: "O(N) with N functions in the payload",
        arity: -3,
        flags: ADDING,
        tips: ON_SHARDS,
        syntax: "serialized-value [FLUSH | APPEND | REPLACE]",
        handler: restore,
      },
      {
        ...COMMON,
        name: "stats",
        summary: "Describes the running function and counts libraries.",
        complexity: "O(1)",
        arity: 2,
        flags: ["noscript", "allow_busy"],
        tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        syntax: "",
        handler: stats,
      },
    ],
  },
];

function load(call: Call): void {
  const { argc, engine, session } = call;
  let replace = false;
  for (let i = 2; i < argc - 1; i++) {
    if (!call.is(i, "replace")) fail(`ERR Unknown option given: ${shownText(call.text(i))}`);
    replace = true;
  }
  const fromClient = session.origin !== "replay" && session.origin !== "primary";
  const { name } = engine.part(Functions).load(call.arg(argc - 1), replace, fromClient);
  call.countChanges(1);
  call.reply.bulk(fromLatin1(name));
}

function deleteLibrary(call: Call): void {
  if (!call.engine.part(Functions).delete(call.text(2))) fail("ERR Library not found");
  call.countChanges(1);
  call.reply.ok();
}

function flush(call: Call): void {
  if (call.argc > 3) failWords(call, "FUNCTION");
  if (call.argc === 3 && !call.is(2, "sync") && !call.is(2, "async")) {
    fail("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  call.engine.part(Functions).flush(call.argc === 3 && call.is(2, "async"));
  call.countChanges(1);
  call.reply.ok();
}

function kill(call: Call): void {
  const refusal = call.engine.part(ScriptRunner).kill("function");
  if (refusal !== "") fail(refusal);
  call.reply.ok();
}

function list(call: Call): void {
  const { argc, bytes, engine, reply } = call;
  let withCode = false, pattern = 0;
  for (let i = 2; i < argc; i++) {
    if (!withCode && call.is(i, "withcode")) {
      withCode = true;
    } else if (pattern === 0 && call.is(i, "libraryname")) {
      if (++i >= argc) fail("ERR library name argument was not given");
      pattern = i;
    } else {
      fail(`ERR Unknown argument ${shownText(call.text(i))}`);
    }
  }
  const matches = ({ name }: Library) => {
    const text = fromLatin1(name);
    return pattern === 0 || globMatch(bytes, call.start(pattern), call.end(pattern), text, 0, text.length, true);
  };
  const shown = engine.part(Functions).libraries.filter(matches);
  reply.array(shown.length);
  for (const library of shown) describe(call, library, withCode);
}

function describe({ reply }: Call, { name, functions, source }: Library, withCode: boolean): void {
  reply.map(withCode ? 4 : 3);
  reply.bulkText("library_name");
  reply.bulkText(name);
  reply.bulkText("engine");
  reply.bulkText("LUA");
  reply.bulkText("functions");
  reply.array(functions.size);
  for (const each of functions.values()) {
    reply.map(3);
    reply.bulkText("name");
    reply.bulkText(each.name);
    reply.bulkText("description");
    if (each.description === undefined) reply.null();
    else reply.bulk(each.description);
    reply.bulkText("flags");
    const flags = [...FLAG_NAMES].filter(([, bit]) => (each.flags & bit) !== 0);
    reply.set(flags.length);
    for (const [flag] of flags) reply.simple(flag);
  }
  if (!withCode) return;
  reply.bulkText("library_code");
  reply.bulk(source);
}

function stats(call: Call): void {
  const { engine, reply } = call;
  const { running } = engine.part(ScriptRunner), functions = engine.part(Functions);
  if (running?.kind === "script" && engine.busy !== undefined) fail(engine.busy.message);
  reply.map(2);
  reply.bulkText("running_script");
  if (running === undefined) {
    reply.null();
  } else {
    const { name, request: { argc, bytes, start, end }, ms } = running;
    reply.map(3);
    reply.bulkText("name");
    reply.bulkText(name);
    reply.bulkText("command");
    reply.array(argc);
    for (let i = 0; i < argc; i++) reply.bulk(bytes, start[i], end[i]);
    reply.bulkText("duration_ms");
    reply.integer(Math.floor(ms));
  }
  reply.bulkText("engines");
  reply.map(1);
  reply.bulkText("LUA");
  reply.map(2);
  reply.bulkText("libraries_count");
  reply.integer(functions.libraries.length);
  reply.bulkText("functions_count");
  reply.integer(functions.functionCount);
}

function dump({ engine, reply }: Call): void {
  const sources = engine.part(Functions).libraries.map(({ source }) => source);
  const version = VERSION_DUMP[engine.identity.personality];
  reply.bulk(dumpLibraries(sources, version, engine.settings.values.rdbcompression));
}

const POLICIES = ["flush", "append", "replace"] as const;

function restore(call: Call): void {
  if (call.argc > 4) failWords(call, "FUNCTION");
  const policy = call.argc === 4 ? POLICIES.find((word) => call.is(3, word)) : "append";
  if (policy === undefined) {
    return fail("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  }
  const payload = call.arg(2);
  if (!isSound(payload)) fail("ERR DUMP payload version or checksum are wrong");
  call.engine.part(Functions).restore(readLibraries(payload), policy);
  call.countChanges(1);
  call.reply.ok();
}
