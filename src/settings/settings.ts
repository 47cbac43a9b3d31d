/**
 * The settings of one server: their values, their listeners, and changes of several settings together or not at all. It
 * does not know the sources of values (flags, environment, files: server/options.ts) and their effects (listeners).
 */
import { globMatch } from "../core/glob.ts";
import { utf8 } from "../core/bytes.ts";
import { type Reading, SettingError } from "./kinds.ts";
import { type FileEntry, rewriteText } from "./config_file.ts";
import {
  allSettings,
  camelCase,
  type Setting,
  type SettingName,
  type SettingValue,
  type SettingValues,
} from "./table.ts";

export { SettingError } from "./kinds.ts";
export type { SettingName, SettingValue, SettingValues } from "./table.ts";

/**
 * Called with a new value after all values of a change are in force. A SettingError from it undoes the whole change.
 */
export type SettingListener<V> = (value: V, previous: V) => void;

const byName: ReadonlyMap<string, Setting> = new Map(
  allSettings.flatMap((setting) => namesOf(setting).map((name) => [name, setting] as const)),
);

function namesOf({ name, alias, valkeyName }: Setting): string[] {
  return [name, alias, valkeyName].filter((name) => name !== undefined);
}

/** The setting of a name or alias, in any case; undefined if there is none. */
export function findSetting(name: string): Setting | undefined {
  return byName.get(name.toLowerCase());
}

/** Every name, aliases included, in the table's order. */
export function settingNames(): string[] {
  return [...byName.keys()];
}

/** A value that MemDB cannot honour; the message is the reason. */
export class UnsupportedValueError extends SettingError {}

/** A text as CONFIG SET takes it, as words. */
function wordsOf(setting: Setting, text: string): string[] {
  if (!setting.kind.many) return [text];
  return text === "" ? [] : text.split(" ");
}

/** A change that cannot be made; nothing has changed. The message is the reply of CONFIG SET, without the code ERR. */
export class SettingChangeError extends Error {
  override name = "SettingChangeError";

  static unknown(argument: string): SettingChangeError {
    return new SettingChangeError(`Unknown option or number of arguments for CONFIG SET - '${argument}'`);
  }

  static refused(argument: string, reason: string): SettingChangeError {
    return new SettingChangeError(`CONFIG SET failed (possibly related to argument '${argument}') - ${reason}`);
  }
}

interface Change {
  readonly setting: Setting;
  /** The name or alias that was used. */
  readonly name: string;
  readonly text: string;
}

export class Settings {
  /** The current values. Read them each time: a change is visible at once. */
  readonly values: SettingValues;
  readonly #values: Record<string, unknown> = {};
  readonly #readings = new Map<Setting, Reading<unknown>>();
  readonly #initial = new Map<Setting, string>();
  readonly #listeners = new Map<Setting, SettingListener<unknown>[]>();
  /** The settings that `init` has given a value. */
  readonly #given = new Set<Setting>();
  /** The idle settings of which CONFIG SET has said that they have no effect. */
  readonly #announced = new Set<Setting>();

  constructor() {
    this.values = this.#values as unknown as SettingValues;
    for (const setting of allSettings) {
      const reading = setting.kind.read(wordsOf(setting, setting.initial), undefined);
      this.#initial.set(setting, reading.text);
      this.#put(setting, reading);
    }
  }

  /** The text of a setting as CONFIG GET prints it; undefined if there is none of this name. */
  get(name: string): string | undefined {
    const setting = findSetting(name);
    return setting && this.#readings.get(setting)!.text;
  }

  /**
   * Name and text of every setting of the personality that is not hidden, aliases included, whose name matches a glob
   * in any case.
   */
  match(glob: string): [string, string][] {
    const pattern = utf8(glob);
    const found: [string, string][] = [];
    const { personality } = this.values;
    for (const [name, setting] of byName) {
      const only = name === setting.valkeyName ? "valkey" : setting.only ?? personality;
      const isHidden = setting.hidden || only !== personality;
      if (isHidden && name !== glob.toLowerCase()) continue;
      const bytes = utf8(name);
      if (globMatch(pattern, 0, pattern.length, bytes, 0, bytes.length, true)) {
        found.push([name, this.#readings.get(setting)!.text]);
      }
    }
    return found;
  }

  /**
   * Gives a setting its value before the server starts: words as in a config file, no listeners, start-only settings
   * included. Throws SettingError.
   */
  init(name: SettingName, words: readonly string[]): void {
    const setting = findSetting(name)!;
    this.#put(setting, this.#read(setting, words));
    this.#given.add(setting);
    if (name === "personality") this.#setDefaults();
  }

  /** Gives the settings without a given value the defaults of the personality. */
  #setDefaults(): void {
    for (const setting of allSettings) {
      const { initial, valkeyInitial } = setting;
      if (valkeyInitial === undefined) continue;
      const words = wordsOf(setting, this.values.personality === "valkey" ? valkeyInitial : initial);
      const reading = setting.kind.read(words, undefined);
      this.#initial.set(setting, reading.text);
      if (!this.#given.has(setting)) this.#put(setting, reading);
    }
  }

  /**
   * init for a value that follows from other settings: it counts as the default, so that CONFIG REWRITE does not write
   * it into the file. Throws SettingError.
   */
  initDefault(name: SettingName, words: readonly string[]): void {
    this.init(name, words);
    this.#initial.set(findSetting(name)!, this.get(name)!);
  }

  /** Changes one setting of a running server from inside, start-only ones included. Throws SettingChangeError. */
  set(name: SettingName, text: string): void {
    this.#apply([{ setting: findSetting(name)!, name, text }]);
  }

  /**
   * CONFIG SET: changes several settings together, or none. `local` says whether the client is on this machine, on
   * which guarded settings may depend. Throws SettingChangeError. Returns one line for each setting that was set to a
   * value other than its default for the first time and has no effect.
   */
  change(pairs: readonly (readonly [string, string])[], local: boolean): string[] {
    const changes: Change[] = [];
    const seen = new Set<string>();
    for (const [argument, text] of pairs) {
      const setting = findSetting(argument);
      if (setting === undefined) throw SettingChangeError.unknown(argument);
      if (setting.change === "start") throw SettingChangeError.refused(argument, "can't set immutable config");
      if (setting.guarded && !this.#guardOpen(local)) {
        throw SettingChangeError.refused(argument, "can't set protected config");
      }
      // A name and its alias are two parameters, as in Redis: the later one wins.
      if (seen.has(argument.toLowerCase())) throw SettingChangeError.refused(argument, "duplicate parameter");
      seen.add(argument.toLowerCase());
      changes.push({ setting, name: argument.toLowerCase(), text });
    }
    this.#apply(changes);
    return [...new Set(changes.map(({ setting }) => setting))].flatMap((setting) => this.#withoutEffect(setting));
  }

  /** The line that says that an idle setting has no effect, once, unless it has its default value. */
  #withoutEffect(setting: Setting): string[] {
    if (setting.idle === undefined || this.#announced.has(setting) || this.isDefault(setting)) return [];
    this.#announced.add(setting);
    return [`${setting.name} has no effect: ${setting.idle}`];
  }

  /** Whether a setting has its default value. */
  isDefault(setting: Setting): boolean {
    return this.#readings.get(setting)!.text === this.#initial.get(setting);
  }

  /** Calls `listener` whenever the value of a setting changed. Not called for the value at the start. */
  onChange<N extends SettingName>(name: N, listener: SettingListener<SettingValue<N>>): void {
    const setting = findSetting(name)!;
    const listeners = this.#listeners.get(setting) ?? [];
    this.#listeners.set(setting, [...listeners, listener as SettingListener<unknown>]);
  }

  /** The text of a config file with the values in force and `others`, for CONFIG REWRITE. */
  rewrite(fileText: string, all = false, others: readonly FileEntry[] = []): string {
    const entries = allSettings.map((setting) => {
      const reading = this.#readings.get(setting)!;
      const isDefault = this.isDefault(setting) && !all;
      return { name: setting.name, lines: setting.kind.lines(reading), isDefault };
    });
    const names = new Set(others.map(({ name }) => name));
    return rewriteText(
      fileText,
      [...entries, ...others],
      (option) => findSetting(option)?.name ?? (names.has(option.toLowerCase()) ? option.toLowerCase() : undefined),
    );
  }

  #guardOpen(local: boolean): boolean {
    const who = this.values.enableProtectedConfigs;
    return who === "yes" || (who === "local" && local);
  }

  #put(setting: Setting, reading: Reading<unknown>): void {
    this.#readings.set(setting, reading);
    this.#values[camelCase(setting.name)] = reading.value;
  }

  #read(setting: Setting, words: readonly string[]): Reading<unknown> {
    if (!setting.kind.many && words.length !== 1) throw new SettingError("wrong number of arguments");
    const reading = setting.kind.read(words, this.#readings.get(setting));
    if (setting.fixed !== undefined && reading.text !== this.#initial.get(setting)) {
      throw new UnsupportedValueError(setting.fixed);
    }
    return reading;
  }

  #apply(changes: readonly Change[]): void {
    const before = new Map<Setting, Reading<unknown>>();
    const told: Setting[] = [];
    let current = "";
    try {
      for (const { setting, name, text } of changes) {
        current = name;
        const reading = this.#read(setting, wordsOf(setting, text));
        if (setting.awaited && reading.text !== this.#initial.get(setting)) throw new SettingError(setting.idle!);
        if (!before.has(setting)) before.set(setting, this.#readings.get(setting)!);
        this.#put(setting, reading);
      }
      for (const [setting, old] of before) {
        current = changes.find((change) => change.setting === setting)!.name;
        const reading = this.#readings.get(setting)!;
        if (reading.text === old.text) continue;
        const listeners = this.#listeners.get(setting) ?? [];
        if (setting.change === "kept" || (setting.change === "listener" && listeners.length === 0)) {
          throw new SettingError("can't be changed while this server runs");
        }
        told.push(setting);
        for (const listener of listeners) listener(reading.value, old.value);
      }
    } catch (error) {
      this.#restore(before, told);
      if (!(error instanceof SettingError)) throw error;
      throw SettingChangeError.refused(current, error.message);
    }
  }

  /**
   * Puts the old values back and calls the listeners that saw the new ones, the one that refused included. A listener
   * cannot refuse to go back.
   */
  #restore(before: ReadonlyMap<Setting, Reading<unknown>>, told: readonly Setting[]): void {
    const failed = new Map(told.map((setting) => [setting, this.#readings.get(setting)!]));
    for (const [setting, reading] of before) this.#put(setting, reading);
    for (const [setting, { value }] of failed) {
      for (const listener of this.#listeners.get(setting) ?? []) {
        try {
          listener(before.get(setting)!.value, value);
        } catch (error) {
          if (!(error instanceof SettingError)) throw error;
        }
      }
    }
  }
}
