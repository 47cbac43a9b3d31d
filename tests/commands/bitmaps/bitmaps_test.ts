/** The bit commands over the wire: on MemDB alone, and compared with Redis. */
import { assertEquals } from "@std/assert";
import { bitfieldCommands } from "../../../src/commands/bitmaps/bitfields.ts";
import { bitmapCommands } from "../../../src/commands/bitmaps/bitmaps.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import type { Argument } from "../../helpers/client.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { oneIn, pick, property, randomBytes } from "../../helpers/property.ts";
import { differential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

Deno.test("bits are set, counted and found", () =>
  withServer(async (client) => {
    assertEquals(await client.run("SETBIT b 7 1"), ":0\r\n");
    assertEquals(await client.run("SETBIT b 7 1"), ":1\r\n");
    assertEquals(await client.run("SETBIT b 100 1"), ":0\r\n");
    assertEquals(await client.run("GETBIT b 100"), ":1\r\n");
    assertEquals(await client.run("GETBIT b 4000000000"), ":0\r\n");
    assertEquals(await client.run("BITCOUNT b"), ":2\r\n");
    assertEquals(await client.run("BITPOS b 1 8 -1 BIT"), ":100\r\n");
    assertEquals(await client.run("STRLEN b"), ":13\r\n");
  }));

Deno.test("only commands that change a bit are logged and announced", () =>
  withServer(async (client, { server }) => {
    const logged = recordEffects(server.engine), events = recordEvents(server.engine);
    const lines = [
      ...["SETBIT b 7 1", "SETBIT b 100 0", "BITFIELD b INCRBY u8 0 1", "BITOP NOT c b", "BITOP AND c none"],
      ...["BITFIELD b OVERFLOW FAIL SET u8 0 3 SET u8 8 300"],
    ];
    for (const line of lines) await client.run(line);
    for (
      const line of [
        "SETBIT b 7 1",
        "BITFIELD b GET u8 0",
        "BITFIELD b SET u8 0 3",
        "BITFIELD b OVERFLOW FAIL SET u2 0 4",
      ]
    ) await client.run(line);
    assertEquals(logged, lines.map((line) => `0: ${line}`));
    assertEquals(events, [
      ...["0: $ setbit b", "0: $ setbit b", "0: $ setbit b", "0: $ set c", "0: g del c", "0: $ setbit b"],
    ]);
  }));

/** A model of BITOP: computes a bit of the result from the bits of the operands. */
const OPERATIONS: Record<string, (bits: boolean[]) => boolean> = {
  AND: (bits) => bits.every(Boolean),
  OR: (bits) => bits.some(Boolean),
  XOR: (bits) => bits.filter(Boolean).length % 2 === 1,
  DIFF: ([first, ...others]) => first && !others.some(Boolean),
  DIFF1: ([first, ...others]) => !first && others.some(Boolean),
  ANDOR: ([first, ...others]) => first && others.some(Boolean),
  ONE: (bits) => bits.filter(Boolean).length === 1,
};

Deno.test("BITOP combines strings of any length as its model does", () =>
  withServer(async (client) => {
    await property(60, async (random) => {
      const operands = Array.from({ length: 2 + random.below(3) }, () => randomBytes(random, random.below(30)));
      for (const [i, bytes] of operands.entries()) await client.command("SET", `k${i}`, bytes);
      const name = pick(random, Object.keys(OPERATIONS));
      const length = Math.max(...operands.map((bytes) => bytes.length));
      const target = pick(random, ["target", "k0"]);
      assertEquals(await client.command("BITOP", name, target, ...operands.map((_, i) => `k${i}`)), `:${length}\r\n`);
      let expected = "";
      for (let i = 0; i < length; i++) {
        let byte = 0;
        for (let bit = 7; bit >= 0; bit--) {
          const bits = operands.map((bytes) => ((bytes[i] ?? 0) >>> bit & 1) === 1);
          if (OPERATIONS[name](bits)) byte |= 1 << bit;
        }
        expected += String.fromCharCode(byte);
      }
      assertEquals(
        await client.command("GET", target),
        length === 0 ? "$-1\r\n" : `$${length}\r\n${expected}\r\n`,
        name,
      );
    });
  }));

Deno.test("the newer operations of BITOP ask for two strings, ONE for any number", () =>
  withServer(async (client) => {
    await client.run("SET k abc");
    for (const name of ["DIFF", "DIFF1", "ANDOR"]) {
      assertEquals(
        await client.run(`BITOP ${name} t k`),
        `-ERR BITOP ${name} must be called with at least two source keys.\r\n`,
      );
    }
    assertEquals(await client.run("BITOP one t k"), ":3\r\n");
    assertEquals(await client.run("GET t"), "$3\r\nabc\r\n");
  }));

Deno.test("no bit lies beyond the longest string that is allowed", () =>
  withServer(async (client) => {
    await client.run("CONFIG SET proto-max-bulk-len 1048576");
    assertEquals(await client.run("SETBIT b 8388607 1"), ":0\r\n");
    assertEquals(await client.run("SETBIT b 8388608 1"), "-ERR bit offset is not an integer or out of range\r\n");
  }));

differential("every error and every missing key is answered as Redis answers it", async (pair) => {
  await pair.same("RPUSH", "list", "x");
  await pair.same("SET", "int", "12345");
  await pair.same("SET", "str", "\xff\xf0\x00abc");
  await pair.same("SET", "ones", "\xff\xff\xff\xff\xff");
  for (const { name } of [...bitmapCommands, ...bitfieldCommands]) {
    await pair.same(name);
    await pair.same(name, "list");
    await pair.same(name, "str");
  }
  for (const key of ["none", "list", "int", "str", "ones"]) {
    await pair.sameLines(`
      SETBIT ${key} -1 1
      SETBIT ${key} x 1
      SETBIT ${key} #1 1
      SETBIT ${key} 4294967296 1
      SETBIT ${key} 3 2
      SETBIT ${key} 3 x
      GETBIT ${key} -1
      GETBIT ${key} 4294967296
      GETBIT ${key} 4294967295
      GETBIT ${key} 3
      BITCOUNT ${key} x
      BITCOUNT ${key} 0 x
      BITCOUNT ${key} x 0 BYT
      BITCOUNT ${key} 0 1 BYT
      BITCOUNT ${key} 0 1 BIT 3
      BITCOUNT ${key} 0 -1 bit
      BITCOUNT ${key} -2 -1
      BITCOUNT ${key} -1 -2
      BITCOUNT ${key} -100 100 byte
      BITCOUNT ${key} 9 100
      BITCOUNT ${key} -9223372036854775808 9223372036854775807
      BITPOS ${key} 2
      BITPOS ${key} x
      BITPOS ${key} 1 x
      BITPOS ${key} 1 0 x
      BITPOS ${key} 1 0 x BYT
      BITPOS ${key} 1 0 1 BYT
      BITPOS ${key} 1 0 1 BIT 1
      BITPOS ${key} 0
      BITPOS ${key} 1
      BITPOS ${key} 0 2
      BITPOS ${key} 0 0 -1
      BITPOS ${key} 0 0 -1 BIT
      BITPOS ${key} 1 -1 -3
      BITPOS ${key} 0 100
      BITPOS ${key} 1 12 20 BIT
      BITOP NOT d ${key} ${key}
      BITOP FOO d ${key}
      BITOP AND d ${key} none
      BITOP OR d ${key} none str
      BITOP XOR d ${key} ones
      BITOP NOT d ${key}
      OBJECT ENCODING d
      GET d
      BITFIELD ${key} GET
      BITFIELD ${key} GET u8
      BITFIELD ${key} GET u64 0
      BITFIELD ${key} GET u0 0
      BITFIELD ${key} GET u08 0
      BITFIELD ${key} GET i65 0
      BITFIELD ${key} GET U8 0
      BITFIELD ${key} GET u8 -1
      BITFIELD ${key} GET u8 #-1
      BITFIELD ${key} GET u8 x
      BITFIELD ${key} GET u8 #
      BITFIELD ${key} GET u8 #536870912
      BITFIELD ${key} GET u8 4294967290
      BITFIELD ${key} SET u8 0
      BITFIELD ${key} SET u8 0 x
      BITFIELD ${key} INCRBY u8 0 9223372036854775808
      BITFIELD ${key} OVERFLOW
      BITFIELD ${key} OVERFLOW x
      BITFIELD ${key} OVERFLOW SAT
      BITFIELD ${key} FOO u8 0
      BITFIELD ${key} GET u8 0 GET i8 #1 get i64 3 GET u63 100
      BITFIELD_RO ${key} GET u8 0 GET i8 #1
      BITFIELD_RO ${key} SET u8 0 1
      BITFIELD_RO ${key} OVERFLOW SAT GET u8 0
      EXISTS none
    `);
  }
  await pair.sameLines(`
    BITOP AND list none
    EXISTS list
    SETBIT int 1 1
    OBJECT ENCODING int
    GET int
    SET short 7
    SETBIT short 1 0
    OBJECT ENCODING short
    SETBIT zero 0 0
    GET zero
    BITFIELD zero2 SET u8 0 0
    STRLEN zero2
    SET ttl x EX 100
    BITOP NOT ttl str
    TTL ttl
    SET ttl x EX 100
    SETBIT ttl 1000 1
    TTL ttl
  `);
});

differential("COMMAND tells of the bit commands what Redis tells", async (pair) => {
  for (const { name } of [...bitmapCommands, ...bitfieldCommands]) await pair.same("COMMAND", "INFO", name);
});

const KEYS = ["a", "b", "c"];

function randomIndex(random: SeededRandom): number {
  return pick(random, [random.below(80), random.below(2000), -random.below(100)]);
}

function randomField(random: SeededRandom): string[] {
  const signed = oneIn(random, 2), bits = pick(random, [1 + random.below(63), 8, 16, 63, signed ? 64 : 32]);
  const offset = random.below(300);
  return [`${signed ? "i" : "u"}${bits}`, oneIn(random, 3) ? `#${random.below(8)}` : String(offset)];
}

function randomValue(random: SeededRandom): string {
  const value = BigInt(random.below(2 ** 32)) << 32n | BigInt(random.below(2 ** 32));
  const edges = ["0", "1", "-1", "127", "128", "-128", "-129", "9223372036854775807", "-9223372036854775808"];
  return oneIn(random, 2) ? pick(random, edges) : String(BigInt.asIntN(1 + random.below(64), value));
}

function randomCommand(random: SeededRandom): Argument[] {
  const key = pick(random, KEYS), bit = random.below(2);
  const unit = () => oneIn(random, 2) ? [] : [pick(random, ["BIT", "BYTE"])];
  switch (random.below(9)) {
    case 0:
      return ["SETBIT", key, Math.abs(randomIndex(random)), bit];
    case 1:
      return ["GETBIT", key, Math.abs(randomIndex(random))];
    case 2:
      return ["BITCOUNT", key, ...(oneIn(random, 4) ? [] : [randomIndex(random), randomIndex(random), ...unit()])];
    case 3: {
      const range = [randomIndex(random), randomIndex(random)].slice(0, random.below(3));
      return ["BITPOS", key, bit, ...range, ...(range.length === 2 ? unit() : [])];
    }
    case 4:
      return [
        "BITOP",
        pick(random, ["AND", "OR", "XOR"]),
        pick(random, KEYS),
        key,
        pick(random, KEYS),
        pick(random, KEYS),
      ];
    case 5:
      return ["BITOP", "NOT", pick(random, KEYS), key];
    case 6:
      return [
        "SET",
        key,
        pick<Argument>(random, [
          randomBytes(random, random.below(40)),
          new Uint8Array(random.below(300)),
          new Uint8Array(random.below(300)).fill(255),
        ]),
      ];
    default: {
      const args: Argument[] = ["BITFIELD", key];
      for (let i = random.below(4); i >= 0; i--) {
        if (oneIn(random, 2)) args.push("OVERFLOW", pick(random, ["WRAP", "SAT", "FAIL"]));
        const kind = pick(random, ["GET", "SET", "INCRBY"]);
        args.push(kind, ...randomField(random));
        if (kind !== "GET") args.push(randomValue(random));
      }
      return args;
    }
  }
}

differential("random bit commands answer and leave what they do in Redis", async (pair) => {
  await property(4, async (random) => {
    await pair.same("FLUSHALL");
    for (let i = 0; i < 700; i++) {
      await pair.same(...randomCommand(random));
      if (i % 5 === 0) { for (const key of KEYS) await pair.same("GET", key); }
    }
  });
});
