/**
 * The npm package `redis` against a server, in a separate program (see ioredis.ts). Arguments: the port, and the
 * protocol: default, 2 or 3. Exits with 0 if every reply is right.
 */
import { deepStrictEqual as same } from "node:assert";
import process from "node:process";
import { BasicClientSideCache, createClient, ErrorReply } from "redis";

const [port, protocol] = process.argv.slice(2);
const client = createClient({
  url: `redis://127.0.0.1:${port}`,
  ...protocol === "default" ? {} : { RESP: Number(protocol) as 2 | 3 },
});
client.on("error", (error: Error) => {
  console.error(error);
  process.exit(1);
});
await client.connect();

same(await client.ping(), "PONG");
await client.flushAll();
same(await client.set("greeting", "héllo", { expiration: { type: "EX", value: 100 } }), "OK");
same(await client.get("greeting"), "héllo");
same(await client.ttl("greeting"), 100);
same(await client.get("missing"), null);
same(await client.set("greeting", "again", { condition: "NX" }), null);
same(await client.incrBy("count", 41), 41);
same(await client.rPush("list", ["a", "b", "c"]), 3);
same(await client.lRange("list", 0, -1), ["a", "b", "c"]);
same(await client.lPopCount("list", 2), ["a", "b"]);
same(await client.mGet(["count", "missing"]), ["41", null]);
same(await client.exists(["count", "missing", "list"]), 2);

await client.lPush("greeting", "x").then(
  () => Promise.reject(new Error("LPUSH on a string went through")),
  (error: Error) => {
    same(error instanceof ErrorReply, true);
    same(error.message, "WRONGTYPE Operation against a key holding the wrong kind of value");
  },
);

const values = await Promise.all(
  Array.from({ length: 1000 }, async (_, i) => {
    await client.set(`key:${i}`, String(i));
    return await client.get(`key:${i}`);
  }),
);
same(values[999], "999");

const scanned = new Set<string>();
for await (const keys of client.scanIterator({ MATCH: "key:*", COUNT: 100 })) for (const key of keys) scanned.add(key);
same(scanned.size, 1000);

// Two workers of a consumer group: one stops before it has acknowledged everything, the other takes that over.
same(await client.xGroupCreate("jobs", "workers", "$", { MKSTREAM: true }), "OK");
const ids: string[] = [];
const worker = await client.duplicate().connect(), stopped = await client.duplicate().connect();
const jobs = { key: "jobs", id: ">" };
const waiting = worker.xReadGroup("workers", "w1", jobs, { COUNT: 2, BLOCK: 0 });
while (!/blocked_clients:1\b/.test(await client.info("clients"))) {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
for (let i = 0; i < 10; i++) ids.push(await client.xAdd("jobs", "*", { job: String(i) }));
same(messagesOf(await waiting), [[ids[0], "0"]]);
same(await client.xAck("jobs", "workers", ids[0]), 1);
same(
  messagesOf(await stopped.xReadGroup("workers", "w2", jobs, { COUNT: 3 })),
  ids.slice(1, 4).map((id, i) => [id, String(i + 1)]),
);
stopped.destroy();
const done: string[] = [];
for (;;) {
  const read = await worker.xReadGroup("workers", "w1", jobs, { COUNT: 4, BLOCK: 1 });
  if (read === null) break;
  for (const [id, job] of messagesOf(read)) done.push(job), same(await worker.xAck("jobs", "workers", id), 1);
}
same(done, ["4", "5", "6", "7", "8", "9"]);
const pending = await client.xPending("jobs", "workers");
same([pending.pending, pending.firstId, pending.lastId], [3, ids[1], ids[3]]);
same(pending.consumers?.map(({ name, deliveriesCounter }) => [name, deliveriesCounter]), [["w2", 3]]);
const claimed = await worker.xAutoClaim("jobs", "workers", "w1", 0, "0", { COUNT: 2 });
same([claimed.nextId, claimed.messages.map((message) => message?.id)], [ids[3], ids.slice(1, 3)]);
same(await worker.xClaimJustId("jobs", "workers", "w1", 0, ids[3]), [ids[3]]);
same(await worker.xAck("jobs", "workers", ids.slice(1, 4)), 3);
same((await client.xInfoStream("jobs")).length, 10);
same((await client.xInfoGroups("jobs")).map((group) => [group.name, group.pending, group.lag]), [["workers", 0, 0]]);
same((await client.xInfoConsumers("jobs", "workers")).map(({ name }) => name), ["w1", "w2"]);
same(await client.xTrim("jobs", "MAXLEN", 2), 8);
same((await client.xRange("jobs", "-", "+"))?.map(({ id }) => id), ids.slice(8));
await worker.close();

/** The ids and the jobs of a reply, whose form depends on the protocol. */
// deno-lint-ignore no-explicit-any
function messagesOf(reply: any): [string, string][] {
  const read: { id: string; message: { job: string } }[] = Array.isArray(reply) ? reply[0].messages : reply.jobs;
  return read.map(({ id, message }) => [id, message.job]);
}

// The connection is lost on purpose: that alone is no failure.
const subscriber = client.duplicate().on("error", () => {});
await subscriber.connect();
const heard: string[][] = [];
let wake = () => {};
const hear = (kind: string) => (message: string, channel: string) => {
  heard.push([kind, channel, message]);
  wake();
};
/** Resolves when so many messages have come since the last call, to these. */
async function messages(count: number): Promise<string[][]> {
  while (heard.length < count) await new Promise<void>((resolve) => wake = resolve);
  return heard.splice(0);
}
await subscriber.subscribe(["news", "sport"], hear("channel"));
await subscriber.pSubscribe("n*", hear("pattern"));
await subscriber.sSubscribe("shard", hear("shard"));
const expected = [["channel", "news", "hello"], ["pattern", "news", "hello"], ["shard", "shard", "part"]];
same(await client.publish("news", "hello"), 2);
same(await client.sPublish("shard", "part"), 1);
same(await messages(3), expected);
same({ ...await client.pubSubNumSub(["news", "none"]) }, { news: 1, none: 0 });

// After a lost connection the client subscribes again by itself.
const again = new Promise((resolve) => subscriber.once("ready", resolve));
same(await client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]), 1);
await again;
while (await client.pubSubNumPat() === 0 || String(await client.pubSubShardChannels()) !== "shard") {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
same(await client.publish("news", "hello"), 2);
same(await client.sPublish("shard", "part"), 1);
same(await messages(3), expected);
await subscriber.unsubscribe();
await subscriber.pUnsubscribe("n*");
await subscriber.sUnsubscribe("shard");
same(await client.pubSubChannels(), []);
// In RESP2 this client returns bytes once it has subscribed.
same(String(await subscriber.get("count")), "41");
await subscriber.close();
if (protocol === "3") await useCache();
await client.close();

/** The client's own cache: a value comes from the server once, and again after each change. */
async function useCache(): Promise<void> {
  const cache = new BasicClientSideCache({ recordStats: true });
  const cached = createClient({ url: `redis://127.0.0.1:${port}`, RESP: 3, clientSideCache: cache });
  cached.on("error", () => {});
  await cached.connect();
  const hits = () => cache.stats().hitCount;
  /** Resolves when the cache has dropped a value. */
  const dropped = () => new Promise<void>((resolve) => cache.once("invalidate", () => resolve()));

  same([await cached.get("count"), await cached.get("count"), hits()], ["41", "41", 1]);
  same([await cached.hGetAll("none"), { ...await cached.hGetAll("none") }, hits()], [{}, {}, 2]);
  const changes: (() => Promise<unknown>)[] = [
    () => client.incr("count"),
    () => client.expire("count", 100),
    () => client.set("count", "43"),
    () => client.sendCommand(["SWAPDB", "0", "1"]),
    () => client.sendCommand(["SWAPDB", "0", "1"]),
    () => client.multi().set("count", "44").set("other", "1").exec(),
    () => client.flushAll(),
  ];
  for (const change of changes) {
    await cached.get("count");
    const before = hits(), heard = dropped();
    await change();
    await heard;
    same(await cached.get("count"), await client.get("count"));
    same([hits(), await cached.get("count")], [before, await client.get("count")]);
    same(hits(), before + 1);
  }
  // After a lost connection the cache is empty, and tracking begins anew.
  const again = new Promise((resolve) => cached.once("ready", resolve));
  await client.sendCommand(["CLIENT", "KILL", "SKIPME", "yes"]);
  await again;
  await cached.get("count");
  const heard = dropped();
  await client.set("count", "45");
  await heard;
  same(await cached.get("count"), "45");
  await cached.close();
}
