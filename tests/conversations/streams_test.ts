/**
 * Clients that wait for entries of streams: compared word for word with a released server, and with the clock held.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Blocking } from "../../src/conversations/blocking.ts";
import { TestServer, withServer } from "../helpers/server.ts";
import { compareScripts } from "./compare_scripts.ts";
import { Conversation } from "./conversation.ts";
import { NEW_STREAM_SCRIPTS, STREAM_SCRIPTS } from "./stream_scripts.ts";

compareScripts("clients that wait for entries are served as by", STREAM_SCRIPTS);
compareScripts("clients with commands of Redis 8 are served as by", NEW_STREAM_SCRIPTS, { programs: ["redis-server"] });

Deno.test("a reader's wait ends by the clock, and nobody listens any more", () =>
  withServer(async (_, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    const { listeners } = server.server.engine;
    assertEquals(await talk.say("a", "XREAD BLOCK 500 STREAMS s $", "PING"), {});
    assertEquals(listeners.hearKeys, true);
    server.clock.advance(499);
    assertEquals(await talk.settle(), {});
    server.clock.advance(1);
    assertEquals(await talk.settle(), { a: "*-1\r\n+PONG\r\n" });
    assertEquals(listeners.hearKeys, false);
    assertEquals(server.server.engine.part(Blocking).clientCount, 0);
    talk.close();
  }));

Deno.test("a read that waits behind others of its client counts the time that it ran, and not the server's age", () =>
  withServer(async (client, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    server.clock.advance(60_000);
    const replies = await talk.say("a", "XREAD STREAMS s 0", "XREAD STREAMS s 0", "XREAD BLOCK 500 STREAMS s $");
    assertEquals(replies, { a: "*-1\r\n*-1\r\n" });
    server.clock.advance(500);
    assertEquals(await talk.settle(), { a: "*-1\r\n" });
    assertMatch(await client.run("INFO commandstats"), /cmdstat_xread:calls=3,usec=0,/);
    talk.close();
  }));

Deno.test("a consumer that claims is served when an entry has been idle for long enough", () =>
  withServer(async (_, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    await talk.say("x", "XADD s 1-1 f v", "XGROUP CREATE s g 0", "XREADGROUP GROUP g other STREAMS s >");
    server.clock.advance(100);
    assertEquals(await talk.say("a", "XREADGROUP GROUP g a BLOCK 0 CLAIM 1000 STREAMS s >"), {});
    assertEquals(await talk.say("b", "XREADGROUP GROUP g b BLOCK 5000 CLAIM 2000 STREAMS s >"), {});
    server.clock.advance(900);
    assertEquals(await talk.settle(), {});
    server.clock.advance(1);
    assertEquals(await talk.settle(), {
      a: "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*4\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:1001\r\n:1\r\n",
    });
    server.clock.advance(2001);
    const { b } = await talk.settle();
    assertMatch(b, /\$3\r\n1-1\r\n\*2\r\n\$1\r\nf\r\n\$1\r\nv\r\n:2001\r\n:2\r\n$/);
    assertEquals(server.server.engine.part(Blocking).clientCount, 0);
    talk.close();
  }));

Deno.test("the log gets what was delivered to those who waited", async () => {
  await using server = await TestServer.start();
  const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
  await talk.say("x", "XGROUP CREATE s g $ MKSTREAM");
  await talk.say("a", "XREADGROUP GROUP g a BLOCK 0 STREAMS s >");
  await talk.say("b", "XREADGROUP GROUP g b NOACK BLOCK 0 STREAMS s >");
  await talk.say("x", "XADD s 1-1 f v", "XADD s 1-2 f v", "XADD s MAXLEN ~ 1 * f v");
  talk.close();
  server.checkEffects();
});
