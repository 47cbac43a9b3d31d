/**
 * Snapshots as files: at once, while everything waits, or in the background, in slices between turns of the event loop.
 * Either way the file has the data of the moment when it was asked for, is written under another name, made safe, and
 * only then gets its own: whoever finds it finds it whole.
 *
 * There is no fork. In the background, a command that is about to change a key that is not written yet has it written
 * first (walk.ts). One value is written in one slice, however large. FLUSHALL ends a snapshot, as in Redis; FLUSHDB and
 * SWAPDB wait until the rest of it is taken.
 */
import { dirname, join } from "node:path";
import { REDIS_VERSION } from "../core/version.ts";
import type { Engine } from "../engine/engine.ts";
import type { KeyChangeListener, WriteListener } from "../engine/listeners.ts";
import { type KeptClock, RdbFileWriter } from "./file_writer.ts";
import { RdbOutput } from "./output.ts";
import { SnapshotWalk } from "../store/walk.ts";

/** A slice ends after so much time, so many keys, or so many bytes. */
const SLICE_US = 2000, SLICE_KEYS = 4096, SLICE_BYTES = 1 << 20;
/** Steps of the walk, each of a few keys, between two looks at the clock. */
const STEPS_AT_ONCE = 32;

export interface SaveOptions {
  /** The file is the beginning of an append-only file. */
  preamble?: boolean;
}

/** Where SAVE and BGSAVE write: dbfilename in dir. */
export function snapshotPath(engine: Engine): string {
  const { dir, dbfilename } = engine.settings.values;
  return join(dir, dbfilename);
}

/** Writes a snapshot while everything waits. Throws what Deno throws; the path then has what it had. */
export function saveNow(engine: Engine, path: string, options: SaveOptions = {}): void {
  const temporary = temporaryPath(path);
  const writer = createWriter(engine, options);
  const walk = new SnapshotWalk(engine.store, (db, ref) => writer.key(db, ref));
  using file = Deno.openSync(temporary, { write: true, create: true, truncate: true });
  try {
    while (!walk.done) {
      walk.step();
      if (writer.output.length >= SLICE_BYTES) flush(file, writer.output);
    }
    writer.end();
    flush(file, writer.output);
    file.syncSync();
    Deno.renameSync(temporary, path);
  } catch (error) {
    discard(temporary);
    throw error;
  }
  syncFolder(path);
}

/** A snapshot in memory. */
export function snapshotImage(engine: Engine): Uint8Array {
  const writer = createWriter(engine, {});
  const walk = new SnapshotWalk(engine.store, (db, ref) => writer.key(db, ref));
  while (!walk.done) walk.step();
  writer.end();
  return writer.output.bytes.subarray(0, writer.output.length);
}

/** SAVE: writes the snapshot file and counts it. Throws what Deno throws. */
export function save(engine: Engine): void {
  const path = snapshotPath(engine);
  try {
    saveNow(engine, path);
  } catch (error) {
    engine.log("warning", `Cannot write the snapshot ${path}: ${(error as Error).message}`);
    throw error;
  }
  succeeded(engine, engine.stats.changes, engine.clock.nowMs());
  engine.log("notice", `Wrote the snapshot ${path}`);
}

/**
 * BGSAVE: begins a snapshot of this moment; there must be none yet. The promise is fulfilled when it is written, has
 * failed or was cancelled; it never rejects, `engine.snapshots` and the log tell. Throws what Deno throws when the file
 * cannot be made.
 */
export function saveInBackground(engine: Engine): Promise<void> {
  return new BackgroundSave(engine, snapshotPath(engine)).run();
}

class BackgroundSave {
  readonly #engine: Engine;
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: Deno.FsFile;
  readonly #writer: RdbFileWriter;
  readonly #walk: SnapshotWalk;
  readonly #changes: number;
  #cancelled = false;
  // What goes without a command (expired, evicted) is not in the snapshot if it was not written before.
  /** Ends listening to writes and changes. */
  readonly #listening: (() => void)[] = [];
  readonly #listener: KeyChangeListener = (db, bytes, start, end) =>
    this.#walk.beforeChange(db.index, bytes, start, end);

  constructor(engine: Engine, path: string) {
    this.#engine = engine;
    this.#path = path;
    this.#temporary = temporaryPath(path);
    this.#changes = engine.stats.changes;
    this.#file = Deno.openSync(this.#temporary, { write: true, create: true, truncate: true });
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
      succeeded(engine, this.#changes, engine.clock.nowMs());
      snapshots.lastSeconds = Math.floor((engine.clock.monotonicUs() - startUs) / 1e6);
      engine.log("notice", `Wrote the snapshot ${this.#path}: ${this.#writer.keys} keys`);
    } catch (error) {
      if (this.#cancelled) return;
      this.#leave();
      discard(this.#temporary);
      snapshots.lastFailed = true;
      engine.log("warning", `Cannot write the snapshot ${this.#path}: ${(error as Error).message}`);
    } finally {
      this.#file.close();
    }
  }

  /** Ends it at once, as far as anybody can see. */
  #cancel(): void {
    this.#cancelled = true;
    this.#leave();
    discard(this.#temporary);
    this.#engine.log("notice", `The snapshot ${this.#path} was given up`);
  }

  #beforeWrite(...[db, name, { bytes, start, end }, keys]: Parameters<WriteListener>): void {
    const walk = this.#walk;
    if (name === "flushall") return this.#cancel();
    if (name === "flushdb" || name === "swapdb") { while (!walk.done) walk.step(); }
    // These two reach into other databases.
    const wide = name === "move" || name === "copy";
    for (const i of keys) {
      if (!wide) walk.beforeChange(db, bytes, start[i], end[i]);
      else this.#engine.store.databases.forEach(({ index }) => walk.beforeChange(index, bytes, start[i], end[i]));
    }
  }

  async #write(): Promise<void> {
    const { output } = this.#writer;
    while (!this.#walk.done) {
      this.#slice();
      this.#engine.snapshots.keysWritten = this.#writer.keys;
      flush(this.#file, output);
      await new Promise((resolve) => setTimeout(resolve));
      if (this.#cancelled) throw new Error("given up");
    }
    this.#writer.end();
    flush(this.#file, output);
    await this.#file.sync();
    if (this.#cancelled) throw new Error("given up");
    await Deno.rename(this.#temporary, this.#path);
    await syncFolderLater(this.#path);
  }

  #slice(): void {
    const walk = this.#walk, writer = this.#writer, { clock } = this.#engine;
    const untilUs = clock.monotonicUs() + SLICE_US;
    const untilKeys = writer.keys + SLICE_KEYS;
    do {
      for (let i = 0; i < STEPS_AT_ONCE && !walk.done; i++) walk.step();
    } while (
      !walk.done && writer.keys < untilKeys && writer.output.length < SLICE_BYTES && clock.monotonicUs() < untilUs
    );
  }

  #leave(): void {
    this.#engine.snapshots.cancel = undefined;
    for (const leave of this.#listening) leave();
  }
}

function createWriter(engine: Engine, { preamble = false }: SaveOptions): RdbFileWriter {
  const { rdbcompression, rdbchecksum } = engine.settings.values;
  const output = new RdbOutput({ compression: rdbcompression, checksum: rdbchecksum });
  return new RdbFileWriter(engine.store, output, {
    redisVersion: REDIS_VERSION,
    preamble,
    clocks: keptClock(engine.settings.values.maxmemoryPolicy),
  });
}

function keptClock(policy: string): KeptClock {
  return policy.endsWith("lru") ? "idle" : policy.endsWith("lfu") ? "frequency" : "none";
}

function succeeded({ snapshots }: Engine, changes: number, nowMs: number): void {
  snapshots.saves++;
  snapshots.lastSaveMs = nowMs;
  snapshots.savedChanges = changes;
  snapshots.lastFailed = false;
}

function temporaryPath(path: string): string {
  return join(dirname(path), `temp-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}.rdb`);
}

function flush(file: Deno.FsFile, output: RdbOutput): void {
  const { bytes, length } = output;
  for (let at = 0; at < length;) at += file.writeSync(bytes.subarray(at, length));
  output.taken();
}

function discard(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was never made.
  }
}

/** Makes a new name safe. Windows opens no folders and needs no such thing. */
function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return;
  using folder = Deno.openSync(dirname(path), { read: true });
  try {
    folder.syncSync();
  } catch (error) {
    excuse(error);
  }
}

/** `syncFolder` that nobody waits for. */
async function syncFolderLater(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(dirname(path), { read: true });
  await folder.sync().catch(excuse);
}

/** Some network file systems cannot sync a folder, and do it by themselves. */
function excuse(error: unknown): void {
  if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes((error as { code?: string }).code ?? "")) throw error;
}
