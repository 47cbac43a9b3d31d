/** CLIENT and its subcommands. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { decode } from "../../helpers/decode.ts";
import { differential, redisTest, withRedis } from "../../helpers/redis.ts";
import { TestServer, withServer } from "../../helpers/server.ts";

/** The lines of CLIENT LIST as objects. */
function clients(reply: string): Record<string, string>[] {
  const text = decode(reply) as string;
  return text.split("\n").filter((line) => line !== "").map((line) =>
    Object.fromEntries(line.split(" ").map((field) => field.split(/=(.*)/s).slice(0, 2)))
  );
}

Deno.test("CLIENT LIST shows every connection, CLIENT INFO one's own", () =>
  withServer(async (client, server) => {
    const other = await server.connect();
    await other.run("HELLO 3 SETNAME other");
    await other.run("SELECT 2");
    server.clock.advance(3500);
    const list = clients(await client.run("CLIENT LIST"));
    assertEquals(list.map(({ id, name, db, resp, cmd, age, idle }) => ({ id, name, db, resp, cmd, age, idle })), [
      { id: "1", name: "", db: "0", resp: "2", cmd: "client|list", age: "3", idle: "0" },
      { id: "2", name: "other", db: "2", resp: "3", cmd: "select", age: "3", idle: "3" },
    ]);
    assertMatch(list[0].addr, /^127\.0\.0\.1:\d+$/);
    assertEquals(list[0].laddr, `127.0.0.1:${server.port}`);
    const reply = await other.run("CLIENT INFO");
    assertMatch(reply, /^=\d+\r\ntxt:id=2 /);
    assertEquals(clients(reply).length, 1);
  }));

redisTest("the line of CLIENT LIST has the fields of Redis in its order", () =>
  withRedis(async (redis) => {
    await withServer(async (client) => {
      const names = async (from: typeof client) => Object.keys(clients(await from.run("CLIENT LIST"))[0]);
      assertEquals(await names(client), await names(redis));
    });
  }));

Deno.test("CLIENT LIST filters by kind and by id", () =>
  withServer(async (client, server) => {
    await (await server.connect()).run("PING");
    await (await server.connect()).run("PING");
    const ids = async (line: string) => clients(await client.run(line)).map(({ id }) => id);
    assertEquals(await ids("CLIENT LIST ID 3 99 1"), ["3", "1"]);
    assertEquals(await ids("CLIENT LIST TYPE normal"), ["1", "2", "3"]);
    assertEquals(await ids("CLIENT LIST TYPE pubsub"), []);
  }));

Deno.test("CLIENT LIST shows an unknown command as none", () =>
  withServer(async (client, server) => {
    await (await server.connect()).run("NOTHING");
    assertEquals(clients(await client.run("CLIENT LIST"))[1].cmd, "NULL");
  }));

Deno.test("CLIENT KILL ends connections by address, id and other filters", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.run("PING");
  const victim = async () => {
    const other = await server.connect();
    await other.run("PING");
    return { other, fields: clients(await client.run("CLIENT LIST")).at(-1)! };
  };
  const old = await victim();
  assertEquals(await client.run(`CLIENT KILL ${old.fields.addr}`), "+OK\r\n");
  assertEquals(await old.other.drain(), "");
  const byId = await victim();
  assertEquals(await client.run(`CLIENT KILL ID ${byId.fields.id} TYPE pubsub`), ":0\r\n");
  assertEquals(await client.run(`CLIENT KILL ID ${byId.fields.id} TYPE normal`), ":1\r\n");
  assertEquals(await byId.other.drain(), "");
  const byAge = await victim();
  server.clock.advance(10_000);
  const young = await victim();
  assertEquals(await client.run("CLIENT KILL MAXAGE 10"), ":1\r\n");
  assertEquals(await byAge.other.drain(), "");
  assertEquals(await young.other.run("PING"), "+PONG\r\n");
  assertEquals(await client.run(`CLIENT KILL LADDR 127.0.0.1:${server.port} USER default`), ":1\r\n");
  assertEquals(await young.other.drain(), "");
});

Deno.test("CLIENT KILL spares its own connection unless told, and answers before it ends it", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  assertEquals(await client.run("CLIENT KILL TYPE normal"), ":0\r\n");
  await client.send("CLIENT KILL TYPE normal SKIPME no\r\nPING\r\n");
  assertEquals(await client.drain(), ":1\r\n");
});

Deno.test("CLIENT REPLY drops replies", () =>
  withServer(async (client) => {
    await client.send("CLIENT REPLY SKIP\r\nPING 1\r\nPING 2\r\n");
    assertEquals(await client.receive(), "$1\r\n2\r\n");
    await client.send("CLIENT REPLY OFF\r\nPING 3\r\nNOTHING\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING 4\r\n");
    assertEquals(await client.receive(), "+OK\r\n");
    assertEquals(await client.receive(), "$1\r\n4\r\n");
  }));

Deno.test("CLIENT NO-TOUCH leaves the clocks of keys alone", () =>
  withServer(async (client, server) => {
    await client.run("SET a b");
    server.clock.advance(7000);
    await client.run("CLIENT NO-TOUCH ON");
    await client.run("GET a");
    assertMatch(await client.run("DEBUG OBJECT a"), /lru_seconds_idle:7\r/);
    await client.run("CLIENT NO-TOUCH OFF");
    await client.run("GET a");
    assertMatch(await client.run("DEBUG OBJECT a"), /lru_seconds_idle:0\r/);
  }));

Deno.test("an unknown subcommand of CLIENT is an error, and the connection goes on", () =>
  withServer(async (client) => {
    assertEquals(
      await client.run("CLIENT MAINT_NOTIFICATIONS ON"),
      "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n",
    );
    assertEquals(await client.run("PING"), "+PONG\r\n");
  }));

Deno.test("CLIENT HELP describes each subcommand in two lines", () =>
  withServer(async (client) => {
    const lines = decode(await client.run("CLIENT HELP")) as string[];
    assertEquals(lines[0], "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    assertEquals(lines.slice(-2), ["HELP", "    Print this help."]);
    assert(lines.includes("SETNAME connection-name"));
  }));

differential("CLIENT answers as Redis's does, errors included", async (pair) => {
  await pair.sameLines(`
    CLIENT
    CLIENT NOPE
    CLIENT ID 1
    CLIENT GETNAME
    CLIENT GETNAME x
    CLIENT SETNAME me
    CLIENT GETNAME
    CLIENT SETNAME ""
    CLIENT GETNAME
    CLIENT SETNAME
    CLIENT SETINFO
    CLIENT SETINFO foo bar
    CLIENT SETINFO LIB-name x
    CLIENT SETINFO lib-ver 1.0.0
    CLIENT SETINFO LIB-VER ""
    CLIENT KILL
    CLIENT KILL 1.2.3.4:5
    CLIENT KILL ID 0
    CLIENT KILL ID -1
    CLIENT KILL ID a
    CLIENT KILL ID 99999
    CLIENT KILL ID 99999 FOO
    CLIENT KILL ID 99999 FOO bar
    CLIENT KILL ID 99999 ID 99998
    CLIENT KILL MAXAGE a
    CLIENT KILL MAXAGE 0
    CLIENT KILL MAXAGE 9999999
    CLIENT KILL TYPE zork
    CLIENT KILL TYPE slave
    CLIENT KILL TYPE Replica
    CLIENT KILL TYPE master
    CLIENT KILL USER zork
    CLIENT KILL SKIPME maybe
    CLIENT KILL SKIPME
    CLIENT KILL SKIPME yes ADDR 1.2.3.4:5
    CLIENT LIST TYPE zork
    CLIENT LIST TYPE slave
    CLIENT LIST TYPE normal foo
    CLIENT LIST TYPE
    CLIENT LIST ID
    CLIENT LIST ID a
    CLIENT LIST ID 100 200
    CLIENT LIST ID 100 x
    CLIENT LIST FOO
    CLIENT LIST FOO bar
    CLIENT INFO a
    CLIENT NO-EVICT
    CLIENT NO-EVICT maybe
    CLIENT NO-EVICT on
    CLIENT NO-EVICT OFF
    CLIENT NO-TOUCH maybe
    CLIENT NO-TOUCH on
    CLIENT NO-TOUCH OFF
    CLIENT REPLY maybe
    CLIENT REPLY ON
    CLIENT REPLY
  `);
  await pair.same("CLIENT", "SETNAME", "a b");
  await pair.same("CLIENT", "SETINFO", "LIB-name", "a b");
  await pair.same("HELLO", "3", "SETNAME", "x\ny");
});
