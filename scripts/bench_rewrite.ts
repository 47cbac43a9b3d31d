/**
 * What a rewrite of the append-only file costs those who are served meanwhile: fills a server, measures the latencies
 * of reads and writes without a rewrite and during one, and the memory of the process before and during it.
 *
 *     deno run -P=tools scripts/bench_rewrite.ts [--keys 5000000] [--clients 8] [--port 7690]
 */
import { parseArgs } from "@std/cli";
import { encodeRequest, TestClient } from "../tests/helpers/client.ts";
import { concatBytes } from "../tests/helpers/wire.ts";

const flags = parseArgs(Deno.args, { string: ["keys", "clients", "port"] });
const keys = Number(flags.keys ?? 5_000_000), clients = Number(flags.clients ?? 8), port = Number(flags.port ?? 7690);
const QUIET_MS = 8000;
const BATCH = 5000;

const folder = await Deno.makeTempDir({ prefix: "memdb-bench-" });
const root = new URL("..", import.meta.url).pathname;
const server = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-q", "-P=serve", "--config", `${root}deno.json`, `${root}main.ts`, "serve", "--port", `${port}`],
    ...["--aofpath", `${folder}/a.aof`, "--auto-aof-rewrite-percentage", "0"],
  ],
  stderr: "null",
}).spawn();

async function connect(): Promise<TestClient> {
  for (;;) {
    try {
      return await TestClient.connect(port);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const value = "v".repeat(32);
const key = (n: number) => `key:${String(n).padStart(12, "0")}`;

async function fill(client: TestClient): Promise<void> {
  for (let from = 0; from < keys; from += BATCH) {
    const count = Math.min(BATCH, keys - from);
    await client.send(
      concatBytes(Array.from({ length: count }, (_, i) => encodeRequest(["SET", key(from + i), value]))),
    );
    for (let i = 0; i < count; i++) await client.receive();
  }
}

let running = true;
let latencies: number[] = [];

/** One request after the other: half reads, half writes, anywhere. */
async function load(): Promise<void> {
  const client = await connect();
  while (running) {
    const n = Math.floor(Math.random() * keys);
    const startMs = performance.now();
    if (Math.random() < 0.5) await client.command("GET", key(n));
    else await client.command("SET", key(n), value);
    latencies.push(performance.now() - startMs);
  }
  client.close();
}

async function residentKb(): Promise<number> {
  // Deno itself may not read /proc without all permissions.
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${server.pid}`] }).output();
  return Number(new TextDecoder().decode(stdout));
}

function report(name: string, seconds: number): void {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(2);
  console.log(
    `${name.padEnd(18)} ${Math.round(sorted.length / seconds)}/s  p50 ${at(0.5)}  p99 ${at(0.99)}  p99.9 ${
      at(0.999)
    }  ` +
      `longest ${at(1)} ms`,
  );
}

const control = await connect();
try {
  await fill(control);
  console.log(`${keys} keys, ${clients} clients`);
  const loads = Array.from({ length: clients }, load);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  latencies = [];
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  report("without a rewrite", QUIET_MS / 1000);
  const beforeKb = await residentKb();
  let peakKb = beforeKb;
  latencies = [];
  const startMs = performance.now();
  await control.command("BGREWRITEAOF");
  for (let busy = true; busy;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    busy = (await control.command("INFO", "persistence")).includes("aof_rewrite_in_progress:1");
    peakKb = Math.max(peakKb, await residentKb());
  }
  const seconds = (performance.now() - startMs) / 1000;
  report("during a rewrite", seconds);
  const extra = (100 * (peakKb - beforeKb)) / beforeKb;
  console.log(
    `The rewrite took ${seconds.toFixed(1)} s; memory ${(beforeKb / 1024).toFixed(0)} MiB, at most ${
      extra.toFixed(1)
    } % more`,
  );
  running = false;
  await Promise.all(loads);
} finally {
  server.kill("SIGKILL");
  await server.status;
  await Deno.remove(folder, { recursive: true });
}
