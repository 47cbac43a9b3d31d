/**
 * The clock of an embedded server. Everything that the server measures follows it: expiry, TIME, timeouts of blocking
 * commands, idle times. It runs with the system's clock or stands still, and moves on request in both cases.
 */
import type { Clock } from "../core/clock.ts";

/** A length of time; the parts add up. */
export interface Duration {
  /** Days of 24 hours. */
  readonly days?: number;
  /** Hours. */
  readonly hours?: number;
  /** Minutes. */
  readonly minutes?: number;
  /** Seconds. */
  readonly seconds?: number;
  /** Milliseconds. */
  readonly milliseconds?: number;
}

/** The clock of a server, for the test that moves it. */
export interface ServerClock {
  /** Whether the clock stands still except for `advance` and `set`. */
  readonly manual: boolean;
  /** The time of the server. */
  readonly now: Date;
  /**
   * Moves the clock forwards. Keys whose time has come are gone when the promise resolves, and clients whose timeout
   * has come have their replies. Throws RangeError for a negative duration.
   */
  advance(duration: Duration): Promise<void>;
  /** Sets the wall clock, as an administrator does: durations do not change. */
  set(time: Date | number): Promise<void>;
}

/** The longest delay of a timer of the runtime, in milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS;

/** The runtime's own functions: a test framework may replace the global ones by a clock of its own. */
const { setTimeout, clearTimeout } = globalThis;
const systemMs = Date.now.bind(Date);
const systemUs = () => performance.now() * 1000;

interface Entry {
  readonly atMs: number;
  readonly run: () => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class TestClock implements Clock, ServerClock {
  readonly manual: boolean;
  /** What `advance` and `set` have added, in milliseconds; of a manual clock, the time itself. */
  #ms: number;
  #us = 0;
  readonly #scheduled = new Set<Entry>();
  readonly #moved: () => void;

  /** `moved` is called after each move, when the work that was due has run. */
  constructor(manual: boolean, startMs: number | undefined, moved: () => void) {
    this.manual = manual;
    this.#ms = manual ? startMs ?? systemMs() : startMs === undefined ? 0 : startMs - systemMs();
    this.#moved = moved;
  }

  nowMs(): number {
    return this.manual ? this.#ms : systemMs() + this.#ms;
  }

  monotonicUs(): number {
    return this.manual ? this.#us : systemUs() + this.#us;
  }

  get now(): Date {
    return new Date(this.nowMs());
  }

  advance(duration: Duration): Promise<void> {
    const { days = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0 } = duration;
    const ms = days * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS + milliseconds;
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError("a clock advances by a duration that is not negative");
    this.#us += ms * 1000;
    return this.#move(this.#ms + ms);
  }

  set(time: Date | number): Promise<void> {
    const ms = Number(time);
    if (!Number.isFinite(ms)) throw new RangeError("a time is a valid Date, or milliseconds since 1970");
    return this.#move(this.manual ? ms : ms - systemMs());
  }

  schedule(atMs: number, run: () => void): () => void {
    const entry: Entry = { atMs, run, timer: undefined };
    this.#scheduled.add(entry);
    this.#arm(entry);
    return () => {
      clearTimeout(entry.timer);
      this.#scheduled.delete(entry);
    };
  }

  /** Moves to a new time, and runs due work in the order of its times. That work may schedule more. */
  async #move(ms: number): Promise<void> {
    this.#ms = ms;
    for (let due = this.#nextDue(); due !== undefined; due = this.#nextDue()) this.#run(due);
    for (const entry of this.#scheduled) this.#arm(entry);
    this.#moved();
    // The turn of the server ends, and its replies leave, before the caller goes on.
    await new Promise((resolve) => setTimeout(resolve));
  }

  #run(entry: Entry): void {
    clearTimeout(entry.timer);
    this.#scheduled.delete(entry);
    entry.run();
  }

  #arm(entry: Entry): void {
    if (this.manual) return;
    clearTimeout(entry.timer);
    const delayMs = Math.min(Math.max(0, entry.atMs - this.nowMs()), TIMER_MS_MAX);
    entry.timer = setTimeout(() => this.#run(entry), delayMs);
  }

  #nextDue(): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#scheduled) {
      if (entry.atMs <= this.nowMs() && (first === undefined || entry.atMs < first.atMs)) first = entry;
    }
    return first;
  }
}
