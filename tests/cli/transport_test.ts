import { assert, assertEquals } from "@std/assert";
import { runClient } from "./helpers.ts";

const folder = new URL("./tls/", import.meta.url).pathname;

/** A TLS server that answers every request with PONG. Its self-signed certificate names "memdb.test". */
function startTlsServer(): AsyncDisposable & { port: number } {
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert: Deno.readTextFileSync(`${folder}certificate.pem`),
    key: Deno.readTextFileSync(`${folder}test_only_key.pem`),
  });
  const serve = async (conn: Deno.TlsConn) => {
    using open = conn;
    const buffer = new Uint8Array(1024);
    while (await open.read(buffer) !== null) await open.write(new TextEncoder().encode("+PONG\r\n"));
  };
  const accepting = (async () => {
    for await (const conn of listener) await serve(conn).catch(() => {});
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting.catch(() => {});
    },
  };
}

Deno.test("TLS trusts the authorities of a file or a folder, and checks the name that --sni gives", async () => {
  await using server = startTlsServer();
  const ping = (...flags: string[]) => runClient(["-p", String(server.port), "--tls", ...flags, "ping"]);
  const trusted = { code: 0, out: "PONG\n", err: "" };
  assertEquals(await ping("--cacert", `${folder}certificate.pem`, "--sni", "memdb.test"), trusted);
  assertEquals(await ping("--cacertdir", folder, "--sni", "memdb.test"), trusted);
  assertEquals(await ping("--insecure"), trusted);
  for (
    const flags of [["--sni", "memdb.test"], ["--cacertdir", folder], ["--cacertdir", folder, "--sni", "other.test"]]
  ) {
    const { code, out, err } = await ping(...flags);
    assertEquals([code, out], [1, ""], flags.join(" "));
    assert(err.startsWith(`Could not connect to Redis at 127.0.0.1:${server.port}: `), err);
  }
});

Deno.test("the families of addresses are tried in the order that -4 and -6 ask for", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const conn of listener) {
      using open = conn;
      await open.read(new Uint8Array(1024));
      await open.write(new TextEncoder().encode("+PONG\r\n"));
    }
  })();
  const { port } = listener.addr;
  for (const flag of ["-4", "-6"]) {
    assertEquals((await runClient(["-h", "localhost", "-p", String(port), flag, "ping"])).out, "PONG\n", flag);
  }
  listener.close();
  await serving.catch(() => {});
  const { code, err } = await runClient(["-h", "localhost", "-p", String(port), "-6", "ping"]);
  assertEquals([code, err], [1, `Could not connect to Redis at localhost:${port}: Connection refused\n`]);
});
