/**
 * The arguments that the commands on field deadlines share: times, and options around FIELDS numfields field ... in
 * any order. It also collects the names of the fields that a command has changed, for the log.
 */
import { fail, shownText } from "../../core/errors.ts";
import type { EffectArgument } from "../../engine/effects.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { fromNow, inSeconds, type Unit } from "../shared/expiry.ts";

const NEGATIVE_TIME = "ERR invalid expire time, must be >= 0";
const TOO_FEW = "ERR wrong number of arguments";

/** The latest deadline. */
const DEADLINE_MAX = 2 ** 46 - 1;

/** The deadline in argument i, converted from its unit. Throws CommandError. */
export function deadlineAt(call: Call, i: number, unit: Unit): number {
  const value = call.integer(i);
  if (value < 0) fail(NEGATIVE_TIME);
  const ms = inSeconds(unit) ? value * 1000 : value;
  const base = fromNow(unit) ? call.store.nowMs : 0;
  if (ms > DEADLINE_MAX - base) fail(`ERR invalid expire time in '${call.command.fullName}' command`);
  return Math.max(1, base + ms);
}

/** Positions of the fields of a request: `FIELDS numfields field ...` occupies the arguments [first, end). */
export interface FieldBlock {
  readonly count: number;
  readonly first: number;
  readonly end: number;
}

/** The form of a command's FIELDS: the number of arguments per field, and the error texts. */
export interface BlockRules {
  readonly width: number;
  /** The error for too few arguments after FIELDS. */
  readonly least: number;
  readonly tooShort: (call: Call) => never;
  readonly badCount: string;
}

/**
 * Parses options and FIELDS, in any order, from argument `from` on. `option` parses the option in argument i and
 * returns the number of arguments that it consumes, 0 if there is no such option. Throws CommandError.
 */
export function readBlock(call: Call, from: number, rules: BlockRules, option: (i: number) => number): FieldBlock {
  const { argc } = call;
  let block: FieldBlock | undefined;
  for (let i = from; i < argc;) {
    if (call.is(i, "fields")) {
      if (block !== undefined) fail("ERR FIELDS keyword specified multiple times");
      if (argc - i - 1 < rules.least) rules.tooShort(call);
      const count = call.integerIn(i + 1, 1, 2 ** 31 - 1, rules.badCount, rules.badCount);
      const first = i + 2, end = first + count * rules.width;
      if (end > argc) fail(TOO_FEW);
      block = { count, first, end };
      i = end;
    } else {
      const taken = option(i);
      if (taken === 0) fail(`ERR unknown argument: ${shownText(call.text(i))}`);
      i += taken;
    }
  }
  return block ?? fail("ERR missing FIELDS argument");
}

/** Logs the deletion of the fields of a block, missing fields included. */
export function logDeletion(call: Call, { first, end }: FieldBlock, step = 1): void {
  if (!call.engine.effects.open) return;
  const fields: Uint8Array[] = [];
  for (let i = first; i < end; i += step) fields.push(call.view(i));
  call.logInstead("HDEL", call.view(1), ...fields);
}

/**
 * The fields that a command has changed, for the log. The log contains only these, without conditions: a field that
 * was expired for the command may still exist at the time of a replay.
 */
export class ChangedFields {
  readonly #call: Call;
  readonly #open: boolean;
  readonly #names: Uint8Array[] = [];
  count = 0;

  constructor(call: Call) {
    this.#call = call;
    this.#open = call.engine.effects.open;
  }

  /** Adds the field in argument i. */
  add(i: number): void {
    this.count++;
    if (this.#open) this.#names.push(this.#call.view(i));
  }

  logDeletion(): void {
    this.#call.logInstead("HDEL", this.#call.view(1), ...this.#names);
  }

  /** Logs HPEXPIREAT for a deadline, HPERSIST for none. */
  logDeadline(deadline: number): void {
    const words: EffectArgument[] = deadline === NEVER
      ? ["HPERSIST", this.#call.view(1)]
      : ["HPEXPIREAT", this.#call.view(1), deadline];
    this.#call.logInstead(...words, "FIELDS", this.count, ...this.#names);
  }
}
