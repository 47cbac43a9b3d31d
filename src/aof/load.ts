/**
 * Loads a file into an engine: a snapshot, commands, or commands after a snapshot. The whole file is verified before
 * its first command runs. The file does not change. The caller decides how to treat a torn tail and values of types
 * that MemDB does not have.
 */
import { isSystemError } from "../core/io_error.ts";
import type { Executor } from "../dispatch/executor.ts";
import type { Engine } from "../engine/engine.ts";
import { HEAD_BYTES, RdbError } from "../rdb/format.ts";
import { isRdb, type RdbLoadOptions, type RdbLoadResult } from "../rdb/loader.ts";
import { Checksum } from "./checksum.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { Progress } from "./progress.ts";
import { AofError, Replay } from "./replay.ts";
import type { DamageReport, Verdict } from "./verify.ts";

export interface LoadOptions extends Pick<RdbLoadOptions, "keepClocks"> {
  /**
   * The file will be rewritten later, which would lose values that MemDB cannot keep. So a file with them is refused.
   */
  append?: boolean;
  /** Another file follows, so a torn tail of this file is an error. */
  followed?: boolean;
}

export interface Loaded {
  /** Number of undamaged bytes, and the running checksum there. */
  readonly wholeBytes: number;
  readonly checksum: number;
  readonly totalBytes: number;
  /** The result for the snapshot at the beginning of the file, if there is one. */
  readonly snapshot: RdbLoadResult | undefined;
}

/** Loads an open append-only file, which does not change. Throws AofError. */
export async function loadFile(
  engine: Engine,
  executor: Executor,
  file: DiskFile,
  path: string,
  options: LoadOptions = {},
): Promise<Loaded> {
  const replay = new Replay(engine, executor);
  const progress = new Progress(engine, path);
  const totalBytes = file.statSync().size;
  let snapshot: RdbLoadResult | undefined;
  if (beginsWithSnapshot(file)) {
    // The commands after the snapshot may name keys that are past their deadline.
    const { keepClocks } = options;
    snapshot = await loadSnapshot(replay, progress, file, path, { keepExpired: true, keepClocks });
    refuseLoss(snapshot, path, options);
    report(engine, snapshot, path);
    if (snapshot.hasStreamMark) {
      engine.log("notice", `${path} ends with the mark of a replication stream, which is left out`);
      const { offset: wholeBytes, value: checksum } = new Checksum(snapshot.endOffset);
      return { wholeBytes, checksum, totalBytes, snapshot };
    }
  }
  const verdict = await replay.verify(file, snapshot?.endOffset ?? 0);
  if (verdict.damage !== undefined) judge(engine, path, verdict, verdict.damage, options);
  const result = await replay.load(file, verdict, () => progress.show()).finally(() => progress.end());
  if (result.commands > 0) progress.report(result.commands);
  if (result.failed > 0) {
    engine.log("warning", `${result.failed} commands of ${path} failed; the first ${result.firstFailure}`);
  }
  const { wholeBytes, checksum } = verdict;
  return { wholeBytes, checksum, totalBytes, snapshot };
}

/** Loads the parts of a log in their order. Throws AofError. */
export async function loadParts(
  engine: Engine,
  executor: Executor,
  disk: Disk,
  paths: readonly string[],
  options: Pick<LoadOptions, "keepClocks"> = {},
): Promise<Loaded[]> {
  const loaded: Loaded[] = [];
  for (const [i, path] of paths.entries()) {
    const file = await openToRead(disk, path);
    try {
      loaded.push(await loadFile(engine, executor, file, path, { ...options, followed: i < paths.length - 1 }));
    } finally {
      file.close();
    }
  }
  return loaded;
}

/** Loads a snapshot file without the keys that are past their deadline. Throws AofError. */
export async function loadSnapshotFile(
  engine: Engine,
  executor: Executor,
  disk: Disk,
  path: string,
): Promise<RdbLoadResult> {
  const file = await openToRead(disk, path);
  try {
    if (!beginsWithSnapshot(file)) {
      throw new AofError(
        `${path} is no snapshot of Redis, Valkey or MemDB: move it away, or name another with --dbfilename`,
      );
    }
    const replay = new Replay(engine, executor);
    const result = await loadSnapshot(replay, new Progress(engine, path), file, path, {});
    report(engine, result, path);
    return result;
  } finally {
    file.close();
  }
}

/** Opens a file that must exist. Throws AofError. */
async function openToRead(disk: Disk, path: string): Promise<DiskFile> {
  try {
    const file = await disk.openRead(path);
    if (file !== undefined) return file;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AofError(error.message);
  }
  throw new AofError(`there is no ${path}`);
}

function beginsWithSnapshot(file: DiskFile): boolean {
  const head = new Uint8Array(HEAD_BYTES);
  file.seekSync(0, Deno.SeekMode.Start);
  return isRdb(head.subarray(0, file.readSync(head) ?? 0));
}

async function loadSnapshot(
  replay: Replay,
  progress: Progress,
  file: DiskFile,
  path: string,
  options: RdbLoadOptions,
): Promise<RdbLoadResult> {
  try {
    return await replay.loadSnapshot(file, options, () => progress.show());
  } catch (error) {
    if (!(error instanceof RdbError)) throw error;
    throw new AofError(`the snapshot in ${path} is ${error.message}. Nothing was changed`);
  } finally {
    progress.end();
  }
}

function refuseLoss({ skipped, skippedCount }: RdbLoadResult, path: string, { append }: LoadOptions): void {
  if (skippedCount === 0 || !append) return;
  throw new AofError(
    `the snapshot in ${path} holds what MemDB cannot keep (${skippedCount} times), first ${skipped[0]}. ` +
      `Copy the rest with memdb import ${path} --aofpath NEW, or only read it with --appendonly no`,
  );
}

/** Logs the number of loaded keys of a snapshot, and the values that were left out. */
function report(engine: Engine, result: RdbLoadResult, path: string): void {
  const { server, version, keys, expired, skipped, skippedCount } = result;
  for (const what of skipped) engine.log("warning", `Left out of ${path}: ${what}`);
  if (skippedCount > skipped.length) {
    engine.log("warning", `Left out of ${path}: ${skippedCount - skipped.length} more`);
  }
  const without = expired === 0 ? "" : `, without ${expired} that had expired`;
  engine.log(
    "notice",
    `Loaded ${keys} keys from the snapshot in ${path} (RDB version ${version} of ${server})${without}`,
  );
}

/** Refuses a damaged file, or logs which bytes are left out. */
function judge(engine: Engine, path: string, verdict: Verdict, damage: DamageReport, options: LoadOptions): void {
  const { wholeBytes, totalBytes } = verdict;
  if (damage.foreign !== undefined) {
    throw new AofError(
      `${path} holds ${damage.foreign} at byte ${damage.offset}, a command that MemDB does not support. ` +
        `The file is not damaged, and nothing was loaded or changed. If its server can, let it rewrite the file ` +
        `(BGREWRITEAOF) or write a snapshot (SAVE), and take that`,
    );
  }
  const what = `${path} is damaged at byte ${damage.offset}, ${damage.command}: ${damage.reason}`;
  const lost = totalBytes - wholeBytes;
  const { aofLoadCorruptTailMaxSize, aofLoadTruncated } = engine.settings.values;
  if (damage.middle && lost < aofLoadCorruptTailMaxSize) {
    engine.log("warning", `${what}. The last ${lost} bytes, from byte ${wholeBytes} on, are left out`);
    engine.log("warning", `AOF ${path} loaded anyway because aof-load-corrupt-tail-max-size is enabled`);
    return;
  }
  if (damage.middle) {
    throw new AofError(
      `Bad file format reading the append only file: ${what}. The bytes after it may be worth keeping, so nothing ` +
        `was loaded or changed: see memdb check-aof ${path}, or start with --aof-load-corrupt-tail-max-size ${
          lost + 1
        } to ` +
        `continue without the last ${lost} bytes`,
    );
  }
  if (options.followed) throw new AofError(`${what}. More files follow this one, so nothing was changed`);
  if (!aofLoadTruncated) {
    const remedy = `Start with --aof-load-truncated yes to continue without the last ${lost} bytes`;
    throw new AofError(`${what}. ${remedy}, from byte ${wholeBytes}`);
  }
  engine.log("warning", `${what}. The last ${lost} bytes, from byte ${wholeBytes} on, are left out`);
}
