/** The differences to Redis that docs/compatibility.md lists as decided, each tested with its chosen behavior. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { decode } from "../helpers/decode.ts";
import { withServer } from "../helpers/server.ts";

Deno.test("LSET refuses an index beyond 32 bits", () =>
  withServer(async (client) => {
    await client.run("RPUSH l a b c");
    for (const index of ["2147483648", "4294967296", "-4294967295", "9223372036854775807"]) {
      assertEquals(await client.run(`LSET l ${index} x`), "-ERR index out of range\r\n", index);
    }
    assertEquals(decode(await client.run("LRANGE l 0 -1")), ["a", "b", "c"]);
  }));

Deno.test("GEOSEARCH finds members on both sides of 180 degrees, and at the greatest latitude", () =>
  withServer(async (client) => {
    await client.run("GEOADD g 180 0 east -180 0 west 179.9 0 e2 -179.9 0 w2 10 85.05112878 north");
    for (const longitude of ["180", "-180"]) {
      const found = decode(await client.run(`GEOSEARCH g FROMLONLAT ${longitude} 0 BYRADIUS 50 km`)) as string[];
      assertEquals(found.toSorted(), ["e2", "east", "w2", "west"]);
    }
    assertEquals(decode(await client.run("GEOSEARCH g FROMLONLAT 10 85 BYRADIUS 100 km")), ["north"]);
  }));

Deno.test("a field is missing to every command from its deadline on", () =>
  withServer(async (client, { clock }) => {
    await client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    await client.run("HSET h a 1 b 2");
    await client.run("HPEXPIRE h 10 FIELDS 1 a");
    clock.advance(10);
    assertEquals(await client.run("HLEN h"), ":1\r\n");
    assertEquals(await client.run("HDEL h a"), ":0\r\n");
  }));

Deno.test("SORT BY ALPHA leaves elements of equal weight in the order of the list, with a LIMIT as well", () =>
  withServer(async (client) => {
    const elements = Array.from({ length: 500 }, (_, i) => String((i * 7919) % 500));
    await client.command("RPUSH", "l", ...elements);
    assertEquals(decode(await client.run("SORT l BY none_* ALPHA")), elements);
    assertEquals(decode(await client.run("SORT l BY none_* ALPHA LIMIT 100 50")), elements.slice(100, 150));
  }));

Deno.test("OBJECT FREQ of a small integer is that of its key", () =>
  withServer(async (client) => {
    await client.run("MSET a 1 b 1");
    for (let i = 0; i < 50; i++) await client.run("GET a");
    assert(Number(decode(await client.run("OBJECT FREQ a"))) > 5);
    assertEquals(await client.run("OBJECT FREQ b"), ":5\r\n");
  }, { settings: { "maxmemory-policy": "allkeys-lfu" } }));

Deno.test("HELP has the form of Redis's, and ends with HELP itself", () =>
  withServer(async (client) => {
    for (const name of ["CLIENT", "COMMAND", "CONFIG", "DEBUG", "MEMORY", "OBJECT", "SLOWLOG"]) {
      const lines = decode(await client.run(`${name} HELP`)) as string[];
      assertEquals(lines[0], `${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
      assertEquals(lines.slice(-2), ["HELP", "    Print this help."]);
      for (const line of lines.slice(2).filter((_, i) => i % 2 === 0)) assertMatch(line, /^ {4}[A-Z].*\.$/, name);
    }
  }));

Deno.test("the knobs of DEBUG without an effect are those that docs/compatibility.md lists", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/compatibility.md", import.meta.url));
  await withServer(async (client) => {
    const lines = decode(await client.run("DEBUG HELP")) as string[];
    const idle = lines.filter((_, i) => lines[i + 1]?.startsWith("    No effect")).map((line) => line.split(" ")[0]);
    assertEquals(idle.length, 5);
    for (const name of idle) assert(text.includes(`| \`${name}\``), name);
  });
});

Deno.test("SWAPDB tells clients that cache that all keys are invalid", () =>
  withServer(async (client) => {
    await client.run("HELLO 3");
    await client.run("CLIENT TRACKING ON");
    await client.run("SET k v");
    await client.run("GET k");
    assertEquals(await client.run("SWAPDB 0 1"), "+OK\r\n");
    assertEquals(await client.receive(), ">2\r\n$10\r\ninvalidate\r\n_\r\n");
  }));

Deno.test("CLIENT TRACKING refuses prefixes that overlap, wherever they stand", () =>
  withServer(async (client) => {
    assertEquals(
      await client.run("CLIENT TRACKING ON BCAST PREFIX x PREFIX foo PREFIX foobar"),
      "-ERR Prefix 'foo' overlaps with another provided prefix 'foobar'. Prefixes for a single client must not overlap.\r\n",
    );
    assertEquals(await client.run("CLIENT GETREDIR"), ":-1\r\n");
  }));

Deno.test("scripts have no debugger, and limits where Redis would use up its stack", () =>
  withServer(async (client) => {
    assertEquals(await client.run("SCRIPT DEBUG NO"), "+OK\r\n");
    assertEquals(await client.run("SCRIPT DEBUG YES"), "-ERR The debugger for Lua scripts is not available\r\n");
    assertEquals(await client.run("SCRIPT DEBUG x"), "-ERR Use SCRIPT DEBUG YES/SYNC/NO\r\n");
    const pattern = "return string.match(string.rep('a', 5000), string.rep('a?', 5000))";
    assertMatch(await client.command("EVAL", pattern, "0"), /pattern too complex/);
    const json = "cjson.decode_max_depth(5000) local ok, e = pcall(cjson.decode, string.rep('[', 5000)) " +
      "cjson.decode_max_depth(1000) return e";
    assertMatch(await client.command("EVAL", json, "0"), /Found too many nested data structures \(1501\)/);
  }));

Deno.test("a library whose functions differ in case only is refused", () =>
  withServer(async (client) => {
    const code = "#!lua name=lib\nfor _, name in pairs({'f'}) do end";
    assertMatch(await client.command("FUNCTION", "LOAD", code), /^-ERR Error registering functions/);
    const register = (name: string) => `redis.register_function('${name}', function() end)\n`;
    const both = `#!lua name=lib\n${register("f")}${register("F")}`;
    assertEquals(await client.command("FUNCTION", "LOAD", both), "-ERR Function F already exists\r\n");
  }));

Deno.test("SET with GET and a bad digest has one reply", () =>
  withServer(async (client) => {
    await client.run("SET k v");
    assertEquals(
      await client.run("SET k w IFDEQ abc GET"),
      "-ERR must be exactly 16 hexadecimal characters\r\n",
    );
    assertEquals(await client.run("GET k"), "$1\r\nv\r\n");
  }));

Deno.test("EXEC runs no command on keys that its user may no longer use", () =>
  withServer(async (client, server) => {
    await client.run("ACL SETUSER u on nopass ~a +@all");
    const other = await server.connect();
    for (const line of ["AUTH u x", "MULTI", "SET a 1"]) await other.run(line);
    await client.run("ACL SETUSER u resetkeys");
    assertMatch(
      await other.run("EXEC"),
      /^\*1\r\n-NOPERM ACLs rules changed .* no permission to touch the specified keys/,
    );
    assertEquals(await client.run("EXISTS a"), ":0\r\n");
  }));

Deno.test("a wrong password is answered behind other replies too", () =>
  withServer(async (client) => {
    await client.send("PING\r\nAUTH nobody x\r\nPING\r\n");
    assertEquals(await client.receive(), "+PONG\r\n");
    assertMatch(await client.receive(), /^-WRONGPASS /);
    assertEquals(await client.receive(), "+PONG\r\n");
  }));

Deno.test("rules about commands of Redis that are missing here are kept", () =>
  withServer(async (client) => {
    assertEquals(await client.run("ACL SETUSER u +psync -REPLICAOF +cluster|slots skip-sanitize-payload"), "+OK\r\n");
    const [line] = (decode(await client.run("ACL LIST")) as string[]).filter((each) => each.startsWith("user u "));
    assertEquals(line, "user u off skip-sanitize-payload resetchannels -@all +psync -replicaof +cluster|slots");
  }));
