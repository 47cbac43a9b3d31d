/**
 * What the commands on field deadlines share whatever form their arguments have: the parsed arguments, and the names
 * of the fields that a command has changed, for the log. The two servers parse differently: redis_forms.ts,
 * valkey_forms.ts.
 */
import type { EffectArgument } from "../../engine/effects.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import type { Unit } from "../shared/expiry.ts";

/** The latest deadline of a field: Redis has none later, and Valkey's are cut to it. */
export const DEADLINE_MAX = 2 ** 46 - 1;

/** Positions of the fields of a request: `FIELDS numfields field ...` has its fields in the arguments [first, end). */
export interface FieldBlock {
  readonly count: number;
  readonly first: number;
  readonly end: number;
}

/** The hash of key argument 1, 0 if it is missing, opened; and the fields that a command names. */
export interface NamedFields {
  readonly ref: RecordRef;
  readonly block: FieldBlock;
}

/** The arguments of HEXPIRE and its kin. `conditions` is bits of Condition. */
export interface ExpireArguments extends NamedFields {
  readonly deadline: number;
  readonly conditions: number;
}

/** The arguments of HGETEX and HSETEX. */
export interface OptionArguments extends NamedFields {
  /** Of the key: it must be missing, or exist. */
  readonly keyCondition: "nx" | "xx" | undefined;
  /** Of the fields: all must be missing, or all exist. */
  readonly condition: "fnx" | "fxx" | undefined;
  /** Whether the deadline applies to the fields. */
  readonly expires: boolean;
  readonly deadline: number;
  readonly persist: boolean;
  readonly keepTtl: boolean;
}

/** How a server parses the arguments and announces changes. Each reader throws CommandError. */
export interface Forms {
  /** HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT. */
  expire(call: Call, unit: Unit): ExpireArguments;
  /** HTTL and its kin. */
  ask(call: Call): NamedFields;
  /** HPERSIST, HGETDEL. */
  change(call: Call): NamedFields;
  hgetex(call: Call): OptionArguments;
  hsetex(call: Call): OptionArguments;
  /** The event of fields that go because their new deadline is past. */
  readonly pastEvent: "hdel" | "hexpired";
  /** HSETEX announces a deadline that is past as one, and then the removal. */
  readonly announcesPastDeadline: boolean;
  /** Fields that go because their new deadline is past count as expired in INFO. */
  readonly countsPast: boolean;
  /** Milliseconds as seconds. */
  seconds(ms: number): number;
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
