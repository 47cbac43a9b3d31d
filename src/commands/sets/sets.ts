/**
 * The commands on one set, and SMOVE. This file owns their arguments, replies and events, and the logging of random
 * choices; the structure of a set belongs to the store.
 */
import { fail, messages } from "../../core/errors.ts";
import { INT64_BOUND, INT64_MIN } from "../../core/numbers.ts";
import type { EffectArgument } from "../../engine/effects.ts";
import { Notify } from "../../engine/listeners.ts";
import { entriesBytes } from "../../store/blocks/entry.ts";
import { Encoding, Type } from "../../store/keyspace.ts";
import type { MemberSet } from "../../store/values/set.ts";
import type { Call } from "../../dispatch/call.ts";
import { matchesPattern, parseCursor, parseScanOptions } from "../shared/scanning.ts";
import { keepOrDelete, openSet, replyMembers, setsOf } from "./set_call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";

const countRange = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";

/** Maximum number of members in one logged SREM. */
const LOGGED_MEMBERS_MAX = 1024;
/** A SPOP that removes at least this many times the rest of the set packs the rest again. */
const REPACK_RATIO = 5;
/** Above this fraction of a set, members are chosen in one pass over it. */
const PASS_RATIO = 3;

const membersSyntax = "key member [member ...]";

export const setCommands: readonly CommandSpec[] = [
  {
    name: "sadd",
    summary: "Adds members to a set; makes the set if there is none.",
    since: "1.0.0",
    group: "set",
    complexity: "O(1) for each member",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
    element: 2,
    partialEffect: "elements",
    syntax: membersSyntax,
    handler: add,
  },
  {
    name: "srem",
    summary: "Removes members from a set, and the set with its last member.",
    since: "1.0.0",
    group: "set",
    complexity: "O(1) for each member",
    arity: -3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW DELETE"),
    element: 2,
    partialEffect: "elements",
    syntax: membersSyntax,
    handler: remove,
  },
  {
    name: "smove",
    summary: "Moves a member from one set to another.",
    since: "1.0.0",
    group: "set",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "fast"],
    keys: [...keyAt(1, "RW ACCESS DELETE"), ...keyAt(2, "RW INSERT")],
    syntax: "source destination member",
    handler: move,
  },
  {
    name: "sismember",
    summary: "Tells whether a set has a member.",
    since: "1.0.0",
    group: "set",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    element: 2,
    syntax: "key member",
    handler: isMember,
  },
  {
    name: "smismember",
    summary: "Tells of several members whether a set has them.",
    since: "6.2.0",
    group: "set",
    complexity: "O(1) for each member",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    element: 2,
    syntax: membersSyntax,
    handler: areMembers,
  },
  {
    name: "scard",
    summary: "Returns the number of members of a set.",
    since: "1.0.0",
    group: "set",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    syntax: "key",
    handler: length,
  },
  {
    name: "smembers",
    summary: "Returns all members of a set.",
    since: "1.0.0",
    group: "set",
    complexity: "O(N) with N members",
    arity: 2,
    flags: ["readonly"],
    tips: ["nondeterministic_output_order"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: members,
  },
  {
    name: "spop",
    summary: "Removes a member at random, or several, and returns the removed members.",
    since: "1.0.0",
    group: "set",
    complexity: "O(1) for each member returned",
    arity: -2,
    flags: ["write", "fast"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    syntax: "key [count]",
    handler: pop,
  },
  {
    name: "srandmember",
    summary: "Returns a member at random, or several: different ones, or, with a negative count, any.",
    since: "1.0.0",
    group: "set",
    complexity: "O(1) for each member returned",
    arity: -2,
    flags: ["readonly"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key [count]",
    handler: randomMember,
  },
  {
    name: "sscan",
    summary: "Goes through the members of a set, some with each call.",
    since: "2.8.0",
    group: "set",
    complexity: "O(1) for each call, O(N) for all of them with N members",
    arity: -3,
    flags: ["readonly"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    handler: scan,
  },
];

/** Announces one event of key argument i that stands for `count` changes. */
function changed(call: Call, event: string, i: number, count: number): void {
  call.changed(Notify.SET, event, i, count);
}

/** Hot. */
function add(call: Call): void {
  const { db, argc } = call;
  const { bytes, start, end } = call.request;
  const ref = call.lookupTypeWrite(1, Type.SET);
  const sets = setsOf(call);
  if (ref === 0) {
    sets.createFor(argc - 2, bytes, start[2], end[2], entriesBytes(bytes, start, end, 2, argc));
  } else {
    sets.open(db.encodingOf(ref), db.bodyOf(ref));
    if (sets.encoding !== Encoding.HASHTABLE) sets.expect(argc - 2);
  }
  let added = 0;
  for (let i = 2; i < argc; i++) if (sets.add(bytes, start[i], end[i], call.elementHash(i))) added++;
  if (ref === 0) {
    db.add(bytes, start[1], end[1], Type.SET, sets.encoding, sets.body);
  } else {
    db.keep(ref, sets.encoding, sets.body, sets.length);
  }
  if (added > 0) changed(call, "sadd", 1, added);
  call.reply.integer(added);
}

/** Hot. */
function remove(call: Call): void {
  const { bytes, start, end } = call.request;
  const ref = call.lookupTypeWrite(1, Type.SET);
  let removed = 0;
  if (ref !== 0) {
    const sets = openSet(call, ref);
    for (let i = 2; i < call.argc && sets.length > 0; i++) {
      if (sets.remove(bytes, start[i], end[i], call.elementHash(i))) removed++;
    }
    if (removed > 0) {
      changed(call, "srem", 1, removed);
      keepOrDelete(call, ref, sets, 1);
    }
  }
  call.reply.integer(removed);
}

function move(call: Call): void {
  const { db } = call;
  const { bytes, start, end } = call.request;
  const source = call.lookupWrite(1), target = call.lookupWrite(2);
  if (source === 0) return call.reply.integer(0);
  if (db.typeOf(source) !== Type.SET || (target !== 0 && db.typeOf(target) !== Type.SET)) fail(messages.wrongType);
  const sets = openSet(call, source);
  if (source === target) {
    return call.reply.integer(sets.has(sets.encoding, sets.body, bytes, start[3], end[3]) ? 1 : 0);
  }
  if (!sets.remove(bytes, start[3], end[3])) return call.reply.integer(0);
  changed(call, "srem", 1, 1);
  keepOrDelete(call, source, sets, 1);
  if (target === 0) sets.createFor(1, bytes, start[3], end[3]);
  else openSet(call, target);
  const added = sets.add(bytes, start[3], end[3]);
  if (target === 0) db.add(bytes, start[2], end[2], Type.SET, sets.encoding, sets.body);
  else keepOrDelete(call, target, sets, 2);
  if (added) changed(call, "sadd", 2, 1);
  call.reply.integer(1);
}

/** Hot. */
function isMember(call: Call): void {
  const { db } = call;
  const { bytes, start, end } = call.request;
  const ref = call.lookupType(1, Type.SET);
  const found = ref !== 0 &&
    setsOf(call).has(db.encodingOf(ref), db.bodyOf(ref), bytes, start[2], end[2], call.elementHash(2));
  call.reply.integer(found ? 1 : 0);
}

function areMembers(call: Call): void {
  const { db, argc, reply } = call;
  const { bytes, start, end } = call.request;
  const ref = call.lookupType(1, Type.SET);
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) {
    const found = ref !== 0 &&
      setsOf(call).has(db.encodingOf(ref), db.bodyOf(ref), bytes, start[i], end[i], call.elementHash(i));
    reply.integer(found ? 1 : 0);
  }
}

function length(call: Call): void {
  const ref = call.lookupType(1, Type.SET);
  call.reply.integer(ref === 0 ? 0 : openSet(call, ref).length);
}

function members(call: Call): void {
  const ref = call.lookupType(1, Type.SET);
  if (ref === 0) return call.reply.set(0);
  const sets = openSet(call, ref);
  call.reply.set(sets.length);
  replyMembers(call, sets.encoding, sets.body);
}

/** A copy of the last member read, for the log; empty if the log is off. */
function copyForLog(call: Call, sets: MemberSet): EffectArgument {
  return call.engine.effects.open ? sets.bytes.slice(sets.start, sets.end) : "";
}

/** Hot without a count. */
function pop(call: Call): void {
  if (call.argc > 3) fail(messages.syntax);
  if (call.argc === 3) return popSeveral(call);
  const ref = call.lookupTypeWrite(1, Type.SET);
  if (ref === 0) return call.reply.null();
  const sets = openSet(call, ref);
  sets.random(call.store.random);
  call.reply.bulk(sets.bytes, sets.start, sets.end);
  if (call.engine.effects.open) call.logInstead("SREM", call.view(1), copyForLog(call, sets));
  sets.removeChosen();
  changed(call, "spop", 1, 1);
  keepOrDelete(call, ref, sets, 1);
}

function popSeveral(call: Call): void {
  const { reply } = call;
  const count = call.integerIn(2, 0, INT64_BOUND, messages.mustBePositive, messages.mustBePositive);
  const ref = call.lookupTypeWrite(1, Type.SET);
  if (ref === 0 || count === 0) return reply.set(0);
  const sets = openSet(call, ref);
  const size = sets.length;
  reply.set(Math.min(count, size));
  if (count >= size) {
    replyMembers(call, sets.encoding, sets.body);
    changed(call, "spop", 1, size);
    call.logInstead("DEL", call.view(1));
    call.db.unlink(ref);
    call.removed(1);
    return;
  }
  const logging = call.engine.effects.open;
  let popped: EffectArgument[] = [];
  for (let i = 0; i < count; i++) {
    sets.random(call.store.random);
    reply.bulk(sets.bytes, sets.start, sets.end);
    if (logging) popped.push(copyForLog(call, sets));
    if (popped.length === LOGGED_MEMBERS_MAX) {
      call.logInstead("SREM", call.view(1), ...popped);
      popped = [];
    }
    sets.removeChosen();
  }
  if (popped.length > 0) call.logInstead("SREM", call.view(1), ...popped);
  if ((size - count) * REPACK_RATIO <= count) sets.repack();
  changed(call, "spop", 1, count);
  keepOrDelete(call, ref, sets, 1);
}

function randomMember(call: Call): void {
  const { reply, store } = call;
  if (call.argc > 3) fail(messages.syntax);
  if (call.argc === 3) return randomMembers(call);
  const ref = call.lookupType(1, Type.SET);
  if (ref === 0) return reply.null();
  const sets = openSet(call, ref);
  sets.random(store.random);
  reply.bulk(sets.bytes, sets.start, sets.end);
}

function randomMembers(call: Call): void {
  const { reply, session, store: { random } } = call;
  const count = call.integer(2);
  if (count === -INT64_BOUND && call.int64(2) === INT64_MIN) fail(countRange);
  const ref = call.lookupType(1, Type.SET);
  if (ref === 0 || count === 0) return reply.array(0);
  const sets = openSet(call, ref);
  const size = sets.length;
  if (count < 0) {
    reply.array(-count);
    for (let i = 0; i < -count && !session.closing; i++) {
      sets.random(random);
      reply.bulk(sets.bytes, sets.start, sets.end);
    }
    return;
  }
  reply.array(Math.min(count, size));
  if (count >= size) {
    replyMembers(call, sets.encoding, sets.body);
  } else if (count * PASS_RATIO > size || sets.encoding !== Encoding.HASHTABLE) {
    // Each member is chosen with probability (places left / members left), so every subset is equally likely.
    let needed = count, left = size;
    sets.elements(sets.encoding, sets.body, false, (bytes, start, end) => {
      if (random.below(left--) < needed) {
        reply.bulk(bytes, start, end);
        needed--;
      }
      return needed > 0;
    });
  } else {
    const chosen = new Set<number>();
    while (chosen.size < count) {
      sets.random(random);
      if (chosen.has(sets.place)) continue;
      chosen.add(sets.place);
      reply.bulk(sets.bytes, sets.start, sets.end);
    }
  }
}

function scan(call: Call): void {
  const { reply } = call;
  const cursor = parseCursor(call, 2);
  const ref = call.lookupType(1, Type.SET);
  if (ref === 0) {
    reply.array(2);
    reply.bulkInteger(0);
    reply.array(0);
    return;
  }
  const { count, pattern } = parseScanOptions(call, 3, "other");
  const sets = openSet(call, ref);
  // The reply begins with the number of members, so they are visited twice.
  let matching = 0;
  const next = sets.scan(sets.encoding, sets.body, cursor, count, (bytes, start, end) => {
    if (matchesPattern(call, pattern, bytes, start, end)) matching++;
  });
  reply.array(2);
  reply.bulkInteger(next);
  reply.array(matching);
  sets.scan(sets.encoding, sets.body, cursor, count, (bytes, start, end) => {
    if (matchesPattern(call, pattern, bytes, start, end)) reply.bulk(bytes, start, end);
  });
}
