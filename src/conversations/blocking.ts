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
 * object per key. All clients share one timer.
 */
import { latin1 } from "../core/bytes.ts";
import { DeadlineHeap, type Timed } from "../core/deadline_heap.ts";
import type { Call } from "../dispatch/call.ts";
import type { DeferredWork } from "../engine/phase.ts";
import type { Engine } from "../engine/engine.ts";
import type { Suspension } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import { Request } from "../resp/request.ts";
import type { Keyspace, KeyspaceObserver } from "../store/keyspace.ts";

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
}

/** The clients that wait for one key, as a linked list of places. */
class Queue {
  head: Place | undefined;
  tail: Place | undefined;
  /** True while the queue is in the list of ready keys. */
  ready = false;
  /** Number of clients that also wait for the removal of the key. */
  onRemoval = 0;

  constructor(readonly db: Keyspace, readonly key: string) {}
}

/** The place of one client in one queue. */
class Place {
  previous: Place | undefined;
  next: Place | undefined;
  /** The client's place in the queue of its next key. */
  sibling: Place | undefined;

  constructor(readonly waiter: Waiter, readonly queue: Queue) {}
}

/** A waiting client. */
class Waiter implements Suspension, Timed {
  readonly again = false;
  heapIndex = -1;
  /** Its places, the latest first. */
  places: Place | undefined;

  constructor(
    readonly blocking: Blocking,
    readonly call: Call,
    /** The request in RESP. */
    readonly request: Uint8Array,
    readonly type: number,
    readonly deadlineMs: number,
    readonly onRemoval: boolean,
  ) {}

  end(): void {
    this.blocking.leave(this);
  }

  timeOut(): boolean {
    this.blocking.answer(this, () => this.call.reply.nullArray());
    return true;
  }

  fail(message: string): boolean {
    this.blocking.answer(this, () => {
      this.call.runner.fail(this.call, message);
    });
    return true;
  }
}

export class Blocking implements DeferredWork {
  readonly #engine: Engine;
  readonly #queues = new Map<Keyspace, Map<string, Queue>>();
  readonly #deadlines = new DeadlineHeap<Waiter>();
  /** Number of waiting clients by type. */
  readonly #counts: number[] = [];
  #count = 0;
  #ready: Queue[] = [];
  #stopListening: (() => void)[] = [];
  #stopTimer: (() => void) | undefined;
  #timerMs = Infinity;
  /** The client whose request is running again. */
  #retrying: Waiter | undefined;
  readonly #parser = new RequestParser();
  readonly #observer: KeyspaceObserver = {
    created: (db, bytes, start, end, type) => this.#signal(db, bytes, start, end, type, false),
    // As in Redis, a value that takes the place of another wakes no client, even if it has the right type.
    replaced: (db, bytes, start, end, _, oldType) => this.#signal(db, bytes, start, end, oldType, true),
    removed: (db, bytes, start, end, type) => this.#signal(db, bytes, start, end, type, true),
  };

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#parser.bulkBytesMax = Infinity;
  }

  /** Number of waiting clients. */
  get clientCount(): number {
    return this.#count;
  }

  /** Number of clients that wait with a deadline. */
  get timedCount(): number {
    return this.#deadlines.size;
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
  wait(call: Call, { type, first, last, deadlineMs, onRemoval = false }: Wait): boolean {
    if (!call.mayWait) return false;
    const again = this.#retrying?.call === call ? this.#retrying : undefined;
    const waiter = again ?? new Waiter(this, call, rawBytes(call.request), type, deadlineMs, onRemoval);
    if (this.#count === 0) this.#listen();
    for (let i = first; i <= last; i++) this.#enqueue(waiter, call.text(i));
    this.#count++;
    this.#counts[type] = (this.#counts[type] ?? 0) + 1;
    if (waiter.deadlineMs > 0) {
      this.#deadlines.add(waiter);
      this.#setTimer();
    }
    call.session.suspension = waiter;
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

  /** Replies to a client without running its request again, and ends its wait. */
  answer(waiter: Waiter, write: () => void): void {
    const { call } = waiter;
    this.leave(waiter);
    call.runner.answer(call, write);
    call.session.transport?.resume();
  }

  /** Removes a client from all queues. */
  leave(waiter: Waiter): void {
    for (let place = waiter.places; place !== undefined; place = place.sibling) this.#dequeue(place);
    waiter.places = undefined;
    waiter.call.session.suspension = undefined;
    this.#deadlines.remove(waiter);
    this.#counts[waiter.type]--;
    if (--this.#count > 0) return;
    for (const stop of this.#stopListening) stop();
    this.#stopListening = [];
    if (this.#retrying === undefined) this.#clearTimer();
  }

  #listen(): void {
    const { listeners } = this.#engine;
    this.#stopListening = [
      listeners.keyspace.add(this.#observer),
      listeners.replacing.add((db, by) => this.#replacing(db, by)),
    ];
  }

  #enqueue(waiter: Waiter, key: string): void {
    const { db } = waiter.call;
    for (let place = waiter.places; place !== undefined; place = place.sibling) if (place.queue.key === key) return;
    let queues = this.#queues.get(db);
    if (queues === undefined) this.#queues.set(db, queues = new Map());
    let queue = queues.get(key);
    if (queue === undefined) queues.set(key, queue = new Queue(db, key));
    const place = new Place(waiter, queue);
    place.sibling = waiter.places;
    waiter.places = place;
    place.previous = queue.tail;
    if (queue.tail === undefined) queue.head = place;
    else queue.tail.next = place;
    queue.tail = place;
    if (waiter.onRemoval) queue.onRemoval++;
  }

  #dequeue({ queue, previous, next, waiter }: Place): void {
    if (previous === undefined) queue.head = next;
    else previous.next = next;
    if (next === undefined) queue.tail = previous;
    else next.previous = previous;
    if (waiter.onRemoval) queue.onRemoval--;
    if (queue.head !== undefined) return;
    const queues = this.#queues.get(queue.db)!;
    queues.delete(queue.key);
    if (queues.size === 0) this.#queues.delete(queue.db);
  }

  /** Handles the creation or removal of a key: marks its queue as ready. */
  #signal(db: Keyspace, bytes: Uint8Array, start: number, end: number, type: number, removed: boolean): void {
    if (!(this.#counts[type] > 0)) return;
    const queue = this.#queues.get(db)?.get(latin1(bytes, start, end));
    if (queue !== undefined && (!removed || queue.onRemoval > 0)) this.#makeReady(queue);
  }

  #makeReady(queue: Queue): void {
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
  #serve(queue: Queue): void {
    const { db } = queue;
    const key = Uint8Array.from(queue.key, (c) => c.charCodeAt(0));
    // A client that continues to wait moves to the end of the queue, behind `last`, and is not visited twice.
    const last = queue.tail;
    for (let place = queue.head; place !== undefined;) {
      const { waiter, next } = place;
      const ref = db.find(key, 0, key.length);
      if (waiter.onRemoval || (ref !== 0 && db.typeOf(ref) === waiter.type)) this.#retry(waiter);
      else if (ref === 0 && queue.onRemoval === 0) return;
      if (place === last) return;
      place = next;
    }
  }

  #retry(waiter: Waiter): void {
    const { call, request } = waiter, { session } = call;
    this.#retrying = waiter;
    this.leave(waiter);
    session.transport?.answering();
    this.#parser.borrow(request, request.length);
    this.#parser.next();
    call.runner.execute(call, this.#parser.request);
    this.#parser.next();
    this.#parser.giveBack();
    this.#retrying = undefined;
    if (this.#count === 0) this.#clearTimer();
    if (session.suspension === undefined) session.transport?.resume();
  }

  #setTimer(): void {
    const first = this.#deadlines.first;
    if (first === undefined || first.deadlineMs >= this.#timerMs) return;
    this.#stopTimer?.();
    this.#timerMs = first.deadlineMs;
    this.#stopTimer = this.#engine.clock.schedule(first.deadlineMs, () => this.#expire());
  }

  #clearTimer(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#timerMs = Infinity;
  }

  /** Replies to the clients whose deadline has passed. */
  #expire(): void {
    this.#clearTimer();
    const nowMs = this.#engine.clock.nowMs();
    for (let first = this.#deadlines.first; first !== undefined; first = this.#deadlines.first) {
      if (first.deadlineMs > nowMs) break;
      first.timeOut();
    }
    this.#setTimer();
  }
}

/** A copy of a request in RESP. */
function rawBytes(request: Request): Uint8Array {
  const { bytes, rawStart, rawEnd } = request;
  return rawStart >= 0 ? bytes.slice(rawStart, rawEnd) : request.clone().bytes;
}
