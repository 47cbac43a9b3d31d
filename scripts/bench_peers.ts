/**
 * `deno task bench:peers`: what MemDB costs beside Redis and Valkey, where they are on the PATH. This file reads the
 * flags and lists the parts; each is a file of bench/. Prints tables in Markdown. A benchmark, not a test: nothing
 * fails on its figures.
 */
import { parseArgs } from "@std/cli";
import { algebra } from "./bench/algebra.ts";
import { Bench } from "./bench/bench.ts";
import { commands, everysec, TESTS } from "./bench/commands.ts";
import { channels, publish, tracking, wake } from "./bench/conversations.ts";
import { elements, resident } from "./bench/elements.ts";
import { freeing } from "./bench/freeing.ts";
import { memory, pause } from "./bench/keys.ts";
import { idle, load, start } from "./bench/process.ts";
import { scripts } from "./bench/scripts.ts";
import { streamGroups, streamMemory, streamSizes } from "./bench/streams.ts";
import { streamPauses } from "./bench/stream_pauses.ts";
import { machine, memdb, peer } from "./bench/servers.ts";

/** In the order in which they run. */
const PARTS: Readonly<Record<string, [what: string, run: (bench: Bench) => Promise<void>]>> = {
  commands: ["CPU time of commands", commands],
  memory: ["resident memory for each key", memory],
  elements: ["memory for each element, in large and in small collections", elements],
  resident: ["resident memory of many small collections and of a large one", resident],
  algebra: ["wall time of commands that walk through large collections", algebra],
  pause: ["how long others wait while keys are set", pause],
  freeing: ["how long others wait while large collections are freed", freeing],
  start: ["from the start to the first answer", start],
  load: ["loading an append-only file", load],
  everysec: ["what the append-only file adds to a command", everysec],
  idle: ["memory for each client that is idle or waits for a key", idle],
  publish: ["CPU time of messages to subscribers", publish],
  wake: ["CPU time of blocked clients that are woken", wake],
  tracking: ["CPU time of reads that are tracked", tracking],
  channels: ["memory of many channels", channels],
  scripts: ["CPU time of scripts and functions", scripts],
  groups: ["CPU time of consumer groups, and of blocked readers of a stream", streamGroups],
  stream: ["memory of a stream with pending entries", streamMemory],
  pauses: ["how long commands on a long stream take, and how long others wait", streamPauses],
  sizes: ["CPU time of commands on streams of several lengths", streamSizes],
};

const ALL_PARTS = Object.keys(PARTS).join(","), ALL_TESTS = Object.keys(TESTS).join(",");

const HELP = `deno task bench:peers [flags]

  --parts WORDS      parts to run, all if not said
  --tests WORDS      workloads of part "commands", all if not said
  --pipelines NUMS   1,16
  --rounds N         3: the median is shown
  --requests N       1000000 for each measurement, fewer without a pipeline and for long replies
  --keys NUMS        1000000,10000000 for part "memory"; the last for part "pause"
  --elements N       1000000 in a large collection; 5 times as many in a sorted set alone, 10 times for "freeing" and "pauses"
  --size N           32: bytes of a value
  --port N           7550: this and the following ports are used
  --binary PATH      the executable to measure, instead of the source
  --peers WORDS      redis-server,valkey-server

Parts:
${Object.entries(PARTS).map(([name, [what]]) => `  ${name.padEnd(18)} ${what}`).join("\n")}

Workloads: ${ALL_TESTS.replaceAll(",", ", ")}

The full run takes about an hour.
`;

function usage(message: string): never {
  console.error(`${message}\n\n${HELP}`);
  Deno.exit(2);
}

const flags = parseArgs(Deno.args, {
  boolean: ["help"],
  string: ["parts", "tests", "pipelines", "rounds", "requests", "keys", "elements", "size", "port", "binary", "peers"],
});
if (flags.help) {
  console.log(HELP);
  Deno.exit(0);
}

const words = (text: string | undefined, usual: string) => (text ?? usual).split(",").filter((word) => word !== "");
const parts = words(flags.parts, ALL_PARTS);
const options = {
  kinds: [
    memdb(flags.binary),
    ...words(flags.peers, "redis-server,valkey-server").map(peer).filter((kind) => kind !== undefined),
  ],
  tests: words(flags.tests, ALL_TESTS),
  pipelines: words(flags.pipelines, "1,16").map(Number),
  rounds: Number(flags.rounds ?? 3),
  requests: Number(flags.requests ?? 1_000_000),
  keyCounts: words(flags.keys, "1000000,10000000").map(Number),
  elements: Number(flags.elements ?? 1_000_000),
  valueBytes: Number(flags.size ?? 32),
  firstPort: Number(flags.port ?? 7550),
};
const { kinds, tests, pipelines, rounds, requests, keyCounts, valueBytes, firstPort } = options;
const numbers = [...pipelines, rounds, requests, ...keyCounts, options.elements, valueBytes, firstPort];
const unknown = [
  ...parts.filter((name) => !(name in PARTS)),
  ...tests.filter((name) => !(name in TESTS)),
  ...flags._.map(String),
];
if (unknown.length > 0) usage(`unknown: ${unknown.join(", ")}`);
if (!numbers.every((n) => n > 0)) usage("not a number");
if (Deno.build.os !== "linux") {
  console.error("The figures come from /proc, which only Linux has.");
  Deno.exit(1);
}

console.log(`${machine()}; ${kinds.map(({ name }) => name).join(", ")}. Ratio: MemDB over the better peer.`);
const bench = new Bench(options);
for (const part of parts) await PARTS[part][1](bench);
