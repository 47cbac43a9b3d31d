/**
 * The ordered index: a counted B+ tree of records in the order of (score, key), score first, keys as bytes. It finds
 * places by rank, score and key, and walks both ways. The records belong to the caller; their score and key decide, and
 * must not change behind the index's back (`rescore`).
 *
 * Of a score the hint is the upper half, made comparable as an integer; the score stands once, in the record.
 */
import { compareBytes, NO_BYTES } from "../../core/bytes.ts";
import { CHUNK_SHIFT, GRANULE_MASK, type IndexRef, type RecordRef } from "../memory/arena.ts";
import { HINTS, NEXT, PREVIOUS, REFS } from "./ordered_nodes.ts";
import { hintOf, hintWords, OrderedTree } from "./ordered_tree.ts";
import { keyLength, keyStart, scoreOf, setScore } from "./record.ts";

/** Records in more leaves than this are counted by their ranks. */
const COUNTED_LEAVES = 3;

export class Ordered extends OrderedTree<RecordRef> {
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
  /** Gives a record of the index another score. Hot: where the order stays, the record stays in its place. */
  rescore(tree: IndexRef, ref: RecordRef, score: number): void {
    this.locate(tree, ref);
    const words = this.arena.i32[this.leaf >>> CHUNK_SHIFT], at = (this.leaf & GRANULE_MASK) << 1;
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
      setScore(this.arena, ref, score);
      words[at + HINTS + i] = hint;
      return;
    }
    this.nodes.take(tree, i, 1);
    setScore(this.arena, ref, score);
    this.insert(tree, ref);
  }

  /** The rank of a record that is in the index, from 0. */
  rankOf(tree: IndexRef, ref: RecordRef): number {
    this.locate(tree, ref);
    return this.rank();
  }

  /** Puts the cursor on the first record with a score of at least `score` (above it, if `after`). Hot. */
  seekForward(tree: IndexRef, score: number, after: boolean): void {
    this.#aimAtScore(score, after);
    this.seekBound(tree);
  }

  /** `seekForward`, which returns the rank, the count if there is no such record. */
  seekScore(tree: IndexRef, score: number, after: boolean): number {
    this.seekForward(tree, score, after);
    return this.rank();
  }

  /** Puts the cursor on the last record with a score below `score` (not above it, if `after`). Hot. */
  seekBack(tree: IndexRef, score: number, after: boolean): void {
    this.#aimAtScore(score, after);
    this.descend(tree);
    this.path.entries[this.path.depth]--;
    this.stepBack();
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
    const { i32 } = this.arena;
    this.#aimAtScore(score, after);
    let { leaf, index } = this, count = 0;
    for (let leaves = 0; leaf !== 0 && count < most; leaves++) {
      if (leaves === COUNTED_LEAVES) {
        const rank = this.rank();
        this.descend(tree);
        count = this.rank() - rank;
        this.seek(tree, rank);
        return Math.min(count, most);
      }
      const words = i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
      const end = Math.min(words[at], index + most - count);
      if (!this.#isEntryBelow(words, at, end - 1)) return count + this.bound(words, at, index, end - 1) - index;
      count += end - index;
      leaf = words[at + NEXT];
      index = 0;
    }
    return count;
  }

  /** `countTo` the other way: of the records from the cursor back, those that are not below. Hot. */
  countBackTo(tree: IndexRef, score: number, after: boolean, most: number): number {
    const { i32 } = this.arena;
    this.#aimAtScore(score, after);
    let { leaf, index } = this, count = 0;
    for (let leaves = 0; leaf !== 0 && count < most; leaves++) {
      if (leaves === COUNTED_LEAVES) {
        const rank = this.rank();
        this.descend(tree);
        count = rank + 1 - this.rank();
        this.seek(tree, rank);
        return Math.min(count, most);
      }
      const words = i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
      const first = Math.max(0, index + 1 - (most - count));
      if (this.#isEntryBelow(words, at, first)) return count + index + 1 - this.bound(words, at, first + 1, index + 1);
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
    this.seekBound(tree);
    return this.rank();
  }

  /** Aims the search behind a record. */
  protected override aimAt(_tree: IndexRef, ref: RecordRef): number {
    const arena = this.arena;
    this.#score = scoreOf(arena, ref);
    this.#hint = hintOf(this.#score);
    this.#bytes = arena.u8[ref >>> CHUNK_SHIFT];
    this.#start = keyStart(arena, ref);
    this.#end = this.#start + keyLength(arena, ref);
    this.#byScore = true;
    this.#byKey = true;
    this.#after = true;
    this.#hintDecides = false;
    return this.#hint;
  }

  protected override hintIn(_tree: IndexRef, ref: RecordRef): number {
    return hintOf(scoreOf(this.arena, ref));
  }

  protected override isBefore(ref: RecordRef, other: RecordRef): boolean {
    return this.#precedes(ref, other, scoreOf(this.arena, other));
  }

  #aimAtScore(score: number, after: boolean): void {
    this.#hint = hintOf(score);
    this.#score = score;
    this.#byScore = true;
    this.#byKey = false;
    this.#after = after;
    this.#hintDecides = !after && score >= 0 && hintWords[0] === 0;
  }

  /** The first entry in [low, high) that is not below the target. Hot. */
  protected override bound(words: Int32Array, at: number, low: number, high: number): number {
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
    return this.bound(words, at, i, i + 1) > i;
  }

  #isBelow(ref: RecordRef): boolean {
    const arena = this.arena;
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
    const arena = this.arena;
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
}
