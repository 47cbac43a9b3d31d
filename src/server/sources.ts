/**
 * The sources of settings: flags, environment variables and config files. Each is read into words by setting, with the
 * place where they were named. All problems are collected, so that a user sees them at once. This file does not know
 * the meaning of settings, and neither starts nor prints anything.
 */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { utf8 } from "../core/bytes.ts";
import { globMatch } from "../core/glob.ts";
import { nearest } from "../core/nearest.ts";
import { reasonOf } from "../core/io_error.ts";
import type { UserLine } from "../access/load.ts";
import { splitWords } from "../settings/config_file.ts";
import { yesNo } from "../settings/kinds.ts";
import type { Setting } from "../settings/setting.ts";
import { findSetting, settingNames } from "../settings/settings.ts";

/** The system around the process, replaceable in tests. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** The text of a file, "-" for standard input. Passes on errors of Deno. */
  readFile(path: string): string;
  /** The names in a folder. Passes on errors of Deno. */
  readFolder(path: string): string[];
  /** The kind of a file or folder at a path; undefined if there is none. */
  kindOf(path: string): "file" | "folder" | undefined;
}

/** The place where a value was named. */
export interface Place {
  /** The beginning of a message: "memdb.conf, line 2: ", or empty if `name` is enough. */
  readonly where: string;
  /** The name that the user wrote: "--port", "MEMDB_PORT" or "port". */
  readonly name: string;
  /** The remedy that removes the value. */
  readonly undo: string;
}

/** Words that a source gives a setting. */
export interface ConfiguredValue {
  readonly setting: Setting;
  readonly words: readonly string[];
  readonly place: Place;
}

/** The values of one source, by setting. */
export type ConfiguredValues = Map<Setting, ConfiguredValue>;

/** The values of a source, and its users. */
export interface Configured {
  readonly values: ConfiguredValues;
  readonly users: UserLine[];
}

/** Lines for the user in the order of their discovery, without repetitions. */
export class Findings {
  /** Problems that prevent the start. */
  readonly problems = new Set<string>();
  /** Likely mistakes, and settings without effect. */
  readonly warnings = new Set<string>();
}

const VARIABLE_PREFIX = "MEMDB_";

/** Lines that Redis also skips. */
const DEPRECATED: ReadonlySet<string> = new Set([
  "io-threads-do-reads",
  "list-max-ziplist-entries",
  "list-max-ziplist-value",
  "lua-replicate-commands",
]);

/** Directives that are not settings and that MemDB does not support, with the reason. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  loadmodule: "MemDB loads no modules",
  "rename-command": "MemDB renames no commands",
  sentinel: "MemDB is no sentinel",
};

const BOOL_WORDS: Readonly<Record<string, string>> = { true: "yes", "1": "yes", false: "no", "0": "no" };

/** The environment variable of a setting: MEMDB_APPENDFSYNC, dashes as underscores. */
export function variableOf(name: string): string {
  return VARIABLE_PREFIX + name.replaceAll("-", "_").toUpperCase();
}

/** Words as a setting takes them: true and 1 are yes, lists may be one word with blanks, addresses have commas too. */
function normalized(setting: Setting, words: readonly string[]): string[] {
  if (setting.kind === yesNo && words.length === 1) return [BOOL_WORDS[words[0].toLowerCase()] ?? words[0]];
  if (!setting.kind.many) return [...words];
  const separator = setting.name === "bind" ? /[\s,]+/ : /\s+/;
  return words.flatMap((word) => word === "" ? [word] : word.split(separator).filter((part) => part !== ""));
}

function add(values: ConfiguredValues, setting: Setting, words: readonly string[], place: Place): void {
  const before = values.get(setting)?.words;
  const now = normalized(setting, words);
  const isNothing = (list: readonly string[]) => list.length === 1 && list[0] === "";
  const adds = setting.kind.adds && before !== undefined && !isNothing(before) && !isNothing(now);
  // Several --host flags name several addresses; in a file the last line counts, as in Redis.
  const addsFlag = setting.name === "bind" && before !== undefined && place.name.startsWith("--");
  values.set(setting, { setting, words: adds || addsFlag ? [...before, ...now] : now, place });
}

/** Reads flags. A value follows its flag or "=". Settings of many words take the words up to the next flag. */
export function readFlags(args: readonly string[], findings: Findings): Configured {
  const values: ConfiguredValues = new Map(), users: UserLine[] = [];
  const isFlag = (arg: string | undefined) => arg === undefined || arg.startsWith("--");
  for (let i = 0; i < args.length;) {
    const arg = args[i++];
    if (!arg.startsWith("-")) {
      findings.problems.add(`unexpected argument '${arg}'`);
      continue;
    }
    const [, name, , inline] = /^--?([^=]*)(=([^]*))?$/.exec(arg)!;
    if (arg === "--user" || arg.startsWith("--user=")) {
      const words = inline === undefined ? [] : [inline];
      while (!isFlag(args[i])) words.push(args[i++]);
      addUser(users, "", words.flatMap((word) => word.split(/\s+/)), findings);
      continue;
    }
    const setting = arg.startsWith("--") ? findSetting(name) ?? findSetting(name.replaceAll("_", "-")) : undefined;
    if (setting === undefined) {
      findings.problems.add(`unknown flag ${arg.split("=")[0]}${suggestion(name, "--")}`);
      // The words after it are probably its value.
      while (!isFlag(args[i])) i++;
      continue;
    }
    const words: string[] = [];
    if (inline !== undefined) {
      words.push(inline);
    } else if (setting.kind.many) {
      while (!isFlag(args[i])) words.push(args[i++]);
    } else if (!isFlag(args[i])) {
      words.push(args[i++]);
    } else if (setting.kind === yesNo) {
      words.push("yes");
    }
    // Redis also accepts `--save` without a value.
    if (words.length === 0 && !setting.kind.adds) {
      findings.problems.add(`--${name} needs a value: ${setting.kind.hint}`);
      continue;
    }
    add(values, setting, words, { where: "", name: `--${name}`, undo: "leave the flag out" });
  }
  return { values, users };
}

/** Adds a user with rules; `words` begins with the name. */
function addUser(users: UserLine[], where: string, words: readonly string[], { problems }: Findings): void {
  if (words.length === 0 || words[0] === "") problems.add(`${where}user needs a name, then rules as for ACL SETUSER`);
  else users.push({ where, words });
}

/** Reads environment variables. */
export function readVariables(
  environment: Readonly<Record<string, string>>,
  findings: Findings,
): ConfiguredValues {
  const values: ConfiguredValues = new Map();
  const byVariable = new Map(settingNames().map((name) => [variableOf(name), name]));
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(VARIABLE_PREFIX)) continue;
    // Kubernetes describes a service named "memdb" to its neighbours by variables that look like settings.
    const isServiceLink = /^MEMDB_(SERVICE_|PORT_\d)/.test(variable) || /^(tcp|udp):\/\//.test(value);
    // MEMDB_TEST_… belong to the tests.
    if (isServiceLink || variable.startsWith("MEMDB_TEST_")) continue;
    const name = byVariable.get(variable);
    if (name !== undefined) {
      add(values, findSetting(name)!, [value], { where: "", name: variable, undo: "unset the variable" });
      continue;
    }
    const meant = nearest(variable, [...byVariable.keys()]);
    if (meant !== undefined) {
      findings.warnings.add(`environment variable ${variable} is not known; did you mean ${meant}?`);
    }
  }
  return values;
}

/** Reads a config file with the files that it includes. */
export class ConfigFileReader {
  readonly values: ConfiguredValues = new Map();
  readonly users: UserLine[] = [];
  readonly #surroundings: Surroundings;
  readonly #findings: Findings;
  /** The files that are being read, the innermost last. */
  readonly #open: string[] = [];

  constructor(surroundings: Surroundings, findings: Findings) {
    this.#surroundings = surroundings;
    this.#findings = findings;
  }

  /** Reads the file at `path`, "-" for standard input. `where` is the place of the line that includes it. */
  read(path: string, where = ""): void {
    const { folder, readFile } = this.#surroundings;
    const { problems } = this.#findings;
    if (this.#open.includes(path)) {
      problems.add(`${where}config files include each other: ${[...this.#open, path].join(", ")}`);
      return;
    }
    let text: string;
    try {
      text = readFile(path === "-" ? path : resolve(folder, path));
    } catch (error) {
      const reason = error instanceof Deno.errors.NotFound
        ? `there is no config file '${path}'`
        : `cannot read config file '${path}': ${reasonOf(error)}`;
      problems.add(`${where}${reason}${where === "" ? "" : "; create it, or remove the line"}`);
      return;
    }
    this.#open.push(path);
    const file = path === "-" ? "standard input" : path;
    for (const [i, line] of text.replace(/^\uFEFF/, "").split("\n").map((line) => line.trim()).entries()) {
      if (line !== "" && !line.startsWith("#")) this.#readLine(line, `${file}, line ${i + 1}: `);
    }
    this.#open.pop();
  }

  #readLine(line: string, where: string): void {
    const { problems, warnings } = this.#findings;
    const [option, ...words] = splitWords(line) ?? [];
    if (option === undefined) {
      problems.add(`${where}the quotes do not balance`);
      return;
    }
    const name = option.toLowerCase();
    const setting = findSetting(name);
    if (setting !== undefined) {
      // A list may be empty. Redis also accepts `save` without a value.
      if (words.length === 0 && !setting.kind.many) {
        problems.add(`${where}${option} needs a value: ${setting.kind.hint}`);
      } else {
        add(this.values, setting, words, { where, name: option, undo: "remove the line" });
      }
    } else if (name === "include") {
      if (words.length !== 1) problems.add(`${where}include takes one path; put a path with blanks into quotes`);
      else for (const path of expand(words[0], this.#surroundings)) this.read(path, where);
    } else if (name === "user") {
      addUser(this.users, where, words, this.#findings);
    } else if (DEPRECATED.has(name)) {
      warnings.add(`${where}${option} has no effect: it is deprecated`);
    } else if (Object.hasOwn(UNSUPPORTED, name)) {
      problems.add(`${where}${option} is not supported: ${UNSUPPORTED[name]}; remove the line`);
    } else {
      problems.add(`${where}unknown setting '${option}'${suggestion(option, "")}`);
    }
  }
}

/**
 * The files that an include names. With *, ? or [ in any part of it, a path stands for the files that match, sorted, or
 * for none; as in glob(3), a wildcard does not match a dot at the beginning of a name.
 */
function expand(path: string, { folder, readFolder, kindOf }: Surroundings): string[] {
  if (!/[*?[]/.test(path)) return [path];
  let found = [isAbsolute(path) ? resolve("/") : ""];
  const parts = path.split(/[/\\]/).filter((part) => part !== "");
  for (const [i, part] of parts.entries()) {
    found = found.flatMap((base) => {
      if (!/[*?[]/.test(part)) return [join(base, part)];
      const at = resolve(folder, base);
      if (kindOf(at) !== "folder") return [];
      return readFolder(at).filter((name) => matchesName(part, name)).sort().map((name) => join(base, name));
    });
    const isLast = i === parts.length - 1;
    found = found.filter((each) => isLast ? kindOf(resolve(folder, each)) === "file" : true);
  }
  return found;
}

function matchesName(pattern: string, name: string): boolean {
  const [glob, bytes] = [utf8(pattern), utf8(name)];
  if (name.startsWith(".") && !pattern.startsWith(".")) return false;
  return globMatch(glob, 0, glob.length, bytes, 0, bytes.length, false);
}

function suggestion(name: string, prefix: string): string {
  // A name of one or two letters is similar to every short name.
  const meant = name.length < 3 ? undefined : nearest(name.toLowerCase(), settingNames());
  return meant === undefined ? "; see memdb help serve" : `; did you mean ${prefix}${meant}?`;
}

/** The reason why no file can be opened or created at an absolute path; undefined if it is possible. */
export function folderProblem(path: string, { kindOf }: Surroundings): string | undefined {
  if (kindOf(path) === "folder") return `'${path}' is a folder; name a file`;
  return kindOf(dirname(path)) === "folder" ? undefined : `there is no folder '${dirname(path)}'; create it first`;
}
