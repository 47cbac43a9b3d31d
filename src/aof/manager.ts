/**
 * The manager of the append-only file, and the part of this folder that the server talks to. It loads the data at start,
 * turns the file on and off, and has it rewritten when it has grown, on request, or when only a new file keeps the promises.
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

/** The time for which keys are written between two turns of the event loop. */
const SLICE_US = 1000;
/** So many bytes are handed to the disk together, and so many may wait for it before writing keys pauses. */
const WRITE_BYTES = 256 * 1024;
const WAIT_BYTES = 2 * 1024 * 1024;
/** The new file is synced every so many bytes, and takes over when no more than the second figure waits. */
const SYNC_BYTES = 32 * 1024 * 1024;
const TAIL_BYTES = 256 * 1024;
/** After a failure the next try comes later each time. */
const RETRY_MS_MIN = 1000, RETRY_MS_MAX = 60_000;
/** A rewrite was given up because it is no longer wanted. */
class Abandoned extends Error {
  override name = "Abandoned";
}

export class AofManager {
  readonly #engine: Engine;
  readonly #executor: Executor;
  readonly #disk: Disk;
  #log: AofLog | undefined;
  #rewriting: Promise<void> | undefined;
  /** Fulfilled when the files that were kept before are closed: until then this server holds their locks. */
  #dropped: Promise<unknown> = Promise.resolve();
  /** Set to have the running rewrite end without a result. */
  #abandon = false;
  #failures = 0;
  #retryAtMs = 0;
  #closing = false;
  /** A file that this server wrote, every byte of it, and appends to no more. */
  #left: { readonly path: string; readonly sizeBytes: number } | undefined;
  /** The identity of a file that is not kept now, but whose data is in memory: a rewrite may take its place. */
  #known: string | undefined;

  constructor(engine: Engine, executor: Executor, disk: Disk = realDisk) {
    this.#engine = engine;
    this.#executor = executor;
    this.#disk = disk;
    // Clients come as soon as the server listens. Until the data is loaded and the file is open they get -LOADING: none sees
    // data that is not complete, and no write is acknowledged that is not logged.
    const { appendonly, restoredb } = engine.settings.values;
    engine.persistence.loading = appendonly || restoredb;
    engine.persistence.loadingStartMs = engine.clock.nowMs();
    engine.settings.onChange("appendonly", (on) => this.#turn(on));
    engine.rewriteAof = () => void this.#start();
    engine.reload = () => this.#reload();
  }

  /** The file that is kept, if one is. */
  get log(): AofLog | undefined {
    return this.#log;
  }

  /** Loads what the settings say, and opens the append-only file. Throws AofError with what to do. */
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
        // A rewrite that a crash ended left a useless file. The lock on ours says that no other server is writing it.
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
        // The next snapshot may take the name only if it holds everything that this one held.
        if (skippedCount === 0) own(engine, source.path);
      }
    }
    engine.snapshots.savedChanges = engine.stats.changes;
    engine.persistence.loading = false;
  }

  /** Loads the log that a redis-server left, and begins a file of this server's own with it. */
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

  /** As in Redis, a snapshot is not loaded where an append-only file is kept. The log says why the server starts empty. */
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

  /** Some times a second. */
  tick(): void {
    this.#log?.tick();
    const { persistence, clock, settings } = this.#engine;
    if (this.#rewriting !== undefined || this.#closing || persistence.loading) return;
    const nowMs = clock.monotonicUs() / 1000;
    if (this.#failures > 0 && nowMs < this.#retryAtMs) return;
    const wanted = this.#log?.needsRewrite ?? settings.values.appendonly;
    if (wanted || this.#hasGrown()) void this.#start().catch(() => {});
  }

  /** Writes and syncs what there is, and closes. */
  async close(): Promise<void> {
    this.#closing = this.#abandon = true;
    await this.#rewriting?.catch(() => {});
    await this.#drop();
  }

  /**
   * DEBUG LOADAOF: what is in memory gives way to what the file says. False if there is no file of commands, or one that
   * is not known to be whole, because it is not kept and is not what a rewrite left here.
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

  /** appendonly has changed: yes begins a file with what is in memory, no lets go of it as it is. */
  #turn(on: boolean): void {
    if (!on) {
      this.#abandon = true;
      if (this.#log === undefined) this.#engine.setFileFailure("");
      this.#dropped = Promise.allSettled([this.#dropped, this.#drop()]);
      return;
    }
    if (this.#engine.persistence.loading) throw new SettingError("the append-only file is being loaded");
    this.#failures = 0;
    // From the reply on, INFO says that the file is being written.
    if (this.#rewriting === undefined) void this.#start().catch(() => {});
    else void this.#restart(this.#rewriting);
  }

  /** Gives up the rewrite that runs, and begins another if one is still wanted. */
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

  /** Begins a rewrite. The promise is its end. */
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
    // Without a log this server does not hold the lock on the file that is about to be replaced.
    const old = this.#log === undefined ? await this.#lockOld(path) : undefined;
    let file: AofFile | undefined;
    try {
      const created = await this.#disk.create(from);
      file = new AofFile(created, 0, 0);
      if (!created.tryLockSync(true)) throw new Error(`${from} is in use by another server`);
      const listener = await this.#write(file);
      try {
        if (this.#log !== undefined) {
          // Between two turns: earlier effects are in the new file by the rewrite, later ones come by the log.
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

  /** Gives a file with data that was never loaded another name. */
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

  /** Makes a whole new file the first one; keeps it only if it is wanted. */
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
   * Writes all keys to a new file, and what happens to them meanwhile. When it returns little waits, nearly everything is
   * safe, and the listener is still there.
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
