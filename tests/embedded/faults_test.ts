/**
 * Faults on purpose: what the program under test meets, and that nothing of them stays.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MemDB, ReplyError } from "../../mod.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();

/** A client on the port of a server, which reads until the reply to a PING or the end. */
class Client {
  readonly #socket: Deno.TcpConn;
  #ended = false;

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  static async connect({ port }: MemDB): Promise<Client> {
    return new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends inline commands, and returns all that comes before the server closes or `enough` characters are there. */
  async ask(text: string, enough = 1): Promise<string> {
    await this.#socket.write(encoder.encode(text)).catch(() => this.#ended = true);
    let reply = "";
    const room = new Uint8Array(64 * 1024);
    while (reply.length < enough && !this.#ended) {
      const count = await this.#socket.read(room).catch(() => null);
      if (count === null) this.#ended = true;
      else reply += decoder.decode(room.subarray(0, count));
    }
    return reply;
  }

  get ended(): boolean {
    return this.#ended;
  }

  close(): void {
    this.#socket.close();
  }
}

Deno.test("an error answers the chosen command, as often as it was asked for", async () => {
  await using db = await MemDB.start();
  using fault = db.fail({
    command: "get",
    error: "LOADING Redis is loading the dataset in memory",
    after: 1,
    times: 2,
  });
  const outcomes: unknown[] = [];
  for (let i = 0; i < 4; i++) {
    outcomes.push(await db.command("GET", "k").catch((error: ReplyError) => error.code));
    assertEquals(await db.command("SET", "other", i), "OK");
  }
  assertEquals(outcomes, [null, "LOADING", "LOADING", null]);
  assertEquals(fault.struck, 2);
  fault.end();
  assertEquals(await db.command("GET", "k"), null);
});

Deno.test("a fault ends with its block", async () => {
  await using db = await MemDB.start();
  {
    using _fault = db.fail({ error: "READONLY You can't write against a read only replica." });
    await assertRejects(() => db.command("PING"), ReplyError, "READONLY");
  }
  assertEquals(await db.command("PING"), "PONG");
});

Deno.test("a fault can be about some keys and several commands", async () => {
  await using db = await MemDB.start();
  using _fault = db.fail({ command: ["GET", "MGET", "XGROUP"], key: "user:*", error: "ERR broken" });
  assertEquals(await db.command("GET", "other"), null);
  assertEquals(await db.command("SET", "user:1", "x"), "OK");
  await assertRejects(() => db.command("GET", "user:1"), ReplyError, "ERR broken");
  await assertRejects(() => db.command("MGET", "a", "user:2"), ReplyError, "ERR broken");
  await assertRejects(() => db.command("XGROUP", "CREATE", "user:s", "g", "$"), ReplyError, "ERR broken");
  await assertRejects(() => db.command("GET"), ReplyError, "wrong number of arguments");
});

Deno.test("an error within MULTI makes EXEC fail, as on a server that refuses the command", async () => {
  await using db = await MemDB.start();
  using _fault = db.fail({ command: "INCR", error: "OOM command not allowed when used memory > 'maxmemory'." });
  await db.command("MULTI");
  await assertRejects(() => db.command("INCR", "n"), ReplyError, "OOM");
  await assertRejects(() => db.command("EXEC"), ReplyError, "EXECABORT");
});

Deno.test("a delay passes by the server's clock, and keeps the order of a client's requests", async () => {
  await using db = await MemDB.start({ clock: "manual" });
  using _fault = db.fail({ command: "GET", delay: 1000, times: 1 });
  db.load({ k: "v" });
  const order: unknown[] = [];
  const get = db.command("GET", "k").then((value) => order.push(value));
  const ping = db.command("PING").then((value) => order.push(value));
  // The requests arrive before the clock moves.
  await db.clock.advance({});
  await db.clock.advance({ milliseconds: 999 });
  assertEquals(order, []);
  const client = await Client.connect(db);
  assertEquals(await client.ask("GET k\r\n", 7), "$1\r\nv\r\n");
  client.close();
  await db.clock.advance({ milliseconds: 1 });
  await Promise.all([get, ping]);
  assertEquals(order, ["v", "PONG"]);
});

Deno.test("connections break before a command, or within its reply", async () => {
  await using db = await MemDB.start();
  db.load({ k: "0123456789" });
  {
    using _fault = db.fail({ command: "SET", disconnect: true });
    const client = await Client.connect(db);
    assertEquals([await client.ask("SET k other\r\n"), client.ended, db.get("k")], ["", true, "0123456789"]);
    client.close();
  }
  using _fault = db.fail({ command: "GET", halfReply: true, times: 1 });
  const client = await Client.connect(db);
  assertEquals([await client.ask("GET k\r\n", 17), client.ended], ["$10\r\n012", true]);
  client.close();
  await assertRejects(
    async () => {
      using _fault = db.fail({ command: "ECHO", disconnect: true });
      await db.command("ECHO", "x");
    },
    Error,
    "the server closed the connection",
  );
  assertEquals(await db.command("GET", "k"), "0123456789");
});

Deno.test("new clients are refused, and old ones are served", async () => {
  await using db = await MemDB.start();
  const old = await Client.connect(db);
  assertEquals(await old.ask("PING\r\n", 7), "+PONG\r\n");
  {
    using fault = db.fail({ refuse: true });
    const client = await Client.connect(db);
    assertEquals([await client.ask("PING\r\n"), client.ended], ["", true]);
    client.close();
    assertEquals(await old.ask("PING\r\n", 7), "+PONG\r\n");
    assertEquals(fault.struck, 1);
  }
  const client = await Client.connect(db);
  assertEquals(await client.ask("PING\r\n", 7), "+PONG\r\n");
  client.close();
  old.close();
});

Deno.test("a slow network gets all bytes in the end", async () => {
  await using db = await MemDB.start();
  using fault = db.fail({ bytesPerSecond: 100_000 });
  db.load({ k: "x".repeat(5000) });
  const client = await Client.connect(db);
  const began = performance.now();
  const reply = await client.ask("GET k\r\n", 5009);
  assertEquals(reply, `$5000\r\n${"x".repeat(5000)}\r\n`);
  // Five drips of ten milliseconds; no machine is faster than the clock.
  assert(performance.now() - began > 30);
  fault.end();
  assertEquals(await client.ask("PING\r\n", 7), "+PONG\r\n");
  client.close();
});

Deno.test("a fault that makes no sense is refused", async () => {
  await using db = await MemDB.start();
  assertThrows(() => db.fail({ command: "GET" }), TypeError, "a fault has one of");
  assertThrows(() => db.fail({ error: "ERR a", disconnect: true }), TypeError, "a fault has one of");
  assertThrows(() => db.fail({ refuse: true, command: "GET" }), TypeError, "concern connections");
  assertThrows(() => db.fail({ error: "ERR a\r\n+OK" }), TypeError, "one line");
  assertThrows(() => db.fail({ bytesPerSecond: 0 }), TypeError, "above 0");
});
