/**
 * The record: a key with its metadata and value, the element of every dictionary. This file owns its layout.
 *
 *     +0   word    keyLength:12 | valueLength:16 | flags:4    low bits first; with BODY the owner may use valueLength
 *     +4   meta    if META: of the keyspace type:4 | encoding:4 | clock:24; elsewhere of the owner's choice
 *     +8   deadline if NUMBER and META: milliseconds, as a double below 2^53, else as the negative 64-bit integer
 *     +4   score   if NUMBER without META: a double in two words, which lie closer to the key than an aligned one
 *     ..   body    if BODY: a ref to the value that does not fit in the record
 *     ..   length  if keyLength is 4095: the real length of the key
 *     ..   key, then value
 *
 * Hot: accessors are arithmetic on typed arrays and allocate nothing.
 */
import type { Deadline } from "../deadline.ts";
import {
  type Arena,
  type BodyRef,
  CHUNK_SHIFT,
  copyIn,
  equalsIn,
  GRANULE_MASK,
  type RecordRef,
} from "../memory/arena.ts";

export const META = 1;
export const NUMBER = 2;
export const BODY = 4;

const KEY_LENGTH_MASK = 0xfff;
const LONG_KEY = 0xfff;
const VALUE_SHIFT = 12;
const VALUE_MASK = 0xffff;
const FLAGS_SHIFT = 28;
/** Bytes before the key (or before the long key's length) by flags. */
const HEAD_BYTES = Int32Array.from([4, 8, 12, 16, 8, 12, 16, 20]);

/** The longest value that lies within a record; longer ones need a body. */
export const INLINE_BYTES_MAX = VALUE_MASK;

/** A new record with key `bytes[start, end)` and room for a value of `valueLength`; the caller writes the rest. */
export function createRecord(
  arena: Arena,
  flags: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  valueLength: number,
): RecordRef {
  const length = end - start;
  let at = HEAD_BYTES[flags];
  let word = length | (valueLength << VALUE_SHIFT) | (flags << FLAGS_SHIFT);
  if (length >= LONG_KEY) {
    at += 4;
    word = LONG_KEY | (valueLength << VALUE_SHIFT) | (flags << FLAGS_SHIFT);
  }
  const ref: RecordRef = arena.alloc(at + length + valueLength);
  const words = arena.i32[ref >>> CHUNK_SHIFT];
  const i = (ref & GRANULE_MASK) << 1;
  words[i] = word;
  if (length >= LONG_KEY) words[i + (at >>> 2) - 1] = length;
  copyIn(arena, bytes, start, end, ref >>> CHUNK_SHIFT, (i << 2) + at);
  return ref;
}

export function flagsOf(arena: Arena, ref: RecordRef): number {
  return arena.i32[ref >>> CHUNK_SHIFT][(ref & GRANULE_MASK) << 1] >>> FLAGS_SHIFT;
}

/** Index of the key's first byte in its chunk. */
export function keyStart(arena: Arena, ref: RecordRef): number {
  const i = (ref & GRANULE_MASK) << 1;
  const word = arena.i32[ref >>> CHUNK_SHIFT][i];
  const at = (i << 2) + HEAD_BYTES[word >>> FLAGS_SHIFT];
  return (word & KEY_LENGTH_MASK) === LONG_KEY ? at + 4 : at;
}

export function keyLength(arena: Arena, ref: RecordRef): number {
  const words = arena.i32[ref >>> CHUNK_SHIFT];
  const i = (ref & GRANULE_MASK) << 1;
  const length = words[i] & KEY_LENGTH_MASK;
  return length === LONG_KEY ? words[i + (HEAD_BYTES[words[i] >>> FLAGS_SHIFT] >>> 2)] : length;
}

/** Whether the record's key is `bytes[start, end)`. */
export function keyEquals(arena: Arena, ref: RecordRef, bytes: Uint8Array, start: number, end: number): boolean {
  const chunk = ref >>> CHUNK_SHIFT;
  const i = (ref & GRANULE_MASK) << 1;
  const word = arena.i32[chunk][i];
  const length = end - start;
  let at = (i << 2) + HEAD_BYTES[word >>> FLAGS_SHIFT];
  if ((word & KEY_LENGTH_MASK) !== length) {
    if (length < LONG_KEY || (word & KEY_LENGTH_MASK) !== LONG_KEY || keyLength(arena, ref) !== length) return false;
  }
  if (length >= LONG_KEY) {
    if (keyLength(arena, ref) !== length) return false;
    at += 4;
  }
  return equalsIn(arena, bytes, start, end, chunk, at);
}

/** Index of the value's first byte in its chunk. */
export function valueStart(arena: Arena, ref: RecordRef): number {
  return keyStart(arena, ref) + keyLength(arena, ref);
}

export function valueLength(arena: Arena, ref: RecordRef): number {
  return (arena.i32[ref >>> CHUNK_SHIFT][(ref & GRANULE_MASK) << 1] >>> VALUE_SHIFT) & VALUE_MASK;
}

/** Changes the length of the value within the block that the record has; the caller saw to it that it fits. */
export function setValueLength(arena: Arena, ref: RecordRef, length: number): void {
  const words = arena.i32[ref >>> CHUNK_SHIFT];
  const i = (ref & GRANULE_MASK) << 1;
  words[i] = (words[i] & ~(VALUE_MASK << VALUE_SHIFT)) | (length << VALUE_SHIFT);
}

/** Bytes of the block that the record's header and key take; the rest is for the value. */
export function headBytes(arena: Arena, ref: RecordRef): number {
  return keyStart(arena, ref) + keyLength(arena, ref) - ((ref & GRANULE_MASK) << 3);
}

/** headBytes of a record with these flags and a key of so many bytes, whether it exists or not. */
export function headSize(flags: number, keyLength: number): number {
  return HEAD_BYTES[flags] + keyLength + (keyLength >= LONG_KEY ? 4 : 0);
}

export function metaOf(arena: Arena, ref: RecordRef): number {
  return arena.i32[ref >>> CHUNK_SHIFT][((ref & GRANULE_MASK) << 1) + 1];
}

export function setMeta(arena: Arena, ref: RecordRef, meta: number): void {
  arena.i32[ref >>> CHUNK_SHIFT][((ref & GRANULE_MASK) << 1) + 1] = meta;
}

/** The record's deadline; only with NUMBER and META. */
export function deadlineOf(arena: Arena, ref: RecordRef): Deadline {
  const ms = arena.f64[ref >>> CHUNK_SHIFT][(ref & GRANULE_MASK) + 1];
  // The negative integers have the sign bit set: as doubles they are below 0 or NaN.
  return ms >= 0 ? ms : -arena.view[ref >>> CHUNK_SHIFT].getBigInt64(((ref & GRANULE_MASK) + 1) << 3, true);
}

export function setDeadline(arena: Arena, ref: RecordRef, deadline: Deadline): void {
  if (typeof deadline === "number") arena.f64[ref >>> CHUNK_SHIFT][(ref & GRANULE_MASK) + 1] = deadline;
  else arena.view[ref >>> CHUNK_SHIFT].setBigInt64(((ref & GRANULE_MASK) + 1) << 3, -deadline, true);
}

/** Whether the record's deadline has passed at `nowMs`; only with NUMBER and META. Hot. */
export function hasPassed(arena: Arena, ref: RecordRef, nowMs: number): boolean {
  const ms = arena.f64[ref >>> CHUNK_SHIFT][(ref & GRANULE_MASK) + 1];
  // A deadline from 2^53 on never passes; as a double it is below 0 or NaN.
  return ms <= nowMs && ms >= 0;
}

const scoreWords = new Int32Array(2);
const scoreDouble = new Float64Array(scoreWords.buffer);

/** The record's score; only with NUMBER and without META. */
export function scoreOf(arena: Arena, ref: RecordRef): number {
  const words = arena.i32[ref >>> CHUNK_SHIFT], i = (ref & GRANULE_MASK) << 1;
  scoreWords[0] = words[i + 1];
  scoreWords[1] = words[i + 2];
  return scoreDouble[0];
}

export function setScore(arena: Arena, ref: RecordRef, score: number): void {
  const words = arena.i32[ref >>> CHUNK_SHIFT], i = (ref & GRANULE_MASK) << 1;
  scoreDouble[0] = score;
  words[i + 1] = scoreWords[0];
  words[i + 2] = scoreWords[1];
}

/** The ref of the record's body; only with BODY. */
export function bodyOf(arena: Arena, ref: RecordRef): BodyRef {
  return arena.i32[ref >>> CHUNK_SHIFT][bodyIndex(arena, ref)] as BodyRef;
}

export function setBody(arena: Arena, ref: RecordRef, body: BodyRef): void {
  arena.i32[ref >>> CHUNK_SHIFT][bodyIndex(arena, ref)] = body;
}

function bodyIndex(arena: Arena, ref: RecordRef): number {
  const i = (ref & GRANULE_MASK) << 1;
  return i + (HEAD_BYTES[arena.i32[ref >>> CHUNK_SHIFT][i] >>> FLAGS_SHIFT] >>> 2) - 1;
}
