/**
 * The end of a turn of the event loop. Connections run their requests as their bytes arrive; when all that arrived in one
 * turn is done, the append-only file is written once, synced if it must be, and then all replies leave.
 *
 * A microtask does it: the reads that finish in one turn continue one behind the other, and what the first of them queues
 * runs behind the last.
 */
import type { AofLog } from "../aof/log.ts";
import type { Executor } from "../commands/execute.ts";
import type { Engine } from "../engine/engine.ts";
import type { Connection } from "./connection.ts";

export class Turn {
  log: AofLog | undefined;
  readonly #engine: Engine;
  readonly #executor: Executor;
  #waiting: Connection[] = [];
  #scheduled = false;
  /** A loop of its own runs requests and says when the turn ends. */
  #inRound = false;
  /** Turns whose replies wait for a sync. */
  #syncing = 0;
  readonly #finish = () => this.#end();

  constructor(engine: Engine, executor: Executor) {
    this.#engine = engine;
    this.#executor = executor;
  }

  /** Requests are about to run: the first of a turn reads the clock for all of them. */
  enter(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
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

  /** Whether replies wait for a sync. */
  get waiting(): boolean {
    return this.#syncing > 0;
  }

  /** The connection has replies to send when the turn ends. */
  add(connection: Connection): void {
    this.#waiting.push(connection);
    this.enter();
  }

  /** Ends the turn for effects that no connection waits for: expiry, eviction. */
  settle(): void {
    if (this.log?.pending) this.log.write();
  }

  #end(): void {
    this.#scheduled = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    const { log } = this;
    if (log !== undefined && log.pending) {
      log.write();
      if (this.#engine.settings.values.appendfsync === "always") {
        this.#syncing++;
        void log.sync().then(() => {
          this.#syncing--;
          send(waiting);
        });
        return;
      }
    }
    send(waiting);
  }
}

function send(connections: readonly Connection[]): void {
  for (const connection of connections) connection.send();
}
