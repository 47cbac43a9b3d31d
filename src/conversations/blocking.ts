/**
 * Clients that wait for keys: BLPOP and related commands. A command that finds no value suspends its session here. When
 * one of its keys is created, the same request runs again as a separate command, and either replies or continues to
 * wait.
 *
 * Each key has a queue of waiting clients in order of arrival; each client has a list of its places in queues. Keys
 * become ready while commands run, and are served in that order in the phase after the command. Serving a client may
 * make other keys ready; the phase continues until no key is ready.
 *
 * While no client waits, nothing listens and there is no cost. A waiting client takes the bytes of its request and one
 * object per key.
 */
import type { Call } from "../dispatch/call.ts";
import type { DeferredWork } from "../engine/phase.ts";
import type { Engine } from "../engine/engine.ts";
import { type KeyEventListener, Notify } from "../engine/listeners.ts";
import type { Request } from "../resp/request.ts";
import { type Keyspace, type KeyspaceObserver, Type } from "../store/keyspace.ts";
import { HeldBytes, Place, type Queue, QueueTable, startOf } from "./queues.ts";
import { WaitingClient } from "./waiting_client.ts";

/**
 * Events of values that exist already and may end a wait for more of them. Most waits end when the value is created,
 * because a value where clients wait is missing.
 */
const STREAM_EVENTS: ReadonlySet<string> = new Set(["xadd", "xgroup-destroy"]);
const LIST_EVENTS: ReadonlySet<string> = new Set(["lpush", "rpush", "linsert"]);

/** The keys for which a command waits. */
export interface Wait {
  /** The type of value that ends the wait, one of `Type`. */
  readonly type: number;
  /** The indices of the key arguments: from `first` to `last`. */
  readonly first: number;
  readonly last: number;
  /** The time of the null reply, in milliseconds since the epoch; 0 means never. */
  readonly deadlineMs: number;
  /** Whether the request also runs again when a key is removed or gets a value of another type. */
  readonly onRemoval?: boolean;
  /** Whether the request also runs again when a list grows. With a stream it always does. */
  readonly onGrowth?: boolean;
  /** A time at which all requests that wait for one of the keys run again; 0 or missing means never. */
  readonly retryAtMs?: number;
  /** The request that runs again, if it is not the one that waits. */
  readonly request?: Request;
}

/** A client that waits for keys. */
class Waiter extends WaitingClient {
  /** Its places, the latest first. */
  places: Place<Waiter> | undefined;
  /** Stops the timer of `retryAtMs`. */
  stopRetry: (() => void) | undefined;

  readonly type: number;
  readonly onRemoval: boolean;
  readonly onGrowth: boolean;

  constructor(call: Call, request: Request, deadlineMs: number, { type, onRemoval = false, onGrowth = false }: Wait) {
    super(call, request, deadlineMs);
    this.type = type;
    this.onRemoval = onRemoval;
    this.onGrowth = onGrowth || type === Type.STREAM;
  }

  protected override leave(): void {
    super.leave();
    this.call.engine.part(Blocking).leave(this);
  }

  override replyTimeout(): void {
    this.call.reply.nullArray();
  }
}

export class Blocking implements DeferredWork {
  readonly #engine: Engine;
  readonly #queues = new Map<Keyspace, QueueTable<Waiter>>();
  /** Number of waiting clients by type. */
  readonly #counts: number[] = [];
  #count = 0;
  #ready: Queue<Waiter>[] = [];
  #stopListening: (() => void)[] = [];
  /** The client whose request is running again. */
  #retrying: Waiter | undefined;
  readonly #observer: KeyspaceObserver = {
    created: (db, bytes, start, end, type) => this.#signal(db, bytes, start, end, type, false),
    // As in Redis, a value that takes the place of another wakes no client, even if it has the right type.
    replaced: (db, bytes, start, end, _, oldType) => this.#signal(db, bytes, start, end, oldType, true),
    removed: (db, bytes, start, end, type) => this.#signal(db, bytes, start, end, type, true),
  };

  /** Hears of values that grow; undefined while no client waits for that. */
  #stopHearing: (() => void) | undefined;
  /** Number of clients that wait for a value to grow. */
  #growthCount = 0;
  readonly #growthListener: KeyEventListener = (db, kind, event, bytes, start, end) => {
    if (kind === Notify.STREAM && STREAM_EVENTS.has(event)) this.#signal(db, bytes, start, end, Type.STREAM, false);
    else if (kind === Notify.LIST && LIST_EVENTS.has(event)) this.#signal(db, bytes, start, end, Type.LIST, false);
  };

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Number of waiting clients. */
  get clientCount(): number {
    return this.#count;
  }

  /** Number of keys for which clients wait, and the number of those among them whose removal ends a wait. */
  keyCounts(): { keys: number; onRemoval: number } {
    let keys = 0, onRemoval = 0;
    for (const queues of this.#queues.values()) {
      keys += queues.size;
      for (const queue of queues.values()) if (queue.onRemoval > 0) onRemoval++;
    }
    return { keys, onRemoval };
  }

  /**
   * Suspends the session of a call until one of its keys has a value of the type. Returns false if the session may not
   * wait; the command then replies as after a timeout.
   */
  wait(call: Call, wait: Wait): boolean {
    if (!call.mayWait) return false;
    const { type, first, last, deadlineMs, retryAtMs = 0, request } = wait;
    // A client that continues to wait keeps its deadline.
    const until = this.#retrying?.call === call ? this.#retrying.deadlineMs : deadlineMs;
    const waiter = new Waiter(call, request ?? call.request, until, wait);
    if (this.#count === 0) this.#listen();
    for (let i = first; i <= last; i++) this.#enqueue(waiter, i);
    this.#count++;
    this.#counts[type] = (this.#counts[type] ?? 0) + 1;
    if (waiter.onGrowth && this.#growthCount++ === 0) {
      this.#stopHearing = this.#engine.listeners.keyEvent.add(this.#growthListener);
    }
    if (retryAtMs > 0) {
      waiter.stopRetry = this.#engine.clock.schedule(retryAtMs, () => this.#retryAll(waiter));
    }
    waiter.begin();
    return true;
  }

  /** Serves the ready keys, including the keys that become ready meanwhile, until none is left. */
  run(): void {
    const { pause, afterCommand } = this.#engine;
    if (pause !== undefined) {
      pause.whenOver(() => afterCommand.add(this));
      return;
    }
    for (let queue = this.#ready.shift(); queue !== undefined; queue = this.#ready.shift()) {
      queue.ready = false;
      this.#serve(queue);
    }
  }

  /** Removes a client from all queues. */
  leave(waiter: Waiter): void {
    for (let place = waiter.places; place !== undefined; place = place.sibling) this.#dequeue(place);
    waiter.places = undefined;
    waiter.stopRetry?.();
    waiter.stopRetry = undefined;
    this.#counts[waiter.type]--;
    if (waiter.onGrowth && --this.#growthCount === 0) this.#stopHearing!();
    if (--this.#count > 0) return;
    for (const stop of this.#stopListening) stop();
    this.#stopListening = [];
  }

  #listen(): void {
    const { listeners } = this.#engine;
    this.#stopListening = [
      listeners.keyspace.add(this.#observer),
      listeners.replacing.add((db, by) => this.#replacing(db, by)),
    ];
  }

  /** Adds a client to the queue of key argument i, unless it is there already. */
  #enqueue(waiter: Waiter, i: number): void {
    const { call } = waiter, { db, bytes } = call, start = call.start(i), end = call.end(i), hash = call.hash(i);
    let queues = this.#queues.get(db);
    if (queues === undefined) {
      this.#queues.set(db, queues = new QueueTable(db, this.#engine.part(HeldBytes)));
    }
    const queue = queues.find(bytes, start, end, hash) ?? queues.add(bytes, start, end, hash);
    for (let place = waiter.places; place !== undefined; place = place.sibling) if (place.queue === queue) return;
    const place = new Place(waiter, queue);
    place.sibling = waiter.places;
    waiter.places = place;
    queue.add(place);
    if (waiter.onRemoval) queue.onRemoval++;
  }

  #dequeue(place: Place<Waiter>): void {
    const { queue, waiter } = place;
    queue.remove(place);
    if (waiter.onRemoval) queue.onRemoval--;
    if (queue.head === undefined) this.#queues.get(queue.db)!.delete(queue);
  }

  /** Handles the creation or removal of a key: marks its queue as ready. */
  #signal(db: Keyspace, bytes: Uint8Array, start: number, end: number, type: number, removed: boolean): void {
    if (!(this.#counts[type] > 0)) return;
    const queue = this.#queues.get(db)?.find(bytes, start, end);
    if (queue !== undefined && (!removed || queue.onRemoval > 0)) this.#makeReady(queue);
  }

  #makeReady(queue: Queue<Waiter>): void {
    if (queue.ready) return;
    queue.ready = true;
    this.#ready.push(queue);
    this.#engine.afterCommand.add(this);
  }

  /** Handles the replacement of all keys of a database: each key with a queue is checked after the command. */
  #replacing(db: Keyspace, by: Keyspace | undefined): void {
    for (const queue of this.#queues.get(db)?.values() ?? []) {
      if (by !== undefined || queue.onRemoval > 0) this.#makeReady(queue);
    }
  }

  /** Runs the requests of the clients that wait for a key again, as long as the key has a value of their type. */
  #serve(queue: Queue<Waiter>): void {
    const { db, hash, keyLength, keyRef } = queue;
    const bytes = this.#engine.part(HeldBytes).bytesOf(keyRef), start = startOf(keyRef);
    // A client that continues to wait moves to the end of the queue, behind `last`, and is not visited twice.
    const last = queue.tail;
    for (let place = queue.head; place !== undefined;) {
      const { waiter, next } = place;
      const ref = db.find(bytes, start, start + keyLength, hash);
      if (waiter.onRemoval || (ref !== 0 && db.typeOf(ref) === waiter.type)) this.#retry(waiter);
      else if (ref === 0 && queue.onRemoval === 0) return;
      if (place === last) return;
      place = next;
    }
  }

  #retry(waiter: Waiter): void {
    this.#retrying = waiter;
    waiter.retry();
    this.#retrying = undefined;
  }

  /** Runs the requests of all clients again that wait for a key of one of them. */
  #retryAll(waiter: Waiter): void {
    const { afterCommand, clock, store } = this.#engine;
    waiter.stopRetry = undefined;
    store.setTime(clock.nowMs());
    for (let place = waiter.places; place !== undefined; place = place.sibling) this.#makeReady(place.queue);
    afterCommand.run();
  }
}
