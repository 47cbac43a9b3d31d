/**
 * The store: the arena, the dictionary engine, the databases and the value types, with their common state: the time,
 * the clocks of keys, counters, and the large values that are freed in slices. Clients, commands and files are above
 * it.
 */
import { invariant } from "../core/assert.ts";
import type { Random } from "../core/random.ts";
import { Arena, type BodyRef, type DictRef, NONE, type RecordRef } from "./memory/arena.ts";
import { Dict } from "./blocks/dict.ts";
import { ExpiryMode, Keyspace, type KeyspaceObserver, Type } from "./keyspace.ts";
import { BODY, bodyOf, flagsOf, metaOf, setMeta } from "./blocks/record.ts";

/** Takes a value as commands on its key. Arguments are copied at once. */
export interface CommandWriter {
  /** Begins a command on the key, `RPUSH key` or `XGROUP CREATE key`, and ends the one before. Upper case. */
  command(name: string): void;
  /** Adds an argument to the command. */
  bytes(bytes: Uint8Array, start: number, end: number): void;
  /** Adds an argument of ASCII characters. */
  text(text: string): void;
  /** So much was written that the rest should wait for another turn of the event loop. */
  readonly full: boolean;
  /** Where a type keeps how far a value is written, from one call to the next, if a number does not say it. */
  place?: unknown;
}

/** Elements that one command of `emit` has at most, as in Redis's rewrites. */
export const ELEMENTS_PER_COMMAND = 64;

/** The operations of a type whose values have bodies. The type's own module registers it, once. */
export interface ValueType {
  /**
   * Writes the commands that build the value, in pieces of at most ELEMENTS_PER_COMMAND elements, for the rewrite of
   * the append-only file. `cursor` is 0 at first, then the last call's result, which is 0 at the end. A call goes on
   * until `writer.full`, which it asks after each command, and does at least one command's work. It writes nothing else
   * than the value: neither the deletion of an old one nor the deadline of the key.
   *
   * Between two calls the value may change, but only in ways that name elements (SADD, HSET, ZINCRBY and their like; of
   * lists, pushes and pops with the cursor moved along by the caller). So the cursor of a set, hash or sorted set must
   * be a position in the hash space of its elements (Dict.scan), not a rank: each element that is there from the first
   * call to the last is written at least once, and twice does no harm. A change of the encoding starts over.
   */
  emit?(encoding: number, body: BodyRef, cursor: number, writer: CommandWriter): number;
  /** A deep copy of a body. */
  copy(encoding: number, body: BodyRef): BodyRef;
  /**
   * Frees at most `budget` blocks of a body. Returns the body that is left, or 0 when all of it is free; a body that is
   * left is valid only for the next call.
   */
  free(encoding: number, body: BodyRef, budget: number): BodyRef;
  /**
   * Says that up to PREFETCH_MAX elements, given by their hashes (hashBytes), are about to be looked for, so that their
   * cache misses overlap. Changes nothing. Only encodings that are searched by hash.
   */
  prefetch?(encoding: number, body: BodyRef, hashes: Int32Array, count: number): void;
  /** Number of elements. */
  count(encoding: number, body: BodyRef): number;
  /** Bytes of the arena that the body takes, estimated from `samples` elements (0: from all). */
  sizeBytes(encoding: number, body: BodyRef, samples: number): number;
  /**
   * Calls `visit` with each element in the order of the value, from its end when `reverse`, until it returns false.
   * Only types that SORT takes have it. The bytes are valid during the call, which must not write.
   */
  elements?(
    encoding: number,
    body: BodyRef,
    reverse: boolean,
    visit: (bytes: Uint8Array, start: number, end: number) => boolean,
  ): void;
  /**
   * Whether the value has the element `bytes[start, end)`. It may be asked for during `elements` of another value. Only
   * sets, so that they can be operands of commands on sorted sets.
   */
  has?(encoding: number, body: BodyRef, bytes: Uint8Array, start: number, end: number): boolean;
  /**
   * The value of the field `bytes[start, end)`, a view valid until the next write; undefined if missing. Only hashes.
   */
  fieldValue?(encoding: number, body: BodyRef, bytes: Uint8Array, start: number, end: number): Uint8Array | undefined;
  /** The earliest deadline of a field, NEVER if no field has one. Only hashes whose encoding allows for deadlines. */
  earliestDeadline?(encoding: number, body: BodyRef): number;
  /** Checks all invariants and adds every block of the body to `reached`. */
  check(encoding: number, body: BodyRef, reached: Set<number>): void;
}

/**
 * A thing that is freed in slices: a value, a dictionary of keys with its records, or one that has records of another.
 */
type Garbage =
  | { readonly kind: "value"; readonly type: number; readonly encoding: number; body: BodyRef }
  | { readonly kind: "keys" | "index"; readonly dict: DictRef };

/** Blocks freed at once; the rest of a larger value is freed in slices between turns of the event loop. */
const FREE_AT_ONCE = 512;

export interface StoreOptions {
  databases: number;
  random: Random;
}

export class Store {
  readonly arena = new Arena();
  readonly dict: Dict = new Dict(this.arena);
  readonly random: Random;
  readonly databases: Keyspace[] = [];
  /** Keyspaces that are no databases. */
  readonly #tables: Keyspace[] = [];
  readonly #types: ValueType[] = [];
  /** Things to be freed, the last first. */
  readonly #garbage: Garbage[] = [];

  #nowMs = 0;
  #seconds = 0;
  /** What happens to keys and fields that are past their deadline. */
  expiryMode: ExpiryMode = ExpiryMode.DELETE;
  /** Whether the running command leaves the clocks of keys that it looks up alone. */
  holdClocks = false;
  /** Clocks keep the time of the last change instead of the last use. */
  clocksOfChanges = false;
  /** Keys keep an access frequency instead of an access time. */
  frequencies = false;
  /** Strings have the encoding embstr up to the sizes that Valkey embeds, not those of Redis. */
  embedsAsValkey = false;
  lfuLogFactor = 10;
  lfuDecayMinutes = 1;
  hits = 0;
  misses = 0;
  expired = 0;
  expiredFields = 0;
  /** Values that were freed behind the command that removed them, because they are large or many. */
  freedLater = 0;

  /** Told of every key that expired, before its value is freed. */
  onExpired: (db: Keyspace, bytes: Uint8Array, start: number, end: number) => void = () => {};

  /** Told of each key whose stream came with messages of producers. */
  onMessages: (db: Keyspace, bytes: Uint8Array, start: number, end: number) => void = () => {};

  /** Reports keys that begin and end; undefined while nobody listens. */
  observer: KeyspaceObserver | undefined;

  /** Told when all keys of a database are about to go, with the one, if any, whose keys come in their place. */
  onReplacing: (db: Keyspace, by: Keyspace | undefined) => void = () => {};

  constructor(options: StoreOptions) {
    this.random = options.random;
    for (let i = 0; i < options.databases; i++) this.databases.push(new Keyspace(this, i));
  }

  /**
   * A keyspace for a table of the server whose keys come from clients: its strings lie in the arena, so that they count
   * as used memory. No command sees its keys.
   */
  createTable(): Keyspace {
    const table = new Keyspace(this, -1 - this.#tables.length);
    this.#tables.push(table);
    return table;
  }

  /** Sets the time that commands see, in milliseconds since the epoch. */
  setTime(ms: number): void {
    if (ms === this.#nowMs) return;
    this.#nowMs = ms;
    this.#seconds = Math.floor(ms / 1000);
  }

  /** The time of the running command, in milliseconds since the epoch. */
  get nowMs(): number {
    return this.#nowMs;
  }

  register(type: number, valueType: ValueType): void {
    invariant(this.#types[type] === undefined, "a value type was registered twice");
    this.#types[type] = valueType;
  }

  valueType(type: number): ValueType {
    return this.#types[type];
  }

  /**
   * The clock bits of a key that is written now, in their place in the meta word; type and encoding are zero. `old` is
   * the record whose value is overwritten: that is a use of the key, not the birth of one.
   */
  freshClock(old: RecordRef = NONE): number {
    if (this.frequencies) {
      const clock = old === 0
        ? ((this.#minutes() & 0xffff) << 8) | LFU_START
        : this.#bump(metaOf(this.arena, old) >>> 8);
      return clock << 8;
    }
    return this.#seconds << 8;
  }

  /** Gives a key the clock of a new one. */
  renewClock(ref: RecordRef): void {
    setMeta(this.arena, ref, (metaOf(this.arena, ref) & 0xff) | this.freshClock());
  }

  /** Moves a key's clock: its access time, or its frequency. */
  touch(ref: RecordRef): void {
    if (this.holdClocks) return;
    const meta = metaOf(this.arena, ref);
    if (this.frequencies) {
      setMeta(this.arena, ref, (meta & 0xff) | (this.#bump(meta >>> 8) << 8));
    } else {
      setMeta(this.arena, ref, (meta & 0xff) | (this.#seconds << 8));
    }
  }

  /** Moves the clock of a key that changed, where clocks keep changes. */
  noteChange(db: Keyspace, bytes: Uint8Array, start: number, end: number): void {
    if (!this.clocksOfChanges) return;
    const ref = db.find(bytes, start, end);
    if (ref !== 0) setMeta(this.arena, ref, (metaOf(this.arena, ref) & 0xff) | (this.#seconds << 8));
  }

  /** A key's clock as it is kept: it differs when the key has been used since. */
  clockOf(ref: RecordRef): number {
    return metaOf(this.arena, ref) >>> 8;
  }

  /** Seconds since a key was last used. */
  idleSeconds(ref: RecordRef): number {
    return (this.#seconds - (metaOf(this.arena, ref) >>> 8)) & 0xffffff;
  }

  /** Logarithmic access frequency of a key, 0 to 255, after its decay until now. */
  frequency(ref: RecordRef): number {
    return this.#decayed(metaOf(this.arena, ref) >>> 8);
  }

  /** Sets a key's clock: idle time in seconds, or frequency. For RESTORE and its like. */
  setIdle(ref: RecordRef, seconds: number): void {
    const clock = (this.#seconds - seconds) & 0xffffff;
    setMeta(this.arena, ref, (metaOf(this.arena, ref) & 0xff) | (clock << 8));
  }

  setFrequency(ref: RecordRef, frequency: number): void {
    const clock = ((this.#minutes() & 0xffff) << 8) | frequency;
    setMeta(this.arena, ref, (metaOf(this.arena, ref) & 0xff) | (clock << 8));
  }

  /** Frees a record's value; a large one in slices. */
  freeValue(ref: RecordRef): void {
    if ((flagsOf(this.arena, ref) & BODY) === 0) return;
    const body = bodyOf(this.arena, ref);
    const meta = metaOf(this.arena, ref);
    this.freeBody(meta & 15, (meta >>> 4) & 15, body);
  }

  freeBody(type: number, encoding: number, body: BodyRef): void {
    if (type === Type.STRING) {
      this.arena.free(body);
      return;
    }
    const rest = this.#types[type].free(encoding, body, FREE_AT_ONCE);
    if (rest !== 0) this.#garbage.push({ kind: "value", type, encoding, body: rest });
  }

  /** Takes over a dictionary of keys with all that is in it, and indexes of those keys. */
  reclaimKeyspace(keys: DictRef, indexes: readonly DictRef[]): void {
    for (const index of indexes) this.#drain("index", index, FREE_AT_ONCE);
    this.#drain("keys", keys, FREE_AT_ONCE);
  }

  /** Number of values and databases that wait to be freed. */
  get garbageCount(): number {
    return this.#garbage.length;
  }

  get garbagePending(): boolean {
    return this.#garbage.length > 0 || this.arena.hasSurplus;
  }

  /**
   * Frees about `budget` blocks of garbage, or gives one empty chunk of the arena back. Call it between
   * turns while `garbagePending`.
   */
  reclaim(budget: number): void {
    if (this.arena.hasSurplus) return this.arena.dropSurplus();
    const last = this.#garbage[this.#garbage.length - 1];
    if (last === undefined) return;
    if (last.kind === "value") {
      last.body = this.#types[last.type].free(last.encoding, last.body, budget);
      if (last.body !== 0) return;
      this.#garbage.splice(this.#garbage.indexOf(last), 1);
      this.freedLater++;
      return;
    }
    this.#garbage.pop();
    this.#drain(last.kind, last.dict, budget);
  }

  /** Frees a part of an unused dictionary. The rest waits behind the values that it has freed. */
  #drain(kind: "keys" | "index", dict: DictRef, budget: number): void {
    const rest = this.dict.drain(dict, budget, (ref) => {
      if (kind === "index") return;
      this.freedLater++;
      this.freeValue(ref);
      this.arena.free(ref);
    });
    if (rest !== 0) this.#garbage.unshift({ kind, dict: rest });
  }

  /** Exchanges the contents of two databases. */
  swap(a: number, b: number): void {
    this.databases[a].exchange(this.databases[b]);
  }

  /** Checks everything: all structures, and that every block in use is reached by exactly one owner. */
  check(): void {
    while (this.garbagePending) this.reclaim(1 << 20);
    const reached = new Set<number>();
    for (const keyspace of [...this.databases, ...this.#tables]) keyspace.check(reached);
    const inUse = this.arena.check();
    for (const ref of reached) invariant(inUse.has(ref), "a block is reached that is free");
    invariant(reached.size === inUse.size, "a block is in use that nothing reaches");
  }

  #minutes(): number {
    return Math.floor(this.#seconds / 60);
  }

  #decayed(clock: number): number {
    const counter = clock & 0xff;
    if (this.lfuDecayMinutes === 0) return counter;
    const elapsed = ((this.#minutes() & 0xffff) - (clock >>> 8)) & 0xffff;
    return Math.max(0, counter - Math.floor(elapsed / this.lfuDecayMinutes));
  }

  /** A frequency grows by one with a probability that falls as it grows. */
  #bump(clock: number): number {
    let counter = this.#decayed(clock);
    if (counter < 255) {
      const base = Math.max(0, counter - LFU_START);
      if (this.random.unit() < 1 / (base * this.lfuLogFactor + 1)) counter++;
    }
    return ((this.#minutes() & 0xffff) << 8) | counter;
  }
}

/** A new key's frequency, so that it is not the first to be evicted. */
const LFU_START = 5;
