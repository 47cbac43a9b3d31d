/**
 * A request: the bytes in which it arrived, and the positions of its arguments. It is valid until the parser continues.
 */
import { writeDecimal } from "../core/numbers.ts";

const ARGUMENTS_KEPT = 1024;

export class Request {
  bytes: Uint8Array;
  /** Number of arguments, including the command's name. */
  argc = 0;
  /** Argument i is `bytes[start[i], end[i])`. */
  start: Int32Array;
  end: Int32Array;
  /** The RESP bytes of the request are `bytes[rawStart, rawEnd)`; rawStart is -1 for an inline request. */
  rawStart = -1;
  rawEnd = 0;
  /** Hash of argument 1 if it was computed before the request ran, else 0. */
  keyHash = 0;
  /** Hash of the argument that names an element of the key's collection, under the same rule. */
  elementHash = 0;

  /** Without `room` the arrays are allocated with the first argument, because a waiting connection needs none. */
  constructor(room = 0) {
    this.bytes = NOTHING;
    this.start = room === 0 ? NO_PLACES : new Int32Array(room);
    this.end = room === 0 ? NO_PLACES : new Int32Array(room);
  }

  /** A request with its own bytes, for requests that do not come from a socket: replay, queues, embedding. */
  static of(args: readonly Uint8Array[]): Request {
    const request = new Request(args.length);
    let size = headBytes(args.length);
    for (const arg of args) size += headBytes(arg.length) + arg.length + CRLF.length;
    const bytes = new Uint8Array(size);
    let at = writeHead(bytes, 0, ARRAY, args.length);
    for (let i = 0; i < args.length; i++) {
      request.start[i] = at = writeHead(bytes, at, BULK, args[i].length);
      bytes.set(args[i], at);
      request.end[i] = at += args[i].length;
      bytes.set(CRLF, at);
      at += CRLF.length;
    }
    request.bytes = bytes.subarray(0, at);
    request.argc = args.length;
    request.rawStart = 0;
    request.rawEnd = at;
    return request;
  }

  /** A copy that stays valid, for commands that are kept (MULTI). */
  clone(): Request {
    const args: Uint8Array[] = [];
    for (let i = 0; i < this.argc; i++) args.push(this.bytes.slice(this.start[i], this.end[i]));
    return Request.of(args);
  }

  /** The size in bytes with which the request arrived. */
  size(): number {
    if (this.rawStart >= 0) return this.rawEnd - this.rawStart;
    let size = 0;
    for (let i = 0; i < this.argc; i++) size += this.end[i] - this.start[i] + 1;
    return size + 1;
  }

  /** Whether argument i equals argument i of another request. Hot. */
  repeats(other: Request, i: number): boolean {
    if (i >= other.argc) return false;
    let at = this.start[i], from = other.start[i];
    const end = this.end[i];
    if (end - at !== other.end[i] - from) return false;
    while (at < end) if (this.bytes[at++] !== other.bytes[from++]) return false;
    return true;
  }

  /** Makes room for at least `count` arguments. Existing arguments stay. */
  grow(count: number): void {
    let room = Math.max(this.start.length, ROOM_MIN);
    while (room < count) room *= 2;
    const start = new Int32Array(room), end = new Int32Array(room);
    start.set(this.start);
    end.set(this.end);
    this.start = start;
    this.end = end;
  }

  /** Releases the room of a request with many arguments. */
  shrink(): void {
    if (this.start.length <= ARGUMENTS_KEPT) return;
    this.start = this.end = NO_PLACES;
    this.argc = 0;
  }
}

/** Builds requests, one after the other in the same memory: each is valid until the next one begins. */
export class RequestBuilder {
  readonly #request = new Request();
  #bytes = new Uint8Array(BUILT_BYTES_MIN);
  #argc = 0;
  #at = 0;

  /** Begins a request of so many arguments, its name included. */
  begin(argc: number): void {
    this.#at = writeHead(this.#bytes, 0, ARRAY, argc);
    this.#argc = 0;
    if (this.#request.start.length < argc) this.#request.grow(argc);
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const request = this.#request, length = end - start, i = this.#argc++;
    const needed = this.#at + headBytes(length) + length + CRLF.length;
    if (needed > this.#bytes.length) {
      const old = this.#bytes;
      this.#bytes = new Uint8Array(2 * needed);
      this.#bytes.set(old.subarray(0, this.#at));
    }
    const target = this.#bytes;
    let at = request.start[i] = writeHead(target, this.#at, BULK, length);
    if (length > 48) target.set(bytes.subarray(start, end), at);
    else for (let k = start; k < end; k++) target[at + k - start] = bytes[k];
    at = request.end[i] = at + length;
    target[at] = CRLF[0];
    target[at + 1] = CRLF[1];
    this.#at = at + CRLF.length;
  }

  end(): Request {
    const request = this.#request;
    request.bytes = this.#bytes;
    request.argc = this.#argc;
    request.rawStart = 0;
    request.rawEnd = this.#at;
    return request;
  }
}

const BUILT_BYTES_MIN = 256;
const ROOM_MIN = 8;
const NOTHING = new Uint8Array(0);
const NO_PLACES = new Int32Array(0);
const CRLF = Uint8Array.of(13, 10);
const ARRAY = 0x2a, BULK = 0x24;

/** The room for a line with a sign and a length: exact if that is short. */
function headBytes(length: number): number {
  return length < 10 ? 4 : length < 100 ? 5 : length < 1000 ? 6 : 13;
}

/** Writes a line with a sign and a length. Returns its end. */
function writeHead(bytes: Uint8Array, at: number, sign: number, length: number): number {
  bytes[at] = sign;
  const end = writeDecimal(bytes, at + 1, length);
  bytes[end] = CRLF[0];
  bytes[end + 1] = CRLF[1];
  return end + CRLF.length;
}
