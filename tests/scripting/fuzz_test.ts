/**
 * Random Lua chunks on MemDB and on redis-server: the same replies, byte for byte.
 */
import { differential } from "../helpers/redis.ts";
import { property } from "../helpers/property.ts";
import { GENERATORS } from "./fuzz.ts";

const RUNS = 6, CHUNKS = 15;

for (const [name, generate] of Object.entries(GENERATORS)) {
  differential(`random chunks of ${name} do what they do in Redis`, async (pair) => {
    await property(RUNS, async (random) => {
      await pair.same("FLUSHALL");
      const version = 2 + random.below(2);
      await Promise.all([pair.memdb.command("HELLO", version), pair.redis.command("HELLO", version)]);
      for (let i = 0; i < CHUNKS; i++) await pair.same("EVAL", generate(random), "0");
    });
  });
}
