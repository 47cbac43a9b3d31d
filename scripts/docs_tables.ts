/**
 * The tables of docs/commands.md, docs/personalities.md, docs/settings.md and docs/notifications.md, which follow from
 * the code and from what the scripts of the tests cause. A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`. `deno task
 * docs` writes the tables again, and a test checks that they are current.
 */
import { type CommandSpec, sinceText } from "../src/dispatch/spec.ts";
import { commandTable } from "../src/commands/table.ts";
import { sections, type Setting } from "../src/settings/table.ts";
import { code, table } from "./markdown.ts";
import * as personalities from "./personality_tables.ts";
import { seenEvents } from "../tests/conversations/seen_events.ts";

/** The files that hold tables, relative to the root. */
export const FILES_WITH_TABLES: readonly string[] = [
  "docs/commands.md",
  "docs/personalities.md",
  "docs/settings.md",
  "docs/notifications.md",
];

const TABLES: Readonly<Record<string, () => string>> = {
  commands: commandList,
  settings: settingsWithEffect,
  idle: settingsWithoutEffect,
  fixed: settingsWithOneValue,
  events: eventList,
  one_server: personalities.commandsOfOne,
  options: personalities.options,
  behaviour: personalities.behaviour,
  releases: personalities.releases,
  descriptions: personalities.descriptions,
  personal_settings: personalities.settings,
};

/** Groups in the order of the page, with their titles. */
const GROUPS: Readonly<Record<CommandSpec["group"], string>> = {
  generic: "Keys",
  string: "Strings",
  list: "Lists",
  hash: "Hashes",
  set: "Sets",
  "sorted-set": "Sorted sets",
  bitmap: "Bitmaps",
  geo: "Geospatial",
  hyperloglog: "HyperLogLog",
  stream: "Streams",
  pubsub: "Publish and subscribe",
  transactions: "Transactions",
  scripting: "Scripting",
  connection: "Connection",
  server: "Server",
};

/** The commands, a table for each group: name, summary, releases, complexity. */
export function commandList(): string {
  const parts: string[] = [];
  for (const [group, title] of Object.entries(GROUPS)) {
    const specs = commandTable.filter((spec) => spec.group === group).toSorted((a, b) => a.name < b.name ? -1 : 1);
    if (specs.length === 0) continue;
    parts.push(`## ${title}\n\n${table(["command", "what it does", "since", "cost"], specs.flatMap(commandRows))}`);
  }
  return parts.join("\n");
}

/** The rows of a command: its own if it runs alone, and one for each subcommand. */
function commandRows(spec: CommandSpec): string[][] {
  const row = (name: string, described: CommandSpec) => [
    code(name),
    described.summary.replace(/\.$/, "") + (described.byDocumentation ? " (by documentation)" : ""),
    sinceText(described, spec.only),
    described.complexity.replace(/\.$/, ""),
  ];
  const own = spec.subcommands === undefined || spec.handler !== undefined ? [row(spec.name.toUpperCase(), spec)] : [];
  const subs = (spec.subcommands ?? []).filter(({ name }) => name !== "help")
    .toSorted((a, b) => a.name < b.name ? -1 : 1)
    .map((sub) => row(`${spec.name} ${sub.name}`.toUpperCase(), sub));
  return [...own, ...subs];
}

const allSections: readonly { readonly title: string; readonly settings: readonly Setting[] }[] = sections;
const allSettings = allSections.flatMap(({ settings }) => settings);

/** The settings that do something, a table for each section. */
function settingsWithEffect(): string {
  const parts: string[] = [];
  for (const { title, settings } of allSections) {
    const rows = settings.filter(({ idle, fixed }) => idle === undefined && fixed === undefined)
      .map((
        setting,
      ) => [names(setting), code(setting.kind.hint), defaultOf(setting), changes(setting), setting.meaning]);
    if (rows.length === 0) continue;
    parts.push(`### ${title}\n\n${table(["setting", "values", "default", "CONFIG SET", "meaning"], rows)}`);
  }
  return parts.join("\n");
}

/** The settings that take any value and change nothing, with the reason. */
function settingsWithoutEffect(): string {
  const rows = allSettings.filter(({ idle }) => idle !== undefined)
    .map((setting) => [names(setting), defaultOf(setting), setting.idle!]);
  return table(["setting", "default", "why it has no effect"], rows);
}

/** The settings that refuse every value but one, with the reason. */
function settingsWithOneValue(): string {
  const rows = allSettings.filter(({ fixed }) => fixed !== undefined)
    .map((setting) => [names(setting), defaultOf(setting), setting.fixed!]);
  return table(["setting", "only value", "why no other"], rows);
}

/** Causes of the events that most commands can cause. */
const COMMON_CAUSES: Readonly<Record<string, string>> = {
  m: "any command that reads a key and does not find it",
  n: "any command that creates a key",
  o: "any command that gives a key a new value",
  c: "any command that gives a key a value of another type",
};

/** The keyspace events by class, each with the commands that cause it. */
function eventList(): string {
  const rows: string[][] = [];
  for (const [kind, events] of seenEvents()) {
    for (const [event, causes] of [...events].toSorted(([a], [b]) => a < b ? -1 : 1)) {
      rows.push([code(kind), code(event), COMMON_CAUSES[kind] ?? [...causes].toSorted().join(", ")]);
    }
  }
  return table(["class", "event", "cause"], rows);
}

function names({ name, alias }: Setting): string {
  return alias === undefined ? code(name) : `${code(name)}, ${code(alias)}`;
}

function defaultOf({ defaultNote, initial }: Setting): string {
  return defaultNote ?? (initial === "" ? "empty" : code(initial));
}

/** Whether CONFIG SET changes it. */
function changes({ change, guarded }: Setting): string {
  if (change === "start" || change === "kept") return "no";
  return guarded ? "if enable-protected-configs allows it" : "yes";
}

/** The text with every table written again. Throws an error for a table of an unknown name. */
export function withTables(text: string): string {
  const pattern = /(<!-- table: (\w+) -->\n)[^]*?(<!-- end of table -->)/g;
  return text.replace(pattern, (_, head: string, name: string, foot: string) => {
    const table = TABLES[name];
    if (table === undefined) throw new Error(`no table is called ${name}; there are ${Object.keys(TABLES).join(", ")}`);
    return `${head}\n<!-- deno-fmt-ignore-start -->\n\n${table()}\n<!-- deno-fmt-ignore-end -->\n\n${foot}`;
  });
}

if (import.meta.main) {
  for (const file of FILES_WITH_TABLES) {
    const url = new URL(`../${file}`, import.meta.url);
    Deno.writeTextFileSync(url, withTables(Deno.readTextFileSync(url)));
  }
}
