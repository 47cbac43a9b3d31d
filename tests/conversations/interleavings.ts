/**
 * Random conversations of clients that wait, subscribe, watch, track, pause and are killed. The same schedule runs on
 * MemDB and on redis-server, and every client must receive the same bytes.
 *
 * The schedules leave out the little in which redis-server is not determined: waits end by no timeout, keys expire only
 * where all clients wait for it, and of several trackers with the same receiver only one broadcasts.
 */
import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../src/core/random.ts";
import { Blocking } from "../../src/conversations/blocking.ts";
import { Deadlines } from "../../src/conversations/deadlines.ts";
import { HeldBytes } from "../../src/conversations/queues.ts";
import { Subscriptions } from "../../src/conversations/subscriptions.ts";
import { Tracking } from "../../src/conversations/tracking.ts";
import type { Server } from "../../src/server/server.ts";
import { oneIn, pick } from "../helpers/property.ts";
import { compare, type Conversation, type Step } from "./conversation.ts";
import { anyOrder } from "./masks.ts";
import { withPeers } from "./servers.ts";

const CLIENTS = ["a", "b", "c", "d", "e"];
/** The client that receives the invalidations of others. */
const RECEIVER = "d";
const LISTS = ["l1", "l2", "l3"], SORTED_SETS = ["z1", "z2"], STRINGS = ["s1", "s2", "s3"], STREAMS = ["t1", "t2"];
const KEYS = [...LISTS, ...SORTED_SETS, ...STRINGS, ...STREAMS],
  CHANNELS = ["one", "two", "l1"],
  PATTERNS = ["t*", "[ol]*", "__key*"];

type Maker = (random: SeededRandom) => string;

const end: Maker = (random) => pick(random, ["LEFT", "RIGHT"]);
const list: Maker = (random) => oneIn(random, 15) ? pick(random, KEYS) : pick(random, LISTS);
const sortedSet: Maker = (random) => oneIn(random, 15) ? pick(random, KEYS) : pick(random, SORTED_SETS);
const key: Maker = (random) => pick(random, KEYS);
const value: Maker = (random) => String(random.below(100));
const client: Maker = (random) => `{${pick(random, CLIENTS)}}`;

const BLOCKING: readonly Maker[] = [
  (random) => `BLPOP ${list(random)} ${list(random)} 0`,
  (random) => `BRPOP ${list(random)} 0`,
  (random) => `BLMOVE ${list(random)} ${list(random)} ${end(random)} ${end(random)} 0`,
  (random) => `BRPOPLPUSH ${list(random)} ${list(random)} 0`,
  (random) => `BLMPOP 0 2 ${list(random)} ${list(random)} ${end(random)} COUNT 2`,
  (random) => `BZPOPMIN ${sortedSet(random)} ${sortedSet(random)} 0`,
  (random) => `BZPOPMAX ${sortedSet(random)} 0`,
  (random) => `BZMPOP 0 1 ${sortedSet(random)} MAX COUNT 2`,
  (random) => `XREAD BLOCK 0 STREAMS ${STREAMS.join(" ")} $ ${pick(random, ["$", "0"])}`,
  (random) => `XREADGROUP GROUP g ${pick(random, ["c", "d"])} BLOCK 0 STREAMS ${pick(random, STREAMS)} >`,
  () => "WAIT 1 0",
  () => "WAITAOF 0 1 0",
];

const CHANGING: readonly Maker[] = [
  (random) => `RPUSH ${list(random)} ${value(random)}`,
  (random) => `LPUSH ${list(random)} ${value(random)} ${value(random)}`,
  (random) => `ZADD ${sortedSet(random)} ${value(random)} ${value(random)}`,
  (random) => `SET ${pick(random, STRINGS)} ${value(random)}`,
  (random) => `XADD ${pick(random, STREAMS)} * f ${value(random)}`,
  (random) => `XGROUP CREATE ${pick(random, STREAMS)} g ${pick(random, ["0", "$"])} MKSTREAM`,
  (random) => `XTRIM ${pick(random, STREAMS)} MAXLEN 1`,
  (random) => `EVAL return(redis.call('set',KEYS[1],'x')) 1 ${pick(random, STRINGS)}`,
  (random) => `EVAL return(redis.call('rpush',KEYS[1],'y')) 1 ${list(random)}`,
  (random) => `INCR ${pick(random, STRINGS)}`,
  (random) => `MSET ${pick(random, STRINGS)} 1 ${pick(random, STRINGS)} 2`,
  (random) => `DEL ${key(random)} ${key(random)}`,
  (random) => `LMOVE ${list(random)} ${list(random)} ${end(random)} ${end(random)}`,
  (random) => `LPOP ${list(random)}`,
  (random) => `RENAME ${key(random)} ${key(random)}`,
  (random) => `COPY ${key(random)} ${key(random)} REPLACE`,
  (random) => `SORT ${list(random)} STORE ${list(random)}`,
  (random) => `ZUNIONSTORE ${sortedSet(random)} 1 ${sortedSet(random)}`,
  (random) => `EXPIRE ${key(random)} 1000`,
  (random) => `MOVE ${key(random)} 1`,
];

const READING: readonly Maker[] = [
  (random) => `GET ${pick(random, STRINGS)}`,
  (random) => `MGET ${STRINGS.join(" ")} ${key(random)}`,
  (random) => `LRANGE ${list(random)} 0 -1`,
  (random) => `ZSCORE ${sortedSet(random)} ${value(random)}`,
  (random) => `EXISTS ${key(random)} ${key(random)}`,
  (random) => `TYPE ${key(random)}`,
  (random) => `XLEN ${pick(random, STREAMS)}`,
  (random) => `EVAL return(redis.call('exists',KEYS[1])) 1 ${key(random)}`,
];

const SUBSCRIBING: readonly Maker[] = [
  (random) => `SUBSCRIBE ${pick(random, CHANNELS)}`,
  () => "SUBSCRIBE __redis__:invalidate",
  (random) => `UNSUBSCRIBE ${pick(random, CHANNELS)}`,
  () => "UNSUBSCRIBE",
  (random) => `PSUBSCRIBE ${pick(random, PATTERNS)}`,
  () => "PUNSUBSCRIBE",
  (random) => `SSUBSCRIBE ${pick(random, CHANNELS)}`,
  () => "SUNSUBSCRIBE",
  (random) => `PUBLISH ${pick(random, CHANNELS)} ${value(random)}`,
  (random) => `PUBLISH ${pick(random, CHANNELS)} ${value(random)}`,
  (random) => `SPUBLISH ${pick(random, CHANNELS)} ${value(random)}`,
  (random) => `PUBSUB NUMSUB ${pick(random, CHANNELS)}`,
  () => "PUBSUB NUMPAT",
];

const TRACKING: readonly Maker[] = [
  () => "CLIENT TRACKING ON",
  () => "CLIENT TRACKING ON NOLOOP",
  () => "CLIENT TRACKING ON OPTIN",
  () => "CLIENT TRACKING ON OPTOUT NOLOOP",
  () => `CLIENT TRACKING ON REDIRECT {${RECEIVER}}`,
  () => "CLIENT TRACKING OFF",
  () => "CLIENT TRACKING OFF",
  () => "CLIENT CACHING YES",
  () => "CLIENT CACHING NO",
  () => "CLIENT TRACKINGINFO",
];

/** Broadcasting; only the first two clients do it. */
const BROADCASTING: readonly Maker[] = [
  () => "CLIENT TRACKING ON BCAST",
  () => "CLIENT TRACKING ON BCAST PREFIX l PREFIX s1 PREFIX t",
  () => "CLIENT TRACKING ON BCAST NOLOOP PREFIX z",
];

const CONTROLLING: readonly Maker[] = [
  (random) => `CLIENT UNBLOCK ${client(random)}`,
  (random) => `CLIENT UNBLOCK ${client(random)} ERROR`,
  (random) => `CLIENT KILL ID ${client(random)}`,
  () => "CLIENT KILL TYPE pubsub SKIPME yes",
  () => "CLIENT PAUSE 100000 WRITE",
  () => "CLIENT UNPAUSE",
  () => "FLUSHALL ASYNC",
  () => "FLUSHDB ASYNC",
  (random) => `SELECT ${random.below(2)}`,
  () => "PING",
  () => "RESET",
];

const TRANSACTIONS: readonly Maker[] = [
  (random) => `WATCH ${key(random)}`,
  () => "UNWATCH",
  () => "MULTI",
  () => "EXEC",
  () => "EXEC",
  () => "DISCARD",
];

/** The kinds of commands of a pipeline, with their weights. */
const WEIGHTS: readonly (readonly [kind: readonly Maker[], weight: number])[] = [
  [BLOCKING, 4],
  [CHANGING, 5],
  [READING, 7],
  [SUBSCRIBING, 3],
  [TRACKING, 3],
  [TRANSACTIONS, 1],
  [CONTROLLING, 1],
];
const KINDS = WEIGHTS.flatMap(([kind, weight]) => Array.from({ length: weight }, () => kind));

/** A command of a client at random; `{b}` in it stands for the id of client b. */
export function randomCommand(random: SeededRandom, name: string): string {
  const kind = pick(random, KINDS);
  if (kind === TRACKING && name < "c" && oneIn(random, 2)) {
    const broadcasting = pick(random, BROADCASTING)(random);
    return name === "a" && oneIn(random, 2) ? `${broadcasting} REDIRECT {${RECEIVER}}` : broadcasting;
  }
  return pick(random, kind)(random);
}

/** A step of one of the clients. */
function randomStep(random: SeededRandom): Step {
  const name = pick(random, CLIENTS);
  switch (random.below(25)) {
    case 0:
      return [name];
    case 1:
      return [name, `HELLO ${2 + random.below(2)}`];
    case 2:
      return [name, `CLIENT REPLY ${pick(random, ["OFF", "SKIP", "ON", "ON"])}`, pick(random, CHANGING)(random)];
  }
  const commands = Array.from({ length: 1 + random.below(5) }, () => randomCommand(random, name));
  return oneIn(random, 5) ? [name, "MULTI", ...commands, "EXEC"] : [name, ...commands];
}

/** A step of client x, which never waits: it changes keys and lets the others go on. */
function drivingStep(random: SeededRandom): Step {
  switch (random.below(25)) {
    case 0:
      // No client uses the key before it is past its deadline.
      return ["x", `SET ${key(random)} v PX 1`, "DEBUG SLEEP 0.005"];
    case 1:
      return ["x", pick(random, ["FLUSHALL", "FLUSHDB", "CLIENT PAUSE 10 ALL", "SWAPDB 0 0"])];
    case 2:
      return ["x", `CONFIG SET notify-keyspace-events ${pick(random, ["KEA", "El", ""])}`];
    case 3:
      return ["x", `CLIENT KILL ID ${client(random)}`];
    case 4:
    case 5:
    case 6:
      return ["x", `CLIENT UNBLOCK ${client(random)}`, `CLIENT UNBLOCK ${client(random)} ERROR`];
    case 7:
    case 8:
      return ["x", ...CHANNELS.map((channel) => `PUBLISH ${channel} ${value(random)}`), "SPUBLISH one shard"];
    case 9:
      return ["x", `RPUSH ${list(random)} 1 2 3`, `ZADD ${sortedSet(random)} 1 a 2 b 3 c`, "MSET s1 1 s2 2 s3 3"];
  }
  const commands = Array.from({ length: 1 + random.below(4) }, () => pick(random, CHANGING)(random));
  return oneIn(random, 4) ? ["x", "MULTI", ...commands, "EXEC"] : ["x", ...commands];
}

/** A random schedule. The clients begin in different protocols and modes, and a pause is soon over. */
export function interleaving(random: SeededRandom, length: number): Step[] {
  const steps: Step[] = [];
  for (const name of CLIENTS) {
    steps.push([name, `HELLO ${oneIn(random, 3) ? 2 : 3}`]);
    if (oneIn(random, 2)) steps.push([name, "CLIENT TRACKING ON", `MGET ${KEYS.join(" ")}`]);
  }
  let paused = false;
  while (steps.length < length) {
    const step = oneIn(random, 2) ? drivingStep(random) : randomStep(random);
    // While writes are paused, x would wait too.
    if (paused && (step[0] === "x" || oneIn(random, 4))) {
      steps.push(["x", "CLIENT UNPAUSE"]);
      paused = false;
    }
    steps.push(step);
    paused ||= step.some((command) => command.endsWith("WRITE"));
  }
  return steps;
}

const COUNTS = /^(?:blocked_clients|tracking_clients|pubsub_clients|watching_clients|total_\w+_keys):\d+/gm;

/** Ids of streams that follow the clock. */
const STREAM_ID = /\b1\d{12}-\d+\b/g;

/** The counts of INFO that must agree, and else the text without what is random. */
function comparable(text: string): string {
  return text.startsWith("$") && text.includes("# Clients")
    ? [...text.matchAll(COUNTS)].join(" ")
    : anyOrder(text).replace(STREAM_ID, "<id>");
}

/** Runs the schedule of a seed on both servers. Then all clients leave, and nothing of them may stay. */
export async function runInterleaving(seed: number, length: number): Promise<void> {
  const random = new SeededRandom(seed);
  await withPeers(async (ours, theirs, server) => {
    const say = (...steps: Step[]) => compare(ours, theirs, steps, comparable);
    await say(["x", "DEBUG SET-ACTIVE-EXPIRE 0"]);
    await say(...interleaving(random, length));
    await say(["x", "CLIENT UNPAUSE"], ["info", "INFO clients"]);
    await allLeave(ours, theirs);
    await say(["info", "INFO clients"]);
    checkNothingStays(server);
  });
}

async function allLeave(ours: Conversation, theirs: Conversation): Promise<void> {
  for (const name of [...CLIENTS, "x"]) await compare(ours, theirs, [[name]], comparable);
}

/** Throws if the server still holds something for a client. */
export function checkNothingStays({ engine }: Server): void {
  const blocking = engine.part(Blocking), subscriptions = engine.part(Subscriptions), tracking = engine.part(Tracking);
  const { clientCount, keyCount, itemCount, prefixCount } = tracking;
  assertEquals({
    waiting: [blocking.clientCount, engine.part(Deadlines).size, blocking.keyCounts().keys],
    subscribed: (["channel", "pattern", "shard"] as const).map((kind) => subscriptions.count(kind)),
    watching: [engine.watches.sessionCount, engine.watches.keyCount],
    tracking: [clientCount, keyCount, itemCount, prefixCount],
    monitoring: engine.monitors.size,
    suspended: [...engine.sessions.values()].filter(({ suspension }) => suspension !== undefined).length,
    held: engine.part(HeldBytes).check(),
    listening: [engine.listeners.keyChanged.all.length, engine.listeners.flushed.all.length],
  }, {
    waiting: [0, 0, 0],
    subscribed: [0, 0, 0],
    watching: [0, 0],
    tracking: [0, 0, 0, 0],
    monitoring: 0,
    suspended: 0,
    held: 0,
    listening: [0, 0],
  });
}
