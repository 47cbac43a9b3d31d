/**
 * The append-only file while the server runs. It listens to the stream of effects, gathers what one turn of the event loop
 * brought, and writes it with one call before any reply of that turn leaves. Under `always` the replies wait for the sync
 * as well, and one sync serves every connection that waits.
 */
import { fromLatin1 } from "../core/bytes.ts";
import type { EffectListener } from "../engine/effects.ts";
import type { Engine } from "../engine/engine.ts";
import { Checksum } from "./checksum.ts";

const BUFFER_BYTES = 64 * 1024;
/** Above this the buffer is written at once, in the middle of a turn. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;

export class AofLog implements EffectListener {
  readonly path: string;
  readonly #engine: Engine;
  readonly #file: Deno.FsFile;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #length = 0;
  /** Bytes of the buffer that a seal covers already: what could not be written before. */
  #sealed = 0;
  /** Bytes of the file that a sync covers. */
  #synced: number;
  readonly #checksum: Checksum;
  /** The database that the file's reader has selected, -1 before the first SELECT. */
  #db = -1;
  /** Bytes were written that no sync covers yet. */
  #dirty = false;
  #syncing: Promise<void> | undefined;
  #closed = false;

  /** Takes over an open, locked, synced file that stands at its end; `checksum` is the running checksum there. */
  constructor(engine: Engine, file: Deno.FsFile, path: string, sizeBytes: number, checksum: number) {
    this.#synced = sizeBytes;
    this.#checksum = new Checksum(checksum);
    this.#engine = engine;
    this.#file = file;
    this.path = path;
    engine.persistence.currentBytes = engine.persistence.baseBytes = sizeBytes;
    engine.persistence.enabled = true;
  }

  effect(db: number, bytes: Uint8Array, start: number, end: number): void {
    if (db !== this.#db) {
      this.#db = db;
      const digits = String(db);
      const select = fromLatin1(`*2\r\n$6\r\nSELECT\r\n$${digits.length}\r\n${digits}\r\n`);
      this.#append(select, 0, select.length);
    }
    this.#append(bytes, start, end);
  }

  /** Whether there is something that must be written before replies leave. */
  get pending(): boolean {
    return this.#length > 0;
  }

  /**
   * Writes what this turn brought. Returns false, and says why in engine.persistence.failure, when the file cannot be
   * written; what was not written stays and is tried again.
   */
  write(): boolean {
    const { persistence } = this.#engine;
    if (this.#length > this.#sealed) this.#seal();
    let at = 0;
    try {
      while (at < this.#length) at += this.#file.writeSync(this.#buffer.subarray(at, this.#length));
    } catch (error) {
      this.#buffer.copyWithin(0, at, this.#length);
      this.#wrote(at);
      this.#fail(error);
      return false;
    }
    this.#wrote(at);
    if (this.#buffer.length > BUFFER_BYTES_MAX) this.#buffer = new Uint8Array(BUFFER_BYTES);
    if (persistence.failure !== "") {
      persistence.failure = "";
      this.#engine.log("warning", `The append-only file ${this.path} can be written again`);
    }
    return true;
  }

  /** Syncs what was written. Calls that come while a sync runs share the next one. */
  async sync(): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing;
    if (!this.#dirty || this.#closed) return;
    this.#dirty = false;
    const { persistence } = this.#engine;
    persistence.fsyncPending = 1;
    const size = persistence.currentBytes;
    this.#syncing = this.#file.syncData();
    try {
      await this.#syncing;
      this.#synced = size;
    } catch (error) {
      this.#dirty = true;
      this.#fail(error);
    } finally {
      this.#syncing = undefined;
      persistence.fsyncPending = 0;
    }
  }

  /** Once a second under `everysec`: starts a sync unless one still runs, which is counted. */
  everySecond(): void {
    if (this.#syncing !== undefined) this.#engine.persistence.delayedFsyncs++;
    else if (this.#dirty) void this.sync();
    if (this.#engine.persistence.failure !== "") this.write();
  }

  /** Writes, syncs and closes. */
  async close(): Promise<void> {
    this.write();
    await this.sync();
    this.#closed = true;
    this.#file.close();
  }

  /** Ends what was gathered with its checksum. */
  #seal(): void {
    const { settings, persistence } = this.#engine;
    this.#checksum.update(this.#buffer, this.#sealed, this.#length);
    // Without syncs there is no telling what a power failure may take: nothing may be dropped but the last write.
    const unsynced = settings.values.appendfsync === "no"
      ? this.#length - this.#sealed
      : persistence.currentBytes + this.#length - this.#synced;
    const line = this.#checksum.seal(unsynced);
    this.#copy(line, 0, line.length);
    this.#sealed = this.#length;
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    if (this.#length + end - start > BUFFER_BYTES_MAX && this.#length > 0) this.write();
    this.#copy(bytes, start, end);
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.#length + size > this.#buffer.length) {
      let room = this.#buffer.length;
      while (room < this.#length + size) room *= 2;
      const grown = new Uint8Array(room);
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    const to = this.#buffer;
    let at = this.#length;
    if (size > 48) to.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at);
    else for (let i = start; i < end; i++) to[at++] = bytes[i];
    this.#length += size;
  }

  #wrote(bytes: number): void {
    this.#length -= bytes;
    this.#sealed -= bytes;
    this.#engine.persistence.currentBytes += bytes;
    this.#engine.persistence.pendingBytes = this.#length;
    if (bytes > 0) this.#dirty = true;
  }

  #fail(error: unknown): void {
    const { persistence } = this.#engine;
    const reason = error instanceof Error ? error.message : String(error);
    if (persistence.failure === "") this.#engine.log("warning", `Cannot write ${this.path}: ${reason}`);
    persistence.failure = `MISCONF Errors writing to the AOF file: ${reason} (${this.path})`;
  }
}
