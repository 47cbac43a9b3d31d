/**
 * The options that SET, MSETEX and GETEX share, and the conversion of an expire time into a deadline. It does not
 * access keys.
 */
import { fail, messages } from "../../core/errors.ts";
import { INT64_MAX } from "../../core/numbers.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { conditionAt, ValueCondition } from "./conditions.ts";
import { fromNow, inSeconds, Unit, unitAt } from "../shared/expiry.ts";
import { type Deadline, deadlineOfMs } from "../../store/deadline.ts";

export const EXPIRY_SYNTAX = "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds";

/** Limit below which a time in seconds or milliseconds, times 1000 plus now, stays far below 2^53. */
const SIMPLE_TIME_MAX = 1e12;

/** The options of one request. One instance serves all requests in turn: `parse` overwrites the previous options. */
export class StringOptions {
  nx = false;
  xx = false;
  get = false;
  keepTtl = false;
  persist = false;
  /** A condition on the old value, and the argument that it is compared with. */
  condition: ValueCondition = ValueCondition.NONE;
  matchAt = 0;
  unit: Unit = Unit.NONE;
  /** Argument index of the expire time. */
  #timeAt = 0;

  /** Parses the arguments from `first` on, as the command takes them. Throws CommandError. */
  parse(call: Call, first: number, command: "set" | "msetex" | "getex"): void {
    this.nx =
      this.xx =
      this.get =
      this.keepTtl =
      this.persist =
        false;
    this.condition = ValueCondition.NONE;
    this.unit = Unit.NONE;
    for (let i = first; i < call.argc; i++) {
      const unit = unitAt(call, i);
      if (unit !== Unit.NONE) {
        if (this.keepTtl || this.persist || (this.unit !== Unit.NONE && this.unit !== unit) || i + 1 === call.argc) {
          fail(messages.syntax);
        }
        this.unit = unit;
        this.#timeAt = ++i;
      } else if (command === "set" && this.#conditionWord(call, i)) {
        this.matchAt = ++i;
      } else if (!(command === "getex" ? this.#getexWord(call, i) : this.#setWord(call, i, command === "set"))) {
        fail(messages.syntax);
      }
    }
  }

  /** The requested deadline, NEVER if none. Throws CommandError. */
  deadline(call: Call): Deadline {
    return this.unit === Unit.NONE ? NEVER : deadlineAt(call, this.#timeAt, this.unit);
  }

  #setWord(call: Call, i: number, mayGet: boolean): boolean {
    // Valkey takes one condition of any kind.
    const only = call.valkey && this.condition !== ValueCondition.NONE;
    if (call.is(i, "nx")) return this.nx = !this.xx && !only;
    if (call.is(i, "xx")) return this.xx = !this.nx && !only;
    if (mayGet && call.is(i, "get")) return this.get = true;
    return call.is(i, "keepttl") && (this.keepTtl = this.unit === Unit.NONE);
  }

  /** As in Redis a condition excludes the others before it, while NX and XX may follow it. */
  #conditionWord(call: Call, i: number): boolean {
    const condition = conditionAt(call.request, i);
    if (condition === ValueCondition.NONE || this.nx || this.xx || i + 1 === call.argc) return false;
    if (this.condition !== ValueCondition.NONE && this.condition !== condition) return false;
    this.condition = condition;
    return true;
  }

  #getexWord(call: Call, i: number): boolean {
    return call.is(i, "persist") && (this.persist = this.unit === Unit.NONE);
  }
}

/** The deadline in argument i in milliseconds, converted from its unit. Throws CommandError. */
export function deadlineAt(call: Call, i: number, unit: Unit): Deadline {
  const value = call.integer(i);
  if (value <= 0) fail(invalidExpire(call));
  const seconds = inSeconds(unit);
  const base = fromNow(unit) ? call.store.nowMs : 0;
  if (value <= SIMPLE_TIME_MAX) return base + (seconds ? value * 1000 : value);
  const exact = BigInt(base) + call.int64(i) * (seconds ? 1000n : 1n);
  return exact > INT64_MAX ? fail(invalidExpire(call)) : deadlineOfMs(exact);
}

function invalidExpire(call: Call): string {
  return `ERR invalid expire time in '${call.command.fullName}' command`;
}
