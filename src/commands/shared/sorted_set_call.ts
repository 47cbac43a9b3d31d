/**
 * Helpers of the sorted set commands: opening a set and storing it back, events, bounds of ranges, popping, and the
 * forms of members and scores in replies.
 */
import { latin1 } from "../../core/bytes.ts";
import { fail } from "../../core/errors.ts";
import { parsePlainDouble } from "../../core/numbers.ts";
import { Notify } from "../../engine/listeners.ts";
import { Type } from "../../store/keyspace.ts";
import type { SortedSet } from "../../store/values/sorted_set.ts";
import type { Call } from "../../dispatch/call.ts";
import { storeValue } from "./store_value.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

const NUL = 0, OPEN = 40, PLUS = 43, MINUS = 45, CLOSED = 91;

const boundNotFloat = "ERR min or max is not a float";
const boundNotMember = "ERR min or max not valid string range item";

const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** The store's sorted sets. */
export function sortedSets(call: Call): SortedSet {
  return call.store.valueType(Type.ZSET) as SortedSet;
}

/** Opens the sorted set of a record. */
export function openSet(call: Call, ref: RecordRef): SortedSet {
  const set = sortedSets(call);
  set.open(call.db.encodingOf(ref), call.db.bodyOf(ref));
  return set;
}

/** Stores the open set back into its record. */
export function keepSet(call: Call, ref: RecordRef, set: SortedSet): void {
  call.db.keep(ref, set.encoding, set.body, set.length);
}

/**
 * Stores a set back after the removal of `count` elements and announces the event; deletes the key if no element is
 * `left`. In that case the elements may still be in the set: a whole set is freed in slices.
 */
export function keepRemoved(
  call: Call,
  ref: RecordRef,
  set: SortedSet,
  i: number,
  event: string,
  count: number,
  left = set.length,
): void {
  keepSet(call, ref, set);
  call.changed(Notify.ZSET, event, i, count);
  if (left > 0) return;
  call.db.unlink(ref);
  call.removed(i);
}

/** Makes the open set the value of key argument i, which counts as `count` changes. An empty set deletes the key. */
export function storeSet(call: Call, i: number, set: SortedSet, event: string, count = 1): void {
  const { encoding, body, length } = set;
  storeValue(call, i, { type: Type.ZSET, encoding, body, length }, Notify.ZSET, event, count);
}

/** Whether the bound in argument i is exclusive. Hot. */
export function isExclusive(call: Call, i: number): boolean {
  return call.end(i) > call.start(i) && call.bytes[call.start(i)] === OPEN;
}

/** The score of the bound in argument i. Throws CommandError. Hot. */
export function boundScore(call: Call, i: number): number {
  const start = call.start(i) + (isExclusive(call, i) ? 1 : 0);
  const score = parsePlainDouble(call.bytes, start, call.end(i));
  return Number.isNaN(score) ? readBound(call.bytes, start, call.end(i)) : score;
}

/** Parses a bound as C does: up to a NUL; empty text is 0, and overflow gives infinity. */
function readBound(bytes: Uint8Array, start: number, end: number): number {
  const [text] = latin1(bytes, start, end).split("\0");
  if (text === "" || DECIMAL.test(text)) return Number(text);
  const infinite = INFINITE.exec(text) ?? fail(boundNotFloat);
  return infinite[1] === "-" ? -Infinity : Infinity;
}

/** Throws CommandError unless argument i is a bound of members: -, +, [member or (member. */
export function checkMemberBound(call: Call, i: number): void {
  const { bytes } = call, start = call.start(i), end = call.end(i);
  const mark = end > start ? bytes[start] : NUL;
  if (mark === OPEN || mark === CLOSED) return;
  if ((mark !== MINUS && mark !== PLUS) || (end - start > 1 && bytes[start + 1] !== NUL)) fail(boundNotMember);
}

/** The number of elements below the member bound in argument i, used as the lower bound. */
export function memberRankFrom(call: Call, set: SortedSet, i: number): number {
  const mark = call.bytes[call.start(i)];
  if (mark === MINUS) return 0;
  if (mark === PLUS) return set.length;
  return set.rankOfMember(call.bytes, call.start(i) + 1, call.end(i), mark === OPEN);
}

/** The number of elements up to the member bound in argument i, used as the upper bound. */
export function memberRankTo(call: Call, set: SortedSet, i: number): number {
  const mark = call.bytes[call.start(i)];
  if (mark === MINUS) return 0;
  if (mark === PLUS) return set.length;
  return set.rankOfMember(call.bytes, call.start(i) + 1, call.end(i), mark === CLOSED);
}

/** Converts an index argument to a rank; negative indexes count from the end. */
export function fromStart(index: number, length: number): number {
  return index < 0 ? Math.max(0, index + length) : index;
}

/**
 * The form of elements in a reply: members alone, members and scores alternating, or an array for each pair. "bare" is
 * "flat" after a header that the caller has written.
 */
export type Form = "members" | "flat" | "pairs" | "bare";

/** Members alone, or with their scores in the form of the protocol. */
export function formOf(call: Call, withScores: boolean): Form {
  if (!withScores) return "members";
  return call.reply.version === 3 ? "pairs" : "flat";
}

/** Header of `count` elements. */
export function replyHeader(call: Call, count: number, form: Form): void {
  if (form !== "bare") call.reply.array(form === "flat" ? count * 2 : count);
}

/** Replies with `count` elements from the cursor on, forwards or backwards. Hot. */
export function replyElements(call: Call, set: SortedSet, count: number, back: boolean, form: Form): void {
  const { reply } = call;
  for (let left = count; left > 0;) {
    const run = set.readRun(left, back);
    if (run === 0) {
      if (back) set.back();
      else set.next();
      replyElement(call, set, form);
      left--;
    } else if (form === "members") {
      reply.bulksOf(set.views, set.chunks, set.starts, set.ends, run);
      left -= run;
    } else {
      for (let k = 0; k < run; k++) {
        if (form === "pairs") reply.array(2);
        reply.bulkView(set.views[set.chunks[k]], set.starts[k], set.ends[k]);
        reply.double(set.runScore(k));
      }
      left -= run;
    }
  }
}

/** Replies with the last element read. */
export function replyElement(call: Call, set: SortedSet, form: Form): void {
  const { reply } = call;
  if (form === "pairs") reply.array(2);
  reply.bulk(set.bytes, set.start, set.end);
  if (form !== "members") reply.double(set.score);
}

/**
 * Removes up to `count` elements with the lowest or highest scores from the set of key argument i, and replies with
 * them in an array. Returns their number. It is separate from the parsing of arguments, because the blocking commands
 * use it once there is an element.
 */
export function popElements(
  call: Call,
  ref: RecordRef,
  i: number,
  highest: boolean,
  count: number,
  form: Form,
): number {
  const set = openSet(call, ref);
  const { length } = set;
  const popped = Math.min(count, length);
  replyHeader(call, popped, form);
  set.seek(highest ? length - 1 : 0);
  replyElements(call, set, popped, highest, form);
  if (popped < length) set.removeRange(highest ? length - popped : 0, popped);
  keepRemoved(call, ref, set, i, highest ? "zpopmax" : "zpopmin", popped, length - popped);
  return popped;
}
