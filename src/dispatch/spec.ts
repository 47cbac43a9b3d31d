/**
 * The specification of a command. One object describes a command completely: COMMAND INFO, DOCS and GETKEYS, the errors of
 * arity, the rules of the executor, the client's hints and docs/commands.md are derived from it. This file has the
 * shape only: handlers stand in the families, the array of all specifications in table.ts.
 */
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
  | "fast"
  | "no_auth"
  | "may_replicate"
  | "no_mandatory_keys"
  | "no_async_loading"
  | "no_multi"
  | "movablekeys"
  | "allow_busy";

/** The groups of the command reference. */
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
 * Where the keys of a command stand, as in Redis's key specifications. `begin` is the argument index of the first
 * key, or a keyword to look for (from `from`, negative from the end). `find` is a range (`last` relative to the first
 * key, negative from the end; `limit` divides what is left) or a count: `keynum` and `first` relative to begin.
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

/** Keys from argument `index` to `last` (negative counts from the end), every `step` arguments. */
export function keyRange(index: number, last: number, step: number, flags: KeyWords): readonly KeySpec[] {
  return [{ flags: keyFlags(flags), begin: { index }, find: { last, step, limit: 0 } }];
}

/** A count at argument `index`, that many keys behind it. */
export function keyCount(index: number, flags: KeyWords): readonly KeySpec[] {
  return [{ flags: keyFlags(flags), begin: { index }, find: { keynum: 0, first: 1, step: 1 } }];
}

/** A key of a request: the index of its argument, and what the command does with it, as bits of KeyFlag. */
export interface KeyPosition {
  readonly index: number;
  readonly flags: number;
}

/** A key of a request in a database. */
export interface KeyUse {
  readonly db: number;
  /** The index of its argument. */
  readonly index: number;
  readonly written: boolean;
}

/**
 * What a logged command does to a large value of which a rewrite of the append-only file has written only the beginning:
 *
 * - elements: it names elements and leaves the others alone. The new file gets the command; where elements are missing there,
 *   the rest of the value makes up for them.
 * - later: it changes what is written last, the tail of a string or the deadline. The new file does not need the command.
 * - head, tail: it adds to this end of a list or takes from it.
 *
 * After any other command the value is written again from its beginning.
 */
export type PartialEffect = "elements" | "later" | "head" | "tail";

/** The type of a value, as COMMAND DOCS names it. */
export type ValueType = "string" | "integer" | "double" | "key" | "pattern" | "unix-time";

/** Runs a command: reads the arguments in place, works on the store, writes one reply. Throws CommandError. */
export type Handler = (call: Call) => void;

export interface CommandSpec {
  /** Lower case; of a subcommand its own word only. */
  readonly name: string;
  readonly summary: string;
  readonly since: string;
  readonly group: CommandGroup;
  readonly complexity: string;
  /** Number of arguments with the name; negative: at least so many. Of a subcommand the container's name counts too. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** ACL categories beyond those that follow from flags and group, without "@"; a leading "-" takes one of them away. */
  readonly categories?: readonly string[];
  /** Redis's hints for clients and proxies, for example "nondeterministic_output". */
  readonly tips?: readonly string[];
  readonly keys?: readonly KeySpec[];
  /**
   * The first argument that names an element of the collection at argument 1, if the command looks for one: a member, a
   * field. Pipelined requests then look for theirs together.
   */
  readonly element?: number;
  /** Whether it takes long only where its reply is long, so that the executor need not time each call by itself. */
  readonly growsWithReply?: boolean;
  /** Finds the keys where `keys` cannot say all: flags that depend on arguments, keys behind a word that may stand anywhere. */
  readonly findKeys?: (request: Request) => KeyPosition[];
  /** Which keys it may change; "named" unless given. */
  readonly reach?: Reach;
  /** The keys of a command that reaches across databases; `db` is the selected one. */
  readonly usesAcross?: (request: Request, db: number) => KeyUse[];
  readonly partialEffect?: PartialEffect;
  /** Refused while data cannot be kept, although it does not write. */
  readonly needsDisk?: boolean;
  /**
   * What follows the name, in the notation of the command reference: `key value [NX | XX] [EX seconds | PX milliseconds]
   * [key value ...]`. Upper case words are tokens, lower case words values, [] optional, | alternatives, <> groups,
   * `...` repeats what stands before it.
   */
  readonly syntax: string;
  /** Types of values in `syntax` that are not what their name usually means (see syntax.ts). */
  readonly types?: Readonly<Record<string, ValueType>>;
  /** Runs at once even while a transaction queues commands. */
  readonly immediate?: boolean;
  /** Runs what a transaction has queued: it needs the permissions of all of it, and a refusal discards the transaction. */
  readonly runsQueue?: boolean;
  /** May be run in RESP2 by a session that has subscriptions. */
  readonly whileSubscribed?: boolean;
  /** For the server's own needs and tests: COMMAND DOCS says "syscmd". */
  readonly system?: boolean;
  readonly deprecated?: { readonly since: string; readonly replacedBy: string };
  /** A container has subcommands; its own handler then runs only if the container is a command itself (COMMAND). */
  readonly subcommands?: readonly CommandSpec[];
  readonly handler?: Handler;
}
