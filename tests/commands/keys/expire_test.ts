/** The commands on deadlines over the wire: with a held clock, and compared with Redis. */
import { assertEquals } from "@std/assert";
import { ExpiryMode } from "../../../src/store/keyspace.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { pick, property } from "../../helpers/property.ts";
import { differential } from "../../helpers/redis.ts";
import { TEST_START_MS, withServer } from "../../helpers/server.ts";

const PASSIVE = { settings: { startexpiryloop: "no" } };

Deno.test("a key lives to the millisecond", () =>
  withServer(async (client, { clock }) => {
    await client.run("SET a 1");
    assertEquals(await client.run("PEXPIRE a 1500"), ":1\r\n");
    clock.advance(1499);
    assertEquals(await client.run("GET a"), "$1\r\n1\r\n");
    assertEquals(await client.run("PTTL a"), ":1\r\n");
    clock.advance(1);
    assertEquals(await client.run("GET a"), "$-1\r\n");
    assertEquals(await client.run("PTTL a"), ":-2\r\n");
  }));

Deno.test("TTL rounds to the nearest second", () =>
  withServer(async (client, { clock }) => {
    await client.run("SET a 1 PX 10000");
    const seen: string[] = [];
    for (const step of [0, 499, 1, 1, 499]) {
      clock.advance(step);
      seen.push(await client.run("TTL a"));
    }
    assertEquals(seen, [":10\r\n", ":10\r\n", ":10\r\n", ":9\r\n", ":9\r\n"]);
    assertEquals(await client.run("PEXPIREAT a 4000000000500"), ":1\r\n");
    assertEquals(await client.run("EXPIRETIME a"), ":4000000001\r\n");
    assertEquals(await client.run("PEXPIRETIME a"), ":4000000000500\r\n");
  }));

Deno.test("conditions compare with the old deadline, and no deadline is the latest", () =>
  withServer(async (client) => {
    const check = async (line: string, reply: number, ttl: number) => {
      assertEquals(await client.run(line), `:${reply}\r\n`, line);
      assertEquals(await client.run("TTL a"), `:${ttl}\r\n`, line);
    };
    await client.run("SET a 1");
    await check("EXPIRE a 10 XX", 0, -1);
    await check("EXPIRE a 10 GT", 0, -1);
    await check("EXPIRE a 10 XX LT", 0, -1);
    await check("EXPIRE a 10 LT", 1, 10);
    await check("EXPIRE a 10 LT", 0, 10);
    await check("EXPIRE a 10 GT", 0, 10);
    await check("EXPIRE a 20 NX", 0, 10);
    await check("EXPIRE a 20 LT", 0, 10);
    await check("EXPIRE a 20 GT XX", 1, 20);
    await check("EXPIRE a 5 XX LT", 1, 5);
    await check("PERSIST a", 1, -1);
    await check("PERSIST a", 0, -1);
    await check("EXPIRE a 7 NX NX", 1, 7);
    await check("EXPIRE a -1 GT", 0, 7);
    await check("EXPIRE a -1 LT", 1, -2);
    await check("EXPIRE a 7", 0, -2);
  }));

Deno.test("deadlines keep all 64 bits, whatever sets, copies, moves or keeps them", () =>
  withServer(async (client, { clock }) => {
    let nowMs = TEST_START_MS;
    const far = [
      "9007199254740991",
      "9007199254740992",
      "9007199254740993",
      "9218868437227405313",
      "9223372036854775807",
    ];
    for (const deadline of far) {
      const kept = async (key: string, ...lines: string[]) => {
        for (const line of lines) await client.run(line);
        assertEquals(await client.run(`PEXPIRETIME ${key}`), `:${deadline}\r\n`, lines.at(-1));
      };
      await kept(
        "a",
        "FLUSHALL",
        `SET a 1 PXAT ${deadline}`,
        "SET a 2 KEEPTTL",
        "APPEND a 3",
        "INCR a",
        "SETRANGE a 99999 x",
      );
      assertEquals(await client.run("EXPIRETIME a"), `:${(BigInt(deadline) + 500n) / 1000n}\r\n`);
      assertEquals(await client.run("PTTL a"), `:${BigInt(deadline) - BigInt(nowMs)}\r\n`);
      await kept("b", "SET b 1", `GETEX b PXAT ${deadline}`);
      await kept("c", "RPUSH c 1", `PEXPIREAT c ${deadline}`);
      await kept("d", "COPY c d");
      await kept("e", "RENAME d e");
      await kept("e", "MOVE e 1", "SELECT 1");
      await client.run("SELECT 0");
      await kept("f", "PFADD f 1", `PEXPIREAT f ${deadline}`, "PFADD f 2");
      clock.advance(1000);
      nowMs += 1000;
      assertEquals(await client.run("EXISTS a b c f"), ":4\r\n");
      assertEquals(await client.run("PERSIST a"), ":1\r\n");
      assertEquals(await client.run("TTL a"), ":-1\r\n");
    }
  }));

Deno.test("conditions compare far deadlines exactly", () =>
  withServer(async (client) => {
    const base = 2n ** 53n;
    await client.run(`SET a 1 PXAT ${base + 1n}`);
    const results: string[] = [];
    for (
      const [step, condition] of [[0n, "GT"], [1n, "GT"], [2n, "LT"], [1n, "LT"], [2n, "GT"], [3n, "NX"], [1n, "LT"]]
    ) {
      results.push((await client.run(`PEXPIREAT a ${base + (step as bigint)} ${condition}`)).trim());
    }
    assertEquals(results, [":0", ":0", ":0", ":0", ":1", ":0", ":1"]);
    assertEquals(await client.run("PEXPIRETIME a"), `:${base + 1n}\r\n`);
  }));

Deno.test("a relative time that passes the end of the range is refused, and RESTORE's wraps around as in Redis", () =>
  withServer(async (client) => {
    const error = (name: string) => `-ERR invalid expire time in '${name}' command\r\n`;
    await client.run("SET a 1");
    assertEquals(await client.run("SET a 1 PX 9223372036854775807"), error("set"));
    assertEquals(await client.run("SET a 1 EXAT 9223372036854776"), error("set"));
    assertEquals(await client.run("PSETEX a 9223372036854775807 1"), error("psetex"));
    assertEquals(await client.run("GETEX a EX 9223372036854775"), error("getex"));
    assertEquals(await client.run("PEXPIRE a 9223372036854775807"), error("pexpire"));
    assertEquals(await client.run("PEXPIRE a 9000000000000000001"), ":1\r\n");
    assertEquals(await client.run("PEXPIRETIME a"), `:${9000000000000000001n + BigInt(TEST_START_MS)}\r\n`);
  }));

Deno.test("a deadline is logged as a point in time, the past as a deletion", () =>
  withServer(async (client, { clock, server }) => {
    await client.run("MSET a 1 b 2 c 3 d 4");
    const logged = recordEffects(server.engine);
    for (
      const line of [
        "EXPIRE a 10",
        "PEXPIRE a 20 nx",
        "pexpire a 20000 gt xx",
        "EXPIREAT a 4000000000",
        "pexpireat a 4000000000001",
        "PEXPIRE a 9223370000000000000",
        "PERSIST a",
        "PERSIST a",
        "EXPIRE b 0",
        "EXPIREAT c 1",
        "EXPIRE nokey 5",
        "PEXPIRE d 5",
      ]
    ) await client.run(line);
    clock.advance(5);
    await client.run("EXISTS d");
    assertEquals(logged, [
      `0: PEXPIREAT a ${TEST_START_MS + 10_000}`,
      `0: PEXPIREAT a ${TEST_START_MS + 20_000} gt xx`,
      "0: PEXPIREAT a 4000000000000",
      "0: pexpireat a 4000000000001",
      `0: PEXPIREAT a ${9223370000000000000n + BigInt(TEST_START_MS)}`,
      "0: PERSIST a",
      "0: DEL b",
      "0: DEL c",
      `0: PEXPIREAT d ${TEST_START_MS + 5}`,
      "0: DEL d",
    ]);
  }, PASSIVE));

Deno.test("deadlines are announced by Redis's names", () =>
  withServer(async (client, { clock, server }) => {
    await client.run("MSET a 1 b 2");
    const events = recordEvents(server.engine);
    for (const line of ["EXPIRE a 10", "PERSIST a", "PEXPIREAT a 1", "PEXPIRE b 10"]) await client.run(line);
    clock.advance(10);
    await client.run("TTL b");
    assertEquals(events, ["0: g expire a", "0: g persist a", "0: g del a", "0: g expire b", "0: x expired b"]);
  }, PASSIVE));

Deno.test("while a file loads, a deadline in the past is kept, because the file contains the deletions", () =>
  withServer(async (client, { server }) => {
    await client.run("MSET a 1 b 2");
    const release = server.engine.holdExpiry(ExpiryMode.KEEP);
    await client.run("PEXPIREAT a 1000");
    await client.run("PEXPIREAT b -5");
    assertEquals(await client.run("EXISTS a b"), ":2\r\n");
    release();
    assertEquals(await client.run("EXISTS a b"), ":0\r\n");
  }, PASSIVE));

differential("wrong arguments and the ends of the range get Redis's answers", async (pair) => {
  const numbers = ["x", "", "1.5", " 1", "01", "9223372036854775808", "-9223372036854775809"];
  const far = ["9223372036854775807", "9223372036854775", "-9223372036854775808", "-9223372036854775807"];
  const near = ["9223370000000000", "-9223372036854775", "-1", "0", "1000000"];
  for (const name of ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]) {
    for (const number of [...numbers, ...far, ...near]) {
      // In Redis one millisecond may pass before the next command; here the clock is held.
      if (name === "PEXPIRE" && number === "1") continue;
      await pair.same("SET", "a", "1");
      await pair.same(name, "a", number);
      await pair.same(name, "nokey", number);
      await pair.same("EXISTS", "a");
    }
  }
  await pair.sameLines(`
    SET a 1
    EXPIRE a 10 NX XX
    EXPIRE a 10 NX GT
    EXPIRE a 10 NX LT
    EXPIRE a 10 GT LT
    EXPIRE a 10 LT GT XX NX
    EXPIRE a 10 FOO
    EXPIRE a x FOO
    EXPIRE a x NX XX
    EXPIRE nokey 10 FOO
    EXPIRE nokey x
    EXPIRE a
    EXPIRE
    PEXPIREAT a 9223372036854775807
    PEXPIRETIME a
    EXPIRETIME a
    PEXPIRE a 9223372036854775807
    PERSIST a
    PERSIST a
    PERSIST nokey
    PERSIST
    TTL a
    TTL nokey
    PTTL nokey
    PTTL a b
    EXPIRETIME nokey
    PEXPIRETIME a
    TTL
  `);
  await pair.same("EXPIRE", "a", "10", "f\r\no\xff");
});

differential("random deadlines under random conditions end where Redis's do", (pair) =>
  property(5, async (random) => {
    await pair.same("FLUSHALL");
    const key = () => pick(random, ["a", "b"]);
    const conditions = ["NX", "XX", "GT", "LT", "gt", "lt", "no"];
    for (let i = 0; i < 150; i++) {
      const atMs = pick(random, [
        BigInt(4e12 + random.below(5)),
        BigInt(4e12 + 1000 * random.below(5)),
        1n,
        2n ** 53n + BigInt(random.below(5) - 2),
        2n ** 62n + BigInt(random.below(3)),
        2n ** 63n - 1n - BigInt(random.below(3)),
      ]);
      const name = key();
      const chosen = Array.from({ length: random.below(3) }, () => pick(random, conditions));
      if (random.below(5) === 0) await pair.same("SET", name, "v");
      if (random.below(2) === 0) await pair.same("PEXPIREAT", name, String(atMs), ...chosen);
      else await pair.same("EXPIREAT", name, String(atMs / 1000n), ...chosen);
      if (random.below(6) === 0) await pair.same("PERSIST", name);
      if (random.below(6) === 0) await pair.same("SET", name, "w", "KEEPTTL");
      if (random.below(6) === 0) await pair.same("SET", name, "w", "PXAT", String(atMs));
      if (random.below(6) === 0) await pair.same("GETEX", name, "PXAT", String(atMs));
      if (random.below(6) === 0) await pair.same("COPY", name, key(), "REPLACE");
      await pair.same("PEXPIRETIME", name);
      await pair.same("EXPIRETIME", name);
    }
  }));
