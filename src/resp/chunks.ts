/**
 * Memory for replies: chunks of four sizes, each size with a bounded pool. A chunk that its pool does not take is given
 * back to the system at once: the garbage collector does not see how large it is, and would keep it until much later.
 */

/** The size of a chunk that a reply begins with. */
export const CHUNK_BYTES = 16 * 1024;
/** The size of the largest chunk. Longer values are spread over several. */
export const CHUNK_BYTES_MAX = 1024 * 1024;

const POOLED_CHUNKS_MAX = 256;
/** Chunks of CHUNK_BYTES. They are the usual case and have a list of their own. */
const pool: Uint8Array[] = [];

interface Tier {
  readonly bytes: number;
  readonly pooledMax: number;
  readonly pool: Uint8Array[];
  /** Chunks that were in the pool all the time since the last trim. */
  idle: number;
}

/** The larger sizes. Their pools hold at most 76 MiB, and half of what is idle goes with every trim. */
const tiers: readonly Tier[] = [
  { bytes: 64 * 1024, pooledMax: 64, pool: [], idle: 0 },
  { bytes: 256 * 1024, pooledMax: 32, pool: [], idle: 0 },
  { bytes: CHUNK_BYTES_MAX, pooledMax: 64, pool: [], idle: 0 },
];

/** A chunk of at least `bytes`, at most CHUNK_BYTES_MAX. The taker owns it until `releaseChunk`. Hot. */
export function takeChunk(bytes: number): Uint8Array {
  if (bytes <= CHUNK_BYTES) return pool.pop() ?? new Uint8Array(CHUNK_BYTES);
  for (const tier of tiers) {
    if (bytes > tier.bytes) continue;
    const chunk = tier.pool.pop() ?? new Uint8Array(tier.bytes);
    tier.idle = Math.min(tier.idle, tier.pool.length);
    return chunk;
  }
  throw new RangeError(`a chunk of ${bytes} bytes is too large`);
}

/** Takes a chunk back. The caller must not use it any more. Hot. */
export function releaseChunk(chunk: Uint8Array): void {
  if (chunk.length === CHUNK_BYTES && pool.length < POOLED_CHUNKS_MAX) pool.push(chunk);
  else releaseLarge(chunk);
}

function releaseLarge(chunk: Uint8Array): void {
  for (const tier of tiers) {
    if (chunk.length === tier.bytes && tier.pool.length < tier.pooledMax) {
      tier.pool.push(chunk);
      return;
    }
  }
  freeBuffer(chunk);
}

/** Frees half of the larger chunks that were idle since the last call. To be called about once a second. */
export function trimChunks(): void {
  for (const tier of tiers) {
    for (const chunk of tier.pool.splice(0, Math.ceil(tier.idle / 2))) freeBuffer(chunk);
    tier.idle = tier.pool.length;
  }
}

/** Bytes of all pools, for tests. */
export function pooledBytes(): number {
  return tiers.reduce((sum, { bytes, pool }) => sum + bytes * pool.length, CHUNK_BYTES * pool.length);
}

/** Gives the memory of an array back at once. The array has no bytes afterwards. */
export function freeBuffer(array: Uint8Array): void {
  (array.buffer as ArrayBuffer).transfer(0);
}
