/**
 * Clients that violate the protocol, and large numbers of clients.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { encodeRequest, TestClient } from "../helpers/client.ts";
import { commandLine, Folder, ServerProcess, subject, unixTest } from "./process.ts";

const MIB = 1024 * 1024;

/** A field of INFO. */
async function info(client: TestClient, section: string, field: string): Promise<number> {
  return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await client.command("INFO", section))?.[1]);
}

Deno.test(`${subject} takes a pipeline of 100,000 commands in one write`, async () => {
  await using server = await ServerProcess.start([]);
  const client = await server.connect();
  const requests = new Uint8Array(100_000 * 22);
  const one = encodeRequest(["INCR", "n"]);
  let length = 0;
  for (let i = 0; i < 100_000; i++, length += one.length) requests.set(one, length);
  const sending = client.send(requests.subarray(0, length));
  for (let i = 1; i <= 100_000; i++) {
    const reply = await client.receive();
    if (reply !== `:${i}\r\n`) assertEquals(reply, `:${i}\r\n`);
  }
  await sending;
});

Deno.test(`${subject} takes requests that are split at any byte`, async () => {
  await using server = await ServerProcess.start([]);
  const client = await server.connect();
  const requests =
    "SET inline 'a b'\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nGET inline\r\n";
  const replies = "+OK\r\n+OK\r\n$4\r\n\r\n\r\n\r\n$3\r\na b\r\n";
  for (let split = 1; split < requests.length; split++) {
    await client.send(requests.slice(0, split));
    // A reply on another connection proves that the server has processed the earlier bytes.
    await server.command("PING");
    await client.send(requests.slice(split));
    let text = "";
    for (let i = 0; i < 4; i++) text += await client.receive();
    assertEquals(text, replies, `split at ${split}`);
  }
});

Deno.test(`${subject} answers a client that has closed its half`, async () => {
  await using server = await ServerProcess.start([]);
  const client = await server.connect();
  await client.send("SET a 1\r\n" + "GET a\r\n".repeat(1000));
  await client.closeWrite();
  assertEquals(await client.drain(), "+OK\r\n" + "$1\r\n1\r\n".repeat(1000));
});

Deno.test(`${subject} cuts off a reader at its output limit, and others do not notice`, async () => {
  await using server = await ServerProcess.start(["--client-output-buffer-limit", "normal 8mb 0 0"]);
  const other = await server.connect();
  await other.command("SET", "big", "x".repeat(200_000));
  const slow = await server.connect();
  let writable = true;
  const flooding = (async () => {
    try {
      for (let i = 0; i < 500 && writable; i++) await slow.send("GET big\r\n");
    } catch {
      // The server has closed the connection, as expected.
    }
  })();
  let slowestMs = 0;
  while (await info(other, "stats", "client_output_buffer_limit_disconnections") === 0) {
    const start = performance.now();
    assertEquals(await other.command("PING"), "+PONG\r\n");
    slowestMs = Math.max(slowestMs, performance.now() - start);
  }
  writable = false;
  await flooding;
  assertEquals(slowestMs < 1000, true, `a PING took ${slowestMs} ms`);
  assertMatch(server.log, /unread replies exceed client-output-buffer-limit/);
});

/** Bytes that clients which do not read may hold: the shared allowance, and for each client a reply and its limit. */
const bytesAhead = (clients: number, replyBytes: number) => 32 * MIB + clients * (replyBytes + MIB);

Deno.test(`${subject} produces little ahead of clients that do not read, and returns the memory when they leave`, async () => {
  await using server = await ServerProcess.start([]);
  const witness = await server.connect();
  const length = 4 * MIB, slow = 10, replies = 20;
  await witness.command("SET", "long", "x".repeat(length));
  // The memory to build one such reply is not part of the comparison.
  await witness.send("GET long\r\n".repeat(3));
  await witness.skip(3 * (length + 12));
  const before = await info(witness, "memory", "used_memory_rss");
  const clients = await Promise.all(Array.from({ length: slow }, () => server.connect()));
  for (const client of clients) await client.send("GET long\r\n".repeat(replies));
  // Every client is served, although none of them reads.
  const calls = async () => Number(/cmdstat_get:calls=(\d+)/.exec(await witness.command("INFO", "commandstats"))?.[1]);
  while (await calls() < 3 + slow) await witness.command("PING");
  for (let i = 0; i < 50; i++) {
    assertEquals(await witness.command("PING"), "+PONG\r\n");
    const ahead = await info(witness, "memory", "mem_clients_normal");
    assertEquals(ahead < bytesAhead(slow, length), true, `${ahead} bytes`);
  }
  const made = await calls() - 3;
  assertEquals(made < slow * replies / 2, true, `${made} replies were made`);
  const [reader, ...others] = clients;
  for (const client of others) client.close();
  assertEquals(await reader.skip(replies * (length + 12)), replies * (length + 12));
  reader.close();
  while (await info(witness, "clients", "connected_clients") > 1) await witness.command("PING");
  assertEquals(await info(witness, "memory", "mem_clients_normal") < MIB, true);
  // Every second the pools release half of their idle memory.
  let grown = Infinity;
  for (let i = 0; i < 100 && grown > 16 * MIB; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    grown = await info(witness, "memory", "used_memory_rss") - before;
  }
  assertEquals(grown < 48 * MIB, true, `${grown} bytes stay`);
});

unixTest(`${subject} says so when no file descriptor is left, turns clients away, and serves on`, async () => {
  await using folder = new Folder();
  const [program, ...args] = commandLine();
  const command = ["ulimit -n 100; exec", program, ...args, "serve --bind 127.0.0.1 --port 0 2>", folder.file("log")];
  const child = new Deno.Command("sh", { args: ["-c", command.join(" ")], stdin: "null", stdout: "null" }).spawn();
  const log = () => Deno.readTextFile(folder.file("log")).catch(() => "");
  const clients: TestClient[] = [];
  try {
    while (!/Connect with/.test(await log())) await new Promise((resolve) => setTimeout(resolve, 50));
    const port = Number(/Listening on \S*?:(\d+)/.exec(await log())?.[1]);
    let refused = "";
    while (refused === "" && clients.length < 200) {
      const client = await TestClient.connect(port);
      clients.push(client);
      await client.send("PING\r\n").catch(() => {});
      const reply = await client.receive().catch(() => "-closed");
      if (reply !== "+PONG\r\n") refused = reply;
    }
    assertMatch(refused, /^-(ERR max number of clients reached|closed)/);
    for (const client of clients.splice(10)) client.close();
    let reply = "";
    while (reply !== "+PONG\r\n") {
      const client = await TestClient.connect(port);
      reply = await client.command("PING").catch(() => "");
      client.close();
    }
    assertMatch(await log(), /Too many open files|max number of clients|maxclients/i);
    assertEquals(await clients[0].command("PING"), "+PONG\r\n");
  } finally {
    for (const client of clients) client.close();
    child.kill("SIGKILL");
    await child.status;
  }
});

Deno.test(`${subject} sends no reply beyond a hard limit, and smaller ones whatever it is`, async () => {
  await using server = await ServerProcess.start(["--client-output-buffer-limit", "normal 10 0 0"]);
  const client = await server.connect();
  await client.command("SET", "small", "x".repeat(16_000));
  await client.command("SET", "large", "x".repeat(20_000));
  assertEquals((await client.command("GET", "small")).length, 16_010);
  await client.send("GET large\r\n");
  assertEquals(await client.drain(), "");
  const other = await server.connect();
  assertEquals(await info(other, "stats", "client_output_buffer_limit_disconnections"), 1);
});

Deno.test(`${subject} keeps few replies for who has not given the password`, async () => {
  await using server = await ServerProcess.start(["--requirepass", "secret"]);
  const stranger = await server.connect();
  const flood = "GET key\r\n".repeat(10_000);
  let cut = false;
  const flooding = (async () => {
    try {
      while (!cut) await stranger.send(flood);
    } catch {
      // The server has closed the connection, as expected.
    }
  })();
  const owner = await server.connect();
  await owner.command("AUTH", "secret");
  while (await info(owner, "stats", "client_output_buffer_limit_disconnections") === 0) continue;
  cut = true;
  await flooding;
});

Deno.test(`${subject} runs no request that is longer than its limit, however it arrives`, async () => {
  const limit = 1024 * 1024;
  await using server = await ServerProcess.start(["--client-query-buffer-limit", `${limit}`]);
  const owner = await server.connect();
  for (const chunkBytes of [1000, 40_000, 2 * limit]) {
    const before = await info(owner, "stats", "client_query_buffer_limit_disconnections");
    const request = encodeRequest(["SET", "key", "x".repeat(limit)]);
    const client = await server.connect();
    try {
      for (let at = 0; at < request.length; at += chunkBytes) await client.send(request.subarray(at, at + chunkBytes));
      assertEquals(await client.drain(), "");
    } catch {
      // The server closes the connection while the client still sends.
    }
    assertEquals(await info(owner, "stats", "client_query_buffer_limit_disconnections"), before + 1);
    assertEquals(await owner.command("EXISTS", "key"), ":0\r\n");
  }
  assertEquals(await owner.command("SET", "key", "x".repeat(limit - 100)), "+OK\r\n");
});

Deno.test(`${subject} says what is wrong with a request and closes`, async () => {
  await using server = await ServerProcess.start([]);
  const cases = [
    ["*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"],
    ["*-10\r\nPING\r\n", "+PONG\r\n"],
    ["*2000000\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
    ["*1\r\n$600000000\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
    ["SET 'a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"],
    ["x".repeat(70_000), "-ERR Protocol error: too big inline request\r\n"],
  ];
  for (const [request, reply] of cases) {
    const client = await server.connect();
    await client.send(request);
    if (reply.startsWith("-")) assertEquals(await client.drain(), reply);
    else assertEquals(await client.receive(), reply);
  }
  assertEquals(await server.command("PING"), "+PONG\r\n");
});

Deno.test(`${subject} allocates nothing for a length that a client only announces`, async () => {
  await using server = await ServerProcess.start([]);
  const witness = await server.connect();
  const before = await info(witness, "memory", "used_memory_rss");
  for (let i = 0; i < 50; i++) {
    const client = await server.connect();
    await client.send("*1000000\r\n$512000000\r\n");
    await client.send("x");
  }
  await witness.command("PING");
  const grown = await info(witness, "memory", "used_memory_rss") - before;
  assertEquals(grown < 50_000_000, true, `${grown} bytes`);
});

const IDLE_CLIENTS = 10_000;
/**
 * Resident bytes per idle client above which the test fails. Deno's own sockets, which the server uses on systems
 * other than Linux, take 7 KiB each.
 */
const IDLE_BYTES_MAX = Deno.build.os === "linux" ? 8 * 1024 : 16 * 1024;

Deno.test(`${subject} keeps 10,000 idle clients, and serves them all`, async () => {
  await using server = await ServerProcess.start(["--maxclients", "20000"]);
  const witness = await server.connect();
  await witness.command("PING");
  const before = await info(witness, "memory", "used_memory_rss");
  const clients: TestClient[] = [];
  try {
    while (clients.length < IDLE_CLIENTS) {
      clients.push(...await Promise.all(Array.from({ length: 100 }, () => TestClient.connect(server.port))));
    }
  } catch (error) {
    // The system allows fewer open files; the figure per client is the same with fewer clients.
    if (clients.length < 100) throw error;
  }
  try {
    await Promise.all(clients.map((client) => client.command("PING")));
    const bytes = (await info(witness, "memory", "used_memory_rss") - before) / clients.length;
    console.log(`${clients.length} idle clients: ${Math.round(bytes)} bytes each`);
    assertEquals(await info(witness, "clients", "connected_clients"), clients.length + 1);
    assertEquals(bytes < IDLE_BYTES_MAX, true, `${bytes} bytes`);
  } finally {
    for (const client of clients) client.close();
  }
});
