/**
 * Rates for INFO: the recent growth of some counters, averaged over the last samples. The server takes a sample several
 * times a second.
 */
import type { Stats } from "./stats.ts";

const SAMPLES = 16;

/** Growth of one counter per second. */
class Rate {
  readonly #samples = new Float64Array(SAMPLES);
  #next = 0;
  #last: number;

  constructor(start: number) {
    this.#last = start;
  }

  add(value: number, elapsedMs: number): void {
    this.#samples[this.#next] = Math.max(0, value - this.#last) * 1000 / elapsedMs;
    this.#next = (this.#next + 1) % SAMPLES;
    this.#last = value;
  }

  get perSecond(): number {
    return this.#samples.reduce((sum, sample) => sum + sample, 0) / SAMPLES;
  }
}

export class Rates {
  readonly commands = new Rate(0);
  readonly inputBytes = new Rate(0);
  readonly outputBytes = new Rate(0);
  readonly eventLoopCycles = new Rate(0);
  readonly eventLoopUs = new Rate(0);
  #lastUs: number;

  constructor(nowUs: number) {
    this.#lastUs = nowUs;
  }

  /** Takes a sample; `nowUs` is a monotonic time in microseconds. */
  sample(stats: Stats, nowUs: number): void {
    const elapsedMs = (nowUs - this.#lastUs) / 1000;
    if (elapsedMs <= 0) return;
    this.#lastUs = nowUs;
    this.commands.add(stats.commands, elapsedMs);
    this.inputBytes.add(stats.inputBytes, elapsedMs);
    this.outputBytes.add(stats.outputBytes, elapsedMs);
    this.eventLoopCycles.add(stats.eventLoopCycles, elapsedMs);
    this.eventLoopUs.add(stats.eventLoopUs, elapsedMs);
  }
}
