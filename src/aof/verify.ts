/**
 * Decides how much of an append-only file may be loaded. It reads the whole file before anything is loaded, checks the
 * format and the seals, and distinguishes two kinds of damage:
 *
 * - A torn tail, which a crash may leave: an incomplete command or transaction, or bytes that were not synced. It may
 *   be dropped.
 * - Damage in the middle, before bytes that were synced or are undamaged. Only a fault of the disk or a manual change
 *   causes it. A server that dropped the following bytes would lose data silently.
 *
 * In a file without seals, for example of Redis, only errors of the format are detected.
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
  /** Offset of the damage in the file. */
  readonly offset: number;
  readonly reason: string;
  /** The readable part of the command there; "" if nothing is readable. */
  readonly command: string;
  /** The bytes after it were synced or are undamaged, so they must not be dropped silently. */
  readonly middle: boolean;
  /** The name of a command that only other servers have. The file is not damaged then. */
  readonly foreign?: string;
}

export interface Verdict {
  /** Offset of the first command. */
  readonly startBytes: number;
  readonly totalBytes: number;
  /** The number of bytes without damage, according to checksums and format. */
  readonly wholeBytes: number;
  /** Number of commands in them, including MULTI and EXEC. */
  readonly commands: number;
  /** The running checksum at their end. */
  readonly checksum: number;
  readonly seals: number;
  readonly damage: DamageReport | undefined;
}

export interface VerifyOptions {
  /** Offset of the first command after a snapshot; default 0. */
  start?: number;
  /** Whether the command that a request names exists. */
  knows: (request: Request) => boolean;
  /** Called after every piece of the file with the bytes read so far. Its promise is awaited. */
  pause?: (readBytes: number) => Promise<void> | undefined;
}

/** Bytes of a file that are searched at a time. */
const PIECE_BYTES = 256 * 1024, PIECE_BYTES_MIN = 4 * 1024;
/** Number of offsets that are tried in the search for a command after damage. */
const TRIES_MAX = 1000;
/** The maximum length of that command. */
const LOOKED_AT_BYTES = 64 * 1024;
const SHOWN_BYTES = 40;

/** A position between two commands outside of transactions, and the last seal before it. */
interface Boundary {
  readonly offset: number;
  readonly commands: number;
  readonly sealEnd: number;
}

/** Reads and verifies the file. */
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

/** A command of another server. It stops the reading, like damage. */
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
  // Sectors lost in a power failure may read as zeros, which never occur at the start of an item.
  const middle = walk.isSealed ? later > walk.sealEnd : !onlyZeros(file, offset);
  return { offset, reason: message, middle };
}

/** The first pass over a file, up to its end or the first damage. */
class Walk {
  readonly reader: AofReader;
  /** The last boundary, and the last boundary with a seal. */
  boundary: Boundary;
  sealed: Boundary;
  /** Whether a seal was found in the file. */
  isSealed = false;
  seals = 0;
  sealEnd: number;
  #commands = 0;
  /** Offset of the open transaction; -1 outside of one. */
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
    // A damaged length that is too large includes the following items, up to the end of the file.
    const reason = middle ? "a length is wrong" : "the file ends within a command";
    return { offset, reason, middle };
  }
}

function isWord({ argc, bytes, start, end }: Request, word: string): boolean {
  return argc === 1 && equalsWord(bytes, start[0], end[0], word);
}

/**
 * The highest offset below which everything was synced, according to the seals after `from`; -1 if no seal matches. The
 * item at `from` may be a damaged seal. Then the next group begins at most one seal length later.
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
    // A seal at the end of a piece may be cut; the next piece includes it.
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

/** Whether all bytes from an offset on are zeros. */
function onlyZeros(file: SeekableSource, from: number): boolean {
  const piece = pieceFor(file, from);
  file.seekSync(from, Deno.SeekMode.Start);
  for (let count = file.readSync(piece); count !== null; count = file.readSync(piece)) {
    if (piece.subarray(0, count).some((byte) => byte !== 0)) return false;
  }
  return true;
}

/** A buffer for the rest of the file, or for a piece of it. */
function pieceFor(file: SeekableSource, from: number): Buffer {
  const left = file.seekSync(0, Deno.SeekMode.End) - from;
  return Buffer.allocUnsafe(Math.max(PIECE_BYTES_MIN, Math.min(left + 1, PIECE_BYTES)));
}

/** Whether a complete command with a known name follows after `from`. Values rarely contain one. */
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

/** The complete command at `offset`, if it has at most so many bytes. */
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

/** The command at `offset` for a message, or the first bytes there if it is not a command. */
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
