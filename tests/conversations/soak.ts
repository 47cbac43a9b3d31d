/**
 * A soak: many clients come, wait, subscribe, watch, track and vanish, in waves. When all are gone the server must hold
 * nothing of them: no wait, subscription, watched or tracked key, and no byte of memory.
 */
import { assertEquals } from "@std/assert";
import type { SeededRandom } from "../../src/core/random.ts";
import { encodeRequest } from "../helpers/client.ts";
import { pick } from "../helpers/property.ts";
import type { TestServer } from "../helpers/server.ts";
import { withServer } from "../helpers/server.ts";
import { concatBytes } from "../helpers/wire.ts";
import { Listener, nextTask } from "./conversation.ts";
import { checkNothingStays, randomCommand } from "./interleavings.ts";

/** Clients at a time. Each takes two file descriptors of this process. */
const WAVE = 100;
/** Pipelines of a client. */
const PIPELINES = 3;
/** Turns of the event loop after which clients that should be gone count as stuck. */
const PATIENCE = 100_000;

/** The commands of a client at random, as bytes. `ids` are those that a command may name. */
function pipeline(random: SeededRandom, name: string, ids: readonly number[]): Uint8Array {
  const commands = Array.from({ length: 1 + random.below(5) }, () => randomCommand(random, name));
  if (random.below(3) === 0) commands.unshift("HELLO 3");
  commands.push(`MGET ${Array.from({ length: 10 }, () => `key:${random.below(5000)}`).join(" ")}`);
  commands.push(`WATCH key:${random.below(5000)} key:${random.below(5000)}`);
  return concatBytes(
    commands.map((command) => encodeRequest(command.replace(/\{\w\}/g, () => String(pick(random, ids))).split(" "))),
  );
}

/** Resolves when at most `count` clients are connected. */
async function connected(server: TestServer, count: number): Promise<void> {
  const { sessions } = server.server.engine;
  for (let turn = 0; sessions.size > count; turn++) {
    if (turn === PATIENCE) throw new Error(`${sessions.size - count} clients are still connected`);
    await nextTask();
  }
}

/** One wave of clients, from their connection to their end. */
async function wave(
  random: SeededRandom,
  server: TestServer,
  control: (line: string) => Promise<string>,
  size: number,
) {
  const { sessions } = server.server.engine, before = new Set(sessions.keys());
  const clients = await Promise.all(Array.from({ length: size }, async () => {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    return new Listener(socket);
  }));
  while (sessions.size < before.size + size) await nextTask();
  const ids = [...sessions.keys()].filter((id) => !before.has(id));
  for (let i = 0; i < PIPELINES; i++) {
    for (const client of clients) await client.send(pipeline(random, pick(random, ["a", "c"]), ids));
    await control("CLIENT UNPAUSE");
  }
  // A third is killed, a third says QUIT, and a third only closes, some of them while they wait.
  for (const id of ids) if (random.below(3) === 0) await control(`CLIENT KILL ID ${id}`);
  for (const client of clients) {
    if (random.below(2) === 0) await client.send(encodeRequest(["QUIT"]));
    client.close();
  }
  await control("CLIENT UNPAUSE");
  await connected(server, before.size);
}

/** Sends `count` clients through a server. */
export function soak(random: SeededRandom, count: number): Promise<void> {
  return withServer(async (client, server) => {
    const { engine } = server.server, { clientMemory, store } = engine;
    const control = (line: string) => client.run(line);
    const settled = async () => {
      await control("FLUSHALL");
      await control("INFO");
      store.check();
      return { data: store.arena.usedBytes, clients: clientMemory.countedBytes, output: clientMemory.outputBytes };
    };
    // The first wave makes all parts of the server.
    await wave(random, server, control, 20);
    const before = await settled();
    for (let left = count; left > 0; left -= WAVE) await wave(random, server, control, Math.min(WAVE, left));
    checkNothingStays(server.server);
    assertEquals(await settled(), before);
    const info = `${await control("INFO clients")}${await control("INFO stats")}`;
    const counts =
      /^((?:blocked|tracking|pubsub|watching)_clients|total_\w+_keys|tracking_total\w+|pubsub\w+):([1-9]\d*)/gm;
    assertEquals([...info.matchAll(counts)].map(([line]) => line), []);
    assertEquals(/^connected_clients:(\d+)/m.exec(info)?.[1], "1");
  });
}
