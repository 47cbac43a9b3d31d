/**
 * Expiry of hash fields: removes expired fields from a hash, logs the removal and announces it. A command does this for
 * the hash that it uses, the expiry cycle for all hashes with field deadlines. Both remove a bounded number of fields
 * at a time, because every command treats an expired field as missing.
 */
import { ExpiryMode, type Keyspace, Type } from "../store/keyspace.ts";
import type { HashValue } from "../store/values/hash_value.ts";
import type { EffectArgument } from "./effects.ts";
import type { Engine } from "./engine.ts";
import { Notify } from "./listeners.ts";
import type { RecordRef } from "../store/memory/arena.ts";

/** Whether a hash, in an encoding with deadlines, has expired fields that are to be deleted. */
export function hasExpiredFields(db: Keyspace, ref: RecordRef): boolean {
  const { store } = db;
  if (store.expiryMode !== ExpiryMode.DELETE) return false;
  const deadline = store.valueType(Type.HASH).earliestDeadline!(db.encodingOf(ref), db.bodyOf(ref));
  return deadline > 0 && deadline <= store.nowMs;
}

/**
 * Removes up to `limit` expired fields of a hash. Returns false if the hash lost its last field and the key is deleted.
 */
export function expireFields(engine: Engine, db: Keyspace, ref: RecordRef, limit: number): boolean {
  const { effects, store } = engine;
  const hash = store.valueType(Type.HASH) as HashValue;
  db.readKey(ref);
  const key = db.bytes.slice(db.start, db.start + db.length);
  const deletion: EffectArgument[] = ["HDEL", key];
  hash.open(db.encodingOf(ref), db.bodyOf(ref));
  store.expiredFields += hash.expire(limit, () => {
    if (effects.open) deletion.push(hash.fieldBytes.slice(hash.fieldStart, hash.fieldEnd));
  });
  const count = hash.count(hash.encoding, hash.body);
  db.keep(ref, hash.encoding, hash.body, count);
  const gone = count === 0;
  if (gone) db.unlink(ref);
  else db.indexFields(ref);
  effects.command(db.index, deletion);
  const { listeners } = engine;
  if (listeners.hearKeys) {
    listeners.changed(db, key, 0, key.length, undefined);
    listeners.announced(db, Notify.HASH, "hexpired", key, 0, key.length);
    if (gone) listeners.announced(db, Notify.GENERIC, "del", key, 0, key.length);
  }
  return !gone;
}
