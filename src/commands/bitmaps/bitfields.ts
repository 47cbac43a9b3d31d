/**
 * BITFIELD: a string as an array of integers of any width. This file owns the operations, their overflow and their
 * log.
 *
 * Fields are BigInts, because they have up to 64 bits.
 */
import { equalsWord } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import { Notify } from "../../engine/listeners.ts";
import type { Request } from "../../resp/request.ts";
import { Type } from "../../store/keyspace.ts";
import { bitOffset, growString } from "./bit_call.ts";
import type { Call } from "../../dispatch/call.ts";
import { keyFlags } from "../../dispatch/key_flags.ts";
import { type CommandSpec, keyAt, type KeyPosition, type KeySpec } from "../../dispatch/spec.ts";

const badType = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
const badOverflow = "ERR Invalid OVERFLOW type specified";
const readOnly = "ERR BITFIELD_RO only supports the GET subcommand";

const getSyntax = "GET encoding offset";
const fieldKey: KeySpec = {
  ...keyAt(1, "RW ACCESS UPDATE VARIABLE_FLAGS")[0],
  notes: "This command allows both access and modification of the key",
};

/** The key: only read if all operations are GET. */
function fieldKeys({ argc, bytes, start, end }: Request): KeyPosition[] {
  const is = (i: number, word: string) => equalsWord(bytes, start[i], end[i], word);
  let i = 2;
  while (i < argc) {
    if (is(i, "get") && i + 2 < argc) i += 3;
    else if (is(i, "overflow") && i + 1 < argc) i += 2;
    else break;
  }
  return [{ index: 1, flags: keyFlags(i < argc ? "RW ACCESS UPDATE" : "RO ACCESS") }];
}

export const bitfieldCommands: readonly CommandSpec[] = [
  {
    name: "bitfield",
    summary: "Reads, writes and increments integers of any width in a string.",
    since: "3.2.0",
    group: "bitmap",
    complexity: "O(1) for each operation",
    arity: -2,
    flags: ["write", "denyoom"],
    keys: [fieldKey],
    findKeys: fieldKeys,
    syntax: `key [<${getSyntax} | <[OVERFLOW <WRAP | SAT | FAIL>] ` +
      "<SET encoding offset value | INCRBY encoding offset increment>>> ...]",
    types: { value: "integer" },
    handler: (call) => operate(call, false),
  },
  {
    name: "bitfield_ro",
    summary: "Reads integers of any width from a string.",
    since: "6.0.0",
    group: "bitmap",
    complexity: "O(1) for each operation",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: `key [${getSyntax} [${getSyntax} ...]]`,
    handler: (call) => operate(call, true),
  },
];

type Overflow = "wrap" | "sat" | "fail";

interface Field {
  readonly signed: boolean;
  readonly bits: number;
  readonly offset: number;
}

interface Operation extends Field {
  readonly kind: "get" | "set" | "incrby";
  readonly value: bigint;
  readonly overflow: Overflow;
}

/** Width and sign in argument i: "u1" to "u63", "i1" to "i64". */
function readType(call: Call, i: number): Omit<Field, "offset"> {
  const match = /^([ui])([1-9][0-9]?)$/.exec(call.text(i)) ?? fail(badType);
  const signed = match[1] === "i", bits = Number(match[2]);
  return bits > (signed ? 64 : 63) ? fail(badType) : { signed, bits };
}

function readOperations(call: Call): Operation[] {
  const operations: Operation[] = [];
  let overflow: Overflow = "wrap";
  for (let i = 2; i < call.argc; i++) {
    const follow = call.argc - i - 1;
    if (call.is(i, "overflow") && follow >= 1) {
      const word = call.text(++i).toLowerCase();
      overflow = word === "wrap" || word === "sat" || word === "fail" ? word : fail(badOverflow);
      continue;
    }
    const kind = call.text(i).toLowerCase();
    const isGet = kind === "get" && follow >= 2;
    if (!isGet && !((kind === "set" || kind === "incrby") && follow >= 3)) fail(messages.syntax);
    const type = readType(call, i + 1);
    const offset = bitOffset(call, i + 2, type.bits);
    const value = isGet ? 0n : call.int64(i + 3);
    operations.push({ ...type, kind: kind as Operation["kind"], offset, value, overflow });
    i += isGet ? 2 : 3;
  }
  return operations;
}

function operate(call: Call, onlyReads: boolean): void {
  const { db, reply } = call;
  const operations = readOperations(call);
  const writes = operations.filter(({ kind }) => kind !== "get");
  let grew = false;
  if (writes.length > 0) {
    if (onlyReads) fail(readOnly);
    grew = growString(call, Math.max(...writes.map(({ offset, bits }) => offset + bits - 1)));
  } else {
    const ref = call.lookupType(1, Type.STRING);
    if (ref !== 0) db.readString(ref);
    else db.length = 0;
  }
  let changes = 0;
  reply.array(operations.length);
  for (const operation of operations) {
    const old = readField(call, operation);
    if (operation.kind === "get") {
      reply.bigInteger(old);
      continue;
    }
    const isSet = operation.kind === "set";
    const { value, fits } = isSet ? fitted(operation, operation.value, 0n) : fitted(operation, old, operation.value);
    if (!fits && operation.overflow === "fail") {
      reply.null();
      continue;
    }
    reply.bigInteger(isSet ? old : value);
    writeField(call, operation, value);
    if (grew || value !== old) changes++;
  }
  if (changes > 0) {
    call.changed(Notify.STRING, "setbit", 1, changes);
  }
}

/** The sum of a value and an increment, adjusted to the width of the field, and whether it overflowed or not. */
function fitted(field: Operation, value: bigint, increment: bigint): { value: bigint; fits: boolean } {
  const { signed, overflow } = field, bits = BigInt(field.bits);
  const max = signed ? 2n ** (bits - 1n) - 1n : 2n ** bits - 1n, min = signed ? -max - 1n : 0n;
  if (!signed) value = BigInt.asUintN(64, value);
  // Redis computes the distances to the limits in 64 bits, where they wrap: a value far below the minimum counts as
  // above the maximum.
  const above = BigInt.asIntN(64, max - value), below = BigInt.asIntN(64, min - value);
  let limit: bigint | undefined;
  if (signed) {
    const narrow = bits !== 64n;
    if (value > max || (increment > above && (narrow || (value >= 0n && increment > 0n)))) limit = max;
    else if (value < min || (increment < below && (narrow || (value < 0n && increment < 0n)))) limit = min;
  } else if (value > max || (increment > 0n && increment > above)) {
    limit = max;
  } else if (increment < 0n && increment < below) {
    limit = min;
  }
  const sum = value + increment;
  const wrapped = signed ? BigInt.asIntN(field.bits, sum) : BigInt.asUintN(field.bits, sum);
  return { value: limit !== undefined && overflow === "sat" ? limit : wrapped, fits: limit === undefined };
}

/** The bytes that a field overlaps. */
function span({ offset, bits }: Field): { first: number; last: number; shift: bigint } {
  const first = Math.floor(offset / 8), last = Math.floor((offset + bits - 1) / 8);
  return { first, last, shift: BigInt((last + 1) * 8 - offset - bits) };
}

/** The bytes from `first` to `last` of the string in the registers as one number; bytes beyond its end are zero. */
function readBytes(call: Call, first: number, last: number): bigint {
  const { bytes, start, length } = call.db;
  let value = 0n;
  for (let i = first; i <= last; i++) value = value << 8n | BigInt(i < length ? bytes[start + i] : 0);
  return value;
}

function readField(call: Call, field: Field): bigint {
  const { first, last, shift } = span(field);
  const value = readBytes(call, first, last) >> shift;
  return field.signed ? BigInt.asIntN(field.bits, value) : BigInt.asUintN(field.bits, value);
}

function writeField(call: Call, field: Field, value: bigint): void {
  const { bytes, start } = call.db;
  const { first, last, shift } = span(field);
  const mask = (2n ** BigInt(field.bits) - 1n) << shift;
  let all = (readBytes(call, first, last) & ~mask) | (BigInt.asUintN(field.bits, value) << shift);
  for (let i = last; i >= first; i--) {
    bytes[start + i] = Number(all & 0xffn);
    all >>= 8n;
  }
}
