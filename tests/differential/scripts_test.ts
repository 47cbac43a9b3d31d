/**
 * The scripts in scripts/, one command a line as typed in redis-cli, on MemDB and on Redis. A line that begins with # is a
 * comment.
 */
import { splitArguments } from "../../src/cli/quoting.ts";
import { describe, duel } from "./duel.ts";
import { available, Servers } from "./servers.ts";

const folder = new URL("scripts/", import.meta.url);

/** The commands of a script, as words of bytes in latin1. Throws an error for quotes that do not balance. */
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

for (const { name } of [...Deno.readDirSync(folder)].toSorted((a, b) => a.name < b.name ? -1 : 1)) {
  const title = `the commands of ${name} get the replies that Redis gives`;
  Deno.test({
    name: available ? title : `${title} (skipped: no redis-server on the PATH)`,
    ignore: !available,
    fn: async () => {
      const commands = commandsOf(await Deno.readTextFile(new URL(name, folder)), name);
      await using servers = await Servers.start();
      for (const protocol of [2, 3] as const) {
        const difference = await duel(servers, protocol, commands);
        if (difference !== undefined) throw new Error(describe(difference, protocol));
      }
    },
  });
}
