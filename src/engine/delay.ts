/**
 * The settings key-load-delay and rdb-key-save-delay: tests use them to make loading and saving last. Their value is in
 * microseconds for each key; a negative one, -N, stands for one microsecond in N keys.
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

  /** The milliseconds to wait for `keys` more keys. What is less than one millisecond is added to the next wait. */
  after(keys: number): number {
    const value = this.#setting();
    this.#owedMs += keys * (value < 0 ? -1 / value : value) / 1000;
    if (this.#owedMs < 1) return 0;
    const waitMs = this.#owedMs;
    this.#owedMs = 0;
    return waitMs;
  }
}

/** Waits, and lets others go on meanwhile. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits, and the whole thread with it. */
export function block(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
