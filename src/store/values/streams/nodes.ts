/**
 * The nodes of a stream: it writes entries in the blocks, marks them as deleted, and adds and removes nodes. The bytes
 * of a block are those that Redis writes for the same commands, deleted entries included, so that DUMP copies them.
 */
import { invariant } from "../../../core/assert.ts";
import { compareIds, putWide, type StreamId, wideAt } from "../../../core/stream_id.ts";
import { backLengthBytes, entriesBytes, entryBytes, IntegerEntry, PendingEntry } from "../../blocks/entry.ts";
import { LISTPACK_BYTES, Packed } from "../../blocks/packed.ts";
import { WordIndex } from "../../blocks/word_index.ts";
import { type Arena, type BodyRef, CHUNK_SHIFT, copyIn, GRANULE_MASK, type IndexRef } from "../../memory/arena.ts";
import { DELETED, NODE_BLOCK, NODE_BYTES, NODE_ID, NODE_LIVE, type NodeRef, SAME_FIELDS } from "./layout.ts";

/** Integers below this take one byte and one for the way back. */
const SHORT_INTEGER_END = 128;
const SHORT_ENTRY_BYTES = 2;
/** No setting makes a block larger than this. */
const BLOCK_BYTES_MAX = 2 ** 30;
/** A block that is full gives back its spare room if that is worth a copy. */
const SPARE_BYTES_MAX = 64;
/** A new block is given no more room ahead of its entries. */
const ROOM_BYTES_MAX = 4096;

/** Where the fields and values of an entry stand in a request: pair i at `from + 2 * i`. */
export interface Pairs {
  readonly bytes: Uint8Array;
  readonly start: ArrayLike<number>;
  readonly end: ArrayLike<number>;
  readonly from: number;
  readonly count: number;
}

export class StreamNodes {
  /** Redis's stream-node-max-bytes and stream-node-max-entries; 0 is no limit. */
  maxBytes = 4096;
  maxEntries = 100;
  readonly index: WordIndex<NodeRef>;
  readonly packed: Packed;
  /** Changes with every write to a stream that may move an entry; adding entries behind the others mostly does not. */
  moves = 0;
  readonly #arena: Arena;
  readonly #integer = new IntegerEntry();
  readonly #entry = new PendingEntry();
  // Where the next element is written.
  #chunk = 0;
  #at = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.index = new WordIndex(arena, NODE_ID, 4);
    this.packed = new Packed(arena);
  }

  /** The block of a node. */
  blockOf(node: NodeRef): BodyRef {
    return this.#arena.i32[node >>> CHUNK_SHIFT][((node & GRANULE_MASK) << 1) + NODE_BLOCK] as BodyRef;
  }

  setBlock(node: NodeRef, block: BodyRef): void {
    this.#arena.i32[node >>> CHUNK_SHIFT][((node & GRANULE_MASK) << 1) + NODE_BLOCK] = block;
  }

  /** A new node for a block that belongs behind all others. */
  add(nodes: IndexRef, id: Int32Array, at: number, block: BodyRef): NodeRef {
    const node = this.#arena.alloc(NODE_BYTES) as NodeRef;
    const words = this.#arena.i32[node >>> CHUNK_SHIFT], n = (node & GRANULE_MASK) << 1;
    for (let i = 0; i < 4; i++) words[n + NODE_ID + i] = id[at + i];
    words[n + NODE_BLOCK] = block;
    words[n + NODE_LIVE] = this.#integerAt(block, this.packed.first(block));
    this.index.add(nodes, node);
    this.moves++;
    return node;
  }

  /** Takes a node out and frees it. */
  remove(nodes: IndexRef, node: NodeRef): void {
    this.index.remove(nodes, node);
    this.free(node);
  }

  /** Frees a node that is in no index any more. */
  free(node: NodeRef): void {
    this.moves++;
    this.#arena.free(this.blockOf(node));
    this.#arena.free(node);
  }

  /** Number of entries of a node that are not deleted. Nodes lie close together, so that summing them up is quick. */
  live(node: NodeRef): number {
    return this.#arena.i32[node >>> CHUNK_SHIFT][((node & GRANULE_MASK) << 1) + NODE_LIVE];
  }

  /** Adds an entry behind all others; its id must be above theirs. Hot. */
  append(nodes: IndexRef, id: StreamId, pairs: Pairs): void {
    const { index, packed } = this;
    index.seekLast(nodes);
    if (index.leaf === 0) return this.#appendNode(nodes, id, pairs, 0);
    const node = index.ref, old = this.blockOf(node), first = packed.first(old), end = packed.end(old);
    const used = end - first;
    const words = this.#arena.i32[node >>> CHUNK_SHIFT], at = (node & GRANULE_MASK) << 1;
    if (this.#isFull(old, first, used, words[at + NODE_LIVE], pairs)) {
      this.#fit(node);
      return this.#appendNode(nodes, id, pairs, used);
    }
    const block = this.#setInteger(old, first, ++words[at + NODE_LIVE]);
    const flags = this.#hasFields(block, pairs) ? SAME_FIELDS : 0;
    const more = Math.min(used, Math.max(0, this.#limit - used));
    const grown = this.#write(block, id, words, at + NODE_ID, flags, pairs, more);
    // The others stand where they stood if this entry begins where they ended.
    if (grown === old && packed.position === end) return;
    this.moves++;
    this.setBlock(node, grown);
  }

  /** A new node for an entry. It is likely to need as many bytes as the node before it, which used `before`. */
  #appendNode(nodes: IndexRef, id: StreamId, pairs: Pairs, before: number): void {
    const room = before === 0 ? 0 : Math.min(before + SPARE_BYTES_MAX / 2, ROOM_BYTES_MAX);
    this.add(nodes, id, 0, this.#write(this.#createBlock(pairs, room), id, id, 0, SAME_FIELDS, pairs, 0));
  }

  /** Marks the entry whose flags stand at a position as deleted; the counts are the caller's concern. */
  markDeleted(block: BodyRef, position: number): void {
    this.#arena.u8[block >>> CHUNK_SHIFT][((block & GRANULE_MASK) << 3) + position] |= DELETED;
  }

  /** Says that `count` more entries of a node are deleted. Positions in its block may change, cursors notice. */
  countDeleted(node: NodeRef, count: number): void {
    const { packed } = this, old = this.blockOf(node);
    const end = packed.end(old);
    const live = this.live(node) - count;
    this.#arena.i32[node >>> CHUNK_SHIFT][((node & GRANULE_MASK) << 1) + NODE_LIVE] = live;
    let block = this.#setInteger(old, packed.first(old), live);
    const position = packed.next(block, packed.first(block));
    block = this.#setInteger(block, position, this.#integerAt(block, position) + count);
    // The entries are the end of the block, so they stand where they stood if it ends where it did.
    if (block === old && packed.end(block) === end) return;
    this.moves++;
    this.setBlock(node, block);
  }

  /** The most bytes of a block. */
  get #limit(): number {
    return this.maxBytes === 0 || this.maxBytes > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : this.maxBytes;
  }

  /** Whether an entry needs a node of its own behind a block, whose elements begin at `first` and take `used` bytes. */
  #isFull(block: BodyRef, first: number, used: number, live: number, { start, end, from, count }: Pairs): boolean {
    let bytes = used + LISTPACK_BYTES;
    for (let i = from; i < from + 2 * count; i++) bytes += end[i] - start[i];
    if (bytes >= this.#limit) return true;
    return this.maxEntries > 0 && live + this.#integerAt(block, this.packed.next(block, first)) >= this.maxEntries;
  }

  /** Gives the spare room of a node back that gets no more entries. */
  #fit(node: NodeRef): void {
    const { packed } = this, block = this.blockOf(node);
    const used = packed.end(block) - packed.first(block);
    if (packed.capacity(block) - used <= SPARE_BYTES_MAX) return;
    this.moves++;
    this.setBlock(node, packed.copy(block));
    this.#arena.free(block);
  }

  /** A block with a master entry for one entry of the pairs, which comes next, and room for `least` bytes at least. */
  #createBlock({ bytes, start, end, from, count }: Pairs, least: number): BodyRef {
    const { packed } = this;
    let size = SHORT_ENTRY_BYTES * 3 + integerBytes(count);
    for (let i = 0; i < count; i++) size += this.#sizeOf(bytes, start[from + 2 * i], end[from + 2 * i]);
    // The entry follows: flags, id and count, and its values.
    let room = size + SHORT_ENTRY_BYTES * 3 + integerBytes(count + 3);
    for (let i = 0; i < count; i++) room += this.#sizeOf(bytes, start[from + 2 * i + 1], end[from + 2 * i + 1]);
    const block = packed.extend(packed.create(Math.max(room, least)), size, 4 + count, 0);
    this.#startWriting(block, packed.position);
    this.#writeInteger(1);
    this.#writeInteger(0);
    this.#writeInteger(count);
    for (let i = 0; i < count; i++) this.#writeText(bytes, start[from + 2 * i], end[from + 2 * i]);
    this.#writeInteger(0);
    return block;
  }

  /** Whether the master entry of a block has the fields of the pairs. */
  #hasFields(block: BodyRef, { bytes, start, end, from, count }: Pairs): boolean {
    const { packed } = this;
    const chunk = this.#arena.u8[block >>> CHUNK_SHIFT];
    let i = ((block & GRANULE_MASK) << 3) + packed.first(block);
    i = this.#integer.read(chunk, i);
    i = this.#integer.read(chunk, i);
    i = this.#integer.read(chunk, i);
    if (this.#integer.low !== count) return false;
    for (let k = from; k < from + 2 * count; k += 2) {
      const length = end[k] - start[k];
      if (chunk[i] !== (0x80 | length) || length >= 64) {
        this.#entry.take(bytes, start[k], end[k]);
        if (!this.#entry.matches(chunk, i)) return false;
      } else {
        for (let n = 0; n < length; n++) if (chunk[i + 1 + n] !== bytes[start[k] + n]) return false;
      }
      i += entryBytes(chunk, i);
    }
    return true;
  }

  /** Writes an entry at the end of a block. The id of the node is at `words[master]`. Hot. */
  #write(
    block: BodyRef,
    id: StreamId,
    words: Int32Array,
    master: number,
    flags: number,
    { bytes, start, end, from, count }: Pairs,
    more: number,
  ): BodyRef {
    const same = flags === SAME_FIELDS;
    const msLow = id[1] - words[master + 1] | 0;
    const msHigh = id[0] - words[master] - (id[1] >>> 0 < words[master + 1] >>> 0 ? 1 : 0) | 0;
    const seqLow = id[3] - words[master + 3] | 0;
    const seqHigh = id[2] - words[master + 2] - (id[3] >>> 0 < words[master + 3] >>> 0 ? 1 : 0) | 0;
    const elements = same ? count + 3 : 2 * count + 4;
    let size = SHORT_ENTRY_BYTES + this.#wideBytes(msLow, msHigh) + this.#wideBytes(seqLow, seqHigh) +
      integerBytes(elements);
    if (same) {
      for (let k = from + 1; k < from + 2 * count; k += 2) size += this.#sizeOf(bytes, start[k], end[k]);
    } else {
      size += integerBytes(count) + entriesBytes(bytes, start, end, from, from + 2 * count);
    }
    block = this.packed.extend(block, size, elements + 1, more);
    this.#startWriting(block, this.packed.position);
    this.#writeInteger(flags);
    this.#writeWide(msLow, msHigh);
    this.#writeWide(seqLow, seqHigh);
    if (!same) this.#writeInteger(count);
    for (let k = from; k < from + 2 * count; k += 2) {
      if (!same) this.#writeText(bytes, start[k], end[k]);
      this.#writeText(bytes, start[k + 1], end[k + 1]);
    }
    this.#writeInteger(elements);
    return block;
  }

  #integerAt(block: BodyRef, position: number): number {
    this.#integer.read(this.#arena.u8[block >>> CHUNK_SHIFT], ((block & GRANULE_MASK) << 3) + position);
    return this.#integer.low;
  }

  /** Puts an integer in the place of the one at a position, and moves the block if it must. */
  #setInteger(block: BodyRef, position: number, value: number): BodyRef {
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], i = ((block & GRANULE_MASK) << 3) + position;
    if (value < SHORT_INTEGER_END && bytes[i] < SHORT_INTEGER_END) {
      bytes[i] = value;
      return block;
    }
    this.packed.encodeInteger(value, 0);
    return this.packed.replace(block, position);
  }

  #startWriting(block: BodyRef, position: number): void {
    this.#chunk = block >>> CHUNK_SHIFT;
    this.#at = ((block & GRANULE_MASK) << 3) + position;
  }

  #writeInteger(value: number): void {
    this.#writeWide(value, 0);
  }

  #writeWide(low: number, high: number): void {
    if (high === 0 && low >= 0 && low < SHORT_INTEGER_END) {
      const bytes = this.#arena.u8[this.#chunk];
      bytes[this.#at] = low;
      bytes[this.#at + 1] = 1;
      this.#at += SHORT_ENTRY_BYTES;
      return;
    }
    this.#entry.takeInteger(low, high);
    this.#writeEntry();
  }

  #writeText(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (isBriefText(bytes, start, length)) {
      const to = this.#arena.u8[this.#chunk], at = this.#at;
      to[at] = 0x80 | length;
      copyIn(this.#arena, bytes, start, end, this.#chunk, at + 1);
      to[at + 1 + length] = 1 + length;
      this.#at = at + 2 + length;
      return;
    }
    this.#entry.take(bytes, start, end);
    this.#writeEntry();
  }

  #writeEntry(): void {
    this.#entry.write(this.#arena, this.#chunk, this.#at);
    this.#at += this.#entry.size;
  }

  #sizeOf(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (isBriefText(bytes, start, length)) return length + 2;
    this.#entry.take(bytes, start, end);
    return this.#entry.size;
  }

  #wideBytes(low: number, high: number): number {
    if (high === 0 && low >= 0 && low < SHORT_INTEGER_END) return SHORT_ENTRY_BYTES;
    this.#entry.takeInteger(low, high);
    return this.#entry.size;
  }

  /** Checks a node and returns its number of live entries. */
  check(node: NodeRef, reached: Set<number>): number {
    const { packed } = this, block = this.blockOf(node), integer = this.#integer;
    invariant(!reached.has(node) && !reached.has(block), "a node is in two places");
    reached.add(node);
    reached.add(block);
    packed.check(block);
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    let i = base + packed.first(block);
    const end = base + packed.end(block);
    const next = () => {
      i = integer.read(bytes, i);
      return integer.low;
    };
    const skip = (count: number) => {
      while (count-- > 0) i += entryBytes(bytes, i);
    };
    const live = next(), deleted = next(), fields = next();
    skip(fields);
    invariant(next() === 0, "a master entry has no end");
    let seenLive = 0, seenDeleted = 0;
    const words = this.#arena.i32[node >>> CHUNK_SHIFT], master = ((node & GRANULE_MASK) << 1) + NODE_ID;
    const last = new Int32Array(4), id = new Int32Array(4);
    const part = (at: number) => {
      i = integer.read(bytes, i);
      const delta = (BigInt(integer.high) << 32n) | BigInt(integer.low >>> 0);
      putWide(id, at, wideAt(words, master + at) + delta);
    };
    for (; i < end;) {
      const flags = next();
      part(0);
      part(2);
      invariant(
        seenLive + seenDeleted === 0 || compareIds(last, 0, id, 0) < 0,
        "the entries of a node are out of order",
      );
      last.set(id);
      const count = (flags & SAME_FIELDS) !== 0 ? fields : 2 * next();
      skip(count);
      const elements = next();
      invariant(
        elements === ((flags & SAME_FIELDS) !== 0 ? count + 3 : count + 4),
        "an entry does not count its elements",
      );
      if ((flags & DELETED) !== 0) seenDeleted++;
      else seenLive++;
    }
    invariant(live === this.live(node), "a node and its block count different entries");
    invariant(live === seenLive && deleted === seenDeleted && live >= 0, "the entries of a node are miscounted");
    return live;
  }
}

/** Whether a text has one byte before and one behind it, and is no integer: digits and a minus are below letters. */
function isBriefText(bytes: Uint8Array, start: number, length: number): boolean {
  return length > 0 && length < 64 && bytes[start] > 57;
}

/** Bytes of the entry of a small integer that is not negative. */
function integerBytes(value: number): number {
  if (value < SHORT_INTEGER_END) return SHORT_ENTRY_BYTES;
  const body = value < 4096 ? 2 : value < 0x8000 ? 3 : value < 0x800000 ? 4 : 5;
  return body + backLengthBytes(body);
}
