/**
 * Writes snapshot files: at once, while all clients wait, or in the background, in slices between turns of the event
 * loop. In both cases the file has the data of the moment of the request. It is written under another name, synced, and
 * then renamed. So the file of that name is always complete.
 *
 * There is no fork. Before a command changes a key that a background snapshot has not written yet, the snapshot writes
 * it (walk.ts). A slice writes whole values. FLUSHALL cancels a snapshot, as in Redis. FLUSHDB and SWAPDB wait until
 * the remaining keys are written.
 */
import { dirname, join, resolve } from "node:path";
import { doing, doingLater, isSystemError, reasonOf } from "../core/io_error.ts";
import { block, KeyDelay, wait } from "../engine/delay.ts";
import type { Engine } from "../engine/engine.ts";
import type { KeyChangeListener, WriteListener } from "../engine/listeners.ts";
import { RdbFileWriter } from "./file_writer.ts";
import { writeLibrary } from "./libraries.ts";
import { type KeptClock, VERSION_PRODUCERS } from "./format.ts";
import { makeWay, own } from "./ownership.ts";
import { RdbOutput } from "./output.ts";
import { SnapshotWalk } from "../store/walk.ts";
import { lostIn, snapshotVersion } from "./versions.ts";
import type { SettingValues } from "../settings/settings.ts";

/** The limits of a slice: time, keys, bytes. */
const SLICE_US = 2000, SLICE_KEYS = 4096, SLICE_BYTES = 1 << 20;
const CREATE = { write: true, create: true, truncate: true } as const;
/** The longest single wait for rdb-key-save-delay. */
const WAIT_MS_MAX = 20;
/** Number of steps of the walk, each of a few keys, between two readings of the clock. */
const STEPS_AT_ONCE = 32;

export interface SaveOptions {
  /** The file is the beginning of an append-only file. */
  preamble?: boolean;
  /** Leaves out keys that are past their deadline. */
  dropExpired?: boolean;
  /** The version of the format; by default that which the setting rdb-version chooses. */
  version?: number;
  /** The access clocks of keys that are written; by default those that maxmemory-policy uses. */
  clocks?: KeptClock;
}

/** The path of snapshots: dbfilename in dir. */
export function snapshotPath({ dir, dbfilename }: Pick<SettingValues, "dbfilename" | "dir">): string {
  return resolve(dir, dbfilename);
}

/** Writes a snapshot while all clients wait. Throws IoError; the file at the path then does not change. */
export function saveNow(
  engine: Engine,
  path: string,
  options: SaveOptions = {},
): Pick<RdbFileWriter, "expired" | "keys"> {
  const temporary = temporaryPath(path);
  const writer = createWriter(engine, options);
  const delay = keyDelayOf(engine);
  const walk = new SnapshotWalk(engine.store, (db, ref) => {
    if (delay.active) block(delay.after(1));
    writer.key(db, ref);
  });
  using file = doing("write", temporary, () => Deno.openSync(temporary, CREATE));
  try {
    while (!walk.done) {
      walk.step();
      if (writer.output.length >= SLICE_BYTES) flush(file, temporary, writer.output);
    }
    writer.end();
    flush(file, temporary, writer.output);
    doing("sync", temporary, () => file.syncSync());
    makeWay(engine, path);
    doing(`rename ${temporary} to`, path, () => Deno.renameSync(temporary, path));
  } catch (error) {
    discard(temporary);
    throw error;
  }
  doing("sync", dirname(path), () => syncFolder(path));
  return writer;
}

/** A snapshot in memory, in the version that holds all data. */
export function snapshotImage(engine: Engine): Uint8Array {
  const writer = createWriter(engine, { version: VERSION_PRODUCERS });
  const walk = new SnapshotWalk(engine.store, (db, ref) => writer.key(db, ref));
  while (!walk.done) walk.step();
  writer.end();
  return writer.output.bytes.subarray(0, writer.output.length);
}

/** SAVE: writes the snapshot file and counts it. Throws IoError. */
export function save(engine: Engine): void {
  const path = snapshotPath(engine.settings.values);
  try {
    saveNow(engine, path);
  } catch (error) {
    engine.log("warning", `Cannot write the snapshot ${path}: ${reasonOf(error)}`);
    throw error;
  }
  succeeded(engine, path, engine.stats.changes);
  engine.log("notice", `Wrote the snapshot ${path}`);
}

/** Whether a server must write a snapshot when it stops: it has save points, and all data is loaded. */
export function savesAtEnd({ persistence, settings }: Engine): boolean {
  return settings.values.save.length > 0 && !persistence.loading;
}

/** Cancels a background snapshot and writes one at once. False if that fails; the log has the reason. */
export function saveAtEnd(engine: Engine): boolean {
  engine.snapshots.cancel?.();
  try {
    save(engine);
    return true;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false;
  }
}

/**
 * BGSAVE: begins a snapshot of this moment. No other snapshot may run. The promise resolves when the snapshot is
 * written, has failed or was cancelled; `engine.snapshots` and the log have the result. It never rejects. Throws
 * IoError if the file cannot be created.
 */
export function saveInBackground(engine: Engine): Promise<void> {
  const { snapshots, clock } = engine;
  snapshots.triedMs = clock.nowMs();
  let background: BackgroundSave;
  try {
    background = new BackgroundSave(engine, snapshotPath(engine.settings.values));
  } catch (error) {
    failed(engine, reasonOf(error));
    throw error;
  }
  return background.run();
}

class BackgroundSave {
  readonly #engine: Engine;
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: Deno.FsFile;
  readonly #writer: RdbFileWriter;
  readonly #walk: SnapshotWalk;
  readonly #changes: number;
  readonly #delay: KeyDelay;
  #cancelled = false;
  /** Removes the listeners. */
  readonly #listening: (() => void)[] = [];
  // A key that is removed without a command (expired, evicted) is written before.
  readonly #listener: KeyChangeListener = (db, bytes, start, end) =>
    this.#walk.beforeChange(db.index, bytes, start, end);

  constructor(engine: Engine, path: string) {
    this.#engine = engine;
    this.#path = path;
    this.#temporary = temporaryPath(path);
    this.#changes = engine.stats.changes;
    this.#delay = keyDelayOf(engine);
    this.#file = doing("write", this.#temporary, () => Deno.openSync(this.#temporary, CREATE));
    this.#writer = createWriter(engine, {});
    this.#walk = new SnapshotWalk(engine.store, (db, ref) => this.#writer.key(db, ref));
  }

  async run(): Promise<void> {
    const engine = this.#engine, { snapshots } = engine;
    const startUs = engine.clock.monotonicUs();
    snapshots.startMs = engine.clock.nowMs();
    snapshots.keysWritten = 0;
    snapshots.keysTotal = engine.store.databases.reduce((sum, db) => sum + db.size, 0);
    snapshots.cancel = () => this.#cancel();
    const { beforeWrite, keyChanged } = engine.listeners;
    this.#listening.push(beforeWrite.add((...change) => this.#beforeWrite(...change)), keyChanged.add(this.#listener));
    try {
      await this.#write();
      this.#leave();
      succeeded(engine, this.#path, this.#changes);
      snapshots.lastSeconds = Math.floor((engine.clock.monotonicUs() - startUs) / 1e6);
      engine.log("notice", `Wrote the snapshot ${this.#path}: ${this.#writer.keys} keys`);
    } catch (error) {
      if (this.#cancelled) return;
      this.#leave();
      discard(this.#temporary);
      failed(engine, `${this.#path}: ${reasonOf(error)}`);
    } finally {
      this.#file.close();
    }
  }

  /** Cancels the snapshot. Clients see it ended at once. */
  #cancel(): void {
    this.#cancelled = true;
    this.#leave();
    discard(this.#temporary);
    this.#engine.log("notice", `The snapshot ${this.#path} was given up`);
  }

  #beforeWrite(...[db, reach, { bytes, start, end }, keys]: Parameters<WriteListener>): void {
    const walk = this.#walk;
    if (reach === "all") return this.#cancel();
    if (reach === "database" || reach === "swapped") { while (!walk.done) walk.step(); }
    for (const i of keys) {
      if (reach !== "across") walk.beforeChange(db, bytes, start[i], end[i]);
      else this.#engine.store.databases.forEach(({ index }) => walk.beforeChange(index, bytes, start[i], end[i]));
    }
  }

  async #write(): Promise<void> {
    const { output } = this.#writer;
    const path = this.#path, temporary = this.#temporary;
    while (!this.#walk.done) {
      const { latency, snapshots } = this.#engine, startUs = latency.start();
      const keys = this.#writer.keys;
      this.#slice();
      snapshots.keysWritten = this.#writer.keys;
      flush(this.#file, temporary, output);
      latency.note("rdb-save-slice", latency.since(startUs));
      await this.#turn(this.#writer.keys - keys);
    }
    this.#writer.end();
    flush(this.#file, temporary, output);
    await doingLater("sync", temporary, () => this.#file.sync());
    if (this.#cancelled) throw new Error("given up");
    makeWay(this.#engine, path);
    await doingLater(`rename ${temporary} to`, path, () => Deno.rename(temporary, path));
    await doingLater("sync", dirname(path), () => syncFolderLater(path));
  }

  /** Gives the event loop a turn, and waits for the time of rdb-key-save-delay for so many keys. */
  async #turn(keys: number): Promise<void> {
    let leftMs = this.#delay.after(keys);
    do {
      // In short waits, so that a cancelled snapshot ends soon.
      await wait(Math.min(leftMs, WAIT_MS_MAX));
      leftMs -= WAIT_MS_MAX;
      if (this.#cancelled) throw new Error("given up");
    } while (leftMs > 0);
  }

  #slice(): void {
    const walk = this.#walk, writer = this.#writer, { clock } = this.#engine;
    const untilUs = clock.monotonicUs() + SLICE_US;
    const delayed = this.#delay.active;
    const untilKeys = writer.keys + (delayed ? 1 : SLICE_KEYS), steps = delayed ? 1 : STEPS_AT_ONCE;
    do {
      for (let i = 0; i < steps && !walk.done; i++) walk.step();
    } while (
      !walk.done && writer.keys < untilKeys && writer.output.length < SLICE_BYTES && clock.monotonicUs() < untilUs
    );
  }

  #leave(): void {
    this.#engine.snapshots.cancel = undefined;
    for (const leave of this.#listening) leave();
  }
}

function createWriter(engine: Engine, options: SaveOptions): RdbFileWriter {
  const { identity, store } = engine;
  const { rdbcompression, rdbchecksum, rdbVersion, maxmemoryPolicy } = engine.settings.values;
  const version = options.version ?? snapshotVersion(store, identity.personality, rdbVersion);
  for (const thing of lostIn(store, version)) {
    engine.log("warning", `The file does not hold ${thing}: RDB version ${version} has no place for it`);
  }
  const output = new RdbOutput({ compression: rdbcompression, checksum: rdbchecksum });
  const writer = new RdbFileWriter(engine.store, output, {
    identity,
    preamble: options.preamble ?? false,
    clocks: options.clocks ?? keptClock(maxmemoryPolicy),
    dropExpired: options.dropExpired,
    version,
  });
  for (const source of engine.libraries?.sources() ?? []) writeLibrary(output, source);
  return writer;
}

function keptClock(policy: string): KeptClock {
  return policy.endsWith("lru") ? "idle" : policy.endsWith("lfu") ? "frequency" : "none";
}

function succeeded(engine: Engine, path: string, changes: number): void {
  const { snapshots } = engine;
  own(engine, path);
  snapshots.saves++;
  snapshots.failures = 0;
  snapshots.lastSaveMs = engine.clock.nowMs();
  snapshots.savedChanges = changes;
  snapshots.lastFailed = false;
  engine.settleFailure();
}

function failed(engine: Engine, reason: string): void {
  engine.snapshots.lastFailed = true;
  engine.snapshots.failures++;
  engine.settleFailure();
  engine.log("warning", `Cannot write the snapshot ${reason}`);
}

function keyDelayOf({ settings }: Engine): KeyDelay {
  return new KeyDelay(() => settings.values.rdbKeySaveDelay);
}

function temporaryPath(path: string): string {
  return join(dirname(path), `temp-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}.rdb`);
}

function flush(file: Deno.FsFile, path: string, output: RdbOutput): void {
  const { bytes, length } = output;
  doing("write", path, () => {
    for (let at = 0; at < length;) at += file.writeSync(bytes.subarray(at, length));
  });
  output.taken();
}

function discard(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // The file was never created.
  }
}

/** Makes a new name durable. Windows cannot open folders and does not need it. */
function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return;
  using folder = Deno.openSync(dirname(path), { read: true });
  try {
    folder.syncSync();
  } catch (error) {
    excuse(error);
  }
}

/** `syncFolder` in the background. */
async function syncFolderLater(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(dirname(path), { read: true });
  await folder.sync().catch(excuse);
}

/** Some network file systems cannot sync a folder and do not need it. */
function excuse(error: unknown): void {
  if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes((error as { code?: string }).code ?? "")) throw error;
}
