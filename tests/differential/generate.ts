/**
 * Random commands, generated from the table: the syntax of each command gives well-formed calls, with the values of
 * values.ts. Some of the calls are then damaged: words are removed, doubled, swapped, replaced.
 */
import type { Personality } from "../../src/core/personality.ts";
import { type CommandSpec, specFor } from "../../src/dispatch/spec.ts";
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
  /** Options that only the other server has, and that MemDB takes too. */
  readonly foreign: ReadonlySet<string>;
}

/** The options of a command that the other server alone has. */
function foreignTokens(redis: CommandSpec, personality: Personality): ReadonlySet<string> {
  const own = specFor(redis, personality), other = specFor(redis, personality === "redis" ? "valkey" : "redis");
  const known = new Set(tokensOf(argumentsOf(own.syntax, own.types)));
  return new Set(tokensOf(argumentsOf(other.syntax, other.types)).filter((token) => !known.has(token)));
}

/** Whether the server of a personality has the command of a request, and all of its options. */
export function isKnownTo(personality: Personality, words: readonly string[]): boolean {
  const spec = commandTable.find(({ name }) => name === words[0].toLowerCase());
  if (spec === undefined) return true;
  const foreign = foreignTokens(spec, personality);
  return (spec.only ?? personality) === personality && !words.some((word) => foreign.has(word.toUpperCase()));
}

function candidatesOf(redis: CommandSpec, personality: Personality, parent?: CommandSpec): Candidate[] {
  if ((redis.only ?? personality) !== personality) return [];
  const spec = specFor(redis, personality);
  const name = parent === undefined ? spec.name : `${parent.name}|${spec.name}`;
  const blocks = spec.flags.includes("blocking") && !READS.includes(name);
  if (LEFT_OUT.test(name) || GROUPS_LEFT_OUT.includes(spec.group) || blocks) return [];
  const words = parent === undefined ? [spec.name] : [parent.name, spec.name];
  const args = argumentsOf(spec.syntax, spec.types);
  const own = spec.handler === undefined ? [] : [{ words, spec, args, foreign: foreignTokens(redis, personality) }];
  return [...own, ...(redis.subcommands ?? []).flatMap((sub) => candidatesOf(sub, personality, spec))];
}

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
function damage(random: SeededRandom, spec: CommandSpec, words: string[], tokens: readonly string[]): void {
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
    // Valkey takes a key of this name for the word.
    /^h[gs]etex$/i.test(words[0]) && /^fields$/i.test(words[1] ?? "") ||
    // MemDB takes Valkey's form without an end under both personalities.
    has("BITCOUNT") && words.length === 3 ||
    has("LSET") && Math.abs(Number(words[2])) >= 2 ** 31 ||
    has("SET") && has("GET") && (has("IFDEQ") || has("IFDNE")) ||
    has("AGGREGATE") && has("COUNT") ||
    has("HSETEX") && new Set(words.slice(2)).size < words.length - 2 ||
    /^h?p?expire$/i.test(words[0] ?? "") && (has("GT") || has("LT")) ||
    has("STOREDIST");
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

/** Puts a command between a WATCH of its keys and a transaction, whose reply shows whether the command changed them. */
function watched(words: string[]): string[][] {
  const keys = [...new Set(words.slice(1).filter((word) => /^\w{3}:/.test(word)))];
  return keys.length === 0 ? [words] : [["WATCH", ...keys], words, ["MULTI"], ["PING"], ["EXEC"]];
}

/** Random commands as the server of a personality has them. */
export class Generator {
  readonly #candidates: readonly Candidate[];
  readonly #groups: readonly string[];
  readonly #writers: readonly Candidate[];
  readonly #tokens: readonly string[];

  constructor(personality: Personality) {
    const known = commandTable.filter(({ byDocumentation }) => !byDocumentation);
    const candidates = this.#candidates = known.flatMap((spec) => candidatesOf(spec, personality));
    this.#groups = [...new Set(candidates.map(({ spec }) => spec.group))];
    this.#writers = candidates.filter(({ spec }) =>
      spec.flags.includes("write") && !/^(flush|del|unlink)/.test(spec.name)
    );
    this.#tokens = [...new Set(candidates.flatMap(({ args }) => tokensOf(args)))];
  }

  /** The names of the commands: "get", "client|list". */
  get names(): ReadonlySet<string> {
    return new Set(this.#candidates.map(({ words }) => words.join("|")));
  }

  /** A random command out of some of the commands. */
  #command(random: SeededRandom, some: readonly Candidate[]): string[] {
    for (;;) {
      let candidate = pick(random, some);
      // Commands that empty the database are rare, because the others need data.
      if (candidate.spec.name.startsWith("flush") && !oneIn(random, 10)) candidate = pick(random, this.#writers);
      const words = this.#call(random, candidate);
      const isForeign = words.some((word) => candidate.foreign.has(word.toUpperCase()));
      if (!isForeign && !isUnpredictable(words)) return words;
    }
  }

  #call(random: SeededRandom, { words: names, spec, args }: Candidate): string[] {
    const words = [...names];
    write(random, spec, args, words);
    if (oneIn(random, 4)) damage(random, spec, words, this.#tokens);
    if (READS.includes(spec.name)) return words.filter((word) => !/^block$/i.test(word));
    // The clocks of the servers differ.
    if (spec.name === "xadd") return words.map((word) => word === "*" ? "5-*" : word);
    if (oneIn(random, 3)) words[0] = words[0].toUpperCase();
    return words;
  }

  /** `count` random commands, half of them of one group, so that they work on the same keys. */
  commands(random: SeededRandom, count: number): string[][] {
    const group = pick(random, this.#groups);
    const theme = this.#candidates.filter(({ spec }) => spec.group === group);
    return Array.from({ length: count }, () => {
      if (oneIn(random, 2)) return this.#command(random, theme);
      return this.#command(random, oneIn(random, 2) ? this.#writers : this.#candidates);
    });
  }

  /** `commands`, most of them called by a script. */
  calledCommands(random: SeededRandom, count: number): string[][] {
    return this.commands(random, count).map((words) => {
      if (oneIn(random, 4)) return words;
      const script = pick(random, CALLING);
      const keys = script.includes("KEYS") ? random.below(words.length + 1) : 0;
      return [oneIn(random, 10) ? "EVAL_RO" : "EVAL", script, String(keys), ...words];
    });
  }

  /** `commands`, each between a WATCH and a transaction if it names keys. */
  watchedCommands(random: SeededRandom, count: number): string[][] {
    return this.commands(random, count).flatMap(watched);
  }
}
