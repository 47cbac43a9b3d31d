import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { latin1 } from "../helpers/client.ts";
import { TestServer, withServer } from "../helpers/server.ts";
import { SeedError } from "../../src/tools/seed_error.ts";

/** Runs `body` with a file that contains this text. */
async function withFile(text: string | Uint8Array, body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/seed`;
    await Deno.writeFile(path, typeof text === "string" ? new TextEncoder().encode(text) : text);
    await body(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Starts a server with a seed and checks the replies to commands. */
async function seeded(text: string | Uint8Array, replies: Record<string, string>): Promise<void> {
  await withFile(text, (path) =>
    withServer(async (client) => {
      for (const [command, reply] of Object.entries(replies)) {
        assertEquals((await client.run(command)).replaceAll("\r\n", " ").trim(), reply, command);
      }
    }, { settings: { seed: path } }));
}

/** Starts a server with an invalid seed; the start must fail with this message. */
async function refused(text: string | Uint8Array, message: string): Promise<void> {
  await withFile(text, async (path) => {
    const error = await assertRejects(() => TestServer.start({ settings: { seed: path } }), SeedError);
    assertEquals(error.message.startsWith(`seed ${path}`), true, error.message);
    assertStringIncludes(error.message.slice(`seed ${path}`.length), message);
  });
}

Deno.test("commands are read as one types them", () =>
  seeded(
    `# users
SET greeting "hello\\nworld"
  rpush list 'a b' c \r

select 2
SET other "\\x41" EX 100
INCRBY counter 41
INCR counter`,
    {
      "GET greeting": "$11 hello\nworld",
      "LRANGE list 0 -1": "*2 $3 a b $1 c",
      "GET other": "$-1",
      "SELECT 2": "+OK",
      "STRLEN other": ":1",
      "GET counter": "$2 42",
      "TTL other": ":100",
    },
  ));

Deno.test("a byte order mark is no part of a seed", () => seeded("\uFEFFSET a 1", { "GET a": "$1 1" }));

Deno.test("RESP is read, an append-only file with its checksums too", async () => {
  const resp = "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n";
  await seeded(resp, { "STRLEN a": ":2" });
  await refused(resp.slice(0, -1), ", line 4: byte 14: the file ends within a command");
  await refused(resp.replace("$1\r\na", "$1\r\nab"), "byte 14: argument 1 is longer or shorter than announced");
});

Deno.test("JSON values become strings and lists", () =>
  seeded(
    `{
  "name": "Ada \\u00e9\\n", "n": 10, "float": 1.50, "big": 123456789012345678901234567890, "on": true, "off": false,
  "queue": ["a", 2, true]
}`,
    {
      "STRLEN name": ":7",
      "INCR n": ":11",
      "GET float": "$4 1.50",
      "GET big": "$30 123456789012345678901234567890",
      "MGET on off": "*2 $4 true $5 false",
      "LRANGE queue 0 -1": "*3 $1 a $1 2 $4 true",
      "DBSIZE": ":7",
    },
  ));

Deno.test("JSON makes hashes of objects", () =>
  seeded(`{"user:1": {"name": "Ada", "age": 36}}`, {
    "HGET user:1 name": "$3 Ada",
    "HGET user:1 age": "$2 36",
    "HLEN user:1": ":2",
  }));

Deno.test("JSON has a longer form for sets, sorted sets and deadlines", () =>
  seeded(
    `{
  "tags": {"$set": ["a", "b", "a"]},
  "board": {"$zset": {"ada": 10, "bob": 7.5}, "$expire": 1.5},
  "text": {"$string": "x", "$expire": 60},
  "list": {"$list": [1]}
}`,
    {
      "SCARD tags": ":2",
      "ZRANGE board 0 -1": "*2 $3 bob $3 ada",
      "PTTL board": ":1500",
      "TTL text": ":60",
      "LLEN list": ":1",
    },
  ));

Deno.test("a wrong command is named with its line, and the server does not start", async () => {
  await refused("SET a 1\n\n# fine\nSETT b 2\n", ", line 4: SETT: ERR unknown command 'SETT'");
  await refused("SET a 1\nLPUSH a x", ", line 2: LPUSH: WRONGTYPE Operation");
  await refused('SET a "1', ", line 1: the quotes do not balance");
  await refused("SET a", ", line 1: SET: ERR wrong number of arguments");
  await refused("SHUTDOWN", ", line 1: SHUTDOWN is no command for a seed");
});

Deno.test("wrong JSON is named with its line", async () => {
  await refused('{\n"a": 1,\n"b": {"c": {"d": 1}}\n}', ', line 3: "b" holds an object where only text');
  await refused('{\n"a": [1,\n[2]]}', ', line 3: "a" holds an array');
  await refused('{\n"a": null}', ', line 2: "a" is null');
  await refused('{\n"a": 1\n"b": 2}', ', line 3: "," or "}" is missing');
  await refused('{"a": 1,\n"a": 2}', ', line 2: "a" stands there twice');
  await refused('{"a": tru}', ", line 1: a value is missing or misspelt");
  await refused('{"a": "x}', ", line 1: the text does not end");
  await refused('{"a": []}', ', line 1: "a" is empty');
  await refused("[1]", ", line 1: an object of keys is needed");
  await refused('{"a": 1} x', ", line 1: nothing may follow");
  await refused('{"a": {"$set": ["x"], "$list": ["y"]}}', ', line 1: "a" needs one of $string');
  await refused('{"a": {"$string": "x", "$expire": 0}}', ", line 1: $expire of");
  await refused('{"a": {"$zset": {"x": "much"}}}', ", line 1: ZADD: ERR value is not a valid float");
  await refused(Uint8Array.of(123, 34, 255, 34, 58, 49, 125), ": the text is not UTF-8");
});

Deno.test("a file that is missing stops the start", async () => {
  const error = await assertRejects(() => TestServer.start({ settings: { seed: "/nowhere/seed" } }), SeedError);
  assertStringIncludes(error.message, "cannot read seed /nowhere/seed");
});

Deno.test("a seed goes to the append-only file as one unit, and is not run again", async () => {
  await withFile("SELECT 1\nSET passing v EX 100\nINCR counter", async (path) => {
    const settings = { seed: path, appendonly: "yes", aofpath: `${path}.aof` };
    await withServer(async (client) => {
      await client.run("SELECT 1");
      assertEquals(await client.run("INCR counter"), ":2\r\n");
    }, { settings });
    const file = latin1(await Deno.readFile(`${path}.aof`));
    assertStringIncludes(file, "MULTI");
    assertStringIncludes(file, "PXAT");
    assertEquals(file.indexOf("MULTI") < file.indexOf("passing"), true);
    assertEquals(file.indexOf("counter") < file.indexOf("EXEC"), true);
    await withServer(async (client) => {
      await client.run("SELECT 1");
      assertEquals(await client.run("INCR counter"), ":3\r\n");
    }, { settings: { ...settings, restoredb: "yes" } });
  });
});

Deno.test("a wrong seed leaves no trace in the append-only file", async () => {
  await withFile("SET a 1\nNONSENSE", async (path) => {
    const settings = { seed: path, appendonly: "yes", aofpath: `${path}.aof` };
    await assertRejects(() => TestServer.start({ settings }), SeedError);
    assertEquals(latin1(await Deno.readFile(`${path}.aof`)).includes("*"), false);
  });
});
