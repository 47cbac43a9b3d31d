/** The index of blocks by words compared with a sorted array. */
import { assertEquals } from "@std/assert";
import type { SeededRandom } from "../../../src/core/random.ts";
import { compareIds, newId, type StreamId } from "../../../src/core/stream_id.ts";
import { WordIndex } from "../../../src/store/blocks/word_index.ts";
import { Arena, CHUNK_SHIFT, GRANULE_MASK, type IndexRef, type Ref } from "../../../src/store/memory/arena.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";

type Block = Ref<"test">;
const OFFSET = 2, BLOCK_BYTES = 24;
const EDGES = [0, 1, 0x7fffffff, -0x80000000, -1];

class Blocks {
  readonly arena = new Arena();
  readonly index = new WordIndex<Block>(this.arena, OFFSET, 4);
  readonly tree = this.index.create();

  create(id: StreamId): Block {
    const ref = this.arena.alloc(BLOCK_BYTES) as Block;
    this.arena.i32[ref >>> CHUNK_SHIFT].set(id, ((ref & GRANULE_MASK) << 1) + OFFSET);
    return ref;
  }

  id(ref: Block): StreamId {
    const at = ((ref & GRANULE_MASK) << 1) + OFFSET;
    return this.arena.i32[ref >>> CHUNK_SHIFT].slice(at, at + 4);
  }
}

function randomId(random: SeededRandom, spread: number): StreamId {
  const word = () => oneIn(random, 10) ? pick(random, EDGES) : random.below(spread);
  return newId(oneIn(random, 30) ? word() : 400, word(), oneIn(random, 30) ? word() : 0, word());
}

Deno.test("an index by words behaves like a sorted array of ids", () =>
  property(6, (random) => {
    const blocks = new Blocks();
    const { arena, index, tree } = blocks;
    const spread = pick(random, [1, 20, 1_000_000]);
    let model: StreamId[] = [];
    const order = random.below(3);
    for (let step = 0; step < 4000; step++) {
      const growing = step % 1000 < 600;
      let id = randomId(random, spread);
      if (order === 1 && model.length > 0) {
        const last = model.at(-1)!;
        id = newId(last[0], last[1] + random.below(2), last[2], last[3] + 1);
      }
      const found = model.findIndex((other) => compareIds(other, 0, id, 0) >= 0);
      const at = found < 0 ? model.length : found;
      const known = at < model.length && compareIds(model[at], 0, id, 0) === 0;
      assertEquals(index.find(tree, id) !== 0, known);
      index.seekFrom(tree, id, 0, true);
      const above = model[known ? at + 1 : at];
      assertEquals(index.leaf === 0 ? undefined : blocks.id(index.ref), above);
      index.seekTo(tree, id, 0);
      const below = known ? model[at] : model[at - 1];
      assertEquals(index.leaf === 0 ? undefined : blocks.id(index.ref), below);
      if (growing || model.length === 0) {
        if (known) continue;
        index.add(tree, blocks.create(id));
        model.splice(at, 0, id);
      } else {
        const k = order === 1 && oneIn(random, 2) ? 0 : random.below(model.length);
        const ref = index.find(tree, model[k]);
        index.remove(tree, ref);
        arena.free(ref);
        model.splice(k, 1);
      }
      if (step % 250 > 0) continue;
      const reached = new Set<number>(), seen: StreamId[] = [];
      index.check(tree, reached, (ref) => {
        seen.push(blocks.id(ref));
        reached.add(ref);
      });
      assertEquals(seen, model);
      assertEquals(arena.check(), reached);
      index.seekLast(tree);
      for (let k = model.length - 1; index.leaf !== 0; index.stepBack(), k--) {
        assertEquals(blocks.id(index.ref), model[k]);
      }
    }
    for (
      let rest = index.drain(tree, 50, (ref) => arena.free(ref));
      rest !== 0;
    ) {
      rest = index.drain(rest, 50, (ref) => arena.free(ref));
    }
    model = [];
    assertEquals(arena.check().size, model.length);
  }));

Deno.test("the first records of an index are cut off, and drained apart from it", () =>
  property(3, (random) => {
    const blocks = new Blocks();
    const { arena, index, tree } = blocks;
    let next = 0, first = 0;
    const garbage: IndexRef[] = [];
    for (let round = 0; round < 12; round++) {
      // Enough for inner nodes above inner nodes.
      for (let more = random.below(pick(random, [100, 9000])) + 1; more > 0; more--) {
        index.add(tree, blocks.create(newId(0, 0, 0, next++)));
      }
      const length = next - first;
      // At the edges of leaves too.
      const count = Math.min(length - 1, pick(random, [1, 61, 62, 63, 62 * 62, random.below(length), length - 1]));
      if (count <= 0) continue;
      garbage.push(index.cut(tree, count));
      first += count;
      for (let k = random.below(100); k > 0 && next - first > 1; k--) {
        arena.free(index.removeAt(tree, 0));
        first++;
      }
      const reached = new Set<number>();
      let expected = first;
      index.check(tree, reached, (ref) => {
        assertEquals(blocks.id(ref), newId(0, 0, 0, expected++));
        reached.add(ref);
      });
      assertEquals(expected, next);
      const k = random.below(garbage.length);
      for (let slices = random.below(200); slices > 0 && garbage[k] !== 0; slices--) {
        garbage[k] = index.drain(garbage[k], 50, (ref) => arena.free(ref));
      }
      if (garbage[k] === 0) garbage.splice(k, 1);
      if (garbage.length === 0) assertEquals(arena.check(), reached);
    }
    for (let rest of [...garbage, tree]) {
      while (rest !== 0) rest = index.drain(rest, 50, (ref) => arena.free(ref));
    }
    assertEquals(arena.check().size, 0);
  }));
