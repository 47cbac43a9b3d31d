/**
 * The process around a server: banner, log, signals, exit status.
 */
import { AofError } from "../aof/replay.ts";
import { MEMDB_VERSION } from "../core/version.ts";
import { saveAtEnd, savesAtEnd, snapshotPath } from "../rdb/save.ts";
import type { Settings } from "../settings/settings.ts";
import { Logger } from "./logger.ts";
import { SeedError } from "../tools/seed_error.ts";
import { Server } from "./server.ts";

export interface ServeOptions {
  settings: Settings;
  /** The config file that was read, for CONFIG REWRITE and INFO; empty if none. */
  configFile: string;
}

const EXIT_FAILURE = 1;
/** As sysexits.h has it: an internal fault. */
const EXIT_SOFTWARE = 70;

/** Runs a server until a signal or SHUTDOWN stops it. Returns the exit status. */
export async function serve(options: ServeOptions): Promise<number> {
  const { settings } = options;
  const logger = new Logger(settings);
  // Listened to, a limit on the size of files makes writes fail, as a full disk does; otherwise it ends the process.
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGXFSZ", () => {});
  const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
  let server: Server;
  try {
    server = await Server.start({
      settings,
      configFile: options.configFile,
      log: (level, text) => logger.write(level, text),
      onShutdown: () => stop("a client sent SHUTDOWN"),
      onFatal: (error) => {
        logger.write("warning", `Fatal: ${error instanceof Error ? error.stack : error}`);
        Deno.exit(EXIT_SOFTWARE);
      },
    });
  } catch (error) {
    logger.write("warning", startFailure(error, settings));
    return EXIT_FAILURE;
  }
  for (const signal of signals()) {
    Deno.addSignalListener(signal, () => {
      if (!savesAtEnd(server.engine) || saveAtEnd(server.engine)) stop(`${signal} arrived`);
      else logger.write("warning", `${signal} arrived, but without its last snapshot the server does not stop`);
    });
  }
  for (const line of banner(server)) logger.write("notice", line);
  logger.write("notice", `Stopping: ${await stopped}`);
  await server.stop();
  logger.write("notice", "Stopped");
  return 0;
}

function signals(): Deno.Signal[] {
  return Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
}

function startFailure(error: unknown, settings: Settings): string {
  if (error instanceof AofError || error instanceof SeedError) return `Cannot start: ${error.message}`;
  if (error instanceof Deno.errors.AddrInUse) {
    return `Cannot start: port ${settings.values.port} is in use. Stop what listens there, or choose another with --port`;
  }
  if (
    error instanceof Error && !("code" in error) &&
    !(Object.values(Deno.errors) as unknown[]).includes(error.constructor)
  ) {
    return `Cannot start: ${error.stack}`;
  }
  return `Cannot start: ${error instanceof Error ? error.message : error}`;
}

function banner(server: Server): string[] {
  const keys = server.engine.store.databases.reduce((sum, db) => sum + db.size, 0);
  const where = server.addresses.map((address) =>
    address.transport === "unix" ? (address as Deno.UnixAddr).path : netText(address as Deno.NetAddr)
  );
  const port = server.port === 6379 || server.port === 0 ? "" : ` -p ${server.port}`;
  return [
    `MemDB ${MEMDB_VERSION}, process ${Deno.pid}`,
    `Listening on ${where.join(", ")}`,
    `Persistence: ${persistenceText(server)}`,
    `${keys} keys. Connect with: memdb cli${port}, redis-cli${port}, or any Redis client`,
  ];
}

/** What is kept of changes, and where. */
function persistenceText({ engine }: Server): string {
  const { aofpath, appendonly, appendfsync, save } = engine.settings.values;
  const kept = appendonly ? [`every write goes to ${aofpath}, synced ${syncText(appendfsync)}`] : [];
  if (save.length > 0) kept.push(`snapshots go to ${snapshotPath(engine.settings.values)}`);
  if (kept.length > 0) return kept.join("; ");
  const { restored } = engine.persistence;
  if (restored !== "") return `${restored} was read; changes are not kept`;
  return "in memory only; --aofpath FILE keeps the data";
}

function syncText(policy: string): string {
  return { always: "before each reply", everysec: "once a second", no: "when the system likes" }[policy] ?? policy;
}

function netText({ hostname, port }: Deno.NetAddr): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
