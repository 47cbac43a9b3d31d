/** The list commands over the wire: on MemDB alone, and compared with Redis. */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../../src/core/bytes.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import { listEndCommands } from "../../../src/commands/lists/ends.ts";
import { listCommands } from "../../../src/commands/lists/lists.ts";
import { Type } from "../../../src/store/keyspace.ts";
import type { List } from "../../../src/store/values/list.ts";
import { pick, property } from "../../helpers/property.ts";
import { differential } from "../../helpers/redis.ts";
import { recordEvents } from "../../helpers/effects.ts";
import { type TestServer, withServer } from "../../helpers/server.ts";

Deno.test("elements come back in the order in which they were pushed", () =>
  withServer(async (client) => {
    assertEquals(await client.run("RPUSH l b 12 -7"), ":3\r\n");
    assertEquals(await client.run("LPUSH l a 0"), ":5\r\n");
    assertEquals(
      await client.run("LRANGE l 0 -1"),
      "*5\r\n$1\r\n0\r\n$1\r\na\r\n$1\r\nb\r\n$2\r\n12\r\n$2\r\n-7\r\n",
    );
    assertEquals(await client.run("LPOP l"), "$1\r\n0\r\n");
    assertEquals(await client.run("RPOP l 2"), "*2\r\n$2\r\n-7\r\n$2\r\n12\r\n");
    assertEquals(await client.run("LPOP l 5"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assertEquals(await client.run("LLEN l"), ":0\r\n");
    assertEquals(await client.run("RPUSHX l x"), ":0\r\n");
  }));

Deno.test("an element moves between lists, and round within one", () =>
  withServer(async (client) => {
    await client.run("RPUSH a 1 2 3");
    assertEquals(await client.run("LMOVE a b LEFT RIGHT"), "$1\r\n1\r\n");
    assertEquals(await client.run("RPOPLPUSH a a"), "$1\r\n3\r\n");
    assertEquals(await client.run("LRANGE a 0 -1"), "*2\r\n$1\r\n3\r\n$1\r\n2\r\n");
    assertEquals(await client.run("RPOPLPUSH b b"), "$1\r\n1\r\n");
    assertEquals(await client.run("LRANGE b 0 -1"), "*1\r\n$1\r\n1\r\n");
    const large = "x".repeat(100_000);
    await client.command("RPUSH", "a", large);
    assertEquals(await client.run("RPOPLPUSH a b"), `$100000\r\n${large}\r\n`);
    assertEquals(await client.run("LMOVE b a LEFT LEFT"), `$100000\r\n${large}\r\n`);
  }));

Deno.test("LMPOP is logged as the resulting pop, and commands without a change are not logged", () =>
  withServer(async (client, { server }) => {
    const logged: string[] = [];
    server.engine.effects.listen({
      effect: (_db, bytes, start, end) => logged.push(new TextDecoder().decode(bytes.subarray(start, end))),
    });
    await client.run("RPUSH l a b c");
    await client.run("LTRIM l 0 -1");
    await client.run("LPOP l 0");
    await client.run("LREM l 0 none");
    await client.run("LINSERT l BEFORE none x");
    await client.run("LPUSHX none x");
    await client.run("LMPOP 2 none l RIGHT COUNT 9");
    assertEquals(logged, [
      "*5\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
      "*3\r\n$4\r\nRPOP\r\n$1\r\nl\r\n$1\r\n3\r\n",
    ]);
  }));

Deno.test("the keys of a list are announced with the events of Redis", () =>
  withServer(async (client, { server }) => {
    const events = recordEvents(server.engine);
    for (
      const line of ["RPUSH l a b c d", "LSET l 0 x", "LINSERT l AFTER x y", "LREM l 1 y", "LTRIM l 0 2", "LPOP l"]
    ) {
      await client.run(line);
    }
    await client.run("LMOVE l m LEFT RIGHT");
    await client.run("RPOPLPUSH l m");
    assertEquals(events, [
      ...["0: l rpush l", "0: l lset l", "0: l linsert l", "0: l lrem l", "0: l ltrim l", "0: l lpop l"],
      ...["0: l rpush m", "0: l lpop l", "0: l lpush m", "0: l rpop l", "0: g del l"],
    ]);
  }));

differential("every error and every missing key is answered as Redis answers it", async (pair) => {
  await pair.same("SET", "s", "string");
  await pair.same("RPUSH", "l", "a", "b", "c", "a");
  for (const { name } of [...listEndCommands, ...listCommands]) await pair.same(name);
  for (const key of ["none", "s", "l"]) {
    await pair.sameLines(`
      LPUSHX ${key}x v
      RPUSHX ${key}x v w
      LLEN ${key}
      LINDEX ${key} 1
      LINDEX ${key} -1
      LINDEX ${key} 99
      LINDEX ${key} -99
      LINDEX ${key} x
      LINDEX ${key} 9223372036854775807
      LINDEX ${key} 9223372036854775808
      LRANGE ${key} 0 -1
      LRANGE ${key} -100 100
      LRANGE ${key} 2 1
      LRANGE ${key} 5 9
      LRANGE ${key} -2 -2
      LRANGE ${key} x 1
      LRANGE ${key} 1 x
      LRANGE ${key} -9223372036854775808 9223372036854775807
      LPOP ${key} -1
      LPOP ${key} x
      LPOP ${key} 0
      RPOP ${key} 0
      LPOP ${key} 1 2
      LPOP ${key} 9223372036854775808
      LSET ${key} x v
      LSET ${key} 99 v
      LSET ${key} -99 v
      LSET ${key} 1 B
      LSET ${key} -1 A
      LINSERT ${key} NEAR a b
      LINSERT ${key} before none x
      LINSERT ${key} before a x
      LINSERT ${key} AFTER a 77
      LREM ${key} x a
      LREM ${key} 9223372036854775807 none
      LREM ${key} -9223372036854775807 none
      LREM ${key} -9223372036854775808 none
      LREM ${key} 0 none
      LREM ${key} -1 x
      LTRIM ${key} x 1
      LTRIM ${key} 1 x
      LTRIM ${key} 0 -1
      LPOS ${key} a
      LPOS ${key} a RANK
      LPOS ${key} a RANK 0
      LPOS ${key} a RANK x
      LPOS ${key} a RANK 2
      LPOS ${key} a RANK -1
      LPOS ${key} a RANK -9223372036854775808
      LPOS ${key} a RANK -9223372036854775807
      LPOS ${key} a COUNT
      LPOS ${key} a COUNT -1
      LPOS ${key} a COUNT x
      LPOS ${key} a COUNT 0
      LPOS ${key} a COUNT 0 RANK -1
      LPOS ${key} a COUNT 1 RANK 2
      LPOS ${key} a MAXLEN -1
      LPOS ${key} a MAXLEN x
      LPOS ${key} a MAXLEN 0
      LPOS ${key} a MAXLEN 1 COUNT 0
      LPOS ${key} A MAXLEN 1 COUNT 0 RANK -1
      LPOS ${key} A MAXLEN 100 COUNT 0 RANK -1
      LPOS ${key} a FOO 1
      LPOS ${key} none
      LPOS ${key} none COUNT 0
      LMOVE ${key} s LEFT LEFT
      LMOVE ${key} d LEFT UP
      LMOVE ${key} d DOWN LEFT
      LMOVE ${key} d left right
      RPOPLPUSH ${key} s
      RPOPLPUSH ${key} d
      LMPOP 0 ${key} LEFT
      LMPOP -1 ${key} LEFT
      LMPOP x ${key} LEFT
      LMPOP 1 ${key} UP
      LMPOP 2 ${key} LEFT
      LMPOP 3 ${key} LEFT
      LMPOP 99999999999 ${key} LEFT
      LMPOP 9223372036854775807 ${key} LEFT
      LMPOP 1 ${key} LEFT COUNT
      LMPOP 1 ${key} LEFT COUNT 0
      LMPOP 1 ${key} LEFT COUNT x
      LMPOP 1 ${key} LEFT COUNT 0 X
      LMPOP 1 ${key} LEFT COUNT 1 COUNT 1
      LMPOP 1 ${key} LEFT FOO 1
      LMPOP 1 ${key} RIGHT
      LMPOP 2 none ${key} LEFT COUNT 2
      LPOP ${key}
      RPOP ${key}
      LPUSH ${key} a
      RPUSH ${key} "" 0
      LRANGE ${key} 0 -1
      LTRIM ${key} 5 9
      EXISTS ${key}
      DEL d
    `);
  }
});

differential("missing values have their RESP3 form", async (pair) => {
  for (const client of [pair.memdb, pair.redis]) await client.run("HELLO 3");
  await pair.sameLines(`
    LPOP none
    LPOP none 2
    RPOP none
    LINDEX none 0
    LPOS none a
    LPOS none a COUNT 0
    LMOVE none d LEFT LEFT
    RPOPLPUSH none d
    LMPOP 1 none LEFT
    RPUSH l a b
    LMPOP 1 l LEFT
    LRANGE l 0 -1
  `);
});

function randomElement(random: SeededRandom): string {
  switch (random.below(8)) {
    case 0:
      return String(random.below(2 ** 32) - 2 ** 31);
    case 1:
      return pick(random, ["9223372036854775807", "-9223372036854775808", "9007199254740993", "00", "-0", "1.5", ""]);
    case 2:
      return pick(random, ["x", "y"]).repeat(random.below(300));
    case 3:
      return random.below(20) === 0 ? "z".repeat(4000 + random.below(6000)) : "z".repeat(random.below(60));
    default:
      return String(random.below(12));
  }
}

function randomCommand(random: SeededRandom, growing: boolean): (string | number)[] {
  const key = () => pick(random, ["a", "a", "b"]);
  const index = () => random.below(40) === 0 ? 5000 : random.below(60) - 30;
  const element = () => randomElement(random);
  const end = () => pick(random, ["LEFT", "RIGHT"]);
  const count = () => random.below(4);
  if (random.below(100) < (growing ? 40 : 5)) {
    const elements = Array.from({ length: 1 + random.below(growing ? 20 : 2) }, element);
    return [pick(random, ["LPUSH", "RPUSH", "LPUSH", "RPUSHX"]), key(), ...elements];
  }
  switch (random.below(13)) {
    case 0:
      return [pick(random, ["LPOP", "RPOP"]), key()];
    case 1:
      return [pick(random, ["LPOP", "RPOP"]), key(), growing ? count() : random.below(30)];
    case 2:
      return ["LRANGE", key(), index(), index()];
    case 3:
      return ["LINDEX", key(), index()];
    case 4:
      return ["LSET", key(), index(), element()];
    case 5:
    case 6:
      return ["LINSERT", key(), pick(random, ["BEFORE", "AFTER"]), element(), element()];
    case 7:
      return ["LREM", key(), count() - 2, element()];
    case 8:
      return growing
        ? ["LTRIM", key(), count(), -1 - count()]
        : ["LTRIM", key(), random.below(20), -1 - random.below(20)];
    case 9: {
      const options = [["RANK", pick(random, [1, 2, -1, -2])], ["COUNT", count()], ["MAXLEN", random.below(100)]];
      return ["LPOS", key(), element(), ...options.filter(() => random.below(2) === 0).flat()];
    }
    case 10:
      return ["LMOVE", key(), key(), end(), end()];
    case 11:
      return ["LMPOP", 2, key(), "none", end(), "COUNT", 1 + count()];
    default:
      return ["RPOPLPUSH", key(), key()];
  }
}

/** The opened list of a key; undefined if it is missing. */
function openList(server: TestServer, key: string): List | undefined {
  const { store } = server.server.engine;
  const [db] = store.databases;
  const ref = db.find(fromLatin1(key), 0, key.length);
  if (ref === 0) return undefined;
  const list = store.valueType(Type.LIST) as List;
  list.open(db.encodingOf(ref), db.bodyOf(ref));
  return list;
}

for (const limit of ["-2", "-1", "3", "40"]) {
  differential(`random commands on lists with the limit ${limit} do what they do in Redis`, async (pair) => {
    await property(1, async (random) => {
      await pair.same("FLUSHALL");
      let growing = true;
      for (let step = 0; step < 1200; step++) {
        if (random.below(150) === 0) growing = !growing;
        await pair.same(...randomCommand(random, growing));
        if (step % 20 > 0) continue;
        for (const key of ["a", "b"]) {
          await pair.same("OBJECT", "ENCODING", key);
          await pair.same("LRANGE", key, 0, -1);
        }
      }
    });
  }, { "list-max-listpack-size": limit });
}

differential("the image of a block is the listpack that Redis dumps", async (pair, server) => {
  await property(1, async (random) => {
    await pair.same("FLUSHALL");
    // Redis dumps an element that fills a node alone without compression; the others are at most 300 bytes long.
    for (let i = 0; i < 60; i++) await pair.same("RPUSH", "a", randomElement(random).slice(0, 300));
    const list = openList(server, "a")!;
    const dump = await pair.redis.command("DUMP", "a");
    for (let i = 0; i < list.nodeCount; i++) assert(dump.includes(latin1(list.packed.image(list.node(i)))));
  });
}, { "rdbcompression": "no" });
