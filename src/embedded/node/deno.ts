/**
 * The functions of Deno that an embedded server calls, on top of Node.js. The npm package is built with this object in
 * the place of the global `Deno`, so that no other code of the process sees it. Files are not locked there.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import process from "node:process";

class NotFound extends Error {
  override name = "NotFound";
}
class AddrInUse extends Error {
  override name = "AddrInUse";
}
class AlreadyExists extends Error {
  override name = "AlreadyExists";
}
class PermissionDenied extends Error {
  override name = "PermissionDenied";
}
class NotADirectory extends Error {
  override name = "NotADirectory";
}
class Other extends Error {}

const BY_CODE: Readonly<Record<string, new (message: string) => Error>> = {
  ENOENT: NotFound,
  EADDRINUSE: AddrInUse,
  EEXIST: AlreadyExists,
  EACCES: PermissionDenied,
  EPERM: PermissionDenied,
  ENOTDIR: NotADirectory,
};

/** An error of Node as Deno throws it: of a class that its code chooses, with the code and the number. */
function converted(error: unknown): unknown {
  const { code, errno, message } = error as NodeJS.ErrnoException;
  const kind = BY_CODE[code ?? ""];
  if (kind === undefined) return error;
  return Object.assign(new kind(message), { code, errno });
}

function doing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw converted(error);
  }
}

async function doingLater<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw converted(error);
  }
}

interface OpenOptions {
  read?: boolean;
  write?: boolean;
  append?: boolean;
  create?: boolean;
  createNew?: boolean;
  truncate?: boolean;
  mode?: number;
}

function flagsOf(options: OpenOptions): number {
  const { read, write, append, create, createNew, truncate } = options;
  const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = fs.constants;
  const writes = write || append;
  return (writes ? (read ? O_RDWR : O_WRONLY) : O_RDONLY) | (append ? O_APPEND : 0) |
    (create || createNew ? O_CREAT : 0) | (createNew ? O_EXCL : 0) | (truncate ? O_TRUNC : 0);
}

function infoOf(stat: fs.Stats) {
  return {
    isFile: stat.isFile(),
    isDirectory: stat.isDirectory(),
    isSymlink: stat.isSymbolicLink(),
    isSocket: stat.isSocket(),
    size: stat.size,
    mtime: stat.mtime,
    dev: stat.dev,
    ino: stat.ino,
    mode: stat.mode,
  };
}

class File {
  readonly #fd: number;
  readonly #append: boolean;
  /** Where the next read or write begins; in a file for appending every write goes to its end. */
  #at = 0;
  #open = true;

  constructor(fd: number, append: boolean) {
    this.#fd = fd;
    this.#append = append;
  }

  readSync(into: Uint8Array): number | null {
    const count = doing(() => fs.readSync(this.#fd, into, 0, into.length, this.#at));
    this.#at += count;
    return count === 0 && into.length > 0 ? null : count;
  }

  read(into: Uint8Array): Promise<number | null> {
    return doingLater(() => Promise.resolve(this.readSync(into)));
  }

  writeSync(bytes: Uint8Array): number {
    const count = doing(() => fs.writeSync(this.#fd, bytes, 0, bytes.length, this.#append ? null : this.#at));
    this.#at += count;
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    return doingLater(() => Promise.resolve(this.writeSync(bytes)));
  }

  seekSync(offset: number, whence: number): number {
    const from = [0, this.#at, doing(() => fs.fstatSync(this.#fd).size)][whence];
    return this.#at = from + offset;
  }

  truncateSync(size = 0): void {
    doing(() => fs.ftruncateSync(this.#fd, size));
  }

  syncDataSync(): void {
    doing(() => fs.fdatasyncSync(this.#fd));
  }

  syncSync(): void {
    doing(() => fs.fsyncSync(this.#fd));
  }

  syncData(): Promise<void> {
    return new Promise((resolve, reject) =>
      fs.fdatasync(this.#fd, (error) => error === null ? resolve() : reject(converted(error)))
    );
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) =>
      fs.fsync(this.#fd, (error) => error === null ? resolve() : reject(converted(error)))
    );
  }

  statSync() {
    return infoOf(doing(() => fs.fstatSync(this.#fd)));
  }

  /** Node has no locks. */
  tryLockSync(): boolean {
    return true;
  }

  close(): void {
    if (this.#open) fs.closeSync(this.#fd);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function openSync(path: string | URL, options: OpenOptions = { read: true }): File {
  return new File(doing(() => fs.openSync(path, flagsOf(options), options.mode ?? 0o666)), options.append === true);
}

const OS_NAMES: Readonly<Record<string, string>> = { win32: "windows" };
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

export const Deno = {
  pid: process.pid,
  build: { os: OS_NAMES[process.platform] ?? process.platform, arch: ARCHITECTURES[process.arch] ?? process.arch },
  version: { deno: `Node.js ${process.versions.node}` },
  errors: {
    NotFound,
    AddrInUse,
    AlreadyExists,
    PermissionDenied,
    NotADirectory,
    BadResource: Other,
    UnexpectedEof: Other,
    TimedOut: Other,
    NotConnected: Other,
    Interrupted: Other,
    ConnectionReset: Other,
    ConnectionAborted: Other,
    BrokenPipe: Other,
    WouldBlock: Other,
  },
  SeekMode: { Start: 0, Current: 1, End: 2 },
  customInspect: Symbol.for("Deno.customInspect"),
  permissions: { querySync: () => ({ state: "denied" }) },
  stderr: { writeSync: (bytes: Uint8Array) => fs.writeSync(2, bytes), isTerminal: () => process.stderr.isTTY === true },
  execPath: () => process.execPath,
  memoryUsage: () => process.memoryUsage(),
  osRelease: () => os.release(),
  systemMemoryInfo: () => ({ total: os.totalmem(), free: os.freemem(), available: os.freemem() }),
  openSync,
  open: (path: string | URL, options?: OpenOptions) => doingLater(() => Promise.resolve(openSync(path, options))),
  statSync: (path: string | URL) => infoOf(doing(() => fs.statSync(path))),
  lstat: (path: string | URL) => doingLater(async () => infoOf(await fs.promises.lstat(path))),
  readFileSync: (path: string | URL) => new Uint8Array(doing(() => fs.readFileSync(path))),
  readTextFileSync: (path: string | URL) => doing(() => fs.readFileSync(path, "utf8")),
  writeTextFileSync: (path: string | URL, text: string) => doing(() => fs.writeFileSync(path, text)),
  readDirSync: (path: string | URL) =>
    doing(() => fs.readdirSync(path, { withFileTypes: true })).map((entry) => ({
      name: entry.name,
      isFile: entry.isFile(),
      isDirectory: entry.isDirectory(),
      isSymlink: entry.isSymbolicLink(),
    })),
  realPathSync: (path: string | URL) => doing(() => fs.realpathSync(path)),
  mkdir: (path: string | URL, options?: { recursive?: boolean }) =>
    doingLater(async () => void await fs.promises.mkdir(path, options)),
  remove: (path: string | URL) => doingLater(() => fs.promises.rm(path)),
  removeSync: (path: string | URL) => doing(() => fs.rmSync(path)),
  rename: (from: string | URL, to: string | URL) => doingLater(() => fs.promises.rename(from, to)),
  renameSync: (from: string | URL, to: string | URL) => doing(() => fs.renameSync(from, to)),
  chmod: (path: string | URL, mode: number) => doingLater(() => fs.promises.chmod(path, mode)),
};
