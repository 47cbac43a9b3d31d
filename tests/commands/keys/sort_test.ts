/** SORT and SORT_RO over the wire: on MemDB alone, and compared with Redis. */
import { assertEquals } from "@std/assert";
import type { SeededRandom } from "../../../src/core/random.ts";
import { Request } from "../../../src/resp/request.ts";
import { sortCommands } from "../../../src/commands/keys/sort.ts";
import { fromLatin1 } from "../../../src/core/bytes.ts";
import { pick, property } from "../../helpers/property.ts";
import { differential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

Deno.test("a list is sorted by its numbers, its bytes, or what its elements lead to", () =>
  withServer(async (client) => {
    await client.run("RPUSH l 10 9 2.5 -1");
    assertEquals(await client.run("SORT l"), "*4\r\n$2\r\n-1\r\n$3\r\n2.5\r\n$1\r\n9\r\n$2\r\n10\r\n");
    assertEquals(await client.run("SORT_RO l ALPHA LIMIT 0 2"), "*2\r\n$2\r\n-1\r\n$2\r\n10\r\n");
    await client.run("MSET w_10 1 w_9 2 w_2.5 3 w_-1 4 name_10 ten");
    assertEquals(
      await client.run("SORT l BY w_* DESC GET # GET name_*"),
      "*8\r\n$2\r\n-1\r\n$-1\r\n$3\r\n2.5\r\n$-1\r\n$1\r\n9\r\n$-1\r\n$2\r\n10\r\n$3\r\nten\r\n",
    );
    assertEquals(await client.run("SORT l BY w_* STORE l"), ":4\r\n");
    assertEquals(await client.run("LRANGE l 0 0"), "*1\r\n$2\r\n10\r\n");
    assertEquals(await client.run("SORT none STORE l"), ":0\r\n");
    assertEquals(await client.run("EXISTS l"), ":0\r\n");
  }));

Deno.test("the keys of SORT are its source and what the last STORE names", () => {
  const keys = (line: string) => {
    const request = Request.of(line.split(" ").map(fromLatin1));
    return sortCommands[0].findKeys!(request).map(({ index }) => line.split(" ")[index]);
  };
  assertEquals(keys("sort a"), ["a"]);
  assertEquals(keys("sort a by store limit store store get store STORE b"), ["a", "b"]);
  assertEquals(keys("sort a store b desc store c"), ["a", "c"]);
  assertEquals(keys("sort a store"), ["a"]);
});

differential("every error and every option of SORT is answered as Redis answers it", async (pair) => {
  await pair.sameLines(`
    SET s string
    RPUSH l 3 1 2 10 1
    RPUSH words b a c B ""
    RPUSH mixed 1 x 2
    MSET w_1 30 w_2 20 w_3 10 w_b 2 w_a x g_1 one g_2 two bad_1 1 bad_2 y
    SORT
    SORT_RO
    SORT s
    SORT_RO s
    SORT none
    SORT none STORE d
    SORT l FOO
    SORT l LIMIT
    SORT l LIMIT 1
    SORT l LIMIT x 1
    SORT l LIMIT 1 x
    SORT l LIMIT x 1 FOO
    SORT l BY
    SORT l GET
    SORT l STORE
    SORT_RO l STORE d
    SORT s FOO
    SORT l
    SORT l DESC
    SORT l DESC ASC
    SORT l ALPHA
    SORT l alpha desc
    SORT l LIMIT 1 2
    SORT l LIMIT 0 0
    SORT l LIMIT 9 2
    SORT l LIMIT -5 2
    SORT l LIMIT 2 -5
    SORT l LIMIT 1 9223372036854775807
    SORT words
    SORT words ALPHA
    SORT words ALPHA DESC
    SORT mixed
    SORT mixed ALPHA
    SORT l BY w_*
    SORT l BY w_* DESC
    SORT l BY w_* LIMIT 1 2 GET w_*
    SORT l BY w_* ALPHA LIMIT 0 4
    SORT l BY bad_*
    SORT words BY w_* ALPHA
    SORT l BY nosort
    SORT l BY nosort DESC
    SORT l BY nosort LIMIT 1 2
    SORT l BY nosort DESC LIMIT 1 2
    SORT l BY nosort LIMIT 9 9
    SORT l BY nosort LIMIT 2 -1 GET # GET g_*
    SORT l GET g_*
    SORT l GET constant
    SORT l GET # GET g_* GET w_*
    SORT l GET g_*->field
    SORT l GET g_*->
    SORT l GET l*
    SORT l GET g_*x
    SORT l BY #
    SORT mixed BY w_* GET #
    SORT l STORE d
    LRANGE d 0 -1
    SORT l GET g_* STORE d
    LRANGE d 0 -1
    OBJECT ENCODING d
    SORT l BY nosort DESC STORE s
    TYPE s
    SORT l LIMIT 9 9 STORE s
    EXISTS s
    SORT mixed STORE d
    LRANGE d 0 -1
    SORT l STORE d STORE e
    EXISTS d
    SORT l DESC STORE l
    LRANGE l 0 -1
  `);
});

differential("texts are ordered up to a NUL where they are replied, whole where they are stored", async (pair) => {
  await pair.same("RPUSH", "l", "\0b", "", "\0a", "a\0b", "a", "a\0a", "b");
  await pair.same("MSET", "w_\0b", "z\0b", "w_", "z", "w_\0a", "y", "w_a", "z\0a");
  for (const by of [[], ["BY", "#"], ["BY", "w_*"]]) {
    for (const order of ["ASC", "DESC"]) {
      await pair.same("SORT", "l", ...by, "ALPHA", order);
      // Redis does not define the stored order of equal weights.
      if (by[1] === "w_*") continue;
      await pair.same("SORT", "l", ...by, "ALPHA", order, "STORE", "d");
      await pair.same("LRANGE", "d", "0", "-1");
    }
  }
});

differential("a weight is read as Redis reads a number", async (pair) => {
  const weights = [
    ...[
      "",
      " 1",
      "\t\n 2",
      "1 ",
      " ",
      "+1",
      "0x1p4",
      "0x",
      "1e308",
      "1e309",
      "-1e400",
      "1e-400",
      "1e-310",
      "0e-400",
      "+",
      "5e-324",
      "1E5",
      "1e5x",
    ],
    ...[
      "inf",
      "-inf",
      "Infinity",
      "nan",
      "1.5.5",
      ".5",
      "5.",
      ".",
      "-",
      "1e",
      "1e5",
      "1\0x",
      "\0",
      "0.0",
      "-0",
      "00012",
    ],
    ...[
      "9223372036854775807",
      "9223372036854775808",
      "18446744073709551616",
      "abc",
      "1_000",
      "2.2250738585072014e-308",
    ],
  ];
  for (const weight of weights) {
    await pair.same("DEL", "l");
    await pair.same("RPUSH", "l", "1", weight, "-3");
    await pair.same("SORT", "l");
    await pair.same("SET", "w_1", weight);
    await pair.same("SORT", "l", "BY", "w_*");
  }
});

function randomSort(random: SeededRandom): (string | number)[] {
  const options: (string | number)[][] = [];
  const alpha = random.below(2) === 0;
  if (alpha) options.push(["ALPHA"]);
  if (random.below(2) === 0) options.push([pick(random, ["ASC", "DESC"])]);
  // Redis does not define the order of equal words, but defines that of equal numbers.
  if (random.below(2) === 0) options.push(["BY", pick(random, alpha ? ["nosort"] : ["nosort", "w_*", "*", "none_*"])]);
  if (random.below(2) === 0) options.push(["LIMIT", random.below(12) - 2, random.below(12) - 2]);
  if (random.below(3) === 0) options.push(["GET", pick(random, ["#", "w_*", "none_*", "constant"])]);
  if (random.below(4) === 0) options.push(["GET", "#"]);
  if (random.below(4) === 0) options.push(["STORE", "d"]);
  return ["SORT", "l", ...options.sort(() => random.below(3) - 1).flat()];
}

differential("random sorts give what they give in Redis", async (pair) => {
  await property(1, async (random) => {
    for (let round = 0; round < 20; round++) {
      await pair.same("FLUSHALL");
      const length = random.below(random.below(4) === 0 ? 300 : 12);
      for (let i = 0; i < length; i++) {
        const element = random.below(random.below(2) === 0 ? 10 : 1000) - 5;
        await pair.same("RPUSH", "l", element);
        if (random.below(2) === 0) await pair.same("SET", `w_${element}`, random.below(20) / 4);
      }
      for (let i = 0; i < 20; i++) {
        await pair.same(...randomSort(random));
        await pair.same("LRANGE", "d", 0, -1);
        await pair.same("OBJECT", "ENCODING", "d");
      }
    }
  });
});
