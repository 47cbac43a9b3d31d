/**
 * Opening the append-only file at start: locking it, loading it, cutting off what a crash left half written (after keeping
 * a copy), and handing it to the log.
 */
import type { Executor } from "../dispatch/executor.ts";
import type { Engine } from "../engine/engine.ts";
import { MAGIC, RdbError } from "../rdb/format.ts";
import { isRdb, type RdbLoadResult } from "../rdb/loader.ts";
import { Checksum } from "./checksum.ts";
import { type Disk, type DiskFile, identityOf } from "./disk.ts";
import { AofLog, reasonOf } from "./log.ts";
import { Progress } from "./progress.ts";
import { AofError, Replay, type ReplayResult } from "./replay.ts";
import { AofFile } from "./file.ts";
import type { DamageReport, Verdict } from "./verify.ts";

export interface AofOptions {
  path: string;
  /** Load what is in the file; otherwise it must be empty. */
  restore: boolean;
  /** Append to the file; otherwise it is only read. */
  append: boolean;
}

/** Loads and opens the file as the options say. Throws AofError with what to do. Undefined if nothing is appended. */
export async function openAof(
  engine: Engine,
  executor: Executor,
  options: AofOptions,
  disk: Disk,
): Promise<AofLog | undefined> {
  const { path, restore, append } = options;
  const file = await open(disk, path, append);
  if (file === undefined) return undefined;
  try {
    let size = file.statSync().size;
    let checksum = 0;
    if (restore) {
      const verdict = await load(engine, executor, file, path, append);
      if (append && verdict.wholeBytes < size) await dropTail(engine, disk, file, path, verdict);
      size = verdict.wholeBytes;
      checksum = verdict.checksum;
    } else if (size > 0 && append) {
      throw new AofError(
        `${path} holds ${size} bytes and --restoredb is false: the two histories would mix. ` +
          `Start with --restoredb true to load it, or move the file away, or name another with --aofpath`,
      );
    }
    if (!append) {
      file.close();
      return undefined;
    }
    if (size === 0) {
      // A new file begins with a seal: from there on whatever has none is known to be torn.
      const line = new Checksum().seal(0);
      for (let at = 0; at < line.length;) at += file.writeSync(line.subarray(at));
      size = checksum = line.length;
    }
    // What was there may still wait in the system's memory, the name of a new file as well; from here on all of it is safe.
    file.syncDataSync();
    await disk.syncFolder(path);
    file.seekSync(0, Deno.SeekMode.End);
    const log = new AofLog(engine, disk, path, new AofFile(file, size, checksum));
    engine.effects.listen(log);
    return log;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function open(disk: Disk, path: string, append: boolean): Promise<DiskFile | undefined> {
  try {
    if (!append) return await disk.openRead(path);
    for (;;) {
      const file = await disk.openAppend(path);
      if (!file.tryLockSync(true)) {
        file.close();
        throw new AofError(`${path} is in use by another server: stop it, or give this one another --aofpath`);
      }
      // The other server may have put a rewritten file there, and stopped, just now: then the lock is on the wrong one.
      const named = await disk.identity(path);
      if (named === undefined || named === identityOf(file)) return file;
      file.close();
    }
  } catch (error) {
    if (error instanceof AofError) throw error;
    throw new AofError(`cannot open ${path}: ${reasonOf(error)}`);
  }
}

async function load(
  engine: Engine,
  executor: Executor,
  file: DiskFile,
  path: string,
  append: boolean,
): Promise<Verdict> {
  const replay = new Replay(engine, executor);
  const progress = new Progress(engine, path);
  const head = new Uint8Array(MAGIC.length);
  file.readSync(head);
  const start = isRdb(head) ? await loadSnapshot(engine, replay, progress, file, path, append) : 0;
  const verdict = await replay.verify(file, start);
  if (verdict.damage !== undefined) judge(engine, path, verdict, verdict.damage);
  let result: ReplayResult;
  try {
    result = await replay.load(file, verdict, () => progress.show());
  } finally {
    progress.end();
  }
  if (result.commands > 0) progress.report(result.commands);
  if (result.failed > 0) {
    engine.log("warning", `${result.failed} commands of ${path} failed; the first ${result.firstFailure}`);
  }
  return verdict;
}

/**
 * Loads the snapshot that the file begins with, and returns where the commands begin. What MemDB cannot keep would be gone
 * with the next rewrite of the file: then it is only read, not appended to.
 */
async function loadSnapshot(
  engine: Engine,
  replay: Replay,
  progress: Progress,
  file: DiskFile,
  path: string,
  append: boolean,
): Promise<number> {
  let result: RdbLoadResult;
  try {
    result = await replay.loadSnapshot(file, () => progress.show());
  } catch (error) {
    if (!(error instanceof RdbError)) throw error;
    throw new AofError(`the snapshot in ${path} is ${error.message}. Nothing was changed`);
  } finally {
    progress.end();
  }
  const { endOffset, keys, skipped, skippedCount } = result;
  if (skippedCount > 0 && append) {
    throw new AofError(
      `the snapshot in ${path} holds what MemDB cannot keep (${skippedCount} times), first ${skipped[0]}. ` +
        `Copy the rest with memdb import ${path} --aofpath NEW, or only read it with --appendonly no`,
    );
  }
  for (const what of skipped) engine.log("warning", `Left out of ${path}: ${what}`);
  if (skippedCount > skipped.length) {
    engine.log("warning", `Left out of ${path}: ${skippedCount - skipped.length} more`);
  }
  engine.log("notice", `Loaded ${keys} keys from the snapshot in ${path} (RDB version ${result.version})`);
  return endOffset;
}

/** Refuses a damaged file, or says what will be left out. */
function judge(engine: Engine, path: string, verdict: Verdict, damage: DamageReport): void {
  const { wholeBytes, totalBytes } = verdict;
  const what = `${path} is damaged at byte ${damage.offset}, ${damage.command}: ${damage.reason}`;
  if (damage.middle) {
    throw new AofError(
      `${what}. What follows is worth keeping, so nothing was loaded or changed: see memdb check-aof ${path}`,
    );
  }
  const lost = totalBytes - wholeBytes;
  if (!engine.settings.values.aofLoadTruncated) {
    throw new AofError(
      `${what}. Start with --aof-load-truncated yes to go on without the last ${lost} bytes, from byte ${wholeBytes} on`,
    );
  }
  engine.log("warning", `${what}. The last ${lost} bytes, from byte ${wholeBytes} on, are left out`);
}

/** Keeps a copy of what is cut off and shortens the file to its whole part. */
async function dropTail(
  engine: Engine,
  disk: Disk,
  file: DiskFile,
  path: string,
  { wholeBytes }: Verdict,
): Promise<void> {
  const copy = `${path}.dropped-${new Date(engine.clock.nowMs()).toISOString().replace(/[:.]/g, "-")}`;
  file.seekSync(wholeBytes, Deno.SeekMode.Start);
  const tail = await disk.create(copy);
  const chunk = new Uint8Array(64 * 1024);
  for (let count = file.readSync(chunk); count !== null; count = file.readSync(chunk)) {
    for (let at = 0; at < count;) at += tail.writeSync(chunk.subarray(at, count));
  }
  tail.syncDataSync();
  tail.close();
  await disk.syncFolder(copy);
  file.truncateSync(wholeBytes);
  engine.log("warning", `${path} was shortened to ${wholeBytes} bytes; what was cut off is in ${copy}`);
}
