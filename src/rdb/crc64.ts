/**
 * The checksum of RDB files and DUMP payloads: CRC-64 with the polynomial of Jones, low bit first, from 0 and without a
 * final xor. A step takes eight bytes. A 64-bit number is represented by two 32-bit words.
 */
const POLYNOMIAL_HIGH = 0x95ac9329, POLYNOMIAL_LOW = 0xac4bc9b5;
const STEP = 8;

/** The effect of a byte on the checksum when 0 to 7 more bytes follow it in a step: 8 tables of 256 entries. */
const HIGH = new Int32Array(256 * STEP), LOW = new Int32Array(256 * STEP);

for (let n = 0; n < 256; n++) {
  let high = 0, low = n;
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (odd) {
      high ^= POLYNOMIAL_HIGH;
      low ^= POLYNOMIAL_LOW;
    }
  }
  HIGH[n] = high;
  LOW[n] = low;
}
for (let i = 256; i < 256 * STEP; i++) {
  const high = HIGH[i - 256], low = LOW[i - 256], n = low & 255;
  LOW[i] = (low >>> 8 | high << 24) ^ LOW[n];
  HIGH[i] = (high >>> 8) ^ HIGH[n];
}

/** A running checksum. */
export class Crc64 {
  #high = 0;
  #low = 0;

  /** Adds `bytes[start, end)`. Hot. */
  add(bytes: Uint8Array, start: number, end: number): void {
    let high = this.#high, low = this.#low, i = start;
    for (const stop = end - STEP; i <= stop; i += STEP) {
      const a = low ^ (bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24);
      const b = high ^ (bytes[i + 4] | bytes[i + 5] << 8 | bytes[i + 6] << 16 | bytes[i + 7] << 24);
      const a0 = 1792 + (a & 255), a1 = 1536 + (a >>> 8 & 255), a2 = 1280 + (a >>> 16 & 255), a3 = 1024 + (a >>> 24);
      const b0 = 768 + (b & 255), b1 = 512 + (b >>> 8 & 255), b2 = 256 + (b >>> 16 & 255), b3 = b >>> 24;
      low = LOW[a0] ^ LOW[a1] ^ LOW[a2] ^ LOW[a3] ^ LOW[b0] ^ LOW[b1] ^ LOW[b2] ^ LOW[b3];
      high = HIGH[a0] ^ HIGH[a1] ^ HIGH[a2] ^ HIGH[a3] ^ HIGH[b0] ^ HIGH[b1] ^ HIGH[b2] ^ HIGH[b3];
    }
    for (; i < end; i++) {
      const n = (low ^ bytes[i]) & 255;
      low = (low >>> 8 | high << 24) ^ LOW[n];
      high = (high >>> 8) ^ HIGH[n];
    }
    this.#high = high;
    this.#low = low;
  }

  /** Whether the eight bytes at index `i`, the lowest first, are the checksum of all added bytes. */
  matches(bytes: Uint8Array, i: number): boolean {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return view.getInt32(i, true) === this.#low && view.getInt32(i + 4, true) === this.#high;
  }

  /** Writes the checksum as eight bytes at index `i`, the lowest first. */
  write(bytes: Uint8Array, i: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    view.setInt32(i, this.#low, true);
    view.setInt32(i + 4, this.#high, true);
  }
}
