/**
 * Helpers of the hash commands: opening the hash of a key, and storing it back.
 */
import { Notify } from "../../engine/listeners.ts";
import { expireFields, hasExpiredFields } from "../../engine/field_expiry.ts";
import { entriesBytes } from "../../store/blocks/entry.ts";
import { PREFETCH_MAX } from "../../store/blocks/dict.ts";
import { hashBytes } from "../../core/hash_function.ts";
import type { HashValue } from "../../store/values/hash_value.ts";
import { Encoding, Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { NONE, type RecordRef } from "../../store/memory/arena.ts";

/** Maximum number of expired fields that a command removes from the hash it works on. */
const EXPIRED_AT_ONCE = 64;

/** Values up to this length are copied byte by byte. */
const SHORT_BYTES = 48;

/** The store's hashes. */
export function hashes(call: Call): HashValue {
  return call.store.valueType(Type.HASH) as HashValue;
}

/** Opens the hash of key argument 1 for reading. Returns its record, 0 if there is none. Throws WRONGTYPE. Hot. */
export function openHash(call: Call): RecordRef {
  return open(call, call.lookupType(1, Type.HASH));
}

/** openHash for commands that write. */
export function openHashToWrite(call: Call): RecordRef {
  return open(call, call.lookupTypeWrite(1, Type.HASH));
}

function open(call: Call, ref: RecordRef): RecordRef {
  if (ref === 0) return NONE;
  const { db } = call;
  const encoding = db.encodingOf(ref);
  const hash = hashes(call);
  if (encoding >= Encoding.LISTPACK_EX && hasExpiredFields(db, ref)) {
    if (!expireFields(call.engine, db, ref, EXPIRED_AT_ONCE)) return NONE;
  }
  hash.open(encoding, db.bodyOf(ref));
  return ref;
}

/** Stores the open hash in the record of key argument 1, creates the key if `ref` is 0; returns the record. Hot. */
export function keepHash(call: Call, ref: RecordRef, hash: HashValue): RecordRef {
  const { db, request } = call;
  if (ref === 0) {
    ref = db.add(request.bytes, request.start[1], request.end[1], Type.HASH, hash.encoding, hash.body);
  } else {
    db.keep(ref, hash.encoding, hash.body, hash.count(hash.encoding, hash.body));
  }
  if (hash.encoding >= Encoding.LISTPACK_EX) db.indexFields(ref);
  return ref;
}

/** keepHash after a removal: deletes the key if the last field was removed. */
export function keepOrDeleteHash(call: Call, ref: RecordRef, hash: HashValue): void {
  deleteIfEmpty(call, keepHash(call, ref, hash), hash);
}

/** Deletes the key of a hash that has no field. */
export function deleteIfEmpty(call: Call, ref: RecordRef, hash: HashValue): void {
  if (hash.count(hash.encoding, hash.body) > 0) return;
  call.db.unlink(ref);
  call.removed(1);
}

/** Announces one event of key argument 1 that stands for `count` changes. */
export function changed(call: Call, event: string, count: number): void {
  call.changed(Notify.HASH, event, 1, count);
}

/** Converts the open packed hash to a table if setting the pairs from argument `first` on would do so in Redis. */
export function admitPairs(call: Call, hash: HashValue, first: number): void {
  const { start, end, argc } = call.request;
  hash.expect((argc - first) >>> 1);
  for (let i = first; i < argc && hash.packed; i++) hash.admit(end[i] - start[i]);
}

/** Opens a new hash for the pairs from argument `first` on. */
export function createHash(call: Call, hash: HashValue, first: number): void {
  const { bytes, start, end, argc } = call.request;
  hash.create(Math.min(entriesBytes(bytes, start, end, first, argc), PACKED_BYTES_MAX));
}

/** Maximum initial capacity of a new packed hash; one with more data will hardly stay packed. */
const PACKED_BYTES_MAX = 4096;

/** Finds the field in argument i; `known` is its hash code, 0 if not yet computed. Hot. */
export function findField(call: Call, hash: HashValue, i: number, known = call.elementHash(i)): boolean {
  const { bytes, start, end } = call.request;
  return hash.find(bytes, start[i], end[i], known);
}

/** Whether the field in argument i exists, without reading its value; `known` is its hash code or 0. Hot. */
export function hasField(call: Call, hash: HashValue, i: number, known = call.elementHash(i)): boolean {
  const { bytes, start, end } = call.request;
  return hash.seek(bytes, start[i], end[i], known);
}

/** Hash codes of the fields that `approachFields` prefetched. */
export const fieldHashes = new Int32Array(PREFETCH_MAX);

/** Prefetches up to PREFETCH_MAX fields, every `step`-th argument from argument i on, of the open large hash. Hot. */
export function approachFields(call: Call, hash: HashValue, i: number, step: number): void {
  const { argc, bytes, start, end } = call.request;
  let count = 0;
  for (; i < argc && count < PREFETCH_MAX; i += step) fieldHashes[count++] = hashBytes(bytes, start[i], end[i]);
  hash.prefetch(hash.encoding, hash.body, fieldHashes, count);
}

/** Sets the field in argument i, which was just searched, to argument i + 1. Hot. */
export function setField(call: Call, hash: HashValue, i: number, keepDeadline = false): void {
  const { bytes, start, end } = call.request;
  hash.set(bytes, start[i], end[i], bytes, start[i + 1], end[i + 1], keepDeadline);
}

/** Replies with the last value read. Hot. */
export function replyValue(call: Call, hash: HashValue): void {
  // Creating a view on the reply's chunk pays off once per batch, not for one short value.
  if (hash.view === undefined || hash.end - hash.start <= SHORT_BYTES) {
    call.reply.bulk(hash.bytes, hash.start, hash.end);
  } else call.reply.bulkView(hash.view, hash.start, hash.end);
}
