/**
 * The line that a person edits on a terminal. node:readline does the editing; this file adds hints after the cursor,
 * reverse search (Ctrl-R), keys typed ahead while a command runs, output above the line, and a notice that stands in
 * the prompt's place until a key is pressed. It knows no commands: hints and completions are functions that it is
 * given.
 */
import process from "node:process";
import { PassThrough } from "node:stream";
import * as readline from "node:readline";

interface Key {
  readonly name?: string;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
  readonly shift?: boolean;
  readonly sequence?: string;
}

export interface EditorSettings {
  /** Earlier lines, oldest first. */
  readonly history: readonly string[];
  /** False for a line that must not be found in the history again. */
  readonly remember: (line: string) => boolean;
  readonly complete: (line: string) => [string[], string];
  readonly hint: (line: string) => string;
  /** The text to show instead of the prompt, until a key is pressed; undefined for the prompt. */
  readonly notice: () => string | undefined;
  /** Resolves when the command has ended and the next line may be edited. */
  readonly onLine: (line: string) => Promise<void>;
  /** Ctrl-C, and Ctrl-D on an empty line; `busy` while a command runs. */
  readonly onInterrupt: (busy: boolean) => void;
  /** The terminal is gone. */
  readonly onEnd: () => void;
  readonly prompt: () => string;
}

const historySize = 1000;

/** Properties that node:readline's interface has and its type lacks. */
type Line = readline.Interface & { history: string[]; prevRows?: number };

export class LineEditor {
  readonly #settings: EditorSettings;
  /** Reads no input: this class passes keys to its write() one by one. */
  readonly #line: Line;
  readonly #out = process.stdout;
  readonly #typedAhead: [string | undefined, Key][] = [];
  readonly #onKey = (text: string | undefined, key: Key) => this.#pressed(text, key);
  readonly #onInputEnd = () => this.#settings.onEnd();
  #busy = false;
  /** The notice stands where the prompt will be. */
  #noticed = false;
  #hinted = false;
  #closed = false;
  #search: { query: string; index: number; original: string } | undefined;

  constructor(settings: EditorSettings) {
    this.#settings = settings;
    const interfaceOptions: readline.ReadLineOptions = {
      input: new PassThrough(),
      output: this.#out,
      terminal: true,
      historySize,
      history: [...settings.history].reverse(),
      completer: (line: string) => settings.complete(line),
    };
    this.#line = readline.createInterface(interfaceOptions) as Line;
    this.#line.on("history", (history: string[]) => {
      if (history.length > 0 && !settings.remember(history[0]!)) history.shift();
    });
    this.#line.on("line", (line: string) => this.#entered(line));
  }

  /** Takes the terminal and shows the prompt. */
  start(): void {
    readline.emitKeypressEvents(process.stdin);
    process.stdin.setRawMode(true);
    process.stdin.on("keypress", this.#onKey);
    process.stdin.on("end", this.#onInputEnd);
    process.stdin.resume();
    this.#ask();
  }

  /** Gives the terminal back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#clearHint();
    process.stdin.off("keypress", this.#onKey);
    process.stdin.off("end", this.#onInputEnd);
    this.#line.close();
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }

  /** Lets `print` write above the line being edited, then shows prompt and line, or the notice, again. */
  above(print: () => void): void {
    if (this.#busy || this.#closed) return print();
    if (this.#noticed) {
      this.#removeNotice();
      print();
      return this.#ask();
    }
    this.#leaveLine();
    print();
    this.#line.setPrompt(this.#settings.prompt());
    this.#showLine();
  }

  /** Clears the screen. */
  clear(): void {
    this.#out.write("\x1b[H\x1b[2J");
  }

  #ask(): void {
    this.#busy = false;
    const notice = this.#typedAhead.length > 0 ? undefined : this.#settings.notice();
    if (notice !== undefined) {
      this.#noticed = true;
      this.#out.write(`${notice}\r`);
      return;
    }
    this.#prompt();
    while (!this.#busy && !this.#closed && this.#typedAhead.length > 0) {
      const [text, key] = this.#typedAhead.shift()!;
      this.#pressed(text, key);
    }
  }

  #prompt(): void {
    this.#line.setPrompt(this.#settings.prompt());
    this.#line.prompt();
  }

  #removeNotice(): void {
    this.#noticed = false;
    this.#out.write("\r\x1b[K");
  }

  #entered(line: string): void {
    this.#busy = true;
    this.#settings.onLine(line).then(() => {
      if (!this.#closed) this.#ask();
    });
  }

  #pressed(text: string | undefined, key: Key): void {
    const control = key.ctrl === true ? key.name : undefined;
    if (this.#busy) {
      if (control === "c") {
        this.#typedAhead.length = 0;
        this.#settings.onInterrupt(true);
      } else {
        this.#typedAhead.push([text, key]);
      }
      return;
    }
    if (this.#noticed) {
      if (control === "c") return this.#settings.onInterrupt(false);
      this.#removeNotice();
      this.#prompt();
    }
    if (this.#search !== undefined && this.#searchKey(text, key)) return;
    this.#clearHint();
    if (control === "c") {
      this.#line.write(null, { ctrl: true, name: "e" });
      this.#out.write("\n");
      Object.assign(this.#line, { line: "", cursor: 0, prevRows: 0 });
      this.#settings.onInterrupt(false);
    } else if (control === "d" && this.#line.line === "") {
      this.#out.write("\n");
      this.#settings.onInterrupt(false);
    } else if (control === "r") {
      this.#beginSearch();
    } else if (control !== "z" && control !== "s") {
      this.#line.write((text ?? null) as string, key);
      // The completer answers in a later turn of the event loop.
      if (key.name === "tab") setTimeout(() => this.#drawHint(), 0);
      else this.#drawHint();
    }
  }

  #drawHint(): void {
    if (this.#busy || this.#closed || this.#search !== undefined) return;
    this.#clearHint();
    const { line, cursor } = this.#line;
    if (line === "" || cursor !== line.length) return;
    const room = (this.#out.columns ?? 80) - this.#line.getCursorPos().cols - 1;
    const hint = this.#settings.hint(line).slice(0, Math.max(0, room));
    if (hint === "") return;
    this.#out.write(`\x1b[90m${hint}\x1b[0m\x1b[${hint.length}D`);
    this.#hinted = true;
  }

  #clearHint(): void {
    if (this.#hinted) this.#out.write("\x1b[0K");
    this.#hinted = false;
  }

  /** Puts the cursor at the beginning of the prompt and erases everything from there on. */
  #leaveLine(): void {
    this.#clearHint();
    const rows = this.#search === undefined ? this.#line.getCursorPos().rows : 0;
    this.#out.write(`${rows > 0 ? `\x1b[${rows}A` : ""}\r\x1b[J`);
    this.#line.prevRows = 0;
  }

  #showLine(): void {
    if (this.#search !== undefined) return this.#drawSearch();
    this.#line.prompt(true);
    this.#drawHint();
  }

  #replaceLine(text: string): void {
    this.#line.write(null, { ctrl: true, name: "e" });
    this.#line.write(null, { ctrl: true, name: "u" });
    if (text !== "") this.#line.write(text);
  }

  #beginSearch(): void {
    const original = this.#line.line;
    this.#replaceLine("");
    this.#search = { query: "", index: -1, original };
    this.#drawSearch();
  }

  /** True when the key belongs to the search; any other key takes the found line and then has its usual effect. */
  #searchKey(text: string | undefined, key: Key): boolean {
    const search = this.#search!;
    const control = key.ctrl === true ? key.name : undefined;
    if (control === "g" || control === "c" || key.name === "escape") {
      this.#endSearch(search.original);
      return true;
    }
    if (control === "r") {
      if (search.query !== "") search.index = this.#find(search.query, search.index + 1, 1) ?? search.index;
    } else if (control === "s") {
      search.index = this.#find(search.query, search.index - 1, -1) ?? search.index;
    } else if (key.name === "backspace") {
      search.query = [...search.query].slice(0, -1).join("");
      search.index = search.query === "" ? -1 : this.#find(search.query, 0, 1) ?? -1;
    } else if (text !== undefined && text >= " " && text !== "\x7f" && !key.ctrl && !key.meta) {
      search.query += text;
      search.index = this.#find(search.query, Math.max(0, search.index), 1) ?? -1;
    } else {
      this.#endSearch(this.#line.history[search.index] ?? search.original);
      return false;
    }
    this.#drawSearch();
    return true;
  }

  #endSearch(line: string): void {
    this.#leaveLine();
    this.#search = undefined;
    this.#line.prompt(true);
    this.#replaceLine(line);
    this.#drawHint();
  }

  /** The index of the next line that holds `query`; the history's newest line has index 0. */
  #find(query: string, from: number, step: 1 | -1): number | undefined {
    const { history } = this.#line;
    for (let index = from; index >= 0 && index < history.length; index += step) {
      if (history[index]!.includes(query)) return index;
    }
    return undefined;
  }

  #drawSearch(): void {
    const { query, index } = this.#search!;
    const failed = index < 0 && query !== "" ? "failed " : "";
    const text = `(${failed}reverse-i-search)'${query}': ${this.#line.history[index] ?? ""}`;
    this.#out.write(`\r\x1b[J${text.slice(0, (this.#out.columns ?? 80) - 1)}`);
  }
}
