/**
 * The append-only file while the server runs. It listens to the stream of effects, gathers what one turn of the event loop
 * brought, and has it written with one call before any reply of that turn leaves. It decides when a reply must wait for the
 * disk, notices when the file keeps its promises no longer, and says so in engine.persistence.failure, which refuses writes.
 *
 * While a rewritten file takes the place of this one, everything goes to both, until the new one is safe under its name: at
 * no moment does the name lead to a file that lacks something acknowledged.
 */
import type { EffectListener } from "../engine/effects.ts";
import type { Engine } from "../engine/engine.ts";
import { type Disk, identityOf } from "./disk.ts";
import { Tape } from "./tape.ts";

/** Above this the buffer is written at once, in the middle of a turn. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
/** Under `everysec` replies to writes wait for a sync that takes longer than this, as in Redis. */
const SLOW_SYNC_US = 2_000_000;

export class AofLog implements EffectListener {
  readonly path: string;
  readonly #engine: Engine;
  readonly #disk: Disk;
  #tape: Tape;
  /** The rewritten file, from when it is whole until it has taken over. */
  #next: Tape | undefined;
  #nextError: unknown;
  #syncStartUs = 0;
  #slowSync = false;
  #lastSecondUs: number;
  /** What is wrong: with writing, and with what the path leads to. "" is nothing. */
  #writeError = "";
  #pathError = "";
  #checking = false;
  #closed = false;

  /** Takes over the file at `path`. The caller has it listen. */
  constructor(engine: Engine, disk: Disk, path: string, tape: Tape) {
    this.#engine = engine;
    this.#disk = disk;
    this.#tape = tape;
    this.path = path;
    this.#lastSecondUs = engine.clock.monotonicUs();
    const { persistence } = engine;
    persistence.currentBytes = persistence.baseBytes = tape.writtenBytes;
    persistence.enabled = true;
    persistence.failure = "";
  }

  effect(db: number, bytes: Uint8Array, start: number, end: number): void {
    this.#tape.append(db, bytes, start, end);
    if (this.#next !== undefined) this.#next.append(db, bytes, start, end);
    if (this.#tape.pendingBytes > BUFFER_BYTES_MAX && this.#writeError === "") this.write();
  }

  /** Whether there is something that must be written before replies leave. */
  get pending(): boolean {
    return this.#tape.pendingBytes > 0;
  }

  /** Whether only a new file can bring the promises back: a sync failed, or the path does not lead to this file. */
  get needsRewrite(): boolean {
    return this.#tape.broken || this.#pathError === MISSING;
  }

  /**
   * Writes what this turn brought. Returns false, and says why in engine.persistence.failure, when the file cannot be
   * written; what was not written stays and is tried again.
   */
  write(): boolean {
    const { persistence, settings } = this.#engine;
    const everySync = settings.values.appendfsync !== "no";
    const tape = this.#tape;
    try {
      if (this.#writeError !== "") tape.realign();
      tape.write(everySync);
      this.#writeError = "";
    } catch (error) {
      this.#writeError = reasonOf(error);
    }
    if (this.#next !== undefined) {
      try {
        this.#next.write(everySync);
      } catch (error) {
        this.#nextError = error;
        this.#next = undefined;
      }
    }
    persistence.currentBytes = tape.writtenBytes;
    persistence.pendingBytes = tape.pendingBytes;
    if (this.#writeError !== "" || persistence.failure !== "") this.#report();
    return this.#writeError === "" && !tape.broken;
  }

  /**
   * What replies must wait for, after `write`; undefined if they may leave. Under `always` nothing leaves before all that
   * it may rest on is safe, replies to readers included. `wrote`: this turn brought something. Never rejects: when a
   * promise cannot be kept, `failed` says so afterwards.
   */
  barrier(wrote: boolean): Promise<void> | undefined {
    const { settings, clock, persistence } = this.#engine;
    const { appendfsync } = settings.values;
    const tape = this.#tape;
    if (tape.broken) return undefined;
    if (appendfsync === "always") {
      if (tape.syncedBytes === tape.writtenBytes && this.#nextIsSafe()) return undefined;
      return this.#safe();
    }
    const { syncing } = tape;
    if (!wrote || appendfsync !== "everysec" || syncing === undefined) return undefined;
    if (clock.monotonicUs() - this.#syncStartUs < SLOW_SYNC_US) return undefined;
    if (!this.#slowSync) persistence.delayedFsyncs++;
    this.#slowSync = true;
    return syncing.catch(() => {});
  }

  /** Whether something that was executed cannot be promised. */
  get failed(): boolean {
    return this.#engine.persistence.failure !== "";
  }

  /** Some times a second: tries again what failed, and once a second syncs under `everysec` and looks at the path. */
  tick(): void {
    const { clock, settings } = this.#engine;
    if (this.#writeError !== "") this.write();
    const nowUs = clock.monotonicUs();
    if (nowUs - this.#lastSecondUs < 1_000_000) return;
    this.#lastSecondUs = nowUs;
    if (settings.values.appendfsync === "everysec") this.#syncInBackground();
    if (!this.#checking) void this.#checkPath();
  }

  /** Makes all that was written safe. False if that failed. */
  async #safe(): Promise<void> {
    const tape = this.#tape, next = this.#next;
    this.#startSync(tape);
    try {
      await Promise.all([tape.safe(tape.writtenBytes), next?.safe(next.writtenBytes)]);
    } catch {
      if (next?.broken) {
        // What the old file holds is still safe; the rewrite fails, nobody's reply does.
        if (this.#next === next) this.#next = undefined;
        this.#nextError ??= new Error("a sync of the new file failed");
        if (!tape.broken) return await tape.safe(tape.writtenBytes).catch(() => this.#report());
      }
      this.#report();
    }
  }

  #nextIsSafe(): boolean {
    return this.#next === undefined || this.#next.syncedBytes === this.#next.writtenBytes;
  }

  #syncInBackground(): void {
    for (const tape of [this.#tape, this.#next]) {
      if (tape === undefined || tape.broken || tape.syncedBytes === tape.writtenBytes) continue;
      if (tape === this.#tape) this.#startSync(tape);
      tape.sync().catch(() => this.#report());
    }
  }

  #startSync(tape: Tape): void {
    if (tape.syncing !== undefined) return;
    const { clock, persistence } = this.#engine;
    this.#syncStartUs = clock.monotonicUs();
    this.#slowSync = false;
    persistence.fsyncPending = 1;
    tape.sync().catch(() => {}).finally(() => persistence.fsyncPending = 0);
  }

  /** A file that was removed or replaced takes what is written with it. */
  async #checkPath(): Promise<void> {
    this.#checking = true;
    try {
      const tape = this.#tape;
      const found = await this.#disk.identity(this.path);
      if (this.#next !== undefined || this.#tape !== tape || this.#closed || found === undefined) return;
      const error = found === "" ? MISSING : found === identityOf(tape.file) ? "" : REPLACED;
      if (error === this.#pathError) return;
      this.#pathError = error;
      this.#report();
    } catch (error) {
      this.#engine.log("warning", `Cannot look at ${this.path}: ${reasonOf(error)}`);
    } finally {
      this.#checking = false;
    }
  }

  /** Tells the executor and the log what is wrong, or that it is over. */
  #report(): void {
    const { persistence, log } = this.#engine;
    const reason = this.#tape.broken ? UNSYNCED : this.#writeError || this.#pathError;
    const failure = reason === "" ? "" : `MISCONF Errors writing to the AOF file: ${reason} (${this.path})`;
    if (failure === persistence.failure) return;
    persistence.failure = failure;
    if (failure === "") log("warning", `The append-only file ${this.path} can be written again`);
    else log("warning", `Cannot write ${this.path}: ${reason}. Writes are refused until that is over`);
  }

  /**
   * Replaces the file by a rewritten one that holds the same: from here on everything goes to both, then the new one is
   * made safe, gets the name, and the name is made safe. Rejects if that fails; the old file then goes on, unless it is the
   * folder that failed: then the new one does, and the old one's contents are in it.
   */
  async replaceBy(next: Tape, from: string): Promise<void> {
    if (!this.#tape.broken) this.write();
    next.forgetDb();
    this.#tape.forgetDb();
    this.#nextError = undefined;
    this.#next = next;
    const standing = () => {
      if (this.#nextError !== undefined) throw this.#nextError;
      if (this.#closed) throw new Error("the server stops");
    };
    try {
      await next.safe(next.writtenBytes);
      standing();
      await this.#disk.rename(from, this.path);
    } catch (error) {
      this.#next = undefined;
      throw error;
    }
    try {
      await this.#disk.syncFolder(this.path);
    } finally {
      const old = this.#tape;
      // What waits in the old file's buffer, for it could not be written, waits in the new one's as well.
      this.#tape = next;
      this.#next = undefined;
      this.#writeError = this.#pathError = "";
      void closeWhenIdle(old);
      const { persistence } = this.#engine;
      persistence.currentBytes = persistence.baseBytes = next.writtenBytes;
      this.#report();
    }
    standing();
  }

  /** Writes, syncs and closes. */
  async close(): Promise<void> {
    this.write();
    const tape = this.#tape;
    if (tape.pendingBytes > 0) {
      this.#engine.log("warning", `${tape.pendingBytes} bytes could not be written to ${this.path}: ${this.#writeError}`);
    }
    await tape.safe(tape.writtenBytes).catch((error) => {
      this.#engine.log("warning", `The end of ${this.path} could not be synced: ${reasonOf(error)}`);
    });
    this.#closed = true;
    tape.file.close();
    this.#engine.persistence.enabled = false;
    this.#engine.persistence.failure = "";
  }
}

const MISSING = "the file was removed";
const REPLACED = "the path leads to another file";
const UNSYNCED = "a sync failed, so the file may lack what was written to it";

async function closeWhenIdle(tape: Tape): Promise<void> {
  await tape.syncing?.catch(() => {});
  tape.file.close();
}

/** The error's own words, without the names of system calls. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
