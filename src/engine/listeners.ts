/**
 * The registry of listeners: the one place where parts of the server register for reports about keys, commands and
 * sessions.
 *
 * Order. While a command runs, the reports come in this order:
 *
 *   1. `beforeWrite`   a command that may write is about to run: a snapshot saves the keys that it names
 *   2. `keyspace`      a key was created, replaced, removed, or looked up and missing; the keyspace itself reports it
 *   3. `keyChanged`    the value of a key changed, expiry and eviction included: WATCH, snapshots, client-side caching
 *   4. `keyEvent`      a keyspace event with its class and name, of a change or without one: notifications
 *
 * `flushed` reports that the contents of whole databases went or changed places, once for each such command.
 *
 * When the outermost command has ended, the phase `afterCommand` runs: pushes, woken clients. At the end of the turn of
 * the event loop the phase `endOfTurn` runs, `Durability` commits, and replies leave.
 *
 * A listener must not run a command, write into a reply or change the store, except the clock of a key. It may add work
 * to a phase.
 */
import type { Request } from "../resp/request.ts";
import type { Keyspace, KeyspaceObserver } from "../store/keyspace.ts";
import type { Store } from "../store/store.ts";
import type { Session } from "./session.ts";

/** Classes of keyspace events, with Redis's letters. */
export const Notify = {
  GENERIC: "g",
  STRING: "$",
  LIST: "l",
  SET: "s",
  HASH: "h",
  ZSET: "z",
  STREAM: "t",
  EXPIRED: "x",
  EVICTED: "e",
  KEY_MISS: "m",
  NEW: "n",
  OVERWRITTEN: "o",
  TYPE_CHANGED: "c",
} as const;
export type NotifyClass = typeof Notify[keyof typeof Notify];

/**
 * The keys that a command may change. "named": the keys that it names, in the selected database; "across": the keys
 * that it names, in any database; "database": all keys of the selected database; "swapped": all keys of the two
 * databases whose numbers are arguments 1 and 2; "all": all keys.
 */
export type Reach = "named" | "across" | "database" | "swapped" | "all";

/** A command that may write is about to run in database `db`; `keys` are the indices of its key arguments. */
export type WriteListener = (db: number, reach: Reach, request: Request, keys: readonly number[]) => void;

/**
 * The value of the key `bytes[start, end)` changed, or the key was removed: by a command of the session `by`, or
 * without one by expiry or eviction. The bytes are valid during the call.
 */
export type KeyChangeListener = (
  db: Keyspace,
  bytes: Uint8Array,
  start: number,
  end: number,
  by: Session | undefined,
) => void;

/** A keyspace event of the key `bytes[start, end)`, with Redis's name. The bytes are valid during the call. */
export type KeyEventListener = (
  db: Keyspace,
  kind: NotifyClass,
  event: string,
  bytes: Uint8Array,
  start: number,
  end: number,
) => void;

/** All keys of `db` are about to be removed; the keys of `by`, if given, replace them. */
export type ReplacementListener = (db: Keyspace, by: Keyspace | undefined) => void;

/** A session began, was reset by RESET, or ended. */
export interface SessionListener {
  began?(session: Session): void;
  reset?(session: Session): void;
  ended?(session: Session): void;
}

/** Listeners of one kind, called in the order of their registration. */
export class ListenerList<L> {
  /** A change replaces the whole array, so a listener may leave during an iteration. */
  all: readonly L[] = [];
  readonly #onChange: () => void;

  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  get empty(): boolean {
    return this.all.length === 0;
  }

  /** Adds a listener. The returned function removes it. */
  add(listener: L): () => void {
    this.all = [...this.all, listener];
    this.#onChange();
    return () => {
      this.all = this.all.filter((other) => other !== listener);
      this.#onChange();
    };
  }
}

export class Listeners {
  readonly beforeWrite: ListenerList<WriteListener> = new ListenerList();
  readonly keyspace: ListenerList<KeyspaceObserver>;
  readonly keyChanged: ListenerList<KeyChangeListener>;
  readonly keyEvent: ListenerList<KeyEventListener>;
  readonly replacing: ListenerList<ReplacementListener> = new ListenerList();
  readonly flushed: ListenerList<() => void> = new ListenerList();
  readonly sessions: ListenerList<SessionListener> = new ListenerList();
  /** More changes survive a power failure, or the file that promises it was replaced or given up. */
  readonly safe: ListenerList<() => void> = new ListenerList();
  /** Whether a listener for changes or events of keys exists. Hot code checks this before it reports one. */
  hearKeys = false;
  #stopAnnouncing: (() => void) | undefined;

  constructor(store: Store) {
    const countKeys = () => this.hearKeys = !this.keyChanged.empty || !this.keyEvent.empty;
    this.keyChanged = new ListenerList(countKeys);
    this.keyEvent = new ListenerList(() => {
      countKeys();
      this.#announceKeyspace();
    });
    // A keyspace without an observer reports nothing, at the cost of one comparison.
    const observer: KeyspaceObserver = {
      created: (...key) => this.keyspace.all.forEach((each) => each.created?.(...key)),
      replaced: (...key) => this.keyspace.all.forEach((each) => each.replaced?.(...key)),
      removed: (...key) => this.keyspace.all.forEach((each) => each.removed?.(...key)),
      missed: (...key) => this.keyspace.all.forEach((each) => each.missed?.(...key)),
    };
    this.keyspace = new ListenerList(() => store.observer = this.keyspace.empty ? undefined : observer);
    store.onReplacing = (db, by) => this.replacing.all.forEach((listener) => listener(db, by));
  }

  /** Reports the keyspace's own events as keyspace events too, while these have a listener. */
  #announceKeyspace(): void {
    this.#stopAnnouncing?.();
    this.#stopAnnouncing = this.keyEvent.empty ? undefined : this.keyspace.add({
      created: (db, bytes, start, end) => db.isDatabase && this.announced(db, Notify.NEW, "new", bytes, start, end),
      missed: (db, bytes, start, end) => this.announced(db, Notify.KEY_MISS, "keymiss", bytes, start, end),
    });
  }

  /** Reports that a key changed. Check `hearKeys` first. */
  changed(db: Keyspace, bytes: Uint8Array, start: number, end: number, by: Session | undefined): void {
    for (const listener of this.keyChanged.all) listener(db, bytes, start, end, by);
  }

  /** Reports an event of a key. Check `hearKeys` first. */
  announced(db: Keyspace, kind: NotifyClass, event: string, bytes: Uint8Array, start: number, end: number): void {
    for (const listener of this.keyEvent.all) listener(db, kind, event, bytes, start, end);
  }

  changesSafe(): void {
    for (const listener of this.safe.all) listener();
  }

  /** Reports that the contents of whole databases went or changed places. */
  databasesFlushed(): void {
    for (const listener of this.flushed.all) listener();
  }

  sessionBegan(session: Session): void {
    for (const listener of this.sessions.all) listener.began?.(session);
  }

  sessionReset(session: Session): void {
    for (const listener of this.sessions.all) listener.reset?.(session);
  }

  sessionEnded(session: Session): void {
    for (const listener of this.sessions.all) listener.ended?.(session);
  }
}
