/**
 * Clients that wait until their changes are safe: compared word for word with released servers, and with the clock
 * held.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { withServer } from "../helpers/server.ts";
import { compareScripts } from "./compare_scripts.ts";
import { Conversation } from "./conversation.ts";
import { WAIT_SCRIPTS, WAITAOF_SCRIPTS } from "./waiting_scripts.ts";

compareScripts("WAIT and WAITAOF answer as those of", WAIT_SCRIPTS);
compareScripts("with an append-only file WAITAOF answers as that of", WAITAOF_SCRIPTS, {
  settings: { appendonly: "yes", appendfsync: "always" },
});

Deno.test("WAIT and WAITAOF end by the clock with what is true then", () =>
  withServer(async (_, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    assertEquals(await talk.say("a", "WAIT 1 500", "PING"), {});
    assertEquals(await talk.say("b", "SET k v", "WAITAOF 0 1 501"), { b: "+OK\r\n" });
    server.clock.advance(499);
    assertEquals(await talk.settle(), {});
    server.clock.advance(1);
    assertEquals(await talk.settle(), { a: ":0\r\n+PONG\r\n" });
    server.clock.advance(1);
    assertEquals(await talk.settle(), { b: "*2\r\n:0\r\n:0\r\n" });
    talk.close();
  }));

Deno.test("CLIENT UNBLOCK, CLIENT LIST, INFO and disconnects know who waits for acknowledgements", () =>
  withServer(async (client, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    const idOf = async (name: string) => /^:(\d+)/.exec((await talk.say(name, "CLIENT ID"))[name])![1];
    const a = await idOf("a"), b = await idOf("b"), c = await idOf("c");
    await talk.say("a", "WAIT 1 0", "PING");
    await talk.say("b", "WAITAOF 0 1 100", "PING");
    await talk.say("c", "WAIT 1 0");
    assertMatch(await client.run(`CLIENT LIST ID ${a}`), / flags=b .* cmd=wait /);
    assertMatch(await client.run("INFO clients"), /blocked_clients:3\r\n[^]*clients_in_timeout_table:1\r\n/);
    assertMatch(await client.run("INFO clients"), /total_blocking_keys:0\r\n/);
    assertEquals(await client.run(`CLIENT UNBLOCK ${a}`), ":1\r\n");
    assertEquals(await client.run(`CLIENT UNBLOCK ${b} ERROR`), ":1\r\n");
    assertEquals(await talk.settle(), {
      a: ":0\r\n+PONG\r\n",
      b: "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n+PONG\r\n",
    });
    assertMatch(await client.run("INFO commandstats"), /cmdstat_wait:calls=1,.*,failed_calls=0\r\n/);
    assertMatch(await client.run("INFO commandstats"), /cmdstat_waitaof:calls=1,.*,failed_calls=1\r\n/);
    await talk.leave("c");
    assertMatch(await client.run("INFO clients"), /blocked_clients:0\r\n[^]*clients_in_timeout_table:0\r\n/);
    assertEquals(await client.run(`CLIENT UNBLOCK ${c}`), ":0\r\n");
    talk.close();
  }));
