/**
 * A worker that sends a PING every millisecond and measures the waits. The clients that load the server run on another
 * thread and do not delay it. Start: the port of the server. Any further message: it replies with the waits in ms.
 */
import { TestClient } from "../../tests/helpers/client.ts";

let client: TestClient | undefined;
let waitsMs: number[] = [];

async function pings(port: number): Promise<void> {
  client = await TestClient.connect(port);
  await client.command("PING");
  self.postMessage("ready");
  for (;;) {
    const start = performance.now();
    await client.command("PING");
    waitsMs.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

// deno-lint-ignore no-explicit-any -- the types of a worker's scope are not among those of the program
const self = globalThis as any;

self.onmessage = ({ data }: MessageEvent) => {
  if (client === undefined) return void pings(data);
  self.postMessage(waitsMs);
  waitsMs = [];
};
