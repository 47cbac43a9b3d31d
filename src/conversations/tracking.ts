/**
 * Client-side caching: clients keep values that they have read, and hear when one of these changes. A client in the
 * default mode hears of each key once, the first time that it changes after a read. A client in broadcast mode hears of
 * all changed keys with its prefixes, at the end of each turn. When databases are emptied or change places, every
 * client hears that all keys are invalid.
 *
 * A message goes at once to a client that waits for nothing, and behind the reply to the client whose command runs. It
 * may go to another session (REDIRECT). In RESP2 only such a session can receive it, as a message of a channel.
 *
 * A client that leaves stays in the table until its keys change, or until as many items of the table belong to absent
 * clients as to present ones: then a sweep removes them, in slices.
 */
import { utf8 } from "../core/bytes.ts";
import type { Engine } from "../engine/engine.ts";
import type { DeferredWork } from "../engine/phase.ts";
import type { Session } from "../engine/session.ts";
import { Tracker, type TrackingMode } from "../engine/tracker.ts";
import { encodeArray, encodePush } from "../resp/push.ts";
import { Prefixes } from "./prefixes.ts";
import { TrackedKeys } from "./tracked_keys.ts";

/** The channel on which a session in RESP2 receives invalidations. */
const CHANNEL = utf8("__redis__:invalidate");
const MESSAGE = utf8("message"), INVALIDATE = utf8("invalidate"), REDIRECT_BROKEN = utf8("tracking-redir-broken");
const NULL_RESP2 = utf8("$-1\r\n"), NULL_RESP3 = utf8("_\r\n");

/** Keys that are removed or swept at a time; a slice takes about a millisecond. */
const SLICE_KEYS = 1000;

/** The keys of an invalidation: an encoded array. It is encoded once for each protocol, for all receivers. */
class Invalidation {
  readonly #keys: Uint8Array;
  #push: Uint8Array | undefined;
  #message: Uint8Array | undefined;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  get push(): Uint8Array {
    return this.#push ??= encodePush(3, [INVALIDATE], this.#keys);
  }

  get message(): Uint8Array {
    return this.#message ??= encodePush(2, [MESSAGE, CHANNEL], this.#keys);
  }
}

/** The invalidation of all keys, in the protocol of the session that caches them. */
const ALL_KEYS = { 2: new Invalidation(NULL_RESP2), 3: new Invalidation(NULL_RESP3) } as const;

class ClientTracker extends Tracker {
  /** The number of the client in the table. */
  readonly number: number;
  /** Number of items of the client in the table. */
  itemCount = 0;
  readonly #tracking: Tracking;
  readonly #table: TrackedKeys;
  /** Invalidations that wait for the end of the running command; undefined stands for all keys. */
  #waiting: (Invalidation | undefined)[] = [];

  constructor(session: Session, number: number, tracking: Tracking, table: TrackedKeys) {
    super(session);
    this.number = number;
    this.#tracking = tracking;
    this.#table = table;
  }

  remember(bytes: Uint8Array, start: number, end: number, hash: number): void {
    if (!this.#table.add(bytes, start, end, hash, this.number)) return;
    this.itemCount++;
    this.#tracking.added();
  }

  prefetch(hashes: Int32Array, count: number): void {
    if (this.remembers) this.#table.prefetch(hashes, count);
  }

  /** Tells the session, behind its reply if its command is running. */
  invalidate(what: Invalidation | undefined, running: boolean): void {
    if (!running) return this.#tracking.send(this, what);
    this.#waiting.push(what);
    this.hasWaiting = true;
  }

  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.hasWaiting = false;
    for (const what of waiting) this.#tracking.send(this, what);
  }
}

export class Tracking implements DeferredWork {
  readonly #engine: Engine;
  readonly #table: TrackedKeys;
  readonly #prefixes = new Prefixes();
  /** The trackers of present sessions, by their number. Numbers are as low as possible, because the table has bits. */
  readonly #trackers = new Map<number, ClientTracker>();
  /** One more than the highest number that was given, and lower numbers that are free. */
  #nextNumber = 0;
  #freeNumbers: number[] = [];
  /** Numbers of absent sessions, which the table may still have. */
  #absentNumbers: number[] = [];
  /** Number of sessions whose tracking is on. */
  clientCount = 0;
  /** Number of items of absent sessions. */
  #deadItems = 0;
  #sweepCursor = 0;
  /** Cancels the next slice of work on the table; undefined if none is due. */
  #cancelSlice: (() => void) | undefined;
  readonly #broadcast: DeferredWork = {
    run: () => this.#prefixes.takeChanges((tracker, keys) => this.send(tracker, new Invalidation(keys))),
  };
  /** Stops listening to keys; empty while nothing is tracked. */
  #stopListening: (() => void)[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#table = new TrackedKeys(engine.store);
    engine.listeners.sessions.add({ reset: (session) => this.stop(session), ended: (session) => this.#ended(session) });
    engine.settings.onChange("tracking-table-max-keys", () => engine.afterCommand.add(this));
  }

  get keyCount(): number {
    return this.#table.keyCount;
  }

  get itemCount(): number {
    return this.#table.itemCount;
  }

  /** Number of distinct prefixes of the broadcast mode. */
  get prefixCount(): number {
    return this.#prefixes.count;
  }

  /** CLIENT TRACKING ON. The prefixes (latin1) are added to those of the session. */
  start(session: Session, mode: TrackingMode, redirect: number, prefixes: readonly string[]): void {
    const tracker = session.tracker ??= this.#createTracker(session);
    if (tracker.mode === undefined) this.clientCount++;
    tracker.mode = mode;
    tracker.redirect = redirect;
    tracker.redirectBroken = false;
    if (mode.broadcast) {
      for (const prefix of prefixes.length === 0 ? [""] : prefixes) this.#prefixes.add(prefix, tracker);
    }
    this.#listen();
  }

  /** CLIENT TRACKING OFF. The keys that the session has read stay in the table. */
  stop({ tracker }: Session): void {
    if (tracker?.mode === undefined) return;
    this.#prefixes.forget(tracker);
    tracker.mode = undefined;
    tracker.redirectBroken = tracker.caching = false;
    this.clientCount--;
    this.#listen();
  }

  /** The table has a further item. */
  added(): void {
    if (this.#exceeded) this.#engine.afterCommand.add(this);
  }

  /** Sends an invalidation to the session that a client has chosen for it; undefined stands for all keys. */
  send(tracker: Tracker, what: Invalidation | undefined): void {
    const engine = this.#engine, { session, redirect } = tracker;
    const receiver = redirect === 0 ? session : engine.sessions.get(redirect);
    if (receiver === undefined) {
      tracker.redirectBroken = true;
      if (session.reply.version === 3) engine.push(session, encodePush(3, [REDIRECT_BROKEN], utf8(`:${redirect}\r\n`)));
      return;
    }
    const invalidation = what ?? (session.reply.version === 3 ? ALL_KEYS[3] : ALL_KEYS[2]);
    if (receiver.reply.version === 3) engine.push(receiver, invalidation.push);
    else if (redirect !== 0 && receiver.subscriber !== undefined) engine.push(receiver, invalidation.message);
  }

  /** Does a slice of the work on the table: shortens it to the allowed number of keys, and removes absent clients. */
  run(): void {
    if (this.#exceeded) this.#shorten();
    else if (this.#mustSweep) this.#sweep();
    if (this.#exceeded || this.#mustSweep) this.#runSoon();
    else this.#listen();
  }

  #runSoon(): void {
    const { clock, afterCommand } = this.#engine;
    this.#cancelSlice ??= clock.schedule(clock.nowMs(), () => {
      this.#cancelSlice = undefined;
      afterCommand.add(this);
      afterCommand.run();
    });
  }

  get #exceeded(): boolean {
    const max = this.#engine.settings.values.trackingTableMaxKeys;
    return max > 0 && this.#table.keyCount > max;
  }

  /** Removes keys that are chosen at random. Their clients hear of them as if they had changed. */
  #shorten(): void {
    for (let count = 0; count < SLICE_KEYS && this.#exceeded; count++) {
      const { key, numbers } = this.#table.takeRandom(this.#engine.random);
      this.#invalidate(numbers, key, 0, key.length);
    }
  }

  get #mustSweep(): boolean {
    return this.#sweepCursor > 0 || this.#deadItems * 2 > this.#table.itemCount;
  }

  /** Removes the items of absent clients from the next keys of the table. */
  #sweep(): void {
    const before = this.#table.itemCount;
    this.#sweepCursor = this.#table.sweep(this.#sweepCursor, SLICE_KEYS, (number) => this.#trackers.has(number));
    this.#lose(before - this.#table.itemCount);
  }

  /** The table has lost items of absent sessions. With the last of them their numbers are free. */
  #lose(items: number): void {
    this.#deadItems -= items;
    if (this.#deadItems > 0) return;
    this.#freeNumbers.push(...this.#absentNumbers);
    this.#absentNumbers = [];
  }

  #clear(): void {
    this.#table.clear();
    this.#lose(this.#deadItems);
    this.#sweepCursor = 0;
    this.#cancelSlice?.();
    this.#cancelSlice = undefined;
    this.#listen();
  }

  /** Listens to changes of keys while a change can matter. */
  #listen(): void {
    const needed = this.clientCount > 0 || this.#table.keyCount > 0;
    if (needed === this.#stopListening.length > 0) return;
    const { listeners } = this.#engine;
    for (const stop of this.#stopListening) stop();
    this.#stopListening = !needed ? [] : [
      listeners.keyChanged.add((_, bytes, start, end, by) => this.#changed(bytes, start, end, by)),
      listeners.flushed.add(() => this.#flushed()),
    ];
  }

  #createTracker(session: Session): ClientTracker {
    const number = this.#freeNumbers.pop() ?? this.#nextNumber++;
    const tracker = new ClientTracker(session, number, this, this.#table);
    this.#trackers.set(tracker.number, tracker);
    return tracker;
  }

  #changed(bytes: Uint8Array, start: number, end: number, by: Session | undefined): void {
    if (this.#prefixes.count > 0 && this.#prefixes.note(bytes, start, end, by)) {
      this.#engine.endOfTurn.add(this.#broadcast);
    }
    const numbers = this.#table.take(bytes, start, end);
    if (numbers.length > 0) this.#invalidate(numbers, bytes, start, end);
  }

  /** Tells the clients of a key, which the table has lost, that it is invalid. */
  #invalidate(numbers: readonly number[], bytes: Uint8Array, start: number, end: number): void {
    const { current } = this.#engine;
    let invalidation: Invalidation | undefined;
    for (const number of numbers) {
      const tracker = this.#trackers.get(number);
      if (tracker === undefined) {
        this.#lose(1);
        continue;
      }
      tracker.itemCount--;
      const { mode, session } = tracker, own = session === current;
      if (mode === undefined || mode.broadcast || (own && mode.noLoop)) continue;
      invalidation ??= new Invalidation(encodeArray([bytes.subarray(start, end)]));
      tracker.invalidate(invalidation, own);
    }
  }

  #flushed(): void {
    this.#clear();
    for (const tracker of this.#trackers.values()) {
      tracker.itemCount = 0;
      if (tracker.mode !== undefined) tracker.invalidate(undefined, tracker.session === this.#engine.current);
    }
  }

  #ended(session: Session): void {
    const tracker = session.tracker as ClientTracker | undefined;
    if (tracker === undefined) return;
    this.stop(session);
    this.#trackers.delete(tracker.number);
    this.#deadItems += tracker.itemCount;
    (tracker.itemCount === 0 ? this.#freeNumbers : this.#absentNumbers).push(tracker.number);
    session.tracker = undefined;
    if (this.#deadItems === this.#table.itemCount) this.#clear();
    else if (this.#mustSweep) this.#runSoon();
  }
}
