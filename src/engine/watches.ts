/**
 * Optimistic locking: which sessions watch which keys, and which sessions have a changed key. It listens to changes of
 * keys only while a session watches one, and costs nothing otherwise.
 */
import { latin1 } from "../core/bytes.ts";
import type { Keyspace } from "../store/keyspace.ts";
import type { KeyChangeListener, Listeners } from "./listeners.ts";
import type { Session } from "./session.ts";

/** The watched keys of one session; none once one of them has changed. */
interface Watch {
  keys: { readonly db: Keyspace; readonly bytes: Uint8Array; readonly text: string }[];
  /** One of the keys has changed. */
  broken: boolean;
}

export class Watches {
  readonly #listeners: Listeners;
  /** Stops listening; undefined while no session watches a key. */
  #leave: (() => void) | undefined;
  readonly #watches = new Map<Session, Watch>();
  /** The sessions that watch a key, by database and key. */
  readonly #watchers = new Map<Keyspace, Map<string, Set<Session>>>();
  readonly #listener: KeyChangeListener = (db, bytes, start, end) => {
    const keys = this.#watchers.get(db);
    if (keys !== undefined) this.#break(keys.get(latin1(bytes, start, end)));
  };

  constructor(listeners: Listeners) {
    this.#listeners = listeners;
    listeners.replacing.add((db, by) => this.#replacing(db, by));
    listeners.sessions.add({ reset: (session) => this.forget(session), ended: (session) => this.forget(session) });
  }

  /** Number of sessions that watch at least one key, and none of whose keys has changed. */
  sessionCount = 0;

  /** Number of watched keys; a key that several sessions watch counts once. */
  get keyCount(): number {
    let count = 0;
    for (const keys of this.#watchers.values()) count += keys.size;
    return count;
  }

  /** Number of keys that a session watches. */
  countOf(session: Session): number {
    return this.#watches.get(session)?.keys.length ?? 0;
  }

  /** Whether a watched key of a session has changed since WATCH. */
  isBroken(session: Session): boolean {
    return this.#watches.get(session)?.broken ?? false;
  }

  /** Starts to watch a key for a session; no effect if a watched key has changed already. */
  watch(session: Session, db: Keyspace, bytes: Uint8Array): void {
    if (this.isBroken(session)) return;
    // An expired key is deleted now, so that its later deletion does not count as a change.
    db.find(bytes, 0, bytes.length);
    this.#leave ??= this.#listeners.keyChanged.add(this.#listener);
    let watch = this.#watches.get(session);
    if (watch === undefined) this.#watches.set(session, watch = { keys: [], broken: false });
    const text = latin1(bytes, 0, bytes.length);
    let keys = this.#watchers.get(db);
    if (keys === undefined) this.#watchers.set(db, keys = new Map());
    const watchers = keys.get(text);
    if (watchers?.has(session)) return;
    if (watchers === undefined) keys.set(text, new Set([session]));
    else watchers.add(session);
    if (watch.keys.length === 0) this.sessionCount++;
    watch.keys.push({ db, bytes, text });
  }

  /** Stops watching all keys of a session. */
  forget(session: Session): void {
    const watch = this.#watches.get(session);
    if (watch === undefined) return;
    this.#watches.delete(session);
    this.#release(session, watch);
  }

  /** Removes a session from the watchers of its keys. */
  #release(session: Session, watch: Watch): void {
    if (watch.keys.length === 0) return;
    for (const { db, text } of watch.keys) {
      const keys = this.#watchers.get(db)!, watchers = keys.get(text)!;
      watchers.delete(session);
      if (watchers.size > 0) continue;
      keys.delete(text);
      if (keys.size === 0) this.#watchers.delete(db);
    }
    watch.keys = [];
    if (--this.sessionCount > 0) return;
    this.#leave?.();
    this.#leave = undefined;
  }

  /** Deletes the expired keys among the watched keys of a session, so that their expiry counts as a change. */
  settle(session: Session): void {
    for (const { db, bytes } of this.#watches.get(session)?.keys ?? []) db.find(bytes, 0, bytes.length);
  }

  /** All keys of a database are about to be removed; if `by` is given, its keys replace them. */
  #replacing(db: Keyspace, by: Keyspace | undefined): void {
    for (const [text, watchers] of [...this.#watchers.get(db) ?? []]) {
      const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
      if (db.find(bytes, 0, bytes.length) !== 0 || (by !== undefined && by.find(bytes, 0, bytes.length) !== 0)) {
        this.#break(watchers);
      }
    }
  }

  /** A session with a changed key need not know of further changes. */
  #break(watchers: Iterable<Session> | undefined): void {
    for (const session of [...watchers ?? []]) {
      const watch = this.#watches.get(session)!;
      watch.broken = true;
      this.#release(session, watch);
    }
  }
}
