/**
 * The specification of a command. One object describes a command completely: COMMAND INFO, DOCS and GETKEYS, the arity
 * errors, the rules of the executor, the client's hints and docs/commands.md are derived from it. This file contains
 * types and helpers only. The handlers are in the command families, and table.ts has the array of all specifications.
 */
import type { Personality } from "../core/personality.ts";
import type { Reach } from "../engine/listeners.ts";
import type { Request } from "../resp/request.ts";
import type { Call } from "./call.ts";
import { keyFlags, type KeyWords } from "./key_flags.ts";

/** Redis's command flags, as COMMAND INFO prints them. */
export type CommandFlag =
  | "write"
  | "readonly"
  | "denyoom"
  | "admin"
  | "pubsub"
  | "noscript"
  | "blocking"
  | "loading"
  | "stale"
  | "skip_monitor"
  | "skip_slowlog"
  /** Valkey's name of the same. */
  | "skip_commandlog"
  | "fast"
  | "no_auth"
  | "may_replicate"
  | "no_mandatory_keys"
  | "no_async_loading"
  | "no_multi"
  | "movablekeys"
  | "allow_busy";

/** The groups of the Redis command reference. */
export type CommandGroup =
  | "bitmap"
  | "connection"
  | "generic"
  | "geo"
  | "hash"
  | "hyperloglog"
  | "list"
  | "pubsub"
  | "scripting"
  | "server"
  | "set"
  | "sorted-set"
  | "stream"
  | "string"
  | "transactions";

/**
 * The positions of a command's keys, as in Redis's key specifications. `begin` is the argument index of the first key,
 * or a keyword to search for (starting at `from`; negative counts from the end). `find` is a range or a count. In a
 * range `last` is relative to the first key, or negative from the end, and `limit` divides the number of remaining
 * arguments. In a count `keynum` and `first` are relative to begin.
 */
export interface KeySpec {
  /** Bits of KeyFlag. */
  readonly flags: number;
  readonly notes?: string;
  readonly begin: { readonly index: number } | { readonly keyword: string; readonly from: number } | "unknown";
  readonly find:
    | { readonly last: number; readonly step: number; readonly limit: number }
    | { readonly keynum: number; readonly first: number; readonly step: number }
    | "unknown";
}

/** One key at argument `index` (the command name is argument 0). */
export function keyAt(index: number, flags: KeyWords): readonly KeySpec[] {
  return [{ flags: keyFlags(flags), begin: { index }, find: { last: 0, step: 1, limit: 0 } }];
}

/** Keys from argument `index` to `last` (negative counts from the end), at every `step`-th argument. */
export function keyRange(index: number, last: number, step: number, flags: KeyWords): readonly KeySpec[] {
  return [{ flags: keyFlags(flags), begin: { index }, find: { last, step, limit: 0 } }];
}

/** A count at argument `index`, followed by that number of keys. */
export function keyCount(index: number, flags: KeyWords): readonly KeySpec[] {
  return [{ flags: keyFlags(flags), begin: { index }, find: { keynum: 0, first: 1, step: 1 } }];
}

/** A key of a request: the index of its argument, and the use that the command makes of it, as bits of KeyFlag. */
export interface KeyPosition {
  readonly index: number;
  readonly flags: number;
}

/** A key of a request, with its database. */
export interface KeyUse {
  readonly db: number;
  /** The index of the key's argument. */
  readonly index: number;
  readonly written: boolean;
}

/**
 * The effect of a logged command on a large value of which a rewrite of the append-only file has written only the
 * beginning:
 *
 * - elements: the command changes only the elements that it names. The new file gets the command; elements that are not
 *   yet in the file follow with the rest of the value.
 * - later: the command changes a part that is written last: the tail of a string or the deadline. The new file does not
 *   need the command.
 * - head, tail: the command adds to this end of a list or removes from it.
 *
 * After any other command the value is written again from its beginning.
 */
export type PartialEffect = "elements" | "later" | "head" | "tail";

/** The type of a value, with the name that COMMAND DOCS uses. */
export type ValueType = "string" | "integer" | "double" | "key" | "pattern" | "unix-time";

/** Runs a command: reads the arguments in place, accesses the store, writes one reply. Throws CommandError. */
export type Handler = (call: Call) => void;

/** The fields of a command that differ in Valkey. A field that is present and undefined is one that Valkey lacks. */
export type ValkeyVariant = Partial<Omit<CommandSpec, "name" | "subcommands" | "only" | "valkey" | "differs">>;

/** Valkey keeps commands that Redis has deprecated. */
export const notDeprecated: ValkeyVariant = { deprecated: undefined };

export interface CommandSpec {
  /** The name in lower case; for a subcommand only its own word. */
  readonly name: string;
  readonly summary: string;
  readonly since: string;
  readonly group: CommandGroup;
  readonly complexity: string;
  /**
   * Number of arguments, including the name; a negative number is a minimum. For a subcommand the container's name
   * counts too.
   */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** ACL categories in addition to those that follow from flags and group, without "@". A leading "-" removes one. */
  readonly categories?: readonly string[];
  /** Redis's hints for clients and proxies, for example "nondeterministic_output". */
  readonly tips?: readonly string[];
  readonly keys?: readonly KeySpec[];
  /**
   * The first argument that names an element (a member, a field) of the collection at argument 1, if the command looks
   * one up. Pipelined requests then look up their elements together.
   */
  readonly element?: number;
  /** The argument that is most likely a key, and is looked up ahead, if that is not argument 1. */
  readonly likelyKey?: number;
  /** Whether the command is slow only if its reply is long. The executor then need not time each call individually. */
  readonly growsWithReply?: boolean;
  /** Whether the command is slow only in calls in which its handler sets `call.long`. */
  readonly mayBeLong?: boolean;
  /**
   * Finds the keys where `keys` is not sufficient: flags that depend on arguments, or keys behind a word at a variable
   * position.
   */
  readonly findKeys?: (request: Request) => KeyPosition[];
  /**
   * The arguments that name channels: the first one for a command that publishes, all of them for one that subscribes,
   * to channels or to patterns of channels.
   */
  readonly channels?: "publish" | "subscribe" | "pattern";
  /** The arguments that name databases, or all databases, for users who may not use each. */
  readonly databases?: "all" | ((request: Request) => readonly number[]);
  /** The keys that the command may change; the default is "named". */
  readonly reach?: Reach;
  /** The keys of a command that accesses several databases; `db` is the selected database. */
  readonly usesAcross?: (request: Request, db: number) => KeyUse[];
  readonly partialEffect?: PartialEffect;
  /** The command is refused while data cannot be made durable, although it does not write. */
  readonly needsDisk?: boolean;
  /**
   * The arguments after the name, in the notation of the command reference: `key value [NX | XX] [EX seconds | PX
   * milliseconds] [key value ...]`. Upper case words are tokens and lower case words are values. [] means optional, |
   * separates alternatives, <> groups, and `...` repeats the preceding item.
   */
  readonly syntax: string;
  /** Types of values in `syntax` that differ from the usual meaning of their names (see syntax.ts). */
  readonly types?: Readonly<Record<string, ValueType>>;
  /** The command runs at once even while a transaction queues commands. */
  readonly immediate?: boolean;
  /**
   * The command runs the queue of a transaction. It needs the permissions of all queued commands, and a refusal
   * discards the transaction.
   */
  readonly runsQueue?: boolean;
  /** The bits of the running request, where they depend on the request; `bits` are those of the command. */
  readonly bitsOf?: (call: Call, bits: number) => number;
  /** A session with subscriptions may run the command in RESP2. */
  readonly whileSubscribed?: boolean;
  /**
   * The command is newer than the releases that the tests compare with. It is built by its documentation, and error
   * texts of its own may differ.
   */
  readonly byDocumentation?: boolean;
  /** The command serves the server itself and tests: COMMAND DOCS reports "syscmd". */
  readonly system?: boolean;
  readonly deprecated?: { readonly since: string; readonly replacedBy: string };
  /** The subcommands of a container. Its own handler runs only if the container is also a command itself (COMMAND). */
  readonly subcommands?: readonly CommandSpec[];
  readonly handler?: Handler;
  /** The one server that has the command, as far as its releases are known. Both personalities run it. */
  readonly only?: Personality;
  /**
   * What differs under the personality `valkey`. It is applied when the table of commands is compiled, so a running
   * command does not ask for the personality.
   */
  readonly valkey?: ValkeyVariant;
  /** How replies, errors or accepted arguments differ in Valkey, in sentences for docs/personalities.md. */
  readonly differs?: readonly string[];
}

/**
 * The releases that brought a command: "Redis 8.0.0, Valkey 9.0.0". `only` is the one server that has its container.
 */
export function sinceText({ since, valkey, only: own }: CommandSpec, only = own): string {
  if (only === "valkey") return `Valkey ${since}`;
  const other = valkey?.since ?? since;
  if (only === "redis") return `Redis ${since}`;
  return other === since ? since : `Redis ${since}, Valkey ${other}`;
}

/** A command and its subcommands as the server of a personality has them. */
export function specFor(spec: CommandSpec, personality: Personality): CommandSpec {
  if (personality === "redis") return spec;
  const { subcommands, valkey } = spec;
  if (valkey === undefined && subcommands === undefined) return spec;
  return { ...spec, ...valkey, subcommands: subcommands?.map((sub) => specFor(sub, personality)) };
}
