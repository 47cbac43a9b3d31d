/**
 * Libraries for locks, rate limits, sessions and caches. Argument: the port. Exits with 0 if all do what they promise.
 */
import { deepStrictEqual as same, rejects } from "node:assert";
import process from "node:process";
import KeyvRedis from "@keyv/redis";
import { RedisStore } from "connect-redis";
import { Redis } from "ioredis";
import Keyv from "keyv";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { createClient } from "redis";
import RedlockModule from "redlock";

const port = Number(process.argv[2]);
const ioredis = new Redis({ port });
const redis = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();
// The package is a CommonJS module with a default export.
const Redlock = (RedlockModule as unknown as { default?: typeof RedlockModule }).default ?? RedlockModule;

const locks = new Redlock([ioredis as never], { retryCount: 0 });
const lock = await locks.acquire(["resource"], 60_000);
await rejects(locks.acquire(["resource"], 60_000));
const extended = await lock.extend(120_000);
same(await ioredis.pttl("resource") > 60_000, true);
await extended.release();
same(await ioredis.exists("resource"), 0);

const limiter = new RateLimiterRedis({ storeClient: ioredis, points: 3, duration: 60 });
same((await limiter.consume("client", 2)).remainingPoints, 1);
await rejects(limiter.consume("client", 2), (refused: { remainingPoints: number }) => refused.remainingPoints === 0);
await limiter.reward("client", 4);
same((await limiter.get("client"))?.consumedPoints, 0);
same(await limiter.delete("client"), true);

const sessions = new RedisStore({ client: redis, prefix: "session:" });
const session = { cookie: { originalMaxAge: 60_000 }, user: "ada" };
for (let i = 0; i < 10; i++) await sessions.set(`id${i}`, session as never);
same(await sessions.get("id3"), session);
await sessions.touch("id3", session as never);
same((await sessions.ids()).toSorted(), Array.from({ length: 10 }, (_, i) => `id${i}`));
await sessions.destroy("id3");
same(await sessions.length(), 9);
await sessions.clear();
same(await sessions.length(), 0);

const cache = new Keyv(new KeyvRedis(`redis://127.0.0.1:${port}`), { namespace: "cache" });
same(await cache.set("a", { n: 1 }, 60_000), true);
await cache.set("b", "text");
same(await cache.get(["a", "b", "c"]), [{ n: 1 }, "text", undefined]);
same(await cache.has("a"), true);
same(await cache.delete("a"), true);
await cache.clear();
same(await cache.get("b"), undefined);
process.exit(0);
