/**
 * The reply writer: writes RESP2 and RESP3 into chunks of bytes that a connection sends. It implements the format of
 * every reply type, and uses the RESP2 format for sessions that have not switched to RESP3.
 *
 * Hot: scalars are written byte by byte into the current chunk. Chunks come from a pool and return to it after they are
 * sent, so an idle session holds none. The chunk size grows with the number of unsent bytes.
 */
import { utf8 } from "../core/bytes.ts";
import { decimalLength, DOUBLE_BYTES_MAX, writeDecimal, writeDouble } from "../core/numbers.ts";
import { CHUNK_BYTES_MAX, releaseChunk, takeChunk } from "./chunks.ts";

const NONE = new Uint8Array(0);
/**
 * The chunk that was last written through a view, and the view. Sessions that take turns usually get the same chunk.
 */
let viewed: Uint8Array = NONE;
let viewOfIt: DataView = new DataView(NONE.buffer);

/** A view on a chunk. A chunk always begins at the start of its buffer. */
function viewOf(chunk: Uint8Array): DataView {
  if (viewed !== chunk) {
    viewed = chunk;
    viewOfIt = new DataView(chunk.buffer);
  }
  return viewOfIt;
}

/** A chunk, and the range of it that holds bytes of a reply. */
export interface ReplyPart {
  readonly chunk: Uint8Array;
  readonly view: Uint8Array;
}

/** Longer values are split over several chunks. */
const WHOLE_BYTES_MAX = 64 * 1024;
/** The minimum size of a chunk that follows a full one; large chunks need fewer writes. */
const NEXT_CHUNK_BYTES = 64 * 1024;
/** The most bytes that a bulk string takes in addition to its value. */
const BULK_ROOM_BYTES = 16;
/** The most characters of a safe integer, with its sign. */
const DECIMAL_BYTES_MAX = 17;
/**
 * Above this length set(subarray) is faster than copying eight bytes at a time. From eight bytes on, the latter is
 * faster than a loop over bytes.
 */
const VIEW_COPY_BYTES_MAX = 200;
const CR = 13, LF = 10;

const doubleText = new Uint8Array(DOUBLE_BYTES_MAX);

export class Reply {
  /** Protocol version of the session, 2 or 3. */
  version = 2;
  /** The chunk that is being written, and the number of bytes written to it. */
  chunk: Uint8Array = NONE;
  length = 0;
  /** The full chunks before it. */
  readonly #full: ReplyPart[] = [];
  #fullBytes = 0;
  #fullRoomBytes = 0;
  /**
   * Messages that the session shares with others, `#shared[#sharedStart, #sharedEnd)`. They are the whole output then:
   * there is no chunk, and #fullBytes is their length.
   */
  #shared: Uint8Array = NONE;
  #sharedStart = 0;
  #sharedEnd = 0;
  /** A reply beyond this length calls `onLimit`. If that closes the connection, no further bytes are kept. */
  limitBytes = Infinity;
  onLimit: (() => boolean) | undefined;
  #discarding = false;
  /** Number of error replies written; the executor reads it. */
  errors = 0;
  lastError = "";

  /** Bytes that are written and not yet taken. */
  get pendingBytes(): number {
    return this.#fullBytes + this.length;
  }

  /** Size in bytes of the chunks that the writer holds. */
  get roomBytes(): number {
    return this.#fullRoomBytes + this.chunk.length;
  }

  /** Moves all written bytes to the end of `parts`, in order. The caller returns each chunk with `releaseChunk`. */
  take(parts: ReplyPart[] = []): ReplyPart[] {
    this.own();
    for (const part of this.#full) parts.push(part);
    if (this.length > 0) parts.push({ chunk: this.chunk, view: this.chunk.subarray(0, this.length) });
    else if (this.chunk !== NONE) releaseChunk(this.chunk);
    this.#full.length = 0;
    this.#fullBytes = this.#fullRoomBytes = 0;
    this.reset();
    return parts;
  }

  /**
   * Appends a message that other sessions receive too: `chunk[start, end)` of SharedBytes. It is not copied if the
   * output consists of shared messages that stand behind each other. Hot.
   */
  share(chunk: Uint8Array, start: number, end: number): void {
    if (this.#shared === chunk && this.#sharedEnd === start) {
      this.#sharedEnd = end;
      this.#fullBytes += end - start;
    } else if (this.pendingBytes === 0 && !this.#discarding) {
      if (this.chunk !== NONE) releaseChunk(this.chunk);
      this.reset();
      this.#shared = chunk;
      this.#sharedStart = start;
      this.#sharedEnd = end;
      this.#fullBytes = end - start;
    } else {
      this.raw(chunk, start, end);
    }
  }

  /** Whether the output consists of shared messages. */
  get shared(): boolean {
    return this.#shared !== NONE;
  }

  /** Takes the shared messages. The bytes change at the end of the turn. */
  takeShared(): Uint8Array {
    const bytes = this.#shared.subarray(this.#sharedStart, this.#sharedEnd);
    this.#shared = NONE;
    this.#fullBytes = 0;
    return bytes;
  }

  /** Copies shared messages into a chunk of this writer. */
  own(): void {
    if (this.#shared === NONE) return;
    const bytes = this.takeShared();
    this.raw(bytes, 0, bytes.length);
  }

  /** Whether the output is a single chunk, the usual case: send `chunk[0, length)`, then call `reset`. */
  get single(): boolean {
    return this.#full.length === 0;
  }

  /** Drops the reference to the current chunk, which the caller has taken. */
  reset(): void {
    this.chunk = NONE;
    this.length = 0;
  }

  /** Drops all output and releases the chunks. */
  clear(): void {
    this.rewind(0);
    if (this.chunk !== NONE) releaseChunk(this.chunk);
    this.reset();
  }

  /** A position for `rewind`, used by CLIENT REPLY OFF and for errors after a partly written reply. */
  mark(): number {
    return this.pendingBytes;
  }

  /** Drops all bytes written since `mark`. */
  rewind(mark: number): void {
    if (mark < this.#fullBytes && this.#shared !== NONE) this.takeShared();
    while (this.#fullBytes > mark) {
      const { chunk, view } = this.#full.pop()!;
      this.#fullBytes -= view.length;
      this.#fullRoomBytes -= chunk.length;
      releaseChunk(this.chunk);
      this.chunk = chunk;
      this.length = view.length;
    }
    this.length = mark - this.#fullBytes;
  }

  /** Copies all bytes written since `mark`, for tests and for embedding. */
  copySince(mark: number): Uint8Array {
    this.own();
    const out = new Uint8Array(this.pendingBytes - mark);
    let at = 0;
    for (const view of [...this.#full.map((part) => part.view), this.chunk.subarray(0, this.length)]) {
      const from = Math.max(0, mark - at);
      if (from < view.length) out.set(view.subarray(from), at + from - mark);
      at += view.length;
    }
    return out;
  }

  ok(): void {
    this.#ensure(5);
    const c = this.chunk;
    let i = this.length;
    c[i++] = 43;
    c[i++] = 79;
    c[i++] = 75;
    c[i++] = CR;
    c[i++] = LF;
    this.length = i;
  }

  /** A simple string: latin1 text without line breaks. */
  simple(text: string): void {
    this.#line(43, text);
  }

  /** An error reply; `message` is latin1 and starts with its code. Line breaks become spaces. */
  error(message: string): void {
    this.errors++;
    this.lastError = message;
    this.#line(45, message.replace(/[\r\n]/g, " "));
  }

  integer(value: number): void {
    this.#header(58, value);
  }

  /** An integer that may exceed 2^53. */
  bigInteger(value: bigint): void {
    this.#line(58, String(value));
  }

  bulk(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const size = end - start;
    if (size > WHOLE_BYTES_MAX) return this.#longBulk(bytes, start, end);
    this.#ensure(size + BULK_ROOM_BYTES);
    const c = this.chunk;
    let i = this.length;
    c[i++] = 36;
    i = writeDecimal(c, i, size);
    c[i++] = CR;
    c[i++] = LF;
    if (size > 48) {
      c.set(bytes.subarray(start, end), i);
      i += size;
    } else {
      while (start < end) c[i++] = bytes[start++];
    }
    c[i++] = CR;
    c[i++] = LF;
    this.length = i;
  }

  /** Like `bulk`, for bytes of the arena, given as a view on their chunk. Hot. */
  bulkView(view: DataView, start: number, end: number): void {
    if (end - start > WHOLE_BYTES_MAX) return this.#longBulk(bytesOf(view, start, end), 0, end - start);
    this.#ensure(end - start + BULK_ROOM_BYTES);
    this.length = writeBulk(this.chunk, viewOf(this.chunk), this.length, view, start, end);
  }

  /** `count` bulk strings; the k-th is `view[starts[k], ends[k])`. Hot. */
  bulkViews(view: DataView, starts: Int32Array, ends: Int32Array, count: number): void {
    for (let k = 0; k < count;) {
      const size = ends[k] - starts[k];
      if (size > WHOLE_BYTES_MAX) {
        this.bulkView(view, starts[k], ends[k]);
        k++;
        continue;
      }
      this.#ensure(size + BULK_ROOM_BYTES);
      const c = this.chunk, to = viewOf(c), room = c.length - BULK_ROOM_BYTES;
      let i = this.length;
      while (k < count && i + ends[k] - starts[k] <= room) {
        i = writeBulk(c, to, i, view, starts[k], ends[k]);
        k++;
      }
      this.length = i;
    }
  }

  /**
   * An array of two: the bulk string `head[0, headEnd)` and an array of `count` bulk strings, of which the k-th is
   * `view[starts[k], ends[k])`. Hot.
   */
  entry(head: DataView, headEnd: number, view: DataView, starts: Int32Array, ends: Int32Array, count: number): void {
    let bytes = headEnd + (2 + count) * BULK_ROOM_BYTES;
    for (let k = 0; k < count; k++) bytes += ends[k] - starts[k];
    if (bytes > WHOLE_BYTES_MAX) {
      this.array(2);
      this.bulkView(head, 0, headEnd);
      this.array(count);
      this.bulkViews(view, starts, ends, count);
      return;
    }
    this.#ensure(bytes);
    const c = this.chunk, to = viewOf(c);
    let i = this.length;
    to.setInt32(i, ARRAY_OF_TWO, true);
    i = writeBulk(c, to, i + 4, head, 0, headEnd);
    c[i++] = 42;
    i = writeDecimal(c, i, count);
    c[i++] = CR;
    c[i++] = LF;
    for (let k = 0; k < count; k++) i = writeBulk(c, to, i, view, starts[k], ends[k]);
    this.length = i;
  }

  /** `count` bulk strings; the k-th is `views[chunks[k]]` from `starts[k]` to `ends[k]`. Hot. */
  bulksOf(
    views: readonly DataView[],
    chunks: Int32Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
  ): void {
    for (let k = 0; k < count;) {
      const size = ends[k] - starts[k];
      if (size > WHOLE_BYTES_MAX) {
        this.bulkView(views[chunks[k]], starts[k], ends[k]);
        k++;
        continue;
      }
      this.#ensure(size + BULK_ROOM_BYTES);
      const c = this.chunk, to = viewOf(c), room = c.length - BULK_ROOM_BYTES;
      let i = this.length;
      while (k < count && i + ends[k] - starts[k] <= room) {
        i = writeBulk(c, to, i, views[chunks[k]], starts[k], ends[k]);
        k++;
      }
      this.length = i;
    }
  }

  /** A bulk string of text in UTF-8. */
  bulkText(text: string): void {
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return this.bulk(utf8(text));
    this.#header(36, text.length);
    this.#text(text);
    this.#text("\r\n");
  }

  /** A bulk string of the digits of an integer. Hot. */
  bulkInteger(value: number): void {
    this.#ensure(BULK_ROOM_BYTES + DECIMAL_BYTES_MAX);
    const c = this.chunk;
    // For short numbers the length is one digit, so the header can be written after the digits.
    const brief = value > -1e8 && value < 1e9;
    let i = this.length;
    c[i++] = 36;
    if (!brief) i = writeDecimal(c, i, decimalLength(value));
    const at = i;
    if (brief) i++;
    c[i++] = CR;
    c[i++] = LF;
    const from = i;
    i = writeDecimal(c, i, value);
    if (brief) c[at] = 48 + i - from;
    c[i++] = CR;
    c[i++] = LF;
    this.length = i;
  }

  /** The null reply. */
  null(): void {
    if (this.version === 3) this.#text("_\r\n");
    else this.#text("$-1\r\n");
  }

  /** The null array; in RESP3 it is the same as the null reply. */
  nullArray(): void {
    if (this.version === 3) this.#text("_\r\n");
    else this.#text("*-1\r\n");
  }

  /** Header of an array; `count` replies follow. */
  array(count: number): void {
    this.#header(42, count);
  }

  /**
   * Header of an array whose count is not known yet; it is at most `most`. Returns the mark for `endArray`.
   */
  beginArray(most: number): number {
    const mark = this.mark();
    this.array(most);
    return mark;
  }

  /** `beginArray` for a map of RESP3. */
  beginMap(most: number): number {
    const mark = this.mark();
    this.#header(37, most);
    return mark;
  }

  /** Says how many elements the array, or pairs the map, that began at `mark` has got. */
  endArray(mark: number, most: number, count: number): void {
    if (count === most || this.#discarding) return;
    const shorter = decimalLength(most) - decimalLength(count);
    if (mark >= this.#fullBytes) {
      rewriteCount(this.chunk, mark - this.#fullBytes, this.length, count, shorter);
      this.length -= shorter;
      return;
    }
    let i = this.#full.length - 1, start = this.#fullBytes - this.#full[i].view.length;
    while (start > mark) start -= this.#full[--i].view.length;
    const { chunk, view } = this.#full[i];
    rewriteCount(chunk, mark - start, view.length, count, shorter);
    this.#full[i] = { chunk, view: chunk.subarray(0, view.length - shorter) };
    this.#fullBytes -= shorter;
  }

  /** Header of a map with `count` pairs; a flat array in RESP2. */
  map(count: number): void {
    if (this.version === 3) this.#header(37, count);
    else this.#header(42, count * 2);
  }

  /** Header of a set; an array in RESP2. */
  set(count: number): void {
    this.#header(this.version === 3 ? 126 : 42, count);
  }

  /** Header of an out-of-band message; an array in RESP2. */
  push(count: number): void {
    this.#header(this.version === 3 ? 62 : 42, count);
  }

  /** Header of attributes with `count` pairs; RESP3 only. */
  attribute(count: number): void {
    this.#header(124, count);
  }

  /** A double with digits of the caller's choice; a bulk string in RESP2. */
  doubleText(text: string): void {
    if (this.version === 3) this.#line(44, text);
    else this.bulkText(text);
  }

  /** A double; a bulk string in RESP2. Hot. */
  double(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (this.version === 3) this.#header(44, value);
      else this.bulkInteger(value);
      return;
    }
    this.#ensure(BULK_ROOM_BYTES + DOUBLE_BYTES_MAX);
    const end = writeDouble(doubleText, 0, value);
    if (this.version !== 3) return this.bulk(doubleText, 0, end);
    this.chunk[this.length++] = 44;
    this.raw(doubleText, 0, end);
    this.#text("\r\n");
  }

  /** A boolean; 1 or 0 in RESP2. */
  boolean(value: boolean): void {
    if (this.version === 3) this.#text(value ? "#t\r\n" : "#f\r\n");
    else this.integer(value ? 1 : 0);
  }

  /** A number beyond 64 bits; a bulk string in RESP2. */
  bigNumber(digits: string): void {
    if (this.version === 3) this.#line(40, digits);
    else this.bulkText(digits);
  }

  /** Text for display, with a format of three letters; a bulk string in RESP2. */
  verbatim(format: string, text: string): void {
    if (this.version !== 3) return this.bulkText(text);
    const bytes = utf8(`${format}:${text}`);
    this.#header(61, bytes.length);
    this.raw(bytes, 0, bytes.length);
    this.#text("\r\n");
  }

  /** Bytes that are already RESP. */
  raw(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > WHOLE_BYTES_MAX) return this.#spread(bytes, start, end);
    this.#ensure(end - start);
    const c = this.chunk;
    let i = this.length;
    if (end - start > 48) {
      c.set(bytes.subarray(start, end), i);
      i += end - start;
    } else {
      while (start < end) c[i++] = bytes[start++];
    }
    this.length = i;
  }

  /** A type byte, a safe integer and the line end. */
  #header(mark: number, count: number): void {
    this.#ensure(24);
    const c = this.chunk;
    let i = this.length;
    c[i++] = mark;
    i = writeDecimal(c, i, count);
    c[i++] = CR;
    c[i++] = LF;
    this.length = i;
  }

  #line(mark: number, text: string): void {
    const { length } = text;
    if (length > WHOLE_BYTES_MAX) return this.#longLine(mark, text);
    this.#ensure(length + 3);
    const c = this.chunk;
    let i = this.length;
    c[i++] = mark;
    for (let k = 0; k < length; k++) c[i++] = text.charCodeAt(k);
    c[i++] = CR;
    c[i++] = LF;
    this.length = i;
  }

  #longLine(mark: number, text: string): void {
    this.#text(String.fromCharCode(mark));
    this.#text(text);
    this.#text("\r\n");
  }

  /** One byte per character, so text from a client is returned as the same bytes. */
  #text(text: string): void {
    for (let from = 0; from < text.length; from += WHOLE_BYTES_MAX) {
      const to = Math.min(text.length, from + WHOLE_BYTES_MAX);
      this.#ensure(to - from);
      const c = this.chunk;
      let i = this.length;
      for (let k = from; k < to; k++) c[i++] = text.charCodeAt(k);
      this.length = i;
    }
  }

  #longBulk(bytes: Uint8Array, start: number, end: number): void {
    this.#header(36, end - start);
    this.#spread(bytes, start, end);
    this.#text("\r\n");
  }

  /** Writes bytes over as many chunks as necessary. */
  #spread(bytes: Uint8Array, start: number, end: number): void {
    while (start < end) {
      if (this.length === this.chunk.length) this.#nextChunk(Math.min(end - start, CHUNK_BYTES_MAX));
      const size = Math.min(end - start, this.chunk.length - this.length);
      this.chunk.set(bytes.subarray(start, start + size), this.length);
      this.length += size;
      start += size;
    }
  }

  #ensure(bytes: number): void {
    if (this.chunk.length - this.length < bytes) this.#nextChunk(bytes);
  }

  /** Continues in a chunk with room for `bytes`. */
  #nextChunk(bytes: number): void {
    if (this.#shared !== NONE) {
      this.own();
      return this.#ensure(bytes);
    }
    if (this.#fullBytes > this.limitBytes && !this.#discarding && this.onLimit?.() === false) {
      this.#discarding = true;
      this.clear();
    }
    if (this.#discarding) {
      this.clear();
    } else if (this.length > 0) {
      this.#full.push({ chunk: this.chunk, view: this.chunk.subarray(0, this.length) });
      this.#fullBytes += this.length;
      this.#fullRoomBytes += this.chunk.length;
      bytes = Math.max(bytes, Math.min(CHUNK_BYTES_MAX, Math.max(NEXT_CHUNK_BYTES, this.#fullBytes)));
    } else if (this.chunk !== NONE) {
      releaseChunk(this.chunk);
    }
    this.chunk = takeChunk(bytes);
    this.length = 0;
  }
}

/**
 * Replaces the count in the header at `at`, which gets `shorter` by some digits, in the first `length` bytes of a
 * chunk.
 */
function rewriteCount(chunk: Uint8Array, at: number, length: number, count: number, shorter: number): void {
  const end = writeDecimal(chunk, at + 1, count);
  if (shorter > 0) chunk.copyWithin(end, end + shorter, length);
}

function bytesOf(view: DataView, start: number, end: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + start, end - start);
}

/** `*2\r\n`, little-endian. */
const ARRAY_OF_TWO = 0x0a0d322a;

/** The first four bytes of a bulk string's header, by its length below 100: `$8\r\n`, `$88\r`. Little-endian. */
const HEADERS = Int32Array.from({ length: 100 }, (_, n) => {
  const [a, b, c, d] = utf8(`$${n}\r\n`);
  return a | b << 8 | c << 16 | d << 24;
});

/** Writes `view[start, end)` as a bulk string at `i` of a chunk with room for it. Returns the index after it. */
function writeBulk(c: Uint8Array, to: DataView, i: number, view: DataView, start: number, end: number): number {
  const size = end - start;
  if (size < 100) {
    to.setInt32(i, HEADERS[size], true);
    i += 4;
    if (size >= 10) c[i++] = LF;
  } else {
    c[i++] = 36;
    i = writeDecimal(c, i, size);
    c[i++] = CR;
    c[i++] = LF;
  }
  if (size > VIEW_COPY_BYTES_MAX) {
    c.set(bytesOf(view, start, end), i);
    i += size;
  } else if (size >= 8) {
    for (const last = end - 8; start < last; start += 8, i += 8) to.setBigInt64(i, view.getBigInt64(start, true), true);
    // The last eight bytes overlap the bytes before them.
    i += end - 8 - start;
    to.setBigInt64(i, view.getBigInt64(end - 8, true), true);
    i += 8;
  } else {
    while (start < end) c[i++] = view.getUint8(start++);
  }
  c[i] = CR;
  c[i + 1] = LF;
  return i + 2;
}
