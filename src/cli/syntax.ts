/**
 * The notation of command arguments: parsed into a tree (from text, or from COMMAND DOCS), printed, and matched against
 * the words that have been typed so far. Hints and completion are built on it; it knows no particular command.
 */
import type { Reply } from "../resp/decoder.ts";
import { fromBytes } from "./binary.ts";

export type Syntax =
  | { readonly kind: "token" | "value"; readonly text: string }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Syntax[] }
  | { readonly kind: "optional" | "repeat"; readonly part: Syntax };

/**
 * Parses for example `key value [NX | XX] [EX seconds | PX milliseconds] [key value ...]`: upper-case words are tokens,
 * other words values, `[]` optional, `|` alternatives, `<>` and `()` groups. `...` repeats the whole content of the
 * brackets that it ends, and elsewhere the word before it. An unbalanced bracket is skipped.
 */
export function parseSyntax(text: string): Syntax {
  const words = text.match(/\.\.\.|[[\]<>()|]|[^\s[\]<>()|]+?(?=\.\.\.|[\s[\]<>()|]|$)/g) ?? [];
  let at = 0;
  const parseUntil = (closer: string): Syntax => {
    const options: Syntax[] = [];
    let parts: Syntax[] = [];
    for (; at < words.length && words[at] !== closer; at++) {
      const word = words[at]!;
      if (word === "|") {
        options.push(sequence(parts));
        parts = [];
      } else if (word === "...") {
        if (closer === "]") parts = [{ kind: "repeat", part: sequence(parts) }];
        else if (parts.length > 0) parts.push({ kind: "repeat", part: parts.pop()! });
      } else if (word === "[") {
        at++;
        parts.push({ kind: "optional", part: parseUntil("]") });
      } else if (word === "<" || word === "(") {
        at++;
        parts.push(parseUntil(word === "<" ? ">" : ")"));
      } else if (!"]>)".includes(word)) {
        parts.push({ kind: isToken(word) ? "token" : "value", text: word });
      }
    }
    options.push(sequence(parts));
    return options.length > 1 ? { kind: "choice", parts: options } : options[0]!;
  };
  return parseUntil("");
}

/** Quoted tokens of the reference (`"="`) and symbols count as tokens, as upper-case words do. */
function isToken(word: string): boolean {
  return word === word.toUpperCase();
}

function sequence(parts: readonly Syntax[]): Syntax {
  return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
}

/** The tree of one command from the "arguments" of COMMAND DOCS; `undefined` reads as no arguments. */
export function syntaxFromDocs(argumentsReply: Reply | undefined): Syntax {
  if (argumentsReply === undefined || !("items" in argumentsReply)) return sequence([]);
  return sequence(argumentsReply.items.map(argumentFromDocs));
}

function argumentFromDocs(reply: Reply): Syntax {
  const fields = fieldsOf(reply);
  const text = (name: string) => {
    const value = fields.get(name);
    return value !== undefined && "bytes" in value ? fromBytes(value.bytes) : undefined;
  };
  const nested = fields.get("arguments");
  const children = nested !== undefined && "items" in nested ? nested.items.map(argumentFromDocs) : [];
  const type = text("type");
  const token = text("token");
  const flagsReply = fields.get("flags");
  const flags = flagsReply !== undefined && "items" in flagsReply
    ? flagsReply.items.map((flag) => "bytes" in flag ? fromBytes(flag.bytes) : "")
    : [];
  let part: Syntax;
  if (type === "pure-token") part = { kind: "token", text: token || '""' };
  else if (type === "oneof") part = { kind: "choice", parts: children };
  else if (type === "block") part = sequence(children);
  else part = { kind: "value", text: text("display_text") ?? text("name") ?? "" };

  const withToken = (syntax: Syntax): Syntax =>
    token === undefined || type === "pure-token" ? syntax : sequence([{ kind: "token", text: token }, syntax]);
  const again = (syntax: Syntax): Syntax => ({ kind: "optional", part: { kind: "repeat", part: syntax } });
  if (flags.includes("multiple_token")) part = sequence([withToken(part), again(withToken(part))]);
  else if (flags.includes("multiple")) part = withToken(sequence([part, again(part)]));
  else part = withToken(part);
  return flags.includes("optional") ? { kind: "optional", part } : part;
}

/** The fields of a map, or of the flat array that stands for one in RESP2. */
export function fieldsOf(reply: Reply): Map<string, Reply> {
  const fields = new Map<string, Reply>();
  const add = (key: Reply, value: Reply) => {
    if ("bytes" in key) fields.set(fromBytes(key.bytes), value);
  };
  if (reply.type === "map") { for (const [key, value] of reply.entries) add(key, value); }
  else if ("items" in reply) {
    for (let i = 0; i + 1 < reply.items.length; i += 2) add(reply.items[i]!, reply.items[i + 1]!);
  }
  return fields;
}

/** As redis-cli writes it: `key [EX seconds|PX milliseconds] [key ...]`. */
export function renderSyntax(syntax: Syntax): string {
  switch (syntax.kind) {
    case "token":
    case "value":
      return syntax.text;
    case "sequence":
      return syntax.parts.map((part) => part.kind === "choice" ? `<${renderSyntax(part)}>` : renderSyntax(part)).join(
        " ",
      );
    case "choice":
      return syntax.parts.map(renderSyntax).join("|");
    case "optional":
      return `[${renderSyntax(syntax.part)}]`;
    case "repeat":
      return `${renderSyntax(syntax.part)} ...`;
  }
}

interface Match {
  /** The number of arguments that fit. */
  readonly used: number;
  /** The syntax that may follow them; empty at the end of the command. */
  readonly rest: readonly Syntax[];
  /** The arguments contradict the syntax. */
  readonly failed: boolean;
}

const failure: Match = { used: 0, rest: [], failed: true };

/** The syntax that may follow the complete arguments `args`, in order; undefined when they do not fit. */
export function remainingSyntax(syntax: Syntax, args: readonly string[]): readonly Syntax[] | undefined {
  const { used, rest, failed } = match(syntax, args);
  return failed || used < args.length ? undefined : rest;
}

function match(syntax: Syntax, args: readonly string[]): Match {
  switch (syntax.kind) {
    case "token":
      if (args.length === 0) return { used: 0, rest: [syntax], failed: false };
      if (args[0]!.toUpperCase() !== syntax.text.replace(/^"(.*)"$/, "$1").toUpperCase()) return failure;
      return { used: 1, rest: [], failed: false };
    case "value":
      return args.length === 0 ? { used: 0, rest: [syntax], failed: false } : { used: 1, rest: [], failed: false };
    case "sequence":
      return matchSequence(syntax.parts, args);
    case "choice":
      if (args.length === 0) return { used: 0, rest: [syntax], failed: false };
      return bestOf(syntax.parts, args).match;
    case "optional": {
      if (args.length === 0) return { used: 0, rest: [syntax], failed: false };
      const inner = match(syntax.part, args);
      return inner.failed || inner.used === 0 ? { used: 0, rest: [syntax], failed: false } : inner;
    }
    case "repeat":
      return matchRepeat(syntax, args);
  }
}

/** The alternative that fits. Those that begin with a token are tried first, because a value fits any argument. */
function bestOf(parts: readonly Syntax[], args: readonly string[]): { match: Match; index: number } {
  const order = parts.map((part, index) => ({ part, index }))
    .sort((a, b) => Number(opensWithValue(a.part)) - Number(opensWithValue(b.part)) || a.index - b.index);
  for (const { part, index } of order) {
    const found = match(part, args);
    if (!found.failed && found.used > 0) return { match: found, index };
  }
  return { match: failure, index: -1 };
}

function opensWithValue(syntax: Syntax): boolean {
  switch (syntax.kind) {
    case "token":
      return false;
    case "value":
      return true;
    case "choice":
      return syntax.parts.some(opensWithValue);
    case "sequence":
      return syntax.parts.length > 0 && opensWithValue(syntax.parts[0]!);
    default:
      return opensWithValue(syntax.part);
  }
}

/** Parts in order; optional neighbours in any order, each once unless it repeats. */
function matchSequence(parts: readonly Syntax[], args: readonly string[]): Match {
  let used = 0;
  for (let i = 0; i < parts.length; i++) {
    let end = i;
    while (end < parts.length && parts[end]!.kind === "optional") end++;
    if (end === i) {
      const found = match(parts[i]!, args.slice(used));
      if (found.failed) return failure;
      used += found.used;
      if (found.rest.length > 0 && used === args.length && !found.rest.every(isOptional)) {
        return { used, rest: [...found.rest, ...parts.slice(i + 1)], failed: false };
      }
      if (used === args.length) return { used, rest: [...found.rest, ...parts.slice(i + 1)], failed: false };
      continue;
    }
    const open = parts.slice(i, end);
    while (used < args.length && open.length > 0) {
      const { match: found, index } = bestOf(open, args.slice(used));
      if (index < 0) break;
      used += found.used;
      open.splice(index, 1);
      if (used === args.length && found.rest.length > 0) {
        return { used, rest: [...found.rest, ...open, ...parts.slice(end)], failed: false };
      }
    }
    if (used === args.length) return { used, rest: [...open, ...parts.slice(end)], failed: false };
    i = end - 1;
  }
  return { used, rest: [], failed: false };
}

function isOptional(syntax: Syntax): boolean {
  return syntax.kind === "optional";
}

/** One round or more; after a whole round another may follow. */
function matchRepeat(syntax: Extract<Syntax, { kind: "repeat" | "optional" }>, args: readonly string[]): Match {
  let used = 0;
  for (;;) {
    const found = match(syntax.part, args.slice(used));
    if (found.failed || (found.used === 0 && used > 0)) {
      return used === 0 ? failure : { used, rest: [], failed: false };
    }
    used += found.used;
    if (used === args.length) {
      if (found.rest.some((part) => !isOptional(part))) return { used, rest: found.rest, failed: false };
      const more: Syntax = { kind: "optional", part: syntax };
      return { used, rest: args.length === 0 ? [syntax] : [...found.rest, more], failed: false };
    }
  }
}

/** The tokens that may come next, when `rest` is the syntax that remains. */
export function nextTokens(rest: readonly Syntax[]): string[] {
  const tokens: string[] = [];
  for (const part of rest) {
    collectFirst(part, tokens);
    if (part.kind !== "optional") break;
  }
  return [...new Set(tokens)];
}

function collectFirst(syntax: Syntax, tokens: string[]): void {
  switch (syntax.kind) {
    case "token":
      tokens.push(syntax.text);
      break;
    case "choice":
      for (const part of syntax.parts) collectFirst(part, tokens);
      break;
    case "sequence":
      tokens.push(...nextTokens(syntax.parts));
      break;
    case "optional":
    case "repeat":
      collectFirst(syntax.part, tokens);
      break;
  }
}
