/**
 * The small sorted set: a packed block of member, score, member, score … in the order of (score, member). This file
 * owns the encoding of a score, which is that of Redis's listpack.
 *
 * A position is that of a pair's member. Registers: the pair read last, valid until the next write, and the place where
 * a search ended.
 */
import { invariant } from "../../core/assert.ts";
import { compareBytes, latin1, NO_BYTES } from "../../core/bytes.ts";
import { DOUBLE_BYTES_MAX, writeDecimal, writeDouble } from "../../core/numbers.ts";
import type { Arena, BodyRef } from "../memory/arena.ts";
import { Packed } from "./packed.ts";

/** Whole scores up to this size stand there as integers, so that -0 becomes 0. */
const INTEGER_MAX = 2 ** 52;

export class ScoredPairs {
  /** The pair read last. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  score = 0;
  /** Where the last search ended, and how many pairs it passed over. */
  position = 0;
  rank = 0;

  // Two, because each holds one element: the member, and the score that goes behind it.
  readonly #packed: Packed;
  readonly #scores: Packed;
  readonly #scoreText = new Uint8Array(DOUBLE_BYTES_MAX);

  constructor(arena: Arena) {
    this.#packed = new Packed(arena);
    this.#scores = new Packed(arena);
  }

  /** An empty block with room for `bytes` of entries. */
  create(bytes = 0): BodyRef {
    return this.#packed.create(bytes);
  }

  copy(block: BodyRef): BodyRef {
    return this.#packed.copy(block);
  }

  /** Number of pairs. */
  count(block: BodyRef): number {
    return this.#packed.count(block) >>> 1;
  }

  /** The position of the pair with a rank from 0 to the count. */
  at(block: BodyRef, rank: number): number {
    return this.#packed.at(block, rank * 2);
  }

  /** The position behind the last pair. */
  endOf(block: BodyRef): number {
    return this.#packed.end(block);
  }

  /** The position before one, 0 before the first. */
  previous(block: BodyRef, position: number): number {
    const scoreAt = this.#packed.previous(block, position);
    return scoreAt === 0 ? 0 : this.#packed.previous(block, scoreAt);
  }

  /** Looks for a member and leaves its score, position and rank. Hot. */
  find(block: BodyRef, bytes: Uint8Array, start: number, end: number): boolean {
    const packed = this.#packed;
    packed.encode(bytes, start, end);
    this.position = packed.find(block, packed.first(block), 2);
    if (this.position === 0) return false;
    this.rank = packed.passed >>> 1;
    packed.read(block, packed.next(block, this.position));
    this.score = this.#readScore();
    return true;
  }

  /** Reads the pair at a position and returns the position behind it. */
  read(block: BodyRef, position: number): number {
    const packed = this.#packed;
    packed.read(block, packed.next(block, position));
    const { after } = packed;
    this.score = this.#readScore();
    packed.read(block, position);
    packed.text();
    this.bytes = packed.bytes;
    this.start = packed.start;
    this.end = packed.start + packed.length;
    return after;
  }

  /** Searches the first pair with a score of at least `score`; above it, if `after`. */
  seekScore(block: BodyRef, score: number, after: boolean): void {
    const packed = this.#packed;
    const blockEnd = packed.end(block);
    let position = packed.first(block);
    this.rank = 0;
    while (position < blockEnd) {
      packed.read(block, packed.next(block, position));
      const own = this.#readScore();
      if (own > score || (own === score && !after)) break;
      position = packed.after;
      this.rank++;
    }
    this.position = position;
  }

  /** Searches the first pair whose member is at least `bytes[start, end)`; beyond it, if `after`. */
  seekMember(block: BodyRef, bytes: Uint8Array, start: number, end: number, after: boolean): void {
    const packed = this.#packed;
    const blockEnd = packed.end(block);
    let position = packed.first(block);
    this.rank = 0;
    while (position < blockEnd) {
      packed.read(block, position);
      const scoreAt = packed.after;
      const order = this.#compareRead(bytes, start, end);
      if (order > 0 || (order === 0 && !after)) break;
      position = packed.next(block, scoreAt);
      this.rank++;
    }
    this.position = position;
  }

  /** Adds a pair, whose member is in none, at its place. Returns the block, which may have moved. */
  insert(block: BodyRef, score: number, bytes: Uint8Array, start: number, end: number): BodyRef {
    return this.#insertAt(block, this.#placeOf(block, score, bytes, start, end), score, bytes, start, end);
  }

  /** `insert` for a pair that belongs behind all others. */
  append(block: BodyRef, score: number, bytes: Uint8Array, start: number, end: number): BodyRef {
    return this.#insertAt(block, this.#packed.end(block), score, bytes, start, end);
  }

  /** Removes `count` pairs from a position on; there must be so many. */
  remove(block: BodyRef, position: number, count: number): BodyRef {
    return this.#packed.remove(block, position, count * 2);
  }

  check(block: BodyRef): void {
    const packed = this.#packed;
    packed.check(block);
    invariant(packed.count(block) % 2 === 0, "a member has no score");
    let lastScore = -Infinity, last: Uint8Array | undefined;
    for (let position = packed.first(block); position < packed.end(block);) {
      position = this.read(block, position);
      const member = this.bytes.slice(this.start, this.end);
      const order = last === undefined ? -1 : compareBytes(last, 0, last.length, member, 0, member.length);
      invariant(lastScore < this.score || (lastScore === this.score && order < 0), "elements are out of order");
      last = member;
      lastScore = this.score;
    }
  }

  #placeOf(block: BodyRef, score: number, bytes: Uint8Array, start: number, end: number): number {
    const packed = this.#packed;
    const blockEnd = packed.end(block);
    let position = packed.first(block);
    while (position < blockEnd) {
      packed.read(block, packed.next(block, position));
      const { after } = packed;
      const own = this.#readScore();
      if (own > score) return position;
      if (own === score) {
        packed.read(block, position);
        if (this.#compareRead(bytes, start, end) > 0) return position;
      }
      position = after;
    }
    return position;
  }

  /** Order of the member that was just read and another. */
  #compareRead(bytes: Uint8Array, start: number, end: number): number {
    const packed = this.#packed;
    packed.text();
    return compareBytes(packed.bytes, packed.start, packed.start + packed.length, bytes, start, end);
  }

  /** The score that was just read. */
  #readScore(): number {
    const packed = this.#packed;
    if (packed.integer) return packed.value;
    const text = latin1(packed.bytes, packed.start, packed.start + packed.length);
    if (text === "inf") return Infinity;
    return text === "-inf" ? -Infinity : Number(text);
  }

  #insertAt(block: BodyRef, position: number, score: number, bytes: Uint8Array, start: number, end: number): BodyRef {
    const packed = this.#packed, scores = this.#scores;
    packed.encode(bytes, start, end);
    scores.encode(this.#scoreText, 0, this.#writeScore(score));
    block = packed.insert(block, position, scores.encodedBytes);
    return scores.insert(block, packed.position + packed.encodedBytes);
  }

  /** Writes the text of a score; returns its length. */
  #writeScore(score: number): number {
    const target = this.#scoreText;
    if (Number.isInteger(score) && Math.abs(score) <= INTEGER_MAX) return writeDecimal(target, 0, score + 0);
    return writeDouble(target, 0, score);
  }
}
