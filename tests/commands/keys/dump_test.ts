/**
 * DUMP and RESTORE, on MemDB alone and compared with Redis: each server restores the other's payloads, and without
 * compression both payloads are equal byte for byte.
 */
import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../../src/core/bytes.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import type { Argument, TestClient } from "../../helpers/client.ts";
import { decode } from "../../helpers/decode.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { bodyOf, bulkBytes, payloadOf } from "../../helpers/payload.ts";
import { oneIn, pick, property, randomBytes } from "../../helpers/property.ts";
import { differential, type Pair } from "../../helpers/redis.ts";
import { TEST_START_MS, withServer } from "../../helpers/server.ts";

const INTEGERS = [0, 63, 127, 128, -1, -128, -129, 4095, 4096, -4096, -4097, 32767, -32768, 32768, 8388607, 8388608];
const MORE_INTEGERS = ["2147483647", "2147483648", "-2147483649", "9007199254740993", "9223372036854775807"];
const TEXTS = ["", "a", "007", "-0", "1.5", "9223372036854775808", "x".repeat(63), "y".repeat(64), "ab".repeat(3000)];

function element(random: SeededRandom): string {
  if (oneIn(random, 3)) return pick(random, [...INTEGERS, ...MORE_INTEGERS].map(String));
  if (oneIn(random, 3)) return pick(random, TEXTS);
  return latin1(randomBytes(random, random.below(oneIn(random, 20) ? 20_000 : 40)));
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

const COUNTS = [1, 2, 5, 60, 600];

/** Commands that create a key with a random value. */
const MAKERS: Record<string, (key: string, random: SeededRandom) => Argument[]> = {
  string: (key, random) => ["SET", key, bytesOf(element(random))],
  list: (key, random) => [
    "RPUSH",
    key,
    ...Array.from({ length: pick(random, COUNTS) }, () => bytesOf(element(random))),
  ],
  zset: (key, random) => [
    "ZADD",
    key,
    ...Array.from(
      { length: pick(random, COUNTS) },
      () => [pick(random, ["0", "-1", "1.5", "1e300", "inf", "-inf", "0.1", "100000"]), bytesOf(element(random))],
    ).flat(),
  ],
  set: (key, random) => ["SADD", key, ...members(random, oneIn(random, 2))],
  hash: (key, random) => ["HSET", key, ...members(random, false).flatMap((field) => [field, bytesOf(element(random))])],
};

/** Commands that return a whole value in a fixed order. */
const READERS: Record<string, Argument[]> = {
  string: ["GET"],
  list: ["LRANGE", "0", "-1"],
  zset: ["ZRANGE", "0", "-1", "WITHSCORES"],
};

const SHORT = ["a", "7", "-12", "70000", "x".repeat(64), "0x1"];

/** Creates a set or hash in each of its encodings more often than random commands would. */
function members(random: SeededRandom, integers: boolean): Uint8Array[] {
  const large = oneIn(random, 4);
  return Array.from({ length: pick(random, COUNTS) }, () => {
    if (integers) {
      return bytesOf(pick(random, [`${random.below(1000)}`, "-70000", "5000000000", "-9223372036854775808"]));
    }
    return bytesOf(large ? element(random) : `${pick(random, SHORT)}${random.below(500)}`);
  });
}

/** Compares sets and hashes, whose order is arbitrary. */
async function sameElements(pair: Pair, kind: string): Promise<void> {
  const read = (client: TestClient, key: string) =>
    client.command(kind === "set" ? "SMEMBERS" : "HGETALL", key).then((reply) =>
      sorted(decode(reply) as string[], kind)
    );
  const [ours, theirs] = await Promise.all([read(pair.memdb, "there"), read(pair.redis, "here")]);
  assertEquals(ours, theirs);
}

function sorted(items: string[], kind: string): string[] {
  if (kind === "set") return items.sort();
  return items.flatMap((field, i) => i % 2 === 0 ? [`${field} ${items[i + 1]}`] : []).sort();
}

async function exchange(pair: Pair, kind: string, random: SeededRandom): Promise<void> {
  await pair.same("DEL", "here", "there");
  await pair.same(...MAKERS[kind]("here", random));
  const ours = bulkBytes(await pair.memdb.command("DUMP", "here"));
  const theirs = bulkBytes(await pair.redis.command("DUMP", "here"));
  assertEquals(await pair.redis.command("RESTORE", "there", "0", ours), "+OK\r\n");
  assertEquals(await pair.memdb.command("RESTORE", "there", "0", theirs), "+OK\r\n");
  if (kind in READERS) {
    const [reader, ...rest] = READERS[kind];
    assertEquals(await pair.same(reader, "there", ...rest), await pair.same(reader, "here", ...rest));
  } else {
    const digest = await pair.redis.command("DEBUG", "DIGEST-VALUE", "here", "there");
    assertEquals(...digest.split("\r\n").slice(1, 3) as [string, string]);
    await sameElements(pair, kind);
  }
  await pair.same("OBJECT", "ENCODING", "there");
}

for (const kind of Object.keys(MAKERS)) {
  differential(`a ${kind} goes from each server to the other`, async (pair) => {
    await property(25, (random) => exchange(pair, kind, random));
    if (kind === "set" || kind === "hash") return;
    await pair.same("CONFIG", "SET", "rdbcompression", "no");
    await property(15, async (random) => {
      await exchange(pair, kind, random);
      const ours = bodyOf(bulkBytes(await pair.memdb.command("DUMP", "here")));
      const theirs = bodyOf(bulkBytes(await pair.redis.command("DUMP", "here")));
      assertEquals(latin1(ours), latin1(theirs));
    });
  });
}

differential("deadlines of fields go from each server to the other", async (pair) => {
  const later = String(Date.now() + 1e9), evenLater = String(Date.now() + 2e9);
  for (const count of [3, 600]) {
    for (let i = 0; i < count; i++) await pair.same("HSET", "here", `field${i}`, `${i}`);
    await pair.same("HPEXPIREAT", "here", later, "FIELDS", "1", "field1");
    await pair.same("HPEXPIREAT", "here", evenLater, "FIELDS", "1", "field0");
    const ours = bulkBytes(await pair.memdb.command("DUMP", "here"));
    const theirs = bulkBytes(await pair.redis.command("DUMP", "here"));
    assertEquals(await pair.redis.command("RESTORE", "there", "0", ours, "REPLACE"), "+OK\r\n");
    assertEquals(await pair.memdb.command("RESTORE", "there", "0", theirs, "REPLACE"), "+OK\r\n");
    await pair.same("HPEXPIRETIME", "there", "FIELDS", "3", "field0", "field1", "field2");
    await pair.same("HLEN", "there");
    await pair.same("OBJECT", "ENCODING", "there");
    await sameElements(pair, "hash");
  }
});

differential("RESTORE refuses what Redis refuses, in the same order", async (pair) => {
  await pair.same("SET", "taken", "value");
  const payload = payloadOf([0, 1, 97]);
  const lines: Argument[][] = [
    ["DUMP", "missing"],
    ["DUMP"],
    ["RESTORE", "k", "0"],
    ["RESTORE", "taken", "0", "x"],
    ["RESTORE", "taken", "-1", "x"],
    ["RESTORE", "taken", "0", "x", "REPLACE"],
    ["RESTORE", "k", "0", ""],
    ["RESTORE", "k", "-1", "x"],
    ["RESTORE", "k", "word", "x"],
    ["RESTORE", "k", "0", "x", "WORD"],
    ["RESTORE", "k", "0", "x", "IDLETIME"],
    ["RESTORE", "k", "0", "x", "IDLETIME", "-1"],
    ["RESTORE", "k", "0", "x", "IDLETIME", "word"],
    ["RESTORE", "k", "0", "x", "FREQ", "256"],
    ["RESTORE", "k", "0", "x", "FREQ", "-1"],
    ["RESTORE", "k", "0", "x", "IDLETIME", "1", "FREQ", "1"],
    ["RESTORE", "k", "0", "x", "FREQ", "1", "IDLETIME", "1"],
    ["RESTORE", "k", "0", payloadOf([0, 1, 97], 14)],
    ["RESTORE", "k", "0", payloadOf([99, 2, 97])],
    ["RESTORE", "k", "0", payloadOf([1, 0])],
    ["RESTORE", "k", "0", payloadOf([2, 2, 1, 97, 1, 97])],
    ["RESTORE", "k", "0", payloadOf([5, 1, 1, 97, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f])],
    ["RESTORE", "k", "0", payloadOf([3, 1, 1, 97, 253])],
    ["RESTORE", "k", "0", payloadOf([])],
    ["RESTORE", "k", "0", payload.map((byte, i) => i === 5 ? byte ^ 1 : byte)],
    ["EXISTS", "k"],
    ["RESTORE", "k", "0", payload],
    ["GET", "k"],
    ["RESTORE", "k", "1000", payload],
    ["RESTORE", "k", "100000000", payload, "replace", "idletime", "1000"],
    ["OBJECT", "IDLETIME", "k"],
    ["RESTORE", "k", "1", payload, "REPLACE", "ABSTTL"],
    ["EXISTS", "k"],
    ["RESTORE", "k", "1", payload, "REPLACE", "ABSTTL"],
    ["RESTORE", "k", "0", payloadOf([0, 1, 98, 7, 7, 7])],
    ["GET", "k"],
    ["RESTORE", "zeros", "0", Uint8Array.of(0, 1, 97, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0)],
    ["GET", "zeros"],
  ];
  for (const line of lines) await pair.same(...line);
});

Deno.test("RESTORE logs the deadline, and a deletion where the value has expired", () =>
  withServer(async (client, { server }) => {
    const logged = recordEffects(server.engine);
    const events = recordEvents(server.engine);
    const payload = payloadOf([0, 1, 97]), text = latin1(payload);
    await client.command("RESTORE", "k", "1000", payload);
    assertEquals(await client.command("PTTL", "k"), ":1000\r\n");
    await client.command("RESTORE", "k", "1000", payload, "REPLACE", "FREQ", "9");
    await client.command("RESTORE", "k", "0", payload, "REPLACE");
    await client.command("RESTORE", "k", String(TEST_START_MS - 1), payload, "ABSTTL", "REPLACE");
    await client.command("RESTORE", "k", String(TEST_START_MS - 1), payload, "ABSTTL");
    assertEquals(logged, [
      `0: RESTORE k ${TEST_START_MS + 1000} ${text} ABSTTL`,
      `0: RESTORE k ${TEST_START_MS + 1000} ${text} ABSTTL REPLACE FREQ 9`,
      `0: RESTORE k 0 ${text} REPLACE`,
      `0: DEL k`,
    ]);
    assertEquals(events, ["0: g restore k", "0: g restore k", "0: g restore k", "0: g del k"]);
    assertEquals(await client.command("EXISTS", "k"), ":0\r\n");
    for (const deadline of ["9007199254740993", "9223372036854775807"]) {
      await client.command("RESTORE", "k", deadline, payload, "ABSTTL", "REPLACE");
      assertEquals(await client.command("PEXPIRETIME", "k"), `:${deadline}\r\n`);
    }
    // As in Redis the sum of the time and now overflows to a time in the past.
    assertEquals(await client.command("RESTORE", "k", "9223372036854775807", payload, "REPLACE"), "+OK\r\n");
    assertEquals(await client.command("EXISTS", "k"), ":0\r\n");
  }));

Deno.test("payloads of damaged values are refused, and leave nothing behind", () =>
  withServer(async (client, { server }) => {
    await client.command("RPUSH", "list", "one", "2", "three".repeat(30));
    await client.command("ZADD", "zset", "1", "one", "2", "two", "inf", "3");
    await client.command("SET", "string", "long".repeat(100));
    const { arena } = server.engine.store;
    for (const key of ["list", "zset", "string"]) {
      const body = [...bodyOf(bulkBytes(await client.command("DUMP", key)))];
      for (let i = 0; i < body.length; i++) {
        const cut = await client.command("RESTORE", "k", "0", payloadOf(body.slice(0, i)));
        if (cut !== "+OK\r\n") assertEquals(cut, "-ERR Bad data format\r\n");
        for (const bit of [1, 128]) {
          const used = arena.usedBytes;
          const changed = body.map((byte, k) => k === i ? byte ^ bit : byte);
          const reply = await client.command("RESTORE", "other", "0", payloadOf(changed));
          if (reply !== "+OK\r\n") assertEquals(reply, "-ERR Bad data format\r\n");
          if (reply !== "+OK\r\n") assert(arena.usedBytes <= used, "memory was lost");
          await client.command("DEL", "other");
        }
        await client.command("DEL", "k");
      }
    }
  }));

Deno.test("RESTORE with a deadline in the past keeps nothing, and counts an expired key", () =>
  withServer(async (client, { server: { engine } }) => {
    await client.run("SET k v");
    const payload = bulkBytes(await client.command("DUMP", "k"));
    assertEquals(await client.command("RESTORE", "k", 1, payload, "ABSTTL", "REPLACE"), "+OK\r\n");
    assertEquals(await client.command("RESTORE", "new", 1, payload, "ABSTTL"), "+OK\r\n");
    assertEquals(await client.run("EXISTS k new"), ":0\r\n");
    assertEquals(engine.store.expired, 2);
  }));

Deno.test("a payload with zeros for its checksum is read, and refused if it is damaged", () =>
  withServer(async (client) => {
    const zeros = [0, 0, 0, 0, 0, 0, 0, 0];
    const damaged = Uint8Array.of(0, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf7, 12, 0, ...zeros);
    assertEquals(await client.command("RESTORE", "k", 0, damaged), "-ERR Bad data format\r\n");
    assertEquals(await client.command("RESTORE", "k", 0, Uint8Array.of(0, 1, 120, 12, 0, ...zeros)), "+OK\r\n");
    assertEquals(await client.run("GET k"), "$1\r\nx\r\n");
  }));
