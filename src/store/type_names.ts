/**
 * The names by which clients know types and encodings: those of TYPE, SCAN … TYPE and OBJECT ENCODING, which are
 * Redis's.
 */
import { isInt64 } from "../core/numbers.ts";
import { Encoding, type Keyspace, NEVER, Type } from "./keyspace.ts";
import type { RecordRef } from "./memory/arena.ts";

const TYPE_NAMES: readonly string[] = Object.assign<string[], Record<number, string>>([], {
  [Type.STRING]: "string",
  [Type.LIST]: "list",
  [Type.SET]: "set",
  [Type.ZSET]: "zset",
  [Type.HASH]: "hash",
  [Type.STREAM]: "stream",
});

const ENCODING_NAMES: readonly string[] = Object.assign<string[], Record<number, string>>([], {
  [Encoding.RAW]: "raw",
  [Encoding.EMBSTR]: "embstr",
  [Encoding.LISTPACK]: "listpack",
  [Encoding.QUICKLIST]: "quicklist",
  [Encoding.INTSET]: "intset",
  [Encoding.HASHTABLE]: "hashtable",
  [Encoding.SKIPLIST]: "skiplist",
  [Encoding.STREAM]: "stream",
  [Encoding.LISTPACK_EX]: "listpackex",
  [Encoding.HASHTABLE_EX]: "hashtable",
});

/** Redis embeds key and string in one object up to these bytes together. */
const EMBEDDED_BYTES_MAX = 41;
/** So does Valkey, where a longer key and a deadline take some of the room. */
const VALKEY_BYTES_MAX = 113, SHORT_KEY_BYTES = 31, LONG_KEY_COST = 2, DEADLINE_COST = 8;
/** The longest string that it looks for an integer in. */
const INTEGER_BYTES_MAX = 20;

/** The name of a type as TYPE replies it. */
export function typeName(type: number): string {
  return TYPE_NAMES[type];
}

/** The name of a value's encoding as OBJECT ENCODING replies it. Uses the registers of `db`. */
export function encodingName(db: Keyspace, ref: RecordRef): string {
  const encoding = db.encodingOf(ref);
  if (encoding !== Encoding.AUTO && encoding !== Encoding.EMBSTR) return ENCODING_NAMES[encoding];
  db.readKey(ref);
  const keyBytes = db.length;
  db.readString(ref);
  const { bytes, start, length } = db;
  if (encoding === Encoding.AUTO && length <= INTEGER_BYTES_MAX && isInt64(bytes, start, start + length)) return "int";
  const room = db.store.embedsAsValkey ? valkeyRoom(keyBytes, db.deadlineOf(ref) !== NEVER) : EMBEDDED_BYTES_MAX;
  return keyBytes + length <= room ? "embstr" : "raw";
}

function valkeyRoom(keyBytes: number, expires: boolean): number {
  return VALKEY_BYTES_MAX - (keyBytes > SHORT_KEY_BYTES ? LONG_KEY_COST : 0) - (expires ? DEADLINE_COST : 0);
}
