/**
 * The data left after the process ends in each possible way, and how Redis's own programs read the file.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { TestClient } from "../helpers/client.ts";
import { type Release, testWithReleases } from "../helpers/programs.ts";
import { Folder, memdb, run, ServerProcess, subject, unixTest } from "./process.ts";

const SET_A = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
const SET_B = "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n";
const SELECT = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

/** The digest of all data of a server. */
function digest(server: { command(...args: string[]): Promise<string> }): Promise<string> {
  return server.command("DEBUG", "DIGEST");
}

/** Data of every kind, with deadlines far in the future. */
async function fill(client: TestClient): Promise<void> {
  const commands = [
    ["SET", "text", "caf\xc3\xa9 \r\n\x00\xff"],
    ["SET", "empty", ""],
    ["SET", "long", "x".repeat(100_000)],
    ["SET", "deadline", "v", "EX", "100000"],
    ["INCRBY", "number", "41"],
    ["INCRBYFLOAT", "float", "0.1"],
    ["APPEND", "text", "more"],
    ["SETRANGE", "range", "10", "x"],
    ["RPUSH", "list", ...Array.from({ length: 300 }, (_, i) => `element ${i}`)],
    ["LTRIM", "list", "10", "-10"],
    ["LINSERT", "list", "BEFORE", "element 20", "inserted"],
    ["RENAME", "float", "renamed"],
    ["COPY", "list", "copied"],
    ["MOVE", "number", "3"],
    ["DEL", "nothing"],
    ["PEXPIRE", "range", "100000000"],
    ["GETEX", "renamed", "EXAT", "4102444800"],
  ];
  for (const command of commands) {
    const reply = await client.command(...command);
    assertEquals(reply.startsWith("-"), false, `${command[0]}: ${reply}`);
  }
}

Deno.test(`${subject} has every acknowledged write after SIGKILL and a new start`, async () => {
  await using folder = new Folder();
  const aof = folder.file("db.aof");
  for (const policy of ["always", "everysec", "no"]) {
    const flags = ["--aofpath", aof, "--appendfsync", policy, "--enable-debug-command", "yes"];
    await using first = await ServerProcess.start(flags);
    const client = await first.connect();
    await fill(client);
    let acknowledged = 0;
    for (let i = 0; i < 500; i++) {
      acknowledged = Number((await client.command("INCR", `count ${policy}`)).slice(1));
    }
    const before = await digest(first);
    await first.stop("SIGKILL");
    await using second = await ServerProcess.start(flags);
    assertEquals(await second.command("GET", `count ${policy}`), `$3\r\n${acknowledged}\r\n`);
    assertEquals(await digest(second), before);
  }
});

Deno.test(`${subject} loses nothing when it is killed amid pipelines`, async () => {
  await using folder = new Folder();
  const flags = ["--aofpath", folder.file("db.aof"), "--appendfsync", "always"];
  await using first = await ServerProcess.start(flags);
  const writers = Array.from({ length: 5 }, async (_, writer) => {
    const client = await first.connect();
    let acknowledged = 0;
    try {
      for (;;) {
        await client.send(`INCR writer:${writer}\r\n`.repeat(50));
        for (let i = 0; i < 50; i++) acknowledged = Number((await client.receive()).slice(1));
      }
    } catch {
      return acknowledged;
    }
  });
  const witness = await first.connect();
  while (Number((await witness.command("GET", "writer:0")).split("\r\n")[1] ?? 0) < 500);
  await first.stop("SIGKILL");
  const counts = await Promise.all(writers);
  await using second = await ServerProcess.start(flags);
  for (const [writer, acknowledged] of counts.entries()) {
    const kept = Number((await second.command("GET", `writer:${writer}`)).split("\r\n")[1] ?? 0);
    assertEquals(kept >= acknowledged, true, `writer ${writer}: ${acknowledged} acknowledged, ${kept} kept`);
  }
});

unixTest(`${subject} starts from a redis-server's files in --dir, and says so`, async () => {
  const fixtures = decodeURI(new URL("../fixtures/servers/redis-8.6", import.meta.url).pathname);
  await using folder = new Folder();
  await run("cp", ["-r", `${fixtures}/dump.rdb`, `${fixtures}/appendonlydir`, folder.path]);
  {
    await using server = await ServerProcess.start(["--dir", folder.path]);
    assertMatch(server.log, /Persistence: \S+\/dump\.rdb was read; changes are not kept/);
    assertEquals(await server.command("MGET", "s", "after"), "*2\r\n$5\r\nhello\r\n$-1\r\n");
    await server.command("SET", "s", "changed");
    await server.stop();
  }
  {
    // With a save point the server writes a snapshot at its end.
    await using server = await ServerProcess.start(["--dir", folder.path, "--save", "3600 1"]);
    assertEquals(await server.command("GET", "s"), "$5\r\nhello\r\n");
    assertMatch(server.log, /Persistence: snapshots go to \S+\/dump\.rdb/);
    await server.command("SET", "s", "saved");
    assertEquals(await server.stop("SIGTERM"), 0);
  }
  for (const round of [1, 2]) {
    await using server = await ServerProcess.start(["--dir", folder.path, "--appendonly", "yes"]);
    assertEquals(await server.command("MGET", "s", "after"), "*2\r\n$5\r\nhello\r\n$7\r\nrewrite\r\n", `${round}`);
    await server.stop("SIGKILL");
  }
  await using server = await ServerProcess.start(["--dir", folder.path]);
  assertEquals(await server.command("MGET", "s", "after"), "*2\r\n$5\r\nsaved\r\n$-1\r\n");
});

Deno.test(`two of ${subject} on one file: the second refuses with status 1`, async () => {
  await using folder = new Folder();
  const aof = folder.file("db.aof");
  await using first = await ServerProcess.start(["--aofpath", aof]);
  await first.command("SET", "a", "1");
  const second = await memdb(["--port", "0", "--aofpath", aof]);
  assertEquals(second.code, 1);
  assertMatch(second.stderr, /db\.aof is in use by another server/);
  assertEquals(await first.command("GET", "a"), "$1\r\n1\r\n");
});

Deno.test(`${subject} loads a file that ends within a command, says what it dropped, and keeps a copy`, async () => {
  await using folder = new Folder();
  const aof = folder.file("db.aof");
  for (const tail of ["*", "*3\r\n$3\r\nSET\r\n$1\r\nc", SET_B.slice(0, -1), "*1\r\n$5\r\nMULTI\r\n" + SET_B]) {
    await Deno.writeTextFile(aof, SELECT + SET_A + tail);
    await using server = await ServerProcess.start(["--aofpath", aof]);
    const whole = (SELECT + SET_A).length;
    assertMatch(server.log, new RegExp(`last ${tail.length} bytes, from byte ${whole} on, are left out`));
    const copy = /what was cut off is in (\S+)/.exec(server.log)![1];
    assertEquals(await Deno.readTextFile(copy), tail);
    assertEquals(await server.command("DBSIZE"), ":1\r\n");
    await server.command("SET", "after", "it");
    await server.stop("SIGKILL");
    await using again = await ServerProcess.start(["--aofpath", aof]);
    assertEquals(await again.command("DBSIZE"), ":2\r\n");
    assertEquals(/left out/.test(again.log), false);
    await Deno.remove(copy);
  }
});

unixTest(`${subject} answers -LOADING until all data is there`, async () => {
  await using folder = new Folder();
  const aof = folder.file("db.aof"), path = folder.file("memdb.sock");
  const keys = 50_000;
  let text = SELECT;
  for (let i = 0; i < keys; i++) text += `*3\r\n$3\r\nSET\r\n$5\r\n${10_000 + i}\r\n$1\r\nv\r\n`;
  await Deno.writeTextFile(aof, text);
  const starting = ServerProcess.start(["--aofpath", aof, "--unixsocket", path]);
  const replies = new Set<string>();
  while (!replies.has(`:${keys}\r\n`)) {
    try {
      const client = new TestClient(await Deno.connect({ transport: "unix", path }));
      replies.add(await client.command("DBSIZE"));
      client.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  replies.delete("-LOADING Redis is loading the dataset in memory\r\n");
  assertEquals([...replies], [`:${keys}\r\n`]);
  await using _ = await starting;
});

Deno.test(`${subject} refuses a file that is damaged in the middle, and names the byte`, async () => {
  await using folder = new Folder();
  const aof = folder.file("db.aof");
  for (const damage of ["XYZ", "*2\r\n$-1\r\n", "*1\r\n$7\r\nNOTHING\r\n"]) {
    await Deno.writeTextFile(aof, SELECT + SET_A + damage + SET_B);
    const { code, stderr } = await memdb(["--port", "0", "--aofpath", aof]);
    assertEquals(code, 1);
    assertMatch(stderr, new RegExp(`damaged at byte ${(SELECT + SET_A).length}`));
    assertEquals(/\n\s+at /.test(stderr), false, stderr);
    assertEquals(await Deno.readTextFile(aof), SELECT + SET_A + damage + SET_B);
  }
});

Deno.test(`${subject} with --restoredb false refuses a file that is not empty, and says what to do`, async () => {
  await using folder = new Folder();
  const aof = folder.file("db.aof");
  await Deno.writeTextFile(aof, SELECT + SET_A);
  const { code, stderr } = await memdb(["--port", "0", "--aofpath", aof, "--restoredb", "false"]);
  assertEquals(code, 1);
  assertMatch(stderr, /histories would mix.*--restoredb true/);
  await Deno.writeTextFile(aof, "");
  await using server = await ServerProcess.start(["--aofpath", aof, "--restoredb", "false"]);
  assertEquals(await server.command("DBSIZE"), ":0\r\n");
});

Deno.test(`${subject} with --appendonly false reads a file as a fixture and leaves it alone`, async () => {
  await using folder = new Folder();
  const aof = folder.file("fixture.aof");
  await Deno.writeTextFile(aof, SELECT + SET_A);
  await using server = await ServerProcess.start(["--aofpath", aof, "--appendonly", "false", "--restoredb"]);
  assertEquals(await server.command("GET", "a"), "$1\r\n1\r\n");
  await server.command("SET", "b", "2");
  await server.stop();
  assertEquals(await Deno.readTextFile(aof), SELECT + SET_A);
});

testWithReleases("Redis reads what MemDB wrote, and MemDB what Redis wrote", async (release) => {
  await using folder = new Folder();
  const aof = folder.file("appendonly.aof");
  const flags = ["--aofpath", aof, "--enable-debug-command", "yes"];
  await using first = await ServerProcess.start(flags);
  await fill(await first.connect());
  const before = await digest(first);
  await first.stop();

  const checked = await run(release.command("redis-check-aof"), [aof]);
  assertEquals(checked.code, 0, checked.stdout + checked.stderr);
  assertMatch(checked.stdout, /is valid/);

  // Redis treats a plain file of that name as its old format: it loads the file and creates a folder in the new
  // format.
  {
    await using redis = await RedisProcess.start(release, folder.path);
    assertEquals(await digest(redis), before);
    const client = await redis.connect();
    await client.command("SET", "from redis", "x", "EX", "100000");
    await client.command("RPUSH", "list", "from redis");
    await client.command("BGREWRITEAOF");
    while (/aof_rewrite_(in_progress|scheduled):1/.test(await client.command("INFO", "persistence")));
    await client.command("LPUSH", "list", "after the rewriting");
  }
  const parts = [...Deno.readDirSync(folder.file("appendonlydir"))].map(({ name }) => name);
  const texts = parts.filter((name) => name.endsWith(".aof")).toSorted()
    .map((name) => Deno.readFileSync(`${folder.path}/appendonlydir/${name}`));
  const theirs = folder.file("theirs.aof");
  for (const bytes of texts) await Deno.writeFile(theirs, bytes, { append: true });
  await using second = await ServerProcess.start(["--aofpath", theirs, "--enable-debug-command", "yes"]);
  assertEquals(await second.command("GET", "from redis"), "$1\r\nx\r\n");
  assertEquals(await second.command("LINDEX", "list", "0"), "$19\r\nafter the rewriting\r\n");
  assertEquals(await second.command("LINDEX", "list", "-1"), "$10\r\nfrom redis\r\n");
});

/** A redis-server that keeps an append-only file in a folder, without a snapshot at its head. */
class RedisProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #socket: string;
  readonly #clients: TestClient[] = [];

  private constructor(child: Deno.ChildProcess, socket: string) {
    this.#child = child;
    this.#socket = socket;
  }

  static async start(release: Release, folder: string): Promise<RedisProcess> {
    const socket = `${folder}/redis.sock`;
    const settings = `--port 0 --unixsocket ${socket} --dir ${folder} --appendonly yes --aof-use-rdb-preamble no`;
    const args = [...settings.split(" "), "--save", "", "--enable-debug-command", "yes"];
    const child = new Deno.Command(release.command("redis-server"), {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const redis = new RedisProcess(child, socket);
    for (let tries = 0; tries < 1000; tries++) {
      try {
        if (!(await redis.command("PING")).startsWith("-LOADING")) return redis;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await redis[Symbol.asyncDispose]();
    throw new Error("redis-server does not come up");
  }

  async connect(): Promise<TestClient> {
    const client = new TestClient(await Deno.connect({ transport: "unix", path: this.#socket }));
    this.#clients.push(client);
    return client;
  }

  async command(...args: string[]): Promise<string> {
    return await (await this.connect()).command(...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}
