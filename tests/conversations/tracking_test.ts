/**
 * Client-side caching: compared word for word with the released servers, and with the clock held.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Tracking } from "../../src/conversations/tracking.ts";
import { decode } from "../helpers/decode.ts";
import { type TestServer, withServer } from "../helpers/server.ts";
import { compareScripts } from "./compare_scripts.ts";
import { Conversation } from "./conversation.ts";
import { TRACKING_SCRIPTS } from "./tracking_scripts.ts";

compareScripts("clients that cache are told as by", TRACKING_SCRIPTS);

const invalidated = (...keys: string[]) =>
  `>2\r\n$10\r\ninvalidate\r\n*${keys.length}\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join("")}`;
const ALL_INVALIDATED = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

/** Runs `body` with a conversation with a server of this process, and closes both. */
function conversation(
  body: (talk: Conversation, server: TestServer) => Promise<void>,
  settings: Record<string, string> = {},
): Promise<void> {
  return withServer(async (_, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    await body(talk, server);
    talk.close();
  }, { settings });
}

/** The numbers of INFO: clients, keys, items, prefixes. */
async function counts(talk: Conversation): Promise<number[]> {
  const { info } = await talk.say("info", "INFO clients", "INFO stats");
  return [...info.matchAll(/^tracking_\w+:(\d+)/gm)].map(([, count]) => Number(count));
}

Deno.test("a key that expires is told when a read or the cycle finds it", () =>
  conversation(async (talk, { clock }) => {
    await talk.say("a", "DEBUG SET-ACTIVE-EXPIRE 0");
    await talk.say("a", "HELLO 3", "CLIENT TRACKING ON", "SET k v PX 100", "SET l v PX 100", "MGET k l");
    await talk.say("b", "HELLO 3", "CLIENT TRACKING ON BCAST NOLOOP");
    await talk.say("a", "HSET h f v g v", "HPEXPIRE h 100 FIELDS 1 f", "HGETALL h");
    clock.advance(99);
    assertEquals(await talk.settle(), {});
    clock.advance(1);
    assertEquals(await talk.say("b", "GET k"), { a: invalidated("k"), b: `_\r\n${invalidated("k")}` });
    assertEquals(await talk.say("a", "HGET h f"), { a: `_\r\n${invalidated("h")}`, b: invalidated("h") });
    let heard = await talk.say("a", "CLIENT REPLY SKIP", "DEBUG SET-ACTIVE-EXPIRE 1");
    while (heard.a === undefined) heard = await talk.settle();
    assertEquals(heard, { a: invalidated("l"), b: invalidated("l") });
  }));

Deno.test("evicted keys are told before the reply to the command that finds memory short", () =>
  conversation(async (talk, { server }) => {
    await talk.say("a", "HELLO 3", "CLIENT TRACKING ON", "SETEX k 1000 v", "GET k");
    const limit = server.engine.usedBytes + 100_000;
    await talk.say("x", `CONFIG SET maxmemory ${limit}`, "CONFIG SET maxmemory-policy volatile-random");
    await talk.say("x", "DEBUG PAUSE-CRON 1");
    assertEquals(await talk.say("a", "SETBIT big 1600000 0", "GETBIT big 0"), { a: `:0\r\n${invalidated("k")}:0\r\n` });
  }));

Deno.test("the table keeps to tracking-table-max-keys, and clients hear of the keys that it drops", () =>
  conversation(async (talk) => {
    await talk.say("a", "HELLO 3", "CLIENT TRACKING ON", "CONFIG SET tracking-table-max-keys 10");
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    const { a } = await talk.say("a", ...keys.map((key) => `GET ${key}`), "PING");
    assertEquals(a.match(/invalidate/g)!.length, 20);
    assertEquals(await counts(talk), [1, 10, 10, 0]);
    // The receiver of each message drops the key, so it holds ten of them now.
    const kept = keys.filter((key) => !a.includes(invalidated(key)));
    assertEquals(kept.length, 10);
    const told = await talk.say("x", ["MSET", ...keys.flatMap((key) => [key, "v"])]);
    assertEquals(told.a, kept.map((key) => invalidated(key)).join(""));
    await talk.say("a", "CONFIG SET tracking-table-max-keys 0", ["MGET", ...keys]);
    assertEquals(await counts(talk), [1, 30, 30, 0]);
  }));

Deno.test("a table that must lose many keys loses them in slices", () =>
  conversation(async (talk, { clock }) => {
    const keys = Array.from({ length: 5000 }, (_, i) => `k${i}`);
    await talk.say("a", "HELLO 3", "CLIENT TRACKING ON", ["MGET", ...keys]);
    const { a } = await talk.say("a", "CONFIG SET tracking-table-max-keys 100");
    assertEquals(a.match(/invalidate/g)!.length, 1000);
    clock.advance(0);
    assertEquals((await talk.settle()).a.match(/invalidate/g)!.length, 3900);
    assertEquals(await counts(talk), [1, 100, 100, 0]);
  }));

Deno.test("clients that are gone leave the table, at once if no other is left", () =>
  conversation(async (talk, { clock, server }) => {
    const { store, listeners } = server.engine;
    const keys = Array.from({ length: 5000 }, (_, i) => `k${i}`);
    assertEquals(await counts(talk), [0, 0, 0, 0]);
    const emptyBytes = store.arena.usedBytes;
    await talk.say("a", "HELLO 3", "CLIENT TRACKING ON", ["MGET", ...keys]);
    await talk.say("b", "HELLO 3", "CLIENT TRACKING ON", ["MGET", ...keys.slice(0, 1500)]);
    await talk.say("c", "CLIENT TRACKING ON BCAST PREFIX one PREFIX two", "CLIENT TRACKING ON BCAST PREFIX three");
    assertEquals(await counts(talk), [3, 5000, 6500, 3]);
    assert(store.arena.usedBytes > emptyBytes);
    store.check();
    await talk.leave("a");
    clock.advance(0);
    assertEquals(await counts(talk), [2, 1500, 1500, 3]);
    store.check();
    await talk.say("c", "RESET");
    assertEquals(await counts(talk), [1, 1500, 1500, 0]);
    await talk.leave("b");
    assertEquals(await counts(talk), [0, 0, 0, 0]);
    assertEquals([listeners.keyChanged.empty, listeners.flushed.empty, listeners.hearKeys], [true, true, false]);
    store.check();
    assertEquals(store.arena.usedBytes, emptyBytes);
  }));

Deno.test("keys that a client read before it left off are told until its session ends", () =>
  conversation(async (talk, { server }) => {
    await talk.say("a", "HELLO 3", "CLIENT TRACKING ON", "MGET k l", "CLIENT TRACKING OFF");
    assertEquals(await counts(talk), [0, 2, 2, 0]);
    assertEquals(await talk.say("x", "SET k 1"), { x: "+OK\r\n" });
    assertEquals(await counts(talk), [0, 1, 1, 0]);
    assertEquals(await talk.say("a", "CLIENT TRACKING ON", "SET l 1"), { a: `+OK\r\n+OK\r\n${invalidated("l")}` });
    await talk.say("a", "CLIENT TRACKING OFF");
    assertEquals(server.engine.listeners.hearKeys, false);
  }));

Deno.test("CLIENT LIST, CLIENT INFO and CLIENT GETREDIR know the mode and the receiver", () =>
  conversation(async (talk) => {
    const idOf = async (name: string) => Number(decode((await talk.say(name, "CLIENT ID"))[name]));
    const a = await idOf("a"), b = await idOf("b");
    const flags = async (name: string) => {
      const line = (await talk.say(name, "CLIENT INFO"))[name];
      return [...line.matchAll(/ (?:flags|redir)=(\S+)/g)].map(([, value]) => value);
    };
    assertEquals(await flags("a"), ["N", "-1"]);
    await talk.say("a", "CLIENT TRACKING ON");
    assertEquals(await flags("a"), ["t", "0"]);
    await talk.say("a", `CLIENT TRACKING ON REDIRECT ${b}`, "GET k");
    assertEquals(await flags("a"), ["t", String(b)]);
    assertEquals(await talk.say("a", "CLIENT GETREDIR"), { a: `:${b}\r\n` });
    await talk.leave("b");
    await talk.say("x", "SET k 1");
    assertEquals(await flags("a"), ["tR", String(b)]);
    await talk.say("a", "CLIENT TRACKING OFF", "CLIENT TRACKING ON BCAST", "MULTI");
    assertMatch((await talk.say("x", `CLIENT LIST ID ${a}`)).x, / flags=xtB .* redir=0 /);
  }));

Deno.test("prefixes count as memory of their client", () =>
  conversation(async (talk, { server }) => {
    const { clientMemory } = server.engine;
    await talk.say("a", "PING");
    const before = clientMemory.byKind.normal;
    await talk.say("a", ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "p".repeat(50_000)]);
    assert(clientMemory.byKind.normal > before + 50_000);
    await talk.say("a", "CLIENT TRACKING OFF");
    assert(clientMemory.byKind.normal < before + 1000);
  }));

Deno.test("a message is encoded once for each protocol, whatever the number of clients", () =>
  conversation(async (talk, { server }) => {
    const { sessions } = server.engine;
    const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
    for (const name of names) await talk.say(name, "HELLO 3", "CLIENT TRACKING ON", "GET k");
    const pushed = new Set<Uint8Array>();
    for (const session of sessions.values()) session.push = (message) => void pushed.add(message);
    await talk.say("x", "SET k 1");
    assertEquals(pushed.size, 1);
  }));

Deno.test("DEBUG RELOAD and SWAPDB tell clients that all keys are invalid", () =>
  conversation(async (talk) => {
    await talk.say("a", "HELLO 3", "CLIENT TRACKING ON", "GET k");
    await talk.say("b", "HELLO 3", "CLIENT TRACKING ON BCAST");
    assertEquals(await talk.say("x", "SWAPDB 0 1"), { a: ALL_INVALIDATED, b: ALL_INVALIDATED, x: "+OK\r\n" });
    assertEquals(await talk.say("x", "SWAPDB 1 1", "SET k 1"), { b: invalidated("k"), x: "+OK\r\n+OK\r\n" });
    assertEquals(await talk.say("x", "DEBUG RELOAD"), { a: ALL_INVALIDATED, b: ALL_INVALIDATED, x: "+OK\r\n" });
  }));

Deno.test("while nobody caches nothing listens to keys", () =>
  conversation(async (talk, { server }) => {
    const { engine } = server;
    await talk.say("a", "HELLO 3", "CLIENT TRACKING OFF", "CLIENT TRACKINGINFO", "CLIENT GETREDIR", "GET k", "INFO");
    assertEquals([engine.listeners.hearKeys, engine.part(Tracking).clientCount], [false, 0]);
    await talk.say("a", "CLIENT TRACKING ON");
    assertEquals(engine.listeners.hearKeys, true);
    await talk.say("a", "RESET");
    assertEquals(engine.listeners.hearKeys, false);
  }));
