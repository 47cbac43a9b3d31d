/**
 * The layout of a page of a page table: some twenty entries side by side in one block, with one byte of each one's hash
 * and one of its length. An entry is a key, or, in pages of pairs, a key with a value. page.ts holds the operations.
 *
 *     page    groups of four entries from the front: 4 tags, 4 lengths · room · data from the end, the first entry last
 *     tag     the upper eight bits of the key's hash
 *     length  0 to 127: the entry is inline; 0x84: its data is the ref of a record (field_record.ts) that is the entry
 *     inline  the key; of a pair: length of the key:8 · key · value
 *     info    kept by the table beside the block's ref:  count:8 | granules of the block:16
 *
 * An empty page has no block: both words are 0.
 */
import type { RecordRef } from "../memory/arena.ts";

/** The most entries of a page. */
export const ENTRIES_MAX = 255;

// The info.
export const COUNT_MASK = 0xff;
export const GRANULES_SHIFT = 8;

/** The longest data of an entry that is inline. */
export const INLINE_BYTES_MAX = 127;
/** Bit of a length that says that the data is a ref. */
export const OUTSIDE = 0x80;
export const REF_BYTES = 4;
/** Bits of an index in a chunk that holds pages. */
export const PLACE_BITS = 24;
export const PLACE_MASK = (1 << PLACE_BITS) - 1;

/** Number of entries of a page, from its info. */
export const entriesOf = (info: number) => info & COUNT_MASK;
export const bytesOf = (info: number) => (info >>> GRANULES_SHIFT) << 3;
/** Bytes of the groups that hold `count` tags and lengths. */
export const groupBytes = (count: number) => ((count + 3) >>> 2) << 3;
/** Offset of a slot's tag; its length lies four bytes behind. */
export const tagOffset = (slot: number) => ((slot >>> 2) << 3) + (slot & 3);

/** Bytes of data of the first `slots` entries of a page whose words begin at `base`. Hot: four lengths at a time. */
export function dataBefore(words: Int32Array, base: number, slots: number): number {
  let sums = 0, i = base + 1;
  const whole = i + ((slots >>> 2) << 1);
  for (; i < whole; i += 2) {
    const lengths = words[i] & 0x7f7f7f7f;
    sums += (lengths & 0x00ff00ff) + ((lengths >>> 8) & 0x00ff00ff);
  }
  if ((slots & 3) !== 0) {
    const lengths = words[i] & 0x7f7f7f7f & ((1 << ((slots & 3) << 3)) - 1);
    sums += (lengths & 0x00ff00ff) + ((lengths >>> 8) & 0x00ff00ff);
  }
  return (sums & 0xffff) + (sums >>> 16);
}

export function readRef(data: Uint8Array, at: number): RecordRef {
  return (data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24) as RecordRef;
}

export function writeRef(data: Uint8Array, at: number, ref: RecordRef): void {
  data[at] = ref;
  data[at + 1] = ref >>> 8;
  data[at + 2] = ref >>> 16;
  data[at + 3] = ref >>> 24;
}
