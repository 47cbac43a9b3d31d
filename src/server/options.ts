/**
 * Reads the settings of a server. Flags override the environment, the environment overrides the file, and the file
 * overrides the defaults. This file also sets the defaults that follow from other values (appendonly, aofpath,
 * restoredb, dir). It knows no other settings, and neither starts nor prints anything.
 */
import { resolve } from "node:path";
import {
  findSetting,
  SettingError,
  type SettingName,
  settingNames,
  Settings,
  UnsupportedValueError,
} from "../settings/settings.ts";
import type { UserLine } from "../access/load.ts";
import {
  ConfigFileReader,
  type ConfiguredValue,
  type ConfiguredValues,
  Findings,
  folderProblem,
  readFlags,
  readVariables,
  type Surroundings,
  variableOf,
} from "./sources.ts";

export type { Surroundings } from "./sources.ts";

/** The error for an invalid command line, variable or file. `message` has one line for each problem. */
export class UsageError extends Error {
  override name = "UsageError";
}

export interface ServeOptions {
  /** All values are final: dir and aofpath are absolute, appendonly and restoredb are set. */
  readonly settings: Settings;
  /** Absolute path of the config file, the target of CONFIG REWRITE; empty if there is none, or it came by stdin. */
  readonly configFile: string;
  /** The users of the file and of flags. */
  readonly users: readonly UserLine[];
  /** The settings that a flag, a variable or the file named. */
  readonly given: ReadonlySet<SettingName>;
  /** Likely mistakes and settings without effect, one line each. */
  readonly warnings: readonly string[];
}

/** The operating system's surroundings. Of the environment, the part that the process may read. */
export function systemSurroundings(): Surroundings {
  return {
    environment: readEnvironment(),
    folder: Deno.cwd(),
    readFile: (path) => path === "-" ? readStandardInput() : Deno.readTextFileSync(path),
    readFolder: (path) => [...Deno.readDirSync(path)].map((entry) => entry.name),
    kindOf(path) {
      try {
        return Deno.statSync(path).isDirectory ? "folder" : "file";
      } catch {
        // A path without permission is reported when it is opened.
        return undefined;
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

/** Reads `[config file] [flags]` and the environment. Throws UsageError with all problems. */
export function parseServeOptions(args: readonly string[], surroundings: Surroundings): ServeOptions {
  const file = args.length > 0 && (args[0] === "-" || !args[0].startsWith("-")) ? args[0] : undefined;
  const findings = new Findings();
  const fromFlags = readFlags(file === undefined ? args : args.slice(1), findings);
  const fromVariables = readVariables(surroundings.environment, findings);
  const reader = new ConfigFileReader(surroundings, findings);
  if (file !== undefined) reader.read(file);

  const settings = new Settings();
  settings.initDefault("dir", [surroundings.folder]);
  const sources = [reader.values, fromVariables, fromFlags.values];
  const users = [...reader.users, ...fromFlags.users];
  const winners: ConfiguredValues = new Map(sources.flatMap((source) => [...source]));
  for (const setting of winners.keys()) {
    const configured = sources.map((source) => source.get(setting)).filter((value) => value !== undefined);
    // A cumulative setting takes the words of all sources. For other settings only the source with priority is read.
    for (const value of setting.kind.adds ? configured : configured.slice(-1)) apply(settings, value, findings);
  }
  const given = new Set([...winners.keys()].map((setting) => setting.name as SettingName));
  settle(settings, winners, surroundings, findings);
  if (users.length > 0 && settings.values.aclfile !== "") {
    findings.problems.add(
      `${users[0].where}users are defined here and in aclfile '${settings.values.aclfile}'; keep them in one place, ` +
        "because two lists lead to mistakes and security holes",
    );
  }
  if (findings.problems.size > 0) throw new UsageError([...findings.problems].join("\n"));
  warnOfIdle(settings, winners, findings);
  return {
    settings,
    configFile: file === undefined || file === "-" ? "" : resolve(surroundings.folder, file),
    given,
    users,
    warnings: [...findings.warnings],
  };
}

function apply(settings: Settings, value: ConfiguredValue, findings: Findings): void {
  const { setting, words, place } = value;
  try {
    settings.init(setting.name as SettingName, words);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    findings.problems.add(
      error instanceof UnsupportedValueError
        ? `${place.where}${shown(value)} is not supported: ${error.message}; ${place.undo}`
        : `${place.where}bad value${
          setting.secret ? "" : ` '${words.map(oneLine).join(" ")}'`
        } for ${place.name}: ${error.message}`,
    );
  }
}

/** A setting as the user wrote it, without a secret, and on one line. */
function shown({ setting, words, place }: ConfiguredValue): string {
  return [place.name, ...setting.secret ? [] : words.map(oneLine)].join(" ");
}

function oneLine(word: string): string {
  // deno-lint-ignore no-control-regex
  return word.replaceAll(/[\x00-\x1f\x7f]/g, "?");
}

/**
 * Lists the named settings without an effect: one line for each that differs from its default, and one line for all
 * that have the default, as in the files of Redis and Valkey.
 */
function warnOfIdle(settings: Settings, winners: ConfiguredValues, findings: Findings): void {
  const idle = [...winners.values()].filter(({ setting }) => setting.idle !== undefined);
  const isDefault = ({ setting }: ConfiguredValue) => settings.isDefault(setting);
  for (const value of idle.filter((value) => !isDefault(value))) {
    findings.warnings.add(`${value.place.where}${shown(value)} has no effect: ${value.setting.idle}`);
  }
  const names = idle.filter(isDefault).map(({ place }) => place.name);
  if (names.length > 0) {
    findings.warnings.add(`without effect, at their defaults (see memdb help settings): ${names.join(", ")}`);
  }
}

/**
 * Sets the values that follow from others: aofpath becomes absolute and defaults to appendfilename in dir; appendonly
 * is yes if aofpath was given; restoredb is yes if the file exists. Afterwards dir must be an existing folder.
 */
function settle(
  settings: Settings,
  winners: ConfiguredValues,
  surroundings: Surroundings,
  { problems }: Findings,
): void {
  const { values } = settings;
  const { kindOf } = surroundings;
  const given = (name: SettingName) => winners.get(findSetting(name)!);
  /** A problem of a setting, with its place if it was named. */
  const complain = (name: SettingName, reason: string) => {
    const place = given(name)?.place;
    problems.add(`${place?.where ?? ""}${place?.name ?? name}: ${reason}`);
  };
  if (kindOf(values.dir) !== "folder") complain("dir", `'${values.dir}' is not a folder; create it first`);
  settings.onChange("dir", (path) => {
    const kind = kindOf(path);
    if (kind !== "folder") throw new SettingError(kind === "file" ? "Not a directory" : "No such file or directory");
  });
  if (given("aofpath")) {
    settings.init("aofpath", [resolve(values.dir, values.aofpath)]);
    if (!given("appendonly")) settings.init("appendonly", ["yes"]);
  } else {
    settings.initDefault("aofpath", [resolve(values.dir, values.appendfilename)]);
  }
  const aof = kindOf(values.aofpath);
  if (aof === "folder") {
    complain(
      "aofpath",
      `'${values.aofpath}' is a folder; name a file in it, or start with --appendonly yes --dir FOLDER instead ` +
        "to load the files of a redis-server",
    );
  }
  const { dir, dbfilename, appenddirname } = values;
  const redisFiles = kindOf(resolve(dir, dbfilename)) === "file" || kindOf(resolve(dir, appenddirname)) === "folder";
  if (!given("restoredb")) settings.initDefault("restoredb", [aof === "file" || redisFiles ? "yes" : "no"]);
  if (values.logfile !== "") {
    const problem = folderProblem(resolve(values.dir, values.logfile), surroundings);
    if (problem !== undefined) complain("logfile", problem);
  }
  if (values.bind.length === 0 && values.unixsocket === "") {
    complain("bind", "without an address no client can connect; name one, or set unixsocket");
  }
}
