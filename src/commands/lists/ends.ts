/**
 * The commands that push to an end of a list, pop from one, or move elements between lists. This file owns their
 * arguments, replies and events; the structure of a list belongs to the store.
 *
 * Popping and moving (`popOne`, `popRange`, `moveElement`) are separate from the parsing of arguments, because the
 * blocking commands use them once there is an element.
 */
import { fail, messages } from "../../core/errors.ts";
import { INT64_BOUND } from "../../core/numbers.ts";
import { entriesBytes } from "../../store/blocks/entry.ts";
import { Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { changed, keep, keepOrDelete, listsOf, openList, replyElement } from "./list_call.ts";
import { type CommandSpec, keyAt, keyCount, notDeprecated } from "../../dispatch/spec.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

const keysPositive = "ERR numkeys should be greater than 0";
export const countPositive = "ERR count should be greater than 0";

const pushSyntax = "key element [element ...]";
/** The ends of a list in syntax notation. */
export const positions = "<LEFT | RIGHT>";

export const listEndCommands: readonly CommandSpec[] = [
  {
    name: "lpush",
    summary: "Adds elements before the first of a list, one after the other; makes the list if there is none.",
    since: "1.0.0",
    group: "list",
    complexity: "O(1) for each element",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
    partialEffect: "head",
    syntax: pushSyntax,
    handler: (call) => push(call, false, true, "lpush"),
  },
  {
    name: "rpush",
    summary: "Adds elements behind the last of a list; makes the list if there is none.",
    since: "1.0.0",
    group: "list",
    complexity: "O(1) for each element",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
    partialEffect: "tail",
    syntax: pushSyntax,
    handler: (call) => push(call, true, true, "rpush"),
  },
  {
    name: "lpushx",
    summary: "Adds elements before the first of a list that exists.",
    since: "2.2.0",
    group: "list",
    complexity: "O(1) for each element",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
    partialEffect: "head",
    syntax: pushSyntax,
    handler: (call) => push(call, false, false, "lpush"),
  },
  {
    name: "rpushx",
    summary: "Adds elements behind the last of a list that exists.",
    since: "2.2.0",
    group: "list",
    complexity: "O(1) for each element",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
    partialEffect: "tail",
    syntax: pushSyntax,
    handler: (call) => push(call, true, false, "rpush"),
  },
  {
    name: "lpop",
    summary: "Removes the first element of a list, or several, and returns the removed elements.",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) for N elements returned",
    arity: -2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    partialEffect: "head",
    syntax: "key [count]",
    handler: (call) => pop(call, false),
  },
  {
    name: "rpop",
    summary: "Removes the last element of a list, or several, and returns the removed elements.",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) for N elements returned",
    arity: -2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    partialEffect: "tail",
    syntax: "key [count]",
    handler: (call) => pop(call, true),
  },
  {
    name: "lmove",
    summary: "Moves an element from an end of a list to an end of another, or of the same, and returns it.",
    since: "6.2.0",
    group: "list",
    complexity: "O(1)",
    arity: 5,
    flags: ["write", "denyoom"],
    keys: [...keyAt(1, "RW ACCESS DELETE"), ...keyAt(2, "RW INSERT")],
    syntax: `source destination ${positions} ${positions}`,
    handler: (call) => move(call, atTail(call, 3), atTail(call, 4)),
  },
  {
    name: "rpoplpush",
    summary: "Moves the last element of a list to the head of another, or of the same, and returns it.",
    since: "1.2.0",
    group: "list",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom"],
    keys: [...keyAt(1, "RW ACCESS DELETE"), ...keyAt(2, "RW INSERT")],
    syntax: "source destination",
    deprecated: { since: "6.2.0", replacedBy: "`LMOVE` with the `RIGHT` and `LEFT` arguments" },
    valkey: notDeprecated,
    handler: (call) => move(call, true, false),
  },
  {
    name: "lmpop",
    summary: "Removes elements from the first of several lists that has any, and returns them with the list's key.",
    since: "7.0.0",
    group: "list",
    complexity: "O(N+M) with N keys and M elements returned",
    arity: -4,
    flags: ["write", "movablekeys"],
    keys: keyCount(1, "RW ACCESS DELETE"),
    syntax: `numkeys key [key ...] ${positions} [COUNT count]`,
    handler: (call) => {
      if (!popFromFirst(call, parsePop(call, 1))) call.reply.nullArray();
    },
  },
];

/** Whether argument i is RIGHT rather than LEFT. */
export function atTail(call: Call, i: number): boolean {
  if (call.is(i, "right")) return true;
  return call.is(i, "left") ? false : fail(messages.syntax);
}

/** Hot. */
function push(call: Call, tail: boolean, create: boolean, event: string): void {
  const { db, argc } = call;
  const { bytes, start, end } = call.request;
  const ref = call.lookupTypeWrite(1, Type.LIST);
  if (ref === 0 && !create) {
    call.reply.integer(0);
    return;
  }
  let total = 0;
  for (let i = 2; i < argc; i++) total += end[i] - start[i];
  const list = listsOf(call);
  if (ref === 0) list.create(entriesBytes(bytes, start, end, 2, argc));
  else list.open(db.encodingOf(ref), db.bodyOf(ref));
  list.growFor(total, argc - 2);
  for (let i = 2; i < argc; i++) {
    if (tail) list.pushTail(bytes, start[i], end[i]);
    else list.pushHead(bytes, start[i], end[i]);
  }
  if (ref === 0) db.add(bytes, start[1], end[1], Type.LIST, list.encoding, list.body);
  else keep(call, ref, list);
  changed(call, event, 1, argc - 2);
  call.reply.integer(list.length);
}

/** Hot without a count. */
function pop(call: Call, tail: boolean): void {
  if (call.argc > 3) call.failArity();
  const counted = call.argc === 3;
  const count = counted ? call.integerIn(2, 0, INT64_BOUND, messages.mustBePositive, messages.mustBePositive) : 1;
  const ref = call.lookupTypeWrite(1, Type.LIST);
  if (ref === 0) {
    if (counted) call.reply.nullArray();
    else call.reply.null();
  } else if (!counted) {
    popOne(call, ref, 1, tail);
  } else if (count === 0) {
    call.reply.array(0);
  } else {
    popRange(call, ref, 1, tail, count);
  }
}

/** Removes an element from an end of the list of key argument i, and replies with it. */
export function popOne(call: Call, ref: RecordRef, i: number, tail: boolean): void {
  const list = openList(call, ref);
  if (tail) list.readTail();
  else list.readHead();
  replyElement(call, list);
  if (tail) list.removeTail();
  else list.removeHead();
  changed(call, tail ? "rpop" : "lpop", i, 1);
  keepOrDelete(call, ref, list, i);
}

/**
 * Removes up to `count` elements from that end and replies with them in an array, in order of removal; returns their
 * number.
 */
function popRange(call: Call, ref: RecordRef, i: number, tail: boolean, count: number): number {
  const list = openList(call, ref);
  const { length } = list;
  const n = Math.min(count, length);
  call.reply.array(n);
  list.seek(tail ? length - 1 : 0);
  for (let k = 0; k < n; k++) {
    if (tail) list.back();
    else list.next();
    replyElement(call, list);
  }
  if (n < length) list.removeRange(tail ? length - n : 0, n);
  changed(call, tail ? "rpop" : "lpop", i, n);
  keepOrDelete(call, ref, list, i, length - n);
  return n;
}

export function move(call: Call, fromTail: boolean, toTail: boolean): void {
  const source = call.lookupTypeWrite(1, Type.LIST);
  if (source === 0) {
    call.reply.null();
    return;
  }
  const target = call.lookupTypeWrite(2, Type.LIST);
  moveElement(call, source, fromTail, target, toTail);
}

/** Buffer for an element on its way between two lists, in neither of which it can stay while they change. */
let carried = new Uint8Array(1024);
const CARRIED_BYTES_MAX = 1 << 16;

/**
 * Moves an element from the list of key argument 1, which exists, to the list of key argument 2, and replies with it.
 * `target` is the record of the second, 0 if it is missing.
 */
function moveElement(call: Call, source: RecordRef, fromTail: boolean, target: RecordRef, toTail: boolean): void {
  const list = openList(call, source);
  const { packed } = list;
  if (fromTail) list.readTail();
  else list.readHead();
  replyElement(call, list);
  const { length: size, integer } = packed;
  if (carried.length < size) carried = new Uint8Array(size);
  carried.set(packed.bytes.subarray(packed.start, packed.start + size));
  if (fromTail) list.removeTail();
  else list.removeHead();
  keep(call, source, list);

  if (target === 0) list.create();
  else list.open(call.db.encodingOf(target), call.db.bodyOf(target));
  // An element stored as an integer counts as length 0 here, as in Redis.
  list.growFor(integer ? 0 : size, 1);
  if (toTail) list.pushTail(carried, 0, size);
  else list.pushHead(carried, 0, size);
  if (carried.length > CARRIED_BYTES_MAX) carried = new Uint8Array(1024);
  if (target === 0) {
    const { bytes, start, end } = call.request;
    call.db.add(bytes, start[2], end[2], Type.LIST, list.encoding, list.body);
  } else {
    keep(call, target, list);
  }
  changed(call, toTail ? "rpush" : "lpush", 2, 0);
  changed(call, fromTail ? "rpop" : "lpop", 1, 1);
  keepOrDelete(call, source, openList(call, source), 1);
}

/** The parsed arguments of LMPOP and BLMPOP: key arguments `first` to `last`, the end and the count. */
export interface Pop {
  readonly first: number;
  readonly last: number;
  readonly tail: boolean;
  readonly count: number;
}

/** Parses `numkeys key [key ...] LEFT | RIGHT [COUNT count]` from argument i on. */
export function parsePop(call: Call, i: number): Pop {
  const keys = call.integerIn(i, 1, INT64_BOUND, keysPositive, keysPositive);
  const where = i + 1 + keys;
  if (where >= call.argc) fail(messages.syntax);
  const tail = atTail(call, where);
  let count = 1;
  if (call.argc > where + 1) {
    if (call.argc === where + 2 || !call.is(where + 1, "count")) fail(messages.syntax);
    count = call.integerIn(where + 2, 1, INT64_BOUND, countPositive, countPositive);
    if (call.argc > where + 3) fail(messages.syntax);
  }
  return { first: i + 1, last: where - 1, tail, count };
}

/**
 * Pops from the first list that exists and replies with the elements; returns false, without a reply, if none exists.
 */
export function popFromFirst(call: Call, { first, last, tail, count }: Pop): boolean {
  for (let i = first; i <= last; i++) {
    const ref = call.lookupTypeWrite(i, Type.LIST);
    if (ref === 0) continue;
    call.reply.array(2);
    call.reply.bulk(call.bytes, call.start(i), call.end(i));
    const popped = popRange(call, ref, i, tail, count);
    call.logInstead(tail ? "RPOP" : "LPOP", call.view(i), popped);
    return true;
  }
  return false;
}
