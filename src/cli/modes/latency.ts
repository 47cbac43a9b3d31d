/** `--latency`, `--latency-history` and `--intrinsic-latency`: times in milliseconds and microseconds. */
import { ask, type ModeContext, type ModeSettings, pause } from "./context.ts";

const HISTORY_INTERVAL_MS = 15_000;

/** The measurements since the beginning, or since the last line of a history. */
class Samples {
  #min = Infinity;
  #max = 0;
  #sum = 0;
  #count = 0;
  readonly #began = performance.now();

  add(elapsedMs: number): void {
    this.#min = Math.min(this.#min, elapsedMs);
    this.#max = Math.max(this.#max, elapsedMs);
    this.#sum += elapsedMs;
    this.#count++;
  }

  get ageMs(): number {
    return performance.now() - this.#began;
  }

  /** For people, or in the output mode that scripts asked for. */
  format(output: ModeSettings["output"]): string {
    const [min, max, average] = [this.#min, this.#max, this.#sum / this.#count].map((ms) => ms.toFixed(2));
    switch (output) {
      case "standard":
        return `min: ${min}, max: ${max}, avg: ${average} (${this.#count} samples)`;
      case "raw":
        return `${min} ${max} ${average} ${this.#count}`;
      case "csv":
        return `${min},${max},${average},${this.#count}`;
      default:
        return `{"min": ${min}, "max": ${max}, "avg": ${average}, "count": ${this.#count}}`;
    }
  }
}

/**
 * Samples the time of a PING a hundred times a second. `--latency` redraws a line on a terminal; elsewhere it prints
 * one line after the interval (1 s) and ends. `--latency-history` begins a new line after each interval (15 s).
 */
export async function latency(context: ModeContext): Promise<void> {
  const { connection, options, output, sink, live } = context;
  const history = options.mode === "latency-history";
  const redrawn = live && output === "standard";
  const intervalMs = options.intervalMs || (history ? HISTORY_INTERVAL_MS : 1000);
  const lines = history && options.repeat > 1 ? options.repeat : Infinity;
  let samples = new Samples();
  for (let line = 0; line < lines;) {
    const started = performance.now();
    await ask(connection, ["PING"]);
    samples.add(performance.now() - started);
    if (redrawn) sink.write(`\r\x1b[K${samples.format(output)}`);
    if (samples.ageMs >= intervalMs && (history || !redrawn)) {
      if (!redrawn) sink.write(samples.format(output));
      sink.write(history && output === "standard" ? ` -- ${(samples.ageMs / 1000).toFixed(2)} seconds range\n` : "\n");
      if (!history) return;
      samples = new Samples();
      line++;
    }
    await pause(10);
  }
}

/**
 * `--intrinsic-latency`: how long the system keeps a busy process from running. Computes without a pause for the given
 * time and prints each gap that is longer than all before it.
 */
export function intrinsicLatency({ options, sink }: ModeSettings): void {
  const runUs = options.testSeconds * 1e6;
  const now = () => Math.round(performance.now() * 1000);
  const end = now() + runUs;
  let [runs, worstUs] = [0, 0];
  for (;;) {
    const started = now();
    spendAMoment();
    const ended = now();
    runs++;
    if (ended - started > worstUs) {
      worstUs = ended - started;
      sink.write(`Max latency so far: ${worstUs} microseconds.\n`);
    }
    if (ended > end) break;
  }
  const averageUs = runUs / runs;
  sink.write(
    `\n${runs} total runs (avg latency: ${averageUs.toFixed(4)} microseconds / ` +
      `${(averageUs * 1000).toFixed(2)} nanoseconds per run).\n` +
      `Worst run took ${(worstUs / averageUs).toFixed(0)}x longer than the average latency.\n`,
  );
}

/** A computation of less than a microsecond that no compiler removes. */
function spendAMoment(): void {
  let x = spent;
  for (let i = 0; i < 100; i++) x = (Math.imul(x, 1103515245) + 12345) | 0;
  spent = x;
}

let spent = 1;
