/**
 * `deno task test:differential [--personality redis|valkey] [--minutes N | --total N] [--seed S] [--commands N]`: sends
 * random commands to MemDB and to the released server of the personality, for the given time or until so many were
 * sent. Prints every new difference, and exits with 1 if there was one.
 */
import { parseArgs } from "@std/cli";
import { PERSONALITIES } from "../../src/core/personality.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { commandName } from "./compare.ts";
import { describe, duel, type Protocol } from "./duel.ts";
import { Generator } from "./generate.ts";
import { noOracle, Servers } from "./servers.ts";
import { streamCommands } from "./streams.ts";

const flags = parseArgs(Deno.args, { string: ["minutes", "seed", "commands", "personality", "total"] });
const total = Number(flags.total ?? Infinity);
const minutes = Number(flags.minutes ?? (flags.total === undefined ? 1 : Infinity));
const count = Number(flags.commands ?? 150);
const personality = PERSONALITIES.find((name) => name === (flags.personality ?? "redis"));
if (!(minutes > 0 && count > 0 && total > 0) || personality === undefined) {
  console.error(
    `--minutes, --total and --commands must be numbers above 0, --personality ${PERSONALITIES.join(" or ")}`,
  );
  Deno.exit(2);
}
const problem = noOracle(personality);
if (problem !== undefined) {
  console.error(problem);
  Deno.exit(1);
}
const generator = new Generator(personality);

/** An odd number of them, so that each meets both protocols. */
const GENERATORS = [
  generator.watchedCommands,
  generator.commands,
  personality === "redis" ? streamCommands : generator.commands,
  generator.calledCommands,
  personality === "redis" ? streamCommands : generator.commands,
].map((commands) => commands.bind(generator));

function protocolOf(seed: number): Protocol {
  return seed % 2 === 0 ? 2 : 3;
}

function commandsOf(seed: number): string[][] {
  const random = new SeededRandom(seed);
  return GENERATORS[seed % GENERATORS.length](random, count);
}

/** Runs the commands of the current seed on both servers. */
async function round(servers: Servers): Promise<void> {
  const protocol = protocolOf(seed);
  const difference = await duel(servers, protocol, commandsOf(seed));
  if (difference === undefined) return;
  const { commands, memdb, oracle } = difference;
  const topic = [commandName(commands.at(-1)!), memdb.slice(0, 20), oracle.slice(0, 20)].join(" ");
  if (shown.has(topic)) return;
  shown.add(topic);
  console.log(`seed ${seed}, ${describe(difference, protocol)}\n`);
}

const first = Number(flags.seed ?? Math.floor(Math.random() * 1e9));
const until = Date.now() + minutes * 60_000;
const shown = new Set<string>();
let seed = first;
const goesOn = () => Date.now() < until && (seed - first) * count < total;
while (goesOn()) {
  await using servers = await Servers.start(personality);
  try {
    for (; goesOn(); seed++) await round(servers);
  } catch (error) {
    // One of the two servers has ended. The next commands get new servers.
    const protocol = protocolOf(seed);
    const commands = commandsOf(seed);
    console.log(`seed ${seed}: ${error}\n${describe({ commands, memdb: "", oracle: "" }, protocol)}\n`);
    shown.add(String(error));
    seed++;
  }
}
console.log(`seeds ${first} to ${seed - 1}, ${count} commands each: ${shown.size} kinds of differences`);
Deno.exit(shown.size > 0 ? 1 : 0);
