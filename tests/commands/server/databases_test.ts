/** The commands on whole databases over the wire: on MemDB alone, and compared with Redis. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { recordEffects } from "../../helpers/effects.ts";
import { differential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

Deno.test("FLUSHDB empties one database, FLUSHALL all", () =>
  withServer(async (client) => {
    await client.run("SET a 1 EX 10");
    await client.run("RPUSH l x y z");
    await client.run("COPY a a DB 1");
    assertEquals(await client.run("FLUSHDB"), "+OK\r\n");
    assertEquals(await client.run("DBSIZE"), ":0\r\n");
    assertEquals(await client.run("GET a"), "$-1\r\n");
    await client.run("SELECT 1");
    assertEquals(await client.run("DBSIZE"), ":1\r\n");
    assertEquals(await client.run("FLUSHALL ASYNC"), "+OK\r\n");
    assertEquals(await client.run("DBSIZE"), ":0\r\n");
    assertEquals(await client.run("SET a 2"), "+OK\r\n");
    assertEquals(await client.run("TTL a"), ":-1\r\n");
  }));

Deno.test("the memory of a flushed database is freed in slices", () =>
  withServer(async (client, { server }) => {
    const { store } = server.engine;
    for (let i = 0; i < 30_000; i += 1000) {
      await client.command("MSET", ...Array.from({ length: 1000 }, (_, k) => [`key:${i + k}`, "v"]).flat());
    }
    const full = store.arena.usedBytes;
    await client.run("FLUSHALL SYNC");
    await client.run("SET new 1");
    assertEquals(await client.run("DBSIZE"), ":1\r\n");
    assert(store.arena.usedBytes < full);
    while (store.garbagePending) store.reclaim(1000);
    assert(store.arena.usedBytes < full / 100);
    const freed = Number(/lazyfreed_objects:(\d+)/.exec(await client.run("INFO memory"))?.[1]);
    assert(freed > 0 && freed <= 30_000);
    await client.run("CONFIG RESETSTAT");
    assertMatch(await client.run("INFO memory"), /lazyfreed_objects:0\r\n/);
    assertEquals(await client.run("GET new"), "$1\r\n1\r\n");
  }));

Deno.test("SWAPDB exchanges keys and deadlines under the clients' feet", () =>
  withServer(async (client, server) => {
    const other = await server.connect();
    await other.run("SELECT 2");
    await client.run("SET a 1 PX 5000");
    assertEquals(await other.run("SWAPDB 0 2"), "+OK\r\n");
    assertEquals(await client.run("EXISTS a"), ":0\r\n");
    assertEquals(await other.run("PTTL a"), ":5000\r\n");
    server.clock.advance(5000);
    assertEquals(await other.run("GET a"), "$-1\r\n");
  }));

Deno.test("flushes and swaps are logged as they came, even if nothing was there", () =>
  withServer(async (client, { server }) => {
    const logged = recordEffects(server.engine);
    const lines = ["FLUSHALL", "FLUSHDB async", "SWAPDB 0 0", "SWAPDB 1 0"];
    for (const line of lines) await client.run(line);
    assertEquals(logged, lines.map((line) => `0: ${line}`));
    await client.run("MSET a 1 b 2 c 3");
    const before = server.engine.stats.changes;
    await client.run("FLUSHALL");
    assertEquals(server.engine.stats.changes - before, 3);
  }));

differential("wrong arguments get Redis's answers", (pair) =>
  pair.sameLines(`
    DBSIZE x
    FLUSHALL FOO
    FLUSHALL ASYNC SYNC
    FLUSHALL Sync
    FLUSHDB async
    FLUSHDB x
    FLUSHDB sync x
    SWAPDB
    SWAPDB 0
    SWAPDB 0 x
    SWAPDB x 0
    SWAPDB x y
    SWAPDB 0 16
    SWAPDB 16 x
    SWAPDB -1 0
    SWAPDB 0 99999999999999999999
    SWAPDB 99999999999 0
    SWAPDB 4294967296 0
    SWAPDB 0 0
    SWAPDB 0 1
  `));
