/**
 * Decides which snapshot files a server may overwrite: those that it wrote, and the one that it loaded completely. Any
 * other file at the path of a snapshot is renamed and kept.
 */
import { asideName } from "../core/aside.ts";
import { doing } from "../core/io_error.ts";
import type { Engine } from "../engine/engine.ts";

/** Marks the file at a path, in its present state, as one that the server may overwrite. */
export function own(engine: Engine, path: string): void {
  const stamp = stampOf(path);
  if (stamp !== undefined) engine.snapshots.owned.set(path, stamp);
}

/** Renames a file at the path of a snapshot if the server may not overwrite it. Throws IoError. */
export function makeWay(engine: Engine, path: string): void {
  const stamp = stampOf(path);
  if (stamp === undefined || stamp === engine.snapshots.owned.get(path)) return;
  const kept = asideName(path, "kept", engine.clock.nowMs(), exists);
  doing(`rename ${path} to`, kept, () => Deno.renameSync(path, kept));
  engine.log("warning", `${path} was not loaded by this server, so it is kept as ${kept}`);
}

/** Whether a file exists at a path. */
export function exists(path: string): boolean {
  return stampOf(path) !== undefined;
}

/** Identifies a file and its state; undefined if there is no file. */
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
