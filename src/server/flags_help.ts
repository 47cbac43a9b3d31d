/**
 * The help of `memdb serve`, which is derived from the table of settings. This file owns its layout only.
 */
import { wrapWords } from "../core/wrap.ts";
import { sections, type Setting } from "../settings/table.ts";

/** The column of descriptions, and in lines of less than WIDE_COLUMNS. */
const INDENT = 38, NARROW_INDENT = 6;
const WIDE_COLUMNS = 72;

const INTRODUCTION = 'Runs the server. CONFIG-FILE has redis.conf\'s syntax; "-" reads it from standard input. Every ' +
  "setting is a flag, a line of the file, and an environment variable (MEMDB_APPENDFSYNC for --appendfsync). A flag " +
  "overrides the environment, and the environment overrides the file. BOOL is yes, no, true, false, 1 or 0; a flag " +
  "without a value means yes. Defaults are in brackets.";
const MORE = "memdb help settings also lists the settings that are accepted for compatibility and have no effect.";

const all: readonly { readonly title: string; readonly settings: readonly Setting[] }[] = sections;

function hasEffect({ idle, fixed, hidden }: Setting): boolean {
  return idle === undefined && fixed === undefined && hidden === undefined;
}

function defaultOf({ defaultNote, initial }: Setting): string {
  return defaultNote ?? initial;
}

function flagOf({ name, alias, kind }: Setting): string {
  return `--${alias === "host" ? alias : name} ${kind.hint.length > 24 ? "WORD" : kind.hint}`;
}

/** A flag and its description in lines of at most `width` columns. */
function entry(head: string, text: string, width: number): string {
  const indent = width < WIDE_COLUMNS ? NARROW_INDENT : INDENT;
  const begin = head.length < indent - 1 ? head.padEnd(indent) : `${head}\n${" ".repeat(indent)}`;
  return begin + wrapWords(text, width, indent);
}

function describe(setting: Setting, width: number): string {
  const { kind, meaning } = setting;
  const choices = kind.hint.length > 24 && !kind.many ? `: ${kind.hint.replaceAll("|", ", ")}` : "";
  const words = kind.hint.length > 24 && kind.many ? ` (${kind.hint})` : "";
  const value = hasEffect(setting) ? ` [${defaultOf(setting)}]` : "";
  return entry(`  ${flagOf(setting)}`, meaning + choices + words + value, width);
}

/**
 * The help of `memdb serve` in lines of at most `width` columns: the settings with an effect by section; with
 * `everything` all settings.
 */
export function serveHelp(width: number, everything = false): string {
  const parts = all.flatMap(({ title, settings }) => {
    const shown = settings.filter((setting) => everything || hasEffect(setting));
    return shown.length === 0
      ? []
      : [`${wrapWords(title, width, 0)}\n${shown.map((setting) => describe(setting, width)).join("\n")}`];
  });
  return `Usage: memdb [serve] [CONFIG-FILE] [flags]

${wrapWords(INTRODUCTION, width, 0)}

${parts.join("\n\n")}
${everything ? "" : `\n${wrapWords(MORE, width, 0)}\n`}
Examples
  memdb --aofpath ./db.aof
  memdb serve memdb.conf --port 7000
  memdb --port 0 --host ::1 --maxmemory 256mb --maxmemory-policy allkeys-lru
`;
}
