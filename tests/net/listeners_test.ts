/**
 * The addresses that a server listens on, and how CONFIG SET moves them.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StartError } from "../../src/core/start_error.ts";
import { TestClient } from "../helpers/client.ts";
import { TestServer, withServer } from "../helpers/server.ts";

/** A port that is free now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

async function answers(hostname: string, port: number): Promise<boolean> {
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname, port });
  } catch {
    return false;
  }
  const client = new TestClient(connection);
  const reply = await client.command("PING");
  client.close();
  return reply === "+PONG\r\n";
}

Deno.test("CONFIG SET port moves the server, and keeps the clients that are there", () =>
  withServer(async (client, { server }) => {
    const before = server.port, port = freePort();
    assertEquals(await client.command("CONFIG", "SET", "port", `${port}`), "+OK\r\n");
    assertEquals([await answers("127.0.0.1", port), await answers("127.0.0.1", before)], [true, false]);
    assertEquals(await client.command("PING"), "+PONG\r\n");
    assertStringIncludes(await client.command("INFO", "server"), `tcp_port:${port}\r\n`);
    assertEquals(await client.command("CONFIG", "GET", "port"), `*2\r\n$4\r\nport\r\n$5\r\n${port}\r\n`);
  }));

Deno.test("CONFIG SET port to one that is taken changes nothing", () =>
  withServer(async (client, { server }) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    assertEquals(
      await client.command("CONFIG", "SET", "hz", "20", "port", `${port}`),
      "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.\r\n",
    );
    assertEquals(await answers("127.0.0.1", server.port), true);
    assertEquals([server.engine.settings.get("port"), server.engine.settings.get("hz")], ["0", "10"]);
  }));

Deno.test("CONFIG SET bind moves the server, alone or with port, and refuses what it cannot listen on", () =>
  withServer(async (client, { server }) => {
    const set = (...pairs: string[]) => client.command("CONFIG", "SET", ...pairs);
    const failed =
      "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n";
    assertEquals(await set("bind", "999.999.999.999"), failed);
    assertEquals(await set("bind", "127.0.0.1 192.0.2.1"), failed);
    assertEquals(await answers("127.0.0.1", server.port), true);
    assertEquals(await set("bind", "127.0.0.1 -192.0.2.1"), "+OK\r\n");
    const port = freePort();
    assertEquals(await set("port", `${port}`, "bind", "127.0.0.1"), "+OK\r\n");
    assertEquals([await answers("127.0.0.1", port), server.port], [true, port]);
    assertStringIncludes(await set("bind", ""), "'bind') - without an address no client can connect");
    assertStringIncludes(await set("port", "0"), "'port') - port 0 picks a free port at the start only");
  }));

Deno.test("a server that cannot listen says why, and leaves nothing open", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const start = (settings: Record<string, string>) => assertRejects(() => TestServer.start({ settings }), StartError);
  assertStringIncludes(
    (await start({ port: `${port}` })).message,
    `port ${port} is in use. Stop the program that listens on`,
  );
  assertStringIncludes((await start({ bind: "127.0.0.1 192.0.2.1" })).message, "this machine has no address 192.0.2.1");
  if (Deno.build.os === "windows") return;
  const path = `/tmp/${"x".repeat(120)}`;
  assertStringIncludes((await start({ unixsocket: path })).message, "The path of unixsocket has 125 bytes");
});
