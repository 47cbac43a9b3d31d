/**
 * The pages of a member table: some twenty byte strings side by side in one block, with one byte of each one's hash and one
 * of its length. This file owns that layout; which member belongs to which page is member_table.ts's business.
 *
 *     page    groups of four members from the front: 4 tags, 4 lengths · room · data from the end, the first member last
 *     tag     the upper eight bits of the member's hash
 *     length  0 to 127 inline; 0x84: the data is the ref of a record (record.ts) whose key is the member
 *     info    what the table keeps beside the block's ref:  count:8 | granules of the block:16
 *
 * An empty page has no block: both words are 0. Members have slots in the order in which they came, but one that goes
 * may move others. Registers: writes leave the page's new info in `info`; `read` leaves a member in `bytes`, `start` and
 * `end`. One MemberPages serves all pages of an arena.
 */
import { invariant } from "../core/assert.ts";
import { NO_BYTES } from "../core/bytes.ts";
import { type Arena, CHUNK_SHIFT, copyBytes, GRANULE_MASK } from "./arena.ts";
import { hashBytes } from "./hash.ts";
import { createRecord, keyEquals, keyLength, keyStart } from "./record.ts";

/** What a page may hold. With a mean of at most 32 the odds against more are astronomical. */
const MEMBERS_MAX = 255;
const COUNT_MASK = 0xff;
const GRANULES_SHIFT = 8;

const INLINE_BYTES_MAX = 127;
const OUTSIDE = 0x80;
const REF_BYTES = 4;
/** Bytes that are loaded of a member before it is read. */
const INLINE_LOADED = 20;
/** Pages from here on are cut down when they are half empty. */
const SHRINKING_BYTES_MIN = 128;

/** Returns false to end the walk. */
export type MemberVisitor = (bytes: Uint8Array, start: number, end: number) => boolean;

/** Number of members of a page, from its info. */
export const membersOf = (info: number) => info & COUNT_MASK;
const bytesOf = (info: number) => (info >>> GRANULES_SHIFT) << 3;
/** Bytes of the groups that hold `count` tags and lengths. */
const groupBytes = (count: number) => ((count + 3) >>> 2) << 3;
/** Offset of a slot's tag; its length lies four bytes behind. */
const tagOffset = (slot: number) => ((slot >>> 2) << 3) + (slot & 3);

/**
 * The hash of a member in a table, from what hashBytes has for it. Each table mixes that with a salt of its own: members
 * that come in the order of another table, as from a scan, would all meet in a few pages if both tables had the same
 * order. Hot.
 */
export function salted(hash: number, salt: number): number {
  hash ^= salt;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

export class MemberPages {
  /** After a write: the page's info. */
  info = 0;
  /** After `split`: the page that took what moved, and its info. */
  other = 0;
  otherInfo = 0;
  /** After `read`: the member. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;

  readonly #arena: Arena;
  /** While a page splits: for each slot, whether it moves. */
  readonly #moves = new Uint8Array(MEMBERS_MAX);

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** The slot of the member `bytes[start, end)`, whose hash is `hash`; -1 if the page has not got it. Hot. */
  find(block: number, info: number, hash: number, bytes: Uint8Array, start: number, end: number): number {
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
        let at = (base << 2) + bytesOf(info) - dataBefore(words, base, slot + 1);
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
        return slot;
      }
    }
    return -1;
  }

  /** Loads what `find` reads of a page before it compares bytes. Returns what means nothing. Hot. */
  approachTags(block: number, info: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 1;
    // The lines of a page of the usual size; data that is read here without need does no harm.
    return words[base] ^ words[base + ((info & COUNT_MASK) >>> 2 << 1)];
  }

  /** Loads the data of the first member whose tag is that of `hash`. Returns what means nothing. Hot. */
  approachData(block: number, info: number, hash: number): number {
    const words = this.#arena.i32[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 1;
    const pattern = Math.imul(hash >>> 24, 0x01010101);
    const count = info & COUNT_MASK;
    for (let first = 0, i = base; first < count; first += 4, i += 2) {
      const difference = words[i] ^ pattern;
      const hits = (difference - 0x01010101) & ~difference & 0x80808080;
      if (hits === 0) continue;
      const slot = Math.min(first + ((31 - Math.clz32(hits & -hits)) >>> 3), count - 1);
      const end = (base << 2) + bytesOf(info) - dataBefore(words, base, slot);
      // A member of the usual size lies in at most two lines.
      return words[(end - 1) >>> 2] ^ words[Math.max(base, (end - INLINE_LOADED) >>> 2)];
    }
    return 0;
  }

  /** Reads the member in a slot. */
  read(block: number, info: number, slot: number): void {
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 1;
    const data = this.#arena.u8[chunk];
    const at = (base << 2) + bytesOf(info) - dataBefore(this.#arena.i32[chunk], base, slot + 1);
    const length = data[(base << 2) + tagOffset(slot) + 4];
    if (length <= INLINE_BYTES_MAX) {
      this.bytes = data;
      this.start = at;
      this.end = at + length;
    } else {
      this.#readRecord(readRef(data, at));
    }
  }

  /** Visits the members of a page; false when `visit` said so. Hot. */
  each(block: number, info: number, visit: MemberVisitor): boolean {
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const count = info & COUNT_MASK;
    let end = base + bytesOf(info);
    for (let slot = 0; slot < count; slot++) {
      const length = data[base + tagOffset(slot) + 4];
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

  /** Adds a member that is not there; it may lie anywhere in the arena. Returns the page's new block. Hot. */
  add(block: number, info: number, hash: number, bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const outside = length > INLINE_BYTES_MAX;
    const record = outside ? createRecord(this.#arena, 0, bytes, start, end, 0) : 0;
    const size = outside ? REF_BYTES : length;
    const count = info & COUNT_MASK;
    invariant(count < MEMBERS_MAX, "a page holds too many members");
    const used = this.#dataBytes(block, count);
    block = this.#reserve(block, info, used, groupBytes(count + 1) + used + size);
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const at = base + bytesOf(this.info) - used - size;
    if (outside) writeRef(data, at, record);
    else copyBytes(bytes, start, end, data, at);
    const tag = base + tagOffset(count);
    data[tag] = hash >>> 24;
    data[tag + 4] = outside ? OUTSIDE | REF_BYTES : length;
    this.info++;
    return block;
  }

  /** Removes the member in a slot. Returns the page's new block. Hot. */
  remove(block: number, info: number, slot: number): number {
    const chunk = block >>> CHUNK_SHIFT, base = (block & GRANULE_MASK) << 1;
    const words = this.#arena.i32[chunk], data = this.#arena.u8[chunk];
    const last = (info & COUNT_MASK) - 1;
    const front = base << 2, end = front + bytesOf(info);
    const tag = front + tagOffset(slot), lastTag = front + tagOffset(last);
    const size = data[tag + 4] & INLINE_BYTES_MAX;
    const before = dataBefore(words, base, slot), used = dataBefore(words, base, last + 1);
    if (data[tag + 4] > INLINE_BYTES_MAX) this.#arena.free(readRef(data, end - before - size));
    if (data[lastTag + 4] === data[tag + 4]) {
      // The last member is of the same size and takes the place.
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
   * Splits a page that is not empty, of a table with a salt: members whose hash has `bit` set move. Returns the block of what stays; what moves is
   * left in `other` and `otherInfo`.
   */
  split(block: number, info: number, salt: number, bit: number): number {
    const data = this.#arena.u8[block >>> CHUNK_SHIFT], base = (block & GRANULE_MASK) << 3;
    const dataEnd = base + bytesOf(info), count = info & COUNT_MASK, moves = this.#moves;
    let moved = 0, movedBytes = 0, end = dataEnd;
    for (let slot = 0; slot < count; slot++) {
      const length = data[base + tagOffset(slot) + 4], size = length & INLINE_BYTES_MAX;
      const start = end - size;
      let hash = 0;
      if (length <= INLINE_BYTES_MAX) {
        hash = salted(hashBytes(data, start, end), salt);
      } else {
        this.#readRecord(readRef(data, start));
        hash = salted(hashBytes(this.bytes, this.start, this.end), salt);
      }
      moves[slot] = hash & bit ? 1 : 0;
      if (moves[slot] === 1) {
        moved++;
        movedBytes += size;
      }
      end = start;
    }
    this.other = this.otherInfo = 0;
    this.info = info;
    if (moved === 0) return block;
    this.other = this.#pick(block, info, 1, moved, movedBytes);
    this.otherInfo = this.info;
    const kept = moved === count ? 0 : this.#pick(block, info, 0, count - moved, dataEnd - end - movedBytes);
    if (kept === 0) this.info = 0;
    this.#arena.free(block);
    return kept;
  }

  /** Moves all members of another page, which may be empty, to a page. Returns its new block. */
  join(block: number, info: number, other: number, otherInfo: number): number {
    this.info = info;
    if (other === 0) return block;
    const kept = info & COUNT_MASK, added = otherInfo & COUNT_MASK;
    invariant(kept + added <= MEMBERS_MAX, "a page holds too many members");
    const used = this.#dataBytes(block, kept), addedBytes = this.#dataBytes(other, added);
    block = this.#reserve(block, info, used, groupBytes(kept + added) + used + addedBytes);
    const from = this.#arena.u8[other >>> CHUNK_SHIFT], to = this.#arena.u8[block >>> CHUNK_SHIFT];
    const fromBase = (other & GRANULE_MASK) << 3, base = (block & GRANULE_MASK) << 3;
    const fromEnd = fromBase + bytesOf(otherInfo), end = base + bytesOf(this.info) - used;
    copyBytes(from, fromEnd - addedBytes, fromEnd, to, end - addedBytes);
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
    this.#eachOutside(copy, this.info, (at) => {
      this.#readRecord(readRef(data, at));
      writeRef(data, at, createRecord(this.#arena, 0, this.bytes, this.start, this.end, 0));
    });
    return copy;
  }

  /** Frees a page, and returns how many blocks that were. */
  free(block: number, info: number): number {
    if (block === 0) return 0;
    let blocks = 1;
    this.eachRecord(block, info, (ref) => {
      this.#arena.free(ref);
      blocks++;
    });
    this.#arena.free(block);
    return blocks;
  }

  /** Visits the records of the members that lie outside of the page. */
  eachRecord(block: number, info: number, visit: (ref: number) => void): void {
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

  #readRecord(ref: number): void {
    this.bytes = this.#arena.u8[ref >>> CHUNK_SHIFT];
    this.start = keyStart(this.#arena, ref);
    this.end = this.start + keyLength(this.#arena, ref);
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

  /** A new page of those members of another whose move is `which`: `count` with `used` bytes of data. */
  #pick(block: number, info: number, which: number, count: number, used: number): number {
    const arena = this.#arena;
    const target = this.#relocated(0, count, 0, groupBytes(count) + used);
    const from = arena.u8[block >>> CHUNK_SHIFT], to = arena.u8[target >>> CHUNK_SHIFT];
    const fromBase = (block & GRANULE_MASK) << 3, base = (target & GRANULE_MASK) << 3;
    const members = info & COUNT_MASK, moves = this.#moves;
    const fromView = arena.view[block >>> CHUNK_SHIFT], toView = arena.view[target >>> CHUNK_SHIFT];
    let fromEnd = fromBase + bytesOf(info), end = base + bytesOf(this.info);
    // Eight bytes at a time, from the end of a member down. What that writes too much is written again: by the next
    // member, or by the groups, which have eight bytes at least and come last.
    for (let i = 0; i < members; i++) {
      const size = from[fromBase + tagOffset(i) + 4] & INLINE_BYTES_MAX;
      if (moves[i] === which) {
        for (let k = 8; k < size + 8; k += 8) toView.setBigInt64(end - k, fromView.getBigInt64(fromEnd - k));
        end -= size;
      }
      fromEnd -= size;
    }
    for (let i = 0, slot = 0; i < members; i++) {
      if (moves[i] !== which) continue;
      const fromTag = fromBase + tagOffset(i), tag = base + tagOffset(slot);
      to[tag] = from[fromTag];
      to[tag + 4] = from[fromTag + 4];
      slot++;
    }
    return target;
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
