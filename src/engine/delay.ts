/**
 * The settings key-load-delay and rdb-key-save-delay, which tests use to slow down loading and saving. A positive value
 * is the delay in microseconds for each key; a negative value -N means one microsecond for every N keys.
 */
export class KeyDelay {
  readonly #setting: () => number;
  #owedMs = 0;

  constructor(setting: () => number) {
    this.#setting = setting;
  }

  get active(): boolean {
    return this.#setting() !== 0;
  }

  /** The milliseconds to wait for `keys` more keys. Fractions of a millisecond are carried over to the next wait. */
  after(keys: number): number {
    const value = this.#setting();
    this.#owedMs += keys * (value < 0 ? -1 / value : value) / 1000;
    if (this.#owedMs < 1) return 0;
    const waitMs = this.#owedMs;
    this.#owedMs = 0;
    return waitMs;
  }
}

/** Waits without blocking the event loop. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits and blocks the thread. */
export function block(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
