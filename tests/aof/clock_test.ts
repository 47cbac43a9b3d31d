import { assertEquals } from "@std/assert";
import { ManualClock } from "../../src/core/clock.ts";
import { TEST_START_MS, withServer } from "../helpers/server.ts";

const HOUR_MS = 3_600_000;

Deno.test("a clock that steps, before or after a restart, removes only keys whose deadline is past", async () => {
  const folder = await Deno.makeTempDir();
  const settings = { appendonly: "yes", aofpath: `${folder}/db.aof` };
  await withServer(async (client, { clock }) => {
    await client.run("SET forever 1");
    await client.run("SET hour v EX 3600");
    clock.advance(-2 * HOUR_MS);
    assertEquals(await client.run("TTL hour"), ":10800\r\n");
    assertEquals(await client.run("SET later v EX 3600"), "+OK\r\n");
    assertEquals(await client.run("INCR forever"), ":2\r\n");
    clock.advance(2 * HOUR_MS + 1);
    assertEquals(await client.run("EXISTS hour later"), ":1\r\n");
  }, { settings });
  for (const [steppedMs, ttl] of [[0, ":3600"], [-HOUR_MS, ":7200"], [2 * HOUR_MS, ":-2"]] as const) {
    await withServer(async (client) => {
      assertEquals(await client.run("GET forever"), "$1\r\n2\r\n");
      assertEquals(await client.run("TTL hour"), `${ttl}\r\n`);
    }, {
      settings: { ...settings, appendonly: "no", restoredb: "yes" },
      clock: new ManualClock(TEST_START_MS + steppedMs),
    });
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the sync of every second uses a monotonic clock", async () => {
  const folder = await Deno.makeTempDir();
  await withServer(async (client, { clock, server }) => {
    const { persistence } = server.engine;
    clock.advance(-HOUR_MS);
    await client.run("SET a 1");
    const synced = new Promise<void>((resolve) => {
      Object.defineProperty(persistence, "fsyncPending", { get: () => 0, set: (count) => count === 0 && resolve() });
    });
    clock.advance(1001);
    // The server looks at its clock ten times a second.
    await synced;
    assertEquals(persistence.failure, "");
  }, { settings: { appendonly: "yes", aofpath: `${folder}/db.aof` } });
  await Deno.remove(folder, { recursive: true });
});
