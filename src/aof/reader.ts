/**
 * Reads an append-only file item by item: commands in RESP, seals (checksum.ts), and timestamps of Redis. It is
 * stricter than the parser of requests, so that it detects damage. It reports the offset of each item and runs no
 * command.
 */
import { latin1 } from "../core/bytes.ts";
import { Request } from "../resp/request.ts";
import { Checksum, parseSeal, type Seal } from "./checksum.ts";

const CR = 13, LF = 10, HASH = 35, DOLLAR = 36, STAR = 42, ZERO = 48;
const ARGUMENTS_MAX = 1024 * 1024;
const BULK_BYTES_MAX = 0x7fffffff;
const TIMESTAMP = /^#TS:(\d{1,12})\r\n$/;
const ANNOTATION_BYTES_MAX = 128;
const ROOM_BYTES_FIRST = 4 * 1024, ROOM_BYTES = 128 * 1024;

/** Results of #number that are not numbers. */
const INCOMPLETE = -1, INVALID = -2;

/** The kinds of items that `next` finds. MORE: the item is incomplete, call `fill`. */
export const Item = { MORE: 0, COMMAND: 1, SEAL: 2, TIMESTAMP: 3 } as const;
export type Item = typeof Item[keyof typeof Item];

/** Bytes that no server writes. */
export class Damage extends Error {
  override name = "Damage";
  /** Offset of the damaged item in the file. */
  readonly offset: number;

  constructor(offset: number, reason: string) {
    super(reason);
    this.offset = offset;
  }
}

/** A file, or the bytes of a test. */
export interface Source {
  /** Reads the next bytes. Returns their number, null at the end. */
  readSync(into: Uint8Array): number | null;
}

export class AofReader {
  /** The command that `next` found; valid until the next call. */
  readonly request = new Request();
  /** The seal that `next` found, and whether it matches the bytes before it. */
  seal: Seal | undefined;
  sealFits = false;
  /** The timestamp that `next` found. */
  timestampMs = 0;
  /** Offsets in the file of the item that `next` found. */
  itemStart = 0;
  itemEnd = 0;
  readonly #source: Source;
  /** Offset in the file of the end of reading. */
  readonly #limit: number;
  readonly #checksum: Checksum;
  #buffer = new Uint8Array(ROOM_BYTES_FIRST);
  /** Offset in the file of the buffer's first byte. */
  #base = 0;
  #at = 0; // first byte of the next item
  #end = 0; // after the last byte read
  #summed = 0; // the checksum covers the bytes before it

  /** Reads from byte `start` of the file, which is the position of the source, to byte `limit`. */
  constructor(source: Source, limit = Infinity, start = 0) {
    this.#source = source;
    this.#limit = limit;
    this.#base = start;
    this.#checksum = new Checksum(start);
  }

  /** Offset after the last byte that was read. */
  get readBytes(): number {
    return this.#base + this.#end;
  }

  /** Whether bytes of an incomplete item remain. */
  get pending(): boolean {
    return this.#at < this.#end;
  }

  /** Offset of the first byte after the last item. */
  get position(): number {
    return this.#base + this.#at;
  }

  /** The checksum of the bytes between the last seal and the position. */
  get checksum(): number {
    this.#checksum.update(this.#buffer, this.#summed, this.#at);
    this.#summed = this.#at;
    return this.#checksum.value;
  }

  /** Reads more bytes. False at the end of the file. */
  fill(): boolean {
    if (this.#at > 0) {
      this.#checksum.update(this.#buffer, this.#summed, this.#at);
      this.#buffer.copyWithin(0, this.#at, this.#end);
      this.#base += this.#at;
      this.#end -= this.#at;
      this.#at = this.#summed = 0;
    }
    if (this.#end > this.#buffer.length >>> 1) this.#grow(this.#buffer.length * 2);
    else if (this.#base > 0 && this.#buffer.length < ROOM_BYTES) this.#grow(ROOM_BYTES);
    const room = Math.min(this.#buffer.length, this.#limit - this.#base);
    if (this.#end >= room) return false;
    const count = this.#source.readSync(this.#buffer.subarray(this.#end, room));
    if (count === null) return false;
    this.#end += count;
    return true;
  }

  #grow(length: number): void {
    const grown = new Uint8Array(length);
    grown.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = grown;
  }

  /** Finds the next item. Throws Damage. */
  next(): Item {
    if (this.#at >= this.#end) return Item.MORE;
    switch (this.#buffer[this.#at]) {
      case STAR:
        return this.#command();
      case HASH:
        return this.#annotation();
      default:
        throw this.#damage(`a command must begin with '*', not ${this.#shown(this.#at)}`);
    }
  }

  #command(): Item {
    const { request } = this;
    const buffer = this.#buffer, end = this.#end;
    let at = this.#at;
    const argc = this.#number(at, ARGUMENTS_MAX);
    if (argc === INCOMPLETE) return Item.MORE;
    if (argc <= 0) throw this.#damage("the number of arguments is wrong");
    at += 3 + digits(argc);
    if (argc > request.start.length && argc <= end - at) request.grow(argc);
    for (let i = 0; i < argc; i++) {
      if (at >= end) return Item.MORE;
      if (buffer[at] !== DOLLAR) {
        throw this.#damage(`argument ${i} must begin with '$', not ${this.#shown(at)}`);
      }
      const length = this.#number(at, BULK_BYTES_MAX);
      if (length === INCOMPLETE) return Item.MORE;
      if (length === INVALID) throw this.#damage(`the length of argument ${i} is wrong`);
      const start = at + 3 + digits(length);
      at = start + length;
      if ((at < end && buffer[at] !== CR) || (at + 1 < end && buffer[at + 1] !== LF)) {
        throw this.#damage(`argument ${i} is longer or shorter than announced`);
      }
      if (at + 2 > end) return Item.MORE;
      request.start[i] = start;
      request.end[i] = at;
      at += 2;
    }
    request.bytes = buffer;
    request.argc = argc;
    request.rawStart = this.#at;
    request.rawEnd = at;
    this.#found(at);
    return Item.COMMAND;
  }

  #annotation(): Item {
    const start = this.#at;
    const window = this.#buffer.subarray(start, Math.min(this.#end, start + ANNOTATION_BYTES_MAX));
    const lf = window.indexOf(LF);
    if (lf < 0) {
      if (window.length === ANNOTATION_BYTES_MAX) throw this.#damage("a line is too long");
      return Item.MORE;
    }
    const end = start + lf + 1;
    const seal = parseSeal(this.#buffer, start, end);
    if (seal === undefined) {
      const match = TIMESTAMP.exec(latin1(this.#buffer, start, end));
      if (match === null) throw this.#damage("a line is neither checksum nor timestamp");
      this.timestampMs = Number(match[1]) * 1000;
      this.#found(end);
      return Item.TIMESTAMP;
    }
    this.#checksum.update(this.#buffer, this.#summed, seal.coveredEnd);
    this.seal = seal;
    this.sealFits = this.#checksum.value === seal.value;
    this.#found(end);
    this.#summed = end;
    this.#checksum.begin(this.itemEnd);
    return Item.SEAL;
  }

  #found(end: number): void {
    this.itemStart = this.#base + this.#at;
    this.itemEnd = this.#base + end;
    this.#at = end;
  }

  /** Reads `<mark><number>\r\n` at `at`: no sign, no leading zero. */
  #number(at: number, max: number): number {
    const buffer = this.#buffer, end = this.#end;
    let value = 0;
    let i = at + 1;
    for (; i < end; i++) {
      const digit = buffer[i] - ZERO;
      if (digit < 0 || digit > 9) break;
      if (i > at + 1 && buffer[at + 1] === ZERO) return INVALID;
      value = value * 10 + digit;
      if (value > max) return INVALID;
    }
    if (i >= end) return INCOMPLETE;
    if (i === at + 1 || buffer[i] !== CR) return INVALID;
    if (i + 1 >= end) return INCOMPLETE;
    return buffer[i + 1] === LF ? value : INVALID;
  }

  #damage(reason: string): Damage {
    return new Damage(this.position, reason);
  }

  #shown(at: number): string {
    return shownBytes(this.#buffer, at, at + 1);
  }
}

function digits(value: number): number {
  let count = 1;
  for (; value >= 10; value = Math.floor(value / 10)) count++;
  return count;
}

/** Formats bytes for a message: in quotes, with unprintable bytes as \xHH. */
export function shownBytes(bytes: Uint8Array, start: number, end: number): string {
  const text = latin1(bytes, start, end).replace(/[^ !#-\[\]-~]/g, (c) => {
    if (c === '"' || c === "\\") return "\\" + c;
    return "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0");
  });
  return `"${text}"`;
}

const WORD_BYTES_MAX = 40;

/** Formats a command for a message: its name and first argument. */
export function shownCommand({ bytes, argc, start, end }: Request): string {
  const word = (i: number) => {
    const cut = end[i] - start[i] > WORD_BYTES_MAX;
    const text = shownBytes(bytes, start[i], cut ? start[i] + WORD_BYTES_MAX : end[i]);
    return (/^"[\w:.|-]+"$/.test(text) ? text.slice(1, -1) : text) + (cut ? "…" : "");
  };
  return word(0) + (argc > 1 ? ` ${word(1)}` : "") + (argc > 2 ? " …" : "");
}
