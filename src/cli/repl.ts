/**
 * Sessions of several commands: from a pipe, or typed on a terminal. It runs the client's own words (quit, help, clear,
 * connect, :set, a repeat count) and hands everything else to the Session.
 */
import { fromBytes, fromText } from "./binary.ts";
import type { Catalog } from "./catalog.ts";
import { Connection } from "./connection.ts";
import { LineEditor } from "./editor.ts";
import type { OutputMode } from "./format.ts";
import { helpOn, type HelpStyle, introduction } from "./help.ts";
import { completionsFor, hintFor } from "./hints.ts";
import { History } from "./history.ts";
import { splitArguments } from "./quoting.ts";
import type { Session, Sink } from "./session.ts";

export interface ReplSettings {
  readonly session: Session;
  readonly catalog: Catalog;
  readonly sink: Sink;
  readonly output: OutputMode;
  readonly version: string;
  readonly help: HelpStyle;
  readonly repeat: number;
  readonly intervalMs: number;
}

/** The effects of a line beyond its output. */
interface LineOutcome {
  readonly quit?: boolean;
  readonly failed?: boolean;
  readonly clear?: boolean;
  readonly hints?: boolean;
}

/** The answer to `help topic` and `? topic`; undefined when `args` is something else. */
export function helpText(
  args: readonly string[],
  { catalog, version, help }: Pick<ReplSettings, "catalog" | "version" | "help">,
): string | undefined {
  if (!/^(help|\?)$/i.test(args[0]!)) return undefined;
  return fromText(args.length === 1 ? introduction(version) : helpOn(args.slice(1), catalog, help));
}

async function runLine(line: string, settings: ReplSettings): Promise<LineOutcome> {
  const { session, sink } = settings;
  const words = splitArguments(line);
  if (words === undefined) {
    sink.write("Invalid argument(s)\n");
    return { failed: true };
  }
  if (words.length === 0) return {};
  const help = helpText(words, settings);
  if (help !== undefined) {
    sink.write(help);
    return {};
  }
  const command = words[0]!.toLowerCase();
  if (command === "quit" || command === "exit") return { quit: true };
  if (command === "clear" && words.length === 1) return { clear: true };
  if (command === "connect" && words.length === 3) {
    return { failed: !await session.moveTo(words[1]!, Number(words[2]) || 0) };
  }
  if (command.startsWith(":")) {
    if (command === ":set" && (words[1] === "hints" || words[1] === "nohints")) return { hints: words[1] === "hints" };
    sink.write(`unknown client setting '${words.join(" ")}', there are ":set hints" and ":set nohints"\n`);
    return { failed: true };
  }
  let [args, times] = [words, settings.repeat];
  if (words.length > 1 && /^[+-]?\d+$/.test(words[0]!)) {
    times = Number(words[0]);
    args = words.slice(1);
    if (times <= 0) {
      sink.write("Invalid repeat count, it must be at least 1\n");
      return { failed: true };
    }
  }
  const started = performance.now();
  const succeeded = await session.run(args, times, settings.intervalMs);
  const elapsedMs = performance.now() - started;
  if (elapsedMs >= 500 && settings.output === "standard") sink.write(`(${(elapsedMs / 1000).toFixed(2)}s)\n`);
  return { failed: !succeeded };
}

/** Runs every line of `input`. True when all commands succeeded. */
export async function runPiped(input: ReadableStream<Uint8Array>, settings: ReplSettings): Promise<boolean> {
  let succeeded = true;
  for await (const line of linesOf(input)) {
    const { quit, failed } = await runLine(line, settings);
    if (failed) succeeded = false;
    if (quit) break;
  }
  return succeeded;
}

/** The lines as byte strings; TextLineStream would replace bytes that are not UTF-8. */
async function* linesOf(input: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let unfinished = "";
  for await (const chunk of input) {
    const lines = (unfinished + fromBytes(chunk)).split("\n");
    unfinished = lines.pop()!;
    yield* lines;
  }
  if (unfinished !== "") yield unfinished;
}

const READING = "Reading messages... (press Ctrl-C to quit or any key to type command)";

/** A session on the terminal until the person leaves. */
export async function runInteractive(
  settings: ReplSettings & { readonly historyPath: string | undefined; readonly onIdle: IdleHook },
): Promise<void> {
  const { session, catalog } = settings;
  const history = new History(settings.historyPath);
  let showHints = true;
  let end = () => {};
  const ended = new Promise<void>((resolve) => end = resolve);
  const editor: LineEditor = new LineEditor({
    history: history.load(),
    remember: (line) => history.add(line),
    complete: (line) => completionsFor(line, catalog),
    hint: (line) => showHints ? hintFor(line, catalog) : "",
    prompt: () => session.prompt,
    notice: () => session.subscribed ? readingNotice(settings) : undefined,
    onLine: async (line) => {
      try {
        const outcome = await runLine(fromText(line), settings);
        if (outcome.clear) editor.clear();
        showHints = outcome.hints ?? showHints;
        if (outcome.quit) end();
      } catch (error) {
        settings.sink.error(`Error: ${error instanceof Error ? error.message : error}\n`);
      }
    },
    onInterrupt: (busy) => {
      if (!busy && !session.subscribed) return end();
      session.interrupt().then(() => {
        if (!busy) editor.above(() => {});
      });
    },
    onEnd: end,
  });
  await session.connect();
  settings.onIdle((print) => editor.above(print));
  editor.start();
  learnCommands(session, catalog);
  await ended;
  editor.close();
}

/** redis-cli's notice while messages are awaited: one row in bright black, and empty in raw output. */
function readingNotice({ output, help }: ReplSettings): string {
  if (output === "raw") return "";
  const text = READING.slice(0, help.width - 1);
  return help.colored ? `\x1b[1;90m${text}\x1b[0m` : text;
}

/** Receives a function that prints above the line being edited. */
export type IdleHook = (above: (print: () => void) => void) => void;

/** Asks the server, beside the session, for the commands that the catalog does not have. Failure costs only hints. */
async function learnCommands(session: Session, catalog: Catalog): Promise<void> {
  const { target } = session;
  try {
    const connection = await Connection.open(target);
    try {
      if (target.password !== undefined) {
        await connection.send(target.user ? ["AUTH", target.user, target.password] : ["AUTH", target.password]);
        await connection.read();
      }
      await connection.send(["COMMAND", "DOCS"]);
      catalog.addDocs(await connection.read());
    } finally {
      connection.close();
    }
  } catch { /* the catalog keeps the commands of the table */ }
}
