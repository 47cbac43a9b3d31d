/**
 * `deno task test:conversations [--minutes N] [--seed S] [--steps N]`: random schedules of several clients on MemDB and
 * on redis-server for the given time. Prints every difference with its seed, and exits with 1 if there was one.
 */
import { parseArgs } from "@std/cli";
import { missing } from "../helpers/programs.ts";
import { runInterleaving } from "./interleavings.ts";

const flags = parseArgs(Deno.args, { string: ["minutes", "seed", "steps"] });
const minutes = Number(flags.minutes ?? 1), steps = Number(flags.steps ?? 100);
const first = Number(flags.seed ?? Math.floor(Math.random() * 1e9));
if (!(minutes > 0 && steps > 0 && Number.isInteger(first))) {
  console.error("--minutes and --steps must be numbers above 0, --seed a whole number");
  Deno.exit(2);
}
const problem = missing(["redis-server"]);
if (problem !== undefined) {
  console.error(problem);
  Deno.exit(1);
}

const until = Date.now() + minutes * 60_000;
let differences = 0, seed = first;
for (; Date.now() < until; seed++) {
  try {
    await runInterleaving(seed, steps);
  } catch (error) {
    differences++;
    console.log(`seed ${seed}: ${(error as Error).message}\n(again: --seed ${seed} --steps ${steps})\n`);
  }
}
console.log(`${seed - first} schedules from seed ${first}, ${differences} with a difference`);
Deno.exit(differences === 0 ? 0 : 1);
