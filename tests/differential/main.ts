/**
 * `deno task test:differential [--minutes N] [--seed S] [--commands N]`: sends random commands to MemDB and to Redis
 * for the given time. Prints every new difference, and exits with 1 if there was one.
 */
import { parseArgs } from "@std/cli";
import { SeededRandom } from "../../src/core/random.ts";
import { commandName } from "./compare.ts";
import { describe, duel, type Protocol } from "./duel.ts";
import { calledCommands, randomCommands, watchedCommands } from "./generate.ts";
import { noRedis, Servers } from "./servers.ts";

const flags = parseArgs(Deno.args, { string: ["minutes", "seed", "commands"] });
const minutes = Number(flags.minutes ?? 1);
const count = Number(flags.commands ?? 150);
if (!(minutes > 0 && count > 0)) {
  console.error("--minutes and --commands must be numbers above 0");
  Deno.exit(2);
}
if (noRedis !== undefined) {
  console.error(noRedis);
  Deno.exit(1);
}

const KINDS = [watchedCommands, calledCommands, randomCommands];

function protocolOf(seed: number): Protocol {
  return seed % 2 === 0 ? 2 : 3;
}

function commandsOf(seed: number): string[][] {
  return KINDS[seed % KINDS.length](new SeededRandom(seed), count);
}

/** Runs the commands of the current seed on both servers. */
async function round(servers: Servers): Promise<void> {
  const protocol = protocolOf(seed);
  const difference = await duel(servers, protocol, commandsOf(seed));
  if (difference === undefined) return;
  const { commands, memdb, redis } = difference;
  const topic = [commandName(commands.at(-1)!), memdb.slice(0, 20), redis.slice(0, 20)].join(" ");
  if (shown.has(topic)) return;
  shown.add(topic);
  console.log(`seed ${seed}, ${describe(difference, protocol)}\n`);
}

const first = Number(flags.seed ?? Math.floor(Math.random() * 1e9));
const until = Date.now() + minutes * 60_000;
const shown = new Set<string>();
let seed = first;
while (Date.now() < until) {
  await using servers = await Servers.start();
  try {
    for (; Date.now() < until; seed++) await round(servers);
  } catch (error) {
    // One of the two servers has ended. The next commands get new servers.
    const protocol = protocolOf(seed);
    const commands = commandsOf(seed);
    console.log(`seed ${seed}: ${error}\n${describe({ commands, memdb: "", redis: "" }, protocol)}\n`);
    shown.add(String(error));
    seed++;
  }
}
console.log(`seeds ${first} to ${seed - 1}, ${count} commands each: ${shown.size} kinds of differences`);
Deno.exit(shown.size > 0 ? 1 : 0);
