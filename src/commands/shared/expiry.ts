/**
 * The arguments that commands on deadlines of keys and of hash fields share: the unit of a time, and the condition on
 * the old deadline.
 */
import { fail, shownText } from "../../core/errors.ts";
import { Notify } from "../../engine/listeners.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import type { Call } from "../../dispatch/call.ts";
import { NEVER } from "../../store/keyspace.ts";

/** The form of a time: in seconds or milliseconds, from now or since the epoch. */
export const Unit = { NONE: 0, EX: 1, PX: 2, EXAT: 3, PXAT: 4 } as const;
export type Unit = typeof Unit[keyof typeof Unit];

/** The unit named by argument i. */
export function unitAt(call: Call, i: number): Unit {
  if (call.is(i, "ex")) return Unit.EX;
  if (call.is(i, "px")) return Unit.PX;
  if (call.is(i, "exat")) return Unit.EXAT;
  return call.is(i, "pxat") ? Unit.PXAT : Unit.NONE;
}

/** Whether a time in this unit is in seconds. */
export function inSeconds(unit: Unit): boolean {
  return unit === Unit.EX || unit === Unit.EXAT;
}

/** Whether a time in this unit counts from now. */
export function fromNow(unit: Unit): boolean {
  return unit === Unit.EX || unit === Unit.PX;
}

/** Conditions on the old deadline, as bits. */
export const Condition = { NX: 1, XX: 2, GT: 4, LT: 8 } as const;

/** The condition named by argument i, 0 if it names none. */
export function conditionAt(call: Call, i: number): number {
  if (call.is(i, "nx")) return Condition.NX;
  if (call.is(i, "xx")) return Condition.XX;
  if (call.is(i, "gt")) return Condition.GT;
  return call.is(i, "lt") ? Condition.LT : 0;
}

/**
 * The conditions in the arguments [from, to), as bits. Throws CommandError for another word, and for conditions that
 * exclude each other.
 */
export function conditionsIn(call: Call, from: number, to: number): number {
  let conditions = 0;
  for (let i = from; i < to; i++) {
    const found = conditionAt(call, i);
    if (found === 0) fail(`ERR Unsupported option ${shownText(call.text(i))}`);
    conditions |= found;
  }
  const { NX, GT, LT } = Condition;
  if ((conditions & NX) !== 0 && conditions !== NX) {
    fail("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if ((conditions & (GT | LT)) === (GT | LT)) fail("ERR GT and LT options at the same time are not compatible");
  return conditions;
}

/** Whether all conditions allow replacing the old deadline by the new one. NEVER is the latest of all deadlines. */
export function conditionHolds(conditions: number, old: number | bigint, deadline: number | bigint): boolean {
  if ((conditions & Condition.NX) !== 0 && old !== NEVER) return false;
  if ((conditions & Condition.XX) !== 0 && old === NEVER) return false;
  if ((conditions & Condition.GT) !== 0 && (old === NEVER || deadline <= old)) return false;
  return (conditions & Condition.LT) === 0 || old === NEVER || deadline < old;
}

/**
 * Deletes key argument 1, whose record is `ref`, because its new deadline is past. Redis announces a deletion, Valkey
 * an expiry, which counts as one.
 */
export function dropPast(call: Call, ref: RecordRef): void {
  call.db.unlink(ref);
  if (call.engine.effects.open) call.logInstead("DEL", call.view(1));
  if (!call.valkey) return call.changed(Notify.GENERIC, "del", 1);
  call.store.expired++;
  call.changed(Notify.EXPIRED, "expired", 1);
}

/** For the `differs` of commands that delete a key with a deadline that is past. */
export const PAST_DIFFERS = "A key that goes because its new deadline is past is announced as `del` in Redis, as " +
  "`expired` in Valkey.";
