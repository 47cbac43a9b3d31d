/**
 * Programs written for Redis, unmodified and with their defaults.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { commandTable } from "../../src/commands/table.ts";
import { REDIS_VERSION } from "../../src/core/version.ts";
import { testWith } from "../helpers/programs.ts";
import { Folder, memdb, run, ServerProcess, subject } from "./process.ts";

const clients = (name: string) => decodeURI(new URL(`../clients/${name}`, import.meta.url).pathname);

for (const program of ["ioredis", "node_redis"]) {
  for (const protocol of ["default", "2", "3"]) {
    Deno.test(`${program} with protocol ${protocol} works with ${subject}`, async () => {
      await using server = await ServerProcess.start([]);
      const path = clients(`${program}.ts`).replace(/^\/(?=[A-Z]:)/, "");
      const config = clients("deno.json").replace(/^\/(?=[A-Z]:)/, "");
      const permissions = ["--allow-net=127.0.0.1,[::1],localhost", "--allow-read", "--allow-env", "--allow-sys"];
      const args = ["run", "-q", "--config", config, ...permissions, path, String(server.port), protocol];
      const { code, stdout, stderr } = await run(Deno.execPath(), args);
      assertEquals([code, stdout, stderr], [0, "", ""]);
    });
  }
}

/** A Python with the package `redis`. */
const python = Deno.env.get("MEMDB_PYTHON");

for (const protocol of python === undefined ? [] : ["default", "2", "3"]) {
  Deno.test(`redis-py with protocol ${protocol} works with ${subject}`, async () => {
    await using server = await ServerProcess.start([]);
    const { code, stdout, stderr } = await run(python!, [clients("redis_py.py"), String(server.port), protocol]);
    assertEquals([code, stdout, stderr], [0, "", ""]);
  });
}

Deno.test(`memdb cli talks to ${subject}: arguments, pipe, exit status`, async () => {
  await using server = await ServerProcess.start([]);
  const port = String(server.port);
  assertEquals(await memdb(["cli", "-p", port, "SET", "a", "1"]), { code: 0, stdout: "OK\n", stderr: "" });
  assertEquals(await memdb(["cli", "-p", port], { input: "INCR a\nLPUSH l x y\nLRANGE l 0 -1\n" }), {
    code: 0,
    stdout: "2\n2\ny\nx\n",
    stderr: "",
  });
  const wrong = await memdb(["cli", "-p", port, "LPUSH", "a", "1"]);
  assertEquals(wrong.code, 1);
  assertMatch(wrong.stdout + wrong.stderr, /WRONGTYPE/);
});

testWith(["redis-cli"], `redis-cli talks to ${subject}`, async () => {
  await using folder = new Folder();
  await using server = await ServerProcess.start(["--requirepass", "secret"]);
  const cli = (args: string[], input?: string) =>
    run("redis-cli", ["-p", String(server.port), ...args], { input, cwd: folder.path });
  const authorized = ["-a", "secret", "--no-auth-warning"];
  assertMatch((await cli(["GET", "a"])).stdout, /NOAUTH Authentication required/);
  for (const protocol of ["-2", "-3"]) {
    const call = (...args: string[]) => cli([...authorized, protocol, ...args]);
    assertEquals((await call("SET", "a", "1")).stdout, "OK\n");
    assertEquals((await call("--no-raw", "GET", "a")).stdout, '"1"\n');
    assertEquals((await call("--no-raw", "CONFIG", "GET", "port")).stdout.includes('"port"'), true);
    assertStringIncludes((await call("INFO", "server")).stdout, `redis_version:${REDIS_VERSION}\r\n`);
    assertEquals((await call("-n", "3", "DBSIZE")).stdout, "0\n");
    assertMatch((await call("--bigkeys")).stdout, /Biggest string found/);
    assertEquals((await call("--scan", "--pattern", "a*")).stdout, "a\n");
  }
  const many = Array.from({ length: 5000 }, (_, i) => `SET key:${i} ${i}\r\n`).join("");
  assertMatch((await cli([...authorized, "--pipe"], many)).stdout, /errors: 0, replies: 5000/);
  assertEquals((await cli([...authorized, "DBSIZE"])).stdout, "5001\n");
});

testWith(["redis-benchmark"], `redis-benchmark runs all its tests that ${subject} has commands for`, async () => {
  await using server = await ServerProcess.start([]);
  const known = new Set(commandTable.map(({ name }) => name));
  const tests = [
    ["ping_inline", "ping"],
    ["ping_mbulk", "ping"],
    ...["set", "get", "incr", "lpush", "rpush", "lpop", "rpop", "sadd", "hset", "spop", "zadd", "zpopmin", "mset"]
      .map((name) => [name, name]),
    ...["lrange_100", "lrange_300", "lrange_500", "lrange_600"].map((name) => [name, "lrange"]),
    ["xadd", "xadd"],
  ].filter(([, command]) => known.has(command)).map(([test]) => test);
  for (const extra of [[], ["-P", "16", "-r", "1000"]]) {
    const args = ["-p", String(server.port), "-n", "2000", "-q", "-t", tests.join(","), ...extra];
    const { code, stdout, stderr } = await run("redis-benchmark", args);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(/error/i.test(stdout), false, stdout);
    assertEquals(stdout.match(/requests per second/g)!.length >= tests.length, true, stdout);
  }
});
