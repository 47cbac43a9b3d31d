/**
 * Commands about the connection itself: handshake, authentication, database, end. CLIENT is in client.ts.
 */
import { NO_BYTES } from "../../core/bytes.ts";
import { fail, messages, shownText } from "../../core/errors.ts";
import { AclLog } from "../../engine/acl_log.ts";
import type { Call } from "../../dispatch/call.ts";
import { CLIENT_NAME_ERROR, isPrintableName } from "../../engine/client_line.ts";
import { type CommandSpec, notDeprecated } from "../../dispatch/spec.ts";

const ALWAYS = ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"] as const;

export const connectionCommands: readonly CommandSpec[] = [
  {
    name: "ping",
    summary: "Answers PONG, or the message: a sign of life.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: -1,
    flags: ["fast"],
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    needsDisk: true,
    whileSubscribed: true,
    syntax: "[message]",
    handler: ping,
  },
  {
    name: "echo",
    summary: "Answers the message.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: ["loading", "stale", "fast"],
    syntax: "message",
    handler: ({ reply, request }) => reply.bulk(request.bytes, request.start[1], request.end[1]),
  },
  {
    name: "select",
    databases: () => [1],
    summary: "Selects the database that the connection works on.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: ["loading", "stale", "fast"],
    syntax: "index",
    valkey: { flags: ["loading", "stale", "fast", "allow_busy"] },
    handler: select,
  },
  {
    name: "auth",
    summary: "Lets the connection in with a password.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(N) where N is the number of passwords of the user",
    arity: -2,
    flags: ALWAYS,
    syntax: "[username] password",
    handler: auth,
  },
  {
    name: "hello",
    summary: "Picks the protocol version, lets the connection in and names it, and describes the server.",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: -1,
    flags: ALWAYS,
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    differs: ["It names the server and its version: `redis` and 8.6.3, or `valkey` and 9.1.2."],
    handler: hello,
  },
  {
    name: "quit",
    summary: "Ends the connection.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: -1,
    flags: ALWAYS,
    immediate: true,
    whileSubscribed: true,
    syntax: "",
    deprecated: { since: "7.2.0", replacedBy: "just closing the connection" },
    valkey: notDeprecated,
    handler: quit,
  },
  {
    name: "reset",
    summary: "Puts the connection back into the state that it began in.",
    since: "6.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 1,
    flags: ALWAYS,
    immediate: true,
    whileSubscribed: true,
    syntax: "",
    handler: reset,
  },
];

const NO_PASSWORD_SET = "ERR AUTH <password> called without any password configured for the default user. " +
  "Are you sure your configuration is correct?";
const NO_CLUSTER = "ERR Cannot authenticate as an internal connection on non-cluster instances";
const WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
const HELLO_NEEDS_AUTH = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO " +
  "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at " +
  "the same time";
const INT_MIN = -(2 ** 31), INT_MAX = 2 ** 31 - 1;

function ping(call: Call): void {
  const { reply, request, session } = call;
  if (request.argc === 1 && session.kind === "normal") return reply.simple("PONG");
  if (request.argc > 2) call.failArity();
  const message = request.argc === 2 ? call.view(1) : undefined;
  if (session.kind === "pubsub" && reply.version === 2) {
    // In RESP2 a subscribed client expects messages only, so this reply is a message too.
    reply.array(2);
    reply.bulkText("pong");
    reply.bulk(message ?? NO_BYTES);
  } else if (message !== undefined) {
    reply.bulk(message);
  } else {
    reply.simple("PONG");
  }
}

function select(call: Call): void {
  const message = `ERR value is out of range, value must between ${INT_MIN} and ${INT_MAX}`;
  const index = call.integerIn(1, INT_MIN, INT_MAX, message);
  if (index < 0 || index >= call.store.databases.length) fail(messages.dbIndex);
  call.select(index);
  call.reply.ok();
}

function auth(call: Call): void {
  const { argc } = call;
  if (argc > 3) fail(messages.syntax);
  for (let i = 1; i < argc; i++) call.redact(i);
  if (argc === 2 && call.engine.users.default.noPassword) fail(NO_PASSWORD_SET);
  if (argc === 3 && call.text(1) === "internal connection") fail(NO_CLUSTER);
  authenticate(call, argc === 2 ? "default" : call.text(1), argc - 1);
  call.reply.ok();
}

/** Authenticates the session as a user if argument `passwordIndex` is the password; throws WRONGPASS otherwise. */
function authenticate(call: Call, name: string, passwordIndex: number): void {
  const { engine, inUnit, session } = call;
  const user = engine.users.authenticated(name, call.arg(passwordIndex));
  if (user === undefined) {
    const context = inUnit || session.transaction !== undefined ? "multi" : "toplevel";
    engine.part(AclLog).add(session, { reason: "auth", context, object: call.text(0), user: name });
    return fail(WRONG_PASSWORD);
  }
  session.user = user;
  session.authenticated = true;
  session.transport?.trust(true);
}

function hello(call: Call): void {
  const { argc, engine: { identity }, reply, session } = call;
  let version = 0;
  if (argc > 1) {
    version = call.integer(1, "ERR Protocol version is not an integer or out of range");
    if (version < 2 || version > 3) fail("NOPROTO unsupported protocol version");
  }
  let userIndex = 0;
  let name: string | undefined;
  for (let i = 2; i < argc; i++) {
    if (call.is(i, "auth") && i + 2 < argc) {
      call.redact(i + 1);
      call.redact(i + 2);
      userIndex = i + 1;
      i += 2;
    } else if (call.is(i, "setname") && i + 1 < argc) {
      name = call.text(++i);
      if (!isPrintableName(name)) fail(CLIENT_NAME_ERROR);
    } else {
      fail(`ERR Syntax error in HELLO option '${shownText(call.text(i))}'`);
    }
  }
  if (userIndex > 0) authenticate(call, call.text(userIndex), userIndex + 1);
  if (!session.authenticated) fail(HELLO_NEEDS_AUTH);
  if (name !== undefined) session.name = name;
  if (version > 0) reply.version = version;
  reply.map(7);
  reply.bulkText("server");
  reply.bulkText(identity.personality);
  reply.bulkText("version");
  reply.bulkText(identity.version);
  reply.bulkText("proto");
  reply.integer(reply.version);
  reply.bulkText("id");
  reply.integer(session.id);
  reply.bulkText("mode");
  reply.bulkText("standalone");
  reply.bulkText("role");
  reply.bulkText("master");
  reply.bulkText("modules");
  reply.array(0);
}

function quit({ reply, session }: Call): void {
  reply.ok();
  session.closing = true;
}

/** The library's name and version stay: the client still uses the same library. */
function reset(call: Call): void {
  const { engine, reply, session } = call;
  engine.listeners.sessionReset(session);
  session.transaction = undefined;
  // CLIENT REPLY SKIP drops the reply of this command too.
  if (session.replyMode === "off") session.replyMode = "on";
  session.noEvict = session.noTouch = false;
  if (session.importSource) engine.importMode.setSource(session, false);
  session.name = "";
  session.user = engine.users.default;
  session.authenticated = session.user.open;
  session.transport?.trust(session.authenticated);
  call.select(0);
  reply.version = 2;
  reply.simple("RESET");
}
