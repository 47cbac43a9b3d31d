/**
 * The two servers of the differential tests: MemDB in this process and a separate redis-server or valkey-server, or
 * those at the addresses in DIFFERENTIAL_MEMDB and DIFFERENTIAL_REDIS. Both have the same small limits, so that no test needs
 * much memory.
 */
import { systemClock } from "../../src/core/clock.ts";
import type { Personality } from "../../src/core/personality.ts";
import { type SettingName, Settings } from "../../src/settings/settings.ts";
import { Server } from "../../src/server/server.ts";
import { TestClient } from "../helpers/client.ts";
import { missing } from "../helpers/programs.ts";

const memdbAddress = Deno.env.get("DIFFERENTIAL_MEMDB");
const redisAddress = Deno.env.get("DIFFERENTIAL_REDIS");

/** The reason why there is no released server of a personality to compare with; undefined if there is one. */
export function noOracle(personality: Personality): string | undefined {
  if (redisAddress === undefined) return missing([`${personality}-server`]);
  return personality === "redis" ? undefined : "DIFFERENTIAL_REDIS is the address of a Redis";
}

const SETTINGS: Readonly<Record<string, string>> = {
  "proto-max-bulk-len": "1048576",
  "enable-debug-command": "yes",
};

const CONNECT_TRIES = 1000;

export class Servers implements AsyncDisposable {
  readonly personality: Personality;
  readonly memdb: TestClient;
  readonly oracle: TestClient;
  /** The server in this process, for the check of its whole store at the end. */
  readonly #server: Server | undefined;
  readonly #child: Deno.ChildProcess | undefined;

  private constructor(
    personality: Personality,
    memdb: TestClient,
    oracle: TestClient,
    server?: Server,
    child?: Deno.ChildProcess,
  ) {
    this.personality = personality;
    this.memdb = memdb;
    this.oracle = oracle;
    this.#server = server;
    this.#child = child;
  }

  static async start(personality: Personality): Promise<Servers> {
    const [memdb, server] = memdbAddress === undefined ? await startMemdb(personality) : [await connect(memdbAddress)];
    const [oracle, child] = redisAddress === undefined ? await startOracle(personality) : [await connect(redisAddress)];
    for (const [name, value] of Object.entries(SETTINGS)) {
      // Settings that cannot change at run time were given at the start.
      for (const client of [memdb, oracle]) await client.command("CONFIG", "SET", name, value);
    }
    return new Servers(personality, memdb, oracle, server, child);
  }

  /** Sends requests to both servers and returns their replies, as RESP text. */
  async replies(requests: readonly Uint8Array[]): Promise<[string[], string[]]> {
    const all = new Uint8Array(await new Blob(requests as Uint8Array<ArrayBuffer>[]).arrayBuffer());
    return await Promise.all([exchange(this.memdb, all, requests.length), exchange(this.oracle, all, requests.length)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.memdb.close();
    this.oracle.close();
    this.#server?.engine.store.check();
    await this.#server?.stop();
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
  }
}

async function exchange(client: TestClient, bytes: Uint8Array, count: number): Promise<string[]> {
  const sending = client.send(bytes);
  const replies: string[] = [];
  for (let i = 0; i < count; i++) replies.push(await client.receive());
  await sending;
  return replies;
}

async function startMemdb(personality: Personality): Promise<[TestClient, Server]> {
  const settings = new Settings();
  settings.init("port", ["0"]);
  settings.init("personality", [personality]);
  for (const [name, value] of Object.entries(SETTINGS)) settings.init(name as SettingName, [value]);
  const server = await Server.start({ settings, clock: systemClock });
  return [await TestClient.connect(server.port), server];
}

async function startOracle(personality: Personality): Promise<[TestClient, Deno.ChildProcess]> {
  // Another process takes the free port only by accident; then the released server ends and the tests report it.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const args = ["--port", String(port), "--save", "", "--appendonly", "no"];
  for (const [name, value] of Object.entries(SETTINGS)) args.push(`--${name}`, value);
  const child = new Deno.Command(`${personality}-server`, { args, stdin: "null", stdout: "null", stderr: "null" })
    .spawn();
  return [await connect(`127.0.0.1:${port}`), child];
}

async function connect(address: string): Promise<TestClient> {
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  const hostname = address.slice(0, address.lastIndexOf(":"));
  for (let tries = 1;; tries++) {
    try {
      const socket = await Deno.connect({ hostname, port });
      socket.setNoDelay(true);
      return new TestClient(socket);
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) || tries === CONNECT_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
