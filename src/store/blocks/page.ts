/**
 * The pages of a page table (page_layout.ts): finding, adding, changing and removing entries, and splitting and joining
 * pages. Which entry belongs to which page is page_table.ts's business.
 *
 * Entries have slots in the order in which they came, but one that goes may move others. Registers: writes leave the
 * page's new info in `info`; `find` and `read` leave an entry in `entry`. One Pages serves all pages of an arena that
 * hold pairs, or keys alone.
 */
import { invariant } from "../../core/assert.ts";
import { NO_BYTES } from "../../core/bytes.ts";
import {
  type Arena,
  CHUNK_SHIFT,
  copyBytes,
  copyIn,
  equalsIn,
  GRANULE_MASK,
  NONE,
  type RecordRef,
} from "../memory/arena.ts";
import {
  copyField,
  createField,
  freeField,
  overwriteValue,
  valueBlock,
  valueBytes,
  valuePlace,
} from "./field_record.ts";
import { hashBytes, salted } from "../../core/hash_function.ts";
import {
  bytesOf,
  COUNT_MASK,
  dataBefore,
  ENTRIES_MAX,
  GRANULES_SHIFT,
  groupBytes,
  INLINE_BYTES_MAX,
  OUTSIDE,
  PLACE_BITS,
  PLACE_MASK,
  readRef,
  REF_BYTES,
  tagOffset,
  writeRef,
} from "./page_layout.ts";
import { keyEquals, keyLength, keyStart } from "./record.ts";

/** Pages from here on are cut down when they are half empty. */
const SHRINKING_BYTES_MIN = 128;

const WORDS_PER_LINE = 16;

/** Returns false to end the walk. */
export type KeyVisitor = (bytes: Uint8Array, start: number, end: number) => boolean;

/** An entry that was read. The bytes are valid until the next write. */
export class Entry {
  /** The key. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** The value of a pair: indices in the chunk with this number. */
  valueChunk = 0;
  valueStart = 0;
  valueEnd = 0;
  /** The record that the entry is, 0 if it is inline. */
  record: RecordRef = NONE;
}

export class Pages {
  /** After a write: the page's info. */
  info = 0;
  /** After `split`: the page of the entries that moved, and its info. */
  other = 0;
  otherInfo = 0;

  readonly #arena: Arena;
  readonly #pairs: boolean;
  readonly #entry: Entry;
  // After `find` and `read`, and where a write puts an entry: the chunk, the index of the entry's data in it, and its
  // size.
  #chunk = 0;
  #at = 0;
  #size = 0;
  // While a page splits: for each slot, whether it moves; and for the pages of the entries that stay and of those that
  // move, the page's place in its chunk, the end of its next entry's data, and its number of entries.
  readonly #moves = new Uint8Array(ENTRIES_MAX);
  readonly #targets: DataView[] = new Array(2).fill(new DataView(new ArrayBuffer(0)));
  readonly #fronts = new Int32Array(2);
  readonly #ends = new Int32Array(2);
  readonly #counts = new Int32Array(2);

  constructor(arena: Arena, pairs: boolean, entry: Entry) {
    this.#arena = arena;
    this.#pairs = pairs;
    this.#entry = entry;
  }

  /**
   * The slot of the entry whose key is `bytes[start, end)` and has the hash `hash`; -1 if the page has not got it.
   * Leaves the entry's record, and with `readFound` all of it, in `entry`. Hot.
   */
  find(block: number, info: number, hash: number, bytes: Uint8Array, start: number, end: number): number {
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 1;
    const words = this.#arena.i32[chunk], data = this.#arena.u8[chunk];
    const length = end - start, pairs = this.#pairs;
    const sought = length <= INLINE_BYTES_MAX ? length : OUTSIDE | REF_BYTES;
    const pattern = Math.imul(hash >>> 24, 0x01010101);
    const count = info & COUNT_MASK;
    this.#entry.record = NONE;
    for (let first = 0, i = base; first < count; first += 4, i += 2) {
      const difference = words[i] ^ pattern;
      // A byte that is zero gets its upper bit set; so may one above it, which the comparison sorts out.
      let hits = (difference - 0x01010101) & ~difference & 0x80808080;
      for (; hits !== 0; hits &= hits - 1) {
        const slot = first + ((31 - Math.clz32(hits & -hits)) >>> 3);
        if (slot >= count) break;
        const size = data[(i << 2) + 4 + (slot & 3)];
        if (!pairs && size !== sought) continue;
        let at = (base << 2) + bytesOf(info) - dataBefore(words, base, slot + 1);
        this.#chunk = chunk;
        this.#at = at;
        this.#size = size;
        if (size > INLINE_BYTES_MAX) {
          const record = readRef(data, at);
          if (!keyEquals(this.#arena, record, bytes, start, end)) continue;
          this.#entry.record = record;
          return slot;
        }
        if (pairs && data[at++] !== length) continue;
        if (equalsIn(this.#arena, bytes, start, end, chunk, at)) return slot;
      }
    }
    return -1;
  }

  /** Loads all cache lines of a page. The result has no meaning. Hot. */
  prefetch(block: number, info: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 1;
    const end = base + (bytesOf(info) >>> 2);
    let sum = 0;
    for (let i = base; i < end; i += WORDS_PER_LINE) sum ^= words[i];
    return sum;
  }

  /** Loads the tags of a page, which `find` reads first. The result has no meaning. Hot. */
  prefetchTags(block: number, info: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 1;
    // The lines of a page of the usual size; data that is read here without need does no harm.
    return words[base] ^ words[base + ((info & COUNT_MASK) >>> 2 << 1)];
  }

  /**
   * Where the data of the first entry is whose tag is that of `hash`, from nothing but tags and lengths: index in its
   * chunk:24 | length:8. The page itself if there is none. Hot.
   */
  likelyPlace(block: number, info: number, hash: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 1;
    const pattern = Math.imul(hash >>> 24, 0x01010101);
    const count = info & COUNT_MASK;
    for (let first = 0, i = base; first < count; first += 4, i += 2) {
      const difference = words[i] ^ pattern;
      const hits = (difference - 0x01010101) & ~difference & 0x80808080;
      if (hits === 0) continue;
      const within = (31 - Math.clz32(hits & -hits)) >>> 3;
      if (first + within >= count) break;
      const length = (words[i + 1] >>> (within << 3)) & 0xff;
      return (base << 2) + bytesOf(info) - dataBefore(words, base, first + within + 1) | length << PLACE_BITS;
    }
    return base << 2 | 1 << PLACE_BITS;
  }

  /**
   * Loads the data at a likely place in the chunk of `block`, which most have in one or two lines. Means nothing. Hot.
   */
  prefetchData(block: number, place: number): number {
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], at = place & PLACE_MASK;
    return data[at] ^ data[at + ((place >>> PLACE_BITS) & INLINE_BYTES_MAX) - 1];
  }

  /** Loads the record that the data at a likely place leads to, if it does. Means nothing. */
  prefetchRecord(block: number, place: number): number {
    if (place >= 0) return 0;
    const record = readRef(this.#arena.u8[block >>> CHUNK_SHIFT], place & PLACE_MASK);
    return this.#arena.i32[record >>> CHUNK_SHIFT][(record & GRANULE_MASK) << 1];
  }

  /** Loads the rest of the entry that `find` found. Hot. */
  readFound(): void {
    this.#load(this.#chunk, this.#at, this.#size);
  }

  /** Reads the entry in a slot. */
  read(block: number, info: number, slot: number): void {
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 1;
    this.#chunk = chunk;
    this.#at = (base << 2) + bytesOf(info) - dataBefore(this.#arena.i32[chunk], base, slot + 1);
    this.#size = this.#arena.u8[chunk][(base << 2) + tagOffset(slot) + 4];
    this.readFound();
  }

  /** Visits the keys of a page, with their entries in `entry`; false when `visit` said so. Hot. */
  each(block: number, info: number, visit: KeyVisitor): boolean {
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 3;
    const data = this.#arena.u8[chunk], entry = this.#entry;
    const count = info & COUNT_MASK;
    let end = base + bytesOf(info);
    for (let slot = 0; slot < count; slot++) {
      const size = data[base + tagOffset(slot) + 4];
      end -= size & INLINE_BYTES_MAX;
      this.#load(chunk, end, size);
      if (!visit(entry.bytes, entry.start, entry.end)) return false;
    }
    return true;
  }

  /**
   * Gives the key `kb[ks, ke)`, which `find` just looked for in the page and found in `slot`, or not, the value `vb[vs,
   * ve)`. Where it stood in a record that cannot take the value, that is freed. Both may lie anywhere but in the page.
   * Returns the page's new block. Hot.
   */
  put(
    block: number,
    info: number,
    slot: number,
    hash: number,
    kb: Uint8Array,
    ks: number,
    ke: number,
    vb: Uint8Array,
    vs: number,
    ve: number,
  ): number {
    const arena = this.#arena, pairs = this.#pairs;
    const old = this.#entry.record;
    const size = pairs ? 1 + ke - ks + ve - vs : ke - ks;
    this.info = info;
    if (size > INLINE_BYTES_MAX) {
      if (old !== 0 && overwriteValue(arena, old, vb, vs, ve, false)) return block;
      block = this.putRecord(block, info, slot, hash, createField(arena, kb, ks, ke, vb, vs, ve, false));
    } else if (slot >= 0 && size === this.#size) {
      copyIn(arena, vb, vs, ve, this.#chunk, this.#at + 1 + ke - ks);
      return block;
    } else {
      block = this.#place(block, info, slot, hash, size);
      const chunk = this.#chunk;
      let at = this.#at;
      if (pairs) arena.u8[chunk][at++] = ke - ks;
      copyIn(arena, kb, ks, ke, chunk, at);
      if (pairs) copyIn(arena, vb, vs, ve, chunk, at + ke - ks);
    }
    if (old !== 0) freeField(arena, old);
    return block;
  }

  /** `put` for an entry that is a record already; one that it was before is the caller's to free. */
  putRecord(block: number, info: number, slot: number, hash: number, record: RecordRef): number {
    block = this.#place(block, info, slot, hash, OUTSIDE | REF_BYTES);
    writeRef(this.#arena.u8[this.#chunk], this.#at, record);
    return block;
  }

  /** Removes the entry in a slot, with its record if it is one. Returns the page's new block. Hot. */
  remove(block: number, info: number, slot: number): number {
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 1;
    const words = this.#arena.i32[chunk], data = this.#arena.u8[chunk];
    const last = (info & COUNT_MASK) - 1;
    const front = base << 2, end = front + bytesOf(info);
    const tag = front + tagOffset(slot), lastTag = front + tagOffset(last);
    const size = data[tag + 4] & INLINE_BYTES_MAX;
    const before = dataBefore(words, base, slot), used = dataBefore(words, base, last + 1);
    if (data[tag + 4] > INLINE_BYTES_MAX) freeField(this.#arena, readRef(data, end - before - size));
    if (data[lastTag + 4] === data[tag + 4]) {
      // The last entry is of the same size and takes the place.
      for (let i = 0, to = end - before - size, from = end - used; i < size; i++) data[to + i] = data[from + i];
      data[tag] = data[lastTag];
    } else {
      data.copyWithin(end - used + size, end - used, end - before - size);
      for (let i = slot; i < last; i++) {
        const to = front + tagOffset(i), from = front + tagOffset(i + 1);
        data[to] = data[from];
        data[to + 4] = data[from + 4];
      }
    }
    return this.#trim(block, info - 1, used - size);
  }

  /**
   * Splits a page that is not empty, of a table with a salt: entries whose hash has `bit` set move. Returns the block
   * of the others; `other` and `otherInfo` name the page of those that moved. Hot: inserting into a large table spends
   * most of its time here.
   */
  split(block: number, info: number, salt: number, bit: number): number {
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 3;
    const data = this.#arena.u8[chunk], entry = this.#entry;
    const count = info & COUNT_MASK, moves = this.#moves;
    let moved = 0, movedBytes = 0, end = base + bytesOf(info);
    const dataEnd = end;
    for (let slot = 0; slot < count; slot++) {
      const length = data[base + tagOffset(slot) + 4], size = length & INLINE_BYTES_MAX;
      end -= size;
      this.#load(chunk, end, length);
      // Branches on bits of a hash would be mispredicted every other time, so there are none.
      const moving = salted(hashBytes(entry.bytes, entry.start, entry.end), salt) & bit ? 1 : 0;
      moves[slot] = moving;
      moved += moving;
      movedBytes += -moving & size;
    }
    this.other = this.otherInfo = 0;
    this.info = info;
    if (moved === 0) return block;
    const keptBytes = dataEnd - end - movedBytes;
    const kept = moved === count ? 0 : this.#createPage(0, count - moved, keptBytes);
    const keptInfo = kept === 0 ? 0 : this.info;
    this.other = this.#createPage(1, moved, movedBytes);
    this.otherInfo = this.info;
    this.info = keptInfo;
    this.#distribute(chunk, base, dataEnd, count);
    this.#arena.free(block);
    return kept;
  }

  /** Moves all entries of another page, which may be empty, to a page. Returns its new block. */
  join(block: number, info: number, other: number, otherInfo: number): number {
    this.info = info;
    if (other === 0) return block;
    const kept = info & COUNT_MASK, added = otherInfo & COUNT_MASK;
    invariant(kept + added <= ENTRIES_MAX, "a page holds too many entries");
    const used = this.#dataBytes(block, kept), addedBytes = this.#dataBytes(other, added);
    block = this.#reserve(block, info, used, groupBytes(kept + added) + used + addedBytes);
    const from = this.#arena.u8[other >>> CHUNK_SHIFT], to = this.#arena.u8[block >>> CHUNK_SHIFT];
    const fromBase = (other & GRANULE_MASK) << 3, base = (block & GRANULE_MASK) << 3;
    const fromEnd = fromBase + bytesOf(otherInfo), end = base + bytesOf(this.info) - used;
    copyBlock(from, fromEnd - addedBytes, fromEnd, to, end - addedBytes);
    for (let i = 0; i < added; i++) {
      const fromTag = fromBase + tagOffset(i), tag = base + tagOffset(kept + i);
      to[tag] = from[fromTag];
      to[tag + 4] = from[fromTag + 4];
    }
    this.info += added;
    this.#arena.free(other);
    return block;
  }

  /** A deep copy of a page, as small as it can be. */
  copy(block: number, info: number): number {
    this.info = 0;
    if (block === 0) return 0;
    const count = info & COUNT_MASK, used = this.#dataBytes(block, count);
    const copy = this.#relocated(block, info, used, groupBytes(count) + used);
    const data = this.#arena.u8[copy >>> CHUNK_SHIFT];
    this.#eachOutside(copy, this.info, (at) => writeRef(data, at, copyField(this.#arena, readRef(data, at))));
    return copy;
  }

  /** Frees a page, and returns how many blocks that were. */
  free(block: number, info: number): number {
    if (block === 0) return 0;
    let blocks = 1;
    this.eachRecord(block, info, (record) => {
      freeField(this.#arena, record);
      blocks++;
    });
    this.#arena.free(block);
    return blocks;
  }

  /** Visits the entries that are records. */
  eachRecord(block: number, info: number, visit: (record: RecordRef) => void): void {
    const data = this.#arena.u8[block >>> CHUNK_SHIFT];
    this.#eachOutside(block, info, (at) => visit(readRef(data, at)));
  }

  /** Checks the page for itself. */
  check(block: number, info: number): void {
    const count = info & COUNT_MASK;
    invariant((block === 0) === (info === 0) && (block === 0) === (count === 0), "an empty page has a block");
    if (block === 0) return;
    invariant(bytesOf(info) === this.#arena.sizeOf(block), "a page's size is wrong");
    invariant(groupBytes(count) + this.#dataBytes(block, count) <= bytesOf(info), "a page overflows");
  }

  #dataBytes(block: number, count: number): number {
    if (count === 0) return 0;
    return dataBefore(this.#arena.i32[block >>> CHUNK_SHIFT], (block & GRANULE_MASK) << 1, count);
  }

  /** Loads `entry` with the data at index `at` of a chunk, `size` bytes long. Hot. */
  #load(chunk: number, at: number, size: number): void {
    const entry = this.#entry;
    const data = this.#arena.u8[chunk];
    if (size > INLINE_BYTES_MAX) return this.#loadRecord(readRef(data, at));
    entry.record = NONE;
    entry.bytes = data;
    if (this.#pairs) {
      entry.start = at + 1;
      entry.end = entry.valueStart = at + 1 + data[at];
      entry.valueChunk = chunk;
      entry.valueEnd = at + size;
    } else {
      entry.start = at;
      entry.end = at + size;
    }
  }

  #loadRecord(record: RecordRef): void {
    const arena = this.#arena, entry = this.#entry;
    entry.record = record;
    entry.bytes = arena.u8[record >>> CHUNK_SHIFT];
    entry.start = keyStart(arena, record);
    entry.end = entry.start + keyLength(arena, record);
    const block = valueBlock(arena, record);
    entry.valueChunk = block >>> CHUNK_SHIFT;
    entry.valueStart = valuePlace(arena, record, block);
    entry.valueEnd = entry.valueStart + valueBytes(arena, record, block);
  }

  /** Visits where in its chunk each ref of a record lies. */
  #eachOutside(block: number, info: number, visit: (at: number) => void): void {
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const count = info & COUNT_MASK;
    let at = base + bytesOf(info);
    for (let slot = 0; slot < count; slot++) {
      const length = data[base + tagOffset(slot) + 4];
      at -= length & INLINE_BYTES_MAX;
      if (length > INLINE_BYTES_MAX) visit(at);
    }
  }

  /**
   * Makes a place for data with a length of `length` in a slot, or, if that is -1, in a new one. Leaves where it is in
   * #chunk and #at. Returns the page's new block. Hot.
   */
  #place(block: number, info: number, slot: number, hash: number, length: number): number {
    const size = length & INLINE_BYTES_MAX;
    const count = info & COUNT_MASK;
    if (slot >= 0) return this.#resize(block, info, slot, length);
    invariant(count < ENTRIES_MAX, "a page holds too many entries");
    const used = this.#dataBytes(block, count);
    block = this.#reserve(block, info, used, groupBytes(count + 1) + used + size);
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const tag = base + tagOffset(count);
    data[tag] = hash >>> 24;
    data[tag + 4] = length;
    this.#chunk = block >>> CHUNK_SHIFT;
    this.#at = base + bytesOf(this.info) - used - size;
    this.info++;
    return block;
  }

  /** Gives a slot's data another length, which moves the data in front of it. */
  #resize(block: number, info: number, slot: number, length: number): number {
    const count = info & COUNT_MASK;
    const through = this.#dataBytes(block, slot + 1), used = this.#dataBytes(block, count);
    const tag = tagOffset(slot);
    const old = this.#arena.u8[block >>> CHUNK_SHIFT][((block & GRANULE_MASK) << 3) + tag + 4];
    const growth = (length & INLINE_BYTES_MAX) - (old & INLINE_BYTES_MAX);
    block = this.#reserve(block, info, used, groupBytes(count) + used + growth);
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const end = base + bytesOf(this.info);
    data.copyWithin(end - used - growth, end - used, end - through);
    data[base + tag + 4] = length;
    if (growth < 0) block = this.#trim(block, this.info, used + growth);
    this.#chunk = block >>> CHUNK_SHIFT;
    this.#at = ((block & GRANULE_MASK) << 3) + bytesOf(this.info) - through - growth;
    return block;
  }

  /** Sees to it that a page with `used` bytes of data has room for `needed` bytes. Returns its block. Hot. */
  #reserve(block: number, info: number, used: number, needed: number): number {
    this.info = info;
    if (needed <= bytesOf(info)) return block;
    // Room for some more: each step copies the page.
    const larger = this.#relocated(block, info, used, needed + (needed >>> 3));
    if (block !== 0) this.#arena.free(block);
    return larger;
  }

  /** After a removal: frees the block of an empty page, and cuts down that of one that is half empty. */
  #trim(block: number, info: number, used: number): number {
    const count = info & COUNT_MASK, size = bytesOf(info), needed = groupBytes(count) + used;
    this.info = info;
    if (count > 0 && (size < SHRINKING_BYTES_MIN || needed > size >>> 1)) return block;
    const smaller = count === 0 ? 0 : this.#relocated(block, info, used, needed + (needed >>> 3));
    if (count === 0) this.info = 0;
    this.#arena.free(block);
    return smaller;
  }

  /** A copy of a page in a new block of at least `bytes`; of no page, an empty one. Leaves its info in the register. */
  #relocated(old: number, info: number, used: number, bytes: number): number {
    const arena = this.#arena;
    const size = arena.roundUp(bytes), count = info & COUNT_MASK;
    const block = arena.alloc(size);
    this.info = count | ((size >>> 3) << GRANULES_SHIFT);
    if (old === 0) return block;
    const from = arena.u8[old >>> CHUNK_SHIFT], to = arena.u8[block >>> CHUNK_SHIFT];
    const fromBase = (old & GRANULE_MASK) << 3, base = (block & GRANULE_MASK) << 3;
    const fromEnd = fromBase + bytesOf(info);
    copyBlock(from, fromBase, fromBase + groupBytes(count), to, base);
    copyBlock(from, fromEnd - used, fromEnd, to, base + size - used);
    return block;
  }

  /**
   * A page for `count` entries with `used` bytes of data, and some room, which #distribute will fill as number `which`.
   */
  #createPage(which: number, count: number, used: number): number {
    const bytes = groupBytes(count) + used;
    const block = this.#relocated(0, count, 0, bytes + (bytes >>> 3));
    this.#targets[which] = this.#arena.view[block >>> CHUNK_SHIFT];
    this.#fronts[which] = (block & GRANULE_MASK) << 3;
    this.#ends[which] = this.#fronts[which] + bytesOf(this.info);
    this.#counts[which] = 0;
    return block;
  }

  /**
   * Copies `count` entries of the page at `base` of a chunk, whose data ends at `end`, to the pages where they move.
   */
  #distribute(chunk: number, base: number, end: number, count: number): void {
    const data = this.#arena.u8[chunk], view = this.#arena.view[chunk];
    const moves = this.#moves, targets = this.#targets, fronts = this.#fronts, ends = this.#ends, counts = this.#counts;
    // Eight bytes at a time, from the end of an entry down. Excess bytes are overwritten by the next
    // entry, or by the groups, which have at least eight bytes and come last.
    for (let slot = 0; slot < count; slot++) {
      const size = data[base + tagOffset(slot) + 4] & INLINE_BYTES_MAX, which = moves[slot];
      const target = targets[which], to = ends[which];
      for (let k = 8; k < size + 8; k += 8) target.setBigInt64(to - k, view.getBigInt64(end - k));
      ends[which] = to - size;
      end -= size;
    }
    for (let slot = 0; slot < count; slot++) {
      const which = moves[slot], from = base + tagOffset(slot);
      const target = targets[which], to = fronts[which] + tagOffset(counts[which]++);
      target.setUint8(to, data[from]);
      target.setUint8(to + 4, data[from + 4]);
    }
  }
}

/** copyBytes for data that likely stays in its chunk, where copying takes no subarray. */
function copyBlock(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (source === target) target.copyWithin(at, start, end);
  else copyBytes(source, start, end, target, at);
}
