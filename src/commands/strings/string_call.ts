/** What several files of string commands share. */
import type { Call } from "../../dispatch/call.ts";
import { Notify } from "../../engine/listeners.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

/** Replies with the string of record `ref`, or null if it is 0. */
export function replyString(call: Call, ref: RecordRef): void {
  const { db, reply } = call;
  if (ref === 0) return reply.null();
  db.readString(ref);
  reply.bulkView(db.view, db.start, db.start + db.length);
}

/** Deletes key argument 1, whose record is `ref`. */
export function drop(call: Call, ref: RecordRef): void {
  call.db.unlink(ref);
  call.changed(Notify.GENERIC, "del", 1);
  if (call.engine.effects.open) call.logInstead("DEL", call.view(1));
}
