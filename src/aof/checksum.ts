/**
 * Checksums in the append-only file. Every write to the file ends with a line that seals it:
 *
 *     #CRC:<unsynced>:<crc>\r\n      both in hexadecimal, crc in eight digits
 *
 * The crc is the CRC-32 of everything since the line before, this line's beginning included and the crc of the line before
 * as its seed: so each seal can be checked alone, and none can be lost or moved unseen. `unsynced` is how many bytes before
 * the line a power failure may still take, counted when the line was made. Damage before them must not be dropped in silence.
 *
 * Redis 7 and later skip lines that begin with '#', and so do redis-check-aof and the like. The CRC costs 0.1 µs a write
 * and 20 µs a MiB.
 */
import { crc32 } from "node:zlib";
import { fromLatin1, latin1 } from "../core/bytes.ts";

const LINE = /^#CRC:(0|[1-9a-f][0-9a-f]{0,12}):([0-9a-f]{8})\r\n$/;
/** What every seal begins with. */
export const SEAL_START = fromLatin1("#CRC:");
/** Length of the longest seal, in bytes. */
export const SEAL_BYTES_MAX = 29;
/** The crc and the line's end, which the crc does not cover. */
const UNCOVERED_BYTES = 10;

/** The running checksum of a file that is read or written. */
export class Checksum {
  /** CRC-32 of what came since the last seal. */
  value: number;

  /** `value` continues a file that exists; a new one begins with 0. */
  constructor(value = 0) {
    this.value = value;
  }

  update(bytes: Uint8Array, start: number, end: number): void {
    if (start < end) this.value = crc32(bytes.subarray(start, end), this.value);
  }

  /** The line that seals what came since the last one. */
  seal(unsyncedBytes: number): Uint8Array {
    const text = `#CRC:${unsyncedBytes.toString(16)}:`;
    this.value = crc32(text, this.value);
    return fromLatin1(`${text}${this.value.toString(16).padStart(8, "0")}\r\n`);
  }
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
