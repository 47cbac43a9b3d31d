/**
 * Moving data between MemDB and Redis by files: MemDB reads files written by a real redis-server, a real redis-server
 * loads files written by MemDB, redis-check-rdb accepts them, and no data is lost.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { runExport, runImport } from "../../src/tools/migrate.ts";
import { type Argument, TestClient } from "../helpers/client.ts";
import { type Release, testWithReleases } from "../helpers/programs.ts";
import { imageOf, MODULE_KEY } from "../helpers/rdb_image.ts";
import { streamForm } from "../helpers/stream_forms.ts";
import { TestServer } from "../helpers/server.ts";
import { ManualClock } from "../../src/core/clock.ts";

const START_TRIES = 500;

/** Runs `body` with the redis-server of a release that works in a folder and has loaded the files there. */
async function withRedisIn<T>(
  release: Release,
  folder: string,
  settings: readonly string[],
  body: (client: TestClient) => Promise<T>,
): Promise<T> {
  const place = await Deno.makeTempDir(), path = `${place}/socket`;
  const args = ["--port", "0", "--unixsocket", path, "--dir", folder, "--save", "", "--enable-debug-command", "yes"];
  const child = new Deno.Command(release.command("redis-server"), {
    args: [...args, ...settings],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const client = new TestClient(await connect(path));
    while ((await client.run("PING")).startsWith("-LOADING")) await pause();
    const result = await body(client);
    client.close();
    return result;
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await Deno.remove(place, { recursive: true });
  }
}

async function connect(path: string): Promise<Deno.Conn> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (tries === START_TRIES) throw error;
      await pause();
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

/** Runs `body` with a temporary folder. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a MemDB with a real clock on an append-only file. */
async function withMemdb<T>(aofpath: string, body: (client: TestClient) => Promise<T>): Promise<T> {
  const settings = { aofpath, appendonly: "yes", restoredb: "yes" };
  await using server = await TestServer.start({ settings, clock: new ManualClock(Date.now()) });
  const result = await body(await server.connect());
  server.server.engine.store.check();
  return result;
}

const filler = (length: number) => "text ".repeat(length / 5);

/** Commands for one value of each type in each encoding, in several databases, with deadlines. */
function population(): Argument[][] {
  const numbers = Array.from({ length: 600 }, (_, i) => String(i * 77));
  const names = Array.from({ length: 600 }, (_, i) => `name-${i}`);
  const later = String(Date.now() + 1e9);
  return [
    ["SET", "int", "12345"],
    ["SET", "negative", "-7"],
    ["SET", "big", "9223372036854775807"],
    ["SET", "text", "hello"],
    ["SET", "empty", ""],
    ["SET", "compressible", filler(50_000)],
    ["SET", "huge", filler(300_000)],
    ["SET", "binary", Uint8Array.from({ length: 256 }, (_, i) => i)],
    ["SET", "deadline", "soon", "PXAT", later],
    ["RPUSH", "list:packed", "a", "1", "-1", "70000", filler(100)],
    ["RPUSH", "list:long", ...names, ...numbers, filler(9000), filler(20_000), "end"],
    ["SADD", "set:16", "1", "-2", "300"],
    ["SADD", "set:32", "1", "70000"],
    ["SADD", "set:64", "1", "5000000000"],
    ["SADD", "set:packed", "a", "b", "3"],
    ["SADD", "set:table", ...names, filler(200)],
    ["ZADD", "zset:packed", "1", "a", "2.5", "b", "-inf", "c", "inf", "d", "1e100", "e"],
    ["ZADD", "zset:large", ...numbers.flatMap((number, i) => [`${number}.25`, names[i]])],
    ["HSET", "hash:packed", "a", "1", "b", "two", "3", filler(60)],
    ["HSET", "hash:table", ...names.flatMap((name, i) => [name, numbers[i]]), "long", filler(5000)],
    ["HSET", "hash:packed:deadlines", "a", "1", "b", "2", "c", "3"],
    ["HPEXPIREAT", "hash:packed:deadlines", later, "FIELDS", "2", "a", "c"],
    ["HSET", "hash:table:deadlines", ...names.flatMap((name, i) => [name, numbers[i]])],
    ["HPEXPIREAT", "hash:table:deadlines", later, "FIELDS", "3", ...names.slice(0, 3)],
    ["PEXPIREAT", "zset:large", later],
    ...names.map((name, i) => ["XADD", "stream", `${1000 + (i >> 2)}-${i}`, "name", name, "number", numbers[i]]),
    ["XADD", "stream", "5000-0", "other", filler(5000), "12", "-5"],
    ["XDEL", "stream", "1000-2", "1010-40", "5000-0"],
    ["XTRIM", "stream", "MAXLEN", "500"],
    ["XGROUP", "CREATE", "stream", "workers", "0"],
    ["XGROUP", "CREATE", "stream", "idle", "$"],
    ["XREADGROUP", "GROUP", "workers", "one", "COUNT", "120", "STREAMS", "stream", ">"],
    ["XREADGROUP", "GROUP", "workers", "two", "COUNT", "5", "STREAMS", "stream", ">"],
    ["XACK", "stream", "workers", "1026-104", "1030-122"],
    ["XGROUP", "CREATECONSUMER", "stream", "idle", "three"],
    ["XGROUP", "CREATE", "stream:empty", "group", "7-7", "MKSTREAM"],
    ["SELECT", "9"],
    ["SET", "int", "in the ninth"],
    ["RPUSH", "list", "x"],
    ["SELECT", "0"],
  ];
}

async function fill(client: TestClient): Promise<void> {
  for (const args of population()) {
    const reply = await client.command(...args);
    assert(!reply.startsWith("-"), `${args.slice(0, 2).join(" ")}: ${reply}`);
  }
}

/** The data that must be equal on both sides. */
async function stateOf(client: TestClient): Promise<string[]> {
  const state = [await client.run("DEBUG DIGEST")];
  for (const args of population()) {
    const key = args[1] as string;
    if (args[0] === "SELECT") await client.command(...args);
    else {state.push(
        `${key} ${await client.command("OBJECT", "ENCODING", key)}${await client.command("PEXPIRETIME", key)}`,
      );}
  }
  state.push(await client.run("HPEXPIRETIME hash:packed:deadlines FIELDS 3 a b c"));
  state.push(await client.run("HPEXPIRETIME hash:table:deadlines FIELDS 2 name-2 name-3"));
  for (const line of ["XPENDING stream workers", "XINFO GROUPS stream", "XINFO GROUPS stream:empty"]) {
    state.push(await client.run(line));
  }
  return state;
}

/** Runs memdb import or export, which must succeed. Returns its output on stderr. */
async function migrate(run: typeof runImport, args: string[]): Promise<string[]> {
  const errors: string[] = [];
  const status = await run(args, { out: () => {}, error: (line) => errors.push(line) });
  assertEquals(status, 0, errors.join("\n"));
  return errors;
}

/** Checks a file with redis-check-rdb. */
async function checkRdb(release: Release, path: string): Promise<void> {
  const { success, stdout } = await new Deno.Command(release.command("redis-check-rdb"), { args: [path] }).output();
  assert(success, new TextDecoder().decode(stdout));
}

for (const settings of [[], ["--rdbcompression", "no"], ["--rdbchecksum", "no"]]) {
  testWithReleases(
    ["a snapshot of redis-server is imported", ...settings].join(" "),
    (release) =>
      inFolder(async (folder) => {
        const expected = await withRedisIn(release, folder, settings, async (redis) => {
          await fill(redis);
          assertEquals(await redis.run("SAVE"), "+OK\r\n");
          return await stateOf(redis);
        });
        const target = `${folder}/memdb.aof`;
        assertEquals(await migrate(runImport, [`${folder}/dump.rdb`, "--aofpath", target]), []);
        await withMemdb(target, async (memdb) => {
          assertEquals(await stateOf(memdb), expected);
          await memdb.run("SET added later");
        });
        // The append-only file continues after the snapshot.
        await withMemdb(target, async (memdb) => assertEquals(await memdb.run("GET added"), "$5\r\nlater\r\n"));
      }),
  );
}

testWithReleases("redis-server starts from a snapshot that SAVE wrote", (release) =>
  inFolder(async (folder) => {
    const expected = await withMemdb(`${folder}/memdb.aof`, async (memdb) => {
      await fill(memdb);
      return await stateOf(memdb);
    });
    await migrate(runExport, ["--to", "rdb", `${folder}/dump.rdb`, `--aofpath=${folder}/memdb.aof`]);
    await checkRdb(release, `${folder}/dump.rdb`);
    await withRedisIn(release, folder, [], async (redis) => assertEquals(await stateOf(redis), expected));
  }));

testWithReleases(
  "the append-only folder of redis-server is imported, and exported again",
  (release) =>
    inFolder(async (folder) => {
      const settings = ["--appendonly", "yes", "--appendfsync", "always"];
      const expected = await withRedisIn(release, folder, settings, async (redis) => {
        await fill(redis);
        await redis.run("BGREWRITEAOF");
        while (!(await redis.run("INFO persistence")).includes("aof_rewrite_in_progress:0")) await pause();
        await redis.run("RPUSH list:packed more");
        await redis.run("DEL set:packed");
        await redis.run("SADD set:packed a b 3");
        await redis.run("MULTI");
        await redis.run("INCR int");
        await redis.run("DECR int");
        await redis.run("EXEC");
        return await stateOf(redis);
      });
      for (const source of [folder, `${folder}/appendonlydir`, `${folder}/appendonlydir/appendonly.aof.manifest`]) {
        const target = `${folder}/memdb-${source.length}.aof`;
        await migrate(runImport, [source, "--aofpath", target]);
        await withMemdb(target, async (memdb) => assertEquals(await stateOf(memdb), expected));
      }
      const again = `${folder}/again`;
      await migrate(runExport, ["--to", "redis", again, "--aofpath", `${folder}/memdb-${folder.length}.aof`]);
      await withRedisIn(release, again, settings, async (redis) => {
        assertEquals(await stateOf(redis), expected);
        await redis.run("SET added later");
      });
      await withRedisIn(
        release,
        again,
        settings,
        async (redis) => assertEquals(await redis.run("GET added"), "$5\r\nlater\r\n"),
      );
    }),
);

testWithReleases(
  "memdb starts on a snapshot of redis-server as its append-only file",
  (release) =>
    inFolder(async (folder) => {
      const expected = await withRedisIn(release, folder, [], async (redis) => {
        await fill(redis);
        await redis.run("SAVE");
        return await stateOf(redis);
      });
      await withMemdb(`${folder}/dump.rdb`, async (memdb) => {
        assertEquals(await stateOf(memdb), expected);
        assertMatch(await memdb.run("INFO persistence"), /rdb_last_load_keys_loaded:26\r\n/);
        await memdb.run("RPUSH list:packed more");
      });
      await withMemdb(`${folder}/dump.rdb`, async (memdb) => {
        assertEquals(await memdb.run("LINDEX list:packed -1"), "$4\r\nmore\r\n");
      });
    }),
);

testWithReleases(
  "streams with their groups and libraries of functions are imported, and loaded by a server",
  (release) =>
    inFolder(async (folder) => {
      await withRedisIn(release, folder, [], async (redis) => {
        await redis.run("XADD events * a 1");
        await redis.run("XGROUP CREATE events readers 0");
        await redis.run("XREADGROUP GROUP readers one STREAMS events >");
        const library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
        await redis.command("FUNCTION", "LOAD", library);
        await redis.run("SAVE");
      });
      const said = await migrate(runImport, [`${folder}/dump.rdb`, "--aofpath", `${folder}/memdb.aof`]);
      assertEquals(said, []);
      for (const file of ["memdb.aof", "dump.rdb"]) {
        await withMemdb(`${folder}/${file}`, async (memdb) => {
          assertEquals(await memdb.run("XLEN events"), ":1\r\n");
          assertMatch(await memdb.run("XPENDING events readers"), /^\*4\r\n:1\r\n/);
          assertEquals(await memdb.run("FCALL f 0"), ":1\r\n");
        });
      }
    }),
);

/** What commands say of streams, but for what the servers tell of themselves. */
async function streamsOf(client: TestClient, keys: readonly string[]): Promise<string[]> {
  const said: string[] = [];
  for (const key of keys) {
    for (
      const line of [`XRANGE ${key} - +`, `XINFO GROUPS ${key}`, `XPENDING ${key} workers`, `DEBUG DIGEST-VALUE ${key}`]
    ) said.push(await client.run(line));
  }
  return said;
}

testWithReleases(
  "a file with streams in the forms of Redis 5, 7.0 and 7.2 loads here and there",
  (release) =>
    inFolder(async (folder) => {
      const types = [15, 19, 21], keys = types.map((type) => `s${type}`);
      const parts = types.flatMap((type) => [Uint8Array.of(type, 3), `s${type}`, streamForm(type)]);
      Deno.writeFileSync(`${folder}/dump.rdb`, imageOf("\xfe\x00", ...parts));
      await checkRdb(release, `${folder}/dump.rdb`);
      const expected = await withRedisIn(release, folder, [], (redis) => streamsOf(redis, keys));
      assert(!expected.some((said) => said.startsWith("-")), expected.join(""));
      assertEquals(await migrate(runImport, [`${folder}/dump.rdb`, "--aofpath", `${folder}/memdb.aof`]), []);
      for (const file of ["memdb.aof", "dump.rdb"]) {
        await withMemdb(`${folder}/${file}`, async (memdb) => assertEquals(await streamsOf(memdb, keys), expected));
      }
    }),
);

testWithReleases(
  "the streams of a file that export wrote are there when a server starts with it",
  (release) =>
    inFolder(async (folder) => {
      const keys = ["stream", "idle"];
      const expected = await withMemdb(`${folder}/memdb.aof`, async (memdb) => {
        for (const args of population()) if (args[0] !== "HPEXPIREAT") await memdb.command(...args);
        await memdb.run("XGROUP CREATE idle workers 7-7 MKSTREAM ENTRIESREAD 0");
        return await streamsOf(memdb, keys);
      });
      await migrate(runExport, ["--to", "rdb", `${folder}/dump.rdb`, `--aofpath=${folder}/memdb.aof`]);
      await withRedisIn(release, folder, [], async (valkey) => {
        assertEquals(await streamsOf(valkey, keys), expected);
      });
    }),
  "Valkey",
);

Deno.test("what MemDB does not have is named and left out by import, and stops a server", () =>
  inFolder(async (folder) => {
    const path = `${folder}/dump.rdb`, image = imageOf("\xfe\x00\x00\x04kept\x05value", MODULE_KEY);
    Deno.writeFileSync(path, image);
    assertEquals(await migrate(runImport, [path, "--aofpath", `${folder}/memdb.aof`]), [
      `Left out of ${path}: the key "mod" in database 0: a value of the module type ABCDEFGHI`,
    ]);
    await withMemdb(`${folder}/memdb.aof`, async (memdb) => {
      assertEquals(await memdb.run("DBSIZE"), ":1\r\n");
      assertEquals(await memdb.run("GET kept"), "$5\r\nvalue\r\n");
    });
    const error = await assertRejects(() => withMemdb(path, () => Promise.resolve())) as Error;
    assertMatch(error.message, /holds what MemDB cannot keep \(1 times\), first the key "mod" in database 0/);
    assertEquals(Deno.readFileSync(path), image);
  }));

Deno.test("a file of PyMemDB is imported", () =>
  inFolder(async (folder) => {
    const commands = [["set", "name", "Ada"], ["set", "count", "41"], ["incr", "count"], ["rpush", "l", "a", "b"], [
      "del",
      "name",
    ]];
    const text = commands.map((words) =>
      `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`
    );
    Deno.writeTextFileSync(`${folder}/py.aof`, text.join(""));
    await migrate(runImport, [`${folder}/py.aof`, "--aofpath", `${folder}/memdb.aof`]);
    await withMemdb(`${folder}/memdb.aof`, async (memdb) => {
      assertEquals(await memdb.run("MGET name count"), "*2\r\n$-1\r\n$2\r\n42\r\n");
      assertEquals(await memdb.run("LRANGE l 0 -1"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    });
  }));

Deno.test("import and export say in one line what is wrong", () =>
  inFolder(async (folder) => {
    const failure = async (run: typeof runImport, ...args: string[]) => {
      const lines: string[] = [];
      const status = await run(args, { out: () => {}, error: (line) => lines.push(line) });
      return `${status} ${lines.join(" / ").replaceAll(folder, "F")}`;
    };
    Deno.writeTextFileSync(`${folder}/old.aof`, "*1\r\n$4\r\nPING\r\n");
    Deno.writeTextFileSync(`${folder}/bad.rdb`, "REDIS0010\xff");
    Deno.mkdirSync(`${folder}/empty`);
    Deno.mkdirSync(`${folder}/parts`);
    Deno.writeTextFileSync(`${folder}/parts/x.manifest`, "file ../x seq 1 type b\n");
    const target = ["--aofpath", `${folder}/new.aof`];
    assertEquals(await failure(runImport), "2 memdb import: which file or folder?; see memdb import --help");
    assertEquals(
      await failure(runImport, "a", "--word", "x"),
      "2 memdb import: unknown flag --word; see memdb import --help",
    );
    assertEquals(await failure(runImport, `${folder}/none`, ...target), "1 memdb import: there is no F/none");
    assertEquals(
      await failure(runImport, `${folder}/empty`, ...target),
      "1 memdb import: F/empty has no manifest (*.manifest)",
    );
    assertEquals(
      await failure(runImport, `${folder}/parts`, ...target),
      "1 memdb import: F/parts/x.manifest, line 1: this is no part: file ../x seq 1 type b",
    );
    assertEquals(
      await failure(runImport, `${folder}/old.aof`, "--aofpath", `${folder}/old.aof`),
      "1 memdb import: F/old.aof is there already: move it away, or name another",
    );
    assertMatch(
      await failure(runImport, `${folder}/bad.rdb`, ...target),
      /^1 memdb import: the snapshot in F\/bad.rdb is damaged at byte \d+/,
    );
    assertEquals(
      await failure(runExport, "--to", "csv", "x"),
      "2 memdb export: --to must be one of rdb, redis; see memdb export --help",
    );
    assertEquals(
      await failure(runExport, "--to", "rdb"),
      "2 memdb export: where to? one file; see memdb export --help",
    );
    assertEquals(
      await failure(runExport, "--to", "rdb", `${folder}/old.aof`),
      "1 memdb export: F/old.aof is there already: move it away, or name another",
    );
    assertEquals(
      await failure(runExport, "--to", "rdb", `${folder}/out`, "--aofpath", `${folder}/none`),
      "1 memdb export: there is no F/none",
    );
  }));
