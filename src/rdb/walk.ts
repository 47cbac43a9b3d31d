/**
 * A walk over all keys as they are at one moment, in steps between which the store changes. Whoever is about to change a
 * key says so first; a key that the walk has not reached yet is then visited before it changes. Each key that was there
 * at the beginning is visited once, and none that came later.
 *
 * The walk follows hash space, as the rewriting of the append-only file does: of each database the prefixes before
 * `prefix` are done, and of the `span` from there the homes below `home`. Beside that it knows the hashes of the keys that
 * were visited early, or are new.
 */
import { type Dict, homeOf, HOMES, PREFIX_SHIFT, PREFIXES } from "../store/blocks/dict.ts";
import { hashBytes } from "../core/hash_function.ts";
import type { Keyspace } from "../store/keyspace.ts";
import type { Store } from "../store/store.ts";

const HOME_BITS = Math.log2(HOMES);

interface Place {
  readonly db: Keyspace;
  prefix: number;
  span: number;
  home: number;
  readonly early: Set<number>;
}

export class SnapshotWalk {
  /** All keys are visited. */
  done = false;
  readonly #dict: Dict;
  readonly #visit: (db: Keyspace, ref: number) => void;
  readonly #places: Place[];
  #db = 0;

  /** Begins a walk at this moment; `visit` must not change the store. */
  constructor(store: Store, visit: (db: Keyspace, ref: number) => void) {
    this.#dict = store.dict;
    this.#visit = visit;
    this.#places = store.databases.map((db) => ({ db, prefix: 0, span: 0, home: 0, early: new Set() }));
  }

  /** Visits a few keys. */
  step(): void {
    const place = this.#places[this.#db];
    const { db, early } = place, dict = this.#dict;
    if (place.home === 0) place.span = dict.spanAt(db.keys, place.prefix);
    dict.visitAt(db.keys, place.prefix, place.span, place.home, (ref) => {
      if (early.size === 0 || !early.has(dict.hashOf(ref))) this.#visit(db, ref);
    });
    if (db.size > 0) {
      if (++place.home < HOMES) return;
      place.home = 0;
      place.prefix += place.span;
      if (place.prefix < PREFIXES) return;
    }
    early.clear();
    this.done = ++this.#db === this.#places.length;
  }

  /** A key is about to change, to go, or to come. */
  beforeChange(index: number, bytes: Uint8Array, start: number, end: number): void {
    const place = this.#places[index];
    const hash = hashBytes(bytes, start, end);
    if (this.#passed(place, hash) || place.early.has(hash)) return;
    place.early.add(hash);
    const { db } = place, dict = this.#dict;
    // Other keys with the same hash count as early from here on, too.
    dict.visitAt(db.keys, hash >>> PREFIX_SHIFT, 1, homeOf(hash, HOME_BITS), (ref) => {
      if (dict.hashOf(ref) === hash) this.#visit(db, ref);
    });
  }

  #passed({ db, prefix, span, home }: Place, hash: number): boolean {
    if (db.index !== this.#db) return db.index < this.#db;
    const own = hash >>> PREFIX_SHIFT;
    if (own < prefix) return true;
    return home > 0 && own < prefix + span && homeOf(hash, HOME_BITS) < home;
  }
}
