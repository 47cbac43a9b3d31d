/** What many keys cost: resident memory for each, and how long others wait while they are set. */
import { type Bench, counted } from "./bench.ts";
import { setKeys, whileProbing } from "./load.ts";
import { Running } from "./servers.ts";

export async function memory(bench: Bench): Promise<void> {
  bench.head("Growth of resident memory per key, in bytes (key of 16, value of 32)", "keys", ...bench.columns);
  for (const keys of bench.options.keyCounts) {
    const figures = await bench.each(async (server) => {
      const before = server.residentBytes();
      await setKeys(server.port, 0, keys);
      return (server.residentBytes() - before) / keys;
    });
    bench.row(counted(keys), ...figures.map((bytes) => bytes.toFixed(1)), ...bench.ratio(figures));
  }
}

export async function pause(bench: Bench): Promise<void> {
  const { keyCounts, kinds, firstPort } = bench.options;
  const keys = keyCounts.at(-1)!;
  bench.head(`Waiting of another client while ${counted(keys)} keys are set, in ms`, "server", "longest", "1 in 1000");
  for (const kind of kinds) {
    await using server = await Running.start(kind, firstPort);
    const { maxMs, p999Ms } = await whileProbing(server.port, () => setKeys(server.port, 0, keys));
    bench.row(kind.name, maxMs.toFixed(1), p999Ms.toFixed(2));
  }
}
