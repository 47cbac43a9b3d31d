/**
 * Two Socket.IO servers that share their clients: through PUBLISH, through sharded channels, and through a stream.
 * Argument: the port. Exits with 0 if every message arrives.
 */
import { deepStrictEqual as same } from "node:assert";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server, type ServerOptions } from "socket.io";
import { io } from "socket.io-client";

type Adapter = ServerOptions["adapter"];

const url = `redis://127.0.0.1:${process.argv[2]}`;
const connect = () => createClient({ url }).connect();

const ADAPTERS: Readonly<Record<string, () => Promise<unknown>>> = {
  published: async () => createAdapter(await connect(), await connect()),
  sharded: async () => createShardedAdapter(await connect(), await connect()),
  streamed: async () => createStreamsAdapter(await connect()),
};

/** A server with the sockets of one client. */
async function start(adapter: unknown) {
  const http = createServer();
  const server = new Server(http, { adapter: adapter as Adapter });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  server.on("connection", (socket) => void socket.join("room"));
  const client = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, { transports: ["websocket"] });
  const received: unknown[] = [];
  client.on("news", (...args: unknown[]) => received.push(args));
  await new Promise<void>((resolve) => client.on("connect", resolve));
  return { server, client, received };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

for (const [name, createShared] of Object.entries(ADAPTERS)) {
  const nodes = [await start(await createShared()), await start(await createShared())];
  // The servers find each other in their own time.
  await until(async () => (await nodes[0].server.fetchSockets().catch(() => [])).length === 2);
  const bytes = Buffer.from([0, 255, 10, 13]);
  nodes[0].server.emit("news", "text", { n: 1 });
  nodes[1].server.to("room").emit("news", bytes);
  await until(() => nodes.every(({ received }) => received.length === 2));
  for (const { received } of nodes) {
    const sorted = received.toSorted((a, b) => (b as unknown[]).length - (a as unknown[]).length);
    same([name, sorted[0], Buffer.from((sorted[1] as [Buffer])[0])], [name, ["text", { n: 1 }], bytes]);
  }
  nodes[0].server.in("room").disconnectSockets();
  await until(() => nodes.every(({ client }) => client.disconnected));
  for (const { client, server } of nodes) {
    client.disconnect();
    await server.close();
  }
}
process.exit(0);
