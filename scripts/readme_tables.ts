/**
 * The tables of README.md that follow from the code: commands and flags. They stand between `<!-- table: NAME -->` and
 * `<!-- end of table -->`; `deno task docs` writes them anew, and a test checks that they are current.
 */
import type { CommandSpec } from "../src/dispatch/spec.ts";
import { commandTable } from "../src/commands/table.ts";
import { flagTable } from "../src/server/flags_help.ts";

const TABLES: Readonly<Record<string, () => string>> = { commands: commandList, flags: flagTable };

/** Groups in the order of the README, with their titles. */
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

/** The commands in Markdown, a table for each group: name, summary, complexity. */
export function commandList(): string {
  const parts: string[] = [];
  for (const [group, title] of Object.entries(GROUPS)) {
    const specs = commandTable.filter((spec) => spec.group === group).toSorted((a, b) => a.name < b.name ? -1 : 1);
    if (specs.length === 0) continue;
    parts.push(`**${title}**\n\n| command | what it does | cost |\n|---|---|---|\n${specs.flatMap(rows).join("\n")}\n`);
  }
  return parts.join("\n");
}

/** The rows of a command, or of its subcommands and of itself if it runs alone. */
function rows(spec: CommandSpec): string[] {
  const row = (name: string, { summary, complexity }: CommandSpec) =>
    `| \`${name}\` | ${cell(summary)} | ${cell(complexity)} |`;
  const own = spec.subcommands === undefined || spec.handler !== undefined ? [row(spec.name.toUpperCase(), spec)] : [];
  const subs = (spec.subcommands ?? []).filter(({ name }) => name !== "help")
    .toSorted((a, b) => a.name < b.name ? -1 : 1)
    .map((sub) => row(`${spec.name} ${sub.name}`.toUpperCase(), sub));
  return [...own, ...subs];
}

function cell(text: string): string {
  return text.replace(/\.$/, "").replaceAll("|", "\\|");
}

/** The text with every table written anew. Throws an error for a table that nobody knows. */
export function withTables(text: string): string {
  const pattern = /(<!-- table: (\w+) -->\n)[^]*?(<!-- end of table -->)/g;
  return text.replace(pattern, (_, head: string, name: string, foot: string) => {
    const table = TABLES[name];
    if (table === undefined) throw new Error(`no table is called ${name}; there are ${Object.keys(TABLES).join(", ")}`);
    return `${head}\n<!-- deno-fmt-ignore-start -->\n\n${table()}\n<!-- deno-fmt-ignore-end -->\n\n${foot}`;
  });
}

if (import.meta.main) {
  const readme = new URL("../README.md", import.meta.url);
  Deno.writeTextFileSync(readme, withTables(Deno.readTextFileSync(readme)));
}
