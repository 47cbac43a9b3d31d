/**
 * `memdb import` and `memdb export`: import converts files of other servers into an append-only file, export converts
 * an append-only file into files that other servers load. Sources are never changed, and no file is overwritten.
 */
import { dirname, resolve } from "node:path";
import { realDisk } from "../aof/disk.ts";
import { createParts, finishParts, partsOf } from "../aof/manifest.ts";
import { type Loaded, loadParts } from "../aof/load.ts";
import { AofError } from "../aof/replay.ts";
import { doingLater, isSystemError } from "../core/io_error.ts";
import type { Engine } from "../engine/engine.ts";
import { Settings } from "../settings/settings.ts";
import { SettingError } from "../settings/kinds.ts";
import { VERSION_EXPORT } from "../rdb/format.ts";
import { oldestVersion, WRITTEN_VERSIONS } from "../rdb/versions.ts";
import { exists } from "../rdb/ownership.ts";
import { saveNow } from "../rdb/save.ts";
import { createDetachedEngine } from "./detached.ts";

export const IMPORT_HELP = `Usage: memdb import SOURCE [--aofpath FILE]

Copies the data of another server's files into a new append-only file, from
which memdb then starts. SOURCE does not change. It may be

  dump.rdb          a snapshot of Redis up to 8.6, Valkey up to 9.1, or MemDB
  appendonly.aof    an append-only file of Redis, Valkey, MemDB or PyMemDB
  appendonlydir     the folder of append-only files of Redis 7 and later, or its
                    parent folder

  --aofpath FILE    the new file, which must not exist yet
                    (default: ./appendonly.aof)
  --databases N     if SOURCE has more than 16 databases

Keys of types that MemDB does not have (values of modules) are left out and
named. Keys that are past their deadline
are left out and counted. Idle times and access frequencies of keys are kept.

Example:
  memdb import /var/lib/redis/dump.rdb --aofpath ./db.aof
  memdb --aofpath ./db.aof
`;

export const EXPORT_HELP = `Usage: memdb export --to rdb FILE     [--aofpath FILE]
       memdb export --to redis FOLDER [--aofpath FILE]

Writes the data of an append-only file in a form from which other servers start.

  --to rdb FILE       a snapshot for Redis 7 and later, Valkey, and most tools
  --to redis FOLDER   a folder for redis-server --appendonly yes --dir FOLDER
  --aofpath FILE      the append-only file to read, which does not change
                      (default: ./appendonly.aof)
  --databases N       if there are more than 16 databases
  --rdb-version N     the version of the snapshot: 10 for Redis 7.0 and later,
                      11 for Redis 7.2 and Valkey 7.2, 12 for Redis 7.4, 13 for
                      Redis 8.6, 80 for Valkey 9 (default: the oldest of Redis
                      that holds the data)

Existing files are never overwritten. While a server runs on the file, use
BGSAVE.

Example:
  memdb export --to rdb dump.rdb --aofpath ./db.aof
`;

const EXIT_FAILURE = 1, EXIT_USAGE = 2;
const DEFAULT_AOF = "appendonly.aof";
const TARGETS = ["rdb", "redis"];
const FLAGS = ["aofpath", "databases", "rdb-version", "to"];

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
  /** Positional arguments, and the values of flags by name. */
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
  const { engine, loaded } = await load(resolve(words[0]), flags, surroundings);
  await doingLater("create the folder of", target, () => Deno.mkdir(dirname(target), { recursive: true }));
  const clocks = loaded.find(({ snapshot }) => snapshot !== undefined)?.snapshot?.clocks ?? "none";
  const { keys, expired } = saveNow(engine, target, { preamble: true, clocks, dropExpired: true });
  surroundings.out(`Wrote ${counted(keys, "key")} to ${target}${leftOut(loaded, expired)}`);
  surroundings.out(`Start with: memdb --aofpath ${target}`);
}

/** The number of skipped items of each kind; "" if nothing was skipped. */
function leftOut(loaded: readonly Loaded[], expired: number): string {
  const snapshots = loaded.map(({ snapshot }) => snapshot).filter((snapshot) => snapshot !== undefined);
  const unsupported = snapshots.reduce((sum, { skippedCount }) => sum + skippedCount, 0);
  const tail = loaded.reduce(
    (sum, { wholeBytes, totalBytes, snapshot }) => sum + (snapshot?.hasStreamMark ? 0 : totalBytes - wholeBytes),
    0,
  );
  const parts = [
    [expired, "key that had expired", "keys that had expired"],
    [unsupported, "thing that MemDB does not have", "things that MemDB does not have"],
    [tail, "byte of an unfinished end", "bytes of an unfinished end"],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).map(([count, one, many]) => counted(count, one, many));
  return shown.length === 0 ? "" : `; left out ${shown.join(", ")}`;
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

async function exportTo({ words, flags }: Arguments, surroundings: MigrateSurroundings): Promise<void> {
  const form = flags.get("to") ?? "";
  if (!TARGETS.includes(form)) throw new UsageError(`--to must be one of ${TARGETS.join(", ")}`);
  if (words.length !== 1) throw new UsageError(`where to? one ${form === "rdb" ? "file" : "folder"}`);
  const target = resolve(words[0]);
  const source = resolve(flags.get("aofpath") ?? DEFAULT_AOF);
  if (form === "rdb") refuseExisting(target);
  const { engine, loaded } = await load(source, flags, surroundings);
  const options = { version: exportVersion(flags, engine), dropExpired: true };
  if (form === "rdb") {
    await doingLater("create the folder of", target, () => Deno.mkdir(dirname(target), { recursive: true }));
    const { keys, expired } = saveNow(engine, target, options);
    surroundings.out(`Wrote ${counted(keys, "key")} to ${target}${leftOut(loaded, expired)}`);
    return;
  }
  const base = await createParts(target);
  const { keys, expired } = saveNow(engine, base, { ...options, preamble: true });
  await finishParts(base);
  surroundings.out(`Wrote ${counted(keys, "key")} to ${dirname(base)}${leftOut(loaded, expired)}`);
  surroundings.out(`Start with: redis-server --appendonly yes --dir ${target}`);
}

/** The version that --rdb-version names, or the oldest that holds the data. Throws UsageError. */
function exportVersion(flags: Arguments["flags"], { store }: Engine): number {
  const given = flags.get("rdb-version");
  if (given === undefined) return oldestVersion(store, "redis", VERSION_EXPORT);
  const version = WRITTEN_VERSIONS.find((version) => version === given);
  if (version === undefined) throw new UsageError(`--rdb-version must be one of ${WRITTEN_VERSIONS.join(", ")}`);
  return Number(version);
}

/** Loads a file, or the parts in a folder, into a separate engine. Keys keep the access clocks in the files. */
async function load(
  source: string,
  flags: Arguments["flags"],
  { error }: MigrateSurroundings,
): Promise<{ engine: Engine; loaded: Loaded[] }> {
  const { engine, executor } = createDetachedEngine(settingsOf(flags));
  engine.log = (level, text) => {
    if (level === "warning") error(text);
  };
  const loaded = await loadParts(engine, executor, realDisk, partsOf(source), { keepClocks: true });
  engine.store.setTime(engine.clock.nowMs());
  return { engine, loaded };
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
  if (exists(path)) throw new AofError(`${path} is there already: move it away, or name another`);
}
