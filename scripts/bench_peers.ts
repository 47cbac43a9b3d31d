/**
 * `deno task bench:peers`: what a command costs on MemDB, and on Redis and Valkey where they are on the PATH; memory per
 * key, pauses, start and loading. Prints tables in Markdown. A benchmark, not a test: nothing fails on its figures.
 */
import { parseArgs } from "@std/cli";
import { setKeys, setRequests, whileProbing } from "./bench/load.ts";
import { type Kind, machine, memdb, peer, Running } from "./bench/servers.ts";

const HELP = `deno task bench:peers [flags]

  --parts WORDS      commands,memory,pause,start,load,everysec,idle (all)
  --tests WORDS      workloads of part "commands" (all)
  --pipelines NUMS   1,16
  --rounds N         3: the median is shown
  --requests N       1000000 for each measurement, fewer without a pipeline and for long replies
  --keys NUMS        1000000,10000000 for part "memory"; the last for part "pause"
  --size N           32: bytes of a value
  --port N           7550: this and the following ports are used
  --binary PATH      the executable to measure, instead of the source
  --peers WORDS      redis-server,valkey-server

The full run takes about half an hour.
`;

/** Workloads: tests of redis-benchmark, or commands of our own with its placeholder for a random number. */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  ping: ["-t", "ping_mbulk"],
  set: ["-t", "set"],
  get: ["-t", "get"],
  incr: ["-t", "incr"],
  mset: ["-t", "mset"],
  lpush: ["-t", "lpush"],
  rpush: ["-t", "rpush"],
  lpop: ["-t", "lpop"],
  rpop: ["-t", "rpop"],
  lrange_100: ["-t", "lrange_100"],
  lrange_600: ["-t", "lrange_600"],
  sadd: ["-t", "sadd"],
  spop: ["-t", "spop"],
  hset: ["-t", "hset"],
  zadd: ["-t", "zadd"],
  zpopmin: ["-t", "zpopmin"],
  setex: ["SETEX", "key:__rand_int__", "1000", "x".repeat(32)],
  exists: ["EXISTS", "key:__rand_int__"],
  hget: ["HGET", "myhash", "element:__rand_int__"],
  sismember: ["SISMEMBER", "myset", "element:__rand_int__"],
  zscore: ["ZSCORE", "myzset", "element:__rand_int__"],
  zrangebyscore: ["ZRANGEBYSCORE", "myzset", "0", "10", "LIMIT", "0", "10"],
};
/** Fewer requests where each is long: a divisor of --requests. */
const WEIGHT: Readonly<Record<string, number>> = { mset: 4, lrange_100: 4, lrange_600: 16 };
const CLIENTS = 50;
const KEY_RANGE = 1_000_000;
const START_ROUNDS = 5;
const IDLE_CLIENTS = 5000;

const flags = parseArgs(Deno.args, {
  boolean: ["help"],
  string: ["parts", "tests", "pipelines", "rounds", "requests", "keys", "size", "port", "binary", "peers"],
});
const words = (text: string | undefined, usual: string) => (text ?? usual).split(",").filter((word) => word !== "");
const parts = words(flags.parts, "commands,memory,pause,start,load,everysec,idle");
const tests = words(flags.tests, Object.keys(TESTS).join(","));
const pipelines = words(flags.pipelines, "1,16").map(Number);
const rounds = Number(flags.rounds ?? 3);
const requests = Number(flags.requests ?? 1_000_000);
const keyCounts = words(flags.keys, "1000000,10000000").map(Number);
const valueBytes = Number(flags.size ?? 32);
const firstPort = Number(flags.port ?? 7550);

function usage(message: string): never {
  console.error(`${message}\n\n${HELP}`);
  Deno.exit(2);
}

if (flags.help) {
  console.log(HELP + "\nWorkloads: " + Object.keys(TESTS).join(", "));
  Deno.exit(0);
}
const unknown = [...tests.filter((name) => !(name in TESTS)), ...flags._.map(String)];
if (unknown.length > 0) usage(`unknown: ${unknown.join(", ")}`);
if (![...pipelines, rounds, requests, ...keyCounts, valueBytes, firstPort].every((n) => n > 0)) usage("not a number");
if (Deno.build.os !== "linux") {
  console.error("The figures come from /proc, which only Linux has.");
  Deno.exit(1);
}

const kinds: Kind[] = [
  memdb(flags.binary),
  ...words(flags.peers, "redis-server,valkey-server").map(peer).filter((kind) => kind !== undefined),
];

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length % 2 === 1
    ? sorted[sorted.length >> 1]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
}

function row(...cells: string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

function head(title: string, ...columns: string[]): void {
  console.log(`\n### ${title}\n`);
  row(...columns);
  row(...columns.map(() => "---"));
}

/** The column behind the servers: MemDB's figure over the better peer's, where there is a peer. */
const ratioColumn = kinds.length > 1 ? ["ratio"] : [];

function ratioOf(figures: readonly number[]): string[] {
  return kinds.length > 1 ? [`**${(figures[0] / Math.min(...figures.slice(1))).toFixed(2)}**`] : [];
}

/** Starts all servers on ports of their own, and stops them behind `body`. */
async function withAll(body: (servers: Running[]) => Promise<void>, aof?: string): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const servers: Running[] = [];
  for (const [i, kind] of kinds.entries()) servers.push(stack.use(await Running.start(kind, firstPort + i, { aof })));
  await body(servers);
}

/** Runs redis-benchmark on a server. Returns CPU seconds of the server per command, NaN when it replied an error. */
async function benchmark(server: Running, test: string, pipeline: number, count: number): Promise<number> {
  const common = `-p ${server.port} -c ${CLIENTS} -P ${pipeline} -n ${count} -r ${KEY_RANGE} -d ${valueBytes} -q`;
  const before = server.cpuSeconds();
  const { stdout, stderr, success } = await new Deno.Command("redis-benchmark", {
    args: [...common.split(" "), ...TESTS[test]],
  }).output();
  const spent = server.cpuSeconds() - before;
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return success && !/-ERR|^Error/m.test(text) ? spent / count : NaN;
}

async function commands(): Promise<void> {
  head("CPU time of the server per command, in µs", "command", "pipeline", ...kinds.map((k) => k.name), ...ratioColumn);
  await withAll(async (servers) => {
    for (const pipeline of pipelines) {
      for (const test of tests) {
        const count = Math.ceil(requests / (WEIGHT[test] ?? 1) / (pipeline === 1 ? 4 : 1));
        const figures: number[][] = [];
        // In turns, so that what else happens on the machine hits all of them.
        for (let round = 0; round < rounds; round++) {
          figures.push([]);
          for (const server of servers) figures[round].push(await benchmark(server, test, pipeline, count) * 1e6);
        }
        const medians = servers.map((_, i) => median(figures.map((round) => round[i])));
        const ratio = kinds.length > 1
          ? [`**${median(figures.map(([own, ...peers]) => own / Math.min(...peers))).toFixed(2)}**`]
          : [];
        row(test.toUpperCase(), String(pipeline), ...medians.map((us) => us.toFixed(2)), ...ratio);
      }
    }
  });
}

async function memory(): Promise<void> {
  head(
    "Growth of resident memory per key, in bytes (key of 16, value of 32)",
    "keys",
    ...kinds.map((k) => k.name),
    ...ratioColumn,
  );
  for (const keys of keyCounts) {
    const figures: number[] = [];
    for (const kind of kinds) {
      await using server = await Running.start(kind, firstPort);
      const before = server.residentBytes();
      await setKeys(server.port, 0, keys);
      figures.push((server.residentBytes() - before) / keys);
    }
    row(keys.toLocaleString("en"), ...figures.map((bytes) => bytes.toFixed(1)), ...ratioOf(figures));
  }
}

async function pause(): Promise<void> {
  const keys = keyCounts.at(-1)!;
  head(
    `Waiting of another client while ${keys.toLocaleString("en")} keys are set, in ms`,
    "server",
    "longest",
    "1 in 1000",
  );
  for (const kind of kinds) {
    await using server = await Running.start(kind, firstPort);
    const { maxMs, p999Ms } = await whileProbing(server.port, () => setKeys(server.port, 0, keys));
    row(kind.name, maxMs.toFixed(1), p999Ms.toFixed(2));
  }
}

async function start(): Promise<void> {
  head("From the start to the first answer, in ms", "file", ...kinds.map((k) => k.name), ...ratioColumn);
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
    row(aof === undefined ? "none" : "empty", ...figures.map((ms) => ms.toFixed(0)), ...ratioOf(figures));
  }
}

async function load(): Promise<void> {
  head("Loading an append-only file of 1 M SET commands, in s", "", ...kinds.map((k) => k.name), ...ratioColumn);
  const figures: number[] = [];
  for (const kind of kinds) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const folder = await Deno.makeTempDir({ prefix: "memdb-bench-" });
      try {
        let empty: number;
        {
          await using server = await Running.start(kind, firstPort, { folder });
          empty = server.readyMs;
        }
        const file = await Deno.open(`${folder}/load.aof`, { write: true, createNew: true });
        await file.write(new TextEncoder().encode("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"));
        for (let i = 0; i < 1_000_000; i += 10_000) {
          const bytes = setRequests(i, 10_000);
          for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
        }
        file.close();
        await using server = await Running.start(kind, firstPort, { folder, aof: "load.aof" });
        times.push((server.readyMs - empty) / 1000);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }
    figures.push(median(times));
  }
  row("seconds", ...figures.map((s) => s.toFixed(2)), ...ratioOf(figures));
}

async function everysec(): Promise<void> {
  head("SET at pipeline 16, CPU time in µs", "append-only file", ...kinds.map((k) => k.name), ...ratioColumn);
  const medians: number[][] = [];
  for (const aof of [undefined, "everysec.aof"]) {
    await withAll(async (servers) => {
      const figures: number[][] = servers.map(() => []);
      for (let round = 0; round < rounds; round++) {
        for (const [i, server] of servers.entries()) {
          figures[i].push(await benchmark(server, "set", 16, requests) * 1e6);
        }
      }
      medians.push(figures.map(median));
    }, aof);
    const last = medians.at(-1)!;
    row(aof === undefined ? "none" : "everysec", ...last.map((us) => us.toFixed(2)), ...ratioOf(last));
  }
  row("everysec / none", ...medians[1].map((us, i) => (us / medians[0][i]).toFixed(2)), ...ratioColumn.map(() => ""));
}

async function idle(): Promise<void> {
  head(
    `Growth of resident memory per idle client of ${IDLE_CLIENTS}, in bytes`,
    "",
    ...kinds.map((k) => k.name),
    ...ratioColumn,
  );
  const figures: number[] = [];
  for (const kind of kinds) {
    await using server = await Running.start(kind, firstPort);
    const before = server.residentBytes();
    const sockets: Deno.Conn[] = [];
    const reply = new Uint8Array(64);
    while (sockets.length < IDLE_CLIENTS) {
      const some = await Promise.all(
        Array.from({ length: 50 }, () => Deno.connect({ hostname: "127.0.0.1", port: server.port })),
      );
      for (const socket of some) {
        await socket.write(new TextEncoder().encode("PING\r\n"));
        await socket.read(reply);
      }
      sockets.push(...some);
    }
    figures.push((server.residentBytes() - before) / sockets.length);
    for (const socket of sockets) socket.close();
  }
  row("bytes", ...figures.map((bytes) => bytes.toFixed(0)), ...ratioOf(figures));
}

const PARTS: Readonly<Record<string, () => Promise<void>>> = { commands, memory, pause, start, load, everysec, idle };
for (const part of parts) if (!(part in PARTS)) usage(`there is no part ${part}`);
console.log(`${machine()}; ${kinds.map(({ name }) => name).join(", ")}. Ratio: MemDB over the better peer.`);
for (const part of parts) await PARTS[part]();
