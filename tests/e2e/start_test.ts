/**
 * Starting and stopping: what a user sees on the terminal and in the exit status.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { TestClient } from "../helpers/client.ts";
import { Folder, memdb, ServerProcess, subject, unixTest } from "./process.ts";

Deno.test(`${subject} prints where it listens, what it keeps and how to connect`, async () => {
  await using folder = new Folder();
  await using server = await ServerProcess.start(["--aofpath", "new/folder/db.aof"], { cwd: folder.path });
  assertMatch(server.log, /MemDB \d+\.\d+\.\d+, process \d+/);
  assertMatch(server.log, /Listening on 127\.0\.0\.1:\d+/);
  assertMatch(server.log, /Persistence: every write goes to .*new.folder.db\.aof/);
  assertMatch(server.log, new RegExp(`redis-cli -p ${server.port}`));
  assertEquals(await server.command("PING"), "+PONG\r\n");
});

unixTest(`${subject} ends with status 0 on SIGINT and SIGTERM, and says so`, async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using server = await ServerProcess.start([]);
    await server.connect();
    assertEquals(await server.stop(signal), 0);
    assertMatch(server.log, new RegExp(`${signal} arrived[^]*Stopped`));
  }
});

Deno.test(`${subject} ends with status 0 on SHUTDOWN`, async () => {
  await using server = await ServerProcess.start([]);
  const client = await server.connect();
  await client.send("SHUTDOWN NOSAVE\r\n");
  assertEquals(await client.drain(), "");
  assertEquals(await server.ended(), 0);
});

Deno.test(`${subject} answers wrong flags with one line and status 2`, async () => {
  const cases: [string[], RegExp][] = [
    [["--prot", "7000"], /unknown flag --prot; did you mean --port\?/],
    [["serve", "--port", "many"], /bad value 'many' for --port/],
    [["serve", "--appendonly", "perhaps"], /bad value 'perhaps' for --appendonly/],
    [["serve", "--aofpath"], /--aofpath needs a value/],
    [["serv"], /unknown subcommand 'serv'; did you mean serve\?/],
    [["cli", "--nonsense"], /--nonsense/],
    [["serve", "missing.conf"], /missing\.conf/],
  ];
  await using folder = new Folder();
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await memdb(args, { cwd: folder.path });
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertMatch(stderr, message);
    assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
  }
});

Deno.test(`${subject} tells its version and its flags`, async () => {
  const version = await memdb(["--version"]);
  assertEquals(version.code, 0);
  assertMatch(version.stdout, /^memdb \d+\.\d+\.\d+/);
  const help = await memdb(["help"]);
  assertMatch(help.stdout, /Usage:/);
  const flags = await memdb(["help", "serve"]);
  for (const flag of ["--port", "--aofpath", "--restoredb", "--requirepass"]) {
    assertMatch(flags.stdout, new RegExp(flag));
  }
});

Deno.test(`${subject} takes settings from a file, the environment and flags, the last of them first`, async () => {
  await using folder = new Folder();
  await Deno.writeTextFile(folder.file("memdb.conf"), "maxclients 11\ndatabases 3\ntimeout 7\n");
  await using server = await ServerProcess.start(["memdb.conf", "--databases", "5"], {
    cwd: folder.path,
    env: { MEMDB_DATABASES: "4", MEMDB_TIMEOUT: "8" },
  });
  assertEquals(await server.command("CONFIG", "GET", "databases"), "*2\r\n$9\r\ndatabases\r\n$1\r\n5\r\n");
  assertEquals(await server.command("CONFIG", "GET", "timeout"), "*2\r\n$7\r\ntimeout\r\n$1\r\n8\r\n");
  assertEquals(await server.command("CONFIG", "GET", "maxclients"), "*2\r\n$10\r\nmaxclients\r\n$2\r\n11\r\n");
});

Deno.test(`${subject} does not start on a port that is taken, with status 1 and what to do`, async () => {
  await using server = await ServerProcess.start([]);
  const { code, stderr } = await memdb(["--port", String(server.port)]);
  assertEquals(code, 1);
  assertMatch(stderr, new RegExp(`port ${server.port} is in use.*--port`));
});

unixTest(`${subject} serves a Unix socket and several addresses`, async () => {
  await using folder = new Folder();
  const path = folder.file("memdb.sock");
  // Only Linux has more than one address of its own without being told.
  const second = Deno.build.os === "linux" ? "127.0.0.2" : "127.0.0.1";
  const hosts = second === "127.0.0.1" ? [] : ["--host", "127.0.0.1", "--host", second];
  await using server = await ServerProcess.start(["--unixsocket", path, ...hosts]);
  const addresses = [{ transport: "unix", path }, { hostname: second, port: server.port }] as const;
  for (const address of addresses) {
    const client = new TestClient("path" in address ? await Deno.connect(address) : await Deno.connect(address));
    assertEquals(await client.command("PING"), "+PONG\r\n");
    client.close();
  }
});
