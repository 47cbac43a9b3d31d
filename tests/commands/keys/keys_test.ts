/** The commands on keys over the wire: on MemDB alone, and compared with Redis. */
import { decode } from "../../helpers/decode.ts";
import { assertEquals } from "@std/assert";
import type { TestClient } from "../../helpers/client.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { pick, property, randomBytes } from "../../helpers/property.ts";
import { differential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

const PASSIVE = { settings: { startexpiryloop: "no" } };

/** The bulk strings of a reply, in order. */
function bulks(reply: string): string[] {
  return [...reply.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map((match) => match[1]);
}

/** One complete iteration by SCAN; `between` runs after each call. */
async function scanAll(client: TestClient, options: string, between = () => Promise.resolve()): Promise<string[]> {
  const found: string[] = [];
  let cursor = "0";
  do {
    const [next, ...keys] = bulks(await client.run(`SCAN ${cursor}${options}`));
    found.push(...keys);
    cursor = next;
    await between();
  } while (cursor !== "0");
  return found;
}

async function fill(client: TestClient, prefix: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += 1000) {
    const keys = Array.from({ length: Math.min(1000, to - i) }, (_, k) => [`${prefix}${i + k}`, "v"]);
    await client.command("MSET", ...keys.flat());
  }
}

async function remove(client: TestClient, prefix: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += 1000) {
    await client.command("DEL", ...Array.from({ length: Math.min(1000, to - i) }, (_, k) => `${prefix}${i + k}`));
  }
}

Deno.test("a deleted key is gone, with its value, however it was deleted", () =>
  withServer(async (client) => {
    await client.run("MSET a 1 b 2 c 3");
    await client.command("RPUSH", "l", ...Array.from({ length: 5000 }, (_, i) => `element ${i}`));
    assertEquals(await client.run("DEL a a nokey"), ":1\r\n");
    assertEquals(await client.run("UNLINK b l"), ":2\r\n");
    assertEquals(await client.run("EXISTS a b c c l"), ":2\r\n");
    assertEquals(await client.run("DBSIZE"), ":1\r\n");
  }));

Deno.test("keys and arguments may be any bytes", () =>
  property(3, (random) =>
    withServer(async (client) => {
      const keys = Array.from({ length: 50 }, () => randomBytes(random, random.below(5000)));
      for (const key of keys) await client.command("SET", key, key);
      for (const key of keys) {
        const other = randomBytes(random, 1 + random.below(5000));
        assertEquals(await client.command("RENAME", key, other), "+OK\r\n");
        assertEquals(await client.command("COPY", other, key, "DB", 1), ":1\r\n");
        assertEquals(await client.command("MOVE", other, 1), ":1\r\n");
      }
      assertEquals(await client.run("DBSIZE"), ":0\r\n");
    })));

Deno.test("SCAN returns every key that stays, while the database grows to a hundred times its size", () =>
  withServer(async (client) => {
    await fill(client, "stays:", 0, 500);
    let more = 0;
    const found = await scanAll(client, " COUNT 10", async () => {
      if (more < 50_000) await fill(client, "more:", more, more += 2000);
    });
    assertEquals(more, 50_000);
    const stayed = new Set(found.filter((key) => key.startsWith("stays:")));
    assertEquals(stayed.size, 500);
  }));

Deno.test("SCAN returns every key that stays, while the database shrinks to a hundredth", () =>
  withServer(async (client) => {
    await fill(client, "goes:", 0, 50_000);
    await fill(client, "stays:", 0, 500);
    let gone = 0;
    const found = await scanAll(client, " COUNT 100", async () => {
      if (gone < 50_000) await remove(client, "goes:", gone, gone += 2000);
    });
    assertEquals(gone, 50_000);
    assertEquals(new Set(found.filter((key) => key.startsWith("stays:"))).size, 500);
  }));

Deno.test("SCAN ends and is complete whatever grows and shrinks between the calls", () =>
  property(2, (random) =>
    withServer(async (client) => {
      await fill(client, "stays:", 0, 1000);
      let low = 0, high = 0, calls = 0;
      const found = await scanAll(client, ` COUNT ${1 + random.below(60)}`, async () => {
        if (calls++ > 150) return;
        if (random.below(2) === 0) await fill(client, "other:", high, high += random.below(1500));
        else await remove(client, "other:", low, low = Math.min(high, low + random.below(3000)));
      });
      const stayed = found.filter((key) => key.startsWith("stays:"));
      assertEquals(new Set(stayed).size, 1000);
    })));

Deno.test("SCAN over a database at rest returns each key once, and filters by pattern and type", () =>
  withServer(async (client) => {
    await fill(client, "string:", 0, 300);
    for (let i = 0; i < 20; i++) await client.command("RPUSH", `list:${i}`, "x");
    const all = await scanAll(client, "");
    assertEquals(all.length, 320);
    assertEquals(new Set(all).size, 320);
    assertEquals((await scanAll(client, " MATCH *:1?")).sort(), bulks(await client.run("KEYS *:1?")).sort());
    assertEquals((await scanAll(client, " TYPE List COUNT 7")).length, 20);
    assertEquals(await scanAll(client, " TYPE hash"), []);
    assertEquals(await scanAll(client, " TYPE nonsense"), []);
    assertEquals((await scanAll(client, " COUNT 9223372036854775807")).length, 320);
  }));

Deno.test("KEYS leaves expired keys where they are, SCAN removes those that match", () =>
  withServer(async (client, { clock, server }) => {
    const events = recordEvents(server.engine);
    await client.run("SET old 1 PX 10");
    await client.run("SET new 1");
    events.length = 0;
    clock.advance(11);
    assertEquals(bulks(await client.run("KEYS *")), ["new"]);
    assertEquals(await client.run("SCAN 0 MATCH n*"), "*2\r\n$1\r\n0\r\n*1\r\n$3\r\nnew\r\n");
    assertEquals(await client.run("DBSIZE"), ":2\r\n");
    assertEquals(await client.run("SCAN 0 TYPE list"), "*2\r\n$1\r\n0\r\n*0\r\n");
    assertEquals(await client.run("DBSIZE"), ":1\r\n");
    assertEquals(events, ["0: x expired old"]);
  }, PASSIVE));

Deno.test("RANDOMKEY meets every key, never an expired one", () =>
  withServer(async (client, { clock }) => {
    for (let i = 0; i < 20; i++) await client.command("SET", `old:${i}`, "v", "PX", 10);
    for (let i = 0; i < 5; i++) await client.command("SET", `new:${i}`, "v");
    clock.advance(11);
    const met = new Set<string>();
    for (let i = 0; i < 200; i++) met.add(bulks(await client.run("RANDOMKEY"))[0]);
    assertEquals([...met].sort(), ["new:0", "new:1", "new:2", "new:3", "new:4"]);
    await client.run("FLUSHDB");
    assertEquals(await client.run("RANDOMKEY"), "$-1\r\n");
    await client.run("SET old 1 PX 1");
    clock.advance(1);
    assertEquals(await client.run("RANDOMKEY"), "$-1\r\n");
  }, PASSIVE));

Deno.test("renaming, copying and moving carry the deadline along", () =>
  withServer(async (client) => {
    await client.run("SET a 1 PX 5000");
    await client.run("SET b 2 PX 90000");
    assertEquals(await client.run("RENAME a b"), "+OK\r\n");
    assertEquals(await client.run("PTTL b"), ":5000\r\n");
    assertEquals(await client.run("COPY b c"), ":1\r\n");
    assertEquals(await client.run("PTTL c"), ":5000\r\n");
    assertEquals(await client.run("MOVE c 3"), ":1\r\n");
    await client.run("SELECT 3");
    assertEquals(await client.run("PTTL c"), ":5000\r\n");
    await client.run("SET plain x");
    assertEquals(await client.run("COPY plain c REPLACE"), ":1\r\n");
    assertEquals(await client.run("PTTL c"), ":-1\r\n");
  }));

Deno.test("commands that change keys are logged as received, others are not", () =>
  withServer(async (client, { clock, server }) => {
    await client.run("MSET a 1 b 2 c 3 d 4");
    await client.run("SET old 1 PX 10");
    const logged = recordEffects(server.engine);
    for (
      const line of [
        "DEL a nokey",
        "DEL nokey",
        "unlink b",
        "RENAME c c",
        "RENAME c d",
        "RENAMENX d d",
        "COPY d e",
        "COPY d e",
        "COPY d e REPLACE",
        "MOVE e 2",
        "COPY d e DB 2",
        "TOUCH d",
        "EXISTS d",
      ]
    ) await client.run(line);
    clock.advance(10);
    await client.run("RENAME d old");
    assertEquals(logged, [
      "0: DEL a nokey",
      "0: unlink b",
      "0: RENAME c d",
      "0: COPY d e",
      "0: COPY d e REPLACE",
      "0: MOVE e 2",
      "0: DEL old",
      "0: RENAME d old",
    ]);
  }, PASSIVE));

Deno.test("changes of keys are announced by Redis's names", () =>
  withServer(async (client, { server }) => {
    await client.run("MSET a 1 b 2");
    const events = recordEvents(server.engine, "n");
    for (const line of ["RENAME a c", "COPY c d", "COPY c d DB 1 REPLACE", "MOVE c 2", "DEL d", "UNLINK b"]) {
      await client.run(line);
    }
    assertEquals(events, [
      "0: n new c",
      "0: g rename_from a",
      "0: g rename_to c",
      "0: n new d",
      "0: g copy_to d",
      "1: n new d",
      "1: g copy_to d",
      "2: n new c",
      "0: g move_from c",
      "2: g move_to c",
      "0: g del d",
      "0: g del b",
    ]);
  }));

Deno.test("idle times count from the last use, frequencies grow with use", () =>
  withServer(async (client, { clock }) => {
    await client.run("SET a 1");
    clock.advance(70_000);
    assertEquals(await client.run("OBJECT IDLETIME a"), ":70\r\n");
    for (const line of ["EXISTS a", "TYPE a", "TTL a", "OBJECT ENCODING a"]) await client.run(line);
    assertEquals(await client.run("OBJECT IDLETIME a"), ":70\r\n");
    await client.run("TOUCH a");
    assertEquals(await client.run("OBJECT IDLETIME a"), ":0\r\n");
    await client.run("CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0");
    await client.run("SET f 1");
    assertEquals(await client.run("OBJECT FREQ f"), ":5\r\n");
    await client.run("SET f 2");
    await client.run("GET f");
    assertEquals(await client.run("OBJECT FREQ f"), ":7\r\n");
    await client.run("COPY f g");
    assertEquals(await client.run("OBJECT FREQ f"), ":8\r\n");
    assertEquals(await client.run("OBJECT FREQ g"), ":5\r\n");
    clock.advance(120_000);
    assertEquals(await client.run("OBJECT FREQ f"), ":6\r\n");
    await client.run("RENAME f h");
    assertEquals(await client.run("OBJECT FREQ h"), ":5\r\n");
  }));

const REFUSED = `
  SCAN 0x
  SCAN -1
  SCAN +0
  SCAN 00
  SCAN -0
  SCAN 18446744073709551616
  SCAN ""
  SCAN 1e1
  SCAN x COUNT 0
  SCAN 0 COUNT 0
  SCAN 0 COUNT -1
  SCAN 0 COUNT x
  SCAN 0 COUNT 9223372036854775808
  SCAN 0 COUNT
  SCAN 0 MATCH
  SCAN 0 FOO 1
  SCAN 0 NOVALUES
  SCAN 0 COUNT 0 FOO
  SCAN
  KEYS
  KEYS a b
  COPY a a
  COPY nokey nokey
  COPY a b DB x
  COPY a b DB 16
  COPY a b DB -1
  COPY a b DB 16 FOO
  COPY a b DB x FOO
  COPY a b DB 99999999999999999999
  COPY a b DB 1000000000000
  COPY a b FOO
  COPY a b DB
  COPY a b REPLACE FOO
  COPY a a DB 0
  MOVE a 0
  MOVE nokey 0
  MOVE nokey 1
  MOVE a x
  MOVE a 16
  MOVE a -1
  MOVE a 1000000000000
  MOVE a
  RENAME nokey nokey
  RENAME nokey a
  RENAMENX nokey a
  RENAMENX a a
  RENAME a
  OBJECT
  OBJECT FOO
  OBJECT FOO a
  OBJECT ENCODING
  OBJECT ENCODING a b
  OBJECT ENCODING nokey
  OBJECT FREQ a
  OBJECT FREQ nokey
  OBJECT IDLETIME nokey
  OBJECT REFCOUNT nokey
  OBJECT HELP x
  TYPE nokey
  DEL
  EXISTS
  TOUCH
  UNLINK
`;

differential("every wrong argument gets Redis's answer", async (pair) => {
  await pair.same("SET", "a", "1");
  await pair.sameLines(REFUSED);
  for (const cursor of [" 0", "0 ", "\t5", "- 1", "0\0x", "-18446744073709551615", "-9999999999999999999"]) {
    await pair.same("SCAN", cursor, "MATCH", "nothing");
  }
  await pair.sameLines("CONFIG SET maxmemory-policy volatile-lfu\nOBJECT IDLETIME a\nOBJECT IDLETIME nokey");
});

differential("encodings and reference counts are Redis's", async (pair) => {
  const texts = ["0", "9999", "10000", "-1", "12345678901234567890", "9223372036854775807", "007", "x".repeat(44)];
  for (const text of [...texts, "x".repeat(45), "", "1.5", " 1"]) {
    await pair.same("SET", "k", text);
    await pair.same("OBJECT", "ENCODING", "k");
    await pair.same("OBJECT", "REFCOUNT", "k");
  }
  await pair.sameLines(`
    SET k 5
    APPEND k 1
    OBJECT ENCODING k
    OBJECT REFCOUNT k
    RPUSH l a b
    OBJECT ENCODING l
    OBJECT REFCOUNT l
    TYPE l
    COPY l m
    LPUSH l c
    LRANGE m 0 -1
    CONFIG SET maxmemory 1gb maxmemory-policy allkeys-lru
    SET k 7
    OBJECT REFCOUNT k
  `);
});

differential("random commands on few keys get Redis's replies", (pair) =>
  property(8, async (random) => {
    await pair.same("FLUSHALL");
    const names = ["a", "b", "c", "d"];
    const key = () => pick(random, names);
    const database = () => pick(random, ["0", "1", "2", "16", "x"]);
    const commands: (() => string[])[] = [
      () => ["SET", key(), `${random.below(1000)}`],
      () => ["SET", key(), "v", "EXAT", "4000000000"],
      () => ["RPUSH", key(), "x", "y"],
      () => ["DEL", key(), key()],
      () => ["UNLINK", key(), key()],
      () => ["EXISTS", key(), key()],
      () => ["TYPE", key()],
      () => ["TOUCH", key(), key()],
      () => ["RENAME", key(), key()],
      () => ["RENAMENX", key(), key()],
      () => ["COPY", key(), key()],
      () => ["COPY", key(), key(), "REPLACE"],
      () => ["COPY", key(), key(), "DB", database()],
      () => ["COPY", key(), key(), "REPLACE", "DB", database()],
      () => ["MOVE", key(), database()],
      () => ["SELECT", pick(random, ["0", "0", "1", "2"])],
      () => ["OBJECT", "ENCODING", key()],
      () => ["PERSIST", key()],
      () => ["EXPIRETIME", key()],
      () => ["DBSIZE"],
      () => ["GET", key()],
      () => ["LRANGE", key(), "0", "-1"],
      () => ["SWAPDB", database(), database()],
    ];
    for (let i = 0; i < 300; i++) await pair.same(...pick(random, commands)());
  }));

differential("a short string is embedded beside a short key, and stays raw once it was not", async (pair) => {
  for (const [keyBytes, length] of [[1, 40], [1, 41], [16, 25], [16, 26], [40, 1], [41, 0], [41, 1], [300, 1]]) {
    const key = "k".repeat(keyBytes);
    await pair.same("SET", key, "v".repeat(length));
    await pair.same("OBJECT", "ENCODING", key);
    await pair.same("EXPIRE", key, 1000);
    await pair.same("OBJECT", "ENCODING", key);
    await pair.same("INCRBYFLOAT", `n${key}`, "1.5");
    await pair.same("OBJECT", "ENCODING", `n${key}`);
  }
  await pair.same("SET", "k", "v".repeat(30));
  for (const [from, to] of [["k", "k".repeat(30)], ["k".repeat(30), "k"]]) {
    await pair.same("COPY", from, `copy of ${to}`);
    await pair.same("OBJECT", "ENCODING", `copy of ${to}`);
    await pair.same("RENAME", from, to);
    await pair.same("OBJECT", "ENCODING", to);
  }
});

Deno.test("SCAN and RANDOMKEY in a transaction leave expired keys as lazyexpire-nested-arbitrary-keys says", () =>
  withServer(async (client, { clock, server: { engine } }) => {
    await client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    assertEquals(await client.run("CONFIG SET lazyexpire-nested-arbitrary-keys no"), "+OK\r\n");
    await client.run("SET k v PX 10");
    clock.advance(10);
    const unit = async (line: string) => {
      await client.run("MULTI");
      await client.run(line);
      return decode(await client.run("EXEC"));
    };
    assertEquals(await unit("SCAN 0"), [["0", []]]);
    assertEquals(await unit("RANDOMKEY"), ["k"]);
    assertEquals(engine.store.expired, 0);
    await client.run("CONFIG SET lazyexpire-nested-arbitrary-keys yes");
    assertEquals(await unit("RANDOMKEY"), [null]);
    assertEquals(engine.store.expired, 1);
    assertEquals(decode(await client.run("CONFIG GET lazyexpire-nested-*")), []);
  }));
