/**
 * Snapshots that a server writes on its own: when they are due, the consequences of a failure, and those at shutdown.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { saveWhenDue } from "../../src/rdb/save_points.ts";
import type { TestClient } from "../helpers/client.ts";
import { redisTest, withRedis } from "../helpers/redis.ts";
import { TEST_START_MS, TestServer } from "../helpers/server.ts";

async function withFolder(
  settings: Record<string, string>,
  body: (client: TestClient, server: TestServer, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using server = await TestServer.start({ settings: { dir: folder, ...settings } });
    await body(await server.connect(), server, folder);
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

/** Starts a snapshot if one is due, and waits for its end. Returns the names in the folder. */
async function settle({ server }: TestServer, folder: string): Promise<string[]> {
  saveWhenDue(server.engine);
  while (server.engine.snapshots.cancel !== undefined) await new Promise((resolve) => setTimeout(resolve));
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

async function field(client: TestClient, name: string): Promise<string> {
  return new RegExp(`${name}:(.*)\r\n`).exec(await client.run("INFO persistence"))?.[1] ?? "";
}

Deno.test("a snapshot is written when enough changes were made and enough seconds have passed", () =>
  withFolder({ save: "60 2 300 1" }, async (client, server, folder) => {
    await client.run("SET a 1");
    server.clock.advance(61_000);
    assertEquals(await settle(server, folder), []);
    await client.run("SET b 2");
    assertEquals(await field(client, "rdb_changes_since_last_save"), "2");
    assertEquals(await settle(server, folder), ["dump.rdb"]);
    assertEquals(await field(client, "rdb_changes_since_last_save"), "0");
    assertEquals(await field(client, "rdb_last_bgsave_status"), "ok");
    assertEquals(await client.run("LASTSAVE"), `:${TEST_START_MS / 1000 + 61}\r\n`);
    await client.run("SET c 3");
    server.clock.advance(300_000);
    await settle(server, folder);
    assertEquals(await field(client, "rdb_saves"), "1");
    server.clock.advance(1000);
    await settle(server, folder);
    assertEquals(await field(client, "rdb_saves"), "2");
  }));

Deno.test("without save points nothing is written, and CONFIG SET save brings them", () =>
  withFolder({}, async (client, server, folder) => {
    assertEquals(await client.run("CONFIG GET save"), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    await client.run("SET a 1");
    server.clock.advance(1e9);
    assertEquals(await settle(server, folder), []);
    assertEquals(await client.command("CONFIG", "SET", "save", "10 1"), "+OK\r\n");
    assertEquals(await settle(server, folder), ["dump.rdb"]);
    assertEquals(await client.command("CONFIG", "SET", "save", "10"), CONFIG_ERROR);
    assertEquals(await client.command("CONFIG", "SET", "save", ""), "+OK\r\n");
    await client.run("SET a 2");
    server.clock.advance(1e9);
    await settle(server, folder);
    assertEquals(await field(client, "rdb_saves"), "1");
  }));

const CONFIG_ERROR = "-ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters\r\n";

Deno.test("while the snapshots of save points fail, writes are refused, and they are tried again", () =>
  withFolder({ save: "10 1" }, async (client, server, folder) => {
    await client.run("SET a 1");
    await Deno.remove(folder, { recursive: true });
    server.clock.advance(11_000);
    saveWhenDue(server.server.engine);
    assertEquals(await field(client, "rdb_last_bgsave_status"), "err");
    for (const write of ["SET a 2", "PING", "DEL a", "LPOP none"]) {
      assertMatch(await client.run(write), /^-MISCONF Redis is configured to save RDB snapshots, but/, write);
    }
    assertEquals(await client.run("GET a"), "$1\r\n1\r\n");
    assertEquals(await client.run("CONFIG SET stop-writes-on-bgsave-error no"), "+OK\r\n");
    assertEquals(await client.run("SET a 3"), "+OK\r\n");
    assertEquals(await client.run("CONFIG SET stop-writes-on-bgsave-error yes"), "+OK\r\n");
    await Deno.mkdir(folder);
    server.clock.advance(5000);
    assertEquals(await settle(server, folder), []);
    server.clock.advance(1000);
    assertEquals(await settle(server, folder), ["dump.rdb"]);
    assertEquals(await client.run("SET a 4"), "+OK\r\n");
  }));

Deno.test("without save points a failed BGSAVE refuses nothing", () =>
  withFolder({}, async (client, _, folder) => {
    await Deno.remove(folder, { recursive: true });
    assertEquals(await client.run("BGSAVE"), "-ERR\r\n");
    assertEquals(await client.run("SET a 1"), "+OK\r\n");
  }));

redisTest("writes are refused in Redis's words", () =>
  withFolder({ save: "3600 1" }, async (client, _, folder) => {
    await withRedis(async (redis) => {
      const gone = await Deno.makeTempDir();
      assertEquals(await redis.command("CONFIG", "SET", "dir", gone), "+OK\r\n");
      assertEquals(await redis.command("CONFIG", "SET", "save", "3600 1"), "+OK\r\n");
      for (const path of [gone, folder]) await Deno.remove(path, { recursive: true });
      for (const to of [client, redis]) {
        await to.run("BGSAVE");
        for (let status = "ok"; status !== "err"; status = await field(to, "rdb_last_bgsave_status")) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
      for (const command of ["SET a 1", "PING", "PING text", "GET a", "FLUSHALL", "MULTI", "SET a 1", "PING", "EXEC"]) {
        assertEquals(await client.run(command), await redis.run(command), command);
      }
    }, { "enable-protected-configs": "yes" });
  }));

Deno.test("SHUTDOWN and FLUSHALL write a snapshot if there are save points", async () => {
  const shutdowns: [string, string, boolean][] = [
    ["SHUTDOWN", "", false],
    ["SHUTDOWN", "3600 100", true],
    ["SHUTDOWN NOSAVE", "3600 100", false],
    ["SHUTDOWN SAVE", "", true],
  ];
  for (const [command, save, written] of shutdowns) {
    await withFolder({ save }, async (client, server, folder) => {
      await client.run("SET a 1");
      await client.send(`${command}\r\n`);
      await client.receive().catch(() => {});
      assertEquals(await settle(server, folder), written ? ["dump.rdb"] : [], `${command} with save "${save}"`);
    });
  }
  await withFolder({ save: "3600 100" }, async (client, { server }, folder) => {
    await client.run("SET a 1");
    await client.run("SAVE");
    const full = Deno.statSync(`${folder}/dump.rdb`).size;
    assertEquals(await client.run("FLUSHALL"), "+OK\r\n");
    assertMatch(await client.run("INFO persistence"), /rdb_changes_since_last_save:0\r\n/);
    assertEquals(Deno.statSync(`${folder}/dump.rdb`).size < full, true);
    assertEquals(server.engine.snapshots.saves, 2);
  });
});

Deno.test("SHUTDOWN whose snapshot fails leaves the server running, unless FORCE", () =>
  withFolder({ save: "3600 100" }, async (client, _, folder) => {
    await Deno.remove(folder, { recursive: true });
    assertEquals(await client.run("SHUTDOWN"), "-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
    assertEquals(await client.run("GET a"), "$-1\r\n");
  }));

Deno.test("rdb-key-save-delay makes a snapshot last, and key-load-delay the loading", () =>
  withFolder({}, async (client, server, folder) => {
    for (let i = 0; i < 10; i++) await client.run(`SET key${i} value`);
    assertEquals(await client.run("CONFIG SET rdb-key-save-delay 1000000"), "+OK\r\n");
    assertEquals(await client.run("BGSAVE"), "+Background saving started\r\n");
    await client.run("SET another value");
    assertEquals(await field(client, "rdb_bgsave_in_progress"), "1");
    assertEquals(await client.run("CONFIG SET rdb-key-save-delay 0"), "+OK\r\n");
    server.server.engine.snapshots.cancel!();
    assertEquals(await settle(server, folder), []);
    assertEquals(await client.run("CONFIG GET rdb-key-save-delay"), "*2\r\n$18\r\nrdb-key-save-delay\r\n$1\r\n0\r\n");
    assertEquals(await client.run("CONFIG GET *-delay"), "*2\r\n$24\r\nrepl-diskless-sync-delay\r\n$1\r\n5\r\n");
  }));
