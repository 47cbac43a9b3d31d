/**
 * The time, as everything in MemDB reads it. Tests and the embedding API hold a ManualClock still and move it.
 */
export interface Clock {
  /** Milliseconds since the epoch; what deadlines are compared with. Never used to measure durations. */
  nowMs(): number;
  /** Microseconds from an arbitrary start, never going back; for durations. */
  monotonicUs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicUs: () => performance.now() * 1000,
};

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #ms: number;
  #us = 0;

  constructor(startMs: number) {
    this.#ms = startMs;
  }

  nowMs(): number {
    return this.#ms;
  }

  monotonicUs(): number {
    return this.#us;
  }

  /** Moves both readings by `ms`; a negative step moves the wall clock alone, as when an administrator sets it back. */
  advance(ms: number): void {
    this.#ms += ms;
    if (ms > 0) this.#us += ms * 1000;
  }
}
