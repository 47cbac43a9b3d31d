/** What the process costs before a command counts: its start, the loading of its file, the clients that only wait. */
import { type Bench, counted, median } from "./bench.ts";
import { setRequests } from "./load.ts";
import { type Kind, Running } from "./servers.ts";

const START_ROUNDS = 5;
const LOADED_KEYS = 1_000_000;
const LOADED_AT_ONCE = 10_000;
const IDLE_CLIENTS = 5000;
const CONNECTED_AT_ONCE = 50;

export async function start(bench: Bench): Promise<void> {
  const { kinds, firstPort } = bench.options;
  bench.head("From the start to the first answer, in ms", "file", ...bench.columns);
  for (const aof of [undefined, "empty.aof"]) {
    const figures: number[] = [];
    for (const kind of kinds) {
      const times: number[] = [];
      for (let round = 0; round < START_ROUNDS; round++) {
        await using server = await Running.start(kind, firstPort, { aof });
        times.push(server.readyMs);
      }
      figures.push(median(times));
    }
    bench.row(aof === undefined ? "none" : "empty", ...figures.map((ms) => ms.toFixed(0)), ...bench.ratio(figures));
  }
}

export async function load(bench: Bench): Promise<void> {
  const { kinds, rounds, firstPort } = bench.options;
  bench.head(`Loading an append-only file of ${counted(LOADED_KEYS)} SET commands, in s`, "", ...bench.columns);
  const figures: number[] = [];
  for (const kind of kinds) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await loadSeconds(kind, firstPort));
    figures.push(median(times));
  }
  bench.row("seconds", ...figures.map((s) => s.toFixed(2)), ...bench.ratio(figures));
}

/** How much longer a start takes with a file than without. */
async function loadSeconds(kind: Kind, port: number): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "memdb-bench-" });
  try {
    let empty: number;
    {
      await using server = await Running.start(kind, port, { folder });
      empty = server.readyMs;
    }
    const file = await Deno.open(`${folder}/load.aof`, { write: true, createNew: true });
    await file.write(new TextEncoder().encode("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"));
    for (let i = 0; i < LOADED_KEYS; i += LOADED_AT_ONCE) {
      const bytes = setRequests(i, LOADED_AT_ONCE);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    }
    file.close();
    await using server = await Running.start(kind, port, { folder, aof: "load.aof" });
    return (server.readyMs - empty) / 1000;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

export async function idle(bench: Bench): Promise<void> {
  const title = `Growth of resident memory per client of ${counted(IDLE_CLIENTS)}, in bytes`;
  bench.head(title, "clients", ...bench.columns);
  const row = async (name: string, request: (i: number) => string) => {
    const figures = await bench.each((server) => growthPerClient(server, request));
    bench.row(name, ...figures.map((bytes) => bytes.toFixed(0)), ...bench.ratio(figures));
  };
  await row("idle", () => "");
  await row("wait in BLPOP, each for its own key", (i) => {
    const key = `queue:${i}`;
    return `*3\r\n$5\r\nBLPOP\r\n$${key.length}\r\n${key}\r\n$1\r\n0\r\n`;
  });
}

/** The growth by clients that have sent a PING, and then a request without a reply. */
async function growthPerClient(server: Running, request: (i: number) => string): Promise<number> {
  const before = server.residentBytes();
  const sockets: Deno.Conn[] = [];
  const reply = new Uint8Array(64);
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const ask = async (socket: Deno.Conn) => {
    await socket.write(new TextEncoder().encode("PING\r\n"));
    await socket.read(reply);
  };
  while (sockets.length < IDLE_CLIENTS) {
    const some = await Promise.all(Array.from({ length: CONNECTED_AT_ONCE }, connect));
    for (const socket of some) await ask(socket);
    sockets.push(...some);
  }
  for (const [i, socket] of sockets.entries()) await socket.write(new TextEncoder().encode(request(i)));
  // Its reply leaves after all of these requests have run.
  const last = await connect();
  await ask(last);
  const growth = server.residentBytes() - before;
  for (const socket of [...sockets, last]) socket.close();
  return growth / sockets.length;
}
