/**
 * `memdb cli`: reads the flags, chooses between one command, a pipe, a session and the special modes, and turns the
 * outcome into an exit status. It owns the process's streams; everything else is in the files beside it.
 */
import { MEMDB_VERSION } from "../core/version.ts";
import { outputColumns } from "../core/wrap.ts";
import type { CommandSpec } from "../dispatch/spec.ts";
import { fromBytes, fromText, toBytes } from "./binary.ts";
import { Catalog } from "./catalog.ts";
import { ConnectionError } from "./connection.ts";
import type { OutputMode } from "./format.ts";
import { historyPath } from "./history.ts";
import { ModeError } from "./modes/context.ts";
import { runMode } from "./modes/run.ts";
import { parseOptions, usage } from "./flags.ts";
import { type Options, UsageError } from "./options.ts";
import { LostBytesError, processArguments } from "./process_arguments.ts";
import { helpText, type ReplSettings, runInteractive, runPiped } from "./repl.ts";
import { Session, type Sink } from "./session.ts";

/**
 * Runs the client with the words of the command line after `cli`. `table` describes the commands for help and hints.
 * Returns the exit status: 0, 1 when a command failed or the server could not be reached, 2 when a flag is wrong.
 */
export async function runCli(args: readonly string[], table: readonly CommandSpec[]): Promise<number> {
  try {
    return await run(parseOptions(processArguments(args), environment), new Catalog(table));
  } catch (error) {
    if (error instanceof UsageError || error instanceof LostBytesError) {
      writeAll(Deno.stderr, `memdb cli: ${error.message}\n`);
      return 2;
    }
    if (error instanceof ConnectionError || error instanceof ModeError) {
      writeAll(Deno.stderr, `Error: ${error.message}\n`);
      return 1;
    }
    // The reader of the output, for example `head`, has ended.
    if (error instanceof Deno.errors.BrokenPipe) return 1;
    throw error;
  }
}

async function run(options: Options, catalog: Catalog): Promise<number> {
  const sink: Sink = {
    write: (text) => writeAll(Deno.stdout, text),
    error: (text) => writeAll(Deno.stderr, text),
  };
  if (options.mode === "help" || options.mode === "version") {
    sink.write(fromText(options.mode === "help" ? usage(outputColumns()) : `memdb cli ${MEMDB_VERSION}\n`));
    return 0;
  }
  const live = Deno.stdout.isTerminal();
  const output: OutputMode = options.output ?? (live ? "standard" : "raw");
  if (options.askPassword) options.password = askPassword();
  else if (options.passwordOnCommandLine && options.authWarning) {
    sink.error(
      "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n",
    );
  }
  if (options.mode !== "commands") return await runMode(options.mode, { options, output, sink, live });

  let args = options.command;
  if (options.evalFile !== undefined) args = await evalCommand(options.evalFile, args);
  if (options.lastArgumentFromInput) args = [...args, await readInput()];
  else if (options.tagFromInput !== undefined) {
    const at = args.indexOf(options.tagFromInput);
    if (at < 0) throw new UsageError(`-X: no argument is ${options.tagFromInput}`);
    args = args.with(at, await readInput());
  }
  options.command = args;
  const interactive = args.length === 0 && Deno.stdin.isTerminal() && live;
  let above = (print: () => void) => print();
  const shown: Sink = {
    write: (text) => above(() => sink.write(text)),
    error: (text) => above(() => sink.error(text)),
  };
  const showPushes = options.showPushes ?? live;
  const session = new Session({ options, output, showPushes, interactive }, shown);
  const { repeat, intervalMs } = options;
  const settings: ReplSettings = {
    session,
    catalog,
    sink: shown,
    output,
    version: MEMDB_VERSION,
    help: { colored: live && (environment("NO_COLOR") ?? "") === "", width: outputColumns() },
    repeat,
    intervalMs,
  };
  try {
    if (interactive) {
      const onIdle = (given: typeof above) => above = given;
      await runInteractive({ ...settings, historyPath: historyPath(environment), onIdle });
      return 0;
    }
    if (args.length > 0) {
      const help = helpText(args, settings);
      if (help === undefined) return await session.run(args, repeat, intervalMs) ? 0 : 1;
      sink.write(help);
      return 0;
    }
    if (!await session.connect()) return 1;
    return await runPiped(Deno.stdin.readable, settings) || !options.errorsToStatus ? 0 : 1;
  } finally {
    session.close();
  }
}

/** `EVAL script number-of-keys key … argument …` from a file and `key … , argument …`. */
async function evalCommand(path: string, args: readonly string[]): Promise<string[]> {
  let script: Uint8Array;
  try {
    script = await Deno.readFile(path);
  } catch (error) {
    throw new UsageError(fromText(`--eval ${path}: ${error instanceof Error ? error.message : error}`));
  }
  const comma = args.indexOf(",");
  const keys = comma < 0 ? args : args.slice(0, comma);
  return ["EVAL", fromBytes(script), String(keys.length), ...keys, ...(comma < 0 ? [] : args.slice(comma + 1))];
}

async function readInput(): Promise<string> {
  return fromBytes(new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer()));
}

/** A line from the terminal, shown as asterisks; from elsewhere, as it is. */
function askPassword(): string {
  const hidden = Deno.stdin.isTerminal();
  if (hidden) {
    writeAll(Deno.stderr, "Please input password: ");
    Deno.stdin.setRaw(true);
  }
  let password = "";
  const byte = new Uint8Array(1);
  try {
    while (Deno.stdin.readSync(byte) === 1) {
      const char = String.fromCharCode(byte[0]!);
      if (char === "\r" || char === "\n" || char === "\x04") break;
      if (char === "\x03") throw new UsageError("no password given");
      if (hidden && (char === "\x7f" || char === "\b")) {
        if (password !== "") writeAll(Deno.stderr, "\b \b");
        password = password.slice(0, -1);
        continue;
      }
      password += char;
      if (hidden) writeAll(Deno.stderr, "*");
    }
  } finally {
    if (hidden) {
      Deno.stdin.setRaw(false);
      writeAll(Deno.stderr, "\n");
    }
  }
  return password;
}

/** A variable of the environment, or undefined where the process may not read it. */
function environment(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = toBytes(text);
  for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
}
