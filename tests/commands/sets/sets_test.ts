/** The set commands over the wire: on MemDB alone, and compared with Redis. */
import { assert, assertEquals } from "@std/assert";
import { setAlgebraCommands } from "../../../src/commands/sets/algebra.ts";
import { setCommands } from "../../../src/commands/sets/sets.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import type { Argument, TestClient } from "../../helpers/client.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";
import { differential, type Pair } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

const REDIS_COMMANDS = [...setCommands, ...setAlgebraCommands].filter(({ byDocumentation }) => !byDocumentation);

/** The bulk strings of a flat reply. */
function bulks(reply: string): string[] {
  return reply.split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
}

/** A reply with its members sorted, header included. */
function ordered(reply: string): string {
  const [header, ...members] = reply.split(/(?=\$\d+\r\n)/);
  return [header, ...members.sort()].join("");
}

/** Sends one command to both servers and compares the replies except for the order of members. */
async function sameMembers(pair: Pair, ...args: Argument[]): Promise<void> {
  const [actual, expected] = await Promise.all([pair.memdb.command(...args), pair.redis.command(...args)]);
  assertEquals(ordered(actual), ordered(expected), args.join(" ").slice(0, 200));
}

/** Compares keys: encoding, length and members. */
async function sameSets(pair: Pair, ...keys: string[]): Promise<void> {
  for (const key of keys) {
    await pair.same("OBJECT", "ENCODING", key);
    await pair.same("SCARD", key);
    await sameMembers(pair, "SMEMBERS", key);
  }
}

async function addMany(client: TestClient, key: string, members: readonly string[]): Promise<void> {
  for (let i = 0; i < members.length; i += 1000) await client.command("SADD", key, ...members.slice(i, i + 1000));
}

const numbered = (count: number, prefix = "m") => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

Deno.test("members are there once, and integers come in order", () =>
  withServer(async (client) => {
    assertEquals(await client.run("SADD s 30 -7 30 200000"), ":3\r\n");
    assertEquals(await client.run("SMEMBERS s"), "*3\r\n$2\r\n-7\r\n$2\r\n30\r\n$6\r\n200000\r\n");
    assertEquals(await client.run("SADD s 30"), ":0\r\n");
    assertEquals(await client.run("SMISMEMBER s 30 31"), "*2\r\n:1\r\n:0\r\n");
    assertEquals(await client.run("SREM s 30 31 -7"), ":2\r\n");
    assertEquals(await client.run("SREM s 200000"), ":1\r\n");
    assertEquals(await client.run("EXISTS s"), ":0\r\n");
  }));

Deno.test("random choices are logged as their results", () =>
  withServer(async (client, { server }) => {
    const logged = recordEffects(server.engine);
    await client.run("SADD s a b c d e");
    const [one] = bulks(`*1\r\n${await client.run("SPOP s")}`);
    const two = bulks(await client.run("SPOP s 2"));
    await client.run("SPOP s 0");
    await client.run("SPOP s 9");
    await client.run("SADD s last");
    await client.run("SPOP s");
    await client.run("SRANDMEMBER s");
    assertEquals(logged, [
      "0: SADD s a b c d e",
      `0: SREM s ${one}`,
      `0: SREM s ${two.join(" ")}`,
      "0: DEL s",
      "0: SADD s last",
      "0: SREM s last",
    ]);
  }));

Deno.test("a large SPOP is logged in pieces that make one unit", () =>
  withServer(async (client, { server }) => {
    await addMany(client, "s", numbered(3000));
    const logged = recordEffects(server.engine);
    const popped = bulks(await client.run("SPOP s 2500"));
    assertEquals(new Set(popped).size, 2500);
    const removals = logged.filter((line) => line.startsWith("0: SREM s "));
    assertEquals(removals.map((line) => line.split(" ").length - 3), [1024, 1024, 452]);
    assertEquals(removals.flatMap((line) => line.split(" ").slice(3)), popped);
    assertEquals(await client.run("SCARD s"), ":500\r\n");
  }));

Deno.test("commands without a change are not logged, and others are logged as received", () =>
  withServer(async (client, { server }) => {
    await client.run("SADD a 1 2 3");
    await client.run("SADD b 2 3 4");
    const logged = recordEffects(server.engine);
    for (
      const line of [
        ...["SADD a 1", "SREM a 9", "SMOVE a b 9", "SMOVE a a 1", "SMOVE none b 1", "SDIFFSTORE none a a"],
        ...["SMOVE a b 1", "SMOVE a b 2", "SINTERSTORE c a b", "SUNIONSTORE c a b", "SDIFFSTORE c a b", "SINTER a b"],
      ]
    ) await client.run(line);
    assertEquals(logged, [
      ...["0: SMOVE a b 1", "0: SMOVE a b 2", "0: SINTERSTORE c a b", "0: SUNIONSTORE c a b", "0: SDIFFSTORE c a b"],
    ]);
  }));

Deno.test("sets are announced with the events of Redis", () =>
  withServer(async (client, { server }) => {
    const events = recordEvents(server.engine);
    for (
      const line of [
        ...["SADD s 1 2 3 4 5 6", "SREM s 1 2", "SPOP s", "SMOVE s t 9", "SADD s a b", "SMOVE s t a", "SADD u x"],
        ...["SMOVE u t x", "SINTERSTORE d s s", "SUNIONSTORE d s t", "SDIFFSTORE d s s", "SPOP s 99", "SPOP t 2"],
      ]
    ) await client.run(line);
    assertEquals(events, [
      ...["0: s sadd s", "0: s srem s", "0: s spop s", "0: s sadd s", "0: s srem s", "0: s sadd t", "0: s sadd u"],
      ...["0: s srem u", "0: g del u", "0: s sadd t", "0: s sinterstore d", "0: s sunionstore d", "0: g del d"],
      ...["0: s spop s", "0: g del s", "0: s spop t", "0: g del t"],
    ]);
  }));

/** Chi-square of counts against the same expectation for all. */
function chiSquare(counts: ReadonlyMap<string, number>, expected: number): number {
  let sum = 0;
  for (const count of counts.values()) sum += (count - expected) ** 2 / expected;
  return sum;
}

Deno.test("SPOP and SRANDMEMBER choose every member alike", () =>
  withServer(async (client) => {
    const rounds = 400;
    for (const members of [numbered(12, ""), numbered(12), numbered(150)]) {
      const limit = members.length - 1 + 6 * Math.sqrt(2 * members.length);
      const most = Math.floor(members.length * 0.8), few = Math.floor(members.length / 6);
      for (
        const command of [`SPOP s`, `SPOP s ${few}`, `SPOP s ${most}`, `SRANDMEMBER s ${few}`, `SRANDMEMBER s ${most}`]
      ) {
        const counts = new Map(members.map((member) => [member, 0]));
        const count = Number(command.split(" ")[2] ?? 1);
        const draws = Math.ceil(rounds * Math.min(10, members.length / count) / 10);
        for (let i = 0; i < draws; i++) {
          await client.command("SADD", "s", ...members);
          const reply = await client.run(command);
          const chosen = bulks(command === "SPOP s" ? `*1\r\n${reply}` : reply);
          assertEquals(new Set(chosen).size, count);
          for (const member of chosen) counts.set(member, counts.get(member)! + 1);
        }
        const squared = chiSquare(counts, draws * count / members.length);
        assert(squared < limit, `${command} of ${members.length}: chi-square ${squared}`);
        await client.run("DEL s");
      }
      await client.command("SADD", "s", ...members);
      const counts = new Map(members.map((member) => [member, 0]));
      for (const member of bulks(await client.run(`SRANDMEMBER s ${-100 * members.length}`))) {
        counts.set(member, counts.get(member)! + 1);
      }
      assert(chiSquare(counts, 100) < limit);
      await client.run("DEL s");
    }
  }));

Deno.test("SSCAN visits every member that stays, while the set grows and shrinks", () =>
  withServer(async (client) => {
    const staying = numbered(500, "s"), coming = numbered(5000, "c");
    await addMany(client, "s", staying);
    const seen = new Set<string>();
    let cursor = "0", calls = 0;
    do {
      const reply = (await client.run(`SSCAN s ${cursor} COUNT 20`)).split("\r\n");
      cursor = reply[2];
      for (const member of reply.filter((_, i) => i > 4 && i % 2 === 1)) seen.add(member);
      if (calls % 4 === 0) await addMany(client, "s", coming);
      if (calls % 4 === 2) {
        for (let i = 0; i < coming.length; i += 1000) await client.command("SREM", "s", ...coming.slice(i, i + 1000));
      }
      assert(calls++ < 1000);
    } while (cursor !== "0");
    for (const member of staying) assert(seen.has(member), member);
  }));

differential("every error and every missing key is answered as Redis answers it", async (pair) => {
  await pair.same("SET", "str", "string");
  for (const protocol of ["2", "3"]) {
    await Promise.all([pair.memdb.command("HELLO", protocol), pair.redis.command("HELLO", protocol)]);
    await pair.same("DEL", "i", "l", "h");
    await pair.same("SADD", "i", "1", "2", "3");
    await pair.same("SADD", "l", "a", "b", "2");
    await pair.same("SADD", "h", "a", "2", "x".repeat(100));
    for (const { name } of REDIS_COMMANDS) {
      await pair.same(name);
      await pair.same(name, "str");
    }
    for (const key of ["none", "str", "i", "l", "h"]) {
      for (
        const line of [
          ...[`SADD ${key}x`, `SCARD ${key}`, `SISMEMBER ${key} 2`, `SISMEMBER ${key} 9`, `SMISMEMBER ${key} a 2 9 2`],
          ...[`SMEMBERS ${key}`, `SPOP ${key} 0`, `SPOP ${key} -1`, `SPOP ${key} x`, `SPOP ${key} 1 2`],
          ...[`SPOP ${key} 9223372036854775808`, `SRANDMEMBER ${key} 0`, `SRANDMEMBER ${key} x`],
          ...[`SRANDMEMBER ${key} 1 2`, `SRANDMEMBER ${key} 3`, `SRANDMEMBER ${key} 99`],
          ...[`SRANDMEMBER ${key} -9223372036854775808`, `SRANDMEMBER ${key} 9223372036854775807`],
          ...[`SRANDMEMBER ${key} -9223372036854775809`, `SREM ${key} 9 8`, `SMOVE ${key} i 9`, `SMOVE i ${key} 99`],
          ...[`SMOVE ${key} str 2`, `SMOVE str ${key} 2`, `SMOVE ${key} ${key} 2`, `SMOVE ${key} ${key} 9`],
          ...[`SINTER ${key}`, `SINTER ${key} i`, `SINTER i l ${key}`, `SINTER i none ${key}`, `SINTER l l ${key} l`],
          ...[`SUNION ${key}`, `SUNION ${key} i`, `SUNION i none ${key}`, `SUNION l l ${key}`],
          ...[`SDIFF ${key}`, `SDIFF ${key} i`, `SDIFF i ${key}`, `SDIFF l none ${key}`, `SDIFF ${key} ${key}`],
          ...[`SINTERCARD 1 ${key}`, `SINTERCARD 2 i ${key}`, `SINTERCARD 2 i ${key} LIMIT 1`, `SINTERCARD 0 ${key}`],
          ...[`SINTERCARD x ${key}`, `SINTERCARD -1 ${key}`, `SINTERCARD 2 ${key}`, `SINTERCARD 1 ${key} LIMIT`],
          ...[`SINTERCARD 1 ${key} LIMIT -1`, `SINTERCARD 1 ${key} LIMIT x`, `SINTERCARD 1 ${key} limit 0`],
          ...[
            `SINTERCARD 1 ${key} LIMIT 1 LIMIT 2`,
            `SINTERCARD 1 ${key} NO 1`,
            `SINTERCARD 9223372036854775808 ${key}`,
          ],
          ...[`SINTERSTORE d ${key}`, `SINTERSTORE d i ${key}`, `SINTERSTORE d none ${key}`, `SINTERSTORE d l ${key}`],
          ...[`SUNIONSTORE d ${key}`, `SUNIONSTORE d i ${key}`, `SUNIONSTORE d none ${key}`, `SUNIONSTORE d l ${key}`],
          ...[`SDIFFSTORE d ${key}`, `SDIFFSTORE d i ${key}`, `SDIFFSTORE d none ${key}`, `SDIFFSTORE d l ${key}`],
          ...[`SDIFFSTORE d ${key} i`, `SDIFFSTORE ${key}d ${key} ${key}`],
          ...[`SSCAN ${key} 0`, `SSCAN ${key} x`, `SSCAN ${key} 0 COUNT`, `SSCAN ${key} 0 COUNT 0`],
          ...[`SSCAN ${key} 0 COUNT x`, `SSCAN ${key} 0 NOVALUES`, `SSCAN ${key} 0 TYPE set`, `SSCAN ${key} 0 MATCH a`],
          ...[`SSCAN ${key} 0 MATCH *2* COUNT 100`, `SSCAN ${key} 0 MATCH z`],
        ]
      ) await sameMembers(pair, ...line.split(" "));
    }
    await sameSets(pair, "i", "l", "h", "d");
  }
  await pair.same("SET", "d", "string");
  await pair.same("SINTERSTORE", "d", "none", "i");
  await pair.same("EXISTS", "d");
  await pair.same("SET", "d", "string", "EX", "100");
  await pair.same("SUNIONSTORE", "d", "i");
  await pair.same("TTL", "d");
  await pair.same("SUNIONSTORE", "i", "i", "l");
  await sameSets(pair, "i", "d");
});

differential("COMMAND tells of the set commands what Redis tells", async (pair) => {
  for (const { name } of REDIS_COMMANDS) await pair.same("COMMAND", "INFO", name);
});

differential("commands on all types take sets", async (pair) => {
  await pair.same("SADD", "i", "30", "-4", "12", "7");
  await pair.same("SADD", "l", "30", "b", "a", "c");
  await pair.same("SADD", "h", "x".repeat(70), ...numbered(200));
  for (const key of ["i", "l", "h"]) {
    for (const options of ["ALPHA", "ALPHA DESC LIMIT 1 2", "ALPHA LIMIT 0 3 STORE d", "BY nosort STORE d", "DESC"]) {
      await pair.same("SORT", key, ...options.split(" "));
    }
    await pair.same("LRANGE", "d", "0", "-1");
    await pair.same("TYPE", key);
    await pair.same("COPY", key, "copy", "REPLACE");
    await sameSets(pair, "copy");
    await pair.same("RENAME", "copy", "renamed");
    await pair.same("DEBUG", "DIGEST-VALUE", key, "renamed");
    await pair.same("APPEND", key, "x");
    await pair.same("SET", "renamed", "x");
  }
  await pair.same("SORT", "i", "BY", "nosort");
  await pair.same("SORT", "i", "BY", "nosort", "DESC");
});

const KEYS = ["a", "b", "c", "d"];

function randomMember(random: SeededRandom, kind: number): string {
  const i = random.below(60);
  if (kind === 0) return String(i);
  if (kind === 1) return pick(random, [String(i), `m${i}`]);
  if (kind === 2) {
    return pick(random, [`m${i}`, "y".repeat(i), "-9223372036854775808", "9223372036854775807", "01", "-0", ""]);
  }
  return pick(random, [String(i * 70_000), String(-i), String(2 ** 40 + i)]);
}

/** One command whose result does not depend on chance. */
function randomCommand(random: SeededRandom): Argument[] {
  const key = pick(random, KEYS), other = pick(random, KEYS), third = pick(random, KEYS);
  const kind = random.below(4);
  const members = () =>
    Array.from({ length: 1 + random.below(oneIn(random, 10) ? 30 : 3) }, () => randomMember(random, kind));
  switch (random.below(13)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return ["SADD", key, ...members()];
    case 4:
    case 5:
      return ["SREM", key, ...members()];
    case 6:
      return ["SMOVE", key, other, randomMember(random, kind)];
    case 7:
      return ["SMISMEMBER", key, ...members()];
    case 8:
      return [pick(random, ["SINTER", "SUNION", "SDIFF"]), key, other, ...(oneIn(random, 2) ? [third] : [])];
    case 9:
    case 10:
      return [pick(random, ["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), key, other, third];
    case 11:
      return ["SINTERCARD", "2", key, other, "LIMIT", random.below(5)];
    default:
      return oneIn(random, 6) ? ["DEL", key] : ["SPOP", key, "10000"];
  }
}

for (
  const [name, settings] of [
    ["", {}],
    [" with small limits", {
      "set-max-intset-entries": "8",
      "set-max-listpack-entries": "6",
      "set-max-listpack-value": "20",
    }],
  ] as const
) {
  differential(`random commands on sets leave what they leave in Redis${name}`, async (pair) => {
    await property(3, async (random) => {
      await pair.same("FLUSHALL");
      for (let i = 0; i < 400; i++) {
        await sameMembers(pair, ...randomCommand(random));
        if (i % 10 === 0) await sameSets(pair, ...KEYS);
      }
      for (const key of KEYS) {
        await pair.same("COPY", key, `${key}2`);
        await sameSets(pair, key, `${key}2`);
      }
    });
  }, settings);
}

differential("encodings change at the thresholds of Redis", async (pair) => {
  const add = async (key: string, members: readonly string[], at: number) => {
    for (let i = 0; i < members.length; i += at) await pair.same("SADD", key, ...members.slice(i, i + at));
    await pair.same("OBJECT", "ENCODING", key);
  };
  for (const at of [1, 1000]) {
    for (const size of [1, 127, 128, 129]) await add(`s${size}:${at}`, numbered(size), at);
    for (const size of [1, 128, 129, 511, 512, 513]) await add(`i${size}:${at}`, numbered(size, ""), at);
  }
  for (const size of [127, 128, 129, 512]) {
    await pair.same("SADD", `i${size}:1`, "x");
    await pair.same("OBJECT", "ENCODING", `i${size}:1`);
  }
  for (const member of ["x".repeat(64), "x".repeat(65)]) {
    for (const first of [[], ["1"], ["a"]]) {
      await pair.same("DEL", "k");
      for (const one of [...first, member]) await pair.same("SADD", "k", one);
      await pair.same("OBJECT", "ENCODING", "k");
    }
  }
  // A table stays a table when members are removed, but a large SPOP packs the rest.
  for (const key of ["s129:1", "i513:1"]) {
    await pair.same("SCARD", key);
    await pair.same("SREM", key, ...numbered(100), ...numbered(500, ""));
    await pair.same("OBJECT", "ENCODING", key);
  }
  for (
    const [key, size, count] of [["p", 600, 500], ["p", 600, 499], ["p", 1000, 872], ["p", 1000, 871], ["p", 700, 10]]
  ) {
    await pair.same("DEL", key);
    await pair.same("SADD", key, ...numbered(Number(size)));
    const pop = ["SPOP", key, count];
    assertEquals((await pair.memdb.command(...pop)).slice(0, 5), (await pair.redis.command(...pop)).slice(0, 5));
    await pair.same("SCARD", key);
    await pair.same("OBJECT", "ENCODING", key);
  }
  // A stored result may be packed although its sources are tables.
  await pair.same("SADD", "big", ...numbered(300), ...numbered(300, ""));
  await pair.same("SADD", "ints", ...numbered(600, ""));
  await pair.same("SADD", "some", ...numbered(250));
  for (
    const line of [
      ...["SINTERSTORE r big ints", "SINTERSTORE r big some", "SDIFFSTORE r big ints", "SDIFFSTORE r big some"],
      ...[
        "SDIFFSTORE r big some ints",
        "SDIFFSTORE r ints big",
        "SDIFFSTORE r some big ints",
        "SUNIONSTORE r some ints",
      ],
      ...["SUNIONSTORE r ints", "SUNIONSTORE r some", "SINTERSTORE r ints", "SDIFFSTORE r some x y z some2"],
    ]
  ) {
    await pair.same(...line.split(" "));
    await pair.same("OBJECT", "ENCODING", "r");
  }
  await pair.same("SADD", "t1", ...numbered(120));
  for (const line of ["SDIFFSTORE r some t1", "SDIFFSTORE r some t1 t1 t1 t1 t1 t1", "SUNIONSTORE r t1 ints"]) {
    await pair.same(...line.split(" "));
    await pair.same("OBJECT", "ENCODING", "r");
  }
});

Deno.test("SUNIONCARD and SDIFFCARD refuse what SINTERCARD refuses", () =>
  withServer(async (client) => {
    await client.run("SADD s a b c");
    await client.run("SADD t c d");
    await client.run("SET string v");
    const both: [string, string][] = [
      ["0 s", "-ERR numkeys should be greater than 0\r\n"],
      ["x s", "-ERR numkeys should be greater than 0\r\n"],
      ["3 s t", "-ERR Number of keys can't be greater than number of args\r\n"],
      ["2 s t LIMIT", "-ERR syntax error\r\n"],
      ["2 s t LIMIT -1", "-ERR LIMIT can't be negative\r\n"],
      ["2 s string", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"],
    ];
    for (const [args, reply] of both) {
      for (const name of ["SUNIONCARD", "SDIFFCARD", "SINTERCARD"]) {
        assertEquals(await client.run(`${name} ${args}`), reply, `${name} ${args}`);
      }
    }
    assertEquals(await client.run("SUNIONCARD 2 s t APPROX LIMIT 3"), ":3\r\n");
    assertEquals(await client.run("SUNIONCARD 3 s missing t APPROX"), ":4\r\n");
    assertEquals(await client.run("SDIFFCARD 2 s t APPROX"), "-ERR syntax error\r\n");
    assertEquals(await client.run("SDIFFCARD 2 missing t"), ":0\r\n");
    assertEquals(await client.run("SDIFFCARD 2 s s"), ":0\r\n");
  }));
