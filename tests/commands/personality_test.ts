/** The personality: the names that the server gives itself, and what both personalities take. */
import { assertEquals, assertMatch } from "@std/assert";
import { valkeyDifferential } from "../helpers/redis.ts";
import { withServer } from "../helpers/server.ts";

const settings = { personality: "valkey" };

Deno.test("HELLO, INFO, LOLWUT and CONFIG tell the personality, which stays", () =>
  withServer(async (client) => {
    assertMatch(await client.run("HELLO 3"), /server\r\n\$6\r\nvalkey\r\n\$7\r\nversion\r\n\$5\r\n9\.1\.2\r\n/);
    assertMatch(
      await client.run("INFO server"),
      /redis_version:7\.2\.4\r\nserver_name:valkey\r\nvalkey_version:9\.1\.2/,
    );
    assertMatch(await client.run("LOLWUT"), /Valkey ver\. 9\.1\.2\n\r\n$/);
    assertMatch(await client.run("CONFIG GET personality"), /personality\r\n\$6\r\nvalkey\r\n/);
    assertMatch(await client.run("CONFIG SET personality redis"), /^-ERR CONFIG SET failed/);
    assertEquals(await client.run("CONFIG SET personality valkey"), "+OK\r\n");
  }, { settings }));

Deno.test("a setting that was given keeps its value, whatever default the personality has", () =>
  withServer(async (client) => {
    assertMatch(await client.run("CONFIG GET lazyfree-lazy-expire"), /\$2\r\nno\r\n$/);
    assertMatch(await client.run("CONFIG GET lazyfree-lazy-user-del"), /\$3\r\nyes\r\n$/);
  }, { settings: { "lazyfree-lazy-expire": "no", ...settings } }));

for (const personality of ["redis", "valkey"]) {
  Deno.test(`what one server alone has is taken under the personality ${personality}`, () =>
    withServer(async (client) => {
      assertEquals(await client.run("SET k a IFEQ b"), "$-1\r\n");
      assertEquals(await client.run("SET k a IFNE b"), "+OK\r\n");
      assertEquals(await client.run("DELIFEQ k b"), ":0\r\n");
      assertEquals(await client.run("DELEX k IFEQ a"), ":1\r\n");
      assertEquals(await client.run("HSETEX h NX FIELDS 1 f v"), ":1\r\n");
      assertEquals(await client.run("HSETEX h NX FIELDS 1 f v"), ":0\r\n");
      assertEquals(await client.run("SET b a"), "+OK\r\n");
      assertEquals(await client.run("BITCOUNT b 0"), ":3\r\n");
      assertEquals(await client.run("BITOP DIFF d b b"), ":1\r\n");
      assertEquals(await client.run("ZADD z 1 a"), ":1\r\n");
      assertEquals(await client.run("ZSCAN z 0 NOSCORES"), "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n");
      assertEquals(await client.run("XADD s KEEPREF 1-1 a b"), "$3\r\n1-1\r\n");
      assertEquals(await client.run("COMMANDLOG LEN slow"), ":0\r\n");
      assertEquals(await client.run("CLIENT CAPA redirect"), "+OK\r\n");
    }, { settings: { personality } }));
}

valkeyDifferential("errors are Valkey's", (pair) =>
  pair.sameLines(`
    NOTHING
    NOTHING a
    MULTI
    MULTI
    WATCH a
    DISCARD
    GETEX none EX x
    GETEX none EX -1
    GEOADD g 1 1 a
    GEOPOS g a
    GEOSEARCH g FROMMEMBER none BYRADIUS 1 km
    GEOSEARCH g FROMLONLAT 1 1 ASC WITHDIST
    SCAN 0 TYPE nothing
    SCAN 0 NOSCORES
    SADD s ""
    SORT s
    SORT none BY a
    XADD x 1-1 a b
    XREAD STREAMS x y 1
    EVAL return(redis.call('nothing')) 0
    EVAL return(redis.call('get')) 0
    EVAL return(redis.call('subscribe','a')) 0
    EVAL return(redis.call()) 0
    EVAL return(redis.pcall({})) 0
    EVAL return(server.setresp()) 0
    EVAL return(redis.log(1)) 0
    EVAL return(redis.acl_check_cmd('nothing')) 0
    EVAL return{redis.REDIS_VERSION,redis.REDIS_VERSION_NUM,server.VALKEY_VERSION,server.VALKEY_VERSION_NUM} 0
    EVAL return(server.SERVER_NAME) 0
    EVALSHA 0 0
    SCRIPT SHOW 0
    SCRIPT DEBUG NO nothing
    SET a 1 IFEQ 1 XX
    SET a 1 XX IFEQ 1
    SET a 1 IFEQ 1 NX
    MSETEX 0 a 1
    MSETEX 2 a 1
    BITCOUNT k x
    CLIENT UNBLOCK 0 TIMEOUT x
    DUMP none
    SET past 1 PXAT 1
    EXISTS past
  `));

valkeyDifferential("strings tell their encoding as in Valkey", async (pair) => {
  for (const key of ["k", "k".repeat(31), "k".repeat(32), "k".repeat(60)]) {
    for (let length = 30; length < 115; length += 1) {
      // A key that had a deadline keeps the room for one in Valkey.
      await pair.same("DEL", key);
      await pair.same("SET", key, "v".repeat(length));
      await pair.same("OBJECT", "ENCODING", key);
      await pair.same("EXPIRE", key, "100");
      await pair.same("OBJECT", "ENCODING", key);
    }
  }
});
