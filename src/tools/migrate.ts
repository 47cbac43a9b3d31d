/**
 * `memdb import` and `memdb export`: data from other servers' files into an append-only file, and from an append-only file
 * into what other servers start from. What is read is never changed, what is there already is never overwritten.
 */
import { dirname, resolve } from "node:path";
import { ensureDir } from "@std/fs";
import { realDisk } from "../aof/disk.ts";
import { createParts, finishParts, partsOf } from "../aof/manifest.ts";
import { openAof } from "../aof/open.ts";
import { AofError } from "../aof/replay.ts";
import type { Engine } from "../engine/engine.ts";
import { Settings } from "../settings/settings.ts";
import { SettingError } from "../settings/kinds.ts";
import { saveNow } from "../rdb/save.ts";
import { createDetachedEngine } from "./detached.ts";

export const IMPORT_HELP = `Usage: memdb import SOURCE [--aofpath FILE]

Copies data from another server's files into a new append-only file, which memdb then starts from.
SOURCE is not changed. It may be

  dump.rdb          a snapshot of Redis (or of MemDB), of any version up to Redis 8.0
  appendonly.aof    an append-only file of Redis, MemDB or PyMemDB
  appendonlydir     the folder in which Redis 7 and later keep theirs, or the folder above it

  --aofpath FILE    where to write; the file must not be there yet (default: ./appendonly.aof)
  --databases N     if SOURCE has more than 16 databases

Keys of types that MemDB does not have are left out, and named.

Example:
  memdb import /var/lib/redis/dump.rdb --aofpath ./db.aof
  memdb --aofpath ./db.aof
`;

export const EXPORT_HELP = `Usage: memdb export --to rdb FILE     [--aofpath FILE]
       memdb export --to redis FOLDER [--aofpath FILE]

Writes the data of an append-only file in a form that other servers start from.

  --to rdb FILE       a snapshot that Redis 7 and later load, and most tools read
  --to redis FOLDER   a folder for redis-server --appendonly yes --dir FOLDER
  --aofpath FILE      the append-only file to read; it is not changed (default: ./appendonly.aof)
  --databases N       if there are more than 16 databases

Nothing is overwritten. While a server runs on the file, BGSAVE is the better way.

Example:
  memdb export --to rdb dump.rdb --aofpath ./db.aof
`;

const EXIT_FAILURE = 1, EXIT_USAGE = 2;
const DEFAULT_AOF = "appendonly.aof";
const TARGETS = ["rdb", "redis"];
const FLAGS = ["aofpath", "databases", "to"];

export interface MigrateSurroundings {
  out(line: string): void;
  error(line: string): void;
}

class UsageError extends Error {
  override name = "UsageError";
}

/** Runs `memdb import`. Returns the exit status. */
export function runImport(args: readonly string[], surroundings: MigrateSurroundings): Promise<number> {
  return run("import", IMPORT_HELP, args, surroundings, importFrom);
}

/** Runs `memdb export`. Returns the exit status. */
export function runExport(args: readonly string[], surroundings: MigrateSurroundings): Promise<number> {
  return run("export", EXPORT_HELP, args, surroundings, exportTo);
}

interface Arguments {
  /** Words that are no flags, and values of flags by their names. */
  readonly words: readonly string[];
  readonly flags: ReadonlyMap<string, string>;
}

async function run(
  name: string,
  help: string,
  args: readonly string[],
  surroundings: MigrateSurroundings,
  body: (args: Arguments, surroundings: MigrateSurroundings) => Promise<void>,
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    surroundings.out(help.trimEnd());
    return 0;
  }
  try {
    await body(readArguments(args), surroundings);
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const usage = error instanceof UsageError;
    if (!usage && !(error instanceof AofError) && !isSystemError(error)) throw error;
    surroundings.error(`memdb ${name}: ${error.message}${usage ? `; see memdb ${name} --help` : ""}`);
    return usage ? EXIT_USAGE : EXIT_FAILURE;
  }
}

function isSystemError(error: Error): boolean {
  return "code" in error || (Object.values(Deno.errors) as unknown[]).includes(error.constructor);
}

function readArguments(args: readonly string[]): Arguments {
  const words: string[] = [];
  const flags = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    if (!args[i].startsWith("--")) {
      words.push(args[i]);
      continue;
    }
    const [flag, inline] = args[i].slice(2).split(/=(.*)/s);
    const value = inline ?? args[++i];
    if (!FLAGS.includes(flag)) throw new UsageError(`unknown flag --${flag}`);
    if (value === undefined || value === "") throw new UsageError(`--${flag} needs a value`);
    flags.set(flag, value);
  }
  return { words, flags };
}

async function importFrom({ words, flags }: Arguments, surroundings: MigrateSurroundings): Promise<void> {
  if (words.length !== 1) throw new UsageError(words.length === 0 ? "which file or folder?" : "one source at a time");
  if (flags.has("to")) throw new UsageError("unknown flag --to");
  const target = resolve(flags.get("aofpath") ?? DEFAULT_AOF);
  refuseExisting(target);
  const engine = await load(resolve(words[0]), flags, surroundings);
  await ensureDir(dirname(target));
  saveNow(engine, target, { preamble: true });
  surroundings.out(`Wrote ${countKeys(engine)} keys to ${target}. Start with: memdb --aofpath ${target}`);
}

async function exportTo({ words, flags }: Arguments, surroundings: MigrateSurroundings): Promise<void> {
  const form = flags.get("to") ?? "";
  if (!TARGETS.includes(form)) throw new UsageError(`--to must be one of ${TARGETS.join(", ")}`);
  if (words.length !== 1) throw new UsageError(`where to? one ${form === "rdb" ? "file" : "folder"}`);
  const target = resolve(words[0]);
  const source = resolve(flags.get("aofpath") ?? DEFAULT_AOF);
  if (form === "rdb") refuseExisting(target);
  const engine = await load(source, flags, surroundings);
  if (form === "rdb") {
    await ensureDir(dirname(target));
    saveNow(engine, target);
    surroundings.out(`Wrote ${countKeys(engine)} keys to ${target}`);
    return;
  }
  const base = await createParts(target);
  saveNow(engine, base, { preamble: true });
  await finishParts(base);
  const start = `redis-server --appendonly yes --dir ${target}`;
  surroundings.out(`Wrote ${countKeys(engine)} keys to ${dirname(base)}. Start with: ${start}`);
}

/** Loads a file, or the parts in a folder, into an engine of its own. */
async function load(source: string, flags: Arguments["flags"], { error }: MigrateSurroundings): Promise<Engine> {
  const { engine, executor } = createDetachedEngine(settingsOf(flags));
  engine.log = (level, text) => {
    if (level === "warning") error(text);
  };
  const parts = partsOf(source);
  for (const [i, path] of parts.entries()) {
    // Only the last part can have been cut off by a crash.
    engine.settings.init("aof-load-truncated", [i === parts.length - 1 ? "yes" : "no"]);
    if (kindOf(path) === undefined) throw new AofError(`there is no ${path}`);
    await openAof(engine, executor, { path, restore: true, append: false }, realDisk);
  }
  return engine;
}

function settingsOf(flags: Arguments["flags"]): Settings {
  const settings = new Settings();
  try {
    settings.init("databases", [flags.get("databases") ?? "16"]);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    throw new UsageError(`--databases: ${error.message}`);
  }
  return settings;
}

function refuseExisting(path: string): void {
  if (kindOf(path) !== undefined) throw new AofError(`${path} is there already: move it away, or name another`);
}

function kindOf(path: string): "file" | "folder" | undefined {
  try {
    return Deno.statSync(path).isDirectory ? "folder" : "file";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function countKeys(engine: Engine): number {
  return engine.store.databases.reduce((sum, db) => sum + db.size, 0);
}
