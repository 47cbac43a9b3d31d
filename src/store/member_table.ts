/**
 * The member table: a hash table of byte strings for large sets, built for density. Members lie side by side in pages of
 * some twenty; a page knows one byte of each member's hash and one of its length, and that is all the overhead. This file
 * owns that layout, and knows nothing of sets.
 *
 *     header     +0 count · +4 pages · +8 mask · +12 directory · +16 peak
 *     directory  for each page: its block (0 while it is empty), and  count:8 | granules of the block:16
 *     page       groups of four members from the front: 4 tags, 4 lengths · room · data from the end, the first member last
 *     length     0 to 127 inline; 0x84: the data is the ref of a record (record.ts) whose key is the member
 *
 * It is linear hashing: there are as many pages as members call for, the lower bits of the hash choose among them, and
 * when the table grows by one page that page takes its members from exactly one other. So a table grows and shrinks a
 * few hundred bytes at a time, without a moment of rehashing. `mask` covers the pages and would do so until they double;
 * a page number beyond the last means the page that will split into it.
 *
 * The hash, read from its lowest bit on, puts every member at a position that stays; a page covers an interval of
 * positions, which splits and merges only halve and double. Such a position is the cursor of SCAN.
 *
 * Registers: `find` and `random` leave the member's page and slot; `read` leaves its bytes. Valid until the next write.
 */
import { invariant } from "../core/assert.ts";
import { NO_BYTES } from "../core/bytes.ts";
import type { Random } from "../core/random.ts";
import { type Arena, CHUNK_SHIFT, copyBytes, GRANULE_MASK } from "./arena.ts";
import { hashBytes } from "./hash.ts";
import { createRecord, keyEquals, keyLength, keyStart } from "./record.ts";

const COUNT = 0, PAGES = 1, MASK = 2, DIRECTORY = 3, PEAK = 4;
const HEADER_BYTES = 20;
const ENTRY_BYTES = 8;
const DIRECTORY_BYTES_MIN = 16;

/** Members to a page on average: above the first the table grows, below the second it shrinks. */
const GROW_ABOVE = 16;
const SHRINK_BELOW = 8;
/** What a page may hold. With a mean of at most 32 the odds against more are astronomical. */
const PAGE_MEMBERS_MAX = 255;
const GRANULES_SHIFT = 8;
const COUNT_MASK = 0xff;

const INLINE_BYTES_MAX = 127;
const OUTSIDE = 0x80;
const REF_BYTES = 4;
/** Pages from here on are cut down when they are half empty. */
const SHRINKING_BYTES_MIN = 128;

const POSITION_BITS = 31;
const POSITIONS = 2 ** POSITION_BITS;

/** Bytes of the groups that hold `count` tags and lengths. */
const groupBytes = (count: number) => ((count + 3) >>> 2) << 3;

export type MemberVisitor = (bytes: Uint8Array, start: number, end: number) => void;

export class MemberTable {
  /** After `read`: the member. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** After `find` and `random`: where the member is. */
  page = 0;
  slot = 0;

  readonly #arena: Arena;
  #hash = 0;
  /** After #entry: the words of the directory's chunk. */
  #words: Int32Array = new Int32Array(0);
  /** After #relocated: the size of the new block. */
  #granules = 0;
  /** While a page splits: for each slot, whether it moves. */
  readonly #moves = new Uint8Array(PAGE_MEMBERS_MAX);

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** An empty table. */
  create(): number {
    const table = this.#arena.alloc(HEADER_BYTES);
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], at = (table & GRANULE_MASK) << 1;
    words[at + COUNT] = 0;
    words[at + PAGES] = 1;
    words[at + MASK] = 1;
    words[at + DIRECTORY] = this.#createDirectory(DIRECTORY_BYTES_MIN);
    words[at + PEAK] = 0;
    return table;
  }

  /** Number of members. */
  count(table: number): number {
    return this.#arena.i32[table >>> CHUNK_SHIFT][((table & GRANULE_MASK) << 1) + COUNT];
  }

  /** Whether `bytes[start, end)` is a member. Hot. */
  find(table: number, bytes: Uint8Array, start: number, end: number): boolean {
    const hash = hashBytes(bytes, start, end);
    const page = this.#pageOf(table, hash);
    const entry = this.#entry(table, page);
    const dir = this.#words;
    this.#hash = hash;
    this.page = page;
    const block = dir[entry], info = dir[entry + 1];
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 1;
    const words = this.#arena.i32[chunk], data = this.#arena.u8[chunk];
    const length = end - start;
    const sought = length <= INLINE_BYTES_MAX ? length : OUTSIDE | REF_BYTES;
    const pattern = Math.imul(hash >>> 24, 0x01010101);
    const count = info & COUNT_MASK;
    for (let first = 0, i = base; first < count; first += 4, i += 2) {
      const difference = words[i] ^ pattern;
      // A byte that is zero gets its upper bit set; so may one above it, which the comparison sorts out.
      let hits = (difference - 0x01010101) & ~difference & 0x80808080;
      for (; hits !== 0; hits &= hits - 1) {
        const slot = first + ((31 - Math.clz32(hits & -hits)) >>> 3);
        if (slot >= count) break;
        if (data[(i << 2) + 4 + (slot & 3)] !== sought) continue;
        let at = (base << 2) + ((info >>> GRANULES_SHIFT) << 3) - dataBefore(words, base, slot + 1);
        if (sought > INLINE_BYTES_MAX) {
          if (!keyEquals(this.#arena, readRef(data, at), bytes, start, end)) continue;
        } else {
          let k = start;
          while (k < end && data[at] === bytes[k]) {
            at++;
            k++;
          }
          if (k < end) continue;
        }
        this.slot = slot;
        return true;
      }
    }
    return false;
  }

  /** Adds the member that `find` just did not find. The bytes may lie anywhere in the arena. Hot. */
  insert(table: number, bytes: Uint8Array, start: number, end: number): void {
    // Members that come in the order of their hashes, as a scan gave them, crowd one page. The table grows until they part.
    for (;;) {
      const at = this.#entry(table, this.page);
      if ((this.#words[at + 1] & COUNT_MASK) < PAGE_MEMBERS_MAX) break;
      this.#split(table);
      this.find(table, bytes, start, end);
    }
    const length = end - start;
    const outside = length > INLINE_BYTES_MAX;
    const record = outside ? createRecord(this.#arena, 0, bytes, start, end, 0) : 0;
    const size = outside ? REF_BYTES : length;
    const entry = this.#entry(table, this.page);
    const dir = this.#words;
    const count = dir[entry + 1] & COUNT_MASK;
    const used = count === 0 ? 0 : this.#dataBytes(dir[entry], count);
    this.#reserve(entry, count, used, groupBytes(count + 1) + used + size);
    const block = dir[entry], info = dir[entry + 1];
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const at = base + ((info >>> GRANULES_SHIFT) << 3) - used - size;
    if (outside) writeRef(data, at, record);
    else copyBytes(bytes, start, end, data, at);
    const mark = base + ((count >>> 2) << 3) + (count & 3);
    data[mark] = this.#hash >>> 24;
    data[mark + 4] = outside ? OUTSIDE | REF_BYTES : length;
    dir[entry + 1] = info + 1;
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    this.#raisePeak(words, head, this.page, count + 1);
    if (++words[head + COUNT] > words[head + PAGES] * GROW_ABOVE) this.#split(table);
  }

  /** Removes the member that `find` or `random` just found. Hot. */
  remove(table: number): void {
    const entry = this.#entry(table, this.page);
    const dir = this.#words;
    const block = dir[entry], info = dir[entry + 1], { slot } = this;
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 1;
    const words = this.#arena.i32[chunk], data = this.#arena.u8[chunk];
    const last = (info & COUNT_MASK) - 1;
    const front = base << 2, end = front + ((info >>> GRANULES_SHIFT) << 3);
    const mark = front + ((slot >>> 2) << 3) + (slot & 3);
    const lastMark = front + ((last >>> 2) << 3) + (last & 3);
    const size = data[mark + 4] & INLINE_BYTES_MAX;
    const before = dataBefore(words, base, slot), used = dataBefore(words, base, last + 1);
    if (data[mark + 4] > INLINE_BYTES_MAX) this.#arena.free(readRef(data, end - before - size));
    if (data[lastMark + 4] === data[mark + 4]) {
      // The last member is of the same size and takes the place.
      for (let i = 0, to = end - before - size, from = end - used; i < size; i++) data[to + i] = data[from + i];
      data[mark] = data[lastMark];
    } else {
      data.copyWithin(end - used + size, end - used, end - before - size);
      for (let i = slot; i < last; i++) {
        const to = front + ((i >>> 2) << 3) + (i & 3), from = front + (((i + 1) >>> 2) << 3) + ((i + 1) & 3);
        data[to] = data[from];
        data[to + 4] = data[from + 4];
      }
    }
    dir[entry + 1] = info - 1;
    this.#trim(entry, last, used - size);
    const header = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    if (--header[head + COUNT] < header[head + PAGES] * SHRINK_BELOW && header[head + PAGES] > 1) this.#merge(table);
  }

  /** Reads the member that `find` or `random` just found. */
  read(table: number): void {
    const entry = this.#entry(table, this.page);
    this.#readSlot(this.#words[entry], this.#words[entry + 1], this.slot);
  }

  /** Chooses a member uniformly, of a table that is not empty. */
  random(table: number, random: Random): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const mask = words[head + MASK], peak = words[head + PEAK];
    invariant(words[head + COUNT] > 0, "a random member of an empty table");
    for (;;) {
      // A page that is not split yet answers to two numbers, one that is to one: its members count twice for it.
      const page = this.#pageOf(table, random.below(mask + 1) << 1);
      const count = this.#words[this.#entry(table, page) + 1] & COUNT_MASK;
      const shift = this.#isSplit(words, head, page) ? 1 : 0;
      // A part in millions from uniform, and without a division.
      const choice = Math.floor(random.below(2 ** 32) * peak * 2 ** -32);
      if (choice >= count << shift) continue;
      this.page = page;
      this.slot = choice >>> shift;
      return;
    }
  }

  /** Calls `visit` with every member, until it returns false. It must not change this table, but may use any other. */
  each(table: number, visit: (bytes: Uint8Array, start: number, end: number) => boolean): void {
    const pages = this.#arena.i32[table >>> CHUNK_SHIFT][((table & GRANULE_MASK) << 1) + PAGES];
    for (let page = 0; page < pages; page++) if (!this.#eachOf(table, page, visit)) return;
  }

  /**
   * Visits the members from `cursor` (0 starts) until at least `count` were seen, and returns the cursor to go on with,
   * 0 at the end. Every member that is there from the first call to the last is visited at least once, whatever comes and
   * goes between the calls. Any number is a cursor.
   */
  scan(table: number, cursor: number, count: number, visit: MemberVisitor): number {
    let position = cursor % POSITIONS, seen = 0;
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    for (;;) {
      const page = this.#pageOf(table, reversed(position) << 1);
      const width = POSITIONS /
        (this.#isSplit(words, head, page) ? words[head + MASK] + 1 : (words[head + MASK] + 1) / 2);
      this.#eachOf(table, page, (bytes, start, end) => {
        seen++;
        visit(bytes, start, end);
        return true;
      });
      position += width - position % width;
      if (position >= POSITIONS) return 0;
      if (seen >= count) return position;
    }
  }

  /** A deep copy, as small as it can be. */
  copy(table: number): number {
    const arena = this.#arena;
    const to = this.create();
    const words = arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const copied = arena.i32[to >>> CHUNK_SHIFT], at = (to & GRANULE_MASK) << 1;
    const pages = words[head + PAGES];
    arena.free(copied[at + DIRECTORY]);
    copied[at + DIRECTORY] = this.#createDirectory(pages * ENTRY_BYTES);
    for (const field of [COUNT, PAGES, MASK, PEAK]) copied[at + field] = words[head + field];
    for (let page = 0; page < pages; page++) {
      const entry = this.#entry(table, page);
      const block = this.#words[entry], info = this.#words[entry + 1], count = info & COUNT_MASK;
      if (count === 0) continue;
      const used = this.#dataBytes(block, count);
      const target = this.#entry(to, page);
      this.#words[target] = this.#relocated(block, info, used, groupBytes(count) + used);
      this.#words[target + 1] = count | (this.#granules << GRANULES_SHIFT);
      this.#copyRecords(this.#words[target], this.#words[target + 1]);
    }
    return to;
  }

  /** Frees at most about `budget` blocks. Returns the table while something is left of it, good only to go on, else 0. */
  drain(table: number, budget: number): number {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    for (let freed = 0; words[head + PAGES] > 0; words[head + PAGES]--) {
      if (freed >= budget) return table;
      const entry = this.#entry(table, words[head + PAGES] - 1);
      const block = this.#words[entry];
      if (block === 0) continue;
      freed += 1 + this.#eachRecord(block, this.#words[entry + 1], (ref) => this.#arena.free(ref));
      this.#arena.free(block);
    }
    this.#arena.free(words[head + DIRECTORY]);
    this.#arena.free(table);
    return 0;
  }

  /** Bytes of the arena that the table takes, from the pages of about `samples` members; 0: from all. */
  sizeBytes(table: number, samples: number): number {
    const arena = this.#arena;
    const words = arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const pages = words[head + PAGES];
    let bytes = 0, members = 0, seen = 0;
    for (; seen < pages && (samples === 0 || members < samples); seen++) {
      const entry = this.#entry(table, seen);
      const block = this.#words[entry], info = this.#words[entry + 1];
      if (block === 0) continue;
      members += info & COUNT_MASK;
      bytes += arena.sizeOf(block);
      this.#eachRecord(block, info, (ref) => bytes += arena.sizeOf(ref));
    }
    const all = seen < pages && members > 0 ? Math.round(bytes / members * words[head + COUNT]) : bytes;
    return all + arena.sizeOf(table) + arena.sizeOf(words[head + DIRECTORY]);
  }

  /** Checks all invariants and adds every block to `reached`. */
  check(table: number, reached: Set<number>): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const pages = words[head + PAGES], mask = words[head + MASK];
    const claim = (ref: number) => {
      invariant(!reached.has(ref), "a block belongs to two owners");
      reached.add(ref);
    };
    claim(table);
    claim(words[head + DIRECTORY]);
    invariant((mask & (mask + 1)) === 0 && pages <= mask && pages >= (mask + 1) / 2, "a table's mask is off");
    invariant(this.#arena.sizeOf(words[head + DIRECTORY]) >= pages * ENTRY_BYTES, "a table's directory is too small");
    let count = 0;
    for (let page = 0; page < pages; page++) {
      const entry = this.#entry(table, page);
      const block = this.#words[entry], info = this.#words[entry + 1], members = info & COUNT_MASK;
      count += members;
      invariant((block === 0) === (members === 0), "an empty page has a block");
      if (block === 0) continue;
      claim(block);
      const granules = info >>> GRANULES_SHIFT;
      invariant(granules * 8 === this.#arena.sizeOf(block), "a page's size is wrong");
      invariant(groupBytes(members) + this.#dataBytes(block, members) <= granules * 8, "a page overflows");
      this.#eachRecord(block, info, claim);
      const weight = this.#isSplit(words, head, page) ? members * 2 : members;
      invariant(weight <= words[head + PEAK], "a page is fuller than the fullest");
      for (let slot = 0; slot < members; slot++) {
        this.#readSlot(block, info, slot);
        const { bytes, start, end } = this;
        invariant(this.find(table, bytes, start, end), "a member cannot be found");
        invariant(this.page === page && this.slot === slot, "a member is there twice");
      }
    }
    invariant(count === words[head + COUNT], "the members of a table are miscounted");
  }

  /** Index of a page's entry in `#words`. */
  #entry(table: number, page: number): number {
    const directory = this.#arena.i32[table >>> CHUNK_SHIFT][((table & GRANULE_MASK) << 1) + DIRECTORY];
    this.#words = this.#arena.i32[directory >>> CHUNK_SHIFT];
    return ((directory & GRANULE_MASK) << 1) + (page << 1);
  }

  /** The page of a hash. */
  #pageOf(table: number, hash: number): number {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const page = (hash >>> 1) & words[head + MASK];
    return page < words[head + PAGES] ? page : page & (words[head + MASK] >>> 1);
  }

  /** Whether a page, or the one that it came from, was split since the pages doubled last. */
  #isSplit(words: Int32Array, head: number, page: number): boolean {
    const half = (words[head + MASK] + 1) >>> 1;
    return page >= half || page < words[head + PAGES] - half;
  }

  #dataBytes(block: number, count: number): number {
    return dataBefore(this.#arena.i32[block >>> CHUNK_SHIFT], (block & GRANULE_MASK) << 1, count);
  }

  #createDirectory(bytes: number): number {
    const directory = this.#arena.alloc(bytes);
    const words = this.#arena.i32[directory >>> CHUNK_SHIFT], at = (directory & GRANULE_MASK) << 1;
    words.fill(0, at, at + (this.#arena.sizeOf(directory) >>> 2));
    return directory;
  }

  #readSlot(block: number, info: number, slot: number): void {
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 1;
    const data = this.#arena.u8[chunk];
    const at = (base << 2) + ((info >>> GRANULES_SHIFT) << 3) - dataBefore(this.#arena.i32[chunk], base, slot + 1);
    const length = data[(base << 2) + ((slot >>> 2) << 3) + 4 + (slot & 3)];
    if (length <= INLINE_BYTES_MAX) {
      this.bytes = data;
      this.start = at;
      this.end = at + length;
    } else {
      this.#readRecord(readRef(data, at));
    }
  }

  #readRecord(ref: number): void {
    this.bytes = this.#arena.u8[ref >>> CHUNK_SHIFT];
    this.start = keyStart(this.#arena, ref);
    this.end = this.start + keyLength(this.#arena, ref);
  }

  /** Visits the members of a page; false when `visit` said so. Hot. */
  #eachOf(
    table: number,
    page: number,
    visit: (bytes: Uint8Array, start: number, end: number) => boolean,
  ): boolean {
    const entry = this.#entry(table, page);
    const block = this.#words[entry], info = this.#words[entry + 1], count = info & COUNT_MASK;
    if (count === 0) return true;
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    let end = base + ((info >>> GRANULES_SHIFT) << 3);
    for (let slot = 0; slot < count; slot++) {
      const length = data[base + ((slot >>> 2) << 3) + 4 + (slot & 3)];
      const start = end - (length & INLINE_BYTES_MAX);
      if (length <= INLINE_BYTES_MAX) {
        if (!visit(data, start, end)) return false;
      } else {
        this.#readRecord(readRef(data, start));
        if (!visit(this.bytes, this.start, this.end)) return false;
      }
      end = start;
    }
    return true;
  }

  /** Visits the records of the members that lie outside of a page, and returns how many. */
  #eachRecord(block: number, info: number, visit: (ref: number) => void): number {
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    let at = base + ((info >>> GRANULES_SHIFT) << 3), found = 0;
    for (let slot = 0; slot < (info & COUNT_MASK); slot++) {
      const length = data[base + ((slot >>> 2) << 3) + 4 + (slot & 3)];
      at -= length & INLINE_BYTES_MAX;
      if (length <= INLINE_BYTES_MAX) continue;
      visit(readRef(data, at));
      found++;
    }
    return found;
  }

  /** Gives a page that was just copied copies of the records that it names. */
  #copyRecords(block: number, info: number): void {
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    let at = base + ((info >>> GRANULES_SHIFT) << 3);
    for (let slot = 0; slot < (info & COUNT_MASK); slot++) {
      const length = data[base + ((slot >>> 2) << 3) + 4 + (slot & 3)];
      at -= length & INLINE_BYTES_MAX;
      if (length <= INLINE_BYTES_MAX) continue;
      this.#readRecord(readRef(data, at));
      writeRef(data, at, createRecord(this.#arena, 0, this.bytes, this.start, this.end, 0));
    }
  }

  /** Sees to it that the page has room for `needed` bytes; it holds `count` members with `used` bytes of data. Hot. */
  #reserve(entry: number, count: number, used: number, needed: number): void {
    const words = this.#words;
    const info = words[entry + 1];
    if (needed <= (info >>> GRANULES_SHIFT) << 3) return;
    invariant(count < PAGE_MEMBERS_MAX, "a page holds too many members");
    // Where size classes are close together, room for some more: each step copies the page.
    const old = words[entry];
    words[entry] = this.#relocated(old, info, used, needed + (needed >>> 3));
    words[entry + 1] = count | (this.#granules << GRANULES_SHIFT);
    if (old !== 0) this.#arena.free(old);
  }

  /** A copy of a page in a new block of at least `bytes`; of the block 0, an empty one. */
  #relocated(old: number, info: number, used: number, bytes: number): number {
    const arena = this.#arena;
    const size = arena.roundUp(bytes);
    const block = arena.alloc(size);
    this.#granules = size >>> 3;
    if (old === 0) return block;
    const from = arena.u8[old >>> CHUNK_SHIFT], to = arena.u8[block >>> CHUNK_SHIFT];
    const fromBase = (old & GRANULE_MASK) << 3, base = (block & GRANULE_MASK) << 3;
    const fromEnd = fromBase + ((info >>> GRANULES_SHIFT) << 3);
    copyBlock(from, fromBase, fromBase + groupBytes(info & COUNT_MASK), to, base);
    copyBlock(from, fromEnd - used, fromEnd, to, base + size - used);
    return block;
  }

  /** After a removal: frees the block of an empty page, and cuts down that of one that is half empty. */
  #trim(entry: number, count: number, used: number): void {
    const words = this.#words;
    const info = words[entry + 1], old = words[entry];
    const size = (info >>> GRANULES_SHIFT) << 3, needed = groupBytes(count) + used;
    if (count === 0) {
      words[entry] = words[entry + 1] = 0;
    } else {
      if (size < SHRINKING_BYTES_MIN || needed > size >>> 1) return;
      words[entry] = this.#relocated(old, info, used, needed + (needed >>> 3));
      words[entry + 1] = count | (this.#granules << GRANULES_SHIFT);
    }
    this.#arena.free(old);
  }

  #raisePeak(words: Int32Array, head: number, page: number, count: number): void {
    const weight = this.#isSplit(words, head, page) ? count * 2 : count;
    if (weight > words[head + PEAK]) words[head + PEAK] = weight;
  }

  /** Finds the fullest page anew: by now some may count half or twice as much as before. */
  #resetPeak(table: number): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const first = this.#entry(table, 0), dir = this.#words;
    words[head + PEAK] = 0;
    for (let page = 0; page < words[head + PAGES]; page++) {
      this.#raisePeak(words, head, page, dir[first + (page << 1) + 1] & COUNT_MASK);
    }
  }

  /** Adds a page, and moves to it what belongs there from the one that is next to split. */
  #split(table: number): void {
    const arena = this.#arena;
    const words = arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const pages = words[head + PAGES], half = (words[head + MASK] + 1) >>> 1;
    this.#growDirectory(words, head, pages + 1);
    const from = this.#entry(table, pages - half), to = from + (half << 1);
    const dir = this.#words;
    const block = dir[from], info = dir[from + 1], count = info & COUNT_MASK;
    words[head + PAGES] = pages + 1;
    dir[to] = dir[to + 1] = 0;
    const moves = this.#moves;
    const data = arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const dataEnd = base + ((info >>> GRANULES_SHIFT) << 3);
    let moved = 0, movedBytes = 0, end = dataEnd;
    for (let slot = 0; slot < count; slot++) {
      const length = data[base + ((slot >>> 2) << 3) + 4 + (slot & 3)], size = length & INLINE_BYTES_MAX;
      const start = end - size;
      let hash = 0;
      if (length <= INLINE_BYTES_MAX) {
        hash = hashBytes(data, start, end);
      } else {
        this.#readRecord(readRef(data, start));
        hash = hashBytes(this.bytes, this.start, this.end);
      }
      moves[slot] = (hash >>> 1) & half ? 1 : 0;
      if (moves[slot] === 1) {
        moved++;
        movedBytes += size;
      }
      end = start;
    }
    if (moved > 0) {
      dir[to] = this.#pick(block, info, 1, moved, movedBytes);
      dir[to + 1] = moved | (this.#granules << GRANULES_SHIFT);
      dir[from] = moved === count ? 0 : this.#pick(block, info, 0, count - moved, dataEnd - end - movedBytes);
      dir[from + 1] = moved === count ? 0 : (count - moved) | (this.#granules << GRANULES_SHIFT);
      arena.free(block);
    }
    if (pages === words[head + MASK]) {
      words[head + MASK] = words[head + MASK] * 2 + 1;
      this.#resetPeak(table);
    } else {
      this.#raisePeak(words, head, pages, moved);
      this.#raisePeak(words, head, pages - half, count - moved);
    }
  }

  /** A new page of those members of another whose move is `which`: `count` with `used` bytes of data. */
  #pick(block: number, info: number, which: number, count: number, used: number): number {
    const arena = this.#arena;
    const target = this.#relocated(0, 0, 0, groupBytes(count) + used);
    const from = arena.u8[block >>> CHUNK_SHIFT], to = arena.u8[target >>> CHUNK_SHIFT];
    const fromBase = (block & GRANULE_MASK) << 3, base = (target & GRANULE_MASK) << 3;
    const members = info & COUNT_MASK, moves = this.#moves;
    const fromView = arena.view[block >>> CHUNK_SHIFT], toView = arena.view[target >>> CHUNK_SHIFT];
    let fromEnd = fromBase + ((info >>> GRANULES_SHIFT) << 3), end = base + (this.#granules << 3);
    // Eight bytes at a time, from the end of a member down. What that writes too much is written again: by the next
    // member, or by the groups, which have eight bytes at least and come last.
    for (let i = 0; i < members; i++) {
      const size = from[fromBase + ((i >>> 2) << 3) + (i & 3) + 4] & INLINE_BYTES_MAX;
      if (moves[i] === which) {
        for (let k = 8; k < size + 8; k += 8) toView.setBigInt64(end - k, fromView.getBigInt64(fromEnd - k));
        end -= size;
      }
      fromEnd -= size;
    }
    for (let i = 0, slot = 0; i < members; i++) {
      if (moves[i] !== which) continue;
      const mark = fromBase + ((i >>> 2) << 3) + (i & 3), toMark = base + ((slot >>> 2) << 3) + (slot & 3);
      to[toMark] = from[mark];
      to[toMark + 4] = from[mark + 4];
      slot++;
    }
    return target;
  }

  /** Moves what is in the last page back to the one that it came from. */
  #merge(table: number): void {
    const arena = this.#arena;
    const words = arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const pages = words[head + PAGES];
    const halved = pages === (words[head + MASK] + 1) >>> 1;
    if (halved) words[head + MASK] >>>= 1;
    const half = (words[head + MASK] + 1) >>> 1;
    const last = this.#entry(table, pages - 1), to = last - (half << 1);
    const dir = this.#words;
    words[head + PAGES] = pages - 1;
    const block = dir[last], info = dir[last + 1], count = info & COUNT_MASK;
    const kept = dir[to + 1] & COUNT_MASK;
    if (count > 0) {
      const used = this.#dataBytes(block, count), keptUsed = kept === 0 ? 0 : this.#dataBytes(dir[to], kept);
      this.#reserve(to, kept, keptUsed, groupBytes(kept + count) + keptUsed + used);
      const from = arena.u8[block >>> CHUNK_SHIFT], data = arena.u8[dir[to] >>> CHUNK_SHIFT];
      const fromBase = (block & GRANULE_MASK) << 3, base = (dir[to] & GRANULE_MASK) << 3;
      const fromEnd = fromBase + ((info >>> GRANULES_SHIFT) << 3);
      const end = base + ((dir[to + 1] >>> GRANULES_SHIFT) << 3) - keptUsed;
      copyBytes(from, fromEnd - used, fromEnd, data, end - used);
      for (let i = 0; i < count; i++) {
        const mark = fromBase + ((i >>> 2) << 3) + (i & 3), slot = kept + i;
        const toMark = base + ((slot >>> 2) << 3) + (slot & 3);
        data[toMark] = from[mark];
        data[toMark + 4] = from[mark + 4];
      }
      dir[to + 1] += count;
      arena.free(block);
    }
    dir[last] = dir[last + 1] = 0;
    if (halved) this.#resetPeak(table);
    else this.#raisePeak(words, head, pages - 1 - half, kept + count);
    this.#shrinkDirectory(words, head, pages - 1);
  }

  #growDirectory(words: Int32Array, head: number, pages: number): void {
    const directory = words[head + DIRECTORY], bytes = pages * ENTRY_BYTES;
    if (bytes <= this.#arena.sizeOf(directory)) return;
    words[head + DIRECTORY] = this.#arena.realloc(directory, bytes - ENTRY_BYTES, bytes + (bytes >>> 2));
  }

  #shrinkDirectory(words: Int32Array, head: number, pages: number): void {
    const directory = words[head + DIRECTORY], bytes = pages * ENTRY_BYTES;
    const size = this.#arena.sizeOf(directory);
    if (size <= DIRECTORY_BYTES_MIN || bytes > size >>> 1) return;
    words[head + DIRECTORY] = this.#arena.realloc(directory, bytes, bytes + (bytes >>> 2));
  }
}

/** copyBytes for what is likely to stay in its chunk, where copying takes no subarray. */
function copyBlock(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (source === target) target.copyWithin(at, start, end);
  else copyBytes(source, start, end, target, at);
}

/** Bytes of data of the first `slots` members of a page whose words begin at `base`. Hot: four lengths at a time. */
function dataBefore(words: Int32Array, base: number, slots: number): number {
  let sums = 0, i = base + 1;
  const whole = i + ((slots >>> 2) << 1);
  for (; i < whole; i += 2) {
    const lengths = words[i] & 0x7f7f7f7f;
    sums += (lengths & 0x00ff00ff) + ((lengths >>> 8) & 0x00ff00ff);
  }
  if ((slots & 3) !== 0) {
    const lengths = words[i] & 0x7f7f7f7f & ((1 << ((slots & 3) << 3)) - 1);
    sums += (lengths & 0x00ff00ff) + ((lengths >>> 8) & 0x00ff00ff);
  }
  return (sums & 0xffff) + (sums >>> 16);
}

function readRef(data: Uint8Array, at: number): number {
  return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24;
}

function writeRef(data: Uint8Array, at: number, ref: number): void {
  data[at] = ref;
  data[at + 1] = ref >>> 8;
  data[at + 2] = ref >>> 16;
  data[at + 3] = ref >>> 24;
}

/** The lowest 31 bits in reverse order. */
function reversed(value: number): number {
  let bits = value;
  bits = ((bits >>> 1) & 0x55555555) | ((bits & 0x55555555) << 1);
  bits = ((bits >>> 2) & 0x33333333) | ((bits & 0x33333333) << 2);
  bits = ((bits >>> 4) & 0x0f0f0f0f) | ((bits & 0x0f0f0f0f) << 4);
  bits = ((bits >>> 8) & 0x00ff00ff) | ((bits & 0x00ff00ff) << 8);
  return ((bits >>> 16) | (bits << 16)) >>> 1;
}
