/**
 * Checksums in the append-only file. Every write to the file ends with a line that seals it:
 *
 *     #CRC:<unsynced>:<crc>\r\n      both in hexadecimal, crc in eight digits
 *
 * The crc is a CRC-32 over all bytes since the previous seal, including the beginning of this line. Its seed is the
 * offset of the first of these bytes. So each group of commands can be checked alone, and a lost or moved group is
 * detected. `unsynced` is the number of bytes before the line that were not synced when the line was written. Only
 * these bytes can be lost by a power failure, so damage before them is an error.
 *
 * Redis 7 and later and redis-check-aof skip lines that begin with '#'. The CRC costs 0.1 µs for a write and 20 µs for
 * a MiB.
 */
import { zlib } from "../core/builtin.ts";
import { fromLatin1, latin1 } from "../core/bytes.ts";

const LINE = /^#CRC:(0|[1-9a-f][0-9a-f]{0,12}):([0-9a-f]{8})\r\n$/;
/** The beginning of every seal. */
export const SEAL_START = fromLatin1("#CRC:");
/** Length of the longest seal, in bytes. */
export const SEAL_BYTES_MAX = 29;
const CRC_DIGITS = 8;
/** Length of the crc and the line end, which the crc does not cover. */
const UNCOVERED_BYTES = CRC_DIGITS + 2;
const CR = 13, LF = 10, COLON = 58;
const HEX = fromLatin1("0123456789abcdef");

/** The running checksum of a file during reading or writing. */
export class Checksum {
  /** CRC-32 of all bytes since the last seal. */
  value: number;
  /** The offset up to which the file is read or written. */
  offset: number;

  /** Without arguments: the checksum of a new file. With `offset`: of a group that begins there. */
  constructor(offset = 0, value = offset >>> 0) {
    this.offset = offset;
    this.value = value;
  }

  update(bytes: Uint8Array, start: number, end: number): void {
    if (start >= end) return;
    this.value = zlib().crc32(bytes.subarray(start, end), this.value);
    this.offset += end - start;
  }

  /** Returns the line that seals all bytes since the last seal, and begins the next group. */
  seal(unsyncedBytes: number): Uint8Array {
    let digits = 1;
    for (let rest = unsyncedBytes; rest >= 16; rest = Math.floor(rest / 16)) digits++;
    const covered = SEAL_START.length + digits + 1;
    const line = new Uint8Array(covered + UNCOVERED_BYTES);
    line.set(SEAL_START);
    writeHex(line, covered - 2, unsyncedBytes, digits);
    line[covered - 1] = COLON;
    writeHex(line, covered + CRC_DIGITS - 1, zlib().crc32(line.subarray(0, covered), this.value), CRC_DIGITS);
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
  /** The crc that the line has. */
  readonly value: number;
  readonly unsyncedBytes: number;
  /** Index behind the bytes that the crc covers. */
  readonly coveredEnd: number;
}

/** Parses the seal in `bytes[start, end)`. Returns undefined if these bytes are not a seal. */
export function parseSeal(bytes: Uint8Array, start: number, end: number): Seal | undefined {
  if (end - start > SEAL_BYTES_MAX) return undefined;
  const match = LINE.exec(latin1(bytes, start, end));
  if (match === null) return undefined;
  return { unsyncedBytes: parseInt(match[1], 16), value: parseInt(match[2], 16), coveredEnd: end - UNCOVERED_BYTES };
}
