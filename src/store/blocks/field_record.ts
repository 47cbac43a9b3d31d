/**
 * The record of an entry of a page table that does not lie in its page, because it is long or, as the field of a hash,
 * has a deadline. The value lies behind the key or, if it is long, in a block of its own; the deadline is the score. A
 * member of a set has an empty value. This file owns that use of record.ts.
 *
 *     block of a long value    +0 length:32 · +4 bytes
 */
import { type Arena, type BodyRef, CHUNK_SHIFT, copyBytes, GRANULE_MASK, type RecordRef } from "../memory/arena.ts";
import {
  BODY,
  bodyOf,
  createRecord,
  flagsOf,
  headSize,
  INLINE_BYTES_MAX,
  keyLength,
  keyStart,
  NUMBER,
  scoreOf,
  setBody,
  setScore,
  setValueLength,
  valueLength,
  valueStart,
} from "./record.ts";

const LENGTH_BYTES = 4;

/** A new record of the field `fb[fs, fe)` and the value `vb[vs, ve)`; the deadline, if any, is the caller's to set. */
export function createField(
  arena: Arena,
  fb: Uint8Array,
  fs: number,
  fe: number,
  vb: Uint8Array,
  vs: number,
  ve: number,
  hasDeadline: boolean,
): RecordRef {
  const length = ve - vs, flags = flagsFor(length, hasDeadline);
  if ((flags & BODY) === 0) {
    const ref = createRecord(arena, flags, fb, fs, fe, length);
    const at = ((ref & GRANULE_MASK) << 3) + headSize(flags, fe - fs);
    copyBytes(vb, vs, ve, arena.u8[ref >>> CHUNK_SHIFT], at);
    return ref;
  }
  const ref = createRecord(arena, flags, fb, fs, fe, 0);
  const block: BodyRef = arena.alloc(LENGTH_BYTES + length);
  setBody(arena, ref, block);
  arena.i32[block >>> CHUNK_SHIFT][(block & GRANULE_MASK) << 1] = length;
  copyBytes(vb, vs, ve, arena.u8[block >>> CHUNK_SHIFT], ((block & GRANULE_MASK) << 3) + LENGTH_BYTES);
  return ref;
}

/** Overwrites the value if the record can keep its block and flags; false if the record must be replaced. Hot. */
export function overwriteValue(
  arena: Arena,
  ref: RecordRef,
  vb: Uint8Array,
  vs: number,
  ve: number,
  hasDeadline: boolean,
): boolean {
  const length = ve - vs, flags = flagsFor(length, hasDeadline);
  if ((flags & BODY) !== 0 || flagsOf(arena, ref) !== flags) return false;
  const oldLength = valueLength(arena, ref);
  const at = valueStart(arena, ref);
  if (length !== oldLength) {
    const head = at - ((ref & GRANULE_MASK) << 3);
    if (arena.roundUp(head + length) !== arena.roundUp(head + oldLength)) return false;
    setValueLength(arena, ref, length);
  }
  copyBytes(vb, vs, ve, arena.u8[ref >>> CHUNK_SHIFT], at);
  return true;
}

/** A copy of a record with room for a deadline, or without; the old record is freed, a long value changes hands. */
export function rebuildField(arena: Arena, ref: RecordRef, hasDeadline: boolean): RecordRef {
  const flags = flagsOf(arena, ref), start = keyStart(arena, ref), length = valueLength(arena, ref);
  const bytes = arena.u8[ref >>> CHUNK_SHIFT];
  const newFlags = hasDeadline ? flags | NUMBER : flags & ~NUMBER;
  const to = createRecord(arena, newFlags, bytes, start, start + keyLength(arena, ref), length);
  const from = valueStart(arena, ref);
  copyBytes(bytes, from, from + length, arena.u8[to >>> CHUNK_SHIFT], valueStart(arena, to));
  if ((flags & BODY) !== 0) setBody(arena, to, bodyOf(arena, ref));
  arena.free(ref);
  return to;
}

/** A deep copy of a record. */
export function copyField(arena: Arena, ref: RecordRef): RecordRef {
  const start = keyStart(arena, ref), end = start + keyLength(arena, ref);
  const block = valueBlock(arena, ref), from = valuePlace(arena, ref, block);
  const value = arena.u8[block >>> CHUNK_SHIFT], to = from + valueBytes(arena, ref, block);
  const copy = createField(arena, arena.u8[ref >>> CHUNK_SHIFT], start, end, value, from, to, hasDeadline(arena, ref));
  if (hasDeadline(arena, ref)) setScore(arena, copy, scoreOf(arena, ref));
  return copy;
}

export function hasDeadline(arena: Arena, ref: RecordRef): boolean {
  return (flagsOf(arena, ref) & NUMBER) !== 0;
}

/** The block that a field's value lies in: its own, or the record itself. */
export function valueBlock(arena: Arena, ref: RecordRef): number {
  return (flagsOf(arena, ref) & BODY) === 0 ? ref : bodyOf(arena, ref);
}

/** Index of the value's first byte in the chunk of `block`, which valueBlock returned. */
export function valuePlace(arena: Arena, ref: RecordRef, block: number): number {
  return block === ref ? valueStart(arena, ref) : ((block & GRANULE_MASK) << 3) + LENGTH_BYTES;
}

/** Length of the value in `block`, which valueBlock returned. */
export function valueBytes(arena: Arena, ref: RecordRef, block: number): number {
  return block === ref ? valueLength(arena, ref) : arena.i32[block >>> CHUNK_SHIFT][(block & GRANULE_MASK) << 1];
}

/** Bytes of the arena that a field takes. */
export function fieldSize(arena: Arena, ref: RecordRef): number {
  const block = valueBlock(arena, ref);
  return arena.sizeOf(ref) + (block === ref ? 0 : arena.sizeOf(block));
}

export function freeField(arena: Arena, ref: RecordRef): void {
  const block = valueBlock(arena, ref);
  if (block !== ref) arena.free(block);
  arena.free(ref);
}

function flagsFor(length: number, hasDeadline: boolean): number {
  return (hasDeadline ? NUMBER : 0) | (length > INLINE_BYTES_MAX ? BODY : 0);
}
