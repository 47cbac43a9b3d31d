/**
 * Starting and stopping: the output on the terminal and the exit status.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { TestClient } from "../helpers/client.ts";
import { testWith } from "../helpers/programs.ts";
import { commandLine, Folder, memdb, ServerProcess, subject, unixTest } from "./process.ts";

Deno.test(`${subject} prints where it listens, what it keeps and how to connect`, async () => {
  await using folder = new Folder();
  await using server = await ServerProcess.start(["--aofpath", "new/folder/db.aof"], { cwd: folder.path });
  assertMatch(server.log, new RegExp(`MemDB \\d+\\.\\d+\\.\\d+ .* PID: ${server.pid}\n`));
  assertMatch(server.log, /Listening on 127\.0\.0\.1:\d+/);
  assertMatch(server.log, /Persistence: every write goes to .*new.folder.db\.aof/);
  assertMatch(server.log, new RegExp(`redis-cli -p ${server.port}`));
  assertEquals(await server.command("PING"), "+PONG\r\n");
});

Deno.test(`${subject} prints its address as one line of JSON when clients may come`, async () => {
  await using folder = new Folder();
  const [program, ...first] = commandLine();
  const child = new Deno.Command(program, {
    args: [...first, "serve", "--port", "0", "--ready-json"],
    cwd: folder.path,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  const line = new TextDecoder().decode((await reader.read()).value);
  const { url, host, port, pid } = JSON.parse(line);
  assertEquals([url, host, pid, line.endsWith("}\n")], [`redis://127.0.0.1:${port}`, "127.0.0.1", child.pid, true]);
  const client = await TestClient.connect(port);
  assertEquals(await client.command("PING"), "+PONG\r\n");
  client.close();
  child.kill("SIGTERM");
  await reader.cancel();
  await child.status;
});

unixTest(`${subject} ends with status 0 on SIGINT and SIGTERM, and says so`, async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using server = await ServerProcess.start([]);
    await server.connect();
    assertEquals(await server.stop(signal), 0);
    assertMatch(server.log, new RegExp(`Received ${signal}[^]*${signal} arrived[^]*ready to exit, bye bye`));
  }
});

unixTest(`${subject} ignores SIGHUP`, async () => {
  await using server = await ServerProcess.start([]);
  server.signal("SIGHUP");
  assertEquals(await server.command("PING"), "+PONG\r\n");
  assertEquals(await server.stop("SIGTERM"), 0);
});

unixTest(`${subject} stops in order on a signal while it loads, and leaves the file as it was`, async () => {
  await using folder = new Folder();
  const path = folder.file("db.aof");
  const command = "*3\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$10\r\n0123456789\r\n";
  await Deno.writeTextFile(path, command.repeat(2_000_000));
  const { size } = await Deno.stat(path);
  const args = ["--aofpath", path, "--pidfile", "memdb.pid"];
  await using server = await ServerProcess.start(args, { cwd: folder.path, until: /Server initialized/ });
  assertEquals((await Deno.readTextFile(folder.file("memdb.pid"))).trim(), `${server.pid}`);
  assertEquals(await server.stop("SIGTERM"), 0);
  assertMatch(server.log, /Stopped before the start: SIGTERM arrived/);
  assertEquals((await Deno.stat(path)).size, size);
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(), ["db.aof"]);
});

unixTest(`${subject} ends at once on a second signal`, async () => {
  await using folder = new Folder();
  // Removing the socket takes the server at least one more turn of its loop.
  await using server = await ServerProcess.start(["--unixsocket", "memdb.sock"], { cwd: folder.path });
  // Both signals wait until the process goes on, so that they come in one turn.
  for (const signal of ["SIGSTOP", "SIGTERM", "SIGINT", "SIGCONT"] as const) server.signal(signal);
  assertEquals(await server.ended(), 1);
  assertMatch(
    server.log,
    /Received SIG(TERM|INT) scheduling shutdown[^]*Received SIG(TERM|INT) while stopping: exiting now/,
  );
});

unixTest(`${subject} writes the lines that tools wait for, in Redis's order`, async () => {
  await using folder = new Folder();
  {
    await using server = await ServerProcess.start(["--aofpath", "db.aof"], { cwd: folder.path });
    await server.command("SET", "k", "v");
    assertEquals(await server.stop("SIGTERM"), 0);
  }
  await using server = await ServerProcess.start(["--aofpath", "db.aof"], { cwd: folder.path });
  assertMatch(
    server.log,
    / PID: \d+[^]*Server initialized[^]*DB loaded from append only file: \d\.\d{3} seconds[^]*Ready to accept connections tcp/,
  );
});

unixTest(`${subject} keeps its process number in the pid file while it runs`, async () => {
  await using folder = new Folder();
  await using server = await ServerProcess.start(["--pidfile", "memdb.pid"], { cwd: folder.path });
  assertEquals(await Deno.readTextFile(folder.file("memdb.pid")), `${server.pid}\n`);
  assertEquals(await server.stop("SIGTERM"), 0);
  assertEquals([...Deno.readDirSync(folder.path)], []);
  await using other = await ServerProcess.start(["--pidfile", "no/folder/memdb.pid"], { cwd: folder.path });
  assertMatch(other.log, /Failed to write PID file .*: No such file or directory/);
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
    [["serve", "--logfile", "no/such/folder/memdb.log"], /--logfile: there is no folder '.*'; create it first/],
    [["serve", "--bind", ""], /--bind: without an address no client can connect/],
    [["serve", "include.conf"], /include\.conf, line 2: there is no config file 'none\.conf'; create it/],
    [["serve", "replica.conf"], /replica\.conf, line 1: replicaof 127\.0\.0\.1 6380 is not supported: .*; remove/],
  ];
  await using folder = new Folder();
  await Deno.writeTextFile(folder.file("include.conf"), "port 0\ninclude none.conf\n");
  await Deno.writeTextFile(folder.file("replica.conf"), "replicaof 127.0.0.1 6380\n");
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

Deno.test(`${subject} tells in one sentence why it cannot start, with status 1`, async () => {
  const cases: [string[], RegExp][] = [
    [
      ["--bind", "999.1.1.1"],
      /Failed listening on port \d+ \(tcp\): '999\.1\.1\.1' is neither an address .*Correct bind/,
    ],
    [["--bind", "192.0.2.1"], /this machine has no address 192\.0\.2\.1\. Correct bind, or write -192\.0\.2\.1/],
    [["--bind", "-192.0.2.1"], /this machine has none of the addresses of bind/],
    [["--unixsocket", "x".repeat(200)], /The path of unixsocket has 200 bytes, and the system allows \d+/],
    [["--unixsocket", "plain"], /Failed opening the Unix socket plain: a file that is not a socket exists there/],
    [["--seed", "nosuch"], /cannot read seed nosuch/],
  ];
  await using folder = new Folder();
  await Deno.writeTextFile(folder.file("plain"), "text");
  for (const [args, message] of cases) {
    if (Deno.build.os === "windows" && args[0] === "--unixsocket") continue;
    const { code, stderr } = await memdb(["serve", "--port", "0", ...args], { cwd: folder.path });
    assertEquals(code, 1, args.join(" "));
    const lines = stderr.trimEnd().split("\n").filter((line) => line.includes("Cannot start"));
    assertEquals(lines.length, 1, stderr);
    assertMatch(lines[0], message);
    assertEquals(/^ *at /m.test(stderr), false, stderr);
  }
  assertEquals(await Deno.readTextFile(folder.file("plain")), "text");
});

Deno.test(`${subject} starts with the addresses that are there, and with all of them for an asterisk`, async () => {
  await using folder = new Folder();
  await Deno.writeTextFile(folder.file("a.conf"), "bind 127.0.0.1 -192.0.2.1 -::1\n");
  await Deno.writeTextFile(folder.file("b.conf"), "bind * -::*\n");
  for (const sockets of ["auto", "deno"]) {
    for (const file of ["a.conf", "b.conf"]) {
      await using server = await ServerProcess.start([file, "--sockets", sockets], { cwd: folder.path });
      assertEquals(await server.command("PING"), "+PONG\r\n");
    }
  }
});

Deno.test(`${subject} moves to all addresses and back while it runs`, async () => {
  if (Deno.build.os !== "linux") return;
  await using server = await ServerProcess.start([]);
  for (const bind of ["*", "* -::*", "127.0.0.1", "* 192.0.2.1", "127.0.0.2 127.0.0.1"]) {
    const reply = await server.command("CONFIG", "SET", "bind", bind);
    assertEquals(reply.startsWith(bind.includes("192") ? "-ERR CONFIG SET failed" : "+OK"), true, reply);
    assertEquals(await server.command("PING"), "+PONG\r\n", bind);
  }
});

testWith(["bash"], `${subject} takes fewer clients where few files may be open, and says so`, async () => {
  if (Deno.build.os !== "linux") return;
  await using server = await ServerProcess.start([], { limit: "-n 64" });
  assertMatch(server.log, /You requested maxclients of 10000 requiring at least 10032 max file descriptors\./);
  assertMatch(server.log, /Current maximum open files is 64\. maxclients has been reduced to 32/);
  assertEquals(await server.command("CONFIG", "GET", "maxclients"), "*2\r\n$10\r\nmaxclients\r\n$2\r\n32\r\n");
  assertEquals(
    await server.command("CONFIG", "SET", "maxclients", "33"),
    "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to handle " +
      "the specified number of clients, try with 32\r\n",
  );
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
  // Only Linux has more than one loopback address without configuration.
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
