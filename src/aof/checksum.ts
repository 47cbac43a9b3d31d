/**
 * Checksums in the append-only file. Every write to the file ends with a line that seals it:
 *
 *     #CRC:<unsynced>:<crc>\r\n      both in hexadecimal, crc in eight digits
 *
 * The crc is the CRC-32 of everything since the line before, this line's beginning included, with the offset where that
 * begins as its seed: so each group of commands can be checked alone, and none can be lost or moved unseen. `unsynced` is how
 * many bytes before the line a power failure may still take, counted when the line was made. Damage before them must not be
 * dropped in silence.
 *
 * Redis 7 and later skip lines that begin with '#', and so do redis-check-aof and the like. The CRC costs 0.1 µs a write
 * and 20 µs a MiB.
 */
import { crc32 } from "node:zlib";
import { fromLatin1, latin1 } from "../core/bytes.ts";

const LINE = /^#CRC:(0|[1-9a-f][0-9a-f]{0,12}):([0-9a-f]{8})\r\n$/;
/** The beginning of every seal. */
export const SEAL_START = fromLatin1("#CRC:");
/** Length of the longest seal, in bytes. */
export const SEAL_BYTES_MAX = 29;
const CRC_DIGITS = 8;
/** The crc and the line's end, which the crc does not cover. */
const UNCOVERED_BYTES = CRC_DIGITS + 2;
const CR = 13, LF = 10, COLON = 58;
const HEX = fromLatin1("0123456789abcdef");

/** The running checksum of a file that is read or written. */
export class Checksum {
  /** CRC-32 of all bytes since the last seal. */
  value: number;
  /** How far the file is read or written. */
  offset: number;

  /** A new file begins with nothing; a group that begins at `offset` with nothing but that. */
  constructor(offset = 0, value = offset >>> 0) {
    this.offset = offset;
    this.value = value;
  }

  update(bytes: Uint8Array, start: number, end: number): void {
    if (start >= end) return;
    this.value = crc32(bytes.subarray(start, end), this.value);
    this.offset += end - start;
  }

  /** The line that seals all bytes since the last seal. Begins the next group. */
  seal(unsyncedBytes: number): Uint8Array {
    let digits = 1;
    for (let rest = unsyncedBytes; rest >= 16; rest = Math.floor(rest / 16)) digits++;
    const covered = SEAL_START.length + digits + 1;
    const line = new Uint8Array(covered + UNCOVERED_BYTES);
    line.set(SEAL_START);
    writeHex(line, covered - 2, unsyncedBytes, digits);
    line[covered - 1] = COLON;
    writeHex(line, covered + CRC_DIGITS - 1, crc32(line.subarray(0, covered), this.value), CRC_DIGITS);
    line[covered + CRC_DIGITS] = CR;
    line[covered + CRC_DIGITS + 1] = LF;
    this.begin(this.offset + line.length);
    return line;
  }

  /** Begins a group at `offset`. */
  begin(offset: number): void {
    this.offset = offset;
    this.value = offset >>> 0;
  }
}

/** Writes the last `digits` hexadecimal digits of a number that end at index `at`. */
function writeHex(into: Uint8Array, at: number, value: number, digits: number): void {
  for (let i = 0; i < digits; i++, value = Math.floor(value / 16)) into[at - i] = HEX[value % 16];
}

export interface Seal {
  /** The crc as it is written. */
  readonly value: number;
  readonly unsyncedBytes: number;
  /** Index behind the bytes that the crc covers. */
  readonly coveredEnd: number;
}

/** Reads the seal that is `bytes[start, end)`, undefined if that is none. */
export function parseSeal(bytes: Uint8Array, start: number, end: number): Seal | undefined {
  if (end - start > SEAL_BYTES_MAX) return undefined;
  const match = LINE.exec(latin1(bytes, start, end));
  if (match === null) return undefined;
  return { unsyncedBytes: parseInt(match[1], 16), value: parseInt(match[2], 16), coveredEnd: end - UNCOVERED_BYTES };
}
