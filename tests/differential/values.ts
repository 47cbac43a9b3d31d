/**
 * The values of random commands, from pools around the limits where commands change their behavior: empty, negative,
 * just beyond a limit, not a number, binary; for geo sets, places near each other, at the edges of the map and beyond
 * them.
 */
import { fromLatin1, latin1 } from "../../src/core/bytes.ts";
import { xxh3Digest } from "../../src/core/xxh3_64.ts";
import type { CommandSpec } from "../../src/dispatch/spec.ts";
import type { Argument } from "../../src/dispatch/syntax.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { oneIn, pick } from "../helpers/property.ts";

const KEYS = "abcdef";
// deno-fmt-ignore
export const STRINGS = [
  "", "a", "b", "abc", "hello world", "0", "1", "-1", "10", "3.5", "1e3", "9223372036854775807",
  "-9223372036854775808", "\x00\xff\r\n", "caf\xc3\xa9", "x".repeat(70), "y".repeat(3000), " 1", "01", "nan",
  "inf",
];
// deno-fmt-ignore
const INTEGERS = [
  "0", "1", "2", "3", "5", "-1", "-2", "-100", "100", "10000", "2147483648", "4294967296", "9223372036854775807",
  "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "", "a", "1.5", " 1", "+1", "007", "1e2",
];
/** Without -0: whether Redis keeps its sign depends on the history of the set. */
// deno-fmt-ignore
const DOUBLES = [
  "0", "1", "-1", "1.5", "3.0e3", "inf", "-inf", "+inf", "nan", "1e400", "(1", "", "x", " 2", "1e-5",
  "123456789.123456789",
];
const PATTERNS = ["*", "a*", "?", "[a-c]*", "", "*b", "[^a]", "\\*", "str:*"];
/**
 * Deadlines are past or far ahead: a key that expired during the test would expire at different moments on the two
 * servers.
 */
// deno-fmt-ignore
const SECONDS = [
  "0", "-1", "1000", "100000", "99999999999", "9223372036854775807", "-9223372036854775808", "abc", "", "1.5",
];
// deno-fmt-ignore
const MILLISECONDS = [
  "0", "-1", "1000000", "100000000", "9223372036854775807", "-9223372036854775808", "abc", "", "1.5",
];
/** The year 2100. */
const FAR_S = "4102444800", FAR_MS = "4102444800000";
const UNIX_SECONDS = ["0", "-1", "1", FAR_S, "99999999999999", "9223372036854775807", "abc", ""];
const UNIX_MILLISECONDS = ["0", "-1", "1", FAR_MS, "9223372036854775807", "abc", ""];
/**
 * Places of the members of geo sets. Redis misses some members at the edges of the map, far in the north, and in very
 * large areas.
 */
// deno-fmt-ignore
const LONGITUDES = [
  "13.361389", "15.087269", "12.496366", "13.4", "2.3522219", "0", "-0.1276474", "1e-5", "100", "-170", "180.5", "-181",
];
// deno-fmt-ignore
const LATITUDES = [
  "38.115556", "37.502669", "41.902782", "38.2", "48.856614", "0", "51.5072178", "1e-5", "-17.7", "-60", "85.06", "-90",
];
const PLACES = ["Palermo", "Catania", "Rome", "Paris", "London", "Suva", "a", ""];
const SIZES = ["0", "1", "0.001", "10.5", "200", "500", "900.5", "20000", "1e5"];
/** Types and offsets of BITFIELD's integers. */
const INTEGER_TYPES = ["u1", "u8", "i8", "i16", "u31", "i64", "u63", "u64", "i65", "u0", "i0", "x8", "8", ""];
const BIT_OFFSETS = ["0", "1", "7", "8", "100", "1000", "#0", "#1", "#20", "-1", "#-1", "#", "a", "4294967296"];
/** Only bounds that mean the same for all scores: Redis orders by member only in sets of one score. */
const MEMBER_BOUNDS = ["-", "+", "-a", "+a", "a", "", "1"];
/** Ids of entries, close together, and the texts that only some arguments take. */
// deno-fmt-ignore
const IDS = [
  "1", "1-1", "1-2", "1-3", "2", "2-0", "2-1", "2-5", "3-0", "3-*", "5-1", "5-18446744073709551615", "7-*", "0", "0-0",
  "0-1", "-", "+", "$", ">", "(1-1", "(2-0", "x", "", "1-x", "-1", "1-2-3", "18446744073709551615-18446744073709551614",
];
const GROUPS = ["g", "h", "workers"], CONSUMERS = ["c", "d", "e"], PRODUCERS = ["p", "q", ""];
/** Idle times that do not depend on how fast the test is. */
const IDLE = ["0", "0", "0", "-1", "100000000", "9223372036854775807", "x", ""];
/** Counts of the elements that follow. */
const SMALL = ["1", "2", "3", "0", "-1", "x"];

/** The ids of streams grow, so that entries can be added; most of them are few, so that they are found again. */
function id(random: SeededRandom): string {
  return oneIn(random, 2) ? `${1 + random.below(6)}-${random.below(6)}` : pick(random, IDS);
}

/** A key, mostly of the command's group, so that it likely has the right type. */
export function key(random: SeededRandom, spec: CommandSpec): string {
  const groups = ["string", "list", "hash", "set", "sorted-set", "generic", "xstream"];
  const group = oneIn(random, 5)
    ? pick(random, groups)
    : spec.group === "generic"
    ? pick(random, groups)
    : spec.group === "stream"
    ? "xstream"
    : spec.group;
  return oneIn(random, 60) ? "" : `${group.slice(0, 3)}:${pick(random, [...KEYS])}`;
}

/** A value of a stream command. */
function streamValue(random: SeededRandom, name: string): string | undefined {
  switch (name) {
    case "id":
    case "start":
    case "end":
    case "last-id":
    case "lastid":
    case "max-deleted-id":
    case "stream-id":
      return id(random);
    case "threshold":
      return oneIn(random, 2) ? id(random) : pick(random, SMALL);
    case "group":
      return pick(random, GROUPS);
    case "consumer":
      return pick(random, CONSUMERS);
    case "pid":
    case "iid":
      return pick(random, PRODUCERS);
    case "min-idle-time":
      return pick(random, IDLE);
    case "numids":
      return pick(random, SMALL);
    case "field":
      return pick(random, ["a", "b", "name", "", "17"]);
  }
}

function digestOf(text: string): string {
  const bytes = fromLatin1(text);
  return latin1(xxh3Digest(new DataView(bytes.buffer), 0, bytes.length));
}

/** A value chosen by the argument's name instead of its type; undefined for most names, and sometimes for all. */
function valueByName(random: SeededRandom, spec: CommandSpec, name: string): string | undefined {
  if (oneIn(random, 8)) return undefined;
  if (spec.group === "stream") return streamValue(random, name);
  switch (name) {
    case "longitude":
      return pick(random, LONGITUDES);
    case "latitude":
      return pick(random, LATITUDES);
    case "radius":
    case "width":
    case "height":
      return pick(random, SIZES);
    case "member":
    case "member1":
    case "member2":
      return spec.group === "geo" ? pick(random, PLACES) : undefined;
    case "ifdeq-digest":
    case "ifdne-digest":
      return digestOf(pick(random, STRINGS));
    case "encoding":
      return pick(random, INTEGER_TYPES);
    case "offset":
      return spec.name.startsWith("bitfield") ? pick(random, BIT_OFFSETS) : undefined;
    case "min":
    case "max":
    case "start":
    case "stop":
      return /lex|^zrange(store)?$/.test(spec.name) && oneIn(random, 2) ? pick(random, MEMBER_BOUNDS) : undefined;
  }
}

export function value(random: SeededRandom, spec: CommandSpec, { name, type, token }: Argument): string {
  const named = valueByName(random, spec, name);
  if (named !== undefined) return named;
  switch (type) {
    case "key":
      return key(random, spec);
    case "integer":
      if (/^(num|numkeys|numfields)/.test(name)) return pick(random, SMALL);
      if (/second/.test(name) || token === "EX") return pick(random, /milli/.test(name) ? MILLISECONDS : SECONDS);
      if (/milli|^ms$/.test(name) || token === "PX") return pick(random, MILLISECONDS);
      return oneIn(random, 2) ? pick(random, SMALL) : pick(random, INTEGERS);
    case "double":
      return pick(random, DOUBLES);
    case "unix-time":
      // A string set with a past deadline stays until it is accessed.
      if (spec.group === "string") return pick(random, ["0", "-1", "abc", /milli/.test(name) ? FAR_MS : FAR_S]);
      return pick(random, /milli/.test(name) ? UNIX_MILLISECONDS : UNIX_SECONDS);
    case "pattern":
      return pick(random, PATTERNS);
    default:
      return oneIn(random, 3) ? pick(random, INTEGERS) : pick(random, STRINGS);
  }
}
