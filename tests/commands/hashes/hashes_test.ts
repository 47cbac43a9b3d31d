/** The hash commands over the wire, on MemDB alone and compared with Redis. */
import { assert, assertEquals } from "@std/assert";
import { hashCommands } from "../../../src/commands/hashes/hashes.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import type { Argument } from "../../helpers/client.ts";
import { decode } from "../../helpers/decode.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { pick, property } from "../../helpers/property.ts";
import { differential, type Pair } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

Deno.test("a hash is made by its first field and goes with its last", () =>
  withServer(async (client) => {
    assertEquals(await client.run("HSET h a 1 b two a 3"), ":2\r\n");
    assertEquals(await client.run("HGETALL h"), "*4\r\n$1\r\na\r\n$1\r\n3\r\n$1\r\nb\r\n$3\r\ntwo\r\n");
    assertEquals(await client.run("HDEL h a none"), ":1\r\n");
    assertEquals(await client.run("HGET h b"), "$3\r\ntwo\r\n");
    assertEquals(await client.run("HDEL h b"), ":1\r\n");
    assertEquals(await client.run("EXISTS h"), ":0\r\n");
  }));

Deno.test("values of any length are kept in every encoding", () =>
  withServer(async (client) => {
    for (const size of [0, 1, 63, 64, 65, 4000, 65_535, 65_536, 300_000, 10]) {
      const value = "v".repeat(size);
      await client.command("HSET", "h", "field", value, "f".repeat(size + 1), "x");
      assertEquals(await client.command("HGET", "h", "field"), `$${size}\r\n${value}\r\n`);
      assertEquals(await client.command("HGET", "h", "f".repeat(size + 1)), "$1\r\nx\r\n");
      assertEquals(await client.command("HSTRLEN", "h", "field"), `:${size}\r\n`);
    }
    assertEquals(await client.run("HLEN h"), ":11\r\n");
    await client.run("COPY h c");
    assertEquals(await client.command("HSTRLEN", "c", "field"), ":10\r\n");
    assertEquals(await client.run("DEL h c"), ":2\r\n");
  }));

Deno.test("the log contains the request, the sum for HINCRBYFLOAT, and no command without a change", () =>
  withServer(async (client, { server }) => {
    const logged = recordEffects(server.engine);
    for (
      const line of [
        "HSET h a 1 b 2",
        "HSETNX h a 5",
        "HSETNX h c 5",
        "HDEL h none",
        "HDEL h b none",
        "HINCRBY h a 4",
        "HINCRBYFLOAT h a 0.5",
        "HMSET h a 1",
        "HGET h a",
        "HEXPIREAT h 4000000000 FIELDS 1 a",
        "HINCRBYFLOAT h a 0.5",
      ]
    ) await client.run(line);
    assertEquals(logged, [
      "0: HSET h a 1 b 2",
      "0: HSETNX h c 5",
      "0: HDEL h b none",
      "0: HINCRBY h a 4",
      "0: HSET h a 5.5",
      "0: HMSET h a 1",
      "0: HPEXPIREAT h 4000000000000 FIELDS 1 a",
      "0: HSETEX h KEEPTTL FIELDS 1 a 1.5",
    ]);
  }));

Deno.test("the keys of hashes are announced with the events of Redis", () =>
  withServer(async (client, { server }) => {
    const events = recordEvents(server.engine);
    for (
      const line of [
        "HSET h a 1 b 2",
        "HMSET h a 1",
        "HSETNX h a 1",
        "HSETNX h c 1",
        "HINCRBY h a 1",
        "HINCRBYFLOAT h a 1",
      ]
    ) await client.run(line);
    await client.run("HDEL h none");
    await client.run("HDEL h a b");
    await client.run("HDEL h c");
    assertEquals(events, [
      ...["0: h hset h", "0: h hset h", "0: h hset h", "0: h hincrby h", "0: h hincrbyfloat h"],
      ...["0: h hdel h", "0: h hdel h", "0: g del h"],
    ]);
  }));

/** Arrays of pairs as text, for comparing without order. */
function pairsOf(reply: string): string[] {
  const items = decode(reply) as string[];
  return items.filter((_, i) => i % 2 === 0).map((field, i) => `${field}=${items[2 * i + 1]}`).sort();
}

for (const fields of [20, 3000]) {
  Deno.test(`random fields of a hash of ${fields} are uniform, and different where they must be`, () =>
    withServer(async (client) => {
      const names = Array.from({ length: fields }, (_, i) => `f${i}`);
      await client.command("HSET", "h", ...names.flatMap((name, i) => [name, i]));
      for (const count of [1, 5, fields - 1, fields, fields + 7]) {
        const found = decode(await client.run(`HRANDFIELD h ${count}`)) as string[];
        assertEquals(found.length, Math.min(count, fields));
        assertEquals(new Set(found).size, found.length);
      }
      const pairs = pairsOf(await client.run(`HRANDFIELD h -${fields} WITHVALUES`));
      assertEquals(pairs.length, fields);
      for (const pair of pairs) assert(/^f(\d+)=\1$/.test(pair));
      // Chi-square over 20 groups of fields: a value above 60 at 19 degrees of freedom has a probability of 1 in
      // 250,000.
      for (const draw of ["HRANDFIELD h -4000", "HRANDFIELD h 5"]) {
        const counts = new Array(20).fill(0);
        let drawn = 0;
        while (drawn < 4000) {
          for (const name of decode(await client.run(draw)) as string[]) {
            counts[Number(name.slice(1)) % 20]++;
            drawn++;
          }
        }
        const expected = drawn / 20;
        const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
        assert(chi < 60, `${draw}: ${chi}`);
      }
    }));
}

Deno.test("HSCAN meets every field that stays, while others come and go", () =>
  property(3, (random) =>
    withServer(async (client) => {
      await client.command("HSET", "h", ...Array.from({ length: 300 }, (_, i) => [`stay${i}`, "x"]).flat());
      const met = new Set<string>();
      let cursor = "0", step = 0, extra = 0;
      do {
        const [next, items] = decode(await client.run(`HSCAN h ${cursor} COUNT 20 NOVALUES`)) as [string, string[]];
        for (const item of items) met.add(item);
        cursor = next;
        // The hash grows, then shrinks.
        const batch = Array.from({ length: 400 }, (_, i) => `extra${extra + i}`);
        if (step < 8) await client.command("HSET", "h", ...batch.flatMap((name) => [name, "y"]));
        else await client.command("HDEL", "h", ...batch.map((_, i) => `extra${random.below(4000) + i}`));
        extra = step < 8 ? extra + 400 : extra;
        step++;
      } while (cursor !== "0");
      for (let i = 0; i < 300; i++) assert(met.has(`stay${i}`), `stay${i}`);
    })));

Deno.test("SORT reads fields of hashes", () =>
  withServer(async (client) => {
    await client.run("RPUSH l 1 2 3");
    for (const [i, weight] of [[1, 30], [2, 10], [3, 20]]) await client.run(`HSET w${i} v ${weight} n name${i}`);
    assertEquals(decode(await client.run("SORT l BY w*->v GET w*->n")), ["name2", "name3", "name1"]);
  }));

differential("COMMAND tells of hashes what Redis tells", async (pair) => {
  for (const { name } of hashCommands) await pair.same("COMMAND", "INFO", name);
});

differential("every error and every missing key is answered as Redis answers it", async (pair) => {
  await pair.same("SET", "s", "string");
  await pair.same("HSET", "h", "a", "1", "b", "text", "inf", "inf", "max", "9223372036854775807", "f", "1.5");
  for (const { name } of hashCommands) await pair.same(name);
  for (const key of ["none", "s", "h"]) {
    await pair.sameLines(`
      HSET ${key}
      HSET ${key} a
      HSET ${key} a 1 b
      HMSET ${key} a 1 b
      HSET ${key}
      HGET ${key} a
      HGET ${key} none
      HMGET ${key} a none b
      HGETALL ${key}
      HKEYS ${key}
      HVALS ${key}
      HLEN ${key}
      HSTRLEN ${key} a
      HSTRLEN ${key} none
      HEXISTS ${key} a
      HEXISTS ${key} none
      HDEL ${key} none
      HINCRBY ${key} a x
      HINCRBY ${key} max 1
      HINCRBY ${key} max -9223372036854775808
      HINCRBY ${key} a 9223372036854775808
      HINCRBY ${key} b 1
      HINCRBY ${key} f 1
      HINCRBYFLOAT ${key} a x
      HINCRBYFLOAT ${key} a inf
      HINCRBYFLOAT ${key} a nan
      HINCRBYFLOAT ${key} b 1
      HINCRBYFLOAT ${key} inf 1
      HINCRBYFLOAT ${key} f 1e3
      HINCRBYFLOAT ${key} f 0.1
      HRANDFIELD ${key} 0
      HRANDFIELD ${key} 0 WITHVALUES
      HRANDFIELD ${key} x
      HRANDFIELD ${key} 100
      HRANDFIELD ${key} 100 WITHVALUES
      HRANDFIELD ${key} 1 x
      HRANDFIELD ${key} 1 WITHVALUES x
      HRANDFIELD ${key} 9223372036854775807 WITHVALUES
      HRANDFIELD ${key} 4611686018427387904 WITHVALUES
      HRANDFIELD ${key} -4611686018427387904 WITHVALUES
      HRANDFIELD ${key} -9223372036854775808
      HRANDFIELD ${key} 9223372036854775808
      HRANDFIELD ${key} 9223372036854775807
      HSCAN ${key} x
      HSCAN ${key} 0
      HSCAN ${key} 0 NOVALUES
      HSCAN ${key} 0 MATCH a* COUNT 1
      HSCAN ${key} 0 MATCH
      HSCAN ${key} 0 COUNT 0
      HSCAN ${key} 0 COUNT x
      HSCAN ${key} 0 BAD
      HSCAN ${key} 0 TYPE hash
      HSETNX ${key} a 5
      HSETNX ${key} n 5
      HDEL ${key} n n
      OBJECT ENCODING ${key}
      DEBUG DIGEST-VALUE ${key}
    `);
  }
});

differential("replies have their RESP3 form", async (pair) => {
  for (const client of [pair.memdb, pair.redis]) await client.run("HELLO 3");
  await pair.sameLines(`
    HGETALL none
    HGET none a
    HKEYS none
    HRANDFIELD none
    HRANDFIELD none 5 WITHVALUES
    HSET h a 1 b 2
    HGETALL h
    HKEYS h
    HVALS h
    HMGET h a none
    HRANDFIELD h 5
    HRANDFIELD h 5 WITHVALUES
    HSCAN h 0
    HINCRBYFLOAT h a 1.5
    DEL h
    HSET h a 1
    HRANDFIELD h -2 WITHVALUES
    HRANDFIELD h
  `);
});

for (const [entries, value] of [[512, 64], [3, 5], [0, 0]]) {
  differential(`hashes become tables where Redis's do (${entries} fields, ${value} bytes)`, async (pair) => {
    await pair.same("CONFIG", "SET", "hash-max-listpack-entries", entries);
    await pair.same("CONFIG", "SET", "hash-max-ziplist-value", value);
    const encoding = (key: string) => pair.same("OBJECT", "ENCODING", key);
    for (const count of [entries - 1, entries, entries + 1].filter((count) => count > 0)) {
      const pairs = Array.from({ length: count }, (_, i) => [i, "v"]).flat();
      await pair.same("DEL", "a", "b", "c");
      await pair.same("HSET", "a", ...pairs);
      await encoding("a");
      for (let i = 0; i < count; i++) await pair.same("HSETNX", "b", i, "v");
      await encoding("b");
      // A field that occurs several times counts each time.
      await pair.same("HSET", "c", ...Array.from({ length: count }, () => ["f", "v"]).flat());
      await encoding("c");
      await pair.same("HINCRBY", "a", "one more", 1);
      await encoding("a");
    }
    for (const size of [value, value + 1]) {
      const text = "x".repeat(size);
      for (
        const [command, ...args] of [["HSET", text, 1], ["HSET", "f", text], ["HSETNX", text, 1], ["HSETNX", "f", text]]
      ) {
        await pair.same("DEL", "a");
        await pair.same(command, "a", ...args);
        await encoding("a");
        await pair.same("HSETNX", "a", args[0], "y".repeat(200));
        await encoding("a");
      }
      await pair.same("DEL", "a");
      await pair.same("HINCRBY", "a", text, 1);
      await encoding("a");
      await pair.same("HINCRBYFLOAT", "a", "f", "1.23456789");
      await encoding("a");
    }
    await pair.same("DEL", "a");
    await pair.same("HSET", "a", "1", "v", "2", "v");
    await pair.same("CONFIG", "SET", "hash-max-listpack-entries", 1);
    await pair.same("HSET", "a", "1", "w");
    await encoding("a");
  });
}

function randomText(random: SeededRandom): string {
  switch (random.below(8)) {
    case 0:
      return String(random.below(2 ** 32) - 2 ** 31);
    case 1:
      return pick(random, ["9223372036854775807", "-9223372036854775808", "9007199254740993", "00", "-0", "1.5", ""]);
    case 2:
      return pick(random, ["x", "y"]).repeat(random.below(100));
    case 3:
      return random.below(20) === 0 ? "z".repeat(random.below(100_000)) : "z".repeat(random.below(40));
    default:
      return String(random.below(12));
  }
}

function randomCommand(random: SeededRandom): Argument[] {
  const key = () => pick(random, ["a", "a", "b"]);
  const field = () => `f${random.below(random.below(4) === 0 ? 60 : 12)}`;
  const text = () => randomText(random);
  const fields = () => Array.from({ length: 1 + random.below(4) }, field);
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
      return [pick(random, ["HSET", "HMSET"]), key(), ...fields().flatMap((name) => [name, text()])];
    case 3:
      return ["HSETNX", key(), field(), text()];
    case 4:
      return ["HGET", key(), field()];
    case 5:
      return ["HMGET", key(), ...fields()];
    case 6:
    case 7:
      return ["HDEL", key(), ...fields()];
    case 8:
      return [pick(random, ["HEXISTS", "HSTRLEN"]), key(), field()];
    case 9:
      return ["HINCRBY", key(), field(), pick(random, ["1", "-5", "1000000000000", "9223372036854775807", text()])];
    case 10:
      return ["HINCRBYFLOAT", key(), field(), pick(random, ["1.5", "-0.1", "3", "1e17", text()])];
    case 11:
      return ["HLEN", key()];
    case 12:
      return ["COPY", "a", "b", "REPLACE"];
    default:
      return ["OBJECT", "ENCODING", key()];
  }
}

/** Compares both hashes completely: in order while they are packed. */
export async function sameHashes(pair: Pair): Promise<void> {
  for (const key of ["a", "b"]) {
    const encoding = await pair.same("OBJECT", "ENCODING", key);
    await pair.same("HLEN", key);
    await pair.same("DEBUG", "DIGEST-VALUE", key);
    if (!encoding.includes("listpack")) continue;
    for (const command of ["HGETALL", "HKEYS", "HVALS"]) await pair.same(command, key);
    await pair.same("HSCAN", key, "0");
  }
}

differential("random commands on hashes are answered as Redis answers them", async (pair) => {
  await property(4, async (random) => {
    await pair.same("FLUSHALL");
    await pair.same("CONFIG", "SET", "hash-max-listpack-entries", pick(random, [4, 16, 512]));
    for (let i = 0; i < 600; i++) {
      await pair.same(...randomCommand(random));
      if (i % 40 === 0) await sameHashes(pair);
    }
    await sameHashes(pair);
  });
});
