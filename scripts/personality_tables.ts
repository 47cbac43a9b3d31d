/**
 * The tables of docs/personalities.md: where the commands and settings of Redis and Valkey differ, as the specs and the
 * table of settings say it.
 */
import { commandTable } from "../src/commands/table.ts";
import { type CommandSpec, specFor } from "../src/dispatch/spec.ts";
import { type Argument, argumentsOf } from "../src/dispatch/syntax.ts";
import { allSettings } from "../src/settings/table.ts";
import { code, table } from "./markdown.ts";

interface Named {
  /** In upper case: "CLIENT LIST". */
  readonly name: string;
  readonly redis: CommandSpec;
  readonly valkey: CommandSpec;
}

/** All commands and subcommands by name. A subcommand belongs to the one server that has its container. */
function named(): Named[] {
  const all = commandTable.flatMap((spec) => {
    const subs = (spec.subcommands ?? []).map((sub) => ({
      ...sub,
      name: `${spec.name} ${sub.name}`,
      only: spec.only ?? sub.only,
    }));
    return [...spec.subcommands !== undefined && spec.handler === undefined ? [] : [spec], ...subs];
  });
  return all.map((redis) => ({ name: redis.name.toUpperCase(), redis, valkey: specFor(redis, "valkey") }))
    .toSorted((a, b) => a.name < b.name ? -1 : 1);
}

/** The commands that one server has. */
export function commandsOfOne(): string {
  const rows = (["redis", "valkey"] as const).map((server) => [
    server === "redis" ? "Redis" : "Valkey",
    named().filter(({ redis }) => redis.only === server).map(({ name, redis }) => `${code(name)} (${redis.since})`)
      .join(", "),
  ]);
  return table(["only in", "commands, with the release that brought them"], rows);
}

/** The commands that came with different releases. */
export function releases(): string {
  const rows = named().filter(({ redis, valkey }) => redis.since !== valkey.since)
    .map(({ name, redis, valkey }) => [code(name), redis.since, valkey.since]);
  return table(["command", "since Redis", "since Valkey"], rows);
}

function tokensOf(args: readonly Argument[]): string[] {
  return args.flatMap((arg) => [...arg.token === undefined ? [] : [arg.token], ...tokensOf(arg.arguments ?? [])]);
}

/** The options that one server has. */
export function options(): string {
  const rows = named().map(({ name, redis, valkey }) => {
    const [ours, theirs] = [redis, valkey].map((spec) => new Set(tokensOf(argumentsOf(spec.syntax, spec.types))));
    const shown = (tokens: ReadonlySet<string>) => [...tokens].map(code).join(", ");
    return [code(name), shown(ours.difference(theirs)), shown(theirs.difference(ours))];
  });
  return table(["command", "only in Redis", "only in Valkey"], rows.filter(([, ours, theirs]) => ours + theirs !== ""));
}

/** Replies, errors, events and forms that differ. */
export function behaviour(): string {
  const rows = new Map<string, string[]>();
  for (const { name, redis: { differs = [] } } of named()) {
    for (const sentence of differs) rows.set(sentence, [...rows.get(sentence) ?? [], code(name)]);
  }
  return table(["commands", "difference"], [...rows].map(([sentence, names]) => [names.join(", "), sentence]));
}

/** What COMMAND INFO and COMMAND DOCS say of a command, apart from its arguments. */
export function descriptions(): string {
  const rows = named().map(({ name, redis, valkey }) => {
    const words: string[] = [];
    const added = (from: readonly string[], to: readonly string[]) =>
      to.filter((word) => !from.includes(word)).map(code);
    const more = added(redis.flags, valkey.flags), fewer = added(valkey.flags, redis.flags);
    if (more.length > 0) words.push(`with ${more.join(", ")}`);
    if (fewer.length > 0) words.push(`without ${fewer.join(", ")}`);
    if (redis.arity !== valkey.arity) words.push(`arity ${valkey.arity}`);
    if (redis.keys !== valkey.keys) words.push("other flags of keys");
    if (redis.tips !== valkey.tips) words.push("other tips");
    if (redis.deprecated !== undefined && valkey.deprecated === undefined) words.push("not deprecated");
    return [code(name), words.join("; ")];
  });
  return table(["command", "in Valkey"], rows.filter(([, words]) => words !== ""));
}

/** Settings with other names, defaults or owners. */
export function settings(): string {
  const rows = allSettings.flatMap(({ name, initial, valkeyInitial, valkeyName, only, hidden }) => {
    if (hidden) return [];
    if (only !== undefined) {
      return [[
        code(name),
        only === "redis" ? code(initial || '""') : "",
        only === "valkey" ? code(initial || '""') : "",
      ]];
    }
    if (valkeyInitial !== undefined) return [[code(name), code(initial), code(valkeyInitial)]];
    return valkeyName === undefined ? [] : [[code(name), code(initial || '""'), `also called ${code(valkeyName)}`]];
  });
  return table(["setting", "default in Redis", "default in Valkey"], rows);
}
