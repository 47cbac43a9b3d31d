/**
 * The scripts that the server knows, by their SHA-1. A script that came with EVAL is forgotten when 500 others were
 * used after it; a script of SCRIPT LOAD stays until SCRIPT FLUSH.
 */
import { bytesEqual, fromLatin1 } from "../core/bytes.ts";
import { sha1, SHA1_BYTES } from "../core/sha1.ts";
import type { RunOptions } from "./script_runner.ts";
import { readHeader } from "./shebang.ts";

/** The length of a SHA-1 in hexadecimal digits. */
export const SHA_LENGTH = 40;
const EVALUATED_MAX = 500;
/** Bytes that an entry costs beside the source. */
const ENTRY_BYTES = 120;
const NO_SHA = -1;

export class Script implements RunOptions {
  readonly kind = "script";
  /** The SHA-1, in lower-case hexadecimal digits. */
  readonly name: string;
  readonly shaBytes: Uint8Array;
  readonly source: Uint8Array;
  /** Bits of ScriptFlag. */
  readonly flags: number;
  /** The source without its header. */
  readonly code: Uint8Array;
  /** The compiled function in the Lua state of a generation. */
  reference = 0;
  generation = 0;
  /** It came with EVAL, so it may be forgotten. */
  readonly evaluated: boolean;

  constructor(sha: string, source: Uint8Array, evaluated: boolean) {
    const { flags, length } = readHeader(source);
    this.name = sha;
    this.shaBytes = fromLatin1(sha);
    this.source = source;
    this.flags = flags;
    this.code = source.subarray(length);
    this.evaluated = evaluated;
  }
}

export class ScriptCache {
  /** By the first 32 bits of the SHA-1; scripts that share them form a list. */
  readonly #bySha = new Map<number, Script[]>();
  /** By a sample of the source, for EVAL: comparing bytes is faster than hashing all of them. */
  readonly #bySample = new Map<number, Script>();
  /** The scripts of EVAL, the least recently used first. */
  readonly #evaluated = new Set<Script>();
  #latest: Script | undefined;
  /** The script that was found last. */
  #found: Script | undefined;
  count = 0;
  bytes = 0;

  /** The script whose SHA-1 is `bytes[start, end)` in hexadecimal digits of either case. Hot. */
  find(bytes: Uint8Array, start: number, end: number): Script | undefined {
    if (end - start !== SHA_LENGTH) return undefined;
    if (this.#found !== undefined && equalsHex(bytes, start, this.#found.shaBytes)) return this.#found;
    const prefix = hexPrefix(bytes, start);
    return this.#found = this.#bySha.get(prefix)?.find(({ shaBytes }) => equalsHex(bytes, start, shaBytes));
  }

  /** The known script with this source. Hot. */
  findSource(bytes: Uint8Array, start: number, end: number): Script | undefined {
    const script = this.#bySample.get(sample(bytes, start, end));
    if (script === undefined) return undefined;
    return bytesEqual(bytes, start, end, script.source, 0, script.source.length) ? script : undefined;
  }

  /** Adds a script. Its source must not change any more. Returns the scripts that are forgotten for it. */
  add(script: Script): Script[] {
    const forgotten: Script[] = [];
    if (script.evaluated) {
      for (const oldest of this.#evaluated) {
        if (this.#evaluated.size < EVALUATED_MAX) break;
        this.#remove(oldest);
        forgotten.push(oldest);
      }
      this.#evaluated.add(script);
      this.#latest = script;
    }
    const prefix = hexPrefix(script.shaBytes, 0), scripts = this.#bySha.get(prefix);
    if (scripts === undefined) this.#bySha.set(prefix, [script]);
    else scripts.push(script);
    this.#bySample.set(sample(script.source, 0, script.source.length), script);
    this.count++;
    this.bytes += ENTRY_BYTES + script.source.length;
    return forgotten;
  }

  /** Notes that a script is used. */
  used(script: Script): void {
    if (!script.evaluated || script === this.#latest) return;
    this.#evaluated.delete(script);
    this.#evaluated.add(script);
    this.#latest = script;
  }

  clear(): void {
    this.#bySha.clear();
    this.#bySample.clear();
    this.#evaluated.clear();
    this.#latest = this.#found = undefined;
    this.count = this.bytes = 0;
  }

  #remove(script: Script): void {
    const prefix = hexPrefix(script.shaBytes, 0);
    const others = this.#bySha.get(prefix)!.filter((other) => other !== script);
    if (others.length > 0) this.#bySha.set(prefix, others);
    else this.#bySha.delete(prefix);
    const key = sample(script.source, 0, script.source.length);
    if (this.#bySample.get(key) === script) this.#bySample.delete(key);
    this.#evaluated.delete(script);
    if (this.#latest === script) this.#latest = undefined;
    if (this.#found === script) this.#found = undefined;
    this.count--;
    this.bytes -= ENTRY_BYTES + script.source.length;
  }
}

const hash = new Uint8Array(SHA1_BYTES);

/** The SHA-1 of bytes, in lower-case hexadecimal digits. */
export function shaOf(bytes: Uint8Array): string {
  sha1(bytes, hash);
  let text = "";
  for (const byte of hash) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The value of the first eight hexadecimal digits; NO_SHA for other characters. */
function hexPrefix(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let i = start; i < start + 8; i++) {
    const c = bytes[i] | 32;
    const digit = c >= 97 ? c - 87 : c - 48;
    if (digit < 0 || digit > 15) return NO_SHA;
    value = value << 4 | digit;
  }
  return value;
}

function equalsHex(bytes: Uint8Array, start: number, sha: Uint8Array): boolean {
  for (let i = 0; i < SHA_LENGTH; i++) {
    const c = bytes[start + i];
    if ((c >= 65 && c <= 90 ? c + 32 : c) !== sha[i]) return false;
  }
  return true;
}

/** A hash of the length and of 16 bytes. */
function sample(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start, step = Math.max(1, length >>> 4);
  let hash = length;
  for (let i = start; i < end; i += step) hash = Math.imul(hash, 31) + bytes[i] | 0;
  return hash;
}
