/**
 * Long replies: how long another client waits while many clients ask for them, and how much memory stays when the
 * clients have left. First the clients do not read, then they leave, then as many read everything.
 *
 *     deno run -q -P=tools scripts/bench_slow_readers.ts [--clients 30] [--replies 20] [--bytes 10000000]
 */
import { parseArgs } from "@std/cli";
import { ServerProcess } from "../tests/e2e/process.ts";
import { encodeRequest, TestClient } from "../tests/helpers/client.ts";

const { clients, replies, bytes } = parseArgs(Deno.args, { default: { clients: 30, replies: 20, bytes: 10_000_000 } });
/** How long the clients of the first part do not read. */
const REST_MS = 3000;

await using server = await ServerProcess.start(["--save", ""]);
const control = await server.connect();

async function memory(field: string): Promise<string> {
  const info = await control.command("INFO", "memory");
  return `${Math.round(Number(new RegExp(`^${field}:(\\d+)`, "m").exec(info)?.[1]) / 1e6)} MB`;
}

const witness = new Worker(new URL("bench/witness.ts", import.meta.url), { type: "module" });
const answer = () => new Promise<number[]>((resolve) => witness.onmessage = ({ data }) => resolve(data));
const ready = answer();
witness.postMessage(server.port);
await ready;

/** The waits of the witness since the last call. */
function waits(): Promise<number[]> {
  const list = answer();
  witness.postMessage("waits");
  return list;
}

/** Shows how long the witness waits until `during` ends. */
async function measure(name: string, during: Promise<unknown>): Promise<void> {
  await waits();
  await during;
  const list = (await waits()).sort((a, b) => a - b);
  const at = (share: number) => `${list[Math.floor((list.length - 1) * share)]?.toFixed(1)} ms`;
  console.log(`${name}: ${list.length} PINGs, median ${at(0.5)}, 99 % ${at(0.99)}, longest ${at(1)}`);
}

async function askAll(): Promise<TestClient[]> {
  const request = encodeRequest(["GET", "long"]);
  const all = await Promise.all(Array.from({ length: clients }, () => TestClient.connect(server.port)));
  for (const client of all) for (let i = 0; i < replies; i++) await client.send(request);
  return all;
}

const later = () => new Promise((resolve) => setTimeout(resolve, REST_MS));

await control.command("SET", "long", "x".repeat(bytes));
console.log(`${clients} clients ask for ${replies} replies of ${bytes} bytes each`);
console.log(`resident at the start: ${await memory("used_memory_rss")}`);
const waiting = askAll();
await measure("no client reads", waiting.then(later));
console.log(`resident: ${await memory("used_memory_rss")}, of clients: ${await memory("mem_clients_normal")}`);
for (const client of await waiting) client.close();
await measure("the clients have left", later());
console.log(`resident: ${await memory("used_memory_rss")}, of clients: ${await memory("mem_clients_normal")}`);
const start = performance.now();
let received = 0;
await measure(
  "all clients read",
  askAll().then((all) =>
    Promise.all(all.map(async (client) => {
      const end = replies * (bytes + String(bytes).length + 5);
      const count = await client.skip(end);
      received += count;
      client.close();
    }))
  ),
);
console.log(`${Math.round(received / 1e3 / (performance.now() - start))} MB/s`);
await later();
console.log(`resident at the end: ${await memory("used_memory_rss")}`);
witness.terminate();
