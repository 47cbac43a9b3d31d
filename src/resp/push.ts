/**
 * Messages between replies, encoded once for all receiving sessions: a push in RESP3, an array in RESP2.
 */
import { decimalLength, writeDecimal } from "../core/numbers.ts";

const PUSH = 62, ARRAY = 42, BULK = 36, CR = 13, LF = 10;
/** Longer parts are copied with one call, shorter ones byte by byte. */
const LOOP_BYTES_MAX = 48;

/** A message of bulk strings in the given protocol version. */
export function encodePush(version: number, parts: readonly Uint8Array[]): Uint8Array {
  let length = 3 + decimalLength(parts.length);
  for (const part of parts) length += part.length + decimalLength(part.length) + 5;
  const out = new Uint8Array(length);
  let at = header(out, 0, version === 3 ? PUSH : ARRAY, parts.length);
  for (const part of parts) {
    at = header(out, at, BULK, part.length);
    if (part.length > LOOP_BYTES_MAX) out.set(part, at);
    else for (let i = 0; i < part.length; i++) out[at + i] = part[i];
    at += part.length;
    out[at++] = CR;
    out[at++] = LF;
  }
  return out;
}

function header(out: Uint8Array, at: number, mark: number, count: number): number {
  out[at++] = mark;
  at = writeDecimal(out, at, count);
  out[at++] = CR;
  out[at++] = LF;
  return at;
}
