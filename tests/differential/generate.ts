/**
 * Random commands, generated from the table: the syntax of each command gives well-formed calls, with the values of
 * values.ts. Some of the calls are then damaged: words are removed, doubled, swapped, replaced.
 */
import type { CommandSpec } from "../../src/dispatch/spec.ts";
import { type Argument, argumentsOf } from "../../src/dispatch/syntax.ts";
import { commandTable } from "../../src/commands/table.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { oneIn, pick } from "../helpers/property.ts";
import { key, STRINGS, value } from "./values.ts";

/** Commands that block, or that end, change or observe the connection or the server instead of working on data. */
const LEFT_OUT = new RegExp(
  "^(shutdown|commandlog|hotkeys|monitor|quit|hello|auth|reset|info|time|debug|config|slowlog|latency|memory|lolwut|role|acl|spop|" +
    "client\\|(capa|import-source|kill|list|reply|pause|unpause|unblock|tracking|no-evict|no-touch|setname|setinfo)|bgsave|save|bgrewriteaof|" +
    "lastsave|replicaof|slaveof|sync|psync|replconf|failover|module|cluster|command|swapdb|migrate|wait|waitaof|" +
    "dump|restore|restore-asking|pfselftest)(\\||$)",
);
const GROUPS_LEFT_OUT: readonly string[] = ["pubsub", "scripting"];
/** Commands that block only with an option, which is left out. */
const READS: readonly string[] = ["xread", "xreadgroup"];

interface Candidate {
  readonly words: readonly string[];
  readonly spec: CommandSpec;
  readonly args: readonly Argument[];
}

function candidatesOf(spec: CommandSpec, parent?: CommandSpec): Candidate[] {
  const name = parent === undefined ? spec.name : `${parent.name}|${spec.name}`;
  const blocks = spec.flags.includes("blocking") && !READS.includes(name);
  if (LEFT_OUT.test(name) || GROUPS_LEFT_OUT.includes(spec.group) || blocks) return [];
  const words = parent === undefined ? [spec.name] : [parent.name, spec.name];
  const own = spec.handler === undefined ? [] : [{ words, spec, args: argumentsOf(spec.syntax, spec.types) }];
  return [...own, ...(spec.subcommands ?? []).flatMap((sub) => candidatesOf(sub, spec))];
}

/** The commands of Valkey alone. */
const VALKEYS: readonly string[] = ["delifeq"];
/** The commands that Valkey's random commands need around those of its own, and that are the same in all servers. */
const WITH_VALKEYS: readonly string[] = ["mset", "get", "rpush", "del", "type"];

const all = commandTable.filter(({ byDocumentation }) => !byDocumentation).flatMap((spec) => candidatesOf(spec));
/** The names of the random commands: "get", "client|list". */
export const generatedNames: ReadonlySet<string> = new Set(all.map(({ words }) => words.join("|")));
const candidates = all.filter(({ spec }) => !VALKEYS.includes(spec.name));
const groups = [...new Set(candidates.map(({ spec }) => spec.group))];
const writers = candidates.filter(({ spec }) => spec.flags.includes("write") && !/^(flush|del|unlink)/.test(spec.name));
const tokens = [...new Set(candidates.flatMap(({ args }) => tokensOf(args)))];
const ofValkey = all.filter(({ spec }) => VALKEYS.includes(spec.name));
const withValkeys = all.filter(({ spec }) => WITH_VALKEYS.includes(spec.name));

function tokensOf(args: readonly Argument[]): string[] {
  return args.flatMap((arg) => [...arg.token === undefined ? [] : [arg.token], ...tokensOf(arg.arguments ?? [])]);
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

/** Damages a call. Numbers that could become deadlines keep their positions. */
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
 * Whether Redis's reply is not predictable or has a fault that MemDB does not repeat: SORT BY … STORE keeps equal
 * weights in the order of Redis's hash table, LSET truncates its index to 32 bits, SET with GET and a bad digest has
 * two replies, and the last bit of the distances that geo searches store depends on the C library. GT and LT compare a
 * time from now with an older one, which may be the same. HSETEX with a time and the same field twice crashes Redis if
 * the hash is large.
 */
function isUnpredictable(words: readonly string[]): boolean {
  const has = (token: string) => words.some((word) => word.toUpperCase() === token);
  return has("SORT") && has("BY") && has("STORE") ||
    has("LSET") && Math.abs(Number(words[2])) >= 2 ** 31 ||
    has("SET") && has("GET") && (has("IFDEQ") || has("IFDNE")) ||
    has("AGGREGATE") && has("COUNT") ||
    has("HSETEX") && new Set(words.slice(2)).size < words.length - 2 ||
    /^h?p?expire$/i.test(words[0] ?? "") && (has("GT") || has("LT")) ||
    has("STOREDIST");
}

/** A random command out of some of the commands. */
function randomCommand(random: SeededRandom, some: readonly Candidate[]): string[] {
  for (;;) {
    const words = anyCommand(random, pick(random, some));
    if (!isUnpredictable(words)) return words;
  }
}

function anyCommand(random: SeededRandom, candidate: Candidate): string[] {
  // Commands that empty the database are rare, because the others need data.
  if (candidate.spec.name.startsWith("flush") && !oneIn(random, 10)) candidate = pick(random, writers);
  const { spec, args } = candidate;
  const words = [...candidate.words];
  write(random, spec, args, words);
  if (oneIn(random, 4)) damage(random, spec, words);
  if (READS.includes(spec.name)) return words.filter((word) => !/^block$/i.test(word));
  // The clocks of the servers differ.
  if (spec.name === "xadd") return words.map((word) => word === "*" ? "5-*" : word);
  if (oneIn(random, 3)) words[0] = words[0].toUpperCase();
  return words;
}

/** `count` random commands, half of them of one group, so that they work on the same keys. */
export function randomCommands(random: SeededRandom, count: number): string[][] {
  const group = pick(random, groups);
  const theme = candidates.filter(({ spec }) => spec.group === group);
  return Array.from({ length: count }, () => {
    if (oneIn(random, 2)) return randomCommand(random, theme);
    return randomCommand(random, oneIn(random, 2) ? writers : candidates);
  });
}

/** `count` random commands for a comparison with Valkey. */
export function valkeyCommands(random: SeededRandom, count: number): string[][] {
  return Array.from({ length: count }, () => randomCommand(random, oneIn(random, 2) ? ofValkey : withValkeys));
}

/** Scripts that run the command in their keys and arguments. */
const CALLING: readonly string[] = [
  "return redis.call(unpack(ARGV))",
  "return redis.pcall(unpack(ARGV))",
  "redis.setresp(3) return redis.call(unpack(ARGV))",
  "redis.setresp(3) return redis.pcall(unpack(ARGV))",
  "local ok, reply = pcall(redis.call, unpack(ARGV)) return ok and reply or {err = reply}",
  "local reply = redis.pcall(unpack(ARGV)) return {type(reply), reply}",
  "redis.setresp(3) local reply = redis.pcall(unpack(ARGV)) return {reply, type(reply)}",
  "return cmsgpack.unpack(cmsgpack.pack(redis.call(unpack(ARGV))))",
  "redis.setresp(3) return cmsgpack.unpack(cmsgpack.pack(redis.call(unpack(ARGV))))",
  "#!lua\nreturn redis.call(unpack(ARGV))",
  "#!lua flags=no-writes\nreturn redis.call(unpack(ARGV))",
  "local words = {unpack(KEYS)} for _, word in ipairs(ARGV) do table.insert(words, word) end " +
  "return redis.call(unpack(words))",
];

/** randomCommands, most of them called by a script. */
export function calledCommands(random: SeededRandom, count: number): string[][] {
  return randomCommands(random, count).map((words) => {
    if (oneIn(random, 4)) return words;
    const script = pick(random, CALLING);
    const keys = script.includes("KEYS") ? random.below(words.length + 1) : 0;
    return [oneIn(random, 10) ? "EVAL_RO" : "EVAL", script, String(keys), ...words];
  });
}

/** Puts a command between a WATCH of its keys and a transaction, whose reply shows whether the command changed them. */
function watched(words: string[]): string[][] {
  const keys = [...new Set(words.slice(1).filter((word) => /^\w{3}:/.test(word)))];
  return keys.length === 0 ? [words] : [["WATCH", ...keys], words, ["MULTI"], ["PING"], ["EXEC"]];
}

/** randomCommands, each between a WATCH and a transaction if it names keys. */
export function watchedCommands(random: SeededRandom, count: number): string[][] {
  return randomCommands(random, count).flatMap(watched);
}
