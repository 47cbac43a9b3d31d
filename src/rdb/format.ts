/**
 * The numbers of the RDB format: versions, opcodes, types of values, encodings of strings and lengths; and the error of a
 * file that does not follow it. Shared by reader and writer, which own the meaning.
 */

/** What every RDB file begins with. */
export const MAGIC = "REDIS";

/** The newest version that is read: that of Redis 8.0. */
export const VERSION_READ_MAX = 12;
/** What is written: Redis 7.0 and whatever came later read it. */
export const VERSION = 10;
/** What is written where hashes have fields with deadlines: Redis 7.4 and later. */
export const VERSION_FIELD_DEADLINES = 12;

export const Opcode = {
  SLOT_INFO: 244,
  FUNCTION2: 245,
  FUNCTION_PRE_GA: 246,
  MODULE_AUX: 247,
  IDLE: 248,
  FREQ: 249,
  AUX: 250,
  RESIZEDB: 251,
  EXPIRETIME_MS: 252,
  EXPIRETIME: 253,
  SELECTDB: 254,
  EOF: 255,
} as const;

export const RdbType = {
  STRING: 0,
  LIST: 1,
  SET: 2,
  ZSET: 3,
  HASH: 4,
  ZSET_2: 5,
  MODULE: 6,
  MODULE_2: 7,
  HASH_ZIPMAP: 9,
  LIST_ZIPLIST: 10,
  SET_INTSET: 11,
  ZSET_ZIPLIST: 12,
  HASH_ZIPLIST: 13,
  LIST_QUICKLIST: 14,
  STREAM_LISTPACKS: 15,
  HASH_LISTPACK: 16,
  ZSET_LISTPACK: 17,
  LIST_QUICKLIST_2: 18,
  STREAM_LISTPACKS_2: 19,
  SET_LISTPACK: 20,
  STREAM_LISTPACKS_3: 21,
  HASH_METADATA_PRE_GA: 22,
  HASH_LISTPACK_EX_PRE_GA: 23,
  HASH_METADATA: 24,
  HASH_LISTPACK_EX: 25,
} as const;

/** The upper two bits of a length's first byte, and the two bytes that announce more. */
export const LENGTH_6 = 0, LENGTH_14 = 1, LENGTH_ENCODED = 3;
export const LENGTH_32_BYTE = 0x80, LENGTH_64_BYTE = 0x81;

/** Strings that are not just their bytes: the lower six bits of an encoded length. */
export const STRING_INT8 = 0, STRING_INT16 = 1, STRING_INT32 = 2, STRING_LZF = 3;

/** Nodes of LIST_QUICKLIST_2. */
export const NODE_PLAIN = 1, NODE_PACKED = 2;

/** An RDB file or payload that cannot be read. */
export class RdbError extends Error {
  override name = "RdbError";
  /** Where the reader was, in bytes from the start. */
  readonly offset: number;

  constructor(offset: number, reason: string) {
    super(`damaged at byte ${offset}: ${reason}`);
    this.offset = offset;
  }
}
