/**
 * LATENCY DOCTOR: a report in sentences about the events of the latency monitor, with what may help. The line of each
 * event has the form of Redis, because people search for it.
 */
import type { Engine } from "../../engine/engine.ts";
import type { LatencyEvent, LatencySeries } from "../../engine/latency.ts";

const DISK = "Keep the append-only file on a local disk, and find out what else keeps that disk busy.";
const SLOW_COMMANDS = "Look into the slow log with SLOWLOG GET: it names the commands that took long.";
const LARGE_VALUES = "Split very large keys: commands that read or write a whole large value hold up all others.";
const MACHINE =
  "The machine gave the process too little time, or JavaScript collected garbage. Give MemDB a processor of its " +
  "own, and measure the machine with redis-cli --intrinsic-latency 100.";
const SLICE =
  "This background work runs in slices of about a millisecond. A slice that took longer met a slow disk or a busy " +
  "machine.";

/** What may help against an event. */
const ADVICE: Readonly<Record<LatencyEvent, readonly string[]>> = {
  "command": [SLOW_COMMANDS, LARGE_VALUES],
  "fast-command": [MACHINE],
  "aof-write": [],
  "aof-write-alone": [DISK],
  "aof-write-pending-fsync": [DISK],
  "aof-write-active-child": [
    DISK,
    "Let rewrites and snapshots run when there is less to do: see auto-aof-rewrite-percentage and save.",
  ],
  "aof-fsync-always": [
    "appendfsync always waits for the disk in every turn. everysec loses at most about a second.",
    DISK,
  ],
  "aof-fstat": [DISK],
  "expire-cycle": [LARGE_VALUES, "Let the expiry cycle run more often and more briefly: raise hz."],
  "eviction-cycle": ["Many keys had to go at once. Avoid to lower maxmemory in one large step."],
  "eviction-del": [LARGE_VALUES],
  "aof-rewrite-slice": [SLICE],
  "rdb-save-slice": [SLICE],
  "lazyfree-slice": [SLICE],
};

export function latencyReport({ clock, latency, settings }: Engine): string {
  const { latencyMonitorThreshold: thresholdMs } = settings.values;
  if (latency.events.size === 0) {
    return thresholdMs === 0
      ? "The latency monitor is off, so nothing can be said. " +
        "CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n"
      : `Since the start or the last LATENCY RESET nothing has taken ${thresholdMs} milliseconds or more.\n`;
  }
  const nowSeconds = Math.floor(clock.nowMs() / 1000);
  const lines = ["These events have reached the threshold of the latency monitor:", ""];
  let number = 0;
  const advice = new Set<string>();
  for (const [event, series] of latency.events) {
    lines.push(`${++number}. ${event}: ${summary(series, nowSeconds)}`);
    for (const sentence of ADVICE[event as LatencyEvent]) advice.add(sentence);
  }
  const slowLog = latency.events.has("command") ? slowLogAdvice(thresholdMs, settings.values.slowlogLogSlowerThan) : "";
  if (slowLog !== "") advice.add(slowLog);
  lines.push("", "What may help:", "", ...[...advice].map((sentence) => `- ${sentence}`));
  return lines.map((line) => `${line}\n`).join("");
}

function summary({ samples, maxMs }: LatencySeries, nowSeconds: number): string {
  const average = mean(samples.map(({ ms }) => ms));
  const deviation = mean(samples.map(({ ms }) => Math.abs(average - ms)));
  const seconds = Math.max(1, nowSeconds - samples[0].timeSeconds);
  return `${samples.length} latency spikes (average ${average}ms, mean deviation ${deviation}ms, ` +
    `period ${(seconds / samples.length).toFixed(2)} sec). Worst all time event ${maxMs}ms.`;
}

function mean(values: readonly number[]): number {
  return Math.floor(values.reduce((sum, value) => sum + value, 0) / values.length);
}

/** The slow log does not show what the monitor saw if its threshold is higher. */
function slowLogAdvice(thresholdMs: number, slowerThanUs: number): string {
  if (slowerThanUs >= 0 && slowerThanUs <= thresholdMs * 1000) return "";
  return `The slow log does not show all of these commands: CONFIG SET slowlog-log-slower-than ${thresholdMs * 1000}.`;
}
