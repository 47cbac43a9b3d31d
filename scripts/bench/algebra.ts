/** How long commands take that walk through large collections, from the request to the last byte of the reply. */
import { type Bench, counted, median } from "./bench.ts";
import { BenchClient, numbered, scattered, type Shape } from "./client.ts";

/** Keys: two sets and two sorted sets with half of their members in common, and what SORT takes. */
const SETS = ["set1", "set2"], SORTED_SETS = ["sorted1", "sorted2"];
const NUMBERS = "numbers", WORDS = "words", NUMBER_SET = "numberset";

const COMMANDS: readonly (readonly string[])[] = [
  ["SINTER", ...SETS],
  ["SINTERCARD", "2", ...SETS],
  ["SUNIONSTORE", "to", ...SETS],
  ["SDIFFSTORE", "to", ...SETS],
  ["ZUNIONSTORE", "to", "2", ...SORTED_SETS],
  ["ZINTERSTORE", "to", "2", ...SORTED_SETS],
  ["SORT", NUMBERS],
  ["SORT", NUMBERS, "STORE", "to"],
  ["SORT", NUMBERS, "LIMIT", "0", "10"],
  ["SORT", NUMBER_SET],
  ["SORT", WORDS, "ALPHA"],
  ["SORT", WORDS, "ALPHA", "STORE", "to"],
  ["SORT", SETS[0], "ALPHA"],
];

async function fill(port: number, elements: number): Promise<void> {
  const member: Shape = { add: "SADD", words: (i) => [numbered("element", i)] };
  const scored: Shape = { add: "ZADD", words: (i) => [String(scattered(i, 1_000_003)), numbered("element", i)] };
  const number: Shape = { add: "RPUSH", words: (i) => [String(scattered(i, elements))] };
  const word: Shape = { add: "RPUSH", words: (i) => [numbered("element", scattered(i, elements))] };
  const integer: Shape = { add: "SADD", words: (i) => [String(i)] };
  using client = await BenchClient.connect(port);
  const half = elements >> 1;
  for (const [i, key] of SETS.entries()) await client.fill(key, member, elements + i * half, i * half);
  for (const [i, key] of SORTED_SETS.entries()) await client.fill(key, scored, elements + i * half, i * half);
  await client.fill(NUMBERS, number, elements);
  await client.fill(WORDS, word, elements);
  await client.fill(NUMBER_SET, integer, elements);
}

export async function algebra(bench: Bench): Promise<void> {
  const { elements, rounds } = bench.options;
  bench.head(`Commands on collections of ${counted(elements)}, wall time in ms`, "command", ...bench.columns);
  await bench.withAll(async (servers) => {
    for (const { port } of servers) await fill(port, elements);
    for (const words of COMMANDS) {
      const figures: number[][] = [];
      // In turns, so that what else happens on the machine hits all of them.
      for (let round = 0; round < rounds; round++) {
        figures.push([]);
        for (const { port } of servers) {
          using client = await BenchClient.connect(port);
          figures[round].push(await client.timeMs(...words));
          await client.command("UNLINK", "to");
        }
      }
      const medians = servers.map((_, i) => median(figures.map((round) => round[i])));
      bench.row(words.join(" "), ...medians.map((ms) => ms.toFixed(0)), ...bench.ratioOfRounds(figures));
    }
  });
}
