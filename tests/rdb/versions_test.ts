/**
 * The versions of snapshots: which one is chosen, and that the released servers which know a version load it with all
 * of the data.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { ManualClock } from "../../src/core/clock.ts";
import { latin1 } from "../../src/core/bytes.ts";
import type { Personality } from "../../src/core/personality.ts";
import { reloadFromFile } from "../../src/rdb/reload.ts";
import { TestClient } from "../helpers/client.ts";
import { isInstalled, testUnless } from "../helpers/programs.ts";
import { withServer } from "../helpers/server.ts";

/** The year 2100. */
const FAR_MS = 4102444800000;
const LONG = "x".repeat(5000);

/** Data of every type and encoding. */
const PLAIN = [
  "SET string text",
  "SET int 12345",
  `SET long ${LONG}`,
  `SET volatile v PXAT ${FAR_MS}`,
  "RPUSH list a 1 -70000 b",
  `RPUSH large-list ${Array.from({ length: 3000 }, (_, i) => `element-${i}`).join(" ")}`,
  "SADD set a b c",
  "SADD numbers 1 2 3",
  `SADD large-set ${Array.from({ length: 300 }, (_, i) => `member-${i}`).join(" ")}`,
  "ZADD zset 1.5 a -inf b 3 c",
  `ZADD large-zset ${Array.from({ length: 300 }, (_, i) => `${i}.25 member-${i}`).join(" ")}`,
  "HSET hash f v g w",
  `HSET large-hash ${Array.from({ length: 300 }, (_, i) => `field-${i} ${LONG.slice(0, 80)}`).join(" ")}`,
  "XADD stream 1-1 a b c d",
  "XADD stream 2-1 a b",
  "XGROUP CREATE stream group 0",
  "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
];
/** Deadlines of fields, in a packed hash and in a table. */
const DEADLINES = [
  `HPEXPIREAT hash ${FAR_MS} FIELDS 1 f`,
  `HPEXPIREAT large-hash ${FAR_MS} FIELDS 2 field-1 field-299`,
];
/** What a stream knows of its producers. */
const PRODUCERS = ["XCFGSET stream IDMP-DURATION 5000", "XADD stream IDMP producer message * a b"];

const ASKED = [
  "DBSIZE",
  ...["string", "int", "long", "volatile"].map((key) => `GET ${key}`),
  "PEXPIRETIME volatile",
  "LRANGE list 0 -1",
  "LRANGE large-list 0 -1",
  ...["set", "numbers", "large-set"].map((key) => `SORT ${key} ALPHA`),
  "ZRANGE zset 0 -1 WITHSCORES",
  "ZRANGE large-zset 0 -1 WITHSCORES",
  "HGET hash f",
  "HGET hash g",
  "HLEN large-hash",
  "HGET large-hash field-299",
  "XRANGE stream - +",
  "XPENDING stream group - + 10 consumer",
];
const ASKED_DEADLINES = [
  "HPEXPIRETIME hash FIELDS 2 f g",
  "HPEXPIRETIME large-hash FIELDS 3 field-1 field-2 field-299",
];
/** It adds nothing: the message is known. */
const ASKED_PRODUCERS = ["XADD stream IDMP producer message * a b", "XLEN stream"];

/** The servers that read each version. */
const READERS: Readonly<Record<string, readonly string[]>> = {
  "10": ["redis-8.0", "redis-8.6", "valkey-8.1", "valkey-9.1"],
  "11": ["redis-8.0", "redis-8.6", "valkey-8.1", "valkey-9.1"],
  "12": ["redis-8.0", "redis-8.6"],
  "13": ["redis-8.6"],
  "80": ["valkey-9.1"],
};
const STABLE_PEERS = Deno.env.get("MEMDB_STABLE_PEERS") ?? "";

function programOf(reader: string): string {
  const [name, version] = reader.split("-"), isNewest = version === "8.6" || version === "9.1";
  return isNewest ? `${name}-server` : `${STABLE_PEERS}/${name}-server`;
}

/** The replies without the times since the last delivery. */
async function replies(client: TestClient, commands: readonly string[]): Promise<string[]> {
  const all: string[] = [];
  for (const command of commands) {
    const reply = await client.run(command);
    all.push(command.startsWith("XPENDING") ? reply.replace(/:\d+\r\n(?=:1\r\n$)/, "") : reply);
  }
  return all;
}

/** Writes a snapshot of the data of commands into a folder, and returns its head. */
async function snapshotOf(
  folder: string,
  commands: readonly string[],
  settings: Record<string, string>,
): Promise<{ head: string; warnings: string[] }> {
  const warnings: string[] = [];
  const log = (level: string, text: string) => void (level === "warning" && warnings.push(text));
  await withServer(async (client) => {
    for (const command of commands) await client.run(command);
    assertEquals(await client.run("SAVE"), "+OK\r\n");
  }, { settings: { ...settings, dir: folder }, log, clock: new ManualClock(Date.now()) });
  return { head: latin1(Deno.readFileSync(`${folder}/dump.rdb`), 0, 9), warnings };
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function withReader(reader: string, folder: string, body: (client: TestClient) => Promise<void>): Promise<void> {
  const path = `${folder}/socket`;
  const args = ["--port", "0", "--unixsocket", path, "--dir", folder, "--save", ""];
  const child = new Deno.Command(programOf(reader), { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  let ended = false;
  const status = child.status.then(() => ended = true);
  try {
    for (;;) {
      if (ended) throw new Error(`${reader} does not start on the snapshot`);
      try {
        const client = new TestClient(await Deno.connect({ transport: "unix", path }));
        await body(client);
        return client.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  } finally {
    if (!ended) child.kill("SIGKILL");
    await status;
  }
}

for (const [version, readers] of Object.entries(READERS)) {
  const number = Number(version);
  const data = [...PLAIN, ...number >= 12 ? DEADLINES : [], ...number === 13 ? PRODUCERS : []];
  const asked = [...ASKED, ...number >= 12 ? ASKED_DEADLINES : [], ...number === 13 ? ASKED_PRODUCERS : []];
  for (const reader of readers) {
    const reason = isInstalled(programOf(reader)) ? undefined : `no ${programOf(reader)}`;
    testUnless(
      reason,
      `a snapshot of RDB version ${version} is loaded by ${reader}, and by MemDB`,
      () =>
        inFolder(async (folder) => {
          const { warnings } = await snapshotOf(folder, data, { "rdb-version": version });
          assertEquals(warnings, []);
          let theirs: string[] = [];
          await withReader(reader, folder, async (client) => {
            theirs = await replies(client, asked);
          });
          await withServer(async (client, server) => {
            reloadFromFile(server.server.engine, `${folder}/dump.rdb`, { flush: true, merge: false });
            assertEquals(await replies(client, asked), theirs);
          }, { notReplayed: "the data comes from a file", clock: new ManualClock(Date.now()) });
          assertMatch(theirs.join(""), /4102444800000/);
        }),
    );
  }
}

const CHOICES: readonly (readonly [Personality, string, readonly string[], string])[] = [
  ["redis", "plain data", PLAIN, "REDIS0011"],
  ["redis", "deadlines of fields", [...PLAIN, ...DEADLINES], "REDIS0012"],
  ["redis", "producers", [...PLAIN, ...PRODUCERS], "REDIS0013"],
  ["valkey", "plain data", PLAIN, "REDIS0011"],
  ["valkey", "deadlines of fields", [...PLAIN, ...DEADLINES], "VALKEY080"],
];

for (const [personality, what, data, head] of CHOICES) {
  Deno.test(`a snapshot of ${what} begins with ${head} under the personality ${personality}`, () =>
    inFolder(async (folder) => {
      assertEquals(await snapshotOf(folder, data, { personality }), { head, warnings: [] });
    }));
}

Deno.test("a version without room for some of the data is written with a warning", () =>
  inFolder(async (folder) => {
    const { head, warnings } = await snapshotOf(folder, [...PLAIN, ...DEADLINES, ...PRODUCERS], {
      "rdb-version": "11",
    });
    assertEquals(head, "REDIS0011");
    assertEquals(warnings, [
      "The file does not hold deadlines of hash fields: RDB version 11 has no place for it",
      "The file does not hold what streams know of their producers: RDB version 11 has no place for it",
    ]);
  }));

Deno.test("payloads of DUMP have the version of the personality, and each takes the other's", async () => {
  const payloads: Uint8Array[] = [];
  for (const [personality, version] of [["redis", 13], ["valkey", 80]] as const) {
    await withServer(async (client) => {
      for (const command of [...PLAIN, ...DEADLINES]) await client.run(command);
      const reply = await client.run("DUMP hash");
      const payload = Uint8Array.from(reply.slice(reply.indexOf("\r\n") + 2, -2), (c) => c.charCodeAt(0));
      assertEquals(payload.at(-10), version);
      payloads.push(payload);
    }, { settings: { personality } });
  }
  for (const personality of ["redis", "valkey"]) {
    await withServer(async (client) => {
      for (const payload of payloads) {
        assertEquals(await client.command("RESTORE", "h", "0", payload, "REPLACE"), "+OK\r\n");
        assertEquals(await client.run("HPEXPIRETIME h FIELDS 2 f g"), `*2\r\n:${FAR_MS}\r\n:-1\r\n`);
      }
    }, { settings: { personality } });
  }
});
