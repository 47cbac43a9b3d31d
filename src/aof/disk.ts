/**
 * The disk as the append-only file needs it: files that grow, renaming, and saying when something is safe. Two of them
 * exist, the real one here and a simulated one in the tests, which loses power. What is not asked for with a sync may be
 * lost, torn or reordered; so whoever writes through this interface says exactly what its promises rest on.
 */
import { dirname } from "node:path";
import { ensureDir } from "@std/fs";

/** An open file; of Deno.FsFile what is used. Writes go to its end. */
export interface DiskFile {
  readSync(into: Uint8Array): number | null;
  seekSync(offset: number, whence: Deno.SeekMode): number;
  /** Appends; returns how many bytes of the beginning were taken. */
  writeSync(bytes: Uint8Array): number;
  write(bytes: Uint8Array): Promise<number>;
  truncateSync(size: number): void;
  /** When it returns, all that was written before the call survives a power failure. */
  syncData(): Promise<void>;
  syncDataSync(): void;
  statSync(): { readonly size: number; readonly dev: number; readonly ino: number | null };
  /** False if another process has the file locked. */
  tryLockSync(exclusive: boolean): boolean;
  close(): void;
}

export interface Disk {
  /** Opens a file for reading and appending, and makes it and its folders if they are missing. */
  openAppend(path: string): Promise<DiskFile>;
  /** Opens a file for reading; undefined if there is none. */
  openRead(path: string): Promise<DiskFile | undefined>;
  /** Makes an empty file for appending, in place of one that may be there. */
  create(path: string): Promise<DiskFile>;
  /** Gives a file another name, atomically; who had that name loses it. Not safe before `syncFolder`. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, if it is there. */
  remove(path: string): Promise<void>;
  /** Makes what was done to the names in a path's folder safe. */
  syncFolder(path: string): Promise<void>;
  /** Which file has this name; "" if none has, undefined if the system cannot tell files apart. */
  identity(path: string): Promise<string | undefined>;
}

/** As Disk.identity tells it, of an open file. */
export function identityOf(file: DiskFile): string | undefined {
  const { dev, ino } = file.statSync();
  return ino === null ? undefined : `${dev}:${ino}`;
}

export const realDisk: Disk = {
  async openAppend(path) {
    await ensureDir(dirname(path));
    return await Deno.open(path, { read: true, append: true, create: true });
  },

  async openRead(path) {
    try {
      return await Deno.open(path, { read: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  },

  async create(path) {
    await Deno.remove(path).catch(() => {});
    return await Deno.open(path, { read: true, append: true, createNew: true });
  },

  rename: (from, to) => Deno.rename(from, to),

  async remove(path) {
    try {
      await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  },

  async syncFolder(path) {
    // Windows opens no folders, and writes names in order with its journal.
    if (Deno.build.os === "windows") return;
    using folder = await Deno.open(dirname(path), { read: true });
    try {
      await folder.sync();
    } catch (error) {
      // Some file systems of networks cannot, and do it by themselves.
      if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes((error as { code?: string }).code ?? "")) throw error;
    }
  },

  async identity(path) {
    try {
      const { dev, ino } = await Deno.stat(path);
      return ino === null ? undefined : `${dev}:${ino}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  },
};
