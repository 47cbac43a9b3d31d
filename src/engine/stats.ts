/**
 * The counters of INFO: connections, commands, errors and turns of the event loop; and the calls, the time and a
 * latency histogram of each command.
 */

/** A histogram over microseconds with about 3 % resolution: 32 steps for each doubling. */
export class LatencyHistogram {
  #counts = new Float64Array(0);
  total = 0;

  /** Adds `count` observations of `us` microseconds. */
  record(us: number, count = 1): void {
    const i = bucketOf(us);
    if (i >= this.#counts.length) {
      const grown = new Float64Array(i + 32);
      grown.set(this.#counts);
      this.#counts = grown;
    }
    this.#counts[i] += count;
    this.total += count;
  }

  /** The value in microseconds that `percent` of the observations do not exceed. */
  percentile(percent: number): number {
    let left = Math.max(1, Math.ceil((percent / 100) * this.total));
    for (let i = 0; i < this.#counts.length; i++) {
      left -= this.#counts[i];
      if (left <= 0) return upperBound(i);
    }
    return 0;
  }

  /**
   * The cumulative number of observations up to 1, 2, 4, ... microseconds, only for steps at which it grows. The steps
   * are those of Redis, whose histogram doubles 1024 ns and rounds up by 1/128: 33, 66, 132, ...
   */
  cumulative(): { us: number; count: number }[] {
    const out: { us: number; count: number }[] = [];
    let sum = 0, i = 0;
    for (let step = 1; sum < this.total; step *= 2) {
      const us = Math.floor((1032 * step - 1) / 1000);
      const before = sum;
      while (i < this.#counts.length && upperBound(i) <= us) sum += this.#counts[i++];
      if (sum > before) out.push({ us, count: sum });
    }
    return out;
  }
}

function bucketOf(us: number): number {
  const v = Math.max(0, Math.floor(us));
  if (v < 64) return v;
  const log = 31 - Math.clz32(Math.min(v, 0x7fffffff));
  return 64 + (log - 6) * 32 + ((v >>> (log - 5)) & 31);
}

function upperBound(i: number): number {
  if (i < 64) return i;
  const log = 6 + Math.floor((i - 64) / 32);
  return 2 ** log + ((i - 64) % 32 + 1) * 2 ** (log - 5) - 1;
}

export class CommandStats {
  calls = 0;
  usec = 0;
  /** Calls since the last timed call. Each of them counts with the time of the next timed call. */
  untimed = 0;
  rejected = 0;
  failed = 0;
  readonly latency = new LatencyHistogram();
}

const CODE_END = /[ \r\n]/, CODE_LENGTH_MAX = 30;

export class Stats {
  connections = 0;
  rejectedConnections = 0;
  commands = 0;
  inputBytes = 0;
  outputBytes = 0;
  /** Number of reads from clients, and of writes to them. */
  reads = 0;
  writes = 0;
  errors = 0;
  /** Number of errors by code, for at most 128 different codes. */
  readonly errorCodes = new Map<string, number>();
  evicted = 0;
  evictedClients = 0;
  /** Scripts of EVAL that were forgotten for others. */
  evictedScripts = 0;
  /** The time for which used memory was above maxmemory, without the present period. */
  evictionExceededUs = 0;
  /** Expired keys and fields that the expiry cycle deleted; those that a command deleted are not included. */
  expiredActive = 0;
  expiredFieldsActive = 0;
  outputLimitDisconnections = 0;
  queryLimitDisconnections = 0;
  expireCycleStopped = 0;
  expireCycleUs = 0;
  stalePercent = 0;
  /** Refusals by permissions and failed authentications, by reason. */
  readonly denied = { auth: 0, command: 0, database: 0, key: 0, channel: 0 };
  /** Number of turns of the event loop that ran requests, and their total time. */
  eventLoopCycles = 0;
  eventLoopUs = 0;
  peakBytes = 0;
  /** The time of the peak, in seconds since the epoch. */
  peakTime = 0;
  /** Number of changes since the start; Redis calls it dirty. */
  changes = 0;

  /** Records the memory that the store uses now. */
  notePeak(usedBytes: number, nowMs: number): void {
    if (usedBytes <= this.peakBytes) return;
    this.peakBytes = usedBytes;
    this.peakTime = Math.floor(nowMs / 1000);
  }

  /** Counts an error reply. As in Redis, the code ends in the first 32 bytes of the reply, or it is ERR. */
  countError(message: string): void {
    this.errors++;
    const length = message.search(CODE_END);
    const code = length < 0 || length > CODE_LENGTH_MAX ? "ERR" : message.slice(0, length);
    if (this.errorCodes.size < 128 || this.errorCodes.has(code)) {
      this.errorCodes.set(code, (this.errorCodes.get(code) ?? 0) + 1);
    }
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    const fresh = new Stats();
    const { peakBytes, peakTime, changes } = this;
    this.errorCodes.clear();
    const { denied, errorCodes } = this;
    Object.assign(denied, fresh.denied);
    Object.assign(this, fresh, { peakBytes, peakTime, changes, denied, errorCodes });
  }
}
