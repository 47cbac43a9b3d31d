/**
 * The dictionary: extendible hashing over records. It maps keys to the refs of their records. One Dict
 * object serves all dictionaries of an arena; the ref of its header names a dictionary, all of which lies in the arena.
 *
 *     header     +0 count · +4 depth · +8 directory, or the only segment while depth is 0 · +12 segments at `depth`
 *     directory  2^depth segment refs, indexed by the top bits of the hash
 *     segment    2^4 to 2^10 slots of (hash, ref), open addressing with linear probing from the home slot; slot 0
 *                is the segment's own header and looks like an occupied slot that never matches: hashes are odd,
 *                its word is even
 *
 * A full segment of 1024 slots splits alone and a nearly empty one merges with its buddy, so that no operation costs
 * more than one segment. Home slots come from bits 1 to 10 of the hash in the same order at every size; so (prefix,
 * home) is a position in hash space that survives splits and merges, which makes it the cursor of SCAN.
 *
 * Registers: find leaves where it ended in `words` and `slot`; they are valid until the next change of any dictionary.
 */
import { invariant } from "../../core/assert.ts";
import type { Random } from "../../core/random.ts";
import { type Arena, CHUNK_SHIFT, type DictRef, GRANULE_MASK, NONE, type RecordRef } from "../memory/arena.ts";
import { hashBytes } from "../../core/hash_function.ts";
import { keyEquals, keyLength, keyStart } from "./record.ts";

const COUNT = 0, DEPTH = 1, DIR = 2, DEEPEST = 3;
const HEADER_BYTES = 16;
const LOG_MIN = 4, LOG_MAX = 10;
const HOME_BITS = LOG_MAX;
export const HOMES = 1 << HOME_BITS;
const DEPTH_MAX = 31 - HOME_BITS;
// A scan counts hash space in prefixes of DEPTH_MAX bits.
export const PREFIXES = 1 << DEPTH_MAX;
export const PREFIX_SHIFT = 32 - DEPTH_MAX;

/** The most keys that one call of `prefetch` takes. */
export const PREFETCH_MAX = 16;

// The header word of a segment: log2(slots):5 from bit 1, depth:6 from bit 6, used:12 from bit 12.
const LOG_SHIFT = 1, DEPTH_SHIFT = 6, USED_SHIFT = 12;
const USED_ONE = 1 << USED_SHIFT;

function segmentWord(log: number, depth: number, used: number): number {
  return (log << LOG_SHIFT) | (depth << DEPTH_SHIFT) | (used << USED_SHIFT);
}
const logOf = (word: number) => (word >>> LOG_SHIFT) & 31;
const depthOf = (word: number) => (word >>> DEPTH_SHIFT) & 63;
const usedOf = (word: number) => word >>> USED_SHIFT;
/** The most elements that a segment holds: seven eighths while small, 85 % of 1024. */
const limitOf = (log: number) => log === LOG_MAX ? 870 : (1 << log) - (1 << (log - 3)) - 1;
/** The home slot of a hash in a segment of 2^log slots. */
export const homeOf = (hash: number, log: number) => ((hash >>> 1) & (HOMES - 1)) >>> (HOME_BITS - log);

export class Dict {
  /** After find: the words of the segment's chunk, and the index of the slot where the search ended. */
  words: Int32Array = new Int32Array(0);
  slot = 0;
  #segment = 0;
  #log = LOG_MIN;
  #directorySlot = 0;

  readonly #arena: Arena;
  readonly #prefetched = new Int32Array(PREFETCH_MAX);
  /** Means nothing; without a use of them the loads of `prefetch` would be left out. */
  #loaded = 0;
  readonly #scratch = new Int32Array(2 * HOMES);

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** An empty dictionary. The caller frees it with `destroy`. */
  create(): DictRef {
    const dict: DictRef = this.#arena.alloc(HEADER_BYTES);
    const words = this.#arena.i32[dict >>> CHUNK_SHIFT], i = (dict & GRANULE_MASK) << 1;
    words[i + COUNT] = 0;
    words[i + DEPTH] = 0;
    words[i + DIR] = this.#createSegment(LOG_MIN, 0);
    words[i + DEEPEST] = 1;
    return dict;
  }

  /** Frees the dictionary itself. The records belong to the caller. */
  destroy(dict: DictRef): void {
    this.#eachSegment(dict, (segment) => this.#arena.free(segment));
    const words = this.#arena.i32[dict >>> CHUNK_SHIFT], i = (dict & GRANULE_MASK) << 1;
    if (words[i + DEPTH] > 0) this.#arena.free(words[i + DIR]);
    this.#arena.free(dict);
  }

  count(dict: DictRef): number {
    return this.#arena.i32[dict >>> CHUNK_SHIFT][((dict & GRANULE_MASK) << 1) + COUNT];
  }

  /** The record with the key `bytes[start, end)`, or 0. `hash` is the key's hash. */
  find(dict: DictRef, bytes: Uint8Array, start: number, end: number, hash: number): RecordRef {
    const segment = this.#segmentOf(dict, hash);
    const words = this.#arena.i32[segment >>> CHUNK_SHIFT];
    const base = (segment & GRANULE_MASK) << 1;
    const log = this.#log;
    const mask = (1 << log) - 1;
    let i = homeOf(hash, log);
    this.words = words;
    for (;;) {
      const slot = base + (i << 1);
      const h = words[slot];
      if (h === 0) {
        this.slot = slot;
        return NONE;
      }
      if (h === hash) {
        const ref = words[slot + 1] as RecordRef;
        if (keyEquals(this.#arena, ref, bytes, start, end)) {
          this.slot = slot;
          return ref;
        }
      }
      i = (i + 1) & mask;
    }
  }

  /**
   * Loads the slots and the records of `count` keys, given by their hashes, into the processor's caches. Found one by
   * one each costs two or three misses in a row; here those of all keys overlap, because none of the loads waits for
   * another.
   */
  prefetch(dict: DictRef, hashes: Int32Array, count: number): void {
    const { i32 } = this.#arena;
    const refs = this.#prefetched;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const segment = this.#segmentOf(dict, hashes[k]);
      refs[k] = segment;
      sum ^= i32[segment >>> CHUNK_SHIFT][((segment & GRANULE_MASK) << 1) + (homeOf(hashes[k], this.#log) << 1)];
    }
    const log = this.#log, mask = (1 << log) - 1;
    for (let k = 0; k < count; k++) {
      const hash = hashes[k], words = i32[refs[k] >>> CHUNK_SHIFT], base = (refs[k] & GRANULE_MASK) << 1;
      let i = homeOf(hash, log);
      while (words[base + (i << 1)] !== hash && words[base + (i << 1)] !== 0) i = (i + 1) & mask;
      refs[k] = words[base + (i << 1)] === 0 ? 0 : words[base + (i << 1) + 1];
    }
    for (let k = 0; k < count; k++) {
      const words = i32[refs[k] >>> CHUNK_SHIFT], i = (refs[k] & GRANULE_MASK) << 1;
      // A record of the usual size reaches into a second cache line.
      sum ^= words[i] ^ words[Math.min(i + 12, words.length - 1)];
    }
    this.#loaded = sum;
  }

  /**
   * Loads the slots where searches for `count` hashes begin, without their records, into the processor's caches. Hot.
   */
  touch(dict: DictRef, hashes: Int32Array, count: number): void {
    const { i32 } = this.#arena;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const segment = this.#segmentOf(dict, hashes[k]), log = this.#log;
      const base = (segment & GRANULE_MASK) << 1, home = homeOf(hashes[k], log);
      const words = i32[segment >>> CHUNK_SHIFT];
      // A search, and a removal even more so, goes on into the next cache line.
      sum ^= words[base + (home << 1)] ^ words[base + (((home + 8) & ((1 << log) - 1)) << 1)];
    }
    this.#loaded = sum;
  }

  /** Finds the slot of a record by its identity, without looking at keys. False if the dictionary does not have it. */
  locate(dict: DictRef, hash: number, ref: RecordRef): boolean {
    const segment = this.#segmentOf(dict, hash);
    const words = this.#arena.i32[segment >>> CHUNK_SHIFT];
    const base = (segment & GRANULE_MASK) << 1;
    const log = this.#log;
    this.words = words;
    for (let i = homeOf(hash, log);; i = (i + 1) & ((1 << log) - 1)) {
      this.slot = base + (i << 1);
      if (words[this.slot] === 0) return false;
      if (words[this.slot] === hash && words[this.slot + 1] === ref) return true;
    }
  }

  /** Hash of a record that is in a dictionary, from its key. */
  hashOf(ref: RecordRef): number {
    const start = keyStart(this.#arena, ref);
    return hashBytes(this.#arena.u8[ref >>> CHUNK_SHIFT], start, start + keyLength(this.#arena, ref));
  }

  /** Inserts a record whose key the last `find` in this dictionary did not find. */
  insert(dict: DictRef, hash: number, ref: RecordRef): void {
    let word = this.words[(this.#segment & GRANULE_MASK) << 1];
    if (usedOf(word) >= limitOf(logOf(word))) {
      this.#makeRoom(dict, hash);
      word = this.words[(this.#segment & GRANULE_MASK) << 1];
    }
    this.words[this.slot] = hash;
    this.words[this.slot + 1] = ref;
    this.words[(this.#segment & GRANULE_MASK) << 1] = word + USED_ONE;
    this.#arena.i32[dict >>> CHUNK_SHIFT][((dict & GRANULE_MASK) << 1) + COUNT]++;
  }

  /** Puts another record, with the same key, in the slot that `find` or `locate` ended at. */
  replace(ref: RecordRef): void {
    this.words[this.slot + 1] = ref;
  }

  /** Takes the record that `find` or `locate` just found out of the dictionary; the caller frees it. */
  remove(dict: DictRef): void {
    const words = this.words;
    const base = (this.#segment & GRANULE_MASK) << 1;
    const log = logOf(words[base]);
    const mask = (1 << log) - 1;
    // Closes the gap: an entry whose home is not behind the hole moves back into it. Slot 0 never moves.
    let hole = (this.slot - base) >>> 1;
    for (let i = (hole + 1) & mask;; i = (i + 1) & mask) {
      if (i === 0) continue;
      const hash = words[base + (i << 1)];
      if (hash === 0) break;
      const home = homeOf(hash, log);
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      words[base + (hole << 1)] = hash;
      words[base + (hole << 1) + 1] = words[base + (i << 1) + 1];
      hole = i;
    }
    words[base + (hole << 1)] = 0;
    words[base] -= USED_ONE;
    this.#arena.i32[dict >>> CHUNK_SHIFT][((dict & GRANULE_MASK) << 1) + COUNT]--;
    const used = usedOf(words[base]);
    if (used < limitOf(log) >>> 2) this.#shrink(dict, this.#segment, this.#directorySlot);
  }

  /**
   * Visits the records from `cursor` (0 starts) until at least `count` were seen, and returns the cursor to go on with,
   * 0 at the end. Every record that is there from the first call to the last is visited at least once, whatever is
   * inserted and removed between the calls, and the position only grows, so that every scan ends; `visit` itself must
   * not change the dictionary.
   *
   * The cursor is prefix:21 | depth:5 | home:10 with the prefix in the upper bits, below 2^36: all hashes with a lower
   * prefix are done, and of those that share the prefix's first `depth` bits the ones with a lower home. Any other
   * number does no harm.
   */
  scan(dict: DictRef, cursor: number, count: number, visit: (ref: RecordRef) => void): number {
    let home = cursor % HOMES;
    const rest = Math.floor(cursor / HOMES);
    let depth = Math.min(rest % 32, DEPTH_MAX);
    let prefix = Math.floor(rest / 32) % PREFIXES;
    let seen = 0;
    for (;;) {
      const segment = this.#segmentOf(dict, prefix << PREFIX_SHIFT);
      const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
      const log = logOf(words[base]), actual = depthOf(words[base]);
      // A segment that was merged since is walked by parts: the rest of the part where the walk stood, then the largest
      // parts that begin where the last one ended.
      if (home === 0) depth = prefix === 0 ? 0 : DEPTH_MAX - (31 - Math.clz32(prefix & -prefix));
      depth = Math.max(depth, actual);
      const span = PREFIXES >>> depth;
      prefix -= prefix % span;
      const shift = HOME_BITS - log;
      for (let i = home >>> shift; i < 1 << log; i++) {
        seen += this.#visitHome(words, base, log, i, prefix, span, visit);
        if (seen >= count && i + 1 < 1 << log) return (prefix * 32 + depth) * HOMES + ((i + 1) << shift);
      }
      home = 0;
      prefix += span;
      if (prefix >= PREFIXES) return 0;
      if (seen >= count) return prefix * 32 * HOMES;
    }
  }

  /**
   * The largest part of hash space that begins with the 21-bit `prefix` and that one segment holds: how many prefixes
   * it spans. For walks that must know exactly which records they have seen, across splits and merges.
   */
  spanAt(dict: DictRef, prefix: number): number {
    const segment = this.#segmentOf(dict, prefix << PREFIX_SHIFT);
    const depth = depthOf(this.#arena.i32[segment >>> CHUNK_SHIFT][(segment & GRANULE_MASK) << 1]);
    const aligned = prefix === 0 ? PREFIXES : prefix & -prefix;
    return Math.min(PREFIXES >>> depth, aligned);
  }

  /** Visits the records with a home (0 to 1023) and one of `span` prefixes from `prefix` on; `visit` must not write. */
  visitAt(dict: DictRef, prefix: number, span: number, home: number, visit: (ref: RecordRef) => void): void {
    for (let at = prefix; at < prefix + span;) {
      const segment = this.#segmentOf(dict, at << PREFIX_SHIFT);
      const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
      const word = words[base], log = logOf(word), mask = (1 << log) - 1;
      for (let i = home >>> (HOME_BITS - log);; i = (i + 1) & mask) {
        const hash = words[base + (i << 1)];
        if (hash === 0) break;
        if ((hash & 1) === 0 || homeOf(hash, HOME_BITS) !== home) continue;
        const beyond = (hash >>> PREFIX_SHIFT) - prefix;
        if (beyond >= 0 && beyond < span) visit(words[base + (i << 1) + 1] as RecordRef);
      }
      const whole = PREFIXES >>> depthOf(word);
      at += whole - at % whole;
    }
  }

  /** Visits every record in no particular order; `visit` must not change the dictionary. */
  each(dict: DictRef, visit: (ref: RecordRef) => void): void {
    this.#eachSegment(dict, (segment) => {
      const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
      const slots = 1 << logOf(words[base]);
      for (let i = 1; i < slots; i++) if (words[base + (i << 1)] !== 0) visit(words[base + (i << 1) + 1] as RecordRef);
    });
  }

  /**
   * Empties an unused dictionary: hands about `budget` records to `release`, and frees the segments that they stood in.
   * Returns the dictionary while something is left, 0 when it is destroyed. Only this method may be called between.
   */
  drain(dict: DictRef, budget: number, release: (ref: RecordRef) => void): DictRef {
    const at = (dict & GRANULE_MASK) << 1, header = this.#arena.i32[dict >>> CHUNK_SHIFT];
    let given = 0;
    // COUNT serves as the directory index to go on from.
    if (header[at + COUNT] >= 0) header[at + COUNT] = -1;
    for (let index = ~header[at + COUNT]; index < 2 ** header[at + DEPTH];) {
      if (given >= budget) {
        header[at + COUNT] = ~index;
        return dict;
      }
      const segment = this.#segmentAt(dict, index);
      const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
      index += 2 ** (header[at + DEPTH] - depthOf(words[base]));
      given += usedOf(words[base]);
      for (let i = 1; i < 1 << logOf(words[base]); i++) {
        if (words[base + (i << 1)] !== 0) release(words[base + (i << 1) + 1] as RecordRef);
      }
      this.#arena.free(segment);
    }
    if (header[at + DEPTH] > 0) this.#arena.free(header[at + DIR]);
    this.#arena.free(dict);
    return NONE;
  }

  /** A uniformly chosen record of a dictionary that is not empty. */
  random(dict: DictRef, random: Random): RecordRef {
    invariant(this.count(dict) > 0, "a random record of an empty dictionary");
    const depth = this.#arena.i32[dict >>> CHUNK_SHIFT][((dict & GRANULE_MASK) << 1) + DEPTH];
    for (;;) {
      // Only the first directory slot of a segment counts, and every slot counts alike: rejection keeps it uniform.
      const index = depth === 0 ? 0 : random.below(2 ** depth);
      const segment = this.#segmentAt(dict, index);
      const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
      if (index & ((1 << (depth - depthOf(words[base]))) - 1)) continue;
      const slot = base + (random.below(1 << logOf(words[base])) << 1);
      if (slot !== base && words[slot] !== 0) return words[slot + 1] as RecordRef;
    }
  }

  /** Bytes of the arena that the dictionary itself takes, without the records. */
  sizeBytes(dict: DictRef): number {
    let bytes = this.#arena.sizeOf(dict);
    this.#eachSegment(dict, (segment) => bytes += this.#arena.sizeOf(segment));
    const i = (dict & GRANULE_MASK) << 1, words = this.#arena.i32[dict >>> CHUNK_SHIFT];
    return words[i + DEPTH] > 0 ? bytes + this.#arena.sizeOf(words[i + DIR]) : bytes;
  }

  /** Total number of slots, used or not. */
  slotCount(dict: DictRef): number {
    let slots = 0;
    this.#eachSegment(dict, (segment) => {
      slots += 1 << logOf(this.#arena.i32[segment >>> CHUNK_SHIFT][(segment & GRANULE_MASK) << 1]);
    });
    return slots;
  }

  /**
   * Checks all invariants; adds every block of the dictionary itself to `reached`, and calls `visit` for each record.
   */
  check(dict: DictRef, reached: Set<number>, visit: (ref: RecordRef) => void): void {
    const words = this.#arena.i32[dict >>> CHUNK_SHIFT], at = (dict & GRANULE_MASK) << 1;
    const depth = words[at + DEPTH];
    reached.add(dict);
    if (depth > 0) reached.add(words[at + DIR]);
    let count = 0, deepest = 0;
    for (let index = 0; index < 2 ** depth;) {
      const segment = this.#segmentAt(dict, index);
      reached.add(segment);
      const table = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
      const log = logOf(table[base]), local = depthOf(table[base]);
      const aliases = 2 ** (depth - local);
      invariant(index % aliases === 0, "a segment begins at a wrong place of the directory");
      for (let i = 0; i < aliases; i++) invariant(this.#segmentAt(dict, index + i) === segment, "an alias is missing");
      if (local === depth) deepest++;
      let used = 0;
      for (let i = 1; i < 1 << log; i++) {
        const hash = table[base + (i << 1)], ref = table[base + (i << 1) + 1] as RecordRef;
        if (hash === 0) continue;
        used++;
        invariant(this.hashOf(ref) === hash, "a slot's hash is not its key's");
        invariant(this.locate(dict, hash, ref), "a record cannot be found");
        visit(ref);
      }
      invariant(used === usedOf(table[base]), "the records of a segment are miscounted");
      count += used;
      index += aliases;
    }
    invariant(count === words[at + COUNT], "the records of a dictionary are miscounted");
    invariant(deepest === words[at + DEEPEST], "the deepest segments are miscounted");
  }

  /**
   * The segment that a hash belongs to; leaves its ref, log2 of its slots and its place in the directory in registers.
   * Only a segment alone can be small: the headers of others are not read, for each would be a cache miss.
   */
  #segmentOf(dict: DictRef, hash: number): number {
    const words = this.#arena.i32[dict >>> CHUNK_SHIFT], i = (dict & GRANULE_MASK) << 1;
    const depth = words[i + DEPTH], dir = words[i + DIR];
    if (depth === 0) {
      this.#directorySlot = 0;
      this.#log = logOf(this.#arena.i32[dir >>> CHUNK_SHIFT][(dir & GRANULE_MASK) << 1]);
      return this.#segment = dir;
    }
    this.#log = LOG_MAX;
    const index = hash >>> (32 - depth);
    this.#directorySlot = index;
    return this.#segment = this.#arena.i32[dir >>> CHUNK_SHIFT][((dir & GRANULE_MASK) << 1) + index];
  }

  #segmentAt(dict: DictRef, index: number): number {
    const words = this.#arena.i32[dict >>> CHUNK_SHIFT], i = (dict & GRANULE_MASK) << 1;
    const dir = words[i + DIR];
    if (words[i + DEPTH] === 0) return dir;
    return this.#arena.i32[dir >>> CHUNK_SHIFT][((dir & GRANULE_MASK) << 1) + index];
  }

  #eachSegment(dict: DictRef, visit: (segment: number) => void): void {
    const depth = this.#arena.i32[dict >>> CHUNK_SHIFT][((dict & GRANULE_MASK) << 1) + DEPTH];
    for (let index = 0; index < 2 ** depth;) {
      const segment = this.#segmentAt(dict, index);
      const local = depthOf(this.#arena.i32[segment >>> CHUNK_SHIFT][(segment & GRANULE_MASK) << 1]);
      index += 2 ** (depth - local);
      visit(segment);
    }
  }

  /**
   * Visits the records whose home is `home`, between it and the next empty slot, and whose hash begins with one of
   * `span` prefixes from `prefix` on. Returns how many.
   */
  #visitHome(
    words: Int32Array,
    base: number,
    log: number,
    home: number,
    prefix: number,
    span: number,
    visit: (ref: RecordRef) => void,
  ): number {
    const mask = (1 << log) - 1;
    let seen = 0;
    for (let i = home;; i = (i + 1) & mask) {
      const hash = words[base + (i << 1)];
      if (hash === 0) return seen;
      if ((hash & 1) === 0 || homeOf(hash, log) !== home) continue;
      const beyond = (hash >>> PREFIX_SHIFT) - prefix;
      if (beyond < 0 || beyond >= span) continue;
      visit(words[base + (i << 1) + 1] as RecordRef);
      seen++;
    }
  }

  #createSegment(log: number, depth: number): number {
    const segment = this.#arena.alloc(8 << log);
    const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
    words.fill(0, base, base + (2 << log));
    words[base] = segmentWord(log, depth, 0);
    return segment;
  }

  /** Puts a slot in a segment that has room for it, without counting it. Leaves the registers at it. */
  #place(segment: number, hash: number, ref: number): void {
    this.#probe(segment, hash);
    this.words[this.slot] = hash;
    this.words[this.slot + 1] = ref;
  }

  /** Leaves the registers at the empty slot where `hash` belongs. */
  #probe(segment: number, hash: number): void {
    const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
    const log = logOf(words[base]), mask = (1 << log) - 1;
    let i = homeOf(hash, log);
    while (words[base + (i << 1)] !== 0) i = (i + 1) & mask;
    this.words = words;
    this.slot = base + (i << 1);
    this.#segment = segment;
  }

  #makeRoom(dict: DictRef, hash: number): void {
    let segment = this.#segment;
    const at = (dict & GRANULE_MASK) << 1;
    const header = this.#arena.i32[dict >>> CHUNK_SHIFT];
    const log = logOf(this.words[(segment & GRANULE_MASK) << 1]);
    if (log < LOG_MAX) {
      // Only the single segment of a small dictionary is smaller than full size.
      header[at + DIR] = this.#resize(segment, log + 1);
    } else {
      for (;;) {
        this.#split(dict, segment, hash);
        segment = this.#segmentOf(dict, hash);
        const word = this.#arena.i32[segment >>> CHUNK_SHIFT][(segment & GRANULE_MASK) << 1];
        if (usedOf(word) < limitOf(log)) break;
      }
    }
    this.#probe(this.#segmentOf(dict, hash), hash);
  }

  /** Moves all slots of a segment to a new one of another size; the old one is freed. */
  #resize(segment: number, log: number): number {
    const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
    const word = words[base];
    const to = this.#createSegment(log, depthOf(word));
    for (let i = 1; i < 1 << logOf(word); i++) {
      const hash = words[base + (i << 1)];
      if (hash !== 0) this.#place(to, hash, words[base + (i << 1) + 1]);
    }
    this.#arena.i32[to >>> CHUNK_SHIFT][(to & GRANULE_MASK) << 1] = segmentWord(log, depthOf(word), usedOf(word));
    this.#arena.free(segment);
    return to;
  }

  #split(dict: DictRef, segment: number, hash: number): void {
    const header = this.#arena.i32[dict >>> CHUNK_SHIFT], at = (dict & GRANULE_MASK) << 1;
    const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
    const local = depthOf(words[base]);
    if (local === header[at + DEPTH]) this.#doubleDirectory(dict);
    const depth = header[at + DEPTH];
    const other = this.#createSegment(LOG_MAX, local + 1);
    if (local + 1 === depth) header[at + DEEPEST] += 2;
    const dir = header[at + DIR];
    const slots = this.#arena.i32[dir >>> CHUNK_SHIFT], dirAt = (dir & GRANULE_MASK) << 1;
    const aliases = 1 << (depth - local);
    const first = (hash >>> (32 - depth)) & ~(aliases - 1);
    for (let i = aliases / 2; i < aliases; i++) slots[dirAt + first + i] = other;
    const old = this.#scratch;
    old.set(words.subarray(base, base + 2 * HOMES));
    words.fill(0, base, base + 2 * HOMES);
    words[base] = segmentWord(LOG_MAX, local + 1, 0);
    let moved = 0, kept = 0;
    for (let i = 1; i < HOMES; i++) {
      const h = old[2 * i];
      if (h === 0) continue;
      if ((h >>> (31 - local)) & 1) {
        moved++;
        this.#place(other, h, old[2 * i + 1]);
      } else {
        kept++;
        this.#place(segment, h, old[2 * i + 1]);
      }
    }
    words[base] = segmentWord(LOG_MAX, local + 1, kept);
    this.#arena.i32[other >>> CHUNK_SHIFT][(other & GRANULE_MASK) << 1] = segmentWord(LOG_MAX, local + 1, moved);
  }

  #doubleDirectory(dict: DictRef): void {
    const header = this.#arena.i32[dict >>> CHUNK_SHIFT], at = (dict & GRANULE_MASK) << 1;
    const depth = header[at + DEPTH], old = header[at + DIR];
    invariant(depth < DEPTH_MAX, "the hash has no bits left to split by");
    const dir = this.#arena.alloc(8 << depth);
    const to = this.#arena.i32[dir >>> CHUNK_SHIFT], toAt = (dir & GRANULE_MASK) << 1;
    for (let i = 0; i < 1 << depth; i++) to[toAt + 2 * i] = to[toAt + 2 * i + 1] = this.#segmentAt(dict, i);
    if (depth > 0) this.#arena.free(old);
    header[at + DIR] = dir;
    header[at + DEPTH] = depth + 1;
    header[at + DEEPEST] = 0;
  }

  /** After a removal that left a segment under a quarter full: a smaller segment, or one with its buddy. */
  #shrink(dict: DictRef, segment: number, index: number): void {
    const header = this.#arena.i32[dict >>> CHUNK_SHIFT], at = (dict & GRANULE_MASK) << 1;
    const depth = header[at + DEPTH];
    const words = this.#arena.i32[segment >>> CHUNK_SHIFT], base = (segment & GRANULE_MASK) << 1;
    const log = logOf(words[base]), local = depthOf(words[base]);
    if (depth === 0) {
      if (log > LOG_MIN) header[at + DIR] = this.#resize(segment, log - 1);
      return;
    }
    const aliases = 1 << (depth - local);
    const first = index & ~(aliases - 1);
    const buddyFirst = first ^ aliases;
    const buddy = this.#segmentAt(dict, buddyFirst);
    const buddyWords = this.#arena.i32[buddy >>> CHUNK_SHIFT], buddyBase = (buddy & GRANULE_MASK) << 1;
    const used = usedOf(words[base]), buddyUsed = usedOf(buddyWords[buddyBase]);
    if (depthOf(buddyWords[buddyBase]) !== local || used + buddyUsed > limitOf(LOG_MAX) >>> 1) return;
    for (let i = 1; i < HOMES; i++) {
      const hash = words[base + (i << 1)];
      if (hash !== 0) this.#place(buddy, hash, words[base + (i << 1) + 1]);
    }
    buddyWords[buddyBase] = segmentWord(LOG_MAX, local - 1, used + buddyUsed);
    const dir = header[at + DIR];
    const slots = this.#arena.i32[dir >>> CHUNK_SHIFT], dirAt = (dir & GRANULE_MASK) << 1;
    for (let i = 0; i < aliases; i++) slots[dirAt + first + i] = buddy;
    this.#arena.free(segment);
    if (local === depth) {
      header[at + DEEPEST] -= 2;
      if (header[at + DEEPEST] === 0) this.#halveDirectory(dict);
    }
  }

  /** Halves the directory until a segment needs its whole depth; at depth 0 the segment takes the directory's place. */
  #halveDirectory(dict: DictRef): void {
    const header = this.#arena.i32[dict >>> CHUNK_SHIFT], at = (dict & GRANULE_MASK) << 1;
    while (header[at + DEEPEST] === 0) {
      const depth = header[at + DEPTH] - 1, old = header[at + DIR];
      const from = this.#arena.i32[old >>> CHUNK_SHIFT], fromAt = (old & GRANULE_MASK) << 1;
      if (depth === 0) {
        header[at + DIR] = from[fromAt];
      } else {
        const dir = this.#arena.alloc(4 << depth);
        const to = this.#arena.i32[dir >>> CHUNK_SHIFT], toAt = (dir & GRANULE_MASK) << 1;
        for (let i = 0; i < 1 << depth; i++) to[toAt + i] = from[fromAt + 2 * i];
        header[at + DIR] = dir;
      }
      header[at + DEPTH] = depth;
      this.#arena.free(old);
      let deepest = 0;
      this.#eachSegment(dict, (segment) => {
        if (depthOf(this.#arena.i32[segment >>> CHUNK_SHIFT][(segment & GRANULE_MASK) << 1]) === depth) deepest++;
      });
      header[at + DEEPEST] = deepest;
    }
  }
}
