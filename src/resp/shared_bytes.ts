/**
 * Messages of one protocol version that many sessions receive, encoded once. They stand behind each other in a chunk, so that a session that
 * receives all messages of a turn sends one range of bytes, without a copy.
 *
 *     chunk   | message | message | message | free |
 *                       ^ start   ^ end
 *
 * The bytes live until `reset`, at the end of the turn. A session that cannot send them by then copies them.
 */
import { decimalLength, writeDecimal } from "../core/numbers.ts";
import { CHUNK_BYTES_MAX, freeBuffer, releaseChunk, takeChunk } from "./chunks.ts";

const NONE = new Uint8Array(0);
/** The minimum size of a chunk. */
const CHUNK_BYTES_MIN = 64 * 1024;
/** Longer parts are copied with one call, shorter ones byte by byte. */
const LOOP_BYTES_MAX = 48;
const PUSH = 62, ARRAY = 42, BULK = 36, CR = 13, LF = 10;

export class SharedBytes {
  /** The message that was encoded last: `chunk[start, end)`. */
  chunk: Uint8Array = NONE;
  start = 0;
  end = 0;
  /** The chunks before the current one. */
  readonly #full: Uint8Array[] = [];
  readonly #mark: number;

  constructor(version: 2 | 3) {
    this.#mark = version === 3 ? PUSH : ARRAY;
  }

  /** Encodes a message of bulk strings: a push in RESP3, an array in RESP2. Hot. */
  encode(parts: readonly Uint8Array[]): void {
    let length = 3 + decimalLength(parts.length);
    for (const part of parts) length += part.length + decimalLength(part.length) + 5;
    this.#reserve(length);
    const out = this.chunk;
    let at = header(out, this.start, this.#mark, parts.length);
    for (const part of parts) {
      at = header(out, at, BULK, part.length);
      if (part.length > LOOP_BYTES_MAX) out.set(part, at);
      else for (let i = 0; i < part.length; i++) out[at + i] = part[i];
      at += part.length;
      out[at++] = CR;
      out[at++] = LF;
    }
    this.end = at;
  }

  /** Copies the message that was encoded last. */
  copy(): Uint8Array {
    return this.chunk.slice(this.start, this.end);
  }

  /** Forgets all messages. */
  reset(): void {
    if (this.chunk === NONE) return;
    for (const chunk of [...this.#full, this.chunk]) {
      if (chunk.length > CHUNK_BYTES_MAX) freeBuffer(chunk);
      else releaseChunk(chunk);
    }
    this.#full.length = 0;
    this.chunk = NONE;
    this.start = this.end = 0;
  }

  #reserve(length: number): void {
    this.start = this.end;
    if (this.chunk.length - this.start >= length) return;
    if (this.chunk !== NONE) this.#full.push(this.chunk);
    this.chunk = length > CHUNK_BYTES_MAX ? new Uint8Array(length) : takeChunk(Math.max(length, CHUNK_BYTES_MIN));
    this.start = 0;
  }
}

function header(out: Uint8Array, at: number, mark: number, count: number): number {
  out[at++] = mark;
  at = writeDecimal(out, at, count);
  out[at++] = CR;
  out[at++] = LF;
  return at;
}
