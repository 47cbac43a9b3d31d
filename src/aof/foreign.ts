/**
 * Commands of other servers that an append-only file may contain and MemDB may not have. A file with such a command is
 * not damaged. The table of commands is searched first, so a new command of MemDB needs no change here.
 */
import { latin1 } from "../core/bytes.ts";
import type { Request } from "../resp/request.ts";

/** Commands of Redis 8.6 and Valkey 9.1 that change data, or that older versions have logged. */
const NAMES: ReadonlySet<string> = new Set(
  `delex delifeq migrate msetex replconf restore-asking vadd vrem vsetattr`.split(/\s+/),
);
/** Commands of modules: "JSON.SET". */
const MODULE_NAME = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/;

/** The upper-case name of a command of other servers; "" if the request names none. */
export function foreignName({ bytes, start, end }: Request): string {
  if (end[0] - start[0] > 32) return "";
  const name = latin1(bytes, start[0], end[0]).toLowerCase();
  return NAMES.has(name) || MODULE_NAME.test(name) ? name.toUpperCase() : "";
}
