/**
 * The description of commands in replies: the array of COMMAND INFO and the map of COMMAND DOCS, in Redis's format.
 */
import type { Reply } from "../resp/reply.ts";
import { categoriesOf } from "./categories.ts";
import { keyFlagNames } from "./key_flags.ts";
import { keyRangeOf } from "./key_positions.ts";
import type { Command } from "./registry.ts";
import type { CommandFlag, CommandSpec, KeySpec } from "./spec.ts";
import { type Argument, argumentsOf } from "./syntax.ts";

/** The visible flags in their order. Redis hides "may_replicate". */
const FLAGS: readonly CommandFlag[] = [
  "write",
  "readonly",
  "denyoom",
  "admin",
  "pubsub",
  "noscript",
  "blocking",
  "loading",
  "stale",
  "skip_monitor",
  "skip_slowlog",
  "skip_commandlog",
  "fast",
  "no_auth",
  "no_mandatory_keys",
  "no_async_loading",
  "no_multi",
  "movablekeys",
  "allow_busy",
];

function replyWords(reply: Reply, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.simple(word);
}

/** The flags of a key specification as a set: "RW", "access", ... */
export function replyKeyFlags(reply: Reply, flags: number): void {
  replyWords(reply, keyFlagNames(flags));
}

/**
 * A command in the format of COMMAND INFO: ten elements, the last of which lists its subcommands in the same format.
 */
export function replyInfo(reply: Reply, command: Command): void {
  const { spec } = command;
  const { range, moves } = keyRangeOf(spec);
  reply.array(10);
  reply.bulkText(command.fullName);
  reply.integer(command.arity);
  replyWords(reply, FLAGS.filter((flag) => spec.flags.includes(flag) || (flag === "movablekeys" && moves)));
  reply.integer(range.first);
  reply.integer(range.last);
  reply.integer(range.step);
  replyWords(reply, categoriesOf(spec).map((name) => `@${name}`));
  const { tips = [], keys = [] } = spec;
  reply.set(tips.length);
  for (const tip of tips) reply.bulkText(tip);
  reply.set(keys.length);
  for (const key of keys) replyKeySpec(reply, key);
  reply.set(command.subcommands.length);
  for (const subcommand of command.subcommands) replyInfo(reply, subcommand);
}

function replyKeySpec(reply: Reply, { begin, find, flags, notes }: KeySpec): void {
  reply.map(notes === undefined ? 3 : 4);
  if (notes !== undefined) {
    reply.bulkText("notes");
    reply.bulkText(notes);
  }
  reply.bulkText("flags");
  replyKeyFlags(reply, flags);
  reply.bulkText("begin_search");
  if (begin === "unknown") replySearch(reply, "unknown", []);
  else if ("index" in begin) replySearch(reply, "index", [["index", begin.index]]);
  else replySearch(reply, "keyword", [["keyword", begin.keyword], ["startfrom", begin.from]]);
  reply.bulkText("find_keys");
  if (find === "unknown") {
    replySearch(reply, "unknown", []);
  } else if ("keynum" in find) {
    replySearch(reply, "keynum", [["keynumidx", find.keynum], ["firstkey", find.first], ["keystep", find.step]]);
  } else {
    replySearch(reply, "range", [["lastkey", find.last], ["keystep", find.step], ["limit", find.limit]]);
  }
}

function replySearch(reply: Reply, type: string, spec: readonly (readonly [string, string | number])[]): void {
  reply.map(2);
  reply.bulkText("type");
  reply.bulkText(type);
  reply.bulkText("spec");
  reply.map(spec.length);
  for (const [name, value] of spec) {
    reply.bulkText(name);
    if (typeof value === "number") reply.integer(value);
    else reply.bulkText(value);
  }
}

/** Name and documentation of a command, as one pair of the map of COMMAND DOCS. */
export function replyDocs(reply: Reply, command: Command): void {
  const { spec, fullName, subcommands } = command;
  const { complexity, deprecated, group, since, summary, system } = spec;
  const texts: [string, string][] = [["summary", summary], ["since", since], ["group", group]];
  if (complexity !== "") texts.push(["complexity", complexity]);
  const docFlags = [...deprecated ? ["deprecated"] : [], ...system ? ["syscmd"] : []];
  const after: [string, string][] = deprecated
    ? [["deprecated_since", deprecated.since], ["replaced_by", deprecated.replacedBy]]
    : [];
  const tree = argumentsOf(spec.syntax, spec.types);
  reply.bulkText(fullName);
  reply.map(
    texts.length + (docFlags.length > 0 ? 1 : 0) + after.length + (tree.length > 0 ? 1 : 0) +
      (subcommands.length > 0 ? 1 : 0),
  );
  replyPairs(reply, texts);
  if (docFlags.length > 0) {
    reply.bulkText("doc_flags");
    replyWords(reply, docFlags);
  }
  replyPairs(reply, after);
  if (tree.length > 0) {
    reply.bulkText("arguments");
    replyArguments(reply, tree, keySpecIndices(spec, tree));
  }
  if (subcommands.length > 0) {
    reply.bulkText("subcommands");
    reply.map(subcommands.length);
    for (const subcommand of subcommands) replyDocs(reply, subcommand);
  }
}

function replyPairs(reply: Reply, pairs: readonly (readonly [string, string])[]): void {
  for (const [name, value] of pairs) {
    reply.bulkText(name);
    reply.bulkText(value);
  }
}

/**
 * The index of the key specification for each key argument: the first specification for the first argument, the last
 * for the last. If there are more specifications than arguments, the middle ones describe keys that are not arguments
 * (SORT BY).
 */
function keySpecIndices({ keys = [] }: CommandSpec, tree: readonly Argument[]): ReadonlyMap<Argument, number> {
  const keyArguments: Argument[] = [];
  const collect = (argument: Argument) => {
    if (argument.type === "key") keyArguments.push(argument);
    argument.arguments?.forEach(collect);
  };
  tree.forEach(collect);
  const last = keyArguments.length - 1;
  return new Map(keyArguments.map((argument, i) => [
    argument,
    i > 0 && i === last ? keys.length - 1 : Math.min(i, keys.length - 1),
  ]));
}

function replyArguments(
  reply: Reply,
  tree: readonly Argument[],
  keySpecs: ReadonlyMap<Argument, number>,
): void {
  reply.array(tree.length);
  for (const argument of tree) {
    const { name, type, displayText, token, arguments: members } = argument;
    const keySpec = keySpecs.get(argument);
    const flags = [
      ...argument.optional ? ["optional"] : [],
      ...argument.multiple ? ["multiple"] : [],
      ...argument.multipleToken ? ["multiple_token"] : [],
    ];
    const count = 2 + [displayText, keySpec, token, members].filter((field) => field !== undefined).length;
    reply.map(count + (flags.length > 0 ? 1 : 0));
    replyPairs(reply, [["name", name], ["type", type]]);
    if (displayText !== undefined) replyPairs(reply, [["display_text", displayText]]);
    if (keySpec !== undefined) {
      reply.bulkText("key_spec_index");
      reply.integer(keySpec);
    }
    if (token !== undefined) replyPairs(reply, [["token", token]]);
    if (flags.length > 0) {
      reply.bulkText("flags");
      replyWords(reply, flags);
    }
    if (members !== undefined) {
      reply.bulkText("arguments");
      replyArguments(reply, members, keySpecs);
    }
  }
}
