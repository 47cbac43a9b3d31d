/**
 * The server: an engine with listeners, connections, timers and the append-only file. The process (signals, exit
 * status, terminal) belongs to serve.ts: an embedded server is the same class.
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { type Random, systemRandom } from "../core/random.ts";
import { StartError } from "../core/start_error.ts";
import { addUserLines, loadAclFile, type UserLine } from "../access/load.ts";
import type { Disk } from "../aof/disk.ts";
import { AofManager } from "../aof/manager.ts";
import { Notifications } from "../conversations/notifications.ts";
import { Executor } from "../dispatch/executor.ts";
import { commandTable } from "../commands/table.ts";
import { Engine } from "../engine/engine.ts";
import { expireDue, ExpiryState, runExpiryCycle } from "../engine/expiry.ts";
import type { Session } from "../engine/session.ts";
import type { Settings } from "../settings/settings.ts";
import { snapshotPath } from "../rdb/save.ts";
import { saveWhenDue } from "../rdb/save_points.ts";
import { Store } from "../store/store.ts";
import { createStore } from "../engine/create_store.ts";
import { Connection, type ConnectionHost, type OutputLimit } from "../net/connection.ts";
import { boundClients } from "../net/file_limit.ts";
import { type Host, Listeners } from "../net/listeners.ts";
import { Functions } from "../scripting/functions.ts";
import { Poller } from "../net/poller.ts";
import type { Socket } from "../net/socket.ts";
import { trimChunks } from "../resp/chunks.ts";
import { Turn } from "../net/turn.ts";

export interface ServerOptions {
  settings: Settings;
  clock?: Clock;
  random?: Random;
  /** The config file that was read; CONFIG REWRITE writes it. */
  configFile?: string;
  /** The users of the config file. */
  users?: readonly UserLine[];
  log?: Engine["log"];
  /** Where the append-only file is kept; the real disk unless a test brings its own. */
  disk?: Disk;
  /** Called before the server listens: parts can be added, and listeners. */
  prepare?: (server: Server) => void;
  /** Listens in the place of Deno, where the runtime is another. */
  listen?: Host["listen"];
  /** Replaces the socket of each client, or refuses the client with undefined. */
  wrapSocket?: (socket: Socket) => Socket | undefined;
  /** Called with the session of each client and its socket. */
  clientBegan?: (session: Session, socket: Socket) => void;
  /** Aborts the start while it loads. */
  signal?: AbortSignal;
  /** Called when the server listens, before it loads. */
  onListening?: () => void;
  /** Called when an invariant is broken. The server must not continue. */
  onFatal?: (error: unknown) => void;
  /** Called when a client sent SHUTDOWN. */
  onShutdown?: () => void;
}

const DENIED =
  "-DENIED MemDB is running in protected mode because it listens beyond this machine and the default user has no " +
  "password. Connect from this machine, or set requirepass, or start with --protected-mode no.\r\n";

/** Limits of freeing dead values between two turns: time, blocks at a time, blocks in all. */
const RECLAIM_US = 1000;
const RECLAIM_STEP_BLOCKS = 500;
const RECLAIM_STEPS = 20;
/** The approximate interval of the maintenance of a connection. */
const MAINTAIN_EVERY_MS = 1000;
/** A client that has not given the password gets no memory for unread replies. */
const UNAUTHENTICATED_OUTPUT_LIMIT = { hard: 16 * 1024 + 1024, soft: 0, seconds: 0 };

export class Server implements ConnectionHost {
  readonly engine: Engine;
  readonly executor: Executor;
  readonly turn: Turn;
  readonly #options: ServerOptions;
  readonly #poller: Poller | undefined;
  readonly #listeners: Listeners;
  readonly #connections = new Set<Connection>();
  readonly aboveSoftLimit: Set<Connection> = new Set();
  readonly #expiry = new ExpiryState();
  readonly #aof: AofManager;
  #timer: ReturnType<typeof setInterval> | undefined;
  #expiryTimer: ReturnType<typeof setTimeout> | undefined;
  #reclaiming = false;
  #ticks = 0;
  #stopping: Promise<void> | undefined;

  private constructor(options: ServerOptions) {
    this.#options = options;
    const { settings, clock = systemClock, random = systemRandom() } = options;
    const store: Store = createStore(settings, random);
    this.engine = new Engine(store, settings, clock, random);
    this.engine.configFile = options.configFile ?? "";
    if (options.log !== undefined) this.engine.log = options.log;
    this.engine.shutdown = () => this.#options.onShutdown?.();
    this.executor = new Executor(this.engine, commandTable);
    this.engine.part(Notifications);
    // Files hold the libraries of functions.
    this.engine.part(Functions);
    this.#aof = new AofManager(this.engine, this.executor, options.disk);
    this.turn = new Turn(this.engine, this.executor);
    if (settings.values.sockets === "auto") {
      this.#poller = Poller.open(this.turn, () => systemClock.monotonicUs(), () => this.#listeners.exhausted());
      this.engine.serveOthers = () => {
        this.#poller?.serveInside();
        return this.#poller !== undefined;
      };
    }
    this.#listeners = new Listeners({
      settings,
      poller: this.#poller,
      listen: options.listen,
      welcome: (socket, hostname) => this.welcome(socket, hostname),
      moved: () => this.engine.port = this.#listeners.port,
      warn: (text) => this.engine.log("warning", text),
      fatal: (error) => this.fatal(error),
      refused: () => void this.engine.stats.rejectedConnections++,
    });
  }

  /**
   * Listens, loads the data and serves. Clients that connect during loading get -LOADING. Rejects with the reason of
   * `signal` if that aborts the start.
   */
  static async start(options: ServerOptions): Promise<Server> {
    const server = new Server(options);
    try {
      options.prepare?.(server);
      await server.#open(options.signal);
    } catch (error) {
      await server.stop();
      throw error;
    }
    server.#startTimer();
    return server;
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    const { engine } = this;
    signal?.throwIfAborted();
    this.#readUsers();
    boundClients(engine.settings, (text) => engine.log("warning", text));
    await this.#listeners.open();
    engine.port = this.#listeners.port;
    this.#poller?.run().catch((error) => this.fatal(error));
    this.#options.onListening?.();
    engine.log("notice", "Server initialized");
    const startUs = engine.clock.monotonicUs();
    await unlessAborted(this.#aof.open(), signal);
    const { restored } = engine.persistence;
    if (restored !== "") {
      const seconds = (engine.clock.monotonicUs() - startUs) / 1e6;
      const source = restored === snapshotPath(engine.settings.values) ? "disk" : "append only file";
      engine.log("notice", `DB loaded from ${source}: ${seconds.toFixed(3)} seconds`);
    }
    await this.#seed();
  }

  /** Users must be known before the first client. Throws StartError with all faults. */
  #readUsers(): void {
    const { engine, executor: { table } } = this, { users = [] } = this.#options;
    const faults = addUserLines(engine, table, users);
    if (engine.settings.values.aclfile !== "") {
      const fault = loadAclFile(engine, table);
      if (fault !== "") faults.push(fault);
    }
    if (faults.length > 0) throw new StartError(faults.join("\n"));
    for (const { name, enabled } of engine.users.all()) {
      if (enabled) continue;
      engine.log("notice", `The user '${name}' is disabled: its rules lack "on". Make sure that this is intended.`);
    }
  }

  /** The addresses of the listeners, with the actual port for port 0. */
  get addresses(): readonly Deno.Addr[] {
    return this.#listeners.addresses;
  }

  /** The port of the first TCP listener, 0 if there is none. */
  get port(): number {
    return this.engine.port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Stops in order: no new clients, replies sent, file written and synced. Idempotent. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    await this.#listeners.close();
    clearInterval(this.#timer);
    clearTimeout(this.#expiryTimer);
    for (const connection of [...this.#connections]) connection.close(true);
    this.engine.snapshots.cancel?.();
    await this.#aof.close();
    for (const connection of [...this.#connections]) connection.close(false);
    await this.#poller?.stop();
  }

  /** Reports a fault of MemDB. The process must not continue with a state that it cannot trust. */
  fatal(error: unknown): void {
    if (this.#options.onFatal === undefined) throw error;
    this.#options.onFatal(error);
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection);
    this.aboveSoftLimit.delete(connection);
  }

  /** The output limit of a session, in bytes and seconds. */
  outputLimit(session: Session): OutputLimit {
    if (!session.authenticated) return UNAUTHENTICATED_OUTPUT_LIMIT;
    const limits = this.engine.settings.values.clientOutputBufferLimit;
    return limits[session.kind === "replica" || session.kind === "pubsub" ? session.kind : "normal"];
  }

  evictClients(): void {
    const { clientMemory, stats, log } = this.engine;
    const { sessions, enough } = clientMemory.toEvict();
    for (const { id, name, counted, transport } of sessions) {
      log("notice", `Evicting client: id=${id} addr=${transport!.remote} name=${name} tot-mem=${counted.bytes}`);
      stats.evictedClients++;
      transport!.close(false);
    }
    if (!enough) log("warning", "Over client maxmemory after evicting all evictable clients");
  }

  /** Serves a client; `hostname` is its address, undefined over a Unix socket or within the process. */
  welcome(socket: Socket, hostname?: string): void {
    const { engine } = this;
    const wrapped = this.#options.wrapSocket === undefined ? socket : this.#options.wrapSocket(socket);
    if (wrapped === undefined) {
      socket.close();
      return;
    }
    const { maxclients, protectedMode } = engine.settings.values;
    engine.stats.connections++;
    const denied = hostname !== undefined && protectedMode && engine.users.default.noPassword && !isLoopback(hostname);
    if (denied || this.#connections.size >= maxclients) {
      engine.stats.rejectedConnections++;
      refuse(wrapped, denied ? DENIED : "-ERR max number of clients reached\r\n");
      return;
    }
    const connection = new Connection(this, wrapped);
    this.#connections.add(connection);
    this.#options.clientBegan?.(connection.session, wrapped);
    wrapped.start(connection);
  }

  /** Fills an empty server from the file that the setting names. */
  async #seed(): Promise<void> {
    const { settings, store, log } = this.engine;
    const path = settings.values.seed;
    if (path === "") return;
    if (store.databases.some(({ size }) => size > 0)) {
      return log("notice", `There are keys already, so the seed ${path} was not read`);
    }
    const { seed } = await import("../tools/seed.ts");
    const commands = seed(this.engine, this.executor, path);
    this.turn.settle();
    log("notice", `Ran ${commands} commands of the seed ${path}`);
  }

  #startTimer(): void {
    const { settings } = this.engine;
    const run = (hz: number) => {
      clearInterval(this.#timer);
      this.#timer = setInterval(() => this.#tick(hz), 1000 / hz);
    };
    run(settings.values.hz);
    settings.onChange("hz", run);
    this.#expire();
  }

  /** Runs about hz times a second, and more often while many keys expire. */
  #expire(): void {
    const { engine } = this;
    engine.store.setTime(engine.clock.nowMs());
    const waitMs = runExpiryCycle(engine, this.#expiry);
    this.turn.settle();
    this.#expiryTimer = setTimeout(() => this.#expire(), waitMs);
  }

  /** Does at once what is due, after the clock has jumped: expiry, and the maintenance of connections. */
  catchUp(): void {
    const { engine } = this, nowMs = engine.clock.nowMs();
    engine.store.setTime(nowMs);
    expireDue(engine);
    const { timeout } = engine.settings.values;
    for (const connection of this.#connections) connection.maintain(nowMs, timeout);
    this.turn.settle();
  }

  /** Runs hz times a second: eviction, freeing, and the maintenance of the file and of the connections. */
  #tick(hz: number): void {
    const { engine } = this;
    if (engine.cronPaused) return;
    const nowMs = engine.clock.nowMs();
    engine.store.setTime(nowMs);
    if (engine.settings.values.maxmemory > 0) engine.makeRoom();
    this.turn.settle();
    if (engine.store.garbagePending) this.#reclaim();
    engine.rates.sample(engine.stats, engine.clock.monotonicUs());
    engine.stats.notePeak(engine.usedBytes, nowMs);
    this.#ticks++;
    this.#aof.tick();
    saveWhenDue(engine);
    for (const connection of this.aboveSoftLimit) connection.checkOutput();
    if (this.#ticks % Math.ceil((MAINTAIN_EVERY_MS * hz) / 1000) === 0) {
      const { timeout } = engine.settings.values;
      for (const connection of this.#connections) connection.maintain(nowMs, timeout);
      trimChunks();
    }
  }

  /** Frees dead values in slices until none are left. */
  #reclaim(): void {
    if (this.#reclaiming) return;
    this.#reclaiming = true;
    const slice = () => {
      const { store, clock, latency } = this.engine;
      const startUs = clock.monotonicUs(), endUs = startUs + RECLAIM_US;
      for (let step = 0; step < RECLAIM_STEPS && store.garbagePending; step++) {
        store.reclaim(RECLAIM_STEP_BLOCKS);
        if (clock.monotonicUs() >= endUs) break;
      }
      latency.note("lazyfree-slice", clock.monotonicUs() - startUs);
      this.#reclaiming = store.garbagePending && this.#stopping === undefined;
      if (this.#reclaiming) setTimeout(slice);
    };
    slice();
  }
}

/** Waits for `work`. Rejects with the reason of `signal` as soon as that aborts. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await work;
  const { promise: aborted, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    signal.throwIfAborted();
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Sends a message to a refused client, and closes. */
function refuse(socket: Socket, message: string): void {
  const close = () => socket.close();
  const room = new Uint8Array(16);
  const done = () => false;
  socket.start({
    running: false,
    room: () => room,
    received: done,
    receivedShared: done,
    sent: close,
    proceed: close,
    ended: close,
    lost: close,
  });
  const bytes = new TextEncoder().encode(message);
  socket.send(bytes, bytes.length);
}

function isLoopback(hostname: string): boolean {
  return hostname.startsWith("127.") || hostname === "::1" || hostname.startsWith("::ffff:127.");
}
