/** What elements of collections take: by MEMORY USAGE, large and small ones, and by the growth of the process. */
import { type Bench, counted } from "./bench.ts";
import { BenchClient } from "./client.ts";
import { SHAPE_NAMES, type ShapeName, SHAPES } from "./shapes.ts";

/** Elements of a small collection. */
const FEW = 10;
/** So many times `--elements` are in the sorted set that is measured alone. */
const LARGER = 5;

const HASH: ShapeName = "hash: fields of 20 bytes, values of 32";
const SET: ShapeName = "set: members of 20 bytes";
const SORTED_SET: ShapeName = "sorted set: members of 20 bytes";

export async function elements(bench: Bench): Promise<void> {
  const { elements, kinds } = bench.options;
  const sizes: readonly [ShapeName, number][] = [
    ...SHAPE_NAMES.flatMap((name): [ShapeName, number][] =>
      name === SORTED_SET ? [[name, elements], [name, LARGER * elements]] : [[name, elements]]
    ),
    ...SHAPE_NAMES.map((name): [ShapeName, number] => [name, FEW]),
  ];
  bench.head("Memory for each element, by MEMORY USAGE with SAMPLES 0, in bytes", "of", "count", ...bench.columns);
  const columns: number[][] = kinds.map(() => []);
  await bench.withAll(async (servers) => {
    for (const [i, { port }] of servers.entries()) {
      using client = await BenchClient.connect(port);
      for (const [name, count] of sizes) {
        await client.fill("key", SHAPES[name], count);
        columns[i].push(await client.number("MEMORY", "USAGE", "key", "SAMPLES", "0") / count);
        await client.command("FLUSHALL");
      }
    }
  });
  for (const [row, [name, count]] of sizes.entries()) {
    const figures = columns.map((column) => column[row]);
    bench.row(name, counted(count), ...figures.map((bytes) => bytes.toFixed(1)), ...bench.ratio(figures));
  }
}

export async function resident(bench: Bench): Promise<void> {
  const { elements } = bench.options;
  const fills: readonly [string, number, (client: BenchClient) => Promise<void>][] = [
    [`hashes of ${FEW}`, elements, (client) => client.fillKeys("key", elements, SHAPES[HASH], FEW)],
    [`sets of ${FEW}`, elements, (client) => client.fillKeys("key", elements, SHAPES[SET], FEW)],
    [
      "sorted set, for each member",
      LARGER * elements,
      (client) => client.fill("key", SHAPES[SORTED_SET], LARGER * elements),
    ],
  ];
  bench.head("Growth of resident memory for each, in bytes", "of", "count", ...bench.columns);
  for (const [name, count, fill] of fills) {
    const figures = await bench.each(async (server) => {
      const before = server.residentBytes();
      using client = await BenchClient.connect(server.port);
      await fill(client);
      return (server.residentBytes() - before) / count;
    });
    bench.row(name, counted(count), ...figures.map((bytes) => bytes.toFixed(1)), ...bench.ratio(figures));
  }
}
