/**
 * A digest of the data that does not depend on its order or encoding: equal data has an equal digest. The algorithm is
 * that of Redis's DEBUG DIGEST, so a redis-server with the same data has the same digest.
 *
 * A digest is 20 bytes. "xor" adds bytes whose order does not matter: it combines their SHA-1 by exclusive or. "mix"
 * adds bytes whose order matters: it does "xor" and then replaces the digest by its own SHA-1.
 */
import { Buffer } from "node:buffer";
import { invariant } from "../../core/assert.ts";
import { utf8 } from "../../core/bytes.ts";
import { shortestText } from "../../core/numbers.ts";
import { idText } from "../../core/stream_id.ts";
import { sha1, SHA1_BYTES } from "../../core/sha1.ts";
import { type BodyRef, CHUNK_SHIFT, type RecordRef } from "../../store/memory/arena.ts";
import type { HashValue } from "../../store/values/hash_value.ts";
import { type Keyspace, NEVER, Type } from "../../store/keyspace.ts";
import { keyLength, keyStart } from "../../store/blocks/record.ts";
import type { SortedSet } from "../../store/values/sorted_set.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import type { Store } from "../../store/store.ts";

const EXPIRES = utf8("!!expire!!"), FIELD_EXPIRES = utf8("!!hexpire!!");

const hashed = new Uint8Array(SHA1_BYTES);

class Digest {
  readonly bytes = new Uint8Array(SHA1_BYTES);

  xor(bytes: Uint8Array): void {
    sha1(bytes, hashed);
    for (let i = 0; i < SHA1_BYTES; i++) this.bytes[i] ^= hashed[i];
  }

  mix(bytes: Uint8Array): void {
    this.xor(bytes);
    sha1(this.bytes, this.bytes);
  }

  get hex(): string {
    return Buffer.from(this.bytes).toString("hex");
  }
}

/** A 32-bit number, the highest byte first. */
function word(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Valkey's digests do not tell whether a field has a deadline. */
function addValue(digest: Digest, db: Keyspace, ref: RecordRef, fieldDeadlines: boolean): void {
  const type = db.typeOf(ref);
  digest.mix(word(type));
  if (type === Type.STRING) {
    db.readString(ref);
    digest.mix(db.bytes.subarray(db.start, db.start + db.length));
  } else if (type === Type.ZSET) {
    const sets = db.store.valueType(type) as SortedSet;
    sets.each(db.encodingOf(ref), db.bodyOf(ref), (bytes, start, end, score) => {
      const element = new Digest();
      element.mix(bytes.subarray(start, end));
      element.mix(utf8(shortestText(score)));
      digest.xor(element.bytes);
    });
  } else if (type === Type.HASH) {
    const hash = db.store.valueType(type) as HashValue;
    hash.open(db.encodingOf(ref), db.bodyOf(ref));
    hash.each(() => {
      const element = new Digest();
      element.mix(hash.fieldBytes.subarray(hash.fieldStart, hash.fieldEnd));
      element.mix(hash.bytes.subarray(hash.start, hash.end));
      if (fieldDeadlines && hash.deadline !== NEVER) element.xor(FIELD_EXPIRES);
      digest.xor(element.bytes);
    });
  } else if (type === Type.STREAM) {
    addEntries(digest, db.store.valueType(type) as StreamValue, db.bodyOf(ref));
  } else {
    const valueType = db.store.valueType(type);
    invariant(type === Type.LIST || type === Type.SET, "a type has no digest");
    valueType.elements!(db.encodingOf(ref), db.bodyOf(ref), false, (bytes, start, end) => {
      const element = bytes.subarray(start, end);
      if (type === Type.LIST) digest.mix(element);
      else digest.xor(element);
      return true;
    });
  }
  if (db.deadlineOf(ref) !== NEVER) digest.xor(EXPIRES);
}

/** Adds the entries of a stream; its groups do not count. */
function addEntries(digest: Digest, streams: StreamValue, body: BodyRef): void {
  const { entries } = streams, { packed } = streams.nodes;
  const element = () => {
    packed.text();
    digest.mix(packed.bytes.subarray(packed.start, packed.start + packed.length));
  };
  streams.open(body);
  for (let there = entries.first(streams.nodeIndex); there; there = entries.next()) {
    digest.mix(utf8(idText(entries.id).replace("-", ".")));
    entries.begin();
    for (let i = entries.count; i > 0; i--) {
      entries.readField();
      element();
      entries.readValue();
      element();
    }
  }
}

/** The digest of one value, without its key, in 40 hex digits; all zeros for a missing key (0). */
export function digestOfValue(db: Keyspace, ref: RecordRef, fieldDeadlines = true): string {
  const digest = new Digest();
  if (ref !== 0) addValue(digest, db, ref, fieldDeadlines);
  return digest.hex;
}

/** The digest of all databases, in 40 hex digits; all zeros when they are empty. */
export function digestOfStore(store: Store, fieldDeadlines: boolean): string {
  const { arena, dict } = store;
  const whole = new Digest();
  for (const db of store.databases) {
    if (db.size === 0) continue;
    whole.mix(word(db.index));
    dict.each(db.keys, (ref) => {
      const digest = new Digest();
      const start = keyStart(arena, ref);
      digest.mix(arena.u8[ref >>> CHUNK_SHIFT].subarray(start, start + keyLength(arena, ref)));
      addValue(digest, db, ref, fieldDeadlines);
      whole.xor(digest.bytes);
    });
  }
  return whole.hex;
}
