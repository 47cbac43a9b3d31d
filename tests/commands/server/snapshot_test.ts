/**
 * SAVE, BGSAVE and LASTSAVE: the contents of the file, whatever is written meanwhile.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Engine } from "../../../src/engine/engine.ts";
import { identities } from "../../../src/core/personality.ts";
import { RdbFileWriter } from "../../../src/rdb/file_writer.ts";
import { VERSION_PRODUCERS } from "../../../src/rdb/format.ts";
import { RdbInput } from "../../../src/rdb/input.ts";
import { RdbLoader } from "../../../src/rdb/loader.ts";
import { RdbOutput } from "../../../src/rdb/output.ts";
import type { Keyspace } from "../../../src/store/keyspace.ts";
import type { Store } from "../../../src/store/store.ts";
import { latin1 } from "../../../src/core/bytes.ts";
import { Settings } from "../../../src/settings/settings.ts";
import { createStore } from "../../../src/engine/create_store.ts";
import { SeededRandom } from "../../../src/core/random.ts";
import { encodeRequest, type TestClient } from "../../helpers/client.ts";
import { pick, property } from "../../helpers/property.ts";
import { TEST_START_MS, TestServer } from "../../helpers/server.ts";
import { concatBytes } from "../../helpers/wire.ts";

/** Runs `body` with a server that keeps its snapshots in a separate folder. */
async function withFolder(
  body: (client: TestClient, server: TestServer, folder: string) => Promise<void>,
  settings: Record<string, string> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const server = await TestServer.start({ settings: { dir: folder, ...settings } });
  try {
    await body(await server.connect(), server, folder);
    server.server.engine.store.check();
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The contents of an RDB file. */
function loadFile(path: string, nowMs = TEST_START_MS): Store {
  const store = createStore(new Settings(), new SeededRandom(1));
  store.setTime(nowMs);
  new RdbLoader(store, RdbInput.of(Deno.readFileSync(path))).run();
  store.check();
  return store;
}

/** The contents of a store as one text. */
function contentsOf(store: Store): string {
  const output = new RdbOutput({ compression: false, checksum: false });
  const options = { identity: identities.redis, version: VERSION_PRODUCERS, preamble: false, clocks: "none" } as const;
  const writer = new RdbFileWriter(store, output, options);
  const keys: string[] = [];
  let last: Keyspace | undefined;
  for (const db of store.databases) {
    store.dict.each(db.keys, (ref) => {
      // The first key takes two writes, because its database is selected before it.
      if (db !== last) writer.key(last = db, ref);
      output.taken();
      writer.key(db, ref);
      keys.push(`${db.index} ${latin1(output.bytes, 0, output.length)}`);
    });
  }
  return keys.sort().join("\n");
}

async function saved(engine: Engine): Promise<void> {
  while (engine.snapshots.cancel !== undefined) await new Promise((resolve) => setTimeout(resolve));
}

async function infoField(client: TestClient, name: string): Promise<string> {
  const reply = await client.run("INFO persistence");
  return new RegExp(`${name}:(.*)\r\n`).exec(reply)?.[1] ?? "";
}

Deno.test("SAVE writes all databases, with deadlines", () =>
  withFolder(async (client, server, folder) => {
    await client.run("SET a 1");
    await client.run("SET b text PX 5000");
    await client.run("SELECT 3");
    await client.run("RPUSH list 1 2 three");
    await client.run("ZADD zset 1.5 a 2 b");
    assert(Number(await infoField(client, "rdb_changes_since_last_save")) >= 4);
    server.clock.advance(3000);
    assertEquals(await client.run("SAVE"), "+OK\r\n");
    assertEquals(await client.run("LASTSAVE"), `:${TEST_START_MS / 1000 + 3}\r\n`);
    assertEquals(await infoField(client, "rdb_changes_since_last_save"), "0");
    assertEquals(await infoField(client, "rdb_saves"), "1");
    const { store } = server.server.engine;
    assertEquals(contentsOf(loadFile(`${folder}/dump.rdb`)), contentsOf(store));
    assertEquals(loadFile(`${folder}/dump.rdb`, TEST_START_MS + 5000).databases[0].size, 1);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["dump.rdb"]);
  }));

Deno.test("SAVE into a folder that is gone fails and says so in the log", () =>
  withFolder(async (client, server, folder) => {
    const lines: string[] = [];
    server.server.engine.log = (_level, text) => lines.push(text);
    await Deno.remove(folder, { recursive: true });
    assertEquals(await client.run("SAVE"), "-ERR\r\n");
    assertEquals(await client.run("BGSAVE"), "-ERR\r\n");
    assertEquals(await infoField(client, "rdb_last_bgsave_status"), "err");
    assertMatch(lines[0], /^Cannot write the snapshot .*dump\.rdb: /);
    await Deno.mkdir(folder);
    assertEquals(await client.run("BGSAVE"), "+Background saving started\r\n");
    await saved(server.server.engine);
    assertEquals(await infoField(client, "rdb_last_bgsave_status"), "ok");
  }));

/** One write of a random kind to keys with a number below 6000, in this database or another. */
function randomWrite(random: SeededRandom): string {
  const key = () => `key:${random.below(6000)}`;
  switch (random.below(14)) {
    case 0:
      return `SET ${key()} changed`;
    case 1:
      return `DEL ${key()} ${key()} ${key()}`;
    case 2:
      return `APPEND ${key()} more`;
    case 3:
      return `RENAME ${key()} ${key()}`;
    case 4:
      return `MOVE ${key()} ${random.below(3)}`;
    case 5:
      return `COPY ${key()} ${key()} DB ${random.below(3)} REPLACE`;
    case 6:
      return `RPUSH list:${random.below(20)} ${key()}`;
    case 7:
      return `LPOP list:${random.below(20)}`;
    case 8:
      return `ZADD zset:${random.below(20)} ${random.below(9)} ${key()}`;
    case 9:
      return `PEXPIRE ${key()} 100000`;
    case 10:
      return `MSET ${key()} a ${key()} b ${key()} c`;
    case 11:
      return `SELECT ${random.below(3)}`;
    case 12:
      return `LMOVE list:${random.below(20)} list:${random.below(20)} LEFT RIGHT`;
    default:
      return `UNLINK ${key()}`;
  }
}

const WRITES_AT_ONCE = 20;

Deno.test("BGSAVE has the data of the moment when it was asked for, whatever is written meanwhile", () =>
  withFolder(async (client, server, folder) => {
    const { engine } = server.server;
    for (const db of [0, 1, 2]) {
      await client.run(`SELECT ${db}`);
      await client.run("DEBUG POPULATE 12000 key");
      for (let i = 0; i < 20; i++) await client.run(`RPUSH list:${i} a b c`);
      for (let i = 0; i < 20; i++) await client.run(`ZADD zset:${i} 1 a 2 b`);
    }
    await property(4, async (random) => {
      const expected = contentsOf(engine.store);
      assertEquals(await client.run("BGSAVE"), "+Background saving started\r\n");
      let writes = 0;
      // Several at a time, because the number of turns that a snapshot and a reply take depends on the machine.
      for (; engine.snapshots.cancel !== undefined; writes += WRITES_AT_ONCE) {
        if (writes === 0) {
          assertEquals(await client.run("BGSAVE SCHEDULE"), "-ERR Background save already in progress\r\n");
          assertEquals(await client.run("SAVE"), "-ERR Background save already in progress\r\n");
          assertEquals(await infoField(client, "rdb_bgsave_in_progress"), "1");
        }
        const batch = Array.from({ length: WRITES_AT_ONCE }, () => encodeRequest(randomWrite(random).split(" ")));
        await client.send(concatBytes(batch));
        for (let i = 0; i < WRITES_AT_ONCE; i++) await client.receive();
      }
      assert(writes > 0, "no write came between");
      assertEquals(contentsOf(loadFile(`${folder}/dump.rdb`)), expected);
      if (random.below(2) === 0) await client.run(pick(random, ["SWAPDB 0 1", "SWAPDB 1 2"]));
    });
    engine.store.check();
  }));

Deno.test("keys that expire while a snapshot is written do not disturb it", () =>
  withFolder(async (client, server, folder) => {
    const { engine } = server.server;
    await client.run("DEBUG POPULATE 6000 key");
    for (let i = 0; i < 1000; i++) await client.run(`PEXPIRE key:${i} 50`);
    await client.run("BGSAVE");
    server.clock.advance(100);
    for (let i = 0; i < 1000 && engine.snapshots.cancel !== undefined; i++) await client.run(`GET key:${i}`);
    await saved(engine);
    assertEquals(loadFile(`${folder}/dump.rdb`, TEST_START_MS + 100).databases[0].size, 5000);
  }));

Deno.test("a snapshot and a rewrite of the append-only file go on at the same time", async () => {
  const place = await Deno.makeTempDir();
  await withFolder(async (client, server, folder) => {
    const { engine } = server.server;
    await client.run("DEBUG POPULATE 8000 key");
    const random = new SeededRandom(7);
    const expected = contentsOf(engine.store);
    await client.run("BGREWRITEAOF");
    await client.run("BGSAVE");
    while (engine.snapshots.cancel !== undefined) await client.run(randomWrite(random));
    assertEquals(contentsOf(loadFile(`${folder}/dump.rdb`)), expected);
  }, { appendonly: "yes", aofpath: `${place}/memdb.aof` });
  await Deno.remove(place, { recursive: true });
});

Deno.test("BGSAVE CANCEL ends a snapshot that is being written, and leaves no file", () =>
  withFolder(async (client, server, folder) => {
    const { engine } = server.server;
    const none = "-ERR Background saving is currently not in progress or scheduled\r\n";
    assertEquals(await client.run("BGSAVE CANCEL"), none);
    assertEquals(await client.run("BGSAVE CANCEL x"), "-ERR syntax error\r\n");
    await client.run("DEBUG POPULATE 20000 key");
    await client.run("BGSAVE");
    assertEquals(await client.run("BGSAVE CANCEL"), "+Background saving cancelled\r\n");
    await saved(engine);
    assertEquals(await client.run("BGSAVE CANCEL"), none);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), []);
    assertEquals(engine.snapshots.lastFailed, false);
  }));

for (const command of ["FLUSHDB", "SWAPDB 0 1"]) {
  Deno.test(`${command} while a snapshot is written is not in it`, () =>
    withFolder(async (client, server, folder) => {
      const { engine } = server.server;
      await client.run("DEBUG POPULATE 10000 key");
      await client.run("SELECT 1");
      await client.run("DEBUG POPULATE 10000 other");
      const expected = contentsOf(engine.store);
      await client.run("BGSAVE");
      await client.run(command);
      await saved(engine);
      assertEquals(contentsOf(loadFile(`${folder}/dump.rdb`)), expected);
    }));
}

Deno.test("FLUSHALL ends a snapshot, and leaves the file of the last one", () =>
  withFolder(async (client, server, folder) => {
    const { engine } = server.server;
    await client.run("SET a 1");
    await client.run("SAVE");
    await client.run("DEBUG POPULATE 10000 key");
    await client.run("BGSAVE");
    await client.run("FLUSHALL");
    await saved(engine);
    assertEquals(loadFile(`${folder}/dump.rdb`).databases[0].size, 1);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["dump.rdb"]);
    assertEquals(await infoField(client, "rdb_saves"), "1");
  }));

Deno.test("access times go along when the policy needs them", () =>
  withFolder(async (client, server, folder) => {
    await client.run("SET a 1");
    server.clock.advance(100_000);
    await client.run("SAVE");
    const store = loadFile(`${folder}/dump.rdb`, TEST_START_MS + 200_000);
    const key = new TextEncoder().encode("a");
    assertEquals(store.idleSeconds(store.databases[0].find(key, 0, 1)), 100);
    assertEquals(latin1(Deno.readFileSync(`${folder}/dump.rdb`), 0, 9), "REDIS0011");
  }, { "maxmemory-policy": "allkeys-lru" }));

Deno.test("BGSAVE takes no words but SCHEDULE", () =>
  withFolder(async (client, server) => {
    assertEquals(await client.run("BGSAVE now"), "-ERR syntax error\r\n");
    assertEquals(await client.run("BGSAVE SCHEDULE more"), "-ERR syntax error\r\n");
    assertEquals(await client.run("BGSAVE schedule"), "+Background saving started\r\n");
    await saved(server.server.engine);
  }));
