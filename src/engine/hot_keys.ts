/**
 * The keys that take the most processor time and network bytes, while HOTKEYS tracks them.
 *
 * Commands are measured one by one while there are few. When there are many, one in some hundreds stands for all, so
 * that the measurement takes less than a hundredth of the time.
 */
import type { Clock } from "../core/clock.ts";
import { latin1 } from "../core/bytes.ts";
import { HeavyHitters, type Weighted } from "../core/heavy_hitters.ts";
import type { Random } from "../core/random.ts";
import type { Request } from "../resp/request.ts";

/** Commands that are measured one by one in each interval of INTERVAL_MS. */
const EXACT_COMMANDS = 100;
const INTERVAL_MS = 100;
/** Beyond them, a measured command stands for so many on average. */
const STRIDE = 512;
/** Entries for each key that is reported: more entries make the weights more exact. */
const ENTRIES_PER_KEY = 10;

export interface HotKeysOptions {
  readonly cpu: boolean;
  readonly net: boolean;
  /** The number of keys that are reported. */
  readonly count: number;
  /** The tracking ends by itself after this time; 0: never. */
  readonly durationMs: number;
  /** One in so many commands counts for the keys. */
  readonly sampleRatio: number;
}

/** Chooses the commands that are measured, and how many commands each of them stands for. */
class Sampler {
  readonly #random: Random;
  #exactLeft = 0;
  #skip: number;

  constructor(random: Random) {
    this.#random = random;
    this.#skip = random.below(2 * STRIDE - 1);
  }

  beginInterval(): void {
    this.#exactLeft = EXACT_COMMANDS;
  }

  /** The number of commands that the next one stands for; 0 if it is not measured. Hot. */
  weight(): number {
    if (this.#exactLeft > 0) {
      this.#exactLeft--;
      return 1;
    }
    if (this.#skip > 0) {
      this.#skip--;
      return 0;
    }
    // Random strides do not follow a pattern of the requests.
    this.#skip = this.#random.below(2 * STRIDE - 1);
    return STRIDE;
  }
}

export class HotKeys {
  readonly options: HotKeysOptions;
  readonly startMs: number;
  /** Time and bytes of all commands with keys. */
  commandsUs = 0;
  commandsBytes = 0;
  /** Bytes that count for the keys. */
  countedBytes = 0;
  /** The time that the counting itself took. */
  ownUs = 0;
  active = true;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #byTime: HeavyHitters | undefined;
  readonly #byBytes: HeavyHitters | undefined;
  readonly #cancelEnd: () => void;
  readonly #ended: () => void;
  #endMs = 0;
  #intervalEndMs = 0;
  /** For the sums of all commands, and for those that SAMPLE lets count for their keys. */
  readonly #sums: Sampler;
  readonly #counts: Sampler;
  /** Commands until the next that counts for its keys, under SAMPLE. */
  #unsampled = 0;
  /** The number of commands that the measured one stands for in the sums, and for its keys. */
  #sumWeight = 1;
  #keyWeight = 1;

  /** `ended` is called when the counting ends. */
  constructor(options: HotKeysOptions, clock: Clock, random: Random, ended: () => void) {
    const { cpu, net, count, durationMs } = options;
    this.options = options;
    this.#clock = clock;
    this.#random = random;
    this.#sums = new Sampler(random);
    this.#counts = new Sampler(random);
    this.#ended = ended;
    this.startMs = clock.nowMs();
    if (cpu) this.#byTime = new HeavyHitters(count * ENTRIES_PER_KEY);
    if (net) this.#byBytes = new HeavyHitters(count * ENTRIES_PER_KEY);
    this.#cancelEnd = durationMs === 0 ? () => {} : clock.schedule(this.startMs + durationMs, () => this.stop());
  }

  stop(): void {
    if (!this.active) return;
    this.active = false;
    this.#endMs = this.#clock.nowMs();
    this.#cancelEnd();
    this.#ended();
  }

  get durationMs(): number {
    return (this.active ? this.#clock.nowMs() : this.#endMs) - this.startMs;
  }

  /** Whether the command that is about to run is measured. `note` then reports it. Hot. */
  takes(nowMs: number): boolean {
    if (nowMs >= this.#intervalEndMs) {
      this.#intervalEndMs = nowMs + INTERVAL_MS;
      this.#sums.beginInterval();
      this.#counts.beginInterval();
    }
    this.#sumWeight = this.#sums.weight();
    if (this.options.sampleRatio === 1) return (this.#keyWeight = this.#sumWeight) > 0;
    this.#keyWeight = this.#isSampled() ? this.#counts.weight() : 0;
    return this.#sumWeight + this.#keyWeight > 0;
  }

  /** True for one in `sampleRatio` commands. */
  #isSampled(): boolean {
    if (this.#unsampled > 0) {
      this.#unsampled--;
      return false;
    }
    this.#unsampled = this.#random.below(2 * this.options.sampleRatio - 1);
    return true;
  }

  /** Counts a measured command for its keys, which are the arguments `keys` of a request. */
  note(request: Request, keys: readonly number[], us: number, bytes: number): void {
    const startUs = this.#clock.monotonicUs(), weight = this.#keyWeight;
    this.commandsUs += us * this.#sumWeight;
    this.commandsBytes += bytes * this.#sumWeight;
    if (weight === 0) return;
    const shareUs = us * weight / keys.length, shareBytes = Math.floor(bytes / keys.length) * weight;
    for (const i of keys) {
      const key = latin1(request.bytes, request.start[i], request.end[i]);
      this.countedBytes += shareBytes;
      this.#byTime?.add(key, shareUs);
      this.#byBytes?.add(key, shareBytes);
    }
    this.ownUs += this.#clock.monotonicUs() - startUs;
  }

  /** The keys with the most processor time, in microseconds; undefined if it is not tracked. */
  byTime(): Weighted[] | undefined {
    return this.#byTime && listed(this.#byTime, this.options.count);
  }

  /** The keys with the most bytes in requests and replies; undefined if they are not tracked. */
  byBytes(): Weighted[] | undefined {
    return this.#byBytes && listed(this.#byBytes, this.options.count);
  }
}

/** Whole weights of at least 1. */
function listed(hitters: HeavyHitters, count: number): Weighted[] {
  const all = hitters.heaviest(count).map(({ name, weight }) => ({ name, weight: Math.floor(weight) }));
  return all.filter(({ weight }) => weight > 0);
}
