/**
 * When two replies to the same command are the same. Byte for byte, but where Redis itself would not reply the same twice:
 * there the kind of the reply counts, its elements without their order, or numbers that are near each other. An error is
 * always compared whole.
 */
import type { CommandSpec } from "../../src/dispatch/spec.ts";
import { commandTable } from "../../src/commands/table.ts";
import { replyEnd } from "../helpers/wire.ts";

type Comparison = "exact" | "unordered" | "near" | "kind";

/** Beyond what the tips of the commands say. */
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
  // Words of its own.
  "command|docs": "kind",
  "command|list": "unordered",
  // What a value takes depends on the allocator.
  "memory|usage": "kind",
  lolwut: "kind",
};

/** Numbers that follow from the clock may differ by so much: 2 s in ms. */
const NEAR = 2000;

const byName = new Map<string, CommandSpec>();
for (const spec of commandTable) {
  byName.set(spec.name, spec);
  for (const sub of spec.subcommands ?? []) byName.set(`${spec.name}|${sub.name}`, sub);
}

/** The name of the command that the words call: "get", "client|list". */
export function commandName(words: readonly string[]): string {
  const name = (words[0] ?? "").toLowerCase();
  const sub = `${name}|${(words[1] ?? "").toLowerCase()}`;
  return byName.has(sub) ? sub : name;
}

function has(words: readonly string[], token: string): boolean {
  return words.some((word) => word.toUpperCase() === token);
}

/** Elements that SORT finds of equal weight come in the order of Redis's hash table, hence its special case. */
function comparisonOf(words: readonly string[]): Comparison {
  const name = commandName(words);
  const tips = byName.get(name)?.tips ?? [];
  if (name.startsWith("sort") && has(words, "BY")) return has(words, "LIMIT") ? "kind" : "unordered";
  if (name in COMPARISONS) return COMPARISONS[name];
  // HELP replies sentences.
  if (name.endsWith("|help")) return "kind";
  if (tips.includes("nondeterministic_output")) return "kind";
  return tips.includes("nondeterministic_output_order") ? "unordered" : "exact";
}

/** Whether two replies, as RESP text, are as good as the same for the command of these words. */
export function sameReplies(words: readonly string[], one: string, other: string): boolean {
  if (one === other) return true;
  if (one[0] !== other[0] || one[0] === "-" || one[0] === "!") return false;
  switch (comparisonOf(words)) {
    case "exact":
      return false;
    case "kind":
      // A null is a reply of its own.
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

/** Whether two replies to EXEC are as good as the same, given the words of what was queued. */
export function sameUnits(queued: readonly (readonly string[])[], one: string, other: string): boolean {
  if (one === other) return true;
  const ours = unitOf(one), theirs = unitOf(other);
  return ours.length === queued.length && theirs.length === queued.length &&
    queued.every((words, i) => sameReplies(words, ours[i], theirs[i]));
}

/** The replies in the array of an EXEC; of what is no array, none. */
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
