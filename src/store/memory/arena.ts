/**
 * The arena: all data of all databases, in chunks of typed arrays outside the JavaScript heap. It hands out blocks,
 * named by refs, and takes them back. The contents of a block are the business of the module that owns its layout.
 *
 *     ref      chunk:11 | granule:21       a granule is 8 bytes; 0 is "none"
 *     chunk    16 MiB = 4096 pages of 4 KiB, divided into extents of adjacent pages
 *     extent   free, or a span: either many blocks of one size class, or a single large block
 *
 * Refs are 32-bit integers and may be negative: only shift, mask and compare them for equality.
 *
 * Blocks up to 64 KiB come in size classes. Larger ones are whole pages, and those above 8 MiB have a chunk of their
 * own. So a block exceeds its request by less than 8 bytes up to 256 bytes, and by less than 6.25 % beyond. A span
 * whose blocks are all free returns its pages. Chunks whose pages are all free return to the operating system, one with
 * each call of dropSurplus. Their typed arrays are detached then: a view of a freed block is invalid.
 *
 * All bookkeeping lies in typed arrays indexed by page or span, so blocks have no headers. A span has at least 16 pages
 * (SPAN_PAGES_MIN). Therefore at most one span begins in each aligned group of 16 pages, and the number of that group
 * is the number of the span.
 */
import { invariant } from "../../core/assert.ts";
import { detach } from "../../core/detach.ts";

declare const contents: unique symbol;
/** The ref of a block; the type argument names what the block holds, so that the compiler finds a mix-up. */
export type Ref<K extends string = string> = number & { readonly [contents]: K };
/** A key with its value, or an element of a collection: blocks/record.ts. */
export type RecordRef = Ref<"record">;
/** The main block of a value outside of its record; type and encoding of the record say which kind it is. */
export type BodyRef = Ref<"body">;
/** The header of a dictionary: blocks/dict.ts. */
export type DictRef = Ref<"dict">;
/** The header of an ordered index: blocks/ordered.ts. */
export type IndexRef = Ref<"index">;
/** In the place of a ref: no block. */
export const NONE = 0 as Ref<never>;

const GRANULE_BITS = 3;
const PAGE_BITS = 12;
const SPAN_PAGES_BITS = 4;
const CHUNK_BITS = 24;
/** Shift of a ref that leaves the chunk's number. */
export const CHUNK_SHIFT = CHUNK_BITS - GRANULE_BITS;
/** Mask of a ref that leaves the granule within the chunk. */
export const GRANULE_MASK = (1 << CHUNK_SHIFT) - 1;
/** Blocks larger than the size classes are multiples of this. */
export const PAGE_BYTES = 1 << PAGE_BITS;
/** Shift of a ref that leaves the page's number. */
const PAGE_SHIFT = PAGE_BITS - GRANULE_BITS;
const SPAN_PAGES_MIN = 1 << SPAN_PAGES_BITS;
const CHUNK_BYTES = 1 << CHUNK_BITS;
const CHUNK_PAGES = 1 << (CHUNK_BITS - PAGE_BITS);
const CHUNKS_MAX = 1 << (32 - CHUNK_SHIFT);
/** Chunks for which the first tables have room. */
const CHUNKS_MIN = 4;
const CLASSED_BYTES_MAX = SPAN_PAGES_MIN * PAGE_BYTES;
const EXTENT_BYTES_MAX = CHUNK_BYTES / 2;
/** The most bytes of spare room that a growing block should get, see withSpare. */
const SPARE_BYTES_MAX = 1 << 20;

const CLASS_NONE = 0; // no span begins in the group of pages
const CLASS_LARGE = 1; // one block of whole pages
const CLASS_HUGE = 2; // one block in a chunk of its own
const CLASS_FIRST = 3; // blocks of one size, as all that follow
/**
 * Block sizes: every granule to 256 bytes, then sixteen steps to each doubling. There are many because a small
 * collection is one block; a page that no block has used yet takes no memory.
 */
const CLASS_BYTES = classSizes();
const CLASS_COUNT = CLASS_BYTES.length;
/** Size class of a block of so many granules. */
const CLASS_OF = classOf();
/** Pages in a span of each class: at least eight blocks, and at most 2 % behind the last. */
const SPAN_PAGES = CLASS_BYTES.map(spanPages);
const SPAN_BLOCKS = CLASS_BYTES.map((bytes, c) => bytes === 0 ? 0 : Math.floor((SPAN_PAGES[c] * PAGE_BYTES) / bytes));

function classSizes(): Int32Array {
  const sizes: number[] = new Array(CLASS_FIRST).fill(0);
  for (let bytes = 8; bytes <= 256; bytes += 8) sizes.push(bytes);
  for (let base = 256; base < CLASSED_BYTES_MAX; base *= 2) {
    for (let step = 1; step <= 16; step++) sizes.push(base + (base / 16) * step);
  }
  return Int32Array.from(sizes);
}

function classOf(): Uint8Array {
  const table = new Uint8Array((CLASSED_BYTES_MAX >>> GRANULE_BITS) + 1);
  let c = CLASS_FIRST;
  for (let granules = 0; granules < table.length; granules++) {
    while (CLASS_BYTES[c] < granules << GRANULE_BITS) c++;
    table[granules] = c;
  }
  return table;
}

function spanPages(bytes: number): number {
  if (bytes === 0) return 0;
  let pages = Math.max(SPAN_PAGES_MIN, Math.ceil((bytes * 8) / PAGE_BYTES));
  while ((pages * PAGE_BYTES) % bytes > pages * PAGE_BYTES / 50) pages++;
  return pages;
}

/**
 * Size of a large block for `bytes` that is likely to grow: up to a ninth more, but not more than 1 MiB, in whole
 * pages.
 */
export function withSpare(bytes: number): number {
  const room = bytes + Math.min(bytes / 9, SPARE_BYTES_MAX);
  return Math.max(bytes, Math.floor(room / PAGE_BYTES) * PAGE_BYTES);
}

const NO_BYTES = new Uint8Array(0);
const NO_WORDS = new Int32Array(0);
const NO_DOUBLES = new Float64Array(0);
const NO_VIEW = new DataView(new ArrayBuffer(0));

/** Sizes and counts of the allocator; sizes in bytes. */
export interface ArenaStats {
  /** Sum of the sizes of all blocks in use, rounded up to their size classes. */
  usedBytes: number;
  /** Sum of all chunks. */
  reservedBytes: number;
  chunkCount: number;
  blockCount: number;
}

/** A longer copy of a table, zero behind the old end. */
function grown<T extends Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(table: T, length: number): T {
  const longer = new (table.constructor as new (length: number) => T)(length);
  longer.set(table);
  return longer;
}

export class Arena {
  /** The chunks as bytes, 32-bit words and doubles. Index: `ref >>> CHUNK_SHIFT`. */
  readonly u8: Uint8Array[] = [];
  readonly i32: Int32Array[] = [];
  readonly f64: Float64Array[] = [];
  /** The chunks as views, for copies of eight bytes at a time from where no typed array may begin. */
  readonly view: DataView[] = [];

  usedBytes = 0;
  reservedBytes = 0;
  blockCount = 0;

  // The tables per page and per span grow with the chunks.
  // Per page. Of a free extent's first and last page: minus the number of its pages. Of every page of a span of a size
  // class, and of a large block's first and last: the number of the span. Of other pages it means nothing.
  #page = NO_WORDS;
  // Per span.
  #class = NO_BYTES;
  #firstPage = NO_WORDS;
  #pageCount = NO_WORDS;
  #freeHead = NO_WORDS; // free blocks, linked by their first words, 0 ends
  #bump = NO_WORDS; // the first block never used
  #unused = NO_WORDS; // blocks never used
  #used = NO_WORDS; // blocks in use
  #next = NO_WORDS; // spans of a class that have room, doubly linked, -1 ends
  #prev = NO_WORDS;
  #listed = NO_BYTES;
  // Per class, and per chunk.
  readonly #head = new Int32Array(CLASS_COUNT).fill(-1);
  readonly #freePages = new Int32Array(CHUNKS_MAX);
  readonly #longest = new Int32Array(CHUNKS_MAX); // no free extent has more pages
  #roomHint = 0; // no chunk below it has a free page
  #emptyChunks = 0; // chunks without a block

  constructor() {
    this.#addChunk(0, CHUNK_BYTES);
    // Granule 0 is "none": the first span of the first chunk is never handed out.
    this.#emptyChunks++;
    this.#claim(0, SPAN_PAGES_MIN, CLASS_LARGE);
  }

  /**
   * A block of at least `bytes`, not cleared. Throws RangeError when the address space of 32 GiB or the machine is
   * full.
   */
  alloc(bytes: number): Ref<never> {
    if (bytes > CLASSED_BYTES_MAX) return this.#allocLarge(bytes) as Ref<never>;
    const c = CLASS_OF[(bytes + 7) >>> GRANULE_BITS];
    let span = this.#head[c];
    if (span < 0) span = this.#addSpan(c);
    this.usedBytes += CLASS_BYTES[c];
    this.blockCount++;
    this.#used[span]++;
    const head = this.#freeHead[span];
    if (head !== 0) {
      const next = this.i32[head >>> CHUNK_SHIFT][(head & GRANULE_MASK) << 1];
      this.#freeHead[span] = next;
      if (next === 0 && this.#unused[span] === 0) this.#unlist(span, c);
      return head as Ref<never>;
    }
    const ref = this.#bump[span];
    this.#bump[span] = ref + (CLASS_BYTES[c] >>> GRANULE_BITS);
    if (--this.#unused[span] === 0) this.#unlist(span, c);
    return ref as Ref<never>;
  }

  /** Takes a block back. Its first word is overwritten at once. */
  free(ref: number): void {
    const span = this.#page[ref >>> PAGE_SHIFT];
    const c = this.#class[span];
    // A page of a free extent leads to no class.
    if (!(c >= CLASS_FIRST)) {
      this.#freeLarge(span, c);
      return;
    }
    this.blockCount--;
    this.usedBytes -= CLASS_BYTES[c];
    const head = this.#freeHead[span];
    invariant(head !== ref, "a block was freed twice");
    this.i32[ref >>> CHUNK_SHIFT][(ref & GRANULE_MASK) << 1] = head;
    this.#freeHead[span] = ref;
    if (this.#listed[span] === 0) this.#list(span, c);
    if (--this.#used[span] === 0) {
      this.#unlist(span, c);
      this.#freeSpan(span);
    }
  }

  /** Usable size of the block in bytes: the size of the request, rounded up. */
  sizeOf(ref: number): number {
    const span = this.#page[ref >>> PAGE_SHIFT];
    const c = this.#class[span];
    if (c >= CLASS_FIRST) return CLASS_BYTES[c];
    return c === CLASS_LARGE ? this.#pageCount[span] * PAGE_BYTES : this.u8[ref >>> CHUNK_SHIFT].length;
  }

  /** The size that a request for `bytes` is rounded up to. */
  roundUp(bytes: number): number {
    if (bytes <= CLASSED_BYTES_MAX) return CLASS_BYTES[CLASS_OF[(bytes + 7) >>> GRANULE_BITS]];
    return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  }

  /**
   * A block of at least `bytes` that starts with the first `keep` bytes of the old one, which is freed. The same ref
   * comes back when the rounded size stays the same, or when a large block has room behind it.
   */
  realloc<K extends string>(ref: Ref<K>, keep: number, bytes: number): Ref<K> {
    if (this.roundUp(bytes) === this.sizeOf(ref) || this.#resizeLarge(ref, bytes)) return ref;
    const to = this.alloc(bytes);
    const from = (ref & GRANULE_MASK) << GRANULE_BITS;
    copyBytes(this.u8[ref >>> CHUNK_SHIFT], from, from + keep, this.u8[to >>> CHUNK_SHIFT], (to & GRANULE_MASK) << 3);
    this.free(ref);
    return to;
  }

  /** Whether there are chunks to give back. One without a block stays, for the block that comes and goes. */
  get hasSurplus(): boolean {
    return this.#emptyChunks > 1;
  }

  /** Gives one chunk back to the operating system, which takes about a millisecond: freeing a block must not. */
  dropSurplus(): void {
    if (!this.hasSurplus) return;
    let chunk = this.u8.length - 1;
    while (this.#freePages[chunk] < CHUNK_PAGES) chunk--;
    this.#emptyChunks--;
    this.#dropChunk(chunk);
  }

  stats(): ArenaStats {
    const { usedBytes, reservedBytes, blockCount } = this;
    return { usedBytes, reservedBytes, blockCount, chunkCount: this.u8.filter((c) => c.length > 0).length };
  }

  /**
   * Walks all bookkeeping and throws InvariantError where it contradicts itself. Returns every block in use, so that a
   * test can hold them against the blocks that the structures reach: reachable plus free is all there is.
   */
  check(): Set<number> {
    const inUse = new Set<number>();
    let usedBytes = 0, emptyChunks = 0;
    for (let chunk = 0; chunk < this.u8.length; chunk++) {
      if (this.u8[chunk].length === 0) continue;
      let freePages = 0;
      const end = (chunk + 1) * CHUNK_PAGES;
      for (let page = chunk * CHUNK_PAGES; page < end;) {
        const span = this.#page[page];
        if (span < 0) {
          invariant(-span <= this.#longest[chunk], "a free extent is longer than the longest of its chunk");
          invariant(this.#page[page - span - 1] === span, "the ends of a free extent differ");
          invariant(page - span === end || this.#page[page - span] >= 0, "two free extents are not joined");
          freePages -= span;
          page -= span;
          continue;
        }
        const c = this.#class[span];
        invariant(c !== CLASS_NONE && this.#firstPage[span] === page, "a page does not lead to its span");
        if (c < CLASS_FIRST) {
          if (page !== 0) {
            const ref = (page << PAGE_SHIFT) | 0;
            inUse.add(ref);
            usedBytes += this.sizeOf(ref);
          }
          if (c === CLASS_HUGE) break;
        } else {
          usedBytes += this.#checkSpan(span, c, inUse);
        }
        page += this.#pageCount[span];
        invariant(page <= end, "a span reaches beyond its chunk");
      }
      invariant(freePages === this.#freePages[chunk], "the free pages of a chunk are miscounted");
      if (freePages === CHUNK_PAGES) emptyChunks++;
    }
    invariant(emptyChunks === this.#emptyChunks, "the chunks without a block are miscounted");
    invariant(usedBytes === this.usedBytes, "the bytes in use are miscounted");
    invariant(inUse.size === this.blockCount, "the blocks in use are miscounted");
    return inUse;
  }

  #checkSpan(span: number, c: number, inUse: Set<number>): number {
    const first = this.#firstPage[span];
    for (let i = 0; i < this.#pageCount[span]; i++) {
      invariant(this.#page[first + i] === span, "a page does not lead to its span");
    }
    const free = new Set<number>();
    for (let ref = this.#freeHead[span]; ref !== 0;) {
      invariant(this.#page[ref >>> PAGE_SHIFT] === span, "a free block lies outside of its span");
      invariant(!free.has(ref), "a block is free twice");
      free.add(ref);
      ref = this.i32[ref >>> CHUNK_SHIFT][(ref & GRANULE_MASK) << 1];
    }
    const granules = CLASS_BYTES[c] >>> GRANULE_BITS;
    const handedOut = SPAN_BLOCKS[c] - this.#unused[span];
    for (let i = 0; i < handedOut; i++) {
      const ref = ((first << PAGE_SHIFT) + i * granules) | 0;
      if (!free.has(ref)) inUse.add(ref);
    }
    invariant(handedOut - free.size === this.#used[span], "the blocks of a span are miscounted");
    invariant((this.#listed[span] === 1) === this.#used[span] < SPAN_BLOCKS[c], "a span with room is not listed");
    return this.#used[span] * CLASS_BYTES[c];
  }

  #allocLarge(bytes: number): number {
    const size = this.roundUp(bytes);
    let page: number;
    if (bytes > EXTENT_BYTES_MAX) {
      const chunk = this.#freeChunkNumber();
      this.#addChunk(chunk, size);
      this.#freePages[chunk] = 0;
      page = chunk * CHUNK_PAGES;
      this.#setSpan(page, CHUNK_PAGES, CLASS_HUGE);
    } else {
      // The tables may grow meanwhile.
      const span = this.#takePages(size / PAGE_BYTES, CLASS_LARGE);
      page = this.#firstPage[span];
    }
    this.blockCount++;
    this.usedBytes += size;
    return (page << PAGE_SHIFT) | 0;
  }

  #freeLarge(span: number, c: number): void {
    invariant(c === CLASS_LARGE || c === CLASS_HUGE, "a block was freed twice");
    this.blockCount--;
    if (c === CLASS_LARGE) {
      this.usedBytes -= this.#pageCount[span] * PAGE_BYTES;
      this.#freeSpan(span);
      return;
    }
    const chunk = (this.#firstPage[span] / CHUNK_PAGES) | 0;
    this.usedBytes -= this.u8[chunk].length;
    this.#class[span] = CLASS_NONE;
    this.#dropChunk(chunk);
  }

  /**
   * Gives a large block another number of pages where it is. False if it is not large, would not be, or has no room.
   */
  #resizeLarge(ref: number, bytes: number): boolean {
    const span = this.#page[ref >>> PAGE_SHIFT];
    if (this.#class[span] !== CLASS_LARGE || bytes <= CLASSED_BYTES_MAX || bytes > EXTENT_BYTES_MAX) return false;
    const chunk = ref >>> CHUNK_SHIFT;
    const pages = this.roundUp(bytes) / PAGE_BYTES, more = pages - this.#pageCount[span];
    const end = this.#firstPage[span] + this.#pageCount[span];
    if (more > 0) {
      if (end === (chunk + 1) * CHUNK_PAGES || this.#page[end] >= 0) return false;
      const room = -this.#page[end];
      if (room < more) return false;
      if (room > more) this.#setFree(end + more, room - more);
      this.#freePages[chunk] -= more;
    }
    // Before pages are released: the page that becomes the block's last one may bear the mark of an extent of long ago.
    this.#setSpan(this.#firstPage[span], pages, CLASS_LARGE);
    if (more < 0) this.#release(end + more, -more);
    this.usedBytes += more * PAGE_BYTES;
    return true;
  }

  #addSpan(c: number): number {
    const span = this.#takePages(SPAN_PAGES[c], c);
    this.#page.fill(span, this.#firstPage[span], this.#firstPage[span] + SPAN_PAGES[c]);
    this.#freeHead[span] = 0;
    this.#bump[span] = this.#firstPage[span] << PAGE_SHIFT;
    this.#unused[span] = SPAN_BLOCKS[c];
    this.#used[span] = 0;
    this.#list(span, c);
    return span;
  }

  /** First fit over the chunks, then over the extents of a chunk: low addresses fill first and high chunks empty. */
  #takePages(pages: number, c: number): number {
    for (let chunk = this.#roomHint; chunk < this.u8.length; chunk++) {
      if (this.#freePages[chunk] === 0 && chunk === this.#roomHint) this.#roomHint++;
      if (this.#longest[chunk] < pages) continue;
      let longest = 0;
      const end = (chunk + 1) * CHUNK_PAGES;
      for (let page = chunk * CHUNK_PAGES; page < end;) {
        const span = this.#page[page];
        if (span >= 0) {
          page += this.#pageCount[span];
          continue;
        }
        if (-span >= pages) return this.#claim(page, pages, c);
        longest = Math.max(longest, -span);
        page -= span;
      }
      this.#longest[chunk] = longest;
    }
    const chunk = this.#freeChunkNumber();
    this.#addChunk(chunk, CHUNK_BYTES);
    this.#emptyChunks++;
    return this.#claim(chunk * CHUNK_PAGES, pages, c);
  }

  /** Makes the first pages of a free extent a span. */
  #claim(page: number, pages: number, c: number): number {
    const chunk = (page / CHUNK_PAGES) | 0, room = -this.#page[page];
    if (this.#freePages[chunk] === CHUNK_PAGES) this.#emptyChunks--;
    this.#freePages[chunk] -= pages;
    if (room > pages) this.#setFree(page + pages, room - pages);
    return this.#setSpan(page, pages, c);
  }

  #setSpan(page: number, pages: number, c: number): number {
    const span = page >>> SPAN_PAGES_BITS;
    this.#page[page] = this.#page[page + pages - 1] = span;
    this.#class[span] = c;
    this.#firstPage[span] = page;
    this.#pageCount[span] = pages;
    return span;
  }

  #freeSpan(span: number): void {
    this.#class[span] = CLASS_NONE;
    this.#release(this.#firstPage[span], this.#pageCount[span]);
  }

  /** Makes pages free and joins them with free neighbours. */
  #release(first: number, pages: number): void {
    const chunk = (first / CHUNK_PAGES) | 0;
    let end = first + pages;
    if (end % CHUNK_PAGES !== 0 && this.#page[end] < 0) end -= this.#page[end];
    if (first % CHUNK_PAGES !== 0 && this.#page[first - 1] < 0) first += this.#page[first - 1];
    this.#setFree(first, end - first);
    this.#freePages[chunk] += pages;
    if (this.#longest[chunk] < end - first) this.#longest[chunk] = end - first;
    if (chunk < this.#roomHint) this.#roomHint = chunk;
    if (this.#freePages[chunk] === CHUNK_PAGES) this.#emptyChunks++;
  }

  #setFree(page: number, pages: number): void {
    this.#page[page] = this.#page[page + pages - 1] = -pages;
  }

  #freeChunkNumber(): number {
    for (let i = 0; i < this.u8.length; i++) if (this.u8[i].length === 0) return i;
    if (this.u8.length === CHUNKS_MAX) throw new RangeError("the arena's address space is full");
    return this.u8.length;
  }

  #addChunk(chunk: number, bytes: number): void {
    if (chunk * CHUNK_PAGES >= this.#page.length) this.#growTables();
    const buffer = new ArrayBuffer(bytes);
    this.u8[chunk] = new Uint8Array(buffer);
    this.i32[chunk] = new Int32Array(buffer);
    this.f64[chunk] = new Float64Array(buffer);
    this.view[chunk] = new DataView(buffer);
    this.reservedBytes += bytes;
    this.#freePages[chunk] = this.#longest[chunk] = CHUNK_PAGES;
    this.#setFree(chunk * CHUNK_PAGES, CHUNK_PAGES);
    if (bytes === CHUNK_BYTES && chunk < this.#roomHint) this.#roomHint = chunk;
  }

  #growTables(): void {
    const pages = Math.max(CHUNK_PAGES * CHUNKS_MIN, this.#page.length * 2), spans = pages / SPAN_PAGES_MIN;
    this.#page = grown(this.#page, pages);
    this.#class = grown(this.#class, spans);
    this.#firstPage = grown(this.#firstPage, spans);
    this.#pageCount = grown(this.#pageCount, spans);
    this.#freeHead = grown(this.#freeHead, spans);
    this.#bump = grown(this.#bump, spans);
    this.#unused = grown(this.#unused, spans);
    this.#used = grown(this.#used, spans);
    this.#next = grown(this.#next, spans);
    this.#prev = grown(this.#prev, spans);
    this.#listed = grown(this.#listed, spans);
  }

  #dropChunk(chunk: number): void {
    this.reservedBytes -= this.u8[chunk].length;
    detach(this.u8[chunk].buffer as ArrayBuffer);
    this.u8[chunk] = NO_BYTES;
    this.i32[chunk] = NO_WORDS;
    this.f64[chunk] = NO_DOUBLES;
    this.view[chunk] = NO_VIEW;
    this.#freePages[chunk] = this.#longest[chunk] = 0;
  }

  #list(span: number, c: number): void {
    const head = this.#head[c];
    this.#next[span] = head;
    this.#prev[span] = -1;
    if (head >= 0) this.#prev[head] = span;
    this.#head[c] = span;
    this.#listed[span] = 1;
  }

  #unlist(span: number, c: number): void {
    const next = this.#next[span], prev = this.#prev[span];
    if (next >= 0) this.#prev[next] = prev;
    if (prev >= 0) this.#next[prev] = next;
    else this.#head[c] = next;
    this.#listed[span] = 0;
  }
}

/** Up to here eight bytes at a time beat set(subarray). */
const VIEW_COPY_BYTES_MAX = 200;
/** Views are kept of arrays up to this size, so that a huge one is not held by its view. */
const VIEWED_BYTES_MAX = 1 << 16;
// The two arrays last viewed: a request's buffer, and the scratch that a number is written in.
let viewed: Uint8Array = NO_BYTES, viewedBefore: Uint8Array = NO_BYTES;
let view: DataView = NO_VIEW, viewBefore: DataView = NO_VIEW;

/** Whether `viewOf` is worth its while for `length` bytes of an array. */
function isViewable(bytes: Uint8Array, length: number): boolean {
  return length >= 8 && length <= VIEW_COPY_BYTES_MAX && bytes.length <= VIEWED_BYTES_MAX;
}

/** A view of the array. Making one costs more than it saves, but the requests of a batch lie in one buffer. */
function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewed) {
    const found = bytes === viewedBefore ? viewBefore : new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    viewedBefore = viewed;
    viewBefore = view;
    viewed = bytes;
    view = found;
  }
  return view;
}

/**
 * Copies `source[start, end)`, which lies outside of the arena, to index `at` of a chunk. Hot: eight bytes at a time
 * take 10 ns for 32 bytes, a byte loop 27.
 */
export function copyIn(arena: Arena, source: Uint8Array, start: number, end: number, chunk: number, at: number): void {
  if (!isViewable(source, end - start)) return copyBytes(source, start, end, arena.u8[chunk], at);
  const from = viewOf(source), to = arena.view[chunk];
  for (const last = end - 8; start < last; start += 8, at += 8) to.setBigInt64(at, from.getBigInt64(start, true), true);
  // The last eight bytes overlap those before them.
  to.setBigInt64(at + end - 8 - start, from.getBigInt64(end - 8, true), true);
}

/** Copies `[start, end)` of a chunk to index `at` of another or the same; the ranges must not overlap. Hot. */
export function copyBetween(
  arena: Arena,
  chunk: number,
  start: number,
  end: number,
  toChunk: number,
  at: number,
): void {
  const length = end - start;
  if (length < 8 || length > VIEW_COPY_BYTES_MAX) {
    copyBytes(arena.u8[chunk], start, end, arena.u8[toChunk], at);
    return;
  }
  const from = arena.view[chunk], to = arena.view[toChunk];
  for (const last = end - 8; start < last; start += 8, at += 8) to.setBigInt64(at, from.getBigInt64(start, true), true);
  to.setBigInt64(at + end - 8 - start, from.getBigInt64(end - 8, true), true);
}

/**
 * Whether `bytes[start, end)`, which lies outside of the arena, equals the bytes from index `at` of a chunk on. Hot.
 */
export function equalsIn(
  arena: Arena,
  bytes: Uint8Array,
  start: number,
  end: number,
  chunk: number,
  at: number,
): boolean {
  if (isViewable(bytes, end - start)) {
    const a = viewOf(bytes), b = arena.view[chunk];
    for (const last = end - 4; start < last; start += 4, at += 4) {
      if (a.getInt32(start, true) !== b.getInt32(at, true)) return false;
    }
    return a.getInt32(end - 4, true) === b.getInt32(at + end - 4 - start, true);
  }
  const chunkBytes = arena.u8[chunk];
  while (start < end) if (chunkBytes[at++] !== bytes[start++]) return false;
  return true;
}

/**
 * Copies `source[start, end)` to `target[at, …)`; the ranges must not overlap within one array. Hot: a byte loop beats
 * set(subarray) below about 40 bytes, because a subarray costs an object.
 */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start > 48) target.set(source.subarray(start, end), at);
  else for (let i = start; i < end; i++) target[at++] = source[i];
}
