/**
 * Decides how much of an append-only file may be loaded, before any of it is: reads it whole, checks its form and its seals,
 * and when something is wrong tells the two kinds of damage apart.
 *
 * The tail is what a crash may leave: an unfinished command or transaction, or bytes that had not been synced. It may be
 * dropped. Damage in the middle stands before something that had been synced, or that is whole: nothing but a fault of the
 * disk or a hand explains it, and a server that went on without what follows would lose data in silence.
 *
 * A file without seals, of Redis for example, shows damage only where its form is broken.
 */
import { Buffer } from "node:buffer";
import { equalsWord } from "../core/bytes.ts";
import type { Request } from "../resp/request.ts";
import { Checksum, parseSeal, SEAL_BYTES_MAX, SEAL_START } from "./checksum.ts";
import { foreignName } from "./foreign.ts";
import { AofReader, Damage, Item, shownBytes, shownCommand, type Source } from "./reader.ts";

export interface SeekableSource extends Source {
  seekSync(offset: number, whence: Deno.SeekMode): number;
}

export interface DamageReport {
  /** Where the damage begins, in bytes from the start of the file. */
  readonly offset: number;
  readonly reason: string;
  /** The command there, as far as it can be read; "" if none can. */
  readonly command: string;
  /** The bytes behind it were synced or are whole: they must not be dropped without asking. */
  readonly middle: boolean;
  /** The file is whole, but here stands a command of another server, which MemDB does not have: its name. */
  readonly foreign?: string;
}

export interface Verdict {
  /** Where the commands begin. */
  readonly startBytes: number;
  readonly totalBytes: number;
  /** The bytes before are whole, and right as far as checksums and form tell. */
  readonly wholeBytes: number;
  /** Commands in it, MULTI and EXEC included. */
  readonly commands: number;
  /** The running checksum there, to go on with. */
  readonly checksum: number;
  readonly seals: number;
  readonly damage: DamageReport | undefined;
}

export interface VerifyOptions {
  /** Where the commands begin, behind a snapshot; 0 unless given. */
  start?: number;
  /** Whether there is a command of the request's name. */
  knows: (request: Request) => boolean;
  /** Called after every piece of the file, with the bytes read so far. The promise that it returns is awaited. */
  pause?: (readBytes: number) => Promise<void> | undefined;
}

/** Bytes of a file that are searched at once. */
const PIECE_BYTES = 256 * 1024, PIECE_BYTES_MIN = 4 * 1024;
/** Places that are tried when a command is looked for behind damage. */
const TRIES_MAX = 1000;
/** How long it may be there. */
const LOOKED_AT_BYTES = 64 * 1024;
const SHOWN_BYTES = 40;

/** A place between two commands that are no part of one transaction, and the last seal before it. */
interface Boundary {
  readonly offset: number;
  readonly commands: number;
  readonly sealEnd: number;
}

/** Reads the file and judges it. */
export async function verify(file: SeekableSource, options: VerifyOptions): Promise<Verdict> {
  const walk = new Walk(file, options);
  let fault: Fault | undefined;
  try {
    fault = await walk.run(options.pause);
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    fault = error instanceof ForeignCommand
      ? { offset: error.offset, reason: error.message, middle: true, foreign: error.command }
      : faultOf(error, file, walk);
  }
  const end = walk.isSealed ? walk.sealed : walk.boundary;
  return {
    startBytes: options.start ?? 0,
    totalBytes: file.seekSync(0, Deno.SeekMode.End),
    wholeBytes: end.offset,
    commands: end.commands,
    checksum: fault === undefined ? walk.reader.checksum : checksumOf(file, end),
    seals: walk.seals,
    damage: fault && { ...fault, command: commandAt(file, fault.offset) },
  };
}

type Fault = Omit<DamageReport, "command">;

/** A command of another server. It ends the reading of the file as damage does. */
class ForeignCommand extends Damage {
  override name = "ForeignCommand";
  readonly command: string;

  constructor(offset: number, command: string) {
    super(offset, `MemDB has no ${command}`);
    this.command = command;
  }
}

function faultOf({ offset, message }: Damage, file: SeekableSource, walk: Walk): Fault {
  const later = laterFloor(file, offset);
  if (later >= 0) walk.isSealed = true;
  // Sectors that a power failure has taken may read as zeros, which no file of commands holds.
  const middle = walk.isSealed ? later > walk.sealEnd : !onlyZeros(file, offset);
  return { offset, reason: message, middle };
}

/** The first reading of a file: to its end, or to the first damage. */
class Walk {
  readonly reader: AofReader;
  /** The last boundary, and the last that a seal covers. */
  boundary: Boundary;
  sealed: Boundary;
  /** Whether a seal was found in the file. */
  isSealed = false;
  seals = 0;
  sealEnd: number;
  #commands = 0;
  /** Where the transaction begins that is open, -1 outside of one. */
  #unitStart = -1;
  readonly #file: SeekableSource;
  readonly #knows: VerifyOptions["knows"];

  constructor(file: SeekableSource, { start = 0, knows }: VerifyOptions) {
    this.#file = file;
    this.#knows = knows;
    file.seekSync(start, Deno.SeekMode.Start);
    this.reader = new AofReader(file, Infinity, start);
    this.boundary = this.sealed = { offset: start, commands: 0, sealEnd: start };
    this.sealEnd = start;
  }

  async run(pause: VerifyOptions["pause"]): Promise<Fault | undefined> {
    const { reader } = this;
    while (reader.fill()) {
      const fault = this.#items();
      if (fault !== undefined) return fault;
      const waiting = pause?.(reader.readBytes);
      if (waiting !== undefined) await waiting;
    }
    if (reader.pending) return this.#cut(reader.position);
    if (this.#unitStart >= 0) {
      return { offset: this.#unitStart, reason: "the file ends within a transaction", middle: false };
    }
    if (this.isSealed && this.boundary.offset > this.sealEnd) {
      return { offset: this.sealEnd, reason: "no checksum covers what follows", middle: false };
    }
  }

  #items(): Fault | undefined {
    const { reader } = this;
    for (let item = reader.next(); item !== Item.MORE; item = reader.next()) {
      if (item === Item.COMMAND) this.#command(reader.request);
      else if (item === Item.SEAL && !this.#seal()) return this.#unfit();
      if (this.#unitStart < 0) {
        this.boundary = { offset: reader.itemEnd, commands: this.#commands, sealEnd: this.sealEnd };
      }
      if (item === Item.SEAL) this.sealed = this.boundary;
    }
  }

  #command(request: Request): void {
    const { itemStart } = this.reader;
    this.#commands++;
    if (isWord(request, "multi")) {
      if (this.#unitStart >= 0) throw new Damage(itemStart, "a transaction begins within a transaction");
      this.#unitStart = itemStart;
    } else if (isWord(request, "exec")) {
      if (this.#unitStart < 0) throw new Damage(itemStart, "a transaction ends that did not begin");
      this.#unitStart = -1;
    } else if (!this.#knows(request)) {
      const foreign = foreignName(request);
      if (foreign !== "") throw new ForeignCommand(itemStart, foreign);
      throw new Damage(itemStart, "there is no such command");
    }
  }

  #seal(): boolean {
    const { reader } = this;
    this.isSealed = true;
    if (!reader.sealFits) return false;
    this.seals++;
    this.sealEnd = reader.itemEnd;
    return true;
  }

  #unfit(): Fault {
    const { reader, sealEnd } = this;
    const later = laterFloor(this.#file, reader.itemStart);
    const reason = `bytes ${sealEnd} to ${reader.itemStart} do not fit their checksum`;
    return { offset: sealEnd, reason, middle: later > sealEnd };
  }

  #cut(offset: number): Fault {
    const later = laterFloor(this.#file, offset);
    if (later >= 0) this.isSealed = true;
    const middle = this.isSealed ? later > this.sealEnd : wholeCommandFollows(this.#file, offset, this.#knows);
    // A length that grew by damage swallows what follows, to the end of the file.
    const reason = middle ? "a length is wrong" : "the file ends within a command";
    return { offset, reason, middle };
  }
}

function isWord({ argc, bytes, start, end }: Request, word: string): boolean {
  return argc === 1 && equalsWord(bytes, start[0], end[0], word);
}

/**
 * The highest offset below which everything had been synced, as the seals behind `from` tell; -1 if none of them fits. The
 * item at `from` may be a damaged seal: then the next group begins somewhere within its length.
 */
function laterFloor(file: SeekableSource, from: number): number {
  const piece = pieceFor(file, from);
  file.seekSync(from, Deno.SeekMode.Start);
  let groups: Checksum[] = Array.from({ length: SEAL_BYTES_MAX }, (_, i) => new Checksum(from + 1 + i));
  let floor = -1;
  let base = from, length = 0;
  for (let more = true; more;) {
    const count = file.readSync(piece.subarray(length));
    more = count !== null;
    length += count ?? 0;
    // A seal that the piece cuts is found in the next one.
    const searchEnd = more ? Math.max(0, length - SEAL_BYTES_MAX) : length;
    const update = (end: number) => {
      for (const group of groups) group.update(piece, Math.max(0, group.offset - base), end);
    };
    for (let at = piece.indexOf(SEAL_START); at >= 0 && at < searchEnd; at = piece.indexOf(SEAL_START, at + 1)) {
      const end = piece.indexOf("\n", at) + 1;
      const seal = end <= 0 || end > length ? undefined : parseSeal(piece, at, end);
      if (seal === undefined) continue;
      update(seal.coveredEnd);
      if (groups.some(({ value }) => value === seal.value)) floor = Math.max(floor, base + at - seal.unsyncedBytes);
      groups = [new Checksum(base + end)];
    }
    update(searchEnd);
    piece.copyWithin(0, searchEnd, length);
    base += searchEnd;
    length -= searchEnd;
  }
  return floor;
}

/** Whether nothing but zeros stands from an offset on. */
function onlyZeros(file: SeekableSource, from: number): boolean {
  const piece = pieceFor(file, from);
  file.seekSync(from, Deno.SeekMode.Start);
  for (let count = file.readSync(piece); count !== null; count = file.readSync(piece)) {
    if (piece.subarray(0, count).some((byte) => byte !== 0)) return false;
  }
  return true;
}

/** Room for the file from an offset on, or for a piece of it. */
function pieceFor(file: SeekableSource, from: number): Buffer {
  const left = file.seekSync(0, Deno.SeekMode.End) - from;
  return Buffer.allocUnsafe(Math.max(PIECE_BYTES_MIN, Math.min(left + 1, PIECE_BYTES)));
}

/** Whether somewhere behind `from` stands a whole command of a known name, as in no value but one that holds commands. */
function wholeCommandFollows(file: SeekableSource, from: number, knows: VerifyOptions["knows"]): boolean {
  const piece = pieceFor(file, from);
  let tries = 0;
  for (let base = from + 1;; base += piece.length - 3) {
    file.seekSync(base, Deno.SeekMode.Start);
    const length = file.readSync(piece) ?? 0;
    if (length <= 3) return false;
    for (let at = piece.indexOf("\r\n*"); at >= 0 && at + 2 < length; at = piece.indexOf("\r\n*", at + 1)) {
      if (++tries > TRIES_MAX) return false;
      const request = requestAt(file, base + at + 2, LOOKED_AT_BYTES);
      if (request !== undefined && knows(request)) return true;
    }
  }
}

/** The whole command at `offset`, if there is one of at most so many bytes. */
function requestAt(file: SeekableSource, offset: number, bytesMax = Infinity): Request | undefined {
  file.seekSync(offset, Deno.SeekMode.Start);
  const reader = new AofReader(file, offset + bytesMax, offset);
  try {
    while (reader.fill()) {
      for (let item = reader.next(); item !== Item.MORE; item = reader.next()) {
        if (item === Item.COMMAND) return reader.request;
      }
    }
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
  }
}

/** The command at `offset`, or the first bytes there if they are no command. */
function commandAt(file: SeekableSource, offset: number): string {
  const request = requestAt(file, offset);
  if (request !== undefined) return shownCommand(request);
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(SHOWN_BYTES);
  return shownBytes(bytes, 0, file.readSync(bytes) ?? 0);
}

/** The running checksum at a boundary. */
function checksumOf(file: SeekableSource, { offset, sealEnd }: Boundary): number {
  const checksum = new Checksum(sealEnd);
  if (sealEnd === offset) return checksum.value;
  const piece = new Uint8Array(PIECE_BYTES);
  file.seekSync(sealEnd, Deno.SeekMode.Start);
  for (let at = sealEnd; at < offset;) {
    const count = file.readSync(piece.subarray(0, Math.min(piece.length, offset - at)));
    if (count === null) break;
    checksum.update(piece, 0, count);
    at += count;
  }
  return checksum.value;
}
