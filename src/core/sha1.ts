/**
 * SHA-1 of short messages, for digests of data (commands/debug/digest.ts): for a few dozen bytes a call to the platform
 * takes ten times as long as the hash itself. Not for security. Source: RFC 3174.
 */

const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;
export const SHA1_BYTES = 20;

const words = new Int32Array(80);
const block = new Uint8Array(BLOCK_BYTES);
const state = new Int32Array(5);

/** Writes the hash of `bytes` into the first 20 bytes of `into`, which may be the same array. */
export function sha1(bytes: Uint8Array, into: Uint8Array): void {
  const size = bytes.length;
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  state[4] = 0xc3d2e1f0;
  let at = 0;
  for (; at + BLOCK_BYTES <= size; at += BLOCK_BYTES) mixBlock(bytes, at);
  // The last block: the remaining bytes, a one bit, zeros, and the length in bits.
  const rest = size - at;
  block.fill(0);
  for (let i = 0; i < rest; i++) block[i] = bytes[at + i];
  block[rest] = 0x80;
  if (rest + 1 + LENGTH_BYTES > BLOCK_BYTES) {
    mixBlock(block, 0);
    block.fill(0);
  }
  writeWord(block, BLOCK_BYTES - 8, Math.floor(size / 0x20000000));
  writeWord(block, BLOCK_BYTES - 4, size << 3);
  mixBlock(block, 0);
  for (let i = 0; i < 5; i++) writeWord(into, 4 * i, state[i]);
}

function writeWord(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function mixBlock(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++, at += 4) {
    words[i] = bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
  }
  for (let i = 16; i < 80; i++) {
    const word = words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16];
    words[i] = word << 1 | word >>> 31;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (let i = 0; i < 80; i++) {
    const f = i < 20
      ? ((b & c) | (~b & d)) + 0x5a827999
      : i < 40
      ? (b ^ c ^ d) + 0x6ed9eba1
      : i < 60
      ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
      : (b ^ c ^ d) + 0xca62c1d6;
    const next = (a << 5 | a >>> 27) + f + e + words[i] | 0;
    e = d;
    d = c;
    c = b << 30 | b >>> 2;
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}
