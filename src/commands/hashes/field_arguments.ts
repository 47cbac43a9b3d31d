/**
 * The arguments that commands on deadlines of hash fields share: times, and options around FIELDS numfields field ... in any
 * order. It also keeps the names of the fields that a command has changed, for the log. It owns no command.
 */
import { fail, shownText } from "../../core/errors.ts";
import type { EffectArgument } from "../../engine/effects.ts";
import { ExpiryMode, NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { fromNow, inSeconds, type Unit } from "../shared/expiry.ts";

const NEGATIVE_TIME = "ERR invalid expire time, must be >= 0";
const TOO_FEW = "ERR wrong number of arguments";

/** The latest deadline. */
const DEADLINE_MAX = 2 ** 46 - 1;

/** The deadline that argument i means in its unit. Throws CommandError. */
export function deadlineAt(call: Call, i: number, unit: Unit): number {
  const value = call.integer(i);
  if (value < 0) fail(NEGATIVE_TIME);
  const ms = inSeconds(unit) ? value * 1000 : value;
  const base = fromNow(unit) ? call.store.nowMs : 0;
  if (ms > DEADLINE_MAX - base) fail(`ERR invalid expire time in '${call.command.fullName}' command`);
  return Math.max(1, base + ms);
}

/** Whether a field with such a deadline is to be deleted. While a file loads the past stays: the file says what went. */
export function isPast(call: Call, deadline: number): boolean {
  return deadline <= call.store.nowMs && call.store.expiryMode !== ExpiryMode.KEEP;
}

/** Where the fields of a request stand: those of FIELDS numfields, which take up the arguments [first, end). */
export interface FieldBlock {
  readonly count: number;
  readonly first: number;
  readonly end: number;
}

/** How a command takes its FIELDS: the arguments of one field, and the texts of its errors. */
export interface BlockRules {
  readonly width: number;
  /** FIELDS with fewer arguments behind it is an error of its own. */
  readonly least: number;
  readonly tooShort: (call: Call) => never;
  readonly badCount: string;
}

/**
 * Reads options and FIELDS, in any order, from argument `from` on. `option` reads the option in argument i and returns the
 * number of arguments that it takes up, 0 if there is no such option. Throws CommandError.
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

/** Logs the deletion of the fields of a block, those that were missing included. */
export function logDeletion(call: Call, { first, end }: FieldBlock, step = 1): void {
  if (!call.engine.effects.open) return;
  const fields: Uint8Array[] = [];
  for (let i = first; i < end; i += step) fields.push(call.view(i));
  call.logInstead("HDEL", call.view(1), ...fields);
}

/**
 * The fields that a command has changed, for the log. Only these are logged, without conditions: at the time of a replay
 * an expired field that was missing to the command may still be there.
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

  /** Notes the field in argument i. */
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
