/**
 * Help while typing: the arguments that may follow, shown grey after the cursor, and the words that Tab completes.
 * Works on the text of the line alone; the editor draws.
 */
import { argumentsOf, type Catalog, type Entry } from "./catalog.ts";
import { nextTokens, remainingSyntax, renderSyntax } from "./syntax.ts";

/** The words that white space has ended, and the word being typed. A quoted string is one word. */
function typedWords(line: string): { done: string[]; last: string } {
  const words = line.match(/(?:"(?:\\.|[^"\\])*"?|'(?:\\'|[^'])*'?|[^\s"'])+/g) ?? [];
  if (line === "" || /\s$/.test(line)) return { done: [...words], last: "" };
  return { done: words.slice(0, -1), last: words.at(-1) ?? "" };
}

/** redis-cli's "repeat" prefix: `5 PING` runs PING five times. */
function withoutRepeat(words: readonly string[]): string[] {
  return words.length > 0 && /^\d+$/.test(words[0]!) ? words.slice(1) : [...words];
}

/** The hint to show at the end of `line`, with a leading space where the line ends in a word; empty for none. */
export function hintFor(line: string, catalog: Catalog): string {
  const { done, last } = typedWords(line);
  const words = withoutRepeat(last === "" ? done : [...done, last]);
  const found = catalog.find(words);
  if (found === undefined) return "";
  const { entry } = found;
  let text: string;
  if (found.words === words.length) {
    text = argumentsOf(entry);
  } else if (entry.subcommands.length > 0) {
    return "";
  } else {
    const finished = withoutRepeat(done).slice(found.words);
    const rest = remainingSyntax(entry.syntax, finished);
    if (rest === undefined) return "";
    text = renderSyntax({ kind: "sequence", parts: rest });
  }
  if (text === "") return "";
  return last === "" ? text : " " + text;
}

/** Completions of the word at the end of `line`, and that word. Lower-case typing gets lower-case words. */
export function completionsFor(line: string, catalog: Catalog): [string[], string] {
  const { done, last } = typedWords(line);
  const words = withoutRepeat(done);
  const candidates = candidatesAfter(words, catalog).filter((word) => word.startsWith(last.toUpperCase()));
  const lower = last === "" ? words.length > 0 && words[0] === words[0]!.toLowerCase() : last === last.toLowerCase();
  return [candidates.map((word) => (lower ? word.toLowerCase() : word) + " "), last];
}

function candidatesAfter(words: readonly string[], catalog: Catalog): string[] {
  const commands = () => catalog.all().map((entry) => entry.name).filter((name) => !name.includes(" "));
  if (words.length === 0) return [...commands(), "CLEAR", "CONNECT", "EXIT", "HELP"].sort();
  if (/^(help|\?)$/i.test(words[0]!)) {
    if (words.length === 1) return [...catalog.groups().map((group) => "@" + group.toUpperCase()), ...commands()];
    return subcommandsOf(catalog.get(words[1]!));
  }
  const found = catalog.find(words);
  if (found === undefined) return [];
  if (found.words === words.length && found.entry.subcommands.length > 0) return subcommandsOf(found.entry);
  const rest = remainingSyntax(found.entry.syntax, words.slice(found.words));
  return rest === undefined ? [] : nextTokens(rest);
}

function subcommandsOf(entry: Entry | undefined): string[] {
  return [...entry?.subcommands ?? []].sort();
}
