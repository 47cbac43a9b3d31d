/**
 * Damage to the file while the server runs, and the server's reaction.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { TestClient } from "../helpers/client.ts";
import { testWith } from "../helpers/programs.ts";
import { Folder, run, ServerProcess, subject, unixTest } from "./process.ts";

const TIMEOUT_MS = 20_000;

/** Repeats a command until it gets the wanted reply. */
async function until(client: TestClient, command: string, wanted: RegExp): Promise<void> {
  const endMs = performance.now() + TIMEOUT_MS;
  for (;;) {
    const reply = await client.run(command);
    if (wanted.test(reply)) return;
    if (performance.now() > endMs) throw new Error(`${command} still replies ${reply}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Kills the server and checks that a new one has all writes that the first acknowledged. */
async function assertKept(first: ServerProcess, flags: string[], acknowledged: Map<string, string>): Promise<void> {
  await first.stop("SIGKILL");
  await using second = await ServerProcess.start(flags);
  const client = await second.connect();
  for (const [key, value] of acknowledged) {
    assertEquals(await client.run(`GET ${key}`), `$${value.length}\r\n${value}\r\n`, key);
  }
}

testWith(
  ["prlimit"],
  `${subject} refuses writes while the disk is full, and goes on by itself when there is room`,
  async () => {
    for (const policy of ["always", "everysec"]) {
      await using folder = new Folder();
      const flags = ["--aofpath", folder.file("db.aof"), "--appendfsync", policy];
      await using server = await ServerProcess.start(flags);
      const client = await server.connect();
      const acknowledged = new Map<string, string>();
      await run("prlimit", ["--pid", String(server.pid), "--fsize=3000:unlimited"]);
      let refusal = "";
      for (let i = 0; refusal === ""; i++) {
        const reply = await client.run(`SET key:${i} value:${i}`);
        if (reply === "+OK\r\n") acknowledged.set(`key:${i}`, `value:${i}`);
        else refusal = reply;
      }
      assertMatch(refusal, /^-UNSAVED .* have run, .* only in memory .*\(write .*\/db\.aof\)/);
      assertMatch(await client.run("SET refused 1"), /^-MISCONF Errors writing to the AOF file: .*\/db\.aof/);
      assertEquals(await client.run("EXISTS refused"), ":0\r\n");
      assert(acknowledged.size > 10);
      assertEquals(await client.run("GET key:1"), "$7\r\nvalue:1\r\n");
      assertMatch(await client.run("INFO persistence"), /aof_last_write_status:err/);
      await run("prlimit", ["--pid", String(server.pid), "--fsize=unlimited"]);
      await until(client, "SET after room", /OK/);
      acknowledged.set("after", "room");
      assertMatch(await client.run("INFO persistence"), /aof_last_write_status:ok/);
      await assertKept(server, flags, acknowledged);
    }
  },
);

unixTest(`${subject} writes its file again after it was removed`, async () => {
  await using folder = new Folder();
  const flags = ["--aofpath", folder.file("db.aof")];
  await using server = await ServerProcess.start(flags);
  const client = await server.connect();
  await client.run("SET before removal");
  await Deno.remove(folder.file("db.aof"));
  await server.logged(/the file was removed.*Writes are refused/);
  await server.logged(/can be written again/);
  await until(client, "SET after removal", /OK/);
  await assertKept(server, flags, new Map([["before", "removal"], ["after", "removal"]]));
});

unixTest(`${subject} refuses writes while its path leads to another file`, async () => {
  await using folder = new Folder();
  const path = folder.file("db.aof");
  const flags = ["--aofpath", path];
  await using server = await ServerProcess.start(flags);
  const client = await server.connect();
  await client.run("SET a 1");
  await Deno.rename(path, folder.file("moved"));
  await Deno.copyFile(folder.file("moved"), path);
  await until(client, "SET b 2", /^-MISCONF Errors writing to the AOF file: the path leads to another file/);
  assertEquals(await client.run("GET a"), "$1\r\n1\r\n");
  await Deno.rename(folder.file("moved"), path);
  await until(client, "SET c 3", /OK/);
  await assertKept(server, flags, new Map([["a", "1"], ["c", "3"]]));
});
