/**
 * The commands on list elements by position. This file owns their arguments, replies and events; the structure of a
 * list belongs to the store.
 */
import { fail, messages } from "../../core/errors.ts";
import { INT64_BOUND } from "../../core/numbers.ts";
import { Notify } from "../../engine/listeners.ts";
import { Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { changed, keep, keepOrDelete, openList, replyElement } from "./list_call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";

const rankZero = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative " +
  "to start from the end of the list";
const rankRange = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";

export const listCommands: readonly CommandSpec[] = [
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
    growsWithReply: true,
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
    differs: ["If nothing is removed, a watched key counts as changed in Redis, not in Valkey."],
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
];

/** Converts an index argument to a position from the head; negative indexes count from the tail. */
function fromHead(index: number, length: number): number {
  return index < 0 ? index + length : index;
}

function length(call: Call): void {
  const ref = call.lookupType(1, Type.LIST);
  call.reply.integer(ref === 0 ? 0 : openList(call, ref).length);
}

/** Hot. */
function range(call: Call): void {
  const first = call.integer(2), last = call.integer(3);
  const ref = call.lookupType(1, Type.LIST);
  if (ref === 0) {
    call.reply.array(0);
    return;
  }
  const list = openList(call, ref);
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
  const list = openList(call, ref);
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
  const list = openList(call, ref);
  // As in Redis the new element counts as an addition for the encoding, even if the index turns out to be out of
  // range.
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
  const list = openList(call, ref);
  // As in Redis, room for the element is made before the search for the pivot, even if there is none.
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
  const list = openList(call, ref);
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

/** Argument i as a signed integer whose absolute value fits in 64 bits too. */
function rankOrCount(call: Call, i: number): number {
  const value = call.integer(i);
  return value === -INT64_BOUND && call.int64(i) === -(2n ** 63n) ? fail(rankRange) : value;
}

function trim(call: Call): void {
  const first = call.integer(2), last = call.integer(3);
  const ref = call.lookupTypeWrite(1, Type.LIST);
  if (ref !== 0) {
    const list = openList(call, ref);
    const { length } = list;
    let head = Math.max(0, fromHead(first, length)), tail = 0;
    const stop = fromHead(last, length);
    if (head > stop || head >= length) head = length;
    else tail = length - 1 - Math.min(stop, length - 1);
    const left = length - head - tail;
    if (left > 0) {
      list.removeRange(length - tail, tail);
      list.removeRange(0, head);
    }
    // Without a removal there is nothing to log. In Redis the key counts as touched nevertheless, in Valkey not.
    if (call.valkey && left === length) call.announced(Notify.LIST, "ltrim", 1);
    else changed(call, "ltrim", 1, head + tail);
    keepOrDelete(call, ref, list, 1, left);
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
    const list = openList(call, ref);
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
  return call.integerIn(i, 0, INT64_BOUND, message, message);
}
