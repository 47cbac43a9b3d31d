/**
 * The list: one packed block (LISTPACK) while it is small, otherwise a directory of packed blocks, its nodes
 * (QUICKLIST). This file owns the cursor, the distribution of elements over nodes, and the conversions between the two
 * encodings at Redis's thresholds (`list-max-listpack-size`). The layouts are those of packed.ts and directory.ts.
 *
 * A search for an index adds up the counts of the nodes from the nearer end. A node holds as much as Redis's node, and
 * an element beyond that limit gets a node of its own ("plain"). Splits and merges of nodes follow Redis too, because
 * they decide when a list is small enough to be one block again.
 *
 * One List serves all lists of a store. `open` takes up a list; operations leave its encoding and body, which writes
 * may change, in the registers `encoding` and `body`, for the caller to store. Elements are read into the registers of
 * `packed`. The cursor stands on an element and is valid until the next write other than `removeHere`. A list is empty
 * only between a write and the deletion of its key.
 */
import { invariant } from "../../core/assert.ts";
import { type Arena, type BodyRef, NONE } from "../memory/arena.ts";
import { Directory } from "../blocks/directory.ts";
import { Encoding } from "../keyspace.ts";
import { Packed } from "../blocks/packed.ts";
import { type CommandWriter, ELEMENTS_PER_COMMAND, type ValueType } from "../store.ts";

/** Size limits of a node for list-max-listpack-size -1 to -5; a limit in elements adds the second as a safety. */
const NODE_BYTES = [4096, 8192, 16384, 32768, 65536];
const SAFE_NODE_BYTES = 8192;
const NODE_ELEMENTS_MAX = 32767;
/** Redis adds this to an element's length when it checks whether a node has room. */
const ENTRY_ESTIMATE_BYTES = 8;
/** Bytes of a listpack that merging saves. */
const LISTPACK_BYTES = 7;
/** The header of a block counts against the size limit, so that a full node fills a size class. */
const BLOCK_HEAD_BYTES = 16;

export class List implements ValueType {
  readonly packed: Packed;
  /** The list at hand. */
  encoding: number = Encoding.LISTPACK;
  body: BodyRef = NONE;
  /** The cursor's index in the list. */
  index = 0;

  readonly #arena: Arena;
  readonly #directory: Directory;
  #maxListpackSize = 0;
  #nodeBytes = 0;
  #nodeElements = 0;
  // The cursor: node number, its block, position and offset (in elements) in it; at the end of the list #block is 0.
  #node = 0;
  #block: BodyRef = NONE;
  #position = 0;
  #offset = 0;
  #end = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.packed = new Packed(arena);
    this.#directory = new Directory(arena);
    this.maxListpackSize = -2;
  }

  /** Redis's setting list-max-listpack-size: -1 to -5 for 4 to 64 KiB to a node, positive for that many elements. */
  get maxListpackSize(): number {
    return this.#maxListpackSize;
  }

  set maxListpackSize(value: number) {
    this.#maxListpackSize = value;
    this.#nodeBytes = value < 0 ? NODE_BYTES[Math.min(-value, NODE_BYTES.length) - 1] : SAFE_NODE_BYTES;
    this.#nodeElements = value < 0 ? Infinity : Math.max(1, Math.min(value, NODE_ELEMENTS_MAX));
  }

  /** Takes up a list. */
  open(encoding: number, body: BodyRef): void {
    this.encoding = encoding;
    this.body = body;
  }

  /** Takes up a new, empty list; `bytes` is the size of its first entries, 0 if unknown. */
  create(bytes = 0): void {
    this.open(Encoding.LISTPACK, this.packed.create(bytes <= this.#nodeBytes ? bytes : 0));
  }

  /** Takes up a new, empty list that is expected to be long; `settle` it at the end. */
  createLong(): void {
    this.open(Encoding.QUICKLIST, this.#directory.create(0));
  }

  get length(): number {
    return this.count(this.encoding, this.body);
  }

  /** Number of packed blocks, for those who copy them as they are. */
  get nodeCount(): number {
    return this.encoding === Encoding.LISTPACK ? 1 : this.#directory.size(this.body);
  }

  /** The packed block with a number from 0. */
  node(i: number): BodyRef {
    return this.encoding === Encoding.LISTPACK ? this.body : this.#directory.node(this.body, i);
  }

  /** Makes a list that is one block a directory if `count` more elements of `bytes` in all might not fit the block. */
  growFor(bytes: number, count: number): void {
    if (this.encoding !== Encoding.LISTPACK) return;
    const { packed, body } = this;
    if (!this.#exceeds(packed.sizeOf(body) + bytes, packed.count(body) + count)) return;
    this.createLong();
    const elements = packed.count(body);
    if (elements > 0) this.#insertNode(0, body);
    else this.#arena.free(body);
    this.#directory.addElements(this.body, elements);
  }

  /** Makes a directory with one node a block again when it is down to half of the limits. Call after removing. */
  shrink(): void {
    this.#joinBelow(2);
  }

  /** Makes a directory with one node a block if that is within the limits. */
  settle(): void {
    this.#joinBelow(1);
  }

  #joinBelow(divisor: number): void {
    if (this.encoding !== Encoding.QUICKLIST || this.nodeCount !== 1) return;
    const node = this.node(0);
    if (this.isPlain(node)) return;
    const fits = this.#maxListpackSize < 0
      ? this.packed.sizeOf(node) <= this.#nodeBytes / divisor
      : this.packed.count(node) <= Math.floor(this.#nodeElements / divisor);
    if (!fits) return;
    this.#arena.free(this.body);
    this.open(Encoding.LISTPACK, node);
  }

  /** Adds `bytes[start, end)` behind the last element; `growFor` comes first. The bytes must not lie in this list. */
  pushTail(bytes: Uint8Array, start: number, end: number): void {
    this.packed.encode(bytes, start, end);
    if (this.encoding === Encoding.LISTPACK) {
      // A list that grows one by one, or a short queue, would move with every push.
      this.body = this.packed.append(this.body, this.packed.encodedBytes);
      return;
    }
    const nodes = this.nodeCount;
    const last = nodes > 0 ? this.node(nodes - 1) : NONE;
    if (last !== 0 && this.#hasRoom(last, end - start)) this.#setNode(nodes - 1, last, this.packed.append(last));
    else this.#insertNode(nodes, this.#createNode(last));
    this.#directory.addElements(this.body, 1);
  }

  /** Adds `bytes[start, end)` before the first element; `growFor` comes first. The bytes must not lie in this list. */
  pushHead(bytes: Uint8Array, start: number, end: number): void {
    this.packed.encode(bytes, start, end);
    if (this.encoding === Encoding.LISTPACK) {
      this.body = this.packed.prepend(this.body, this.packed.encodedBytes);
      return;
    }
    const first = this.nodeCount > 0 ? this.node(0) : NONE;
    if (first !== 0 && this.#hasRoom(first, end - start)) this.#setNode(0, first, this.packed.prepend(first));
    else this.#insertNode(0, this.#createNode(first));
    this.#directory.addElements(this.body, 1);
  }

  /** Reads the first element. */
  readHead(): void {
    const block = this.node(0);
    this.packed.read(block, this.packed.first(block));
  }

  /** Reads the last element. */
  readTail(): void {
    const block = this.node(this.nodeCount - 1);
    this.packed.read(block, this.packed.previous(block, this.packed.end(block)));
  }

  /** Removes the first element. Call `shrink` after it, unless the list is empty. */
  removeHead(): void {
    const block = this.node(0);
    this.#removeFrom(0, block, this.packed.first(block));
  }

  /** Removes the last element. Call `shrink` after it, unless the list is empty. */
  removeTail(): void {
    const i = this.nodeCount - 1;
    const block = this.node(i);
    this.#removeFrom(i, block, this.packed.previous(block, this.packed.end(block)));
  }

  /** Removes `count` elements from index `start` on; there must be so many. */
  removeRange(start: number, count: number): void {
    const { packed } = this;
    if (count === 0) return;
    if (this.encoding === Encoding.LISTPACK) {
      this.body = packed.remove(this.body, packed.at(this.body, start), count);
      return;
    }
    this.seek(start);
    let node = this.#node, offset = this.#offset, dropped = 0;
    for (let left = count; left > 0;) {
      const block = this.node(node);
      const inNode = packed.count(block);
      const n = Math.min(left, inNode - offset);
      if (n === inNode) {
        this.#arena.free(block);
        dropped++;
      } else {
        // Nodes between the first and the last go as a whole: they are adjacent.
        if (dropped > 0) this.#dropNodes(node -= dropped, dropped);
        dropped = 0;
        this.#setNode(node, block, packed.remove(block, packed.at(block, offset), n));
      }
      left -= n;
      offset = 0;
      node++;
    }
    if (dropped > 0) this.#dropNodes(node - dropped, dropped);
    this.#directory.addElements(this.body, -count);
  }

  /** Puts the cursor on the element with an index from 0; an index at the length puts it at the end. */
  seek(index: number): void {
    const { packed } = this;
    this.index = index;
    if (this.encoding === Encoding.LISTPACK) {
      this.#enter(0, this.body, packed.at(this.body, index), index);
      return;
    }
    const count = this.length;
    let node: number, offset: number;
    if (index < count / 2) {
      node = 0;
      offset = index;
      for (let n = packed.count(this.node(0)); offset >= n; n = packed.count(this.node(node))) {
        offset -= n;
        node++;
      }
    } else {
      node = this.nodeCount;
      let before = count;
      while (before > index) before -= packed.count(this.node(--node));
      offset = index - before;
    }
    const block = index < count ? this.node(node) : NONE;
    this.#enter(node, block, block === 0 ? 0 : packed.at(block, offset), offset);
  }

  /** Reads the element under the cursor and goes on to the next. Hot; leaves `index` alone. */
  next(): void {
    const { packed } = this;
    packed.read(this.#block, this.#position);
    this.#position = packed.after;
    if (packed.after === this.#end) this.#enterNode(this.#node + 1);
  }

  /**
   * Reads short strings, as many as follow each other in a node from the cursor on but at most `count`, into `starts`
   * and `ends` of `packed`, and moves behind them. Returns how many; 0: take `next`. Leaves `index` alone. Hot.
   */
  nextRun(count: number): number {
    const { packed } = this;
    const n = packed.readRun(this.#block, this.#position, this.#end, count);
    this.#position = packed.after;
    if (n > 0 && packed.after === this.#end) this.#enterNode(this.#node + 1);
    return n;
  }

  /** Reads the element under the cursor and goes back to the one before. */
  back(): void {
    this.packed.read(this.#block, this.#position);
    this.stepBack();
  }

  /**
   * Goes on from the cursor, itself included, to the next element that is the encoded one (`packed.encode`), and
   * returns its index; -1 if there is none below index `limit`. Hot.
   */
  nextMatch(limit: number): number {
    const { packed } = this;
    while (this.#block !== 0 && this.index < limit) {
      const position = packed.find(this.#block, this.#position, 1);
      this.index += packed.passed;
      this.#offset += packed.passed;
      if (position !== 0) {
        this.#position = position;
        return this.index < limit ? this.index : -1;
      }
      this.#enterNode(this.#node + 1);
    }
    return -1;
  }

  /** Goes back from the cursor, itself included, to the element that is the encoded one; -1 if none from `limit` on. */
  previousMatch(limit: number): number {
    while (this.#block !== 0 && this.index >= limit) {
      if (this.packed.equals(this.#block, this.#position)) return this.index;
      this.stepBack();
    }
    return -1;
  }

  /** Moves the cursor to the next element. */
  step(): void {
    this.#position = this.packed.next(this.#block, this.#position);
    this.#offset++;
    this.index++;
    if (this.#position === this.#end) this.#enterNode(this.#node + 1);
  }

  /** Moves the cursor to the element before. */
  stepBack(): void {
    const { packed } = this;
    this.index--;
    if (this.#block !== 0) {
      this.#position = packed.previous(this.#block, this.#position);
      this.#offset--;
      if (this.#position !== 0) return;
    }
    if (this.#node === 0) {
      this.#enter(0, NONE, 0, 0);
      return;
    }
    const block = this.node(this.#node - 1);
    this.#enter(this.#node - 1, block, packed.previous(block, packed.end(block)), packed.count(block) - 1);
  }

  /** Removes the element under the cursor, which then stands on the one behind it. */
  removeHere(): void {
    const { packed } = this;
    const last = packed.count(this.#block) === 1;
    this.#removeFrom(this.#node, this.#block, this.#position);
    if (last) return this.#enterNode(this.#node);
    const block = this.node(this.#node);
    if (packed.position === packed.end(block)) this.#enterNode(this.#node + 1);
    else this.#enter(this.#node, block, packed.position, this.#offset);
  }

  /** Puts `bytes[start, end)` in the place of the element under the cursor; `growFor` comes first. */
  replaceHere(bytes: Uint8Array, start: number, end: number): void {
    const { packed } = this;
    const i = this.#node, block = this.#block;
    const large = end - start > this.#nodeBytes;
    const plain = this.encoding === Encoding.QUICKLIST && this.isPlain(block);
    if (this.encoding === Encoding.LISTPACK || plain === large) {
      packed.encode(bytes, start, end);
      this.#setNode(i, block, packed.replace(block, this.#position));
    } else if (plain) {
      this.#insertInDirectory(true, bytes, start, end);
      this.#arena.free(block);
      this.#dropNodes(i, 1);
      this.#directory.addElements(this.body, -1);
    } else {
      // The node then ends at the element's place; the element follows, then the elements behind it.
      if (this.#offset < packed.count(block) - 1) this.#split(i, packed.next(block, this.#position), this.#offset + 1);
      packed.encode(bytes, start, end);
      this.#insertNode(i + 1, this.#createNode(NONE));
      const head = this.node(i);
      if (packed.count(head) === 1) {
        this.#arena.free(head);
        this.#dropNodes(i, 1);
      } else {
        this.#setNode(i, head, packed.remove(head, packed.previous(head, packed.end(head))));
        this.#mergeAround(i);
      }
    }
  }

  /** Inserts `bytes[start, end)` before or after the element under the cursor; `growFor` comes first. */
  insertHere(after: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { packed } = this;
    if (this.encoding === Encoding.QUICKLIST) return this.#insertInDirectory(after, bytes, start, end);
    packed.encode(bytes, start, end);
    this.body = packed.insert(this.body, after ? packed.next(this.body, this.#position) : this.#position);
  }

  #insertInDirectory(after: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { packed } = this;
    const i = this.#node, block = this.#block, length = end - start;
    packed.encode(bytes, start, end);
    this.#directory.addElements(this.body, 1);
    const position = after ? packed.next(block, this.#position) : this.#position;
    if (this.#hasRoom(block, length)) {
      this.#setNode(i, block, packed.insert(block, position));
      return;
    }
    const beside = after ? i + 1 : i - 1;
    const large = length > this.#nodeBytes;
    if (position === (after ? packed.end(block) : packed.first(block))) {
      const neighbour = beside >= 0 && beside < this.nodeCount ? this.node(beside) : 0;
      if (neighbour === 0 || !this.#hasRoom(neighbour, length)) {
        this.#insertNode(after ? i + 1 : i, this.#createNode(NONE));
      } else {
        this.#setNode(beside, neighbour, after ? packed.prepend(neighbour) : packed.append(neighbour));
      }
      return;
    }
    this.#split(i, position, this.#offset + (after ? 1 : 0));
    if (large) {
      this.#insertNode(i + 1, this.#createNode(NONE));
      return;
    }
    // The half that broke off takes the element; the other one is where merging starts.
    const half = after ? i + 1 : i;
    const halfBlock = this.node(half);
    this.#setNode(half, halfBlock, after ? packed.prepend(halfBlock) : packed.append(halfBlock));
    this.#mergeAround(after ? i : i + 1);
  }

  copy(encoding: number, body: BodyRef): BodyRef {
    if (encoding === Encoding.LISTPACK) return this.packed.copy(body);
    const directory = this.#directory;
    const count = directory.size(body);
    let target = directory.create(count);
    for (let i = 0; i < count; i++) target = directory.insert(target, i, this.packed.copy(directory.node(body, i)));
    directory.addElements(target, directory.elements(body));
    return target;
  }

  free(encoding: number, body: BodyRef, budget: number): BodyRef {
    if (encoding === Encoding.QUICKLIST) {
      const directory = this.#directory;
      let last = directory.size(body);
      while (last > 0 && budget-- > 0) this.#arena.free(directory.node(body, --last));
      body = directory.remove(body, last, directory.size(body) - last);
      if (last > 0) return body;
    }
    this.#arena.free(body);
    return NONE;
  }

  count(encoding: number, body: BodyRef): number {
    if (encoding === Encoding.LISTPACK) return this.packed.count(body);
    return this.#directory.elements(body);
  }

  sizeBytes(encoding: number, body: BodyRef, samples: number): number {
    const bytes = this.#arena.sizeOf(body);
    if (encoding === Encoding.LISTPACK) return bytes;
    this.open(encoding, body);
    const nodes = this.nodeCount;
    const looked = samples === 0 ? nodes : Math.min(samples, nodes);
    let sum = 0;
    for (let i = 0; i < looked; i++) sum += this.#arena.sizeOf(this.node(i));
    return bytes + (looked === 0 ? 0 : Math.round(sum / looked * nodes));
  }

  elements(
    encoding: number,
    body: BodyRef,
    reverse: boolean,
    visit: (bytes: Uint8Array, start: number, end: number) => boolean,
  ): void {
    const { packed } = this;
    this.open(encoding, body);
    for (let i = 0, nodes = this.nodeCount; i < nodes; i++) {
      const block = this.node(reverse ? nodes - 1 - i : i);
      let position = reverse ? packed.previous(block, packed.end(block)) : packed.first(block);
      for (let left = packed.count(block); left > 0; left--) {
        packed.read(block, position);
        position = reverse ? packed.previous(block, position) : packed.after;
        packed.text();
        if (!visit(packed.bytes, packed.start, packed.start + packed.length)) return;
      }
    }
  }

  emit(encoding: number, body: BodyRef, cursor: number, writer: CommandWriter): number {
    const { packed } = this;
    this.open(encoding, body);
    const { length } = this;
    if (cursor >= length) return 0;
    this.seek(cursor);
    for (let at = cursor; at < length;) {
      if (at > cursor && writer.full) return at;
      writer.command("RPUSH");
      const end = Math.min(at + ELEMENTS_PER_COMMAND, length);
      do {
        this.next();
        packed.text();
        writer.bytes(packed.bytes, packed.start, packed.start + packed.length);
      } while (++at < end && !writer.full);
    }
    return 0;
  }

  check(encoding: number, body: BodyRef, reached: Set<number>): void {
    reached.add(body);
    this.open(encoding, body);
    if (encoding === Encoding.QUICKLIST) this.#directory.check(body);
    let count = 0;
    for (let i = 0; i < this.nodeCount; i++) {
      const block = this.node(i);
      invariant(encoding === Encoding.LISTPACK || !reached.has(block), "a node is in two places");
      reached.add(block);
      this.packed.check(block);
      invariant(this.packed.count(block) > 0, "a list has an empty block");
      count += this.packed.count(block);
    }
    invariant(count === this.length, "the elements of a list are miscounted");
  }

  #exceeds(bytes: number, count: number): boolean {
    return bytes > this.#nodeBytes || count > this.#nodeElements;
  }

  /** Whether a node may take one more element of `length` bytes. */
  #hasRoom(block: BodyRef, length: number): boolean {
    if (length > this.#nodeBytes) return false;
    const { packed } = this;
    return !this.#exceeds(packed.sizeOf(block) + length + ENTRY_ESTIMATE_BYTES, packed.count(block) + 1);
  }

  /** Whether a node holds a single element that no node may hold beside another. */
  isPlain(block: BodyRef): boolean {
    const { packed } = this;
    if (packed.count(block) !== 1 || packed.sizeOf(block) <= this.#nodeBytes) return false;
    packed.read(block, packed.first(block));
    return !packed.integer && packed.length > this.#nodeBytes;
  }

  /**
   * A node of the encoded element. Next to a `neighbour` that became full at an end of the list it gets that one's room
   * at once; otherwise (NONE) just enough.
   */
  #createNode(neighbour: BodyRef): BodyRef {
    const { packed } = this;
    const room = neighbour === 0 ? 0 : Math.min(packed.capacity(neighbour), this.#nodeBytes - BLOCK_HEAD_BYTES);
    return packed.append(packed.create(Math.max(room, packed.encodedBytes)));
  }

  #enter(node: number, block: BodyRef, position: number, offset: number): void {
    this.#node = node;
    this.#block = block;
    this.#position = position;
    this.#offset = offset;
    this.#end = block === 0 ? 0 : this.packed.end(block);
  }

  /** Puts the cursor on the first element of a node, or at the end behind the last node. */
  #enterNode(node: number): void {
    if (node >= this.nodeCount) {
      this.#enter(node, NONE, 0, 0);
      return;
    }
    const block = this.node(node);
    const first = this.packed.first(block);
    // The block of a small list that was emptied.
    this.#enter(node, first === this.packed.end(block) ? NONE : block, first, 0);
  }

  #setNode(i: number, old: BodyRef, block: BodyRef): void {
    if (block === old) return;
    if (this.encoding === Encoding.LISTPACK) this.body = block;
    else this.#directory.setNode(this.body, i, block);
  }

  #insertNode(i: number, block: BodyRef): void {
    this.body = this.#directory.insert(this.body, i, block);
  }

  /** Takes nodes out that are freed already. */
  #dropNodes(i: number, count: number): void {
    this.body = this.#directory.remove(this.body, i, count);
  }

  /** Removes one element of a node, and the node with its last. */
  #removeFrom(i: number, block: BodyRef, position: number): void {
    const { packed } = this;
    if (this.encoding === Encoding.LISTPACK) {
      this.body = packed.remove(block, position);
      return;
    }
    this.#directory.addElements(this.body, -1);
    if (packed.count(block) > 1) {
      this.#setNode(i, block, packed.remove(block, position));
    } else {
      this.#arena.free(block);
      this.#dropNodes(i, 1);
    }
  }

  /** Moves all from `position` on, with `offset` elements before it, to a new node behind node `i`. */
  #split(i: number, position: number, offset: number): void {
    const { packed } = this;
    const block = this.node(i);
    const rest = packed.count(block) - offset, end = packed.end(block);
    const behind = packed.copyRange(block, position, end, rest);
    this.#setNode(i, block, packed.removeRange(block, position, end, rest));
    this.#insertNode(i + 1, behind);
  }

  /** After a split: joins the pairs of nodes around node `i` that fit in one. */
  #mergeAround(i: number): void {
    if (this.#merge(i - 2)) i--;
    this.#merge(i + 1);
    if (this.#merge(i - 1)) i--;
    this.#merge(i);
  }

  /** Joins node `i` and the next if both exist and one node may hold them. */
  #merge(i: number): boolean {
    if (i < 0 || i + 1 >= this.nodeCount) return false;
    const { packed } = this;
    const a = this.node(i), b = this.node(i + 1);
    const bytes = packed.sizeOf(a) + packed.sizeOf(b) - LISTPACK_BYTES;
    if (this.#exceeds(bytes, packed.count(a) + packed.count(b)) || this.isPlain(a) || this.isPlain(b)) return false;
    this.#setNode(i, a, packed.appendAll(a, b));
    this.#arena.free(b);
    this.#dropNodes(i + 1, 1);
    return true;
  }
}
