/**
 * The program: finds the subcommand and passes the rest of the command line to it. A subcommand is loaded only when it
 * runs. This file contains the exit statuses and the text of `memdb help`.
 */
const HELP = `MemDB: an in-memory key-value server that speaks Redis's protocol

Usage:
  memdb [serve] [CONFIG-FILE] [flags]   run the server (port 6379 on 127.0.0.1)
  memdb cli [flags] [command ...]       send commands to a server
  memdb check-aof FILE [flags]          check an append-only file, and repair it
  memdb import SOURCE [flags]           copy the data of Redis's files
  memdb export --to FORM PLACE [flags]  write the data for other servers
  memdb help [TOPIC]                    explain a topic: serve, settings, cli,
                                        check-aof, import or export
  memdb --version                       print the version

Examples:
  memdb --aofpath ./db.aof              run a server with its data in ./db.aof
  memdb cli SET greeting hello          send it one command
`;

const SUBCOMMANDS = ["serve", "cli", "check-aof", "import", "export", "help", "version"];
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** The exit status of an internal fault, from sysexits.h. */
const EXIT_SOFTWARE = 70;

async function serve(args: readonly string[]): Promise<number> {
  // The signal handlers come first, so that a signal during the following imports also ends the server in order.
  const { Signals } = await import("./src/server/signals.ts");
  const signals = new Signals();
  const { parseServeOptions, systemSurroundings } = await import("./src/server/options.ts");
  const options = parseServeOptions(args, systemSurroundings());
  const { serve } = await import("./src/server/serve.ts");
  return await serve(options, signals);
}

async function cli(args: readonly string[]): Promise<number> {
  const [{ runCli }, { commandTable }] = await Promise.all([
    import("./src/cli/main.ts"),
    import("./src/commands/table.ts"),
  ]);
  return await runCli([...args], commandTable);
}

async function checkAof(args: readonly string[]): Promise<number> {
  const { checkAof } = await import("./src/tools/check_aof.ts");
  const { createDetachedEngine } = await import("./src/tools/detached.ts");
  return await checkAof(args, { createEngine: createDetachedEngine, out: console.log, error: console.error });
}

async function migrate(direction: "import" | "export", args: readonly string[]): Promise<number> {
  const { runExport, runImport } = await import("./src/tools/migrate.ts");
  const run = direction === "import" ? runImport : runExport;
  return await run(args, { out: console.log, error: console.error });
}

async function help(topic: string | undefined): Promise<number> {
  switch (topic) {
    case undefined:
    case "help":
    case "version":
      console.log(HELP.trimEnd());
      return 0;
    case "serve":
    case "settings": {
      const [{ serveHelp }, { outputColumns }] = await Promise.all([
        import("./src/server/flags_help.ts"),
        import("./src/core/wrap.ts"),
      ]);
      console.log(serveHelp(outputColumns(), topic === "settings").trimEnd());
      return 0;
    }
    case "cli":
      return await cli(["--help"]);
    case "check-aof":
      return await checkAof(["--help"]);
    case "import":
    case "export":
      return await migrate(topic, ["--help"]);
    default:
      return await unknown(topic);
  }
}

async function version(): Promise<number> {
  const { MEMDB_VERSION, REDIS_VERSION } = await import("./src/core/version.ts");
  console.log(`memdb ${MEMDB_VERSION} (compatible with Redis ${REDIS_VERSION}; Deno ${Deno.version.deno})`);
  return 0;
}

async function unknown(word: string): Promise<number> {
  const { nearest } = await import("./src/core/nearest.ts");
  const meant = nearest(word, SUBCOMMANDS);
  console.error(`memdb: unknown subcommand '${word}'; ${meant ? `did you mean ${meant}?` : "see memdb help"}`);
  return EXIT_USAGE;
}

/** Whether the first word of a command line is the path of a config file, as for redis-server, and not a subcommand. */
function looksLikeFile(word: string): boolean {
  return word === "-" || /[./\\]/.test(word);
}

/** Runs a command line. Returns the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  switch (first) {
    case "cli":
      return await cli(rest);
    case "check-aof":
      return await checkAof(rest);
    case "import":
    case "export":
      return await migrate(first, rest);
    case "help":
    case "-h":
    case "--help":
      return await help(rest[0]);
    case "version":
    case "-v":
    case "-V":
    case "--version":
      return await version();
  }
  const serverArgs = first === "serve" ? rest : args;
  if (first !== undefined && first !== "serve" && !first.startsWith("--") && !looksLikeFile(first)) {
    return first.startsWith("-") ? await usageError(() => serve(args)) : await unknown(first);
  }
  if (serverArgs.some((arg) => arg === "--help" || arg === "-h")) return await help("serve");
  return await usageError(() => serve(serverArgs));
}

/** Prints each problem of a UsageError as a line on stderr, and returns its exit status. */
async function usageError(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "UsageError") throw error;
    for (const problem of error.message.split("\n")) console.error(`memdb: ${problem}`);
    return EXIT_USAGE;
  }
}

/** The line for an error that no subcommand has handled: an error of the system, or a fault of the program. */
async function unhandled(error: unknown): Promise<number> {
  const { isSystemError } = await import("./src/core/io_error.ts");
  const message = error instanceof Error ? error.message : `${error}`;
  if (isSystemError(error)) {
    console.error(`memdb: ${message}`);
    return EXIT_FAILURE;
  }
  const place = /\(?(?:file:\/\/)?[^\s()]*\/((?:src|main)[^\s()]*:\d+:\d+)\)?/.exec((error as Error)?.stack ?? "")?.[1];
  console.error(`memdb: a fault of MemDB itself ended it: ${message}${place === undefined ? "" : ` (${place})`}`);
  return EXIT_SOFTWARE;
}

if (import.meta.main) Deno.exit(await main(Deno.args).catch(unhandled));
