/**
 * Errors of files in words that help: the system's reason, the operation, the path, and a remedy. For example
 * `No space left on device (write /data/db.aof): free space on that disk`.
 */

/** An operation on a file that failed. `code` is the system's name of the reason, "ENOSPC", where there is one. */
export class IoError extends Error {
  override name = "IoError";
  readonly code: string | undefined;
  readonly operation: string;
  readonly path: string;

  constructor(operation: string, path: string, cause: unknown) {
    const code = codeOf(cause);
    const remedy = code === undefined ? undefined : REMEDIES[code];
    super(`${reasonOf(cause)} (${operation} ${path})${remedy === undefined ? "" : `: ${remedy}`}`, { cause });
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}

const ACCESS = "give the user that runs memdb access to it, or choose another path";

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: ACCESS,
  EDQUOT: "free space, or have the quota raised",
  EEXIST: "move it away, or choose another path",
  EFBIG: "raise the limit on the size of files (ulimit -f)",
  EIO: "the disk fails: save what can be read, and replace it",
  EISDIR: "choose the path of a file",
  EMFILE: "raise the limit of open files (ulimit -n)",
  ENAMETOOLONG: "choose a shorter path",
  ENFILE: "the whole system has too many files open: close some",
  ENOENT: "create its folder, or choose another path",
  ENOSPC: "free space on that disk",
  ENOTDIR: "a part of the path is not a folder: choose another path",
  EPERM: ACCESS,
  EROFS: "mount that file system for writing, or choose another path",
  EXDEV: "choose a path on the same file system",
};

/** What Deno adds to the system's reason: its number, and often the call. */
const SYSTEM_NUMBER = / \(os error (\d+)\).*$/s;

/** The error's own words: without the number of the system's error, and without the call that Deno adds. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(SYSTEM_NUMBER, "");
}

/** Linux's numbers of reasons for which Deno has no name. */
const UNNAMED: Readonly<Record<string, string>> = { "27": "EFBIG", "122": "EDQUOT" };

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return (error as { code?: string }).code ?? UNNAMED[SYSTEM_NUMBER.exec(error.message)?.[1] ?? ""];
}

/** Runs `body`; what it throws becomes an IoError, which names the operation and the path. */
export function doing<T>(operation: string, path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw asIoError(operation, path, error);
  }
}

/** `doing` for what ends later. */
export async function doingLater<T>(operation: string, path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw asIoError(operation, path, error);
  }
}

/** Errors without a reason of the system are mistakes of the program: they stay as they are. */
function asIoError(operation: string, path: string, error: unknown): unknown {
  if (error instanceof IoError || !isSystemError(error)) return error;
  return new IoError(operation, path, error);
}

/** Whether an error comes from the system, not from a mistake of the program. */
export function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return error instanceof IoError || codeOf(error) !== undefined || SYSTEM_NUMBER.test(error.message) ||
    (Object.values(Deno.errors) as unknown[]).includes(error.constructor);
}
