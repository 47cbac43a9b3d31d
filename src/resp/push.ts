/**
 * The encoding of messages between replies: a push in RESP3, an array in RESP2.
 */
import { writeDecimal } from "../core/numbers.ts";

const PUSH = 62, ARRAY = 42, BULK = 36, CR = 13, LF = 10;
/** Longer strings are copied with one call, shorter ones byte by byte. */
const LOOP_BYTES_MAX = 48;
/** The most bytes of a header, with the line end behind a bulk string. */
const HEADER_BYTES_MAX = 24;
const NO_TAIL = new Uint8Array(0);

/** The most bytes of a message of `count` elements that have `bytes` bytes together. */
export function messageBytesMax(count: number, bytes: number): number {
  return (count + 1) * HEADER_BYTES_MAX + bytes;
}

/** Writes the header of a message of `count` elements at `at`. Returns its end. Hot. */
export function writeMessageHeader(out: Uint8Array, at: number, version: number, count: number): number {
  return writeHeader(out, at, version === 3 ? PUSH : ARRAY, count);
}

/** Writes the bulk string `bytes[start, end)` at `at`. Returns its end. Hot. */
export function writeBulkString(out: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  at = writeHeader(out, at, BULK, end - start);
  if (end - start > LOOP_BYTES_MAX) {
    out.set(bytes.subarray(start, end), at);
    at += end - start;
  } else {
    while (start < end) out[at++] = bytes[start++];
  }
  out[at++] = CR;
  out[at++] = LF;
  return at;
}

/** A message of bulk strings and, behind them, one element that is already encoded, in the given protocol version. */
export function encodePush(version: number, parts: readonly Uint8Array[], tail: Uint8Array = NO_TAIL): Uint8Array {
  const count = parts.length + (tail.length > 0 ? 1 : 0);
  const bytes = parts.reduce((sum, { length }) => sum + length, tail.length);
  const out = new Uint8Array(messageBytesMax(count, bytes));
  let at = writeMessageHeader(out, 0, version, count);
  for (const part of parts) at = writeBulkString(out, at, part, 0, part.length);
  out.set(tail, at);
  return out.subarray(0, at + tail.length);
}

/** An array of bulk strings. */
export function encodeArray(parts: readonly Uint8Array[]): Uint8Array {
  return encodePush(2, parts);
}

function writeHeader(out: Uint8Array, at: number, mark: number, count: number): number {
  out[at++] = mark;
  at = writeDecimal(out, at, count);
  out[at++] = CR;
  out[at++] = LF;
  return at;
}
