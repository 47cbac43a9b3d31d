/**
 * The texts that explain: `help` inside a session, and nothing that needs a server. Returns lines; the caller prints.
 */
import { argumentsOf, type Catalog, type Entry } from "./catalog.ts";

/** What `help` without a topic says. */
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
 * Help on `topic`: a group ("@list"), a command, or the beginning of one ("CONFIG" lists its subcommands too). An unknown
 * topic says so and names what resembles it.
 */
export function helpOn(topic: readonly string[], catalog: Catalog, colored: boolean): string {
  const wanted = topic.join(" ").toUpperCase();
  const all = catalog.all();
  if (wanted.startsWith("@")) {
    const members = all.filter((entry) => "@" + entry.group.toUpperCase() === wanted);
    if (members.length > 0) return "\n" + members.map((entry) => describe(entry, colored, false)).join("\n") + "\n";
    return `\n  No group ${topic.join(" ")}. Groups: ${catalog.groups().map((group) => "@" + group).join(" ")}\n\n`;
  }
  const entries = all.filter((entry) => entry.name === wanted || entry.name.startsWith(wanted + " "));
  if (entries.length > 0) return "\n" + entries.map((entry) => describe(entry, colored, true)).join("\n") + "\n";
  const similar = all.filter((entry) => wanted !== "" && entry.name.includes(wanted)).map((entry) => entry.name);
  const hint = similar.length > 0
    ? ` Similar: ${similar.slice(0, 8).join(", ")}`
    : ' Type "help <tab>" for the topics.';
  return `\n  No help on ${topic.join(" ")}.${hint}\n\n`;
}

function describe(entry: Entry, colored: boolean, whole: boolean): string {
  const paint = (code: number, text: string) => colored ? `\x1b[${code}m${text}\x1b[0m` : text;
  const line = (label: string, text: string) => `  ${paint(33, label + ":")} ${text}\n`;
  const args = argumentsOf(entry);
  let text = `  ${paint(1, entry.name)}${args === "" ? "" : " " + paint(90, args)}\n`;
  text += line("summary", entry.summary) + line("since", entry.since);
  if (!whole) return text;
  text += line("group", entry.group);
  if (entry.complexity !== "") text += line("complexity", entry.complexity);
  if (entry.replacedBy !== undefined) text += line("deprecated, use", entry.replacedBy);
  return text;
}
