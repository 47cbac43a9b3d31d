/**
 * Scripts and functions: CPU time of the server for each call of some that programs use, the time that a new script
 * takes when it comes first, and the time of a server's first script. All replies have a fixed length.
 */
import type { Bench } from "./bench.ts";
import { median } from "./bench.ts";
import { request, row, withClients } from "./conversations.ts";
import { BenchClient } from "./client.ts";
import type { Running } from "./servers.ts";

const CLIENTS = 50;
const CALLS = 100_000;
const KEYS = 1000;
/** Calls of a longer script, of which there are fewer. */
const LONG_CALLS = 40_000;
const NEW_SCRIPTS = 400, NEW_SCRIPT_BYTES = 2048;
/** Ids of jobs begin here, so that all have the same length. */
const FIRST_JOB = 1_000_000_000;

interface Workload {
  readonly name: string;
  readonly code: string;
  readonly calls: number;
  /** Keys and arguments of the n-th call, each a text or bytes in Latin-1. */
  readonly keys: (n: number) => readonly string[];
  readonly args: readonly (string | number)[];
  /** What every call replies, or as many bytes. */
  readonly reply: string;
  /** Calls it as a function, with FCALL. */
  readonly asFunction?: boolean;
}

const GET_AND_SET = `
local old = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
return old`;

const TOKEN_BUCKET = `
local capacity, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(bucket[1]) or capacity, tonumber(bucket[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
local allowed = tokens >= 1
if allowed then tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('EXPIRE', KEYS[1], math.ceil(capacity / rate) * 2)
return allowed and 1 or 0`;

/** What BullMQ does to add a job: options come packed, the job is a hash, its id goes into a list and a stream. */
const ADD_JOB = `
local args, opts = cmsgpack.unpack(ARGV[1]), cmsgpack.unpack(ARGV[3])
local prefix, custom, name, timestamp, parent = args[1], args[2], args[3], args[4], args[5]
local function meta(key)
  local fields = redis.call('HMGET', key, 'paused', 'concurrency', 'opts.maxLenEvents')
  return fields[1], fields[3] or 10000
end
local counter = redis.call('INCR', KEYS[4])
local id = custom == '' and tostring(counter) or custom
local job = prefix .. id
local paused, most = meta(KEYS[3])
if redis.call('EXISTS', job) == 1 then return id end
local fields = {}
if opts.delay then table.insert(fields, 'delay') table.insert(fields, opts.delay) end
redis.call('HMSET', job, 'name', name, 'data', ARGV[2], 'opts', cjson.encode(opts), 'timestamp', timestamp, 'delay',
  0, 'priority', 0, unpack(fields))
redis.call('XADD', KEYS[5], 'MAXLEN', '~', most, '*', 'event', 'added', 'jobId', id, 'name', name)
local target = paused and KEYS[2] or KEYS[1]
redis.call(opts.lifo and 'RPUSH' or 'LPUSH', target, id)
if not paused then redis.call('ZADD', KEYS[6], 0, '0') end
redis.call('XADD', KEYS[5], 'MAXLEN', '~', most, '*', 'event', 'waiting', 'jobId', id)
return id`;

const packed = {
  text: (text: string) => String.fromCharCode(0xa0 | text.length) + text,
  number: (n: number) => "\xce" + String.fromCharCode(n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255),
  array: (...items: string[]) => String.fromCharCode(0x90 | items.length) + items.join(""),
  map: (...items: string[]) => String.fromCharCode(0x80 | items.length / 2) + items.join(""),
};
const JOB = {
  keys: () => ["wait", "paused", "meta", "id", "events", "marker"].map((name) => `bull:queue:${name}`),
  args: [
    packed.array(
      packed.text("bull:queue:"),
      packed.text(""),
      packed.text("send-mail"),
      packed.number(1_700_000_000),
      "\xc0",
    ),
    JSON.stringify({ to: "someone@example.org", subject: "Hello", body: "x".repeat(100) }),
    packed.map(packed.text("attempts"), "\x03", packed.text("backoff"), packed.number(100_000)),
  ],
  reply: `$10\r\n${FIRST_JOB}\r\n`,
};
const some = (n: number) => [`key:${String(n % KEYS).padStart(12, "0")}`];

const WORKLOADS: readonly Workload[] = [
  { name: "EVALSHA return 1", code: "return 1", calls: CALLS, keys: some, args: [], reply: ":1\r\n" },
  {
    name: "EVALSHA GET and SET",
    code: GET_AND_SET,
    calls: CALLS,
    keys: some,
    args: ["x".repeat(32)],
    reply: `$32\r\n${"x".repeat(32)}\r\n`,
  },
  {
    name: "EVALSHA token bucket",
    code: TOKEN_BUCKET,
    calls: CALLS,
    keys: some,
    args: [1_000_000, 1000],
    reply: ":1\r\n",
  },
  { name: "EVALSHA adding a job", code: ADD_JOB, calls: LONG_CALLS, ...JOB },
  { name: "FCALL return 1", code: "return 1", calls: CALLS, keys: some, args: [], reply: ":1\r\n", asFunction: true },
  { name: "FCALL adding a job", code: ADD_JOB, calls: LONG_CALLS, ...JOB, asFunction: true },
];

/** CPU microseconds of the server for each call, `pipeline` of them at once from each of the clients. */
async function calling(server: Running, workload: Workload, pipeline: number): Promise<number> {
  const { code, keys, args, reply, asFunction } = workload;
  let spent = 0;
  await withClients(server, CLIENTS, async (clients) => {
    const sha = await prepare(server, code, asFunction ?? false);
    const perRound = CLIENTS * pipeline, calls = Math.ceil(workload.calls / (pipeline === 1 ? 2 : 1));
    const requests = Array.from({ length: perRound }, (_, n) => {
      const names = keys(n);
      return request(...sha, names.length, ...names, ...args);
    });
    const batches = clients.map((_, i) => latin1(requests.slice(i * pipeline, (i + 1) * pipeline).join("")));
    const before = server.cpuSeconds(), rounds = Math.ceil(calls / perRound);
    for (let n = 0; n < rounds; n++) {
      for (const [i, client] of clients.entries()) await client.write(batches[i]);
      await Promise.all(clients.map((client) => client.read(reply.length * pipeline)));
    }
    spent = (server.cpuSeconds() - before) * 1e6 / (rounds * perRound);
  });
  return spent;
}

/** An empty server that knows a script or a function. Returns the words that call it. */
async function prepare({ port }: Running, code: string, asFunction: boolean): Promise<string[]> {
  using client = await BenchClient.connect(port);
  await client.command("FLUSHALL");
  await client.command("SET", "bull:queue:id", String(FIRST_JOB));
  // GET and SET finds a value in every key.
  for (let n = 0; n < KEYS; n++) {
    await client.command(code === GET_AND_SET ? "SET" : "EXISTS", ...some(n), ...value(code));
  }
  if (!asFunction) return ["EVALSHA", (await client.text("SCRIPT", "LOAD", code)).split("\r\n")[1]];
  const library = `#!lua name=bench\nredis.register_function('call', function(KEYS, ARGV) ${code}\nend)`;
  await client.command("FUNCTION", "LOAD", "REPLACE", library);
  return ["FCALL", "call"];
}

function value(code: string): string[] {
  return code === GET_AND_SET ? ["x".repeat(32)] : [];
}

function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** CPU microseconds of the server for an EVAL of a script that it has not seen before. */
async function beginning(server: Running): Promise<number> {
  using client = await BenchClient.connect(server.port);
  await client.command("SCRIPT", "FLUSH");
  await client.command("EVAL", "return 1", "0");
  const lines = [...ADD_JOB.split("\n")];
  const scripts = Array.from({ length: NEW_SCRIPTS }, (_, n) => {
    const body = `local function add()\n${lines.join("\n")}\nend\n`;
    return `local n = ${n}\n${body}${"local x = n + 1\n".repeat((NEW_SCRIPT_BYTES - body.length) >> 4)}return x`;
  });
  const before = server.cpuSeconds();
  for (const script of scripts) await client.command("EVAL", script, "0");
  return (server.cpuSeconds() - before) * 1e6 / NEW_SCRIPTS;
}

export async function scripts(bench: Bench): Promise<void> {
  bench.head("Scripts: CPU time of the server per call, in µs", "call", "pipeline", ...bench.columns);
  await bench.withAll(async (servers) => {
    for (const workload of WORKLOADS) {
      for (const pipeline of bench.options.pipelines) {
        const measure = (server: Running) => calling(server, workload, pipeline);
        await row(bench, servers, [workload.name, String(pipeline)], measure);
      }
    }
    await row(bench, servers, [`EVAL of a new script of ${NEW_SCRIPT_BYTES} bytes`, "1"], beginning);
  });
  const rounds: number[][] = [];
  for (let round = 0; round < bench.options.rounds; round++) {
    rounds.push(
      await bench.each(async ({ port }) => {
        using client = await BenchClient.connect(port);
        await client.command("PING");
        return await client.timeMs("EVAL", "return 1", "0");
      }),
    );
  }
  const medians = rounds[0].map((_, i) => median(rounds.map((round) => round[i])));
  bench.row(
    "the first EVAL of a server, in ms",
    "1",
    ...medians.map((ms) => ms.toFixed(2)),
    ...bench.ratioOfRounds(rounds),
  );
}
