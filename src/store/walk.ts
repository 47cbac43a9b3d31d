/**
 * Walks over all keys of all databases, in steps between which the store changes. A walk follows hash space, whose
 * positions (prefix, home) survive the splits and merges of a dictionary. So one comparison tells whether the walk has
 * passed a key, whether the key exists or not, and the walk keeps nothing for each key.
 */
import { type Dict, homeOf, HOMES, PREFIX_SHIFT, PREFIXES } from "./blocks/dict.ts";
import { hashBytes } from "../core/hash_function.ts";
import type { RecordRef } from "./memory/arena.ts";
import type { Keyspace } from "./keyspace.ts";
import type { Store } from "./store.ts";

const HOME_BITS = Math.log2(HOMES);

type VisitKey = (db: Keyspace, ref: RecordRef) => void;

/**
 * The position in one database: the prefixes before `prefix` are done, and of the next `span` the homes below `home`.
 */
interface Place {
  prefix: number;
  span: number;
  home: number;
}

/**
 * The position of a walk. A key that the walk has not passed is visited later, once, if it is still there then; the
 * walk does not visit the others again.
 */
export class KeyWalk {
  readonly #store: Store;
  readonly #places: Place[];
  #visited: Keyspace;
  readonly #visit: (ref: RecordRef) => void;

  /** Begins a walk at this moment; `visit` must not change the store. */
  constructor(store: Store, visit: VisitKey) {
    this.#store = store;
    this.#places = store.databases.map(() => ({ prefix: 0, span: 0, home: 0 }));
    this.#visited = store.databases[0];
    this.#visit = (ref) => visit(this.#visited, ref);
  }

  /** Visits the keys at the next `homes` homes, about as many as that. False if all databases are done. */
  step(homes: number): boolean {
    const index = this.#places.findIndex(({ prefix }) => prefix < PREFIXES);
    if (index < 0) return false;
    const { databases, dict } = this.#store;
    const db = databases[index], place = this.#places[index];
    if (db.size === 0) {
      place.prefix = PREFIXES;
      return true;
    }
    if (place.home === 0) place.span = dict.spanAt(db.keys, place.prefix);
    this.#visited = db;
    const end = Math.min(place.home + homes, HOMES);
    for (; place.home < end; place.home++) {
      dict.visitAt(db.keys, place.prefix, place.span, place.home, this.#visit);
    }
    if (place.home < HOMES) return true;
    place.home = 0;
    place.prefix += place.span;
    return true;
  }

  get done(): boolean {
    return this.#places.every(({ prefix }) => prefix >= PREFIXES);
  }

  /** Whether the walk has passed the position of a hash in a database. */
  hasPassed(db: number, hash: number): boolean {
    const { prefix, span, home } = this.#places[db];
    const own = hash >>> PREFIX_SHIFT;
    if (own < prefix) return true;
    return home > 0 && own < prefix + span && homeOf(hash, HOME_BITS) < home;
  }

  /** Two databases have exchanged their contents. */
  swap(a: number, b: number): void {
    [this.#places[a], this.#places[b]] = [this.#places[b], this.#places[a]];
  }
}

/**
 * A walk over all keys as they are at its beginning. The caller announces each change of a key in advance, and a key
 * that the walk has not passed is visited then. Each key that was there at the beginning is visited once, and no other
 * is.
 */
export class SnapshotWalk {
  readonly #dict: Dict;
  readonly #databases: readonly Keyspace[];
  readonly #walk: KeyWalk;
  readonly #visit: VisitKey;
  /** By database: the hashes ahead of the walk whose keys were visited early, or are new. */
  readonly #early: Set<number>[];

  /** Begins a walk at this moment; `visit` must not change the store. */
  constructor(store: Store, visit: VisitKey) {
    this.#dict = store.dict;
    this.#databases = store.databases;
    this.#visit = visit;
    this.#early = store.databases.map(() => new Set());
    this.#walk = new KeyWalk(store, (db, ref) => {
      const early = this.#early[db.index];
      if (early.size === 0 || !early.has(this.#dict.hashOf(ref))) visit(db, ref);
    });
  }

  /** All keys are visited. */
  get done(): boolean {
    return this.#walk.done;
  }

  /** Visits a few keys. */
  step(): void {
    this.#walk.step(1);
  }

  /** A key is about to be created, changed or removed. */
  beforeChange(index: number, bytes: Uint8Array, start: number, end: number): void {
    const hash = hashBytes(bytes, start, end), early = this.#early[index];
    if (this.#walk.hasPassed(index, hash) || early.has(hash)) return;
    early.add(hash);
    const db = this.#databases[index];
    // Other keys with the same hash count as early from here on, too.
    this.#dict.visitAt(db.keys, hash >>> PREFIX_SHIFT, 1, homeOf(hash, HOME_BITS), (ref) => {
      if (this.#dict.hashOf(ref) === hash) this.#visit(db, ref);
    });
  }
}
