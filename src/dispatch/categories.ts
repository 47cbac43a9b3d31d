/**
 * The ACL categories of a command. Most follow from its flags and its group; its spec contains the rest. This file does
 * not decide about permissions.
 */
import type { CommandFlag, CommandGroup, CommandSpec } from "./spec.ts";

/** All categories, in the order in which COMMAND INFO prints them. */
export const CATEGORIES = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
] as const;

const OF_GROUP: Partial<Record<CommandGroup, string>> = {
  "bitmap": "bitmap",
  "connection": "connection",
  "generic": "keyspace",
  "geo": "geo",
  "hash": "hash",
  "hyperloglog": "hyperloglog",
  "list": "list",
  "pubsub": "pubsub",
  "scripting": "scripting",
  "set": "set",
  "sorted-set": "sortedset",
  "stream": "stream",
  "string": "string",
  "transactions": "transaction",
};

const OF_FLAG: Partial<Record<CommandFlag, readonly string[]>> = {
  write: ["write"],
  readonly: ["read"],
  admin: ["admin", "dangerous"],
  pubsub: ["pubsub"],
  fast: ["fast"],
  blocking: ["blocking"],
};

/**
 * The categories of a command, without "@", in their order. A container that is not a command itself has only the
 * categories of its flags.
 */
export function categoriesOf(spec: CommandSpec): string[] {
  const { flags, group, categories = [] } = spec;
  const found = new Set<string>(flags.flatMap((flag) => OF_FLAG[flag] ?? []));
  if (!found.has("fast")) found.add("slow");
  const isContainer = (spec.subcommands ?? []).length > 0 && spec.handler === undefined;
  if (!isContainer && OF_GROUP[group] !== undefined) found.add(OF_GROUP[group]);
  // Scripts may write regardless of their flags.
  if (group === "scripting") found.delete("read");
  for (const name of categories) {
    if (name.startsWith("-")) found.delete(name.slice(1));
    else found.add(name);
  }
  return CATEGORIES.filter((name) => found.has(name));
}
