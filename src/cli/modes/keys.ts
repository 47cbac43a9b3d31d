/** `--bigkeys`, `--memkeys` and `--hotkeys`: sampling all keys for the largest and the most used. */
import { quote } from "../quoting.ts";
import { askAll, integerOf, type ModeContext, ModeError, textOf } from "./context.ts";
import { percentage, sampleKeys } from "./scan.ts";

/** How the elements of each type are counted, in the order of the summary. */
const sizeCommands: Readonly<Record<string, readonly [command: string, unit: string]>> = {
  list: ["LLEN", "items"],
  hash: ["HLEN", "fields"],
  stream: ["XLEN", "entries"],
  string: ["STRLEN", "bytes"],
  set: ["SCARD", "members"],
  zset: ["ZCARD", "members"],
};

/** Sums over the keys of one type, and the largest. */
interface TypeFigures {
  keys: number;
  size: number;
  largest: number;
  key: string;
}

/** `--bigkeys` and `--memkeys`: the largest key of each type, counted in elements or in bytes of memory. */
export async function largestKeys(context: ModeContext, measure: "elements" | "memory"): Promise<void> {
  const { connection, options, sink } = context;
  const figuresOf = new Map<string, TypeFigures>();
  const unitOf = (type: string) => measure === "memory" ? "bytes" : sizeCommands[type]?.[1] ?? "?";
  const newFigures = (type: string) => {
    const figures = { keys: 0, size: 0, largest: 0, key: "" };
    figuresOf.set(type, figures);
    return figures;
  };
  Object.keys(sizeCommands).forEach(newFigures);
  const samples = options.memorySamples === undefined ? [] : ["SAMPLES", String(options.memorySamples)];
  let [sampled, keyBytes] = [0, 0];
  sink.write(introduction("biggest keys as well as\n# average sizes per key type."));
  await allowReplica(context);
  for await (const { keys, share } of sampleKeys(context)) {
    const types = await askAll(connection, keys.map((key) => ["TYPE", key]));
    // A key that is gone since the SCAN has type "none"; a module's type has no size in elements.
    const known = keys.map((key, index) => ({ key, type: textOf(types[index]!) })).filter(({ type }) =>
      type !== "none"
    );
    const measured = known.filter(({ type }) => measure === "memory" || type in sizeCommands);
    const sizes = await askAll(
      connection,
      measured.map(({ key, type }) =>
        measure === "memory" ? ["MEMORY", "USAGE", key, ...samples] : [sizeCommands[type]![0], key]
      ),
    );
    const sizeOf = new Map(measured.map(({ key }, index) => [key, integerOf(sizes[index]!)]));
    for (const { key, type } of known) {
      const figures = figuresOf.get(type) ?? newFigures(type);
      const size = sizeOf.get(key) ?? 0;
      sampled++;
      keyBytes += key.length;
      figures.keys++;
      figures.size += size;
      if (size <= figures.largest) continue;
      figures.largest = size;
      figures.key = quote(key);
      sink.write(`[${share}] Biggest ${type.padEnd(6)} found so far ${quote(key)} with ${size} ${unitOf(type)}\n`);
    }
  }
  sink.write(`\n-------- summary -------\n\nSampled ${sampled} keys in the keyspace!\n`);
  const average = (sum: number, count: number) => (count === 0 ? 0 : sum / count).toFixed(2);
  sink.write(`Total key length in bytes is ${keyBytes} (avg len ${average(keyBytes, sampled)})\n\n`);
  for (const [type, { key, largest }] of figuresOf) {
    if (key !== "") sink.write(`Biggest ${type.padStart(6)} found ${key} has ${largest} ${unitOf(type)}\n`);
  }
  sink.write("\n");
  for (const [type, { keys, size }] of figuresOf) {
    const share = percentage(sampled === 0 ? 0 : 100 * keys / sampled);
    sink.write(
      `${keys} ${type}s with ${size} ${unitOf(type)} (${share} of keys, avg size ${average(size, keys)})\n`,
    );
  }
}

/** How many keys `--hotkeys` names. */
const HOT_KEYS = 16;

/** `--hotkeys`: the keys with the highest access counters; the server keeps counters under an LFU policy only. */
export async function hotKeys(context: ModeContext): Promise<void> {
  const { connection, sink } = context;
  let sampled = 0;
  /** The hottest first; of equal ones the first found. */
  let hottest: { key: string; counter: number }[] = [];
  sink.write(introduction("hot keys as well as\n# average sizes per key type."));
  await allowReplica(context);
  for await (const { keys, share } of sampleKeys(context)) {
    const replies = await askAll(connection, keys.map((key) => ["OBJECT", "FREQ", key]));
    keys.forEach((key, index) => {
      const reply = replies[index]!;
      if (reply.type === "error") throw new ModeError(textOf(reply));
      sampled++;
      const found = { key: quote(key), counter: integerOf(reply) };
      if (found.counter <= (hottest.length < HOT_KEYS ? 0 : hottest.at(-1)!.counter)) return;
      hottest = [...hottest, found].sort((a, b) => b.counter - a.counter).slice(0, HOT_KEYS);
      sink.write(`[${share}] Hot key ${found.key} found so far with counter ${found.counter}\n`);
    });
  }
  sink.write(`\n-------- summary -------\n\nSampled ${sampled} keys in the keyspace!\n`);
  for (const { key, counter } of hottest) sink.write(`hot key found with counter: ${counter}\tkeyname: ${key}\n`);
}

function introduction(aim: string): string {
  return `\n# Scanning the entire keyspace to find ${aim}  You can use -i 0.1 to sleep 0.1 sec
# per 100 SCAN commands (not usually needed).\n\n`;
}

/** Lets a cluster's replica answer reads; a server that is none refuses, which does no harm. */
async function allowReplica({ connection }: ModeContext): Promise<void> {
  const [reply] = await askAll(connection, [["READONLY"]]);
  if (reply?.type === "error" && !/cluster support disabled|unknown command/.test(textOf(reply))) {
    throw new ModeError(textOf(reply));
  }
}
