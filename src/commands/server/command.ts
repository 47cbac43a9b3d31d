/**
 * COMMAND: descriptions of all commands. All of it is derived from the specs; this file contains no special case for
 * any command.
 */
import { utf8 } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import { globMatch } from "../../core/glob.ts";
import { Request } from "../../resp/request.ts";
import type { Call } from "../../dispatch/call.ts";
import { categoriesOf } from "../../dispatch/categories.ts";
import { replyDocs, replyInfo, replyKeyFlags } from "../../dispatch/describe.ts";
import { subcommandHelp } from "../shared/help.ts";
import { hasKeys, keysOf } from "../../dispatch/key_positions.ts";
import type { Command } from "../../dispatch/registry.ts";
import type { CommandSpec, KeyPosition } from "../../dispatch/spec.ts";

const COMMON = {
  group: "server",
  flags: ["loading", "stale"],
  categories: ["connection"],
  syntax: "",
} as const;
const UNORDERED = ["nondeterministic_output_order"];
const NAMES = "[command-name [command-name ...]]";

export const introspectCommands: readonly CommandSpec[] = [{
  ...COMMON,
  name: "command",
  summary: "Describes all commands, as COMMAND INFO does.",
  since: "2.8.13",
  complexity: "O(N) where N is the number of commands",
  arity: -1,
  tips: UNORDERED,
  handler: (call) => replyInfos(call, call.table.commands),
  subcommands: [
    {
      ...COMMON,
      name: "count",
      summary: "Returns the number of commands.",
      since: "2.8.13",
      complexity: "O(1)",
      arity: 2,
      handler: ({ reply, table }) => reply.integer(table.commands.length),
    },
    {
      ...COMMON,
      name: "docs",
      summary: "Returns the documentation of some commands, or of all.",
      since: "7.0.0",
      complexity: "O(N) where N is the number of commands to look up",
      arity: -2,
      tips: UNORDERED,
      syntax: NAMES,
      handler: docs,
    },
    {
      ...COMMON,
      name: "getkeys",
      summary: "Returns the keys of a full command.",
      since: "2.8.13",
      complexity: "O(N) where N is the number of arguments of the command",
      arity: -3,
      syntax: "command [arg [arg ...]]",
      handler: getKeys,
    },
    {
      ...COMMON,
      name: "getkeysandflags",
      summary: "Returns the keys of a full command and how it accesses them.",
      since: "7.0.0",
      complexity: "O(N) where N is the number of arguments of the command",
      arity: -3,
      syntax: "command [arg [arg ...]]",
      handler: getKeysAndFlags,
    },
    {
      ...COMMON,
      name: "help",
      summary: "Describes the subcommands.",
      since: "5.0.0",
      complexity: "O(1)",
      arity: 2,
      handler: subcommandHelp,
    },
    {
      ...COMMON,
      name: "info",
      summary: "Describes some commands, or all, for programs.",
      since: "2.8.13",
      complexity: "O(N) where N is the number of commands to look up",
      arity: -2,
      tips: UNORDERED,
      syntax: NAMES,
      handler: info,
    },
    {
      ...COMMON,
      name: "list",
      summary: "Returns the names of the commands, all or those of a category or pattern.",
      since: "7.0.0",
      complexity: "O(N) where N is the number of commands",
      arity: -2,
      tips: UNORDERED,
      syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
      handler: list,
    },
  ],
}];

/** The commands named by arguments 2 and following; undefined for unknown names. */
function named(call: Call): (Command | undefined)[] {
  return Array.from({ length: call.argc - 2 }, (_, i) => call.table.named(call.text(i + 2)));
}

function replyInfos({ reply }: Call, commands: readonly (Command | undefined)[]): void {
  reply.array(commands.length);
  for (const command of commands) {
    if (command === undefined) reply.null();
    else replyInfo(reply, command);
  }
}

function info(call: Call): void {
  replyInfos(call, call.argc === 2 ? call.table.commands : named(call));
}

function docs(call: Call): void {
  const { argc, reply, table } = call;
  const commands = argc === 2 ? table.commands : named(call).filter((command) => command !== undefined);
  reply.map(commands.length);
  for (const command of commands) replyDocs(reply, command);
}

function list(call: Call): void {
  const { argc, reply, table } = call;
  let wanted = (_: Command) => true;
  if (argc === 5 && call.is(2, "filterby")) {
    const text = call.text(4);
    if (call.is(3, "module")) {
      wanted = () => false;
    } else if (call.is(3, "aclcat")) {
      wanted = ({ spec }) => categoriesOf(spec).includes(text.toLowerCase());
    } else if (call.is(3, "pattern")) {
      const { bytes } = call, start = call.start(4), end = call.end(4);
      wanted = ({ fullName }) => globMatch(bytes, start, end, utf8(fullName), 0, fullName.length, true);
    } else {
      fail(messages.syntax);
    }
  } else if (argc !== 2) {
    fail(messages.syntax);
  }
  const found = [...table.all()].filter(wanted);
  reply.array(found.length);
  for (const { fullName } of found) reply.bulkText(fullName);
}

/** The keys of the command in arguments 2 and following; positions count from its name. */
function keysAsked(call: Call): { request: Request; keys: readonly KeyPosition[] } {
  const request = Request.of(Array.from({ length: call.argc - 2 }, (_, i) => call.arg(i + 2)));
  const { bytes, start, end } = request;
  let command = call.table.find(bytes, start[0], end[0]);
  if (command !== undefined && command.subcommands.length > 0 && request.argc > 1) {
    command = command.subcommand(bytes, start[1], end[1]);
  }
  if (command === undefined) fail("ERR Invalid command specified");
  if (!hasKeys(command)) fail("ERR The command has no key arguments");
  const { arity } = command;
  if (arity > 0 ? request.argc !== arity : request.argc < -arity) {
    fail("ERR Invalid number of arguments specified for command");
  }
  const keys = keysOf(command, request) ?? [];
  if (keys.length === 0 && !command.spec.flags.includes("no_mandatory_keys")) {
    fail("ERR Invalid arguments specified for command");
  }
  return { request, keys };
}

function getKeys(call: Call): void {
  const { request, keys } = keysAsked(call);
  call.reply.array(keys.length);
  for (const { index } of keys) call.reply.bulk(request.bytes, request.start[index], request.end[index]);
}

function getKeysAndFlags(call: Call): void {
  const { reply } = call;
  const { request, keys } = keysAsked(call);
  reply.array(keys.length);
  for (const { index, flags } of keys) {
    reply.array(2);
    reply.bulk(request.bytes, request.start[index], request.end[index]);
    replyKeyFlags(reply, flags);
  }
}
