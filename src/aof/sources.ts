/**
 * The source of the data at start: the server's own append-only file, or the files of a redis-server in the folder
 * `dir`. As in Redis, `appendonly yes` loads the append-only files and `appendonly no` the snapshot. A file that
 * `aofpath` names comes before both.
 *
 * Redis keeps its log as several parts in a folder (manifest.ts). MemDB loads them, continues in one file of its own
 * beside that folder, and does not change the folder. A note beside the file lists the content of the folder at that
 * time. As long as the folder matches the note, the file is the newer of the two.
 */
import { basename, dirname, join, resolve } from "node:path";
import { doing } from "../core/io_error.ts";
import { snapshotPath } from "../rdb/save.ts";
import type { SettingValues } from "../settings/settings.ts";
import { partsOf } from "./manifest.ts";
import { AofError } from "./replay.ts";

export type Source =
  /** The append-only file at aofpath, which may not exist yet. */
  | { readonly kind: "file" }
  | { readonly kind: "parts"; readonly folder: string; readonly paths: readonly string[] }
  | { readonly kind: "snapshot"; readonly path: string }
  | { readonly kind: "none" };

type Places = Pick<
  SettingValues,
  "aofpath" | "appenddirname" | "appendfilename" | "appendonly" | "dbfilename" | "dir" | "restoredb"
>;

/** Finds the source. Throws AofError if it is ambiguous. */
export function findSource(values: Places): Source {
  const { appendonly, dir, restoredb } = values;
  const file = { kind: "file" } as const;
  if (!restoredb) return appendonly ? file : { kind: "none" };
  const path = resolve(dir, values.aofpath);
  if (path !== resolve(dir, values.appendfilename)) return file;
  if (!appendonly) {
    const snapshot = snapshotPath(values);
    return sizeOf(snapshot) === undefined ? file : { kind: "snapshot", path: snapshot };
  }
  const folder = resolve(dir, values.appenddirname);
  const manifest = join(folder, `${values.appendfilename}.manifest`);
  if (sizeOf(manifest) === undefined) return file;
  const paths = partsOf(manifest);
  if ((sizeOf(path) ?? 0) === 0) return { kind: "parts", folder, paths };
  if (readNote(path) === describe(paths)) return file;
  throw new AofError(
    `${path} and Redis's ${folder} both exist, and the folder has changed since the file began with its data. ` +
      `Name the file with --aofpath ${path} to go on with it, or move it away to load the folder`,
  );
}

/** Writes the note beside the append-only file: it begins with the data of these parts. */
export function noteParts(aofpath: string, paths: readonly string[]): void {
  doing("write", notePath(aofpath), () => Deno.writeTextFileSync(notePath(aofpath), describe(paths)));
}

function readNote(aofpath: string): string {
  if (sizeOf(notePath(aofpath)) === undefined) return "";
  return doing("read", notePath(aofpath), () => Deno.readTextFileSync(notePath(aofpath)));
}

function notePath(aofpath: string): string {
  return join(dirname(aofpath), `${basename(aofpath)}.origin`);
}

/** The names, sizes and times of files, one on each line. */
function describe(paths: readonly string[]): string {
  const lines = paths.map((path) => {
    const { size, mtime } = doing("look at", path, () => Deno.statSync(path));
    return `${path} ${size} ${mtime?.toISOString() ?? ""}`;
  });
  return `${lines.join("\n")}\n`;
}

/** The size of a file; undefined if there is none. */
function sizeOf(path: string): number | undefined {
  try {
    const { isFile, size } = Deno.statSync(path);
    return isFile ? size : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    return doing("look at", path, () => {
      throw error;
    });
  }
}
