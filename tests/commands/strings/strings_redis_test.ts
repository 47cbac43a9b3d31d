/** The string commands compared with Redis: random ones, with arguments that provoke every error. */
import { assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../../src/core/bytes.ts";
import { xxh3Digest } from "../../../src/core/xxh3_64.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import type { Argument, TestClient } from "../../helpers/client.ts";
import { oneIn, pick, property, randomBytes } from "../../helpers/property.ts";
import { differential } from "../../helpers/redis.ts";

const KEYS = ["a", "b", "c", "{long}".repeat(30), "", "list"];
const INTEGERS = ["0", "1", "-1", "7", "99", "-100", "999999999999999", "1000000000000000", "-9007199254740993"];
const EDGES = ["9223372036854775807", "-9223372036854775808", "9223372036854775806", "9223372036854775808"];
const NO_INTEGERS = ["", "abc", "1.5", " 1", "1 ", "+1", "01", "-0", "0x10", "1e3", "-", "99999999999999999999"];
const FLOATS = ["0.1", "-2.5", "3.0e3", "1e-5", "1e17", ".5", "-0", "0x1p-3", "1e40", "123456789.123456789"];
const NO_FLOATS = ["nan", "inf", "-inf", "1e5000", "1e-5000", "", "1,5", "0x", "1e", "5 "];
/** Far ahead of both servers' clocks, long past, or invalid. */
const TIMES = ["EXAT 4102444800", "PXAT 4102444800123", "EX 5000", "PX 5000000"];
const OTHER_TIMES = [
  "EXAT 1",
  "PXAT 5",
  "EX 0",
  "PX -7",
  "EX x",
  "EX 9223372036854775807",
  "PX 9223372036854775807",
  "EX",
];
const SECONDS = ["5000", "5000", "0", "-5", "abc", "9223372036854775", "9223372036854775807"];
const OPTIONS = ["NX", "XX", "GET", "KEEPTTL", "nx", "Get", "PERSIST", "nothing"];

function integer(random: SeededRandom): string {
  if (oneIn(random, 12)) return pick(random, NO_INTEGERS);
  return oneIn(random, 8) ? pick(random, EDGES) : pick(random, INTEGERS);
}

function value(random: SeededRandom): Argument {
  const make = pick(random, [
    () => pick(random, INTEGERS),
    () => integer(random),
    () => pick(random, FLOATS),
    () => randomBytes(random, random.below(12)),
    () => "abcdefgh".repeat(random.below(8)),
    () => "x".repeat(pick(random, [43, 44, 45, 500, 70_000])),
  ]);
  return make();
}

function time(random: SeededRandom): string[] {
  return (oneIn(random, 4) ? pick(random, OTHER_TIMES) : pick(random, TIMES)).split(" ");
}

function offset(random: SeededRandom): string {
  return oneIn(random, 10) ? pick(random, [...EDGES, ...NO_INTEGERS]) : String(random.below(60) - 30);
}

function lcsOptions(random: SeededRandom): string[] {
  const options: string[] = [];
  while (oneIn(random, 2)) {
    options.push(
      ...pick(random, [["LEN"], ["IDX"], ["idx"], ["WITHMATCHLEN"], ["MINMATCHLEN", offset(random)], ["x"]]),
    );
  }
  return options;
}

function setOptions(random: SeededRandom): string[] {
  const options: string[] = [];
  while (oneIn(random, 2)) options.push(...(oneIn(random, 2) ? time(random) : [pick(random, OPTIONS)]));
  return options;
}

/** A condition on the old value, sometimes met. SET with GET and a bad digest has two replies in Redis. */
function condition(random: SeededRandom, badDigests: boolean): Argument[] {
  const sought = value(random);
  if (oneIn(random, 2)) return [pick(random, ["IFEQ", "IFNE", "ifne"]), sought];
  const bytes = sought instanceof Uint8Array ? sought : fromLatin1(String(sought));
  const digest = latin1(xxh3Digest(new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length));
  const given = pick(random, [digest, digest.toUpperCase(), "0123456789ABCDEF", badDigests ? "abc" : digest]);
  return [pick(random, ["IFDEQ", "IFDNE", "ifdeq"]), given];
}

function withCondition(random: SeededRandom): Argument[] {
  const options = setOptions(random), hasGet = options.some((word) => /^get$/i.test(word));
  const at = oneIn(random, 2) ? options.length : 0;
  return options.toSpliced(at, 0, ...condition(random, !hasGet) as string[]);
}

function command(random: SeededRandom): Argument[] {
  const key = pick(random, KEYS), other = pick(random, KEYS);
  const pairs = () => Array.from({ length: 1 + random.below(3) }, () => [pick(random, KEYS), value(random)]).flat();
  return pick<() => Argument[]>(random, [
    () => ["GET", key],
    () => ["SET", key, value(random)],
    () => ["SET", key, value(random), ...setOptions(random)],
    () => ["SET", key, value(random), ...setOptions(random)],
    () => ["SET", key, value(random), ...withCondition(random)],
    () => ["SET", key, value(random), ...withCondition(random)],
    () => ["DELEX", key, ...condition(random, true)],
    () => ["DELEX", key, ...oneIn(random, 3) ? [] : setOptions(random)],
    () => ["DIGEST", key],
    () => ["DIGEST", key],
    () => ["MSETEX", pairs().length / 2, ...pairs(), ...setOptions(random)],
    () => msetex(pairs(), oneIn(random, 2) ? time(random) : [pick(random, OPTIONS)]),
    () => msetex(pairs(), setOptions(random)),
    () => ["GETSET", key, value(random)],
    () => ["GETDEL", key],
    () => ["GETEX", key],
    () => ["GETEX", key, ...time(random)],
    () => ["GETEX", key, pick(random, OPTIONS)],
    () => ["SETNX", key, value(random)],
    () => ["SETEX", key, pick(random, SECONDS), value(random)],
    () => ["PSETEX", key, "50000000", value(random)],
    () => ["MGET", key, other, "missing"],
    () => ["MSET", ...pairs()],
    () => ["MSETNX", ...pairs()],
    () => ["MSETNX", "fresh", 1, key, value(random)],
    () => ["MSET", key, 1, other],
    () => ["INCR", key],
    () => ["DECR", key],
    () => ["INCRBY", key, integer(random)],
    () => ["DECRBY", key, integer(random)],
    () => ["INCRBYFLOAT", key, pick(random, oneIn(random, 6) ? NO_FLOATS : FLOATS)],
    () => ["APPEND", key, value(random)],
    () => ["STRLEN", key],
    () => ["GETRANGE", key, offset(random), offset(random)],
    () => ["SUBSTR", key, offset(random), offset(random)],
    () => ["SETRANGE", key, offset(random), value(random)],
    () => ["LCS", pick(random, ["a", "b", key]), pick(random, ["a", "c"]), ...lcsOptions(random)],
    () => [pick(random, ["SET", "GET", "SETEX", "GETEX", "LCS", "MSET", "INCR", "APPEND"]), ...pairs().slice(0, 1)],
    () => ["DEL", key, "fresh"],
  ])();
}

function msetex(pairs: readonly Argument[], options: readonly string[]): Argument[] {
  return ["MSETEX", pairs.length / 2, ...pairs, ...options];
}

/** Whether a key has a deadline; the time left depends on each server's clock. */
async function ttlKind(client: TestClient, key: Argument): Promise<string> {
  const reply = await client.command("TTL", key);
  return reply.startsWith(":-") ? reply : "some";
}

for (const protocol of [2, 3]) {
  differential(`random string commands do what they do in Redis, in RESP${protocol}`, async (pair) => {
    await pair.memdb.command("HELLO", protocol);
    await pair.redis.command("HELLO", protocol);
    await property(1, async (random) => {
      await pair.same("FLUSHALL");
      for (let i = 0; i < 1000; i++) {
        if (i % 50 === 0) {
          await pair.same("DEL", "list");
          await pair.same("RPUSH", "list", 1);
        }
        const args = command(random);
        await pair.same(...args);
        const key = args[1] ?? "";
        await pair.same("OBJECT", "ENCODING", key);
        assertEquals(await ttlKind(pair.memdb, key), await ttlKind(pair.redis, key), String(args));
        if (i % 10 === 9) await pair.same("MGET", ...KEYS);
      }
    });
  });
}

differential("random sums of long doubles have the digits they have in Redis", async (pair) => {
  await property(1, async (random) => {
    const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join("");
    for (let i = 0; i < 400; i++) {
      if (oneIn(random, 10)) await pair.same("DEL", "f");
      const sign = pick(random, ["", "-"]);
      const number = pick(random, [
        () => digits(1 + random.below(25)),
        () => `${digits(1 + random.below(22))}.${digits(random.below(22))}`,
        () => `${digits(1 + random.below(4))}e${random.below(60) - 30}`,
        () => `0x${digits(1 + random.below(20))}p${random.below(100) - 50}`,
      ])();
      await pair.same("INCRBYFLOAT", "f", sign + number);
    }
  });
});

differential("absolute expire times are kept to the millisecond", async (pair) => {
  await pair.sameLines(`
    SET k v EXAT 4102444800
    PEXPIRETIME k
    SET k v PXAT 4102444800123
    PEXPIRETIME k
    SET k v KEEPTTL
    PEXPIRETIME k
    INCRBYFLOAT f 1
    GETEX f EXAT 4102444801
    INCRBYFLOAT f 1.5
    APPEND f 1
    SETRANGE f 9 1
    PEXPIRETIME f
    GETEX f PXAT 4102444800999
    PEXPIRETIME f
    EXPIRETIME f
  `);
});

differential("strings tell their encoding as in Redis", async (pair) => {
  const values = ["", "12", "-0", "abc", EDGES[0], EDGES[3], "x".repeat(44), "x".repeat(45), "x".repeat(70_000)];
  const changes: Argument[][] = [["APPEND", "k", ""], ["APPEND", "k", "1"], ["SETRANGE", "k", 0, ""]];
  changes.push(["SETRANGE", "k", 0, "1"], ["INCRBY", "k", 1], ["INCRBYFLOAT", "k", 1], ["INCRBYFLOAT", "k", "1e50"]);
  changes.push(["GETSET", "k", "1"], ["GETEX", "k", "EX", 100], ["SET", "k", "2", "KEEPTTL"], ["COPY", "k", "k2"]);
  for (const value of values) {
    for (const first of changes) {
      for (const second of changes) {
        await pair.same("DEL", "k", "k2");
        await pair.same("SET", "k", value);
        for (const change of [[], first, second]) {
          if (change.length > 0) await pair.same(...change);
          await pair.same("OBJECT", "ENCODING", "k");
        }
        await pair.same("OBJECT", "ENCODING", "k2");
      }
    }
  }
});
