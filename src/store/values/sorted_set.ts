/**
 * The sorted set: one packed block of pairs (LISTPACK) while it is small, otherwise a dictionary of records, each a
 * member and its score, with an ordered index over them (SKIPLIST, Redis's name of that encoding). This file owns the
 * conversion, at Redis's thresholds, and gives both forms one interface: elements have ranks, and every range, by rank,
 * score or member, is a range of ranks.
 *
 *     large body   +0 dictionary · +4 ordered index (0 once it is freed)
 *
 * One SortedSet serves all sorted sets of a store. `open` takes up a set; writes leave its encoding and body in the
 * registers `encoding` and `body`, for the caller to store. The element read last is in `bytes`, `start`, `end` and
 * `score`. These registers, the cursor and the result of `find` are valid until the next write. A set is empty only
 * between a write and the deletion of its key.
 */
import { invariant } from "../../core/assert.ts";
import { NO_BYTES } from "../../core/bytes.ts";
import { formatDouble } from "../../core/numbers.ts";
import type { Random } from "../../core/random.ts";
import {
  type Arena,
  type BodyRef,
  CHUNK_SHIFT,
  type DictRef,
  GRANULE_MASK,
  type IndexRef,
  NONE,
  type RecordRef,
  type Ref,
} from "../memory/arena.ts";
import { type Dict, PREFETCH_MAX } from "../blocks/dict.ts";
import { hashBytes } from "../../core/hash_function.ts";
import { Encoding } from "../keyspace.ts";
import { Ordered } from "../blocks/ordered.ts";
import { createRecord, keyLength, keyStart, NUMBER, scoreOf, setScore } from "../blocks/record.ts";
import { sortByScore } from "../blocks/score_sort.ts";
import { ScoredPairs } from "../blocks/scored_pairs.ts";
import { type CommandWriter, ELEMENTS_PER_COMMAND, type ValueType } from "../store.ts";

const DICT = 0, INDEX = 1;
const BODY_BYTES = 8;
/** The most elements that one call of `readRun` reads. */
const RUN_MAX = 64;
/** A set with fewer members is likely in the processor's cache. */
const LARGE = 1 << 12;
/** Called with a member and its score; the bytes are valid during the call. */
export type ScoreVisitor = (bytes: Uint8Array, start: number, end: number, score: number) => void;

export class SortedSet implements ValueType {
  /** Redis's zset-max-listpack-entries and zset-max-listpack-value. */
  maxPackedEntries = 128;
  maxPackedValueBytes = 64;

  /** The set at hand. */
  encoding: number = Encoding.LISTPACK;
  body: BodyRef = NONE;
  /** The element read last. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  score = 0;
  /** The run read last: member k is `views[chunks[k]]` from `starts[k]` to `ends[k]`. */
  readonly views: readonly DataView[];
  readonly chunks = new Int32Array(RUN_MAX);
  readonly starts = new Int32Array(RUN_MAX);
  readonly ends = new Int32Array(RUN_MAX);

  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #ordered: Ordered;
  readonly #pairs: ScoredPairs;
  // The result of find: a record or a position, and the hash of the member.
  #ref: RecordRef = NONE;
  #position = 0;
  #hash = 0;
  // The cursor in a packed block; 0 is before the first.
  #cursor = 0;
  readonly #run = new Int32Array(RUN_MAX);
  // Records that are likely to be removed next, with their hashes, and for which set they were looked up.
  readonly #refs = new Int32Array(PREFETCH_MAX);
  readonly #hashes = new Int32Array(PREFETCH_MAX);
  #looked = 0;
  #lookedEnd = 0;
  #lookedBody = 0;
  #loaded = 0;

  constructor(arena: Arena, dict: Dict) {
    this.#arena = arena;
    this.views = arena.view;
    this.#dict = dict;
    this.#ordered = new Ordered(arena);
    this.#pairs = new ScoredPairs(arena);
  }

  /** Takes up a set. */
  open(encoding: number, body: BodyRef): void {
    this.encoding = encoding;
    this.body = body;
  }

  /**
   * Takes up a new, empty set that will get about `count` elements, the first of them with `memberBytes`; `bytes` is
   * the size of all entries, as far as it is known.
   */
  create(count: number, memberBytes: number, bytes = 0): void {
    if (count <= this.maxPackedEntries && memberBytes <= this.maxPackedValueBytes) {
      this.open(Encoding.LISTPACK, this.#pairs.create(bytes));
    } else {
      this.open(Encoding.SKIPLIST, this.#createBody(this.#dict.create(), this.#ordered.create()));
    }
  }

  /** Makes a packed set large if `count` elements more than the limit are about to come. */
  expect(count: number): void {
    if (this.encoding === Encoding.LISTPACK && count > this.maxPackedEntries) this.#unpack();
  }

  get length(): number {
    return this.count(this.encoding, this.body);
  }

  prefetch(encoding: number, body: BodyRef, hashes: Int32Array, count: number): void {
    if (encoding === Encoding.SKIPLIST && this.count(encoding, body) >= LARGE) {
      this.#dict.prefetch(this.#partOf(body, DICT), hashes, count);
    }
  }

  /** Looks for a member; leaves its score in `score`. `hash` is hashBytes of it, 0 if not known. Hot. */
  find(bytes: Uint8Array, start: number, end: number, hash = 0): boolean {
    if (this.encoding === Encoding.LISTPACK) {
      if (!this.#pairs.find(this.body, bytes, start, end)) return false;
      this.#position = this.#pairs.position;
      this.score = this.#pairs.score;
      return true;
    }
    this.#hash = hash === 0 ? hashBytes(bytes, start, end) : hash;
    this.#ref = this.#dict.find(this.#part(DICT), bytes, start, end, this.#hash);
    if (this.#ref === 0) return false;
    this.score = scoreOf(this.#arena, this.#ref);
    return true;
  }

  /** The rank of the element that `find` just found. */
  foundRank(): number {
    if (this.encoding === Encoding.LISTPACK) return this.#pairs.rank;
    return this.#ordered.rankOf(this.#part(INDEX), this.#ref);
  }

  /** Adds the member that `find` just did not find. Hot. */
  insert(score: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.encoding === Encoding.LISTPACK) {
      if (this.#pairs.count(this.body) < this.maxPackedEntries && end - start <= this.maxPackedValueBytes) {
        this.body = this.#pairs.insert(this.body, score, bytes, start, end);
        return;
      }
      this.#unpack();
      this.find(bytes, start, end);
    }
    const ref = createRecord(this.#arena, NUMBER, bytes, start, end, 0);
    setScore(this.#arena, ref, score);
    this.#dict.insert(this.#part(DICT), this.#hash, ref);
    this.#ordered.insert(this.#part(INDEX), ref);
  }

  /** Gives the element `bytes[start, end)` that `find` just found another score. Hot. */
  rescore(score: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.encoding === Encoding.LISTPACK) {
      this.body = this.#pairs.remove(this.body, this.#position, 1);
      this.body = this.#pairs.insert(this.body, score, bytes, start, end);
    } else {
      this.#ordered.rescore(this.#part(INDEX), this.#ref, score);
    }
  }

  /** Removes the element that `find` just found. Hot. */
  remove(): void {
    if (this.encoding === Encoding.LISTPACK) {
      this.body = this.#pairs.remove(this.body, this.#position, 1);
      return;
    }
    this.#dict.remove(this.#part(DICT));
    this.#ordered.remove(this.#part(INDEX), this.#ref);
    this.#arena.free(this.#ref);
  }

  /** Removes the `count` elements from a rank on; there must be so many. Hot at either end. */
  removeRange(rank: number, count: number): void {
    if (this.encoding === Encoding.LISTPACK) {
      this.body = this.#pairs.remove(this.body, this.#pairs.at(this.body, rank), count);
      return;
    }
    const index = this.#part(INDEX);
    if (count === 1) {
      this.#ordered.seek(index, rank);
      this.#removeSingle(rank > 0);
      this.#ordered.removeHere(index, 1);
      return;
    }
    for (let left = count; left > 0;) {
      this.#ordered.seek(index, rank);
      const taken = this.#look(Math.min(left, PREFETCH_MAX), false);
      for (let k = 0; k < taken; k++) this.#drop(this.#refs[k] as RecordRef, this.#hashes[k]);
      this.#ordered.removeHere(index, taken);
      left -= taken;
    }
  }

  /**
   * Drops the record under the cursor. Pops of single elements from one end each wait for the record and for its slot
   * in the dictionary. So this loads the records and slots of several elements together and keeps their hashes. They
   * only predict the next pops, and may be wrong.
   */
  #removeSingle(back: boolean): void {
    const { ref } = this.#ordered;
    if (this.#looked === this.#lookedEnd || this.#refs[this.#looked] !== ref) {
      const again = this.#lookedBody === this.body;
      this.#lookedBody = this.body;
      this.#lookedEnd = this.#look(again && this.length >= LARGE ? PREFETCH_MAX : 1, back);
      this.#looked = 0;
    }
    this.#drop(ref, this.#hashes[this.#looked++]);
  }

  /**
   * Reads up to `count` refs from the cursor on, or back, as far as its leaf goes, with their hashes. Returns how many.
   */
  #look(count: number, back: boolean): number {
    const dict = this.#dict, members = this.#part(DICT);
    const found = this.#ordered.readRefs(this.#refs, count, back);
    const { i32 } = this.#arena;
    let sum = 0;
    for (let k = 0; k < found; k++) {
      const ref = this.#refs[k], words = i32[ref >>> CHUNK_SHIFT], i = (ref & GRANULE_MASK) << 1;
      // Half of the records of the usual size reach into a second cache line.
      sum ^= words[i] ^ words[Math.min(i + 9, words.length - 1)];
    }
    // Kept, so that the loads are not optimized away: misses that do not wait for each other take the time of one.
    this.#loaded = sum;
    // Loads in a row overlap; between the computing of hashes the processor would not look so far ahead.
    for (let k = 0; k < found; k++) this.#hashes[k] = dict.hashOf(this.#refs[k] as RecordRef);
    if (found > 1) dict.touch(members, this.#hashes, found);
    return found;
  }

  /** The number of elements with a score below `score` (not above it, if `after`). Puts the cursor behind them. Hot. */
  rankOfScore(score: number, after: boolean): number {
    if (this.encoding === Encoding.SKIPLIST) return this.#ordered.seekScore(this.#part(INDEX), score, after);
    this.#pairs.seekScore(this.body, score, after);
    this.#cursor = this.#pairs.position;
    return this.#pairs.rank;
  }

  /**
   * The number of elements whose member comes before `bytes[start, end)` (not behind it, if `after`), where all have
   * one score. Puts the cursor behind them.
   */
  rankOfMember(bytes: Uint8Array, start: number, end: number, after: boolean): number {
    if (this.encoding === Encoding.SKIPLIST) {
      return this.#ordered.seekKey(this.#part(INDEX), bytes, start, end, after);
    }
    this.#pairs.seekMember(this.body, bytes, start, end, after);
    this.#cursor = this.#pairs.position;
    return this.#pairs.rank;
  }

  /** Puts the cursor on the element with a rank from 0 to the length, which is the end. */
  seek(rank: number): void {
    if (this.encoding === Encoding.SKIPLIST) this.#ordered.seek(this.#part(INDEX), rank);
    else this.#cursor = this.#pairs.at(this.body, rank);
  }

  /**
   * Puts the cursor where a walk through the scores between two bounds begins, of which the lower one is behind the
   * scores below `low` (and `low` itself, if `afterLow`), and the upper one is so for its own pair; `back` walks from
   * the upper to the lower one. Returns how many elements the walk meets, at most `most`. Hot.
   */
  walkScores(
    low: number,
    afterLow: boolean,
    high: number,
    afterHigh: boolean,
    back: boolean,
    most: number,
  ): number {
    if (this.encoding === Encoding.LISTPACK) {
      const to = this.rankOfScore(high, afterHigh), from = this.rankOfScore(low, afterLow);
      if (back) this.seek(to - 1);
      return Math.min(Math.max(0, to - from), most);
    }
    const ordered = this.#ordered, index = this.#part(INDEX);
    if (back) {
      ordered.seekBack(index, high, afterHigh);
      return ordered.countBackTo(index, low, afterLow, most);
    }
    ordered.seekForward(index, low, afterLow);
    return ordered.countTo(index, high, afterHigh, most);
  }

  /**
   * Moves the cursor from where a method that seeks has put it by so many elements, back if negative; they must be
   * there.
   */
  skip(by: number): void {
    if (this.encoding === Encoding.SKIPLIST) {
      this.#ordered.skip(this.#part(INDEX), by);
    } else {
      for (; by > 0; by--) this.next();
      for (; by < 0; by++) this.back();
    }
  }

  /**
   * Reads up to `count` elements of a large set from the cursor on, or back from it, into `chunks`, `starts` and
   * `ends`, and moves the cursor behind them. Returns how many; 0 for a packed set, whose elements are read one by one.
   * Hot.
   */
  readRun(count: number, back: boolean): number {
    if (this.encoding === Encoding.LISTPACK) return 0;
    const arena = this.#arena, refs = this.#run, { starts, ends, chunks } = this;
    const found = this.#ordered.readRefs(refs, Math.min(count, RUN_MAX), back);
    for (let k = 0; k < found; k++) {
      const ref = refs[k] as RecordRef, start = keyStart(arena, ref);
      chunks[k] = ref >>> CHUNK_SHIFT;
      starts[k] = start;
      ends[k] = start + keyLength(arena, ref);
    }
    return found;
  }

  /** The score of element k of the run that was read last. */
  runScore(k: number): number {
    return scoreOf(this.#arena, this.#run[k] as RecordRef);
  }

  /** Reads the element under the cursor and goes on to the next. Hot. */
  next(): void {
    if (this.encoding === Encoding.SKIPLIST) {
      this.#readRecord(this.#ordered.ref);
      this.#ordered.step();
    } else {
      this.#cursor = this.#readPair(this.body, this.#cursor);
    }
  }

  /** Reads the element under the cursor and goes back to the one before. Hot. */
  back(): void {
    if (this.encoding === Encoding.SKIPLIST) {
      this.#readRecord(this.#ordered.ref);
      this.#ordered.stepBack();
    } else {
      const position = this.#cursor;
      this.#readPair(this.body, position);
      this.#cursor = this.#pairs.previous(this.body, position);
    }
  }

  /**
   * Visits up to `count` elements from the cursor on, or back from it, until `visit`, which must not write, says false.
   */
  walk(
    count: number,
    back: boolean,
    visit: (bytes: Uint8Array, start: number, end: number, score: number) => boolean,
  ): void {
    const { u8 } = this.#arena;
    for (let left = count; left > 0;) {
      const run = this.readRun(left, back);
      if (run === 0) {
        if (back) this.back();
        else this.next();
        if (!visit(this.bytes, this.start, this.end, this.score)) return;
        left--;
      }
      for (let k = 0; k < run; k++) {
        if (!visit(u8[this.chunks[k]], this.starts[k], this.ends[k], this.runScore(k))) return;
      }
      left -= run;
    }
  }

  /** Reads a uniformly chosen element of a set that is not empty. */
  readRandom(random: Random): void {
    if (this.encoding === Encoding.SKIPLIST) {
      this.#readRecord(this.#dict.random(this.#part(DICT), random));
    } else {
      this.#readPair(this.body, this.#pairs.at(this.body, random.below(this.length)));
    }
  }

  /**
   * Visits elements from `cursor` (0 starts) on, about `count` of them, and returns the cursor to go on with; 0 is the
   * end. The guarantees are those of the dictionary's scan; a packed set is visited whole.
   */
  scan(cursor: number, count: number, visit: ScoreVisitor): number {
    if (this.encoding === Encoding.SKIPLIST) {
      return this.#dict.scan(this.#part(DICT), cursor, count, (ref) => this.#visitRecord(ref, visit));
    }
    this.each(this.encoding, this.body, visit);
    return 0;
  }

  /** Visits all elements of a set, in any order; `visit` may look members up in other sets, but must not write. */
  each(encoding: number, body: BodyRef, visit: ScoreVisitor): void {
    if (encoding === Encoding.SKIPLIST) {
      this.#dict.each(this.#partOf(body, DICT), (ref) => this.#visitRecord(ref, visit));
      return;
    }
    const end = this.#pairs.endOf(body);
    for (let position = this.#pairs.at(body, 0); position < end;) {
      position = this.#readPair(body, position);
      visit(this.bytes, this.start, this.end, this.score);
    }
  }

  /** The score of a member of any set, NaN if it has none such. Leaves all registers as they are. */
  scoreIn(encoding: number, body: BodyRef, bytes: Uint8Array, start: number, end: number): number {
    if (encoding === Encoding.SKIPLIST) {
      const ref = this.#dict.find(this.#partOf(body, DICT), bytes, start, end, hashBytes(bytes, start, end));
      return ref === 0 ? NaN : scoreOf(this.#arena, ref);
    }
    return this.#pairs.find(body, bytes, start, end) ? this.#pairs.score : NaN;
  }

  /**
   * Takes up a new set of the members that `fill` adds; where one comes again, `combine` makes one score of the one so
   * far and the new one. The set is large, or, if `compact`, packed where the limits allow it.
   */
  collect(
    compact: boolean,
    fill: (add: ScoreVisitor) => void,
    combine: (a: number, b: number) => number = (_, score) => score,
  ): void {
    const arena = this.#arena, dict = this.#dict;
    const members = dict.create();
    let longest = 0;
    fill((bytes, start, end, score) => {
      const hash = hashBytes(bytes, start, end);
      let ref = dict.find(members, bytes, start, end, hash);
      if (ref !== 0) {
        setScore(arena, ref, combine(scoreOf(arena, ref), score));
        return;
      }
      ref = createRecord(arena, NUMBER, bytes, start, end, 0);
      setScore(arena, ref, score);
      dict.insert(members, hash, ref);
      if (end - start > longest) longest = end - start;
    });
    const refs = new Int32Array(dict.count(members));
    let count = 0;
    dict.each(members, (ref) => refs[count++] = ref);
    const sorted = sortByScore(arena, refs);
    if (!compact || count > this.maxPackedEntries || longest > this.maxPackedValueBytes) {
      const index = this.#ordered.create();
      for (let i = 0; i < count; i++) this.#ordered.append(index, sorted[i] as RecordRef);
      this.open(Encoding.SKIPLIST, this.#createBody(members, index));
      return;
    }
    this.open(Encoding.LISTPACK, this.#pairs.create());
    for (let i = 0; i < count; i++) {
      this.#readRecord(sorted[i] as RecordRef);
      this.body = this.#pairs.append(this.body, this.score, this.bytes, this.start, this.end);
      arena.free(sorted[i] as RecordRef);
    }
    dict.destroy(members);
  }

  emit(encoding: number, body: BodyRef, cursor: number, writer: CommandWriter): number {
    let room = 0;
    this.open(encoding, body);
    do {
      cursor = this.scan(cursor, ELEMENTS_PER_COMMAND, (bytes, start, end, score) => {
        if (room-- === 0) {
          writer.command("ZADD");
          room = ELEMENTS_PER_COMMAND - 1;
        }
        writer.text(formatDouble(score));
        writer.bytes(bytes, start, end);
      });
    } while (cursor !== 0 && !writer.full);
    return cursor;
  }

  copy(encoding: number, body: BodyRef): BodyRef {
    if (encoding === Encoding.LISTPACK) return this.#pairs.copy(body);
    const arena = this.#arena, dict = this.#dict, ordered = this.#ordered;
    const members = dict.create(), index = ordered.create();
    const from = this.#partOf(body, INDEX);
    for (ordered.seek(from, 0); ordered.leaf !== 0; ordered.step()) {
      // Appending moves the cursor.
      const { ref, leaf, index: place } = ordered;
      this.#readRecord(ref);
      const hash = hashBytes(this.bytes, this.start, this.end);
      dict.find(members, this.bytes, this.start, this.end, hash);
      const copy = createRecord(arena, NUMBER, this.bytes, this.start, this.end, 0);
      setScore(arena, copy, this.score);
      dict.insert(members, hash, copy);
      ordered.append(index, copy);
      ordered.leaf = leaf;
      ordered.index = place;
    }
    return this.#createBody(members, index);
  }

  free(encoding: number, body: BodyRef, budget: number): BodyRef {
    const arena = this.#arena;
    if (encoding === Encoding.SKIPLIST) {
      const words = arena.i32[body >>> CHUNK_SHIFT], at = (body & GRANULE_MASK) << 1;
      if (words[at + INDEX] !== 0) {
        words[at + INDEX] = this.#ordered.drain(words[at + INDEX] as IndexRef, budget);
        if (words[at + INDEX] !== 0) return body;
      }
      words[at + DICT] = this.#dict.drain(words[at + DICT] as DictRef, budget, (ref) => arena.free(ref));
      if (words[at + DICT] !== 0) return body;
    }
    arena.free(body);
    return NONE;
  }

  count(encoding: number, body: BodyRef): number {
    if (encoding === Encoding.LISTPACK) return this.#pairs.count(body);
    return this.#dict.count(this.#partOf(body, DICT));
  }

  sizeBytes(encoding: number, body: BodyRef, samples: number): number {
    const arena = this.#arena, ordered = this.#ordered;
    const bytes = arena.sizeOf(body);
    if (encoding === Encoding.LISTPACK) return bytes;
    const count = this.count(encoding, body), index = this.#partOf(body, INDEX);
    const looked = samples === 0 ? count : Math.min(samples, count);
    let sum = 0;
    ordered.seek(index, 0);
    for (let i = 0; i < looked; i++, ordered.step()) sum += arena.sizeOf(ordered.ref);
    const records = looked === 0 ? 0 : Math.round(sum / looked * count);
    return bytes + this.#dict.sizeBytes(this.#partOf(body, DICT)) + ordered.sizeBytes(index) + records;
  }

  elements(
    encoding: number,
    body: BodyRef,
    reverse: boolean,
    visit: (bytes: Uint8Array, start: number, end: number) => boolean,
  ): void {
    this.open(encoding, body);
    const { length } = this;
    if (length === 0) return;
    this.seek(reverse ? length - 1 : 0);
    for (let i = 0; i < length; i++) {
      if (reverse) this.back();
      else this.next();
      if (!visit(this.bytes, this.start, this.end)) return;
    }
  }

  check(encoding: number, body: BodyRef, reached: Set<number>): void {
    reached.add(body);
    if (encoding === Encoding.LISTPACK) {
      this.#pairs.check(body);
      return;
    }
    const arena = this.#arena;
    const members = new Set<number>();
    this.#dict.check(this.#partOf(body, DICT), reached, (ref) => {
      invariant(!reached.has(ref), "a member belongs to two owners");
      reached.add(ref);
      members.add(ref);
    });
    let count = 0;
    this.#ordered.check(this.#partOf(body, INDEX), reached, (ref) => {
      invariant(members.has(ref), "the ordered index has a record that is no member");
      invariant(!Number.isNaN(scoreOf(arena, ref)), "a score is not a number");
      count++;
    });
    invariant(count === members.size, "the ordered index lacks a member");
  }

  #part(part: typeof DICT): DictRef;
  #part(part: typeof INDEX): IndexRef;
  #part(part: number): Ref {
    return this.#arena.i32[this.body >>> CHUNK_SHIFT][((this.body & GRANULE_MASK) << 1) + part] as Ref;
  }

  #partOf(body: BodyRef, part: typeof DICT): DictRef;
  #partOf(body: BodyRef, part: typeof INDEX): IndexRef;
  #partOf(body: BodyRef, part: number): Ref {
    return this.#arena.i32[body >>> CHUNK_SHIFT][((body & GRANULE_MASK) << 1) + part] as Ref;
  }

  #createBody(dict: DictRef, index: IndexRef): BodyRef {
    const body: BodyRef = this.#arena.alloc(BODY_BYTES);
    const words = this.#arena.i32[body >>> CHUNK_SHIFT], at = (body & GRANULE_MASK) << 1;
    words[at + DICT] = dict;
    words[at + INDEX] = index;
    return body;
  }

  /** Makes the packed set at hand a large one. */
  #unpack(): void {
    const arena = this.#arena, dict = this.#dict, block = this.body;
    const members = dict.create(), index = this.#ordered.create();
    const end = this.#pairs.endOf(block);
    for (let position = this.#pairs.at(block, 0); position < end;) {
      position = this.#readPair(block, position);
      const hash = hashBytes(this.bytes, this.start, this.end);
      dict.find(members, this.bytes, this.start, this.end, hash);
      const ref = createRecord(arena, NUMBER, this.bytes, this.start, this.end, 0);
      setScore(arena, ref, this.score);
      dict.insert(members, hash, ref);
      this.#ordered.append(index, ref);
    }
    arena.free(block);
    this.open(Encoding.SKIPLIST, this.#createBody(members, index));
  }

  /** Takes a record that leaves the ordered index out of the dictionary, and frees it. `hash` is likely its hash. */
  #drop(ref: RecordRef, hash: number): void {
    const dict = this.#dict, members = this.#part(DICT);
    const found = dict.locate(members, hash, ref) || dict.locate(members, dict.hashOf(ref), ref);
    invariant(found, "a record of the ordered index is no member");
    dict.remove(members);
    this.#arena.free(ref);
  }

  #visitRecord(ref: RecordRef, visit: ScoreVisitor): void {
    const arena = this.#arena, start = keyStart(arena, ref);
    visit(arena.u8[ref >>> CHUNK_SHIFT], start, start + keyLength(arena, ref), scoreOf(arena, ref));
  }

  #readRecord(ref: RecordRef): void {
    const arena = this.#arena;
    this.bytes = arena.u8[ref >>> CHUNK_SHIFT];
    this.start = keyStart(arena, ref);
    this.end = this.start + keyLength(arena, ref);
    this.score = scoreOf(arena, ref);
  }

  /** Reads the pair at a position and returns the position behind it. */
  #readPair(block: BodyRef, position: number): number {
    const pairs = this.#pairs;
    const after = pairs.read(block, position);
    this.bytes = pairs.bytes;
    this.start = pairs.start;
    this.end = pairs.end;
    this.score = pairs.score;
    return after;
  }
}
