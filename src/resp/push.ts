/**
 * The encoding of messages between replies: a push in RESP3, an array in RESP2.
 */
import { decimalLength, writeDecimal } from "../core/numbers.ts";

const PUSH = 62, ARRAY = 42, BULK = 36, CR = 13, LF = 10;
/** Longer parts are copied with one call, shorter ones byte by byte. */
const LOOP_BYTES_MAX = 48;
const NO_TAIL = new Uint8Array(0);

/** Number of bytes of an encoded message with `count` elements, of which `parts` are bulk strings. Hot. */
export function messageBytes(parts: readonly Uint8Array[], count = parts.length): number {
  let length = 3 + decimalLength(count);
  for (const part of parts) length += part.length + decimalLength(part.length) + 5;
  return length;
}

/** Writes a message with `count` elements, of which the first are the bulk strings `parts`. Returns its end. Hot. */
export function writeMessage(
  out: Uint8Array,
  at: number,
  isPush: boolean,
  parts: readonly Uint8Array[],
  count = parts.length,
): number {
  at = header(out, at, isPush ? PUSH : ARRAY, count);
  for (const part of parts) {
    at = header(out, at, BULK, part.length);
    if (part.length > LOOP_BYTES_MAX) out.set(part, at);
    else for (let i = 0; i < part.length; i++) out[at + i] = part[i];
    at += part.length;
    out[at++] = CR;
    out[at++] = LF;
  }
  return at;
}

/** A message of bulk strings and, behind them, one element that is already encoded, in the given protocol version. */
export function encodePush(version: number, parts: readonly Uint8Array[], tail: Uint8Array): Uint8Array {
  return encode(version === 3, parts, tail);
}

/** An array of bulk strings. */
export function encodeArray(parts: readonly Uint8Array[]): Uint8Array {
  return encode(false, parts, NO_TAIL);
}

function encode(isPush: boolean, parts: readonly Uint8Array[], tail: Uint8Array): Uint8Array {
  const count = parts.length + (tail.length > 0 ? 1 : 0);
  const out = new Uint8Array(messageBytes(parts, count) + tail.length);
  out.set(tail, writeMessage(out, 0, isPush, parts, count));
  return out;
}

function header(out: Uint8Array, at: number, mark: number, count: number): number {
  out[at++] = mark;
  at = writeDecimal(out, at, count);
  out[at++] = CR;
  out[at++] = LF;
  return at;
}
