/**
 * Differential tests: send the same commands to MemDB and to a separate redis-server, on a socket in a temporary
 * folder. With the setting `personality` the other server is that of the personality. Without the program on the PATH
 * these tests are ignored and say so.
 */
import { assertEquals } from "@std/assert";
import { type Argument, TestClient } from "./client.ts";
import { testWith } from "./programs.ts";
import { TestServer } from "./server.ts";

const START_TRIES = 500;
/** The time that a crash report may take. */
const CRASH_MS = 2000;

/** The released server of a personality. */
function programOf({ personality = "redis" }: Record<string, string>): string {
  return `${personality}-server`;
}

/** A connection to each of the two servers; `redis` is the released one, of either kind. */
export class Pair {
  readonly memdb: TestClient;
  readonly redis: TestClient;

  constructor(memdb: TestClient, redis: TestClient) {
    this.memdb = memdb;
    this.redis = redis;
  }

  /** Sends one command to both, compares the replies byte for byte, and returns the reply. */
  async same(...args: Argument[]): Promise<string> {
    const [actual, expected] = await Promise.all([this.memdb.command(...args), this.redis.command(...args)]);
    if (actual !== expected) assertEquals(actual, expected, args.map((arg) => String(arg).slice(0, 200)).join(" "));
    return actual;
  }

  /** `same` for commands given as words between spaces, one per line. */
  async sameLines(lines: string): Promise<void> {
    for (const line of lines.split("\n").map((line) => line.trim()).filter((line) => line !== "")) {
      await this.same(...line.split(" ").map((word) => word === '""' ? "" : word));
    }
  }
}

/** Runs `body` with a released server that persists nothing and has the given settings. */
export async function withRedis(
  body: (redis: TestClient) => Promise<void>,
  settings: Record<string, string> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  const args = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder, "--enable-debug-command", "yes"];
  const { personality: _, ...options } = settings;
  for (const [name, text] of Object.entries(options)) args.push(`--${name}`, text);
  const program = programOf(settings);
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  const log = new Response(child.stdout).text();
  let ended = false;
  const status = child.status.then(() => ended = true);
  try {
    const client = new TestClient(await connect(path));
    await body(client);
    client.close();
  } catch (error) {
    // A server that crashes closes its connections first.
    if (!ended) await Promise.race([status, new Promise((resolve) => setTimeout(resolve, CRASH_MS))]);
    if (!ended) throw error;
    throw new Error(`${program} ended by itself: ${(await log).slice(0, 4000)}`, { cause: error });
  } finally {
    if (!ended) child.kill("SIGKILL");
    await Promise.all([status, log]);
    await Deno.remove(folder, { recursive: true });
  }
}

async function connect(path: string): Promise<Deno.Conn> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (tries === START_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Defines a test that needs a redis-server. */
export function redisTest(name: string, body: () => Promise<void>): void {
  testWith([programOf({})], name, body);
}

/** `differential` under the personality `valkey`, with a valkey-server. */
export function valkeyDifferential(
  name: string,
  body: (pair: Pair, server: TestServer) => Promise<void>,
  settings: Record<string, string> = {},
): void {
  differential(name, body, { ...settings, personality: "valkey" });
}

/** Defines a test with both servers under the given settings; checks the whole store at the end. */
export function differential(
  name: string,
  body: (pair: Pair, server: TestServer) => Promise<void>,
  settings: Record<string, string> = {},
): void {
  testWith([programOf(settings)], name, () =>
    withRedis(async (redis) => {
      await using server = await TestServer.start({ settings });
      await body(new Pair(await server.connect(), redis), server);
      server.server.engine.store.check();
    }, settings));
}
