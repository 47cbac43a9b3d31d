/**
 * Keyspace notifications: the same events in the same order as the released Redis announces them.
 */
import { assertEquals } from "@std/assert";
import { PERSONALITIES, type Personality } from "../../src/core/personality.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { commandTable } from "../../src/commands/table.ts";
import { Generator, isKnownTo } from "../differential/generate.ts";
import { readScripts } from "../differential/scripts.ts";
import { withServer } from "../helpers/server.ts";
import { Conversation } from "./conversation.ts";
import { compareScripts } from "./compare_scripts.ts";
import { NOTIFICATION_SCRIPTS, type Scripts } from "./scripts.ts";
import { seenEvents } from "./seen_events.ts";
import { peerTest, withPeers } from "./servers.ts";

/** Steps without the classes of events that Valkey does not have. */
function forValkey(scripts: Scripts): Scripts {
  const command = (text: string) => text.replace(/(?<=notify-keyspace-events \S*)[oc]+/, "");
  return Object.fromEntries(
    Object.entries(scripts).map((
      [title, steps],
    ) => [title, steps.map(([who, ...said]) => [who, ...said.map(command)])]),
  );
}

compareScripts("events of keys are published as by", NOTIFICATION_SCRIPTS, { programs: ["redis-server"] });
compareScripts("events of keys are published as by", forValkey(NOTIFICATION_SCRIPTS), { programs: ["valkey-server"] });

Deno.test("expiry announces a key and a field at the time it happens", () =>
  withServer(async (client, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    await client.run("CONFIG SET notify-keyspace-events Exhg");
    await client.run("SET k v PX 10");
    await client.run("HSET h f 1 g 1");
    await client.run("HPEXPIRE h 10 FIELDS 1 f");
    await talk.say("s", "PSUBSCRIBE *");
    server.clock.advance(11);
    await client.run("GET k");
    await client.run("HGET h f");
    const events = (await talk.settle()).s.match(/__keyevent@0__:\w+/g);
    assertEquals(events, ["__keyevent@0__:expired", "__keyevent@0__:hexpired"]);
    talk.close();
  }, { settings: { startexpiryloop: "no" } }));

const EVENT = /__keyevent@(\d+)__:(\S+)\r\n\$\d+\r\n([^\r]*)/g;
/** The clock may tick between the two servers; it does not do so again and again. */
const TRIES = 3;

/** Runs commands on an empty server, and returns the events that it publishes. */
async function eventsOf(talk: Conversation, classes: string, commands: readonly string[][]): Promise<string[]> {
  await talk.say("s", "PSUBSCRIBE __key*");
  await talk.say(
    "x",
    "RESET",
    "FLUSHALL ASYNC",
    `CONFIG SET notify-keyspace-events ${classes}`,
    "DEBUG SET-ACTIVE-EXPIRE 0",
  );
  const { s = "" } = await talk.say("x", ...commands);
  return [...s.matchAll(EVENT)].map(([, db, event, key]) => `${db} ${event} ${key}`);
}

/** All classes of the events of a server. */
const CLASSES: Readonly<Record<Personality, string>> = { redis: "KEAmnoc", valkey: "KEAmn" };

/** Throws unless both servers publish the same events for the commands. */
async function compareEvents(
  ours: Conversation,
  theirs: Conversation,
  classes: string,
  commands: readonly string[][],
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    const [actual, expected] = await Promise.all([ours, theirs].map((talk) => eventsOf(talk, classes, commands)));
    if (attempt === TRIES) assertEquals(actual, expected, `after ${JSON.stringify(commands)}`);
    if (actual.join() === expected.join()) return;
  }
}

for (const personality of PERSONALITIES) {
  const program = `${personality}-server`, classes = CLASSES[personality];
  const generator = new Generator(personality);

  peerTest(`each event of each command is announced as by ${program}`, () =>
    withPeers(async (ours, theirs) => {
      for (const { name, commands } of readScripts()) {
        if (name !== "events.txt") continue;
        const known = commands.filter((words) => isKnownTo(personality, words));
        await compareEvents(ours, theirs, classes, known);
      }
    }, program), program);

  peerTest(
    `random commands announce the events that ${program} announces`,
    () =>
      withPeers(async (ours, theirs) => {
        for (let seed = 1; seed <= 10; seed++) {
          await compareEvents(ours, theirs, classes, generator.commands(new SeededRandom(seed), 150));
        }
      }, program),
    program,
  );
}

Deno.test("every class has events, and every command that writes causes one in the scripts", () => {
  const seen = seenEvents(),
    causes = new Set([...seen.values()].flatMap((events) => [...events.values()].map((all) => [...all])).flat());
  assertEquals([...seen].filter(([, events]) => events.size === 0).map(([kind]) => kind), []);
  // The scripts hold no commands that the servers to compare with do not have.
  const known = commandTable.filter(({ byDocumentation }) => !byDocumentation);
  const silent = known.filter(({ name, flags }) => flags.includes("write") && !causes.has(name.toUpperCase()));
  assertEquals(silent.map(({ name }) => name), ["flushdb", "flushall", "swapdb", "pfdebug", "xcfgset", "xidmprecord"]);
});
