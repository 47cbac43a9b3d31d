/**
 * One database, or a table of the server that maps keys to strings: the keys, their types, deadlines and clocks. A key
 * is a record of the dictionary `keys`; one with a deadline is also in the dictionary `expires`, as the same record, so
 * that expiry never reads the others; in the same way a hash that has fields with a deadline is also in `fieldExpires`.
 * Strings live here, in the record or, above 64 KiB, in a body; of every other type this file knows only the body's
 * ref.
 *
 *     meta of a record:  type:4 | encoding:4 | clock:24      body of a long string:  +0 length:32 · +8 bytes
 *
 * Refs of records are valid until the key is written again. Registers: readKey and readString leave a place in `bytes`,
 * `start` and `length`, valid until the next allocation or write.
 */
import { invariant } from "../core/assert.ts";
import {
  type Arena,
  type BodyRef,
  CHUNK_SHIFT,
  copyBytes,
  copyIn,
  type DictRef,
  GRANULE_MASK,
  NONE,
  type RecordRef,
  withSpare,
} from "./memory/arena.ts";
import { hashBytes } from "../core/hash_function.ts";
import {
  BODY,
  bodyOf,
  createRecord,
  deadlineOf,
  flagsOf,
  hasPassed,
  headBytes,
  headSize,
  INLINE_BYTES_MAX,
  keyEquals,
  keyLength,
  keyStart,
  META,
  metaOf,
  NUMBER,
  setBody,
  setDeadline,
  setMeta,
  setValueLength,
  valueLength,
  valueStart,
} from "./blocks/record.ts";
import { binOf, KeySizes } from "./key_sizes.ts";
import type { Deadline } from "./deadline.ts";
import type { Store } from "./store.ts";

/** The type of a key's value; the numbers are those of Redis's object types. */
export const Type = { STRING: 0, LIST: 1, SET: 2, ZSET: 3, HASH: 4, STREAM: 6 } as const;

/**
 * The form of the value. The text of a string with AUTO decides between int, embstr and raw; RAW and EMBSTR are fixed.
 */
export const Encoding = {
  AUTO: 0,
  RAW: 1,
  EMBSTR: 2,
  LISTPACK: 3,
  QUICKLIST: 4,
  INTSET: 5,
  HASHTABLE: 6,
  SKIPLIST: 7,
  STREAM: 8,
  /** The last two are those of hashes whose fields may have deadlines. */
  LISTPACK_EX: 9,
  HASHTABLE_EX: 10,
} as const;

const BODY_LENGTH_BYTES = 8;
/** From here on a database does not fit the processor's nearer caches. */
const LARGE_KEYS = 1 << 14;
/** No deadline. */
export const NEVER = -1;

/**
 * The fate of a key past its deadline when a command looks for it. DELETE: it is deleted and announced. HIDE: it is
 * missing, but stays. KEEP: it is there as if it had not expired, because the file or the primary says which keys
 * expire.
 */
export const ExpiryMode = { DELETE: 0, HIDE: 1, KEEP: 2 } as const;
export type ExpiryMode = typeof ExpiryMode[keyof typeof ExpiryMode];

/**
 * Told of keys that begin and end. The key is `bytes[start, end)`, valid during the call, which must not change the
 * store. The types are those of `Type`.
 */
export interface KeyspaceObserver {
  /** A key was added that was missing. */
  created?(db: Keyspace, bytes: Uint8Array, start: number, end: number, type: number): void;
  /** The value of a key was replaced: by `put`, whatever its type was, and otherwise by one of another type. */
  replaced?(db: Keyspace, bytes: Uint8Array, start: number, end: number, type: number, oldType: number): void;
  /** A key was deleted, for any reason. */
  removed?(db: Keyspace, bytes: Uint8Array, start: number, end: number, type: number): void;
  /** A command that reads looked for a key and did not find it. */
  missed?(db: Keyspace, bytes: Uint8Array, start: number, end: number): void;
}

export class Keyspace {
  /** The number of the database; negative for a table of the server. */
  readonly index: number;
  readonly store: Store;
  /** Headers of the dictionaries. */
  keys: DictRef;
  expires: DictRef;
  fieldExpires: DictRef;
  /** The sizes of all keys. */
  sizes = new KeySizes();
  /** Average time to live of the keys that expiry has sampled lately, in milliseconds; 0 is unknown. */
  averageTtlMs = 0;

  /** Registers of readKey and readString. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  length = 0;
  #chunk = 0;
  /**
   * The record that was found last, with its key's hash: many commands in a row often name one key. 0 once it has gone.
   */
  #recent: RecordRef = NONE;
  #recentHash = 0;

  constructor(store: Store, index: number) {
    this.store = store;
    this.index = index;
    this.keys = store.dict.create();
    this.expires = store.dict.create();
    this.fieldExpires = store.dict.create();
  }

  get isDatabase(): boolean {
    return this.index >= 0;
  }

  get size(): number {
    return this.store.dict.count(this.keys);
  }

  get expiresSize(): number {
    return this.store.dict.count(this.expires);
  }

  /** Number of hashes that have fields with a deadline. */
  get fieldExpiresSize(): number {
    return this.store.dict.count(this.fieldExpires);
  }

  /**
   * The record of a key, 0 if there is none. An expired key is deleted, and announced to the store's listener, before
   * it is found missing. `hash`, here and below, is the key's hash if the caller has it. Neither clock nor statistics
   * change.
   */
  find(bytes: Uint8Array, start: number, end: number, hash = hashBytes(bytes, start, end)): RecordRef {
    const ref = this.peek(bytes, start, end, hash);
    return ref !== 0 && this.isExpired(ref) ? this.#expired(ref) : ref;
  }

  #expired(ref: RecordRef): RecordRef {
    if (this.store.expiryMode === ExpiryMode.DELETE) this.expire(ref);
    return NONE;
  }

  /** `find` that changes nothing: the record may be expired. */
  peek(bytes: Uint8Array, start: number, end: number, hash: number): RecordRef {
    const { store } = this;
    if (hash === this.#recentHash && this.#recent !== 0 && keyEquals(store.arena, this.#recent, bytes, start, end)) {
      return this.#recent;
    }
    this.#recentHash = hash;
    return this.#recent = store.dict.find(this.keys, bytes, start, end, hash);
  }

  /** find for a command that reads: counts the hit or miss and moves the key's clock. */
  lookup(bytes: Uint8Array, start: number, end: number, hash = hashBytes(bytes, start, end)): RecordRef {
    const ref = this.find(bytes, start, end, hash);
    if (ref === 0) {
      this.store.misses++;
      this.store.observer?.missed?.(this, bytes, start, end);
      return NONE;
    }
    this.store.hits++;
    this.store.touch(ref);
    return ref;
  }

  /** find for a command that writes: moves the key's clock. */
  lookupWrite(bytes: Uint8Array, start: number, end: number, hash = hashBytes(bytes, start, end)): RecordRef {
    const ref = this.find(bytes, start, end, hash);
    if (ref !== 0) this.store.touch(ref);
    return ref;
  }

  /**
   * Says that up to PREFETCH_MAX keys with these hashes are about to be looked for: in a large database their cache
   * misses then overlap, which saves a third of the time of GET and SET at a million keys.
   */
  prefetch(hashes: Int32Array, count: number): void {
    if (count > 1 && this.size >= LARGE_KEYS) this.store.dict.prefetch(this.keys, hashes, count);
  }

  /** Whether a key's value is of an encoding that is searched by hash; `prefetchElements` is for those. */
  isHashed(ref: RecordRef): boolean {
    const encoding = this.encodingOf(ref);
    return encoding === Encoding.HASHTABLE || encoding === Encoding.SKIPLIST || encoding === Encoding.HASHTABLE_EX;
  }

  /** `prefetch` for elements of one collection. */
  prefetchElements(ref: RecordRef, hashes: Int32Array, count: number): void {
    this.store.valueType(this.typeOf(ref)).prefetch?.(this.encodingOf(ref), this.bodyOf(ref), hashes, count);
  }

  typeOf(ref: RecordRef): number {
    return metaOf(this.store.arena, ref) & 15;
  }

  encodingOf(ref: RecordRef): number {
    return (metaOf(this.store.arena, ref) >>> 4) & 15;
  }

  setEncoding(ref: RecordRef, encoding: number): void {
    const { arena } = this.store;
    setMeta(arena, ref, (metaOf(arena, ref) & ~0xf0) | (encoding << 4));
  }

  /** Deadline in milliseconds since the epoch, or NEVER. */
  deadlineOf(ref: RecordRef): Deadline {
    return (flagsOf(this.store.arena, ref) & NUMBER) !== 0 ? deadlineOf(this.store.arena, ref) : NEVER;
  }

  /** Whether a key is past its deadline; never in ExpiryMode.KEEP. */
  isExpired(ref: RecordRef): boolean {
    // Most keys have no deadline. This function stays small, so that the compiler puts it into its callers.
    return (flagsOf(this.store.arena, ref) & NUMBER) !== 0 && this.#isPastDeadline(ref);
  }

  #isPastDeadline(ref: RecordRef): boolean {
    const { store } = this;
    return hasPassed(store.arena, ref, store.nowMs) && store.expiryMode !== ExpiryMode.KEEP;
  }

  /** Leaves the place of a record's key in the registers. */
  readKey(ref: RecordRef): void {
    const { arena } = this.store;
    this.bytes = arena.u8[ref >>> CHUNK_SHIFT];
    this.start = keyStart(arena, ref);
    this.length = keyLength(arena, ref);
  }

  /** After readString: a view in which `start` and `length` hold as they do in `bytes`. */
  get view(): DataView {
    return this.store.arena.view[this.#chunk];
  }

  /** Leaves the place of a string in the registers. */
  readString(ref: RecordRef): void {
    const { arena } = this.store;
    if ((flagsOf(arena, ref) & BODY) === 0) {
      this.bytes = arena.u8[ref >>> CHUNK_SHIFT];
      this.#chunk = ref >>> CHUNK_SHIFT;
      this.start = valueStart(arena, ref);
      this.length = valueLength(arena, ref);
    } else {
      const body = bodyOf(arena, ref);
      this.bytes = arena.u8[body >>> CHUNK_SHIFT];
      this.#chunk = body >>> CHUNK_SHIFT;
      this.start = ((body & GRANULE_MASK) << 3) + BODY_LENGTH_BYTES;
      this.length = arena.i32[body >>> CHUNK_SHIFT][(body & GRANULE_MASK) << 1];
    }
  }

  /**
   * Sets a key to the string `value[vs, ve)` and replaces any old value. `deadline` in milliseconds, NEVER for none.
   * The value may lie in the arena, even in the old value of this key.
   */
  setString(
    bytes: Uint8Array,
    ks: number,
    ke: number,
    value: Uint8Array,
    vs: number,
    ve: number,
    deadline: Deadline,
    hash = hashBytes(bytes, ks, ke),
  ): RecordRef {
    const { store } = this;
    const { arena, dict } = store;
    let old = dict.find(this.keys, bytes, ks, ke, hash);
    if (old !== 0 && this.isExpired(old)) {
      this.expire(old);
      old = dict.find(this.keys, bytes, ks, ke, hash);
    }
    const length = ve - vs;
    const flags = (deadline === NEVER ? META : META | NUMBER) | (length > INLINE_BYTES_MAX ? BODY : 0);
    if (old !== 0 && flags < BODY && flagsOf(arena, old) === flags) {
      const head = headSize(flags, ke - ks);
      const oldLength = valueLength(arena, old);
      if (length === oldLength || arena.roundUp(head + length) === arena.roundUp(head + oldLength)) {
        copyIn(arena, value, vs, ve, old >>> CHUNK_SHIFT, ((old & GRANULE_MASK) << 3) + head);
        setValueLength(arena, old, length);
        this.sizes.move(Type.STRING, binOf(oldLength), binOf(length));
        setMeta(arena, old, store.freshClock(old));
        if (deadline !== NEVER) setDeadline(arena, old, deadline);
        return old;
      }
    }
    const ref = createRecord(arena, flags, bytes, ks, ke, flags < BODY ? length : 0);
    if (flags < BODY) {
      const at = ((ref & GRANULE_MASK) << 3) + headSize(flags, ke - ks);
      copyIn(arena, value, vs, ve, ref >>> CHUNK_SHIFT, at);
    } else {
      const body = this.#createStringBody(length);
      setBody(arena, ref, body);
      copyBytes(value, vs, ve, arena.u8[body >>> CHUNK_SHIFT], ((body & GRANULE_MASK) << 3) + BODY_LENGTH_BYTES);
    }
    setMeta(arena, ref, store.freshClock(old));
    if (deadline !== NEVER) setDeadline(arena, ref, deadline);
    const oldType = old === 0 ? Type.STRING : this.typeOf(old);
    if (old === 0) dict.insert(this.keys, hash, ref);
    else this.#displace(hash, old, ref);
    this.sizes.add(Type.STRING, binOf(length));
    if (deadline !== NEVER) this.#index(this.expires, hash, ref);
    if (store.observer !== undefined) {
      if (old === 0) store.observer.created?.(this, bytes, ks, ke, Type.STRING);
      else if (oldType !== Type.STRING) store.observer.replaced?.(this, bytes, ks, ke, Type.STRING, oldType);
    }
    return ref;
  }

  /**
   * Gives a string another length. Its text as far as it fits, deadline and clock stay; new bytes are zero.
   * Long strings get spare room. Leaves the string's place in the registers and returns the record's new ref.
   */
  resizeString(ref: RecordRef, length: number): RecordRef {
    const { arena } = this.store;
    this.readString(ref);
    const old = this.length;
    const hasBody = (flagsOf(arena, ref) & BODY) !== 0;
    const head = headBytes(arena, ref);
    if (!hasBody && length <= INLINE_BYTES_MAX && head + length <= arena.sizeOf(ref)) {
      setValueLength(arena, ref, length);
    } else if (!hasBody) {
      ref = this.#rebuild(ref, flagsOf(arena, ref) | (length > INLINE_BYTES_MAX ? BODY : 0), length);
    } else {
      let body = bodyOf(arena, ref);
      if (arena.sizeOf(body) < BODY_LENGTH_BYTES + length) {
        body = arena.realloc(body, BODY_LENGTH_BYTES + old, withSpare(BODY_LENGTH_BYTES + length));
        setBody(arena, ref, body);
      }
      arena.i32[body >>> CHUNK_SHIFT][(body & GRANULE_MASK) << 1] = length;
    }
    this.readString(ref);
    this.sizes.move(Type.STRING, binOf(old), binOf(length));
    if (length > old) this.bytes.fill(0, this.start + old, this.start + length);
    return ref;
  }

  /** Adds a key that does not exist, with a body that the caller made. */
  add(bytes: Uint8Array, start: number, end: number, type: number, encoding: number, body: BodyRef): RecordRef {
    const { arena, dict } = this.store;
    const hash = hashBytes(bytes, start, end);
    const old = dict.find(this.keys, bytes, start, end, hash);
    if (old !== 0) {
      // An expired key that is hidden stands where it stood.
      invariant(this.isExpired(old), "a key was added that exists");
      this.expire(old);
      dict.find(this.keys, bytes, start, end, hash);
    }
    const ref = createRecord(arena, META | BODY, bytes, start, end, 0);
    // Finding again is not needed: creating a record moves no dictionary.
    setMeta(arena, ref, type | (encoding << 4) | this.store.freshClock());
    setBody(arena, ref, body);
    dict.insert(this.keys, hash, ref);
    const bin = this.#binOfBody(type, encoding, body);
    setValueLength(arena, ref, bin);
    this.sizes.add(type, bin);
    this.store.observer?.created?.(this, bytes, start, end, type);
    return ref;
  }

  /**
   * Gives a key a value with a body that the caller made, whatever the key held. Returns the type that it held, -1 if
   * the key is new.
   */
  put(bytes: Uint8Array, start: number, end: number, type: number, encoding: number, body: BodyRef): number {
    const old = this.find(bytes, start, end);
    const oldType = old === 0 ? -1 : this.typeOf(old);
    const { store } = this, { observer } = store;
    // To those who listen the key neither goes nor comes.
    if (old !== 0) {
      store.observer = undefined;
      this.unlink(old);
    }
    this.add(bytes, start, end, type, encoding, body);
    store.observer = observer;
    if (old !== 0) observer?.replaced?.(this, bytes, start, end, type, oldType);
    return oldType;
  }

  bodyOf(ref: RecordRef): BodyRef {
    return bodyOf(this.store.arena, ref);
  }

  /** Gives a key that is no string the body that its value has after a write. The value has `size` elements. Hot. */
  keep(ref: RecordRef, encoding: number, body: BodyRef, size: number): void {
    const { arena } = this.store;
    setBody(arena, ref, body);
    const meta = (metaOf(arena, ref) & ~0xf0) | (encoding << 4);
    setMeta(arena, ref, meta);
    const bin = binOf(size), old = valueLength(arena, ref);
    if (bin === old) return;
    setValueLength(arena, ref, bin);
    this.sizes.move(meta & 15, old, bin);
  }

  /** Deletes a key and frees its value. False if there is no such key. */
  remove(bytes: Uint8Array, start: number, end: number): boolean {
    const ref = this.find(bytes, start, end);
    if (ref === 0) return false;
    this.unlink(ref);
    return true;
  }

  /** Deletes the key of a record and frees its value. */
  unlink(ref: RecordRef): void {
    const { store } = this;
    this.#detach(ref);
    if (store.observer !== undefined) {
      this.readKey(ref);
      store.observer.removed?.(this, this.bytes, this.start, this.start + this.length, this.typeOf(ref));
    }
    store.freeValue(ref);
    store.arena.free(ref);
  }

  /** Deletes an expired key and announces it. */
  expire(ref: RecordRef): void {
    const { store } = this;
    this.#detach(ref);
    store.expired++;
    const { arena } = store;
    const start = keyStart(arena, ref);
    store.observer?.removed?.(
      this,
      arena.u8[ref >>> CHUNK_SHIFT],
      start,
      start + keyLength(arena, ref),
      this.typeOf(ref),
    );
    store.onExpired(this, arena.u8[ref >>> CHUNK_SHIFT], start, start + keyLength(arena, ref));
    store.freeValue(ref);
    arena.free(ref);
  }

  /** Gives a key a deadline, or takes it away with NEVER. Returns the record's new ref. */
  setDeadline(ref: RecordRef, deadline: Deadline): RecordRef {
    const { arena, dict } = this.store;
    const flags = flagsOf(arena, ref);
    if (deadline === NEVER) {
      if ((flags & NUMBER) === 0) return ref;
      const found = dict.locate(this.expires, dict.hashOf(ref), ref);
      invariant(found, "a key with a deadline is not indexed");
      dict.remove(this.expires);
      return this.#rebuild(ref, flags & ~NUMBER, inlineLength(arena, ref));
    }
    if ((flags & NUMBER) === 0) {
      ref = this.#rebuild(ref, flags | NUMBER, inlineLength(arena, ref));
      setDeadline(arena, ref, deadline);
      this.#index(this.expires, dict.hashOf(ref), ref);
      return ref;
    }
    setDeadline(arena, ref, deadline);
    return ref;
  }

  /** Brings the index of hashes with field deadlines up to date with one whose fields changed. */
  indexFields(ref: RecordRef): void {
    const { dict } = this.store;
    const hash = dict.hashOf(ref);
    const indexed = dict.locate(this.fieldExpires, hash, ref);
    if (indexed === this.#hasFieldDeadlines(ref)) return;
    if (indexed) dict.remove(this.fieldExpires);
    else this.#index(this.fieldExpires, hash, ref);
  }

  /**
   * Moves a key's value, deadline and clock to another name, here or in another database, and replaces a key of that
   * name. Lists and the like are not copied: the body changes hands.
   */
  moveTo(ref: RecordRef, to: Keyspace, bytes: Uint8Array, start: number, end: number): RecordRef {
    const { arena } = this.store;
    to.remove(bytes, start, end);
    const flags = flagsOf(arena, ref);
    const moved = createRecord(arena, flags, bytes, start, end, inlineLength(arena, ref));
    this.#copyRest(ref, moved);
    if ((flags & BODY) !== 0) setBody(arena, moved, bodyOf(arena, ref));
    this.#detach(ref);
    if (this.store.observer?.removed !== undefined) {
      this.readKey(ref);
      this.store.observer.removed(this, this.bytes, this.start, this.start + this.length, this.typeOf(ref));
    }
    arena.free(ref);
    to.#attach(moved);
    return moved;
  }

  /** Copies a key's value and deadline to another name, which must not exist. */
  copyTo(ref: RecordRef, to: Keyspace, bytes: Uint8Array, start: number, end: number): RecordRef {
    const { arena } = this.store;
    const flags = flagsOf(arena, ref);
    const copy = createRecord(arena, flags, bytes, start, end, inlineLength(arena, ref));
    this.#copyRest(ref, copy);
    setMeta(arena, copy, (metaOf(arena, ref) & 0xff) | this.store.freshClock());
    if ((flags & BODY) !== 0) {
      if (this.typeOf(ref) === Type.STRING) {
        this.readString(ref);
        const body = this.#createStringBody(this.length);
        const at = ((body & GRANULE_MASK) << 3) + BODY_LENGTH_BYTES;
        copyBytes(this.bytes, this.start, this.start + this.length, arena.u8[body >>> CHUNK_SHIFT], at);
        setBody(arena, copy, body);
      } else {
        const value = this.store.valueType(this.typeOf(ref));
        setBody(arena, copy, value.copy(this.encodingOf(ref), bodyOf(arena, ref)));
      }
    }
    to.#attach(copy);
    return copy;
  }

  /** Deletes all keys. The caller has seen to it that they are announced. Values are freed in slices. */
  clear(): void {
    const { store } = this;
    store.onReplacing(this, undefined);
    this.#recent = NONE;
    this.sizes.clear();
    store.reclaimKeyspace(this.keys, [this.expires, this.fieldExpires]);
    this.keys = store.dict.create();
    this.expires = store.dict.create();
    this.fieldExpires = store.dict.create();
  }

  /** Exchanges the contents with those of another database. */
  exchange(other: Keyspace): void {
    this.store.onReplacing(this, other);
    this.store.onReplacing(other, this);
    [this.keys, other.keys] = [other.keys, this.keys];
    [this.sizes, other.sizes] = [other.sizes, this.sizes];
    [this.expires, other.expires] = [other.expires, this.expires];
    [this.fieldExpires, other.fieldExpires] = [other.fieldExpires, this.fieldExpires];
    this.#recent = other.#recent = NONE;
  }

  /** Bytes that the key and its value take in the arena. */
  sizeBytes(ref: RecordRef, samples: number): number {
    const { arena } = this.store;
    let bytes = arena.sizeOf(ref);
    if ((flagsOf(arena, ref) & BODY) !== 0) {
      const body = bodyOf(arena, ref);
      const type = this.typeOf(ref);
      bytes += type === Type.STRING
        ? arena.sizeOf(body)
        : this.store.valueType(type).sizeBytes(this.encodingOf(ref), body, samples);
    }
    return bytes;
  }

  /** Checks the database; adds every block that it reaches to `reached`. */
  check(reached: Set<number>): void {
    const { arena, dict } = this.store;
    let withDeadline = 0, withFieldDeadline = 0;
    dict.check(this.keys, reached, (ref) => {
      invariant(!reached.has(ref), "a block belongs to two owners");
      reached.add(ref);
      const flags = flagsOf(arena, ref);
      if ((flags & NUMBER) !== 0) withDeadline++;
      if (this.#hasFieldDeadlines(ref)) withFieldDeadline++;
      if ((flags & BODY) === 0) return;
      const body = bodyOf(arena, ref), type = this.typeOf(ref);
      if (type === Type.STRING) reached.add(body);
      else this.store.valueType(type).check(this.encodingOf(ref), body, reached);
    });
    dict.check(this.expires, reached, (ref) => invariant(reached.has(ref), "a deadline outlived its key"));
    invariant(withDeadline === this.expiresSize, "the keys with a deadline are miscounted");
    dict.check(this.fieldExpires, reached, (ref) => {
      invariant(
        reached.has(ref) && this.#hasFieldDeadlines(ref),
        "a hash without field deadlines is indexed as having some",
      );
    });
    invariant(withFieldDeadline === this.fieldExpiresSize, "the hashes with field deadlines are miscounted");
    this.checkSizes();
  }

  /** Checks the histograms of sizes against the keys. */
  checkSizes(): void {
    const { dict } = this.store;
    const sizes = new KeySizes();
    dict.each(this.keys, (ref) => {
      const type = this.typeOf(ref);
      if (type === Type.STRING) this.readString(ref);
      const bin = type === Type.STRING
        ? binOf(this.length)
        : this.#binOfBody(type, this.encodingOf(ref), this.bodyOf(ref));
      sizes.add(type, bin);
    });
    invariant(sizes.equals(this.sizes), "the sizes of keys are miscounted");
  }

  #createStringBody(length: number, bytes = BODY_LENGTH_BYTES + length): BodyRef {
    const { arena } = this.store;
    const body: BodyRef = arena.alloc(bytes);
    arena.i32[body >>> CHUNK_SHIFT][(body & GRANULE_MASK) << 1] = length;
    return body;
  }

  /**
   * The bin of a key. That of a string follows from its length. Every other record has its bin in the field of the
   * value's length, so that the bin is known after the value has changed.
   */
  #binOf(ref: RecordRef, type: number): number {
    const { arena } = this.store;
    const length = valueLength(arena, ref);
    if (type !== Type.STRING) return length;
    if ((flagsOf(arena, ref) & BODY) === 0) return binOf(length);
    const body = bodyOf(arena, ref);
    return binOf(arena.i32[body >>> CHUNK_SHIFT][(body & GRANULE_MASK) << 1]);
  }

  /** The bin of a value with a body. All streams are in bin 0, because the histograms do not show them. */
  #binOfBody(type: number, encoding: number, body: BodyRef): number {
    return type === Type.STREAM ? 0 : binOf(this.store.valueType(type).count(encoding, body));
  }

  #uncount(ref: RecordRef): void {
    const type = this.typeOf(ref);
    this.sizes.remove(type, this.#binOf(ref, type));
  }

  /** Puts `ref` in the slot where `find` just found `old`, and frees `old` with its value. */
  #displace(hash: number, old: RecordRef, ref: RecordRef): void {
    const { store } = this;
    this.#recent = NONE;
    this.#uncount(old);
    store.dict.replace(ref);
    this.#unindex(hash, old);
    store.freeValue(old);
    store.arena.free(old);
  }

  /** Adds a record to `expires` or `fieldExpires`. */
  #index(index: DictRef, hash: number, ref: RecordRef): void {
    const { arena, dict } = this.store;
    const start = keyStart(arena, ref);
    const end = start + keyLength(arena, ref);
    const old = dict.find(index, arena.u8[ref >>> CHUNK_SHIFT], start, end, hash);
    if (old === 0) dict.insert(index, hash, ref);
    else dict.replace(ref);
  }

  /** Takes a record out of `expires` and `fieldExpires`. */
  #unindex(hash: number, ref: RecordRef): void {
    const { arena, dict } = this.store;
    if ((flagsOf(arena, ref) & NUMBER) !== 0 && dict.locate(this.expires, hash, ref)) dict.remove(this.expires);
    if (this.encodingOf(ref) >= Encoding.LISTPACK_EX && dict.locate(this.fieldExpires, hash, ref)) {
      dict.remove(this.fieldExpires);
    }
  }

  #hasFieldDeadlines(ref: RecordRef): boolean {
    const encoding = this.encodingOf(ref);
    if (encoding < Encoding.LISTPACK_EX) return false;
    return this.store.valueType(this.typeOf(ref)).earliestDeadline!(encoding, this.bodyOf(ref)) !== NEVER;
  }

  #attach(ref: RecordRef): void {
    const { arena, dict } = this.store;
    const start = keyStart(arena, ref);
    const end = start + keyLength(arena, ref);
    const hash = dict.hashOf(ref);
    const old = dict.find(this.keys, arena.u8[ref >>> CHUNK_SHIFT], start, end, hash);
    invariant(old === 0, "a key was added that exists");
    dict.insert(this.keys, hash, ref);
    const type = this.typeOf(ref);
    this.sizes.add(type, this.#binOf(ref, type));
    if ((flagsOf(arena, ref) & NUMBER) !== 0) this.#index(this.expires, hash, ref);
    if (this.#hasFieldDeadlines(ref)) this.#index(this.fieldExpires, hash, ref);
    this.store.observer?.created?.(this, arena.u8[ref >>> CHUNK_SHIFT], start, end, type);
  }

  #detach(ref: RecordRef): void {
    const { dict } = this.store;
    const hash = dict.hashOf(ref);
    this.#unindex(hash, ref);
    const found = dict.locate(this.keys, hash, ref);
    invariant(found, "a record is not in its database");
    this.#recent = NONE;
    this.#uncount(ref);
    dict.remove(this.keys);
  }

  /** Copies meta, deadline and inline value from one record to another with the same flags and value length. */
  #copyRest(from: RecordRef, to: RecordRef): void {
    const { arena } = this.store;
    setMeta(arena, to, metaOf(arena, from));
    if ((flagsOf(arena, from) & NUMBER) !== 0) setDeadline(arena, to, deadlineOf(arena, from));
    setValueLength(arena, to, valueLength(arena, from));
    const start = valueStart(arena, from);
    const end = start + inlineLength(arena, from);
    copyBytes(arena.u8[from >>> CHUNK_SHIFT], start, end, arena.u8[to >>> CHUNK_SHIFT], valueStart(arena, to));
  }

  /** Replaces a record by one with other flags or another value length, in both dictionaries; the value goes along. */
  #rebuild(ref: RecordRef, flags: number, length: number): RecordRef {
    const { arena, dict } = this.store;
    const oldFlags = flagsOf(arena, ref);
    const start = keyStart(arena, ref);
    const from = arena.u8[ref >>> CHUNK_SHIFT];
    const outOfLine = (flags & BODY) !== 0;
    const to = createRecord(arena, flags, from, start, start + keyLength(arena, ref), outOfLine ? 0 : length);
    setMeta(arena, to, metaOf(arena, ref));
    if ((flags & oldFlags & NUMBER) !== 0) setDeadline(arena, to, deadlineOf(arena, ref));
    if ((oldFlags & BODY) !== 0) {
      setBody(arena, to, bodyOf(arena, ref));
      setValueLength(arena, to, valueLength(arena, ref));
    } else {
      const at = valueStart(arena, ref), end = at + Math.min(length, valueLength(arena, ref));
      if (outOfLine) {
        const body = this.#createStringBody(length, withSpare(BODY_LENGTH_BYTES + length));
        setBody(arena, to, body);
        copyBytes(from, at, end, arena.u8[body >>> CHUNK_SHIFT], ((body & GRANULE_MASK) << 3) + BODY_LENGTH_BYTES);
      } else {
        copyBytes(from, at, end, arena.u8[to >>> CHUNK_SHIFT], valueStart(arena, to));
      }
    }
    const hash = dict.hashOf(ref);
    const found = dict.locate(this.keys, hash, ref);
    invariant(found, "a record is not in its database");
    this.#recent = NONE;
    dict.replace(to);
    if ((flags & oldFlags & NUMBER) !== 0 && dict.locate(this.expires, hash, ref)) dict.replace(to);
    if (this.encodingOf(ref) >= Encoding.LISTPACK_EX && dict.locate(this.fieldExpires, hash, ref)) dict.replace(to);
    arena.free(ref);
    return to;
  }
}

/** Bytes of the value within the record. */
function inlineLength(arena: Arena, ref: RecordRef): number {
  return (flagsOf(arena, ref) & BODY) !== 0 ? 0 : valueLength(arena, ref);
}
