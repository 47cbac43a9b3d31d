/** The arena compared with a model: blocks keep their bytes, never overlap, and all memory is released. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../../src/core/assert.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import { Arena, CHUNK_SHIFT, copyBytes, GRANULE_MASK, type Ref, withSpare } from "../../../src/store/memory/arena.ts";
import { oneIn, pick, property, randomBytes } from "../../helpers/property.ts";

const CHUNK = 16 << 20;
const EDGES = [0, 1, 7, 8, 9, 15, 16, 17, 120, 121, 127, 128, 129, 160, 161, 255, 256, 257, 4096, 8191, 8192, 8193]
  .concat([65535, 65536, 65537, 131072, 131073, 1 << 20, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, CHUNK, CHUNK + 5]);

function bytesOf(arena: Arena, ref: number, length: number): Uint8Array {
  const start = (ref & GRANULE_MASK) << 3;
  return arena.u8[ref >>> CHUNK_SHIFT].subarray(start, start + length);
}

/** Writes marks at both ends and in the middle of a block, which is enough to detect an overlapping block. */
function mark(arena: Arena, ref: number, size: number, tag: number): void {
  const bytes = bytesOf(arena, ref, size);
  assertEquals(bytes.length, size, "a block reaches past its chunk");
  for (let i = 0; i < size; i += i < 64 || i >= size - 64 ? 1 : Math.min(size - 64 - i, 509)) bytes[i] = tag + i;
}

function assertMarked(arena: Arena, ref: number, size: number, tag: number): void {
  const bytes = bytesOf(arena, ref, size);
  for (let i = 0; i < size; i += i < 64 || i >= size - 64 ? 1 : Math.min(size - 64 - i, 509)) {
    if (bytes[i] !== ((tag + i) & 255)) throw new Error(`byte ${i} of a block of ${size} was overwritten`);
  }
}

function randomSize(random: SeededRandom): number {
  const kind = random.below(100);
  if (kind < 55) return random.below(129);
  if (kind < 75) return random.below(2048);
  if (kind < 90) return random.below(66000);
  if (kind < 97) return pick(random, EDGES.slice(0, -6));
  if (kind < 99) return random.below(1 << 20);
  return oneIn(random, 4) ? pick(random, EDGES) : random.below(3 << 20);
}

Deno.test("a block of every size holds the requested bytes, and all blocks are released", () => {
  const arena = new Arena();
  const sizes = [...EDGES];
  for (let size = 0; size <= 70000; size += size < 300 ? 1 : 61) sizes.push(size);
  const refs = sizes.map((size, i) => {
    const ref = arena.alloc(size);
    assert(ref !== 0);
    assert(arena.sizeOf(ref) >= size);
    assertEquals(arena.sizeOf(ref), arena.roundUp(size));
    mark(arena, ref, arena.sizeOf(ref), i);
    return ref;
  });
  assertEquals(new Set(refs).size, refs.length);
  assertEquals(arena.check(), new Set(refs));
  refs.forEach((ref, i) => assertMarked(arena, ref, arena.sizeOf(ref), i));
  refs.forEach((ref) => arena.free(ref));
  assertEquals(arena.check().size, 0);
  assertEquals(arena.usedBytes, 0);
  assertEquals(arena.blockCount, 0);
});

/** Sizes around every boundary of rounding, from 1 byte to 64 MiB. */
function* sizesToMost(): Iterable<number> {
  for (let size = 1; size <= 70000; size++) yield size;
  for (let size = 70001; size <= 64 << 20; size += 1 + (size >>> 9)) yield size;
  for (let size = 1 << 16; size <= 64 << 20; size *= 2) yield* [size - 1, size, size + 1];
  for (let size = 65536; size <= 1 << 20; size += 4096) yield* [size, size + 1];
}

Deno.test("rounding adds less than a granule to 256 bytes, and less than a sixteenth beyond", () => {
  const arena = new Arena();
  for (const size of sizesToMost()) {
    const waste = arena.roundUp(size) - size;
    assert(waste >= 0 && waste < (size <= 256 ? 8 : size / 16), `${size} bytes take ${size + waste}`);
    assertEquals(arena.roundUp(size) % 8, 0);
  }
});

Deno.test("spare room and the rounding of it together stay below 12 %", () => {
  const arena = new Arena();
  for (const size of sizesToMost()) {
    if (size <= 65536) continue;
    const waste = arena.roundUp(withSpare(size)) - size;
    assert(waste >= 0 && waste <= size * 0.12, `${size} bytes with spare room take ${size + waste}`);
  }
});

Deno.test("blocks of one size lie in memory with at most 12 % beside them", () => {
  for (let size = 300; size <= 8 << 20; size = Math.floor(size * 1.9) + 1) {
    const arena = new Arena();
    const count = Math.ceil((24 << 20) / size);
    const chunks = new Map<number, number>();
    for (let i = 0; i < count; i++) {
      const ref = arena.alloc(size), chunk = ref >>> CHUNK_SHIFT;
      const end = ((ref & GRANULE_MASK) << 3) + arena.sizeOf(ref);
      chunks.set(chunk, Math.max(chunks.get(chunk) ?? 0, end));
    }
    // Memory that no block has reached is not allocated. The first 64 KiB are never handed out.
    const reached = [...chunks.values()].reduce((sum, end) => sum + end, 0) - 65536;
    assert(reached <= count * size * 1.12, `${count} blocks of ${size} bytes reach over ${reached} bytes`);
  }
});

Deno.test("a large block grows and shrinks where it is, as far as its chunk has room behind it", () => {
  const arena = new Arena();
  const ref = arena.alloc(100_000);
  mark(arena, ref, 100_000, 7);
  for (const size of [200_000, 5 << 20, 70_000, 8 << 20]) {
    assertEquals(arena.realloc(ref, 70_000, size), ref);
    assertEquals(arena.sizeOf(ref), arena.roundUp(size));
    assertEquals(arena.check(), new Set([ref]));
  }
  assertEquals(arena.realloc(ref, 0, 65537), ref);
  const behind = arena.alloc(65537);
  const moved = arena.realloc(ref, 65537, 80_000);
  assert(moved !== ref, "a block grew into the one behind it");
  assertEquals(arena.check(), new Set([behind, moved]));
  arena.free(behind);
  arena.free(moved);
  assertEquals(arena.check().size, 0);
  // A block at the end of its chunk cannot grow, and a block of a size class never does.
  const rest = [arena.alloc(8 << 20), arena.alloc((8 << 20) - 65536)];
  const last = arena.realloc(rest[1], 10, 8 << 20);
  assert(last !== rest[1]);
  const small = arena.alloc(1000);
  assert(arena.realloc(small, 1000, 70000) !== small);
  arena.check();
});

Deno.test("a large block that shrinks keeps its pages, whatever extents ended there before", () => {
  const pages = (count: number) => count * 4096;
  for (const end of [20, 30, 40, 50]) {
    const arena = new Arena();
    // Free extents begin and end on pages that lie within the block afterwards.
    const first = arena.alloc(pages(end)), wall = arena.alloc(pages(20)), rest = arena.alloc(pages(100));
    arena.free(first);
    arena.free(wall);
    const block = arena.alloc(pages(end + 20));
    mark(arena, block, pages(end), 3);
    for (let size = end + 19; size >= 17; size--) {
      assertEquals(arena.realloc(block, pages(size), pages(size)), block);
      assertEquals(arena.check(), new Set([block, rest]));
    }
  }
});

Deno.test("free pages between blocks are joined and used before a new chunk is", () => {
  const arena = new Arena();
  const refs: number[] = [];
  while (arena.stats().chunkCount === 1) refs.push(arena.alloc(70_000));
  for (let i = 0; i + 1 < refs.length; i++) if (i % 10 !== 0) arena.free(refs[i]);
  for (let i = 0; i < 20; i++) arena.alloc(9 * 72 * 1024);
  assertEquals(arena.stats().chunkCount, 2);
  arena.check();
});

Deno.test("blocks never overlap and the books balance under random allocation, release and resizing", async () => {
  await property(4, (random) => {
    const arena = new Arena();
    const live: { ref: Ref; size: number; tag: number }[] = [];
    let growing = true;
    for (let step = 0; step < 12000; step++) {
      if (step % 2000 === 0) growing = oneIn(random, 2);
      const kind = random.below(10);
      if (live.length === 0 || kind < (growing ? 6 : 3)) {
        const size = randomSize(random), tag = random.below(256);
        const ref = arena.alloc(size);
        mark(arena, ref, size, tag);
        live.push({ ref, size, tag });
      } else {
        const i = random.below(live.length), block = live[i];
        assertMarked(arena, block.ref, block.size, block.tag);
        if (kind === 9) {
          const size = randomSize(random), keep = Math.min(size, block.size);
          const before = bytesOf(arena, block.ref, keep).slice();
          block.ref = arena.realloc(block.ref, keep, size);
          assertEquals(bytesOf(arena, block.ref, keep), before);
          block.size = size;
          mark(arena, block.ref, size, block.tag);
        } else {
          if (oneIn(random, 20)) arena.dropSurplus();
          arena.free(block.ref);
          live[i] = live[live.length - 1];
          live.pop();
        }
      }
    }
    assertEquals(arena.check(), new Set(live.map((block) => block.ref)));
    for (const { ref, size, tag } of live) assertMarked(arena, ref, size, tag);
    for (const { ref } of live) arena.free(ref);
    assertEquals(arena.check().size, 0);
    assertEquals(arena.usedBytes, 0);
    while (arena.hasSurplus) arena.dropSurplus();
    arena.check();
    assert(arena.stats().chunkCount <= 2, "chunks are kept that nobody uses");
  });
});

Deno.test("chunks come back when their blocks are freed, whatever the order", () => {
  for (const order of ["forth", "back", "apart"]) {
    const arena = new Arena();
    const refs: number[] = [];
    for (let i = 0; i < 60000; i++) refs.push(arena.alloc(1000 + (i % 3) * 400));
    const before = arena.stats();
    assert(before.chunkCount >= 5);
    if (order === "back") refs.reverse();
    if (order === "apart") refs.sort((a, b) => (a % 7919) - (b % 7919));
    for (const ref of refs) arena.free(ref);
    for (let chunks = arena.stats().chunkCount; arena.hasSurplus; chunks--) {
      assertEquals(arena.stats().chunkCount, chunks);
      arena.dropSurplus();
    }
    assertEquals(arena.check().size, 0);
    assert(arena.stats().chunkCount <= 2, `freed ${order}: ${arena.stats().chunkCount} chunks stay`);
    assertEquals(arena.reservedBytes, arena.stats().chunkCount * CHUNK);
  }
});

Deno.test("a huge block has a chunk of exactly its size, whose number is used again", () => {
  const arena = new Arena();
  const huge = arena.alloc(40 << 20);
  assertEquals(arena.sizeOf(huge), 40 << 20);
  assertEquals(arena.reservedBytes, CHUNK + (40 << 20));
  mark(arena, huge, 40 << 20, 1);
  const small = arena.alloc(100);
  const larger = arena.realloc(huge, 40 << 20, 50 << 20);
  assertMarked(arena, larger, 40 << 20, 1);
  arena.free(larger);
  assertEquals(arena.reservedBytes, CHUNK);
  const again: number[] = [];
  for (let i = 0; i < 600; i++) again.push(arena.alloc(60000));
  assert(again.some((ref) => ref >>> CHUNK_SHIFT === 1));
  assertEquals(arena.check(), new Set([small, ...again]));
});

Deno.test("blocks that come and go at the edge of a chunk do not cost a chunk each time", () => {
  const arena = new Arena();
  while (arena.stats().chunkCount === 1) arena.alloc(60000);
  const chunk = arena.u8[1];
  for (let i = 0; i < 100; i++) {
    const refs = [arena.alloc(1 << 20), arena.alloc(200), arena.alloc(70000)];
    refs.forEach((ref) => arena.free(ref));
  }
  assert(arena.u8[1] === chunk);
});

Deno.test("freeing a block twice is found out", () => {
  for (const size of [16, 70000, 9 << 20]) {
    const arena = new Arena();
    const ref = arena.alloc(size);
    arena.free(ref);
    assertThrows(() => arena.free(ref), InvariantError);
  }
  const arena = new Arena();
  const refs = [arena.alloc(64), arena.alloc(64), arena.alloc(64)];
  arena.free(refs[0]);
  assertThrows(() => arena.free(refs[0]), InvariantError);
  const other = new Arena();
  const blocks = [other.alloc(64), other.alloc(64), other.alloc(64), other.alloc(64)];
  other.free(blocks[0]);
  other.free(blocks[1]);
  other.free(blocks[0]);
  assertThrows(() => other.check(), InvariantError);
});

Deno.test("a request that cannot be met changes nothing", () => {
  const arena = new Arena();
  const ref = arena.alloc(100);
  const before = arena.stats();
  assertThrows(() => arena.alloc(2 ** 53), RangeError);
  assertEquals(arena.stats(), before);
  assertEquals(arena.check(), new Set([ref]));
});

Deno.test("copyBytes copies any length, and forward within one array", async () => {
  await property(20, (random) => {
    const source = randomBytes(random, 200), target = new Uint8Array(300);
    const start = random.below(100), end = start + random.below(100), at = random.below(200);
    copyBytes(source, start, end, target, at);
    assertEquals(target.subarray(at, at + end - start), source.subarray(start, end));
    assert(target.subarray(0, at).every((byte) => byte === 0));
    assert(target.subarray(at + end - start).every((byte) => byte === 0));
    const moved = source.slice(start, end);
    copyBytes(source, start, end, source, Math.max(0, start - random.below(20)));
    assert(indexOf(source, moved) >= 0 || moved.length === 0);
  });
});

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let i = 0; i + part.length <= bytes.length; i++) {
    if (part.every((byte, k) => bytes[i + k] === byte)) return i;
  }
  return -1;
}
