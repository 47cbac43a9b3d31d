/** DEBUG and the digest of data. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { decode } from "../../helpers/decode.ts";
import { pick, property, randomBytes } from "../../helpers/property.ts";
import { differential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

Deno.test("DEBUG is refused unless enable-debug-command allows it", async () => {
  const refusal = /^-ERR DEBUG command not allowed\. If the enable-debug-command option is set to "local"/;
  await withServer(async (client) => {
    assertMatch(await client.run("DEBUG SLEEP 0"), refusal);
    assertMatch(await client.run("DEBUG HELP"), refusal);
    assertEquals(await client.run("DEBUG"), "-ERR wrong number of arguments for 'debug' command\r\n");
  }, { settings: { "enable-debug-command": "no" } });
  await withServer(async (client) => assertEquals(await client.run("DEBUG SLEEP 0"), "+OK\r\n"), {
    settings: { "enable-debug-command": "local" },
  });
});

Deno.test("a digest depends on the data and not on its order or encoding", () =>
  withServer(async (client) => {
    const digest = () => client.run("DEBUG DIGEST");
    assertEquals(await digest(), `+${"0".repeat(40)}\r\n`);
    const lines = ["SET a 1", "SET b x", "RPUSH l 1 2 3", "PEXPIREAT b 4102444800000"];
    for (const line of lines) await client.run(line);
    const first = await digest();
    assertMatch(first, /^\+[0-9a-f]{40}\r\n$/);
    await client.run("FLUSHALL");
    await client.run("CONFIG SET list-max-listpack-size 1");
    for (const line of lines.toReversed()) await client.run(line);
    await client.run("PEXPIREAT b 4102444800001");
    assertEquals(await digest(), first);
    await client.run("PERSIST b");
    assert(await digest() !== first);
    await client.run("PEXPIREAT b 4102444800001");
    await client.run("LSET l 0 9");
    assert(await digest() !== first);
  }));

differential("random data has the digest that Redis gives it", (pair) =>
  property(10, async (random) => {
    await pair.same("FLUSHALL");
    for (let i = 0; i < 40; i++) {
      const key = `k${random.below(20)}`;
      const value = () => pick(random, ["", "1", "-17", "3.5", "x".repeat(random.below(200)), randomBytes(random, 5)]);
      await pair.same("SELECT", random.below(3));
      await pair.same(...pick(random, [
        ["SET", key, value()],
        ["DEL", key],
        ["EXPIRE", key, "1000"],
        ["RPUSH", `l${random.below(3)}`, value(), value(), value()],
        ["LPOP", `l${random.below(3)}`],
      ]));
    }
    await pair.same("DEBUG", "DIGEST");
    await pair.same("DEBUG", "DIGEST-VALUE", ...Array.from({ length: 20 }, (_, i) => `k${i}`), "l0", "l1", "missing");
  }));

Deno.test("DEBUG OBJECT describes how a value is kept", () =>
  withServer(async (client, server) => {
    await client.run("SET n 12");
    await client.command("SET", "s", "x".repeat(100));
    server.clock.advance(5000);
    const line = (encoding: string, bytes: string, more = "") =>
      new RegExp(
        `^\\+Value at:0x[0-9a-f]+ refcount:1 encoding:${encoding} serializedlength:${bytes} lru:\\d+ ` +
          `lru_seconds_idle:\\d+${more}\\r\\n$`,
      );
    assertMatch(await client.run("DEBUG OBJECT n"), line("int", "2"));
    assertMatch(await client.run("DEBUG OBJECT s"), line("raw", "9"));
    assertMatch(await client.run("DEBUG OBJECT n"), /lru_seconds_idle:5/);
    await client.run("RPUSH l a b c");
    assertMatch(await client.run("DEBUG OBJECT l"), line("listpack", "\\d+"));
    for (let i = 0; i < 20; i++) await client.command("RPUSH", "l", "x".repeat(1000));
    const nodes = " ql_nodes:3 ql_avg_node:7\\.67 ql_listpack_max:-2 ql_compressed:0 ql_uncompressed_size:\\d+";
    assertMatch(await client.run("DEBUG OBJECT l"), line("quicklist", "\\d+", nodes));
  }));

Deno.test("DEBUG SLEEP stops the server for real time", () =>
  withServer(async (client) => {
    const start = performance.now();
    assertEquals(await client.run("DEBUG SLEEP 0.02"), "+OK\r\n");
    assert(performance.now() - start >= 19);
  }));

Deno.test("DEBUG SET-ACTIVE-EXPIRE stops the expiry cycle", () =>
  withServer(async (client, { server: { engine } }) => {
    await client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    assertEquals(engine.activeExpiry, false);
    await client.run("DEBUG SET-ACTIVE-EXPIRE 1");
    assertEquals(engine.activeExpiry, true);
  }));

differential(
  "a deadline in the past deletes also while DEBUG SET-ALLOW-ACCESS-EXPIRED shows expired keys",
  (pair) =>
    pair.sameLines(`
    DEBUG SET-ACTIVE-EXPIRE 0
    DEBUG SET-ALLOW-ACCESS-EXPIRED 1
    SET k v
    EXPIRE k -1
    EXISTS k
    SET k v PXAT 1000
    GET k
    PEXPIRETIME k
    GETEX k PXAT 1000
    EXISTS k
    HSET h a 1 b 2
    HPEXPIREAT h 1000 FIELDS 1 a
    HGETALL h
    HSETEX h PXAT 1000 FIELDS 1 c 3
    HGETALL h
    HGETEX h PXAT 1000 FIELDS 1 b
    EXISTS h
    DEBUG SET-ALLOW-ACCESS-EXPIRED 0
    DBSIZE
  `),
);

Deno.test("DEBUG SET-ALLOW-ACCESS-EXPIRED shows expired keys and fields, and hides them again", () =>
  withServer(async (client, { clock }) => {
    await client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    await client.run("SET k v PX 10");
    await client.run("HSETEX h PX 10 FIELDS 1 a 1");
    await client.run("HSET h b 2");
    clock.advance(20);
    assertEquals(await client.run("DEBUG SET-ALLOW-ACCESS-EXPIRED 1"), "+OK\r\n");
    assertEquals(await client.run("DEBUG SET-ALLOW-ACCESS-EXPIRED 1"), "+OK\r\n");
    assertEquals(await client.run("GET k"), "$1\r\nv\r\n");
    assertEquals(await client.run("HLEN h"), ":2\r\n");
    assertEquals(await client.run("DEBUG SET-ALLOW-ACCESS-EXPIRED 0"), "+OK\r\n");
    assertEquals(await client.run("GET k"), "$-1\r\n");
    assertEquals(await client.run("HLEN h"), ":1\r\n");
  }));

Deno.test("DEBUG SET-SKIP-CHECKSUM-VALIDATION lets RESTORE take a wrong checksum", () =>
  withServer(async (client) => {
    const payload = Uint8Array.of(0, 1, 120, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8);
    assertMatch(await client.command("RESTORE", "k", 0, payload), /checksum are wrong/);
    await client.run("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1");
    assertEquals(await client.command("RESTORE", "k", 0, payload), "+OK\r\n");
    await client.run("DEBUG SET-SKIP-CHECKSUM-VALIDATION 0");
    assertMatch(await client.command("RESTORE", "k", 0, payload, "REPLACE"), /checksum are wrong/);
    assertEquals(await client.run("GET k"), "$1\r\nx\r\n");
  }));

Deno.test("DEBUG PAUSE-CRON and AOF-FLUSH-SLEEP reach the parts that they concern", () =>
  withServer(async (client, { server: { engine } }) => {
    await client.run("DEBUG PAUSE-CRON 1");
    assertEquals(engine.cronPaused, true);
    await client.run("DEBUG PAUSE-CRON 0");
    assertEquals(engine.cronPaused, false);
    await client.run("DEBUG AOF-FLUSH-SLEEP 20");
    assertEquals(engine.knobs.aofFlushSleepUs, 20);
  }));

Deno.test("DEBUG HTSTATS, HTSTATS-KEY, SDSLEN and LISTPACK tell of MemDB's own structures", () =>
  withServer(async (client) => {
    await client.run("MSET a 1 b xyz");
    await client.run("HSET h f 1");
    await client.run("CONFIG SET hash-max-listpack-entries 0");
    await client.run("HSET table f 1 g 2");
    assertMatch(
      await client.run("DEBUG HTSTATS 0"),
      /\[Dictionary HT\]\n.* table size: \d+\n number of elements: 4\n/s,
    );
    assertMatch(await client.run("DEBUG HTSTATS-KEY table"), / number of elements: 2\n bytes: \d+/);
    assertMatch(await client.run("DEBUG SDSLEN b"), /^\+key_sds_len:1, .* val_sds_len:3, /);
    assertEquals(await client.run("DEBUG LISTPACK h"), "+Listpack structure written to the log\r\n");
  }));

Deno.test("DEBUG CONFIG-REWRITE-FORCE-ALL writes every setting", async () => {
  const file = await Deno.makeTempFile();
  await withServer(async (client, { server: { engine } }) => {
    assertMatch(await client.run("DEBUG CONFIG-REWRITE-FORCE-ALL"), /^-ERR CONFIG-REWRITE-FORCE-ALL failed/);
    engine.configFile = file;
    assertEquals(await client.run("DEBUG CONFIG-REWRITE-FORCE-ALL"), "+OK\r\n");
    assertMatch(await Deno.readTextFile(file), /^hz 10$/m);
  });
  await Deno.remove(file);
});

differential("knobs of DEBUG take and refuse what they take and refuse in Redis", (pair) =>
  pair.sameLines(`
    DEBUG QUICKLIST-PACKED-THRESHOLD 1b
    DEBUG QUICKLIST-PACKED-THRESHOLD 0
    DEBUG QUICKLIST-PACKED-THRESHOLD 5gb
    DEBUG QUICKLIST-PACKED-THRESHOLD x
    DEBUG QUICKLIST-PACKED-THRESHOLD
    DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER
    DEBUG REPLYBUFFER PEAK-RESET-TIME 100
    DEBUG REPLYBUFFER PEAK-RESET-TIME x
    DEBUG REPLYBUFFER PEAK-RESET-TIME RESET
    DEBUG REPLYBUFFER RESIZING 0
    DEBUG REPLYBUFFER x 0
    DEBUG REPLY-COPY-AVOIDANCE 0
    DEBUG DICT-RESIZING 0
    DEBUG SET-DISABLE-DENY-SCRIPTS 1
    DEBUG KEYSIZES-HIST-ASSERT 1
    DEBUG KEYSIZES-HIST-ASSERT x
    DEBUG ALLOCSIZE-SLOTS-ASSERT 1
    DEBUG HTSTATS x
    DEBUG HTSTATS 99
    DEBUG HTSTATS-KEY missing
    RPUSH list a
    DEBUG HTSTATS-KEY list
    DEBUG SDSLEN list
    DEBUG SDSLEN missing
    SET n 1
    DEBUG SDSLEN n
    DEBUG LISTPACK n
    DEBUG LISTPACK missing
  `));

Deno.test("DEBUG RELOAD takes all data through a snapshot and back", () =>
  withServer(async (client, server) => {
    await client.run("SET a b PX 1000");
    await client.run("SET c d PXAT 9007199254740993");
    await client.run("SADD set 1 2 3");
    await client.run("PEXPIREAT set 9223372036854775807");
    await client.run("HSET hash a 1");
    await client.run("HPEXPIRE hash 500 FIELDS 1 a");
    await client.run("SELECT 3");
    await client.run("RPUSH list a b");
    const digest = await client.run("DEBUG DIGEST");
    server.clock.advance(100);
    assertEquals(await client.run("DEBUG RELOAD"), "+OK\r\n");
    assertEquals(await client.run("DEBUG DIGEST"), digest);
    await client.run("SELECT 0");
    assertEquals(await client.run("PTTL a"), ":900\r\n");
    assertEquals(await client.run("PEXPIRETIME c"), ":9007199254740993\r\n");
    assertEquals(await client.run("PEXPIRETIME set"), ":9223372036854775807\r\n");
    assertEquals(await client.run("HPTTL hash FIELDS 1 a"), "*1\r\n:400\r\n");
    assertMatch(await client.run("DEBUG RELOAD NOFLUSH"), /^-ERR Error trying to load the RDB dump/);
    assertEquals(await client.run("DEBUG RELOAD NOFLUSH MERGE"), "+OK\r\n");
    assertEquals(await client.run("PTTL a"), ":900\r\n");
  }));

Deno.test("DEBUG RELOAD drops libraries of functions that the snapshot has not, unless NOFLUSH", async () => {
  const folder = await Deno.makeTempDir();
  await withServer(async (client) => {
    const load = (name: string) =>
      client.command(
        "FUNCTION",
        "LOAD",
        `#!lua name=${name}\nredis.register_function('${name}', function() return 1 end)`,
      );
    await load("a");
    await client.run("SET k 1");
    assertEquals(await client.run("SAVE"), "+OK\r\n");
    await load("b");
    await client.run("SET k 2");
    await client.run("SET other 2");
    assertMatch(await client.run("DEBUG RELOAD NOSAVE NOFLUSH"), /^-ERR Error trying to load/);
    assertEquals(await client.run("DEBUG RELOAD NOSAVE NOFLUSH MERGE"), "+OK\r\n");
    assertEquals(await client.run("MGET k other"), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    assertEquals(await client.run("FCALL b 0"), ":1\r\n");
    assertEquals(await client.run("DEBUG RELOAD NOSAVE"), "+OK\r\n");
    assertEquals(await client.run("MGET k other"), "*2\r\n$1\r\n1\r\n$-1\r\n");
    assertEquals(await client.run("FCALL a 0"), ":1\r\n");
    assertMatch(await client.run("FCALL b 0"), /Function not found/);
  }, { settings: { dir: folder }, notReplayed: "it loads a snapshot" });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("DEBUG OBJECT finds a key that is past its deadline and not deleted yet", () =>
  withServer(async (client, server) => {
    await client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    await client.run("SET k v PX 1");
    server.clock.advance(5);
    assertMatch(await client.run("DEBUG OBJECT k"), /^\+Value at:/);
    assertEquals(await client.run("EXISTS k"), ":0\r\n");
    assertMatch(await client.run("DEBUG OBJECT k"), /^-ERR no such key/);
  }));

Deno.test("DEBUG RELOAD NOSAVE goes back to the last snapshot", async () => {
  const folder = await Deno.makeTempDir();
  await withServer(async (client) => {
    await client.run("SET a b");
    assertEquals(
      await client.run("DEBUG RELOAD NOSAVE"),
      "-ERR Error trying to load the RDB dump, check server logs.\r\n",
    );
    await client.run("SAVE");
    await client.run("SET a changed");
    await client.run("SET c d");
    assertEquals(await client.run("DEBUG RELOAD NOSAVE"), "+OK\r\n");
    assertEquals(await client.run("MGET a c"), "*2\r\n$1\r\nb\r\n$-1\r\n");
  }, { settings: { dir: folder }, notReplayed: "it loads a snapshot" });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("DEBUG LOADAOF is an error without an append-only file, and keeps the data", () =>
  withServer(async (client) => {
    await client.run("SET k v");
    assertEquals(
      await client.run("DEBUG LOADAOF"),
      "-ERR Error trying to load the AOF files, check server logs.\r\n",
    );
    assertEquals(await client.run("GET k"), "$1\r\nv\r\n");
  }));

Deno.test("DEBUG LOADAOF has the append-only file loaded again, deadlines and databases included", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await withServer(async (client) => {
      await client.run("SET a 1");
      await client.run("RPUSH l x y z");
      await client.run("SET soon gone PX 5000");
      await client.run("SELECT 3");
      await client.run("SET b 2");
      const digest = await client.run("DEBUG DIGEST");
      assertEquals(await client.run("DEBUG LOADAOF"), "+OK\r\n");
      assertEquals(await client.run("DEBUG DIGEST"), digest);
      assertEquals(await client.run("GET b"), "$1\r\n2\r\n");
      // Later commands are logged as before.
      await client.run("APPEND b 3");
      assertEquals(await client.run("DEBUG LOADAOF"), "+OK\r\n");
      assertEquals(await client.run("GET b"), "$2\r\n23\r\n");
    }, { settings: { appendonly: "yes", aofpath: `${folder}/a.aof` } });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("DEBUG LOADAOF takes what BGREWRITEAOF wrote, though no file is kept, as long as nobody changed it", async () => {
  const folder = await Deno.makeTempDir();
  const aofpath = `${folder}/a.aof`;
  try {
    await withServer(async (client) => {
      await client.run("SET a 1");
      await client.run("BGREWRITEAOF");
      for (let info = ""; !/aof_rewrite_in_progress:0/.test(info);) info = await client.run("INFO persistence");
      await client.run("SET a 2");
      assertEquals(await client.run("DEBUG LOADAOF"), "+OK\r\n");
      assertEquals(await client.run("GET a"), "$1\r\n1\r\n");
      await Deno.writeTextFile(aofpath, "SET a 3\r\n", { append: true });
      assertMatch(await client.run("DEBUG LOADAOF"), /^-ERR Error trying to load the AOF files/);
      await Deno.remove(aofpath);
      assertMatch(await client.run("DEBUG LOADAOF"), /^-ERR Error trying to load the AOF files/);
      assertEquals(await client.run("GET a"), "$1\r\n1\r\n");
    }, { settings: { aofpath }, notReplayed: "loads a file by hand" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("DEBUG POPULATE logs what it adds", () =>
  withServer(async (client, { server: { engine } }) => {
    const logged: string[] = [];
    engine.effects.listen({
      effect: (_, bytes, start, end) => logged.push(new TextDecoder().decode(bytes.slice(start, end))),
    });
    await client.run("SET key:1 mine");
    await client.run("DEBUG POPULATE 3");
    assertEquals(logged.slice(1), [
      "*3\r\n$3\r\nSET\r\n$5\r\nkey:0\r\n$7\r\nvalue:0\r\n",
      "*3\r\n$3\r\nSET\r\n$5\r\nkey:2\r\n$7\r\nvalue:2\r\n",
    ]);
    assertEquals(await client.run("GET key:1"), "$4\r\nmine\r\n");
  }));

Deno.test("DEBUG STRINGMATCH-LEN matches a glob", () =>
  withServer(async (client) => {
    assertEquals(await client.run("DEBUG STRINGMATCH-LEN a*c a/b/c"), ":1\r\n");
    assertEquals(await client.run("DEBUG STRINGMATCH-LEN a*c abd"), ":0\r\n");
  }));

Deno.test("DEBUG HELP describes each subcommand", () =>
  withServer(async (client) => {
    const lines = decode(await client.run("DEBUG HELP")) as string[];
    assert(lines.includes("DIGEST") && lines.includes("SLEEP <seconds>"));
  }));

differential("DEBUG answers as Redis's does, errors included", async (pair) => {
  const lines = `
    DEBUG
    DEBUG NOPE
    DEBUG SLEEP
    DEBUG SLEEP a
    DEBUG SLEEP -1
    DEBUG DIGEST-VALUE
    DEBUG DIGEST a
    DEBUG OBJECT
    DEBUG OBJECT nope
    DEBUG OBJECT nope fast
    DEBUG SET-ACTIVE-EXPIRE
    DEBUG SET-ACTIVE-EXPIRE a
    DEBUG SET-ACTIVE-EXPIRE 1
    DEBUG RELOAD foo
    DEBUG RELOAD NOSAVE foo
    DEBUG PROTOCOL
    DEBUG PROTOCOL nope
    DEBUG PROTOCOL String
    DEBUG PROTOCOL integer
    DEBUG PROTOCOL double
    DEBUG PROTOCOL bignum
    DEBUG PROTOCOL null
    DEBUG PROTOCOL array
    DEBUG PROTOCOL set
    DEBUG PROTOCOL map
    DEBUG PROTOCOL attrib
    DEBUG PROTOCOL push
    DEBUG PROTOCOL verbatim
    DEBUG PROTOCOL true
    DEBUG PROTOCOL false
    DEBUG ERROR
    DEBUG ERROR abc
    DEBUG ERROR ""
    DEBUG LOG
    DEBUG LOG hello
    DEBUG POPULATE
    DEBUG POPULATE a
    DEBUG POPULATE -1
    DEBUG POPULATE 1 pre a
    DEBUG POPULATE 1 pre -1
    DEBUG POPULATE 1 pre 1 a
    DEBUG POPULATE 3
    DEBUG POPULATE 2 pre 10
    DEBUG POPULATE 2 q 3
    GET key:2
    GET pre:1
    GET q:1
    DBSIZE
    DEBUG DIGEST
  `;
  await pair.sameLines(lines);
  await pair.same("DEBUG", "ERROR", "ABC def\r\nghi");
  for (const client of [pair.memdb, pair.redis]) await client.run("HELLO 3");
  await pair.sameLines(lines.replace("DEBUG PROTOCOL push\n", ""));
  for (const client of [pair.memdb, pair.redis]) {
    assertEquals(await client.run("DEBUG PROTOCOL push"), "$40\r\nSome real reply following the push reply\r\n");
    assertEquals(await client.receive(), ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n");
  }
});
