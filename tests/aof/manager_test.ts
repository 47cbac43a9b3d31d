import { assert, assertEquals, assertMatch } from "@std/assert";
import { SeededRandom } from "../../src/core/random.ts";
import { type DiskFaults, SimulatedDisk } from "../helpers/simulated_disk.ts";
import { TestServer } from "../helpers/server.ts";
import { concatBytes } from "../helpers/wire.ts";
import { Node } from "./node.ts";

/** Advances the clock until the condition holds. */
async function until(node: Node, condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert(tries < 2000, `still not so: ${node.engine.persistence.failure} ${node.logged.at(-1)}`);
    node.clock.advance(100);
    node.manager.tick();
    await new Promise((resolve) => setTimeout(resolve));
  }
}

function disk(faults: DiskFaults = {}): SimulatedDisk {
  return new SimulatedDisk(new SeededRandom(7), faults);
}

Deno.test("a full disk refuses writes and nothing else, and room heals it", async () => {
  for (const appendfsync of ["always", "everysec", "no"]) {
    const faults: DiskFaults = {};
    const full = disk(faults);
    const node = await Node.start(full, { appendfsync });
    let acknowledged = 0;
    const push = () => node.inTurn(() => node.run("RPUSH", "list", acknowledged));
    while (acknowledged < 20 && await push()) acknowledged++;
    faults.capacityBytes = full.usedBytes + 100;
    while (await push()) acknowledged++;
    // The push ran before the full disk was noticed: every client sees it, and its client received the error.
    assertMatch(
      node.refusal,
      /^UNSAVED The commands .* have run, but their changes are only in memory .*No space left/,
    );
    assertEquals(node.run("LLEN", "list"), `:${acknowledged + 1}\r\n`);
    assertMatch(node.engine.persistence.failure, /^MISCONF Errors writing to the AOF file: No space left/);
    assertMatch(node.engine.persistence.failure, /\(\/data\/a\.aof\)$/);
    // A refused command has not run.
    assertMatch(node.run("SET", "key", 1), /^-MISCONF Errors writing to the AOF file: No space left/);
    assertMatch(node.run("PING"), /^-MISCONF Errors writing to the AOF file: No space left/);
    assertEquals(node.run("GET", "key"), "$-1\r\n");
    const kept = await Node.start(full.afterCrash());
    assertEquals(kept.run("LLEN", "list"), `:${acknowledged}\r\n`, `what ${appendfsync} had acknowledged`);

    faults.capacityBytes = undefined;
    await until(node, () => node.engine.persistence.failure === "");
    assert(await push());
    const healed = await Node.start(full.afterCrash());
    assertEquals(healed.run("LRANGE", "list", 0, -1), node.run("LRANGE", "list", 0, -1), "memory and file agree again");
    await node.manager.close();
  }
});

Deno.test("a file that was removed is written anew from memory", async () => {
  const clean = disk();
  const node = await Node.start(clean);
  assert(await node.inTurn(() => node.run("SET", "key", 1)));
  await clean.remove("/data/a.aof");
  await until(node, () => node.engine.persistence.failure !== "");
  assertMatch(node.run("SET", "key", 2), /^-MISCONF Errors writing to the AOF file: the file was removed/);
  await until(node, () => node.engine.persistence.failure === "");
  assert(await node.inTurn(() => node.run("SET", "other", 3)));
  const next = await Node.start(clean.afterCrash());
  assertEquals(next.run("MGET", "key", "other"), "*2\r\n$1\r\n1\r\n$1\r\n3\r\n");
  await node.manager.close();
});

Deno.test("writes are refused while another file has the name, until the file is back or BGREWRITEAOF decides", async () => {
  for (const decision of ["removed", "rewritten"]) {
    const clean = disk();
    const node = await Node.start(clean);
    assert(await node.inTurn(() => node.run("SET", "key", 1)));
    clean.put("/data/a.aof", new TextEncoder().encode("somebody's"));
    await until(node, () => node.engine.persistence.failure !== "");
    assertMatch(node.run("SET", "key", 2), /^-MISCONF .*the path leads to another file.*BGREWRITEAOF/);
    assertMatch(node.run("INFO", "persistence"), /aof_last_write_error:the path leads to another file/);
    // The passing of time alone does not remove the other file.
    for (let i = 0; i < 50; i++) {
      node.clock.advance(1000);
      node.manager.tick();
    }
    assertEquals(new TextDecoder().decode(clean.read("/data/a.aof")), "somebody's");
    if (decision === "removed") await clean.remove("/data/a.aof");
    else node.engine.rewriteAof!();
    await until(node, () => node.engine.persistence.failure === "" && !node.engine.persistence.rewriting);
    const aside = clean.paths().filter((path) => path.startsWith("/data/a.aof.replaced-"));
    const kept = aside.map((path) => new TextDecoder().decode(clean.read(path)));
    assertEquals(kept, decision === "removed" ? [] : ["somebody's"]);
    assert(await node.inTurn(() => node.run("SET", "later", 2)));
    assertEquals((await Node.start(clean.afterCrash())).run("MGET", "key", "later"), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    await node.manager.close();
  }
});

Deno.test("under always a write to a file that has lost its name is never acknowledged", async () => {
  const clean = disk();
  const node = await Node.start(clean, { appendfsync: "always" });
  assert(await node.inTurn(() => node.run("SET", "key", 1)));
  await clean.remove("/data/a.aof");
  assertEquals(await node.inTurn(() => node.run("SET", "key", 2)), false);
  await until(node, () => node.engine.persistence.failure === "");
  assertEquals((await Node.start(clean.afterCrash())).run("GET", "key"), "$1\r\n2\r\n");
  await node.manager.close();
});

Deno.test("a rewrite that began before another file took the name does not move that aside", async () => {
  const clean = disk();
  const node = await Node.start(clean);
  for (let i = 0; i < 2000; i++) node.run("SET", `key${i}`, "x".repeat(100));
  assert(await node.inTurn(() => node.run("SET", "last", 1)));
  node.engine.rewriteAof!();
  clean.put("/data/a.aof", new TextEncoder().encode("somebody's"));
  await until(node, () => !node.engine.persistence.rewriting);
  assertEquals(node.engine.persistence.rewriteFailed, true);
  assertEquals(new TextDecoder().decode(clean.read("/data/a.aof")), "somebody's");
  await node.manager.close();
});

Deno.test("a server starts on a full disk, and keeps the torn end until it can copy it", async () => {
  const first = disk();
  const writer = await Node.start(first);
  assert(await writer.inTurn(() => writer.run("SET", "key", 1)));
  const torn = new TextEncoder().encode("*3\r\n$3\r\nSET\r\n$1\r\nt");
  const whole = first.read("/data/a.aof")!;
  const faults: DiskFaults = {};
  const full = disk(faults);
  full.put("/data/a.aof", concatBytes([whole, torn]));
  faults.capacityBytes = full.usedBytes;
  const node = await Node.start(full);
  assertEquals(node.run("GET", "key"), "$1\r\n1\r\n");
  assertMatch(node.run("SET", "key", 2), /^-MISCONF Errors writing to the AOF file: No space left/);
  for (let i = 0; i < 20; i++) {
    node.clock.advance(1000);
    node.manager.tick();
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals(full.read("/data/a.aof"), concatBytes([whole, torn]));
  assertEquals(full.paths(), ["/data/a.aof"]);
  faults.capacityBytes = undefined;
  await until(node, () => node.engine.persistence.failure === "");
  assert(await node.inTurn(() => node.run("SET", "later", 3)));
  const copy = full.paths().find((path) => path.startsWith("/data/a.aof.dropped-"))!;
  assertEquals(full.read(copy), torn);
  assertEquals((await Node.start(full.afterCrash())).run("MGET", "key", "later"), "*2\r\n$1\r\n1\r\n$1\r\n3\r\n");
  await node.manager.close();
});

Deno.test("a new file on a full disk is begun when there is room", async () => {
  const faults: DiskFaults = { capacityBytes: 0 };
  const node = await Node.start(disk(faults));
  assertEquals(node.run("DBSIZE"), ":0\r\n");
  assertMatch(node.run("SET", "key", 1), /^-MISCONF Errors writing to the AOF file: No space left/);
  faults.capacityBytes = undefined;
  await until(node, () => node.engine.persistence.failure === "");
  assert(await node.inTurn(() => node.run("SET", "key", 1)));
  await node.manager.close();
});

Deno.test("a rewrite that fails leaves the old file, and says so", async () => {
  const faults: DiskFaults = {};
  const small = disk(faults);
  const node = await Node.start(small);
  for (let i = 0; i < 300; i++) node.run("SET", `key${i}`, "x".repeat(100));
  assert(await node.inTurn(() => node.run("SET", "last", 1)));
  faults.capacityBytes = small.usedBytes + 2000;
  node.engine.rewriteAof!();
  await until(node, () => !node.engine.persistence.rewriting);
  assertEquals(node.engine.persistence.rewriteFailed, true);
  assertEquals(node.engine.persistence.failure, "");
  assertEquals(small.read("/data/a.aof.rewriting"), undefined);
  assert(await node.inTurn(() => node.run("SET", "last", 2)));
  assertEquals((await Node.start(small.afterCrash())).run("GET", "last"), "$1\r\n2\r\n");
  await node.manager.close();
});

Deno.test("FLUSHALL during a rewrite begins it again with nothing", async () => {
  const clean = disk();
  const node = await Node.start(clean);
  for (let i = 0; i < 5000; i++) node.run("SET", `key${i}`, "x".repeat(100));
  await node.inTurn(() => {});
  node.engine.rewriteAof!();
  await until(node, () => node.engine.persistence.rewriteKeys > 100);
  assert(await node.inTurn(() => node.run("FLUSHALL")));
  assert(await node.inTurn(() => node.run("SET", "after", 1)));
  await until(node, () => !node.engine.persistence.rewriting);
  assert(clean.read("/data/a.aof")!.length < 300);
  assertEquals((await Node.start(clean.afterCrash())).run("DBSIZE"), ":1\r\n");
  await node.manager.close();
});

Deno.test("a file that has grown enough is rewritten by itself", async () => {
  const clean = disk();
  const node = await Node.start(clean, { "auto-aof-rewrite-min-size": "10000", "auto-aof-rewrite-percentage": "100" });
  for (let i = 0; i < 300; i++) assert(await node.inTurn(() => node.run("SET", "key", "x".repeat(100) + i)));
  assert(clean.read("/data/a.aof")!.length > 10_000);
  await until(node, () => node.engine.persistence.rewrites === 1 && !node.engine.persistence.rewriting);
  assert(clean.read("/data/a.aof")!.length < 1000);
  assertEquals(node.engine.persistence.baseBytes, node.engine.persistence.currentBytes);
  await node.manager.close();
});

Deno.test("appendonly is turned on and off while the server runs", async () => {
  const clean = disk();
  const node = await Node.start(clean, { appendonly: "no" });
  node.run("SET", "before", 1);
  assertEquals(node.run("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
  await until(node, () => node.manager.log !== undefined && !node.engine.persistence.rewriting);
  assert(await node.inTurn(() => node.run("SET", "while", 2)));
  assertEquals(node.run("CONFIG", "SET", "appendonly", "no"), "+OK\r\n");
  await until(node, () => !node.engine.persistence.enabled);
  assert(await node.inTurn(() => node.run("SET", "after", 3)));
  const next = await Node.start(clean.afterCrash());
  assertEquals(next.run("MGET", "before", "while", "after"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n");
  await node.manager.close();
});

Deno.test("turning appendonly on keeps a file that was not loaded, and only that", async () => {
  const clean = disk();
  clean.put("/data/a.aof", new TextEncoder().encode("somebody's"));
  const node = await Node.start(clean, { appendonly: "no", restoredb: "no" });
  node.run("SET", "key", 1);
  for (let i = 0; i < 3; i++) {
    node.run("CONFIG", "SET", "appendonly", "yes");
    await until(node, () => node.manager.log !== undefined && !node.engine.persistence.rewriting);
    assert(await node.inTurn(() => node.run("INCR", "key")));
    node.run("CONFIG", "SET", "appendonly", "no");
    await until(node, () => !node.engine.persistence.enabled);
  }
  const kept = clean.paths().filter((path) => path !== "/data/a.aof");
  assertEquals(kept.map((path) => new TextDecoder().decode(clean.read(path))), ["somebody's"]);
  assertEquals((await Node.start(clean.afterCrash())).run("GET", "key"), "$1\r\n4\r\n");
  await node.manager.close();
});

Deno.test("a file that appendonly asks for is being written from the reply on", async () => {
  const node = await Node.start(disk(), { appendonly: "no" });
  node.run("CONFIG", "SET", "appendonly", "yes");
  assert(node.engine.persistence.rewriting);
  await until(node, () => node.manager.log !== undefined && !node.engine.persistence.rewriting);
  await node.manager.close();
});

Deno.test("appendonly is turned off and on at once, and every write since is in the file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using server = await TestServer.start({ settings: { appendonly: "yes", aofpath: `${folder}/a.aof` } });
    const client = await server.connect();
    for (let i = 0; i < 10; i++) {
      await client.send(
        `SET before${i} 1\r\nCONFIG SET appendonly no\r\nCONFIG SET appendonly yes\r\nSET key${i} 1\r\n`,
      );
      for (let k = 0; k < 4; k++) assertEquals(await client.receive(), "+OK\r\n");
      let info = "";
      while (!/aof_rewrite_in_progress:0/.test(info)) info = await client.run("INFO persistence");
      assertMatch(info, /aof_enabled:1\r\n[^]*aof_last_bgrewrite_status:ok\r\n/);
      assertEquals(await client.run(`SET after${i} 1`), "+OK\r\n");
    }
    assertEquals(await client.run("DEBUG LOADAOF"), "+OK\r\n");
    assertEquals(await client.run("DBSIZE"), ":30\r\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("under everysec a sync of more than two seconds holds replies to writes, and is counted", async () => {
  const slow = disk();
  const node = await Node.start(slow);
  assert(await node.inTurn(() => node.run("SET", "key", 1)));
  const { promise, resolve } = Promise.withResolvers<void>();
  slow.turns = () => promise;
  node.clock.advance(1100);
  node.manager.tick();
  node.clock.advance(1500);
  assert(await node.inTurn(() => node.run("SET", "key", 2)));
  node.clock.advance(600);
  let replied = false;
  const reply = node.inTurn(() => node.run("SET", "key", 3)).then(() => replied = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(replied, false);
  assertEquals(node.engine.persistence.delayedFsyncs, 1);
  resolve();
  await reply;
  slow.turns = () => Promise.resolve();
  await node.manager.close();
});

Deno.test("BGREWRITEAOF replies as Redis does, and INFO tells of it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using server = await TestServer.start({ settings: { appendonly: "yes", aofpath: `${folder}/a.aof` } });
    const client = await server.connect();
    for (let i = 0; i < 100; i++) await client.run(`SET key${i} value`);
    await client.send("BGREWRITEAOF\r\nBGREWRITEAOF\r\nINFO persistence\r\n");
    assertEquals(await client.receive(), "+Background append only file rewriting started\r\n");
    assertEquals(await client.receive(), "-ERR Background append only file rewriting already in progress\r\n");
    assertMatch(await client.receive(), /aof_rewrite_in_progress:1\r\n/);
    for (let info = ""; !/aof_rewrite_in_progress:0/.test(info);) info = await client.run("INFO persistence");
    assertMatch(await client.run("INFO persistence"), /aof_last_bgrewrite_status:ok\r\naof_rewrites:1\r\n/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
