import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { MemDB, MEMDB_VERSION, ReplyError } from "memdb-server";
import { allowed } from "./limits.mjs";

test("a program with ioredis, by the address and by a stream", async () => {
  const db = await MemDB.start({ clock: "manual" });
  class Connector {
    check = () => true;
    connect = () => Promise.resolve(db.connect());
    disconnect = () => {};
  }
  for (const redis of [new Redis(db.url), new Redis({ Connector })]) {
    for (let i = 0; i < 3; i++) assert(await allowed(redis, "ada"));
    assert(!await allowed(redis, "ada"));
    await db.clock.advance({ seconds: 61 });
    assert(await allowed(redis, "ada"));
    await redis.set("big", "x".repeat(1_000_000));
    assert.equal((await redis.get("big")).length, 1_000_000);
    assert.equal(await redis.eval("return redis.call('incr', KEYS[1])", 1, "n"), 1);
    db.reset();
    redis.disconnect();
  }
  await db.stop();
});

test("a program with node-redis: subscription, blocking, faults", async () => {
  const db = await MemDB.start();
  const client = createClient({ url: db.url });
  client.on("error", () => {});
  await client.connect();
  const subscriber = client.duplicate();
  await subscriber.connect();
  const heard = new Promise((resolve) => subscriber.subscribe("news", resolve));
  while ((await client.pubSubNumSub("news")).news === 0);
  await client.publish("news", "one");
  assert.equal(await heard, "one");
  const fault = db.fail({ command: "GET", error: "LOADING Redis is loading the dataset in memory", times: 1 });
  await assert.rejects(client.get("k"), /LOADING/);
  assert.equal(fault.struck, 1);
  const popped = client.duplicate();
  await popped.connect();
  const waits = popped.blPop("queue", 0);
  await client.rPush("queue", "job");
  assert.deepEqual({ ...await waits }, { key: "queue", element: "job" });
  for (const each of [client, subscriber, popped]) each.destroy();
  await db.stop();
});

test("a file keeps the data over a restart at the same address", async () => {
  const folder = mkdtempSync(join(tmpdir(), "memdb-"));
  const db = await MemDB.start({ file: join(folder, "db.aof") });
  const { url } = db;
  await db.command("SET", "k", "v");
  await db.restart();
  assert.deepEqual([db.url, db.get("k")], [url, "v"]);
  await db.stop();
  rmSync(folder, { recursive: true });
});

test("errors, versions, and a port that is taken", async () => {
  const db = await MemDB.start();
  await assert.rejects(db.command("NOSUCH"), (error) => error instanceof ReplyError && error.code === "ERR");
  await assert.rejects(MemDB.start({ port: db.port }), /Failed listening on port/);
  assert.match(MEMDB_VERSION, /^\d+\.\d+\.\d+/);
  assert.equal("Deno" in globalThis, false);
  await db.stop();
});
