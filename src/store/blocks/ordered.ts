/**
 * The ordered index: a counted B+ tree of records in the order of (score, key), score first, keys as bytes. It finds
 * places by rank, score and key, and walks both ways. The records belong to the caller; their score and key decide, and
 * must not change behind the index's back (`rescore`).
 *
 * A hint is the upper half of a score, made comparable as an integer: only where hints are equal does a search read the
 * record, so a leaf takes 8 bytes for a record, and the score stands once, in the record.
 *
 * Registers: `leaf` and `index` are the cursor, valid until the next write; leaf 0 is beyond either end.
 */
import { invariant } from "../../core/assert.ts";
import { compareBytes, NO_BYTES } from "../../core/bytes.ts";
import { type Arena, CHUNK_SHIFT, GRANULE_MASK, type IndexRef, NONE, type RecordRef } from "../memory/arena.ts";
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
import { keyLength, keyStart, scoreOf, setScore } from "./record.ts";

const hintWords = new Int32Array(2);
const hintDouble = new Float64Array(hintWords.buffer);

/** The hint of a score: hints are ordered as their scores are, but equal ones may belong to different scores. */
function hintOf(score: number): number {
  hintDouble[0] = score + 0; // -0 is 0
  const high = hintWords[1];
  return high ^ ((high >> 31) & 0x7fffffff);
}

/** Records in more leaves than this are counted by their ranks. */
const COUNTED_LEAVES = 3;

export class Ordered {
  leaf = 0;
  index = 0;

  readonly #arena: Arena;
  // The target of a search: entries below (score, key), or, without a key, below the score; with #after the equal ones
  // too.
  #hint = 0;
  #score = 0;
  #bytes: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;
  #byScore = true;
  #byKey = true;
  #after = false;
  // Whether an equal hint alone says that an entry is not below: where the score has nothing but its upper half.
  #hintDecides = false;
  readonly #path = new Path();
  readonly #nodes: OrderedNodes;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#nodes = new OrderedNodes(arena, this.#path);
  }

  /** An empty index. The caller frees it with `drain`. */
  create(): IndexRef {
    const tree = this.#arena.alloc(HEADER_BYTES);
    const words = this.#arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    words.fill(0, at, at + 6);
    const leaf = this.#nodes.createNode(tree, 0);
    words[at + ROOT] = words[at + FIRST] = words[at + LAST] = leaf;
    return tree;
  }

  /** Number of records. */
  count(tree: IndexRef): number {
    return this.#arena.i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + SIZE];
  }

  /** Adds a record that is not in the index. Hot. */
  insert(tree: IndexRef, ref: RecordRef): void {
    this.#aimAt(ref);
    const hint = this.#hint;
    for (;;) {
      this.#descend(tree);
      const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
      if (words[at] < ROOM) {
        this.#nodes.put(tree, words, at, this.index, hint, ref);
        return;
      }
      this.#nodes.makeRoom(tree, this.#path.depth, this.#edgeOf(words, at), hint, ref);
    }
  }

  /** `insert` for a record that belongs behind all others; nothing is compared. */
  append(tree: IndexRef, ref: RecordRef): void {
    const hint = hintOf(scoreOf(this.#arena, ref));
    for (;;) {
      this.#descendToEnd(tree);
      const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
      if (words[at] < ROOM) {
        this.#nodes.put(tree, words, at, this.index, hint, ref);
        return;
      }
      this.#nodes.makeRoom(tree, this.#path.depth, 1, hint, ref);
    }
  }

  /** Takes out a record that is in the index. Hot. */
  remove(tree: IndexRef, ref: RecordRef): void {
    this.#find(tree, ref);
    this.#nodes.take(tree, this.index, 1);
  }

  /** Takes out the record with a rank and returns it. */
  removeAt(tree: IndexRef, rank: number): RecordRef {
    this.seek(tree, rank);
    const { ref } = this;
    this.removeHere(tree, 1);
    return ref;
  }

  /** Takes out the `count` records of one leaf from where `seek` just put the cursor. Hot. */
  removeHere(tree: IndexRef, count: number): void {
    this.#nodes.take(tree, this.#path.entries[this.#path.depth], count);
  }

  /** Gives a record of the index another score. Hot: where the order stays, the record stays in its place. */
  rescore(tree: IndexRef, ref: RecordRef, score: number): void {
    this.#find(tree, ref);
    const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    const i = this.index;
    const hint = hintOf(score);
    // The neighbours' records, which are likely not in the cache, are read only where hints are equal.
    const before = words[at + HINTS + i - 1], behind = words[at + HINTS + i + 1];
    const fits =
      (i > 0
        ? before < hint || (before === hint && this.#precedes(words[at + REFS + i - 1] as RecordRef, ref, score))
        : words[at + PREVIOUS] === 0) &&
      (i < words[at] - 1
        ? behind > hint || (behind === hint && !this.#precedes(words[at + REFS + i + 1] as RecordRef, ref, score))
        : words[at + NEXT] === 0);
    if (fits) {
      setScore(this.#arena, ref, score);
      words[at + HINTS + i] = hint;
      return;
    }
    this.#nodes.take(tree, i, 1);
    setScore(this.#arena, ref, score);
    this.insert(tree, ref);
  }

  /** The rank of a record that is in the index, from 0. */
  rankOf(tree: IndexRef, ref: RecordRef): number {
    this.#find(tree, ref);
    return this.rank();
  }

  /** Puts the cursor on the record with a rank from 0 to the count, which is the end. Hot. */
  seek(tree: IndexRef, rank: number): void {
    const { i32 } = this.#arena;
    const header = i32[tree >>> CHUNK_SHIFT], h = (tree & GRANULE_MASK) << 1;
    let node = header[h + ROOT], total = header[h + SIZE];
    for (let depth = 0;; depth++) {
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.#path.nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.#path.entries[depth] = rank;
        this.#path.depth = depth;
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
      this.#path.entries[depth] = i;
      node = words[at + CHILDREN + i];
    }
  }

  /** Puts the cursor on the first record with a score of at least `score` (above it, if `after`). Hot. */
  seekForward(tree: IndexRef, score: number, after: boolean): void {
    this.#aimAtScore(score, after);
    this.#seekBound(tree);
  }

  /** `seekForward`, which returns the rank, the count if there is no such record. */
  seekScore(tree: IndexRef, score: number, after: boolean): number {
    this.seekForward(tree, score, after);
    return this.rank();
  }

  /** Puts the cursor on the last record with a score below `score` (not above it, if `after`). Hot. */
  seekBack(tree: IndexRef, score: number, after: boolean): void {
    this.#aimAtScore(score, after);
    this.#descend(tree);
    this.#path.entries[this.#path.depth]--;
    this.stepBack();
  }

  /**
   * The rank of the cursor where a method that seeks has put it: -1 before the first record, the count behind the last.
   */
  rank(): number {
    const { i32 } = this.#arena, { nodes, entries, depth } = this.#path;
    let rank = entries[depth];
    for (let d = 0; d < depth; d++) {
      const node = nodes[d], entry = entries[d];
      const words = i32[node >>> CHUNK_SHIFT], at = ((node & GRANULE_MASK) << 1) + COUNTS;
      for (let i = 0; i < entry; i++) rank += words[at + i];
    }
    return rank;
  }

  /** Moves the cursor from where a method that seeks has put it by so many records, back if negative. */
  skip(tree: IndexRef, by: number): void {
    this.seek(tree, this.rank() + by);
  }

  /**
   * How many of the records from the cursor on, where a method that seeks has put it, have a score below `score` (not
   * above it, if `after`); at most `most`. The cursor stays. Hot: few records are counted leaf by leaf, because the
   * caller will read these leaves; many by their ranks.
   */
  countTo(tree: IndexRef, score: number, after: boolean, most: number): number {
    const { i32 } = this.#arena;
    this.#aimAtScore(score, after);
    let { leaf, index } = this, count = 0;
    for (let leaves = 0; leaf !== 0 && count < most; leaves++) {
      if (leaves === COUNTED_LEAVES) {
        const rank = this.rank();
        this.#descend(tree);
        count = this.rank() - rank;
        this.seek(tree, rank);
        return Math.min(count, most);
      }
      const words = i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
      const end = Math.min(words[at], index + most - count);
      if (!this.#isEntryBelow(words, at, end - 1)) return count + this.#bound(words, at, index, end - 1) - index;
      count += end - index;
      leaf = words[at + NEXT];
      index = 0;
    }
    return count;
  }

  /** `countTo` the other way: of the records from the cursor back, those that are not below. Hot. */
  countBackTo(tree: IndexRef, score: number, after: boolean, most: number): number {
    const { i32 } = this.#arena;
    this.#aimAtScore(score, after);
    let { leaf, index } = this, count = 0;
    for (let leaves = 0; leaf !== 0 && count < most; leaves++) {
      if (leaves === COUNTED_LEAVES) {
        const rank = this.rank();
        this.#descend(tree);
        count = rank + 1 - this.rank();
        this.seek(tree, rank);
        return Math.min(count, most);
      }
      const words = i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
      const first = Math.max(0, index + 1 - (most - count));
      if (this.#isEntryBelow(words, at, first)) return count + index + 1 - this.#bound(words, at, first + 1, index + 1);
      count += index + 1 - first;
      leaf = words[at + PREVIOUS];
      if (leaf !== 0) index = i32[leaf >>> CHUNK_SHIFT][(leaf & GRANULE_MASK) << 1] - 1;
    }
    return count;
  }

  /**
   * Puts the cursor on the first record whose key is at least `bytes[start, end)` (beyond it, if `after`), and returns
   * its rank. Meaningful where all scores are equal; elsewhere some record.
   */
  seekKey(tree: IndexRef, bytes: Uint8Array, start: number, end: number, after: boolean): number {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#byScore = false;
    this.#byKey = true;
    this.#after = after;
    this.#hintDecides = false;
    this.#seekBound(tree);
    return this.rank();
  }

  /** The record under the cursor. */
  get ref(): RecordRef {
    return this.#arena
      .i32[this.leaf >>> CHUNK_SHIFT][((this.leaf & GRANULE_MASK) << 1) + REFS + this.index] as RecordRef;
  }

  /** Moves the cursor to the next record. */
  step(): void {
    const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    if (++this.index < words[at]) return;
    this.leaf = words[at + NEXT];
    this.index = 0;
  }

  /** Moves the cursor to the record before. */
  stepBack(): void {
    if (--this.index >= 0) return;
    this.leaf = this.#arena.i32[this.leaf >>> CHUNK_SHIFT][((this.leaf & GRANULE_MASK) << 1) + PREVIOUS];
    if (this.leaf === 0) return;
    this.index = this.#arena.i32[this.leaf >>> CHUNK_SHIFT][(this.leaf & GRANULE_MASK) << 1] - 1;
  }

  /**
   * Copies the refs of up to `count` records from the cursor on, or, if `back`, back from it, to the head of `refs`, as
   * far as its leaf has them, and moves the cursor behind them. Returns how many, 0 beyond either end. Hot.
   */
  readRefs(refs: Int32Array, count: number, back: boolean): number {
    const { leaf, index } = this;
    if (leaf === 0) return 0;
    const words = this.#arena.i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
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
    const words = this.#arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    return HEADER_BYTES + words[at + LEAVES] * this.#arena.roundUp(LEAF_BYTES) +
      words[at + INNERS] * this.#arena.roundUp(INNER_BYTES);
  }

  /**
   * Frees at most `budget` nodes of an unused index, from its end. Returns the index while something is left of it,
   * 0 when it is gone. Only this method may be called between.
   */
  drain(tree: IndexRef, budget: number): IndexRef {
    const arena = this.#arena;
    while (budget-- > 0) {
      let parent = 0;
      let node = arena.i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
      for (;;) {
        const words = arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
        if (words[at + LEVEL] === 0 || words[at] === 0) break;
        parent = node;
        node = words[at + CHILDREN + words[at] - 1];
      }
      arena.free(node);
      if (parent === 0) {
        arena.free(tree);
        return NONE;
      }
      arena.i32[parent >>> CHUNK_SHIFT][(parent & GRANULE_MASK) << 1]--;
    }
    return tree;
  }

  /** Checks all invariants; adds every block of the index to `reached`, and calls `visit` for each record in order. */
  check(tree: IndexRef, reached: Set<number>, visit: (ref: RecordRef) => void): void {
    const words = this.#arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    reached.add(tree);
    const root = words[at + ROOT];
    const leaves: number[] = [];
    const level = this.#arena.i32[root >>> CHUNK_SHIFT][((root & GRANULE_MASK) << 1) + LEVEL];
    const before = reached.size;
    const count = this.#checkNode(root, level, reached, leaves);
    invariant(count === words[at + SIZE], "the records of an ordered index are miscounted");
    invariant(leaves.length === words[at + LEAVES], "the leaves of an ordered index are miscounted");
    invariant(
      reached.size - before === words[at + LEAVES] + words[at + INNERS],
      "a node is reached twice, or miscounted",
    );
    invariant(leaves[0] === words[at + FIRST] && leaves.at(-1) === words[at + LAST], "the ends of an index are wrong");
    let last: RecordRef = NONE;
    for (let i = 0; i < leaves.length; i++) {
      const leafWords = this.#arena.i32[leaves[i] >>> CHUNK_SHIFT], leafAt = (leaves[i] & GRANULE_MASK) << 1;
      invariant(leafWords[leafAt + NEXT] === (leaves[i + 1] ?? 0), "a leaf leads to a wrong one");
      invariant(leafWords[leafAt + PREVIOUS] === (leaves[i - 1] ?? 0), "a leaf leads back to a wrong one");
      for (let k = 0; k < leafWords[leafAt]; k++) {
        const ref = leafWords[leafAt + REFS + k] as RecordRef;
        invariant(last === 0 || this.#precedes(last, ref, scoreOf(this.#arena, ref)), "records are out of order");
        last = ref;
        visit(ref);
      }
    }
  }

  #checkNode(node: number, level: number, reached: Set<number>, leaves: number[]): number {
    reached.add(node);
    const words = this.#arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
    invariant(words[at + LEVEL] === level, "a node is on a wrong level");
    const used = words[at];
    for (let i = level === 0 ? 0 : 1; i < used; i++) {
      const hint = hintOf(scoreOf(this.#arena, words[at + REFS + i] as RecordRef));
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
      const count = this.#checkNode(child, level - 1, reached, leaves);
      invariant(count > 0 && count === words[at + COUNTS + i], "the records below a node are miscounted");
      const first = leaves[leavesBefore];
      const firstRef = this.#arena.i32[first >>> CHUNK_SHIFT][((first & GRANULE_MASK) << 1) + REFS];
      invariant(i === 0 || words[at + REFS + i] === firstRef, "an entry does not name the first record below it");
      sum += count;
    }
    return sum;
  }

  /** Aims the search behind a record. */
  #aimAt(ref: RecordRef): void {
    const arena = this.#arena;
    this.#score = scoreOf(arena, ref);
    this.#hint = hintOf(this.#score);
    this.#bytes = arena.u8[ref >>> CHUNK_SHIFT];
    this.#start = keyStart(arena, ref);
    this.#end = this.#start + keyLength(arena, ref);
    this.#byScore = true;
    this.#byKey = true;
    this.#after = true;
    this.#hintDecides = false;
  }

  /** Puts the cursor on a record that is in the index. */
  #find(tree: IndexRef, ref: RecordRef): void {
    this.#aimAt(ref);
    this.#descend(tree);
    this.index--;
    this.#path.entries[this.#path.depth] = this.index;
    invariant(this.index >= 0 && this.ref === ref, "a record is not in the ordered index");
  }

  #aimAtScore(score: number, after: boolean): void {
    this.#hint = hintOf(score);
    this.#score = score;
    this.#byScore = true;
    this.#byKey = false;
    this.#after = after;
    this.#hintDecides = !after && score >= 0 && hintWords[0] === 0;
  }

  /** Puts the cursor on the first record that is not below the target. */
  #seekBound(tree: IndexRef): void {
    this.#descend(tree);
    const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    if (this.index === words[at]) {
      this.leaf = words[at + NEXT];
      this.index = 0;
    }
  }

  /** Puts the cursor behind all entries of one leaf that are below the target, and keeps the path there. */
  #descend(tree: IndexRef): void {
    const { i32 } = this.#arena;
    let node = i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
    for (let depth = 0;; depth++) {
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.#path.nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.leaf = node;
        this.#path.entries[depth] = this.index = this.#bound(words, at, 0, words[at]);
        this.#path.depth = depth;
        return;
      }
      const i = this.#bound(words, at, 1, words[at]) - 1;
      this.#path.entries[depth] = i;
      node = words[at + CHILDREN + i];
    }
  }

  #descendToEnd(tree: IndexRef): void {
    const { i32 } = this.#arena;
    let node = i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
    for (let depth = 0;; depth++) {
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.#path.nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.leaf = node;
        this.#path.entries[depth] = this.index = words[at];
        this.#path.depth = depth;
        return;
      }
      this.#path.entries[depth] = words[at] - 1;
      node = words[at + CHILDREN + words[at] - 1];
    }
  }

  /** The first entry in [low, high) that is not below the target. Hot. */
  #bound(words: Int32Array, at: number, low: number, high: number): number {
    const hint = this.#hint, hints = at + HINTS, byScore = this.#byScore;
    if (byScore) {
      // Hints alone decide nearly always.
      let behind = high;
      while (low < behind) {
        const middle = (low + behind) >>> 1;
        if (words[hints + middle] < hint) low = middle + 1;
        else behind = middle;
      }
      if (low === high || words[hints + low] !== hint || this.#hintDecides) return low;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((!byScore || words[hints + middle] === hint) && this.#isBelow(words[at + REFS + middle] as RecordRef)) {
        low = middle + 1;
      } else high = middle;
    }
    return low;
  }

  #isEntryBelow(words: Int32Array, at: number, i: number): boolean {
    return this.#bound(words, at, i, i + 1) > i;
  }

  #isBelow(ref: RecordRef): boolean {
    const arena = this.#arena;
    if (this.#byScore) {
      const score = scoreOf(arena, ref);
      if (score !== this.#score) return score < this.#score;
    }
    if (!this.#byKey) return this.#after;
    const start = keyStart(arena, ref), end = start + keyLength(arena, ref);
    const order = compareBytes(arena.u8[ref >>> CHUNK_SHIFT], start, end, this.#bytes, this.#start, this.#end);
    return order < 0 || (order === 0 && this.#after);
  }

  /** Whether a record comes before another that has, or is to have, `score`. */
  #precedes(ref: RecordRef, other: RecordRef, score: number): boolean {
    const arena = this.#arena;
    const own = scoreOf(arena, ref);
    if (own !== score) return own < score;
    const start = keyStart(arena, ref), otherStart = keyStart(arena, other);
    return compareBytes(
      arena.u8[ref >>> CHUNK_SHIFT],
      start,
      start + keyLength(arena, ref),
      arena.u8[other >>> CHUNK_SHIFT],
      otherStart,
      otherStart + keyLength(arena, other),
    ) < 0;
  }

  /** 1 if the cursor is behind the last record, -1 if before the first, else 0. */
  #edgeOf(words: Int32Array, at: number): number {
    if (this.index === words[at] && words[at + NEXT] === 0) return 1;
    return this.index === 0 && words[at + PREVIOUS] === 0 ? -1 : 0;
  }
}
