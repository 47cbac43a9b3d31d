/**
 * Decides when two replies to the same command are equivalent. Replies are compared byte for byte, except where Redis
 * itself would not reply the same twice: there only the kind of the reply counts, or its elements in any order, or
 * numbers within a tolerance. Errors are always compared completely.
 */
import type { Personality } from "../../src/core/personality.ts";
import type { CommandSpec } from "../../src/dispatch/spec.ts";
import { commandTable } from "../../src/commands/table.ts";
import { replyEnd } from "../helpers/wire.ts";

type Comparison = "exact" | "unordered" | "near" | "kind";

/** Exceptions beyond those in the commands' tips. */
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  ttl: "near",
  pttl: "near",
  expiretime: "near",
  pexpiretime: "near",
  httl: "near",
  hpttl: "near",
  hexpiretime: "near",
  hpexpiretime: "near",
  "object|idletime": "near",
  keys: "unordered",
  smembers: "unordered",
  sinter: "unordered",
  sunion: "unordered",
  sdiff: "unordered",
  hgetall: "unordered",
  hkeys: "unordered",
  hvals: "unordered",
  "client|id": "kind",
  "config|get": "unordered",
  // The text is the server's own.
  "command|docs": "kind",
  "command|list": "unordered",
  // The memory of a value depends on the allocator.
  "memory|usage": "kind",
  // The ids that commands get here are given.
  xadd: "exact",
  xtrim: "exact",
  xclaim: "exact",
  xautoclaim: "exact",
  xpending: "exact",
  "xinfo|consumers": "exact",
  lolwut: "kind",
};

/** What is cut out of replies: times, and the size of a structure that only Redis has. */
const MASKS: Readonly<Record<string, readonly RegExp[]>> = {
  // The time since the last delivery stands before the number of deliveries, which may overflow.
  xpending: [/:\d+\r\n(?=:-?\d+\r\n(\*|$))/g],
  xreadgroup: [/:\d+\r\n(?=:-?\d+\r\n(\*|\$|$))/g],
  "xinfo|consumers": [/(?<=idle\r\n):\d+/g, /(?<=inactive\r\n):\d+/g],
  "xinfo|stream": [
    /(?<=(seen|active)-time\r\n):\d+/g,
    /(?<=radix-tree-nodes\r\n):\d+/g,
    /(?<=(pids|iids)-tracked\r\n):\d+/g,
    /:\d{13}(?=\r\n:-?\d+\r\n)/g,
  ],
};

/** The counters of groups, which MemDB keeps as Redis 8.6 does under both personalities. */
const PROGRESS: readonly RegExp[] = [/(?<=(entries-read|lag)\r\n)(:-?\d+|\$-1|_)/g];
const VALKEY_MASKS: typeof MASKS = {
  "xinfo|groups": PROGRESS,
  "xinfo|stream": [...MASKS["xinfo|stream"], ...PROGRESS],
};

/** Tolerance of numbers that depend on the clock: 2 s in ms. */
const NEAR = 2000;

const byName = new Map<string, CommandSpec>();
for (const spec of commandTable) {
  byName.set(spec.name, spec);
  for (const sub of spec.subcommands ?? []) byName.set(`${spec.name}|${sub.name}`, sub);
}

/** The name of the command in a request: "get", "client|list". */
export function commandName(words: readonly string[]): string {
  const name = (words[0] ?? "").toLowerCase();
  const sub = `${name}|${(words[1] ?? "").toLowerCase()}`;
  return byName.has(sub) ? sub : name;
}

function has(words: readonly string[], token: string): boolean {
  return words.some((word) => word.toUpperCase() === token);
}

/** SORT returns elements of equal weight in the order of Redis's hash table, hence this special case. */
function comparisonOf(words: readonly string[]): Comparison {
  const name = commandName(words);
  const tips = byName.get(name)?.tips ?? [];
  if (name.startsWith("sort") && has(words, "BY")) return has(words, "LIMIT") ? "kind" : "unordered";
  if (name in COMPARISONS) return COMPARISONS[name];
  // The lines of HELP are the server's own.
  if (name.endsWith("|help")) return "kind";
  if (tips.includes("nondeterministic_output")) return "kind";
  return tips.includes("nondeterministic_output_order") ? "unordered" : "exact";
}

/** The words of the command that a script of `calledCommands` calls. */
function calledBy(words: readonly string[]): readonly string[] {
  return /^eval(_ro)?$/i.test(words[0] ?? "") ? words.slice(3) : words;
}

/** Whether maps become tables of Lua, whose order depends in Valkey on a seed of its own. */
function hasLuaMaps(request: readonly string[]): boolean {
  return /^eval(_ro)?$/i.test(request[0] ?? "") && (request[1] ?? "").includes("setresp(3)");
}

/** Whether two replies, as RESP text, are equivalent for the command in these words. */
export function sameReplies(
  request: readonly string[],
  one: string,
  other: string,
  personality: Personality = "redis",
): boolean {
  if (one === other) return true;
  const words = calledBy(request);
  if (one[0] !== other[0] || one[0] === "-" || one[0] === "!") return false;
  const name = commandName(words);
  if (personality === "valkey" && hasLuaMaps(request) && comparisonOf(words) !== "kind") {
    const sorted = (reply: string) =>
      elements(masked(reply, VALKEY_MASKS[name] ?? MASKS[name] ?? [])).toSorted().join();
    return sorted(one) === sorted(other);
  }
  const masks = (personality === "valkey" ? VALKEY_MASKS[name] : undefined) ?? MASKS[name];
  if (masks !== undefined) return masked(one, masks) === masked(other, masks);
  switch (comparisonOf(words)) {
    case "exact":
      return false;
    case "kind":
      // A null has a separate type of reply.
      return one.startsWith("$-1") === other.startsWith("$-1") && one.startsWith("*-1") === other.startsWith("*-1");
    case "unordered":
      return elements(one).join("") === elements(other).join("");
    case "near": {
      const [left, right] = [numbersOf(one), numbersOf(other)];
      return left.length === right.length &&
        left.every((n, i) => n === right[i] || (n >= 0 && right[i] >= 0 && Math.abs(n - right[i]) <= NEAR));
    }
  }
}

function masked(reply: string, masks: readonly RegExp[]): string {
  return masks.reduce((text, mask) => text.replace(mask, ""), reply);
}

/** Whether two replies to EXEC are equivalent, given the words of the queued commands. */
export function sameUnits(
  queued: readonly (readonly string[])[],
  one: string,
  other: string,
  personality: Personality,
): boolean {
  if (one === other) return true;
  const ours = unitOf(one), theirs = unitOf(other);
  return ours.length === queued.length && theirs.length === queued.length &&
    queued.every((words, i) => sameReplies(words, ours[i], theirs[i], personality));
}

/** The replies in the array of an EXEC; empty if the reply is not an array. */
function unitOf(reply: string): string[] {
  if (reply[0] !== "*" || reply.startsWith("*-1")) return [];
  const bytes = Uint8Array.from(reply, (c) => c.charCodeAt(0));
  const replies: string[] = [];
  for (let at = reply.indexOf("\r\n") + 2; at < bytes.length;) {
    const end = replyEnd(bytes, at);
    replies.push(reply.slice(at, end));
    at = end;
  }
  return replies;
}

/** The elements of an array, set or map of strings and nulls, sorted. */
function elements(reply: string): string[] {
  const parts = reply.slice(reply.indexOf("\r\n") + 2).split(/(?=\$-?\d+\r\n|_\r\n)/);
  return [reply.slice(0, reply.indexOf("\r\n")), ...parts.toSorted()];
}

function numbersOf(reply: string): number[] {
  return (reply.match(/-?\d+/g) ?? []).map(Number);
}
