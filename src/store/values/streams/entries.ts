/**
 * The cursor over the entries of a stream: it finds the first or last one within bounds of ids, and steps both ways. It
 * reads an entry where it stands; nothing is copied.
 *
 * Registers: `id`, `count` and the elements of the entry under the cursor, valid until the next write.
 */
import { compareIds, ID_MAX, ID_MIN, idTime, type StreamId } from "../../../core/stream_id.ts";
import { NO_BYTES } from "../../../core/bytes.ts";
import { bodyBytes, entryBytes, IntegerEntry } from "../../blocks/entry.ts";
import type { Packed } from "../../blocks/packed.ts";
import { type Arena, type BodyRef, CHUNK_SHIFT, GRANULE_MASK, type IndexRef, NONE } from "../../memory/arena.ts";
import { DELETED, NODE_ID, type NodeRef, SAME_FIELDS } from "./layout.ts";
import type { StreamNodes } from "./nodes.ts";

/** The most elements of one `readRun`. */
const RUN_MAX = 64;

export class EntryCursor {
  /** The id of the entry. */
  readonly id: StreamId = new Int32Array(4);
  /** Number of fields of the entry. */
  count = 0;
  /** Where the entry's flags stand in the block of its node. */
  position = 0;
  node: NodeRef = NONE as unknown as NodeRef;
  block: BodyRef = NONE;
  /** Deleted entries are visited too. */
  tombstones = false;
  /** After `readRun`: where the elements are, in `view`. */
  readonly starts = new Int32Array(RUN_MAX);
  readonly ends = new Int32Array(RUN_MAX);

  readonly #arena: Arena;
  readonly #nodes: StreamNodes;
  readonly #packed: Packed;
  readonly #integer = new IntegerEntry();
  readonly #last: StreamId = new Int32Array(4);
  // The stream that was looked through, NONE for a single node, and the state of all streams then.
  #tree: IndexRef = NONE;
  #moves = -1;
  // The place of the node in the index.
  #leaf = 0;
  #place = 0;
  #bytes: Uint8Array = NO_BYTES;
  // Indices in #bytes: the block's start, its end, and the first entry behind the master.
  #base = 0;
  #end = 0;
  #first = 0;
  #masterFields = 0;
  #masterCount = 0;
  #flags = 0;
  // Of the entry: where its fields or values begin, and where the next one does.
  #elements = 0;
  // Where its last value ends, if that is known already; else 0.
  #behind = 0;
  // The next field and value.
  #field = 0;
  #value = 0;

  constructor(arena: Arena, nodes: StreamNodes) {
    this.#arena = arena;
    this.#nodes = nodes;
    this.#packed = nodes.packed;
  }

  /** Whether the entry under the cursor is deleted. */
  get deleted(): boolean {
    return (this.#flags & DELETED) !== 0;
  }

  /**
   * Puts the cursor on the first entry that is not below an id. False if there is none. Hot: a caller that reads on is
   * likely to want the next entry.
   */
  seekFrom(nodes: IndexRef, from: StreamId): boolean {
    const { index } = this.#nodes;
    if (this.#isNext(nodes, from)) return this.#readFrom(this.#endOfEntry());
    index.seekTo(nodes, from, 0);
    if (index.leaf === 0) index.seekFirst(nodes);
    if (!this.#enterFrom(nodes)) return false;
    if (this.#isNearEnd(from)) {
      // Back from the end to the last entry below.
      let at = this.#end;
      while (at > this.#first) {
        const before = this.#startOf(at);
        this.#read(before);
        if (compareIds(this.id, 0, from, 0) < 0) break;
        at = before;
      }
      return this.#readFrom(at);
    }
    for (let at = this.#first; at < this.#end;) {
      this.#read(at);
      if (compareIds(this.id, 0, from, 0) >= 0) return this.#readFrom(at);
      at = this.#endOfEntry();
    }
    return this.#nextNode();
  }

  /** Puts the cursor on the last entry that is not above an id. False if there is none. */
  seekTo(nodes: IndexRef, to: StreamId): boolean {
    const { index } = this.#nodes;
    index.seekTo(nodes, to, 0);
    if (!this.#enterFrom(nodes)) return false;
    for (let at = this.#end; at > this.#first;) {
      at = this.#startOf(at);
      this.#read(at);
      if (compareIds(this.id, 0, to, 0) <= 0) return this.#readBack(at);
    }
    return this.#previousNode();
  }

  first(nodes: IndexRef): boolean {
    return this.seekFrom(nodes, ID_MIN);
  }

  last(nodes: IndexRef): boolean {
    return this.seekTo(nodes, ID_MAX);
  }

  /** Puts the cursor on the entry with an id. False if there is none. */
  find(nodes: IndexRef, id: StreamId): boolean {
    return this.seekFrom(nodes, id) && compareIds(this.id, 0, id, 0) === 0;
  }

  /** Goes on to the next entry; false behind the last. */
  next(): boolean {
    return this.#readFrom(this.#endOfEntry());
  }

  /** Goes back to the entry before; false before the first. */
  previous(): boolean {
    const at = this.#base + this.position;
    return at <= this.#first ? this.#previousNode() : this.#readBack(this.#startOf(at));
  }

  /** Goes on to the next entry of the node, deleted or not; false behind its last. */
  nextInNode(): boolean {
    const at = this.#endOfEntry();
    if (at >= this.#end) return false;
    this.#read(at);
    return true;
  }

  /** Puts the cursor on the first entry of a node, deleted or not. */
  firstOf(node: NodeRef): void {
    this.#tree = NONE;
    this.#enter(node);
    this.#read(this.#first);
  }

  /** Puts the cursor on the last entry of a node, deleted or not. */
  lastOf(node: NodeRef): void {
    this.#tree = NONE;
    this.#enter(node);
    this.#read(this.#startOf(this.#end));
  }

  /** Begins to read the fields and values of the entry. */
  begin(): void {
    this.#field = (this.#flags & SAME_FIELDS) !== 0 ? this.#masterFields : this.#elements;
    this.#value = this.#elements;
  }

  /** Leaves the next field in the registers of `packed`. */
  readField(): void {
    this.#packed.read(this.block, this.#field - this.#base);
    this.#field = this.#base + this.#packed.after;
    if ((this.#flags & SAME_FIELDS) === 0) this.#value = this.#field;
  }

  /** Leaves the value of the field that was read last in the registers of `packed`. */
  readValue(): void {
    this.#packed.read(this.block, this.#value - this.#base);
    this.#value = this.#base + this.#packed.after;
    if ((this.#flags & SAME_FIELDS) === 0) this.#field = this.#value;
  }

  /**
   * Leaves the places of all fields and values in `starts` and `ends`, which hold in `view`, if all of them are strings
   * and there are not too many. Otherwise false: read them one by one. Hot.
   */
  readAll(): boolean {
    const { count, starts, ends } = this, bytes = this.#bytes;
    if (2 * count > RUN_MAX) return false;
    let value = this.#elements;
    let field = (this.#flags & SAME_FIELDS) !== 0 ? this.#masterFields : 0;
    const shared = field !== 0;
    for (let k = 0; k < 2 * count; k++) {
      const isField = shared && (k & 1) === 0;
      const at = isField ? field : value;
      const code = bytes[at];
      let next: number;
      if ((code & 0xc0) === 0x80) {
        starts[k] = at + 1;
        ends[k] = at + 1 + (code & 63);
        next = ends[k] + 1;
      } else if (code >= 0xe0 && code <= 0xf0) {
        starts[k] = at + (code === 0xf0 ? 5 : 2);
        ends[k] = at + bodyBytes(bytes, at);
        next = at + entryBytes(bytes, at);
      } else {
        return false;
      }
      if (isField) field = next;
      else value = next;
    }
    this.#behind = value;
    return true;
  }

  /** The chunk of the entry as a view. */
  get view(): DataView {
    return this.#arena.view[this.block >>> CHUNK_SHIFT];
  }

  /** Whether the entry behind the one under the cursor is the first that is not below an id. */
  #isNext(nodes: IndexRef, from: StreamId): boolean {
    if (this.#tree !== nodes || this.#moves !== this.#nodes.moves) return false;
    const order = compareIds(from, 0, this.id, 0);
    if (order <= 0) return false;
    const { packed } = this.#nodes;
    // Entries may have been added.
    this.#end = this.#base + packed.end(this.block);
    const at = this.#endOfEntry();
    if (at >= this.#end) return false;
    const position = this.position;
    this.#read(at);
    const isNext = compareIds(from, 0, this.id, 0) <= 0;
    this.#read(this.#base + position);
    return isNext;
  }

  /** Whether walking back from the end of the node is likely the shorter way to an id. */
  #isNearEnd(from: StreamId): boolean {
    const words = this.#arena.i32[this.node >>> CHUNK_SHIFT], master = ((this.node & GRANULE_MASK) << 1) + NODE_ID;
    if (compareIds(from, 0, words, master) <= 0) return false;
    this.#read(this.#startOf(this.#end));
    const last = this.#last;
    last.set(this.id);
    if (compareIds(from, 0, last, 0) >= 0) return true;
    const start = idTime(words, master), end = idTime(last);
    if (end > start) return idTime(from) - start > (end - start) / 2;
    const startSeq = idTime(words, master + 2), endSeq = idTime(last, 2);
    return idTime(from, 2) - startSeq > (endSeq - startSeq) / 2;
  }

  /** Enters the node under the cursor of the index. False if there is none. */
  #enterFrom(nodes: IndexRef): boolean {
    const { index } = this.#nodes;
    this.#tree = index.leaf === 0 ? NONE : nodes;
    if (index.leaf === 0) return false;
    this.#enter(index.ref);
    return true;
  }

  #enter(node: NodeRef): void {
    const { packed } = this.#nodes;
    const block = this.#nodes.blockOf(node);
    const bytes = this.#arena.u8[block >>> CHUNK_SHIFT], integer = this.#integer;
    this.node = node;
    this.block = block;
    this.#moves = this.#nodes.moves;
    this.#leaf = this.#nodes.index.leaf;
    this.#place = this.#nodes.index.index;
    this.#bytes = bytes;
    this.#base = (block & GRANULE_MASK) << 3;
    this.#end = this.#base + packed.end(block);
    let i = this.#base + packed.first(block);
    i = integer.read(bytes, i);
    i = integer.read(bytes, i);
    i = integer.read(bytes, i);
    const count = integer.low;
    this.#masterFields = i;
    this.#masterCount = count;
    for (let k = 0; k < count; k++) i += entryBytes(bytes, i);
    this.#first = i + entryBytes(bytes, i);
  }

  /** Reads the entry at an index of the block, or the next one that is visited, here or in a node behind. */
  #readFrom(at: number): boolean {
    while (at < this.#end) {
      this.#read(at);
      if (this.tombstones || (this.#flags & DELETED) === 0) return true;
      at = this.#endOfEntry();
    }
    return this.#nextNode();
  }

  /** Reads the entry at an index of the block, or the next one before it that is visited, here or in a node before. */
  #readBack(at: number): boolean {
    for (;;) {
      this.#read(at);
      if (this.tombstones || (this.#flags & DELETED) === 0) return true;
      if (at <= this.#first) return this.#previousNode();
      at = this.#startOf(at);
    }
  }

  #nextNode(): boolean {
    const { index } = this.#nodes;
    for (;;) {
      index.leaf = this.#leaf;
      index.index = this.#place;
      index.step();
      if (index.leaf === 0) return false;
      this.#enter(index.ref);
      for (let at = this.#first; at < this.#end; at = this.#endOfEntry()) {
        this.#read(at);
        if (this.tombstones || (this.#flags & DELETED) === 0) return true;
      }
    }
  }

  #previousNode(): boolean {
    const { index } = this.#nodes;
    index.leaf = this.#leaf;
    index.index = this.#place;
    index.stepBack();
    if (index.leaf === 0) return false;
    this.#enter(index.ref);
    return this.#readBack(this.#startOf(this.#end));
  }

  /** Reads the head of the entry at an index of the block. */
  #read(at: number): void {
    const bytes = this.#bytes, integer = this.#integer, id = this.id;
    const words = this.#arena.i32[this.node >>> CHUNK_SHIFT], master = ((this.node & GRANULE_MASK) << 1) + NODE_ID;
    this.position = at - this.#base;
    this.#behind = 0;
    at = integer.read(bytes, at);
    const flags = integer.low;
    this.#flags = flags;
    at = integer.read(bytes, at);
    const ms = integer.low, msHigh = integer.high;
    const msLow = words[master + 1] + ms | 0;
    id[1] = msLow;
    id[0] = words[master] + msHigh + (msLow >>> 0 < ms >>> 0 ? 1 : 0);
    at = integer.read(bytes, at);
    const seq = integer.low, seqLow = words[master + 3] + seq | 0;
    id[3] = seqLow;
    id[2] = words[master + 2] + integer.high + (seqLow >>> 0 < seq >>> 0 ? 1 : 0);
    if ((flags & SAME_FIELDS) !== 0) {
      this.count = this.#masterCount;
    } else {
      at = integer.read(bytes, at);
      this.count = integer.low;
    }
    this.#elements = at;
  }

  /** The index behind the entry under the cursor. */
  #endOfEntry(): number {
    const bytes = this.#bytes;
    if (this.#behind !== 0) return this.#behind + entryBytes(bytes, this.#behind);
    let at = this.#elements;
    const elements = (this.#flags & SAME_FIELDS) !== 0 ? this.count : 2 * this.count;
    for (let k = 0; k <= elements; k++) at += entryBytes(bytes, at);
    return at;
  }

  /** The index of the entry that ends at an index of the block. */
  #startOf(end: number): number {
    let position = this.#packed.previous(this.block, end - this.#base);
    this.#integer.read(this.#bytes, this.#base + position);
    for (let k = this.#integer.low; k > 0; k--) position = this.#packed.previous(this.block, position);
    return this.#base + position;
  }
}
