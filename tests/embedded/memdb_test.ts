/**
 * The embedded server as a test of some program uses it.
 */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { MemDB, ReplyError, type Value } from "../../mod.ts";

const START = new Date("2026-01-01T00:00:00Z");

Deno.test("a server starts on a free port, serves clients there, and stops", async () => {
  await using db = await MemDB.start();
  assertMatch(db.url, /^redis:\/\/127\.0\.0\.1:\d+$/);
  assertEquals(db.env, { REDIS_URL: db.url, REDIS_HOST: "127.0.0.1", REDIS_PORT: String(db.port) });
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: db.port });
  await socket.write(new TextEncoder().encode("SET greeting hello\r\n"));
  const room = new Uint8Array(100);
  assertEquals(new TextDecoder().decode(room.subarray(0, (await socket.read(room))!)), "+OK\r\n");
  assertEquals(db.get("greeting"), "hello");
  socket.close();
});

Deno.test("commands without a socket take and give native values", async () => {
  await using db = await MemDB.start();
  const replies: [readonly [string, ...(string | number | boolean | bigint | Uint8Array)[]], Value][] = [
    [["SET", "k", 7], "OK"],
    [["GET", "k"], "7"],
    [["GET", "none"], null],
    [["INCRBY", "k", 2n ** 53n], 9007199254740999n],
    [["SET", "bytes", Uint8Array.of(0xff, 0)], "OK"],
    [["GET", "bytes"], Uint8Array.of(0xff, 0)],
    [["HSET", "h", "a", 1, "__proto__", true], 2],
    [["HGETALL", "h"], Object.fromEntries([["a", "1"], ["__proto__", "true"]])],
    [["SADD", "s", "x"], 1],
    [["SMEMBERS", "s"], new Set(["x"])],
    [["ZADD", "z", 1.5, "a"], 1],
    [["ZSCORE", "z", "a"], 1.5],
    [["EVAL", "return {1, 'two', {3}}", 0], [1, "two", [3]]],
  ];
  for (const [args, reply] of replies) assertEquals(await db.command(...args), reply, args.join(" "));
  const error = await assertRejects(() => db.command("LPUSH", "k", "v"), ReplyError);
  assertEquals(error.code, "WRONGTYPE");
  await assertRejects(() => db.command("NOSUCH"), ReplyError, "ERR unknown command 'NOSUCH'");
});

Deno.test("blocking commands and transactions work without a socket", async () => {
  await using db = await MemDB.start();
  const popped = db.command("BLPOP", "queue", 0);
  const [multi, queued, result] = [db.command("MULTI"), db.command("INCR", "n"), db.command("EXEC")];
  // These requests wait behind the one that blocks, as on any connection.
  assertEquals(db.get("n"), undefined);
  db.load({ queue: ["job"] });
  assertEquals(await popped, ["queue", "job"]);
  assertEquals([await multi, await queued, await result], ["OK", "QUEUED", [1]]);
});

Deno.test("fixtures become keys of all types, or none of them does", async () => {
  await using db = await MemDB.start({ clock: START });
  db.load({
    "user:1": { name: "Ada", age: 36 },
    plain: "text",
    count: 12345678901234567890n,
    queue: ["a", 1, true],
    tags: new Set(["x"]),
    map: new Map([["f", 1]]),
    board: { $zset: { ada: 10, bob: 7.5 } },
    session: { $string: "s", $expire: 60 },
  });
  assertEquals(db.keys(), ["board", "count", "map", "plain", "queue", "session", "tags", "user:1"]);
  assertEquals(db.keys("user:*"), ["user:1"]);
  assertEquals(db.value("user:1"), { name: "Ada", age: "36" });
  assertEquals(db.value("queue"), ["a", "1", "true"]);
  assertEquals(db.value("tags"), new Set(["x"]));
  assertEquals(db.value("board"), { ada: 10, bob: 7.5 });
  assertEquals(db.get("count"), "12345678901234567890");
  assertEquals([db.ttl("session"), db.ttl("plain"), db.ttl("none")], [60, Infinity, undefined]);
  assertEquals([db.type("board"), db.type("none"), db.value("none")], ["zset", undefined, undefined]);
  assertThrows(() => db.load({ fresh: "1", empty: [] }), Error, '"empty" is empty, and no such key can exist');
  assertEquals(db.get("fresh"), undefined);
  assertThrows(() => db.get("queue"), ReplyError, "WRONGTYPE");
  assertEquals(
    db.dump().split("\n").slice(0, 2),
    ['"board" (zset): {"bob":7.5,"ada":10}', '"count" (string): "12345678901234567890"'],
  );
  assertMatch(db.dump(), /"session" \(string, expires in 60 s\): "s"/);
  assertEquals(Deno.inspect(db), `MemDB ${db.url}\n${db.dump()}`);
});

Deno.test("a held clock moves expiry, TIME, timeouts and idle times together", async () => {
  await using db = await MemDB.start({ clock: START });
  await db.command("SET", "session", "s", "EX", 60);
  for (let i = 0; i < 1000; i++) db.load({ [`stay:${i}`]: { $string: "s", $expire: 1000 } });
  await db.command("HSET", "h", "f", "v", "g", "w");
  await db.command("HEXPIRE", "h", 60, "FIELDS", 1, "f");
  await db.clock.advance({ seconds: 59 });
  assertEquals(db.ttl("session"), 1);
  const client = new MemDBClient(db);
  const popped = client.send("BLPOP", "queue", 5);
  await client.began();
  await db.clock.advance({ milliseconds: 999 });
  assertEquals(db.keys("session"), ["session"]);
  await db.clock.advance({ milliseconds: 1 });
  // DBSIZE counts keys whether they have expired or not, so this key has really gone.
  assertEquals(await db.command("DBSIZE"), 1001);
  assertEquals(db.value("h"), { g: "w" });
  assertEquals(client.replies, 0);
  await db.clock.advance({ seconds: 4 });
  assertEquals(await popped, "*-1\r\n");
  assertEquals(await db.command("TIME"), [String(START.getTime() / 1000 + 64), "0"]);
  assertEquals(await db.command("OBJECT", "IDLETIME", "h"), 64);
  await db.clock.set(new Date("2027-01-01T00:00:00Z"));
  assertEquals(db.keys(), ["h"]);
  assertThrows(() => db.clock.advance({ seconds: -1 }), RangeError);
  client.close();
});

Deno.test("the system's clock can be moved too", async () => {
  await using db = await MemDB.start();
  const before = Date.now();
  await db.command("SET", "k", "v", "EX", 3600);
  const waits = db.command("BLPOP", "queue", 7200);
  await db.clock.advance({});
  await db.clock.advance({ hours: 1, seconds: 1 });
  assertEquals(db.keys(), []);
  assert(db.clock.now.getTime() >= before + 3601_000);
  await db.clock.advance({ hours: 1 });
  assertEquals(await waits, null);
});

Deno.test("a snapshot brings back all data of a moment, functions included", async () => {
  await using db = await MemDB.start({ clock: START });
  db.load({ a: "1", list: ["x"], soon: { $string: "s", $expire: 10 } });
  await db.command("FUNCTION", "LOAD", "#!lua name=one\nredis.register_function('f', function() return 1 end)");
  const snapshot = db.snapshot();
  await db.command("FUNCTION", "LOAD", "#!lua name=two\nredis.register_function('g', function() return 2 end)");
  await db.command("MSET", "a", "2", "b", "3");
  await db.command("DEL", "list");
  await db.clock.advance({ seconds: 5 });
  await db.restore(snapshot);
  assertEquals([db.keys(), db.get("a"), db.ttl("soon")], [["a", "list", "soon"], "1", 5]);
  assertEquals(await db.command("FCALL", "f", 0), 1);
  await assertRejects(() => db.command("FCALL", "g", 0), ReplyError, "ERR Function not found");
  db.reset();
  assertEquals([db.keys(), await db.command("FUNCTION", "LIST")], [[], []]);
});

Deno.test("several servers in one process share nothing", async () => {
  await using one = await MemDB.start();
  await using two = await MemDB.start();
  await one.command("SET", "k", "1");
  await one.command("CONFIG", "SET", "maxmemory", "10mb");
  await one.command("SCRIPT", "LOAD", "return 1");
  assertEquals(two.get("k"), undefined);
  assertEquals(await two.command("CONFIG", "GET", "maxmemory"), { maxmemory: "0" });
  assertEquals(await two.command("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"), [0]);
});

Deno.test("the same seed gives the same random choices", async () => {
  const members = Array.from({ length: 100 }, (_, i) => `m${i}`);
  const choices: Value[] = [];
  for (let run = 0; run < 2; run++) {
    await using db = await MemDB.start({ seed: 5 });
    db.load({ s: { $set: members } });
    choices.push(await db.command("SRANDMEMBER", "s", 10));
  }
  assertEquals(choices[0], choices[1]);
});

Deno.test("a restart keeps the address, and the data if there is a file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using db = await MemDB.start({ file: `${folder}/db.aof` });
    const { url } = db;
    await db.command("SET", "k", "v");
    const snapshot = db.snapshot();
    await db.command("SET", "k", "w");
    await db.restart();
    assertEquals([db.url, db.get("k")], [url, "w"]);
    await db.restore(snapshot);
    await db.restart();
    assertEquals(db.get("k"), "v");
    await using other = await MemDB.start();
    const heard: string[] = [];
    other.on("command", ({ name, args }) => name === "SET" && heard.push(String(args[0])));
    await other.command("SET", "k", "v");
    await other.restart();
    assertEquals(other.keys(), []);
    await other.command("SET", "l", "v");
    assertEquals([heard, other.calls("SET").length], [["k", "l"], 2]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("calls tell what the program did, without its passwords", async () => {
  await using db = await MemDB.start({ settings: { requirepass: "secret" }, clock: START, remember: 3 });
  const client = new MemDBClient(db);
  const events: string[] = [];
  const stop = db.on("command", ({ name }) => events.push(name));
  for (const args of [["AUTH", "secret"], ["CLIENT", "SETNAME", "app"], ["SET", "k", "v"], ["GET", "k"]]) {
    await client.send(args[0], ...args.slice(1));
  }
  const [setname, set] = db.calls();
  assertEquals([db.calls().length, setname.args], [3, ["SETNAME", "app"]]);
  assertEquals(set, { name: "SET", args: ["k", "v"], client: set.client, clientName: "app", db: 0, at: START });
  assertEquals(db.calls("get").map(({ args }) => args), [["k"]]);
  assertEquals(events, ["AUTH", "CLIENT", "SET", "GET"]);
  stop();
  await client.send("PING");
  assertEquals(events.length, 4);
  const secrets = [["ACL", "SETUSER", "ada", ">secret"], ["CONFIG", "SET", "requirepass", "secret"], [
    "AUTH",
    "secret",
  ]];
  for (const [name, ...args] of secrets) await client.send(name, ...args);
  assertEquals([db.calls().length, JSON.stringify(db.calls()).includes("secret")], [3, false]);
  db.forgetCalls();
  assertEquals(db.calls(), []);
  db.get("k");
  assertEquals(db.calls(), []);
  client.close();
});

Deno.test("waitFor resolves as soon as a key is what is waited for", async () => {
  await using db = await MemDB.start();
  const there = db.waitFor("k"), three = db.waitFor("n", { until: (value) => value === "3" });
  const gone = db.waitFor("old", { until: (value) => value === undefined });
  await db.command("SET", "k", "v");
  for (let i = 0; i < 3; i++) await db.command("INCR", "n");
  assertEquals([await there, await three, await gone], ["v", "3", undefined]);
  const error = await assertRejects(() => db.waitFor("never", { timeoutMs: 1 }));
  assertMatch((error as Error).message, /"never" did not become .* within 1 ms\n"k" \(string\): "v"/);
});

/** A client that shows replies as they come. */
class MemDBClient {
  readonly #stream: ReturnType<MemDB["connect"]>;
  #text = "";
  replies = 0;
  #heard = () => {};
  readonly #db: MemDB;

  constructor(db: MemDB) {
    this.#db = db;
    this.#stream = db.connect();
    this.#stream.on("data", (bytes: Uint8Array) => {
      this.#text += new TextDecoder().decode(bytes);
      this.replies++;
      this.#heard();
    });
    this.#stream.on("error", () => {});
  }

  async send(...args: (string | number)[]): Promise<string> {
    const text = args.map((arg) => `$${String(arg).length}\r\n${arg}\r\n`).join("");
    const heard = new Promise<void>((resolve) => this.#heard = resolve);
    this.#stream.write(`*${args.length}\r\n${text}`);
    await heard;
    const reply = this.#text;
    this.#text = "";
    return reply;
  }

  /** Resolves when the server has the request that was sent. */
  async began(): Promise<void> {
    while (this.#db.calls().length === 0 || this.#db.calls().at(-1)!.name !== "BLPOP") {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  close(): void {
    this.#stream.destroy();
  }
}
