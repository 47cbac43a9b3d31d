/**
 * The progress of loading: one line that is updated on a terminal, and a log line every five seconds elsewhere.
 */
import type { Engine } from "../engine/engine.ts";

const TERMINAL_EVERY_US = 200_000;
const LOG_EVERY_US = 5_000_000;
const encoder = new TextEncoder();

export class Progress {
  readonly #engine: Engine;
  readonly #path: string;
  readonly #terminal: boolean;
  readonly #startUs: number;
  #shownUs: number;
  #shown = false;

  constructor(engine: Engine, path: string) {
    this.#engine = engine;
    this.#path = path;
    this.#terminal = Deno.stderr.isTerminal() && engine.settings.values.logfile === "";
    this.#startUs = this.#shownUs = engine.clock.monotonicUs();
  }

  /** Shows the progress if enough time has passed. */
  show(): void {
    const nowUs = this.#engine.clock.monotonicUs();
    if (nowUs - this.#shownUs < (this.#terminal ? TERMINAL_EVERY_US : LOG_EVERY_US)) return;
    this.#shownUs = nowUs;
    const { loadedBytes, loadTotalBytes } = this.#engine.persistence;
    const seconds = (nowUs - this.#startUs) / 1e6;
    const rate = loadedBytes / seconds;
    const left = Math.ceil((loadTotalBytes - loadedBytes) / rate);
    const percent = Math.floor((loadedBytes / loadTotalBytes) * 100);
    const text = `Loading ${this.#path}: ${percent} % of ${megabytes(loadTotalBytes)}, ${
      megabytes(rate)
    }/s, ${left} s left`;
    if (!this.#terminal) return this.#engine.log("notice", text);
    this.#shown = true;
    Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${text}`));
  }

  /** Removes the line from the terminal. */
  end(): void {
    if (this.#shown) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
  }

  /** Reports the amount and the speed at the end. */
  report(commands: number): void {
    const seconds = (this.#engine.clock.monotonicUs() - this.#startUs) / 1e6;
    const { loadedBytes } = this.#engine.persistence;
    this.#engine.log(
      "notice",
      `Loaded ${commands} commands (${megabytes(loadedBytes)}) from ${this.#path} in ${seconds.toFixed(2)} s`,
    );
  }
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
