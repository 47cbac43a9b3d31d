/**
 * A disk in memory that can lose power. Data that was not synced is then dropped, torn, or kept in part, in any order:
 * unwritten sectors of a file read as zeros, and of two changes of names the second may survive without the first. The
 * disk can also be full, and its writes and syncs can fail.
 */
import type { Disk, DiskFile } from "../../src/aof/disk.ts";
import type { Random } from "../../src/core/random.ts";

const SECTOR_BYTES = 512;

class Inode {
  readonly id: number;
  data = new Uint8Array(1024);
  size = 0;
  /** The bytes that survive a power failure for certain; later bytes may survive too. */
  safe = new Uint8Array(0);
  /** Number of operations on the file; the first #safeOperations are durable, and `ends` has the sizes since then. */
  operations = 0;
  #safeOperations = 0;
  ends: { operation: number; size: number }[] = [];
  locked = false;

  constructor(id: number) {
    this.id = id;
  }

  append(bytes: Uint8Array): void {
    if (this.size + bytes.length > this.data.length) {
      const grown = new Uint8Array(Math.max(this.data.length * 2, this.size + bytes.length));
      grown.set(this.data.subarray(0, this.size));
      this.data = grown;
    }
    this.data.set(bytes, this.size);
    this.size += bytes.length;
    this.#ended();
  }

  truncate(size: number): void {
    this.size = size;
    this.#ended();
  }

  /** The first `operations` are durable, and result in `bytes`. */
  synced(operations: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (operations < this.#safeOperations) return;
    this.#safeOperations = operations;
    this.safe = bytes;
    this.ends = this.ends.filter(({ operation }) => operation > operations);
  }

  #ended(): void {
    this.ends.push({ operation: ++this.operations, size: this.size });
  }

  bytes(): Uint8Array {
    return this.data.subarray(0, this.size);
  }
}

/** Operations on names that happen together or not at all. */
type NameChange = [path: string, inode: Inode | undefined][];

export interface DiskFaults {
  /** Capacity in bytes of all files together. */
  capacityBytes?: number;
  /** The error of every write and sync. */
  writeError?: string;
  syncError?: string;
  /** Maximum number of turns of the event loop that a sync takes. */
  syncTurnsMax?: number;
  /** Deliberate faults: a file is synced only after it has its final name, or a folder is never synced. */
  syncsAfterRename?: boolean;
  ignoresFolders?: boolean;
}

export class SimulatedDisk implements Disk {
  readonly faults: DiskFaults;
  readonly random: Random;
  /** Called after every operation on the disk; `rare` if a name changed or became durable. */
  moment: (rare: boolean) => void = () => {};
  /** The time, for `longestSyncMs`. */
  nowMs: () => number = () => 0;
  readonly #syncStarts = new Set<{ ms: number }>();
  #longestSyncMs = 0;
  #names = new Map<string, Inode>();
  #safeNames = new Map<string, Inode>();
  #changes: NameChange[] = [];
  #nextId = 1;

  constructor(random: Random, faults: DiskFaults = {}) {
    this.random = random;
    this.faults = faults;
  }

  openAppend(path: string): Promise<DiskFile> {
    let inode = this.#names.get(path);
    if (inode === undefined) {
      inode = new Inode(this.#nextId++);
      this.#change([[path, inode]]);
    }
    return Promise.resolve(new SimulatedFile(this, inode));
  }

  openRead(path: string): Promise<DiskFile | undefined> {
    const inode = this.#names.get(path);
    return Promise.resolve(inode && new SimulatedFile(this, inode));
  }

  create(path: string): Promise<DiskFile> {
    this.#names.delete(path);
    return this.openAppend(path);
  }

  rename(from: string, to: string): Promise<void> {
    const inode = this.#names.get(from);
    if (inode === undefined) return Promise.reject(new Deno.errors.NotFound(from));
    this.#change([[from, undefined], [to, inode]]);
    return Promise.resolve();
  }

  remove(path: string): Promise<void> {
    if (this.#names.has(path)) this.#change([[path, undefined]]);
    return Promise.resolve();
  }

  async syncFolder(): Promise<void> {
    const { length } = this.#changes;
    await this.turns();
    if (this.faults.ignoresFolders) return;
    for (const change of this.#changes.splice(0, length)) apply(this.#safeNames, change);
    this.moment(true);
  }

  identity(path: string): string {
    const inode = this.#names.get(path);
    return inode === undefined ? "" : `1:${inode.id}`;
  }

  /** The contents of a file, undefined if it does not exist. */
  read(path: string): Uint8Array | undefined {
    return this.#names.get(path)?.bytes().slice();
  }

  /** The names of all files, sorted. */
  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** The disk after the process died but the machine kept running. */
  afterCrash(): SimulatedDisk {
    const disk = new SimulatedDisk(this.random);
    for (const [path, inode] of this.#names) disk.put(path, inode.bytes());
    return disk;
  }

  /** A possible state of the disk after a power failure. */
  afterPowerFailure(): SimulatedDisk {
    const { random } = this;
    const names = new Map(this.#safeNames);
    const all = random.below(3) === 0;
    for (const change of this.#changes) if (all || random.below(2) === 0) apply(names, change);
    const disk = new SimulatedDisk(random);
    for (const [path, inode] of names) disk.put(path, this.#survivor(inode));
    return disk;
  }

  /** Creates a durable file. */
  put(path: string, bytes: Uint8Array): void {
    const inode = new Inode(this.#nextId++);
    inode.append(bytes);
    inode.synced(inode.operations, bytes.slice());
    this.#names.set(path, inode);
    this.#safeNames.set(path, inode);
  }

  /** Duration of the longest sync, a running one included. */
  get longestSyncMs(): number {
    return Math.max(this.#longestSyncMs, ...[...this.#syncStarts].map(({ ms }) => this.nowMs() - ms));
  }

  /** Measures the duration of a sync. */
  async timed(sync: () => Promise<void>): Promise<void> {
    const start = { ms: this.nowMs() };
    this.#syncStarts.add(start);
    try {
      await sync();
    } finally {
      this.#longestSyncMs = this.longestSyncMs;
      this.#syncStarts.delete(start);
    }
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const { size } of this.#names.values()) bytes += size;
    return bytes;
  }

  /** Whether a sync requested for a file takes effect. */
  isSynced(inode: Inode): boolean {
    if (!this.faults.syncsAfterRename) return true;
    return this.#names.get([...this.#names.keys()].find((path) => path.endsWith(".rewriting")) ?? "") !== inode;
  }

  async turns(): Promise<void> {
    for (let left = this.random.below((this.faults.syncTurnsMax ?? 3) + 1); left > 0; left--) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  #change(change: NameChange): void {
    apply(this.#names, change);
    this.#changes.push(change);
    this.moment(true);
  }

  #survivor(inode: Inode): Uint8Array {
    const { random } = this;
    const { safe, ends } = inode;
    if (ends.length === 0 || random.below(4) === 0) return safe;
    // The file ends at one of its sizes since the last sync, or up to 200 bytes before it.
    let { size } = ends[random.below(ends.length)];
    if (random.below(2) === 0) size = Math.max(Math.min(size, safe.length), size - random.below(200));
    const bytes = inode.data.slice(0, Math.min(size, inode.size));
    if (random.below(2) === 0) return bytes;
    for (let at = safe.length - (safe.length % SECTOR_BYTES); at < bytes.length; at += SECTOR_BYTES) {
      if (random.below(3) === 0) bytes.fill(0, Math.max(at, safe.length), at + SECTOR_BYTES);
    }
    return bytes;
  }
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk;
  readonly #inode: Inode;
  #at = 0;
  #closed = false;
  #lock = false;

  constructor(disk: SimulatedDisk, inode: Inode) {
    this.#disk = disk;
    this.#inode = inode;
  }

  readSync(into: Uint8Array): number | null {
    const { size, data } = this.#inode;
    if (this.#at >= size) return null;
    const count = Math.min(into.length, size - this.#at);
    into.set(data.subarray(this.#at, this.#at + count));
    this.#at += count;
    return count;
  }

  seekSync(offset: number, whence: Deno.SeekMode): number {
    return this.#at = whence === Deno.SeekMode.End ? this.#inode.size + offset : offset;
  }

  writeSync(bytes: Uint8Array): number {
    const { faults, random, usedBytes } = this.#disk;
    this.#check(faults.writeError);
    const room = (faults.capacityBytes ?? Infinity) - usedBytes;
    if (room <= 0) throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
    const most = Math.min(bytes.length, room);
    const count = most > 1 && random.below(8) === 0 ? 1 + random.below(most) : most;
    this.#inode.append(bytes.subarray(0, count));
    this.#disk.moment(false);
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const copy = bytes.slice();
    await this.#disk.turns();
    return this.writeSync(copy);
  }

  truncateSync(size: number): void {
    this.#check();
    this.#inode.truncate(size);
  }

  async syncData(): Promise<void> {
    const { size, operations } = this.#inode;
    this.#check(this.#disk.faults.syncError);
    const bytes = this.#inode.data.slice(0, size);
    await this.#disk.timed(() => this.#disk.turns());
    this.#check(this.#disk.faults.syncError);
    if (!this.#disk.isSynced(this.#inode)) return;
    this.#inode.synced(operations, bytes);
    this.#disk.moment(false);
  }

  syncDataSync(): void {
    this.#check(this.#disk.faults.syncError);
    if (!this.#disk.isSynced(this.#inode)) return;
    this.#inode.synced(this.#inode.operations, this.#inode.bytes().slice());
    this.#disk.moment(false);
  }

  statSync(): { size: number; dev: number; ino: number } {
    this.#check();
    return { size: this.#inode.size, dev: 1, ino: this.#inode.id };
  }

  tryLockSync(): boolean {
    if (this.#inode.locked && !this.#lock) return false;
    return this.#inode.locked = this.#lock = true;
  }

  close(): void {
    this.#check();
    this.#closed = true;
    if (this.#lock) this.#inode.locked = false;
  }

  #check(fault?: string): void {
    if (this.#closed) throw new Deno.errors.BadResource("the file is closed");
    if (fault !== undefined) throw new Error(fault);
  }
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  for (const [path, inode] of change) {
    if (inode === undefined) names.delete(path);
    else names.set(path, inode);
  }
}
