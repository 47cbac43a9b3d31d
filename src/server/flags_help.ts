/**
 * The help of `memdb serve`, which is derived from the table of settings. This file owns its layout only.
 */
import { sections, type Setting } from "../settings/table.ts";

const WIDTH = 100;
const INDENT = 38;

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

/** Text in lines of at most WIDTH, the first behind `head`, all from column INDENT on. */
function entry(head: string, text: string): string {
  const lines: string[] = [];
  let line = head.length < INDENT - 1 ? head.padEnd(INDENT) : head + "\n" + " ".repeat(INDENT);
  let used = INDENT;
  for (const word of text.split(" ")) {
    if (used > INDENT && used + word.length > WIDTH) {
      lines.push(line.trimEnd());
      line = " ".repeat(INDENT);
      used = INDENT;
    }
    line += word + " ";
    used += word.length + 1;
  }
  lines.push(line.trimEnd());
  return lines.join("\n");
}

function describe(setting: Setting): string {
  const { kind, meaning } = setting;
  const choices = kind.hint.length > 24 && !kind.many ? `: ${kind.hint.replaceAll("|", ", ")}` : "";
  const words = kind.hint.length > 24 && kind.many ? ` (${kind.hint})` : "";
  const value = hasEffect(setting) ? ` [${defaultOf(setting)}]` : "";
  return entry(`  ${flagOf(setting)}`, meaning + choices + words + value);
}

/** The help of `memdb serve`: what has an effect, by section, or with `everything` all settings. */
export function serveHelp(everything = false): string {
  const parts = all.flatMap(({ title, settings }) => {
    const shown = settings.filter((setting) => everything || hasEffect(setting));
    return shown.length === 0 ? [] : [`${title}\n${shown.map(describe).join("\n")}`];
  });
  return `Usage: memdb [serve] [CONFIG-FILE] [flags]

Runs the server. CONFIG-FILE has redis.conf's syntax; "-" reads it from standard input. Every setting
is a flag, a line of the file, and an environment variable (MEMDB_APPENDFSYNC for --appendfsync).
A flag wins over the environment, the environment over the file. BOOL is yes, no, true, false, 1 or
0, and a bare flag means yes. Defaults stand in brackets.

${parts.join("\n\n")}
${everything ? "" : "\nmemdb help settings also lists what is accepted for compatibility and has no effect.\n"}
Examples
  memdb --aofpath ./db.aof
  memdb serve memdb.conf --port 7000
  memdb --port 0 --host 127.0.0.1 --host ::1 --maxmemory 256mb --maxmemory-policy allkeys-lru
`;
}
