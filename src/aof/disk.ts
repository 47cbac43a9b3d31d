/**
 * The operations of a disk that the append-only file needs: files that grow, renaming, and syncs. This file has the
 * real disk. The tests have a simulated one, which loses power. Changes without a sync may be lost, torn or reordered,
 * so the code above this interface must sync everything that its promises depend on.
 *
 * Errors of the real disk name the operation, the path and a remedy (core/io_error.ts).
 */
import { dirname } from "node:path";
import { doing, doingLater } from "../core/io_error.ts";

/** An open file. Writes go to its end. */
export interface DiskFile {
  readSync(into: Uint8Array): number | null;
  seekSync(offset: number, whence: Deno.SeekMode): number;
  /** Appends bytes. Returns the number of bytes that were written, from the beginning. */
  writeSync(bytes: Uint8Array): number;
  write(bytes: Uint8Array): Promise<number>;
  truncateSync(size: number): void;
  /** Syncs. Everything written before the call then survives a power failure. */
  syncData(): Promise<void>;
  syncDataSync(): void;
  statSync(): { readonly size: number; readonly dev: number; readonly ino: number | null };
  /** False if another process has the file locked. */
  tryLockSync(exclusive: boolean): boolean;
  close(): void;
}

export interface Disk {
  /** Opens a file for reading and appending. Creates it, and its folders, if they are missing. */
  openAppend(path: string): Promise<DiskFile>;
  /** Opens a file for reading; undefined if there is none. */
  openRead(path: string): Promise<DiskFile | undefined>;
  /** Creates an empty file for appending. It replaces an existing file. */
  create(path: string): Promise<DiskFile>;
  /**
   * Renames a file atomically, and replaces a file of that name. It survives a power failure only after `syncFolder`.
   */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file if it exists. */
  remove(path: string): Promise<void>;
  /** Syncs the folder of a path, so that changes of names survive a power failure. */
  syncFolder(path: string): Promise<void>;
  /** Identifies the file of this name: "" if there is none, undefined if the system does not identify files. */
  identity(path: string): string | undefined;
}

/** Like Disk.identity, for an open file. */
export function identityOf(file: DiskFile): string | undefined {
  return textOf(file.statSync());
}

/** Whether a file exists at a path. False if the system does not identify files. */
export function isTaken(disk: Disk, path: string): boolean {
  return disk.identity(path) !== "";
}

function textOf({ dev, ino }: { readonly dev: number; readonly ino: number | null }): string | undefined {
  return ino === null ? undefined : `${dev}:${ino}`;
}

/** A file of the real disk. */
class RealFile implements DiskFile {
  readonly #file: Deno.FsFile;
  readonly #path: string;

  constructor(file: Deno.FsFile, path: string) {
    this.#file = file;
    this.#path = path;
  }

  readSync(into: Uint8Array): number | null {
    return doing("read", this.#path, () => this.#file.readSync(into));
  }

  seekSync(offset: number, whence: Deno.SeekMode): number {
    return doing("read", this.#path, () => this.#file.seekSync(offset, whence));
  }

  writeSync(bytes: Uint8Array): number {
    return doing("write", this.#path, () => this.#file.writeSync(bytes));
  }

  write(bytes: Uint8Array): Promise<number> {
    return doingLater("write", this.#path, () => this.#file.write(bytes));
  }

  truncateSync(size: number): void {
    doing("truncate", this.#path, () => this.#file.truncateSync(size));
  }

  syncData(): Promise<void> {
    return doingLater("sync", this.#path, () => this.#file.syncData());
  }

  syncDataSync(): void {
    doing("sync", this.#path, () => this.#file.syncDataSync());
  }

  statSync(): Deno.FileInfo {
    return doing("look at", this.#path, () => this.#file.statSync());
  }

  tryLockSync(exclusive: boolean): boolean {
    return doing("lock", this.#path, () => this.#file.tryLockSync(exclusive));
  }

  close(): void {
    this.#file.close();
  }
}

export const realDisk: Disk = {
  openAppend: (path) =>
    doingLater("open", path, async () => {
      const open = () => Deno.open(path, { read: true, append: true, create: true });
      try {
        return new RealFile(await open(), path);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        await Deno.mkdir(dirname(path), { recursive: true });
        return new RealFile(await open(), path);
      }
    }),

  openRead: (path) =>
    doingLater("open", path, async () => {
      try {
        return new RealFile(await Deno.open(path, { read: true }), path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    }),

  create: (path) =>
    doingLater("create", path, async () => {
      await Deno.remove(path).catch(() => {});
      return new RealFile(await Deno.open(path, { read: true, append: true, createNew: true }), path);
    }),

  rename: (from, to) => doingLater(`rename ${from} to`, to, () => Deno.rename(from, to)),

  remove: (path) =>
    doingLater("remove", path, async () => {
      try {
        await Deno.remove(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }),

  syncFolder: (path) =>
    doingLater("sync", dirname(path), async () => {
      // Windows cannot open folders. Its journal keeps the order of changes of names.
      if (Deno.build.os === "windows") return;
      using folder = await Deno.open(dirname(path), { read: true });
      try {
        await folder.sync();
      } catch (error) {
        // Some network file systems cannot sync a folder, and need no sync.
        if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes((error as { code?: string }).code ?? "")) throw error;
      }
    }),

  identity: (path) =>
    doing("look at", path, () => {
      try {
        return textOf(Deno.statSync(path));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return "";
        throw error;
      }
    }),
};
