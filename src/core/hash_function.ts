/**
 * The hash function of all dictionaries: HalfSipHash-1-3 over bytes with a random 64-bit key per process, so no client
 * can choose keys that collide (hash flooding). Hot: 32-bit arithmetic only.
 */
const seed = crypto.getRandomValues(new Int32Array(2));
const K0 = seed[0], K1 = seed[1];

/** 32-bit hash of `bytes[start, end)`. It is always odd, because 0 in word 0 of a slot means "empty". */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let v0 = K0, v1 = K1, v2 = 0x6c796765 ^ K0, v3 = 0x74656462 ^ K1;
  const length = end - start;
  let i = start;
  for (const stop = end - 3; i < stop; i += 4) {
    const m = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    v3 ^= m;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  let m = length << 24;
  if (i < end) m |= bytes[i];
  if (i + 1 < end) m |= bytes[i + 1] << 8;
  if (i + 2 < end) m |= bytes[i + 2] << 16;
  v3 ^= m;
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      v0 ^= m;
      v2 ^= 0xff;
    }
  }
  return v1 ^ v3 | 1;
}

/**
 * The hash of a key in a table, from its hashBytes. Each table mixes in its own salt. If two tables had the same order,
 * keys that arrive in the order of the other table, as in a scan, would all fall into a few pages. Hot.
 */
export function salted(hash: number, salt: number): number {
  hash ^= salt;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
