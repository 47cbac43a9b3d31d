/**
 * The ordered index: a counted B+ tree of records in the order of (score, key), score first, keys as bytes. It finds
 * places by rank, score and key, and walks both ways. The records belong to the caller; their score and key decide, and
 * must not change behind the index's back (`rescore`).
 *
 *     header    +0 root · +4 first leaf · +8 last leaf · +12 leaves · +16 inner nodes · +20 records
 *     node      +0 entries · +4 level, 0 is a leaf · +8 next · +12 previous leaf · 62 hints · 62 refs
 *     inner     the same, then 62 children · 62 counts of the records below them
 *
 * A hint is the upper half of a score, made comparable as an integer: only where hints are equal does a search read the
 * record, so a leaf takes 8 bytes for a record, and the score stands once, in the record. An entry of an inner node names
 * the first record below its child. That of entry 0 is not kept: the node's own entry above says as much.
 *
 * Registers: `leaf` and `index` are the cursor, valid until the next write; leaf 0 is beyond either end.
 */
import { invariant } from "../core/assert.ts";
import { compareBytes, NO_BYTES } from "../core/bytes.ts";
import { type Arena, CHUNK_SHIFT, GRANULE_MASK } from "./arena.ts";
import { keyLength, keyStart, scoreOf, setScore } from "./record.ts";

const ROOT = 0, FIRST = 1, LAST = 2, LEAVES = 3, INNERS = 4, SIZE = 5;
const HEADER_BYTES = 24;

const USED = 0, LEVEL = 1, NEXT = 2, PREVIOUS = 3, HINTS = 4;
const ROOM = 62;
const REFS = HINTS + ROOM, CHILDREN = REFS + ROOM, COUNTS = CHILDREN + ROOM;
const LEAF_BYTES = 4 * CHILDREN, INNER_BYTES = 4 * (COUNTS + ROOM);
/** A full node hands entries to a neighbour that has at least this much room; otherwise it splits. */
const SHARED_MIN = 8;
/** A node with fewer entries joins a neighbour if both together have at most so many. */
const SPARSE = ROOM >>> 2, JOINED_MAX = ROOM - (ROOM >>> 2);
const DEPTH_MAX = 16;

const hintWords = new Int32Array(2);
const hintDouble = new Float64Array(hintWords.buffer);

/** The hint of a score: hints are ordered as their scores are, but equal ones may belong to different scores. */
function hintOf(score: number): number {
  hintDouble[0] = score + 0; // -0 is 0
  const high = hintWords[1];
  return high ^ ((high >> 31) & 0x7fffffff);
}

export class Ordered {
  leaf = 0;
  index = 0;

  readonly #arena: Arena;
  // What is searched for: entries below (score, key), or, without a key, below the score; with #after the equal ones too.
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
  // The way from the root to the cursor: nodes, and which entry of each.
  readonly #nodes = new Int32Array(DEPTH_MAX);
  readonly #entries = new Int32Array(DEPTH_MAX);
  #depth = 0;
  #loaded = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** An empty index. The caller frees it with `drain`. */
  create(): number {
    const tree = this.#arena.alloc(HEADER_BYTES);
    const words = this.#arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    words.fill(0, at, at + 6);
    const leaf = this.#createNode(tree, 0);
    words[at + ROOT] = words[at + FIRST] = words[at + LAST] = leaf;
    return tree;
  }

  /** Number of records. */
  count(tree: number): number {
    return this.#arena.i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + SIZE];
  }

  /** Adds a record that is not in the index. Hot. */
  insert(tree: number, ref: number): void {
    this.#aimAt(ref);
    const hint = this.#hint;
    for (;;) {
      this.#descend(tree);
      const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
      if (words[at] < ROOM) {
        this.#put(tree, words, at, this.index, hint, ref);
        return;
      }
      this.#makeRoom(tree, this.#depth, this.#edgeOf(words, at), hint, ref);
    }
  }

  /** `insert` for a record that belongs behind all others; nothing is compared. */
  append(tree: number, ref: number): void {
    const hint = hintOf(scoreOf(this.#arena, ref));
    for (;;) {
      this.#descendToEnd(tree);
      const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
      if (words[at] < ROOM) {
        this.#put(tree, words, at, this.index, hint, ref);
        return;
      }
      this.#makeRoom(tree, this.#depth, 1, hint, ref);
    }
  }

  /** Takes out a record that is in the index. Hot. */
  remove(tree: number, ref: number): void {
    this.#find(tree, ref);
    this.#take(tree, this.index, 1);
  }

  /** Takes out the record with a rank and returns it. */
  removeAt(tree: number, rank: number): number {
    this.seek(tree, rank);
    const { ref } = this;
    this.removeHere(tree);
    return ref;
  }

  /** Takes out the record where `seek` just put the cursor. Hot. */
  removeHere(tree: number): void {
    this.#take(tree, this.index, 1);
  }

  /** Takes out `count` records from a rank on, and hands each to `release`, which may free it. */
  removeRange(tree: number, rank: number, count: number, release: (ref: number) => void): void {
    while (count > 0) {
      this.seek(tree, rank);
      const { leaf, index } = this;
      const words = this.#arena.i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
      const taken = Math.min(count, words[at] - index);
      for (let i = 0; i < taken; i++) release(words[at + REFS + index + i]);
      this.#take(tree, index, taken);
      count -= taken;
    }
  }

  /** Gives a record of the index another score. Hot: where the order stays, the record stays in its place. */
  rescore(tree: number, ref: number, score: number): void {
    this.#find(tree, ref);
    const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    const i = this.index;
    const hint = hintOf(score);
    const fits = (i > 0 ? this.#precedes(words[at + REFS + i - 1], ref, score) : words[at + PREVIOUS] === 0) &&
      (i < words[at] - 1 ? !this.#precedes(words[at + REFS + i + 1], ref, score) : words[at + NEXT] === 0);
    if (fits) {
      setScore(this.#arena, ref, score);
      words[at + HINTS + i] = hint;
      return;
    }
    this.#take(tree, i, 1);
    setScore(this.#arena, ref, score);
    this.insert(tree, ref);
  }

  /** The rank of a record that is in the index, from 0. */
  rankOf(tree: number, ref: number): number {
    this.#find(tree, ref);
    return this.#rank();
  }

  /** Puts the cursor on the record with a rank from 0 to the count, which is the end. */
  seek(tree: number, rank: number): void {
    const arena = this.#arena;
    let node = arena.i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
    for (let depth = 0;; depth++) {
      const words = arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.#nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.#entries[depth] = rank;
        this.#depth = depth;
        this.leaf = rank < words[at] ? node : 0;
        this.index = rank;
        return;
      }
      const last = words[at] - 1;
      let i = 0;
      while (i < last && rank >= words[at + COUNTS + i]) rank -= words[at + COUNTS + i++];
      this.#entries[depth] = i;
      node = words[at + CHILDREN + i];
    }
  }

  /**
   * Puts the cursor on the first record with a score of at least `score` (above it, if `after`), and returns its rank,
   * the count if there is none. Hot.
   */
  seekScore(tree: number, score: number, after: boolean): number {
    this.#hint = hintOf(score);
    this.#score = score;
    this.#byScore = true;
    this.#byKey = false;
    this.#after = after;
    this.#hintDecides = !after && score >= 0 && hintWords[0] === 0;
    return this.#seekBound(tree);
  }

  /**
   * Puts the cursor on the first record whose key is at least `bytes[start, end)` (beyond it, if `after`), and returns its
   * rank. Meaningful where all scores are equal; elsewhere some record.
   */
  seekKey(tree: number, bytes: Uint8Array, start: number, end: number, after: boolean): number {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#byScore = false;
    this.#byKey = true;
    this.#after = after;
    this.#hintDecides = false;
    return this.#seekBound(tree);
  }

  /** The record under the cursor. */
  get ref(): number {
    return this.#arena.i32[this.leaf >>> CHUNK_SHIFT][((this.leaf & GRANULE_MASK) << 1) + REFS + this.index];
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
   * Loads up to `count` records from the cursor on, or, if negative, before it, as far as its leaf has them, into the
   * processor's cache: misses that do not wait for each other take the time of one. Hot.
   */
  warm(count: number): void {
    const { i32 } = this.#arena;
    const words = i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    const first = count < 0 ? Math.max(0, this.index + count + 1) : this.index;
    const end = at + REFS + (count < 0 ? this.index + 1 : Math.min(words[at], this.index + count));
    let sum = 0;
    for (let i = at + REFS + first; i < end; i++) {
      sum ^= i32[words[i] >>> CHUNK_SHIFT][(words[i] & GRANULE_MASK) << 1];
    }
    // Kept, so that the loads are not optimized away.
    this.#loaded = sum;
  }

  /** `warm` for the records before and behind the cursor in its leaf. Hot. */
  warmNeighbours(): void {
    const { i32 } = this.#arena;
    const words = i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    const refs = at + REFS, i = this.index;
    const before = words[refs + (i > 0 ? i - 1 : i)], behind = words[refs + (i + 1 < words[at] ? i + 1 : i)];
    this.#loaded = i32[before >>> CHUNK_SHIFT][(before & GRANULE_MASK) << 1] ^
      i32[behind >>> CHUNK_SHIFT][(behind & GRANULE_MASK) << 1];
  }

  /** Bytes of the arena that the index takes, without the records. */
  sizeBytes(tree: number): number {
    const words = this.#arena.i32[tree >>> CHUNK_SHIFT], at = (tree & GRANULE_MASK) << 1;
    return HEADER_BYTES + words[at + LEAVES] * this.#arena.roundUp(LEAF_BYTES) +
      words[at + INNERS] * this.#arena.roundUp(INNER_BYTES);
  }

  /**
   * Frees at most `budget` nodes of an index that nobody uses any more, from its end. Returns the index while something
   * is left of it, 0 when it is gone. Good for nothing else between.
   */
  drain(tree: number, budget: number): number {
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
        return 0;
      }
      arena.i32[parent >>> CHUNK_SHIFT][(parent & GRANULE_MASK) << 1]--;
    }
    return tree;
  }

  /** Checks all invariants; adds every block of the index to `reached`, and calls `visit` for each record in order. */
  check(tree: number, reached: Set<number>, visit: (ref: number) => void): void {
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
    let last = 0;
    for (let i = 0; i < leaves.length; i++) {
      const leafWords = this.#arena.i32[leaves[i] >>> CHUNK_SHIFT], leafAt = (leaves[i] & GRANULE_MASK) << 1;
      invariant(leafWords[leafAt + NEXT] === (leaves[i + 1] ?? 0), "a leaf leads to a wrong one");
      invariant(leafWords[leafAt + PREVIOUS] === (leaves[i - 1] ?? 0), "a leaf leads back to a wrong one");
      for (let k = 0; k < leafWords[leafAt]; k++) {
        const ref = leafWords[leafAt + REFS + k];
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
      const hint = hintOf(scoreOf(this.#arena, words[at + REFS + i]));
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

  #createNode(tree: number, level: number): number {
    const node = this.#arena.alloc(level === 0 ? LEAF_BYTES : INNER_BYTES);
    const words = this.#arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
    words[at + USED] = 0;
    words[at + LEVEL] = level;
    words[at + NEXT] = 0;
    words[at + PREVIOUS] = 0;
    this.#arena.i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + (level === 0 ? LEAVES : INNERS)]++;
    return node;
  }

  /** Frees a node; a leaf leaves the chain. */
  #freeNode(tree: number, node: number): void {
    const { i32 } = this.#arena;
    const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
    const header = i32[tree >>> CHUNK_SHIFT], h = (tree & GRANULE_MASK) << 1;
    if (words[at + LEVEL] === 0) {
      const next = words[at + NEXT], previous = words[at + PREVIOUS];
      if (next === 0) header[h + LAST] = previous;
      else i32[next >>> CHUNK_SHIFT][((next & GRANULE_MASK) << 1) + PREVIOUS] = previous;
      if (previous === 0) header[h + FIRST] = next;
      else i32[previous >>> CHUNK_SHIFT][((previous & GRANULE_MASK) << 1) + NEXT] = next;
      header[h + LEAVES]--;
    } else {
      header[h + INNERS]--;
    }
    this.#arena.free(node);
  }

  /** Aims the search behind a record. */
  #aimAt(ref: number): void {
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
  #find(tree: number, ref: number): void {
    this.#aimAt(ref);
    this.#descend(tree);
    this.index--;
    this.#entries[this.#depth] = this.index;
    invariant(this.index >= 0 && this.ref === ref, "a record is not in the ordered index");
  }

  #seekBound(tree: number): number {
    this.#descend(tree);
    const rank = this.#rank();
    const words = this.#arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
    if (this.index === words[at]) {
      this.leaf = words[at + NEXT];
      this.index = 0;
    }
    return rank;
  }

  /** Puts the cursor behind all entries of one leaf that are below what is searched for, and keeps the way there. */
  #descend(tree: number): void {
    const { i32 } = this.#arena;
    let node = i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
    for (let depth = 0;; depth++) {
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.#nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.leaf = node;
        this.#entries[depth] = this.index = this.#bound(words, at, 0, words[at]);
        this.#depth = depth;
        return;
      }
      const i = this.#bound(words, at, 1, words[at]) - 1;
      this.#entries[depth] = i;
      node = words[at + CHILDREN + i];
    }
  }

  #descendToEnd(tree: number): void {
    const { i32 } = this.#arena;
    let node = i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1];
    for (let depth = 0;; depth++) {
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      this.#nodes[depth] = node;
      if (words[at + LEVEL] === 0) {
        this.leaf = node;
        this.#entries[depth] = this.index = words[at];
        this.#depth = depth;
        return;
      }
      this.#entries[depth] = words[at] - 1;
      node = words[at + CHILDREN + words[at] - 1];
    }
  }

  /** The rank that the way to the cursor leads to. */
  #rank(): number {
    let rank = this.index;
    for (let depth = 0; depth < this.#depth; depth++) {
      const node = this.#nodes[depth], entry = this.#entries[depth];
      const words = this.#arena.i32[node >>> CHUNK_SHIFT], at = ((node & GRANULE_MASK) << 1) + COUNTS;
      for (let i = 0; i < entry; i++) rank += words[at + i];
    }
    return rank;
  }

  /** The first entry in [low, high) that is not below what is searched for. */
  #bound(words: Int32Array, at: number, low: number, high: number): number {
    const hint = this.#hint, hints = at + HINTS, byScore = this.#byScore, decides = this.#hintDecides;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const h = words[hints + middle];
      if (byScore && (h !== hint || decides) ? h < hint : this.#isBelow(words[at + REFS + middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBelow(ref: number): boolean {
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
  #precedes(ref: number, other: number, score: number): boolean {
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

  /** Writes an entry in the leaf that the way leads to, which has room. */
  #put(tree: number, words: Int32Array, at: number, i: number, hint: number, ref: number): void {
    const hints = at + HINTS, refs = at + REFS;
    for (let k = words[at]; k > i; k--) {
      words[hints + k] = words[hints + k - 1];
      words[refs + k] = words[refs + k - 1];
    }
    words[hints + i] = hint;
    words[refs + i] = ref;
    words[at]++;
    this.#addCounts(tree, 1);
  }

  /** Takes `count` entries out of the leaf that the way leads to. */
  #take(tree: number, i: number, count: number): void {
    const { i32 } = this.#arena;
    const leaf = this.#nodes[this.#depth];
    const words = i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
    const used = words[at];
    if (i === 0) {
      // The entry above that names the first of them gets a new name. If nothing is left below it, it is about to go.
      const next = words[at + NEXT];
      if (count < used) this.#nameFirst(words[at + HINTS + count], words[at + REFS + count]);
      else if (next !== 0) {
        const nextWords = i32[next >>> CHUNK_SHIFT], nextAt = (next & GRANULE_MASK) << 1;
        this.#nameFirst(nextWords[nextAt + HINTS], nextWords[nextAt + REFS]);
      }
    }
    const left = used - count;
    const hints = at + HINTS, refs = at + REFS;
    for (let k = i; k < left; k++) {
      words[hints + k] = words[hints + k + count];
      words[refs + k] = words[refs + k + count];
    }
    words[at] = left;
    this.#addCounts(tree, -count);
    if (left < SPARSE && this.#depth > 0) this.#settle(tree);
  }

  #addCounts(tree: number, count: number): void {
    const { i32 } = this.#arena;
    for (let depth = 0; depth < this.#depth; depth++) {
      const node = this.#nodes[depth];
      i32[node >>> CHUNK_SHIFT][((node & GRANULE_MASK) << 1) + COUNTS + this.#entries[depth]] += count;
    }
    i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + SIZE] += count;
  }

  /** Names the first record below the last entry on the way that is not its node's first. */
  #nameFirst(hint: number, ref: number): void {
    for (let depth = this.#depth - 1; depth >= 0; depth--) {
      const i = this.#entries[depth];
      if (i === 0) continue;
      const node = this.#nodes[depth];
      const words = this.#arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      words[at + HINTS + i] = hint;
      words[at + REFS + i] = ref;
      return;
    }
  }

  /** 1 if the cursor is behind the last record, -1 if before the first, else 0. */
  #edgeOf(words: Int32Array, at: number): number {
    if (this.index === words[at] && words[at + NEXT] === 0) return 1;
    return this.index === 0 && words[at + PREVIOUS] === 0 ? -1 : 0;
  }

  /**
   * Makes room, or comes one step nearer to it, in the full node at `depth` on the way: a new root, a neighbour that
   * takes some entries, or a split. The way is lost. At an edge, where more are likely to come, a split leaves the old
   * node full; `hint` and `ref` then are the record that comes.
   */
  #makeRoom(tree: number, depth: number, edge: number, hint: number, ref: number): void {
    const { i32 } = this.#arena;
    const node = this.#nodes[depth];
    if (depth === 0) {
      const level = i32[node >>> CHUNK_SHIFT][((node & GRANULE_MASK) << 1) + LEVEL];
      const root = this.#createNode(tree, level + 1);
      const words = i32[root >>> CHUNK_SHIFT], at = (root & GRANULE_MASK) << 1;
      words[at] = 1;
      words[at + CHILDREN] = node;
      words[at + COUNTS] = this.count(tree);
      i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1] = root;
      return;
    }
    const parent = this.#nodes[depth - 1], i = this.#entries[depth - 1];
    if (this.#share(parent, i)) return;
    const words = i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    if (words[at] === ROOM) return this.#makeRoom(tree, depth - 1, edge, hint, ref);
    this.#split(tree, parent, i, edge, hint, ref);
  }

  /** Hands entries of child `i` to the one behind or before it, if that has enough room. */
  #share(parent: number, i: number): boolean {
    const { i32 } = this.#arena;
    const words = i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const node = words[at + CHILDREN + i];
    if (i + 1 < words[at]) {
      const next = words[at + CHILDREN + i + 1];
      const used = i32[next >>> CHUNK_SHIFT][(next & GRANULE_MASK) << 1];
      if (used <= ROOM - SHARED_MIN) {
        this.#keepFirst(parent, i + 1);
        this.#moveTail(parent, i, ROOM - ((ROOM - used) >>> 1));
        this.#nameEntry(parent, i + 1, next);
        return true;
      }
    }
    if (i > 0) {
      const previous = words[at + CHILDREN + i - 1];
      const used = i32[previous >>> CHUNK_SHIFT][(previous & GRANULE_MASK) << 1];
      if (used <= ROOM - SHARED_MIN) {
        this.#keepFirst(parent, i);
        this.#moveHead(parent, i, (ROOM - used) >>> 1, used);
        this.#nameEntry(parent, i, node);
        return true;
      }
    }
    return false;
  }

  #split(tree: number, parent: number, i: number, edge: number, hint: number, ref: number): void {
    const { i32 } = this.#arena;
    const words = i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const node = words[at + CHILDREN + i];
    const nodeWords = i32[node >>> CHUNK_SHIFT], nodeAt = (node & GRANULE_MASK) << 1;
    const level = nodeWords[nodeAt + LEVEL];
    const other = this.#createNode(tree, level);
    const otherWords = i32[other >>> CHUNK_SHIFT], otherAt = (other & GRANULE_MASK) << 1;
    if (level === 0) {
      const next = nodeWords[nodeAt + NEXT];
      otherWords[otherAt + NEXT] = next;
      otherWords[otherAt + PREVIOUS] = node;
      nodeWords[nodeAt + NEXT] = other;
      if (next === 0) i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + LAST] = other;
      else i32[next >>> CHUNK_SHIFT][((next & GRANULE_MASK) << 1) + PREVIOUS] = other;
    }
    for (const column of COLUMNS) shift(words, at, column, i + 1, 1);
    words[at]++;
    words[at + CHILDREN + i + 1] = other;
    words[at + COUNTS + i + 1] = 0;
    // An inner node keeps an entry on either side; a leaf at an edge may be empty until the record comes.
    const spared = level === 0 ? 0 : 1;
    this.#moveTail(parent, i, edge === 0 ? ROOM >>> 1 : edge > 0 ? ROOM - spared : spared);
    if (otherWords[otherAt] > 0) {
      this.#nameEntry(parent, i + 1, other);
    } else {
      words[at + HINTS + i + 1] = hint;
      words[at + REFS + i + 1] = ref;
    }
  }

  /** After a removal: takes out nodes that are empty and joins sparse ones, from the leaf on the way upwards. */
  #settle(tree: number): void {
    const { i32 } = this.#arena;
    for (let depth = this.#depth; depth > 0; depth--) {
      const node = this.#nodes[depth], parent = this.#nodes[depth - 1], i = this.#entries[depth - 1];
      const used = i32[node >>> CHUNK_SHIFT][(node & GRANULE_MASK) << 1];
      if (used >= SPARSE) return;
      const words = i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
      if (used === 0) this.#dropEntry(tree, parent, i);
      else if (i + 1 < words[at] && used + this.#usedBy(words[at + CHILDREN + i + 1]) <= JOINED_MAX) {
        this.#join(tree, parent, i);
      } else if (i > 0 && used + this.#usedBy(words[at + CHILDREN + i - 1]) <= JOINED_MAX) {
        this.#join(tree, parent, i - 1);
      } else return;
    }
    for (;;) {
      const header = i32[tree >>> CHUNK_SHIFT], h = (tree & GRANULE_MASK) << 1;
      const root = header[h];
      const words = i32[root >>> CHUNK_SHIFT], at = (root & GRANULE_MASK) << 1;
      if (words[at + LEVEL] === 0 || words[at] > 1) return;
      header[h] = words[at + CHILDREN];
      this.#freeNode(tree, root);
    }
  }

  #usedBy(node: number): number {
    return this.#arena.i32[node >>> CHUNK_SHIFT][(node & GRANULE_MASK) << 1];
  }

  /** Moves all entries of child `i + 1` into child `i` and frees it. */
  #join(tree: number, parent: number, i: number): void {
    const words = this.#arena.i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const left = words[at + CHILDREN + i], right = words[at + CHILDREN + i + 1];
    this.#keepFirst(parent, i + 1);
    this.#moveHead(parent, i + 1, this.#usedBy(right), this.#usedBy(left));
    this.#dropEntry(tree, parent, i + 1);
  }

  /** Frees child `i`, which is empty, and its entry. */
  #dropEntry(tree: number, parent: number, i: number): void {
    const words = this.#arena.i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    this.#freeNode(tree, words[at + CHILDREN + i]);
    for (const column of COLUMNS) shift(words, at, column, i + 1, -1);
    words[at]--;
  }

  /** Writes the name of child `i` into that child's entry 0, before others come to stand before it. */
  #keepFirst(parent: number, i: number): void {
    const words = this.#arena.i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const child = words[at + CHILDREN + i];
    const childWords = this.#arena.i32[child >>> CHUNK_SHIFT], childAt = (child & GRANULE_MASK) << 1;
    if (childWords[childAt + LEVEL] === 0) return;
    childWords[childAt + HINTS] = words[at + HINTS + i];
    childWords[childAt + REFS] = words[at + REFS + i];
  }

  /** Names child `i` by its entry 0. */
  #nameEntry(parent: number, i: number, child: number): void {
    const words = this.#arena.i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const childWords = this.#arena.i32[child >>> CHUNK_SHIFT], childAt = (child & GRANULE_MASK) << 1;
    words[at + HINTS + i] = childWords[childAt + HINTS];
    words[at + REFS + i] = childWords[childAt + REFS];
  }

  /** Moves the first `count` entries of child `i` to place `to` of the child before it, its end. */
  #moveHead(parent: number, i: number, count: number, to: number): void {
    this.#copyEntries(parent, i, 0, i - 1, to, count);
    const words = this.#arena.i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const node = words[at + CHILDREN + i];
    const nodeWords = this.#arena.i32[node >>> CHUNK_SHIFT], nodeAt = (node & GRANULE_MASK) << 1;
    const columns = nodeWords[nodeAt + LEVEL] === 0 ? LEAF_COLUMNS : COLUMNS;
    for (const column of columns) shift(nodeWords, nodeAt, column, count, -count);
    nodeWords[nodeAt] -= count;
  }

  /** Moves the entries of child `i` from `from` on to the head of the child behind it. */
  #moveTail(parent: number, i: number, from: number): void {
    const { i32 } = this.#arena;
    const words = i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const node = words[at + CHILDREN + i], other = words[at + CHILDREN + i + 1];
    const nodeWords = i32[node >>> CHUNK_SHIFT], nodeAt = (node & GRANULE_MASK) << 1;
    const otherWords = i32[other >>> CHUNK_SHIFT], otherAt = (other & GRANULE_MASK) << 1;
    const count = nodeWords[nodeAt] - from;
    const columns = nodeWords[nodeAt + LEVEL] === 0 ? LEAF_COLUMNS : COLUMNS;
    for (const column of columns) shift(otherWords, otherAt, column, 0, count);
    this.#copyEntries(parent, i, from, i + 1, 0, count);
    nodeWords[nodeAt] = from;
  }

  /** Copies entries between two children, over what stands there, and moves their records' counts along. */
  #copyEntries(parent: number, i: number, from: number, j: number, to: number, count: number): void {
    const { i32 } = this.#arena;
    const words = i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const node = words[at + CHILDREN + i], other = words[at + CHILDREN + j];
    const nodeWords = i32[node >>> CHUNK_SHIFT], nodeAt = (node & GRANULE_MASK) << 1;
    const otherWords = i32[other >>> CHUNK_SHIFT], otherAt = (other & GRANULE_MASK) << 1;
    const inner = nodeWords[nodeAt + LEVEL] > 0;
    let records = inner ? 0 : count;
    for (let k = 0; k < count; k++) {
      for (const column of inner ? COLUMNS : LEAF_COLUMNS) {
        otherWords[otherAt + column + to + k] = nodeWords[nodeAt + column + from + k];
      }
      if (inner) records += nodeWords[nodeAt + COUNTS + from + k];
    }
    otherWords[otherAt] += count;
    words[at + COUNTS + i] -= records;
    words[at + COUNTS + j] += records;
  }
}

const LEAF_COLUMNS = [HINTS, REFS];
const COLUMNS = [HINTS, REFS, CHILDREN, COUNTS];

/** Moves the entries of a column from `from` on by `by` places; the count of entries is still the old one. */
function shift(words: Int32Array, at: number, column: number, from: number, by: number): void {
  const start = at + column + from;
  words.copyWithin(start + by, start, at + column + words[at]);
}
