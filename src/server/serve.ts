/**
 * The process around a server: log, signals, pid file, crash report, exit status.
 */
import { resolve } from "node:path";
import { AofError } from "../aof/replay.ts";
import { isSystemError, reasonOf } from "../core/io_error.ts";
import { StartError } from "../core/start_error.ts";
import type { UserLine } from "../access/load.ts";
import { identities } from "../core/personality.ts";
import { MEMDB_VERSION } from "../core/version.ts";
import { saveAtEnd, savesAtEnd, snapshotPath } from "../rdb/save.ts";
import type { Settings } from "../settings/settings.ts";
import { SeedError } from "../tools/seed_error.ts";
import { crashReport } from "./crash_report.ts";
import { Logger } from "./logger.ts";
import { Server } from "./server.ts";
import type { Signals, StopSignal } from "./signals.ts";

export interface ServeOptions {
  settings: Settings;
  /** The config file that was read, for CONFIG REWRITE and INFO; empty if none. */
  configFile: string;
  /** The users of the config file and of flags. */
  users?: readonly UserLine[];
  /** For the log. */
  warnings: readonly string[];
}

const EXIT_FAILURE = 1;
/** The status for an internal fault, from sysexits.h. */
const EXIT_SOFTWARE = 70;

/** Runs a server until a signal or SHUTDOWN stops it. Returns the exit status. */
export async function serve(options: ServeOptions, signals: Signals): Promise<number> {
  let logger: Logger;
  try {
    logger = new Logger(options.settings);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(`memdb: ${error.message}`);
    return EXIT_FAILURE;
  }
  return await new ServerRun(options, logger).run(signals);
}

/** One run of a server as a process. */
class ServerRun {
  readonly #settings: Settings;
  readonly #options: ServeOptions;
  readonly #logger: Logger;
  readonly #stopped = Promise.withResolvers<string>();
  readonly #abort = new AbortController();
  #server: Server | undefined;
  #stopping = false;
  /** The pid file that was written, empty if none. */
  #pidFile = "";

  constructor(options: ServeOptions, logger: Logger) {
    this.#settings = options.settings;
    this.#options = options;
    this.#logger = logger;
  }

  async run(signals: Signals): Promise<number> {
    const logger = this.#logger;
    // This receives faults in timers and in promises that are not awaited.
    globalThis.addEventListener("error", (event) => {
      event.preventDefault();
      this.#crash(event.error);
    });
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      this.#crash(event.reason);
    });
    const { personality, port } = this.#settings.values, { title, version } = identities[personality];
    logger.write(
      "notice",
      `MemDB ${MEMDB_VERSION} (compatible with ${title} ${version}), port ${port}, PID: ${Deno.pid}`,
    );
    for (const warning of this.#options.warnings) logger.write("warning", warning);
    signals.onStop((signal) => this.#signal(signal));
    const status = await this.#start();
    if (status !== undefined) return status;
    const server = this.#server!;
    for (const line of banner(server)) logger.write("notice", line);
    if (this.#settings.values.readyJson) console.log(JSON.stringify(addressOf(server)));
    logger.write("notice", `Stopping: ${await this.#stopped.promise}`);
    await server.stop();
    this.#removePidFile();
    logger.write("notice", "MemDB is now ready to exit, bye bye...");
    return 0;
  }

  /** Starts the server. Returns the exit status if that fails, or a signal comes before it has loaded. */
  async #start(): Promise<number | undefined> {
    const logger = this.#logger;
    try {
      this.#server = await Server.start({
        settings: this.#settings,
        configFile: this.#options.configFile,
        users: this.#options.users,
        log: (level, text) => logger.write(level, text),
        signal: this.#abort.signal,
        onListening: () => this.#writePidFile(),
        onShutdown: () => this.#stop("a client sent SHUTDOWN"),
        onFatal: (error) => this.#crash(error),
      });
      return undefined;
    } catch (error) {
      this.#removePidFile();
      if (this.#abort.signal.aborted && error === this.#abort.signal.reason) {
        logger.write("notice", `Stopped before the start: ${error}`);
        return 0;
      }
      const reason = startFailure(error);
      if (reason === undefined) this.#crash(error);
      logger.write("warning", `Cannot start: ${reason}`);
      if (logger.toFile) console.error(`memdb: cannot start: ${reason}`);
      return EXIT_FAILURE;
    }
  }

  #stop(reason: string): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#stopped.resolve(reason);
    this.#abort.abort(reason);
  }

  #signal(signal: StopSignal): void {
    const logger = this.#logger;
    if (this.#stopping) {
      logger.write("warning", `Received ${signal} while stopping: exiting now`);
      this.#removePidFile();
      Deno.exit(EXIT_FAILURE);
    }
    logger.write("warning", `Received ${signal} scheduling shutdown...`);
    if (this.#saveLast(signal)) this.#stop(`${signal} arrived`);
  }

  /** Writes the snapshot that the settings ask for at the end. False if that failed and the server must go on. */
  #saveLast(signal: StopSignal): boolean {
    const { shutdownOnSigint, shutdownOnSigterm } = this.#settings.values;
    const words = signal === "SIGTERM" ? shutdownOnSigterm : shutdownOnSigint;
    const engine = this.#server?.engine;
    if (engine === undefined) return true;
    const saves = words.includes("save") || (savesAtEnd(engine) && !words.includes("nosave"));
    if (!saves || saveAtEnd(engine) || words.includes("force")) return true;
    this.#logger.write("warning", `${signal} arrived, but without its last snapshot the server does not stop`);
    return false;
  }

  /** Ends the process after a fault of MemDB, because its state cannot be trusted. */
  #crash(error: unknown): never {
    const logger = this.#logger;
    for (const line of crashReport(error, this.#server)) logger.write("warning", line);
    const sentence =
      "A fault of MemDB itself has ended the server. The report is in the log; please file it as an issue";
    logger.write("warning", sentence);
    if (logger.toFile) console.error(`memdb: ${sentence}`);
    this.#removePidFile();
    Deno.exit(EXIT_SOFTWARE);
  }

  /** Like Redis, the server runs without its pid file if that cannot be written. */
  #writePidFile(): void {
    const { dir, pidfile } = this.#settings.values;
    if (pidfile === "") return;
    const path = resolve(dir, pidfile);
    try {
      Deno.writeTextFileSync(path, `${Deno.pid}\n`);
      this.#pidFile = path;
    } catch (error) {
      this.#logger.write("warning", `Failed to write PID file ${path}: ${reasonOf(error)}`);
    }
  }

  #removePidFile(): void {
    if (this.#pidFile === "") return;
    try {
      Deno.removeSync(this.#pidFile);
    } catch { /* Someone has removed it. */ }
    this.#pidFile = "";
  }
}

/** The reason for the user why the server cannot start; undefined for a fault of MemDB. */
function startFailure(error: unknown): string | undefined {
  if (error instanceof AofError || error instanceof SeedError || error instanceof StartError) return error.message;
  if (error instanceof RangeError && /alloc|memory/i.test(error.message)) {
    const remedy = "Raise the limits (ulimit -v, ulimit -m)";
    return `the system gives too little memory or address space (${error.message}). ${remedy}`;
  }
  return isSystemError(error) ? error.message : undefined;
}

/** The address for programs that start the server: the first TCP address, else the Unix socket. */
function addressOf({ addresses }: Server): Record<string, string | number> {
  const tcp = addresses.find(({ transport }) => transport === "tcp") as Deno.NetAddr | undefined;
  const unix = addresses.find(({ transport }) => transport === "unix") as Deno.UnixAddr | undefined;
  return {
    ...tcp === undefined ? {} : { url: `redis://${netText(tcp)}`, host: tcp.hostname, port: tcp.port },
    ...unix === undefined ? {} : { unixsocket: unix.path },
    pid: Deno.pid,
  };
}

function banner(server: Server): string[] {
  const keys = server.engine.store.databases.reduce((sum, db) => sum + db.size, 0);
  const where = server.addresses.map((address) =>
    address.transport === "unix" ? (address as Deno.UnixAddr).path : netText(address as Deno.NetAddr)
  );
  const port = server.port === 6379 || server.port === 0 ? "" : ` -p ${server.port}`;
  const transports = new Set(server.addresses.map(({ transport }) => transport));
  return [
    `Listening on ${where.join(", ")}`,
    `Persistence: ${persistenceText(server)}`,
    // Tools wait for these lines of Redis.
    ...[...transports].map((transport) => `Ready to accept connections ${transport}`),
    `${keys} keys. Connect with: memdb cli${port}, redis-cli${port}, or any Redis client`,
  ];
}

/** Where changes are stored. */
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
