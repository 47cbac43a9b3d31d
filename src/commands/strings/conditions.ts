/**
 * Conditions on the value of a string, which SET and DELEX take: that it equals a text, or that its digest does, and
 * the opposite of both. DIGEST replies the digest, DELIFEQ is Valkey's DELEX.
 */
import { bytesEqual, equalsWord } from "../../core/bytes.ts";
import { fail } from "../../core/errors.ts";
import { DIGEST_LENGTH, xxh3Digest } from "../../core/xxh3_64.ts";
import type { Call } from "../../dispatch/call.ts";
import { keyFlags } from "../../dispatch/key_flags.ts";
import { type CommandSpec, keyAt, type KeyPosition } from "../../dispatch/spec.ts";
import type { Request } from "../../resp/request.ts";
import { Type } from "../../store/keyspace.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import { drop } from "./string_call.ts";

export const ValueCondition = { NONE: 0, IFEQ: 1, IFNE: 2, IFDEQ: 3, IFDNE: 4 } as const;
export type ValueCondition = typeof ValueCondition[keyof typeof ValueCondition];

export const CONDITION_SYNTAX = "IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest";
export const CONDITION_TYPES = { "ifdeq-digest": "integer", "ifdne-digest": "integer" } as const;

const BAD_DIGEST = `ERR must be exactly ${DIGEST_LENGTH} hexadecimal characters`;
const BAD_CONDITION = "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE";
const NO_STRING = "ERR Key should be of string type if conditions are specified";

export const conditionalStringCommands: readonly CommandSpec[] = [
  {
    name: "delex",
    summary: "Deletes a key, optionally only if its string or the digest of it is, or is not, a given one.",
    since: "8.4.0",
    group: "string",
    complexity: "O(1) for IFEQ and IFNE; O(N) with N the length of the string for IFDEQ and IFDNE.",
    arity: -2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW DELETE VARIABLE_FLAGS"),
    findKeys: delexKeys,
    syntax: `key [${CONDITION_SYNTAX}]`,
    types: CONDITION_TYPES,
    only: "redis",
    handler: delex,
  },
  {
    name: "delifeq",
    summary: "Deletes a key if its string is a given one.",
    since: "9.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RM DELETE"),
    syntax: "key value",
    only: "valkey",
    handler: delifeq,
  },
  {
    name: "digest",
    summary: "Returns the XXH3 digest of a string, in hexadecimal digits.",
    since: "8.4.0",
    group: "string",
    complexity: "O(N) with N the length of the string.",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    only: "redis",
    handler: digest,
  },
];

/** The condition that argument i names. */
export function conditionAt({ bytes, start, end }: Request, i: number): ValueCondition {
  const from = start[i], to = end[i];
  if (equalsWord(bytes, from, to, "ifeq")) return ValueCondition.IFEQ;
  if (equalsWord(bytes, from, to, "ifne")) return ValueCondition.IFNE;
  if (equalsWord(bytes, from, to, "ifdeq")) return ValueCondition.IFDEQ;
  return equalsWord(bytes, from, to, "ifdne") ? ValueCondition.IFDNE : ValueCondition.NONE;
}

/** Whether the string of record `ref` meets the condition with argument i. Throws CommandError. */
export function valueMeets(call: Call, ref: RecordRef, condition: ValueCondition, i: number): boolean {
  const { bytes, start, end } = call.request, { db } = call;
  const ofValue = condition === ValueCondition.IFEQ || condition === ValueCondition.IFNE;
  const wanted = condition === ValueCondition.IFEQ || condition === ValueCondition.IFDEQ;
  if (!ofValue && end[i] - start[i] !== DIGEST_LENGTH) fail(BAD_DIGEST);
  db.readString(ref);
  const from = db.start, to = from + db.length;
  if (ofValue) return bytesEqual(db.bytes, from, to, bytes, start[i], end[i]) === wanted;
  return xxh3Digest(db.view, from, to).every((digit, k) => digit === lowerCase(bytes[start[i] + k])) === wanted;
}

function lowerCase(letter: number): number {
  return letter >= 65 && letter <= 90 ? letter + 32 : letter;
}

/** With a condition DELEX compares the value, and without one it replaces nothing that it reads. */
function delexKeys(request: Request): KeyPosition[] {
  for (let i = 2; i < request.argc; i++) {
    if (conditionAt(request, i) !== ValueCondition.NONE) return [{ index: 1, flags: keyFlags("RW DELETE") }];
  }
  return [{ index: 1, flags: keyFlags("RM DELETE") }];
}

function delex(call: Call): void {
  const { argc, db, reply } = call;
  if (argc !== 2 && argc !== 4) call.failArity();
  const ref = argc === 2 ? call.lookupWrite(1) : call.lookup(1);
  if (ref === 0) return reply.integer(0);
  if (argc === 4) {
    if (db.typeOf(ref) !== Type.STRING) fail(NO_STRING);
    const condition = conditionAt(call.request, 2);
    if (condition === ValueCondition.NONE) fail(BAD_CONDITION);
    if (!valueMeets(call, ref, condition, 3)) return reply.integer(0);
  }
  drop(call, ref);
  reply.integer(1);
}

function delifeq(call: Call): void {
  const ref = call.lookupTypeWrite(1, Type.STRING);
  const equal = ref !== 0 && valueMeets(call, ref, ValueCondition.IFEQ, 2);
  if (equal) drop(call, ref);
  call.reply.integer(equal ? 1 : 0);
}

function digest(call: Call): void {
  const { db, reply } = call;
  const ref = call.lookupType(1, Type.STRING);
  if (ref === 0) return reply.null();
  db.readString(ref);
  reply.bulk(xxh3Digest(db.view, db.start, db.start + db.length), 0, DIGEST_LENGTH);
}
