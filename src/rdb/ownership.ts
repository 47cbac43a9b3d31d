/**
 * Which snapshot files a server may overwrite: those that it wrote, and the one that it loaded whole. Any other file that
 * has the name of a snapshot is kept under a new name.
 */
import { asideName } from "../core/aside.ts";
import { doing } from "../core/io_error.ts";
import type { Engine } from "../engine/engine.ts";

/** The server may overwrite the file at a path as it is now. */
export function own(engine: Engine, path: string): void {
  const stamp = stampOf(path);
  if (stamp !== undefined) engine.snapshots.owned.set(path, stamp);
}

/** Makes the name of a snapshot free: a file that is not this server's is kept under a new name. Throws IoError. */
export function makeWay(engine: Engine, path: string): void {
  const stamp = stampOf(path);
  if (stamp === undefined || stamp === engine.snapshots.owned.get(path)) return;
  const kept = asideName(path, "kept", engine.clock.nowMs(), exists);
  doing(`rename ${path} to`, kept, () => Deno.renameSync(path, kept));
  engine.log("warning", `${path} was not loaded by this server, so it is kept as ${kept}`);
}

/** Whether a file is at a path. */
export function exists(path: string): boolean {
  return stampOf(path) !== undefined;
}

/** Tells files and their states apart; undefined if there is no file. */
function stampOf(path: string): string | undefined {
  return doing("look at", path, () => {
    try {
      const { dev, ino, size, mtime } = Deno.statSync(path);
      return `${dev}:${ino}:${size}:${mtime?.getTime()}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
}
