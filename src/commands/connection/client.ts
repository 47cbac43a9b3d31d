/**
 * CLIENT: attributes of the client's own connection, and the list and control of all connections. Sessions without a
 * socket are not clients: CLIENT LIST does not show them, and CLIENT KILL does not end them.
 */
import { fail, messages } from "../../core/errors.ts";
import type { Session } from "../../engine/session.ts";
import type { Call } from "../../dispatch/call.ts";
import { trackingSubcommands } from "./tracking.ts";
import { waitingSubcommands } from "./waiting.ts";
import { chooseClients, KILL_ID_ERRORS, LIST_ID_ERRORS } from "./client_filters.ts";
import { CLIENT_NAME_ERROR, clientLine, isPrintableName } from "../../engine/client_line.ts";
import { subcommandHelp } from "../shared/help.ts";
import type { CommandFlag, CommandSpec, ValkeyVariant } from "../../dispatch/spec.ts";

const OPEN: readonly CommandFlag[] = ["noscript", "loading", "stale"];
const ADMIN: readonly CommandFlag[] = ["admin", "noscript", "loading", "stale"];
/** Valkey lets clients set and ask their own attributes while a script runs for long. */
const WHILE_BUSY: ValkeyVariant = { flags: [...OPEN, "allow_busy"] };
const ON_ALL_NODES = ["request_policy:all_nodes", "response_policy:all_succeeded"];
const ALL_CLIENTS = "O(N) where N is the number of connections";

/** Fields that all subcommands share. */
const COMMON = { group: "connection", complexity: "O(1)", flags: OPEN, syntax: "" } as const;

/** Valkey's filters of clients, which both personalities take, for KILL or LIST; `kinds` are the words of TYPE. */
function valkeyFilters(kinds: string, kill: boolean): string[] {
  const id = "ID client-id [client-id ...]";
  const words = ["NAME name", "IDLE idle", "FLAGS flags", "LIB-NAME lib-name", "LIB-VER lib-ver", "DB db", "CAPA capa"];
  const negated = ["NAME", "FLAGS", "LIB-NAME", "LIB-VER", "DB", "CAPA", "IP"];
  return [
    ...kill ? [id, `TYPE <${kinds}>`] : [`TYPE <${kinds}>`, id],
    "USER username",
    "ADDR ip:port",
    "LADDR ip:port",
    "SKIPME <YES | NO>",
    "MAXAGE maxage",
    ...words,
    "IP ip",
    `NOT-TYPE <${kinds}>`,
    "NOT-ID not-client-id [not-client-id ...]",
    "NOT-USER not-username",
    "NOT-ADDR ip:port",
    "NOT-LADDR ip:port",
    ...negated.map((name) => `NOT-${name} not-${name.toLowerCase()}`),
  ].map((filter) => `[${filter}]`);
}

const FILTER_TYPES = { idle: "integer", "not-client-id": "integer", "not-db": "integer" } as const;

export const clientCommands: readonly CommandSpec[] = [{
  name: "client",
  summary: "A container for commands about connections.",
  since: "2.4.0",
  group: "connection",
  complexity: "Depends on subcommand.",
  arity: -2,
  flags: [],
  syntax: "",
  subcommands: [
    ...waitingSubcommands,
    ...trackingSubcommands,
    {
      ...COMMON,
      name: "capa",
      summary: "Notes what the client can do. Valkey's clients say so of redirections.",
      since: "8.0.0",
      arity: -3,
      flags: [...OPEN, "allow_busy"],
      syntax: "capability [capability ...]",
      only: "valkey",
      handler: capa,
    },
    {
      ...COMMON,
      name: "getname",
      summary: "Returns the name of the connection.",
      since: "2.6.9",
      arity: 2,
      valkey: WHILE_BUSY,
      handler: ({ reply, session }) => session.name === "" ? reply.null() : reply.bulkText(session.name),
    },
    {
      ...COMMON,
      name: "help",
      summary: "Describes the subcommands.",
      since: "5.0.0",
      arity: 2,
      flags: ["loading", "stale"],
      handler: subcommandHelp,
    },
    {
      ...COMMON,
      name: "id",
      summary: "Returns the number of the connection, which is never used twice.",
      since: "5.0.0",
      arity: 2,
      valkey: WHILE_BUSY,
      handler: ({ reply, session }) => reply.integer(session.id),
    },
    {
      ...COMMON,
      name: "import-source",
      summary: "Lets the connection see keys past their deadline while the server imports data.",
      since: "8.1.0",
      arity: 3,
      syntax: "<ON | OFF>",
      only: "valkey",
      handler: importSource,
    },
    {
      ...COMMON,
      name: "info",
      summary: "Describes the connection in one line.",
      since: "6.2.0",
      arity: 2,
      tips: ["nondeterministic_output"],
      handler: (call) => replyLines(call, [call.session]),
    },
    {
      ...COMMON,
      name: "kill",
      summary: "Ends the connections that match an address or a filter.",
      since: "2.4.0",
      complexity: ALL_CLIENTS,
      arity: -3,
      flags: ADMIN,
      syntax: "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | " +
        "[ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage]> ...>",
      valkey: {
        syntax: `<ip:port | <${
          valkeyFilters("NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB", true).join(" | ")
        }> ...>`,
        types: FILTER_TYPES,
      },
      handler: kill,
    },
    {
      ...COMMON,
      name: "list",
      summary: "Describes connections, one a line.",
      since: "2.4.0",
      complexity: ALL_CLIENTS,
      arity: -2,
      flags: ADMIN,
      tips: ["nondeterministic_output"],
      syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
      valkey: {
        syntax: valkeyFilters("NORMAL | MASTER | REPLICA | PUBSUB", false).join(" "),
        types: FILTER_TYPES,
      },
      handler: list,
    },
    {
      ...COMMON,
      name: "no-evict",
      summary: "Keeps the connection when memory for clients is short.",
      since: "7.0.0",
      arity: 3,
      flags: ADMIN,
      syntax: "<ON | OFF>",
      valkey: { flags: [...ADMIN, "allow_busy"] },
      handler: noEvict,
    },
    {
      ...COMMON,
      name: "no-touch",
      summary: "Makes the connection's commands leave the access clocks of keys alone.",
      since: "7.2.0",
      arity: 3,
      syntax: "<ON | OFF>",
      valkey: WHILE_BUSY,
      handler: noTouch,
    },
    {
      ...COMMON,
      name: "reply",
      summary: "Switches replies off and on, or drops the next one.",
      since: "3.2.0",
      arity: 3,
      syntax: "<ON | OFF | SKIP>",
      valkey: { flags: [...OPEN, "no_multi", "allow_busy"] },
      differs: ["Valkey refuses it inside a transaction."],
      handler: replyMode,
    },
    {
      ...COMMON,
      name: "setinfo",
      summary: "Notes the client library's name or version.",
      since: "7.2.0",
      arity: 4,
      tips: ON_ALL_NODES,
      syntax: "<LIB-NAME libname | LIB-VER libver>",
      valkey: WHILE_BUSY,
      handler: setInfo,
    },
    {
      ...COMMON,
      name: "setname",
      summary: "Gives the connection a name.",
      since: "2.6.9",
      arity: 3,
      tips: ON_ALL_NODES,
      syntax: "connection-name",
      valkey: WHILE_BUSY,
      handler: setName,
    },
  ],
}];

function setName(call: Call): void {
  const name = call.text(2);
  if (!isPrintableName(name)) fail(CLIENT_NAME_ERROR);
  call.session.name = name;
  call.reply.ok();
}

function setInfo(call: Call): void {
  const { reply, session } = call;
  const option = call.text(2), value = call.text(3);
  const isName = call.is(2, "lib-name");
  if (!isName && !call.is(2, "lib-ver")) fail(`ERR Unrecognized option '${option}'`);
  if (!isPrintableName(value)) fail(`ERR ${option} cannot contain spaces, newlines or special characters.`);
  if (isName) session.libName = value;
  else session.libVersion = value;
  reply.ok();
}

/** Argument 2 as ON or OFF. */
function onOff(call: Call): boolean {
  return call.is(2, "on") || (!call.is(2, "off") && fail(messages.syntax));
}

function noEvict(call: Call): void {
  call.session.noEvict = onOff(call);
  call.reply.ok();
}

function noTouch(call: Call): void {
  call.session.noTouch = onOff(call);
  call.reply.ok();
}

function importSource(call: Call): void {
  const { engine: { importMode }, reply, session } = call;
  if (!importMode.on && !call.is(2, "off")) fail("ERR Server is not in import mode");
  importMode.setSource(session, onOff(call));
  reply.ok();
}

/** Redirections belong to clusters, so a client that follows them meets none here. Unknown words are ignored. */
function capa(call: Call): void {
  for (let i = 2; i < call.argc; i++) if (call.is(i, "redirect")) call.session.capabilities = "r";
  call.reply.ok();
}

/** OFF and SKIP get no reply. The executor counts SKIP down: "skip-next" covers this command itself. */
function replyMode(call: Call): void {
  const { reply, session } = call;
  if (call.is(2, "on")) {
    session.replyMode = "on";
    reply.ok();
  } else if (call.is(2, "off")) {
    session.replyMode = "off";
  } else if (call.is(2, "skip")) {
    if (session.replyMode !== "off") session.replyMode = "skip-next";
  } else {
    fail(messages.syntax);
  }
}

function replyLines(call: Call, sessions: readonly Session[]): void {
  const { engine, request, session: own } = call;
  let argvBytes = 0;
  for (let i = 0; i < request.argc; i++) argvBytes += request.end[i] - request.start[i];
  const lines = sessions.map((session) => clientLine(session, engine, session === own ? argvBytes : 0) + "\n");
  call.reply.verbatim("txt", lines.join(""));
}

/** In Redis's order: that of the ids, if there are any, else that of the connections' beginnings. */
function list(call: Call): void {
  const { sessions, skipMe = false } = chooseClients(call, 2, LIST_ID_ERRORS);
  replyLines(call, sessions.filter((session) => session !== call.session || !skipMe));
}

/**
 * The old form takes an address and may end the caller's own connection. The new form replies with a count, and spares
 * the caller unless SKIPME says no.
 */
function kill(call: Call): void {
  const { engine, reply, session: own } = call;
  if (call.argc === 3) {
    const address = call.text(2);
    const found = [...engine.sessions.values()].filter(({ transport }) => transport?.remote === address);
    if (found.length === 0) fail("ERR No such client");
    for (const session of found) end(session, own);
    return reply.ok();
  }
  const { sessions, skipMe = true } = chooseClients(call, 2, KILL_ID_ERRORS);
  const found = new Set(sessions);
  if (skipMe) found.delete(own);
  for (const session of found) end(session, own);
  reply.integer(found.size);
}

/** Closes a connection; that of the caller when the reply is sent. */
function end(session: Session, own: Session): void {
  if (session === own) session.closing = true;
  else session.transport!.close(false);
}
