/**
 * `deno task test:conversations [--minutes N] [--seed S] [--steps N]`: random schedules of several clients on MemDB and
 * on redis-server for the given time. Prints every difference with its seed, and exits with 1 if there was one.
 * With `--soak N` so many clients come and vanish instead, and nothing of them may stay.
 */
import { parseArgs } from "@std/cli";
import { SeededRandom } from "../../src/core/random.ts";
import { missing } from "../helpers/programs.ts";
import { runInterleaving } from "./interleavings.ts";
import { soak } from "./soak.ts";

const flags = parseArgs(Deno.args, { string: ["minutes", "seed", "steps", "soak"] });
const minutes = Number(flags.minutes ?? 1), steps = Number(flags.steps ?? 100), clients = Number(flags.soak ?? 0);
const first = Number(flags.seed ?? Math.floor(Math.random() * 1e9));
if (!(minutes > 0 && steps > 0 && clients >= 0 && Number.isInteger(first))) {
  console.error("--minutes, --steps and --soak must be numbers above 0, --seed a whole number");
  Deno.exit(2);
}
if (clients > 0) {
  console.log(`${clients} clients, seed ${first}`);
  await soak(new SeededRandom(first), clients);
  Deno.exit(0);
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
