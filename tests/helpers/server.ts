/**
 * Servers for tests: in this process, on a free port, with a clock that the test moves.
 */
import { ManualClock } from "../../src/core/clock.ts";
import { SeededRandom } from "../../src/core/random.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { type SettingName, Settings } from "../../src/settings/settings.ts";
import { Server } from "../../src/server/server.ts";
import { commandTable } from "../../src/commands/table.ts";
import { TestClient } from "./client.ts";
import { EffectRecorder } from "./replayed.ts";

export interface TestServerOptions {
  /** Settings by their names, as words of a config file: { "appendonly": "yes" }. */
  settings?: Record<string, string>;
  clock?: ManualClock;
  seed?: number;
  /**
   * The reason why the effects of the test cannot be replayed, for example because it loads data directly. Without a
   * reason they are replayed into a second engine at the end, and the data of both are compared.
   */
  notReplayed?: string;
  log?: Engine["log"];
}

/** 2026-01-01T00:00:00Z, a round time for calculations in tests. */
export const TEST_START_MS = Date.UTC(2026, 0, 1);

export class TestServer {
  readonly clock: ManualClock;
  readonly server: Server;
  readonly #clients: TestClient[] = [];
  readonly #recorder: EffectRecorder | undefined;

  private constructor(server: Server, clock: ManualClock, replayed: boolean) {
    this.server = server;
    this.clock = clock;
    if (replayed) this.#recorder = new EffectRecorder(server.engine, commandTable);
  }

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const settings = new Settings();
    settings.init("port", ["0"]);
    settings.init("enable-debug-command", ["yes"]);
    // Client and server share this thread: the server must not wait in the kernel.
    settings.init("sockets", ["deno"]);
    for (const [name, text] of Object.entries(options.settings ?? {})) {
      settings.init(name as SettingName, text === "" ? [""] : text.split(" "));
    }
    const clock = options.clock ?? new ManualClock(TEST_START_MS);
    const random = new SeededRandom(options.seed ?? 1);
    const server = await Server.start({ settings, clock, random, log: options.log });
    return new TestServer(server, clock, options.notReplayed === undefined);
  }

  get port(): number {
    return this.server.port;
  }

  /** A new connection, closed together with the server. */
  async connect(): Promise<TestClient> {
    const client = await TestClient.connect(this.port);
    this.#clients.push(client);
    return client;
  }

  /** Throws unless replaying the log gives the data of the server. */
  checkEffects(): void {
    this.#recorder?.check();
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.server.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Runs `body` with a server and one connection, and checks the whole store at the end. */
export async function withServer(
  body: (client: TestClient, server: TestServer) => Promise<void>,
  options: TestServerOptions = {},
): Promise<void> {
  const server = await TestServer.start(options);
  try {
    await body(await server.connect(), server);
    server.server.engine.store.check();
    server.checkEffects();
  } finally {
    await server.stop();
  }
}
