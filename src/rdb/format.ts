/**
 * The numbers of the RDB format: versions, opcodes, types of values, encodings of strings and lengths; and the error
 * for invalid files. Reader and writer share them.
 */

/**
 * Every RDB file begins with a name and a version in decimal digits: "REDIS0012", "VALKEY080". Redis uses versions
 * below 80, Valkey those from 80 on.
 */
export const REDIS_HEAD = /^REDIS([0-9]{4})/, VALKEY_HEAD = /^VALKEY([0-9]{3})/;
/** Bytes of a head; both forms have the same length. */
export const HEAD_BYTES = 9;

/** The newest versions that are read: those of Redis 8.6 and Valkey 9.1. */
export const REDIS_VERSION_MAX = 13;
export const VALKEY_VERSION_MIN = 80, VALKEY_VERSION_MAX = 80;

/** The version of DUMP's payloads: that of Redis 8.6, or of Valkey 9. */
export const VERSION_DUMP = { redis: 13, valkey: VALKEY_VERSION_MIN } as const;
/** The least version of exported files: Redis 7.0, Valkey and everything newer read it. */
export const VERSION_EXPORT = 10;
/** The first version with sets as listpacks, and with the times at which consumers were active (Redis 7.2). */
export const VERSION_SET_LISTPACK = 11, VERSION_STREAM_ACTIVE_TIME = 11;
/** The first version with deadlines of fields (Redis 7.4), and the one with producers of streams (Redis 8.6). */
export const VERSION_FIELD_DEADLINES = 12, VERSION_PRODUCERS = 13;

export const Opcode = {
  /** In files of Redis. */
  KEY_META: 243,
  /** In files of Valkey. */
  SLOT_IMPORT: 243,
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
  /** In files of Redis. */
  HASH_METADATA_PRE_GA: 22,
  /** In files of Valkey: each field with value and deadline. */
  HASH_VALKEY: 22,
  HASH_LISTPACK_EX_PRE_GA: 23,
  HASH_METADATA: 24,
  HASH_LISTPACK_EX: 25,
  STREAM_LISTPACKS_4: 26,
} as const;

/** The upper two bits of the first byte of a length, and the two bytes that announce a longer form. */
export const LENGTH_6 = 0, LENGTH_14 = 1, LENGTH_ENCODED = 3;
export const LENGTH_32_BYTE = 0x80, LENGTH_64_BYTE = 0x81;

/** The encodings of strings: the lower six bits of an encoded length. */
export const STRING_INT8 = 0, STRING_INT16 = 1, STRING_INT32 = 2, STRING_LZF = 3;

/** Nodes of LIST_QUICKLIST_2. */
export const NODE_PLAIN = 1, NODE_PACKED = 2;

/** The access clocks of keys that a file has: idle times or frequencies. */
export type KeptClock = "none" | "idle" | "frequency";

/** An RDB file or payload that cannot be read. The message follows "the file is …". */
export class RdbError extends Error {
  override name = "RdbError";
  /** Offset of the reader. */
  readonly offset: number;

  constructor(offset: number, reason: string, message = `damaged at byte ${offset}: ${reason}`) {
    super(message);
    this.offset = offset;
  }
}

/** A file of a version that MemDB does not read. It is not damaged. */
export class RdbVersionError extends RdbError {
  constructor(server: string, version: number, min: number, max: number) {
    const known = min === max ? `version ${max} is` : `versions ${min} to ${max} are`;
    super(0, "", `in RDB version ${version} of ${server}, and only ${known} read`);
  }
}
