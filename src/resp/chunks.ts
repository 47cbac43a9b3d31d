/**
 * Memory for replies: chunks of four sizes, and a bounded pool for each size. A chunk that does not fit in its pool is
 * returned to the system at once, because the garbage collector does not see its size and would keep it much longer.
 */
import { detach } from "../core/detach.ts";

/** The size of the first chunk of a reply. */
export const CHUNK_BYTES = 16 * 1024;
/** The size of the largest chunk. Longer values are split over several chunks. */
export const CHUNK_BYTES_MAX = 1024 * 1024;

const POOLED_CHUNKS_MAX = 256;
/** Chunks of CHUNK_BYTES, the usual case, have a list of their own. */
const pool: Uint8Array[] = [];

interface Tier {
  readonly bytes: number;
  readonly pooledMax: number;
  readonly pool: Uint8Array[];
  /** Minimum number of chunks in the pool since the last trim. */
  idle: number;
}

/** The larger sizes. Their pools hold at most 76 MiB, and each trim frees half of the idle chunks. */
const tiers: readonly Tier[] = [
  { bytes: 64 * 1024, pooledMax: 64, pool: [], idle: 0 },
  { bytes: 256 * 1024, pooledMax: 32, pool: [], idle: 0 },
  { bytes: CHUNK_BYTES_MAX, pooledMax: 64, pool: [], idle: 0 },
];

/** Takes a chunk of at least `bytes`, at most CHUNK_BYTES_MAX. The caller owns it until `releaseChunk`. Hot. */
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

/** Returns a chunk. The caller must not use it afterwards. Hot. */
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

/** Frees half of the larger chunks that were idle since the last call. Call it about once a second. */
export function trimChunks(): void {
  for (const tier of tiers) {
    for (const chunk of tier.pool.splice(0, Math.ceil(tier.idle / 2))) freeBuffer(chunk);
    tier.idle = tier.pool.length;
  }
}

/** Total bytes of all pools, for tests. */
export function pooledBytes(): number {
  return tiers.reduce((sum, { bytes, pool }) => sum + bytes * pool.length, CHUNK_BYTES * pool.length);
}

/** Frees the memory of an array at once. The array has no bytes afterwards. */
export function freeBuffer(array: Uint8Array): void {
  detach(array.buffer as ArrayBuffer);
}
