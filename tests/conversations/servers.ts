/**
 * The servers of the conversations: MemDB in this process, and a released server as a separate process.
 */
import { systemClock } from "../../src/core/clock.ts";
import { Server } from "../../src/server/server.ts";
import { type SettingName, Settings } from "../../src/settings/settings.ts";
import { testWith } from "../helpers/programs.ts";
import { Conversation } from "./conversation.ts";

const CONNECT_TRIES = 1000;
const OURS = { port: "0", sockets: "deno", "enable-debug-command": "yes" };

/**
 * Runs `body` with a conversation on each of the two servers, and checks MemDB's whole store at the end. MemDB has the
 * personality of the program.
 */
export async function withPeers(
  body: (ours: Conversation, theirs: Conversation, server: Server) => Promise<void>,
  program = "redis-server",
  options: Record<string, string> = {},
): Promise<void> {
  const settings = new Settings();
  for (
    const [name, text] of Object.entries({ ...OURS, personality: program.replace("-server", ""), ...options })
  ) {
    settings.init(name as SettingName, [text]);
  }
  const folder = await Deno.makeTempDir();
  settings.init("aofpath", [`${folder}/ours.aof`]);
  const path = `${folder}/socket`;
  const args = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder, "--enable-debug-command", "yes"];
  for (const [name, text] of Object.entries(options)) args.push(`--${name}`, text);
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  const server = await Server.start({ settings, clock: systemClock });
  const ours = new Conversation({ hostname: "127.0.0.1", port: server.port });
  const theirs = new Conversation({ transport: "unix", path });
  try {
    await waitFor(path);
    await body(ours, theirs, server);
    server.engine.store.check();
  } finally {
    ours.close();
    theirs.close();
    await server.stop();
    child.kill("SIGKILL");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}

async function waitFor(path: string): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      (await Deno.connect({ transport: "unix", path })).close();
      return;
    } catch (error) {
      if (tries === CONNECT_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Defines a test that needs a released server. */
export function peerTest(name: string, body: () => Promise<void>, program = "redis-server"): void {
  testWith([program], name, body);
}
