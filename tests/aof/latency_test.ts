/**
 * The events of the latency monitor: every kind of work of the event loop, with a clock on which each step takes long.
 */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../src/core/random.ts";
import { ExpiryState, runExpiryCycle } from "../../src/engine/expiry.ts";
import { SimulatedDisk } from "../helpers/simulated_disk.ts";
import { Node, SteppingClock } from "./node.ts";

/** Each reading of the clock is 2 ms after the one before. */
const STEP_US = 2000;
const nextTask = () => new Promise((resolve) => setTimeout(resolve));

async function start(options: Record<string, string>): Promise<Node> {
  const clock = new SteppingClock(STEP_US);
  return await Node.start(new SimulatedDisk(new SeededRandom(1)), options, clock);
}

/** The events that `body` causes, sorted. */
async function eventsOf(node: Node, body: () => void | Promise<void>): Promise<string[]> {
  const { engine } = node;
  engine.latency.reset();
  engine.settings.set("latency-monitor-threshold", "1");
  await body();
  engine.settings.set("latency-monitor-threshold", "0");
  return [...engine.latency.events.keys()].sort();
}

Deno.test("the latency monitor sees commands and the writing of the file", async () => {
  const node = await start({ appendfsync: "always" });
  const set = async () => void await node.inTurn(() => node.run("SET", "k", "v"));
  assertEquals(await eventsOf(node, set), ["aof-fstat", "aof-fsync-always", "aof-write", "aof-write-alone", "command"]);
  assertEquals(await eventsOf(node, () => void node.run("GET", "k")), ["fast-command"]);
  node.engine.persistence.rewriting = true;
  assert((await eventsOf(node, set)).includes("aof-write-active-child"));
  node.engine.persistence.rewriting = false;
  await node.manager.close();
});

Deno.test("the latency monitor sees a write that a sync may have slowed", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const disk = new SimulatedDisk(new SeededRandom(1));
  const node = await Node.start(disk, { appendfsync: "everysec" }, new SteppingClock(STEP_US));
  disk.turns = () => promise;
  const set = async () => void await node.inTurn(() => node.run("SET", "k", "v"));
  await set();
  node.clock.advance(1001);
  node.manager.tick();
  node.clock.advance(-900);
  assertEquals(await eventsOf(node, set), ["aof-write", "aof-write-pending-fsync", "command"]);
  resolve();
  await nextTask();
  await node.manager.close();
});

Deno.test("the latency monitor sees the slices of a rewrite", async () => {
  const node = await start({ appendfsync: "no" });
  await node.inTurn(() => node.run("SET", "k", "v"));
  const events = await eventsOf(node, async () => {
    node.engine.rewriteAof!();
    while (node.engine.persistence.rewriting) await nextTask();
  });
  assertEquals(events, ["aof-rewrite-slice"]);
  await node.manager.close();
});

Deno.test("the latency monitor sees expiry and eviction", async () => {
  const node = await start({ appendonly: "no", "maxmemory-policy": "allkeys-random" });
  for (let i = 0; i < 100; i++) node.run("SET", `k${i}`, "x".repeat(1000));
  const { engine } = node;
  assertEquals(await eventsOf(node, () => void runExpiryCycle(engine, new ExpiryState())), ["expire-cycle"]);
  engine.settings.set("maxmemory", "1");
  assertEquals(await eventsOf(node, () => void engine.makeRoom()), ["eviction-cycle", "eviction-del"]);
  await node.manager.close();
});

Deno.test("while the latency monitor is off nothing is recorded, and no work reads the clock for it", async () => {
  const node = await start({ appendfsync: "always" });
  const readings = async () => {
    const before = node.clock.readingCount;
    await node.inTurn(() => node.run("SET", "k", "v"));
    return node.clock.readingCount - before;
  };
  const off = await readings();
  node.engine.settings.set("latency-monitor-threshold", "1");
  assert(await readings() > off);
  node.engine.settings.set("latency-monitor-threshold", "0");
  assertEquals(await readings(), off);
  node.engine.latency.reset();
  await node.inTurn(() => node.run("SET", "k", "v"));
  assertEquals(node.engine.latency.events.size, 0);
  await node.manager.close();
});
