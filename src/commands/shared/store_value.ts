/**
 * Storing a computed result, for SORT, SINTERSTORE, ZUNIONSTORE, GEOSEARCHSTORE and others.
 */
import type { Call } from "../../dispatch/call.ts";
import { Notify, type NotifyClass } from "../../engine/listeners.ts";
import type { BodyRef } from "../../store/memory/arena.ts";

/** A value that does not yet belong to a key. */
export interface BuiltValue {
  readonly type: number;
  readonly encoding: number;
  readonly body: BodyRef;
  readonly length: number;
}

/**
 * Stores a value as key argument i, replacing any old value, announces the event, and replies with the value's length.
 * It counts as `count` changes. An empty value is freed and deletes the key.
 */
export function storeValue(
  call: Call,
  i: number,
  value: BuiltValue,
  kind: NotifyClass,
  event: string,
  count = 1,
): void {
  const { db, store } = call, { bytes, start, end } = call.request;
  const { type, encoding, body, length } = value;
  if (length > 0) {
    call.overwrote(i, db.put(bytes, start[i], end[i], type, encoding, body), type);
    call.changed(kind, event, i, count);
  } else {
    store.freeBody(type, encoding, body);
    if (db.remove(bytes, start[i], end[i])) call.changed(Notify.GENERIC, "del", i);
  }
  call.reply.integer(length);
}
