/**
 * The engine: the state of a running server that commands see. It knows nothing about connections. main builds one
 * engine and passes it on; each embedded server in a process has its own engine.
 */
import type { Clock } from "../core/clock.ts";
import { titled } from "../core/errors.ts";
import { identities, type Identity } from "../core/personality.ts";
import type { Random } from "../core/random.ts";
import { ExpiryMode, type Keyspace } from "../store/keyspace.ts";
import type { Store } from "../store/store.ts";
import { DebugKnobs } from "./debug_knobs.ts";
import type { Durability } from "./durability.ts";
import { ClientMemory } from "./client_memory.ts";
import { CommandLog } from "./command_log.ts";
import { Effects } from "./effects.ts";
import { Eviction } from "./eviction.ts";
import { ImportMode } from "./import_mode.ts";
import { LatencyMonitor } from "./latency.ts";
import { MessageExpiry } from "./message_expiry.ts";
import { Listeners, Notify, type NotifyClass } from "./listeners.ts";
import { Pause } from "./pause.ts";
import { Phase } from "./phase.ts";
import { Rates } from "./rates.ts";
import { SharedBytes } from "../resp/shared_bytes.ts";
import type { HotKeys } from "./hot_keys.ts";
import type { Session } from "./session.ts";
import type { Settings } from "../settings/settings.ts";
import { Stats } from "./stats.ts";
import { Users } from "./users.ts";
import { Watches } from "./watches.ts";

/** State of the append-only file, as INFO and the executor see it. The module aof owns the file itself. */
export interface Persistence {
  enabled: boolean;
  /** True while the file is read at start; the following fields tell the progress. */
  loading: boolean;
  loadingStartMs: number;
  loadedBytes: number;
  loadTotalBytes: number;
  loadedKeys: number;
  /** The file or folder that was loaded at start; "" if there was none. */
  restored: string;
  currentBytes: number;
  baseBytes: number;
  pendingBytes: number;
  fsyncPending: number;
  delayedFsyncs: number;
  rewrites: number;
  rewriting: boolean;
  lastRewriteSeconds: number;
  /** Start and progress of the running rewrite. */
  rewriteStartUs: number;
  rewriteKeys: number;
  rewriteKeysTotal: number;
  rewriteFailed: boolean;
  /** Number of failed rewrites since the last successful one. */
  rewriteFailures: number;
  /** The reason why the file cannot be written; "" while it can. Set it with Engine.setFileFailure. */
  fileFailure: string;
  /** The error reply to commands that write while the file or the snapshots fail; "" if neither fails. */
  failure: string;
}

/** State of snapshots (RDB files), as commands and INFO see it. The module rdb writes them. */
export interface SnapshotState {
  /** Set while a snapshot is written in the background; calling it ends the snapshot and keeps nothing. */
  cancel: (() => void) | undefined;
  startMs: number;
  keysWritten: number;
  keysTotal: number;
  lastSaveMs: number;
  /** Start of the last background snapshot, successful or not. */
  triedMs: number;
  /** Number of changes since the start that the last snapshot includes. */
  savedChanges: number;
  lastFailed: boolean;
  /** Duration of the last background snapshot; -1 before the first one. */
  lastSeconds: number;
  saves: number;
  /** Number of failed snapshots since the last successful one. */
  failures: number;
  /** Files that a snapshot may overwrite, by path, with the state in which this server last saw them. */
  readonly owned: Map<string, string>;
  /** Counts of the RDB file, or RDB part of a file, that was loaded last. */
  loadedKeys: number;
  loadedExpiredKeys: number;
}

const LOG_LENGTHS = ["slowlog-max-len", "commandlog-large-request-max-len", "commandlog-large-reply-max-len"] as const;

/** The libraries of functions, as files see them. */
export interface Libraries {
  /** The code of each library. */
  sources(): readonly Uint8Array[];
  /** Adds a library, in the place of one of the same name if `replace`. Throws CommandError. */
  add(source: Uint8Array, replace: boolean): void;
  clear(): void;
}

/** A script that has run for longer than busy-reply-threshold. Other clients may only ask for its end. */
export interface Busy {
  /** The error reply to all other commands. */
  readonly message: string;
  /** Ends the script, even if it has written. */
  end(): void;
}

export class Engine {
  readonly store: Store;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly effects = new Effects();
  readonly stats = new Stats();
  readonly knobs = new DebugKnobs();
  readonly rates: Rates;
  /** The logs of commands, by Valkey's names. */
  readonly commandLogs = {
    "slow": new CommandLog(),
    "large-request": new CommandLog(),
    "large-reply": new CommandLog(),
  };
  readonly latency: LatencyMonitor;
  readonly eviction: Eviction;
  readonly importMode: ImportMode;
  readonly users: Users;
  /** All sessions with a socket, by id. */
  readonly sessions = new Map<number, Session>();
  readonly monitors = new Set<Session>();
  /** What HOTKEYS has found; undefined if nothing. */
  hotKeys: HotKeys | undefined;
  /** The same while it counts. */
  measuring: HotKeys | undefined;
  readonly listeners: Listeners;
  /** Work for the end of the running command, and for the end of the turn of the event loop. */
  readonly afterCommand = new Phase();
  readonly endOfTurn = new Phase();
  readonly watches: Watches;
  readonly clientMemory: ClientMemory;
  /** The server as which MemDB answers. */
  readonly identity: Identity;
  readonly runId: string;
  readonly startMs: number;
  /** Bytes of the empty store. */
  readonly startBytes: number;
  readonly persistence: Persistence = {
    enabled: false,
    loading: false,
    loadingStartMs: 0,
    loadedBytes: 0,
    loadTotalBytes: 0,
    loadedKeys: 0,
    restored: "",
    currentBytes: 0,
    baseBytes: 0,
    pendingBytes: 0,
    fsyncPending: 0,
    delayedFsyncs: 0,
    rewrites: 0,
    rewriting: false,
    lastRewriteSeconds: -1,
    rewriteStartUs: 0,
    rewriteKeys: 0,
    rewriteKeysTotal: 0,
    rewriteFailed: false,
    rewriteFailures: 0,
    fileFailure: "",
    failure: "",
  };
  readonly snapshots: SnapshotState;
  /** Makes changes durable; undefined while the data is only in memory. */
  durability: Durability | undefined;
  /** Set by the module that runs functions; without it files are written and read without libraries. */
  libraries: Libraries | undefined;
  /** A script that runs for too long, if there is one. */
  busy: Busy | undefined;
  /** The active CLIENT PAUSE, if there is one. */
  pause: Pause | undefined;
  /** The session whose request runs; undefined between commands. */
  current: Session | undefined;
  /** Messages of this turn that many sessions receive, in RESP2 and RESP3. */
  readonly #shared2 = new SharedBytes(2);
  readonly #shared3 = new SharedBytes(3);
  /** DEBUG SET-ACTIVE-EXPIRE. */
  activeExpiry = true;
  /** DEBUG PAUSE-CRON. */
  cronPaused = false;
  /** The least strict expiry mode that is allowed now, for every session. `holdExpiry` raises it. */
  expiryFloor: ExpiryMode = ExpiryMode.DELETE;
  readonly #parts = new Map<unknown, unknown>();
  readonly #expiryHolds = [0, 0, 0];
  /** The TCP port on which the server listens, for INFO. */
  port = 0;
  configFile = "";
  #nextSessionId = 1;

  /** Asks the process to shut down in order; set by the server. */
  shutdown: (options: { save: boolean; now: boolean; force: boolean }) => void = () => {};
  /** Writes a line to the server's log; set by the server. */
  log: (level: "debug" | "verbose" | "notice" | "warning", text: string) => void = () => {};
  /** Serves the other clients from within a running script. Returns false if it cannot; set by net. */
  serveOthers: () => boolean = () => false;
  /** Starts a rewrite of the append-only file; set by aof. */
  rewriteAof: (() => Promise<void>) | undefined;
  /** Empties the store and loads the append-only file again (DEBUG LOADAOF); set by aof. */
  reload: (() => boolean) | undefined;

  constructor(store: Store, settings: Settings, clock: Clock, random: Random) {
    this.store = store;
    this.settings = settings;
    this.identity = identities[settings.values.personality];
    store.embedsAsValkey = this.identity.personality === "valkey";
    this.clock = clock;
    this.random = random;
    this.startMs = clock.nowMs();
    this.snapshots = {
      cancel: undefined,
      startMs: 0,
      keysWritten: 0,
      keysTotal: 0,
      lastSaveMs: this.startMs,
      triedMs: 0,
      savedChanges: 0,
      lastFailed: false,
      lastSeconds: -1,
      saves: 0,
      failures: 0,
      owned: new Map(),
      loadedKeys: 0,
      loadedExpiredKeys: 0,
    };
    this.latency = new LatencyMonitor(settings, clock);
    this.#setLogLengths();
    for (const name of LOG_LENGTHS) settings.onChange(name, () => this.#setLogLengths());
    this.rates = new Rates(clock.monotonicUs());
    this.startBytes = store.arena.usedBytes;
    store.setTime(this.startMs);
    let runId = "";
    for (let i = 0; i < 40; i++) runId += random.below(16).toString(16);
    this.runId = runId;
    store.onExpired = (db, bytes, start, end) => this.#keyExpired(db, bytes, start, end);
    store.onMessages = (...key) => this.part(MessageExpiry).watch(...key);
    this.listeners = new Listeners(store);
    this.eviction = new Eviction(this, (db, key) => this.#keyEvicted(db, key));
    this.importMode = new ImportMode(this);
    this.users = new Users(this);
    this.watches = new Watches(this.listeners);
    this.clientMemory = new ClientMemory(settings, this.sessions, this.watches);
    const stopMonitoring = (session: Session) => {
      this.monitors.delete(session);
      session.monitoring = false;
    };
    settings.onChange("save", () => this.settleFailure());
    settings.onChange("stop-writes-on-bgsave-error", () => this.settleFailure());
    this.listeners.sessions.add({ reset: stopMonitoring, ended: stopMonitoring });
    this.listeners.sessions.add({ ended: (session) => session.suspension?.end() });
    this.listeners.sessions.add({ ended: (session) => this.clientMemory.forget(session) });
  }

  /**
   * A service of an upper layer that lives as long as the engine: blocked clients, subscriptions. It is created at its
   * first use, so an unused service costs nothing.
   */
  part<T>(kind: new (engine: Engine) => T): T {
    let part = this.#parts.get(kind) as T | undefined;
    if (part === undefined) this.#parts.set(kind, part = new kind(this));
    return part;
  }

  /**
   * Holds requests of clients back until a time, in milliseconds since the epoch: all, or only those that may write.
   */
  pauseClients(untilMs: number, all: boolean): void {
    if (this.pause !== undefined) return this.pause.extend(untilMs, all);
    const release = this.holdExpiry(ExpiryMode.HIDE);
    this.pause = new Pause(this.clock, untilMs, all, () => {
      release();
      this.pause = undefined;
    });
  }

  /** Sends a message to a session between its replies: at once, or after the running command of that session. */
  push(session: Session, message: Uint8Array): void {
    const running = this.current === session;
    if (running) this.afterCommand.pending = true;
    session.push(message, running);
  }

  /** The messages that a session may share with others. */
  sharedBytes({ reply }: Session): SharedBytes {
    return reply.version === 3 ? this.#shared3 : this.#shared2;
  }

  /** Like `push`, for the message that was encoded last in `shared`. */
  share(session: Session, shared: SharedBytes): void {
    const running = this.current === session;
    if (running) this.afterCommand.pending = true;
    session.share(shared, running);
  }

  /** Forgets the shared messages at the end of the turn. */
  forgetShared(): void {
    this.#shared2.reset();
    this.#shared3.reset();
  }

  /** Bytes that count against maxmemory: the data and the buffers of clients. */
  get usedBytes(): number {
    return this.store.arena.usedBytes + this.clientMemory.countedBytes;
  }

  nextSessionId(): number {
    return this.#nextSessionId++;
  }

  /**
   * Prevents the deletion of expired keys (HIDE) or their expiry (KEEP) until the returned function is called. Holds
   * may overlap; the strictest one applies.
   */
  holdExpiry(mode: ExpiryMode): () => void {
    const count = (step: number) => {
      this.#expiryHolds[mode] += step;
      const { KEEP, HIDE, DELETE } = ExpiryMode;
      this.expiryFloor = this.#expiryHolds[KEEP] > 0 ? KEEP : this.#expiryHolds[HIDE] > 0 ? HIDE : DELETE;
      this.store.expiryMode = this.expiryFloor;
    };
    count(1);
    let held = true;
    return () => {
      if (held) count(-1);
      held = false;
    };
  }

  #setLogLengths(): void {
    const { values } = this.settings;
    this.commandLogs["slow"].lengthMax = values.slowlogMaxLen;
    this.commandLogs["large-request"].lengthMax = values.commandlogLargeRequestMaxLen;
    this.commandLogs["large-reply"].lengthMax = values.commandlogLargeReplyMaxLen;
  }

  /** Sets the reason why the append-only file cannot be written; "" if it can. */
  setFileFailure(reason: string): void {
    this.persistence.fileFailure = reason;
    this.settleFailure();
  }

  /** Updates whether commands that write are refused. Called when one of the reasons changes. */
  settleFailure(): void {
    const { persistence, snapshots, settings } = this;
    const { save, stopWritesOnBgsaveError } = settings.values;
    if (snapshots.lastFailed && stopWritesOnBgsaveError && save.length > 0) {
      persistence.failure = titled.snapshotFailed(this.identity.title);
    } else if (persistence.fileFailure !== "") {
      persistence.failure = `MISCONF Errors writing to the AOF file: ${persistence.fileFailure}`;
    } else {
      persistence.failure = "";
    }
  }

  /** Whether a command that needs memory may run; evicts keys if that helps. Always true while a file loads. */
  makeRoom(): boolean {
    return this.persistence.loading || this.pause !== undefined || this.eviction.makeRoom();
  }

  /** Logs the eviction of a key as a deletion, and announces it. */
  #keyEvicted(db: Keyspace, key: Uint8Array): void {
    this.stats.evicted++;
    this.effects.command(db.index, ["DEL", key]);
    this.#gone(db, Notify.EVICTED, "evicted", key, 0, key.length);
  }

  /** Logs the deletion of an expired key and announces it. */
  #keyExpired(db: Keyspace, bytes: Uint8Array, start: number, end: number): void {
    this.effects.command(db.index, ["DEL", bytes.subarray(start, end)]);
    this.#gone(db, Notify.EXPIRED, "expired", bytes, start, end);
  }

  #gone(db: Keyspace, kind: NotifyClass, event: string, bytes: Uint8Array, start: number, end: number): void {
    if (!this.listeners.hearKeys) return;
    this.listeners.changed(db, bytes, start, end, undefined);
    this.listeners.announced(db, kind, event, bytes, start, end);
  }
}
