/**
 * The options that XADD and XTRIM share: how far a stream is trimmed, and what becomes of entries that are pending.
 */
import { fail, messages } from "../../core/errors.ts";
import { newId, type StreamId } from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import { References, type Trim } from "../../store/values/streams/trim.ts";
import { idArgument, streamsOf } from "./stream_call.ts";

const TWO_TRIMS = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
const NEGATIVE_LENGTH = "ERR The MAXLEN argument must be >= 0.";
const NEGATIVE_LIMIT = "ERR The LIMIT argument must be >= 0.";
const NO_TRIM = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
const NEEDS_TRIM = "ERR syntax error, XTRIM must be called with a trimming strategy";
const EXACT_LIMIT = "ERR syntax error, LIMIT cannot be used without the special ~ option";

/** Nodes that one approximate trimming deletes, unless a LIMIT says otherwise, and the bounds of their entries. */
const NODES_MAX = 100, LIMIT_UNKNOWN = 10_000, LIMIT_MAX = 1_000_000;

export const referencesSyntax = "KEEPREF | DELREF | ACKED";
export const trimSyntax = `<MAXLEN | MINID> [= | "~"] threshold [LIMIT count]`;

/** The options as they were read so far. One object serves all requests; `begin` clears it. */
class TrimOptions {
  /** The argument of the threshold, 0 without trimming. */
  argument = 0;
  approximate = false;
  references: References | undefined;
  #length: number | undefined;
  readonly #id: StreamId = newId();
  #limit = 0;
  #limited = false;

  begin(): this {
    this.argument = this.#limit = 0;
    this.approximate = this.#limited = false;
    this.references = this.#length = undefined;
    return this;
  }

  /** Reads the option at argument i, if it is one of these. Returns the argument behind it, or `i` if it is not. */
  take(call: Call, i: number): number {
    const more = call.argc - 1 - i;
    if (more > 0 && call.is(i, "maxlen")) {
      i = this.#operator(call, i);
      const length = call.integer(i);
      if (length < 0) fail(NEGATIVE_LENGTH);
      this.#length = length;
      this.argument = i;
      return i + 1;
    }
    if (more > 0 && call.is(i, "minid")) {
      i = this.#operator(call, i);
      idArgument(call, i, this.#id);
      this.argument = i;
      return i + 1;
    }
    if (more > 0 && call.is(i, "limit")) {
      this.#limit = call.integer(i + 1);
      if (this.#limit < 0) fail(NEGATIVE_LIMIT);
      this.#limited = true;
      return i + 2;
    }
    if (this.references !== undefined) return i;
    this.references = referencesWord(call, i);
    return this.references === undefined ? i : i + 1;
  }

  /** The trimming that the options ask for; undefined for none. `required` is that of XTRIM. */
  finish(call: Call, required: boolean): Trim | undefined {
    const { argument, approximate } = this;
    if (this.#limit > 0 && argument === 0) fail(NO_TRIM);
    if (required && argument === 0) fail(NEEDS_TRIM);
    let limit = this.#limit;
    if (obeys(call)) {
      // A log says the outcome of an approximate trimming.
      limit = 0;
    } else if (this.#limited) {
      if (!approximate) fail(EXACT_LIMIT);
    } else if (approximate) {
      limit = NODES_MAX * streamsOf(call).nodes.maxEntries;
      limit = limit <= 0 ? LIMIT_UNKNOWN : Math.min(limit, LIMIT_MAX);
    }
    if (argument === 0) return undefined;
    return { length: this.#length, id: this.#id, approximate, limit, references: this.references ?? References.KEEP };
  }

  /** Reads `~` or `=` behind the word at argument i. Returns the argument of the threshold. */
  #operator(call: Call, i: number): number {
    if (this.argument !== 0) fail(TWO_TRIMS);
    this.approximate = false;
    if (call.argc - 1 - i < 2) return i + 1;
    this.approximate = call.is(i + 1, "~");
    return this.approximate || call.is(i + 1, "=") ? i + 2 : i + 1;
  }
}

export const trimOptions = new TrimOptions();

/** What becomes of pending entries, if argument i says it. */
export function referencesWord(call: Call, i: number): References | undefined {
  if (call.is(i, "keepref")) return References.KEEP;
  if (call.is(i, "delref")) return References.DROP;
  return call.is(i, "acked") ? References.ACKED : undefined;
}

/** Whether a request comes from a log, whose commands are never refused for the sake of a client. */
export function obeys({ session }: Call): boolean {
  return session.origin === "replay" || session.origin === "primary";
}

/** The option IDS with its ids, and what becomes of pending entries: the arguments of XDELEX and XACKDEL. */
export interface IdsOption {
  readonly first: number;
  readonly count: number;
  readonly references: References;
}

export function parseIds(call: Call, from: number): IdsOption {
  let references: References | undefined, first = 0, count = 0;
  for (let i = from; i < call.argc;) {
    const word = references === undefined ? referencesWord(call, i) : undefined;
    if (word !== undefined) {
      references = word;
      i++;
    } else if (call.is(i, "ids") && i + 1 < call.argc) {
      const notPositive = "ERR Number of IDs must be a positive integer";
      count = call.integerIn(i + 1, 1, Infinity, notPositive, notPositive);
      if (count > call.argc - i - 2) fail("ERR The `numids` parameter must match the number of arguments");
      first = i + 2;
      i = first + count;
    } else {
      fail(messages.syntax);
    }
  }
  if (first === 0) fail("ERR IDS option is required");
  return { first, count, references: references ?? References.KEEP };
}
