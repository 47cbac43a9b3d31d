/**
 * From the command line, the environment and config files to the settings of a server: a flag wins over the environment,
 * that over the file, that over the default. It also settles the defaults that follow from other values (appendonly,
 * aofpath, restoredb, dir). It refuses to know any setting beyond those four, and to start or print anything.
 */
import { basename, dirname, join, resolve } from "node:path";
import { utf8 } from "../core/bytes.ts";
import { globMatch } from "../core/glob.ts";
import { nearest } from "../core/nearest.ts";
import { findSetting, SettingError, type SettingName, settingNames, Settings } from "../settings/settings.ts";
import { splitWords } from "../settings/config_file.ts";
import { yesNo } from "../settings/kinds.ts";
import type { Setting } from "../settings/table.ts";

/** A command line, variable or file that cannot be used; `message` is one line for the user. */
export class UsageError extends Error {
  override name = "UsageError";
}

export interface ServeOptions {
  /** Final: dir and aofpath are absolute, appendonly and restoredb are decided. */
  readonly settings: Settings;
  /** Absolute path of the config file, the target of CONFIG REWRITE; empty if there is none, or it came by stdin. */
  readonly configFile: string;
  /** What a flag, a variable or the file named, as opposed to defaults. */
  readonly given: ReadonlySet<SettingName>;
  /** What looks like a mistake but does not stop the start, one line each. */
  readonly warnings: readonly string[];
}

/** What the options are read from, replaceable in tests. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** The text of a file, "-" for standard input. Throws what Deno throws. */
  readFile(path: string): string;
  /** The names in a folder. Throws what Deno throws. */
  readFolder(path: string): string[];
  /** What stands at a path. */
  kindOf(path: string): "file" | "folder" | undefined;
}

/** Words that somebody gave a setting, and what to call the place in an error. */
interface ConfiguredValue {
  readonly setting: Setting;
  readonly words: string[];
  readonly place: string;
}

/** The values of one source, by setting. */
type ConfiguredValues = Map<Setting, ConfiguredValue>;

const VARIABLE_PREFIX = "MEMDB_";
const INCLUDE_DEPTH = 16;

/** Lines of Redis's files that say nothing any more; Redis skips them too. */
const DEPRECATED: ReadonlySet<string> = new Set([
  "io-threads-do-reads",
  "list-max-ziplist-entries",
  "list-max-ziplist-value",
  "lua-replicate-commands",
]);

/** Lines of Redis's files that are no settings, and why MemDB cannot follow them. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  loadmodule: "MemDB loads no modules",
  "rename-command": "MemDB renames no commands",
  user: "users come from requirepass alone",
  sentinel: "MemDB is no sentinel",
};

const BOOL_WORDS: Readonly<Record<string, string>> = { true: "yes", "1": "yes", false: "no", "0": "no" };

/** The operating system's surroundings. Of the environment, what the process may read. */
export function systemSurroundings(): Surroundings {
  return {
    environment: readEnvironment(),
    folder: Deno.cwd(),
    readFile: (path) => path === "-" ? readStandardInput() : Deno.readTextFileSync(path),
    readFolder: (path) => [...Deno.readDirSync(path)].map((entry) => entry.name),
    kindOf(path) {
      try {
        return Deno.statSync(path).isDirectory ? "folder" : "file";
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
  };
}

function readEnvironment(): Record<string, string> {
  const granted = (variable?: string) => Deno.permissions.querySync({ name: "env", variable }).state === "granted";
  if (granted()) return Deno.env.toObject();
  const found: Record<string, string> = {};
  for (const variable of settingNames().map(variableOf)) {
    const value = granted(variable) ? Deno.env.get(variable) : undefined;
    if (value !== undefined) found[variable] = value;
  }
  return found;
}

function readStandardInput(): string {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(65536);
  let text = "";
  for (let n = Deno.stdin.readSync(chunk); n !== null; n = Deno.stdin.readSync(chunk)) {
    text += decoder.decode(chunk.subarray(0, n), { stream: true });
  }
  return text + decoder.decode();
}

/** The environment variable of a setting: MEMDB_APPENDFSYNC, dashes as underscores. */
export function variableOf(name: string): string {
  return VARIABLE_PREFIX + name.replaceAll("-", "_").toUpperCase();
}

/**
 * Reads `[config file] [flags]`. A value may follow its flag or stand behind "="; settings of many words take words up to
 * the next flag. Throws UsageError.
 */
export function parseServeOptions(args: readonly string[], surroundings: Surroundings): ServeOptions {
  const file = args.length > 0 && (args[0] === "-" || !args[0].startsWith("-")) ? args[0] : undefined;
  const warnings: string[] = [];
  const fromFlags = readFlags(file === undefined ? args : args.slice(1));
  const fromVariables = readVariables(surroundings.environment, warnings);
  const fromFile: ConfiguredValues = new Map();
  if (file !== undefined) readConfigFile(file, [], fromFile, warnings, surroundings);

  const settings = new Settings();
  settings.initDefault("dir", [surroundings.folder]);
  const sources = [fromFile, fromVariables, fromFlags];
  const given = new Set(sources.flatMap((source) => [...source.keys()]));
  for (const setting of given) {
    const configured = sources.map((source) => source.get(setting)).filter((value) => value !== undefined);
    // What adds up, adds up over the sources too; of the rest only the winner has to be right.
    for (const value of setting.kind.adds ? configured : configured.slice(-1)) apply(settings, value);
  }
  const names = new Set([...given].map((setting) => setting.name as SettingName));
  settle(settings, names, surroundings);
  return {
    settings,
    configFile: file === undefined || file === "-" ? "" : resolve(surroundings.folder, file),
    given: names,
    warnings,
  };
}

function apply(settings: Settings, { setting, words, place }: ConfiguredValue): void {
  try {
    settings.init(setting.name as SettingName, words);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    const value = setting.secret ? "" : ` '${words.join(" ")}'`;
    throw new UsageError(`bad value${value} for ${place}: ${error.message}`);
  }
}

/**
 * Settles what follows from other values: aofpath becomes absolute and defaults to appendfilename in dir, appendonly to
 * whether aofpath was given, restoredb to whether there is a file. From then on dir must be a folder that exists.
 */
function settle(settings: Settings, given: ReadonlySet<SettingName>, { kindOf }: Surroundings): void {
  const { values } = settings;
  if (kindOf(values.dir) !== "folder") throw new UsageError(`dir '${values.dir}' is not a folder`);
  settings.onChange("dir", (path) => {
    const kind = kindOf(path);
    if (kind !== "folder") throw new SettingError(kind === "file" ? "Not a directory" : "No such file or directory");
  });
  if (given.has("aofpath")) {
    settings.init("aofpath", [resolve(values.dir, values.aofpath)]);
    if (!given.has("appendonly")) settings.init("appendonly", ["yes"]);
  } else {
    settings.initDefault("aofpath", [resolve(values.dir, values.appendfilename)]);
  }
  const aof = kindOf(values.aofpath);
  if (aof === "folder") throw new UsageError(`aofpath '${values.aofpath}' is a folder, not a file`);
  if (given.has("restoredb")) return;
  const { dir, dbfilename, appenddirname } = values;
  const redisFiles = kindOf(resolve(dir, dbfilename)) === "file" || kindOf(resolve(dir, appenddirname)) === "folder";
  settings.initDefault("restoredb", [aof === "file" || redisFiles ? "yes" : "no"]);
}

/** Words as a setting takes them: true and 1 are yes, lists may be one word with blanks, addresses have commas too. */
function normalized(setting: Setting, words: readonly string[]): string[] {
  if (setting.kind === yesNo && words.length === 1) return [BOOL_WORDS[words[0].toLowerCase()] ?? words[0]];
  if (!setting.kind.many) return [...words];
  const separator = setting.name === "bind" ? /[\s,]+/ : /\s+/;
  return words.flatMap((word) => word === "" ? [word] : word.split(separator).filter((part) => part !== ""));
}

function addConfiguredValue(
  configured: ConfiguredValues,
  setting: Setting,
  words: readonly string[],
  place: string,
): void {
  const before = configured.get(setting)?.words;
  const now = normalized(setting, words);
  const isNothing = (list: readonly string[]) => list.length === 1 && list[0] === "";
  const adds = setting.kind.adds && before !== undefined && !isNothing(before) && !isNothing(now);
  // Several --host flags name several addresses; in a file, as in Redis, the last line counts.
  const addsFlag = setting.name === "bind" && before !== undefined && place.startsWith("--");
  configured.set(setting, { setting, words: adds || addsFlag ? [...before, ...now] : now, place });
}

function readFlags(args: readonly string[]): ConfiguredValues {
  const configured: ConfiguredValues = new Map();
  for (let i = 0; i < args.length;) {
    const arg = args[i++];
    if (!arg.startsWith("-")) throw new UsageError(`unexpected argument '${arg}'`);
    const [, name, , inline] = /^--?([^=]*)(=([^]*))?$/.exec(arg)!;
    const setting = arg.startsWith("--") ? findSetting(name) ?? findSetting(name.replaceAll("_", "-")) : undefined;
    if (setting === undefined) throw new UsageError(`unknown flag ${arg.split("=")[0]}${suggestion(name, "--")}`);
    const words: string[] = [];
    const isFlag = (arg: string | undefined) => arg === undefined || arg.startsWith("--");
    if (inline !== undefined) {
      words.push(inline);
    } else if (setting.kind.many) {
      while (!isFlag(args[i])) words.push(args[i++]);
    } else if (!isFlag(args[i])) {
      words.push(args[i++]);
    } else if (setting.kind === yesNo) {
      words.push("yes");
    }
    // Redis takes a bare `--save` too.
    if (words.length === 0 && !setting.kind.adds) throw new UsageError(`--${name} needs a value: ${setting.kind.hint}`);
    addConfiguredValue(configured, setting, words, `--${name}`);
  }
  return configured;
}

function readVariables(environment: Readonly<Record<string, string>>, warnings: string[]): ConfiguredValues {
  const configured: ConfiguredValues = new Map();
  const byVariable = new Map(settingNames().map((name) => [variableOf(name), name]));
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(VARIABLE_PREFIX)) continue;
    // Kubernetes describes a service named "memdb" to its neighbours by variables that look like ours.
    const isServiceLink = /^MEMDB_(SERVICE_|PORT_\d)/.test(variable) || /^(tcp|udp):\/\//.test(value);
    // MEMDB_TEST_… are the tests' own.
    if (isServiceLink || variable.startsWith("MEMDB_TEST_")) continue;
    const name = byVariable.get(variable);
    if (name !== undefined) {
      addConfiguredValue(configured, findSetting(name)!, [value], variable);
    } else {
      const meant = nearest(variable, [...byVariable.keys()]);
      if (meant !== undefined) warnings.push(`environment variable ${variable} is not known; did you mean ${meant}?`);
    }
  }
  return configured;
}

function readConfigFile(
  path: string,
  including: readonly string[],
  configured: ConfiguredValues,
  warnings: string[],
  surroundings: Surroundings,
): void {
  if (including.length > INCLUDE_DEPTH) {
    throw new UsageError(`config files include each other: ${including.join(", ")}`);
  }
  let text: string;
  try {
    text = surroundings.readFile(path === "-" ? path : resolve(surroundings.folder, path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new UsageError(`there is no config file '${path}'`);
    throw new UsageError(`cannot read config file '${path}': ${(error as Error).message}`);
  }
  for (const [i, line] of text.replace(/^\uFEFF/, "").split("\n").map((line) => line.trim()).entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const place = `${path === "-" ? "standard input" : path}, line ${i + 1}`;
    const [option, ...words] = splitWords(line) ?? [];
    if (option === undefined) throw new UsageError(`${place}: the quotes do not balance`);
    const name = option.toLowerCase();
    const setting = findSetting(name);
    if (setting !== undefined) {
      // A list may be empty; Redis takes a bare `save` too.
      if (words.length === 0 && !setting.kind.many) {
        throw new UsageError(`${place}: ${option} needs a value: ${setting.kind.hint}`);
      }
      addConfiguredValue(configured, setting, words, `${option} (${place})`);
    } else if (name === "include") {
      for (const included of words.flatMap((word) => expand(word, surroundings))) {
        readConfigFile(included, [...including, path], configured, warnings, surroundings);
      }
    } else if (DEPRECATED.has(name)) {
      warnings.push(`${place}: ${option} is deprecated and has no effect`);
    } else if (Object.hasOwn(UNSUPPORTED, name)) {
      throw new UsageError(`${place}: ${option} is not supported: ${UNSUPPORTED[name]}`);
    } else {
      throw new UsageError(`${place}: unknown setting '${option}'${suggestion(option, "")}`);
    }
  }
}

/** The files that an include names: a glob in the last part of a path stands for those that match, sorted, or none. */
function expand(path: string, { folder, readFolder }: Surroundings): string[] {
  const name = basename(path);
  if (!/[*?[]/.test(name)) return [path];
  const pattern = utf8(name);
  const matches = (name: string) => {
    const bytes = utf8(name);
    return globMatch(pattern, 0, pattern.length, bytes, 0, bytes.length, false);
  };
  return readFolder(resolve(folder, dirname(path))).filter(matches).sort().map((name) => join(dirname(path), name));
}

function suggestion(name: string, prefix: string): string {
  // One or two letters are near to anything short.
  const meant = name.length < 3 ? undefined : nearest(name.toLowerCase(), settingNames());
  return meant === undefined ? "; see memdb help serve" : `; did you mean ${prefix}${meant}?`;
}
