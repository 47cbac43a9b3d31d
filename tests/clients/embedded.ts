/**
 * ioredis and node-redis with an embedded server, as a test of a user has them: by its address, and by a connection
 * without a port. Exits with 0 if every reply is right.
 */
import { deepStrictEqual as same } from "node:assert";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { MemDB } from "../../mod.ts";

await using db = await MemDB.start({ clock: "manual" });

const redis = new Redis(db.url);
same(await redis.set("session", "s", "EX", 60), "OK");
await db.clock.advance({ seconds: 61 });
same(await redis.get("session"), null);
same(db.calls("SET").map(({ args }) => args), [["session", "s", "EX", "60"]]);

/** A connection of ioredis to the server of this process. */
class Pipe {
  check(): boolean {
    return true;
  }

  connect(): Promise<ReturnType<MemDB["connect"]>> {
    return Promise.resolve(db.connect());
  }

  disconnect(): void {}
}
// deno-lint-ignore no-explicit-any
const piped = new Redis({ Connector: Pipe as any });
same(await piped.hset("user:1", { name: "Ada", age: 36 }), 2);
same(await piped.hgetall("user:1"), { name: "Ada", age: "36" });
same(await piped.multi().incr("n").incr("n").exec(), [[null, 1], [null, 2]]);
const sets = await Promise.all(Array.from({ length: 1000 }, (_, i) => piped.set(`k:${i}`, "x".repeat(i))));
same(sets.length, 1000);
same((await piped.get("k:999"))?.length, 999);
const popped = piped.blpop("queue", 0);
await redis.rpush("queue", "job");
same(await popped, ["queue", "job"]);

const node = createClient({ url: db.url });
const failures: string[] = [];
node.on("error", (error: Error) => failures.push(error.message));
await node.connect();
same(await node.get("n"), "2");
{
  using _fault = db.fail({ command: "GET", error: "LOADING Redis is loading the dataset in memory", times: 1 });
  same(await node.get("n").catch((error: Error) => error.message), "LOADING Redis is loading the dataset in memory");
}
same(await node.get("n"), "2");
const subscriber = node.duplicate();
subscriber.on("error", (error: Error) => failures.push(error.message));
await subscriber.connect();
const messages: string[] = [];
await subscriber.subscribe("news", (message) => messages.push(message));
await redis.publish("news", "one");
while (messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
same(messages, ["one"]);

// A client that reconnects finds the server at the same address after a restart.
redis.on("error", () => {});
piped.on("error", () => {});
const snapshot = db.snapshot();
await db.restart();
await db.restore(snapshot);
same(await redis.get("n"), "2");
same(await node.get("n"), "2");

await redis.quit();
piped.disconnect();
await subscriber.close();
await node.close();
