/**
 * Streams: CPU time of the server for the workers of a consumer group and for blocked readers, the memory of a stream
 * with pending entries, and how the commands' time grows with the length. Ids are given, all of one width, so that the
 * size of every reply is known.
 */
import { type Bench, counted } from "./bench.ts";
import { BenchClient } from "./client.ts";
import { Client, request, row, withClients } from "./conversations.ts";
import type { Running } from "./servers.ts";

const KEY = "stream", GROUP = "group", CONSUMER = "consumer";
const AT_ONCE = 16, ADDED_AT_ONCE = 1000;
const DELIVERIES = 160_000;
const READERS = 50, WAKE_ROUNDS = 2000;
const PENDING = 100_000;
/** Parts of `--elements`. */
const LENGTHS = [0.01, 1, 20];
const CALLS = 80_000;
const WARMING = 160_000;
/** A prime. */
const SPREAD = 7_368_787;
const FIRST_MS = 1_000_000_000_000;
const VALUE = "x".repeat(32);

const idOf = (n: number) => `${FIRST_MS + n}-0`;
const add = (n: number, key = KEY) => request("XADD", key, idOf(n), "field", VALUE);
const entry = (n: number) => `*2\r\n${request(idOf(n)).slice("*1\r\n".length)}${request("field", VALUE)}`;
/** The reply to a read of one entry of a stream. */
const readOf = (key: string) => `*1\r\n*2\r\n${request(key).slice("*1\r\n".length)}*1\r\n${entry(0)}`;
const read = readOf(KEY);
const added = request(idOf(0)).slice("*1\r\n".length);
const deliver = (key = KEY) => request("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", 1, "STREAMS", key, ">");

/** New streams with a group and so many entries each. */
async function prepare(client: Client, count: number, keys: readonly string[] = [KEY]): Promise<void> {
  await client.write(request("FLUSHALL"));
  await client.read("+OK\r\n".length);
  for (const key of keys) {
    await client.write(request("XGROUP", "CREATE", key, GROUP, 0, "MKSTREAM"));
    await client.read("+OK\r\n".length);
    for (let n = 0; n < count; n += ADDED_AT_ONCE) {
      await client.write(Array.from({ length: ADDED_AT_ONCE }, (_, i) => add(n + i, key)).join(""));
      await client.read(added.length * ADDED_AT_ONCE);
    }
  }
}

/** CPU microseconds of the server for each of so many calls with replies of one size, given by number. */
async function timed(
  server: Running,
  client: Client,
  count: number,
  reply: number,
  call: (n: number) => string,
): Promise<number> {
  const before = server.cpuSeconds();
  for (let n = 0; n < count; n += AT_ONCE) {
    await client.write(Array.from({ length: AT_ONCE }, (_, i) => call(n + i)).join(""));
    await client.read(reply * AT_ONCE);
  }
  return (server.cpuSeconds() - before) * 1e6 / count;
}

const acknowledged = (n: number, key = KEY) => deliver(key) + request("XACK", key, GROUP, idOf(n));

async function delivering(server: Running): Promise<number> {
  let spent = 0;
  await withClients(server, 1, async ([client]) => {
    await prepare(client, DELIVERIES);
    spent = await timed(server, client, DELIVERIES, read.length + ":1\r\n".length, (n) => acknowledged(n));
  });
  return spent;
}

async function waking(server: Running): Promise<number> {
  let spent = 0;
  await withClients(server, READERS + 1, async ([writer, ...readers]) => {
    await prepare(writer, 0);
    const wait = request("XREAD", "BLOCK", 0, "STREAMS", KEY, "$");
    const before = server.cpuSeconds();
    for (let round = 0; round < WAKE_ROUNDS; round++) {
      for (const reader of readers) await reader.write(wait);
      // The reads wait before the entry comes, because the writer asks for an answer in between.
      await writer.write(request("PING"));
      await writer.read("+PONG\r\n".length);
      await writer.write(add(round));
      await writer.read(added.length);
      await Promise.all(readers.map((reader) => reader.read(read.length)));
    }
    spent = (server.cpuSeconds() - before) * 1e6 / (WAKE_ROUNDS * READERS);
  });
  return spent;
}

export async function streamGroups(bench: Bench): Promise<void> {
  bench.head(`Streams: CPU time of the server, in µs`, "", ...bench.columns);
  await bench.withAll(async (servers) => {
    await row(bench, servers, [`XREADGROUP COUNT 1 and XACK, ${AT_ONCE} at once`], delivering);
    await row(bench, servers, [`XREAD BLOCK of ${READERS} readers and the XADD, per reader`], waking);
  });
}

export async function streamMemory(bench: Bench): Promise<void> {
  const { elements } = bench.options;
  const title = `Memory of a stream by MEMORY USAGE, ${counted(PENDING)} entries pending, per entry in bytes`;
  bench.head(title, "entries", ...bench.columns);
  const figures = await bench.each(async (server) => {
    await withClients(server, 1, async ([client]) => {
      await prepare(client, elements);
      await timed(server, client, Math.min(PENDING, elements), read.length, () => deliver());
    });
    using client = await BenchClient.connect(server.port);
    return await client.number("MEMORY", "USAGE", KEY, "SAMPLES", "0") / elements;
  });
  bench.row(counted(elements), ...figures.map((bytes) => bytes.toFixed(1)), ...bench.ratio(figures));
}

/**
 * The figures of some commands on streams of so many entries, spread over all of them: one long stream, or many short
 * ones, so that there are enough calls.
 */
async function calling(server: Running, length: number): Promise<number[]> {
  const figures: number[] = [];
  const keys = Array.from({ length: Math.ceil(2 * CALLS / length) }, (_, i) => `${KEY}:${String(i).padStart(4, "0")}`);
  const keyOf = (n: number) => keys[n % keys.length], turn = (n: number) => Math.floor(n / keys.length);
  await withClients(server, 1, async ([client]) => {
    await prepare(client, length, keys);
    const somewhere = (n: number) => turn(n) * SPREAD % (length - 10);
    const ten = "*10\r\n".length + 10 * entry(0).length;
    const calls: [reply: number, call: (n: number) => string][] = [
      [added.length, (n) => add(length + turn(n), keyOf(n))],
      [ten, (n) => request("XRANGE", keyOf(n), idOf(somewhere(n)), "+", "COUNT", 10)],
      [readOf(keys[0]).length + ":1\r\n".length, (n) => acknowledged(turn(n), keyOf(n))],
      [":1\r\n".length, (n) => request("XDEL", keyOf(n), idOf(somewhere(n)))],
    ];
    for (const [reply, call] of calls) figures.push(await timed(server, client, CALLS, reply, call));
  });
  return figures;
}

export async function streamSizes(bench: Bench): Promise<void> {
  const { elements } = bench.options;
  bench.head(`Streams by length: CPU time of the server per command, in µs`, "command", "entries", ...bench.columns);
  for (const part of LENGTHS) {
    const length = Math.ceil(elements * part / ADDED_AT_ONCE) * ADDED_AT_ONCE;
    const columns = await bench.each(async (server) => {
      // The first figures do not count: a server that has just started compiles its code.
      await calling(server, WARMING);
      return await calling(server, length);
    });
    for (const [i, name] of ["XADD", "XRANGE of 10", "XREADGROUP and XACK", "XDEL"].entries()) {
      const figures = columns.map((column) => column[i]);
      bench.row(name, counted(length), ...figures.map((us) => us.toFixed(2)), ...bench.ratio(figures));
    }
  }
}
