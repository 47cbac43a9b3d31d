/**
 * CPU time of the server for clients that converse: messages to subscribers, blocked clients that are woken, reads that
 * are tracked; and the memory of many channels. All clients are sockets of this process.
 */
import { type Bench, counted, median } from "./bench.ts";
import type { Running } from "./servers.ts";

const SUBSCRIBERS = [1, 100, 1000];
const MESSAGE_BYTES = [32, 1024];
/** Messages that one round delivers, to all subscribers together. */
const DELIVERIES = 400_000;
const PUBLISHED_AT_ONCE = 16;
const PAIRS = 50;
const WAKE_ROUNDS = 1000;
const TRACKING_PIPELINES = [1, 16];
const CHANNELS = 100_000;
const CHANNEL_CLIENTS = 100;
const encoder = new TextEncoder();

/** The request of these arguments in RESP. */
export function request(...args: (string | number)[]): string {
  return `*${args.length}\r\n` + args.map((arg) => `$${String(arg).length}\r\n${arg}\r\n`).join("");
}

/** A socket that writes requests and counts the bytes that come back. */
export class Client implements Disposable {
  readonly #socket: Deno.TcpConn;
  readonly #room = new Uint8Array(64 * 1024);

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  static async connect({ port }: Running): Promise<Client> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay();
    return new Client(socket);
  }

  async write(text: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const bytes = typeof text === "string" ? encoder.encode(text) : text;
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  /** Reads this number of bytes. */
  async read(bytes: number): Promise<void> {
    while (bytes > 0) {
      const read = await this.#socket.read(this.#room);
      if (read === null) throw new Error("the server closed the connection");
      bytes -= read;
    }
    if (bytes < 0) throw new Error("the server sent more than was expected");
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

export async function withClients(
  server: Running,
  count: number,
  body: (clients: readonly Client[]) => Promise<void>,
): Promise<void> {
  using stack = new DisposableStack();
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) clients.push(stack.use(await Client.connect(server)));
  await body(clients);
}

/** Prints a row of what `measure` gives for each server, in CPU microseconds, the servers in turn. */
export async function row(
  bench: Bench,
  servers: readonly Running[],
  names: readonly string[],
  measure: (server: Running) => Promise<number>,
): Promise<number[]> {
  const figures: number[][] = [];
  // The first round is not counted: a server that has just started compiles its code.
  for (const server of servers) await measure(server);
  for (let round = 0; round < bench.options.rounds; round++) {
    figures.push([]);
    for (const server of servers) figures[round].push(await measure(server));
  }
  const medians = servers.map((_, i) => median(figures.map((round) => round[i])));
  bench.row(...names, ...medians.map((us) => us.toFixed(2)), ...bench.ratioOfRounds(figures));
  return medians;
}

/** CPU microseconds of the server for each message that a subscriber receives. */
async function publishing(server: Running, subscribers: number, bytes: number): Promise<number> {
  const channel = "channel", message = request("message", channel, "x".repeat(bytes));
  const confirmation = "*3\r\n" + request("subscribe", channel).slice("*2\r\n".length) + ":1\r\n";
  let spent = 0;
  await withClients(server, subscribers + 1, async ([publisher, ...others]) => {
    for (const other of others) {
      await other.write(request("SUBSCRIBE", channel));
      await other.read(confirmation.length);
    }
    const batches = Math.ceil(DELIVERIES / subscribers / PUBLISHED_AT_ONCE);
    const requests = request("PUBLISH", channel, "x".repeat(bytes)).repeat(PUBLISHED_AT_ONCE);
    const replies = `:${subscribers}\r\n`.length * PUBLISHED_AT_ONCE;
    const before = server.cpuSeconds();
    for (let batch = 0; batch < batches; batch++) {
      await publisher.write(requests);
      await publisher.read(replies);
      await Promise.all(others.map((other) => other.read(message.length * PUBLISHED_AT_ONCE)));
    }
    spent = (server.cpuSeconds() - before) * 1e6 / (batches * PUBLISHED_AT_ONCE * subscribers);
  });
  return spent;
}

export async function publish(bench: Bench): Promise<void> {
  const title = `PUBLISH, ${PUBLISHED_AT_ONCE} at once: CPU time of the server per message delivered, in µs`;
  bench.head(title, "subscribers", "bytes", ...bench.columns);
  await bench.withAll(async (servers) => {
    for (const subscribers of SUBSCRIBERS) {
      for (const bytes of MESSAGE_BYTES) {
        await row(
          bench,
          servers,
          [counted(subscribers), counted(bytes)],
          (server) => publishing(server, subscribers, bytes),
        );
      }
    }
  });
}

/** CPU microseconds of the server for an RPUSH and the BLPOP that it wakes. */
async function waking(server: Running): Promise<number> {
  let spent = 0;
  await withClients(server, PAIRS * 2, async (clients) => {
    const before = server.cpuSeconds();
    for (let round = 0; round < WAKE_ROUNDS; round++) {
      // The pops wait before the pushes come, because the first pusher asks for an answer in between.
      for (let i = 0; i < PAIRS; i++) await clients[i].write(request("BLPOP", `queue:${i}`, 0));
      await clients[PAIRS].write(request("PING"));
      await clients[PAIRS].read("+PONG\r\n".length);
      for (let i = 0; i < PAIRS; i++) await clients[PAIRS + i].write(request("RPUSH", `queue:${i}`, "x".repeat(32)));
      await Promise.all(
        clients.map((client, i) =>
          client.read(i < PAIRS ? request(`queue:${i}`, "x".repeat(32)).length : ":1\r\n".length)
        ),
      );
    }
    spent = (server.cpuSeconds() - before) * 1e6 / (WAKE_ROUNDS * PAIRS);
  });
  return spent;
}

export async function wake(bench: Bench): Promise<void> {
  bench.head(`RPUSH waking BLPOP, ${PAIRS} pairs of clients: CPU time per pair, in µs`, "", ...bench.columns);
  await bench.withAll(async (servers) => {
    await row(bench, servers, ["RPUSH + BLPOP"], waking);
  });
}

/** CPU microseconds of the server for a GET, in connections that track their reads or not. */
async function reading(bench: Bench, server: Running, pipeline: number, tracked: boolean): Promise<number> {
  const { requests, valueBytes } = bench.options;
  const count = Math.ceil(requests / (pipeline === 1 ? 4 : 1));
  const common = `-p ${server.port} -c 50 -P ${pipeline} -n ${count} -r 100000 -d ${valueBytes} -q -t get`;
  const before = server.cpuSeconds();
  const { success } = await new Deno.Command("redis-benchmark", {
    args: [...common.split(" "), ...tracked ? ["-3", "--enable-tracking"] : ["-3"]],
  }).output();
  return success ? (server.cpuSeconds() - before) * 1e6 / count : NaN;
}

export async function tracking(bench: Bench): Promise<void> {
  bench.head("GET by clients that track their reads, CPU time in µs", "tracking", "pipeline", ...bench.columns);
  await bench.withAll(async (servers) => {
    for (const server of servers) {
      const args = `-p ${server.port} -P 16 -n 300000 -r 100000 -d ${bench.options.valueBytes} -q -t set`;
      await new Deno.Command("redis-benchmark", { args: args.split(" ") }).output();
    }
    for (const pipeline of TRACKING_PIPELINES) {
      const [off, on] = [
        await row(bench, servers, ["off", String(pipeline)], (server) => reading(bench, server, pipeline, false)),
        await row(bench, servers, ["on", String(pipeline)], (server) => reading(bench, server, pipeline, true)),
      ];
      const factors = on.map((us, i) => (us / off[i]).toFixed(2));
      bench.row("on / off", String(pipeline), ...factors, ...bench.compares ? [""] : []);
    }
  });
}

export async function channels(bench: Bench): Promise<void> {
  const title = `Growth of resident memory by ${counted(CHANNELS)} channels with a subscriber each, in MB`;
  bench.head(title, "", ...bench.columns);
  const figures = await bench.each(async (server) => {
    let growth = 0;
    await withClients(server, CHANNEL_CLIENTS, async (clients) => {
      const before = server.residentBytes();
      const each = CHANNELS / CHANNEL_CLIENTS;
      for (const [i, client] of clients.entries()) {
        const names = Array.from({ length: each }, (_, k) => `channel:${String(i * each + k).padStart(8, "0")}`);
        const replies = names.map((name, k) => `*3\r\n$9\r\nsubscribe\r\n$${name.length}\r\n${name}\r\n:${k + 1}\r\n`);
        await client.write(request("SUBSCRIBE", ...names));
        await client.read(replies.join("").length);
      }
      growth = server.residentBytes() - before;
    });
    return growth / 1e6;
  });
  bench.row("MB", ...figures.map((mb) => mb.toFixed(1)), ...bench.ratio(figures));
}
