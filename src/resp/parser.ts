/**
 * The streaming parser of requests: RESP arrays of bulk strings, and inline requests. It owns the buffer into which a
 * connection reads. An incomplete request stays in the buffer; no byte is parsed twice. Memory is allocated for bytes
 * that have arrived, never for announced lengths.
 *
 * Hot: `#parse` runs once per request and allocates nothing once the arrays have reached their size.
 */
import { ProtocolError } from "../core/errors.ts";
import { latin1, NO_BYTES } from "../core/bytes.ts";
import { freeBuffer } from "./chunks.ts";
import { findArguments, splitArguments } from "./inline.ts";
import { Request } from "./request.ts";

const CR = 13, LF = 10, STAR = 42, DOLLAR = 36, MINUS = 45, ZERO = 48;
/** Redis's limit for an inline request and for a line that announces a length. */
const LINE_BYTES_MAX = 64 * 1024;
const ARGUMENTS_MAX = 1024 * 1024;
const ARGUMENTS_MAX_BEFORE_AUTH = 10;
const BULK_BYTES_MAX_BEFORE_AUTH = 16384;
const ROOM_MIN = 512;
const ROOM_USUAL = 64 * 1024;
/**
 * Free buffers of the usual size. Without them a busy client would drop a buffer every few reads, and the garbage
 * collector, which does not see their size, would let tens of MiB accumulate.
 */
const spareRooms: Uint8Array[] = [];
const SPARE_ROOMS_MAX = 16;
/** Free requests; a waiting client holds none. */
const spareRequests: Request[] = [];
const SPARE_REQUESTS_MAX = 64;
/** The request of a waiting parser. */
const IDLE = new Request();
/** The length from which Redis reads a bulk string into a separate buffer. */
const LONG_BULK_BYTES = 32 * 1024;
/** After a read of fewer bytes a small buffer is sufficient. */
const SMALL_READ_BYTES = 256;

/** Results of #number that are not numbers. */
const INCOMPLETE = -2, INVALID = -3;

export class RequestParser {
  /** The request that `next` completed, or the partly parsed one; meaningless while no bytes have been read. */
  request = IDLE;
  /** The longest accepted bulk string in bytes (proto-max-bulk-len). */
  bulkBytesMax = 512 * 1024 * 1024;
  /** False before authentication, when narrow limits apply. */
  trusted = true;

  #buffer: Uint8Array = NO_BYTES;
  #from = 0; // first byte of the current request
  #at = 0; // first byte not yet parsed
  #end = 0; // behind the last byte read
  #scanned = 0; // no line feed stands between #at and here
  #argsLeft = 0;
  #bulkLength = -1;
  #borrowed = false;

  /** Waiting bytes: read, but not yet parsed into a complete request. */
  get pendingBytes(): number {
    return this.#end - this.#from;
  }

  /** Size of the buffer. */
  get roomBytes(): number {
    return this.#buffer.length;
  }

  /** Size of the buffer; 0 if the parser has borrowed it. */
  get ownRoomBytes(): number {
    return this.#borrowed ? 0 : this.#buffer.length;
  }

  /** Waiting bytes as Redis counts them: before a long bulk string Redis discards the header. */
  get waitingBytes(): number {
    return this.#bulkLength >= LONG_BULK_BYTES ? this.#end - this.#at : this.pendingBytes;
  }

  /** A view of the free part of the buffer, never empty, to read into. Report the number of bytes with `filled`. */
  room(): Uint8Array {
    this.#wake();
    if (this.#from === this.#end) {
      this.#rebase(0);
    } else if (this.#from > 0 && this.#buffer.length - this.#end < this.#buffer.length >>> 1) {
      this.#buffer.copyWithin(0, this.#from, this.#end);
      this.#rebase(this.#from);
    }
    if (this.#end === this.#buffer.length) this.#resize(this.#nextSize());
    return this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end);
  }

  /** Reports that `count` bytes were read into the view from `room`. */
  filled(count: number): void {
    this.#end += count;
    // A read that fills a small buffer suggests that more bytes follow, so the buffer grows to its usual size at once.
    if (this.#end === this.#buffer.length && this.#buffer.length < ROOM_USUAL) this.#resize(ROOM_USUAL);
  }

  /**
   * Releases memory after a burst. Call it only between requests, and not while a read into `room` is in progress.
   * `lastRead` is the size of the last read in bytes.
   */
  trim(lastRead: number): void {
    if (this.#from !== this.#end) return;
    const usual = lastRead < SMALL_READ_BYTES ? ROOM_MIN : ROOM_USUAL;
    if (this.#buffer.length > usual) {
      this.#rebase(0);
      releaseRoom(this.#buffer);
      this.#buffer = NO_BYTES;
    }
    this.#rest();
  }

  /**
   * Drops everything after the end of the connection. No pool takes the buffer, because a read into `room` may be in
   * progress.
   */
  dispose(): void {
    if (!this.#borrowed && this.#buffer.length > ROOM_USUAL) freeBuffer(this.#buffer);
    this.#borrowed = false;
    this.#buffer = NO_BYTES;
    this.#from = this.#at = this.#end;
    this.#rebase(0);
    this.#restart();
    this.#rest();
  }

  /** Whether no bytes wait, so that the next bytes may be parsed in the buffer of the caller. */
  get empty(): boolean {
    return this.#from === this.#end;
  }

  /**
   * Parses `buffer[0, count)` in place of the parser's own buffer. Call it only if `empty`; call `giveBack` before the
   * buffer changes.
   */
  borrow(buffer: Uint8Array, count: number): void {
    this.#wake();
    this.#rebase(0);
    releaseRoom(this.#buffer);
    this.#borrowed = true;
    this.#buffer = buffer;
    this.#end = count;
  }

  /** Ends the loan: waiting bytes move to the parser's own buffer. */
  giveBack(): void {
    if (!this.#borrowed) return;
    this.#borrowed = false;
    if (this.#from === this.#end) {
      this.#buffer = NO_BYTES;
      this.#rest();
    } else {
      const waiting = this.#buffer.subarray(this.#from, this.#end);
      // A full buffer suggests that more bytes follow.
      const full = this.#end === this.#buffer.length;
      this.#buffer = takeRoom(Math.max(full ? ROOM_USUAL : ROOM_MIN, waiting.length * 2));
      this.#buffer.set(waiting);
    }
    this.#rebase(this.#from);
  }

  /**
   * Continues to parse. Returns true if `request` is complete, and false if more bytes are needed. Throws
   * ProtocolError, after which the parser is no longer usable.
   */
  next(): boolean {
    return this.#parse(this.request);
  }

  /**
   * Parses up to `requests.length` of the arrived requests into `requests`, where they replace the previous ones, and
   * returns their number. It stops before an inline request and before an error, which `next` then handles. It parses
   * none for an untrusted client, because each request may change the client's limits.
   */
  parseAhead(requests: Request[]): number {
    let count = 0;
    while (count < requests.length && this.trusted) {
      if (this.#argsLeft === 0 && (this.#at >= this.#end || this.#buffer[this.#at] !== STAR)) break;
      const { request } = this;
      try {
        if (!this.#parse(request)) break;
      } catch (error) {
        if (count === 0 || !(error instanceof ProtocolError)) throw error;
        this.#restart();
        break;
      }
      this.request = requests[count];
      requests[count++] = request;
    }
    return count;
  }

  /**
   * Takes back requests that `parseAhead` returned and that have not run, starting with `first`; they are parsed again.
   * Call it only before the buffer changes.
   */
  unread(first: Request): void {
    // An inline request is never parsed ahead: it begins at the parser's position.
    if (first.rawStart >= 0) this.#from = first.rawStart;
    this.#restart();
  }

  /**
   * Drops the bytes of the last complete request, which `next` would do. A client that waits then holds no buffer for a
   * request that has run. Nothing moves, because a read into `room` may be in progress.
   */
  finish(): void {
    if (this.#argsLeft === 0) this.#from = this.#at;
  }

  /** Returns to the start of the current request. */
  #restart(): void {
    this.#at = this.#from;
    this.#scanned = 0;
    this.#argsLeft = 0;
    this.#bulkLength = -1;
  }

  /** Continues to parse into `request`, which stays the same until it is complete. Then returns true. */
  #parse(request: Request): boolean {
    const buffer = this.#buffer, end = this.#end;
    while (this.#argsLeft === 0) {
      const at = this.#from = this.#at;
      if (at >= end) return false;
      if (buffer[at] !== STAR) {
        if (!this.#inline(request)) return false;
        if (request.argc > 0) return true;
        continue;
      }
      request.argc = 0;
      // The usual case: one digit.
      const digit = at + 4 <= end && buffer[at + 2] === CR ? buffer[at + 1] - ZERO : 0;
      if (digit > 0 && digit <= 9) {
        this.#argsLeft = digit;
        this.#at = at + 4;
        break;
      }
      const count = this.#number("mbulk");
      if (count === INCOMPLETE) return false;
      if (count === INVALID || count > ARGUMENTS_MAX) throw new ProtocolError("invalid multibulk length");
      if (count > ARGUMENTS_MAX_BEFORE_AUTH && !this.trusted) {
        throw new ProtocolError("unauthenticated multibulk length");
      }
      if (count > 0) this.#argsLeft = count;
    }
    const count = request.argc + this.#argsLeft;
    for (let i = request.argc; i < count; i++) {
      let at = this.#at, length = this.#bulkLength;
      if (length < 0) {
        length = at + 5 <= end && buffer[at] === DOLLAR ? shortLength(buffer, at + 1) : INVALID;
        if (length >= 0) {
          at += length < 10 ? 4 : 5;
        } else {
          length = this.#bulkHeader();
          if (length < 0) return false;
          at = this.#at;
        }
      }
      const after = at + length;
      if (after + 2 > end) {
        this.#at = at;
        this.#bulkLength = length;
        return false;
      }
      this.#bulkLength = -1;
      if (i === request.start.length) request.grow(i + 1);
      request.start[i] = at;
      request.end[i] = after;
      request.argc = i + 1;
      this.#argsLeft--;
      this.#at = after + 2;
    }
    request.bytes = buffer;
    request.rawStart = this.#from;
    request.rawEnd = this.#at;
    request.keyHash = request.elementHash = 0;
    return true;
  }

  /** Reads `$<length>\r\n` at #at and moves past it. Returns INCOMPLETE until the whole line has arrived. */
  #bulkHeader(): number {
    if (this.#at >= this.#end) return INCOMPLETE;
    const buffer = this.#buffer;
    if (buffer[this.#at] !== DOLLAR) {
      throw new ProtocolError(`expected '$', got '${latin1(buffer, this.#at, this.#at + 1)}'`);
    }
    const length = this.#number("bulk");
    if (length === INCOMPLETE) return INCOMPLETE;
    if (length < 0 || length > this.bulkBytesMax) throw new ProtocolError("invalid bulk length");
    if (length > BULK_BYTES_MAX_BEFORE_AUTH && !this.trusted) throw new ProtocolError("unauthenticated bulk length");
    return length;
  }

  /** Reads `<mark><number>\r\n` at #at and moves past it. -1 stands for every negative number. */
  #number(what: string): number {
    const buffer = this.#buffer, end = this.#end;
    let i = this.#at + 1;
    let value = 0;
    let c = 0;
    // The usual case: at most nine digits and the line end have arrived.
    for (; i < end; i++) {
      c = buffer[i];
      const d = c - ZERO;
      if (d < 0 || d > 9 || value > 99999999) break;
      value = value * 10 + d;
    }
    if (c === CR && i > this.#at + 1 && i + 1 < end && (buffer[this.#at + 1] !== ZERO || i === this.#at + 2)) {
      this.#at = i + 2;
      return value;
    }
    return this.#oddNumber(what);
  }

  #oddNumber(what: string): number {
    const buffer = this.#buffer;
    const cr = buffer.indexOf(CR, Math.max(this.#at, this.#scanned));
    if (cr < 0 || cr + 1 >= this.#end) {
      if (cr < 0 || cr >= this.#end) this.#scanned = this.#end;
      if (this.#end - this.#at > LINE_BYTES_MAX) throw new ProtocolError(`too big ${what} count string`);
      return INCOMPLETE;
    }
    this.#scanned = 0;
    const text = latin1(buffer, this.#at + 1, cr);
    this.#at = cr + 2;
    if (!/^(?:0|-?[1-9][0-9]{0,18})$/.test(text)) return INVALID;
    return text.charCodeAt(0) === MINUS ? -1 : Number(text);
  }

  /** Reads an inline request. If it has quotes, its arguments get separate bytes, because unquoting changes them. */
  #inline(request: Request): boolean {
    const buffer = this.#buffer;
    const lf = buffer.indexOf(LF, Math.max(this.#at, this.#scanned));
    if (lf < 0 || lf >= this.#end) {
      this.#scanned = this.#end;
      if (this.#end - this.#at > LINE_BYTES_MAX) throw new ProtocolError("too big inline request");
      return false;
    }
    this.#scanned = 0;
    const lineEnd = lf > this.#at && buffer[lf - 1] === CR ? lf - 1 : lf;
    request.rawStart = -1;
    request.keyHash = request.elementHash = 0;
    if (findArguments(buffer, this.#at, lineEnd, request)) {
      this.#at = lf + 1;
      return true;
    }
    const args = splitArguments(buffer, this.#at, lineEnd);
    if (args === undefined) throw new ProtocolError("unbalanced quotes in request");
    this.#at = lf + 1;
    request.argc = args.length;
    if (args.length === 0) return true;
    if (args.length > request.start.length) request.grow(args.length);
    let size = 0;
    for (const arg of args) size += arg.length;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < args.length; i++) {
      bytes.set(args[i], at);
      request.start[i] = at;
      request.end[i] = at += args[i].length;
    }
    request.bytes = bytes;
    return true;
  }

  #wake(): void {
    if (this.request === IDLE) this.request = spareRequests.pop() ?? new Request();
  }

  #rest(): void {
    if (this.request === IDLE) return;
    if (spareRequests.length < SPARE_REQUESTS_MAX) spareRequests.push(this.request);
    this.request.shrink();
    this.request = IDLE;
  }

  /** The size of the next larger buffer: twice the current size, or less if the current bulk string needs less. */
  #nextSize(): number {
    const doubled = Math.max(this.#buffer.length * 2, ROOM_MIN);
    if (this.#bulkLength < 0 || doubled <= ROOM_USUAL) return doubled;
    const needed = this.#at - this.#from + this.#bulkLength + 2;
    return needed > this.#buffer.length ? Math.min(doubled, needed) : doubled;
  }

  #resize(length: number): void {
    const old = this.#buffer;
    this.#buffer = takeRoom(length);
    this.#buffer.set(this.#from === 0 && this.#end === old.length ? old : old.subarray(this.#from, this.#end));
    releaseRoom(old);
    this.#rebase(this.#from);
  }

  /** Moves all indices down by `delta`; to the start if nothing is pending. */
  #rebase(delta: number): void {
    if (this.#from === this.#end) {
      this.#from =
        this.#at =
        this.#end =
        this.#scanned =
          0;
      return;
    }
    this.#from -= delta;
    this.#at -= delta;
    this.#end -= delta;
    this.#scanned = Math.max(0, this.#scanned - delta);
    const { request } = this;
    for (let i = 0; i < request.argc; i++) {
      request.start[i] -= delta;
      request.end[i] -= delta;
    }
  }
}

/**
 * The number of one or two digits before a carriage return at `i`, if four bytes can be read there; INVALID otherwise.
 */
function shortLength(buffer: Uint8Array, i: number): number {
  const a = buffer[i] - ZERO;
  if (a < 0 || a > 9) return INVALID;
  if (buffer[i + 1] === CR) return a;
  const b = buffer[i + 1] - ZERO;
  return a > 0 && b >= 0 && b <= 9 && buffer[i + 2] === CR ? a * 10 + b : INVALID;
}

function takeRoom(bytes: number): Uint8Array {
  return (bytes === ROOM_USUAL ? spareRooms.pop() : undefined) ?? new Uint8Array(bytes);
}

function releaseRoom(buffer: Uint8Array): void {
  if (buffer.length === ROOM_USUAL && spareRooms.length < SPARE_ROOMS_MAX) spareRooms.push(buffer);
  else if (buffer.length > ROOM_USUAL) freeBuffer(buffer);
}
