/**
 * The signals of the process. The listeners exist before the server is loaded, so that an early signal also stops the
 * process in order. This file imports nothing, so that it is ready as soon as possible.
 */

/** The signals that stop a server. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGBREAK";

const STOPPING: readonly StopSignal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
/**
 * Signals with a listener that does nothing, so that they do not end the process: SIGHUP, because the server survives
 * the end of its terminal; SIGXFSZ, so that a limit on the size of files makes writes fail like a full disk.
 */
const IGNORED: readonly Deno.Signal[] = Deno.build.os === "windows" ? [] : ["SIGHUP", "SIGXFSZ"];

export class Signals {
  #pending: StopSignal | undefined;
  #listener: ((signal: StopSignal) => void) | undefined;

  constructor() {
    for (const signal of STOPPING) Deno.addSignalListener(signal, () => this.#arrived(signal));
    for (const signal of IGNORED) Deno.addSignalListener(signal, () => {});
  }

  /** Passes each stop signal to `listener`, and a signal that has already come at once. */
  onStop(listener: (signal: StopSignal) => void): void {
    this.#listener = listener;
    if (this.#pending !== undefined) listener(this.#pending);
  }

  #arrived(signal: StopSignal): void {
    if (this.#listener === undefined) this.#pending = signal;
    else this.#listener(signal);
  }
}
