/** The commands on field deadlines under the personality `valkey`: compared with valkey-server, and replayed. */
import { assertEquals } from "@std/assert";
import { valkeyDifferential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

/** The year 2100. */
const FAR_MS = 4102444800000;

/** Each request on a hash, a missing key and a string. */
const REQUESTS = [
  ...["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST", "HGETDEL"].flatMap((name) => [
    `${name} KEY`,
    `${name} KEY FIELDS`,
    `${name} KEY FIELDS 1`,
    `${name} KEY FOO 1 a`,
    `${name} KEY FOO x a`,
    `${name} KEY FIELDS x a`,
    `${name} KEY FIELDS 0 a`,
    `${name} KEY FIELDS -1 a`,
    `${name} KEY FIELDS 2 a`,
    `${name} KEY FIELDS 1 a b`,
    `${name} KEY FIELDS 2 none FIELDS`,
  ]),
  ...["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"].flatMap((name) => [
    `${name} KEY 1 FIELDS 1`,
    `${name} KEY 1 a b c`,
    `${name} KEY x FIELDS 1 a`,
    `${name} KEY 1.5 FIELDS 1 a`,
    `${name} KEY -1 FIELDS 1 a`,
    `${name} KEY -1 FIELDS 2 a`,
    `${name} KEY 9223372036854775807 FIELDS 1 none`,
    `${name} KEY 9223372036854775808 FIELDS 1 none`,
    `${name} KEY 9223372036854775 FIELDS 1 none`,
    `${name} KEY 1 FOO FIELDS 1 a`,
    `${name} KEY 1 FIELDS x a`,
    `${name} KEY 1 FIELDS 2 a`,
    `${name} KEY 1 FIELDS 1 a FIELDS`,
    `${name} KEY 1 NX XX FIELDS 1 a`,
    `${name} KEY 1 NX XX FIELDS 2 a`,
    `${name} KEY 1 GT LT FIELDS 1 a`,
    `${name} KEY 1 GT LT NX FIELDS 1 a`,
    `${name} KEY 1 NX NX FIELDS 1 none`,
    `${name} KEY 1 XX GT FIELDS 1 none`,
    `${name} KEY 1 XX LT FIELDS 1 none`,
    `${name} KEY 0 NX FIELDS 1 timed`,
    `${name} KEY 0 GT FIELDS 1 timed`,
    `${name} KEY 0 XX FIELDS 1 a`,
  ]),
  "HGETEX KEY FIELDS 1 a",
  "HGETEX KEY FIELDS 2 a none",
  "HGETEX KEY EX 10 FIELDS",
  "HGETEX KEY EX 10 PERSIST a b",
  "HGETEX KEY EX FIELDS 1 a",
  "HGETEX KEY EX x FIELDS 1 a",
  "HGETEX KEY EX x FIELDS 9 a",
  "HGETEX KEY EX -1 FIELDS 1 a",
  "HGETEX KEY PX 9 EX 10 FIELDS 1 a",
  "HGETEX KEY PERSIST EX 10 FIELDS 1 a",
  "HGETEX KEY EX 10 PERSIST FIELDS 1 a",
  "HGETEX KEY PERSIST PERSIST FIELDS 1 timed",
  "HGETEX KEY KEEPTTL FIELDS 1 a",
  "HGETEX KEY NX FIELDS 1 a",
  "HGETEX KEY FIELDS 1 a EX 10",
  "HGETEX KEY FIELDS 2 a",
  "HGETEX KEY FIELDS 0 a",
  "HSETEX KEY FIELDS 1 a 1",
  "HSETEX KEY FIELDS 2 a 1 a 2",
  "HSETEX KEY FIELDS 1 a 1 b 2",
  "HSETEX KEY FIELDS 1 a 1 b",
  "HSETEX KEY FIELDS 2 a 1",
  "HSETEX KEY FIELDS 0 a 1",
  "HSETEX KEY FIELDS x a 1",
  "HSETEX KEY NX FIELDS 1 a 1",
  "HSETEX KEY XX FIELDS 1 a 2",
  "HSETEX KEY NX XX FIELDS 1 a 1",
  "HSETEX KEY NX EX x FIELDS 1 a 1",
  "HSETEX KEY XX EX x FIELDS 1 a 1",
  "HSETEX KEY FNX FIELDS 1 a 1",
  "HSETEX KEY FNX FIELDS 1 none 1",
  "HSETEX KEY FXX FIELDS 2 a 1 none 2",
  "HSETEX KEY FXX FNX FIELDS 1 a 1",
  "HSETEX KEY FNX NX FIELDS 1 a 1",
  "HSETEX KEY PERSIST FIELDS 1 a 1",
  "HSETEX KEY EX 10 KEEPTTL FIELDS 1 a 1",
  "HSETEX KEY EX -1 FIELDS 1 a 1",
  "HSETEX KEY EX -1 FIELDS 9 a 1",
  "HSETEX KEY KEEPTTL FIELDS 1 timed 2",
  "HSETEX KEY FOO FIELDS 1 a 1",
  `HSETEX KEY PXAT ${FAR_MS} FIELDS 2 c 1 d 2`,
];

valkeyDifferential("requests on fields get the replies and errors of Valkey, and leave the same", async (pair) => {
  for (const version of [2, 3]) {
    await Promise.all([pair.memdb, pair.redis].map((client) => client.run(`HELLO ${version}`)));
    for (const request of REQUESTS) {
      for (const key of ["hash", "missing", "string"]) {
        await pair.sameLines(`
          FLUSHALL
          HSET hash a 1 b 2 timed 3
          HPEXPIREAT hash ${FAR_MS} FIELDS 1 timed
          SET string text
        `);
        await pair.same(...request.replace("KEY", key).split(" "));
        await pair.sameLines(`
          DEBUG DIGEST
          HPEXPIRETIME hash FIELDS 3 a timed c
        `);
      }
    }
  }
});

const settings = { personality: "valkey" };

Deno.test("deadlines of fields that Valkey's forms set are replayed, by either personality", () =>
  withServer(async (client) => {
    await client.run("HSET h a 1 b 2 c 3 d 4 e 5");
    assertEquals(await client.run("HEXPIRE h 100 XX GT FIELDS 1 a"), "*1\r\n:0\r\n");
    assertEquals(await client.run("HEXPIRE h 100 FIELDS 2 a none"), "*2\r\n:1\r\n:-2\r\n");
    assertEquals(await client.run("HGETEX h EX 100 EX 200 FIELDS 1 b"), "*1\r\n$1\r\n2\r\n");
    assertEquals(await client.run("HSETEX h XX FNX PX 5000 FIELDS 1 f 6"), ":1\r\n");
    assertEquals(await client.run("HSETEX h KEEPTTL FIELDS 1 b 7"), ":1\r\n");
    assertEquals(await client.run("HSETEX h EXAT 1 FIELDS 1 c 7"), ":1\r\n");
    assertEquals(await client.run("HPEXPIREAT h 9223372036854775807 FIELDS 1 d"), "*1\r\n:1\r\n");
    assertEquals(await client.run("HPEXPIRETIME h FIELDS 2 c d"), `*2\r\n:-2\r\n:${2 ** 46 - 1}\r\n`);
    assertEquals(await client.run("HTTL h FIELDS 2 a b"), "*2\r\n:100\r\n:200\r\n");
    assertEquals(await client.run("HGETDEL h FIELDS 2 e none"), "*2\r\n$1\r\n5\r\n$-1\r\n");
  }, { settings }));
