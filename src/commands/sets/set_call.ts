/**
 * Helpers of the set commands: opening a set, storing it back, and replying with its members.
 */
import { Type } from "../../store/keyspace.ts";
import type { MemberSet } from "../../store/values/set.ts";
import type { Call } from "../../dispatch/call.ts";
import type { BodyRef, RecordRef } from "../../store/memory/arena.ts";

/** The store's sets. */
export function setsOf(call: Call): MemberSet {
  return call.store.valueType(Type.SET) as MemberSet;
}

/** Opens the set of a record. */
export function openSet(call: Call, ref: RecordRef): MemberSet {
  const sets = setsOf(call);
  sets.open(call.db.encodingOf(ref), call.db.bodyOf(ref));
  return sets;
}

/** Stores the open set back into its record; deletes the key, argument i, if the set is empty. */
export function keepOrDelete(call: Call, ref: RecordRef, sets: MemberSet, i: number): void {
  const { length } = sets;
  call.db.keep(ref, sets.encoding, sets.body, length);
  if (length > 0) return;
  call.db.unlink(ref);
  call.removed(i);
}

/** Replies with all members of a set; the caller has written the header. Hot. */
export function replyMembers(call: Call, encoding: number, body: BodyRef): void {
  const { reply } = call;
  setsOf(call).elements(encoding, body, false, (bytes, start, end) => {
    reply.bulk(bytes, start, end);
    return true;
  });
}
