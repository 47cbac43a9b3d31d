/**
 * Searches of geo sets: GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS commands, which search circles only. This
 * file owns their options and the order of results. The geometry of areas and their ranges of scores are in core.
 */
import { fail, messages, shownText } from "../../core/errors.ts";
import { Area } from "../../core/geo_area.ts";
import { type Polygon, polygonOf } from "../../core/geo_polygon.ts";
import { latitudeOf, longitudeOf } from "../../core/geohash.ts";
import { Encoding, Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { metresIn, placeIn, replyCoordinate, replyDistance } from "./geo_call.ts";
import { openSet, sortedSets, storeSet } from "../shared/sorted_set_call.ts";
import { keyFlags, type KeyWords } from "../../dispatch/key_flags.ts";
import { type CommandSpec, keyAt, type KeySpec, notDeprecated } from "../../dispatch/spec.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

const noMember = "ERR could not decode requested zset member";
const radiusNotFloat = "ERR need numeric radius";
const radiusNegative = "ERR radius cannot be negative";
const widthNotFloat = "ERR need numeric width";
const heightNotFloat = "ERR need numeric height";
const boxNegative = "ERR height or width cannot be negative";
const badVertices = "ERR invalid number of vertices";
const fewVertices = "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices";
const countPositive = "ERR COUNT must be > 0";
const anyNeedsCount = "ERR the ANY argument requires COUNT argument";
const notWithStore = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";

const complexity = "O(N+log(M)) with N members in the squares that cover the area and M in the set; " +
  "sorting costs O(K*log(K)) for K found";

const INT_MAX = 2 ** 31 - 1, VERTICES_MIN = 3;

/** Capacity of the hit list beyond twice the wanted number; when it is full, the worse hits are dropped. */
const SPARE_HITS = 1000;

const from = "<FROMMEMBER member | FROMLONLAT longitude latitude>";
const units = "<M | KM | FT | MI>";
// Redis's argument tree attaches the tokens to the radius and the width only.
const by = `<<BYRADIUS radius> ${units} | <BYBOX width> height ${units}>`;
const valkeyBy = `<${by.slice(1, -1)} | <BYPOLYGON num-vertices> longitude latitude [longitude latitude ...]>`;
const order = "[ASC | DESC]";
const count = "[COUNT count [ANY]]";
const withAll = "[WITHCOORD] [WITHDIST] [WITHHASH]";
const radiusOptions = `radius ${units} ${withAll} ${count} ${order}`;
const store = "[STORE key | STOREDIST key]";

const PLACES = "Redis prints coordinates with the fewest digits that give them back, Valkey with up to 17 decimals.";
const NO_MEMBER = "The error for a missing member names it in Valkey.";

const VERTEX_TYPES = { "num-vertices": "integer" } as const;

export const geoSearchCommands: readonly CommandSpec[] = [
  {
    name: "geosearch",
    summary: "Returns the members inside a circle or a box.",
    since: "6.2.0",
    group: "geo",
    complexity,
    arity: -7,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: `key ${from} ${by} ${order} ${count} ${withAll}`,
    differs: [PLACES, NO_MEMBER],
    valkey: { syntax: `key [${from.slice(1, -1)}] ${valkeyBy} ${order} ${count} ${withAll}`, types: VERTEX_TYPES },
    handler: (call) => search(call, 1, "options", "reply"),
  },
  {
    name: "geosearchstore",
    summary: "Stores the members inside a circle or a box, with their places or their distances.",
    since: "6.2.0",
    group: "geo",
    complexity,
    arity: -8,
    flags: ["write", "denyoom"],
    keys: [...keyAt(1, "OW UPDATE"), ...keyAt(2, "RO ACCESS")],
    syntax: `destination source ${from} ${by} ${order} ${count} [STOREDIST]`,
    differs: [NO_MEMBER],
    valkey: {
      syntax: `destination source [${from.slice(1, -1)}] ${valkeyBy} ${order} ${count} [STOREDIST]`,
      types: VERTEX_TYPES,
    },
    handler: (call) => search(call, 2, "options", "store"),
  },
  {
    name: "georadius",
    summary: "Returns the members inside a circle around a place, or stores them.",
    since: "3.2.0",
    group: "geo",
    complexity,
    arity: -6,
    flags: ["write", "denyoom", "movablekeys"],
    keys: [...keyAt(1, "RO ACCESS"), ...storeKeys(6)],
    syntax: `key longitude latitude ${radiusOptions} ${store}`,
    deprecated: { since: "6.2.0", replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument" },
    valkey: { ...notDeprecated, keys: [...keyAt(1, "RO ACCESS"), ...storeKeys(6, "OW UPDATE VARIABLE_FLAGS")] },
    differs: [PLACES],
    handler: (call) => search(call, 1, "place", "either"),
  },
  {
    name: "georadius_ro",
    summary: "Returns the members inside a circle around a place.",
    since: "3.2.10",
    group: "geo",
    complexity,
    arity: -6,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: `key longitude latitude ${radiusOptions}`,
    deprecated: { since: "6.2.0", replacedBy: "`GEOSEARCH` with the `BYRADIUS` argument" },
    valkey: notDeprecated,
    differs: [PLACES],
    handler: (call) => search(call, 1, "place", "reply"),
  },
  {
    name: "georadiusbymember",
    summary: "Returns the members inside a circle around one of them, or stores them.",
    since: "3.2.0",
    group: "geo",
    complexity,
    arity: -5,
    flags: ["write", "denyoom", "movablekeys"],
    keys: [...keyAt(1, "RO ACCESS"), ...storeKeys(5)],
    syntax: `key member ${radiusOptions} ${store}`,
    deprecated: {
      since: "6.2.0",
      replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    },
    valkey: { ...notDeprecated, keys: [...keyAt(1, "RO ACCESS"), ...storeKeys(5, "OW UPDATE VARIABLE_FLAGS")] },
    differs: [PLACES, NO_MEMBER],
    handler: (call) => search(call, 1, "member", "either"),
  },
  {
    name: "georadiusbymember_ro",
    summary: "Returns the members inside a circle around one of them.",
    since: "3.2.10",
    group: "geo",
    complexity,
    arity: -5,
    flags: ["readonly"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: `key member ${radiusOptions}`,
    deprecated: { since: "6.2.0", replacedBy: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments" },
    valkey: notDeprecated,
    differs: [PLACES, NO_MEMBER],
    handler: (call) => search(call, 1, "member", "reply"),
  },
];

/** The keys after STORE and STOREDIST, options that stand at argument `first` or later. */
function storeKeys(first: number, words: KeyWords = "OW UPDATE"): KeySpec[] {
  return ["STORE", "STOREDIST"].map((keyword) => ({
    flags: keyFlags(words),
    begin: { keyword, from: first },
    find: { last: 0, step: 1, limit: 0 },
  }));
}

/** How a command specifies the center of its area: by a place or a member before the options, or by options. */
type Middle = "place" | "member" | "options";
/** Whether a command replies with its hits, stores them, or does either according to its options. */
type Outcome = "reply" | "store" | "either";

interface Options {
  withDistance: boolean;
  withHash: boolean;
  withPlace: boolean;
  /** Maximum number of hits to return; 0: all. */
  count: number;
  /** ANY: the first hits found will do, not the nearest. */
  any: boolean;
  order: "asc" | "desc" | "none";
  /** Argument index of the destination key, 0 for none. */
  destination: number;
  storeDistance: boolean;
  /** The center; undefined if it is a member of a missing set. */
  place: readonly [longitude: number, latitude: number] | undefined;
  shape: Shape | undefined;
}

/** A shape in metres, and metres per unit of the replied distances. */
type Shape =
  & { readonly unitM: number }
  & (
    | { readonly kind: "circle"; readonly radiusM: number }
    | { readonly kind: "box"; readonly widthM: number; readonly heightM: number }
    | { readonly kind: "polygon"; readonly polygon: Polygon }
  );

/** A member inside the area; the bytes are valid until the next write. */
interface Hit {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly hash: number;
  readonly distanceM: number;
}

function search(call: Call, source: number, middle: Middle, outcome: Outcome): void {
  const { reply } = call;
  const ref = call.lookupType(source, Type.ZSET);
  const options = readOptions(call, ref, source, middle, outcome);
  const { place, shape } = options;
  if (options.any && options.count === 0) fail(anyNeedsCount);
  const hits = ref === 0 || place === undefined || shape === undefined
    ? []
    : find(call, ref, areaOf(place, shape), options);
  const unitM = shape?.unitM ?? 1;
  if (options.destination !== 0) return storeHits(call, hits, options, unitM, middle);
  const extras = Number(options.withDistance) + Number(options.withHash) + Number(options.withPlace);
  reply.array(hits.length);
  for (const { bytes, start, end, hash, distanceM } of hits) {
    if (extras > 0) reply.array(1 + extras);
    reply.bulk(bytes, start, end);
    if (options.withDistance) replyDistance(call, distanceM / unitM);
    if (options.withHash) reply.bigInteger(BigInt(Math.trunc(hash)));
    if (options.withPlace) {
      reply.array(2);
      replyCoordinate(call, longitudeOf(hash));
      replyCoordinate(call, latitudeOf(hash));
    }
  }
}

/** Parses all arguments after the source. The order of the checks is Redis's. Throws CommandError. */
function readOptions(call: Call, ref: RecordRef, source: number, middle: Middle, outcome: Outcome): Options {
  const options: Options = {
    withDistance: false,
    withHash: false,
    withPlace: false,
    count: 0,
    any: false,
    order: "none",
    destination: outcome === "store" ? 1 : 0,
    storeDistance: false,
    place: undefined,
    shape: undefined,
  };
  let i = source + 1;
  if (middle === "place") {
    options.place = placeIn(call, i);
    options.shape = circleIn(call, i + 2);
    i += 4;
  } else if (middle === "member") {
    // If the set is missing, Redis does not parse the circle.
    if (ref !== 0) {
      options.place = memberPlace(call, ref, i);
      options.shape = circleIn(call, i + 1);
    }
    i += 3;
  }
  let fromMember = false, fromPlace = false;
  for (; i < call.argc; i++) {
    const follow = call.argc - i - 1;
    if (call.is(i, "withdist")) options.withDistance = true;
    else if (call.is(i, "withhash")) options.withHash = true;
    else if (call.is(i, "withcoord")) options.withPlace = true;
    else if (call.is(i, "any")) options.any = true;
    else if (call.is(i, "asc")) options.order = "asc";
    else if (call.is(i, "desc")) options.order = "desc";
    else if (call.is(i, "count") && follow >= 1) {
      options.count = call.integerIn(++i, 1, Infinity, countPositive);
    } else if (outcome === "either" && (call.is(i, "store") || call.is(i, "storedist")) && follow >= 1) {
      options.storeDistance = call.is(i, "storedist");
      options.destination = ++i;
    } else if (outcome === "store" && call.is(i, "storedist")) {
      options.storeDistance = true;
    } else if (middle !== "options") {
      fail(messages.syntax);
    } else if (call.is(i, "bypolygon") && follow >= 2 && !fromMember && !fromPlace && mayBe(options, "polygon")) {
      const polygon = polygonIn(call, i + 1);
      options.shape = { kind: "polygon", polygon, unitM: 1 };
      options.place = [polygon.longitude, polygon.latitude];
      i += 1 + polygon.vertices.length;
    } else if (options.shape?.kind === "polygon") {
      fail(messages.syntax);
    } else if (call.is(i, "frommember") && follow >= 1 && !fromPlace) {
      fromMember = true;
      i++;
      if (ref !== 0) options.place = memberPlace(call, ref, i);
    } else if (call.is(i, "fromlonlat") && follow >= 2 && !fromMember) {
      fromPlace = true;
      options.place = placeIn(call, i + 1);
      i += 2;
    } else if (call.is(i, "byradius") && follow >= 2 && mayBe(options, "circle")) {
      options.shape = circleIn(call, i + 1);
      i += 2;
    } else if (call.is(i, "bybox") && follow >= 3 && mayBe(options, "box")) {
      options.shape = boxIn(call, i + 1);
      i += 3;
    } else {
      fail(messages.syntax);
    }
  }
  if (options.destination !== 0 && (options.withDistance || options.withHash || options.withPlace)) {
    fail(`ERR ${outcome === "store" ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS"} ${notWithStore}`);
  }
  if (middle === "options") {
    const oneOf = (words: string) => fail(`ERR exactly one of ${words} can be specified for ${call.text(0)}`);
    if (!fromMember && !fromPlace && options.shape?.kind !== "polygon") oneOf("FROMMEMBER or FROMLONLAT");
    if (options.shape === undefined) oneOf("BYRADIUS and BYBOX");
  }
  return options;
}

/** A shape may be given again, but not another kind of it. */
function mayBe({ shape }: Options, kind: Shape["kind"]): boolean {
  return shape === undefined || shape.kind === kind;
}

/** The place of the member in argument i. Throws CommandError if it is missing. */
function memberPlace(call: Call, ref: RecordRef, i: number): [longitude: number, latitude: number] {
  const set = openSet(call, ref);
  if (!set.find(call.bytes, call.start(i), call.end(i))) {
    fail(call.valkey ? `ERR member ${shownText(call.text(i))} does not exist` : noMember);
  }
  return [longitudeOf(set.score), latitudeOf(set.score)];
}

/** The radius in argument i and its unit. Throws CommandError. */
function circleIn(call: Call, i: number): Shape {
  const radius = call.double(i, radiusNotFloat);
  if (radius < 0) fail(radiusNegative);
  const unitM = metresIn(call, i + 1);
  return { kind: "circle", radiusM: radius * unitM, unitM };
}

/** The width in argument i, the height and their unit. Throws CommandError. */
function boxIn(call: Call, i: number): Shape {
  const width = call.double(i, widthNotFloat), height = call.double(i + 1, heightNotFloat);
  if (width < 0 || height < 0) fail(boxNegative);
  const unitM = metresIn(call, i + 2);
  return { kind: "box", widthM: width * unitM, heightM: height * unitM, unitM };
}

/** The number of vertices in argument i, and their places. Throws CommandError. */
function polygonIn(call: Call, i: number): Polygon {
  const count = call.integerIn(i, -INT_MAX - 1, INT_MAX, badVertices, badVertices);
  if (count < VERTICES_MIN || call.argc - i - 1 < 2 * count) fail(fewVertices);
  const vertices = new Float64Array(2 * count);
  for (let k = 0; k < vertices.length; k += 2) vertices.set(placeIn(call, i + 1 + k), k);
  return polygonOf(vertices);
}

function areaOf([longitude, latitude]: readonly [number, number], shape: Shape): Area {
  if (shape.kind === "polygon") return Area.polygon(shape.polygon);
  if (shape.kind === "circle") return Area.circle(longitude, latitude, shape.radiusM);
  return Area.box(longitude, latitude, shape.widthM, shape.heightM);
}

/** The members inside an area, limited and ordered by the options. */
function find(call: Call, ref: RecordRef, area: Area, options: Options): Hit[] {
  const { count, any } = options;
  const set = openSet(call, ref);
  const hits: Hit[] = [];
  const packed = set.encoding === Encoding.LISTPACK;
  // When there are many more hits than wanted, only the best are kept; a hit worse than all of them is skipped.
  const room = any || count === 0 ? Infinity : 2 * count + SPARE_HITS;
  const sign = options.order === "desc" ? -1 : 1;
  let bound = Infinity;
  for (const { from, to } of area.ranges()) {
    const near = set.walkScores(from, false, to, false, false, set.length);
    set.walk(near, false, (bytes, start, end, score) => {
      const distanceM = area.distanceTo(longitudeOf(score), latitudeOf(score));
      if (Number.isNaN(distanceM) || sign * distanceM >= bound) return true;
      hits.push({ ...(packed ? kept(bytes, start, end) : { bytes, start, end }), hash: score, distanceM });
      if (any && hits.length === count) return false;
      if (hits.length < room) return true;
      arranged(hits, options);
      bound = sign * hits[count - 1].distanceM;
      return true;
    });
    if (any && hits.length === count) break;
  }
  return arranged(hits, options);
}

/** A copy, because a packed set holds the digits of an integer in a buffer that the next read overwrites. */
function kept(bytes: Uint8Array, start: number, end: number) {
  return { bytes: bytes.slice(start, end), start: 0, end: end - start };
}

/** Sorts the hits and limits their number according to the options. */
function arranged(hits: Hit[], { count, any, order }: Options): Hit[] {
  if (order === "desc") hits.sort((a, b) => b.distanceM - a.distanceM);
  else if (order === "asc" || (count > 0 && !any)) hits.sort((a, b) => a.distanceM - b.distanceM);
  if (count > 0 && hits.length > count) hits.length = count;
  return hits;
}

function storeHits(call: Call, hits: readonly Hit[], options: Options, unitM: number, middle: Middle): void {
  const set = sortedSets(call);
  set.collect(true, (add) => {
    for (const { bytes, start, end, hash, distanceM } of hits) {
      add(bytes, start, end, options.storeDistance ? distanceM / unitM : hash);
    }
  });
  const event = middle === "options" ? "geosearchstore" : "georadiusstore";
  storeSet(call, options.destination, set, event, hits.length);
}
