/**
 * An ordered index of blocks by a number of two to four words that stands in them, as unsigned integers and the highest
 * word first: the ids of stream entries, or times. The first two words are a number of milliseconds as a rule, so hints
 * are made of their difference to those of the first block that came: within a quarter of an hour they tell every
 * millisecond apart, within a day every tenth of a second.
 *
 *     header    the ordered tree's · +24 the first two words of the first block, as a double
 *
 * The words of a block must not change while it is in an index.
 */
import { type Arena, CHUNK_SHIFT, GRANULE_MASK, type IndexRef, NONE, type Ref } from "../memory/arena.ts";
import { HEADER_BYTES, HINTS, LAST, LEAVES, REFS, SIZE } from "./ordered_nodes.ts";
import { hintOf, OrderedTree } from "./ordered_tree.ts";

const BASE = HEADER_BYTES >>> 3;
const INDEX_HEADER_BYTES = HEADER_BYTES + 8;
const TWO32 = 0x100000000;

export class WordIndex<R extends Ref> extends OrderedTree<R> {
  readonly #offset: number;
  readonly #count: number;
  // The target of a search: blocks below these words, with #after the equal one too.
  #words: Int32Array;
  #at: number;
  #hint = 0;
  #after = false;

  /** The blocks are in the order of `count` words from their word `offset` on. */
  constructor(arena: Arena, offset: number, count: number) {
    super(arena, INDEX_HEADER_BYTES);
    this.#offset = offset;
    this.#count = count;
    this.#words = new Int32Array(count);
    this.#at = 0;
  }

  /** Adds a block whose words are not in the index. Hot: usually it belongs behind all others. */
  add(tree: IndexRef, ref: R): void {
    const { i32 } = this.arena;
    const header = i32[tree >>> CHUNK_SHIFT], h = (tree & GRANULE_MASK) << 1;
    const words = i32[ref >>> CHUNK_SHIFT], at = ((ref & GRANULE_MASK) << 1) + this.#offset;
    if (header[h + SIZE] === 0) {
      this.arena.f64[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) + BASE] = valueAt(words, at);
      return this.append(tree, ref);
    }
    this.seekLast(tree);
    if (this.compareHere(words, at) < 0) this.append(tree, ref);
    else this.insert(tree, ref);
  }

  /** How the block under the cursor stands to the words at `words[at]`. */
  compareHere(words: Int32Array, at: number): number {
    const { ref } = this;
    return this.#compare(this.arena.i32[ref >>> CHUNK_SHIFT], this.#placeOf(ref), words, at);
  }

  /**
   * The block with the words at `words[at]`, 0 if there is none. Puts the cursor there. Hot: often the last block is
   * asked for, or one behind it.
   */
  find(tree: IndexRef, words: Int32Array, at = 0): R {
    this.seekLast(tree);
    let order = this.leaf === 0 ? -1 : this.compareHere(words, at);
    if (order > 0) {
      this.seekFrom(tree, words, at, false);
      order = this.compareHere(words, at);
    }
    return order === 0 ? this.ref : NONE as unknown as R;
  }

  /** Puts the cursor on the first block that is not below the words at `words[at]`, nor equal if `after`. */
  seekFrom(tree: IndexRef, words: Int32Array, at: number, after: boolean): void {
    this.#aim(tree, words, at, after);
    this.seekBound(tree);
  }

  /**
   * Puts the cursor on the last block that is not above the words at `words[at]`; beyond the start if there is none.
   */
  seekTo(tree: IndexRef, words: Int32Array, at: number): void {
    this.#aim(tree, words, at, true);
    this.descend(tree);
    this.path.entries[this.path.depth]--;
    this.stepBack();
  }

  /** Puts the cursor on the first block. */
  seekFirst(tree: IndexRef): void {
    this.seek(tree, 0);
  }

  /** Puts the cursor on the last block; beyond the start if there is none. */
  seekLast(tree: IndexRef): void {
    const { i32 } = this.arena;
    this.leaf = i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + LAST];
    this.index = i32[this.leaf >>> CHUNK_SHIFT][(this.leaf & GRANULE_MASK) << 1] - 1;
    if (this.index < 0) this.leaf = 0;
  }

  /** Number of leaves and inner nodes, as Redis counts the nodes of its radix trees. */
  nodeCount(tree: IndexRef): number {
    const words = this.arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    return words[at + LEAVES] + words[at + LEAVES + 1];
  }

  protected override aimAt(tree: IndexRef, ref: R): number {
    this.#aim(tree, this.arena.i32[ref >>> CHUNK_SHIFT], this.#placeOf(ref), true);
    return this.#hint;
  }

  protected override hintIn(tree: IndexRef, ref: R): number {
    return this.#hintOf(tree, this.arena.i32[ref >>> CHUNK_SHIFT], this.#placeOf(ref));
  }

  protected override isBefore(ref: R, other: R): boolean {
    const { i32 } = this.arena;
    return this.#compare(
      i32[ref >>> CHUNK_SHIFT],
      this.#placeOf(ref),
      i32[other >>> CHUNK_SHIFT],
      this.#placeOf(other),
    ) < 0;
  }

  protected override bound(words: Int32Array, at: number, low: number, high: number): number {
    const { i32 } = this.arena;
    const hint = this.#hint, hints = at + HINTS, refs = at + REFS;
    while (low < high) {
      const middle = (low + high) >>> 1, own = words[hints + middle];
      let below = own < hint;
      if (own === hint) {
        const ref = words[refs + middle];
        const order = this.#compare(i32[ref >>> CHUNK_SHIFT], this.#placeOf(ref), this.#words, this.#at);
        below = order < 0 || (order === 0 && this.#after);
      }
      if (below) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #aim(tree: IndexRef, words: Int32Array, at: number, after: boolean): void {
    this.#words = words;
    this.#at = at;
    this.#hint = this.#hintOf(tree, words, at);
    this.#after = after;
  }

  #hintOf(tree: IndexRef, words: Int32Array, at: number): number {
    return hintOf(valueAt(words, at) - this.arena.f64[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) + BASE]);
  }

  /** The index of a block's words in its chunk. */
  #placeOf(ref: number): number {
    return ((ref & GRANULE_MASK) << 1) + this.#offset;
  }

  #compare(a: Int32Array, i: number, b: Int32Array, k: number): number {
    for (let n = 0; n < this.#count; n++) {
      if (a[i + n] !== b[k + n]) return (a[i + n] >>> 0) - (b[k + n] >>> 0);
    }
    return 0;
  }
}

/** The first two words as a number, the nearest double beyond 2^53. */
function valueAt(words: Int32Array, at: number): number {
  return (words[at] >>> 0) * TWO32 + (words[at + 1] >>> 0);
}
