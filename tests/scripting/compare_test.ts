/**
 * Scripts on MemDB and on redis-server: the same replies, byte for byte, in both protocols.
 */
import { assertEquals } from "@std/assert";
import { differential, type Pair } from "../helpers/redis.ts";
import { API, LANGUAGE, RESULTS } from "./chunks.ts";

/** Runs chunks on both servers, each from an empty database, and reports all that differ. */
async function compareChunks(pair: Pair, chunks: readonly string[]): Promise<void> {
  const ours: string[] = [], theirs: string[] = [];
  for (const version of [2, 3]) {
    await Promise.all([pair.memdb.command("HELLO", version), pair.redis.command("HELLO", version)]);
    for (const chunk of chunks) {
      await pair.same("FLUSHALL");
      const command = ["EVAL", chunk, "1", "key", "value"];
      const [memdb, redis] = await Promise.all([pair.memdb.command(...command), pair.redis.command(...command)]);
      if (memdb === redis) continue;
      ours.push(`RESP${version} ${chunk} -> ${JSON.stringify(memdb)}`);
      theirs.push(`RESP${version} ${chunk} -> ${JSON.stringify(redis)}`);
    }
    await pair.same("SCRIPT", "FLUSH");
  }
  assertEquals(ours, theirs);
}

differential("the Lua language and its libraries are those of Redis", (pair) => compareChunks(pair, LANGUAGE));

differential("results become the replies that Redis makes of them", (pair) => compareChunks(pair, RESULTS));

differential("the table redis is that of Redis", (pair) => compareChunks(pair, API));
