/**
 * Append-only files for tests: built from commands in memory, and read from memory.
 */
import { Checksum } from "../../src/aof/checksum.ts";
import type { SeekableSource } from "../../src/aof/verify.ts";
import { type Argument, encodeRequest } from "../helpers/client.ts";
import { concatBytes } from "../helpers/wire.ts";

/** Encodes commands, given as words between spaces, in RESP. */
export function commands(...lines: string[]): Uint8Array {
  return concatBytes(lines.map((line) => encodeRequest(line.split(" "))));
}

export interface SealedFile {
  readonly bytes: Uint8Array;
  /** The ends of the groups of commands, after their seals; the first is 0. */
  readonly groupEnds: number[];
}

/**
 * A file of groups, each sealed as the server seals it. With `synced` each group had been synced before the next was
 * written; otherwise no group was ever synced.
 */
export function sealedFile(groups: readonly Uint8Array[], synced: boolean): SealedFile {
  const checksum = new Checksum();
  const parts: Uint8Array[] = [];
  const groupEnds = [0];
  let size = 0, syncedBytes = 0;
  for (const group of groups) {
    checksum.update(group, 0, group.length);
    const line = checksum.seal(size + group.length - syncedBytes);
    parts.push(group, line);
    size += group.length + line.length;
    if (synced) syncedBytes = size;
    groupEnds.push(size);
  }
  return { bytes: concatBytes(parts), groupEnds };
}

/** A file in memory. */
export class MemorySource implements SeekableSource {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readSync(into: Uint8Array): number | null {
    if (this.#at >= this.#bytes.length) return null;
    const count = Math.min(into.length, this.#bytes.length - this.#at);
    into.set(this.#bytes.subarray(this.#at, this.#at + count));
    this.#at += count;
    return count;
  }

  seekSync(offset: number, whence: Deno.SeekMode): number {
    return this.#at = whence === Deno.SeekMode.End ? this.#bytes.length + offset : offset;
  }
}

/** One group with every kind of content that a file can have. */
export const ASSORTED: readonly Uint8Array[] = [
  commands("SELECT 0", "SET a 1"),
  commands("RPUSH list x y z", "LPUSH list w"),
  commands("MULTI", "DEL a", "SET b 2", "EXEC"),
  concatBytes([commands("SET key "), encodeRequest(["SET", "crlf", "a\r\n*1\r\n$4\r\nPING\r\n#CRC:0:00000000\r\n"])]),
  commands("SELECT 3", "SET n 10", "INCRBY n 5", "SET t v PXAT 4102444800000"),
  commands("MULTI", "LMOVE list other LEFT RIGHT", "PEXPIREAT other 4102444800000", "EXEC", "APPEND b xyz"),
  encodeRequest(["SET", new Uint8Array([0, 255, 13, 10, 35]), new Uint8Array(80).map((_, i) => i * 37)] as Argument[]),
  commands("SELECT 0", "LREM list 1 x", "SETRANGE b 1 zz"),
];
