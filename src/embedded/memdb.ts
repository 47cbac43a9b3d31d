/**
 * MemDB inside a program, above all inside tests: a whole server in this process, on a port of its own, with a clock,
 * fixtures, snapshots and faults in the hands of the test.
 */
import type { Duplex } from "node:stream";
import { SeededRandom } from "../core/random.ts";
import { StartError } from "../core/start_error.ts";
import { replaceAll } from "../rdb/reload.ts";
import { snapshotImage } from "../rdb/save.ts";
import { Server } from "../server/server.ts";
import { type SettingName, Settings } from "../settings/settings.ts";
import { EmbeddedClient } from "./client.ts";
import { type ServerClock, TestClock } from "./clock.ts";
import { openDuplex } from "./duplex.ts";
import { type ActiveFault, type Fault, Faults, type FaultySocket } from "./faults.ts";
import { type Fixtures, loadFile, loadFixtures } from "./fixtures.ts";
import { Looks } from "./looks.ts";
import { listenOnNode } from "./node/socket.ts";
import { type CommandRecord, type Events, Observer } from "./observer.ts";
import type { Argument, Value } from "./values.ts";

const CALLS_REMEMBERED = 10_000;
const WAIT_MS = 5000;
/** Attempts to listen on the same port again, and the milliseconds between them. */
const RESTART_ATTEMPTS = 100, RESTART_PAUSE_MS = 10;

/** What a server is started with. */
export interface MemDBOptions {
  /** The TCP port; 0, the default, picks a free one. */
  readonly port?: number;
  /** The address to listen on; 127.0.0.1 if missing. */
  readonly hostname?: string;
  /**
   * "system", the default: the clock runs, and can be moved. "manual": it stands still until it is moved; a Date is
   * where it stands at first.
   */
  readonly clock?: "system" | "manual" | Date;
  /** The seed of all random choices: eviction, SPOP, RANDOMKEY, SRANDMEMBER. Random if missing. */
  readonly seed?: number;
  /** The append-only file. Without it nothing is on disk, and a restart begins empty. */
  readonly file?: string;
  /** Further settings, by their names in a config file: { maxmemory: "10mb", requirepass: "secret" }. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Requests that `calls` remembers, the latest ones; 10,000 if missing, 0 for none. */
  readonly remember?: number;
  /** Called with each line of the server's log. */
  readonly log?: (level: string, text: string) => void;
}

/** All data of a server at one moment. */
export class Snapshot {
  /** The bytes, in the format of an RDB file. */
  readonly image: Uint8Array;

  /** Takes the bytes of an RDB file. */
  constructor(image: Uint8Array) {
    this.image = image;
  }
}

/** A server in this process. */
export class MemDB implements AsyncDisposable {
  readonly #clock: TestClock;
  /** The address that the server listens on. */
  readonly hostname: string;
  readonly #options: MemDBOptions;
  #server!: Server;
  // These outlive a restart.
  #faults!: Faults;
  #observer!: Observer;
  #looks!: Looks;
  #client: EmbeddedClient | undefined;
  #pipes = 0;
  #port: number;
  #stopped = false;

  private constructor(options: MemDBOptions) {
    this.#options = options;
    this.hostname = options.hostname ?? "127.0.0.1";
    this.#port = options.port ?? 0;
    const { clock = "system" } = options;
    const startMs = clock instanceof Date ? clock.getTime() : undefined;
    this.#clock = new TestClock(clock !== "system", startMs, () => this.#stopped || this.#server.catchUp());
  }

  /**
   * Starts a server. Throws StartError if it cannot listen, AofError if the file cannot be used, and SettingError for a
   * wrong setting.
   */
  static async start(options: MemDBOptions = {}): Promise<MemDB> {
    const db = new MemDB(options);
    await db.#start();
    return db;
  }

  static #sharedOne: Promise<MemDB> | undefined;

  /** The server that all callers of this process share. The first call starts it; it runs until the process ends. */
  static shared(options: MemDBOptions = {}): Promise<MemDB> {
    return MemDB.#sharedOne ??= MemDB.start(options);
  }

  async #start(): Promise<void> {
    const { seed, log, remember = CALLS_REMEMBERED } = this.#options;
    const settings = this.#settings();
    this.#server = await Server.start({
      settings,
      listen: "listen" in Deno ? undefined : listenOnNode,
      clock: this.#clock,
      random: seed === undefined ? undefined : new SeededRandom(seed),
      log,
      prepare: ({ engine, executor }) => {
        this.#faults ??= new Faults(this.#clock, executor.table);
        this.#observer ??= new Observer(this.#clock, this.#faults, remember);
        this.#observer.observe(engine);
        this.#looks = new Looks(engine, executor);
      },
      wrapSocket: (socket) => this.#faults.refuses() ? undefined : this.#faults.wrap(socket),
      clientBegan: (session, socket) => this.#faults.began(session, socket as FaultySocket),
      onShutdown: () => void this.stop(),
    });
    this.#port = this.#server.port;
    this.#stopped = false;
  }

  #settings(): Settings {
    const { file, settings: given = {} } = this.#options;
    const settings = new Settings();
    const put = (name: string, text: string) =>
      settings.init(name as SettingName, text === "" ? [""] : text.split(" "));
    put("port", String(this.#port));
    put("bind", this.hostname);
    // The program and the server share this thread: the server must not wait in the kernel.
    put("sockets", "deno");
    put("enable-debug-command", "yes");
    if (file === undefined) put("restoredb", "no");
    else {
      put("aofpath", file);
      put("appendonly", "yes");
    }
    for (const [name, value] of Object.entries(given)) {
      put(name, typeof value === "boolean" ? value ? "yes" : "no" : String(value));
    }
    return settings;
  }

  /** The clock of the server. */
  get clock(): ServerClock {
    return this.#clock;
  }

  /** The TCP port. */
  get port(): number {
    return this.#port;
  }

  /** The address for clients: "redis://127.0.0.1:49152". */
  get url(): string {
    const host = this.hostname.includes(":") ? `[${this.hostname}]` : this.hostname;
    return `redis://${host}:${this.#port}`;
  }

  /** Variables for child processes: { REDIS_URL, REDIS_HOST, REDIS_PORT }. */
  get env(): Record<string, string> {
    return { REDIS_URL: this.url, REDIS_HOST: this.hostname, REDIS_PORT: String(this.#port) };
  }

  /** Ends all connections and the server, and waits until the file is complete. Does nothing the second time. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#client = undefined;
    await this.#server.stop();
  }

  /** The same as `stop`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Stops and starts again at the same address. The data come back from the file; without a file the server is empty,
   * like a Redis without persistence. Faults stay in force.
   */
  async restart(): Promise<void> {
    await this.stop();
    // The runtime closes a listener a moment after it was told to.
    for (let attempt = 0;; attempt++) {
      try {
        return await this.#start();
      } catch (error) {
        if (!(error instanceof StartError) || attempt === RESTART_ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS));
      }
    }
  }

  // Data.

  /**
   * Creates keys: from an object, from a seed file, or from a snapshot of Redis or Valkey. Throws SeedError, and then
   * nothing has changed; RdbError for a damaged snapshot.
   */
  load(data: Fixtures | string | URL): void {
    const { engine, executor, turn } = this.#server;
    if (typeof data === "string" || data instanceof URL) loadFile(engine, executor, data);
    else loadFixtures(engine, executor, data);
    turn.settle();
  }

  /** Remembers all data, functions included. */
  snapshot(): Snapshot {
    return new Snapshot(snapshotImage(this.#server.engine));
  }

  /**
   * Replaces all data by those of a snapshot, at once. Clients stay connected; keys that they watch count as changed.
   * Resolves when the file, if there is one, holds the data too.
   */
  async restore(snapshot: Snapshot): Promise<void> {
    const { engine, turn } = this.#server;
    replaceAll(engine, snapshot.image);
    turn.settle();
    // The file does not hold these changes: a new one does.
    if (engine.durability !== undefined) await engine.rewriteAof?.();
  }

  /** Removes all keys and functions, and forgets calls and faults: the state of a new server. */
  reset(): void {
    this.#looks.run(0, "FLUSHALL", "SYNC");
    this.#looks.run(0, "FUNCTION", "FLUSH", "SYNC");
    this.#faults.clear();
    this.#observer.forgetCalls();
    this.#server.turn.settle();
  }

  // Commands.

  /** Runs a command without a socket. Rejects with ReplyError if the reply is an error. Blocking commands wait. */
  command(...args: readonly [string, ...Argument[]]): Promise<Value> {
    if (this.#client?.open !== true) {
      this.#client = new EmbeddedClient(++this.#pipes);
      this.#server.welcome(this.#client.socket);
    }
    return this.#client.command(args);
  }

  /**
   * A connection without a port, for clients that take a stream: the client's end, a Duplex of node:stream, which also
   * has the methods of net.Socket that clients call.
   */
  connect(): Duplex {
    const { stream, socket } = openDuplex(++this.#pipes);
    this.#server.welcome(socket);
    return stream;
  }

  // Direct looks. They read database 0 unless another is given, change no idle time and count as no calls.

  /** The string of a key, undefined without the key. Throws ReplyError if it is of another type. */
  get(key: string, db = 0): string | Uint8Array | undefined {
    return (this.#looks.run(db, "GET", key) as string | Uint8Array | null) ?? undefined;
  }

  /**
   * The value of a key of any type, undefined without the key. A list is an array, a set a Set, a hash an object of its
   * fields, a sorted set an object of scores, a stream an array of entries.
   */
  value(key: string, db = 0): Value | undefined {
    return this.#looks.value(db, key);
  }

  /** Seconds to live, with their fraction; Infinity without a deadline, undefined without the key. */
  ttl(key: string, db = 0): number | undefined {
    const ms = this.#looks.run(db, "PTTL", key) as number;
    return ms === -2 ? undefined : ms === -1 ? Infinity : ms / 1000;
  }

  /** "string", "list", "hash", "set", "zset" or "stream"; undefined without the key. */
  type(key: string, db = 0): string | undefined {
    const type = this.#looks.run(db, "TYPE", key) as string;
    return type === "none" ? undefined : type;
  }

  /** The keys that match a glob pattern, in order. */
  keys(pattern = "*", db = 0): string[] {
    return this.#looks.keys(db, pattern);
  }

  /** All keys with their values and times to live as text, for people. `console.log(db)` prints the same. */
  dump(): string {
    return this.#looks.dump();
  }

  // What the program under test did.

  /** The latest requests of clients, oldest first; those of one command if it is named. */
  calls(name?: string): CommandRecord[] {
    return this.#observer.calls(name);
  }

  /** Forgets the requests so far. */
  forgetCalls(): void {
    this.#observer.forgetCalls();
  }

  /** Calls `listener` soon after each request, or each client that comes or goes. The returned function ends that. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    return this.#observer.on(name, listener);
  }

  /**
   * Resolves with the value of a key of database 0 as soon as it is there, and, if `until` is given, as soon as that
   * returns true for it (undefined without the key). Rejects after `timeoutMs` milliseconds of real time; 5000 if
   * missing.
   */
  async waitFor(
    key: string,
    { until = (value) => value !== undefined, timeoutMs = WAIT_MS }: {
      until?: (value: Value | undefined) => boolean;
      timeoutMs?: number;
    } = {},
  ): Promise<Value | undefined> {
    const { listeners } = this.#server.engine;
    const { promise, resolve, reject } = Promise.withResolvers<Value | undefined>();
    const check = () => {
      if (this.#stopped) return reject(new Error(`the server stopped while something waited for "${key}"`));
      const value = this.#looks.value(0, key);
      if (until(value)) resolve(value);
    };
    const checkSoon = () =>
      queueMicrotask(() => {
        try {
          check();
        } catch (error) {
          reject(error);
        }
      });
    const timer = setTimeout(
      () => reject(new Error(`"${key}" did not become what was waited for within ${timeoutMs} ms\n${this.dump()}`)),
      timeoutMs,
    );
    const stops = [listeners.keyChanged.add(checkSoon), listeners.flushed.add(checkSoon)];
    try {
      check();
      return await promise;
    } finally {
      clearTimeout(timer);
      for (const stop of stops) stop();
    }
  }

  /**
   * Lets requests or connections fail until the fault ends: `using fault = db.fail({ command: "GET", error: "…" })`.
   * Of several faults that match a request the oldest strikes.
   */
  fail(fault: Fault): ActiveFault {
    return this.#faults.add(fault);
  }

  /** For `console.log` in Deno. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.#inspect();
  }

  /** For `console.log` in Node.js. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.#inspect();
  }

  #inspect(): string {
    return this.#stopped ? "MemDB (stopped)" : `MemDB ${this.url}\n${this.dump()}`;
  }
}
