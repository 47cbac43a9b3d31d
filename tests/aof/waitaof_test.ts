/**
 * What WAITAOF calls safe, on a disk that hangs, fails, and loses power. The command does not wait here, so it tells
 * the present state.
 */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../src/core/random.ts";
import { type DiskFaults, SimulatedDisk } from "../helpers/simulated_disk.ts";
import { Node } from "./node.ts";

const SAFE = "*2\r\n:1\r\n:0\r\n", NOT_SAFE = "*2\r\n:0\r\n:0\r\n";

const ask = (node: Node) => node.run("WAITAOF", 1, 0, 0);
const nextTask = () => new Promise((resolve) => setTimeout(resolve));

/** A second passes. */
function tick(node: Node): void {
  node.clock.advance(1001);
  node.manager.tick();
}

/** Whether each possible state of the disk after a power failure keeps a key. */
async function survives(
  disk: SimulatedDisk,
  key: string,
  options: Record<string, string>,
  tries = 10,
): Promise<boolean> {
  for (; tries > 0; tries--) {
    const next = await Node.start(disk.afterPowerFailure(), options);
    const kept = next.run("EXISTS", key) === ":1\r\n";
    await next.manager.close();
    if (!kept) return false;
  }
  return true;
}

Deno.test("under each policy WAITAOF knows which changes are synced", async () => {
  for (
    const [appendfsync, atOnce, later] of [["always", SAFE, SAFE], ["everysec", NOT_SAFE, SAFE], [
      "no",
      NOT_SAFE,
      NOT_SAFE,
    ]]
  ) {
    const disk = new SimulatedDisk(new SeededRandom(1));
    const node = await Node.start(disk, { appendfsync });
    assertEquals(ask(node), SAFE, "a client that wrote nothing");
    await node.inTurn(() => node.run("SET", "k", 1));
    assertEquals(ask(node), atOnce, appendfsync);
    tick(node);
    assertEquals(ask(node), atOnce, `${appendfsync}, while the sync runs`);
    for (let turn = 0; turn < 10; turn++) await nextTask();
    assertEquals(ask(node), later, `${appendfsync}, after a second`);
    assertEquals(await survives(disk, "k", { appendfsync }) || later === NOT_SAFE, true, appendfsync);
    await node.manager.close();
  }
});

Deno.test("a sync covers what was written before it began, and nothing else", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const disk = new SimulatedDisk(new SeededRandom(1));
  const node = await Node.start(disk);
  await node.inTurn(() => node.run("SET", "before", 1));
  disk.turns = () => promise;
  tick(node);
  assertEquals(ask(node), NOT_SAFE);
  await node.inTurn(() => node.run("SET", "amid", 2));
  disk.turns = () => Promise.resolve();
  resolve();
  for (let turn = 0; turn < 10; turn++) await nextTask();
  assertEquals(ask(node), NOT_SAFE);
  tick(node);
  for (let turn = 0; turn < 10; turn++) await nextTask();
  assertEquals(ask(node), SAFE);
  assert(await survives(disk, "amid", {}));
  await node.manager.close();
});

Deno.test("a sync or a write that fails promises nothing", async () => {
  for (
    const faults of [{ syncError: "Input/output error" }, { writeError: "No space left on device" }] as DiskFaults[]
  ) {
    for (const appendfsync of ["always", "everysec"]) {
      const disk = new SimulatedDisk(new SeededRandom(1));
      const node = await Node.start(disk, { appendfsync });
      Object.assign(disk.faults, faults);
      await node.inTurn(() => node.run("SET", "k", 1));
      assertEquals(ask(node), NOT_SAFE);
      for (let turn = 0; turn < 10; turn++) {
        tick(node);
        await nextTask();
        assertEquals(ask(node), NOT_SAFE, JSON.stringify([faults, appendfsync]));
      }
      disk.faults.syncError = disk.faults.writeError = undefined;
      for (let turns = 0; ask(node) === NOT_SAFE; turns++) {
        assert(turns < 1000, "the file is never whole again");
        tick(node);
        await nextTask();
      }
      assert(await survives(disk, "k", { appendfsync }));
      await node.manager.close();
    }
  }
});

Deno.test("a file that has lost its name keeps nothing", async () => {
  const disk = new SimulatedDisk(new SeededRandom(1));
  const node = await Node.start(disk, { appendfsync: "always" });
  await node.inTurn(() => node.run("SET", "k", 1));
  assertEquals(ask(node), SAFE);
  await disk.remove("/data/a.aof");
  await node.inTurn(() => node.run("SET", "k", 2));
  assertEquals(ask(node), NOT_SAFE);
  for (let turns = 0; ask(node) === NOT_SAFE; turns++) {
    assert(turns < 1000, "the file is never whole again");
    tick(node);
    await nextTask();
  }
  assert(await survives(disk, "k", { appendfsync: "always" }));
  await node.manager.close();
});

Deno.test("while the name of a new file is not safe, a change must be safe in both files", async () => {
  const folder = Promise.withResolvers<void>(), slow = Promise.withResolvers<void>();
  const disk = new SimulatedDisk(new SeededRandom(1));
  const node = await Node.start(disk);
  await node.inTurn(() => node.run("SET", "before", 1));
  tick(node);
  for (let turn = 0; turn < 10; turn++) await nextTask();
  const { rename, syncFolder } = disk;
  let renamed = false;
  disk.syncFolder = () => renamed ? folder.promise : syncFolder.call(disk);
  disk.rename = (from, to) => {
    renamed = true;
    return rename.call(disk, from, to);
  };
  node.engine.rewriteAof!();
  while (!renamed) await nextTask();
  assertEquals(ask(node), SAFE, "both files have what was there before");
  await node.inTurn(() => node.run("SET", "amid", 2));
  let syncs = 0;
  disk.turns = () => syncs++ === 0 ? Promise.resolve() : slow.promise;
  tick(node);
  for (let turn = 0; turn < 10; turn++) await nextTask();
  assertEquals([syncs, ask(node)], [2, NOT_SAFE], "only the old file is synced");
  slow.resolve();
  for (let turn = 0; turn < 10; turn++) await nextTask();
  assertEquals(ask(node), SAFE, "both are synced");
  folder.resolve();
  while (node.engine.persistence.rewriting) await nextTask();
  assertEquals(ask(node), SAFE);
  await node.manager.close();
});

/**
 * Turns the file on, and has it rewritten at random times, on a slow disk. All that is called safe must survive.
 * Returns how often something was called safe.
 */
async function begunAndReplaced(seed: number): Promise<number> {
  const random = new SeededRandom(seed);
  const disk = new SimulatedDisk(random, { syncTurnsMax: 6 });
  const options = { appendfsync: random.below(2) === 0 ? "no" : "everysec" };
  const node = await Node.start(disk, { ...options, appendonly: "no" });
  node.run("SET", "k0", "v");
  node.engine.settings.set("appendonly", "yes");
  let asked = 0, safeCount = 0;
  const check = async (n: number) => {
    if (asked === n || ask(node) === NOT_SAFE) return;
    asked = n;
    safeCount++;
    assert(await survives(disk, `k${n}`, options, 2), `seed ${seed}: k${n} was called safe`);
  };
  for (let n = 1; n < 20; n++) {
    await node.inTurn(() => assertEquals(node.run("SET", `k${n}`, "v"), "+OK\r\n"));
    for (let turn = random.below(20); turn > 0; turn--) {
      await check(n);
      await nextTask();
    }
    if (random.below(3) === 0 && !node.engine.persistence.rewriting) node.engine.rewriteAof!();
    else if (random.below(2) === 0) tick(node);
  }
  await node.manager.close();
  return safeCount;
}

Deno.test("a file that is begun or replaced is safe when its name is", async () => {
  const counts = await Promise.all(Array.from({ length: 10 }, (_, seed) => begunAndReplaced(seed)));
  assert(counts.some((count) => count > 1), "nothing was called safe");
});
