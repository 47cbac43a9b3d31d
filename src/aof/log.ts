/**
 * The append-only file while the server runs. It listens to the stream of effects, gathers what one turn of the event loop
 * brought, and has it written with one call before any reply of that turn leaves. It decides when a reply must wait for the
 * disk, notices when the file keeps its promises no longer, and reports it with engine.setFileFailure, which refuses writes.
 *
 * While a rewritten file takes the place of this one, everything goes to both, until the new one is safe under its name: at
 * no moment does the name lead to a file that lacks something acknowledged.
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

/** Above this the buffer is written at once, in the middle of a turn. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
/** Under `everysec` replies to writes wait for a sync that takes longer than this, as in Redis. */
const SLOW_SYNC_US = 2_000_000;

export class AofLog implements EffectListener, Durability {
  readonly path: string;
  readonly #engine: Engine;
  readonly #disk: Disk;
  #file: AofFile;
  #effects: EffectWriter;
  /** The rewritten file, from when it is whole until it has taken over. */
  #next: AofFile | undefined;
  #nextEffects: EffectWriter | undefined;
  /** The rewritten file has the name already. */
  #renamed = false;
  #nextError = "";
  /** The name of the file survives a power failure. */
  #named = false;
  /** The value of `safeChanges` when the listeners were called last. */
  #toldChanges = 0;
  #syncStartUs = 0;
  #slowSync = false;
  #lastSecondUs: number;
  /** Why writing failed, and why the path is wrong; "" if nothing is wrong. */
  #writeError = "";
  #pathError = "";
  /** A task that must succeed before the first write, and whether it is running. */
  #prepare: (() => Promise<void>) | undefined;
  #preparing = false;
  #closed = false;

  /** Takes over the file at `path`. The caller has it listen. */
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
   * Nothing is written before `prepare` has succeeded. It failed once for `reason` and is tried again a few times a second;
   * until then writes are refused.
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

  /** Whether there is something to `commit` before replies leave. */
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

  /** Whether only a new file can bring the promises back: a sync failed, or the file has no name any more. */
  get needsRewrite(): boolean {
    return this.#file.broken || this.#pathError === MISSING;
  }

  /** Whether another file has this one's name. Only a user can say which of the two is wanted there. */
  get isReplaced(): boolean {
    return this.#pathError === REPLACED;
  }

  /**
   * Ends a turn: writes what it brought, and under `always` makes it safe, as one sync for all clients that wait. Returns
   * false when that cannot be promised, and why in engine.persistence.fileFailure; what was not written is tried again.
   */
  commit(): boolean {
    const written = this.write();
    if (this.#engine.settings.values.appendfsync === "always" && !this.#file.broken) {
      this.#syncNow();
      // A sync promises nothing about a file that has lost its name.
      this.#checkPath();
      this.#tellSafe();
    }
    return written && !this.failed;
  }

  /** Writes what waits, without a sync; after a failure only with `again`. False if that failed. */
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

  /** Before it has the name, a new file that fails is given up; afterwards its failure is ours. */
  #nextFailed(reason: string): void {
    if (this.#renamed) {
      this.#writeError ||= reason;
    } else {
      this.#next = undefined;
      this.#nextError = reason;
    }
  }

  /**
   * The sync that the replies of a turn that wrote must wait for, if any: under `everysec` one that takes longer than two
   * seconds, so that no more than that can be lost.
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

  /** Some times a second: tries again what failed, and once a second syncs under `everysec` and looks at the path. */
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

  /** Notices that the file was removed or replaced: what is written to it then would be lost with it. */
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

  /** Tells the executor and the log what is wrong, or that it is over. */
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
   * Replaces the file by a rewritten one that holds the same: from here on everything goes to both, then the new one is
   * made safe, gets the name, and the name is made safe. Rejects if that fails: the old file then goes on, unless only the
   * name could not be made safe: then writes are refused until another file is. With `moveAside` another file that has the
   * name is kept under a new one.
   */
  async replaceBy(next: AofFile, from: string, moveAside: boolean): Promise<void> {
    if (this.#prepare !== undefined) throw new Error(this.#writeError);
    if (this.#file.pendingBytes > 0) this.write();
    const nextEffects = this.#nextEffects = new EffectWriter(next);
    this.#effects = new EffectWriter(this.#file);
    this.#nextError = "";
    this.#next = next;
    try {
      // The last effects that the rewrite received, acknowledged long ago, may still wait.
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
      // A power failure might bring the old file back, without what follows.
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

  /** Gives the other file at the path a name of its own. */
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

  /** Whether a file is this log's, or about to be. */
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
const UNSYNCED = "a sync failed, so the file may lack what was written to it, and a new one is being written";

/** Writes what waits. Returns why that failed, or "". */
function writeTo(file: AofFile, everySync: boolean, failedBefore: boolean): string {
  try {
    if (failedBefore) file.realign();
    file.write(everySync);
    return "";
  } catch (error) {
    return reasonOf(error);
  }
}
