/**
 * The directory of a large list: the refs of its nodes, in order, in one block of the arena. This file owns that
 * block's layout. The slots have room on both sides, so that both ends are cheap; an insertion in the middle moves the
 * shorter side.
 *
 *     +0 elements:32 · +4 first:32 · +8 end:32 · slots, node refs in [first, end)
 *
 * The owner keeps `elements`, the sum over all nodes.
 */
import { invariant } from "../../core/assert.ts";
import { type Arena, type BodyRef, CHUNK_SHIFT, GRANULE_MASK, NONE } from "../memory/arena.ts";

const ELEMENTS = 0, FIRST = 1, END = 2, HEAD_WORDS = 3;
const SLOTS_MIN = 5;

export class Directory {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** An empty directory with room for `slots` nodes. */
  create(slots: number): BodyRef {
    const directory = this.#arena.alloc((HEAD_WORDS + Math.max(slots, SLOTS_MIN)) << 2);
    this.#words(directory).fill(0, head(directory), head(directory) + HEAD_WORDS);
    return directory;
  }

  elements(directory: BodyRef): number {
    return this.#words(directory)[head(directory) + ELEMENTS] >>> 0;
  }

  addElements(directory: BodyRef, count: number): void {
    this.#words(directory)[head(directory) + ELEMENTS] += count;
  }

  /** Number of nodes. */
  size(directory: BodyRef): number {
    const words = this.#words(directory), h = head(directory);
    return words[h + END] - words[h + FIRST];
  }

  /** The node with a number from 0. */
  node(directory: BodyRef, i: number): BodyRef {
    const words = this.#words(directory), h = head(directory);
    return words[h + HEAD_WORDS + words[h + FIRST] + i] as BodyRef;
  }

  setNode(directory: BodyRef, i: number, node: BodyRef): void {
    const words = this.#words(directory), h = head(directory);
    words[h + HEAD_WORDS + words[h + FIRST] + i] = node;
  }

  /** Puts a node before the one with number `i`, or behind the last. Returns the directory's new ref. */
  insert(directory: BodyRef, i: number, node: BodyRef): BodyRef {
    const words = this.#words(directory), h = head(directory);
    const first = words[h + FIRST], end = words[h + END];
    const nodes = end - first, slots = h + HEAD_WORDS;
    if (i < nodes - i) {
      if (first === 0) return this.#rebuild(directory, i, node);
      words.copyWithin(slots + first - 1, slots + first, slots + first + i);
      words[h + FIRST] = first - 1;
      words[slots + first - 1 + i] = node;
    } else {
      if (end === this.#capacity(directory)) return this.#rebuild(directory, i, node);
      words.copyWithin(slots + first + i + 1, slots + first + i, slots + end);
      words[h + END] = end + 1;
      words[slots + first + i] = node;
    }
    return directory;
  }

  /** Takes `count` nodes from number `i` on out; they belong to the caller. Returns the directory's new ref. */
  remove(directory: BodyRef, i: number, count: number): BodyRef {
    const words = this.#words(directory), h = head(directory);
    const first = words[h + FIRST], end = words[h + END];
    const nodes = end - first - count, slots = h + HEAD_WORDS;
    if (i < nodes - i) {
      words.copyWithin(slots + first + count, slots + first, slots + first + i);
      words[h + FIRST] = first + count;
    } else {
      words.copyWithin(slots + first + i, slots + first + i + count, slots + end);
      words[h + END] = end - count;
    }
    const capacity = this.#capacity(directory);
    return nodes <= capacity >>> 3 && capacity > 8 * SLOTS_MIN ? this.#rebuild(directory, -1, NONE) : directory;
  }

  check(directory: BodyRef): void {
    const words = this.#words(directory), h = head(directory);
    const inBounds = words[h + FIRST] >= 0 && words[h + END] <= this.#capacity(directory);
    invariant(inBounds && this.size(directory) > 0, "a list's directory is out of bounds or empty");
  }

  #words(directory: BodyRef): Int32Array {
    return this.#arena.i32[directory >>> CHUNK_SHIFT];
  }

  #capacity(directory: BodyRef): number {
    return (this.#arena.sizeOf(directory) >>> 2) - HEAD_WORDS;
  }

  /** A directory of a fitting size, with `node` inserted at number `i` unless that is -1; the old one is freed. */
  #rebuild(directory: BodyRef, i: number, node: BodyRef): BodyRef {
    const from = this.#words(directory), f = head(directory);
    const nodes = this.size(directory) + (i < 0 ? 0 : 1);
    const target = this.create(nodes + (nodes >>> 1));
    const to = this.#words(target), t = head(target);
    // All room goes to the side that is growing.
    const first = i >= 0 && i < nodes - 1 - i ? this.#capacity(target) - nodes : 0;
    to[t + ELEMENTS] = from[f + ELEMENTS];
    to[t + FIRST] = first;
    to[t + END] = first + nodes;
    let source = f + HEAD_WORDS + from[f + FIRST];
    for (let k = 0; k < nodes; k++) to[t + HEAD_WORDS + first + k] = k === i ? node : from[source++];
    this.#arena.free(directory);
    return target;
  }
}

function head(directory: BodyRef): number {
  return (directory & GRANULE_MASK) << 1;
}
