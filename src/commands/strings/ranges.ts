/**
 * Parts of strings: APPEND, STRLEN, GETRANGE, SUBSTR, SETRANGE; and LCS, which compares two strings.
 */
import { NO_BYTES } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import { Notify } from "../../engine/listeners.ts";
import { copyBytes, type RecordRef } from "../../store/memory/arena.ts";
import { Encoding, NEVER, Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { CommonSubsequence } from "./lcs.ts";
import { type CommandSpec, keyAt, keyRange, notDeprecated } from "../../dispatch/spec.ts";

export const stringRangeCommands: readonly CommandSpec[] = [
  {
    name: "append",
    summary: "Adds text at the end of a string, or sets it if the key is missing.",
    since: "2.0.0",
    group: "string",
    complexity: "O(N) with N the length of the added text; room for growth makes the copying of the old one rare.",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
    partialEffect: "later",
    syntax: "key value",
    handler: append,
  },
  {
    name: "strlen",
    summary: "Tells the length of a string in bytes.",
    since: "2.2.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    syntax: "key",
    handler: strlen,
  },
  {
    name: "getrange",
    summary: "Returns a part of a string.",
    since: "2.4.0",
    group: "string",
    complexity: "O(N) with N the length of the part.",
    arity: 4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key start end",
    handler: getrange,
  },
  {
    name: "substr",
    summary: "Returns a part of a string.",
    since: "1.0.0",
    group: "string",
    complexity: "O(N) with N the length of the part.",
    arity: 4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key start end",
    deprecated: { since: "2.0.0", replacedBy: "`GETRANGE`" },
    valkey: notDeprecated,
    handler: getrange,
  },
  {
    name: "setrange",
    summary: "Overwrites a part of a string from an offset on, filling a gap with zero bytes.",
    since: "2.2.0",
    group: "string",
    complexity: "O(N) with N the length of the new part and of the gap before it.",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "RW UPDATE"),
    partialEffect: "elements",
    syntax: "key offset value",
    handler: setrange,
  },
  {
    name: "lcs",
    summary: "Finds the longest sequence of bytes that two strings have in common, in order but with gaps.",
    since: "7.0.0",
    group: "string",
    complexity: "O(N*M) with N and M the lengths of the two strings.",
    arity: -3,
    flags: ["readonly"],
    keys: keyRange(1, 1, 1, "RO ACCESS"),
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    handler: lcs,
  },
];

const lcsMessages = {
  notStrings: "ERR The specified keys must contain string values",
  lenAndIdx: "ERR If you want both the length and indexes, please just use IDX.",
  overLimit: "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
  noMemory: "ERR Insufficient memory, failed allocating transient memory for LCS",
} as const;

/**
 * Refuses a string longer than the maximum length of an argument. Commands from a file were checked when they were
 * written.
 */
function checkLength(call: Call, length: number): void {
  const { engine } = call;
  if (length > engine.settings.values.protoMaxBulkLen && !engine.persistence.loading) fail(messages.stringTooLong);
}

function append(call: Call): void {
  const { db, request } = call;
  const { bytes, start, end } = request;
  const added = end[2] - start[2];
  const ref = call.lookupTypeWrite(1, Type.STRING);
  let length = added;
  if (ref === 0) {
    db.setString(bytes, start[1], end[1], bytes, start[2], end[2], NEVER);
  } else {
    db.readString(ref);
    const old = db.length;
    length += old;
    checkLength(call, length);
    db.setEncoding(db.resizeString(ref, length), Encoding.RAW);
    copyBytes(bytes, start[2], end[2], db.bytes, db.start + old);
  }
  call.changed(Notify.STRING, "append", 1);
  call.reply.integer(length);
}

function strlen(call: Call): void {
  call.reply.integer(stringLength(call, call.lookupType(1, Type.STRING)));
}

function getrange(call: Call): void {
  let first = call.integer(2), last = call.integer(3);
  const { db, reply } = call;
  const length = stringLength(call, call.lookupType(1, Type.STRING));
  // If both indexes are before the beginning and start > end, the range is empty, although clipping would leave the
  // first byte.
  if (first < 0 && last < 0 && first > last) return reply.bulk(NO_BYTES);
  first = Math.max(0, first < 0 ? length + first : first);
  last = Math.min(length - 1, Math.max(0, last < 0 ? length + last : last));
  if (first > last) return reply.bulk(NO_BYTES);
  reply.bulk(db.bytes, db.start + first, db.start + last + 1);
}

function setrange(call: Call): void {
  const { db, reply, request } = call;
  const { bytes, start, end } = request;
  const offset = call.integer(2);
  if (offset < 0) fail("ERR offset is out of range");
  let ref = call.lookupTypeWrite(1, Type.STRING);
  const old = stringLength(call, ref);
  if (start[3] === end[3]) return reply.integer(old);
  const last = offset + end[3] - start[3];
  checkLength(call, last);
  if (ref === 0) ref = db.setString(bytes, start[1], end[1], NO_BYTES, 0, 0, NEVER);
  const length = Math.max(old, last);
  db.setEncoding(db.resizeString(ref, length), Encoding.RAW);
  copyBytes(bytes, start[3], end[3], db.bytes, db.start + offset);
  call.changed(Notify.STRING, "setrange", 1);
  reply.integer(length);
}

/** The length of the string of record `ref`, 0 if there is none; its address is in the registers of the database. */
function stringLength(call: Call, ref: RecordRef): number {
  if (ref === 0) return 0;
  call.db.readString(ref);
  return call.db.length;
}

/** A copy of the string of key argument i, empty if the key is missing. */
function operand(call: Call, i: number): Uint8Array {
  const { db } = call;
  const ref = call.lookup(i);
  if (ref === 0) return NO_BYTES;
  if (db.typeOf(ref) !== Type.STRING) fail(lcsMessages.notStrings);
  db.readString(ref);
  return db.bytes.slice(db.start, db.start + db.length);
}

function lcs(call: Call): void {
  const { reply } = call;
  const a = operand(call, 1), b = operand(call, 2);
  let idx = false, len = false, withMatchLen = false, minMatchLen = 0;
  for (let i = 3; i < call.argc; i++) {
    if (call.is(i, "idx")) idx = true;
    else if (call.is(i, "len")) len = true;
    else if (call.is(i, "withmatchlen")) withMatchLen = true;
    else if (call.is(i, "minmatchlen") && i + 1 < call.argc) minMatchLen = call.integer(++i);
    else fail(messages.syntax);
  }
  if (idx && len) fail(lcsMessages.lenAndIdx);
  if (CommonSubsequence.sizeBytes(a.length, b.length) > call.engine.settings.values.protoMaxBulkLen) {
    fail(lcsMessages.overLimit);
  }
  const common = compare(a, b);
  if (len) return reply.integer(common.length);
  if (!idx) return reply.bulk(common.bytes());
  const ranges = common.ranges().filter((range) => range.length >= minMatchLen);
  reply.map(2);
  reply.bulkText("matches");
  reply.array(ranges.length);
  for (const { a, b, length } of ranges) {
    reply.array(withMatchLen ? 3 : 2);
    for (const first of [a, b]) {
      reply.array(2);
      reply.integer(first);
      reply.integer(first + length - 1);
    }
    if (withMatchLen) reply.integer(length);
  }
  reply.bulkText("len");
  reply.integer(common.length);
}

function compare(a: Uint8Array, b: Uint8Array): CommonSubsequence {
  try {
    return new CommonSubsequence(a, b);
  } catch (error) {
    if (error instanceof RangeError) fail(lcsMessages.noMemory);
    throw error;
  }
}
