/**
 * LMOVEM and BLMOVEM of Redis 8.10: move several elements from one list to another at once. The log contains what older
 * servers know: the removal from one list and the addition to the other.
 */
import { fail, messages } from "../../core/errors.ts";
import { INT64_BOUND } from "../../core/numbers.ts";
import { Blocking } from "../../conversations/blocking.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { Type } from "../../store/keyspace.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import { deadlineInSeconds } from "../shared/timeout.ts";
import { atTail, countPositive, positions } from "./ends.ts";
import { changed, keep, keepOrDelete, listsOf, openList } from "./list_call.ts";

const HOW_MANY = "[<<COUNT count | EXACTLY exactly> <OBO | BULK>>]";
const COMMON = {
  group: "list",
  complexity: "O(N) with N elements moved",
  keys: [...keyAt(1, "RW ACCESS DELETE"), ...keyAt(2, "RW INSERT")],
  byDocumentation: true,
  types: { exactly: "integer" },
} as const;

export const moveManyCommands: readonly CommandSpec[] = [
  {
    ...COMMON,
    name: "blmovem",
    summary: "Moves elements from an end of a list to an end of another, and returns them; waits until there are some.",
    since: "8.10.0",
    arity: -6,
    flags: ["write", "denyoom", "blocking"],
    syntax: `source destination ${positions} ${positions} timeout ${HOW_MANY}`,
    handler: moveOrWait,
  },
  {
    ...COMMON,
    name: "lmovem",
    summary: "Moves elements from an end of a list to an end of another, and returns them.",
    since: "8.10.0",
    arity: -5,
    flags: ["write", "denyoom"],
    syntax: `source destination ${positions} ${positions} ${HOW_MANY}`,
    handler: moveNow,
  },
];

interface Move {
  readonly fromTail: boolean;
  readonly toTail: boolean;
  readonly count: number;
  /** Fewer elements are not moved. */
  readonly exactly: boolean;
  /** The elements keep their order, instead of being moved one by one. */
  readonly inBulk: boolean;
}

/** Reads the ends in arguments 3 and 4, and how many elements from argument `first` on. Throws CommandError. */
function readMove(call: Call, first: number): Move {
  const fromTail = atTail(call, 3), toTail = atTail(call, 4);
  if (call.argc === first) return { fromTail, toTail, count: 1, exactly: false, inBulk: false };
  const exactly = call.is(first, "exactly");
  if (call.argc !== first + 3 || (!exactly && !call.is(first, "count"))) fail(messages.syntax);
  const count = call.integerIn(first + 1, 1, INT64_BOUND, countPositive, countPositive);
  const inBulk = call.is(first + 2, "bulk");
  if (!inBulk && !call.is(first + 2, "obo")) fail(messages.syntax);
  return { fromTail, toTail, count, exactly, inBulk };
}

function moveNow(call: Call): void {
  const move = readMove(call, 5), source = call.lookupTypeWrite(1, Type.LIST);
  if (moveElements(call, source, move)) return;
  if (move.exactly) call.reply.null();
  else call.reply.array(0);
}

function moveOrWait(call: Call): void {
  const move = readMove(call, 6), deadlineMs = deadlineInSeconds(call, 5);
  const source = call.lookupTypeWrite(1, Type.LIST);
  if (moveElements(call, source, move)) return;
  const wait = { type: Type.LIST, first: 1, last: 1, deadlineMs, onGrowth: move.exactly };
  if (!call.engine.part(Blocking).wait(call, wait)) call.reply.null();
}

/** Replies with the moved elements in the order that they have in the destination. False if nothing can be moved. */
function moveElements(call: Call, source: RecordRef, { fromTail, toTail, count, exactly, inBulk }: Move): boolean {
  if (source === 0) return false;
  const list = openList(call, source);
  if (exactly && list.length < count) return false;
  const target = call.lookupTypeWrite(2, Type.LIST);
  const taken: Uint8Array[] = [], { packed } = list;
  for (let left = Math.min(count, list.length); left > 0; left--) {
    if (fromTail) list.readTail();
    else list.readHead();
    if (packed.integer) packed.text();
    taken.push(packed.bytes.slice(packed.start, packed.start + packed.length));
    if (fromTail) list.removeTail();
    else list.removeHead();
  }
  keep(call, source, list);
  // The order in which the elements are added: one by one as they were taken, or so that they keep their order.
  const added = inBulk && fromTail === toTail ? taken.toReversed() : taken;
  add(call, target, toTail, added);
  changed(call, toTail ? "rpush" : "lpush", 2, 0);
  changed(call, fromTail ? "rpop" : "lpop", 1, taken.length);
  keepOrDelete(call, source, openList(call, source), 1);
  const shown = toTail ? added : added.toReversed();
  call.reply.array(shown.length);
  for (const element of shown) call.reply.bulk(element);
  if (call.engine.effects.open) {
    call.logInstead(fromTail ? "RPOP" : "LPOP", call.view(1), taken.length);
    call.logInstead(toTail ? "RPUSH" : "LPUSH", call.view(2), ...added);
  }
  return true;
}

/** Adds elements one by one to the list of key argument 2; `target` is its record, 0 if it is missing. */
function add(call: Call, target: RecordRef, toTail: boolean, elements: readonly Uint8Array[]): void {
  const { db, request: { bytes, start, end } } = call;
  const list = listsOf(call);
  if (target === 0) list.create();
  else list.open(db.encodingOf(target), db.bodyOf(target));
  for (const element of elements) {
    list.growFor(element.length, 1);
    if (toTail) list.pushTail(element, 0, element.length);
    else list.pushHead(element, 0, element.length);
  }
  if (target === 0) db.add(bytes, start[2], end[2], Type.LIST, list.encoding, list.body);
  else keep(call, target, list);
}
