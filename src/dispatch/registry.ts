/**
 * The compiled command table: specs become Commands with flag bits and counters, and the bytes of a name find its
 * Command. The table is derived from the array of specs alone.
 */
import { equalsWord, latin1 } from "../core/bytes.ts";
import { shownText } from "../core/errors.ts";
import type { Personality } from "../core/personality.ts";
import type { Reach } from "../engine/listeners.ts";
import type { Request } from "../resp/request.ts";
import { CommandStats } from "../engine/stats.ts";
import { KeyFlag } from "./key_flags.ts";
import { type CommandFlag, type CommandSpec, type Handler, specFor } from "./spec.ts";

/** Flag bits that the executor tests. */
export const Flag = {
  WRITE: 1,
  DENY_OOM: 2,
  NO_AUTH: 4,
  LOADING: 8,
  SKIP_MONITOR: 16,
  SKIP_SLOWLOG: 32,
  ADMIN: 64,
  /** So fast that consecutive calls are timed together. */
  BRIEF: 128,
  /** Brief unless the reply is long, or the handler says that the call was. */
  MAY_BE_LONG: 256,
  /** IMMEDIATE runs at once while a transaction queues commands; the flag after it refuses to run in a transaction. */
  IMMEDIATE: 512,
  NO_MULTI: 1024,
  /** May change data although it lacks the flag "write". */
  MAY_REPLICATE: 2048,
  /** Runs the queue of a transaction. It needs the permissions of all queued commands; a refusal discards the queue. */
  RUNS_QUEUE: 4096,
  /** Refused while data cannot be made durable. */
  NEEDS_DISK: 8192,
  /** Allowed in RESP2 for a session with subscriptions. */
  WHILE_SUBSCRIBED: 16384,
  /** Reads the keys that it names; a script reads only those that its commands name. */
  READS: 32768,
  /** Refused in scripts. */
  NO_SCRIPT: 65536,
  /** Allowed to other clients while a script runs for long. */
  ALLOW_BUSY: 131072,
} as const;

const BITS: Partial<Record<CommandFlag, number>> = {
  write: Flag.WRITE | Flag.NEEDS_DISK,
  denyoom: Flag.DENY_OOM,
  no_auth: Flag.NO_AUTH,
  loading: Flag.LOADING,
  skip_monitor: Flag.SKIP_MONITOR,
  skip_slowlog: Flag.SKIP_SLOWLOG,
  skip_commandlog: Flag.SKIP_SLOWLOG,
  admin: Flag.ADMIN,
  no_multi: Flag.NO_MULTI,
  may_replicate: Flag.MAY_REPLICATE,
  noscript: Flag.NO_SCRIPT,
  allow_busy: Flag.ALLOW_BUSY,
};

export class Command {
  readonly spec: CommandSpec;
  /** The number of the command in its table, subcommands included: the bit of a user's permission. */
  id = 0;
  /** The full name, for example "get" or "client|list". */
  readonly fullName: string;
  readonly bits: number;
  readonly arity: number;
  /** The fewest and the most arguments with which the command itself runs, its name included. */
  readonly argcMin: number;
  readonly argcMax: number;
  readonly reach: Reach;
  /** Index of the argument that names an element; 0 if there is none. */
  readonly element: number;
  /** Index of the argument that is most likely a key. */
  readonly likelyKey: number;
  /** Index of the only key; 0 if a request may have none or several. */
  readonly onlyKey: number;
  readonly handler: Handler | undefined;
  readonly parent: Command | undefined;
  readonly subcommands: readonly Command[];
  stats = new CommandStats();

  constructor(spec: CommandSpec, parent?: Command) {
    this.spec = spec;
    this.parent = parent;
    this.fullName = parent === undefined ? spec.name : `${parent.spec.name}|${spec.name}`;
    let bits = spec.complexity === "O(1)" || spec.flags.includes("fast") ? Flag.BRIEF : 0;
    if (spec.growsWithReply === true || spec.mayBeLong === true) bits |= Flag.MAY_BE_LONG;
    for (const flag of spec.flags) bits |= BITS[flag] ?? 0;
    // A command that may wait is timed individually.
    if (spec.flags.includes("blocking")) bits &= ~Flag.BRIEF;
    if (spec.flags.includes("readonly") && spec.group !== "scripting") bits |= Flag.READS;
    if (spec.needsDisk) bits |= Flag.NEEDS_DISK;
    if (spec.immediate) bits |= Flag.IMMEDIATE;
    if (spec.runsQueue) bits |= Flag.RUNS_QUEUE;
    if (spec.whileSubscribed) bits |= Flag.WHILE_SUBSCRIBED;
    this.bits = bits;
    this.arity = spec.arity;
    // A command without a handler runs never; a container with one runs without a subcommand.
    this.argcMin = spec.handler === undefined ? Infinity : Math.abs(spec.arity);
    this.argcMax = spec.subcommands !== undefined && spec.subcommands.length > 0
      ? 1
      : spec.arity > 0
      ? spec.arity
      : Infinity;
    this.reach = spec.reach ?? "named";
    this.element = spec.element ?? 0;
    this.likelyKey = spec.likelyKey ?? 1;
    this.onlyKey = onlyKeyOf(spec);
    this.handler = spec.handler;
    this.subcommands = (spec.subcommands ?? []).map((sub) => new Command(sub, this));
  }

  /** The subcommand with this name, ignoring case. */
  subcommand(bytes: Uint8Array, start: number, end: number): Command | undefined {
    return this.subcommands.find((sub) => equalsWord(bytes, start, end, sub.spec.name));
  }
}

function onlyKeyOf({ findKeys, keys = [] }: CommandSpec): number {
  if (findKeys !== undefined || keys.length !== 1) return 0;
  const [{ begin, find, flags }] = keys;
  if (begin === "unknown" || !("index" in begin) || find === "unknown" || !("last" in find)) return 0;
  return find.last === 0 && (flags & (KeyFlag.NOT_KEY | KeyFlag.INCOMPLETE)) === 0 ? begin.index : 0;
}

/** Slots of the hash table of names; a power of two far above the number of commands. */
const SLOTS = 4096;

export class CommandTable {
  readonly commands: readonly Command[];
  readonly #slots = new Int16Array(SLOTS).fill(-1);
  readonly #names: Uint8Array[];

  constructor(specs: readonly CommandSpec[], personality: Personality = "redis") {
    this.commands = specs.map((spec) => new Command(specFor(spec, personality)));
    let id = 0;
    for (const command of this.all()) command.id = id++;
    this.#names = this.commands.map((command) => new TextEncoder().encode(command.spec.name));
    for (let i = 0; i < this.#names.length; i++) {
      let slot = hashName(this.#names[i], 0, this.#names[i].length);
      while (this.#slots[slot] >= 0) slot = (slot + 1) % SLOTS;
      this.#slots[slot] = i;
    }
  }

  /** The command with this name, ignoring case. Hot: it creates no string. */
  find(bytes: Uint8Array, start: number, end: number): Command | undefined {
    for (let slot = hashName(bytes, start, end);; slot = (slot + 1) & (SLOTS - 1)) {
      const i = this.#slots[slot];
      if (i < 0) return undefined;
      const name = this.#names[i];
      if (name.length !== end - start) continue;
      let k = 0;
      while (k < name.length && (name[k] === bytes[start + k] || name[k] === lower(bytes[start + k]))) k++;
      if (k === name.length) return this.commands[i];
    }
  }

  /** The command or subcommand with a full name, "get" or "client|list". */
  named(fullName: string): Command | undefined {
    const [name, sub, more] = fullName.toLowerCase().split("|");
    if (more !== undefined) return undefined;
    const command = this.commands.find((c) => c.spec.name === name);
    return sub === undefined ? command : command?.subcommands.find((c) => c.spec.name === sub);
  }

  /** All commands and subcommands. */
  *all(): Generator<Command> {
    for (const command of this.commands) {
      yield command;
      yield* command.subcommands;
    }
  }

  /** CONFIG RESETSTAT. */
  resetStats(): void {
    for (const command of this.all()) command.stats = new CommandStats();
  }
}

function lower(c: number): number {
  return c >= 65 && c <= 90 ? c + 32 : c;
}

/** Hashes four letters only, because the names are compared afterwards. */
function hashName(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return 0;
  const middle = start + (length >>> 1);
  let h = Math.imul(bytes[start] | 32, 31) + (bytes[end - 1] | 32);
  h = Math.imul(h, 31) + (bytes[middle] | 32);
  h = Math.imul(h, 31) + (bytes[start + (length >>> 2)] | 32) + Math.imul(length, 0x9e5);
  return (h ^ (h >>> 11)) & (SLOTS - 1);
}

/** The error for a wrong number of arguments. */
export function wrongArity(command: Command): string {
  return `ERR wrong number of arguments for '${command.fullName}' command`;
}

/** The name of an unknown command, as the error shows it: at most 128 bytes. */
export function shownName(bytes: Uint8Array, start: number, end: number): string {
  return shownText(latin1(bytes, start, Math.min(end, start + 128)));
}

/** The error for an unknown subcommand, argument 1 of a request. */
export function unknownSubcommand(command: Command, request: Request): string {
  const name = shownName(request.bytes, request.start[1], request.end[1]);
  return `ERR unknown subcommand '${name}'. Try ${command.spec.name.toUpperCase()} HELP.`;
}
