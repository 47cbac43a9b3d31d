/**
 * Users and their permissions. A user has a root selector and further ones, and may do what any of them permits. This
 * file holds the data and matches names; src/access reads the rules that change users, and src/dispatch/permissions.ts
 * checks commands. Names, patterns and rules are latin1 text, one character per byte.
 */
import { fromLatin1 } from "../core/bytes.ts";
import { globMatch } from "../core/glob.ts";

/** The bits of access to keys. */
export const Access = { READ: 1, WRITE: 2, ALL: 3 } as const;

/** Room for the numbers of all commands and subcommands. */
const COMMANDS_MAX = 1024;

/** A glob with its bytes. */
export class Pattern {
  readonly text: string;
  readonly #bytes: Uint8Array;

  constructor(text: string) {
    this.text = text;
    this.#bytes = fromLatin1(text);
  }

  matches(bytes: Uint8Array, start: number, end: number): boolean {
    return globMatch(this.#bytes, 0, this.#bytes.length, bytes, start, end, false);
  }
}

/** A glob of keys with the access that it permits. */
export interface KeyPattern {
  readonly pattern: Pattern;
  readonly access: number;
}

/** One set of permissions: commands, keys and channels. */
export class Selector {
  allKeys = false;
  allChannels = false;
  /** All commands are permitted, and none has been excluded since. */
  allCommands = false;
  /** The rules began with "+@all", so that they also permit commands of later versions. */
  futureCommands = false;
  /** One bit for each permitted command, by its number. */
  readonly commands = new Uint32Array(COMMANDS_MAX / 32);
  /** First arguments, in lower case, with which a command is permitted that is not permitted itself. */
  readonly firstArguments = new Map<number, readonly string[]>();
  keys: readonly KeyPattern[] = [];
  channels: readonly Pattern[] = [];
  /** The permitted databases in ascending order; undefined if all are. Only Valkey has rules about them. */
  databases: readonly number[] | undefined;
  /** The rules about commands in their order, each with its sign, without those that a later one replaces. */
  rules: readonly string[] = [];

  constructor(allChannels = false) {
    this.allChannels = allChannels;
  }

  copy(): Selector {
    const copy = new Selector(this.allChannels);
    copy.allKeys = this.allKeys;
    copy.allCommands = this.allCommands;
    copy.futureCommands = this.futureCommands;
    copy.commands.set(this.commands);
    for (const [id, words] of this.firstArguments) copy.firstArguments.set(id, words);
    copy.keys = this.keys;
    copy.channels = this.channels;
    copy.databases = this.databases;
    copy.rules = this.rules;
    return copy;
  }

  get unrestricted(): boolean {
    return this.allCommands && this.allKeys && this.allChannels && this.databases === undefined;
  }

  permitsCommand(id: number): boolean {
    return (this.commands[id >>> 5] & (1 << (id & 31))) !== 0;
  }

  /** Whether the key `bytes[start, end)` may be used with all of the bits of `access`. */
  permitsKey(bytes: Uint8Array, start: number, end: number, access: number): boolean {
    return this.allKeys ||
      this.keys.some((key) => (key.access & access) === access && key.pattern.matches(bytes, start, end));
  }

  /** Whether every key may be used with all of the bits of `access`. */
  permitsEveryKey(access: number): boolean {
    return this.allKeys || this.keys.some((key) => (key.access & access) === access && key.pattern.text === "*");
  }

  permitsChannel(bytes: Uint8Array, start: number, end: number): boolean {
    return this.allChannels || permitsChannel(this.channels, bytes, start, end);
  }

  /** A pattern of channels is permitted only if a rule has the same text. */
  permitsChannelPattern(text: string): boolean {
    return this.allChannels || this.channels.some((channel) => channel.text === text);
  }
}

/** Whether one of the patterns matches the channel `bytes[start, end)`. */
export function permitsChannel(patterns: readonly Pattern[], bytes: Uint8Array, start: number, end: number): boolean {
  return patterns.some((pattern) => pattern.matches(bytes, start, end));
}

export class User {
  readonly name: string;
  enabled = false;
  /** Every password is right. */
  noPassword = false;
  /** Payloads of RESTORE are taken without a check. */
  skipsSanitizing = false;
  /** SHA-256 of each password in lower case hex, in the order of their addition. */
  passwords: readonly string[] = [];
  /** The root selector, then the further ones. */
  selectors: readonly Selector[];

  constructor(name: string, allChannels = false) {
    this.name = name;
    this.selectors = [new Selector(allChannels)];
  }

  /** A user who may do everything and needs no password. */
  static unrestricted(name: string): User {
    const user = new User(name, true);
    const [root] = user.selectors;
    root.allKeys = root.allCommands = root.futureCommands = true;
    root.commands.fill(-1);
    user.enabled = user.noPassword = true;
    return user;
  }

  get root(): Selector {
    return this.selectors[0];
  }

  /** Whether no command needs a check. Only the root selector counts, as in Redis. */
  get unrestricted(): boolean {
    return this.selectors[0].unrestricted;
  }

  /** Whether connections are let in as this user without AUTH, if it is the default user. */
  get open(): boolean {
    return this.noPassword && this.enabled;
  }

  /** Takes over everything but the name. */
  take(other: User): void {
    this.enabled = other.enabled;
    this.noPassword = other.noPassword;
    this.skipsSanitizing = other.skipsSanitizing;
    this.passwords = other.passwords;
    this.selectors = other.selectors.map((selector) => selector.copy());
  }
}

/** The user of sessions inside the server, such as that of replay. */
export const INTERNAL_USER = User.unrestricted("default");
