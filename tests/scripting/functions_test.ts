/**
 * Functions: they survive in files, exchange with redis-server, and take no harm from each other.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { ServerProcess } from "../e2e/process.ts";
import { Folder, unixTest } from "../e2e/process.ts";
import type { TestClient } from "../helpers/client.ts";
import { differential } from "../helpers/redis.ts";
import { withServer } from "../helpers/server.ts";

const COUNTER = "#!lua name=counter\nlocal n = 0\nredis.register_function('count', function() n = n + 1 return n end)";
const SETTER =
  "#!lua name=setter\nredis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)";

function payloadOf(reply: string): Uint8Array {
  return Uint8Array.from(reply.slice(reply.indexOf("\r\n") + 2, -2), (c) => c.charCodeAt(0));
}

differential("dumps of functions exchange with Redis", async ({ memdb, redis }) => {
  for (const [from, to] of [[memdb, redis], [redis, memdb]] as [TestClient, TestClient][]) {
    assertEquals(await from.command("FUNCTION", "FLUSH"), "+OK\r\n");
    assertEquals(await to.command("FUNCTION", "FLUSH"), "+OK\r\n");
    await from.command("FUNCTION", "LOAD", COUNTER);
    await from.command("FUNCTION", "LOAD", SETTER);
    const payload = payloadOf(await from.command("FUNCTION", "DUMP"));
    assertEquals(await to.command("FUNCTION", "RESTORE", payload), "+OK\r\n");
    assertEquals(await to.command("FCALL", "count", "0"), ":1\r\n");
    assertEquals(await to.command("FCALL", "put", "1", "a", "b"), "+OK\r\n");
    assertMatch(await to.command("FUNCTION", "RESTORE", payload), /^-ERR Library (counter|setter) already exists\r\n$/);
    assertEquals(await to.command("FUNCTION", "RESTORE", payload, "REPLACE"), "+OK\r\n");
    assertEquals(await to.command("FCALL", "count", "0"), ":1\r\n");
    assertEquals(await to.command("FUNCTION", "RESTORE", payload, "FLUSH"), "+OK\r\n");
    payload[payload.length - 1] ^= 1;
    assertEquals(
      await to.command("FUNCTION", "RESTORE", payload),
      "-ERR DUMP payload version or checksum are wrong\r\n",
    );
  }
});

differential("a function whose name is taken in another library changes nothing", async (pair) => {
  await pair.same("FUNCTION", "LOAD", SETTER);
  const other = "#!lua name=other\nredis.register_function('own', function() return 1 end)\n" +
    "redis.register_function('put', function() return 2 end)";
  assertMatch(await pair.same("FUNCTION", "LOAD", other), /already exists/);
  await pair.same("FCALL", "own", "0");
  await pair.same("FCALL", "put", "1", "k", "v");
  await pair.same("FUNCTION", "LOAD", "REPLACE", other.replace("name=other", "name=setter"));
  await pair.same("FCALL", "put", "1", "k", "v");
});

Deno.test("two functions whose names differ in case only are refused", () =>
  withServer(async (client) => {
    const code =
      "#!lua name=twice\nredis.register_function('f1', function() end) redis.register_function('F1', function() end)";
    assertMatch(await client.command("FUNCTION", "LOAD", code), /^-ERR Function F1 already exists/);
    assertEquals(await client.command("FUNCTION", "DELETE", "twice"), "-ERR Library not found\r\n");
    assertEquals(await client.command("FCALL", "f1", "0"), "-ERR Function not found\r\n");
  }));

Deno.test("a failed call with a table leaves FUNCTION FLUSH harmless", () =>
  withServer(async (client) => {
    await client.command(
      "FUNCTION",
      "LOAD",
      "#!lua name=t\nredis.register_function('t', function() return redis.call({}) end)",
    );
    assertMatch(await client.command("FCALL", "t", "0"), /must be strings or integers/);
    assertEquals(await client.command("FUNCTION", "FLUSH"), "+OK\r\n");
    assertEquals(await client.command("FUNCTION", "LOAD", COUNTER), "$7\r\ncounter\r\n");
    assertEquals(await client.command("FCALL", "count", "0"), ":1\r\n");
  }));

Deno.test("libraries come back after a function has lost the state", () =>
  withServer(async (client) => {
    await client.command("FUNCTION", "LOAD", COUNTER);
    await client.command(
      "FUNCTION",
      "LOAD",
      "#!lua name=big\nredis.register_function('big', function() return #string.rep(string.rep('x', 100000), 1000) end)",
    );
    assertEquals(await client.command("FCALL", "count", "0"), ":1\r\n");
    assertEquals(await client.command("FCALL", "big", "0"), ":100000000\r\n");
    assertEquals(await client.command("FCALL", "count", "0"), ":1\r\n");
  }));

unixTest("functions survive in the append-only file, its rewrite and snapshots", async () => {
  await using folder = new Folder();
  const list = ["FUNCTION", "LIST", "WITHCODE"] as const;
  let listed = "";
  {
    await using server = await ServerProcess.start(["--aofpath", folder.file("a.aof")], { cwd: folder.path });
    await server.command("FUNCTION", "LOAD", SETTER);
    await server.command("FCALL", "put", "1", "k", "from a function");
    listed = await server.command(...list);
    await server.stop();
  }
  for (const keep of ["BGREWRITEAOF", "FLUSHALL", "SAVE"]) {
    await using server = await ServerProcess.start(["--aofpath", folder.file("a.aof")], { cwd: folder.path });
    assertEquals(await server.command(...list), listed, keep);
    await server.command(keep);
    while (/aof_rewrite_in_progress:1/.test(await server.command("INFO", "persistence")));
    assertEquals(await server.command("FCALL", "put", "1", "k", keep), "+OK\r\n");
    await server.stop();
  }
  await using server = await ServerProcess.start(["--dbfilename", "dump.rdb"], { cwd: folder.path });
  assertEquals(await server.command(...list), listed);
});

Deno.test("scripts that may run every command still run no other script", () =>
  withServer(async (client) => {
    await client.run("DEBUG SET-DISABLE-DENY-SCRIPTS 1");
    await client.command("FUNCTION", "LOAD", COUNTER);
    await client.command("SCRIPT", "LOAD", "return 1");
    for (
      const call of [
        "'EVAL', 'return 1', 0",
        "'FCALL', 'count', 0",
        "'SCRIPT', 'LOAD', 'return 2'",
        "'EVAL', 'return 3', 0",
      ]
    ) {
      const reply = await client.command("EVAL", `return redis.call(${call})`, "0");
      assertMatch(reply, /^-ERR This Redis command is not allowed from script/, call);
    }
    assertEquals(await client.command("EVAL", "return redis.call('SCRIPT', 'EXISTS', 'x')[1]", "0"), ":0\r\n");
    assertEquals(await client.command("FCALL", "count", "0"), ":1\r\n");
  }));
