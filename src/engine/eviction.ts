/**
 * Eviction: keeps used memory within maxmemory by deleting keys that maxmemory-policy selects. Used memory is the arena
 * (the data with its dictionaries) and the buffers of clients.
 *
 * Under the policies -lrm the clock of a key is the time of its last change, and under -lru that of its last use.
 *
 * Eviction finds the best key by sampling. A pool keeps the best samples from one eviction to the next, so few samples
 * come close to the true order. An entry of the pool names a record and the clock that it had. Eviction skips the entry
 * if the record is gone or was used since.
 */
import type { Clock } from "../core/clock.ts";
import type { Listeners } from "./listeners.ts";
import type { LatencyMonitor } from "./latency.ts";
import type { Stats } from "./stats.ts";
import type { Keyspace } from "../store/keyspace.ts";
import type { Store } from "../store/store.ts";
import type { Settings } from "../settings/settings.ts";
import type { RecordRef } from "../store/memory/arena.ts";

/** Entries of the pool. */
const POOL = 16;
/** Blocks of dead values that are freed between two readings of the clock. */
const RECLAIM_BLOCKS = 256;
/** Keys that are evicted between two readings of the clock. */
const CLOCK_EVERY = 16;

/** Called with an evicted key, after its deletion. */
export type EvictionListener = (db: Keyspace, key: Uint8Array) => void;

/** The part of the engine that eviction needs. */
export interface MemoryOwner {
  readonly store: Store;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly latency: LatencyMonitor;
  readonly listeners: Listeners;
  readonly stats: Stats;
  readonly usedBytes: number;
}

export class Eviction {
  readonly #owner: MemoryOwner;
  readonly #store: Store;
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #evicted: EvictionListener;
  /** The number of entries in the pool, which is unordered. */
  #pooled = 0;
  readonly #score = new Float64Array(POOL);
  readonly #db = new Int32Array(POOL);
  readonly #hash = new Int32Array(POOL);
  readonly #ref = new Int32Array(POOL);
  readonly #stamp = new Float64Array(POOL);
  #byDeadline = false;
  /** When used memory was found above the limit; 0 while it is not. */
  #exceededSinceUs = 0;
  /** Ends the listening for changes, under the policies that need it. */
  #stopNoting: (() => void) | undefined;
  /** The next database for random eviction. */
  #nextDb = 0;

  constructor(owner: MemoryOwner, evicted: EvictionListener) {
    const { store, settings, clock } = owner;
    this.#owner = owner;
    this.#store = store;
    this.#settings = settings;
    this.#clock = clock;
    this.#evicted = evicted;
    for (const name of ["maxmemory-policy", "lfu-log-factor", "lfu-decay-time"] as const) {
      settings.onChange(name, () => this.#configure());
    }
    this.#configure();
  }

  /**
   * Deletes keys until used memory is within maxmemory. Returns true if a command that needs memory may run: used
   * memory is within the limit or approaches it. maxmemory-eviction-tenacity limits the time of one call; the next call
   * continues.
   */
  makeRoom(): boolean {
    const { maxmemory } = this.#settings.values;
    if (maxmemory === 0 || this.#owner.usedBytes <= maxmemory) {
      if (this.#exceededSinceUs !== 0) this.#endExceeding();
      return true;
    }
    const { latency } = this.#owner, startUs = latency.start();
    const enough = this.#evict(maxmemory);
    latency.note("eviction-cycle", latency.since(startUs));
    if (this.#owner.usedBytes <= maxmemory) this.#endExceeding();
    else if (this.#exceededSinceUs === 0) this.#exceededSinceUs = this.#clock.monotonicUs();
    return enough;
  }

  /** Microseconds since used memory exceeded the limit and eviction could not free enough; 0 while it does not. */
  get exceededUs(): number {
    return this.#exceededSinceUs === 0 ? 0 : this.#clock.monotonicUs() - this.#exceededSinceUs;
  }

  #endExceeding(): void {
    this.#owner.stats.evictionExceededUs += this.exceededUs;
    this.#exceededSinceUs = 0;
  }

  #evict(limit: number): boolean {
    const store = this.#store;
    const { importMode, maxmemoryPolicy, maxmemoryEvictionTenacity } = this.#settings.values;
    const endUs = this.#clock.monotonicUs() + tenacityUs(maxmemoryEvictionTenacity);
    for (let round = 1; this.#owner.usedBytes > limit; round++) {
      if (store.garbagePending) {
        store.reclaim(RECLAIM_BLOCKS);
      } else {
        if (maxmemoryPolicy === "noeviction" || importMode) return false;
        const volatile = maxmemoryPolicy.startsWith("volatile-");
        const found = maxmemoryPolicy.endsWith("-random") ? this.#pickRandom(volatile) : this.#pickSampled(volatile);
        if (!found) return false;
        if (round % CLOCK_EVERY !== 0) continue;
      }
      if (this.#clock.monotonicUs() >= endUs) return true;
    }
    return true;
  }

  /** Evicts a random key; the databases take turns. Returns false if there is no key. */
  #pickRandom(volatile: boolean): boolean {
    const { databases, dict, random } = this.#store;
    for (let left = databases.length; left > 0; left--) {
      const db = databases[this.#nextDb];
      this.#nextDb = (this.#nextDb + 1) % databases.length;
      const keys = volatile ? db.expires : db.keys;
      if (dict.count(keys) === 0) continue;
      this.#remove(db, dict.random(keys, random));
      return true;
    }
    return false;
  }

  /** Evicts the best key among the pool and new samples of every database. Returns false if there is no key. */
  #pickSampled(volatile: boolean): boolean {
    const { databases, dict, random } = this.#store;
    const { maxmemorySamples } = this.#settings.values;
    for (;;) {
      let candidates = 0;
      for (const db of databases) {
        const keys = volatile ? db.expires : db.keys;
        const count = dict.count(keys);
        candidates += count;
        for (let i = Math.min(count, maxmemorySamples); i > 0; i--) this.#consider(db, dict.random(keys, random));
      }
      if (candidates === 0) return false;
      while (this.#pooled > 0) {
        const i = this.#take();
        const db = databases[this.#db[i]], ref = this.#ref[i] as RecordRef;
        const stands = dict.locate(volatile ? db.expires : db.keys, this.#hash[i], ref);
        if (!stands || this.#stampOf(db, ref) !== this.#stamp[i]) continue;
        this.#remove(db, ref);
        return true;
      }
    }
  }

  /** Puts a record in the pool if there is room, or if it is a better candidate than the worst entry. */
  #consider(db: Keyspace, ref: RecordRef): void {
    const score = this.#scoreOf(db, ref);
    let at = 0;
    for (let i = 0; i < this.#pooled; i++) {
      if (this.#ref[i] === ref && this.#db[i] === db.index) return;
      if (this.#score[i] < this.#score[at]) at = i;
    }
    if (this.#pooled < POOL) at = this.#pooled++;
    else if (score <= this.#score[at]) return;
    this.#score[at] = score;
    this.#db[at] = db.index;
    this.#hash[at] = this.#store.dict.hashOf(ref);
    this.#ref[at] = ref;
    this.#stamp[at] = this.#stampOf(db, ref);
  }

  /** Takes the best entry out of the pool. The returned index is valid until the next entry is put in. */
  #take(): number {
    let best = 0;
    for (let i = 1; i < this.#pooled; i++) if (this.#score[i] > this.#score[best]) best = i;
    const last = --this.#pooled;
    for (const column of [this.#score, this.#db, this.#hash, this.#ref, this.#stamp]) {
      [column[best], column[last]] = [column[last], column[best]];
    }
    return last;
  }

  /** The eviction score of a record. The record with the highest score is evicted first. */
  #scoreOf(db: Keyspace, ref: RecordRef): number {
    if (this.#byDeadline) return -Number(db.deadlineOf(ref));
    return this.#store.frequencies ? -this.#store.frequency(ref) : this.#store.idleSeconds(ref);
  }

  /** A number that changes when the record is used. A pool entry with a different stamp has an outdated score. */
  #stampOf(db: Keyspace, ref: RecordRef): number {
    return this.#byDeadline ? Number(db.deadlineOf(ref)) : this.#store.clockOf(ref);
  }

  #remove(db: Keyspace, ref: RecordRef): void {
    db.readKey(ref);
    const key = db.bytes.slice(db.start, db.start + db.length);
    const { latency } = this.#owner, startUs = latency.start();
    db.unlink(ref);
    latency.note("eviction-del", latency.since(startUs));
    this.#evicted(db, key);
  }

  #configure(): void {
    const { maxmemoryPolicy, lfuLogFactor, lfuDecayTime } = this.#settings.values;
    const store = this.#store;
    store.frequencies = maxmemoryPolicy.endsWith("-lfu");
    store.clocksOfChanges = maxmemoryPolicy.endsWith("-lrm");
    this.#stopNoting?.();
    this.#stopNoting = undefined;
    if (store.clocksOfChanges) {
      const { keyChanged } = this.#owner.listeners;
      this.#stopNoting = keyChanged.add((db, bytes, start, end) => store.noteChange(db, bytes, start, end));
    }
    store.lfuLogFactor = lfuLogFactor;
    store.lfuDecayMinutes = lfuDecayTime;
    this.#byDeadline = maxmemoryPolicy === "volatile-ttl";
    this.#pooled = 0;
  }
}

/** Time limit of eviction before a command in microseconds: 50 for each degree up to 10, then 15 % more for each. */
function tenacityUs(tenacity: number): number {
  if (tenacity <= 10) return 50 * tenacity;
  return tenacity < 100 ? 500 * 1.15 ** (tenacity - 10) : Infinity;
}
