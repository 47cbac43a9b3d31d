/**
 * Finds the key arguments of a request and the use that the command makes of them, from the command's key
 * specifications and without running the command.
 */
import { equalsWord } from "../core/bytes.ts";
import { hashBytes } from "../core/hash_function.ts";
import { parseSafeInt } from "../core/numbers.ts";
import type { Tracker } from "../engine/tracker.ts";
import type { Request } from "../resp/request.ts";
import { KeyFlag } from "./key_flags.ts";
import type { Command } from "./registry.ts";
import type { CommandSpec, KeyPosition, KeySpec } from "./spec.ts";

/** Whether the command can have keys. */
export function hasKeys({ spec }: Command): boolean {
  return spec.findKeys !== undefined || (spec.keys ?? []).some(isKey);
}

/** Whether a specification describes keys. Shard channels have specifications of the same form. */
function isKey({ flags }: KeySpec): boolean {
  return (flags & KeyFlag.NOT_KEY) === 0;
}

/**
 * The keys of a request in the order of the specifications; undefined if the arguments contradict them. The caller has
 * checked the arity. Source: Redis's key specifications.
 */
export function keysOf({ spec }: Command, request: Request): KeyPosition[] | undefined {
  if (spec.findKeys !== undefined) return spec.findKeys(request);
  const found: KeyPosition[] = [];
  for (const keySpec of spec.keys ?? []) {
    if (!isKey(keySpec)) continue;
    const first = beginOf(keySpec, request);
    if (first === 0) continue;
    if (first === undefined || !addRange(keySpec, request, first, found)) return undefined;
  }
  return found;
}

/** Tells client-side caching of the keys that a request has read. Hot. */
export function reportReads(tracker: Tracker, command: Command, request: Request): void {
  if (!tracker.remembers) return;
  if (command.onlyKey > 0) reportRead(tracker, request, command.onlyKey);
  else for (const { index } of keysOf(command, request) ?? []) reportRead(tracker, request, index);
}

function reportRead(tracker: Tracker, { bytes, start, end, keyHash }: Request, index: number): void {
  const hash = index === 1 && keyHash !== 0 ? keyHash : hashBytes(bytes, start[index], end[index]);
  tracker.remember(bytes, start[index], end[index], hash);
}

/** Index of the first key; 0 if a keyword is missing, undefined if the arguments do not determine it. */
function beginOf({ begin }: KeySpec, request: Request): number | undefined {
  if (begin === "unknown") return undefined;
  if ("index" in begin) return begin.index;
  const { argc, bytes, start, end } = request;
  const word = begin.keyword.toLowerCase();
  const step = begin.from > 0 ? 1 : -1;
  // In a forward search the last argument cannot be the keyword, because no key follows it.
  const stop = begin.from > 0 ? argc - 1 : argc;
  for (let i = begin.from > 0 ? begin.from : argc + begin.from; i > 0 && i < stop; i += step) {
    if (equalsWord(bytes, start[i], end[i], word)) return i + 1 < argc ? i + 1 : undefined;
  }
  return 0;
}

/** Adds the keys from `first`. Returns false if they exceed the arguments. */
function addRange({ find, flags }: KeySpec, request: Request, first: number, found: KeyPosition[]): boolean {
  const { argc } = request;
  if (find === "unknown") return false;
  let last: number;
  if ("keynum" in find) {
    const at = first + find.keynum;
    if (at >= argc) return false;
    const count = parseSafeInt(request.bytes, request.start[at], request.end[at]);
    if (!(count >= 0)) return false;
    first += find.first;
    last = first + (count - 1) * find.step;
  } else if (find.last >= 0) {
    last = first + find.last;
  } else {
    last = find.limit > 1 ? first + Math.floor((argc - first) / find.limit) + find.last : argc + find.last;
  }
  if (first >= argc || last >= argc || last < first) return false;
  for (let i = first; i <= last; i += find.step) found.push({ index: i, flags });
  return true;
}

export interface KeyRange {
  /**
   * Indices of the first and last key (negative counts from the end), and the step between keys. All are 0 if there are
   * no keys.
   */
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

const NO_KEYS: KeyRange = { first: 0, last: 0, step: 0 };

/** A specification whose keys have fixed positions. */
interface PlainRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

function plainRange({ begin, find, flags }: KeySpec): PlainRange | undefined {
  if (begin === "unknown" || !("index" in begin) || find === "unknown" || !("last" in find)) return undefined;
  if ((flags & KeyFlag.INCOMPLETE) !== 0) return undefined;
  const { index } = begin;
  return { first: index, last: find.last >= 0 ? index + find.last : find.last, step: find.step };
}

/**
 * The range of keys for clients that do not know key specifications: it covers all keys with a fixed position. `moves`
 * is true if other keys exist; a client must then ask the server for the keys.
 */
export function keyRangeOf({ keys = [] }: CommandSpec): { range: KeyRange; moves: boolean } {
  let range: KeyRange | undefined;
  let moves = false;
  for (const key of keys) {
    const next = plainRange(key);
    // Only a specification that continues the range without a gap can extend it.
    const joins = next !== undefined &&
      (keys.length === 1 || (next.step === 1 && (range === undefined || range.last === next.first - 1)));
    if (joins) range = { first: range?.first ?? next.first, last: next.last, step: next.step };
    else moves = true;
  }
  return { range: range ?? NO_KEYS, moves };
}
