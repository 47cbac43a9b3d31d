/**
 * A phase: work that a command causes but must not do itself, and that waits for a certain moment. The engine has two.
 *
 * `afterCommand` runs when the outermost command, unit or script has ended, before the next request of any client: wake
 * blocked clients, shorten tables. The server also runs it after its own work, such as the expiry cycle.
 *
 * `endOfTurn` runs when all requests that arrived in one turn of the event loop have run, before their replies leave:
 * messages that collect the changes of a turn.
 */

/** Work for a phase. An object that is added again while it waits still runs only once. */
export interface DeferredWork {
  run(): void;
}

export class Phase {
  /** Whether work waits. Hot code checks this before it calls `run`. */
  pending = false;
  #waiting: DeferredWork[] = [];
  #running = false;

  /** Adds work to the phase. */
  add(work: DeferredWork): void {
    if (this.#waiting.includes(work)) return;
    this.#waiting.push(work);
    this.pending = true;
  }

  /**
   * Runs all work in the order in which it was added, including work that is added meanwhile, until none is left. Work
   * may run commands; the phase does not start again inside itself.
   */
  run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let work = this.#waiting.shift(); work !== undefined; work = this.#waiting.shift()) work.run();
    } finally {
      this.#running = false;
      this.pending = this.#waiting.length > 0;
    }
  }
}
