/**
 * Random commands, derived from the table: for each command its syntax gives well-formed calls, with values from pools that
 * lie where commands change their mind (empty, negative, just beyond a limit, no number, binary). A part of the calls is
 * then damaged: words left out, doubled, exchanged, replaced.
 */
import type { CommandSpec } from "../../src/commands/spec.ts";
import { type Argument, argumentsOf } from "../../src/commands/syntax.ts";
import { commandTable } from "../../src/commands/table.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { oneIn, pick } from "../helpers/property.ts";

/** Commands that end, change or observe the connection or the server rather than data, or wait. */
const LEFT_OUT = new RegExp(
  "^(shutdown|monitor|quit|hello|auth|reset|info|time|debug|config|slowlog|latency|memory|lolwut|role|acl|spop|" +
    "client\\|(kill|reply|pause|unpause|unblock|tracking|no-evict|no-touch|setname|setinfo)|bgsave|save|bgrewriteaof|" +
    "lastsave|replicaof|slaveof|sync|psync|replconf|failover|module|cluster|command|swapdb|migrate|wait|waitaof|" +
    "dump|restore|restore-asking|pfselftest)(\\||$)",
);
const GROUPS_LEFT_OUT: readonly string[] = ["pubsub", "scripting", "transactions"];

interface Candidate {
  readonly words: readonly string[];
  readonly spec: CommandSpec;
  readonly args: readonly Argument[];
}

function candidatesOf(spec: CommandSpec, parent?: CommandSpec): Candidate[] {
  const name = parent === undefined ? spec.name : `${parent.name}|${spec.name}`;
  if (LEFT_OUT.test(name) || GROUPS_LEFT_OUT.includes(spec.group) || spec.flags.includes("blocking")) return [];
  const words = parent === undefined ? [spec.name] : [parent.name, spec.name];
  const own = spec.handler === undefined ? [] : [{ words, spec, args: argumentsOf(spec.syntax, spec.types) }];
  return [...own, ...(spec.subcommands ?? []).flatMap((sub) => candidatesOf(sub, spec))];
}

const candidates = commandTable.flatMap((spec) => candidatesOf(spec));
const writers = candidates.filter(({ spec }) => spec.flags.includes("write") && !/^(flush|del|unlink)/.test(spec.name));
const tokens = [...new Set(candidates.flatMap(({ args }) => tokensOf(args)))];

function tokensOf(args: readonly Argument[]): string[] {
  return args.flatMap((arg) => [...arg.token === undefined ? [] : [arg.token], ...tokensOf(arg.arguments ?? [])]);
}

const KEYS = "abcdef";
// deno-fmt-ignore
const STRINGS = [
  "", "a", "b", "abc", "hello world", "0", "1", "-1", "10", "3.5", "1e3", "9223372036854775807",
  "-9223372036854775808", "\x00\xff\r\n", "caf\xc3\xa9", "x".repeat(70), "y".repeat(3000), " 1", "01", "nan",
  "inf",
];
// deno-fmt-ignore
const INTEGERS = [
  "0", "1", "2", "3", "5", "-1", "-2", "-100", "100", "10000", "2147483648", "4294967296", "9223372036854775807",
  "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "", "a", "1.5", " 1", "+1", "007", "1e2",
];
/** Without -0: whether Redis keeps its sign depends on what happened to the set before. */
// deno-fmt-ignore
const DOUBLES = [
  "0", "1", "-1", "1.5", "3.0e3", "inf", "-inf", "+inf", "nan", "1e400", "(1", "", "x", " 2", "1e-5",
  "123456789.123456789",
];
const PATTERNS = ["*", "a*", "?", "[a-c]*", "", "*b", "[^a]", "\\*", "str:*"];
/** Deadlines lie behind or far ahead: what expires meanwhile would expire on the two servers at two moments. */
// deno-fmt-ignore
const SECONDS = [
  "0", "-1", "1000", "100000", "99999999999", "9223372036854775807", "-9223372036854775808", "abc", "", "1.5",
];
// deno-fmt-ignore
const MILLISECONDS = [
  "0", "-1", "1000000", "100000000", "9223372036854775807", "-9223372036854775808", "abc", "", "1.5",
];
/** The year 2100. */
const FAR_S = "4102444800", FAR_MS = "4102444800000";
const UNIX_SECONDS = ["0", "-1", "1", FAR_S, "99999999999999", "9223372036854775807", "abc", ""];
const UNIX_MILLISECONDS = ["0", "-1", "1", FAR_MS, "9223372036854775807", "abc", ""];
/** Counts of elements of what follows. */
const SMALL = ["1", "2", "3", "0", "-1", "x"];

/** A key: mostly of the command's group, so that there is something of its type. */
function key(random: SeededRandom, spec: CommandSpec): string {
  const groups = ["string", "list", "hash", "set", "sorted-set", "generic"];
  const group = oneIn(random, 5) ? pick(random, groups) : spec.group === "generic" ? pick(random, groups) : spec.group;
  return oneIn(random, 60) ? "" : `${group.slice(0, 3)}:${pick(random, [...KEYS])}`;
}

function value(random: SeededRandom, spec: CommandSpec, { name, type, token }: Argument): string {
  switch (type) {
    case "key":
      return key(random, spec);
    case "integer":
      if (/^(num|numkeys|numfields)/.test(name)) return pick(random, SMALL);
      if (/second/.test(name) || token === "EX") return pick(random, /milli/.test(name) ? MILLISECONDS : SECONDS);
      if (/milli|^ms$/.test(name) || token === "PX") return pick(random, MILLISECONDS);
      return oneIn(random, 2) ? pick(random, SMALL) : pick(random, INTEGERS);
    case "double":
      return pick(random, DOUBLES);
    case "unix-time":
      // A string that is set with a deadline in the past stays until somebody comes by.
      if (spec.group === "string") return pick(random, ["0", "-1", "abc", /milli/.test(name) ? FAR_MS : FAR_S]);
      return pick(random, /milli/.test(name) ? UNIX_MILLISECONDS : UNIX_SECONDS);
    case "pattern":
      return pick(random, PATTERNS);
    default:
      return oneIn(random, 3) ? pick(random, INTEGERS) : pick(random, STRINGS);
  }
}

/** Appends the words of well-formed arguments. */
function write(random: SeededRandom, spec: CommandSpec, args: readonly Argument[], words: string[]): void {
  for (const arg of args) {
    if (arg.optional && random.below(3) !== 0) continue;
    const times = arg.multiple ? 1 + random.below(4) : 1;
    for (let i = 0; i < times; i++) {
      if (arg.token !== undefined && (i === 0 || arg.multipleToken)) words.push(arg.token);
      if (arg.type === "oneof") write(random, spec, [pick(random, arg.arguments!)], words);
      else if (arg.type === "block") write(random, spec, arg.arguments!, words);
      else if (arg.type !== "pure-token") words.push(value(random, spec, arg));
    }
  }
}

/** Damages a call. Numbers that could become deadlines stay where they are. */
function damage(random: SeededRandom, spec: CommandSpec, words: string[]): void {
  const at = 1 + random.below(Math.max(1, words.length - 1));
  switch (random.below(7)) {
    case 0:
      words.splice(at, 1);
      break;
    case 1:
      words.splice(at);
      break;
    case 2:
      words.splice(at, 0, words[at] ?? "x");
      break;
    case 3:
      words.push(pick(random, tokens));
      break;
    case 4:
      words[at] = pick(random, STRINGS.filter((text) => !/^[1-9]/.test(text)));
      break;
    case 5:
      words.splice(at, 0, pick(random, tokens));
      break;
    case 6:
      words[at] = key(random, spec);
      break;
  }
}

/**
 * Whether Redis's own reply is not worth having: it stores what it sorted by equal weights in the order of its hash table,
 * cuts the index of LSET to 32 bits, and reads behind the arguments of HGETEX and HSETEX when FIELDS is the last of them.
 * Some operations of BITOP are younger than Redis 8.0.
 */
function isUnpredictable(words: readonly string[]): boolean {
  const has = (token: string) => words.some((word) => word.toUpperCase() === token);
  return has("SORT") && has("BY") && has("STORE") ||
    has("LSET") && Math.abs(Number(words[2])) >= 2 ** 31 ||
    (has("HGETEX") || has("HSETEX")) && words.at(-1)!.toUpperCase() === "FIELDS" ||
    has("BITOP") && ["DIFF", "DIFF1", "ANDOR", "ONE"].some(has);
}

/** One command at random. */
export function randomCommand(random: SeededRandom): string[] {
  for (;;) {
    const words = anyCommand(random);
    if (!isUnpredictable(words)) return words;
  }
}

function anyCommand(random: SeededRandom): string[] {
  let candidate = pick(random, oneIn(random, 2) ? writers : candidates);
  // What empties the database leaves the others little to do.
  if (candidate.spec.name.startsWith("flush") && !oneIn(random, 10)) candidate = pick(random, writers);
  const { spec, args } = candidate;
  const words = [...candidate.words];
  write(random, spec, args, words);
  if (oneIn(random, 4)) damage(random, spec, words);
  if (oneIn(random, 3)) words[0] = words[0].toUpperCase();
  return words;
}

/** `count` commands at random. */
export function randomCommands(random: SeededRandom, count: number): string[][] {
  return Array.from({ length: count }, () => randomCommand(random));
}
