/**
 * Publish and subscribe: word for word as the released servers do it, and what only this server can be asked about.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Message, Subscriptions } from "../../src/conversations/subscriptions.ts";
import { latin1, utf8 } from "../../src/core/bytes.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { Session } from "../../src/engine/session.ts";
import { Reply } from "../../src/resp/reply.ts";
import { createEngine } from "../helpers/engine.ts";
import { oneIn, pick, property } from "../helpers/property.ts";
import { TestServer, withServer } from "../helpers/server.ts";
import { compareScripts } from "./compare_scripts.ts";
import { compare, Conversation, type Step } from "./conversation.ts";
import { anyOrder } from "./masks.ts";
import { PUBSUB_SCRIPTS } from "./pubsub_scripts.ts";
import { peerTest, withPeers } from "./servers.ts";

compareScripts("subscribers hear what they hear from", PUBSUB_SCRIPTS);

const CLIENTS = ["a", "b", "c", "d"], CHANNELS = ["one", "two", "three"], PATTERNS = ["one", "t*", "*e*", "[ot]??"];
const RANDOM_STEPS = 60;

/** One command at random, as words. */
function randomCommand(random: SeededRandom): string {
  const channel = pick(random, CHANNELS), other = pick(random, CHANNELS), pattern = pick(random, PATTERNS);
  return pick(random, [
    `SUBSCRIBE ${channel} ${other}`,
    `SUBSCRIBE ${channel}`,
    `UNSUBSCRIBE ${channel}`,
    "UNSUBSCRIBE",
    `PSUBSCRIBE ${pattern}`,
    `PUNSUBSCRIBE ${pattern}`,
    "PUNSUBSCRIBE",
    `SSUBSCRIBE ${channel}`,
    `SUNSUBSCRIBE ${channel}`,
    "SUNSUBSCRIBE",
    `PUBLISH ${channel} m${random.below(100)}`,
    `PUBLISH ${channel} m${random.below(100)}`,
    `SPUBLISH ${channel} m${random.below(100)}`,
    `PUBSUB NUMSUB ${CHANNELS.join(" ")}`,
    `PUBSUB SHARDNUMSUB ${CHANNELS.join(" ")}`,
    "PUBSUB NUMPAT",
    "PING",
    "RESET",
    "BLPOP list 0",
    "RPUSH list 1",
    `CLIENT REPLY ${pick(random, ["ON", "OFF", "SKIP"])}`,
  ]);
}

function randomStep(random: SeededRandom): Step {
  const client = pick(random, CLIENTS);
  if (oneIn(random, 15)) return [client];
  if (oneIn(random, 8)) return [client, `HELLO ${2 + random.below(2)}`];
  if (oneIn(random, 12)) return ["x", "CLIENT KILL TYPE pubsub"];
  const commands = Array.from({ length: 1 + random.below(4) }, () => randomCommand(random));
  // Within a transaction CLIENT REPLY would hold for half of a reply.
  if (!oneIn(random, 4) || commands.some((command) => command.startsWith("CLIENT REPLY"))) return [client, ...commands];
  return [client, "MULTI", ...commands, "EXEC"];
}

peerTest(
  "random conversations of publishers and subscribers are redis-server's",
  () =>
    property(3, (random) =>
      withPeers(async (ours, theirs, server) => {
        await compare(ours, theirs, Array.from({ length: RANDOM_STEPS }, () => randomStep(random)), anyOrder);
        for (const client of [...CLIENTS, "x"]) await compare(ours, theirs, [[client]]);
        const subscriptions = server.engine.part(Subscriptions);
        assertEquals((["channel", "pattern", "shard"] as const).map((kind) => subscriptions.count(kind)), [0, 0, 0]);
      })),
);

Deno.test("CLIENT LIST and INFO count subscriptions, whatever ends them", () =>
  withServer(async (client, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    const counts = async () =>
      [
        ...(await client.run("INFO stats")).matchAll(/^pubsub\w+:(\d+)/gm),
        ...(await client.run("INFO clients")).matchAll(/^pubsub_clients:(\d+)/gm),
      ].map(([, count]) => Number(count));
    const lines = async () =>
      [...(await client.run("CLIENT LIST TYPE pubsub")).matchAll(/flags=(\w+).* (sub=\d+ psub=\d+ ssub=\d+) /g)]
        .map(([, flags, subscribed]) => `${flags} ${subscribed}`);
    await talk.say("a", "SUBSCRIBE one two", "PSUBSCRIBE o*");
    await talk.say("b", "HELLO 3", "SUBSCRIBE one", "SSUBSCRIBE one two three");
    await talk.say("c", "PSUBSCRIBE o* t*");
    assertEquals(await lines(), ["P sub=2 psub=1 ssub=0", "P sub=1 psub=0 ssub=3", "P sub=0 psub=2 ssub=0"]);
    assertEquals(await counts(), [2, 2, 3, 3]);
    await talk.say("b", "HELLO 2", "HELLO 3", "SUNSUBSCRIBE two");
    await talk.say("a", "RESET");
    assertEquals(await lines(), ["P sub=1 psub=0 ssub=2", "P sub=0 psub=2 ssub=0"]);
    assertEquals(await counts(), [1, 2, 2, 2]);
    await talk.leave("c");
    assertEquals(await counts(), [1, 0, 2, 1]);
    assertEquals(await client.run("CLIENT KILL TYPE pubsub"), ":1\r\n");
    assertEquals(await talk.settle(), { b: "(closed)" });
    assertEquals([await counts(), await lines()], [[0, 0, 0, 0], []]);
    const { byKind } = server.server.engine.clientMemory;
    assertEquals(byKind.pubsub, 0);
    talk.close();
  }));

/** A client that subscribes and then reads nothing. */
async function subscribeAndSleep(server: TestServer): Promise<Deno.Conn> {
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await socket.write(utf8("SUBSCRIBE ch\r\n"));
  await socket.read(new Uint8Array(100));
  return socket;
}

for (const [name, limit, advanceMs] of [["hard", "pubsub 1mb 0 0", 0], ["soft", "pubsub 0 1mb 5", 6000]] as const) {
  Deno.test(`a subscriber that does not read is cut off at the ${name} limit`, () =>
    withServer(async (client, server) => {
      const { engine } = server.server, logged: string[] = [];
      engine.log = (level, text) => void logged.push(`${level} ${text}`);
      assertEquals(await client.command("CONFIG", "SET", "client-output-buffer-limit", limit), "+OK\r\n");
      const sleeper = await subscribeAndSleep(server);
      // What the system keeps for the socket is no part of the limit.
      const message = "x".repeat(900_000);
      let sent = 0;
      while (engine.clientMemory.outputBytes < 1024 * 1024 && engine.part(Subscriptions).count("channel") > 0) {
        assertEquals(await client.command("PUBLISH", "ch", message), ":1\r\n");
        assert(++sent < 1000);
      }
      assertEquals(engine.part(Subscriptions).count("channel"), advanceMs === 0 ? 0 : 1);
      server.clock.advance(advanceMs);
      await client.command("PUBLISH", "ch", "x");
      assertEquals(await client.command("PUBLISH", "ch", "x"), ":0\r\n");
      assertMatch(await client.run("INFO stats"), /client_output_buffer_limit_disconnections:1\r\n/);
      assertEquals(logged.length, 1);
      assertMatch(
        logged[0],
        /^warning Closing client 127.0.0.1:\d+: its unread replies exceed client-output-buffer-limit/,
      );
      sleeper.close();
    }));
}

function message(channel: string, payload: string): Message {
  return {
    channel: { bytes: utf8(channel), start: 0, end: channel.length },
    payload: { bytes: utf8(payload), start: 0, end: payload.length },
  };
}

/** A session without a client that keeps the places of the messages that are shared with it. */
function listeningSession(id: number, version: number, received: string[]): Session {
  const session = new Session(id, new Reply(), 0);
  session.reply.version = version;
  session.share = ({ chunk, start, end }) => {
    received.push(`${start} ${latin1(chunk, start, end)}`);
  };
  return session;
}

Deno.test("a message is encoded once for each protocol", () => {
  const engine = createEngine(new ManualClock(0)), subscriptions = engine.part(Subscriptions);
  const received: string[] = [];
  for (let id = 1; id <= 100; id++) {
    subscriptions.subscribe(listeningSession(id, 2 + id % 2, received), "channel", "ch");
  }
  for (let round = 0; round < 2; round++) {
    assertEquals(subscriptions.publish(message("ch", "hello")), 100);
  }
  const body = "3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\nhello\r\n", next = body.length + 1;
  assertEquals(
    Object.entries(Object.groupBy(received, (message) => message)).map(([message, all]) => [message, all?.length]),
    [[`0 >${body}`, 50], [`0 *${body}`, 50], [`${next} >${body}`, 50], [`${next} *${body}`, 50]],
  );
});

Deno.test("hostile patterns take no more than pattern times name", () => {
  const engine = createEngine(new ManualClock(0)), subscriptions = engine.part(Subscriptions);
  const received: string[] = [];
  subscriptions.subscribe(listeningSession(1, 2, received), "pattern", "a*".repeat(500) + "b");
  subscriptions.subscribe(listeningSession(2, 2, received), "pattern", "*[a-z]".repeat(500) + "?b");
  assertEquals(subscriptions.publish(message("a".repeat(5000), "m")), 0);
  assertEquals(subscriptions.publish(message("a".repeat(5000) + "b", "m")), 2);
});
