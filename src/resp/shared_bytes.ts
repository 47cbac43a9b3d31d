/**
 * Messages of one protocol version that many sessions receive, encoded once. They stand behind each other in a chunk,
 * so that a session that receives all messages of a turn sends one range of bytes, without a copy.
 *
 *     chunk   | message | message | message | free |
 *                       ^ start   ^ end
 *
 * The bytes live until `reset`, at the end of the turn. A session that cannot send them by then copies them.
 */
import { CHUNK_BYTES_MAX, freeBuffer, releaseChunk, takeChunk } from "./chunks.ts";
import { messageBytesMax, writeBulkString, writeMessageHeader } from "./push.ts";

const NONE = new Uint8Array(0);
/** The minimum size of a chunk. */
const CHUNK_BYTES_MIN = 64 * 1024;

export class SharedBytes {
  /** The message that was encoded last: `chunk[start, end)`. */
  chunk: Uint8Array = NONE;
  start = 0;
  end = 0;
  /** The chunks before the current one. */
  readonly #full: Uint8Array[] = [];
  readonly #version: 2 | 3;

  constructor(version: 2 | 3) {
    this.#version = version;
  }

  /**
   * Begins a message of `count` bulk strings, which `add` appends: a push in RESP3, an array in RESP2. The strings have
   * `bytes` bytes together. Hot.
   */
  begin(count: number, bytes: number): void {
    this.#reserve(messageBytesMax(count, bytes));
    this.end = writeMessageHeader(this.chunk, this.start, this.#version, count);
  }

  /** Appends the bulk string `bytes[start, end)` to the message. Hot. */
  add(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.end = writeBulkString(this.chunk, this.end, bytes, start, end);
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
