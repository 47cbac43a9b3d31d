/**
 * Members of a set in batches, for work on whole sets: the cache misses of one batch's lookups in another large set
 * overlap, so that they take the time of one. This file owns the iteration by batches; the commands decide what to do
 * with them.
 *
 * The bytes of a batch are valid until its set is written. `sift` removes members from the batch and keeps the order of
 * the others.
 */
import { NO_BYTES } from "../../core/bytes.ts";
import { PREFETCH_MAX } from "../blocks/dict.ts";
import { hashBytes } from "../../core/hash_function.ts";
import { Encoding } from "../keyspace.ts";
import type { MemberSet } from "./set.ts";
import type { BodyRef } from "../memory/arena.ts";

export class MemberBatch {
  count = 0;
  /** Member i is `bytes[i][start[i], end[i])`. */
  readonly bytes: Uint8Array[] = new Array(PREFETCH_MAX).fill(NO_BYTES);
  readonly start = new Int32Array(PREFETCH_MAX);
  readonly end = new Int32Array(PREFETCH_MAX);
  readonly #hashes = new Int32Array(PREFETCH_MAX);
  #hashed = false;

  readonly #sets: MemberSet;

  constructor(sets: MemberSet) {
    this.#sets = sets;
  }

  /**
   * Hands all members of a set to `visit`, until it returns false. `visit` may look at and change other sets, and sift
   * the batch.
   */
  each(encoding: number, body: BodyRef, visit: (batch: MemberBatch) => boolean): void {
    // The members of the small encodings have no place of their own while they are visited.
    const size = encoding === Encoding.HASHTABLE ? PREFETCH_MAX : 1;
    let going = true;
    this.count = 0;
    this.#hashed = false;
    this.#sets.elements(encoding, body, false, (bytes, start, end) => {
      const i = this.count++;
      this.bytes[i] = bytes;
      this.start[i] = start;
      this.end[i] = end;
      if (this.count < size) return true;
      going = visit(this);
      this.count = 0;
      this.#hashed = false;
      return going;
    });
    if (going && this.count > 0) visit(this);
  }

  /** Keeps the members that another set has, or, unless `wanted`, those that it has not. Hot. */
  sift(encoding: number, body: BodyRef, wanted: boolean): void {
    const sets = this.#sets, { bytes, start, end } = this, hashes = this.#hashes;
    this.#prefetch(encoding, body);
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (sets.has(encoding, body, bytes[i], start[i], end[i], this.#hashed ? hashes[i] : 0) !== wanted) continue;
      bytes[kept] = bytes[i];
      start[kept] = start[i];
      end[kept] = end[i];
      hashes[kept++] = hashes[i];
    }
    this.count = kept;
  }

  /** Adds the members to the set at hand. Hot. */
  add(): void {
    const sets = this.#sets, { bytes, start, end } = this;
    this.#prefetch(sets.encoding, sets.body);
    for (let i = 0; i < this.count; i++) sets.add(bytes[i], start[i], end[i], this.#hashed ? this.#hashes[i] : 0);
  }

  /** Removes the members from the set at hand, while it has any. Hot. */
  remove(): void {
    const sets = this.#sets, { bytes, start, end } = this;
    this.#prefetch(sets.encoding, sets.body);
    for (let i = 0; i < this.count && sets.length > 0; i++) {
      sets.remove(bytes[i], start[i], end[i], this.#hashed ? this.#hashes[i] : 0);
    }
  }

  /** Loads the set's entries of the members into the processor's caches. */
  #prefetch(encoding: number, body: BodyRef): void {
    if (encoding !== Encoding.HASHTABLE || this.count < 2) return;
    if (!this.#hashed) {
      for (let i = 0; i < this.count; i++) this.#hashes[i] = hashBytes(this.bytes[i], this.start[i], this.end[i]);
      this.#hashed = true;
    }
    this.#sets.prefetch(encoding, body, this.#hashes, this.count);
  }
}
