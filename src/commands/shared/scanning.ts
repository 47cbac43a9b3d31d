/**
 * Cursor and options of SCAN and of the commands that scan one value (HSCAN, SSCAN, ZSCAN). The iteration itself is in
 * the dictionary.
 */
import { fail, messages, shownText } from "../../core/errors.ts";
import { globMatch } from "../../core/glob.ts";
import type { Call } from "../../dispatch/call.ts";

/** The options that a command accepts depend on its target. */
export type Scanned = "keys" | "hash" | "sorted set" | "other";

export interface ScanOptions {
  /** Number of elements to visit. */
  count: number;
  /** Argument index of the pattern, 0 for none. */
  pattern: number;
  /** Name of a type in lower case (SCAN TYPE). */
  type: string | undefined;
  /** Reply without the values (HSCAN NOVALUES) or the scores (ZSCAN NOSCORES of Valkey). */
  noValues: boolean;
}

const TYPE_NAMES: ReadonlySet<string> = new Set(["string", "list", "set", "zset", "hash", "stream"]);

const CURSOR_BITS = 64n;
/** Cursors of dictionaries are below 2^36; larger ones are taken modulo 2^36, as Redis masks them. */
const DICT_CURSOR_LIMIT = 2n ** 36n;

/**
 * The cursor in argument i. Redis parses it with C's functions, which accept leading space, a sign and leading zeros,
 * and also a negative number that is not in its shortest form. Throws CommandError.
 */
export function parseCursor(call: Call, i: number): number {
  const [text] = call.text(i).split("\0");
  const match = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)$/.exec(text);
  if (match === null || /^-[1-9][0-9]{0,17}$/.test(text)) fail(messages.invalidCursor);
  const magnitude = BigInt(match[2]);
  if (magnitude >= 2n ** CURSOR_BITS || (/^-[1-9]/.test(text) && magnitude <= 2n ** (CURSOR_BITS - 1n))) {
    fail(messages.invalidCursor);
  }
  const cursor = match[1] === "-" ? BigInt.asUintN(64, -magnitude) : magnitude;
  return Number(cursor % DICT_CURSOR_LIMIT);
}

/** Parses the options from argument `first` on. Throws CommandError. */
export function parseScanOptions(call: Call, first: number, scanned: Scanned): ScanOptions {
  const options: ScanOptions = { count: 10, pattern: 0, type: undefined, noValues: false };
  for (let i = first; i < call.argc; i++) {
    const hasValue = i + 1 < call.argc;
    if (hasValue && call.is(i, "count")) {
      options.count = call.integer(++i);
      if (options.count < 1) fail(messages.syntax);
    } else if (hasValue && call.is(i, "match")) {
      options.pattern = ++i;
    } else if (hasValue && scanned === "keys" && call.is(i, "type")) {
      options.type = call.text(++i).toLowerCase();
      if (call.valkey && !TYPE_NAMES.has(options.type)) fail(`ERR unknown type name '${shownText(call.text(i))}'`);
    } else if (call.is(i, "noscores")) {
      if (scanned !== "sorted set" && call.valkey) fail("ERR NOSCORES option can only be used in ZSCAN");
      if (scanned !== "sorted set") fail(messages.syntax);
      options.noValues = true;
    } else if (call.is(i, "novalues")) {
      if (scanned !== "hash") fail("ERR NOVALUES option can only be used in HSCAN");
      options.noValues = true;
    } else {
      fail(messages.syntax);
    }
  }
  return options;
}

/** Whether `bytes[start, end)` matches the glob in argument i; 0 and "*" match everything. */
export function matchesPattern(call: Call, i: number, bytes: Uint8Array, start: number, end: number): boolean {
  if (i === 0) return true;
  const pattern = call.bytes, from = call.start(i), to = call.end(i);
  if (to - from === 1 && pattern[from] === 0x2a) return true;
  return globMatch(pattern, from, to, bytes, start, end, false);
}
