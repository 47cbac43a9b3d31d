import { assertEquals } from "@std/assert";
import { commandTable } from "../../src/commands/table.ts";
import { scriptedCommands } from "../conversations/scripts.ts";
import { commandName } from "./compare.ts";
import { Generator } from "./generate.ts";
import { readScripts } from "./scripts.ts";

/** Commands that neither the generator nor a script sends. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "latency|doctor": "an opinion in sentences",
  "memory|doctor": "an opinion in sentences",
  "script|debug": "refused within a pipeline",
  "memory|malloc-stats": "what the allocator says of itself",
  "memory|stats": "the allocator's figures",
};

Deno.test("every command is compared with Redis, or there is a reason why not", () => {
  const scripted = new Set(readScripts().flatMap(({ commands }) => commands.map(commandName)));
  for (const words of scriptedCommands()) scripted.add(commandName(words));
  const generated = new Generator("redis").names;
  const known = commandTable.filter(({ byDocumentation }) => !byDocumentation);
  const names = known.flatMap(({ name, handler, subcommands }) => [
    ...handler === undefined ? [] : [name],
    ...(subcommands ?? []).map((sub) => `${name}|${sub.name}`),
  ]);
  const compared = (name: string) => generated.has(name) || scripted.has(name);
  assertEquals(names.filter((name) => !compared(name) && !(name in EXCEPTIONS)), []);
  assertEquals(Object.keys(EXCEPTIONS).filter((name) => compared(name) || !names.includes(name)), []);
});
