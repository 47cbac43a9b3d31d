/** Sorts records by (score, key) all at once, for those who build an ordered index over many. */
import { compareBytes } from "../../core/bytes.ts";
import { KeyedItems } from "../../core/radix_sort.ts";
import { type Arena, CHUNK_SHIFT, type RecordRef } from "../memory/arena.ts";
import { keyLength, keyStart, scoreOf } from "./record.ts";

/** The records in order; `refs` is used up. Every score is a number. */
export function sortByScore(arena: Arena, refs: Int32Array): Int32Array {
  const keyed = new KeyedItems(refs);
  for (let i = 0; i < refs.length; i++) keyed.setDouble(i, scoreOf(arena, refs[i] as RecordRef));
  keyed.sort();
  const { items } = keyed;
  keyed.eachTie((from, to) =>
    items.subarray(from, to).sort((a, b) => compareKeys(arena, a as RecordRef, b as RecordRef))
  );
  return items;
}

function compareKeys(arena: Arena, a: RecordRef, b: RecordRef): number {
  const start = keyStart(arena, a), otherStart = keyStart(arena, b);
  return compareBytes(
    arena.u8[a >>> CHUNK_SHIFT],
    start,
    start + keyLength(arena, a),
    arena.u8[b >>> CHUNK_SHIFT],
    otherStart,
    otherStart + keyLength(arena, b),
  );
}
