/**
 * A pseudo-terminal for tests: util-linux's `script`, part of every Debian, creates it, and a small screen model
 * follows the output. The screen knows the escape sequences that the client sends and refuses others; it never
 * scrolls.
 */
import { bytes } from "./helpers.ts";

/** Whether this machine has a `script` that can run a command on a new terminal. */
export function hasTerminal(): boolean {
  try {
    const { stdout } = new Deno.Command("script", { args: ["--version"], stdout: "piped", stderr: "null" })
      .outputSync();
    return new TextDecoder().decode(stdout).includes("util-linux");
  } catch {
    return false;
  }
}

export const columns = 80;

/** The rows of text on a terminal; `grey` holds the text last printed in grey. */
export class Screen {
  #rows: string[][] = [[]];
  #row = 0;
  #column = 0;
  #unread = "";
  #grey = false;
  grey = "";

  draw(text: string): void {
    let rest = this.#unread + text;
    while (rest !== "") {
      if (rest[0] !== "\x1b") {
        this.#put(rest[0]!);
        rest = rest.slice(1);
        continue;
      }
      // deno-lint-ignore no-control-regex
      const sequence = /^\x1b\[(\??)([\d;]*)([a-zA-Z])/.exec(rest);
      if (sequence === null) {
        if (rest.length < 8) break;
        throw new Error(`unknown escape sequence ${JSON.stringify(rest.slice(0, 8))}`);
      }
      this.#control(sequence[3]!, sequence[2]!);
      rest = rest.slice(sequence[0].length);
    }
    this.#unread = rest;
  }

  #put(char: string): void {
    if (char === "\r") this.#column = 0;
    else if (char === "\n") this.#row++;
    else if (char === "\b") this.#column--;
    else if (char !== "\x07") {
      if (this.#column === columns) {
        this.#column = 0;
        this.#row++;
      }
      this.#line()[this.#column++] = char;
      if (this.#grey) this.grey += char;
    }
  }

  #line(): string[] {
    while (this.#rows.length <= this.#row) this.#rows.push([]);
    const line = this.#rows[this.#row]!;
    while (line.length < this.#column) line.push(" ");
    return line;
  }

  #control(kind: string, argument: string): void {
    const count = Math.max(1, Number(argument));
    switch (kind) {
      case "A":
        this.#row = Math.max(0, this.#row - count);
        break;
      case "B":
        this.#row += count;
        break;
      case "C":
        this.#column += count;
        break;
      case "D":
        this.#column = Math.max(0, this.#column - count);
        break;
      case "G":
        this.#column = count - 1;
        break;
      case "H":
        this.#row = this.#column = 0;
        break;
      case "J":
        if (argument === "2") this.#rows = [];
        else {
          this.#line().length = this.#column;
          this.#rows.length = this.#row + 1;
        }
        break;
      case "K":
        this.#line().length = this.#column;
        break;
      case "m":
        this.#grey = /(^|;)90$/.test(argument);
        if (this.#grey) this.grey = "";
        break;
      default:
        throw new Error(`unknown escape sequence ESC [ ${argument} ${kind}`);
    }
  }

  /** Rows without blanks at their ends, empty rows left out. */
  get rows(): string[] {
    return this.#rows.map((row) => row.join("").trimEnd()).filter((row) => row !== "");
  }

  get last(): string {
    return this.rows.at(-1) ?? "";
  }
}

export class Terminal implements AsyncDisposable {
  readonly screen = new Screen();
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #changed = () => {};

  /** Runs a program on a new terminal of 80 columns. */
  constructor(program: string, args: readonly string[], env: Record<string, string>) {
    const words = [program, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    this.#child = new Deno.Command("script", {
      args: ["--quiet", "--return", "--command", `stty cols ${columns} rows 40; exec ${words}`, "/dev/null"],
      env: { TERM: "xterm", SHELL: "/bin/sh", NO_COLOR: "", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      this.screen.draw(decoder.decode(chunk, { stream: true }));
      this.#changed();
    }
  }

  /** Sends keys as the bytes of a terminal. */
  async type(keys: string): Promise<void> {
    await this.#input.write(bytes(keys));
  }

  /** Waits until the screen satisfies the condition, at most ten seconds. */
  async until(what: string, condition: (screen: Screen) => boolean): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!condition(this.screen)) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`never came: ${what}; the screen:\n${this.screen.rows.join("\n")}`);
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  /** Waits until the last row reads `text`. */
  untilLast(text: string): Promise<void> {
    return this.until(`the last row ${JSON.stringify(text)}`, (screen) => screen.last === text.trimEnd());
  }

  /** Waits for the end of the program; its exit status. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch { /* has ended already */ }
    await this.#child.status;
    await this.#reading;
    await this.#input.close().catch(() => {});
  }
}
