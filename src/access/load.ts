/**
 * Users from files: the `user` lines of a config file at the start, and the ACL file for the start, ACL LOAD and ACL
 * SAVE. A file with any fault changes no user.
 */
import { resolve } from "node:path";
import { fromLatin1, fromUtf8, latin1, utf8 } from "../core/bytes.ts";
import { reasonOf } from "../core/io_error.ts";
import type { CommandTable } from "../dispatch/registry.ts";
import type { Engine } from "../engine/engine.ts";
import type { User } from "../engine/user.ts";
import { type FileEntry, replaceFile } from "../settings/config_file.ts";
import { userLine, userRules } from "./describe.ts";
import { hasBlanks, joinSelectors, RuleError, Rules } from "./rules.ts";

/** The rules of an engine with its setting for new users. */
export function rulesOf({ settings }: Engine, table: CommandTable): Rules {
  return new Rules(table, settings.values.aclPubsubDefault === "allchannels");
}

/** A user of a config file: the name, then the rules. */
export interface UserLine {
  /** "memdb.conf, line 2: ", the beginning of a message. */
  readonly where: string;
  readonly words: readonly string[];
}

/** Adds the users of a config file. Returns one sentence for each fault; users with faults are not added. */
export function addUserLines(engine: Engine, table: CommandTable, lines: readonly UserLine[]): string[] {
  const rules = rulesOf(engine, table), problems: string[] = [], seen = new Set<string>();
  for (const { where, words } of lines) {
    const [name, ...args] = words.map((word) => latin1(utf8(word)));
    if (seen.has(name)) {
      problems.push(`${where}Duplicate user '${name}' found. A user can only be defined once in config files`);
      continue;
    }
    seen.add(name);
    if (hasBlanks(name)) {
      problems.push(`${where}the name of a user must not contain blanks`);
      continue;
    }
    const user = rules.newUser(name);
    const fault = firstFault(rules, user, args);
    if (fault === "") engine.users.put(user);
    else problems.push(`${where}user '${name}': ${fault}`);
  }
  return problems;
}

/** Applies rules up to the first fault. Returns it without showing passwords, or "". */
function firstFault(rules: Rules, user: User, args: readonly string[]): string {
  let rule = "";
  try {
    for (rule of joinSelectors(args)) rules.apply(user, rule);
    return "";
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error instanceof RuleError ? `${error.message} ('${shownRule(rule)}')` : error.message;
  }
}

/** A rule without the password that it may hold. */
function shownRule(rule: string): string {
  return /^[<>#!]/.test(rule) ? `${rule[0]}...` : rule;
}

/** The path of the ACL file, which is relative to dir. */
function pathOf({ settings: { values } }: Engine): string {
  return resolve(values.dir, values.aclfile);
}

/** Reads the ACL file in place of all users. Returns Redis's line with all faults, and nothing has changed; else "". */
export function loadAclFile(engine: Engine, table: CommandTable): string {
  const path = engine.settings.values.aclfile;
  let text: string;
  try {
    text = latin1(Deno.readFileSync(pathOf(engine)));
  } catch (error) {
    return `Error loading ACLs, opening file '${path}': ${reasonOf(error)}`;
  }
  const rules = rulesOf(engine, table), users = new Map<string, User>();
  let faults = "";
  for (const [i, line] of text.split("\n").entries()) {
    // As in Redis, blanks separate words and quotes are ordinary characters.
    const [keyword, name, ...args] = line.replace(/^[ \t\r]+|[ \t\r]+$/g, "").split(" ");
    const where = `${path}:${i + 1}`;
    if (keyword === "" && name === undefined) continue;
    if (keyword !== "user" || name === undefined) {
      faults += `${where} should start with user keyword followed by the username. `;
    } else if (hasBlanks(name)) {
      faults += `'${where}: username '${name}' contains invalid characters. `;
    } else if (users.has(name)) {
      faults += `WARNING: Duplicate user '${name}' found on line ${i + 1}. `;
    } else {
      const user = rules.newUser(name);
      users.set(name, user);
      faults += faultsOf(rules, user, args, where);
    }
  }
  if (faults !== "") {
    return `${faults}WARNING: ACL errors detected, no change to the previously active ACL rules was performed`;
  }
  engine.users.replace([...users.values()]);
  return "";
}

/** Applies the rules of a line. All unknown names are faults, and the first other fault. */
function faultsOf(rules: Rules, user: User, args: readonly string[], where: string): string {
  let joined: string[];
  try {
    joined = joinSelectors(args);
  } catch {
    return `${where}: Unmatched parenthesis in selector definition.`;
  }
  let faults = "", other = false;
  for (const rule of joined) {
    try {
      rules.apply(user, rule.replace(/^[\t\r\n]+|[\t\r\n]+$/g, ""));
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      if (error.fault === "unknown") {
        faults += `${where}: Error in applying operation '${rule}': ${error.message}. `;
      } else if (!other) {
        faults += `${where}: ${error.message}. `;
        other = true;
      }
    }
  }
  return faults;
}

/** Writes all users to the ACL file. Returns the reason of a failure, or "". */
export function saveAclFile(engine: Engine): string {
  const lines = engine.users.all().map((user) => `${userLine(user, engine.identity.personality)}\n`);
  try {
    replaceFile(pathOf(engine), fromLatin1(lines.join("")), 0o600);
    return "";
  } catch (error) {
    return reasonOf(error);
  }
}

/** The users as lines of a config file; none if an ACL file holds them. */
export function userEntry({ identity, settings, users }: Engine): FileEntry {
  const name = "user";
  if (settings.values.aclfile !== "") return { name, lines: [], isDefault: true };
  const all = users.all();
  const lines = all.map((user) => fromUtf8(fromLatin1(`${user.name} ${userRules(user, identity.personality)}`)));
  return { name, lines, isDefault: all.length === 1 && users.followsPassword };
}
