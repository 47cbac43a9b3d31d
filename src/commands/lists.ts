/**
 * The list commands. This file owns their arguments, replies and events; what a list is made of is the store's business.
 *
 * Popping and moving stand apart from the commands that read their arguments (`popOne`, `popRange`, `moveElement`): the
 * blocking forms do the same once there is something to pop.
 */
import { fail, messages } from "../core/errors.ts";
import { Notify } from "../engine/engine.ts";
import { entriesBytes } from "../store/entry.ts";
import { Type } from "../store/keyspace.ts";
import type { List } from "../store/list.ts";
import type { Call } from "./call.ts";
import { type CommandSpec, keyAt, keyCount } from "./spec.ts";

const INT64_MAX = 2 ** 63;

const rankZero = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative " +
  "to start from the end of the list";
const rankRange = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
const keysPositive = "ERR numkeys should be greater than 0";
const countPositive = "ERR count should be greater than 0";

const pushSyntax = "key element [element ...]";
const positions = "<LEFT | RIGHT>";

export const listCommands: readonly CommandSpec[] = [
  {
    name: "lpush",
    summary: "Adds elements before the first of a list, one after the other; makes the list if there is none.",
    since: "1.0.0",
    group: "list",
    complexity: "O(1) for each element",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
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
    syntax: pushSyntax,
    handler: (call) => push(call, true, false, "rpush"),
  },
  {
    name: "lpop",
    summary: "Removes the first element of a list, or several, and returns what it removed.",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) for N elements returned",
    arity: -2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    syntax: "key [count]",
    handler: (call) => pop(call, false),
  },
  {
    name: "rpop",
    summary: "Removes the last element of a list, or several, and returns what it removed.",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) for N elements returned",
    arity: -2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    syntax: "key [count]",
    handler: (call) => pop(call, true),
  },
  {
    name: "llen",
    summary: "Returns the number of elements of a list.",
    since: "1.0.0",
    group: "list",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    syntax: "key",
    handler: length,
  },
  {
    name: "lrange",
    summary: "Returns the elements of a list from one index to another.",
    since: "1.0.0",
    group: "list",
    complexity: "O(S+N) with S elements between the nearer end and the start, and N elements returned",
    arity: 4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key start stop",
    handler: range,
  },
  {
    name: "lindex",
    summary: "Returns the element of a list at an index.",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) with N elements between the nearer end and the index",
    arity: 3,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key index",
    handler: elementAt,
  },
  {
    name: "lset",
    summary: "Replaces the element of a list at an index.",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) with N elements between the nearer end and the index",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: "key index element",
    handler: setAt,
  },
  {
    name: "linsert",
    summary: "Inserts an element before or after the first that equals another.",
    since: "2.2.0",
    group: "list",
    complexity: "O(N) with N elements before the pivot",
    arity: 5,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "RW INSERT"),
    syntax: "key <BEFORE | AFTER> pivot element",
    handler: insert,
  },
  {
    name: "lrem",
    summary: "Removes elements that equal a value: all, or a number of them from the head or, if negative, the tail.",
    since: "1.0.0",
    group: "list",
    complexity: "O(N+M) with N elements in the list and M removed",
    arity: 4,
    flags: ["write"],
    keys: keyAt(1, "RW DELETE"),
    syntax: "key count element",
    handler: removeEqual,
  },
  {
    name: "ltrim",
    summary: "Removes all elements of a list but those from one index to another.",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) for N elements removed",
    arity: 4,
    flags: ["write"],
    keys: keyAt(1, "RW DELETE"),
    syntax: "key start stop",
    handler: trim,
  },
  {
    name: "lpos",
    summary: "Returns the indices at which a value stands in a list.",
    since: "6.0.6",
    group: "list",
    complexity: "O(N) with N elements compared",
    arity: -3,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    handler: indicesOf,
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
    handler: popFromFirst,
  },
];

/** The store's lists. */
function lists(call: Call): List {
  return call.store.valueType(Type.LIST) as List;
}

/** Takes up the list of a record. */
function open(call: Call, ref: number): List {
  const list = lists(call);
  list.open(call.db.encodingOf(ref), call.db.bodyOf(ref));
  return list;
}

/** Puts the list at hand back into its record. */
function keep(call: Call, ref: number, list: List): void {
  const { db } = call;
  if (db.bodyOf(ref) === list.body && db.encodingOf(ref) === list.encoding) return;
  db.setBody(ref, list.body);
  db.setEncoding(ref, list.encoding);
}

/** Announces one event of key argument i that stands for `count` changes. */
function changed(call: Call, event: string, i: number, count: number): void {
  call.modified(Notify.LIST, event, i);
  call.dirty += count - 1;
}

/** Puts a list back that elements were removed from, or deletes its key with the last of them. */
function keepOrDelete(call: Call, ref: number, list: List, i: number): void {
  if (list.length > 0) {
    list.shrink();
    keep(call, ref, list);
    return;
  }
  keep(call, ref, list);
  call.db.unlink(ref);
  call.modified(Notify.GENERIC, "del", i);
  call.dirty--;
}

/** An index argument as it counts from the head: negative ones count from the tail. */
function fromHead(index: number, length: number): number {
  return index < 0 ? index + length : index;
}

/** Replies with the element that was read last. Hot. */
function replyElement(call: Call, list: List): void {
  const { packed } = list;
  if (packed.integer) {
    packed.text();
    call.reply.bulk(packed.bytes, packed.start, packed.start + packed.length);
  } else {
    call.reply.bulkView(packed.view, packed.start, packed.start + packed.length);
  }
}

/** Whether argument i says RIGHT, and not LEFT. */
function atTail(call: Call, i: number): boolean {
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
  const list = lists(call);
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
  if (call.argc > 3) fail(`ERR wrong number of arguments for '${call.command.fullName}' command`);
  const counted = call.argc === 3;
  const count = counted ? call.integerIn(2, 0, INT64_MAX, messages.mustBePositive, messages.mustBePositive) : 1;
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
function popOne(call: Call, ref: number, i: number, tail: boolean): void {
  const list = open(call, ref);
  if (tail) list.readTail();
  else list.readHead();
  replyElement(call, list);
  if (tail) list.removeTail();
  else list.removeHead();
  changed(call, tail ? "rpop" : "lpop", i, 1);
  keepOrDelete(call, ref, list, i);
}

/** popOne for up to `count` elements in an array, as they are met from that end; returns how many there were. */
function popRange(call: Call, ref: number, i: number, tail: boolean, count: number): number {
  const list = open(call, ref);
  const { length } = list;
  const n = Math.min(count, length);
  call.reply.array(n);
  list.seek(tail ? length - 1 : 0);
  for (let k = 0; k < n; k++) {
    if (tail) list.back();
    else list.next();
    replyElement(call, list);
  }
  list.removeRange(tail ? length - n : 0, n);
  changed(call, tail ? "rpop" : "lpop", i, n);
  keepOrDelete(call, ref, list, i);
  return n;
}

function length(call: Call): void {
  const ref = call.lookupType(1, Type.LIST);
  call.reply.integer(ref === 0 ? 0 : open(call, ref).length);
}

/** Hot. */
function range(call: Call): void {
  const first = call.integer(2), last = call.integer(3);
  const ref = call.lookupType(1, Type.LIST);
  if (ref === 0) {
    call.reply.array(0);
    return;
  }
  const list = open(call, ref);
  const { length } = list;
  const from = Math.max(0, fromHead(first, length));
  const count = Math.min(fromHead(last, length), length - 1) - from + 1;
  if (count <= 0) {
    call.reply.array(0);
    return;
  }
  call.reply.array(count);
  list.seek(from);
  const { packed } = list;
  for (let left = count; left > 0;) {
    const run = list.nextRun(left);
    if (run > 0) {
      call.reply.bulkViews(packed.view, packed.starts, packed.ends, run);
      left -= run;
    } else {
      list.next();
      replyElement(call, list);
      left--;
    }
  }
}

function elementAt(call: Call): void {
  const ref = call.lookupType(1, Type.LIST);
  if (ref === 0) {
    call.reply.null();
    return;
  }
  const list = open(call, ref);
  const index = fromHead(call.integer(2), list.length);
  if (index < 0 || index >= list.length) {
    call.reply.null();
    return;
  }
  list.seek(index);
  list.next();
  replyElement(call, list);
}

function setAt(call: Call): void {
  const { bytes, start, end } = call.request;
  const ref = call.lookupTypeWrite(1, Type.LIST);
  if (ref === 0) fail(messages.noSuchKey);
  const index = call.integer(2);
  const list = open(call, ref);
  // As in Redis the element counts as an addition, and it does so even if the index turns out to be wrong.
  list.growFor(end[3] - start[3], 1);
  keep(call, ref, list);
  const at = fromHead(index, list.length);
  if (at < 0 || at >= list.length) fail(messages.outOfRange);
  list.seek(at);
  list.replaceHere(bytes, start[3], end[3]);
  list.shrink();
  keep(call, ref, list);
  changed(call, "lset", 1, 1);
  call.reply.ok();
}

function insert(call: Call): void {
  const { bytes, start, end } = call.request;
  const after = call.is(2, "after");
  if (!after && !call.is(2, "before")) fail(messages.syntax);
  const ref = call.lookupTypeWrite(1, Type.LIST);
  if (ref === 0) {
    call.reply.integer(0);
    return;
  }
  const list = open(call, ref);
  // As in Redis this comes before the pivot is found, or not.
  list.growFor(end[4] - start[4], 1);
  list.seek(0);
  list.packed.encode(bytes, start[3], end[3]);
  const found = list.nextMatch(list.length) >= 0;
  if (found) list.insertHere(after, bytes, start[4], end[4]);
  keep(call, ref, list);
  if (!found) {
    call.reply.integer(-1);
    return;
  }
  changed(call, "linsert", 1, 1);
  call.reply.integer(list.length);
}

function removeEqual(call: Call): void {
  const { bytes, start, end } = call.request;
  const count = rankOrCount(call, 2);
  const ref = call.lookupTypeWrite(1, Type.LIST);
  if (ref === 0) {
    call.reply.integer(0);
    return;
  }
  const list = open(call, ref);
  const most = count === 0 ? Infinity : Math.abs(count);
  let removed = 0;
  list.packed.encode(bytes, start[3], end[3]);
  if (count >= 0) {
    list.seek(0);
    while (removed < most && list.nextMatch(list.length) >= 0) {
      list.removeHere();
      removed++;
    }
  } else {
    list.seek(list.length - 1);
    while (removed < most && list.previousMatch(0) >= 0) {
      list.removeHere();
      list.stepBack();
      removed++;
    }
  }
  if (removed > 0) {
    changed(call, "lrem", 1, removed);
    keepOrDelete(call, ref, list, 1);
  }
  call.reply.integer(removed);
}

/** Argument i as a signed number whose size is an integer of 64 bits too. */
function rankOrCount(call: Call, i: number): number {
  const value = call.integer(i);
  return value === -INT64_MAX && call.int64(i) === -(2n ** 63n) ? fail(rankRange) : value;
}

function trim(call: Call): void {
  const first = call.integer(2), last = call.integer(3);
  const ref = call.lookupTypeWrite(1, Type.LIST);
  if (ref !== 0) {
    const list = open(call, ref);
    const { length } = list;
    let head = Math.max(0, fromHead(first, length)), tail = 0;
    const stop = fromHead(last, length);
    if (head > stop || head >= length) head = length;
    else tail = length - 1 - Math.min(stop, length - 1);
    list.removeRange(length - tail, tail);
    list.removeRange(0, head);
    // Nothing removed is nothing to log, but the key counts as touched.
    changed(call, "ltrim", 1, head + tail);
    keepOrDelete(call, ref, list, 1);
  }
  call.reply.ok();
}

function indicesOf(call: Call): void {
  const { bytes, start, end } = call.request;
  let rank = 1, count = -1, limit = 0;
  for (let i = 3; i < call.argc; i += 2) {
    if (i + 1 === call.argc) fail(messages.syntax);
    if (call.is(i, "rank")) {
      rank = rankOrCount(call, i + 1);
      if (rank === 0) fail(rankZero);
    } else if (call.is(i, "count")) {
      count = notNegative(call, i + 1, "ERR COUNT can't be negative");
    } else if (call.is(i, "maxlen")) {
      limit = notNegative(call, i + 1, "ERR MAXLEN can't be negative");
    } else {
      fail(messages.syntax);
    }
  }
  const ref = call.lookupType(1, Type.LIST);
  const found: number[] = [];
  if (ref !== 0) {
    const list = open(call, ref);
    const { length } = list;
    const compared = limit === 0 ? length : Math.min(limit, length);
    const wanted = count < 0 ? 1 : count === 0 ? Infinity : count;
    let skip = Math.abs(rank) - 1;
    list.packed.encode(bytes, start[2], end[2]);
    list.seek(rank > 0 ? 0 : length - 1);
    while (found.length < wanted) {
      const index = rank > 0 ? list.nextMatch(compared) : list.previousMatch(length - compared);
      if (index < 0) break;
      if (skip > 0) skip--;
      else found.push(index);
      if (rank > 0) list.step();
      else list.stepBack();
    }
  }
  if (count >= 0) {
    call.reply.array(found.length);
    for (const index of found) call.reply.integer(index);
  } else if (found.length > 0) {
    call.reply.integer(found[0]);
  } else {
    call.reply.null();
  }
}

function notNegative(call: Call, i: number, message: string): number {
  return call.integerIn(i, 0, INT64_MAX, message, message);
}

function move(call: Call, fromTail: boolean, toTail: boolean): void {
  const source = call.lookupTypeWrite(1, Type.LIST);
  if (source === 0) {
    call.reply.null();
    return;
  }
  const target = call.lookupTypeWrite(2, Type.LIST);
  moveElement(call, source, fromTail, target, toTail);
}

/** An element between two lists: it must not lie in either while it is removed from one and added to the other. */
let carried = new Uint8Array(1024);
const CARRIED_BYTES_MAX = 1 << 16;

/**
 * Moves an element from the list of key argument 1, which exists, to that of key argument 2, which does not where `target`
 * is 0, and replies with it.
 */
function moveElement(call: Call, source: number, fromTail: boolean, target: number, toTail: boolean): void {
  const list = open(call, source);
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
  // An integer counts for nothing here, as in Redis.
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
  keepOrDelete(call, source, open(call, source), 1);
}

function popFromFirst(call: Call): void {
  const keys = call.integerIn(1, 1, INT64_MAX, keysPositive, keysPositive);
  const where = keys + 2;
  if (where >= call.argc) fail(messages.syntax);
  const tail = atTail(call, where);
  let count = 1;
  if (call.argc > where + 1) {
    if (call.argc === where + 2 || !call.is(where + 1, "count")) fail(messages.syntax);
    count = call.integerIn(where + 2, 1, INT64_MAX, countPositive, countPositive);
    if (call.argc > where + 3) fail(messages.syntax);
  }
  for (let i = 2; i < where; i++) {
    const ref = call.lookupTypeWrite(i, Type.LIST);
    if (ref === 0) continue;
    call.reply.array(2);
    call.reply.bulk(call.bytes, call.start(i), call.end(i));
    const popped = popRange(call, ref, i, tail, count);
    call.logInstead(tail ? "RPOP" : "LPOP", call.view(i), popped);
    return;
  }
  call.reply.nullArray();
}
