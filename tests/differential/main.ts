/**
 * `deno task test:differential [--minutes N] [--seed S] [--commands N] [--peer valkey-server]`: sends random commands
 * to MemDB and to Redis or Valkey for the given time. Prints every new difference, and exits with 1 if there was one.
 */
import { parseArgs } from "@std/cli";
import { SeededRandom } from "../../src/core/random.ts";
import { commandName } from "./compare.ts";
import { describe, duel, type Protocol } from "./duel.ts";
import type { Peer } from "../helpers/redis.ts";
import { calledCommands, randomCommands, valkeyCommands, watchedCommands } from "./generate.ts";
import { noPeer, Servers } from "./servers.ts";
import { streamCommands } from "./streams.ts";

const flags = parseArgs(Deno.args, { string: ["minutes", "seed", "commands", "peer"] });
const minutes = Number(flags.minutes ?? 1);
const count = Number(flags.commands ?? 150);
if (!(minutes > 0 && count > 0)) {
  console.error("--minutes and --commands must be numbers above 0");
  Deno.exit(2);
}
const peer: Peer = flags.peer === "valkey-server" ? flags.peer : "redis-server";
const missingPeer = noPeer(peer);
if (missingPeer !== undefined) {
  console.error(missingPeer);
  Deno.exit(1);
}

/** An odd number of them, so that each meets both protocols. */
const GENERATORS = [watchedCommands, randomCommands, streamCommands, calledCommands, streamCommands];

function protocolOf(seed: number): Protocol {
  return seed % 2 === 0 ? 2 : 3;
}

function commandsOf(seed: number): string[][] {
  const random = new SeededRandom(seed);
  if (peer === "valkey-server") return valkeyCommands(random, count);
  return GENERATORS[seed % GENERATORS.length](random, count);
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
  await using servers = await Servers.start(peer);
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
