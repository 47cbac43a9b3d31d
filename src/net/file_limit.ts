/**
 * The number of clients for which the operating system's limit on open files leaves room. The limit is read only on
 * Linux, through the C library, and only if FFI is permitted; otherwise maxclients stays unchanged. Deno itself has
 * raised the limit to its maximum.
 */
import { StartError } from "../core/start_error.ts";
import { SettingError, type Settings } from "../settings/settings.ts";

/**
 * Files that the server needs besides its clients: files of Deno, listeners, data, log. Redis reserves the same number.
 */
const RESERVED_FILES = 32;
const RLIMIT_NOFILE = 7;
const INFINITY = 0xffffffffffffffffn;

/** The limit on open files of this process; undefined if it is unknown or there is none. */
export function openFilesMax(): number | undefined {
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  try {
    const libc = Deno.dlopen("libc.so.6", { getrlimit: { parameters: ["i32", "buffer"], result: "i32" } });
    // struct rlimit: the current limit, and the highest limit that may be set.
    const limit = new BigUint64Array(2);
    const failed = libc.symbols.getrlimit(RLIMIT_NOFILE, limit) !== 0;
    libc.close();
    return failed || limit[0] === INFINITY ? undefined : Number(limit[0]);
  } catch {
    return undefined;
  }
}

/**
 * Bounds maxclients by the limit on open files, now and after each change. `warn` receives the lines that Redis logs.
 * Throws StartError if the limit leaves no room for clients.
 */
export function boundClients(settings: Settings, warn: (text: string) => void, filesMax = openFilesMax()): void {
  if (filesMax === undefined) return;
  const clientsMax = filesMax - RESERVED_FILES;
  const wanted = settings.values.maxclients;
  if (clientsMax < 1) {
    throw new StartError(
      `The limit on open files (ulimit -n) of ${filesMax} leaves no room for clients. ` +
        `Raise it to ${RESERVED_FILES + 1} at least, and to ${wanted + RESERVED_FILES} for ${wanted} clients`,
    );
  }
  if (wanted > clientsMax) {
    warn(`You requested maxclients of ${wanted} requiring at least ${wanted + RESERVED_FILES} max file descriptors.`);
    warn(
      `Current maximum open files is ${filesMax}. maxclients has been reduced to ${clientsMax} to compensate for low ` +
        "ulimit. If you need higher maxclients increase 'ulimit -n'.",
    );
    settings.initDefault("maxclients", [`${clientsMax}`]);
  }
  settings.onChange("maxclients", (value) => {
    if (value <= clientsMax) return;
    throw new SettingError(
      `The operating system is not able to handle the specified number of clients, try with ${clientsMax}`,
    );
  });
}
