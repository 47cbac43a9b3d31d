import { assertEquals, assertMatch } from "@std/assert";
import { CommandFault } from "../../src/net/connection.ts";
import { Settings } from "../../src/settings/settings.ts";
import { crashReport } from "../../src/server/crash_report.ts";
import { Server } from "../../src/server/server.ts";
import { TestClient } from "../helpers/client.ts";

Deno.test("the report of a crash names version, command, stack and state, and no argument", async () => {
  const faults: unknown[] = [];
  const settings = new Settings();
  settings.init("port", ["0"]);
  settings.init("sockets", ["deno"]);
  settings.init("requirepass", ["hidden-password"]);
  const server = await Server.start({ settings, onFatal: (error) => faults.push(error) });
  try {
    const client = await TestClient.connect(server.port);
    await client.command("AUTH", "hidden-password");
    const set = server.executor.table.named("set")!;
    Object.assign(set, {
      handler: () => {
        throw new TypeError("a fault");
      },
    });
    await client.send("SET hidden-key hidden-value\r\n");
    while (faults.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    client.close();
    const [fault] = faults;
    assertEquals(fault instanceof CommandFault, true);
    const text = crashReport(fault, server).join("\n");
    assertMatch(
      text,
      /^=== MEMDB BUG REPORT START[^]*crashed by: TypeError: a fault\n[^]*Command: set;[^]*Client: id \d+, database 0, 1 requests before/,
    );
    assertMatch(
      text,
      /STACK TRACE ------\nTypeError: a fault\nat [^]*INFO OUTPUT[^]*# Server\nredis_version:[^]*# Memory/,
    );
    assertMatch(text, /=== MEMDB BUG REPORT END\. Make sure to include from START to END\. ===$/);
    assertEquals(text.includes("hidden"), false);
  } finally {
    await server.stop();
  }
});

Deno.test("a crash before the start is reported too", () => {
  const text = crashReport(new Error("early"), undefined).join("\n");
  assertMatch(text, /crashed by: Error: early[^]*The server has not started/);
});
