/** Eviction: which keys are removed when memory is short, under each policy. */
import { assert, assertEquals } from "@std/assert";
import { type Clock, ManualClock } from "../../src/core/clock.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { NEVER } from "../../src/store/keyspace.ts";
import { decode } from "../helpers/decode.ts";
import { recordEffects, recordEvents } from "../helpers/effects.ts";
import { createEngine, findKey, setString } from "../helpers/engine.ts";
import { pick, property } from "../helpers/property.ts";
import { withServer } from "../helpers/server.ts";

const START_MS = Date.UTC(2026, 0, 1);
const KEYS = 4000;
const VALUE = "v".repeat(100);

interface Filled {
  engine: Engine;
  clock: ManualClock;
}

/**
 * An engine with keys whose use is defined by `use`: key i is set at second i / 100. `deadline` gives some keys a
 * deadline.
 */
function fill(policy: string, deadline: (i: number) => number): Filled {
  const clock = new ManualClock(START_MS);
  const engine = createEngine(clock, { "maxmemory-policy": policy, "lfu-log-factor": "0" });
  for (let i = 0; i < KEYS; i++) {
    if (i % 100 === 0) {
      clock.advance(1000);
      engine.store.setTime(clock.nowMs());
    }
    setString(engine.store.databases[i % 2], `key:${i}`, VALUE, deadline(i));
  }
  return { engine, clock };
}

/** Evicts about half of the data, with as many calls as needed; returns which keys are left. */
function evictHalf(engine: Engine): boolean[] {
  const { store, settings } = engine;
  settings.set("maxmemory", String(Math.floor(store.arena.usedBytes / 2)));
  while (store.arena.usedBytes > settings.values.maxmemory) assert(engine.makeRoom());
  store.check();
  return Array.from({ length: KEYS }, (_, i) => findKey(store.databases[i % 2], `key:${i}`) !== 0);
}

/** Fraction of the keys in [from, to) that are left. */
function shareLeft(left: readonly boolean[], from: number, to: number): number {
  return left.slice(from, to).filter(Boolean).length / (to - from);
}

Deno.test("allkeys-lru evicts the keys unused for the longest time", () => {
  const { engine } = fill("allkeys-lru", () => NEVER);
  const left = evictHalf(engine);
  assert(shareLeft(left, 0, KEYS / 4) < 0.1);
  assert(shareLeft(left, (KEYS * 3) / 4, KEYS) > 0.9);
});

Deno.test("a key that is used after it was sampled is not evicted for its past", () => {
  const { engine, clock } = fill("allkeys-lru", () => NEVER);
  const { store } = engine;
  // After this the pool holds old keys.
  engine.settings.set("maxmemory", String(store.arena.usedBytes - 4000));
  assert(engine.makeRoom());
  clock.advance(60_000);
  store.setTime(clock.nowMs());
  for (let i = 0; i < KEYS / 4; i++) {
    const ref = findKey(store.databases[i % 2], `key:${i}`);
    if (ref !== 0) store.touch(ref);
  }
  const before = store.databases[0].size + store.databases[1].size;
  const left = evictHalf(engine);
  assert(before > KEYS - 200);
  assert(shareLeft(left, 0, KEYS / 4) > 0.85);
  assert(shareLeft(left, KEYS / 4, KEYS / 2) < 0.1);
});

Deno.test("allkeys-lfu evicts the keys that are used least often", () => {
  const { engine } = fill("allkeys-lfu", () => NEVER);
  const { store } = engine;
  for (let i = 0; i < KEYS; i += 4) {
    const ref = findKey(store.databases[i % 2], `key:${i}`);
    for (let use = 0; use < 20; use++) store.touch(ref);
  }
  const left = evictHalf(engine);
  const often = left.filter((_, i) => i % 4 === 0), seldom = left.filter((_, i) => i % 4 !== 0);
  assert(shareLeft(often, 0, often.length) > 0.99);
  assert(shareLeft(seldom, 0, seldom.length) < 0.5);
});

Deno.test("volatile-ttl evicts the keys that expire soonest", () => {
  const { engine } = fill("volatile-ttl", (i) => START_MS + 1e9 + ((i * 7919) % KEYS) * 1000);
  const left = evictHalf(engine);
  const byDeadline = Array.from({ length: KEYS }, (_, i) => i).sort((a, b) => (a * 7919) % KEYS - (b * 7919) % KEYS);
  const ordered = byDeadline.map((i) => left[i]);
  assert(shareLeft(ordered, 0, KEYS / 4) < 0.1);
  assert(shareLeft(ordered, (KEYS * 3) / 4, KEYS) > 0.9);
});

Deno.test("allkeys-lrm evicts the keys unchanged for the longest time, and reading is no change", () =>
  withServer(async (client, { clock, server }) => {
    await client.run("CONFIG SET maxmemory-samples 64");
    const value = "v".repeat(1000);
    for (let i = 0; i < 100; i++) await client.command("RPUSH", `key:${i}`, value);
    clock.advance(60_000);
    for (let i = 0; i < 100; i++) await client.run(i % 2 === 0 ? `LRANGE key:${i} 0 -1` : `RPUSH key:${i} a`);
    const used = server.engine.usedBytes;
    await client.run(`CONFIG SET maxmemory ${used - 40_000}`);
    await client.run("SET trigger x");
    for (let i = 1; i < 100; i += 2) assertEquals(await client.run(`EXISTS key:${i}`), ":1\r\n", `key:${i}`);
    assert(Number(decode(await client.run("DBSIZE"))) < 75);
  }, { settings: { "maxmemory-policy": "allkeys-lrm" } }));

Deno.test("under LRM the idle time of a key is the time since it changed", () =>
  withServer(async (client, { clock }) => {
    const script: [string, string, number][] = [
      ["SET k v", "GET k", 10],
      ["SET k v", "TOUCH k", 10],
      ["SET k v", "GETEX k", 10],
      ["SET k v", "OBJECT ENCODING k", 10],
      ["SET k v", "EXPIRE k 1000", 0],
      ["SET k v", "APPEND k v", 0],
      ["SET k v", "SET k w", 0],
      ["SET k v", "SETRANGE k 0 x", 0],
      ["HSET k f v", "HGET k f", 10],
      ["HSET k f v", "HDEL k g", 10],
      ["HSET k f v", "HSET k g 1", 0],
      ["SET old v", "RENAME old k", 0],
      ["XGROUP CREATE k g 0 MKSTREAM", "XADD k * f v", 0],
      ["XADD k 5 f v", "XREAD STREAMS k 0", 10],
      ["XGROUP CREATE k g 0 MKSTREAM", "XGROUP CREATECONSUMER k g c", 0],
      ["XGROUP CREATE k g 0 MKSTREAM", "XSETID k 5", 0],
    ];
    for (const [before, line, idle] of script) {
      await client.run("FLUSHALL");
      await client.run(before);
      clock.advance(10_000);
      await client.run(line);
      assertEquals(await client.run("OBJECT IDLETIME k"), `:${idle}\r\n`, line);
    }
    await client.run("CONFIG SET maxmemory-policy allkeys-lru");
    clock.advance(10_000);
    await client.run("XLEN k");
    assertEquals(await client.run("OBJECT IDLETIME k"), ":0\r\n");
  }, { settings: { "maxmemory-policy": "volatile-lrm" } }));

for (const policy of ["volatile-lru", "volatile-lfu", "volatile-lrm", "volatile-random", "volatile-ttl"]) {
  Deno.test(`${policy} spares keys without a deadline, and refuses when no others are left`, () => {
    const { engine } = fill(policy, (i) => i % 4 < 3 ? START_MS + 1e9 : NEVER);
    const left = evictHalf(engine);
    assertEquals(shareLeft(left.filter((_, i) => i % 4 === 3), 0, KEYS / 4), 1);
    engine.settings.set("maxmemory", "1000");
    assertEquals(engine.makeRoom(), false);
    const { databases } = engine.store;
    assertEquals(databases[0].size + databases[1].size, KEYS / 4);
    assertEquals(databases[0].expiresSize + databases[1].expiresSize, 0);
    engine.store.check();
  });
}

Deno.test("random eviction takes from all databases alike", () => {
  const { engine } = fill("allkeys-random", () => NEVER);
  const left = evictHalf(engine);
  const [a, b] = engine.store.databases.map((db) => db.size);
  assert(Math.abs(a - b) <= 1);
  for (let i = 0; i < KEYS; i += KEYS / 4) {
    const share = shareLeft(left, i, i + KEYS / 4);
    assert(share > 0.3 && share < 0.7);
  }
});

Deno.test("more samples come nearer to the true order", () => {
  const misses = ["1", "10"].map((samples) => {
    const { engine } = fill("allkeys-lru", () => NEVER);
    engine.settings.set("maxmemory-samples", samples);
    return 1 - shareLeft(evictHalf(engine), (KEYS * 5) / 8, KEYS);
  });
  assert(misses[1] < misses[0], `${misses}`);
});

Deno.test("noeviction refuses, and room is enough again when something is deleted", () => {
  const { engine } = fill("noeviction", () => NEVER);
  const { store, settings } = engine;
  settings.set("maxmemory", String(store.arena.usedBytes - 1));
  assertEquals(engine.makeRoom(), false);
  store.databases[0].unlink(findKey(store.databases[0], "key:0"));
  assertEquals(engine.makeRoom(), true);
  assertEquals(engine.stats.evicted, 0);
});

Deno.test("dead values are freed before a living key is evicted", () => {
  const { engine } = fill("allkeys-lru", () => NEVER);
  const { store, settings } = engine;
  const limit = store.arena.usedBytes;
  for (let i = 0; i < 20_000; i++) setString(store.databases[5], `dead:${i}`, VALUE);
  settings.set("maxmemory", String(limit));
  store.databases[5].clear();
  while (store.arena.usedBytes > limit) assert(engine.makeRoom());
  assertEquals(engine.stats.evicted, 0);
});

Deno.test("eviction takes as long as the tenacity allows, and goes on with the next call", () => {
  let us = 0;
  const clock: Clock = { nowMs: () => START_MS, monotonicUs: () => us += 100, schedule: () => () => {} };
  const engine = createEngine(clock, { "maxmemory-policy": "allkeys-random" });
  const [db] = engine.store.databases;
  for (let i = 0; i < 5000; i++) setString(db, `key:${i}`, VALUE);
  engine.settings.set("maxmemory", "100000");
  const evictedBy = (tenacity: string) => {
    engine.settings.set("maxmemory-eviction-tenacity", tenacity);
    const before = engine.stats.evicted;
    assertEquals(engine.makeRoom(), true);
    return engine.stats.evicted - before;
  };
  assertEquals(evictedBy("0"), 16);
  assertEquals(evictedBy("10"), 16 * 5);
  assert(evictedBy("50") > 1000);
  evictedBy("100");
  assert(engine.store.arena.usedBytes <= 100_000);
});

Deno.test("an evicted key is logged as deleted, announced and counted", () => {
  const engine = createEngine(new ManualClock(START_MS), { "maxmemory-policy": "allkeys-lru" });
  setString(engine.store.databases[3], "a", VALUE);
  const logged = recordEffects(engine), events = recordEvents(engine);
  engine.settings.set("maxmemory", String(engine.store.arena.usedBytes - 1));
  assertEquals(engine.makeRoom(), true);
  assertEquals(logged, ["3: DEL a"]);
  assertEquals(events, ["3: e evicted a"]);
  assertEquals(engine.stats.evicted, 1);
});

Deno.test("nothing is evicted while a file loads", () => {
  const { engine } = fill("allkeys-lru", () => NEVER);
  engine.settings.set("maxmemory", "1000");
  engine.persistence.loading = true;
  assertEquals(engine.makeRoom(), true);
  assertEquals(engine.stats.evicted, 0);
});

Deno.test("the store keeps frequencies as long as the policy asks for them", () => {
  const engine = createEngine(new ManualClock(START_MS), { "maxmemory-policy": "volatile-lfu" });
  assertEquals(engine.store.frequencies, true);
  engine.settings.set("maxmemory-policy", "volatile-ttl");
  assertEquals(engine.store.frequencies, false);
  engine.settings.set("maxmemory-policy", "allkeys-lfu");
  engine.settings.set("lfu-log-factor", "3");
  engine.settings.set("lfu-decay-time", "7");
  const { frequencies, lfuLogFactor, lfuDecayMinutes } = engine.store;
  assertEquals([frequencies, lfuLogFactor, lfuDecayMinutes], [true, 3, 7]);
});

Deno.test("keys that come, change, move and go never confuse the pool", () =>
  property(3, (random) => {
    const clock = new ManualClock(START_MS);
    const engine = createEngine(clock);
    const { store, settings } = engine;
    const policies = [
      "allkeys-lru",
      "volatile-lru",
      "allkeys-lfu",
      "volatile-lfu",
      "volatile-ttl",
      "allkeys-lrm",
      "allkeys-random",
    ];
    for (let i = 0; i < 3000; i++) {
      const db = store.databases[random.below(3)];
      const name = `key:${random.below(300)}`;
      const ref = findKey(db, name);
      const deadline = random.below(2) === 0 ? NEVER : clock.nowMs() + 1 + random.below(100_000);
      const action = random.below(10);
      if (action < 5) setString(db, name, "v".repeat(random.below(500)), deadline);
      else if (ref === 0) continue;
      else if (action === 5) db.unlink(ref);
      else if (action === 6) db.setDeadline(ref, deadline);
      else if (action === 7) store.touch(ref);
      else if (action === 8) store.swap(0, random.below(3));
      if (random.below(100) === 0) settings.set("maxmemory-policy", pick(random, policies));
      if (random.below(10) === 0) {
        clock.advance(random.below(5000));
        store.setTime(clock.nowMs());
      }
      settings.set("maxmemory", String(Math.max(1, store.arena.usedBytes - random.below(1000))));
      engine.makeRoom();
    }
    store.check();
  }));

Deno.test("a command that needs memory is refused when there is none, one that gives memory back is not", () =>
  withServer(async (client) => {
    await client.run("SET a 1");
    await client.run("CONFIG SET maxmemory 1");
    const refused = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    for (const line of ["SET b 1", "COPY a b", "RPUSH l x"]) assertEquals(await client.run(line), refused);
    assertEquals(await client.run("GET a"), "$1\r\n1\r\n");
    assertEquals(await client.run("EXPIRE a 10"), ":1\r\n");
    assertEquals(await client.run("CONFIG SET maxmemory-policy volatile-lru maxmemory 4000"), "+OK\r\n");
    assertEquals(await client.run("DEL a"), ":1\r\n");
    assertEquals(await client.run("CONFIG SET maxmemory 100mb"), "+OK\r\n");
    assertEquals(await client.run("SET b 1"), "+OK\r\n");
  }, { settings: { databases: "1" } }));

Deno.test("a cache over the wire stays within its memory and keeps the keys in use", () =>
  withServer(async (client, { server }) => {
    const limit = server.engine.store.arena.usedBytes + 300_000;
    await client.command("CONFIG", "SET", "maxmemory", limit, "maxmemory-policy", "allkeys-lfu");
    await client.command("SET", "hot", VALUE);
    for (let i = 0; i < 5000; i++) {
      await client.command("SET", `cold:${i}`, VALUE);
      if (i % 10 === 0) await client.command("GET", "hot");
      assert(server.engine.store.arena.usedBytes < limit + 20_000);
    }
    assertEquals(await client.run("EXISTS hot"), ":1\r\n");
    assert(server.engine.stats.evicted > 2000);
  }));

Deno.test("INFO tells how long used memory was above the limit", () =>
  withServer(async (client, { clock }) => {
    const times = async () =>
      [...(await client.run("INFO stats")).matchAll(/(?:total|current)_eviction_exceeded_time:(\d+)/g)]
        .map(([, ms]) => Number(ms));
    clock.advance(1000);
    assertEquals(await times(), [0, 0]);
    await client.run("CONFIG SET maxmemory 1");
    assertEquals(await client.run("SET k v"), "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    clock.advance(3000);
    assertEquals(await client.run("SET k v"), "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assertEquals(await times(), [3000, 3000]);
    await client.run("CONFIG SET maxmemory 1gb");
    assertEquals(await client.run("SET k v"), "+OK\r\n");
    clock.advance(3000);
    assertEquals(await times(), [3000, 0]);
    await client.run("CONFIG RESETSTAT");
    assertEquals(await times(), [0, 0]);
  }));
