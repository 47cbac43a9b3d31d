/** TIME, ROLE, SHUTDOWN, SLOWLOG, LATENCY, MONITOR, LOLWUT and MEMORY. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { REDIS_VERSION } from "../../../src/core/version.ts";
import { decode } from "../../helpers/decode.ts";
import { differential, redisTest, withRedis } from "../../helpers/redis.ts";
import { TEST_START_MS, TestServer, withServer } from "../../helpers/server.ts";

Deno.test("TIME tells the clock's time", () =>
  withServer(async (client, server) => {
    server.clock.advance(1234.5);
    assertEquals(decode(await client.run("TIME")), [String(TEST_START_MS / 1000 + 1), "234500"]);
  }));

Deno.test("SHUTDOWN asks the server to stop and is not answered", async () => {
  const folder = await Deno.makeTempDir();
  await using server = await TestServer.start({ settings: { dir: folder } });
  const asked: unknown[] = [];
  server.server.engine.shutdown = (options) => asked.push(options);
  const client = await server.connect();
  await client.send("SHUTDOWN NOSAVE NOW\r\nSET a b\r\n");
  assertEquals(await client.drain(), "");
  assertEquals(asked, [{ save: false, now: true, force: false }]);
  const other = await server.connect();
  assertEquals(await other.run("EXISTS a"), ":0\r\n");
  await Deno.remove(folder);
  assertEquals(await other.run("SHUTDOWN SAVE"), "-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
  await other.send("SHUTDOWN SAVE FORCE\r\n");
  assertEquals(await other.drain(), "");
  assertEquals(asked[1], { save: true, now: false, force: true });
});

Deno.test("SHUTDOWN SAVE writes a snapshot first", async () => {
  const folder = await Deno.makeTempDir();
  await using server = await TestServer.start({ settings: { dir: folder } });
  const client = await server.connect();
  await client.run("SET a b");
  await client.send("SHUTDOWN SAVE\r\n");
  assertEquals(await client.drain(), "");
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["dump.rdb"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the slow log keeps the newest entries, cut where they are long", () =>
  withServer(async (client) => {
    await client.run("CLIENT SETNAME me");
    await client.run("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3");
    await client.command("ECHO", "x".repeat(130));
    await client.command("EXISTS", ...Array.from({ length: 40 }, (_, i) => `k${i}`));
    const log = decode(await client.run("SLOWLOG GET -1")) as [number, number, number, string[], string, string][];
    assertEquals(log.map(([id]) => id), [2, 1, 0]);
    assertEquals(log[1][3], ["ECHO", "x".repeat(128) + "... (2 more bytes)"]);
    assertEquals(log[0][3].length, 32);
    assertEquals(log[0][3][31], "... (10 more arguments)");
    assertEquals(log[0][1], TEST_START_MS / 1000);
    assertMatch(log[0][4], /^127\.0\.0\.1:\d+$/);
    assertEquals(log[0][5], "me");
    assertEquals((decode(await client.run("SLOWLOG GET 1")) as unknown[]).length, 1);
    assertEquals(await client.run("SLOWLOG LEN"), ":3\r\n");
    assertEquals(await client.run("SLOWLOG RESET"), "+OK\r\n");
    assertEquals(await client.run("SLOWLOG LEN"), ":1\r\n");
  }));

Deno.test("commands that a slow log of no length forgets take no number in it", () =>
  withServer(async (client) => {
    await client.run("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 0");
    await client.run("PING");
    await client.run("CONFIG SET slowlog-max-len 3");
    assertEquals((decode(await client.run("SLOWLOG GET")) as number[][]).map(([id]) => id), [0]);
  }));

Deno.test("LATENCY HISTOGRAM shows the commands that were asked for, containers as a whole", () =>
  withServer(async (client) => {
    await client.run("CLIENT ID");
    await client.run("CLIENT GETNAME");
    await client.run("PING");
    await client.run("PING");
    const all = decode(await client.run("HELLO 3")) &&
      decode(await client.run("LATENCY HISTOGRAM client ping nothing"));
    assertEquals(all, {
      "client|getname": { calls: 1, histogram_usec: { 1: 1 } },
      "client|id": { calls: 1, histogram_usec: { 1: 1 } },
      ping: { calls: 2, histogram_usec: { 1: 2 } },
    });
  }));

Deno.test("MONITOR shows what others run, but no secrets and nothing that failed before it ran", async () => {
  await using server = await TestServer.start();
  const monitor = await server.connect();
  assertEquals(await monitor.run("MONITOR"), "+OK\r\n");
  const client = await server.connect();
  await client.run("NOTHING");
  await client.run("GET");
  await client.run("CONFIG GET port");
  await client.run("AUTH default secret");
  await client.run("SELECT 3");
  await client.command("SET", 'a"b', new Uint8Array([0, 10, 255]));
  const lines = [await monitor.receive(), await monitor.receive(), await monitor.receive()];
  const seconds = TEST_START_MS / 1000;
  const remote = lines[0].match(/127\.0\.0\.1:\d+/)![0];
  assertEquals(lines, [
    `+${seconds}.000000 [0 ${remote}] "AUTH" "(redacted)" "(redacted)"\r\n`,
    `+${seconds}.000000 [3 ${remote}] "SELECT" "3"\r\n`,
    `+${seconds}.000000 [3 ${remote}] "SET" "a\\"b" "\\x00\\n\\xff"\r\n`,
  ]);
  await monitor.send("MONITOR\r\nGET a\r\nRESET\r\nPING\r\n");
  assertEquals(await monitor.receive(), "-ERR Replica can't interact with the keyspace\r\n");
  assertEquals(await monitor.receive(), "+RESET\r\n");
  assertEquals(await monitor.receive(), "+PONG\r\n");
});

Deno.test("LOLWUT draws and ends with the version", () =>
  withServer(async (client) => {
    const drawn = decode(await client.run("LOLWUT")) as string;
    assert(drawn.endsWith(`\nRedis ver. ${REDIS_VERSION}\n`), drawn);
    assertMatch(await client.run("LOLWUT VERSION x"), /^-ERR value is not an integer/);
  }));

Deno.test("MEMORY USAGE grows with the value", () =>
  withServer(async (client) => {
    await client.command("SET", "short", "x");
    await client.command("SET", "long", "x".repeat(100_000));
    const [short, long] = [await client.run("MEMORY USAGE short"), await client.run("MEMORY USAGE long SAMPLES 0")];
    assert(decode(short) as number < 64);
    assert(decode(long) as number >= 100_000 && decode(long) as number < 140_000);
  }));

redisTest("MEMORY STATS has the fields of Redis", () =>
  withRedis(async (redis) => {
    await withServer(async (client) => {
      const fields = async (from: typeof client) => {
        await from.run("HELLO 3");
        await from.run("SET a b");
        return Object.keys(decode(await from.run("MEMORY STATS")) as Record<string, unknown>);
      };
      assertEquals(await fields(client), await fields(redis));
    });
  }));

Deno.test("MEMORY STATS accounts for the used memory", () =>
  withServer(async (client) => {
    await client.run("HELLO 3");
    await client.command("SET", "a", "x".repeat(50_000));
    const stats = decode(await client.run("MEMORY STATS")) as Record<string, number>;
    assert(stats["dataset.bytes"] >= 50_000);
    assert(stats["total.allocated"] >= stats["dataset.bytes"]);
    assertEquals(stats["keys.count"], 1);
    assertEquals(await client.run("MEMORY PURGE"), "+OK\r\n");
    assertMatch(decode(await client.run("MEMORY MALLOC-STATS")) as string, /blocks in use: \d+\n/);
    assertMatch(decode(await client.run("MEMORY DOCTOR")) as string, /too little data/);
  }));

Deno.test("MEMORY DOCTOR speaks of a peak long past", () =>
  withServer(async (client) => {
    for (let i = 0; i < 20; i++) await client.command("SET", `k${i}`, "x".repeat(300_000));
    assertEquals(decode(await client.run("MEMORY DOCTOR")), "Memory is in good order.\n");
    for (let i = 6; i < 20; i++) await client.command("DEL", `k${i}`);
    assertMatch(decode(await client.run("MEMORY DOCTOR")) as string, /^ \* Peak: /);
  }));

differential("server commands answer as Redis's do, errors included", async (pair) => {
  await pair.sameLines(`
    TIME a
    ROLE
    ROLE a
    MONITOR a
    SHUTDOWN foo
    SHUTDOWN ABORT NOW
    SHUTDOWN SAVE NOSAVE
    SHUTDOWN ABORT
    SHUTDOWN abort NOW
    SLOWLOG
    SLOWLOG NOPE
    SLOWLOG LEN
    SLOWLOG LEN a
    SLOWLOG GET
    SLOWLOG GET a
    SLOWLOG GET -2
    SLOWLOG GET 1 2
    SLOWLOG RESET
    LATENCY
    LATENCY NOPE
    LATENCY HISTOGRAM nothing
    LATENCY HISTOGRAM lrange
    MEMORY
    MEMORY NOPE
    MEMORY USAGE
    MEMORY USAGE nope
    MEMORY USAGE nope SAMPLES
    MEMORY USAGE nope SAMPLES -1
    MEMORY USAGE nope SAMPLES a
    MEMORY USAGE nope SAMPLES 1 FOO
    MEMORY USAGE nope FOO 1
    MEMORY PURGE
    MEMORY PURGE a
    HELLO 3
    MEMORY USAGE nope
    LATENCY HISTOGRAM lrange
    ROLE
  `.replace("\n    HELLO 3", ""));
});
