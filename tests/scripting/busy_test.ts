/**
 * Scripts that run for long: other clients get BUSY, and SCRIPT KILL or SHUTDOWN NOSAVE ends the script. The server is
 * a process of its own, because a script holds its thread.
 */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ServerProcess, unixTest } from "../e2e/process.ts";
import { encodeRequest, TestClient } from "../helpers/client.ts";

const BUSY = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";
const KILLED = /^-ERR Script killed by user with SCRIPT KILL\.\.\. script: [0-9a-f]{40}, on @user_script:\d+\.\r\n$/;
const NOT_BUSY = "-NOTBUSY No scripts in execution right now.\r\n";

function start(): Promise<ServerProcess> {
  return ServerProcess.start(["--busy-reply-threshold", "20"]);
}

/** A script that runs for long. */
interface Busy {
  /** Its reply. */
  readonly reply: Promise<string>;
  /** Another client. */
  readonly other: TestClient;
}

/** Starts a script on its own connection and waits until another client gets BUSY. */
async function busyWith(server: ServerProcess, script: string): Promise<Busy> {
  const runner = await server.connect(), other = await server.connect();
  const reply = runner.command("EVAL", script, "0");
  while (await other.run("GET x") !== BUSY);
  return { reply, other };
}

/** Scripts that never end by themselves. */
const ENDLESS: Readonly<Record<string, string>> = {
  "a loop": "while true do end",
  "a loop that catches errors": "while true do pcall(function() while true do end end) end",
  "a loop of xpcall": "while true do xpcall(function() while true do end end, function() while true do end end) end",
  "a coroutine": "while true do coroutine.wrap(function() while true do end end)() end",
  "coroutines that catch errors":
    "while true do local c = coroutine.create(function() while true do pcall(function() while true do end end) end end) coroutine.resume(c) end",
  "a pattern that explodes": "return string.find(string.rep('a', 30000), string.rep('a-', 20) .. 'b')",
  "patterns that fail late": "while true do string.match(string.rep('a', 100000), '.-b') end",
  "a plain search":
    "local s = string.rep('a', 1000000) while true do string.find(s, string.rep('a', 500000) .. 'b', 1, true) end",
  "a repetition of nothing": "while true do string.rep('', 2147483647) end",
  "a long concatenation": "local s = string.rep('x', 10000000) while true do local t = s .. s end",
  "comparisons of long strings":
    "local a = string.rep('x', 10000000) .. 'a' local b = string.rep('x', 10000000) .. 'b' while true do local c = a < b end",
  "numbers with many digits": "local s = string.rep('0', 10000000) while true do local n = tonumber(s) end",
  "an insertion far away": "while true do table.insert({}, -2147483648, 1) end",
  "a sort of many": "local t = {} for i = 1, 500000 do t[i] = i % 7 end while true do table.sort(t) end",
  "a sort that never agrees":
    "while true do local t = {} for i = 1, 1000 do t[i] = i end pcall(table.sort, t, function() return true end) end",
  "substitutions": "while true do string.gsub(string.rep('a', 100000), 'a', pcall) end",
  "garbage collection": "local t = {} for i = 1, 300000 do t[i] = {} end while true do collectgarbage() end",
  "an emptied table":
    "local t = {} for i = 1, 1000000 do t[i] = i end for i = 1, 1000000 do t[i] = nil end while true do next(t) end",
  "json": "local s = '[' .. string.rep(' ', 5000000) .. ']' while true do cjson.decode(s) end",
  "commands": "while true do redis.call('GET', 'x') end",
  "commands that fail": "while true do redis.pcall('NOPE') end",
  "hashes": "local s = string.rep('x', 1000000) while true do redis.sha1hex(s) end",
  "loading of code": "local s = string.rep(' ', 5000000) while true do loadstring(s) end",
};

unixTest("SCRIPT KILL ends every script that has not written, and the server goes on", async () => {
  await using server = await start();
  for (const [name, script] of Object.entries(ENDLESS)) {
    const { reply, other } = await busyWith(server, script);
    assertEquals(await other.run("SCRIPT KILL"), "+OK\r\n", name);
    assertMatch(await reply, KILLED, name);
    assertEquals(await other.run("GET x"), "$-1\r\n", name);
    assertEquals(await other.run("SCRIPT KILL"), NOT_BUSY, name);
  }
});

unixTest("a script that has written cannot be killed, but SHUTDOWN NOSAVE ends it with the server", async () => {
  await using server = await start();
  const { reply, other } = await busyWith(server, "redis.call('SET', 'x', 1) while true do end");
  assertMatch(await other.run("SCRIPT KILL"), /^-UNKILLABLE Sorry the script already executed write commands/);
  assertEquals(await other.run("SHUTDOWN"), BUSY);
  await other.send("*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n");
  await assertRejects(() => other.receive());
  // The connection has ended behind the listener.
  await assertRejects(() => TestClient.connect(server.port));
  assertEquals(await server.ended(), 0);
  assertMatch(await reply, KILLED);
});

unixTest("requests of the script's own client wait, and run after it", async () => {
  await using server = await start();
  const runner = await server.connect();
  await runner.send(encodeRequest(["EVAL", "while true do end", "0"]));
  await runner.send(encodeRequest(["SET", "a", "1"]));
  const other = await server.connect();
  while (await other.run("GET x") !== BUSY);
  await runner.send(encodeRequest(["GET", "a"]));
  assertEquals(await other.run("PING"), BUSY);
  assertEquals(await other.run("MULTI"), "+OK\r\n");
  assertEquals(await other.run("SET b 1"), BUSY);
  assertEquals(await other.run("SCRIPT KILL"), "+QUEUED\r\n");
  assertEquals(await other.run("DISCARD"), "+OK\r\n");
  assertEquals(await other.run("SCRIPT KILL"), "+OK\r\n");
  assertMatch(await runner.receive(), KILLED);
  assertEquals(await runner.receive(), "+OK\r\n");
  assertEquals(await runner.receive(), "$1\r\n1\r\n");
});

unixTest("a client that leaves while its script runs does no harm", async () => {
  await using server = await start();
  const runner = await TestClient.connect(server.port);
  await runner.send(encodeRequest(["EVAL", "while true do end", "0"]));
  const other = await server.connect();
  while (await other.run("GET x") !== BUSY);
  runner.close();
  assertEquals(await other.run("GET x"), BUSY);
  assertEquals(await other.run("SCRIPT KILL"), "+OK\r\n");
  assertEquals(await other.run("GET x"), "$-1\r\n");
});

unixTest("a script without limit of time is left alone", async () => {
  await using server = await ServerProcess.start(["--busy-reply-threshold", "0"]);
  const client = await server.connect();
  assertEquals(await client.command("EVAL", "for i = 1, 20000000 do end return 'done'", "0"), "$4\r\ndone\r\n");
});
