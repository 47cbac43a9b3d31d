/** How long another client waits while a collection of many elements goes away. */
import { type Bench, counted } from "./bench.ts";
import { BenchClient } from "./client.ts";
import { whileProbing } from "./load.ts";
import { Running } from "./servers.ts";
import { SHAPE_NAMES, type ShapeName, SHAPES } from "./shapes.ts";

/** So many times `--elements` are freed. */
const LARGER = 10;
const QUIET_MS = 2000, POLL_MS = 50;

/** The last tells what the machine itself lets a client wait. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  DEL: ["DEL", "key"],
  UNLINK: ["UNLINK", "key"],
  expiry: ["PEXPIRE", "key", "1"],
  "overwriting by SET": ["SET", "key", "value"],
  "nothing is freed": ["PING"],
};

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Fills a key and lets it go; returns the longest wait of another client meanwhile, in ms. */
async function longestWait(port: number, name: ShapeName, count: number, way: readonly string[]): Promise<number> {
  using client = await BenchClient.connect(port);
  await client.fill("key", SHAPES[name], count);
  const large = await client.number("MEMORY", "USAGE", "key");
  const { maxMs } = await whileProbing(port, async () => {
    await client.command(...way);
    await delay(way[0] === "PING" ? QUIET_MS : POLL_MS);
    while (way[0] !== "PING" && await isFreeing(client, large)) await delay(POLL_MS);
  });
  await client.command("FLUSHALL");
  return maxMs;
}

/** Whether the value of so many bytes is still there, or on its way out. */
async function isFreeing(client: BenchClient, large: number): Promise<boolean> {
  const info = await client.text("INFO", "memory");
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1]);
  return field("used_memory") > large / 2 || field("lazyfree_pending_objects") > 0;
}

export async function freeing(bench: Bench): Promise<void> {
  const { kinds, firstPort, elements } = bench.options;
  const count = LARGER * elements;
  const title = `Longest wait of another client while a collection of ${counted(count)} is freed, in ms`;
  bench.head(title, "of", "by", ...kinds.map(({ name }) => name));
  for (const name of SHAPE_NAMES) {
    for (const [by, way] of Object.entries(WAYS)) {
      const waits: number[] = [];
      for (const kind of kinds) {
        await using server = await Running.start(kind, firstPort);
        waits.push(await longestWait(server.port, name, count, way));
      }
      bench.row(name, by, ...waits.map((ms) => ms.toFixed(1)));
    }
  }
}
