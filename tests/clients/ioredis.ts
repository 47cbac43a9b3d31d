/**
 * ioredis against a server, in a separate program: clients are no dependency of MemDB, because its users would have to
 * download them. Arguments: the port, and the protocol: default, 2 or 3. Exits with 0 if every reply is right.
 */
import { deepStrictEqual as same } from "node:assert";
import { Buffer } from "node:buffer";
import process from "node:process";
import { Redis, type RedisOptions } from "ioredis";

const [port, protocol] = process.argv.slice(2);
const options: RedisOptions = { port: Number(port) };
if (protocol !== "default") Object.assign(options, { protocol: Number(protocol) });
const redis = new Redis(options);
redis.on("error", (error: Error) => {
  console.error(error);
  process.exit(1);
});

same(await redis.ping(), "PONG");
await redis.flushall();
same(await redis.set("greeting", "héllo", "EX", 100), "OK");
same(await redis.get("greeting"), "héllo");
same(await redis.ttl("greeting"), 100);
same(await redis.get("missing"), null);
same(await redis.set("greeting", "again", "NX"), null);
same(await redis.incrby("count", 41), 41);
same(await redis.incrbyfloat("count", 0.5), "41.5");
same(await redis.rpush("list", "a", "b", "c"), 3);
same(await redis.lrange("list", 0, -1), ["a", "b", "c"]);
same(await redis.lpop("list", 2), ["a", "b"]);
same(await redis.mget("count", "missing"), ["41.5", null]);
same((await redis.keys("*")).sort(), ["count", "greeting", "list"]);

const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
await redis.set("binary", binary);
same(await redis.getBuffer("binary"), binary);
const big = Buffer.alloc(5_000_000, "x");
await redis.set("big", big);
same((await redis.getBuffer("big"))?.equals(big), true);

await redis.lpush("greeting", "x").then(
  () => Promise.reject(new Error("LPUSH on a string went through")),
  (error: Error) => same(error.message, "WRONGTYPE Operation against a key holding the wrong kind of value"),
);

const pipeline = redis.pipeline();
for (let i = 0; i < 1000; i++) pipeline.set(`key:${i}`, i).get(`key:${i}`);
const replies = await pipeline.exec();
same(replies?.length, 2000);
same(replies?.[1999], [null, "999"]);

const scanned = new Set<string>();
for await (const keys of redis.scanStream({ match: "key:*", count: 100 })) for (const key of keys) scanned.add(key);
same(scanned.size, 1000);

// Two workers of a consumer group: one stops before it has acknowledged everything, the other takes that over.
type Read = [string, [string, string[]][]][] | null;
same(await redis.xgroup("CREATE", "jobs", "workers", "$", "MKSTREAM"), "OK");
const ids: (string | null)[] = [];
const worker = redis.duplicate(), stopped = redis.duplicate();
const waiting = worker.xreadgroup("GROUP", "workers", "w1", "COUNT", 2, "BLOCK", 0, "STREAMS", "jobs", ">");
while (!/blocked_clients:1\b/.test(await redis.info("clients"))) await new Promise((resolve) => setTimeout(resolve, 5));
for (let i = 0; i < 10; i++) ids.push(await redis.xadd("jobs", "*", "job", i));
same(await waiting, [["jobs", [[ids[0], ["job", "0"]]]]]);
same(await redis.xack("jobs", "workers", ids[0]!), 1);
const left = await stopped.xreadgroup("GROUP", "workers", "w2", "COUNT", 3, "STREAMS", "jobs", ">") as Read;
same(left?.[0][1].map(([id]) => id), ids.slice(1, 4));
stopped.disconnect();
const done: string[] = [];
for (;;) {
  const read = await worker.xreadgroup(
    "GROUP",
    "workers",
    "w1",
    "COUNT",
    4,
    "BLOCK",
    1,
    "STREAMS",
    "jobs",
    ">",
  ) as Read;
  if (read === null) break;
  for (const [id, [, job]] of read[0][1]) done.push(job), same(await worker.xack("jobs", "workers", id), 1);
}
same(done, ["4", "5", "6", "7", "8", "9"]);
same(await redis.xpending("jobs", "workers"), [3, ids[1], ids[3], [["w2", "3"]]]);
same(await worker.xautoclaim("jobs", "workers", "w1", 0, "0", "COUNT", 2), [
  ids[3],
  [[ids[1], ["job", "1"]], [ids[2], ["job", "2"]]],
  [],
]);
same(await worker.xclaim("jobs", "workers", "w1", 0, ids[3]!, "JUSTID"), [ids[3]]);
same(await worker.xack("jobs", "workers", ...ids.slice(1, 4) as string[]), 3);
same(await redis.xpending("jobs", "workers"), [0, null, null, null]);
same(await redis.xtrim("jobs", "MAXLEN", 2), 8);
same(await redis.xrevrange("jobs", "+", "-"), [[ids[9], ["job", "9"]], [ids[8], ["job", "8"]]]);
same(await redis.xread("BLOCK", 1, "STREAMS", "jobs", "$"), null);
worker.disconnect();

const subscriber = redis.duplicate();
const heard: unknown[][] = [];
let wake = () => {};
const hear = (...message: unknown[]) => {
  heard.push(message);
  wake();
};
for (const event of ["message", "pmessage", "smessage"]) subscriber.on(event, (...args) => hear(event, ...args));
/** Resolves when so many messages have come since the last call, to these. */
async function messages(count: number): Promise<unknown[][]> {
  while (heard.length < count) await new Promise<void>((resolve) => wake = resolve);
  return heard.splice(0);
}
same(await subscriber.subscribe("news", "sport"), 2);
same(await subscriber.psubscribe("n*"), 3);
same(await subscriber.ssubscribe("shard"), 1);
const expected = [["message", "news", "hello"], ["pmessage", "n*", "news", "hello"], ["smessage", "shard", "part"]];
same(await redis.publish("news", "hello"), 2);
same(await redis.spublish("shard", "part"), 1);
same(await messages(3), expected);
same(await redis.pubsub("NUMSUB", "news", "none"), ["news", 1, "none", 0]);

// After a lost connection the client subscribes again by itself.
const again = new Promise((resolve) => subscriber.once("ready", resolve));
same(await redis.call("CLIENT", "KILL", "TYPE", "pubsub"), 1);
await again;
while (String(await redis.pubsub("NUMPAT")) === "0" || String(await redis.pubsub("SHARDCHANNELS")) !== "shard") {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
same(await redis.publish("news", "hello"), 2);
same(await redis.spublish("shard", "part"), 1);
same(await messages(3), expected);
same(await subscriber.unsubscribe("news", "sport"), 1);
same(await subscriber.punsubscribe("n*"), 0);
same(await subscriber.sunsubscribe("shard"), 0);
same(await subscriber.get("greeting"), "héllo");
await subscriber.quit();
await redis.quit();
