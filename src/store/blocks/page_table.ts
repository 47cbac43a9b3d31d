/**
 * The page table: a hash table for large sets and hashes, built for density. Entries are keys, or keys with values.
 * They lie in pages of some twenty (page_layout.ts), whose overhead is two bytes an entry. This file owns the mapping
 * from entries to pages.
 *
 *     header     +0 count · +4 pages · +8 mask · +12 directory · +16 peak · +20 salt
 *     directory  for each page: its block, its info
 *
 * It is linear hashing: the number of pages follows the number of entries, the lower bits of the hash choose the page,
 * and when the table grows by one page, that page takes its entries from exactly one other. So a table grows and
 * shrinks by a few hundred bytes at a time, without a rehash. A table with entries on few pages has more pages than
 * usual, so that no page gets too many. `mask` covers the pages, up to the next doubling; a page number beyond the last
 * means the page that will split into it. `peak` is an upper bound of the entries of the fullest page, where a page
 * that was split since the pages doubled last counts twice.
 *
 * The hash, read from its lowest bit on, gives every key a constant position; a page covers an interval of positions,
 * which splits halve and merges double. Such a position is the cursor of SCAN.
 *
 * Registers: `find` and `random` leave the page and slot of an entry; `entry` is the one that was read or found last;
 * `find` reads only its record. All are valid until the next write.
 */
import { invariant } from "../../core/assert.ts";
import type { Random } from "../../core/random.ts";
import {
  type Arena,
  type BodyRef,
  CHUNK_SHIFT,
  GRANULE_MASK,
  NONE,
  type RecordRef,
  type Ref,
} from "../memory/arena.ts";
import { PREFETCH_MAX } from "./dict.ts";
import { fieldSize, valueBlock } from "./field_record.ts";
import { hashBytes, salted } from "../../core/hash_function.ts";
import { Entry, type KeyVisitor, Pages } from "./page.ts";
import { bytesOf, ENTRIES_MAX, entriesOf } from "./page_layout.ts";

const COUNT = 0, PAGES = 1, MASK = 2, DIRECTORY = 3, PEAK = 4, SALT = 5;
const HEADER_BYTES = 24;
/** The salt grows by this from table to table: an odd number, so that it takes all values. */
const SALT_STEP = 0x9e3779b9;
const CELL_BYTES = 8;
const DIRECTORY_BYTES_MIN = 16;

/** Entries to a page on average: above the first the table grows, below the second it shrinks. */
const GROW_ABOVE = 16;
const SHRINK_BELOW = 8;
/**
 * The most entries of a page after a merge. Clients that remove entries in the order of a scan leave entries that
 * belong on few pages, however few they are.
 */
const MERGED_MAX = ENTRIES_MAX >>> 1;
/** The most merges after one removal: two, so that a table catches up after merges were not possible. */
const MERGES_MAX = 2;

/** Tables from here on do not fit into the processor's nearer caches. */
const LARGE_ENTRIES = 1 << 12;

/** How many pages a walk loads together. */
const PAGES_AHEAD = 8;

/** Pages up to this size are prefetched whole. */
const APPROACHED_WHOLE_BYTES_MAX = 512;

/** Pages are chosen by 31 bits of the hash, the lowest excepted. */
const POSITIONS = 2 ** 31;

export class PageTable {
  /** The entry that was read last. */
  readonly entry = new Entry();
  /** After `find` and `random`: where the entry is; slot -1 if it is not there. */
  page = 0;
  slot = 0;

  readonly #arena: Arena;
  readonly #pages: Pages;
  /** After `find`: the hash of the key. */
  #hash = 0;
  // Work arrays of `prefetch`: hashes, pages, and their infos or the places of their entries.
  readonly #hashes = new Int32Array(PREFETCH_MAX);
  readonly #blocks = new Int32Array(PREFETCH_MAX);
  readonly #infos = new Int32Array(PREFETCH_MAX);
  /** Means nothing; without a use of them the loads of `prefetch` would be left out. */
  #loaded = 0;
  /** The salt of the last table. It begins anywhere, because stores in one process may pass entries to each other. */
  #salt = crypto.getRandomValues(new Int32Array(1))[0];
  /** After #cell: the words of the directory's chunk. */
  #words: Int32Array = new Int32Array(0);

  /** `pairs`: entries have values. */
  constructor(arena: Arena, pairs: boolean) {
    this.#arena = arena;
    this.#pages = new Pages(arena, pairs, this.entry);
  }

  /** An empty table. */
  create(): BodyRef {
    const table = this.#arena.alloc(HEADER_BYTES);
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], at = (table & GRANULE_MASK) << 1;
    words[at + COUNT] = 0;
    words[at + PAGES] = 1;
    words[at + MASK] = 1;
    words[at + DIRECTORY] = this.#createDirectory(DIRECTORY_BYTES_MIN);
    words[at + PEAK] = 0;
    words[at + SALT] = this.#salt = (this.#salt + SALT_STEP) | 0;
    return table;
  }

  /** Number of entries. */
  count(table: BodyRef): number {
    return this.#arena.i32[table >>> CHUNK_SHIFT][((table & GRANULE_MASK) << 1) + COUNT];
  }

  /**
   * Loads the lines of up to PREFETCH_MAX entries of a large table, given by their hashes, into the processor's caches.
   * Found one by one each costs three misses in a row or more; here those of all entries overlap, because each loop is
   * so short that the processor is in all its rounds at once. Hot.
   */
  prefetch(table: BodyRef, hashes: Int32Array, count: number): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    if (words[head + COUNT] < LARGE_ENTRIES) return;
    const pages = this.#pages, own = this.#hashes, blocks = this.#blocks, infos = this.#infos;
    const salt = words[head + SALT];
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const hash = own[k] = salted(hashes[k], salt);
      const cell = this.#cell(table, this.#pageOf(table, hash));
      blocks[k] = this.#words[cell];
      infos[k] = this.#words[cell + 1];
    }
    if (bytesOf(infos[0]) <= APPROACHED_WHOLE_BYTES_MAX) {
      // Loading a small page whole costs less than finding out which of its lines will be read.
      for (let k = 0; k < count; k++) sum ^= pages.prefetch(blocks[k], infos[k]);
      this.#loaded = sum;
      return;
    }
    for (let k = 0; k < count; k++) sum ^= pages.prefetchTags(blocks[k], infos[k]);
    let any = 0;
    for (let k = 0; k < count; k++) any |= infos[k] = pages.likelyPlace(blocks[k], infos[k], own[k]);
    for (let k = 0; k < count; k++) sum ^= pages.prefetchData(blocks[k], infos[k]);
    for (let k = 0; k < count && any < 0; k++) sum ^= pages.prefetchRecord(blocks[k], infos[k]);
    this.#loaded = sum;
  }

  /** Loads the page of a cell at once, whose tags and data would else be two misses, one behind the other. Hot. */
  #load(table: BodyRef, cell: number): void {
    if (this.count(table) < LARGE_ENTRIES) return;
    this.#loaded = this.#pages.prefetch(this.#words[cell], this.#words[cell + 1]);
  }

  /** Looks for the key `bytes[start, end)`, whose hash is `known`, or 0 if it is not computed yet. Hot. */
  find(table: BodyRef, bytes: Uint8Array, start: number, end: number, known = 0): boolean {
    const unsalted = known === 0 ? hashBytes(bytes, start, end) : known;
    const hash = salted(unsalted, this.#arena.i32[table >>> CHUNK_SHIFT][((table & GRANULE_MASK) << 1) + SALT]);
    const page = this.#pageOf(table, hash);
    const cell = this.#cell(table, page);
    this.#hash = hash;
    this.page = page;
    if (known === 0) this.#load(table, cell);
    this.slot = this.#pages.find(this.#words[cell], this.#words[cell + 1], hash, bytes, start, end);
    return this.slot >= 0;
  }

  /** Reads all of the entry that `find` just found. Hot. */
  readFound(): void {
    this.#pages.readFound();
  }

  /**
   * Gives the key `kb[ks, ke)`, which `find` just looked for and found or not, the value `vb[vs, ve)`. An entry that is
   * a record loses its deadline. The bytes may lie anywhere but in this table. Hot.
   */
  put(table: BodyRef, kb: Uint8Array, ks: number, ke: number, vb: Uint8Array, vs: number, ve: number): void {
    const cell = this.#cellFor(table);
    const dir = this.#words, pages = this.#pages;
    dir[cell] = pages.put(dir[cell], dir[cell + 1], this.slot, this.#hash, kb, ks, ke, vb, vs, ve);
    dir[cell + 1] = pages.info;
    if (this.slot < 0) this.#added(table);
  }

  /** `put` for an entry that is a record already (field_record.ts); one that it was before is the caller's to free. */
  putRecord(table: BodyRef, record: RecordRef): void {
    const cell = this.#cellFor(table);
    const dir = this.#words, pages = this.#pages;
    dir[cell] = pages.putRecord(dir[cell], dir[cell + 1], this.slot, this.#hash, record);
    dir[cell + 1] = pages.info;
    if (this.slot < 0) this.#added(table);
  }

  /** Removes the entry that `find` or `random` just found, with its record if it is one. Hot. */
  remove(table: BodyRef): void {
    const cell = this.#cell(table, this.page);
    const dir = this.#words, pages = this.#pages;
    dir[cell] = pages.remove(dir[cell], dir[cell + 1], this.slot);
    dir[cell + 1] = pages.info;
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const count = --words[head + COUNT];
    for (let k = 0; k < MERGES_MAX && count < words[head + PAGES] * SHRINK_BELOW && words[head + PAGES] > 1; k++) {
      if (!this.#merge(table)) return;
    }
  }

  /** Reads the entry that `random` just found. */
  read(table: BodyRef): void {
    const cell = this.#cell(table, this.page);
    this.#pages.read(this.#words[cell], this.#words[cell + 1], this.slot);
  }

  /** Chooses an entry uniformly, of a table that is not empty. */
  random(table: BodyRef, random: Random): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const mask = words[head + MASK], peak = words[head + PEAK];
    invariant(words[head + COUNT] > 0, "a random entry of an empty table");
    for (;;) {
      // A page that is not split yet answers to two numbers, one that is to one: its entries count twice for it.
      const page = this.#pageOf(table, random.below(mask + 1) << 1);
      const cell = this.#cell(table, page);
      const count = entriesOf(this.#words[cell + 1]);
      const shift = this.#isSplit(words, head, page) ? 1 : 0;
      // A part in millions from uniform, and without a division.
      const choice = Math.floor(random.below(2 ** 32) * peak * 2 ** -32);
      if (choice >= count << shift) continue;
      // The caller reads the chosen entry.
      this.#load(table, cell);
      this.page = page;
      this.slot = choice >>> shift;
      return;
    }
  }

  /**
   * Calls `visit` with every key, and its entry in `entry`, until it returns false. It must not change this table, but
   * may use any other.
   */
  each(table: BodyRef, visit: KeyVisitor): void {
    const count = this.#arena.i32[table >>> CHUNK_SHIFT][((table & GRANULE_MASK) << 1) + PAGES];
    for (let page = 0; page < count; page++) {
      if (page % PAGES_AHEAD === 0) {
        for (let k = page; k < Math.min(count, page + PAGES_AHEAD); k++) this.#load(table, this.#cell(table, k));
      }
      const cell = this.#cell(table, page);
      if (!this.#pages.each(this.#words[cell], this.#words[cell + 1], visit)) return;
    }
  }

  /**
   * Visits the entries from `cursor` (0 starts) until at least `count` were seen, and returns the cursor to go on with,
   * 0 at the end. Every entry that is there from the first call to the last is visited at least once, whatever comes
   * and goes between the calls. Any number is a cursor.
   */
  scan(
    table: BodyRef,
    cursor: number,
    count: number,
    visit: (bytes: Uint8Array, start: number, end: number) => void,
  ): number {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const all: KeyVisitor = (bytes, start, end) => {
      visit(bytes, start, end);
      return true;
    };
    let position = cursor % POSITIONS, seen = 0;
    for (;;) {
      const page = this.#pageOf(table, reversed(position) << 1);
      const cell = this.#cell(table, page);
      seen += entriesOf(this.#words[cell + 1]);
      this.#pages.each(this.#words[cell], this.#words[cell + 1], all);
      const intervals = (words[head + MASK] + 1) / (this.#isSplit(words, head, page) ? 1 : 2);
      const width = POSITIONS / intervals;
      position += width - position % width;
      if (position >= POSITIONS) return 0;
      if (seen >= count) return position;
    }
  }

  /** A deep copy, as small as it can be. */
  copy(table: BodyRef): BodyRef {
    const arena = this.#arena, pages = this.#pages;
    const to = this.create();
    const words = arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const copied = arena.i32[to >>> CHUNK_SHIFT], at = (to & GRANULE_MASK) << 1;
    arena.free(copied[at + DIRECTORY]);
    copied[at + DIRECTORY] = this.#createDirectory(words[head + PAGES] * CELL_BYTES);
    for (const field of [COUNT, PAGES, MASK, PEAK, SALT]) copied[at + field] = words[head + field];
    for (let page = 0; page < words[head + PAGES]; page++) {
      const cell = this.#cell(table, page);
      const copy = pages.copy(this.#words[cell], this.#words[cell + 1]);
      const target = this.#cell(to, page);
      this.#words[target] = copy;
      this.#words[target + 1] = pages.info;
    }
    return to;
  }

  /**
   * Frees at most about `budget` blocks. Returns the table while something is left of it, good only to go on, else 0.
   */
  drain(table: BodyRef, budget: number): BodyRef {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    for (let freed = 0; words[head + PAGES] > 0; words[head + PAGES]--) {
      if (freed >= budget) return table;
      const cell = this.#cell(table, words[head + PAGES] - 1);
      freed += this.#pages.free(this.#words[cell], this.#words[cell + 1]);
    }
    this.#arena.free(words[head + DIRECTORY]);
    this.#arena.free(table);
    return NONE;
  }

  /** Bytes of the arena that the table takes, from the pages of about `samples` entries; 0: from all. */
  sizeBytes(table: BodyRef, samples: number): number {
    const arena = this.#arena;
    const words = arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const count = words[head + PAGES];
    let bytes = 0, entries = 0, seen = 0;
    for (; seen < count && (samples === 0 || entries < samples); seen++) {
      const cell = this.#cell(table, seen);
      const block = this.#words[cell], info = this.#words[cell + 1];
      if (block === 0) continue;
      entries += entriesOf(info);
      bytes += arena.sizeOf(block);
      this.#pages.eachRecord(block, info, (record) => bytes += fieldSize(arena, record));
    }
    const all = seen < count && entries > 0 ? Math.round(bytes / entries * words[head + COUNT]) : bytes;
    return all + arena.sizeOf(table) + arena.sizeOf(words[head + DIRECTORY]);
  }

  /** Visits the entries that are records. */
  eachRecord(table: BodyRef, visit: (record: RecordRef) => void): void {
    const count = this.#arena.i32[table >>> CHUNK_SHIFT][((table & GRANULE_MASK) << 1) + PAGES];
    for (let page = 0; page < count; page++) {
      const cell = this.#cell(table, page);
      if (this.#words[cell] !== 0) this.#pages.eachRecord(this.#words[cell], this.#words[cell + 1], visit);
    }
  }

  /** Checks all invariants and adds every block to `reached`. */
  check(table: BodyRef, reached: Set<number>): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const pages = this.#pages, pageCount = words[head + PAGES], mask = words[head + MASK];
    const claim = (ref: number) => {
      invariant(!reached.has(ref), "a block belongs to two owners");
      reached.add(ref);
    };
    claim(table);
    claim(words[head + DIRECTORY]);
    invariant((mask & (mask + 1)) === 0 && pageCount <= mask && pageCount > mask >>> 1, "a table's mask is off");
    invariant(this.#arena.sizeOf(words[head + DIRECTORY]) >= pageCount * CELL_BYTES, "a directory is too small");
    let count = 0;
    for (let page = 0; page < pageCount; page++) {
      const cell = this.#cell(table, page);
      const block = this.#words[cell], info = this.#words[cell + 1], entries = entriesOf(info);
      pages.check(block, info);
      if (block === 0) continue;
      count += entries;
      claim(block);
      pages.eachRecord(block, info, (record) => {
        claim(record);
        const value = valueBlock(this.#arena, record);
        if (value !== record) claim(value);
      });
      const weight = this.#isSplit(words, head, page) ? entries * 2 : entries;
      invariant(weight <= words[head + PEAK], "a page is fuller than the fullest");
      for (let slot = 0; slot < entries; slot++) {
        pages.read(block, info, slot);
        const { bytes, start, end } = this.entry;
        invariant(this.find(table, bytes, start, end), "an entry cannot be found");
        invariant(this.page === page && this.slot === slot, "an entry is there twice");
      }
    }
    invariant(count === words[head + COUNT], "the entries of a table are miscounted");
  }

  /** Index of a page's entry in `#words`. */
  #cell(table: BodyRef, page: number): number {
    const directory = this.#arena.i32[table >>> CHUNK_SHIFT][((table & GRANULE_MASK) << 1) + DIRECTORY];
    this.#words = this.#arena.i32[directory >>> CHUNK_SHIFT];
    return ((directory & GRANULE_MASK) << 1) + (page << 1);
  }

  /** The cell of the page that gets the entry that `find` looked for. A full page is split before it gets another. */
  #cellFor(table: BodyRef): number {
    let cell = this.#cell(table, this.page);
    while (this.slot < 0 && entriesOf(this.#words[cell + 1]) === ENTRIES_MAX) {
      this.#split(table);
      this.page = this.#pageOf(table, this.#hash);
      cell = this.#cell(table, this.page);
    }
    return cell;
  }

  /** The page of a hash. */
  #pageOf(table: BodyRef, hash: number): number {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const page = (hash >>> 1) & words[head + MASK];
    return page < words[head + PAGES] ? page : page & (words[head + MASK] >>> 1);
  }

  /** Whether a page, or the one that it came from, was split since the pages doubled last. */
  #isSplit(words: Int32Array, head: number, page: number): boolean {
    const half = (words[head + MASK] + 1) >>> 1;
    return page >= half || page < words[head + PAGES] - half;
  }

  /** After an entry was added to `page`. */
  #added(table: BodyRef): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    this.#raisePeak(words, head, this.page, this.#pages.info);
    if (++words[head + COUNT] > words[head + PAGES] * GROW_ABOVE) this.#split(table);
  }

  /** Minds how full a page is. */
  #raisePeak(words: Int32Array, head: number, page: number, info: number): void {
    const weight = this.#isSplit(words, head, page) ? entriesOf(info) * 2 : entriesOf(info);
    if (weight > words[head + PEAK]) words[head + PEAK] = weight;
  }

  /** Finds the fullest page again: some may now count half or twice as much as before. */
  #resetPeak(table: BodyRef): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const first = this.#cell(table, 0), dir = this.#words;
    words[head + PEAK] = 0;
    for (let page = 0; page < words[head + PAGES]; page++) {
      this.#raisePeak(words, head, page, dir[first + (page << 1) + 1]);
    }
  }

  /** Adds a page, and moves its entries there from the page that splits next. */
  #split(table: BodyRef): void {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const pages = this.#pages, count = words[head + PAGES], half = (words[head + MASK] + 1) >>> 1;
    this.#growDirectory(words, head, count + 1);
    const from = this.#cell(table, count - half), to = from + (half << 1);
    const dir = this.#words;
    words[head + PAGES] = count + 1;
    dir[to] = dir[to + 1] = 0;
    if (dir[from] !== 0) {
      dir[from] = pages.split(dir[from], dir[from + 1], words[head + SALT], half << 1);
      dir[from + 1] = pages.info;
      dir[to] = pages.other;
      dir[to + 1] = pages.otherInfo;
    }
    if (count === words[head + MASK]) {
      words[head + MASK] = words[head + MASK] * 2 + 1;
      this.#resetPeak(table);
    } else {
      this.#raisePeak(words, head, count, dir[to + 1]);
      this.#raisePeak(words, head, count - half, dir[from + 1]);
    }
  }

  /**
   * Moves the entries of the last page back to the page that was split for it. Does nothing and returns false if that
   * page would get too many.
   */
  #merge(table: BodyRef): boolean {
    const words = this.#arena.i32[table >>> CHUNK_SHIFT], head = (table & GRANULE_MASK) << 1;
    const pages = this.#pages, rest = words[head + PAGES] - 1;
    const halved = rest === words[head + MASK] >>> 1;
    const mask = halved ? words[head + MASK] >>> 1 : words[head + MASK], half = (mask + 1) >>> 1;
    const last = this.#cell(table, rest), to = last - (half << 1);
    const dir = this.#words;
    if (entriesOf(dir[last + 1]) + entriesOf(dir[to + 1]) > MERGED_MAX) return false;
    words[head + MASK] = mask;
    words[head + PAGES] = rest;
    dir[to] = pages.join(dir[to], dir[to + 1], dir[last], dir[last + 1]);
    dir[to + 1] = pages.info;
    if (halved) this.#resetPeak(table);
    else this.#raisePeak(words, head, rest - half, pages.info);
    this.#shrinkDirectory(words, head, rest);
    return true;
  }

  #createDirectory(bytes: number): number {
    const directory = this.#arena.alloc(bytes);
    const words = this.#arena.i32[directory >>> CHUNK_SHIFT], at = (directory & GRANULE_MASK) << 1;
    words.fill(0, at, at + (this.#arena.sizeOf(directory) >>> 2));
    return directory;
  }

  #growDirectory(words: Int32Array, head: number, count: number): void {
    const directory = words[head + DIRECTORY] as Ref, bytes = count * CELL_BYTES;
    if (bytes <= this.#arena.sizeOf(directory)) return;
    words[head + DIRECTORY] = this.#arena.realloc(directory, bytes - CELL_BYTES, bytes + (bytes >>> 2));
  }

  #shrinkDirectory(words: Int32Array, head: number, count: number): void {
    const directory = words[head + DIRECTORY] as Ref, bytes = count * CELL_BYTES;
    const size = this.#arena.sizeOf(directory);
    if (size <= DIRECTORY_BYTES_MIN || bytes > size >>> 1) return;
    words[head + DIRECTORY] = this.#arena.realloc(directory, bytes, bytes + (bytes >>> 2));
  }
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
