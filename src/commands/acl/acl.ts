/**
 * ACL: the users and their permissions, and the log of refusals. The rules of users belong to src/access; this file
 * owns the replies.
 */
import { fail, shownText } from "../../core/errors.ts";
import { secretHex } from "../../core/sha256.ts";
import { channelRules, commandRules, databaseRules, keyRules, userFlags, userLine } from "../../access/describe.ts";
import { loadAclFile, rulesOf, saveAclFile } from "../../access/load.ts";
import { hasBlanks, joinSelectors, RuleError, UnmatchedError } from "../../access/rules.ts";
import type { Call } from "../../dispatch/call.ts";
import { CATEGORIES, categoriesOf } from "../../dispatch/categories.ts";
import { denialOf, denialText } from "../../dispatch/permissions.ts";
import { type Command, wrongArity } from "../../dispatch/registry.ts";
import type { CommandFlag, CommandSpec } from "../../dispatch/spec.ts";
import { AclLog } from "../../engine/acl_log.ts";
import type { Selector } from "../../engine/user.ts";
import { Request } from "../../resp/request.ts";
import { failWords, subcommandHelp } from "../shared/help.ts";

const ADMIN: readonly CommandFlag[] = ["admin", "noscript", "loading", "stale"];
const FREE: readonly CommandFlag[] = ["noscript", "loading", "stale"];
const EVERYWHERE = ["request_policy:all_nodes", "response_policy:all_succeeded"];
const SUB = { group: "server", since: "6.0.0" } as const;

export const aclCommands: readonly CommandSpec[] = [
  {
    ...SUB,
    name: "acl",
    summary: "Groups the commands about users and their permissions.",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: [],
    syntax: "",
    subcommands: [
      {
        ...SUB,
        name: "cat",
        summary: "Lists the categories of commands, or the commands of one category.",
        complexity: "O(1) since the categories and commands are a fixed set.",
        arity: -2,
        flags: FREE,
        syntax: "[category]",
        handler: cat,
      },
      {
        ...SUB,
        name: "deluser",
        summary: "Deletes users and closes their connections.",
        complexity: "O(1) for each user, and O(N) with N clients",
        arity: -3,
        flags: ADMIN,
        tips: EVERYWHERE,
        syntax: "username [username ...]",
        handler: delUser,
      },
      {
        ...SUB,
        name: "dryrun",
        summary: "Tells whether a user may run a command, without running it.",
        since: "7.0.0",
        complexity: "O(1).",
        arity: -4,
        flags: ADMIN,
        syntax: "username command [arg [arg ...]]",
        handler: dryRun,
      },
      {
        ...SUB,
        name: "genpass",
        summary: "Makes a random password of 256 bits, or of another number of bits.",
        complexity: "O(1)",
        arity: -2,
        flags: FREE,
        syntax: "[bits]",
        handler: genPass,
      },
      {
        ...SUB,
        name: "getuser",
        summary: "Shows the permissions of a user.",
        complexity: "O(N) with N rules of the user",
        arity: 3,
        flags: ADMIN,
        syntax: "username",
        handler: getUser,
      },
      {
        ...SUB,
        name: "help",
        summary: "Describes the subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        syntax: "",
        handler: subcommandHelp,
      },
      {
        ...SUB,
        name: "list",
        summary: "Shows all users as lines of a config file.",
        complexity: "O(N) with N users",
        arity: 2,
        flags: ADMIN,
        syntax: "",
        handler: (call) => replyUsers(call, true),
      },
      {
        ...SUB,
        name: "load",
        summary: "Reads the users from the ACL file, all or none.",
        complexity: "O(N) with N users",
        arity: 2,
        flags: ADMIN,
        syntax: "",
        handler: load,
      },
      {
        ...SUB,
        name: "log",
        summary: "Shows the latest refusals by permissions and failed authentications, or forgets them.",
        complexity: "O(N) with N entries shown",
        arity: -2,
        flags: ADMIN,
        syntax: "[count | RESET]",
        handler: log,
      },
      {
        ...SUB,
        name: "save",
        summary: "Writes all users to the ACL file.",
        complexity: "O(N) with N users",
        arity: 2,
        flags: ADMIN,
        tips: EVERYWHERE,
        syntax: "",
        handler: save,
      },
      {
        ...SUB,
        name: "setuser",
        summary: "Makes a user or changes one by rules, all of them or none.",
        complexity: "O(N) with N rules",
        arity: -3,
        flags: ADMIN,
        tips: EVERYWHERE,
        syntax: "username [rule [rule ...]]",
        handler: setUser,
      },
      {
        ...SUB,
        name: "users",
        summary: "Lists the names of all users.",
        complexity: "O(N) with N users",
        arity: 2,
        flags: ADMIN,
        syntax: "",
        handler: (call) => replyUsers(call, false),
      },
      {
        ...SUB,
        name: "whoami",
        summary: "Returns the name of the connection's user.",
        complexity: "O(1)",
        arity: 2,
        flags: FREE,
        syntax: "",
        handler: ({ reply, session }) => bulkLatin1(reply, session.user.name),
      },
    ],
  },
];

const SAVE_FAILED = "ERR There was an error trying to save the ACLs. Please check the server logs for more information";
const PASSWORD_BITS = 256, PASSWORD_BITS_MAX = 4096;
const LOG_COUNT = 10;

/** Names of users, keys and rules are latin1 text. */
function bulkLatin1(reply: Call["reply"], text: string): void {
  reply.bulk(Uint8Array.from(text, (c) => c.charCodeAt(0)));
}

/** Hides the arguments that may show users and passwords. */
function redactFrom(call: Call, first: number): void {
  for (let i = first; i < call.argc; i++) call.redact(i);
}

function cat(call: Call): void {
  const { argc, reply, table } = call;
  if (argc > 3) failWords(call, "ACL");
  let names: readonly string[] = CATEGORIES;
  if (argc === 3) {
    const category = call.text(2).toLowerCase();
    if (!names.includes(category)) fail(`ERR Unknown category '${shownText(call.text(2)).slice(0, 128)}'`);
    names = [...table.all()].filter(({ spec }) => categoriesOf(spec).includes(category))
      .map(({ fullName }) => fullName);
  }
  reply.array(names.length);
  for (const name of names) reply.bulkText(name);
}

function setUser(call: Call): void {
  redactFrom(call, 2);
  const { argc, engine, table } = call;
  const name = call.text(2);
  if (hasBlanks(name)) fail("ERR Usernames can't contain spaces or null characters");
  const rules = rulesOf(engine, table), user = rules.newUser(name), present = engine.users.get(name);
  if (present !== undefined) user.take(present);
  let rule = "";
  try {
    const args = Array.from({ length: argc - 3 }, (_, i) => call.text(i + 3));
    for (rule of joinSelectors(args)) rules.apply(user, rule);
  } catch (error) {
    if (error instanceof UnmatchedError) fail(`ERR ${error.message}`);
    if (!(error instanceof RuleError)) throw error;
    fail(`ERR Error in ACL SETUSER modifier '${shownText(rule)}': ${error.message}`);
  }
  engine.users.put(user);
  call.reply.ok();
}

function delUser(call: Call): void {
  redactFrom(call, 2);
  const names = Array.from({ length: call.argc - 2 }, (_, i) => call.text(i + 2));
  if (names.includes("default")) fail("ERR The 'default' user cannot be removed");
  call.reply.integer(names.filter((name) => call.engine.users.delete(name)).length);
}

function getUser(call: Call): void {
  call.redact(2);
  const { engine, reply } = call;
  const user = engine.users.get(call.text(2));
  if (user === undefined) return reply.null();
  const ofValkey = engine.identity.personality === "valkey";
  reply.map(ofValkey ? 7 : 6);
  reply.bulkText("flags");
  const flags = userFlags(user, engine.identity.personality);
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText("passwords");
  reply.array(user.passwords.length);
  for (const digest of user.passwords) reply.bulkText(digest);
  const [root, ...others] = user.selectors;
  replySelector(call, root);
  reply.bulkText("selectors");
  reply.array(others.length);
  for (const selector of others) {
    reply.map(ofValkey ? 4 : 3);
    replySelector(call, selector);
  }
}

function replySelector({ engine, reply }: Call, selector: Selector): void {
  reply.bulkText("commands");
  bulkLatin1(reply, commandRules(selector));
  reply.bulkText("keys");
  bulkLatin1(reply, keyRules(selector));
  reply.bulkText("channels");
  bulkLatin1(reply, channelRules(selector));
  if (engine.identity.personality !== "valkey") return;
  reply.bulkText("databases");
  reply.bulkText(selector.databases?.length === 0 ? "" : databaseRules(selector));
}

function replyUsers({ engine, reply }: Call, whole: boolean): void {
  const users = engine.users.all();
  reply.array(users.length);
  for (const user of users) bulkLatin1(reply, whole ? userLine(user, engine.identity.personality) : user.name);
}

function genPass(call: Call): void {
  if (call.argc > 3) failWords(call, "ACL");
  const bits = call.argc === 3 ? call.integer(2) : PASSWORD_BITS;
  if (bits <= 0 || bits > PASSWORD_BITS_MAX) {
    fail(
      "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to " +
        PASSWORD_BITS_MAX,
    );
  }
  const digits = Math.ceil(bits / 4);
  call.reply.bulkText(secretHex(digits));
}

function dryRun(call: Call): void {
  const { argc, engine, reply } = call;
  const user = engine.users.get(call.text(2));
  if (user === undefined) return fail(`ERR User '${shownText(call.text(2))}' not found`);
  const request = Request.of(Array.from({ length: argc - 3 }, (_, i) => call.arg(i + 3)));
  const command = commandOf(call, request);
  if (command === undefined) return fail(`ERR Command '${shownText(call.text(3))}' not found`);
  const { arity } = command;
  if (arity > 0 ? request.argc !== arity : request.argc < -arity) fail(wrongArity(command));
  const denial = denialOf(user, command, request, call.db.index);
  if (denial === undefined) reply.ok();
  else bulkLatin1(reply, denialText(denial, user, command, request, true));
}

/** The command or subcommand that a request names; undefined if there is none. */
function commandOf({ table }: Call, { argc, bytes, start, end }: Request): Command | undefined {
  const command = table.find(bytes, start[0], end[0]);
  if (command === undefined || argc === 1 || command.subcommands.length === 0) return command;
  return command.subcommand(bytes, start[1], end[1]);
}

function log(call: Call): void {
  const { argc, engine, reply } = call;
  if (argc > 3) failWords(call, "ACL");
  const { entries } = engine.part(AclLog);
  if (argc === 3 && call.is(2, "reset")) {
    entries.length = 0;
    return reply.ok();
  }
  const count = Math.min(argc === 3 ? Math.max(0, call.integer(2)) : LOG_COUNT, entries.length);
  reply.array(count);
  for (const entry of entries.slice(0, count)) {
    reply.map(10);
    reply.bulkText("count");
    reply.integer(entry.count);
    for (const name of ["reason", "context", "object"] as const) {
      reply.bulkText(name);
      bulkLatin1(reply, entry[name]);
    }
    reply.bulkText("username");
    bulkLatin1(reply, entry.user);
    reply.bulkText("age-seconds");
    reply.double((engine.store.nowMs - entry.updatedMs) / 1000);
    reply.bulkText("client-info");
    bulkLatin1(reply, entry.client);
    reply.bulkText("entry-id");
    reply.integer(entry.id);
    reply.bulkText("timestamp-created");
    reply.integer(entry.createdMs);
    reply.bulkText("timestamp-last-updated");
    reply.integer(entry.updatedMs);
  }
}

/** Only Redis names itself in the error. */
function needAclFile({ identity, settings }: Call["engine"]): void {
  if (settings.values.aclfile !== "") return;
  const name = identity.personality === "redis" ? "Redis " : "";
  fail(
    `ERR This ${name}instance is not configured to use an ACL file. You may want to specify users via the ACL ` +
      `SETUSER command and then issue a CONFIG REWRITE (assuming you have a ${name}configuration file set) in ` +
      `order to store users in the ${name}configuration.`,
  );
}

function load(call: Call): void {
  const { engine, reply, table } = call;
  needAclFile(engine);
  const faults = loadAclFile(engine, table);
  if (faults !== "") fail(`ERR ${faults}`);
  reply.ok();
}

function save({ engine, reply }: Call): void {
  needAclFile(engine);
  const reason = saveAclFile(engine);
  if (reason !== "") {
    engine.log("warning", `ACL SAVE failed: ${engine.settings.values.aclfile}: ${reason}`);
    fail(SAVE_FAILED);
  }
  reply.ok();
}
