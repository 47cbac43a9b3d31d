/**
 * The deadlines of waiting clients. All clients share one timer, and a client without a deadline costs nothing here.
 */
import { DeadlineHeap, type Timed } from "../core/deadline_heap.ts";
import type { Clock } from "../core/clock.ts";
import type { Engine } from "../engine/engine.ts";

/** A wait with a deadline. `timeOut` must remove it. */
export interface TimedWait extends Timed {
  timeOut(): boolean;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #waits = new DeadlineHeap<TimedWait>();
  #stopTimer: (() => void) | undefined;
  /** The time for which the timer is set. */
  #timerMs = Infinity;

  constructor({ clock }: Engine) {
    this.#clock = clock;
  }

  /** Number of clients that wait with a deadline. */
  get size(): number {
    return this.#waits.size;
  }

  add(wait: TimedWait): void {
    this.#waits.add(wait);
    this.#setTimer();
  }

  /** Removes a wait; no effect on a wait without a deadline. */
  remove(wait: TimedWait): void {
    this.#waits.remove(wait);
    if (this.#waits.size === 0) this.#clearTimer();
  }

  #setTimer(): void {
    const first = this.#waits.first;
    if (first === undefined || first.deadlineMs >= this.#timerMs) return;
    this.#stopTimer?.();
    this.#timerMs = first.deadlineMs;
    this.#stopTimer = this.#clock.schedule(first.deadlineMs, () => this.#expire());
  }

  #clearTimer(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#timerMs = Infinity;
  }

  /** Ends the waits whose deadline has passed. */
  #expire(): void {
    this.#clearTimer();
    const nowMs = this.#clock.nowMs();
    for (let first = this.#waits.first; first !== undefined; first = this.#waits.first) {
      if (first.deadlineMs > nowMs) break;
      first.timeOut();
    }
    this.#setTimer();
  }
}
