/**
 * Opens the append-only file at start: locks it, loads it, copies and cuts off a torn tail, and passes the file to the
 * log.
 */
import { asideName } from "../core/aside.ts";
import { isSystemError } from "../core/io_error.ts";
import type { Executor } from "../dispatch/executor.ts";
import type { Engine } from "../engine/engine.ts";
import { type Disk, type DiskFile, identityOf, isTaken } from "./disk.ts";
import { AofFile } from "./file.ts";
import { loadFile } from "./load.ts";
import { AofLog } from "./log.ts";
import { AofError } from "./replay.ts";

export interface AofOptions {
  path: string;
  /** Load the file. If false, it must be empty. */
  restore: boolean;
  /** Append to the file. If false, it is only read. */
  append: boolean;
}

/** Loads and opens the file. Throws AofError with a remedy. Returns undefined without `append`. */
export async function openAof(
  engine: Engine,
  executor: Executor,
  options: AofOptions,
  disk: Disk,
): Promise<AofLog | undefined> {
  const { path, restore, append } = options;
  try {
    const file = append ? await openLocked(disk, path) : await disk.openRead(path);
    if (file === undefined) return undefined;
    let log: AofLog | undefined;
    try {
      if (append) return log = await openLog(engine, executor, disk, file, path, restore);
      await loadFile(engine, executor, file, path);
      return undefined;
    } finally {
      if (log === undefined) file.close();
    }
  } catch (error) {
    if (error instanceof AofError || !isSystemError(error)) throw error;
    throw new AofError(error.message);
  }
}

async function openLog(
  engine: Engine,
  executor: Executor,
  disk: Disk,
  file: DiskFile,
  path: string,
  restore: boolean,
): Promise<AofLog> {
  let size = file.statSync().size;
  let checksum = 0;
  /** Set if the torn tail could not be copied, which must succeed before the first write. */
  let prepare: (() => Promise<void>) | undefined;
  if (restore) {
    const loaded = await loadFile(engine, executor, file, path, { append: true });
    ({ wholeBytes: size, checksum } = loaded);
    if (loaded.snapshot?.hasStreamMark) file.truncateSync(size);
    else if (size < loaded.totalBytes) prepare = () => dropTail(engine, disk, file, path, size);
  } else if (size > 0) {
    throw new AofError(
      `${path} holds ${size} bytes and --restoredb is false: the two histories would mix. ` +
        `Start with --restoredb true to load it, or move the file away, or name another with --aofpath`,
    );
  }
  let reason = "";
  try {
    await prepare?.();
    prepare = undefined;
  } catch (error) {
    // With a full disk the server still serves the loaded data.
    if (!isSystemError(error)) throw error;
    reason = error.message;
  }
  file.seekSync(0, Deno.SeekMode.End);
  const aof = new AofFile(file, size, checksum);
  if (size === 0) aof.begin();
  const log = new AofLog(engine, disk, path, aof);
  if (prepare !== undefined) log.prepareFirst(prepare, reason);
  log.write();
  // Existing bytes and the name of a new file may be only in the cache of the system. This sync makes them durable.
  file.syncDataSync();
  await disk.syncFolder(path);
  aof.syncNow();
  log.named();
  engine.effects.listen(log);
  return log;
}

async function openLocked(disk: Disk, path: string): Promise<DiskFile> {
  for (;;) {
    const file = await disk.openAppend(path);
    if (!file.tryLockSync(true)) {
      file.close();
      throw new AofError(`${path} is in use by another server: stop it, or give this one another --aofpath`);
    }
    // Another server may just have replaced the file and stopped. Then the lock is on the replaced file.
    const named = disk.identity(path);
    if (named === undefined || named === identityOf(file)) return file;
    file.close();
  }
}

/** Copies the torn tail to a separate file, and shortens the file to its undamaged part. */
async function dropTail(engine: Engine, disk: Disk, file: DiskFile, path: string, wholeBytes: number): Promise<void> {
  const copy = asideName(path, "dropped", engine.clock.nowMs(), (name) => isTaken(disk, name));
  const tail = await disk.create(copy);
  try {
    file.seekSync(wholeBytes, Deno.SeekMode.Start);
    const chunk = new Uint8Array(64 * 1024);
    for (let count = file.readSync(chunk); count !== null; count = file.readSync(chunk)) {
      for (let at = 0; at < count;) at += tail.writeSync(chunk.subarray(at, count));
    }
    tail.syncDataSync();
    await disk.syncFolder(copy);
  } catch (error) {
    await disk.remove(copy).catch(() => {});
    throw error;
  } finally {
    tail.close();
  }
  file.truncateSync(wholeBytes);
  engine.log("warning", `${path} was shortened to ${wholeBytes} bytes; what was cut off is in ${copy}`);
}
