/**
 * What the log gets of deliveries: the outcome, as Redis states it.
 */
import { idText, newId } from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import type { GroupRef, PendingRef } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";

const lastId = newId();

/** The log gets the effects that follow, and nothing if there are none. */
export function logNothing(call: Call): void {
  call.effects ??= [];
}

/** Logs that a consumer has an entry pending. Arguments `key` and `group` are the names. */
export function logClaim(
  call: Call,
  { groups }: StreamValue,
  group: GroupRef,
  ref: PendingRef,
  id: Int32Array,
  key: number,
  groupAt: number,
  last?: string,
): void {
  if (!call.engine.effects.open) return;
  const { pending } = groups;
  if (last === undefined) {
    groups.readLastId(group, lastId);
    last = idText(lastId);
  }
  call.logInstead(
    "XCLAIM",
    call.view(key),
    call.view(groupAt),
    nameOf(groups, pending.consumerOf(ref)),
    "0",
    idText(id),
    "TIME",
    pending.timeOf(ref),
    "RETRYCOUNT",
    String(pending.exactDeliveriesOf(ref)),
    "FORCE",
    "JUSTID",
    "LASTID",
    last,
  );
}

/** Logs the last delivered id of a group. */
export function logGroupId(call: Call, { groups }: StreamValue, group: GroupRef, key: number, groupAt: number): void {
  if (!call.engine.effects.open) return;
  groups.readLastId(group, lastId);
  call.logInstead(
    "XGROUP",
    "SETID",
    call.view(key),
    call.view(groupAt),
    idText(lastId),
    "ENTRIESREAD",
    String(groups.entriesReadOf(group)),
  );
}

/** Logs that a consumer was created. */
export function logConsumer(call: Call, key: number, groupAt: number, consumerAt: number): void {
  call.logInstead("XGROUP", "CREATECONSUMER", call.view(key), call.view(groupAt), call.view(consumerAt));
}

/** The last delivered id of a group as text. */
export function lastIdText({ groups }: StreamValue, group: GroupRef): string {
  groups.readLastId(group, lastId);
  return idText(lastId);
}

function nameOf(groups: StreamValue["groups"], record: RecordRef): Uint8Array {
  return groups.bytesOf(record).slice(groups.startOf(record), groups.endOf(record));
}
