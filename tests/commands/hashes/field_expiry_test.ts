/** Deadlines of hash fields over the wire: with a held clock, and compared with Redis. */
import { assertEquals } from "@std/assert";
import { hashExpiryCommands } from "../../../src/commands/hashes/field_expiry.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import type { Argument } from "../../helpers/client.ts";
import { decode } from "../../helpers/decode.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { pick, property } from "../../helpers/property.ts";
import { differential, type Pair } from "../../helpers/redis.ts";
import { TEST_START_MS, withServer } from "../../helpers/server.ts";

/** Runs a test with packed hashes, and again with tables. */
function inBothEncodings(name: string, body: Parameters<typeof withServer>[0]): void {
  for (const entries of ["10000", "0"]) {
    Deno.test(`${name} (${entries === "0" ? "hashtable" : "listpackex"})`, () =>
      withServer(body, { settings: { "hash-max-listpack-entries": entries } }));
  }
}

inBothEncodings("an expired field is missing to every command", async (client, { clock }) => {
  await client.run("HSET h a 1 b 2 c 3");
  assertEquals(await client.run("HPEXPIRE h 1000 FIELDS 2 a b"), "*2\r\n:1\r\n:1\r\n");
  assertEquals(await client.run("HPTTL h FIELDS 4 a b c d"), "*4\r\n:1000\r\n:1000\r\n:-1\r\n:-2\r\n");
  clock.advance(999);
  assertEquals(await client.run("HPTTL h FIELDS 1 a"), "*1\r\n:1\r\n");
  assertEquals(await client.run("HTTL h FIELDS 1 a"), "*1\r\n:1\r\n");
  assertEquals(await client.run("HGET h a"), "$1\r\n1\r\n");
  clock.advance(1);
  assertEquals(await client.run("HLEN h"), ":1\r\n");
  assertEquals(await client.run("HGETALL h"), "*2\r\n$1\r\nc\r\n$1\r\n3\r\n");
  assertEquals(await client.run("HMGET h a b c"), "*3\r\n$-1\r\n$-1\r\n$1\r\n3\r\n");
  assertEquals(await client.run("HSETNX h a 5"), ":1\r\n");
  assertEquals(await client.run("HTTL h FIELDS 1 a"), "*1\r\n:-1\r\n");
  await client.run("HPEXPIRE h 5 FIELDS 2 a c");
  clock.advance(5);
  assertEquals(await client.run("HINCRBY h a 5"), ":5\r\n");
});

inBothEncodings("expired fields beyond what a command clears away stay unseen", async (client, { clock }) => {
  const names = Array.from({ length: 3000 }, (_, i) => `f${i}`);
  await client.command("HSET", "h", ...names.flatMap((name) => [name, "1"]));
  await client.command("HPEXPIRE", "h", 10, "FIELDS", 2999, ...names.slice(1));
  clock.advance(10);
  assertEquals(await client.run("HLEN h"), ":1\r\n");
  assertEquals(await client.run("HRANDFIELD h"), "$2\r\nf0\r\n");
  assertEquals(await client.run("HRANDFIELD h 9"), "*1\r\n$2\r\nf0\r\n");
  assertEquals(await client.run("HRANDFIELD h -2"), "*2\r\n$2\r\nf0\r\n$2\r\nf0\r\n");
  assertEquals(await client.run("HKEYS h"), "*1\r\n$2\r\nf0\r\n");
  assertEquals(await client.run("HEXISTS h f2000"), ":0\r\n");
  assertEquals(decode(await client.run("HSCAN h 0 COUNT 10000")), ["0", ["f0", "1"]]);
  // A deadline set again neither counts twice nor expires with the others.
  assertEquals(await client.run("HSET h f2000 2"), ":1\r\n");
  assertEquals(await client.run("HDEL h f0"), ":1\r\n");
  assertEquals(await client.run("HGETALL h"), "*2\r\n$5\r\nf2000\r\n$1\r\n2\r\n");
});

inBothEncodings(
  "expired fields are logged as deleted and announced, a key without fields too",
  async (client, test) => {
    const { clock, server } = test;
    const logged = recordEffects(server.engine), events = recordEvents(server.engine);
    await client.run("HSET h a 1 b 2 c 3");
    await client.run("HPEXPIRE h 5 FIELDS 1 b");
    clock.advance(5);
    await client.run("HGET h c");
    await client.run("HPEXPIRE h 4 FIELDS 1 a");
    await client.run("HPEXPIRE h 5 FIELDS 1 c");
    clock.advance(5);
    assertEquals(await client.run("HGET h c"), "$-1\r\n");
    assertEquals(await client.run("EXISTS h"), ":0\r\n");
    assertEquals(logged.filter((line) => !line.includes("HPEXPIREAT")), [
      "0: HSET h a 1 b 2 c 3",
      "0: HDEL h b",
      "0: HDEL h a c",
    ]);
    assertEquals(events, [
      ...[
        "0: h hset h",
        "0: h hexpire h",
        "0: h hexpired h",
        "0: h hexpire h",
        "0: h hexpire h",
        "0: h hexpired h",
        "0: g del h",
      ],
    ]);
  },
);

inBothEncodings("the cycle deletes expired fields that nobody touches", async (client, { clock, server }) => {
  for (let i = 0; i < 100; i++) {
    await client.command("HSET", `h${i}`, "stays", 1, "goes", 2);
    await client.command("HPEXPIRE", `h${i}`, 100, "FIELDS", 1, "goes");
  }
  const names = Array.from({ length: 5000 }, (_, i) => `f${i}`);
  await client.command("HSET", "big", ...names.flatMap((name) => [name, "1"]));
  await client.command("HPEXPIRE", "big", 100, "FIELDS", 5000, ...names);
  assertEquals((await client.run("INFO keyspace")).includes("subexpiry=101"), true);
  clock.advance(100);
  const { store } = server.engine;
  for (let tries = 0; tries < 100 && store.expiredFields < 5100; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals(store.expiredFields, 5100);
  assertEquals(await client.run("EXISTS big"), ":0\r\n");
  assertEquals((await client.run("INFO keyspace")).includes("subexpiry=0"), true);
});

inBothEncodings("deadlines of fields go with the hash, wherever it goes", async (client, { clock }) => {
  await client.run("HSET h a 1 b 2");
  await client.run("HPEXPIRE h 100 FIELDS 1 a");
  await client.run("COPY h copy");
  await client.run("RENAME h moved");
  await client.run("MOVE moved 1");
  await client.run("PEXPIRE copy 100000");
  await client.run("PERSIST copy");
  await client.run("SWAPDB 1 2");
  await client.run("SELECT 2");
  assertEquals(await client.run("HPTTL moved FIELDS 2 a b"), "*2\r\n:100\r\n:-1\r\n");
  clock.advance(100);
  assertEquals(await client.run("HLEN moved"), ":1\r\n");
  await client.run("SELECT 0");
  assertEquals(await client.run("HLEN copy"), ":1\r\n");
  await client.run("HPEXPIRE copy 100 FIELDS 1 b");
  await client.run("SET copy string");
  await client.run("FLUSHALL");
});

Deno.test("relative times are logged as absolute ones, and past times as a deletion", () =>
  withServer(async (client, { server }) => {
    const logged = recordEffects(server.engine);
    for (
      const line of [
        "HSETEX h EX 100 FIELDS 2 a 1 b 2",
        "HSETEX h FXX PX 100 FIELDS 1 a 1",
        "HSETEX h FNX FIELDS 1 a 1",
        "HSETEX h KEEPTTL FIELDS 1 a 2",
        "HEXPIRE h 7 NX FIELDS 2 a b",
        "HEXPIRE h 7 LT FIELDS 2 a b",
        "HGETEX h EXAT 4000000000 FIELDS 1 a",
        "HGETEX h FIELDS 1 a",
        "HGETEX h PERSIST FIELDS 2 a none",
        "HGETEX h PERSIST FIELDS 1 a",
        "HPERSIST h FIELDS 1 b",
        "HPERSIST h FIELDS 1 b",
        "HEXPIREAT h 1 XX FIELDS 2 a b",
        "HEXPIREAT h 1 FIELDS 2 a none",
        "HGETDEL h FIELDS 2 none none2",
        "HGETDEL h FIELDS 1 b",
        "HSETEX h PXAT 1 FIELDS 2 a 1 b 1",
      ]
    ) await client.run(line);
    const at = (ms: number) => TEST_START_MS + ms;
    assertEquals(logged, [
      `0: HSETEX h PXAT ${at(100_000)} FIELDS 2 a 1 b 2`,
      `0: HSETEX h PXAT ${at(100)} FIELDS 1 a 1`,
      "0: HSETEX h KEEPTTL FIELDS 1 a 2",
      `0: HPEXPIREAT h ${at(7000)} FIELDS 1 b`,
      "0: HPEXPIREAT h 4000000000000 FIELDS 1 a",
      "0: HPERSIST h FIELDS 1 a",
      "0: HPERSIST h FIELDS 1 b",
      "0: HDEL h a",
      "0: HDEL h b",
      "0: HDEL h a b",
    ]);
  }));

Deno.test("the keys of fields with deadlines are announced with the events of Redis", () =>
  withServer(async (client, { server }) => {
    const events = recordEvents(server.engine);
    for (
      const line of [
        "HSETEX h EX 100 FIELDS 2 a 1 b 2",
        "HSETEX h FIELDS 2 a 1 b 2",
        "HEXPIRE h 100 FIELDS 2 a b",
        "HEXPIRE h 100 NX FIELDS 2 a b",
        "HPERSIST h FIELDS 2 a b",
        "HPERSIST h FIELDS 2 a b",
        "HGETEX h EX 100 FIELDS 2 a b",
        "HGETEX h PERSIST FIELDS 2 a b",
        "HGETEX h PXAT 1 FIELDS 1 a",
        "HGETDEL h FIELDS 2 b none",
        "HSETEX h EXAT 1 FIELDS 1 a 1",
        "HSET h a 1",
        "HEXPIRE h 0 FIELDS 1 a",
      ]
    ) await client.run(line);
    assertEquals(events.map((line) => line.slice(3, -2)), [
      ...["h hset", "h hexpire", "h hset", "h hexpire", "h hpersist", "h hexpire", "h hpersist", "h hdel"],
      ...["h hdel", "g del", "h hset", "h hdel", "g del", "h hset", "h hdel", "g del"],
    ]);
  }));

differential("COMMAND tells of field deadlines what Redis tells", async (pair) => {
  for (const { name } of hashExpiryCommands) await pair.same("COMMAND", "INFO", name);
});

differential("every error and every missing field is answered as Redis answers it", async (pair) => {
  for (const { name } of hashExpiryCommands) await pair.same(name);
  const fieldParts = [
    ..."FIELDS 1 a|FIELDS 2 a b|FIELDS 2 a a|FIELDS 1 none|FIELDS 2 a|FIELDS 1 a b|FIELDS 0 a|FIELDS x a".split("|"),
    ..."FIELDS -1 a|FIELDS 99999999999999999999 a|FIELDS 3000000000 a|BAD 1 a|fields 1 a|FIELDS 1 a FIELDS 1 b".split(
      "|",
    ),
    ..."FIELDS 1 a EX 10|FIELDS 1 a NX|XX FIELDS 1 a NX|FIELDS 3|FIELDS|1 a b|a b c|FIELDS 2 fields fields".split("|"),
  ];
  const times = "4000000000|0|-1|x|70368744177|70368744178|70368744177663|70368744177664|9223372036854775807|1.5".split(
    "|",
  );
  for (const key of ["none", "s", "h"]) {
    const renew = async () => {
      await pair.same("DEL", "none", "s", "h");
      await pair.same("SET", "s", "string");
      await pair.same("HSET", "h", "a", "1", "b", "2", "c", "3", "d", "4");
      await pair.same("HPEXPIREAT", "h", "3000000000000", "FIELDS", "2", "b", "c");
    };
    await renew();
    for (const fields of fieldParts) {
      for (const command of ["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST", "HGETDEL", "HGETEX"]) {
        // The time left depends on the clock.
        if (/TTL/.test(command) && fields.includes("b")) continue;
        await pair.sameLines(`${command} ${key} ${fields}`);
      }
      await renew();
      for (const condition of ["", "NX ", "XX ", "GT ", "LT ", "NX XX ", "NX NX ", "BAD "]) {
        await pair.sameLines(`
          HEXPIREAT ${key} 3500000000 ${condition}${fields}
          HPEXPIRETIME ${key} FIELDS 3 a b c
          HPEXPIREAT ${key} 1 ${condition}${fields}
          OBJECT ENCODING ${key}
        `);
        await renew();
      }
    }
    for (const time of times) {
      for (const unit of ["EX", "PX", "EXAT", "PXAT"]) {
        await pair.sameLines(`
          HGETEX ${key} ${unit} ${time} FIELDS 1 a
          HGETEX ${key} ${unit} ${time} BAD 1 a
          HSETEX ${key} ${unit} ${time} FIELDS 1 a 1
          HSETEX ${key} ${unit} ${time} BAD 1 a 1
          OBJECT ENCODING ${key}
        `);
        await renew();
      }
      for (const command of ["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"]) {
        await pair.sameLines(`
          ${command} ${key} ${time} FIELDS 1 a
          ${command} ${key} ${time} BAD FIELDS 1 a
          ${command} ${key} ${time} NX FIELDS x b
        `);
        await renew();
      }
    }
    const options =
      "|FNX|FXX|PXAT 4000000000000|EXAT 4000000000|KEEPTTL|PERSIST|FNX FXX|FXX EXAT 4000000000|EXAT 4000000000 FNX|" +
      "EXAT 4000000000 KEEPTTL|KEEPTTL EX 5|KEEPTTL KEEPTTL|EX 5 PX 5|FNX FNX|BAD|FNX KEEPTTL|EX|EX x|PXAT 1 FNX|PERSIST PERSIST|" +
      "EX 5 PERSIST|PERSIST EX 5";
    for (const option of options.split("|")) {
      for (const command of ["HSETEX", "HGETEX"]) {
        const tails = command === "HGETEX"
          ? ["FIELDS 1 a", "FIELDS 2 a none", "FIELDS 1", "FIELDS 2 b", "FIELDS 1 b", "FIELDS 1 a PXAT 4000000000000"]
          : [
            "FIELDS 1 a 5",
            "FIELDS 2 b 1 none 2",
            "FIELDS 1 none 5",
            "FIELDS 1 a",
            "FIELDS 1 a 1 b",
            "FIELDS 1 a 1 EXAT 4000000000",
            "FIELDS 1 a 1 FXX",
            "FIELDS 1 a 1 FIELDS 1 b 2",
            "FIELDS 2 a 1 a 2",
            "FIELDS x a 1",
          ];
        for (const tail of tails) {
          const words = [command, key, ...`${option} ${tail}`.trim().split(" ")];
          await pair.same(...words);
          await pair.sameLines(`
            HPEXPIRETIME ${key} FIELDS 5 a b c d none
            HMGET ${key} a b c d none
            OBJECT ENCODING ${key}
          `);
          await renew();
        }
      }
    }
  }
});

Deno.test("HGETEX with a time and no fields is an error", () =>
  withServer(async (client) => {
    await client.run("HSET h a 1");
    assertEquals(await client.run("HGETEX h EX 10 FIELDS"), "-ERR wrong number of arguments for 'hgetex' command\r\n");
  }));

function randomCommand(random: SeededRandom): Argument[] {
  const key = () => pick(random, ["a", "a", "b"]);
  const fields = () => Array.from({ length: 1 + random.below(3) }, () => `f${random.below(14)}`);
  // Far ahead or long past, because the clocks of the two servers differ.
  const at = () => random.below(8) === 0 ? 1 + random.below(1000) : 3_000_000_000_000 + random.below(12) * 1000;
  const listed = () => {
    const names = fields();
    return ["FIELDS", names.length, ...names];
  };
  const paired = () => {
    // Distinct: Redis 8.6.3 can crash when HSETEX names a field twice.
    const names = [...new Set(fields())];
    return ["FIELDS", names.length, ...names.flatMap((name) => [name, random.below(1000)])];
  };
  const expiry = () => random.below(3) === 0 ? ["EXAT", Math.ceil(at() / 1000)] : ["PXAT", at()];
  switch (random.below(16)) {
    case 0:
    case 1:
      return ["HSET", key(), ...fields().flatMap((name) => [name, random.below(1000)])];
    case 2:
    case 3:
    case 4:
    case 5: {
      const condition = pick(random, [[], [], ["NX"], ["XX"], ["GT"], ["LT"]]);
      if (random.below(2) === 0) return ["HEXPIREAT", key(), Math.ceil(at() / 1000), ...condition, ...listed()];
      return ["HPEXPIREAT", key(), at(), ...condition, ...listed()];
    }
    case 6:
      return ["HPERSIST", key(), ...listed()];
    case 7:
      return ["HGETDEL", key(), ...listed()];
    case 8:
    case 9:
      return ["HGETEX", key(), ...pick(random, [[], ["PERSIST"], expiry()]), ...listed()];
    case 10:
    case 11:
    case 12:
      return [
        "HSETEX",
        key(),
        ...pick(random, [[], ["FNX"], ["FXX"]]),
        ...pick(random, [[], ["KEEPTTL"], expiry()]),
        ...paired(),
      ];
    case 13:
      return ["HDEL", key(), ...fields()];
    case 14:
      return pick(random, [["COPY", "a", "b", "REPLACE"], ["RENAME", "b", "a"], ["HINCRBY", key(), "f1", 5]]);
    default:
      return [pick(random, ["HEXPIRETIME", "HPEXPIRETIME"]), key(), ...listed()];
  }
}

/** Compares both hashes completely: in order while they are packed. */
async function sameHashes(pair: Pair): Promise<void> {
  for (const key of ["a", "b"]) {
    const encoding = await pair.same("OBJECT", "ENCODING", key);
    await pair.same("HLEN", key);
    await pair.same("DEBUG", "DIGEST-VALUE", key);
    await pair.same("HPEXPIRETIME", key, "FIELDS", 14, ...Array.from({ length: 14 }, (_, i) => `f${i}`));
    if (encoding.includes("listpack")) await pair.same("HGETALL", key);
  }
}

differential("random deadlines of fields end as they end in Redis", async (pair, { server }) => {
  const { store } = server.engine;
  await property(6, async (random) => {
    await pair.same("FLUSHALL");
    await pair.same("CONFIG", "SET", "hash-max-listpack-entries", pick(random, [4, 8, 512]));
    for (let i = 0; i < 500; i++) {
      await pair.same(...randomCommand(random));
      if (i % 20 === 0) await sameHashes(pair);
      if (i % 100 === 0) store.check();
    }
    await sameHashes(pair);
  });
});
