/**
 * The counted B+ tree under the ordered indexes: the cursor, ranks, and the ways from the root to a place. A subclass
 * owns the order: what its records are compared by, and their hints. The records belong to the caller.
 *
 * A hint is 32 bits of what a record is ordered by, comparable as an integer: only where hints are equal does a search
 * read the record, so a leaf takes 8 bytes for a record.
 *
 * Registers: `leaf` and `index` are the cursor, valid until the next write; leaf 0 is beyond either end.
 */
import { invariant } from "../../core/assert.ts";
import { type Arena, CHUNK_SHIFT, GRANULE_MASK, type IndexRef, NONE, type Ref } from "../memory/arena.ts";
import {
  CHILDREN,
  COUNTS,
  FIRST,
  HEADER_BYTES,
  HINTS,
  INNER_BYTES,
  INNERS,
  LAST,
  LEAF_BYTES,
  LEAVES,
  LEVEL,
  NEXT,
  OrderedNodes,
  Path,
  PREVIOUS,
  REFS,
  ROOM,
  ROOT,
  SIZE,
} from "./ordered_nodes.ts";

export const hintWords = new Int32Array(2);
const hintDouble = new Float64Array(hintWords.buffer);

/** The hint of a score: hints are ordered as their scores are, but equal ones may belong to different scores. */
export function hintOf(score: number): number {
  hintDouble[0] = score + 0; // -0 is 0
  const high = hintWords[1];
  return high ^ ((high >> 31) & 0x7fffffff);
}

export abstract class OrderedTree<R extends Ref> {
  leaf = 0;
  index = 0;

  protected readonly arena: Arena;
  protected readonly path = new Path();
  protected readonly nodes: OrderedNodes;
  readonly #headerBytes: number;

  /** The header of an index has `headerBytes`, of which those behind HEADER_BYTES belong to the subclass. */
  constructor(arena: Arena, headerBytes = HEADER_BYTES) {
    this.arena = arena;
    this.nodes = new OrderedNodes(arena, this.path);
    this.#headerBytes = headerBytes;
  }

  /** The first entry in [low, high) of a node that is not below the target of the search. */
  protected abstract bound(words: Int32Array, at: number, low: number, high: number): number;
  /** Whether a record comes before another. */
  protected abstract isBefore(ref: R, other: R): boolean;
  /** Aims the search behind a record and returns the record's hint. */
  protected abstract aimAt(tree: IndexRef, ref: R): number;
  /** The hint of a record in an index. */
  protected abstract hintIn(tree: IndexRef, ref: R): number;

  /** An empty index. The caller frees it with `drain`. */
  create(): IndexRef {
    const tree: IndexRef = this.arena.alloc(this.#headerBytes);
    const words = this.arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    words.fill(0, at, at + (this.#headerBytes >>> 2));
    const leaf = this.nodes.createNode(tree, 0);
    words[at + ROOT] = words[at + FIRST] = words[at + LAST] = leaf;
    return tree;
  }

  /** Number of records. */
  count(tree: IndexRef): number {
    return this.arena.i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + SIZE];
  }

  /** Adds a record that is not in the index. Hot. */
  insert(tree: IndexRef, ref: R): void {
    const hint = this.aimAt(tree, ref);
    for (;;) {
      this.descend(tree);
      const words = this.arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
      if (words[at] < ROOM) {
        this.nodes.put(tree, words, at, this.index, hint, ref);
        return;
      }
      this.nodes.makeRoom(tree, this.path.depth, this.edgeOf(words, at), hint, ref);
    }
  }

  /** `insert` for a record that belongs behind all others; nothing is compared. */
  append(tree: IndexRef, ref: R): void {
    const hint = this.hintIn(tree, ref);
    for (;;) {
      this.descendToEnd(tree);
      const words = this.arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
      if (words[at] < ROOM) {
        this.nodes.put(tree, words, at, this.index, hint, ref);
        return;
      }
      this.nodes.makeRoom(tree, this.path.depth, 1, hint, ref);
    }
  }

  /** Takes out a record that is in the index. Hot. */
  remove(tree: IndexRef, ref: R): void {
    this.locate(tree, ref);
    this.nodes.take(tree, this.index, 1);
  }

  /** Takes out the record with a rank and returns it. */
  removeAt(tree: IndexRef, rank: number): R {
    this.seek(tree, rank);
    const { ref } = this;
    this.removeHere(tree, 1);
    return ref;
  }

  /** Takes out the `count` records of one leaf from where `seek` just put the cursor. Hot. */
  removeHere(tree: IndexRef, count: number): void {
    this.nodes.take(tree, this.path.entries[this.path.depth], count);
  }

  /**
   * Takes out the first `count` records, fewer than there are, in the time of a search. Returns an index of them that
   * only `drain` may see.
   */
  cut(tree: IndexRef, count: number): IndexRef {
    this.seek(tree, count);
    const root = this.nodes.cut(tree);
    const taken: IndexRef = this.arena.alloc(this.#headerBytes);
    this.arena.i32[taken >>> CHUNK_SHIFT][(taken & GRANULE_MASK) << 1] = root;
    return taken;
  }

  /** Puts the cursor on the record with a rank from 0 to the count, which is the end. Hot. */
  seek(tree: IndexRef, rank: number): void {
    const { i32 } = this.arena;
    const header = i32[tree >>> CHUNK_SHIFT], h = (tree & GRANULE_MASK) << 1;
    let node = header[h + ROOT], total = header[h + SIZE];
    for (let depth = 0;; depth++) {
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.path.nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.path.entries[depth] = rank;
        this.path.depth = depth;
        this.leaf = rank < words[at] ? node : 0;
        this.index = rank;
        return;
      }
      const counts = at + COUNTS, last = words[at] - 1;
      // From the end that is nearer.
      let i = 0;
      if (rank <= total >>> 1) {
        while (i < last && rank >= words[counts + i]) rank -= words[counts + i++];
        total = words[counts + i];
      } else {
        let behind = total - rank;
        i = last;
        while (i > 0 && behind > words[counts + i]) behind -= words[counts + i--];
        total = words[counts + i];
        rank = total - behind;
      }
      this.path.entries[depth] = i;
      node = words[at + CHILDREN + i];
    }
  }

  /**
   * The rank of the cursor where a method that seeks has put it: -1 before the first record, the count behind the last.
   */
  rank(): number {
    const { i32 } = this.arena, { nodes, entries, depth } = this.path;
    let rank = entries[depth];
    for (let d = 0; d < depth; d++) {
      const node = nodes[d], entry = entries[d];
      const words = i32[node >>> CHUNK_SHIFT], at = ((node & GRANULE_MASK) << 1) + COUNTS;
      for (let i = 0; i < entry; i++) rank += words[at + i];
    }
    return rank;
  }

  /** The record under the cursor. */
  get ref(): R {
    return this.arena
      .i32[this.leaf >>> CHUNK_SHIFT][((this.leaf & GRANULE_MASK) << 1) + REFS + this.index] as R;
  }

  /** Moves the cursor to the next record. */
  step(): void {
    const words = this.arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    if (++this.index < words[at]) return;
    this.leaf = words[at + NEXT];
    this.index = 0;
  }

  /** Moves the cursor to the record before. */
  stepBack(): void {
    if (--this.index >= 0) return;
    this.leaf = this.arena.i32[this.leaf >>> CHUNK_SHIFT][((this.leaf & GRANULE_MASK) << 1) + PREVIOUS];
    if (this.leaf === 0) return;
    this.index = this.arena.i32[this.leaf >>> CHUNK_SHIFT][(this.leaf & GRANULE_MASK) << 1] - 1;
  }

  /**
   * Copies the refs of up to `count` records from the cursor on, or, if `back`, back from it, to the head of `refs`, as
   * far as its leaf has them, and moves the cursor behind them. Returns how many, 0 beyond either end. Hot.
   */
  readRefs(refs: Int32Array, count: number, back: boolean): number {
    const { leaf, index } = this;
    if (leaf === 0) return 0;
    const words = this.arena.i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
    if (back) {
      count = Math.min(count, index + 1);
      for (let k = 0, from = at + REFS + index; k < count; k++) refs[k] = words[from - k];
      this.index = index - count + 1;
      this.stepBack();
    } else {
      count = Math.min(count, words[at] - index);
      for (let k = 0, from = at + REFS + index; k < count; k++) refs[k] = words[from + k];
      this.index = index + count - 1;
      this.step();
    }
    return count;
  }

  /** Bytes of the arena that the index takes, without the records. */
  sizeBytes(tree: IndexRef): number {
    const words = this.arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    return HEADER_BYTES + words[at + LEAVES] * this.arena.roundUp(LEAF_BYTES) +
      words[at + INNERS] * this.arena.roundUp(INNER_BYTES);
  }

  /**
   * Frees at most about `budget` blocks of an unused index, from its end: its nodes, and with `free` the records of
   * each leaf. Returns the index while something is left of it, 0 when it is gone. Only this method may be called
   * between.
   */
  drain(tree: IndexRef, budget: number, free?: (ref: R) => void): IndexRef {
    const arena = this.arena;
    while (budget-- > 0) {
      let parent = 0;
      let node = arena.i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
      for (;;) {
        const words = arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
        if (words[at + LEVEL] === 0 || words[at] === 0) break;
        parent = node;
        node = words[at + CHILDREN + words[at] - 1];
      }
      if (free !== undefined) budget -= this.#freeRecords(node, free);
      arena.free(node);
      if (parent === 0) {
        arena.free(tree);
        return NONE;
      }
      arena.i32[parent >>> CHUNK_SHIFT][(parent & GRANULE_MASK) << 1]--;
    }
    return tree;
  }

  /** Frees the records of a leaf, and returns how many. */
  #freeRecords(node: number, free: (ref: R) => void): number {
    const words = this.arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
    if (words[at + LEVEL] > 0) return 0;
    const count = words[at];
    for (let i = 0; i < count; i++) free(words[at + REFS + i] as R);
    return count;
  }

  /** Checks all invariants; adds every block of the index to `reached`, and calls `visit` for each record in order. */
  check(tree: IndexRef, reached: Set<number>, visit: (ref: R) => void): void {
    const words = this.arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    reached.add(tree);
    const root = words[at + ROOT];
    const leaves: number[] = [];
    const level = this.arena.i32[root >>> CHUNK_SHIFT][((root & GRANULE_MASK) << 1) + LEVEL];
    const before = reached.size;
    const count = this.#checkNode(tree, root, level, reached, leaves);
    invariant(count === words[at + SIZE], "the records of an ordered index are miscounted");
    invariant(leaves.length === words[at + LEAVES], "the leaves of an ordered index are miscounted");
    invariant(
      reached.size - before === words[at + LEAVES] + words[at + INNERS],
      "a node is reached twice, or miscounted",
    );
    invariant(leaves[0] === words[at + FIRST] && leaves.at(-1) === words[at + LAST], "the ends of an index are wrong");
    let last: R | undefined;
    for (let i = 0; i < leaves.length; i++) {
      const leafWords = this.arena.i32[leaves[i] >>> CHUNK_SHIFT], leafAt = (leaves[i] & GRANULE_MASK) << 1;
      invariant(leafWords[leafAt + NEXT] === (leaves[i + 1] ?? 0), "a leaf leads to a wrong one");
      invariant(leafWords[leafAt + PREVIOUS] === (leaves[i - 1] ?? 0), "a leaf leads back to a wrong one");
      for (let k = 0; k < leafWords[leafAt]; k++) {
        const ref = leafWords[leafAt + REFS + k] as R;
        invariant(last === undefined || this.isBefore(last, ref), "records are out of order");
        last = ref;
        visit(ref);
      }
    }
  }

  #checkNode(tree: IndexRef, node: number, level: number, reached: Set<number>, leaves: number[]): number {
    reached.add(node);
    const words = this.arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
    invariant(words[at + LEVEL] === level, "a node is on a wrong level");
    const used = words[at];
    for (let i = level === 0 ? 0 : 1; i < used; i++) {
      const hint = this.hintIn(tree, words[at + REFS + i] as R);
      invariant(words[at + HINTS + i] === hint, "a hint is not its record's");
    }
    if (level === 0) {
      leaves.push(node);
      return used;
    }
    let sum = 0;
    for (let i = 0; i < used; i++) {
      const child = words[at + CHILDREN + i];
      const leavesBefore = leaves.length;
      const count = this.#checkNode(tree, child, level - 1, reached, leaves);
      invariant(count > 0 && count === words[at + COUNTS + i], "the records below a node are miscounted");
      const first = leaves[leavesBefore];
      const firstRef = this.arena.i32[first >>> CHUNK_SHIFT][((first & GRANULE_MASK) << 1) + REFS];
      invariant(i === 0 || words[at + REFS + i] === firstRef, "an entry does not name the first record below it");
      sum += count;
    }
    return sum;
  }

  /** Puts the cursor on a record that is in the index. */
  protected locate(tree: IndexRef, ref: R): void {
    this.aimAt(tree, ref);
    this.descend(tree);
    this.index--;
    this.path.entries[this.path.depth] = this.index;
    invariant(this.index >= 0 && this.ref === ref, "a record is not in the ordered index");
  }

  /** Puts the cursor on the first record that is not below the target. */
  protected seekBound(tree: IndexRef): void {
    this.descend(tree);
    const words = this.arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    if (this.index === words[at]) {
      this.leaf = words[at + NEXT];
      this.index = 0;
    }
  }

  /** Puts the cursor behind all entries of one leaf that are below the target, and keeps the path there. */
  protected descend(tree: IndexRef): void {
    const { i32 } = this.arena;
    let node = i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
    for (let depth = 0;; depth++) {
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.path.nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.leaf = node;
        this.path.entries[depth] = this.index = this.bound(words, at, 0, words[at]);
        this.path.depth = depth;
        return;
      }
      const i = this.bound(words, at, 1, words[at]) - 1;
      this.path.entries[depth] = i;
      node = words[at + CHILDREN + i];
    }
  }

  protected descendToEnd(tree: IndexRef): void {
    const { i32 } = this.arena;
    let node = i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
    for (let depth = 0;; depth++) {
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.path.nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.leaf = node;
        this.path.entries[depth] = this.index = words[at];
        this.path.depth = depth;
        return;
      }
      this.path.entries[depth] = words[at] - 1;
      node = words[at + CHILDREN + words[at] - 1];
    }
  }

  /** 1 if the cursor is behind the last record, -1 if before the first, else 0. */
  protected edgeOf(words: Int32Array, at: number): number {
    if (this.index === words[at] && words[at + NEXT] === 0) return 1;
    return this.index === 0 && words[at + PREVIOUS] === 0 ? -1 : 0;
  }
}
