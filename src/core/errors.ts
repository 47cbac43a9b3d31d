/**
 * Errors caused by the client. The executor turns a CommandError into an error reply; every other error is a fault of
 * the program. Messages of several families are defined here, in Redis's words; a message of one family is defined in
 * that family.
 */
export class CommandError extends Error {
  override name = "CommandError";
}

/** A request that violates the protocol. The client receives the message, and the connection is closed. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

export const messages = {
  syntax: "ERR syntax error",
  notInteger: "ERR value is not an integer or out of range",
  notFloat: "ERR value is not a valid float",
  mustBePositive: "ERR value is out of range, must be positive",
  wrongType: "WRONGTYPE Operation against a key holding the wrong kind of value",
  noSuchKey: "ERR no such key",
  outOfRange: "ERR index out of range",
  stringTooLong: "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
  overflow: "ERR increment or decrement would overflow",
  noAuth: "NOAUTH Authentication required.",
  outOfMemory: "OOM command not allowed when used memory > 'maxmemory'.",
  dbIndex: "ERR DB index is out of range",
  invalidCursor: "ERR invalid cursor",
} as const;

/** Errors that name the server; `title` is "Redis" or "Valkey". */
export const titled = {
  loading: (title: string) => `LOADING ${title} is loading the dataset in memory`,
  snapshotFailed: (title: string) =>
    `MISCONF ${title} is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands ` +
    "that may modify the data set are disabled, because this instance is configured to report errors during writes " +
    `if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the ${title} logs for details ` +
    "about the RDB error.",
} as const;

/** Throws CommandError. A separate function keeps the hot code around it small. */
export function fail(message: string): never {
  throw new CommandError(message);
}

/** Text from a client, as Redis shows it in an error: up to the first zero byte. */
export function shownText(text: string): string {
  const zero = text.indexOf("\0");
  return zero < 0 ? text : text.slice(0, zero);
}
