/**
 * Optimistic locking: which sessions watch which keys, and which of the sessions have seen one of theirs change. It listens
 * to the changes of keys while anybody watches, and costs nothing else.
 */
import { latin1 } from "../core/bytes.ts";
import type { Keyspace } from "../store/keyspace.ts";
import type { KeyChangeListener, Listeners } from "./listeners.ts";
import type { Session } from "./session.ts";

/** What one session watches. */
interface Watch {
  readonly keys: { readonly db: Keyspace; readonly bytes: Uint8Array; readonly text: string }[];
  /** One of the keys has changed. */
  broken: boolean;
}

export class Watches {
  readonly #listeners: Listeners;
  /** Ends listening; undefined while no session watches a key. */
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

  /** Number of sessions that watch a key. */
  get sessionCount(): number {
    return this.#watches.size;
  }

  /** Number of keys that are watched, for each session that watches them. */
  get keyCount(): number {
    let count = 0;
    for (const { keys } of this.#watches.values()) count += keys.length;
    return count;
  }

  /** Number of keys that a session watches. */
  countOf(session: Session): number {
    return this.#watches.get(session)?.keys.length ?? 0;
  }

  /** Whether a key that a session watches has changed since. */
  isBroken(session: Session): boolean {
    return this.#watches.get(session)?.broken ?? false;
  }

  /** A session watches a key from now on. */
  watch(session: Session, db: Keyspace, bytes: Uint8Array): void {
    // What is past its deadline goes now, so that its going is no change.
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
    watch.keys.push({ db, bytes, text });
  }

  /** A session watches nothing any more. */
  forget(session: Session): void {
    const watch = this.#watches.get(session);
    if (watch === undefined) return;
    this.#watches.delete(session);
    for (const { db, text } of watch.keys) {
      const keys = this.#watchers.get(db)!, watchers = keys.get(text)!;
      watchers.delete(session);
      if (watchers.size > 0) continue;
      keys.delete(text);
      if (keys.size === 0) this.#watchers.delete(db);
    }
    if (this.#watches.size > 0) return;
    this.#leave?.();
    this.#leave = undefined;
  }

  /** Finds out whether keys of a session have passed their deadlines, which nobody may have noticed yet. */
  settle(session: Session): void {
    for (const { db, bytes } of this.#watches.get(session)?.keys ?? []) db.find(bytes, 0, bytes.length);
  }

  /** All keys of a database are about to go, and those of `by`, if there is one, to come in their place. */
  #replacing(db: Keyspace, by: Keyspace | undefined): void {
    for (const [text, watchers] of this.#watchers.get(db) ?? []) {
      const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
      if (db.find(bytes, 0, bytes.length) !== 0 || (by !== undefined && by.find(bytes, 0, bytes.length) !== 0)) {
        this.#break(watchers);
      }
    }
  }

  #break(watchers: Iterable<Session> | undefined): void {
    for (const session of watchers ?? []) this.#watches.get(session)!.broken = true;
  }
}
