/**
 * The crash harness by hand: `deno task test:crash --cycles N --seed S`.
 */
import { parseArgs } from "@std/cli";
import { crash } from "./harness.ts";

const flags = parseArgs(Deno.args, { string: ["cycles", "seed", "port"] });
const cycles = Number(flags.cycles ?? 100);
const seed = Number(flags.seed ?? Math.floor(Math.random() * 1e9));
if (!Number.isInteger(cycles) || !Number.isInteger(seed)) {
  console.error("usage: deno task test:crash [--cycles N] [--seed S] [--port P]");
  Deno.exit(2);
}
console.log(`${cycles} cycles, seed ${seed}`);
await crash({
  cycles,
  seed,
  port: Number(flags.port ?? 7699),
  progress: (cycle, text) => console.log(`cycle ${cycle}: ${text}`),
});
console.log("Nothing that was acknowledged is missing");
