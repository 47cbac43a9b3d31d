/** Memory for replies: what the pools retain, and what they return to the system. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  CHUNK_BYTES,
  CHUNK_BYTES_MAX,
  pooledBytes,
  releaseChunk,
  takeChunk,
  trimChunks,
} from "../../src/resp/chunks.ts";

/** After this the pools of all larger sizes are empty. */
function emptyPools(): void {
  for (let i = 0; i < 40; i++) trimChunks();
}

Deno.test("a chunk has the smallest size that is enough", () => {
  const sizes = [1, CHUNK_BYTES, CHUNK_BYTES + 1, 65_536, 65_537, 262_145, CHUNK_BYTES_MAX].map((bytes) => {
    const chunk = takeChunk(bytes);
    releaseChunk(chunk);
    return chunk.length;
  });
  assertEquals(sizes, [16_384, 16_384, 65_536, 65_536, 262_144, 1_048_576, 1_048_576]);
  assertThrows(() => takeChunk(CHUNK_BYTES_MAX + 1), RangeError);
});

Deno.test("pools are bounded, and chunks that they do not take are released at once", () => {
  emptyPools();
  const before = pooledBytes();
  const chunks = Array.from({ length: 100 }, () => takeChunk(CHUNK_BYTES_MAX));
  for (const chunk of chunks) releaseChunk(chunk);
  assertEquals(pooledBytes() - before, 64 * CHUNK_BYTES_MAX);
  assertEquals(chunks.filter(({ length }) => length === 0).length, 100 - 64);
});

Deno.test("a trim frees half of the chunks that were idle since the last one, and none that are in use", () => {
  emptyPools();
  const before = pooledBytes();
  for (const chunk of Array.from({ length: 8 }, () => takeChunk(CHUNK_BYTES_MAX))) releaseChunk(chunk);
  const pooled = () => (pooledBytes() - before) / CHUNK_BYTES_MAX;
  trimChunks();
  assertEquals(pooled(), 8);
  const busy = Array.from({ length: 6 }, () => takeChunk(CHUNK_BYTES_MAX));
  for (const chunk of busy) releaseChunk(chunk);
  trimChunks();
  assertEquals(pooled(), 7);
  trimChunks();
  assertEquals(pooled(), 3);
  emptyPools();
  assertEquals(pooled(), 0);
});
