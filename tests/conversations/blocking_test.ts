/**
 * Clients that wait for keys: compared word for word with a released server, and with the clock held.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Blocking } from "../../src/conversations/blocking.ts";
import { TestServer, withServer } from "../helpers/server.ts";
import { compareScripts } from "./compare_scripts.ts";
import { Conversation } from "./conversation.ts";
import { BLOCKING_SCRIPTS } from "./scripts.ts";

compareScripts("clients that wait are served as by", BLOCKING_SCRIPTS);

Deno.test("a wait ends by the clock, to the millisecond", () =>
  withServer(async (_, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    assertEquals(await talk.say("a", "BLPOP k 0.5", "PING"), {});
    assertEquals(await talk.say("b", "BZPOPMIN z 1.001"), {});
    server.clock.advance(499);
    assertEquals(await talk.settle(), {});
    server.clock.advance(1);
    assertEquals(await talk.settle(), { a: "*-1\r\n+PONG\r\n" });
    server.clock.advance(501);
    assertEquals(await talk.settle(), { b: "*-1\r\n" });
    talk.close();
  }));

Deno.test("no waiter stays behind, whatever ends the wait", () =>
  withServer(async (_, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    const blocking = server.server.engine.part(Blocking);
    for (const [client, ...commands] of [["a", "BLPOP k l 0"], ["b", "BLPOP k 5"], ["c", "BZMPOP 9 2 z k MIN"]]) {
      await talk.say(client, ...commands);
    }
    assertEquals([blocking.clientCount, blocking.keyCounts().keys], [3, 3]);
    await talk.leave("a");
    assertEquals([blocking.clientCount, blocking.keyCounts().keys], [2, 2]);
    await talk.say("x", "RPUSH k v");
    server.clock.advance(9000);
    await talk.settle();
    assertEquals([blocking.clientCount, blocking.keyCounts().keys], [0, 0]);
    assertEquals(server.server.engine.listeners.keyspace.empty, true);
    talk.close();
  }));

Deno.test("the log gets the pop that happened", async () => {
  await using server = await TestServer.start();
  const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
  await talk.say("a", "BLPOP k 0");
  await talk.say("b", "BLMOVE k l LEFT RIGHT 0");
  await talk.say("c", "BZMPOP 0 1 z MIN COUNT 5");
  await talk.say("x", "RPUSH k 1 2 3", "ZADD z 1 a 2 b");
  talk.close();
  server.checkEffects();
});

Deno.test("CLIENT UNBLOCK, CLIENT LIST and INFO know who waits", () =>
  withServer(async (client, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    const idOf = async (name: string) => /^:(\d+)/.exec((await talk.say(name, "CLIENT ID"))[name])![1];
    const a = await idOf("a"), b = await idOf("b"), c = await idOf("c");
    await talk.say("a", "BLPOP k l 0");
    await talk.say("b", "BLMOVE k m LEFT LEFT 7");
    assertMatch(await client.run(`CLIENT LIST ID ${a}`), / flags=b .* qbuf=0 /);
    assertMatch(await client.run("INFO clients"), /blocked_clients:2\r\n[^]*clients_in_timeout_table:1\r\n/);
    assertMatch(await client.run("INFO clients"), /total_blocking_keys:2\r\n/);
    assertEquals(await client.run(`CLIENT UNBLOCK ${a}`), ":1\r\n");
    assertEquals(await client.run(`CLIENT UNBLOCK ${b} ERROR`), ":1\r\n");
    assertEquals(await client.run(`CLIENT UNBLOCK ${c} ERROR`), ":0\r\n");
    assertEquals(await talk.settle(), {
      a: "*-1\r\n",
      b: "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n",
    });
    await talk.say("a", "BLPOP k 0");
    await client.run(`CLIENT KILL ID ${a}`);
    assertEquals(await talk.settle(), { a: "(closed)" });
    assertMatch(await client.run("INFO clients"), /blocked_clients:0\r\n/);
    talk.close();
  }));

Deno.test("a pause ends by the clock, and nothing expires while it lasts", () =>
  withServer(async (client, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    await client.run("SET k v PX 50");
    await client.run("CLIENT PAUSE 100 WRITE");
    assertEquals(await talk.say("a", "SET other v", "PING"), {});
    server.clock.advance(99);
    assertEquals(await client.run("GET k"), "$-1\r\n");
    assertEquals(await client.run("DBSIZE"), ":1\r\n");
    assertEquals(await talk.settle(), {});
    server.clock.advance(1);
    assertEquals(await talk.settle(), { a: "+OK\r\n+PONG\r\n" });
    talk.close();
  }));
