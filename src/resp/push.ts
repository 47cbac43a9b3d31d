/**
 * Messages between replies, encoded once for all receiving sessions: a push in RESP3, an array in RESP2.
 */
import { decimalLength, writeDecimal } from "../core/numbers.ts";

const PUSH = 62, ARRAY = 42, BULK = 36, CR = 13, LF = 10;
/** Longer parts are copied with one call, shorter ones byte by byte. */
const LOOP_BYTES_MAX = 48;

const NO_TAIL = new Uint8Array(0);

/** A message in the given protocol version: bulk strings, and behind them one element that is already encoded. */
export function encodePush(version: number, parts: readonly Uint8Array[], tail: Uint8Array = NO_TAIL): Uint8Array {
  const count = parts.length + (tail.length > 0 ? 1 : 0);
  return encode(version === 3 ? PUSH : ARRAY, count, parts, tail);
}

/** An array of bulk strings. */
export function encodeArray(parts: readonly Uint8Array[]): Uint8Array {
  return encode(ARRAY, parts.length, parts, NO_TAIL);
}

function encode(mark: number, count: number, parts: readonly Uint8Array[], tail: Uint8Array): Uint8Array {
  let length = 3 + decimalLength(count) + tail.length;
  for (const part of parts) length += part.length + decimalLength(part.length) + 5;
  const out = new Uint8Array(length);
  let at = header(out, 0, mark, count);
  for (const part of parts) {
    at = header(out, at, BULK, part.length);
    if (part.length > LOOP_BYTES_MAX) out.set(part, at);
    else for (let i = 0; i < part.length; i++) out[at + i] = part[i];
    at += part.length;
    out[at++] = CR;
    out[at++] = LF;
  }
  out.set(tail, at);
  return out;
}

function header(out: Uint8Array, at: number, mark: number, count: number): number {
  out[at++] = mark;
  at = writeDecimal(out, at, count);
  out[at++] = CR;
  out[at++] = LF;
  return at;
}
