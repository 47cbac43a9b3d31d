/**
 * What the client does besides running commands: listing keys, finding large ones, watching figures, measuring latency,
 * bulk loading. Each takes a fresh connection and prints; none reads the terminal.
 */
import { encodeRequest, type Reply } from "../resp/decoder.ts";
import { fromBytes, toBytes } from "./binary.ts";
import { type Connection, ConnectionError } from "./connection.ts";
import type { OutputMode } from "./format.ts";
import type { Options } from "./options.ts";
import { quote, splitArguments } from "./quoting.ts";
import type { Sink } from "./session.ts";

/** What every mode gets. `connection` is logged in, in the chosen database, and speaks RESP2. */
export interface ModeContext {
  readonly connection: Connection;
  readonly options: Options;
  readonly output: OutputMode;
  readonly sink: Sink;
  /** The output is a terminal: figures may run for ever and be redrawn. */
  readonly live: boolean;
}

/** The server refused what the mode needs; `message` is a line for the user. */
export class ModeError extends Error {
  override name = "ModeError";
}

async function ask(connection: Connection, args: readonly string[]): Promise<Reply> {
  await connection.send(args);
  const reply = await connection.read();
  if (reply.type === "error") throw new ModeError(`${args[0]} failed: ${fromBytes(reply.bytes)}`);
  return reply;
}

/** Several requests in one write; errors are replies like others. */
async function askAll(connection: Connection, requests: readonly (readonly string[])[]): Promise<Reply[]> {
  const parts = requests.map((args) => encodeRequest(args.map(toBytes)));
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const sent = connection.write(bytes);
  const replies: Reply[] = [];
  while (replies.length < requests.length) replies.push(await connection.read());
  await sent;
  return replies;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The keys, a batch for each SCAN. */
async function* scanKeys({ connection, options }: ModeContext): AsyncGenerator<string[]> {
  let cursor = "0";
  do {
    const args = ["SCAN", cursor];
    if (options.pattern !== undefined) args.push("MATCH", options.pattern);
    if (options.count !== undefined) args.push("COUNT", String(options.count));
    const reply = await ask(connection, args);
    const [next, keys] = "items" in reply ? reply.items : [];
    if (next === undefined || !("bytes" in next) || keys === undefined || !("items" in keys)) {
      throw new ModeError("SCAN failed: not the reply of a SCAN");
    }
    cursor = fromBytes(next.bytes);
    yield keys.items.map((key) => "bytes" in key ? fromBytes(key.bytes) : "");
  } while (cursor !== "0");
}

/** `--scan`: one key a line, quoted in standard output. */
export async function scan(context: ModeContext): Promise<void> {
  for await (const keys of scanKeys(context)) {
    const lines = keys.map((key) => (context.output === "standard" ? quote(key) : key) + "\n");
    context.sink.write(lines.join(""));
    if (context.options.intervalMs > 0) await pause(context.options.intervalMs);
  }
}

const sizeCommands: Readonly<Record<string, readonly [command: string, unit: string]>> = {
  string: ["STRLEN", "bytes"],
  list: ["LLEN", "items"],
  set: ["SCARD", "members"],
  hash: ["HLEN", "fields"],
  zset: ["ZCARD", "members"],
  stream: ["XLEN", "entries"],
};

/** `--bigkeys` and `--memkeys`: the largest key of each type, counted in elements or in bytes of memory. */
export async function largestKeys(context: ModeContext, measure: "elements" | "memory"): Promise<void> {
  const { connection, options, sink } = context;
  const total = await ask(connection, ["DBSIZE"]);
  const keyCount = total.type === "integer" ? Number(total.value) : 0;
  const types = new Map<string, { keys: number; size: number; largest: number; key: string }>();
  let [sampled, keyBytes, rounds] = [0, 0, 0];
  sink.write(`Scanning all keys for the largest of each type (-i 0.1 pauses 0.1 s every 100 SCANs).\n\n`);
  for await (const keys of scanKeys(context)) {
    const replies = await askAll(connection, keys.map((key) => ["TYPE", key]));
    // A key that vanished meanwhile has type "none"; a module's type has no size in elements.
    const known = keys.map((key, index) => ({ key, type: textOf(replies[index]!) }))
      .filter(({ type }) => type !== "none");
    const samples = options.memorySamples === undefined ? [] : ["SAMPLES", String(options.memorySamples)];
    const measured = measure === "memory" ? known : known.filter(({ type }) => type in sizeCommands);
    const sizes = await askAll(
      connection,
      measured.map(({ key, type }) =>
        measure === "memory" ? ["MEMORY", "USAGE", key, ...samples] : [sizeCommands[type]![0], key]
      ),
    );
    measured.forEach(({ key, type }, index) => {
      const reply = sizes[index]!;
      const size = reply.type === "integer" ? Number(reply.value) : 0;
      const seen = types.get(type) ?? { keys: 0, size: 0, largest: -1, key: "" };
      types.set(type, seen);
      seen.keys++;
      seen.size += size;
      if (size > seen.largest) {
        seen.largest = size;
        seen.key = key;
        const share = keyCount === 0 ? 0 : Math.min(100, 100 * sampled / keyCount);
        sink.write(
          `[${share.toFixed(2).padStart(5, "0")}%] Largest ${type} so far ${quote(key)} with ${size} ${
            unitOf(type, measure)
          }\n`,
        );
      }
    });
    sampled += keys.length;
    keyBytes += keys.reduce((sum, key) => sum + key.length, 0);
    if (++rounds % 100 === 0 && options.intervalMs > 0) await pause(options.intervalMs);
  }
  sink.write(`\n-------- summary -------\n\nSampled ${sampled} keys in the keyspace!\n`);
  const average = sampled === 0 ? 0 : keyBytes / sampled;
  sink.write(`Total key length in bytes is ${keyBytes} (avg len ${average.toFixed(2)})\n\n`);
  for (const [type, { key, largest }] of types) {
    sink.write(`Largest ${type.padStart(6)} found ${quote(key)} has ${largest} ${unitOf(type, measure)}\n`);
  }
  sink.write("\n");
  for (const [type, { keys, size }] of types) {
    const share = (100 * keys / sampled).toFixed(2).padStart(5, "0");
    sink.write(
      `${keys} ${type}s with ${size} ${unitOf(type, measure)} (${share}% of keys, avg size ${
        (size / keys).toFixed(2)
      })\n`,
    );
  }
}

function unitOf(type: string, measure: "elements" | "memory"): string {
  return measure === "memory" ? "bytes" : sizeCommands[type]?.[1] ?? "?";
}

function textOf(reply: Reply): string {
  return "bytes" in reply ? fromBytes(reply.bytes) : "";
}

/** `--stat`: a line of figures every interval (1 s), until interrupted; `-r` limits the lines. */
export async function stat({ connection, options, sink }: ModeContext): Promise<void> {
  let previousRequests: number | undefined;
  const lines = options.repeat > 1 ? options.repeat : Infinity;
  for (let line = 0; line < lines; line++) {
    if (line > 0) await pause(options.intervalMs || 1000);
    const info = new Map(
      textOf(await ask(connection, ["INFO"])).split("\r\n").filter((row) => row.includes(":"))
        .map((row) => [row.slice(0, row.indexOf(":")), row.slice(row.indexOf(":") + 1)] as const),
    );
    if (line % 20 === 0) {
      sink.write("------- data ------ --------------------- load -------------------- - child -\n");
      sink.write("keys       mem      clients blocked requests            connections          \n");
    }
    let keys = 0;
    for (const [name, value] of info) {
      if (/^db\d+$/.test(name)) keys += Number(/keys=(\d+)/.exec(value)?.[1] ?? 0);
    }
    const requests = Number(info.get("total_commands_processed") ?? 0);
    const delta = previousRequests === undefined ? 0 : requests - previousRequests;
    previousRequests = requests;
    const child = info.get("rdb_bgsave_in_progress") === "1"
      ? "SAVE"
      : info.get("aof_rewrite_in_progress") === "1"
      ? "AOF"
      : "";
    const cells = [
      String(keys).padEnd(11),
      humanBytes(Number(info.get("used_memory") ?? 0)).padEnd(9),
      (info.get("connected_clients") ?? "").padEnd(8),
      (info.get("blocked_clients") ?? "").padEnd(8),
      `${requests} (+${delta})`.padEnd(20),
      (info.get("total_connections_received") ?? "").padEnd(12),
      child,
    ];
    sink.write(cells.join("") + "\n");
  }
}

/** 1536 as "1.50K". */
function humanBytes(size: number): string {
  let [value, unit] = [size, "B"];
  for (const next of ["K", "M", "G", "T"]) {
    if (value < 1024) break;
    [value, unit] = [value / 1024, next];
  }
  return unit === "B" ? `${value}B` : `${value.toFixed(2)}${unit}`;
}

/**
 * `--latency`: the time of a PING in milliseconds, sampled a hundred times a second: redrawn for ever on a terminal,
 * elsewhere one line (least, most, average, samples) after the interval (1 s).
 */
export async function latency({ connection, options, output, sink, live }: ModeContext): Promise<void> {
  const forever = live && output === "standard";
  let [min, max, sum, count] = [Infinity, 0, 0, 0];
  const began = performance.now();
  for (;;) {
    const started = performance.now();
    await ask(connection, ["PING"]);
    const elapsedMs = performance.now() - started;
    [min, max, sum, count] = [Math.min(min, elapsedMs), Math.max(max, elapsedMs), sum + elapsedMs, count + 1];
    const [least, most, average] = [min.toFixed(2), max.toFixed(2), (sum / count).toFixed(2)];
    if (forever) {
      sink.write(`\r\x1b[Kmin: ${least}, max: ${most}, avg: ${average} (${count} samples)`);
    } else if (performance.now() - began >= (options.intervalMs || 1000)) {
      const figures = { min: least, max: most, avg: average, count };
      if (output === "json") sink.write(`{"min": ${least}, "max": ${most}, "avg": ${average}, "count": ${count}}\n`);
      else if (output === "standard") {
        sink.write(`min: ${least}, max: ${most}, avg: ${average} (${count} samples)\n`);
      } else sink.write(Object.values(figures).join(output === "csv" ? "," : " ") + "\n");
      return;
    }
    await pause(10);
  }
}

/**
 * `--pipe`: sends the standard input, RESP or lines of commands, as fast as the server takes it, and counts the replies.
 * A final ECHO of random bytes tells that all have come. False when there were errors.
 */
export async function pipe(
  { connection, options, sink }: ModeContext,
  input: ReadableStream<Uint8Array>,
): Promise<boolean> {
  const marker = Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  let [replies, errors, timedOut] = [0, 0, false];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const restartTimer = () => {
    clearTimeout(timer);
    if (options.pipeTimeoutMs === 0) return;
    timer = setTimeout(() => {
      timedOut = true;
      connection.close();
    }, options.pipeTimeoutMs);
  };
  let allSent = false;
  const counting = (async () => {
    for (;;) {
      const reply = await connection.read();
      if (allSent) restartTimer();
      if (reply.type === "string" && fromBytes(reply.bytes) === marker) return;
      replies++;
      if (reply.type === "error") {
        errors++;
        sink.error(fromBytes(reply.bytes) + "\n");
      }
    }
  })();
  // Errors are looked at below; without this they would count as unhandled while the input is still being sent.
  counting.catch(() => {});
  try {
    for await (const bytes of requestsOf(input)) {
      await connection.write(bytes);
      if (connection.closed) break;
    }
    await connection.send(["ECHO", marker]);
    sink.write("All data transferred. Waiting for the last reply...\n");
    allSent = true;
    restartTimer();
    await counting;
    sink.write("Last reply received from server.\n");
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    const seconds = options.pipeTimeoutMs / 1000;
    sink.error(timedOut ? `No replies for ${seconds} seconds: exiting.\n` : `Error: ${error.message}\n`);
    errors++;
  } finally {
    clearTimeout(timer);
  }
  sink.write(`errors: ${errors}, replies: ${replies}\n`);
  return errors === 0;
}

/** RESP as it comes; input that does not begin with `*` is lines of commands, quoted as in a session. */
async function* requestsOf(input: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let [first, lines, unfinished] = [true, false, ""];
  for await (const chunk of input) {
    if (first && chunk.length > 0) {
      first = false;
      lines = chunk[0] !== 42;
    }
    if (!lines) {
      yield chunk;
      continue;
    }
    const parts = (unfinished + fromBytes(chunk)).split("\n");
    unfinished = parts.pop()!;
    yield* parts.map(requestOf).filter((request) => request !== undefined);
  }
  const last = requestOf(unfinished);
  if (last !== undefined) yield last;
}

function requestOf(line: string): Uint8Array | undefined {
  const args = splitArguments(line);
  if (args === undefined) throw new ModeError(`quotes do not balance: ${line.trimEnd()}`);
  return args.length === 0 ? undefined : encodeRequest(args.map(toBytes));
}
