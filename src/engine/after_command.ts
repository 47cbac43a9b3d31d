/**
 * The phase after the command. Work that a command makes necessary but must not do itself waits here until the outermost
 * command, unit or script has ended: waking blocked clients, sending invalidations, evicting. The executor runs it once,
 * before the next request of anybody; so does the server after work of its own, such as the expiry cycle.
 */

/** Work for the phase. One object may be noted again while it waits; it then runs once. */
export interface DeferredWork {
  run(): void;
}

export class AfterCommand {
  /** Whether work waits. Hot code asks before it calls `run`. */
  pending = false;
  #waiting: DeferredWork[] = [];
  #running = false;

  /** Notes work for the end of the command. */
  add(work: DeferredWork): void {
    if (this.#waiting.includes(work)) return;
    this.#waiting.push(work);
    this.pending = true;
  }

  /**
   * Does all work in the order in which it was noted, and then what this work has noted, until none is left. Work may run
   * commands: the phase does not begin anew within itself.
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
