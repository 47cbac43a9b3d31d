/**
 * The crash harness by hand: `deno task test:crash --cycles N --seed S`.
 */
import { parseArgs } from "@std/cli";
import { crash } from "./harness.ts";

const flags = parseArgs(Deno.args, { string: ["cycles", "seed"] });
const cycles = Number(flags.cycles ?? 100);
const seed = Number(flags.seed ?? Math.floor(Math.random() * 1e9));
if (!Number.isInteger(cycles) || cycles < 1 || !Number.isInteger(seed)) {
  console.error("usage: deno task test:crash [--cycles N] [--seed S]");
  Deno.exit(2);
}
console.log(`${cycles} cycles, seed ${seed}`);
try {
  console.log(await crash({ cycles, seed, progress: (line) => console.log(line) }));
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(1);
}
console.log("Nothing that was acknowledged is missing, and nothing is half there");
