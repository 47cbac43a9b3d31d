/**
 * The texts that explain: `help` inside a session, and nothing that needs a server. Returns lines; the caller prints.
 */
import { wrapWords } from "../core/wrap.ts";
import { argumentsOf, type Catalog, type Entry } from "./catalog.ts";

/** How help is drawn. */
export interface HelpStyle {
  readonly colored: boolean;
  /** Columns of a line. */
  readonly width: number;
}

/** Lines of help that continue another begin here. */
const INDENT = 4;

/** The reply to `help` without a topic. */
export function introduction(version: string): string {
  return `memdb cli ${version}
To get help about commands type:
      "help @<group>" to get a list of commands in <group>
      "help <command>" for help on <command>
      "help <tab>" to get a list of possible help topics
      "quit" to exit

In a session:
      ":set hints" shows arguments while you type, ":set nohints" does not
      "connect <host> <port>" changes the server, "clear" the screen
      "<count> <command>" runs a command several times
      Ctrl-R searches the history, Tab completes
`;
}

/**
 * Help on `topic`: a group ("@list"), a command, or the beginning of one ("CONFIG" lists its subcommands too). An
 * unknown topic gets a message with similar names.
 */
export function helpOn(topic: readonly string[], catalog: Catalog, style: HelpStyle): string {
  const wanted = topic.join(" ").toUpperCase();
  const all = catalog.all();
  const list = (entries: readonly Entry[], whole: boolean) =>
    "\n" + entries.map((entry) => describe(entry, style, whole)).join("\n") + "\n";
  const message = (text: string) => `\n  ${wrapWords(text, style.width, INDENT, 2)}\n\n`;
  if (wanted.startsWith("@")) {
    const members = all.filter((entry) => "@" + entry.group.toUpperCase() === wanted);
    if (members.length > 0) return list(members, false);
    return message(`No group ${topic.join(" ")}. Groups: ${catalog.groups().map((group) => "@" + group).join(" ")}`);
  }
  const entries = all.filter((entry) => entry.name === wanted || entry.name.startsWith(wanted + " "));
  if (entries.length > 0) return list(entries, true);
  const similar = all.filter((entry) => wanted !== "" && entry.name.includes(wanted)).map((entry) => entry.name);
  const hint = similar.length > 0 ? `Similar: ${similar.slice(0, 8).join(", ")}` : 'Type "help <tab>" for the topics.';
  return message(`No help on ${topic.join(" ")}. ${hint}`);
}

function describe(entry: Entry, { colored, width }: HelpStyle, whole: boolean): string {
  const paint = (code: number, text: string) => colored ? `\x1b[${code}m${text}\x1b[0m` : text;
  const line = (label: string, text: string) =>
    `  ${paint(33, label + ":")} ${wrapWords(text, width, INDENT, label.length + 4)}\n`;
  const args = wrapWords(argumentsOf(entry), width, INDENT, entry.name.length + 3);
  let text = `  ${paint(1, entry.name)}${args === "" ? "" : " " + paint(90, args)}\n`;
  text += line("summary", entry.summary) + line("since", entry.since);
  if (!whole) return text;
  text += line("group", entry.group);
  if (entry.complexity !== "") text += line("complexity", entry.complexity);
  if (entry.replacedBy !== undefined) text += line("deprecated, use", entry.replacedBy);
  return text;
}
