/**
 * The signals of the process. They are listened to before the server is loaded, so that one that comes early ends it in
 * order too. It imports nothing, to be ready as soon as possible.
 */

/** The signals that stop a server. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGBREAK";

const STOPPING: readonly StopSignal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
/**
 * Listened to, these do not end the process: SIGHUP, because the end of a terminal is no reason to stop; SIGXFSZ, so that a
 * limit on the size of files makes writes fail, as a full disk does.
 */
const IGNORED: readonly Deno.Signal[] = Deno.build.os === "windows" ? [] : ["SIGHUP", "SIGXFSZ"];

export class Signals {
  #pending: StopSignal | undefined;
  #listener: ((signal: StopSignal) => void) | undefined;

  constructor() {
    for (const signal of STOPPING) Deno.addSignalListener(signal, () => this.#arrived(signal));
    for (const signal of IGNORED) Deno.addSignalListener(signal, () => {});
  }

  /** Has each stop signal passed on to `listener`, the one that has come already at once. */
  onStop(listener: (signal: StopSignal) => void): void {
    this.#listener = listener;
    if (this.#pending !== undefined) listener(this.#pending);
  }

  #arrived(signal: StopSignal): void {
    if (this.#listener === undefined) this.#pending = signal;
    else this.#listener(signal);
  }
}
