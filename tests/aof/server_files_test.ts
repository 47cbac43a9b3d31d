/**
 * Starting in a folder with the files of other servers: they are loaded as their own servers load them, and no file is
 * overwritten unless it was loaded. Those servers wrote the files themselves (tests/fixtures).
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ManualClock } from "../../src/core/clock.ts";
import { type TestClient } from "../helpers/client.ts";
import { imageOf, MODULE_KEY } from "../helpers/rdb_image.ts";
import { TEST_START_MS, TestServer } from "../helpers/server.ts";

const FIXTURES = new URL("../fixtures/", import.meta.url);
const SERVERS = ["redis-8.6", "redis-8.0", "valkey-9.1", "valkey-8.1"];
const FIELD_DEADLINE = "*2\r\n:4102444800000\r\n:-1\r\n";

/** Runs `body` in a folder that holds copies of some files and folders of a server. */
async function inFolder(
  source: string,
  names: readonly string[],
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of names) await copy(new URL(`${source}/${name}`, FIXTURES), `${folder}/${name}`);
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function copy(from: URL, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copy(new URL(`${from}/${name}`), `${to}/${name}`);
}

async function withServer(
  folder: string,
  settings: Record<string, string>,
  body: (client: TestClient, server: TestServer, log: string[]) => Promise<void>,
): Promise<void> {
  const log: string[] = [];
  const clock = new ManualClock(TEST_START_MS);
  const all = { dir: folder, aofpath: `${folder}/appendonly.aof`, ...settings };
  await using server = await TestServer.start({ settings: all, clock, log: (_, text) => log.push(text) });
  await body(await server.connect(), server, log);
  server.server.engine.store.check();
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name.replace(/\d{4}-\d\d-\d\dT.*$/, "TIME")).sort();
}

/** The data must match the digest computed by the original server. */
async function assertData(client: TestClient, source: string, digest: string): Promise<void> {
  const hasFieldDeadlines = source !== "valkey-8.1";
  if (hasFieldDeadlines) assertEquals(await client.run("HPEXPIRETIME h FIELDS 2 f1 f2"), FIELD_DEADLINE);
  if (source === "valkey-9.1") await client.run("HPERSIST h FIELDS 1 f1");
  const expected = (await Deno.readTextFile(new URL(`servers/${source}/${digest}`, FIXTURES))).trim();
  assertEquals(await client.run("DEBUG DIGEST"), `+${expected}\r\n`);
}

for (const source of SERVERS) {
  Deno.test(`the snapshot of ${source} in dir is loaded, and SAVE takes its place`, () =>
    inFolder(`servers/${source}`, ["dump.rdb"], async (folder) => {
      await withServer(folder, {}, async (client, _, log) => {
        assertMatch(
          log.join("\n"),
          /Loaded 9 keys from the snapshot in \S+dump\.rdb \(RDB version \d+ of (Redis|Valkey)\)/,
        );
        await assertData(client, source, "dump.digest");
        assertMatch(await client.run("INFO persistence"), /rdb_changes_since_last_save:[01]\r\n/);
        await client.run("SET added later");
        assertEquals(await client.run("SAVE"), "+OK\r\n");
        assertEquals(names(folder), ["dump.rdb"]);
      });
      await withServer(folder, {}, async (client) => assertEquals(await client.run("GET added"), "$5\r\nlater\r\n"));
    }));

  Deno.test(`the append-only folder of ${source} is loaded once, and stays as it was`, () =>
    inFolder(`servers/${source}`, ["appendonlydir"], async (folder) => {
      const parts = () =>
        names(`${folder}/appendonlydir`).map((name) => Deno.readFileSync(`${folder}/appendonlydir/${name}`));
      const before = parts();
      await withServer(folder, { appendonly: "yes" }, async (client) => {
        await assertData(client, source, "aof.digest");
        assertEquals(await client.run("SET added later"), "+OK\r\n");
      });
      assertEquals(names(folder), ["appendonly.aof", "appendonly.aof.origin", "appendonlydir"]);
      assertEquals(parts(), before);
      await withServer(folder, { appendonly: "yes" }, async (client) => {
        assertEquals(await client.run("MGET added after"), "*2\r\n$5\r\nlater\r\n$7\r\nrewrite\r\n");
      });
    }));
}

Deno.test("when the folder has changed since it was loaded, the start is refused, because either may be newer", () =>
  inFolder("servers/redis-8.6", ["appendonlydir"], async (folder) => {
    await withServer(folder, { appendonly: "yes" }, async (client) => void await client.run("SET a 1"));
    const increment = `${folder}/appendonlydir/appendonly.aof.2.incr.aof`;
    await Deno.writeTextFile(increment, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n", { append: true });
    const start = () => withServer(folder, { appendonly: "yes" }, () => Promise.resolve());
    const error = await assertRejects(start);
    assertMatch((error as Error).message, /appendonly\.aof and Redis's \S+appendonlydir both exist.*--aofpath/);
    await Deno.remove(`${folder}/appendonly.aof`);
    await withServer(folder, { appendonly: "yes" }, async (client) => {
      assertEquals(await client.run("GET a"), "$1\r\n2\r\n");
    });
  }));

Deno.test("with appendonly yes a snapshot is not loaded, which is said, and SAVE keeps it", () =>
  inFolder("servers/redis-8.6", ["dump.rdb"], async (folder) => {
    const before = Deno.readFileSync(`${folder}/dump.rdb`);
    await withServer(folder, { appendonly: "yes" }, async (client, { server }, log) => {
      assertEquals(await client.run("DBSIZE"), ":0\r\n");
      assertMatch(log.join("\n"), /dump\.rdb was not loaded, because the append-only file is kept.*memdb import/);
      await client.run("SET a 1");
      for (let i = 0; i < 2; i++) assertEquals(await client.run("SAVE"), "+OK\r\n");
      await client.run("BGSAVE");
      while (server.engine.snapshots.cancel !== undefined) await new Promise((resolve) => setTimeout(resolve));
      assertEquals(names(folder), ["appendonly.aof", "dump.rdb", "dump.rdb.kept-TIME"]);
    });
    const kept = [...Deno.readDirSync(folder)].find(({ name }) => name.startsWith("dump.rdb.kept-"))!;
    assertEquals(Deno.readFileSync(`${folder}/${kept.name}`), before);
  }));

Deno.test("a snapshot is kept when it was loaded in part, or replaced since, or left alone by --restoredb no", () =>
  inFolder(".", [], async (folder) => {
    await Deno.writeFile(`${folder}/dump.rdb`, imageOf("\xfe\x00\x00\x01k\x01v", MODULE_KEY));
    await withServer(folder, {}, async (client, _, log) => {
      assertEquals(await client.run("DBSIZE"), ":1\r\n");
      assertMatch(log.join("\n"), /Left out of \S+dump\.rdb: the key "mod" in database 0: a value of the module type/);
      assertEquals(await client.run("SAVE"), "+OK\r\n");
      assertEquals(names(folder), ["dump.rdb", "dump.rdb.kept-TIME"]);
      await Deno.writeTextFile(`${folder}/dump.rdb`, "somebody's");
      await new Promise((resolve) => setTimeout(resolve, 2));
      assertEquals(await client.run("BGSAVE"), "+Background saving started\r\n");
      while (/rdb_bgsave_in_progress:1/.test(await client.run("INFO persistence")));
    });
    assert(
      [...Deno.readDirSync(folder)].some(({ name }) =>
        name.startsWith("dump.rdb.kept-") && Deno.readTextFileSync(`${folder}/${name}`) === "somebody's"
      ),
    );
    await withServer(folder, { restoredb: "no" }, async (client) => {
      assertEquals(await client.run("DBSIZE"), ":0\r\n");
      const count = names(folder).length;
      assertEquals(await client.run("SAVE"), "+OK\r\n");
      assertEquals(names(folder).length, count + 1);
    });
  }));

Deno.test("a damaged snapshot in dir stops the start, and stays", () =>
  inFolder("servers/redis-8.6", ["dump.rdb"], async (folder) => {
    const bytes = Deno.readFileSync(`${folder}/dump.rdb`);
    bytes[60] ^= 1;
    Deno.writeFileSync(`${folder}/dump.rdb`, bytes);
    const error = await assertRejects(() => withServer(folder, {}, () => Promise.resolve()));
    assertMatch((error as Error).message, /the snapshot in \S+dump\.rdb is damaged at byte \d+/);
    assertEquals(Deno.readFileSync(`${folder}/dump.rdb`), bytes);
  }));
