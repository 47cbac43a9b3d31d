/**
 * The rules of ACL SETUSER, of `user` lines and of the ACL file: each changes one user. Rules are latin1 text. Names of
 * commands come from the command table.
 */
import { fromLatin1 } from "../core/bytes.ts";
import { sha256Hex } from "../core/sha256.ts";
import { CATEGORIES, categoriesOf } from "../dispatch/categories.ts";
import type { Command, CommandTable } from "../dispatch/registry.ts";
import { Access, Pattern, Selector, User } from "../engine/user.ts";
import { splitWords } from "../settings/config_file.ts";

const faults = {
  unknown: "Unknown command or category name in ACL",
  syntax: "Syntax error",
  keyAfterAll: "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any " +
    "effect. Try 'resetkeys' to start with an empty list of patterns",
  channelAfterAll: "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have " +
    "any effect. Try 'resetchannels' to start with an empty list of channels",
  noPassword: "The password you are trying to remove from the user does not exist",
  badHash: "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
  database: "The provided database ID is out of range",
  subcommandArgument: "Allowing first-arg of a subcommand is not supported",
} as const;

/**
 * Commands of Redis that MemDB does not have. Rules about them are kept, so that users can move between servers, but
 * permit nothing.
 */
const ABSENT: ReadonlySet<string> = new Set([
  ..."asking cluster failover migrate module psync readonly readwrite replconf replicaof restore-asking".split(" "),
  ..."slaveof sync trimslots vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange".split(" "),
  ..."vrem vsetattr vsim".split(" "),
]);

/** A rule that cannot be applied; the message is Redis's reason. */
export class RuleError extends Error {
  override name = "RuleError";

  constructor(readonly fault: keyof typeof faults) {
    super(faults[fault]);
  }
}

/** A selector's parentheses, spread over several arguments, do not close. The message shows where it begins. */
export class UnmatchedError extends Error {
  override name = "UnmatchedError";

  constructor(begin: string) {
    super(`Unmatched parenthesis in acl selector starting at '${begin}'.`);
  }
}

/** Whether a name or pattern contains blanks or zero bytes, which lines of files could not hold. */
export function hasBlanks(text: string): boolean {
  return /[ \t-\r\0]/.test(text);
}

/** Joins the arguments of a selector: "(", ..., ")" become one argument. Throws UnmatchedError. */
export function joinSelectors(args: readonly string[]): string[] {
  const joined: string[] = [];
  let open: string[] | undefined;
  for (const arg of args) {
    if (open !== undefined) open.push(arg);
    else if (arg.startsWith("(") && !arg.endsWith(")")) open = [arg];
    else joined.push(arg);
    if (open !== undefined && open.length > 1 && arg.endsWith(")")) {
      joined.push(open.join(" "));
      open = undefined;
    }
  }
  if (open !== undefined) throw new UnmatchedError(open[0]);
  return joined;
}

/** Applies rules to users. */
export class Rules {
  readonly #table: CommandTable;
  readonly #allChannels: boolean;

  /** `allChannels` says whether a new selector permits all channels: acl-pubsub-default. */
  constructor(table: CommandTable, allChannels: boolean) {
    this.#table = table;
    this.#allChannels = allChannels;
  }

  newUser(name: string): User {
    return new User(name, this.#allChannels);
  }

  /** Applies one rule. Throws RuleError, and the user is then unchanged. */
  apply(user: User, rule: string): void {
    if (rule === "") return;
    const [sign] = rule, rest = rule.slice(1);
    if (sign === ">" || sign === "#") return addPassword(user, digestOf(sign, rest));
    if (sign === "<" || sign === "!") return removePassword(user, digestOf(sign, rest));
    if (sign === "(" && rule.endsWith(")")) {
      user.selectors = [...user.selectors, this.#selector(rule.slice(1, -1))];
      return;
    }
    switch (rule.toLowerCase()) {
      case "on":
        user.enabled = true;
        break;
      case "off":
        user.enabled = false;
        break;
      case "skip-sanitize-payload":
        user.skipsSanitizing = true;
        break;
      case "sanitize-payload":
        user.skipsSanitizing = false;
        break;
      case "nopass":
        user.noPassword = true;
        user.passwords = [];
        break;
      case "resetpass":
        user.noPassword = false;
        user.passwords = [];
        break;
      case "clearselectors":
        user.selectors = [user.root];
        break;
      case "reset":
        user.take(this.newUser(user.name));
        break;
      default:
        this.#change(user.root, rule);
    }
  }

  #selector(text: string): Selector {
    const selector = new Selector(this.#allChannels);
    // As in Redis, a zero byte ends the text.
    for (const rule of splitWords(text.split("\0")[0]) ?? []) this.#change(selector, rule);
    return selector;
  }

  /** Applies a rule about commands, keys or channels. */
  #change(selector: Selector, rule: string): void {
    switch (rule.toLowerCase()) {
      case "allkeys":
      case "~*":
        selector.allKeys = true;
        selector.keys = [];
        return;
      case "resetkeys":
        selector.allKeys = false;
        selector.keys = [];
        return;
      case "allchannels":
      case "&*":
        selector.allChannels = true;
        selector.channels = [];
        return;
      case "resetchannels":
        selector.allChannels = false;
        selector.channels = [];
        return;
      case "alldbs":
        selector.databases = undefined;
        return;
      case "resetdbs":
        selector.databases = [];
        return;
      case "allcommands":
      case "+@all":
        return permitAll(selector, true);
      case "nocommands":
      case "-@all":
        return permitAll(selector, false);
    }
    if (/^db=/i.test(rule)) {
      selector.databases = databasesOf(rule.slice(3));
      return;
    }
    const [sign] = rule;
    if ((sign === "+" || sign === "-") && ABSENT.has(rule.slice(1).split("|")[0].toLowerCase())) {
      return remember(selector, rule.toLowerCase());
    }
    if (sign === "~" || sign === "%") addKeys(selector, rule);
    else if (sign === "&") addChannels(selector, rule.slice(1));
    else if (sign === "+" && !rule.startsWith("+@")) this.#add(selector, rule.slice(1));
    else if (sign === "-" && !rule.startsWith("-@")) {
      const command = this.#table.named(rule.slice(1)) ?? failRule("unknown");
      permit(selector, command, false);
      remember(selector, `-${command.fullName}`);
    } else if (sign === "+" || sign === "-") this.#category(selector, rule.toLowerCase());
    else failRule("syntax");
  }

  #add(selector: Selector, name: string): void {
    const bar = name.lastIndexOf("|");
    const command = this.#table.named(bar < 0 ? name : name.slice(0, bar)) ?? failRule("unknown");
    if (bar < 0) {
      permit(selector, command, true);
      return remember(selector, `+${command.fullName}`);
    }
    if (command.parent !== undefined) failRule("subcommandArgument");
    const word = name.slice(bar + 1).toLowerCase();
    if (word === "") failRule("syntax");
    if (command.subcommands.length > 0) {
      permit(selector, this.#table.named(name) ?? failRule("unknown"), true);
    } else {
      const words = selector.firstArguments.get(command.id) ?? [];
      if (!words.includes(word)) selector.firstArguments.set(command.id, [...words, word]);
    }
    remember(selector, `+${name.toLowerCase()}`);
  }

  #category(selector: Selector, rule: string): void {
    const category = rule.slice(2), permitted = rule.startsWith("+");
    if (!CATEGORIES.some((name) => name === category)) failRule("unknown");
    remember(selector, rule);
    for (const command of this.#table.all()) {
      if (categoriesOf(command.spec).includes(category)) permit(selector, command, permitted);
    }
  }
}

function failRule(fault: keyof typeof faults): never {
  throw new RuleError(fault);
}

/** The SHA-256 of the password that a rule names in clear (< and >) or as that (# and !). */
function digestOf(sign: string, rest: string): string {
  if (sign === "<" || sign === ">") return sha256Hex(fromLatin1(rest));
  return /^[0-9a-f]{64}$/.test(rest) ? rest : failRule("badHash");
}

function addPassword(user: User, digest: string): void {
  if (!user.passwords.includes(digest)) user.passwords = [...user.passwords, digest];
  user.noPassword = false;
}

function removePassword(user: User, digest: string): void {
  if (!user.passwords.includes(digest)) failRule("noPassword");
  user.passwords = user.passwords.filter((each) => each !== digest);
}

function permitAll(selector: Selector, permitted: boolean): void {
  selector.commands.fill(permitted ? -1 : 0);
  selector.allCommands = selector.futureCommands = permitted;
  selector.firstArguments.clear();
  selector.rules = [];
}

/** Permits or excludes a command with its subcommands. */
function permit(selector: Selector, command: Command, permitted: boolean): void {
  const { id, subcommands } = command;
  if (permitted) {
    selector.commands[id >>> 5] |= 1 << (id & 31);
  } else {
    selector.commands[id >>> 5] &= ~(1 << (id & 31));
    selector.allCommands = false;
  }
  selector.firstArguments.delete(id);
  for (const subcommand of subcommands) permit(selector, subcommand, permitted);
}

/** Adds a rule about commands behind the others, instead of earlier ones about the same command or its subcommands. */
function remember(selector: Selector, rule: string): void {
  const name = rule.slice(1);
  const others = selector.rules.filter((each) => each.slice(1) !== name && !each.slice(1).startsWith(`${name}|`));
  selector.rules = [...others, rule];
}

/** The databases of a rule, "0,2": ascending, each once. */
function databasesOf(list: string): number[] {
  const databases = list.split(",").map((text) => /^\s*[-+]?\d+$/.test(text) ? Number(text) : failRule("syntax"));
  if (databases.some((index) => index < 0 || index >= 2 ** 31 - 1)) failRule("database");
  return [...new Set(databases)].sort((a, b) => a - b);
}

function addKeys(selector: Selector, rule: string): void {
  if (selector.allKeys) failRule("keyAfterAll");
  const [whole, letters, text] = /^(?:~|%([RW]{1,2})(?:~|$))([^]*)$/i.exec(rule) ?? failRule("syntax");
  const access = whole.startsWith("~") ? Access.ALL : accessOf(letters.toUpperCase());
  if (hasBlanks(text)) failRule("syntax");
  const present = selector.keys.find(({ pattern }) => pattern.text === text);
  if (present === undefined) {
    selector.keys = [...selector.keys, { pattern: new Pattern(text), access }];
    return;
  }
  const wider = { pattern: present.pattern, access: present.access | access };
  selector.keys = selector.keys.map((each) => each === present ? wider : each);
}

function accessOf(letters: string): number {
  if (letters === "R") return Access.READ;
  if (letters === "W") return Access.WRITE;
  return letters === "RW" || letters === "WR" ? Access.ALL : failRule("syntax");
}

function addChannels(selector: Selector, text: string): void {
  if (selector.allChannels) failRule("channelAfterAll");
  if (hasBlanks(text)) failRule("syntax");
  if (!selector.channels.some((channel) => channel.text === text)) {
    selector.channels = [...selector.channels, new Pattern(text)];
  }
}
