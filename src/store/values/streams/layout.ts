/**
 * Where the parts of a stream stand in the arena. All blocks but those of entries consist of words of 32 bits; numbers
 * of 64 bits are two words, the highest first, and ids are two such numbers.
 *
 *     stream      +0 nodes · +4 length · +8 last id · +24 first id · +40 largest deleted id · +56 entries ever added
 *                 +64 groups, 0 for none · +68 producers, 0 for none · +72 seconds for which a producer's entries are
 *                 known · +76 how many of them · +80 such entries ever added · +88 duplicates ever found
 *
 *     nodes       an index of nodes by their ids
 *     node        +0 id of the master entry · +16 its packed block · +20 live entries, as in the block
 *     block       a listpack, byte for byte that of Redis:
 *
 *         master  live entries · deleted entries · number of fields · fields ... · 0
 *         entry   flags · time and sequence, less those of the node · [number of fields] · values, or each field with
 *                 its value · number of elements before this one, from the flags on
 *
 *         flags   DELETED · SAME_FIELDS: the fields are those of the master, and only the values stand here
 *
 *     groups      an ordered index of records, each a name with the body of a group
 *     group       +0 last delivered id · +16 entries read, -1 if unknown · +24 pending entries by id
 *                 +28 the same by time · +32 consumers
 *     consumers   an ordered index of records, each a name with the body of a consumer
 *     consumer    +0 seen, +8 active: milliseconds as doubles, -1 for never · +16 its pending entries by id
 *     pending     +0 id · +16 time of delivery, its sign bit flipped · +24 place among those of that time
 *                 +28 record of the consumer · +32 number of deliveries
 *
 *     producers   an ordered index of records, each a name with the body of a producer
 *     producer    +0 a dictionary of records, each the name of a message with its body · +4 oldest · +8 newest of them
 *     message     +0 id of its entry · +16 the next newer record, 0 for none
 */
import type { Ref } from "../../memory/arena.ts";

/** A block of entries in the order of ids. */
export type NodeRef = Ref<"stream node">;
/** A group, a consumer, a producer: the body of its record. */
export type GroupRef = Ref<"stream group">;
/** An entry that was delivered and not acknowledged. */
export type PendingRef = Ref<"pending entry">;

// Words of a stream.
export const NODES = 0, LENGTH = 1, LAST_ID = 2, FIRST_ID = 6, DELETED_ID = 10, ADDED = 14, GROUPS = 16, PRODUCERS = 17;
export const DURATION = 18, MAX_SIZE = 19, IIDS_ADDED = 20, IIDS_DUPLICATE = 22;
export const STREAM_BYTES = 96;

/** The 64-bit counters of a stream. */
export const StreamCounter = { ADDED, IIDS_ADDED, IIDS_DUPLICATE } as const;
export type StreamCounter = typeof StreamCounter[keyof typeof StreamCounter];
/** The ids that a stream keeps: of its last entry, of its first one, and the largest that was deleted. */
export const StreamPoint = { LAST: LAST_ID, FIRST: FIRST_ID, DELETED: DELETED_ID } as const;
export type StreamPoint = typeof StreamPoint[keyof typeof StreamPoint];
/** A number of entries that cannot be told. */
export const UNKNOWN_COUNT = -1n;

// Words of a node.
export const NODE_ID = 0, NODE_BLOCK = 4, NODE_LIVE = 5;
export const NODE_BYTES = 24;

// Bits of an entry's flags.
export const DELETED = 1, SAME_FIELDS = 2;

// Words of a group; those of a consumer and of a pending entry.
export const GROUP_LAST_ID = 0, ENTRIES_READ = 4, BY_ID = 6, BY_TIME = 7, CONSUMERS = 8;
export const GROUP_BYTES = 40;
export const CONSUMER_PENDING = 4;
export const CONSUMER_BYTES = 24;
export const PENDING_ID = 0, PENDING_TIME = 4, PENDING_PLACE = 6, PENDING_CONSUMER = 7, DELIVERIES = 8;
export const PENDING_BYTES = 40;

// Words of a producer and of a message.
export const MESSAGES = 0, OLDEST = 1, NEWEST = 2;
export const PRODUCER_BYTES = 16;
export const MESSAGE_ID = 0, NEXT_MESSAGE = 4;
export const MESSAGE_BYTES = 24;

/** Adds one to the 64-bit number in two words, the highest first. */
export function incrementWide(words: Int32Array, at: number): void {
  if (++words[at + 1] === 0) words[at]++;
}
