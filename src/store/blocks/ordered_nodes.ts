/**
 * The nodes of the ordered index: their layout, and the splits and merges that keep the tree balanced. ordered.ts finds
 * the path to a place and decides the order of the entries.
 *
 *     header    +0 root · +4 first leaf · +8 last leaf · +12 leaves · +16 inner nodes · +20 records
 *     node      +0 entries · +4 level, 0 is a leaf · +8 next · +12 previous leaf · 62 hints · 62 refs
 *     inner     the same, then 62 children · 62 counts of the records below them
 *
 * An entry of an inner node names the first record below its child. That of entry 0 is not kept, because the entry
 * above the node has it.
 */
import { type Arena, CHUNK_SHIFT, GRANULE_MASK, type IndexRef, type Ref } from "../memory/arena.ts";

export const ROOT = 0, FIRST = 1, LAST = 2, LEAVES = 3, INNERS = 4, SIZE = 5;
export const HEADER_BYTES = 24;

export const USED = 0, LEVEL = 1, NEXT = 2, PREVIOUS = 3, HINTS = 4;
export const ROOM = 62;
export const REFS = HINTS + ROOM, CHILDREN = REFS + ROOM, COUNTS = CHILDREN + ROOM;
export const LEAF_BYTES = 4 * CHILDREN, INNER_BYTES = 4 * (COUNTS + ROOM);
const LEAF_COLUMNS = [HINTS, REFS];
const COLUMNS = [HINTS, REFS, CHILDREN, COUNTS];

/** A full node hands entries to a neighbour that has at least this much room; otherwise it splits. */
const SHARED_MIN = 8;
/** A node with fewer entries joins a neighbour if both together have at most so many. */
const SPARSE = ROOM >>> 2, JOINED_MAX = ROOM - (ROOM >>> 2);
const DEPTH_MAX = 16;

/** The path from the root to a place in a leaf: the nodes, the number of the entry in each, and the leaf's depth. */
export class Path {
  readonly nodes = new Int32Array(DEPTH_MAX);
  readonly entries = new Int32Array(DEPTH_MAX);
  depth = 0;
}

export class OrderedNodes {
  readonly #arena: Arena;
  readonly #path: Path;

  /** The caller leaves the path to the place of the next call in `path`. */
  constructor(arena: Arena, path: Path) {
    this.#arena = arena;
    this.#path = path;
  }

  /** A new, empty node. */
  createNode(tree: IndexRef, level: number): number {
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
  #freeNode(tree: IndexRef, node: number): void {
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

  /** Writes an entry in the leaf at the end of the path, which has room. */
  put(tree: IndexRef, words: Int32Array, at: number, i: number, hint: number, ref: Ref): void {
    const hints = at + HINTS, refs = at + REFS, used = words[at];
    const view = this.#arena.view[this.#path.nodes[this.#path.depth] >>> CHUNK_SHIFT];
    moveUp(words, view, hints + i, hints + used);
    moveUp(words, view, refs + i, refs + used);
    words[hints + i] = hint;
    words[refs + i] = ref;
    words[at] = used + 1;
    this.#addCounts(tree, 1);
  }

  /** Takes `count` entries out of the leaf at the end of the path. */
  take(tree: IndexRef, i: number, count: number): void {
    const { i32 } = this.#arena;
    const leaf = this.#path.nodes[this.#path.depth];
    const words = i32[leaf >>> CHUNK_SHIFT], at = (leaf & GRANULE_MASK) << 1;
    const used = words[at];
    if (i === 0) {
      // The entry above that names the first of them gets a new name. If nothing is left below it, it is about to go.
      const next = words[at + NEXT];
      if (count < used) this.#nameFirst(words[at + HINTS + count], words[at + REFS + count] as Ref);
      else if (next !== 0) {
        const nextWords = i32[next >>> CHUNK_SHIFT], nextAt = (next & GRANULE_MASK) << 1;
        this.#nameFirst(nextWords[nextAt + HINTS], nextWords[nextAt + REFS] as Ref);
      }
    }
    const left = used - count;
    const hints = at + HINTS, refs = at + REFS;
    const view = this.#arena.view[leaf >>> CHUNK_SHIFT];
    moveDown(words, view, hints + i, hints + left, count);
    moveDown(words, view, refs + i, refs + left, count);
    words[at] = left;
    this.#addCounts(tree, -count);
    if (left < SPARSE && this.#path.depth > 0) this.#settle(tree);
  }

  #addCounts(tree: IndexRef, count: number): void {
    const { i32 } = this.#arena;
    for (let depth = 0; depth < this.#path.depth; depth++) {
      const node = this.#path.nodes[depth];
      i32[node >>> CHUNK_SHIFT][((node & GRANULE_MASK) << 1) + COUNTS + this.#path.entries[depth]] += count;
    }
    i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + SIZE] += count;
  }

  /** Names the first record below the last entry on the path that is not its node's first. */
  #nameFirst(hint: number, ref: Ref): void {
    for (let depth = this.#path.depth - 1; depth >= 0; depth--) {
      const i = this.#path.entries[depth];
      if (i === 0) continue;
      const node = this.#path.nodes[depth];
      const words = this.#arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      words[at + HINTS + i] = hint;
      words[at + REFS + i] = ref;
      return;
    }
  }

  /**
   * Makes room, or comes one step nearer to it, in the full node at `depth` of the path: a new root, a neighbour that
   * takes some entries, or a split. The way is lost. At an edge, where more are likely to come, a split leaves the old
   * node full; `hint` and `ref` then are the record that comes.
   */
  makeRoom(tree: IndexRef, depth: number, edge: number, hint: number, ref: Ref): void {
    const { i32 } = this.#arena;
    const node = this.#path.nodes[depth];
    if (depth === 0) {
      const level = i32[node >>> CHUNK_SHIFT][((node & GRANULE_MASK) << 1) + LEVEL];
      const root = this.createNode(tree, level + 1);
      const words = i32[root >>> CHUNK_SHIFT], at = (root & GRANULE_MASK) << 1;
      words[at] = 1;
      words[at + CHILDREN] = node;
      words[at + COUNTS] = this.#arena.i32[tree >>> CHUNK_SHIFT][((tree & GRANULE_MASK) << 1) + SIZE];
      i32[tree >>> CHUNK_SHIFT][(tree & GRANULE_MASK) << 1] = root;
      return;
    }
    const parent = this.#path.nodes[depth - 1], i = this.#path.entries[depth - 1];
    if (this.#share(parent, i)) return;
    const words = i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    if (words[at] === ROOM) return this.makeRoom(tree, depth - 1, edge, hint, ref);
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

  #split(tree: IndexRef, parent: number, i: number, edge: number, hint: number, ref: Ref): void {
    const { i32 } = this.#arena;
    const words = i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const node = words[at + CHILDREN + i];
    const nodeWords = i32[node >>> CHUNK_SHIFT], nodeAt = (node & GRANULE_MASK) << 1;
    const level = nodeWords[nodeAt + LEVEL];
    const other = this.createNode(tree, level);
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

  /** After a removal: takes out nodes that are empty and joins sparse ones, from the leaf of the path upwards. */
  #settle(tree: IndexRef): void {
    const { i32 } = this.#arena;
    for (let depth = this.#path.depth; depth > 0; depth--) {
      const node = this.#path.nodes[depth], parent = this.#path.nodes[depth - 1], i = this.#path.entries[depth - 1];
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
    this.#lowerRoot(tree);
  }

  /** Frees roots that have a single child. */
  #lowerRoot(tree: IndexRef): void {
    const { i32 } = this.#arena;
    for (;;) {
      const header = i32[tree >>> CHUNK_SHIFT], h = (tree & GRANULE_MASK) << 1;
      const root = header[h];
      const words = i32[root >>> CHUNK_SHIFT], at = (root & GRANULE_MASK) << 1;
      if (words[at + LEVEL] === 0 || words[at] > 1) return;
      header[h] = words[at + CHILDREN];
      this.#freeNode(tree, root);
    }
  }

  /**
   * Takes out all entries before the place at the end of the path, of which the leaf keeps at least one. Returns the
   * root of nodes that hold them and are good for nothing but to be freed from their end. Only the nodes of the path
   * are touched, and those two levels above the leaves are read, because leaves are counted.
   */
  cut(tree: IndexRef): number {
    const { i32 } = this.#arena, { nodes, entries, depth } = this.#path;
    const header = i32[tree >>> CHUNK_SHIFT], h = (tree & GRANULE_MASK) << 1;
    let root = 0, records = 0;
    for (let d = depth; d >= 0; d--) {
      const node = nodes[d], count = entries[d], inner = d < depth;
      const words = i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
      const taken = this.#arena.alloc(inner ? INNER_BYTES : LEAF_BYTES);
      const takenWords = i32[taken >>> CHUNK_SHIFT], takenAt = (taken & GRANULE_MASK) << 1;
      const column = inner ? CHILDREN : REFS;
      for (let i = 0; i < count; i++) takenWords[takenAt + column + i] = words[at + column + i];
      takenWords[takenAt] = count;
      takenWords[takenAt + LEVEL] = words[at + LEVEL];
      if (inner) {
        words[at + COUNTS + count] -= records;
        for (let i = 0; i < count; i++) {
          records += words[at + COUNTS + i];
          this.#discount(header, h, words[at + CHILDREN + i]);
        }
        takenWords[takenAt + CHILDREN + count] = root;
        takenWords[takenAt]++;
      } else {
        records = count;
        words[at + PREVIOUS] = 0;
        header[h + FIRST] = node;
      }
      for (const column of inner ? COLUMNS : LEAF_COLUMNS) shift(words, at, column, count, -count);
      words[at] -= count;
      root = taken;
    }
    header[h + SIZE] -= records;
    this.#lowerRoot(tree);
    return root;
  }

  /** Takes a node and those below it off the counts of an index. */
  #discount(header: Int32Array, h: number, node: number): void {
    const words = this.#arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
    const level = words[at + LEVEL];
    if (level === 0) header[h + LEAVES]--;
    else header[h + INNERS]--;
    if (level === 1) header[h + LEAVES] -= words[at];
    else if (level > 1) { for (let i = 0; i < words[at]; i++) this.#discount(header, h, words[at + CHILDREN + i]); }
  }

  #usedBy(node: number): number {
    return this.#arena.i32[node >>> CHUNK_SHIFT][(node & GRANULE_MASK) << 1];
  }

  /** Moves all entries of child `i + 1` into child `i` and frees it. */
  #join(tree: IndexRef, parent: number, i: number): void {
    const words = this.#arena.i32[parent >>> CHUNK_SHIFT], at = (parent & GRANULE_MASK) << 1;
    const left = words[at + CHILDREN + i], right = words[at + CHILDREN + i + 1];
    this.#keepFirst(parent, i + 1);
    this.#moveHead(parent, i + 1, this.#usedBy(right), this.#usedBy(left));
    this.#dropEntry(tree, parent, i + 1);
  }

  /** Frees child `i`, which is empty, and its entry. */
  #dropEntry(tree: IndexRef, parent: number, i: number): void {
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

  /** Copies entries between two children, over those at the target, and moves their records' counts along. */
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

/** Moves the words from `from` to before `end` up by one place. Hot: two at a time. */
function moveUp(words: Int32Array, view: DataView, from: number, end: number): void {
  let k = end;
  for (; k - 2 >= from; k -= 2) view.setBigInt64((k - 1) << 2, view.getBigInt64((k - 2) << 2, true), true);
  if (k > from) words[k] = words[k - 1];
}

/** Moves words down by `by` places to `from` and on, to before `end`. Hot: two at a time. */
function moveDown(words: Int32Array, view: DataView, from: number, end: number, by: number): void {
  let k = from;
  for (; k + 2 <= end; k += 2) view.setBigInt64(k << 2, view.getBigInt64((k + by) << 2, true), true);
  if (k < end) words[k] = words[k + by];
}

/** Moves the entries of a column from `from` on by `by` places; the count of entries is still the old one. */
function shift(words: Int32Array, at: number, column: number, from: number, by: number): void {
  const start = at + column + from;
  words.copyWithin(start + by, start, at + column + words[at]);
}
