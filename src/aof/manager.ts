/**
 * The manager of the append-only file, and the interface of this folder for the server. It loads the data at start,
 * switches the file on and off, and starts rewrites: when the file has grown, on request, and after failures that only
 * a new file repairs.
 */
import type { Executor } from "../dispatch/executor.ts";
import { asideName } from "../core/aside.ts";
import { isSystemError, reasonOf } from "../core/io_error.ts";
import { KeyDelay, wait } from "../engine/delay.ts";
import type { Engine } from "../engine/engine.ts";
import { HEAD_BYTES } from "../rdb/format.ts";
import { isRdb } from "../rdb/loader.ts";
import { exists, own } from "../rdb/ownership.ts";
import { snapshotPath } from "../rdb/save.ts";
import { SettingError } from "../settings/kinds.ts";
import { type Disk, type DiskFile, identityOf, isTaken, realDisk } from "./disk.ts";
import { loadParts, loadSnapshotFile } from "./load.ts";
import { AofLog } from "./log.ts";
import { openAof } from "./open.ts";
import { AofError, Replay } from "./replay.ts";
import { Rewrite } from "./rewrite.ts";
import { AofFile } from "./file.ts";
import { findSource, noteParts } from "./sources.ts";

/** The time of one step of a rewrite, between two turns of the event loop. */
const SLICE_US = 1000;
/** Bytes of one write of a rewrite, and the unwritten bytes at which the rewrite pauses. */
const WRITE_BYTES = 256 * 1024;
const WAIT_BYTES = 2 * 1024 * 1024;
/** Bytes between two syncs of a new file, and the most unsynced bytes when it replaces the old one. */
const SYNC_BYTES = 32 * 1024 * 1024;
const TAIL_BYTES = 256 * 1024;
/** Delays after failed rewrites; each one is longer. */
const RETRY_MS_MIN = 1000, RETRY_MS_MAX = 60_000;
/** A rewrite was stopped because it is no longer needed. */
class Abandoned extends Error {
  override name = "Abandoned";
}

export class AofManager {
  readonly #engine: Engine;
  readonly #executor: Executor;
  readonly #disk: Disk;
  #log: AofLog | undefined;
  #rewriting: Promise<void> | undefined;
  /** Resolves when the former files are closed. Until then this server holds their locks. */
  #dropped: Promise<unknown> = Promise.resolve();
  /** Set to stop the running rewrite without a result. */
  #abandon = false;
  #failures = 0;
  #retryAtMs = 0;
  #closing = false;
  /** A file that this server has written completely, and to which it no longer appends. */
  #left: { readonly path: string; readonly sizeBytes: number } | undefined;
  /** The identity of a file that is not appended to, but whose data is in memory, so that a rewrite may replace it. */
  #known: string | undefined;

  constructor(engine: Engine, executor: Executor, disk: Disk = realDisk) {
    this.#engine = engine;
    this.#executor = executor;
    this.#disk = disk;
    // Clients connect as soon as the server listens. Until the data is loaded and the file is open they get -LOADING.
    // So they never see incomplete data, and no write is acknowledged without being logged.
    const { appendonly, restoredb } = engine.settings.values;
    engine.persistence.loading = appendonly || restoredb;
    engine.persistence.loadingStartMs = engine.clock.nowMs();
    engine.settings.onChange("appendonly", (on) => this.#turn(on));
    engine.rewriteAof = () => this.#start();
    engine.reload = () => this.#reload();
  }

  /** The log of the open file, if there is one. */
  get log(): AofLog | undefined {
    return this.#log;
  }

  /** Loads the data that the settings name, and opens the append-only file. Throws AofError with a remedy. */
  async open(): Promise<void> {
    const engine = this.#engine, { aofpath, appendonly, restoredb } = engine.settings.values;
    if (!appendonly && !restoredb) return;
    const source = findSource(engine.settings.values);
    switch (source.kind) {
      case "file": {
        const options = { path: aofpath, restore: restoredb, append: appendonly };
        if (restoredb && exists(aofpath)) engine.persistence.restored = aofpath;
        this.#use(await openAof(engine, this.#executor, options, this.#disk));
        if (restoredb) this.#known = this.#disk.identity(aofpath);
        // A crash during a rewrite leaves a useless file. No other server writes it, because this server holds the
        // lock.
        if (this.#log !== undefined) await this.#disk.remove(newPath(aofpath));
        if (appendonly) this.#warnOfSnapshot();
        break;
      }
      case "parts":
        await this.#takeOver(source.folder, source.paths);
        break;
      case "snapshot": {
        const { skippedCount } = await loadSnapshotFile(engine, this.#executor, this.#disk, source.path);
        engine.persistence.restored = source.path;
        // The next snapshot may replace this one only if everything in it was loaded.
        if (skippedCount === 0) own(engine, source.path);
      }
    }
    engine.snapshots.savedChanges = engine.stats.changes;
    engine.persistence.loading = false;
  }

  /** Loads the log of a redis-server, and begins a file of this server with its data. */
  async #takeOver(folder: string, paths: readonly string[]): Promise<void> {
    const engine = this.#engine, { aofpath } = engine.settings.values;
    await loadParts(engine, this.#executor, this.#disk, paths);
    engine.persistence.restored = folder;
    try {
      noteParts(aofpath, paths);
      await this.#start();
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new AofError(error.message);
    }
    engine.log("notice", `Loaded ${folder}, which stays as it is; from here on ${aofpath} is kept`);
  }

  /** As in Redis, a snapshot is not loaded with appendonly yes. Logs why the server starts empty. */
  #warnOfSnapshot(): void {
    const { settings, store, log } = this.#engine;
    const path = snapshotPath(settings.values);
    if (store.databases.some(({ size }) => size > 0) || !exists(path)) return;
    log(
      "warning",
      `${path} was not loaded, because the append-only file is kept and is empty. To begin with that snapshot: ` +
        `memdb import ${path} --aofpath NEW, then start with --aofpath NEW`,
    );
  }

  #use(log: AofLog | undefined): void {
    this.#log = this.#engine.durability = log;
    this.#engine.listeners.changesSafe();
  }

  /** Called several times a second. */
  tick(): void {
    this.#log?.tick();
    const { persistence, clock, settings } = this.#engine;
    if (this.#rewriting !== undefined || this.#closing || persistence.loading) return;
    const nowMs = clock.monotonicUs() / 1000;
    if (this.#failures > 0 && nowMs < this.#retryAtMs) return;
    const wanted = this.#log?.needsRewrite ?? settings.values.appendonly;
    if (wanted || this.#hasGrown()) void this.#start().catch(() => {});
  }

  /** Writes, syncs and closes the file. */
  async close(): Promise<void> {
    this.#closing = this.#abandon = true;
    await this.#rewriting?.catch(() => {});
    await this.#drop();
  }

  /**
   * DEBUG LOADAOF: replaces the data in memory by the data of the file. False if there is no file of commands, or if it
   * may be incomplete, because it is neither open nor the result of a rewrite.
   */
  #reload(): boolean {
    const { aofpath } = this.#engine.settings.values;
    if (this.#log === undefined ? this.#left?.path !== aofpath : !this.#log.write()) return false;
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(aofpath, { read: true });
    } catch {
      return false;
    }
    try {
      if (this.#log === undefined && file.statSync().size !== this.#left?.sizeBytes) return false;
      const head = new Uint8Array(HEAD_BYTES);
      if (isRdb(head.subarray(0, file.readSync(head) ?? 0))) return false;
      for (const db of this.#engine.store.databases) db.clear();
      this.#engine.listeners.databasesFlushed();
      const verdict = { startBytes: 0, wholeBytes: file.statSync().size };
      new Replay(this.#engine, this.#executor).loadNow(file, verdict);
      return true;
    } finally {
      file.close();
    }
  }

  #hasGrown(): boolean {
    const { persistence, settings } = this.#engine;
    const { autoAofRewritePercentage: percentage, autoAofRewriteMinSize } = settings.values;
    if (this.#log === undefined || this.#log.failed || percentage === 0) return false;
    const { currentBytes, baseBytes } = persistence;
    if (currentBytes < autoAofRewriteMinSize) return false;
    return (currentBytes * 100) / Math.max(1, baseBytes) - 100 >= percentage;
  }

  /** appendonly has changed: yes begins a file with the data in memory, no closes the file. */
  #turn(on: boolean): void {
    if (!on) {
      this.#abandon = true;
      if (this.#log === undefined) this.#engine.setFileFailure("");
      this.#dropped = Promise.allSettled([this.#dropped, this.#drop()]);
      return;
    }
    if (this.#engine.persistence.loading) throw new SettingError("the append-only file is being loaded");
    this.#failures = 0;
    // INFO reports the rewrite as soon as the reply leaves.
    if (this.#rewriting === undefined) void this.#start().catch(() => {});
    else void this.#restart(this.#rewriting);
  }

  /** Stops the running rewrite, and begins another one if it is still needed. */
  async #restart(running: Promise<void>): Promise<void> {
    this.#abandon = true;
    await running.catch(() => {});
    this.#abandon = false;
    if (this.#log === undefined && this.#engine.settings.values.appendonly) await this.#start().catch(() => {});
  }

  async #drop(): Promise<void> {
    const log = this.#log;
    this.#use(undefined);
    if (log === undefined) return;
    if (!log.isReplaced) this.#known = this.#disk.identity(log.path);
    this.#engine.effects.unlisten(log);
    await log.close();
  }

  /** Begins a rewrite. The promise resolves at its end. */
  #start(): Promise<void> {
    const { persistence, clock, log } = this.#engine;
    const startUs = clock.monotonicUs();
    persistence.rewriting = true;
    persistence.rewrites++;
    persistence.rewriteStartUs = startUs;
    this.#abandon = this.#closing;
    this.#rewriting = this.#rewrite().then(() => {
      this.#failures = 0;
      persistence.rewriteFailed = false;
      const seconds = (clock.monotonicUs() - startUs) / 1e6;
      log("notice", `Rewrote the append-only file in ${seconds.toFixed(1)} s: ${persistence.currentBytes} bytes`);
    }, (error) => {
      if (!(error instanceof Abandoned)) {
        this.#failures++;
        persistence.rewriteFailed = true;
        const waitMs = Math.min(RETRY_MS_MIN * 2 ** (this.#failures - 1), RETRY_MS_MAX);
        this.#retryAtMs = clock.monotonicUs() / 1000 + waitMs;
        log("warning", `Cannot rewrite the append-only file: ${reasonOf(error)}`);
        if (this.#log === undefined && this.#engine.settings.values.appendonly) {
          this.#engine.setFileFailure(reasonOf(error));
        }
      }
      throw error;
    }).finally(() => {
      persistence.rewriting = false;
      persistence.rewriteFailures = this.#failures;
      persistence.rewriteKeys = persistence.rewriteKeysTotal = 0;
      persistence.lastRewriteSeconds = Math.floor((clock.monotonicUs() - startUs) / 1e6);
      this.#rewriting = undefined;
    });
    this.#rewriting.catch(() => {});
    return this.#rewriting;
  }

  async #rewrite(): Promise<void> {
    if (this.#log === undefined) await this.#dropped;
    const { aofpath, appendonly } = this.#engine.settings.values;
    const path = this.#log?.path ?? aofpath;
    const from = newPath(path);
    const moveAside = this.#log?.isReplaced ?? false;
    // Without a log this server does not hold the lock of the file that the rewrite replaces.
    const old = this.#log === undefined ? await this.#lockOld(path) : undefined;
    let file: AofFile | undefined;
    try {
      const created = await this.#disk.create(from);
      file = new AofFile(created, 0, 0);
      if (!created.tryLockSync(true)) throw new Error(`${from} is in use by another server`);
      const listener = await this.#write(file);
      try {
        if (this.#log !== undefined) {
          // Between two turns: the rewrite has written earlier effects to the new file, and the log writes later ones.
          const replaced = this.#log.replaceBy(file, from, moveAside);
          this.#engine.effects.unlisten(listener);
          await replaced;
        } else {
          if (old !== undefined) await this.#keepUnknown(old, path);
          await this.#found(file, from, path, appendonly, listener);
        }
      } finally {
        this.#engine.effects.unlisten(listener);
      }
    } catch (error) {
      if (file !== undefined && !this.#log?.holds(file)) {
        await file.close();
        await this.#disk.remove(from).catch(() => {});
      }
      throw error;
    } finally {
      old?.close();
    }
  }

  /** Renames a file whose data was never loaded. */
  async #keepUnknown(old: DiskFile, path: string): Promise<void> {
    const { clock, log } = this.#engine;
    if (old.statSync().size === 0 || identityOf(old) === this.#known) return;
    const kept = asideName(path, "kept", clock.nowMs(), (name) => isTaken(this.#disk, name));
    await this.#disk.rename(path, kept);
    log("warning", `${path} was not loaded by this server, so it is kept as ${kept}`);
  }

  async #lockOld(path: string): Promise<DiskFile> {
    const file = await this.#disk.openAppend(path);
    if (file.tryLockSync(true)) return file;
    file.close();
    throw new Error(`${path} is in use by another server`);
  }

  /** Gives a complete new file its name. It stays open only if appendonly is still yes. */
  async #found(file: AofFile, from: string, path: string, keep: boolean, listener: Rewrite): Promise<void> {
    const { effects, settings } = this.#engine;
    if (keep && settings.values.appendonly) {
      const log = new AofLog(this.#engine, this.#disk, path, file);
      effects.unlisten(listener);
      effects.listen(log);
      this.#use(log);
    }
    try {
      file.write(true);
      file.added(this.#engine.stats.changes);
      await file.safe(file.writtenBytes);
      await this.#disk.rename(from, path);
      await this.#disk.syncFolder(path);
      this.#log?.named();
    } catch (error) {
      if (this.#log !== undefined) {
        effects.unlisten(this.#log);
        this.#use(undefined);
        this.#engine.persistence.enabled = false;
      }
      throw error;
    }
    if (this.#log !== undefined) return;
    this.#known = this.#disk.identity(path);
    await file.close();
    this.#left = { path, sizeBytes: file.writtenBytes };
  }

  /**
   * Writes all keys to a new file, together with the effects on them meanwhile. When it returns, few bytes are
   * unwritten or unsynced, and the listener is still registered.
   */
  async #write(file: AofFile): Promise<Rewrite> {
    const { effects, latency, persistence, settings } = this.#engine;
    let rewrite = this.#begin(file);
    let failure: unknown;
    const failed = (error: unknown) => failure ??= error;
    const delay = new KeyDelay(() => settings.values.rdbKeySaveDelay);
    try {
      for (let syncedBytes = 0; !rewrite.done;) {
        await wait(delay.active ? delay.after(rewrite.keysWritten - persistence.rewriteKeys) : 0);
        if (this.#abandon) throw new Abandoned("the rewrite was given up");
        if (failure !== undefined) throw failure;
        if (rewrite.stale) {
          effects.unlisten(rewrite);
          await file.clear();
          syncedBytes = 0;
          rewrite = this.#begin(file);
        }
        const startUs = latency.start();
        if (file.pendingBytes < WAIT_BYTES) rewrite.step(delay.active ? 1 : SLICE_US);
        latency.note("aof-rewrite-slice", latency.since(startUs));
        persistence.rewriteKeys = rewrite.keysWritten;
        if (file.pendingBytes >= WRITE_BYTES && !file.writing) file.writeLater().catch(failed);
        if (file.writtenBytes - syncedBytes >= SYNC_BYTES && file.syncing === undefined) {
          syncedBytes = file.writtenBytes;
          file.sync().catch(failed);
        }
      }
      do {
        await file.writeLater();
        await file.writeLater();
        await file.safe(file.writtenBytes);
        if (this.#abandon) throw new Abandoned("the rewrite was given up");
      } while (file.pendingBytes > TAIL_BYTES);
      return rewrite;
    } catch (error) {
      effects.unlisten(rewrite);
      throw error;
    }
  }

  #begin(file: AofFile): Rewrite {
    const { effects, persistence, store } = this.#engine;
    const rewrite = new Rewrite(this.#engine, this.#executor.table, file);
    persistence.rewriteKeysTotal = store.databases.reduce((sum, db) => sum + db.size, 0);
    effects.listen(rewrite);
    return rewrite;
  }
}

function newPath(path: string): string {
  return `${path}.rewriting`;
}
