/**
 * The end of a turn of the event loop. Connections run their requests as their bytes arrive. When all requests of one
 * turn are done, the append-only file is written once, synced if necessary, and then all replies are sent.
 *
 * A microtask does this: the reads that complete in one turn continue one after the other, and the microtask that the
 * first of them queues runs after the last.
 */
import type { Executor } from "../dispatch/executor.ts";
import { type Durability, unsavedReply } from "../engine/durability.ts";
import type { Engine } from "../engine/engine.ts";
import type { Connection } from "./connection.ts";

/**
 * Bytes of long replies that a turn produces. Then clients with long replies wait for the next turn, so that a client
 * with short replies waits for this many bytes and the reply that exceeds them, not for the replies of all clients.
 */
const TURN_BYTES = 4 * 1024 * 1024;
/** One turn in this many is timed; the others are assumed to take the same time. */
const TIMED_EVERY = 32;

export class Turn {
  readonly #engine: Engine;
  readonly #executor: Executor;
  #waiting: Connection[] = [];
  /** Connections whose suspended request has its reply, so that their next requests may run. */
  #resumed: Connection[] = [];
  #scheduled = false;
  /** True during a round: the poller's loop runs the requests and reports the end of the turn. */
  #inRound = false;
  /** Bytes of long replies that this turn has produced. */
  #producedBytes = 0;
  /** Number of turns whose replies wait for a slow disk. */
  #delayed = 0;
  /** The number of the turn, and the start of the last timed turn. */
  #cycle = 0;
  #startUs = 0;
  readonly #finish = () => this.#end();

  constructor(engine: Engine, executor: Executor) {
    this.#engine = engine;
    this.#executor = executor;
  }

  /** Called before requests run. The first call of a turn reads the clock for all of its requests. */
  enter(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (++this.#cycle % TIMED_EVERY === 0) this.#startUs = this.#engine.clock.monotonicUs();
    this.#executor.readClock();
    if (!this.#inRound) queueMicrotask(this.#finish);
  }

  /** Makes one turn of everything that runs until `endRound`. */
  beginRound(): void {
    this.#inRound = true;
  }

  endRound(): void {
    this.#inRound = false;
    if (this.#scheduled) this.#end();
  }

  /** Whether replies wait for a slow disk. */
  get waiting(): boolean {
    return this.#delayed > 0;
  }

  /** Counts the bytes of long replies. */
  produced(bytes: number): void {
    this.#producedBytes += bytes;
  }

  /** Whether the long replies of this turn, with `more` bytes that are not counted yet, have reached their limit. */
  isExhausted(more = 0): boolean {
    return this.#producedBytes + more >= TURN_BYTES;
  }

  /** Registers a connection that has replies to send at the end of the turn. */
  add(connection: Connection): void {
    if (this.#inRound && !this.#engine.durability?.pending) {
      connection.send();
      return;
    }
    this.addLast(connection);
  }

  /** Like `add`, but the replies never leave before the end of the turn, because more messages may follow. */
  addLast(connection: Connection): void {
    this.#waiting.push(connection);
    this.enter();
  }

  /** Lets the requests of a connection continue before the turn ends. */
  resume(connection: Connection): void {
    this.#resumed.push(connection);
    this.enter();
  }

  /** Ends the server's own work like a turn: expiry, eviction. */
  settle(): void {
    const { afterCommand, endOfTurn, durability } = this.#engine;
    if (afterCommand.pending) afterCommand.run();
    if (endOfTurn.pending) endOfTurn.run();
    if (durability?.pending) durability.commit();
  }

  #end(): void {
    for (let next = this.#resumed.shift(); next !== undefined; next = this.#resumed.shift()) next.goOn();
    const { durability, endOfTurn } = this.#engine;
    if (endOfTurn.pending) endOfTurn.run();
    this.#scheduled = false;
    this.#producedBytes = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (durability !== undefined && durability.pending && this.#delay(durability, waiting)) {
      this.#engine.forgetShared();
      return;
    }
    for (const connection of waiting) connection.send();
    // A connection that was closed meanwhile may have caused messages of the next turn.
    if (this.#waiting.length === 0) this.#engine.forgetShared();
    const { stats, clock } = this.#engine;
    stats.eventLoopCycles++;
    if (this.#cycle % TIMED_EVERY === 0) stats.eventLoopUs += (clock.monotonicUs() - this.#startUs) * TIMED_EVERY;
  }

  /**
   * Commits the changes of the turn before any of its replies leaves. Changes that cannot be kept are not acknowledged.
   * Returns true if the replies leave later.
   */
  #delay(durability: Durability, waiting: readonly Connection[]): boolean {
    if (!durability.commit()) {
      const reply = unsavedReply(this.#engine.persistence.fileFailure);
      for (const connection of waiting) if (connection.session.wrote) connection.refuse(reply);
      return false;
    }
    const until = durability.delay();
    if (until === undefined) return false;
    this.#delayed++;
    void until.then(() => {
      this.#delayed--;
      for (const connection of waiting) if (connection.session.wrote) connection.send();
    });
    for (const connection of waiting) {
      if (connection.session.wrote) connection.delay();
      else connection.send();
    }
    return true;
  }
}
