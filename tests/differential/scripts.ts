/**
 * The scripts in scripts/: one command per line in redis-cli's notation. A line that begins with # is a comment.
 */
import { splitArguments } from "../../src/cli/quoting.ts";

export interface Script {
  readonly name: string;
  /** Each command is a list of words, bytes as latin1. */
  readonly commands: readonly string[][];
}

/** Reads all scripts. Throws an error for unbalanced quotes. */
export function readScripts(): Script[] {
  const folder = new URL("scripts/", import.meta.url);
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();
  return names.map((name) => ({ name, commands: commandsOf(Deno.readTextFileSync(new URL(name, folder)), name) }));
}

function commandsOf(text: string, name: string): string[][] {
  const commands: string[][] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const bytes = new TextEncoder().encode(line);
    const words = splitArguments(String.fromCharCode(...bytes));
    if (words === undefined) throw new Error(`${name}, line ${index + 1}: unbalanced quotes`);
    commands.push(words);
  }
  return commands;
}
