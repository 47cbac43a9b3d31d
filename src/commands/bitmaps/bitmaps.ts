/**
 * The commands on strings as arrays of bits: single bits, counts, searches and BITOP. Bit 0 is the highest bit of the
 * first byte. Bits beyond the end of a string, and those of a missing key, are zero.
 */
import { type BitOperation, combineBits, countBits, countTwice, findByte, onesOf } from "../../core/bits.ts";
import { NO_BYTES } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import { Notify } from "../../engine/listeners.ts";
import { Encoding, NEVER, Type } from "../../store/keyspace.ts";
import { bitOffset, growString } from "./bit_call.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt, keyRange } from "../../dispatch/spec.ts";

const badBit = "ERR bit is not an integer or out of range";
const badSoughtBit = "ERR The bit argument must be 1 or 0.";
const notTakesOne = "ERR BITOP NOT must be called with a single source key.";

export const bitmapCommands: readonly CommandSpec[] = [
  {
    name: "setbit",
    summary: "Sets or clears a bit of a string, which grows to hold it, and returns the old bit.",
    since: "2.2.0",
    group: "bitmap",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    partialEffect: "elements",
    syntax: "key offset value",
    types: { value: "integer" },
    handler: setBit,
  },
  {
    name: "getbit",
    summary: "Returns a bit of a string.",
    since: "2.2.0",
    group: "bitmap",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key offset",
    handler: getBit,
  },
  {
    name: "bitcount",
    summary: "Counts the bits that are set in a string, or from one byte or bit of it to another.",
    since: "2.6.0",
    group: "bitmap",
    complexity: "O(N) with N bytes",
    arity: -2,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key [start end [BYTE | BIT]]",
    valkey: { syntax: "key [start [end [BYTE | BIT]]]" },
    differs: ["The end may be missing in Valkey, and with MemDB under both personalities."],
    handler: count,
  },
  {
    name: "bitpos",
    summary: "Finds the first bit of a value in a string, or from one byte or bit of it to another.",
    since: "2.8.7",
    group: "bitmap",
    complexity: "O(N) with N bytes",
    arity: -3,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key bit [start [end [BYTE | BIT]]]",
    handler: position,
  },
  {
    name: "bitop",
    summary: "Combines strings bit by bit, and stores the result.",
    since: "2.6.0",
    group: "bitmap",
    complexity: "O(N) with N bytes in the longest of them, for each of them",
    arity: -4,
    flags: ["write", "denyoom"],
    keys: [...keyAt(2, "OW UPDATE"), ...keyRange(3, -1, 1, "RO ACCESS")],
    syntax: "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
    valkey: { syntax: "<AND | OR | XOR | NOT> destkey key [key ...]" },
    handler: operate,
  },
];

function setBit(call: Call): void {
  const { db } = call;
  const offset = bitOffset(call, 2, 0);
  const value = call.integerIn(3, 0, 1, badBit, badBit);
  const grew = growString(call, offset);
  const at = db.start + Math.floor(offset / 8), mask = 128 >>> (offset & 7);
  const old = (db.bytes[at] & mask) === 0 ? 0 : 1;
  if (old !== value) db.bytes[at] ^= mask;
  if (grew || old !== value) call.changed(Notify.STRING, "setbit", 1);
  call.reply.integer(old);
}

/**
 * Leaves the string of key argument i, empty if the key is missing, in the registers of the database. Returns whether
 * the key exists.
 */
function readString(call: Call, i: number): boolean {
  const { db } = call;
  const ref = call.lookupType(i, Type.STRING);
  if (ref !== 0) {
    db.readString(ref);
  } else {
    db.bytes = NO_BYTES;
    db.start = db.length = 0;
  }
  return ref !== 0;
}

function getBit(call: Call): void {
  const { db } = call;
  const offset = bitOffset(call, 2, 0);
  readString(call, 1);
  const index = Math.floor(offset / 8);
  const byte = index < db.length ? db.bytes[db.start + index] : 0;
  call.reply.integer((byte >>> (7 - (offset & 7))) & 1);
}

/** Whether argument i says BIT, and not BYTE. */
function inBits(call: Call, i: number): boolean {
  if (call.is(i, "bit")) return true;
  return call.is(i, "byte") ? false : fail(messages.syntax);
}

function count(call: Call): void {
  const { db, argc } = call;
  let first = 0, last = -1, bits = false;
  if (argc > 5) fail(messages.syntax);
  // Without an end Redis complains of the syntax only.
  if (argc > 2) first = call.integer(2, argc === 3 && !call.valkey ? messages.syntax : messages.notInteger);
  if (argc === 5 && call.valkey) bits = inBits(call, 4);
  if (argc > 3) last = call.integer(3);
  if (argc === 5) bits = inBits(call, 4);
  readString(call, 1);
  const length = bits ? db.length * 8 : db.length;
  if (first < 0 && last < 0 && first > last) return call.reply.integer(0);
  first = Math.max(0, first < 0 ? length + first : first);
  last = Math.min(length - 1, Math.max(0, last < 0 ? length + last : last));
  if (first > last) return call.reply.integer(0);
  if (!bits) return call.reply.integer(countBits(db.bytes, db.start + first, db.start + last + 1));
  const from = db.start + Math.floor(first / 8), to = db.start + Math.floor(last / 8);
  // Counts all bits of the bytes, without those before the first and after the last bit of the range.
  const before = onesOf(db.bytes[from] & ~(0xff >>> (first & 7))),
    behind = onesOf(db.bytes[to] & (0x7f >>> (last & 7)));
  call.reply.integer(countBits(db.bytes, from, to + 1) - before - behind);
}

function position(call: Call): void {
  const { db, argc, reply } = call;
  const bit = call.integerIn(2, 0, 1, badSoughtBit);
  let first = 0, last = -1, bits = false;
  if (argc > 6) fail(messages.syntax);
  if (argc > 3) first = call.integer(3);
  if (argc === 6) bits = inBits(call, 5);
  if (argc > 4) last = call.integer(4);
  if (!readString(call, 1)) return reply.integer(bit === 1 ? -1 : 0);
  const length = bits ? db.length * 8 : db.length;
  first = Math.max(0, first < 0 ? length + first : first);
  last = Math.min(length - 1, Math.max(0, last < 0 ? length + last : last));
  if (first > last) return reply.integer(-1);
  const found = findBit(call, bits ? first : first * 8, bits ? last : last * 8 + 7, bit);
  // Without an explicit end, the string continues with zeros.
  reply.integer(found < 0 && bit === 0 && argc < 5 ? db.length * 8 : found);
}

/** Index of the first bit in [first, last] of the string in the registers that has the value; -1 if there is none. */
function findBit(call: Call, first: number, last: number, bit: number): number {
  const { bytes, start } = call.db;
  const at = (index: number) => (bytes[start + Math.floor(index / 8)] >>> (7 - (index & 7))) & 1;
  let index = first;
  while ((index & 7) !== 0 && index <= last) {
    if (at(index) === bit) return index;
    index++;
  }
  if (index <= last) {
    index = (findByte(bytes, start + index / 8, start + Math.floor(last / 8) + 1, bit) - start) * 8;
  }
  for (; index <= last; index++) if (at(index) === bit) return index;
  return -1;
}

/** A string in the arena; it may be missing. */
interface Operand {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

type Combine = (length: number, operands: readonly Operand[]) => Uint8Array;

/**
 * Buffers for results, which the next BITOP uses again while the collector has not taken them: fresh memory costs more
 * than the operation.
 */
const scratch = [new WeakRef(new Uint8Array(0)), new WeakRef(new Uint8Array(0))];

/** Zeros in one of the two buffers. */
function zeros(length: number, which = 0): Uint8Array {
  const kept = scratch[which].deref();
  if (kept !== undefined && kept.length >= length) return kept.subarray(0, length).fill(0);
  const made = new Uint8Array(length);
  scratch[which] = new WeakRef(made);
  return made;
}

/** Operations on any number of strings, applied one after the other. */
function folding(operation: BitOperation): Combine {
  return (length, operands) => {
    const [first, ...rest] = operands;
    const result = united(length, [first]);
    for (const { bytes, start, end } of rest) combineBits(result, bytes, start, end, operation);
    return result;
  };
}

function united(length: number, [first, ...rest]: readonly Operand[]): Uint8Array {
  const result = zeros(length);
  result.set(first.bytes.subarray(first.start, first.end));
  for (const { bytes, start, end } of rest) combineBits(result, bytes, start, end, "or");
  return result;
}

/** Operations on the first string and the union of the others. */
function againstUnion(operation: BitOperation): Combine {
  return (length, [first, ...others]) => {
    const result = united(length, others);
    combineBits(result, first.bytes, first.start, first.end, operation);
    return result;
  };
}

function inverted(length: number, [{ bytes, start }]: readonly Operand[]): Uint8Array {
  const result = zeros(length).fill(0xff);
  combineBits(result, bytes, start, start + length, "xor");
  return result;
}

/** The bits that are set in exactly one string. */
function inOne(length: number, operands: readonly Operand[]): Uint8Array {
  const [first, ...rest] = operands;
  const any = united(length, [first]), several = zeros(length, 1);
  for (const { bytes, start, end } of rest) countTwice(any, several, bytes, start, end);
  combineBits(any, several, 0, length, "and not");
  return any;
}

const OPERATIONS: Readonly<Record<string, { readonly combine: Combine; readonly keysMin?: number }>> = {
  and: { combine: folding("and") },
  or: { combine: folding("or") },
  xor: { combine: folding("xor") },
  not: { combine: inverted },
  diff: { combine: folding("and not"), keysMin: 2 },
  diff1: { combine: againstUnion("and not"), keysMin: 2 },
  andor: { combine: againstUnion("and"), keysMin: 2 },
  one: { combine: inOne },
};

function operate(call: Call): void {
  const { db, argc } = call;
  const name = call.text(1).toLowerCase();
  if (!Object.hasOwn(OPERATIONS, name)) fail(messages.syntax);
  const { combine, keysMin = 1 } = OPERATIONS[name];
  if (name === "not" && argc !== 4) fail(notTakesOne);
  if (argc - 3 < keysMin) fail(`ERR BITOP ${name.toUpperCase()} must be called with at least two source keys.`);
  const operands: Operand[] = [];
  let length = 0;
  for (let i = 3; i < argc; i++) {
    readString(call, i);
    operands.push({ bytes: db.bytes, start: db.start, end: db.start + db.length });
    length = Math.max(length, db.length);
  }
  const { bytes, start, end } = call.request;
  if (length > 0) {
    const result = combine(length, operands), before = call.typeBefore(2);
    const ref = db.setString(bytes, start[2], end[2], result, 0, length, NEVER);
    db.setEncoding(ref, Encoding.RAW);
    call.overwrote(2, before, Type.STRING);
    call.changed(Notify.STRING, "set", 2);
  } else if (db.remove(bytes, start[2], end[2])) {
    call.changed(Notify.GENERIC, "del", 2);
  }
  call.reply.integer(length);
}
