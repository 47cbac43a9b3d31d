/**
 * The server's log: lines on stderr or in a file, in Redis's format, from `loglevel` on.
 */
import { resolve } from "node:path";
import { reasonOf } from "../core/io_error.ts";
import { StartError } from "../core/start_error.ts";
import type { Settings } from "../settings/settings.ts";

export type LogLevel = "debug" | "verbose" | "notice" | "warning";

const MARKS: Record<LogLevel, string> = { debug: ".", verbose: "-", notice: "*", warning: "#" };
const ORDER: readonly string[] = ["debug", "verbose", "notice", "warning", "nothing"];
// Not Intl's: setting that up costs ten milliseconds of the start.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const encoder = new TextEncoder();

export class Logger {
  readonly #settings: Settings;
  readonly #file: Deno.FsFile | undefined;

  /** Opens the log file, if the settings name one. Throws StartError. */
  constructor(settings: Settings) {
    this.#settings = settings;
    const { dir, logfile } = settings.values;
    if (logfile === "") return;
    const path = resolve(dir, logfile);
    try {
      this.#file = Deno.openSync(path, { append: true, create: true });
    } catch (error) {
      throw new StartError(`cannot open the log file ${path}: ${reasonOf(error)}; choose another with --logfile`);
    }
  }

  /** Whether the log goes to a file, so that stderr has nothing of it. */
  get toFile(): boolean {
    return this.#file !== undefined;
  }

  write(level: LogLevel, text: string): void {
    if (ORDER.indexOf(level) < ORDER.indexOf(this.#settings.values.loglevel)) return;
    const line = encoder.encode(`${Deno.pid}:M ${timestamp(new Date())} ${MARKS[level]} ${text}\n`);
    try {
      (this.#file ?? Deno.stderr).writeSync(line);
    } catch {
      // A log that cannot be written must not stop the server.
    }
  }
}

/** For example "23 Nov 2026 05:30:00.123". */
function timestamp(date: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const month = MONTHS[date.getMonth()];
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${two(date.getDate())} ${month} ${date.getFullYear()} ${time}.${
    String(date.getMilliseconds()).padStart(3, "0")
  }`;
}
