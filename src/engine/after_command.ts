/**
 * The phase after the command. It holds work that a command causes but must not do itself: waking blocked clients,
 * sending invalidations, evicting. The work waits until the outermost command, unit or script has ended. The executor
 * runs the phase once, before the next request of any client. The server also runs it after its own work, such as the
 * expiry cycle.
 */

/** Work for the phase. An object that is added again while it waits still runs only once. */
export interface DeferredWork {
  run(): void;
}

export class AfterCommand {
  /** Whether work waits. Hot code checks this before it calls `run`. */
  pending = false;
  #waiting: DeferredWork[] = [];
  #running = false;

  /** Adds work to run after the command. */
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
