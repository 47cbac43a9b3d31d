/**
 * A request: the bytes in which it arrived, and the positions of its arguments. It is valid until the parser continues.
 */
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
    const parts: Uint8Array[] = [];
    let at = 0;
    const put = (bytes: Uint8Array) => {
      parts.push(bytes);
      at += bytes.length;
    };
    put(encoder.encode(`*${args.length}\r\n`));
    for (let i = 0; i < args.length; i++) {
      put(encoder.encode(`$${args[i].length}\r\n`));
      request.start[i] = at;
      put(args[i]);
      request.end[i] = at;
      put(CRLF);
    }
    request.bytes = new Uint8Array(at);
    let to = 0;
    for (const part of parts) {
      request.bytes.set(part, to);
      to += part.length;
    }
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

const ROOM_MIN = 8;
const NOTHING = new Uint8Array(0);
const NO_PLACES = new Int32Array(0);
const CRLF = Uint8Array.of(13, 10);
const encoder = new TextEncoder();
