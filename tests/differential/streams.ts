/**
 * Random commands on a few streams and groups, most of which find something: ids are close to each other, and options
 * come in any order. generate.ts makes commands of all kinds, few of which meet the same stream.
 */
import type { SeededRandom } from "../../src/core/random.ts";
import { oneIn, pick } from "../helpers/property.ts";

/** Keys that duel.ts compares at the end; the last is a string. */
const KEYS = ["xst:a", "xst:a", "xst:a", "xst:b", "xst:c"], TEXT = "xst:d";
const GROUPS = ["g", "g", "h", ""], CONSUMERS = ["one", "two", "three"];
const WIDE = ["18446744073709551615", "18446744073709551614", "9223372036854775807", "9223372036854775808"];
const NO_IDS = [
  "",
  "x",
  "1-",
  "-1",
  "1-x",
  "1--1",
  "18446744073709551616",
  "1-18446744073709551616",
  "01-01",
  " 1",
  "+1",
];
const COUNTS = ["1", "2", "3", "10", "0", "-1", "x", "9223372036854775807", "9223372036854775808"];
/** Nothing of a run is idle for so long. */
const LONG_IDLE = "1000000000";

/** Makes `count` commands; the first ones fill the streams. */
export function streamCommands(random: SeededRandom, count: number): string[][] {
  const commands: string[][] = [["SET", TEXT, "text"]];
  // Small nodes, so that whole ones are trimmed; both servers keep the setting.
  commands.push(["CONFIG", "SET", "stream-node-max-entries", pick(random, ["2", "5", "100"])]);
  let ms = 1;
  while (commands.length < count / 4) {
    commands.push(["XADD", pick(random, KEYS), `${ms += random.below(2)}-*`, "f", "v"]);
  }
  commands.push(["XGROUP", "CREATE", KEYS[0], "g", "0"], ["XGROUP", "CREATE", KEYS[0], "h", "2"]);
  let open = false;
  while (commands.length < count) {
    if (oneIn(random, 25)) {
      commands.push([open ? pick(random, ["EXEC", "EXEC", "DISCARD"]) : "MULTI"]);
      open = !open;
      continue;
    }
    const words = pick(random, MAKERS)(random);
    if (oneIn(random, 12)) {
      words.splice(1 + random.below(words.length), random.below(2), pick(random, [...NO_IDS, "COUNT", "IDS"]));
    }
    commands.push(words);
  }
  if (open) commands.push(["EXEC"]);
  return commands;
}

function key(random: SeededRandom): string {
  return oneIn(random, 30) ? pick(random, [TEXT, "missing"]) : pick(random, KEYS);
}

function group(random: SeededRandom): string {
  return oneIn(random, 20) ? "missing" : pick(random, GROUPS);
}

const consumer = (random: SeededRandom) => pick(random, CONSUMERS);

function id(random: SeededRandom): string {
  if (oneIn(random, 25)) return pick(random, NO_IDS);
  const part = () => oneIn(random, 40) ? pick(random, WIDE) : String(random.below(15));
  return oneIn(random, 5) ? part() : `${part()}-${oneIn(random, 20) ? pick(random, WIDE) : random.below(4)}`;
}

function bound(random: SeededRandom): string {
  const kind = random.below(6);
  return kind === 0 ? "-" : kind === 1 ? "+" : kind === 2 ? `(${id(random)}` : id(random);
}

function ids(random: SeededRandom): string[] {
  return Array.from({ length: 1 + random.below(4) }, () => id(random));
}

const counted = (random: SeededRandom) => ["COUNT", pick(random, COUNTS)];
const maybe = (random: SeededRandom, words: readonly string[]) => oneIn(random, 3) ? words : [];
const references = (random: SeededRandom) => maybe(random, [pick(random, ["KEEPREF", "DELREF", "ACKED", "acked"])]);

/** Parts in any order. */
function shuffled(random: SeededRandom, parts: (readonly string[])[]): string[] {
  for (let i = parts.length - 1; i > 0; i--) {
    const k = random.below(i + 1);
    [parts[i], parts[k]] = [parts[k], parts[i]];
  }
  return parts.flat();
}

function trimming(random: SeededRandom): string[] {
  const operator = maybe(random, [pick(random, ["=", "~"])]);
  const limit = oneIn(random, 4) ? ["LIMIT", pick(random, COUNTS)] : [];
  const by = oneIn(random, 2) ? ["MAXLEN", ...operator, String(random.below(12))] : ["MINID", ...operator, id(random)];
  return [...by, ...limit];
}

function withIds(random: SeededRandom): string[] {
  const list = ids(random);
  const number = oneIn(random, 15) ? pick(random, COUNTS) : String(list.length);
  return shuffled(random, [references(random), ["IDS", number, ...list]]);
}

function readOptions(random: SeededRandom): (readonly string[])[] {
  return [maybe(random, counted(random))];
}

function streamsOf(random: SeededRandom, start: () => string): string[] {
  const keys = Array.from({ length: oneIn(random, 4) ? 2 : 1 }, () => key(random));
  return ["STREAMS", ...keys, ...keys.map(start)];
}

const entriesRead = (random: SeededRandom) =>
  maybe(random, ["ENTRIESREAD", pick(random, ["0", "3", "100", "-1", "-2", "x"])]);

const MAKERS: readonly ((random: SeededRandom) => string[])[] = [
  ...new Array(3).fill((random: SeededRandom) => [
    "XADD",
    key(random),
    ...shuffled(random, [maybe(random, ["NOMKSTREAM"]), maybe(random, trimming(random)), references(random)]),
    oneIn(random, 2) ? `${10 + random.below(20)}-*` : id(random),
    ...pick(random, [["f", "v"], ["f", "1"], ["f", "v", "g", "-70000"], ["other", "x".repeat(random.below(90))], [
      "f",
    ]]),
  ]),
  (random) => ["XTRIM", key(random), ...shuffled(random, [trimming(random), references(random)])],
  (random) => ["XDEL", key(random), ...ids(random)],
  (random) => ["XDELEX", key(random), ...withIds(random)],
  (random) => ["XACKDEL", key(random), group(random), ...withIds(random)],
  (random) => ["XACK", key(random), group(random), ...ids(random)],
  (random) => ["XLEN", key(random)],
  (random) => ["XRANGE", key(random), bound(random), bound(random), ...maybe(random, counted(random))],
  (random) => ["XREVRANGE", key(random), bound(random), bound(random), ...maybe(random, counted(random))],
  (random) => [
    "XREAD",
    ...shuffled(random, readOptions(random)),
    ...streamsOf(random, () => oneIn(random, 5) ? pick(random, ["$", "+", ">"]) : id(random)),
  ],
  ...new Array(4).fill((random: SeededRandom) => [
    "XREADGROUP",
    ...shuffled(random, [
      ["GROUP", group(random), consumer(random)],
      ...readOptions(random),
      oneIn(random, 8) ? ["NOACK"] : [],
      oneIn(random, 5) ? ["CLAIM", pick(random, ["0", "0", LONG_IDLE, "-1", "x"])] : [],
    ]),
    ...streamsOf(random, () => oneIn(random, 4) ? pick(random, [id(random), "$", "+", "0"]) : ">"),
  ]),
  (random) => [
    "XCLAIM",
    key(random),
    group(random),
    consumer(random),
    pick(random, ["0", "0", LONG_IDLE, "-1", "x"]),
    ...ids(random),
    ...shuffled(random, [
      maybe(random, ["IDLE", pick(random, ["0", "5000", "-1", "x"])]),
      oneIn(random, 5) ? ["TIME", pick(random, ["1700000000000", "0", "-1", "x"])] : [],
      maybe(random, ["RETRYCOUNT", pick(random, COUNTS)]),
      maybe(random, ["FORCE"]),
      maybe(random, ["JUSTID"]),
      oneIn(random, 6) ? ["LASTID", id(random)] : [],
    ]),
  ],
  (random) => [
    "XAUTOCLAIM",
    key(random),
    group(random),
    consumer(random),
    pick(random, ["0", "0", LONG_IDLE, "-1"]),
    bound(random),
    ...shuffled(random, [maybe(random, counted(random)), maybe(random, ["JUSTID"])]),
  ],
  (random) => ["XPENDING", key(random), group(random)],
  (random) => [
    "XPENDING",
    key(random),
    group(random),
    ...maybe(random, ["IDLE", pick(random, ["0", LONG_IDLE, "-1"])]),
    bound(random),
    bound(random),
    pick(random, COUNTS),
    ...maybe(random, [consumer(random)]),
  ],
  (random) => [
    "XGROUP",
    "CREATE",
    key(random),
    group(random),
    oneIn(random, 4) ? "$" : id(random),
    ...shuffled(random, [maybe(random, ["MKSTREAM"]), entriesRead(random)]),
  ],
  (
    random,
  ) => ["XGROUP", "SETID", key(random), group(random), oneIn(random, 4) ? "$" : bound(random), ...entriesRead(random)],
  (random) => ["XGROUP", "CREATECONSUMER", key(random), group(random), consumer(random)],
  (random) => ["XGROUP", "DELCONSUMER", key(random), group(random), consumer(random)],
  (random) => oneIn(random, 4) ? ["XGROUP", "DESTROY", key(random), group(random)] : ["XLEN", key(random)],
  (random) => ["XINFO", "STREAM", key(random), ...maybe(random, ["FULL", ...maybe(random, counted(random))])],
  (random) => ["XINFO", "GROUPS", key(random)],
  (random) => ["XINFO", "CONSUMERS", key(random), group(random)],
  (random) => [
    "XSETID",
    key(random),
    id(random),
    ...shuffled(random, [
      maybe(random, ["ENTRIESADDED", pick(random, ["0", "100", "-1", "x"])]),
      maybe(random, ["MAXDELETEDID", id(random)]),
    ]),
  ],
  (random) => [
    "XCFGSET",
    key(random),
    ...shuffled(random, [
      maybe(random, ["IDMP-DURATION", pick(random, COUNTS)]),
      maybe(random, ["IDMP-MAXSIZE", pick(random, COUNTS)]),
    ]),
  ],
  (random) => [pick(random, ["COPY", "RENAME", "RENAMENX"]), key(random), pick(random, KEYS)],
  (random) => oneIn(random, 3) ? ["DEL", pick(random, KEYS)] : ["TYPE", key(random)],
  (random) => ["OBJECT", "ENCODING", key(random)],
  (random) => ["DEBUG", "DIGEST-VALUE", key(random)],
];
