/**
 * Keyspace notifications: the same events in the same order as the released Redis announces them.
 */
import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../src/core/random.ts";
import { commandTable } from "../../src/commands/table.ts";
import { randomCommands } from "../differential/generate.ts";
import { readScripts } from "../differential/scripts.ts";
import { withServer } from "../helpers/server.ts";
import { Conversation } from "./conversation.ts";
import { compareScripts } from "./compare_scripts.ts";
import { NOTIFICATION_SCRIPTS } from "./scripts.ts";
import { seenEvents } from "./seen_events.ts";
import { peerTest, withPeers } from "./servers.ts";

compareScripts("events of keys are published", NOTIFICATION_SCRIPTS, { programs: ["redis-server"] });

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
async function eventsOf(talk: Conversation, commands: readonly string[][]): Promise<string[]> {
  await talk.say("s", "PSUBSCRIBE __key*");
  await talk.say(
    "x",
    "RESET",
    "FLUSHALL ASYNC",
    "CONFIG SET notify-keyspace-events KEAmnoc",
    "DEBUG SET-ACTIVE-EXPIRE 0",
  );
  const { s = "" } = await talk.say("x", ...commands);
  return [...s.matchAll(EVENT)].map(([, db, event, key]) => `${db} ${event} ${key}`);
}

/** Throws unless both servers publish the same events for the commands. */
async function compareEvents(ours: Conversation, theirs: Conversation, commands: readonly string[][]): Promise<void> {
  for (let attempt = 1;; attempt++) {
    const [actual, expected] = await Promise.all([ours, theirs].map((talk) => eventsOf(talk, commands)));
    if (attempt === TRIES) assertEquals(actual, expected, `after ${JSON.stringify(commands)}`);
    if (actual.join() === expected.join()) return;
  }
}

peerTest("each event of each command is announced as by redis-server", () =>
  withPeers(async (ours, theirs) => {
    for (const { name, commands } of readScripts()) {
      if (name === "events.txt") await compareEvents(ours, theirs, commands);
    }
  }));

peerTest(
  "random commands announce the events that redis-server announces",
  () =>
    withPeers(async (ours, theirs) => {
      for (let seed = 1; seed <= 10; seed++) {
        await compareEvents(ours, theirs, randomCommands(new SeededRandom(seed), 150));
      }
    }),
);

Deno.test("every class has events, and every command that writes causes one in the scripts", () => {
  const seen = seenEvents(),
    causes = new Set([...seen.values()].flatMap((events) => [...events.values()].map((all) => [...all])).flat());
  assertEquals([...seen].filter(([, events]) => events.size === 0).map(([kind]) => kind), []);
  // What is newer than the peers is not in the scripts; the tests of these commands have their events.
  const compared = commandTable.filter(({ byDocumentation }) => !byDocumentation);
  const silent = compared.filter(({ name, flags }) => flags.includes("write") && !causes.has(name.toUpperCase()));
  assertEquals(silent.map(({ name }) => name), ["flushdb", "flushall", "swapdb", "pfdebug", "xcfgset", "xidmprecord"]);
});
