/**
 * An open append-only file: its buffer of unwritten bytes, and the number of written and of synced bytes. It seals
 * every write with a checksum. After a failed write it continues exactly at the end of the file. The caller decides how
 * to react to a failure.
 */
import { Checksum } from "./checksum.ts";
import type { DiskFile } from "./disk.ts";

const BUFFER_BYTES = 64 * 1024;
/** A buffer above this size is released when it is empty. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;

export class AofFile {
  readonly file: DiskFile;
  /** Number of written bytes, and of bytes that survive a power failure. */
  writtenBytes: number;
  syncedBytes: number;
  /** The caller's number of changes that the written bytes hold, and of those that the synced bytes hold. */
  writtenChanges = 0;
  syncedChanges = 0;
  /** A sync failed, so written bytes may be lost. No later sync repairs this. */
  broken = false;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #length = 0;
  /** Bytes of the buffer that already have a seal, because an earlier write failed. */
  #sealed = 0;
  readonly #checksum: Checksum;
  #syncing: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  /** The buffer of the last finished `writeLater`, for reuse. */
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #closed = false;

  /** Takes over an open, synced file. `checksum` is the running checksum at its end. */
  constructor(file: DiskFile, sizeBytes: number, checksum: number) {
    this.file = file;
    this.writtenBytes = this.syncedBytes = sizeBytes;
    this.#checksum = new Checksum(sizeBytes, checksum);
  }

  /** Number of unwritten bytes. */
  get pendingBytes(): number {
    return this.#length;
  }

  /** The running sync. */
  get syncing(): Promise<void> | undefined {
    return this.#syncing;
  }

  /**
   * Adds a seal to the buffer of an empty file, so that a torn first write is recognized as torn.
   */
  begin(): void {
    this.#seal(true);
  }

  /** Adds `bytes[start, end)`, a command or a part of one. Hot. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.#length + size > this.#buffer.length) this.#grow(size);
    const to = this.#buffer;
    let at = this.#length;
    if (size > 48) to.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at);
    else for (let i = start; i < end; i++) to[at++] = bytes[i];
    this.#length += size;
  }

  /**
   * Seals and writes the buffer; `everySync` is false if the policy has no syncs. Passes on errors of the disk.
   * Unwritten bytes stay in the buffer for the next call.
   */
  write(everySync: boolean): void {
    if (this.#length > this.#sealed) this.#seal(everySync);
    let at = 0;
    try {
      while (at < this.#length) at += this.file.writeSync(this.#buffer.subarray(at, this.#length));
    } finally {
      if (at < this.#length) this.#buffer.copyWithin(0, at, this.#length);
      this.#length -= at;
      this.#sealed -= at;
      this.writtenBytes += at;
      if (this.#length === 0 && this.#buffer.length > BUFFER_BYTES_MAX) this.#buffer = new Uint8Array(BUFFER_BYTES);
    }
  }

  /** After a failed write: cuts off bytes that the disk did not report as written. Passes on errors of the disk. */
  realign(): void {
    if (this.file.statSync().size !== this.writtenBytes) this.file.truncateSync(this.writtenBytes);
  }

  /**
   * Writes the buffer on another thread. Bytes that are added meanwhile wait for the next write. Call it only when
   * neither `writeLater` nor `write` runs. Rejects with an error of the disk, after which the file is unusable.
   */
  writeLater(): Promise<void> {
    if (this.#writing !== undefined) return this.#writing;
    if (this.#length === 0) return Promise.resolve();
    this.#seal(true);
    const full = this.#buffer;
    const bytes = full.subarray(0, this.#length);
    this.#buffer = this.#spare ?? new Uint8Array(full.length);
    this.#spare = undefined;
    this.#length = this.#sealed = 0;
    this.#writing = this.#writeAll(bytes).finally(() => {
      this.#writing = undefined;
      if (full.length <= BUFFER_BYTES_MAX) this.#spare = full;
    });
    return this.#writing;
  }

  /** Whether a `writeLater` runs. */
  get writing(): boolean {
    return this.#writing !== undefined;
  }

  /** Notes that everything up to `changes` was added; it counts as written if nothing waits. */
  added(changes: number): void {
    if (this.#length > 0) return;
    this.writtenChanges = changes;
    if (this.syncedBytes === this.writtenBytes && !this.broken) this.syncedChanges = changes;
  }

  /**
   * Starts a sync of all written bytes, or returns the running one. If it fails, it rejects and marks the file broken.
   */
  sync(): Promise<void> {
    return this.#syncing ??= this.#sync().finally(() => this.#syncing = undefined);
  }

  /** Syncs all written bytes and waits. If that fails, it throws and marks the file broken. */
  syncNow(): void {
    try {
      if (this.syncedBytes < this.writtenBytes) this.file.syncDataSync();
      this.syncedBytes = this.writtenBytes;
      this.syncedChanges = this.writtenChanges;
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }

  /** Waits until the first `bytes` of the file are synced. Several callers share a sync. */
  async safe(bytes: number): Promise<void> {
    while (this.syncedBytes < bytes && !this.broken) await this.sync();
    if (this.broken) throw new Error("a sync of the file failed before");
  }

  /** Empties the file and the buffer. */
  async clear(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing]);
    this.file.truncateSync(0);
    this.writtenBytes =
      this.syncedBytes =
      this.#length =
      this.#sealed =
        0;
    this.#checksum.begin(0);
  }

  /** Closes the file after running writes and syncs. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing]);
    if (!this.#closed) this.file.close();
    this.#closed = true;
  }

  async #sync(): Promise<void> {
    const size = this.writtenBytes, changes = this.writtenChanges;
    try {
      await this.file.syncData();
      this.syncedBytes = Math.max(this.syncedBytes, size);
      this.syncedChanges = Math.max(this.syncedChanges, changes);
    } catch (error) {
      // The system may have dropped pages that it could not write. A later sync does not bring them back.
      this.broken = true;
      throw error;
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const count = await this.file.write(bytes.subarray(at));
      at += count;
      this.writtenBytes += count;
    }
  }

  /**
   * Adds the seal to the buffer. Without syncs a power failure may damage any part of the file, so there only the last
   * write counts as a torn tail.
   */
  #seal(everySync: boolean): void {
    this.#checksum.update(this.#buffer, this.#sealed, this.#length);
    const unsynced = everySync ? this.writtenBytes + this.#length - this.syncedBytes : this.#length - this.#sealed;
    const line = this.#checksum.seal(unsynced);
    if (this.#length + line.length > this.#buffer.length) this.#grow(line.length);
    this.#buffer.set(line, this.#length);
    this.#length += line.length;
    this.#sealed = this.#length;
  }

  #grow(bytes: number): void {
    let room = this.#buffer.length;
    while (room < this.#length + bytes) room *= 2;
    const grown = new Uint8Array(room);
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
