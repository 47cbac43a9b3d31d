/**
 * The append-only file of a running server. It listens to the stream of effects, collects the effects of one turn of
 * the event loop, and writes them with one call before the replies of that turn leave. It decides when replies must
 * wait for the disk. It detects failures of the file and reports them with engine.setFileFailure, which refuses writes.
 *
 * While a rewritten file replaces the current one, effects go to both, until the new file and its name are synced. So
 * the name always leads to a file with all acknowledged writes.
 */
import { sleepFor } from "../core/clock.ts";
import type { Durability } from "../engine/durability.ts";
import type { EffectListener } from "../engine/effects.ts";
import { asideName } from "../core/aside.ts";
import { reasonOf } from "../core/io_error.ts";
import type { Engine } from "../engine/engine.ts";
import { type Disk, identityOf, isTaken } from "./disk.ts";
import { EffectWriter } from "./effect_writer.ts";
import { AofFile } from "./file.ts";

/** A buffer above this size is written at once, in the middle of a turn. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
/** Under `everysec` replies to writes wait for a sync that takes longer than this, as in Redis. */
const SLOW_SYNC_US = 2_000_000;

export class AofLog implements EffectListener, Durability {
  readonly path: string;
  readonly #engine: Engine;
  readonly #disk: Disk;
  #file: AofFile;
  #effects: EffectWriter;
  /** The rewritten file, from its completion until it has replaced the current one. */
  #next: AofFile | undefined;
  #nextEffects: EffectWriter | undefined;
  /** The rewritten file already has the name. */
  #renamed = false;
  #nextError = "";
  /** The name of the file survives a power failure. */
  #named = false;
  /** The value of `safeChanges` when the listeners were called last. */
  #toldChanges = 0;
  #syncStartUs = 0;
  #slowSync = false;
  #lastSecondUs: number;
  /** The reasons of a failed write and of a wrong path; "" if there is no failure. */
  #writeError = "";
  #pathError = "";
  /** A task that must succeed before the first write, and whether it runs. */
  #prepare: (() => Promise<void>) | undefined;
  #preparing = false;
  #closed = false;

  /** Takes over the file at `path`. The caller registers the listener. */
  constructor(engine: Engine, disk: Disk, path: string, file: AofFile) {
    this.#engine = engine;
    this.#disk = disk;
    this.#file = file;
    this.#effects = new EffectWriter(file);
    this.path = path;
    this.#lastSecondUs = engine.clock.monotonicUs();
    const { persistence } = engine;
    persistence.currentBytes = persistence.baseBytes = file.writtenBytes;
    persistence.enabled = true;
    engine.setFileFailure("");
  }

  /**
   * Refuses writes until `prepare` succeeds. It has failed once for `reason`, and is repeated several times a second.
   */
  prepareFirst(prepare: () => Promise<void>, reason: string): void {
    this.#prepare = prepare;
    this.#writeError = reason;
    this.#report();
  }

  /** Called once the name of the file survives a power failure. */
  named(): void {
    this.#named = true;
    this.#tellSafe();
  }

  effect(db: number, bytes: Uint8Array, start: number, end: number): void {
    this.#effects.append(db, bytes, start, end);
    if (this.#next !== undefined) this.#nextEffects!.append(db, bytes, start, end);
    if (this.#file.pendingBytes > BUFFER_BYTES_MAX && this.#writeError === "") this.write();
  }

  /** Whether `commit` is necessary before replies leave. */
  get pending(): boolean {
    const file = this.#file;
    if (file.pendingBytes > 0) return true;
    return file.syncedBytes < file.writtenBytes && this.#engine.settings.values.appendfsync === "always";
  }

  /** A file that has lost its name keeps nothing. While a new file takes over, either may be the one that survives. */
  get safeChanges(): number {
    const file = this.#file;
    if (!this.#named || this.#pathError !== "") return 0;
    if (this.#renamed) return Math.min(file.syncedChanges, this.#next!.syncedChanges);
    const all = !file.broken && file.pendingBytes === 0 && file.syncedBytes === file.writtenBytes;
    return all ? this.#engine.stats.changes : file.syncedChanges;
  }

  #tellSafe(): void {
    const { safeChanges } = this;
    if (safeChanges === this.#toldChanges) return;
    this.#toldChanges = safeChanges;
    this.#engine.listeners.changesSafe();
  }

  /** Whether only a new file restores durability, because a sync failed or the file has lost its name. */
  get needsRewrite(): boolean {
    return this.#file.broken || this.#pathError === MISSING;
  }

  /** Whether another file has the name of this one. Only a user can decide which of the two belongs there. */
  get isReplaced(): boolean {
    return this.#pathError === REPLACED;
  }

  /**
   * Ends a turn: writes its effects, and under `always` syncs them, with one sync for all clients that wait. Returns
   * false after a failure, with the reason in engine.persistence.fileFailure. Unwritten bytes are written again later.
   */
  commit(): boolean {
    const written = this.write();
    if (this.#engine.settings.values.appendfsync === "always" && !this.#file.broken) {
      this.#syncNow();
      // A sync does not make a file durable that has lost its name.
      this.#checkPath();
      this.#tellSafe();
    }
    return written && !this.failed;
  }

  /** Writes the buffer without a sync; after a failure only with `again`. Returns false if that fails. */
  write(again = false): boolean {
    if (this.#prepare !== undefined) return false;
    const { current, latency, persistence, settings, stats } = this.#engine;
    const failedBefore = this.#writeError !== "";
    if (failedBefore && !again) return false;
    const everySync = settings.values.appendfsync !== "no";
    const file = this.#file, next = this.#next, startUs = latency.start();
    if (this.#engine.knobs.aofFlushSleepUs > 0) sleepFor(this.#engine.knobs.aofFlushSleepUs / 1000);
    this.#writeError = writeTo(file, everySync, failedBefore);
    if (next !== undefined) {
      const error = writeTo(next, everySync, failedBefore);
      if (error !== "") this.#nextFailed(error);
    }
    this.#noteWrite(latency.since(startUs));
    // Within a command, effects of changes that are counted already may still follow.
    if (current === undefined) {
      file.added(stats.changes);
      next?.added(stats.changes);
    }
    persistence.currentBytes = file.writtenBytes;
    persistence.pendingBytes = file.pendingBytes;
    if (failedBefore || this.#writeError !== "") this.#report();
    return this.#writeError === "";
  }

  /** Tells the latency monitor how long a write took, with the reason that may have slowed it. */
  #noteWrite(us: number): void {
    const { latency, persistence, snapshots } = this.#engine;
    if (us < latency.thresholdUs) return;
    const busy = persistence.rewriting || snapshots.cancel !== undefined;
    latency.add("aof-write", us);
    if (this.#file.syncing !== undefined) latency.add("aof-write-pending-fsync", us);
    else latency.add(busy ? "aof-write-active-child" : "aof-write-alone", us);
  }

  /** A new file that fails is abandoned before it has the name. Afterwards its failure is a failure of the log. */
  #nextFailed(reason: string): void {
    if (this.#renamed) {
      this.#writeError ||= reason;
    } else {
      this.#next = undefined;
      this.#nextError = reason;
    }
  }

  /**
   * The sync that the replies to writes must wait for, if any. Under `everysec` it is a sync of more than two seconds,
   * so that no more than two seconds of writes can be lost.
   */
  delay(): Promise<void> | undefined {
    const { settings, clock, persistence } = this.#engine;
    const { syncing } = this.#file;
    if (syncing === undefined || settings.values.appendfsync !== "everysec") return undefined;
    if (clock.monotonicUs() - this.#syncStartUs < SLOW_SYNC_US) return undefined;
    if (!this.#slowSync) persistence.delayedFsyncs++;
    this.#slowSync = true;
    return syncing.catch(() => {});
  }

  /** Whether writes are refused because of this file. */
  get failed(): boolean {
    return this.#engine.persistence.fileFailure !== "";
  }

  /**
   * Called several times a second: repeats failed writes. Once a second it syncs under `everysec` and checks the path.
   */
  tick(): void {
    const { clock, settings } = this.#engine;
    if (this.#prepare !== undefined) void this.#tryPrepare(this.#prepare);
    else if (this.#writeError !== "" && this.write(true)) this.commit();
    const nowUs = clock.monotonicUs();
    if (nowUs - this.#lastSecondUs < 1_000_000) return;
    this.#lastSecondUs = nowUs;
    if (settings.values.appendfsync === "everysec") this.#syncInBackground();
    this.#checkPath();
  }

  async #tryPrepare(prepare: () => Promise<void>): Promise<void> {
    if (this.#preparing) return;
    this.#preparing = true;
    try {
      await prepare();
      this.#prepare = undefined;
      if (!this.#closed) this.write(true);
    } catch (error) {
      this.#writeError = reasonOf(error);
      this.#report();
    } finally {
      this.#preparing = false;
    }
  }

  #syncNow(): void {
    const { latency } = this.#engine, startUs = latency.start();
    for (const file of [this.#file, this.#next]) {
      try {
        file?.syncNow();
      } catch (error) {
        if (file === this.#next) this.#nextFailed(reasonOf(error));
        this.#report();
      }
    }
    latency.note("aof-fsync-always", latency.since(startUs));
  }

  #syncInBackground(): void {
    for (const file of [this.#file, this.#next]) {
      if (file === undefined || file.broken || file.syncedBytes === file.writtenBytes) continue;
      if (file === this.#file) this.#startSync(file);
      file.sync().then(() => {
        this.#checkPath();
        this.#tellSafe();
      }, (error) => {
        if (file === this.#next) this.#nextFailed(reasonOf(error));
        this.#report();
      });
    }
  }

  #startSync(file: AofFile): void {
    if (file.syncing !== undefined) return;
    const { clock, persistence } = this.#engine;
    this.#syncStartUs = clock.monotonicUs();
    this.#slowSync = false;
    persistence.fsyncPending = 1;
    file.sync().catch(() => {}).finally(() => persistence.fsyncPending = 0);
  }

  /** Detects that the file was removed or replaced, because later writes to it would be lost. */
  #checkPath(): void {
    if (!this.#named || this.#next !== undefined || this.#closed) return;
    const { latency } = this.#engine, startUs = latency.start();
    let found: string | undefined;
    try {
      found = this.#disk.identity(this.path);
      latency.note("aof-fstat", latency.since(startUs));
    } catch (error) {
      this.#engine.log("warning", `Cannot check the append-only file: ${reasonOf(error)}`);
      return;
    }
    if (found === undefined) return;
    const error = found === "" ? MISSING : found === identityOf(this.#file.file) ? "" : REPLACED;
    if (error === this.#pathError) return;
    this.#pathError = error;
    this.#report();
  }

  /** Reports a failure, or its end, to the executor and the log. */
  #report(): void {
    const engine = this.#engine;
    const broken = this.#file.broken || (this.#renamed && this.#next?.broken === true);
    const error = broken ? UNSYNCED : this.#writeError || this.#pathError;
    const reason = error === "" || error.includes(this.path) ? error : `${error} (${this.path})`;
    if (reason === engine.persistence.fileFailure) return;
    engine.setFileFailure(reason);
    if (reason === "") engine.log("warning", `The append-only file ${this.path} can be written again`);
    else engine.log("warning", `Cannot write the append-only file: ${reason}. Writes are refused until that is over`);
  }

  /**
   * Replaces the file by a rewritten one with the same data. From now on effects go to both. The new file is synced,
   * gets the name, and the folder is synced. Rejects if a step fails. Then the old file continues, unless only the sync
   * of the folder failed; in that case writes are refused until a further file is in place. With `moveAside`, another
   * file of that name gets a new name.
   */
  async replaceBy(next: AofFile, from: string, moveAside: boolean): Promise<void> {
    if (this.#prepare !== undefined) throw new Error(this.#writeError);
    if (this.#file.pendingBytes > 0) this.write();
    const nextEffects = this.#nextEffects = new EffectWriter(next);
    this.#effects = new EffectWriter(this.#file);
    this.#nextError = "";
    this.#next = next;
    try {
      // The last effects of the rewrite, which are acknowledged, may still be in its buffer.
      next.write(true);
      next.added(this.#engine.stats.changes);
      await next.safe(next.writtenBytes);
      const found = this.#disk.identity(this.path);
      if (found !== undefined && found !== "" && found !== identityOf(this.#file.file)) {
        if (!moveAside) throw new Error(`${REPLACED} (${this.path})`);
        await this.#moveAside();
      }
      if (this.#nextError !== "") throw new Error(this.#nextError);
      if (this.#closed) throw new Error("the server stops");
      this.#renamed = true;
      await this.#disk.rename(from, this.path);
    } catch (error) {
      this.#renamed = false;
      this.#next = undefined;
      throw error;
    }
    try {
      await this.#disk.syncFolder(this.path);
    } catch (error) {
      // A power failure might restore the old file, without the later effects.
      next.broken = true;
      next.syncedChanges = Math.min(next.syncedChanges, this.#file.syncedChanges);
      throw error;
    } finally {
      const old = this.#file;
      this.#file = next;
      this.#effects = nextEffects;
      this.#next = undefined;
      this.#renamed = false;
      if (next.pendingBytes === 0) this.#writeError = "";
      this.#pathError = "";
      const { persistence } = this.#engine;
      persistence.currentBytes = persistence.baseBytes = next.writtenBytes;
      persistence.pendingBytes = next.pendingBytes;
      this.#report();
      this.#tellSafe();
      await old.close();
    }
  }

  /** Renames the other file at the path. */
  async #moveAside(): Promise<void> {
    const { clock, log } = this.#engine;
    const other = await this.#disk.openRead(this.path);
    try {
      if (other?.tryLockSync(true) === false) throw new Error(`another server uses ${this.path}`);
    } finally {
      other?.close();
    }
    const aside = asideName(this.path, "replaced", clock.nowMs(), (name) => isTaken(this.#disk, name));
    await this.#disk.rename(this.path, aside);
    log("warning", `The file that was found at ${this.path} is kept as ${aside}`);
  }

  /** Whether a file belongs to this log, now or after the replacement. */
  holds(file: AofFile): boolean {
    return file === this.#file || file === this.#next;
  }

  /** Writes, syncs and closes. */
  async close(): Promise<void> {
    this.write(true);
    const file = this.#file;
    if (file.pendingBytes > 0) {
      this.#engine.log(
        "warning",
        `${file.pendingBytes} bytes could not be written to ${this.path}: ${this.#writeError}`,
      );
    }
    await file.safe(file.writtenBytes).catch((error) => {
      this.#engine.log("warning", `The end of ${this.path} could not be synced: ${reasonOf(error)}`);
    });
    this.#closed = true;
    await file.close();
    this.#engine.persistence.enabled = false;
    this.#engine.setFileFailure("");
  }
}

const MISSING = "the file was removed, so a new one is being written";
const REPLACED = "the path leads to another file; BGREWRITEAOF keeps that under a new name and writes this one again";
const UNSYNCED = "a sync failed, so the file may lack written bytes, and a new one is being written";

/** Writes the buffer. Returns the reason of a failure, or "". */
function writeTo(file: AofFile, everySync: boolean, failedBefore: boolean): string {
  try {
    if (failedBefore) file.realign();
    file.write(everySync);
    return "";
  } catch (error) {
    return reasonOf(error);
  }
}
