/**
 * The end of a turn of the event loop. Connections run their requests as their bytes arrive; when all that arrived in
 * one turn is done, the append-only file is written once, synced if it must be, and then all replies leave.
 *
 * A microtask does it: the reads that finish in one turn continue one behind the other, and what the first of them
 * queues runs behind the last.
 */
import type { Executor } from "../dispatch/executor.ts";
import { type Durability, unsavedReply } from "../engine/durability.ts";
import type { Engine } from "../engine/engine.ts";
import type { Connection } from "./connection.ts";

/** One turn in so many is timed; the others are taken to last as long. */
const TIMED_EVERY = 32;

export class Turn {
  readonly #engine: Engine;
  readonly #executor: Executor;
  #waiting: Connection[] = [];
  /** Connections whose suspended request has been answered, so that their next requests may run. */
  #resumed: Connection[] = [];
  #scheduled = false;
  /** A loop of its own runs requests and says when the turn ends. */
  #inRound = false;
  /** Turns whose replies wait for a slow disk. */
  #delayed = 0;
  /** The number of the turn, and the start of the last one that was timed. */
  #cycle = 0;
  #startUs = 0;
  readonly #finish = () => this.#end();

  constructor(engine: Engine, executor: Executor) {
    this.#engine = engine;
    this.#executor = executor;
  }

  /** Requests are about to run: the first of a turn reads the clock for all of them. */
  enter(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (++this.#cycle % TIMED_EVERY === 0) this.#startUs = this.#engine.clock.monotonicUs();
    this.#executor.readClock();
    if (!this.#inRound) queueMicrotask(this.#finish);
  }

  /** Until `endRound`, all that runs is one turn. */
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

  /** The connection has replies to send when the turn ends. */
  add(connection: Connection): void {
    if (this.#inRound && !this.#engine.durability?.pending) {
      connection.send();
      return;
    }
    this.addLast(connection);
  }

  /** Likewise, but never before the turn ends: more messages may come for the same connection. */
  addLast(connection: Connection): void {
    this.#waiting.push(connection);
    this.enter();
  }

  /** Lets the requests of a connection go on before the turn ends. */
  resume(connection: Connection): void {
    this.#resumed.push(connection);
    this.enter();
  }

  /** Ends the turn for effects that no connection waits for: expiry, eviction. */
  settle(): void {
    const { durability } = this.#engine;
    if (durability?.pending) durability.commit();
  }

  #end(): void {
    for (let next = this.#resumed.shift(); next !== undefined; next = this.#resumed.shift()) next.goOn();
    this.#scheduled = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    const { durability } = this.#engine;
    if (durability !== undefined && durability.pending && this.#delay(durability, waiting)) return;
    for (const connection of waiting) connection.send();
    const { stats, clock } = this.#engine;
    stats.eventLoopCycles++;
    if (this.#cycle % TIMED_EVERY === 0) stats.eventLoopUs += (clock.monotonicUs() - this.#startUs) * TIMED_EVERY;
  }

  /**
   * Commits what the turn brought, before any of its replies leaves. Changes that cannot be kept are not acknowledged. True
   * if replies leave later.
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
    for (const connection of waiting) if (!connection.session.wrote) connection.send();
    return true;
  }
}
