import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { differential, redisTest, withRedis } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";
import { findSetting } from "../../../src/settings/settings.ts";
import { allSettings } from "../../../src/settings/table.ts";

/** Pairs of a reply to CONFIG GET, which is flat in RESP2. */
function pairs(reply: string): Map<string, string> {
  const words = reply.split("\r\n").slice(1, -1).filter((_, i) => i % 2 === 1);
  return new Map(words.filter((_, i) => i % 2 === 0).map((name, i) => [name, words[2 * i + 1]]));
}

Deno.test("CONFIG GET takes names and globs in any case, and shows each once", () =>
  withServer(async (client) => {
    assertEquals(await client.run("CONFIG GET MaxMemory"), "*2\r\n$9\r\nMaxMemory\r\n$1\r\n0\r\n");
    assertEquals(await client.run("CONFIG GET port PORT"), "*2\r\n$4\r\nport\r\n$1\r\n0\r\n");
    assertEquals(await client.run("CONFIG GET nothing"), "*0\r\n");
    const found = pairs(await client.run("CONFIG GET HASH-max-*-entries hash-max-ziplist-entries timeout"));
    assertEquals([...found.keys()], ["hash-max-listpack-entries", "hash-max-ziplist-entries", "timeout"]);
    await client.run("HELLO 3");
    assertEquals(await client.run("CONFIG GET timeout"), "%1\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
  }));

Deno.test("CONFIG SET changes all of its pairs or none", () =>
  withServer(async (client, { server }) => {
    assertEquals(await client.run("CONFIG SET timeout 5 hz 20"), "+OK\r\n");
    assertEquals([server.engine.settings.values.timeout, server.engine.settings.values.hz], [5, 20]);
    assertStringIncludes(await client.run("CONFIG SET timeout 6 hz x"), "-ERR CONFIG SET failed");
    assertEquals(server.engine.settings.values.timeout, 5);
  }));

Deno.test("CONFIG SET keeps passwords out of the slow log, also when it fails", () =>
  withServer(async (client, { server }) => {
    await client.run("CONFIG SET slowlog-log-slower-than 0");
    await client.run("CONFIG SET requirepass hidden timeout x");
    const shown = server.engine.commandLogs.slow.entries.flatMap(({ args }) =>
      args.map((arg) => new TextDecoder().decode(arg))
    );
    assertEquals(shown.includes("requirepass"), true);
    assertEquals(shown.some((arg) => arg.includes("hidden")), false);
  }));

Deno.test("CONFIG SET takes text in UTF-8, and says so in errors", () =>
  withServer(async (client) => {
    const word = "h\u00c3\u00a9"; // "hé", one character a byte
    assertEquals(await client.command("CONFIG", "SET", "requirepass", word), "+OK\r\n");
    await client.command("AUTH", word);
    assertEquals(await client.run("CONFIG GET requirepass"), `*2\r\n$11\r\nrequirepass\r\n$3\r\n${word}\r\n`);
    assertEquals(
      await client.command("CONFIG", "SET", word, "1"),
      `-ERR Unknown option or number of arguments for CONFIG SET - '${word}'\r\n`,
    );
  }));

Deno.test("CONFIG RESETSTAT resets the counters of INFO", () =>
  withServer(async (client, { server }) => {
    await client.run("CONFIG GET timeout");
    assertEquals(await client.run("CONFIG RESETSTAT"), "+OK\r\n");
    assertEquals(server.executor.table.named("config|get")!.stats.calls, 0);
  }));

Deno.test("CONFIG RESETSTAT resets the counters of expired keys and hash fields", () =>
  withServer(async (client, { clock }) => {
    await client.run("SET key value PX 1");
    await client.run("HSET hash short 1 long 2");
    await client.run("HPEXPIRE hash 1 FIELDS 1 short");
    clock.advance(2);
    await client.run("GET key");
    await client.run("HGETALL hash");
    assertMatch(await client.run("INFO stats"), /expired_subkeys:1\r\n.*expired_keys:1\r\n/s);
    await client.run("CONFIG RESETSTAT");
    assertMatch(await client.run("INFO stats"), /expired_subkeys:0\r\n.*expired_keys:0\r\n/s);
  }));

Deno.test("CONFIG SET logs once of each setting that it has no effect, and tells a client that waits for one", () =>
  withServer(async (client, { server }) => {
    const lines: string[] = [];
    server.engine.log = (level, text) => void lines.push(`${level} ${text}`);
    for (const depth of ["1", "2"]) {
      assertEquals(await client.command("CONFIG", "SET", "list-compress-depth", depth), "+OK\r\n");
    }
    await client.command("CONFIG", "SET", "list-compress-depth", "0");
    assertEquals(lines, ["warning list-compress-depth has no effect: lists are not compressed"]);
    for (const { name, idle } of allSettings.filter(({ awaited }) => awaited)) {
      const value = name === "notify-keyspace-events" ? "KEA" : "yes";
      assertStringIncludes(await client.command("CONFIG", "SET", name, value), `'${name}') - ${idle}`);
    }
  }));

Deno.test("CONFIG SET takes the value in force of every setting that CONFIG GET * shows, but for Redis's immutable ones", () =>
  withServer(async (client) => {
    for (const [name, value] of pairs(await client.run("CONFIG GET *"))) {
      if (name === "dir" || name === "dbfilename" || findSetting(name)!.change === "start") continue;
      assertEquals(await client.command("CONFIG", "SET", name, value), "+OK\r\n", name);
    }
    for (const name of ["sockets", "seed", "aofpath", "restoredb"]) {
      assertStringIncludes(await client.command("CONFIG", "SET", name, "no"), "-ERR CONFIG SET failed");
    }
  }));

Deno.test("CONFIG SET hz changes how often the work in the background runs", () =>
  withServer(async (client) => {
    const { setInterval } = globalThis;
    const periods: unknown[] = [];
    globalThis.setInterval = ((work: () => void, ms: number) => {
      periods.push(ms);
      return setInterval(work, ms);
    }) as typeof setInterval;
    try {
      await client.run("CONFIG SET hz 500");
      await client.run("CONFIG SET hz 500");
    } finally {
      globalThis.setInterval = setInterval;
    }
    assertEquals(periods, [2]);
  }));

Deno.test("CONFIG REWRITE writes the current settings, and needs a file", () =>
  withServer(async (client, { server }) => {
    assertEquals(await client.run("CONFIG REWRITE"), "-ERR The server is running without a config file\r\n");
    const folder = await Deno.makeTempDir();
    try {
      server.engine.configFile = `${folder}/memdb.conf`;
      await Deno.writeTextFile(server.engine.configFile, "# mine\ntimeout 0\n");
      if (Deno.build.os !== "windows") await Deno.chmod(server.engine.configFile, 0o600);
      await client.run("CONFIG SET timeout 7");
      assertEquals(await client.run("CONFIG REWRITE"), "+OK\r\n");
      assertStringIncludes(await Deno.readTextFile(server.engine.configFile), "# mine\ntimeout 7\n\n# Generated by");
      if (Deno.build.os !== "windows") assertEquals((await Deno.stat(server.engine.configFile)).mode! & 0o777, 0o600);
      assertEquals([...Deno.readDirSync(folder)].length, 1);
      server.engine.configFile = `${folder}/none/memdb.conf`;
      assertEquals(
        await client.run("CONFIG REWRITE"),
        "-ERR Rewriting config file: No such file or directory\r\n",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }));

const OWN_SETTINGS = new Set([
  "host",
  "sockets",
  "seed",
  "aofpath",
  "restoredb",
  "startexpiryloop",
  "personality",
  "rdb-version",
  "lua-memory-limit",
]);

differential("CONFIG GET * has Valkey's names and defaults under its personality", async ({ memdb, redis }) => {
  const theirs = pairs(await redis.run("CONFIG GET *")), ours = pairs(await memdb.run("CONFIG GET *"));
  const names = [...ours.keys()].filter((name) => !OWN_SETTINGS.has(name)).sort();
  assertEquals(names, [...theirs.keys()].sort());
  const decided = ["bind", "dir", "unixsocket", "pidfile", "save", "port"];
  for (const name of names) {
    if (!decided.includes(name)) assertEquals(ours.get(name), theirs.get(name), name);
  }
}, { personality: "valkey" });

redisTest(
  "CONFIG answers as Redis does, name by name and value by value",
  () =>
    withServer((client) =>
      withRedis(async (peer) => {
        const same = async (...args: string[]) =>
          assertEquals(await client.command(...args), await peer.command(...args), args.join(" ").slice(0, 200));

        const theirs = pairs(await peer.run("CONFIG GET *"));
        const ours = pairs(await client.run("CONFIG GET *"));
        const names = [...ours.keys()].filter((name) => !OWN_SETTINGS.has(name)).sort();
        assertEquals(names, [...theirs.keys()].sort());
        const decided = ["bind", "dir", "unixsocket"];
        for (const name of names) {
          if (!decided.includes(name)) assertEquals(ours.get(name), theirs.get(name), name);
        }

        for (
          const line of [
            "CONFIG",
            "CONFIG FOO",
            "CONFIG GET",
            "CONFIG SET",
            "CONFIG SET a",
            "CONFIG SET a b",
            "CONFIG SET hz 5 a",
            "CONFIG SET hz x foo bar",
            "CONFIG SET daemonize yes foo bar",
            "CONFIG SET foo bar daemonize yes",
            "CONFIG SET hz 1 HZ 2",
            "CONFIG SET DIR /",
            "CONFIG SET dbfilename x hz x",
            "CONFIG SET slave-priority 10 replica-priority 11",
            "CONFIG GET slave-priority",
            "CONFIG RESETSTAT x",
            "CONFIG REWRITE",
            "CONFIG REWRITE x",
            "CONFIG HELP x",
          ]
        ) await same(...line.split(" "));

        // Values that every kind of setting must refuse or print in the same way; values that only MemDB refuses are
        // left out.
        const values = [
          ..."zzz|-1|0|1|5|99999999999999|-99999999999999|9223372036854775807|18446744073709551617|007|+5| 5|1.5".split(
            "|",
          ),
          ..."1k|1KB|2mb|mb|1t|3%|YES|No|true|AKEm|nK|normal 1 2 3|slave 1kb 1 1|50 99.5|C|always|x y".split("|"),
          "",
        ];
        // Left out: settings that would cut off the test itself, and settings that depend on the build of Redis.
        const dangerous =
          /^(port|bind|requirepass|maxmemory|maxmemory-clients|activedefrag|tls-port|tls-cluster|tls-replication|maxclients|timeout|appendonly|client-output-buffer-limit)$/;
        // Redis 8.6 lists two policies more, of the least recently modified keys, which do not exist here.
        const newer = ["maxmemory-policy"];
        for (const name of names) {
          if (dangerous.test(name) || newer.includes(name)) continue;
          const initial = theirs.get(name)!;
          for (const value of values) {
            const reply = await client.command("CONFIG", "SET", name, value);
            const expected = await peer.command("CONFIG", "SET", name, value);
            const { fixed, awaited, idle } = findSetting(name)!;
            const refusedByDesign = awaited ? reply.includes(idle!) : fixed !== undefined && expected === "+OK\r\n";
            if (!refusedByDesign) assertEquals(reply, expected, `CONFIG SET ${name} ${JSON.stringify(value)}`);
            if (reply === "+OK\r\n") await same("CONFIG", "GET", name);
            if (expected === "+OK\r\n") await peer.command("CONFIG", "SET", name, initial);
            if (reply === "+OK\r\n") await client.command("CONFIG", "SET", name, ours.get(name)!);
            if (reply.includes("immutable")) break;
          }
        }
      }), { settings: { startexpiryloop: "no" } }),
);
