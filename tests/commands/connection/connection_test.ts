/** PING, ECHO, SELECT, AUTH, HELLO, QUIT and RESET. */
import { assertEquals, assertMatch } from "@std/assert";
import { REDIS_VERSION } from "../../../src/core/version.ts";
import { encodeRequest } from "../../helpers/client.ts";
import { decode } from "../../helpers/decode.ts";
import { differential } from "../../helpers/redis.ts";
import { TestServer, withServer } from "../../helpers/server.ts";

const PROTECTED = { settings: { requirepass: "sesame" } };

Deno.test("HELLO describes the server and switches the protocol before it answers", () =>
  withServer(async (client) => {
    assertMatch(await client.run("HELLO"), /^\*14\r\n/);
    const hello = await client.run("HELLO 3 SETNAME me");
    assertMatch(hello, /^%7\r\n/);
    assertEquals(decode(hello), {
      server: "redis",
      version: REDIS_VERSION,
      proto: 3,
      id: 1,
      mode: "standalone",
      role: "master",
      modules: [],
    });
    assertEquals(await client.run("GET missing"), "_\r\n");
    assertEquals(await client.run("CLIENT GETNAME"), "$2\r\nme\r\n");
    assertMatch(await client.run("HELLO"), /^%7\r\n/);
    assertMatch(await client.run("HELLO 2"), /^\*14\r\n/);
    assertEquals(await client.run("GET missing"), "$-1\r\n");
  }));

Deno.test("a failed HELLO leaves protocol and name as they were", () =>
  withServer(async (client) => {
    await client.run("HELLO 3 AUTH nobody x SETNAME me");
    assertEquals(await client.run("CLIENT GETNAME"), "$-1\r\n");
  }));

Deno.test("a password keeps clients out until they give it", () =>
  withServer(async (client) => {
    assertEquals(await client.run("PING"), "-NOAUTH Authentication required.\r\n");
    assertMatch(await client.run("HELLO 3"), /^-NOAUTH HELLO must be called with the client already authenticated/);
    assertEquals(await client.run("AUTH wrong"), "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    assertEquals(
      await client.run("AUTH default"),
      "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    );
    assertEquals(
      await client.run("AUTH other sesame"),
      "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    );
    assertEquals(await client.run("AUTH default sesame"), "+OK\r\n");
    assertEquals(await client.run("PING"), "+PONG\r\n");
    assertEquals(await client.run("RESET"), "+RESET\r\n");
    assertEquals(await client.run("PING"), "-NOAUTH Authentication required.\r\n");
    assertMatch(await client.run("HELLO 3 AUTH default sesame"), /^%7\r\n/);
    assertEquals(await client.run("AUTH sesame"), "+OK\r\n");
    assertMatch(await client.run("INFO stats"), /acl_access_denied_auth:3\r\n/);
  }, PROTECTED));

Deno.test("large requests are taken only from who is let in", () =>
  withServer(async (client, server) => {
    const large = encodeRequest(["ECHO", "x".repeat(20_000)]);
    await client.send(large);
    assertMatch(await client.drain(), /^-ERR Protocol error: unauthenticated bulk length/);
    const other = await server.connect();
    await other.run("AUTH sesame");
    await other.send(large);
    assertEquals((await other.receive()).length, 20_000 + 10);
  }, PROTECTED));

Deno.test("passwords are hidden from the slow log", () =>
  withServer(async (client) => {
    await client.run("CONFIG SET slowlog-log-slower-than 0");
    await client.run("AUTH default secret");
    await client.run("HELLO 2 AUTH default secret SETNAME me");
    const log = decode(await client.run("SLOWLOG GET")) as unknown[][];
    assertEquals(log.map((entry) => entry[3]).slice(0, 2), [
      ["HELLO", "2", "AUTH", "(redacted)", "(redacted)", "SETNAME", "me"],
      ["AUTH", "(redacted)", "(redacted)"],
    ]);
  }));

Deno.test("RESET restores the initial state of the connection, except for the library's name and version", () =>
  withServer(async (client) => {
    await client.run("HELLO 3 SETNAME me");
    await client.run("CLIENT SETINFO lib-name mine");
    await client.run("CLIENT NO-TOUCH on");
    await client.run("CLIENT NO-EVICT on");
    await client.run("SELECT 5");
    assertMatch(await client.run("CLIENT INFO"), / name=me .* flags=eT db=5 .* resp=3 lib-name=mine /);
    assertEquals(await client.run("RESET"), "+RESET\r\n");
    assertMatch(await client.run("CLIENT INFO"), / name= .* flags=N db=0 .* resp=2 lib-name=mine /);
  }));

Deno.test("QUIT is answered, and nothing behind it is run", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.send("PING\r\nQUIT\r\nSET a b\r\n");
  assertEquals(await client.drain(), "+PONG\r\n+OK\r\n");
  assertEquals(await (await server.connect()).run("EXISTS a"), ":0\r\n");
});

differential("connection commands answer as Redis's do, errors included", async (pair) => {
  await pair.sameLines(`
    PING
    PING x
    PING a b
    ECHO x
    ECHO
    ECHO a b
    SELECT 1
    SET a b
    SELECT 0
    GET a
    SELECT 15
    SELECT 16
    SELECT -1
    SELECT a
    SELECT 99999999999
    SELECT 99999999999999999999
    AUTH
    AUTH a
    AUTH default a
    AUTH foo a
    AUTH a b c
    HELLO a
    HELLO 1
    HELLO 4
    HELLO 3 FOO
    HELLO 3 AUTH a
    HELLO 3 SETNAME
    HELLO 3 SETNAME é
    HELLO 3 AUTH foo bar
    HELLO 3 AUTH default bar FOO
    RESET
    RESET a
    INFO cluster
  `);
  await pair.same("HELLO", "3", "SETNAME", "a b");
  await pair.same("ECHO", new Uint8Array([0, 255, 13, 10]));
});

differential("a password is asked for as by Redis", async (pair) => {
  await pair.sameLines(`
    PING
    GET
    NOTHING
    GET a
    HELLO 3
    HELLO 4
    HELLO 2 AUTH default wrong
    AUTH wrong
    AUTH
    AUTH default sesame
    PING
    AUTH wrong
    PING
    RESET
    PING
    AUTH sesame
    PING
  `);
}, { requirepass: "sesame" });
