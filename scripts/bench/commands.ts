/** CPU time of a command under redis-benchmark's load, without and with the append-only file. */
import { type Bench, median } from "./bench.ts";
import type { Running } from "./servers.ts";

/** Workloads: tests of redis-benchmark, or commands of our own with its placeholder for a random number. */
export const TESTS: Readonly<Record<string, readonly string[]>> = {
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
  xadd: ["-t", "xadd"],
  xadd_trim: ["XADD", "trimmed", "MAXLEN", "~", "10000", "*", "field", "x".repeat(32)],
  xrange_100: ["XRANGE", "trimmed", "-", "+", "COUNT", "100"],
  setex: ["SETEX", "key:__rand_int__", "1000", "x".repeat(32)],
  set_ifeq: ["SET", "key:__rand_int__", "x".repeat(32), "IFEQ", "x".repeat(32)],
  msetex: ["MSETEX", "2", "key:__rand_int__", "x".repeat(32), "key:__rand_int__", "x".repeat(32), "EX", "1000"],
  digest: ["DIGEST", "key:__rand_int__"],
  delex: ["DELEX", "key:__rand_int__", "IFEQ", "x".repeat(32)],
  exists: ["EXISTS", "key:__rand_int__"],
  hget: ["HGET", "myhash", "element:__rand_int__"],
  sismember: ["SISMEMBER", "myset", "element:__rand_int__"],
  zscore: ["ZSCORE", "myzset", "element:__rand_int__"],
  zrangebyscore: ["ZRANGEBYSCORE", "myzset", "0", "10", "LIMIT", "0", "10"],
};
/** Fewer requests where each is long, or takes away what is there: a divisor of --requests. */
const WEIGHT: Readonly<Record<string, number>> = {
  mset: 4,
  lrange_100: 4,
  lrange_600: 16,
  xrange_100: 16,
  spop: 2,
  zpopmin: 2,
};
/** Workloads that look for what others put there: those run before, untimed. */
const FILLING: Readonly<Record<string, string>> = {
  get: "set",
  set_ifeq: "set",
  digest: "set",
  delex: "set",
  lpop: "lpush",
  rpop: "rpush",
  spop: "sadd",
  sismember: "sadd",
  hget: "hset",
  zpopmin: "zadd",
  zscore: "zadd",
  xrange_100: "xadd_trim",
  zrangebyscore: "zadd",
};
/** Workloads that take away: what they find must be put there before each round. */
const TAKING: ReadonlySet<string> = new Set(["delex", "lpop", "rpop", "spop", "zpopmin"]);
const CLIENTS = 50;
const KEY_RANGE = 1_000_000;
const FILLING_PIPELINE = 16;

/** Runs redis-benchmark on a server. Returns CPU seconds of the server per command, NaN when it replied an error. */
async function benchmark(bench: Bench, server: Running, test: string, pipeline: number, count: number) {
  const { valueBytes } = bench.options;
  const common = `-p ${server.port} -c ${CLIENTS} -P ${pipeline} -n ${count} -r ${KEY_RANGE} -d ${valueBytes} -q`;
  const before = server.cpuSeconds();
  const { stdout, stderr, success } = await new Deno.Command("redis-benchmark", {
    args: [...common.split(" "), ...TESTS[test]],
  }).output();
  const spent = server.cpuSeconds() - before;
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return success && !/-ERR|^Error/m.test(text) ? spent / count : NaN;
}

export async function commands(bench: Bench): Promise<void> {
  const { pipelines, tests, requests, rounds } = bench.options;
  bench.head("CPU time of the server per command, in µs", "command", "pipeline", ...bench.columns);
  await bench.withAll(async (servers) => {
    for (const pipeline of pipelines) {
      for (const test of tests) {
        const count = Math.ceil(requests / (WEIGHT[test] ?? 1) / (pipeline === 1 ? 4 : 1));
        const figures: number[][] = [];
        // In turns, so that what else happens on the machine hits all of them.
        for (let round = 0; round < rounds; round++) {
          figures.push([]);
          for (const server of servers) {
            const filling = FILLING[test];
            if (filling !== undefined && (round === 0 || TAKING.has(test))) {
              await benchmark(bench, server, filling, FILLING_PIPELINE, requests);
            }
            figures[round].push(await benchmark(bench, server, test, pipeline, count) * 1e6);
          }
        }
        const medians = servers.map((_, i) => median(figures.map((round) => round[i])));
        const cells = medians.map((us) => us.toFixed(2));
        bench.row(test.toUpperCase(), String(pipeline), ...cells, ...bench.ratioOfRounds(figures));
      }
    }
  });
}

export async function everysec(bench: Bench): Promise<void> {
  const { rounds, requests } = bench.options;
  bench.head("SET at pipeline 16, CPU time in µs", "append-only file", ...bench.columns);
  const medians: number[][] = [];
  for (const aof of [undefined, "everysec.aof"]) {
    await bench.withAll(async (servers) => {
      const figures: number[][] = servers.map(() => []);
      for (let round = 0; round < rounds; round++) {
        for (const [i, server] of servers.entries()) {
          figures[i].push(await benchmark(bench, server, "set", 16, requests) * 1e6);
        }
      }
      medians.push(figures.map(median));
    }, aof);
    const last = medians.at(-1)!;
    bench.row(aof === undefined ? "none" : "everysec", ...last.map((us) => us.toFixed(2)), ...bench.ratio(last));
  }
  const factors = medians[1].map((us, i) => (us / medians[0][i]).toFixed(2));
  bench.row("everysec / none", ...factors, ...bench.compares ? [""] : []);
}
