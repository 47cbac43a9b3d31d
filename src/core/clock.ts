/**
 * The clock from which all of MemDB reads the time. Tests and the embedding API use a ManualClock, which moves only on
 * request.
 */
export interface Clock {
  /** Milliseconds since the epoch, for deadlines. Never used to measure durations. */
  nowMs(): number;
  /** Microseconds from an arbitrary start, never going back; for durations. */
  monotonicUs(): number;
  /**
   * Calls `run` once `nowMs` has reached `atMs`. If `atMs` is far away the call may come earlier, so `run` must check
   * the clock. Returns a function that cancels the call.
   */
  schedule(atMs: number, run: () => void): () => void;
}

/** The longest delay of a timer of the runtime, in milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicUs: () => performance.now() * 1000,
  schedule: (atMs, run) => {
    const timer = setTimeout(run, Math.min(Math.max(0, atMs - Date.now()), TIMER_MS_MAX));
    return () => clearTimeout(timer);
  },
};

/** A clock that stands still until `advance` moves it. */
export class ManualClock implements Clock {
  #ms: number;
  #us = 0;
  readonly #scheduled = new Set<{ atMs: number; run: () => void }>();

  constructor(startMs: number) {
    this.#ms = startMs;
  }

  nowMs(): number {
    return this.#ms;
  }

  monotonicUs(): number {
    return this.#us;
  }

  /** Moves both readings by `ms`. A negative step moves only the wall clock, as when an administrator sets it back. */
  advance(ms: number): void {
    this.#ms += ms;
    if (ms > 0) this.#us += ms * 1000;
    // A timer that runs may schedule others, which also run if they are due.
    for (let due = this.#nextDue(); due !== undefined; due = this.#nextDue()) {
      this.#scheduled.delete(due);
      due.run();
    }
  }

  schedule(atMs: number, run: () => void): () => void {
    const entry = { atMs, run };
    this.#scheduled.add(entry);
    return () => this.#scheduled.delete(entry);
  }

  #nextDue(): { atMs: number; run: () => void } | undefined {
    let first: { atMs: number; run: () => void } | undefined;
    for (const entry of this.#scheduled) {
      if (entry.atMs <= this.#ms && (first === undefined || entry.atMs < first.atMs)) first = entry;
    }
    return first;
  }
}

/** Blocks the thread, and therefore the whole server, for some milliseconds. */
export function sleepFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
