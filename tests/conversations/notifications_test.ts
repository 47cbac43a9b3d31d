/**
 * Keyspace notifications: the same events in the same order as the released Redis announces them.
 */
import { assertEquals } from "@std/assert";
import { withServer } from "../helpers/server.ts";
import { Conversation } from "./conversation.ts";
import { compareScripts } from "./compare_scripts.ts";
import { NOTIFICATION_SCRIPTS } from "./scripts.ts";

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
