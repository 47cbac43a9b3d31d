/**
 * Opening the append-only file at start: locking it, loading it, cutting off what a crash left half written (after keeping
 * a copy), and handing it to the log.
 */
import { dirname } from "node:path";
import { ensureDir } from "@std/fs";
import type { Executor } from "../commands/execute.ts";
import type { Engine } from "../engine/engine.ts";
import { AofLog } from "./log.ts";
import { Progress } from "./progress.ts";
import { AofError, Replay, type ReplayResult } from "./replay.ts";

export interface AofOptions {
  path: string;
  /** Load what is in the file; otherwise it must be empty. */
  restore: boolean;
  /** Append to the file; otherwise it is only read. */
  append: boolean;
}

/** Loads and opens the file as the options say. Throws AofError with what to do. Undefined if nothing is appended. */
export async function openAof(engine: Engine, executor: Executor, options: AofOptions): Promise<AofLog | undefined> {
  const { path, restore, append } = options;
  if (append) await ensureDir(dirname(path));
  const file = await open(path, append);
  if (file === undefined) return undefined;
  try {
    if (append && !file.tryLockSync(true)) {
      throw new AofError(`${path} is in use by another server: stop it, or give this one another --aofpath`);
    }
    let size = file.statSync().size;
    if (restore) {
      const result = await load(engine, executor, file, path);
      if (result.wholeBytes < size) size = await dropTail(engine, file, path, result, append);
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
    file.seekSync(0, Deno.SeekMode.End);
    const log = new AofLog(engine, file, path, size);
    engine.effects.listen(log);
    return log;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function open(path: string, append: boolean): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(path, append ? { read: true, append: true, create: true } : { read: true });
  } catch (error) {
    if (!append && error instanceof Deno.errors.NotFound) return undefined;
    throw new AofError(`cannot open ${path}: ${(error as Error).message}`);
  }
}

async function load(engine: Engine, executor: Executor, file: Deno.FsFile, path: string): Promise<ReplayResult> {
  const head = new Uint8Array(5);
  file.readSync(head);
  if (String.fromCharCode(...head) === "REDIS") throw new AofError(`${path} begins with an RDB snapshot, not commands`);
  file.seekSync(0, Deno.SeekMode.Start);
  const progress = new Progress(engine, path);
  let result: ReplayResult;
  try {
    result = await new Replay(engine, executor).load(file, () => progress.show());
  } catch (error) {
    if (error instanceof AofError) throw new AofError(`${path} is ${error.message}. Nothing was changed`);
    throw error;
  } finally {
    progress.end();
  }
  if (result.commands > 0) progress.report(result.commands);
  if (result.failed > 0) {
    engine.log("warning", `${result.failed} commands of ${path} failed; the first ${result.firstFailure}`);
  }
  return result;
}

/** Keeps a copy of what was cut off and shortens the file to its whole part. Returns its new size in bytes. */
async function dropTail(
  engine: Engine,
  file: Deno.FsFile,
  path: string,
  result: ReplayResult,
  append: boolean,
): Promise<number> {
  const { wholeBytes, totalBytes } = result;
  const lost = totalBytes - wholeBytes;
  if (!engine.settings.values.aofLoadTruncated) {
    throw new AofError(
      `${path} ends within a command: ${lost} bytes from byte ${wholeBytes} on are not whole. ` +
        `Start with --aof-load-truncated yes to go on without them`,
    );
  }
  if (!append) {
    engine.log("warning", `${path} ends within a command: ${lost} bytes from byte ${wholeBytes} on were left out`);
    return wholeBytes;
  }
  const copy = `${path}.dropped-${new Date(engine.clock.nowMs()).toISOString().replace(/[:.]/g, "-")}`;
  file.seekSync(wholeBytes, Deno.SeekMode.Start);
  const tail = await Deno.open(copy, { write: true, createNew: true });
  const chunk = new Uint8Array(64 * 1024);
  for (let count = file.readSync(chunk); count !== null; count = file.readSync(chunk)) {
    for (let at = 0; at < count;) at += tail.writeSync(chunk.subarray(at, count));
  }
  tail.syncSync();
  tail.close();
  await Deno.truncate(path, wholeBytes);
  file.syncSync();
  engine.log(
    "warning",
    `${path} ended within a command: ${lost} bytes from byte ${wholeBytes} on were dropped; a copy is in ${copy}`,
  );
  return wholeBytes;
}
