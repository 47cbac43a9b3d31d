/**
 * Memory of clients: which memory counts towards maxmemory and maxmemory-clients, and which client is disconnected
 * first.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeRequest, type TestClient } from "../helpers/client.ts";
import { type TestServer, withServer } from "../helpers/server.ts";

const MIB = 1024 * 1024;

function field(text: string, name: string): number {
  return Number(new RegExp(`\\b${name}[:=](\\d+)`).exec(text)?.[1]);
}

/** A named client that has sent only the first `bytes` of a request. */
async function halfSent(server: TestServer, control: TestClient, name: string, bytes: number): Promise<TestClient> {
  const client = await server.connect();
  await client.command("CLIENT", "SETNAME", name);
  await client.send(`*2\r\n$${bytes}\r\n${"x".repeat(bytes)}`);
  const line = () => control.command("CLIENT", "LIST");
  for (let list = await line(); list.includes(`name=${name} `); list = await line()) {
    if (field(list.slice(list.indexOf(`name=${name} `)), "qbuf") >= bytes) break;
  }
  return client;
}

Deno.test("buffers of clients are part of used memory, and gone when the clients are", () =>
  withServer(async (control, server) => {
    const { engine } = server.server;
    const before = engine.usedBytes;
    const client = await halfSent(server, control, "half", 2 * MIB);
    const info = await control.command("INFO", "memory");
    assert(field(info, "mem_clients_normal") >= 2 * MIB);
    assertEquals(field(info, "used_memory"), engine.usedBytes);
    assert(engine.usedBytes - before >= 2 * MIB && engine.usedBytes - before < 3 * MIB);
    assertMatch(await control.command("MEMORY", "STATS"), /clients\.normal\r\n:2\d{6}\r\n/);
    client.close();
    while (engine.sessions.size > 1) await control.command("PING");
    assert(Math.abs(engine.usedBytes - before) < 100_000);
    assertEquals(engine.clientMemory.outputBytes, 0);
  }));

Deno.test("keys are evicted for the buffers of clients", () =>
  withServer(async (control, server) => {
    const { engine } = server.server;
    await control.command("DEBUG", "POPULATE", 2000, "key", 1000);
    await control.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", engine.usedBytes + MIB);
    await control.command("SET", "one", "1");
    assertEquals(engine.stats.evicted, 0);
    await halfSent(server, control, "half", 2 * MIB);
    await control.command("SET", "two", "2");
    assert(engine.stats.evicted > 100);
    assert(engine.store.arena.usedBytes < engine.settings.values.maxmemory - MIB);
  }));

Deno.test("the largest clients are evicted first, and only as many as necessary", () =>
  withServer(async (control, server) => {
    const { engine } = server.server;
    for (let i = 1; i <= 4; i++) await halfSent(server, control, `c${i}`, i * MIB);
    await control.command("CONFIG", "SET", "maxmemory-clients", "4mb");
    const list = await control.command("CLIENT", "LIST");
    assertEquals([...list.matchAll(/name=(c\d) /g)].map(([, name]) => name), ["c1", "c2"]);
    assertEquals(field(await control.command("INFO", "stats"), "evicted_clients"), 2);
    assertEquals(engine.stats.evictedClients, 2);
  }));

Deno.test("a client with CLIENT NO-EVICT stays, until it gives that up", () =>
  withServer(async (control, server) => {
    const { engine } = server.server;
    const client = await halfSent(server, control, "big", 2 * MIB);
    engine.sessions.get(2)!.noEvict = true;
    await control.command("CLIENT", "NO-EVICT", "ON");
    await control.command("CONFIG", "SET", "maxmemory-clients", "1mb");
    assertMatch(await control.command("CLIENT", "LIST"), /name=big /);
    engine.sessions.get(2)!.noEvict = false;
    await control.command("PING");
    assertEquals(/name=big /.test(await control.command("CLIENT", "LIST")), false);
    assertEquals(await client.drain(), "");
  }));

Deno.test("a share of maxmemory limits the clients, and no limit is below 128 KiB", () =>
  withServer(async (control, server) => {
    const { clientMemory } = server.server.engine;
    for (
      const [maxmemory, text, bytes] of [
        ["100mb", "7%", 7 * MIB],
        ["0", "7%", 0],
        ["100mb", "1", 128 * 1024],
        ["1mb", "1%", 128 * 1024],
        ["0", "5mb", 5 * MIB],
        ["0", "0", 0],
      ]
    ) {
      assertEquals(
        await control.command("CONFIG", "SET", "maxmemory", maxmemory, "maxmemory-clients", text),
        "+OK\r\n",
      );
      assertEquals(clientMemory.limitBytes, bytes);
    }
  }));

Deno.test("queued commands and watched keys count as memory of their client", () =>
  withServer(async (control, server) => {
    const { engine } = server.server;
    const own = () => engine.sessions.get(1)!.counted.bytes;
    const before = own();
    for (let i = 0; i < 100; i++) await control.command("WATCH", `key:${i}`);
    assert(own() - before >= 100 * 72);
    await control.run("MULTI");
    await control.command("SET", "k", "x".repeat(50_000));
    assert(own() - before >= 50_000);
    await control.run("DISCARD");
    // The chunk of the last reply may not have been sent yet.
    assert(Math.abs(own() - before) < 20_000);
  }));

Deno.test("a client that does not read is held back, then served in order to the last byte", () =>
  withServer(async (control, server) => {
    const { engine } = server.server;
    const length = 1_000_000, count = 100;
    await control.command("SET", "long", "x".repeat(length));
    const client = await server.connect();
    await client.command("CLIENT", "SETNAME", "slow");
    const calls = () => server.server.executor.table.find(new TextEncoder().encode("get"), 0, 3)!.stats.calls;
    const requests = Array.from({ length: count }, (_, i) => [["GET", "long"], ["ECHO", `${i}`]]).flat();
    for (const request of requests) await client.send(encodeRequest(request));
    const session = [...engine.sessions.values()].find(({ name }) => name === "slow")!;
    while (!session.held) await control.command("PING");
    assert(calls() < count, "not everything was produced ahead");
    assert(engine.clientMemory.outputBytes < 40 * MIB);
    for (let i = 0; i < count; i++) {
      assertEquals(await client.skip(length + 12), length + 12);
      assertEquals(await client.receive(), `$${`${i}`.length}\r\n${i}\r\n`);
    }
    assertEquals(session.held, false);
    assertEquals(await client.command("PING"), "+PONG\r\n");
    assertEquals(engine.clientMemory.outputBytes, 0);
  }));

Deno.test("a reply that exceeds the output limit ends the client and the running command at once", () =>
  withServer(async (control, server) => {
    const { engine } = server.server;
    await control.command("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0");
    await control.run("HSET h f v");
    await control.run("SADD s m");
    await control.run("ZADD z 1 m");
    for (const line of ["HRANDFIELD h -999999999", "SRANDMEMBER s -999999999", "ZRANDMEMBER z -999999999"]) {
      const client = await server.connect();
      await client.send(`SET before ${line.length}\r\n${line}\r\nSET after ${line.length}\r\n`);
      assertEquals(await client.drain(), "");
    }
    assertEquals(engine.stats.outputLimitDisconnections, 3);
    assertEquals(await control.run("GET before"), "$2\r\n24\r\n");
    assertEquals(await control.run("EXISTS after"), ":0\r\n");
    assertEquals(engine.clientMemory.outputBytes, 0);
  }));

Deno.test("a transaction whose replies exceed the output limit is carried out to its end", () =>
  withServer(async (control, server) => {
    await control.command("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0");
    await control.command("SET", "long", "x".repeat(90_000));
    const client = await server.connect();
    await client.send("MULTI\r\nSET a 1\r\n" + "GET long\r\n".repeat(9) + "SET b 2\r\nEXEC\r\nSET c 3\r\n");
    await client.drain();
    assertEquals(await control.run("MGET a b c"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n");
  }));
