/**
 * The latency monitor: which parts of the event loop's work took at least latency-monitor-threshold. Each kind of work,
 * an event, has the time and the duration of its latest occurrences, at most one for each second: the longest.
 *
 * While the monitor is off, the threshold is Infinity: a part that knows its duration pays one comparison, and others
 * do not read the clock.
 */
import type { Clock } from "../core/clock.ts";
import type { Settings } from "../settings/settings.ts";

/** Samples that an event keeps. */
const SAMPLES_MAX = 160;

/**
 * The events. The names before "aof-rewrite-slice" are those of Redis. The slices are pieces of background work that
 * Redis does in a child process or in a thread.
 */
export type LatencyEvent =
  | "command"
  | "fast-command"
  | "aof-write"
  | "aof-write-alone"
  | "aof-write-pending-fsync"
  | "aof-write-active-child"
  | "aof-fsync-always"
  | "aof-fstat"
  | "expire-cycle"
  | "eviction-cycle"
  | "eviction-del"
  | "aof-rewrite-slice"
  | "rdb-save-slice"
  | "lazyfree-slice";

export interface LatencySample {
  readonly timeSeconds: number;
  ms: number;
}

export class LatencySeries {
  /** The oldest first. */
  readonly samples: LatencySample[] = [];
  /** The longest duration since the event was reset. */
  maxMs = 0;

  add(timeSeconds: number, ms: number): void {
    this.maxMs = Math.max(this.maxMs, ms);
    const last = this.samples.at(-1);
    if (last?.timeSeconds === timeSeconds) {
      last.ms = Math.max(last.ms, ms);
      return;
    }
    this.samples.push({ timeSeconds, ms });
    if (this.samples.length > SAMPLES_MAX) this.samples.shift();
  }
}

export class LatencyMonitor {
  /** Durations from here on are recorded, in microseconds; Infinity while the monitor is off. */
  thresholdUs = Infinity;
  readonly #events = new Map<string, LatencySeries>();
  readonly #clock: Clock;

  constructor(settings: Settings, clock: Clock) {
    this.#clock = clock;
    const configure = (ms: number) => this.thresholdUs = ms === 0 ? Infinity : ms * 1000;
    configure(settings.values.latencyMonitorThreshold);
    settings.onChange("latency-monitor-threshold", configure);
  }

  /** The events that occurred, in the order of their first occurrence. */
  get events(): ReadonlyMap<string, LatencySeries> {
    return this.#events;
  }

  /** Records a duration if it reaches the threshold. */
  note(event: LatencyEvent, us: number): void {
    if (us >= this.thresholdUs) this.add(event, us);
  }

  /** Records a duration. */
  add(event: LatencyEvent, us: number): void {
    let series = this.#events.get(event);
    if (series === undefined) this.#events.set(event, series = new LatencySeries());
    series.add(Math.floor(this.#clock.nowMs() / 1000), Math.floor(us / 1000));
  }

  /** The start of a measurement, for `since`. */
  start(): number {
    return this.thresholdUs === Infinity ? 0 : this.#clock.monotonicUs();
  }

  /** The microseconds since a start; 0 if the monitor was off then. */
  since(startUs: number): number {
    return startUs === 0 ? 0 : this.#clock.monotonicUs() - startUs;
  }

  /** Forgets an event, named in any case, or all. Returns how many there were. */
  reset(name?: string): number {
    const names = [...this.#events.keys()].filter((event) => name === undefined || event === name.toLowerCase());
    for (const event of names) this.#events.delete(event);
    return names.length;
  }
}
