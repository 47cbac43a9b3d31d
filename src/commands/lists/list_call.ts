/**
 * Helpers of the list commands: opening a list, storing it back, and replying with its elements.
 */
import { Notify } from "../../engine/listeners.ts";
import { Type } from "../../store/keyspace.ts";
import type { List } from "../../store/values/list.ts";
import type { Call } from "../../dispatch/call.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

/** The store's lists. */
export function listsOf(call: Call): List {
  return call.store.valueType(Type.LIST) as List;
}

/** Opens the list of a record. */
export function openList(call: Call, ref: RecordRef): List {
  const list = listsOf(call);
  list.open(call.db.encodingOf(ref), call.db.bodyOf(ref));
  return list;
}

/** Stores the open list back into its record. */
export function keep(call: Call, ref: RecordRef, list: List): void {
  call.db.keep(ref, list.encoding, list.body, list.length);
}

/** Announces one event of key argument i that stands for `count` changes. */
export function changed(call: Call, event: string, i: number, count: number): void {
  call.changed(Notify.LIST, event, i, count);
}

/**
 * Stores a list back after a removal, or deletes its key if no element is `left`. In that case the elements may still
 * be in the list: a whole list is freed in slices.
 */
export function keepOrDelete(call: Call, ref: RecordRef, list: List, i: number, left = list.length): void {
  if (left > 0) {
    list.shrink();
    keep(call, ref, list);
    return;
  }
  keep(call, ref, list);
  call.db.unlink(ref);
  call.removed(i);
}

/** Replies with the last element read. Hot. */
export function replyElement(call: Call, list: List): void {
  const { packed } = list;
  if (packed.integer) {
    packed.text();
    call.reply.bulk(packed.bytes, packed.start, packed.start + packed.length);
  } else {
    call.reply.bulkView(packed.view, packed.start, packed.start + packed.length);
  }
}
