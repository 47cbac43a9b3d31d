/**
 * Parses the output of Redis's suite line by line: the outcome of each test, the running test, the end of the run.
 */

export type Outcome = "passed" | "failed" | "skipped";

export interface TestResult {
  readonly name: string;
  readonly outcome: Outcome;
  /** Of a failed test: the assertion or the error, and its location. Of a skipped test: the reason. */
  readonly message: string;
}

/** The end of a run: regular, by an error that the suite does not catch, or after a timeout without output. */
export type Ending = "done" | "aborted" | "silent" | "open";

/** The line with which the prelude marks the start of a test. */
const BEGIN = "\x01begin ";
const STATUS = /^\[(ok|err|skip|ignore|exception|TIMEOUT|\d+\/\d+ done|ready)\]: ?(.*)$/;
const PLACE = / in tests\/\S+\.tcl$/;
/** Lines of the suite and of its clients that may follow a failure and do not belong to it. */
const NOISE = /^(Waiting for process|Forcing process|Testing |Logged |=== |Killing still running)/;

/** The name of a failure outside any test: between tests, or when a server starts. */
const OUTSIDE = "(outside of tests)";
/** Lines of a server's log that are not the cause of a failed start. */
const START_LINE = /Server initialized$|Ready to accept connections/;
const SUMMARY_LENGTH = 200;

export class OutputParser {
  readonly results: TestResult[] = [];
  ending: Ending = "open";
  /** The reason why the run was aborted. */
  abortMessage = "";
  #failure: string[] | undefined;
  #exception: string[] | undefined;
  readonly #begun: string[] = [];

  /** The last test that began and has no outcome yet. */
  get running(): string | undefined {
    return this.#begun.at(-1);
  }

  /** Handles a line. The start of a test may follow the output of another process on the same line. */
  line(line: string): void {
    const [text, begun] = line.split(BEGIN);
    if (text !== "" || begun === undefined) this.#statusLine(text);
    if (begun !== undefined) this.#begun.push(begun);
  }

  #statusLine(line: string): void {
    const [, status, text] = STATUS.exec(line) ?? [];
    if (status === undefined) {
      this.#continue(line);
      return;
    }
    this.#close();
    switch (status) {
      case "ok":
        this.#add(text.replace(/ \(\d+ ms\)$/, ""), "passed", "");
        break;
      case "err":
        this.#failure = [text];
        break;
      case "skip":
        this.#add(text, "skipped", "skipped by name");
        break;
      case "ignore":
        this.#ignore(text);
        break;
      case "exception":
        this.ending = "aborted";
        this.#exception = [text];
        break;
      case "TIMEOUT":
        this.ending = "silent";
        break;
      case "ready":
        break;
      default:
        if (this.ending === "open") this.ending = "done";
    }
  }

  /** Ends the output. */
  end(): void {
    this.#close();
  }

  #continue(line: string): void {
    if (line.trim() === "The End") this.#close();
    if (NOISE.test(line)) return;
    (this.#failure ?? this.#exception)?.push(line);
  }

  #close(): void {
    if (this.#failure !== undefined) {
      const [first, ...rest] = this.#failure;
      if (PLACE.test(first)) {
        this.#add(first.replace(PLACE, ""), "failed", messageOf(rest));
      } else {
        const message = messageOf(this.#failure);
        this.#add(`${OUTSIDE} ${summary(message)}`, "failed", message);
      }
    }
    if (this.#exception !== undefined) this.abortMessage = this.#exception.join("\n").trim();
    this.#failure = this.#exception = undefined;
  }

  /** For a test excluded by its tags the name precedes the reason; for a block there is only the reason. */
  #ignore(text: string): void {
    const [, name, reason] = /^(.*): (Not supported .*|Tag: .*|.* not provided|.* not allowed)$/.exec(text) ?? [];
    this.#add(name ?? "(block)", "skipped", reason ?? text);
  }

  #add(name: string, outcome: Outcome, message: string): void {
    const index = this.#begun.lastIndexOf(name);
    if (index >= 0) this.#begun.splice(index, 1);
    this.results.push({ name, outcome, message });
  }
}

/** The suite cuts the first ten characters of an error that is no assertion; the stack trace has all of it. */
function messageOf(lines: readonly string[]): string {
  const [first = "", second] = lines;
  return (second?.endsWith(first) ? lines.slice(1) : lines).join("\n").trim();
}

/** One line that is equal in every run, as the name of a failure without a name. */
function summary(message: string): string {
  const [first] = message.split("\n");
  const [, log] = message.split("\nERROR:\n");
  const cause = log?.split("\n").findLast((line) => line.trim() !== "" && !START_LINE.test(line));
  const whole = cause === undefined ? first : `${first}: ${cause.trim()}`;
  // The folder of the run has a name of its own each time.
  return whole.replaceAll(/\S*memdb-suite-[0-9a-f]+\//g, "").replaceAll(/\d+/g, "N").slice(0, SUMMARY_LENGTH);
}
