/**
 * Splits a line into arguments as Redis does: words between spaces; "…" with \n \r \t \b \a \xHH and \<any>; '…' with
 * \' only. A closing quote must be followed by a space or the end.
 */
import type { Request } from "./request.ts";

const SPACES = new Set([32, 9, 10, 11, 12, 13, 0]);
const DOUBLE = 34, SINGLE = 39, BACKSLASH = 92, X = 120;
const ESCAPES = new Map([[110, 10], [114, 13], [116, 9], [98, 8], [97, 7]]);

/** Finds the arguments of a line without quotes, in place. Returns false if there is a quote. */
export function findArguments(bytes: Uint8Array, start: number, end: number, request: Request): boolean {
  let argc = 0;
  for (let i = start; i < end;) {
    if (SPACES.has(bytes[i])) {
      i++;
      continue;
    }
    if (argc === request.start.length) request.grow(argc + 1);
    request.start[argc] = i;
    for (; i < end && !SPACES.has(bytes[i]); i++) if (bytes[i] === DOUBLE || bytes[i] === SINGLE) return false;
    request.end[argc++] = i;
  }
  request.bytes = bytes;
  request.argc = argc;
  return true;
}

/** The arguments in `bytes[start, end)`, or undefined if the quotes are unbalanced. */
export function splitArguments(bytes: Uint8Array, start: number, end: number): Uint8Array[] | undefined {
  const args: Uint8Array[] = [];
  let i = start;
  for (;;) {
    while (i < end && SPACES.has(bytes[i])) i++;
    if (i >= end) return args;
    const arg: number[] = [];
    while (i < end && !SPACES.has(bytes[i])) {
      const quote = bytes[i];
      if (quote !== DOUBLE && quote !== SINGLE) {
        arg.push(bytes[i++]);
        continue;
      }
      i++;
      while (i < end && bytes[i] !== quote) {
        if (bytes[i] === BACKSLASH && i + 1 < end && (quote === DOUBLE || bytes[i + 1] === SINGLE)) {
          i = unescape(bytes, i, end, quote, arg);
        } else {
          arg.push(bytes[i++]);
        }
      }
      if (i >= end) return undefined;
      i++;
      if (i < end && !SPACES.has(bytes[i])) return undefined;
    }
    args.push(Uint8Array.from(arg));
  }
}

/** Reads the escape sequence at `i`, adds its byte and returns the index after it. */
function unescape(bytes: Uint8Array, i: number, end: number, quote: number, arg: number[]): number {
  if (quote === DOUBLE && bytes[i + 1] === X && i + 3 < end) {
    const high = hexDigit(bytes[i + 2]), low = hexDigit(bytes[i + 3]);
    if (high >= 0 && low >= 0) {
      arg.push(high * 16 + low);
      return i + 4;
    }
  }
  arg.push(quote === DOUBLE ? ESCAPES.get(bytes[i + 1]) ?? bytes[i + 1] : bytes[i + 1]);
  return i + 2;
}

function hexDigit(c: number): number {
  const digit = parseInt(String.fromCharCode(c), 16);
  return Number.isNaN(digit) ? -1 : digit;
}
