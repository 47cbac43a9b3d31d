/**
 * Pipelines: the server parses requests ahead, and prefetches keys and elements together. This must affect speed only,
 * so the same commands sent one by one give the same replies.
 */
import { assertEquals } from "@std/assert";
import type { SeededRandom } from "../../src/core/random.ts";
import { encodeRequest } from "../helpers/client.ts";
import { oneIn, pick, property } from "../helpers/property.ts";
import { withServer } from "../helpers/server.ts";
import { concatBytes } from "../helpers/wire.ts";

const KEYS = ["set", "hash", "zset", "string", "{long}a-key-of-more-than-eight-bytes"];
/** A size at which the elements of a collection are prefetched. */
const LARGE = 5000;
const RUN_MAX = 20;

const element = (random: SeededRandom) => `element:${random.below(LARGE * 2)}`;

/** Random commands, many of them in runs on the same key. */
function commands(random: SeededRandom, count: number): string[][] {
  const made: string[][] = [];
  while (made.length < count) {
    const key = pick(random, KEYS);
    const make = pick(random, MAKERS);
    for (let run = oneIn(random, 2) ? 1 : 1 + random.below(RUN_MAX); run > 0; run--) {
      made.push(make(random, oneIn(random, 8) ? pick(random, KEYS) : key));
    }
  }
  return made;
}

const MAKERS: readonly ((random: SeededRandom, key: string) => string[])[] = [
  (random, key) => ["SADD", key, element(random)],
  (random, key) => ["SADD", key, element(random), element(random)],
  (random, key) => ["SREM", key, element(random)],
  (random, key) => ["SISMEMBER", key, element(random)],
  (random, key) => ["SMISMEMBER", key, element(random), element(random)],
  (_, key) => ["SISMEMBER", key],
  (random, key) => ["HSET", key, element(random), "value"],
  (random, key) => ["HGET", key, element(random)],
  (random, key) => ["HDEL", key, element(random)],
  (random, key) => ["HMGET", key, element(random), element(random)],
  (random, key) => ["ZADD", key, `${random.below(100)}`, element(random)],
  (random, key) => ["ZADD", key, "XX", `${random.below(100)}`, element(random)],
  (random, key) => ["ZSCORE", key, element(random)],
  (random, key) => ["ZREM", key, element(random)],
  (random, key) => ["ZINCRBY", key, "1.5", element(random)],
  (_, key) => ["ZPOPMIN", key],
  (_, key) => ["SCARD", key],
  (_, key) => ["GET", key],
  (random, key) => ["SET", key, element(random)],
  (_, key) => ["DEL", key],
  (random, key) => ["RENAME", key, pick(random, KEYS)],
  (random, key) => ["COPY", key, pick(random, KEYS), "DB", "1", "REPLACE"],
  () => ["SWAPDB", "0", "1"],
  (random) => ["SELECT", `${random.below(2)}`],
  (random) => oneIn(random, 10) ? ["FLUSHDB"] : ["PING"],
  (_, key) => ["PEXPIREAT", key, "1"],
  (_, key) => ["OBJECT", "ENCODING", key],
  () => ["nonsense"],
];

/** Fills the collections to a large size. */
function filling(): string[][] {
  const fill: string[][] = [];
  for (let i = 0; i < LARGE; i += 100) {
    const names = Array.from({ length: 100 }, (_, k) => `element:${i + k}`);
    fill.push(["SADD", "set", ...names]);
    fill.push(["HSET", "hash", ...names.flatMap((name) => [name, "value"])]);
    fill.push(["ZADD", "zset", ...names.flatMap((name, k) => [`${k}`, name])]);
  }
  return fill;
}

Deno.test("a pipeline gives the same replies as its commands one by one", async () => {
  await property(2, async (random) => {
    const seed = random.below(2 ** 31);
    await withServer(async (one) => {
      await withServer(async (many) => {
        for (let round = 0; round < 4; round++) {
          // Recreates keys that were deleted or changed their type, within some rounds.
          const batch = [...(round % 2 === 0 ? filling() : []), ...commands(random, 300)];
          const expected: string[] = [], actual: string[] = [];
          for (const args of batch) expected.push(await one.command(...args));
          await many.send(concatBytes(batch.map(encodeRequest)));
          for (const _ of batch) actual.push(await many.receive());
          assertEquals(actual, expected);
          assertEquals(await many.command("DEBUG", "DIGEST"), await one.command("DEBUG", "DIGEST"));
        }
      }, { seed });
    }, { seed });
  });
});
