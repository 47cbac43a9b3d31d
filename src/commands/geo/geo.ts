/**
 * The geo commands that add places and look them up, and the table of all geo commands. A geo set is a sorted set
 * whose scores are geohashes; all other operations on it are sorted set commands. Searches are in search.ts.
 */
import { fail, messages } from "../../core/errors.ts";
import { distanceM, geohashOf, geohashText, latitudeOf, longitudeOf } from "../../core/geohash.ts";
import type { EffectArgument } from "../../engine/effects.ts";
import { Notify } from "../../engine/listeners.ts";
import { Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { metresIn, placeIn, replyCoordinate, replyDistance } from "./geo_call.ts";
import { geoSearchCommands } from "./search.ts";
import { keepSet, openSet, sortedSets } from "../shared/sorted_set_call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

export const geoCommands: readonly CommandSpec[] = [
  {
    name: "geoadd",
    summary: "Adds members with their places, or moves those that are there; makes the set if there is none.",
    since: "3.2.0",
    group: "geo",
    complexity: "O(log(N)) for each member, with N members in the set",
    arity: -5,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
    handler: add,
  },
  {
    name: "geopos",
    summary: "Returns the longitudes and latitudes of members.",
    since: "3.2.0",
    group: "geo",
    complexity: "O(1) for each member asked for",
    arity: -2,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key [member [member ...]]",
    handler: (call) =>
      eachScore(call, (score) => {
        if (Number.isNaN(score)) return call.reply.nullArray();
        call.reply.array(2);
        replyCoordinate(call, longitudeOf(score));
        replyCoordinate(call, latitudeOf(score));
      }),
  },
  {
    name: "geodist",
    summary: "Returns the distance of two members.",
    since: "3.2.0",
    group: "geo",
    complexity: "O(1)",
    arity: -4,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key member1 member2 [M | KM | FT | MI]",
    handler: distance,
  },
  {
    name: "geohash",
    summary: "Returns the places of members as geohashes of 11 characters.",
    since: "3.2.0",
    group: "geo",
    complexity: "O(1) for each member asked for",
    arity: -2,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key [member [member ...]]",
    handler: (call) =>
      eachScore(call, (score) => {
        if (Number.isNaN(score)) call.reply.null();
        else call.reply.bulkText(geohashText(longitudeOf(score), latitudeOf(score)));
      }),
  },
  ...geoSearchCommands,
];

function add(call: Call): void {
  const { db, argc } = call;
  const { bytes, start, end } = call.request;
  let onlyNew = false, onlyOld = false, countChanged = false;
  let first = 2;
  for (; first < argc; first++) {
    if (call.is(first, "nx")) onlyNew = true;
    else if (call.is(first, "xx")) onlyOld = true;
    else if (call.is(first, "ch")) countChanged = true;
    else break;
  }
  const count = (argc - first) / 3;
  if (count === 0 || !Number.isInteger(count) || (onlyNew && onlyOld)) fail(messages.syntax);
  const scores: number[] = [];
  for (let i = first; i < argc; i += 3) scores.push(geohashOf(...placeIn(call, i)));

  const ref = call.lookupTypeWrite(1, Type.ZSET);
  if (ref === 0 && onlyOld) return call.reply.integer(0);
  const set = sortedSets(call);
  if (ref === 0) {
    set.create(count, end[first + 2] - start[first + 2]);
  } else {
    openSet(call, ref);
    set.expect(count);
  }
  let added = 0, moved = 0;
  for (let i = 0; i < count; i++) {
    const member = first + 3 * i + 2;
    const found = set.find(bytes, start[member], end[member]);
    if (!found && !onlyOld) {
      set.insert(scores[i], bytes, start[member], end[member]);
      added++;
    } else if (found && !onlyNew && scores[i] !== set.score) {
      set.rescore(scores[i], bytes, start[member], end[member]);
      moved++;
    }
  }
  if (ref === 0) db.add(bytes, start[1], end[1], Type.ZSET, set.encoding, set.body);
  else keepSet(call, ref, set);
  if (added + moved > 0) {
    call.changed(Notify.ZSET, "zadd", 1, added + moved);
    logScores(call, first, scores);
  }
  call.reply.integer(countChanged ? added + moved : added);
}

/** Logs the scores computed from the places, as Redis does. */
function logScores(call: Call, first: number, scores: readonly number[]): void {
  if (!call.engine.effects.open) return;
  const args: EffectArgument[] = ["ZADD"];
  for (let i = 1; i < first; i++) args.push(call.view(i));
  scores.forEach((score, i) => args.push(score, call.view(first + 3 * i + 2)));
  // The elements may be more than the maximum number of arguments of a JavaScript call.
  call.effects = [{ db: call.db.index, args }];
}

/** Replies with one element for each member from argument 2 on; `reply` receives its score, NaN if it is missing. */
function eachScore(call: Call, reply: (score: number) => void): void {
  const ref = call.lookupType(1, Type.ZSET);
  call.reply.array(call.argc - 2);
  for (let i = 2; i < call.argc; i++) reply(scoreOf(call, ref, i));
}

/** The score of the member in argument i, NaN if it or the key is missing. */
function scoreOf(call: Call, ref: RecordRef, i: number): number {
  if (ref === 0) return NaN;
  const set = openSet(call, ref);
  return set.find(call.bytes, call.start(i), call.end(i)) ? set.score : NaN;
}

function distance(call: Call): void {
  if (call.argc > 5) fail(messages.syntax);
  const metres = call.argc === 5 ? metresIn(call, 4) : 1;
  const ref = call.lookupType(1, Type.ZSET);
  const one = scoreOf(call, ref, 2), other = scoreOf(call, ref, 3);
  if (Number.isNaN(one) || Number.isNaN(other)) return call.reply.null();
  const apartM = distanceM(longitudeOf(one), latitudeOf(one), longitudeOf(other), latitudeOf(other));
  replyDistance(call, apartM / metres);
}
