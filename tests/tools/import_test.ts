/**
 * `memdb import` of other servers' files: which data is imported, which is left out, and that the report names both.
 * The files were written by other servers (tests/fixtures).
 */
import { assertEquals, assertMatch } from "@std/assert";
import { checkAof } from "../../src/tools/check_aof.ts";
import { createDetachedEngine } from "../../src/tools/detached.ts";
import { runImport } from "../../src/tools/migrate.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { TestClient } from "../helpers/client.ts";
import { payloadOf } from "../helpers/payload.ts";
import { TestServer } from "../helpers/server.ts";

function fixture(name: string): string {
  return decodeURI(new URL(`../fixtures/${name}`, import.meta.url).pathname).replace(/^\/(?=[A-Z]:)/, "");
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Imports a file. Returns the exit status and all lines, with shortened paths. */
async function importFrom(source: string, folder: string): Promise<string[]> {
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line.replaceAll(folder, "F").replaceAll(fixture(""), ""));
  const status = await runImport([source, "--aofpath", `${folder}/new.aof`], { out: say, error: say });
  return [String(status), ...lines];
}

async function withServer(
  settings: Record<string, string>,
  body: (client: TestClient, log: string[]) => Promise<void>,
): Promise<void> {
  const log: string[] = [];
  const clock = new ManualClock(Date.now());
  const all = { appendonly: "yes", ...settings };
  await using server = await TestServer.start({ settings: all, clock, log: (_, text) => log.push(text) });
  await body(await server.connect(), log);
}

Deno.test("a snapshot from a replication stream is taken without its mark", () =>
  inFolder(async (folder) => {
    assertEquals(await importFrom(fixture("rdb-with-40-byte-eof-mark.rdb"), folder), [
      "0",
      "Wrote 3 keys to F/new.aof",
      "Start with: memdb --aofpath F/new.aof",
    ]);
    // As an append-only file it loses its mark, and new commands follow it.
    const aofpath = `${folder}/marked.aof`;
    await Deno.copyFile(fixture("rdb-with-40-byte-eof-mark.rdb"), aofpath);
    await withServer({ aofpath }, async (client, log) => {
      assertMatch(log.join("\n"), /marked\.aof ends with the mark of a replication stream/);
      assertEquals(await client.run("GET s"), "$5\r\nhello\r\n");
      await client.run("SET added later");
    });
    await withServer({ aofpath }, async (client) => {
      assertEquals(await client.run("MGET s added"), "*2\r\n$5\r\nhello\r\n$5\r\nlater\r\n");
    });
  }));

Deno.test("a snapshot of Valkey 9 is taken, its stream included", () =>
  inFolder(async (folder) => {
    assertEquals(await importFrom(fixture("valkey-9-snapshot.rdb"), folder), [
      "0",
      "Wrote 6 keys to F/new.aof",
      "Start with: memdb --aofpath F/new.aof",
    ]);
    await withServer({ aofpath: `${folder}/new.aof` }, async (client) => {
      assertMatch(await client.run("XINFO STREAM st:r"), /length\r\n:[1-9]/);
      assertMatch(await client.run("HPEXPIRETIME h FIELDS 2 f1 f2"), /^\*2\r\n:\d{13}\r\n:-1\r\n$/);
    });
  }));

/** Requests in RESP, from lines of words. */
function requests(...lines: string[]): string {
  return lines.map((line) => line.split(" "))
    .map((words) => `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`)
    .join("");
}

Deno.test("the scripts of a log run", () =>
  inFolder(async (folder) => {
    assertEquals((await importFrom(fixture("aof-with-eval.aof"), folder))[0], "0");
    await withServer({ aofpath: `${folder}/new.aof`, appendonly: "yes" }, async (client) => {
      assertEquals(await client.run("MGET a b c"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    });
  }));

Deno.test("a log with a command of another server is refused as such, not as damaged", () =>
  inFolder(async (folder) => {
    const path = `${folder}/vectors.aof`;
    await Deno.writeTextFile(path, requests("SELECT 0", "SET a 1", "VADD v VALUES 1 1.0 element", "SET b 2"));
    const [status, line] = await importFrom(path, folder);
    assertEquals(status, "1");
    assertMatch(line, /^memdb import: F\/vectors\.aof holds VADD at byte 50, a command that MemDB does not support\./);
    assertMatch(line, /not damaged, and nothing was loaded or changed/);
    const lines: string[] = [];
    const say = (text: string) => void lines.push(text);
    assertEquals(await checkAof([path], { createEngine: createDetachedEngine, out: say, error: say }), 1);
    assertMatch(lines.join("\n"), /Not supported at byte 50: VADD .*\nWhat precedes byte 50 is whole/);
  }));

Deno.test("an import counts the keys that had expired", () =>
  inFolder(async (folder) => {
    const text = requests("SET a 1 PXAT 1000", "SET b 2", "SET c 3 PXAT 4102444800000");
    await Deno.writeTextFile(`${folder}/old.aof`, text + "*2\r\n$3\r\nDE");
    assertEquals((await importFrom(`${folder}/old.aof`, folder)).slice(2), [
      "Wrote 2 keys to F/new.aof; left out 1 key that had expired, 10 bytes of an unfinished end",
      "Start with: memdb --aofpath F/new.aof",
    ]);
  }));

Deno.test("idle times and frequencies of keys survive an import and a start", () =>
  inFolder(async (folder) => {
    for (
      const [policy, option, value, shown] of [
        // Some seconds may pass.
        ["allkeys-lru", "IDLETIME", 1000, /^:10\d\d\r\n$/],
        ["allkeys-lfu", "FREQ", 77, /^:77\r\n$/],
      ] as const
    ) {
      const dir = `${folder}/${policy}`;
      await Deno.mkdir(dir);
      await withServer({ appendonly: "no", dir, "maxmemory-policy": policy }, async (client) => {
        await client.command("RESTORE", "k", "0", payloadOf([0, 1, 97]), option, String(value));
        assertEquals(await client.run("SAVE"), "+OK\r\n");
      });
      await withServer({ appendonly: "no", dir, "maxmemory-policy": policy }, async (client) => {
        assertMatch(await client.run(`OBJECT ${option} k`), shown);
      });
      assertEquals((await importFrom(`${dir}/dump.rdb`, dir))[0], "0");
      await withServer({ aofpath: `${dir}/new.aof`, "maxmemory-policy": policy }, async (client) => {
        assertMatch(await client.run(`OBJECT ${option} k`), shown);
      });
    }
    await withServer({ aofpath: `${folder}/allkeys-lru/new.aof` }, async (client) => {
      assertMatch(await client.run("OBJECT IDLETIME k"), /^:10\d\d\r\n$/);
    });
  }));
