/**
 * File errors with helpful messages: the system's reason, the operation, the path, and a remedy. For example `No space
 * left on device (write /data/db.aof): free space on that disk`.
 */

/** A failed file operation. `code` is the system's name of the reason, such as "ENOSPC", if there is one. */
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

/** The text that Deno appends to the system's reason: its number, and often the call. */
const SYSTEM_NUMBER = / \(os error (\d+)\).*$/s;

/** The message of an error without the system's error number and without the call that Deno appends. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(SYSTEM_NUMBER, "");
}

/** Linux's error numbers for reasons that Deno does not name. */
const UNNAMED: Readonly<Record<string, string>> = { "27": "EFBIG", "122": "EDQUOT" };

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return (error as { code?: string }).code ?? UNNAMED[SYSTEM_NUMBER.exec(error.message)?.[1] ?? ""];
}

/** Runs `body` and converts its errors to IoErrors with the operation and the path. */
export function doing<T>(operation: string, path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw asIoError(operation, path, error);
  }
}

/** Like `doing`, for asynchronous operations. */
export async function doingLater<T>(operation: string, path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw asIoError(operation, path, error);
  }
}

/** Converts an error of the system. Other errors are faults of the program and stay unchanged. */
function asIoError(operation: string, path: string, error: unknown): unknown {
  if (error instanceof IoError || !isSystemError(error)) return error;
  return new IoError(operation, path, error);
}

/** Whether an error comes from the system and is not a fault of the program. */
export function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return error instanceof IoError || codeOf(error) !== undefined || SYSTEM_NUMBER.test(error.message) ||
    (Object.values(Deno.errors) as unknown[]).includes(error.constructor);
}
