/**
 * Bytes and text. Keys, values and arguments are bytes. Only cold paths convert them to text, one character per byte
 * (latin1), so the conversion is lossless in both directions.
 */
import { Buffer } from "node:buffer";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const NO_BYTES = new Uint8Array(0);

/** Up to this length a string is made from character codes, which saves the call of a native function. */
const CODES_MAX = 48;
const codes: number[] = [];

/** Text with one character for each byte. */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const length = end - start;
  if (length > CODES_MAX) return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString("latin1");
  codes.length = length;
  for (let i = 0; i < length; i++) codes[i] = bytes[start + i];
  return String.fromCharCode.apply(null, codes);
}

/** The bytes of a string made by `latin1`. Characters above 255 lose their upper bits. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Whether `a[as, ae)` and `b[bs, be)` are equal. */
export function bytesEqual(a: Uint8Array, as: number, ae: number, b: Uint8Array, bs: number, be: number): boolean {
  if (ae - as !== be - bs) return false;
  while (as < ae) if (a[as++] !== b[bs++]) return false;
  return true;
}

/** The order of byte strings as in memcmp; a prefix sorts before the longer string. Negative, zero or positive. */
export function compareBytes(a: Uint8Array, as: number, ae: number, b: Uint8Array, bs: number, be: number): number {
  const n = Math.min(ae - as, be - bs);
  for (let i = 0; i < n; i++) {
    const d = a[as + i] - b[bs + i];
    if (d !== 0) return d;
  }
  return (ae - as) - (be - bs);
}

/** Whether `bytes[start, end)` equals `word`, ignoring case; `word` is lower case ASCII. */
export function equalsWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    let c = bytes[start + i];
    if (c >= 65 && c <= 90) c += 32;
    if (c !== word.charCodeAt(i)) return false;
  }
  return true;
}
