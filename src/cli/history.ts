/**
 * The file that keeps command lines between sessions: one line each, oldest first, readable by its owner only. It
 * refuses lines that carry a secret. It knows nothing of the terminal.
 */
import { fromText } from "./binary.ts";
import { splitArguments } from "./quoting.ts";

const maxLines = 1000;

/**
 * Whether `line` may hold a password or an access rule; such a line is stored nowhere. These are the commands that
 * redis-cli excludes, a little wider: a secret that a typing error has put in the wrong place stays out, too.
 */
export function isSensitive(line: string): boolean {
  const bytes = fromText(line);
  const words = splitArguments(bytes) ?? bytes.replaceAll(/["']/g, " ").split(/\s+/).filter((word) => word !== "");
  const args = words.map((word) => word.toUpperCase());
  if (args.length > 0 && /^[+-]?\d+$/.test(args[0]!)) args.shift();
  const [command, second, ...rest] = args;
  switch (command) {
    case "AUTH":
      return true;
    case "ACL":
      return second === "SETUSER" || second === "GETUSER" || second === "DELUSER";
    case "CONFIG":
      return second === "SET" &&
        rest.some((word) => /^(REQUIREPASS|MASTERAUTH|MASTERUSER|TLS-.*-PASS|USER)$/.test(word));
    case "HELLO":
      return args.includes("AUTH");
    case "MIGRATE":
      return args.includes("AUTH") || args.includes("AUTH2");
    case "SENTINEL":
      return (second === "SET" || second === "CONFIG") && rest.some((word) => /AUTH-|SENTINEL-(PASS|USER)/.test(word));
  }
  return false;
}

export class History {
  readonly #path: string | undefined;
  #last = "";

  /** Without a `path`, lines end with the session. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /**
   * The lines of earlier sessions, oldest first, at most a thousand. Writes the file anew when it holds more than twice
   * as many, or a secret.
   */
  load(): string[] {
    if (this.#path === undefined) return [];
    let stored: string[];
    try {
      stored = Deno.readTextFileSync(this.#path).split("\n").filter((line) => line.trim() !== "");
    } catch {
      return [];
    }
    const harmless = stored.filter((line) => !isSensitive(line));
    const lines = harmless.slice(-maxLines);
    if (harmless.length < stored.length || stored.length > 2 * maxLines) {
      this.#ignoringFailure((path) => {
        Deno.writeTextFileSync(path + ".new", lines.map((line) => line + "\n").join(""), { mode: 0o600 });
        Deno.renameSync(path + ".new", path);
      });
    }
    this.#last = lines.at(-1) ?? "";
    return lines;
  }

  /** Appends a line unless it is empty, sensitive or the one before; false when it must not be remembered at all. */
  add(line: string): boolean {
    if (isSensitive(line)) return false;
    if (line.trim() !== "" && line !== this.#last) {
      this.#last = line;
      this.#ignoringFailure((path) => Deno.writeTextFileSync(path, line + "\n", { append: true, mode: 0o600 }));
    }
    return true;
  }

  /** A history that cannot be written must not disturb the session. */
  #ignoringFailure(write: (path: string) => void): void {
    if (this.#path === undefined) return;
    try {
      write(this.#path);
    } catch { /* read-only home, full disk, missing permission */ }
  }
}

/** The history's file: MEMDB_HISTFILE or REDISCLI_HISTFILE, else ~/.memdb_history. /dev/null keeps none. */
export function historyPath(env: (name: string) => string | undefined): string | undefined {
  const chosen = env("MEMDB_HISTFILE") ?? env("REDISCLI_HISTFILE");
  if (chosen !== undefined) return chosen === "" || chosen === "/dev/null" ? undefined : chosen;
  const home = env("HOME") ?? env("USERPROFILE");
  return home === undefined || home === "" ? undefined : `${home}/.memdb_history`;
}
