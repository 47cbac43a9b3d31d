/** The stream commands over the wire: what is logged and announced, producers, and the time. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { idText, newId } from "../../../src/core/stream_id.ts";
import { Type } from "../../../src/store/keyspace.ts";
import { Store } from "../../../src/store/store.ts";
import type { StreamValue } from "../../../src/store/values/streams/stream_value.ts";
import type { TestClient } from "../../helpers/client.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { differential } from "../../helpers/redis.ts";
import { type TestServer, withServer } from "../../helpers/server.ts";

/** A bulk string. */
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

async function run(client: TestClient, ...lines: string[]): Promise<void> {
  for (const line of lines) {
    const reply = await client.run(line);
    assert(!reply.startsWith("-"), `${line}: ${reply}`);
  }
}

Deno.test("ids follow the clock, and go on from the last id where the clock stands still or goes back", () =>
  withServer(async (client, { clock }) => {
    const now = clock.nowMs();
    assertEquals(await client.run("XADD s * f v"), bulk(`${now}-0`));
    assertEquals(await client.run("XADD s * f v"), bulk(`${now}-1`));
    clock.advance(5);
    assertEquals(await client.run("XADD s * f v"), bulk(`${now + 5}-0`));
    clock.advance(-100);
    assertEquals(await client.run("XADD s * f v"), bulk(`${now + 5}-1`));
    assertEquals(await client.run(`XADD s ${now + 5}-* f v`), bulk(`${now + 5}-2`));
    assertEquals(await client.run(`XADD s ${now + 6}-* f v`), bulk(`${now + 6}-0`));
  }));

Deno.test("the log has ids, exact trimming and deliveries", () =>
  withServer(async (client, { server, clock }) => {
    const logged = recordEffects(server.engine);
    const now = clock.nowMs();
    await run(
      client,
      "XADD s 1-1 f v",
      "XADD s 2-* f v",
      "XADD s MAXLEN ~ 1 LIMIT 10 * f v",
      "XADD s MINID = 2 * f v",
      "XGROUP CREATE s g 0",
      "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
      "XREADGROUP GROUP g d NOACK COUNT 1 STREAMS s >",
      "XREADGROUP GROUP g c COUNT 1 STREAMS s 0",
      "XCLAIM s g e 0 2-0 JUSTID",
      "XCLAIM s g e 1000 2-0",
      "XAUTOCLAIM s g e 1000 0",
      "XACK s g 2-0",
      "XACK s g 2-0",
      "XTRIM s MAXLEN ~ 0",
      "XTRIM s MAXLEN 0",
      "XADD t 1-1 f v",
      "XADD t 2-1 f v",
      "XTRIM t MINID ~ 2 DELREF",
    );
    assertEquals(logged, [
      "0: XADD s 1-1 f v",
      "0: XADD s 2-0 f v",
      `0: XADD s MAXLEN = 3 LIMIT 10 ${now}-0 f v`,
      `0: XADD s MINID = 2 ${now}-1 f v`,
      "0: XGROUP CREATE s g 0",
      "0: MULTI",
      `0: XCLAIM s g c 0 2-0 TIME ${now} RETRYCOUNT 1 FORCE JUSTID LASTID 0-0`,
      "0: XGROUP SETID s g 2-0 ENTRIESREAD 2",
      "0: EXEC",
      "0: MULTI",
      "0: XGROUP CREATECONSUMER s g d",
      `0: XGROUP SETID s g ${now}-0 ENTRIESREAD 3`,
      "0: EXEC",
      `0: XCLAIM s g e 0 2-0 TIME ${now} RETRYCOUNT 2 FORCE JUSTID LASTID ${now}-0`,
      "0: XACK s g 2-0",
      "0: XTRIM s MAXLEN = 0",
      "0: XADD t 1-1 f v",
      "0: XADD t 2-1 f v",
      // An id would name the first entry, which is deleted and still there.
      "0: XTRIM t MAXLEN = 1 DELREF",
    ]);
  }));

Deno.test("changes are announced under Redis's names", () =>
  withServer(async (client, { server }) => {
    const events = recordEvents(server.engine, "n");
    await run(
      client,
      "XADD s 1-1 f v",
      "XADD s MAXLEN 1 2-1 f v",
      "XADD s MAXLEN 5 3-1 f v",
      "XTRIM s MAXLEN 5",
      "XTRIM s MAXLEN 1",
      "XDEL s 9-9",
      "XGROUP CREATE s g 0",
      "XGROUP SETID s g 0",
      "XGROUP CREATECONSUMER s g a",
      "XGROUP CREATECONSUMER s g a",
      "XREADGROUP GROUP g c STREAMS s >",
      "XREADGROUP GROUP g d STREAMS s >",
      "XCLAIM s g e 0 3-1",
      "XAUTOCLAIM s g f 0 0",
      "XACK s g 3-1",
      "XGROUP DELCONSUMER s g a",
      "XGROUP DELCONSUMER s g a",
      "XGROUP DESTROY s g",
      "XSETID s 5-1",
      "XDEL s 3-1",
      "XGROUP CREATE t g $ MKSTREAM",
      "XADD t 1-1 f v",
      "XDELEX t IDS 1 1-1",
      "XCFGSET t IDMP-MAXSIZE 5",
    );
    assertEquals(events, [
      "0: n new s",
      "0: t xadd s",
      "0: t xadd s",
      "0: t xtrim s",
      "0: t xadd s",
      "0: t xtrim s",
      "0: t xgroup-create s",
      "0: t xgroup-setid s",
      "0: t xgroup-createconsumer s",
      "0: t xgroup-createconsumer s",
      "0: t xgroup-createconsumer s",
      "0: t xgroup-createconsumer s",
      "0: t xgroup-createconsumer s",
      "0: t xgroup-delconsumer s",
      "0: t xgroup-destroy s",
      "0: t xsetid s",
      "0: t xdel s",
      "0: n new t",
      "0: t xgroup-create t",
      "0: t xadd t",
      "0: t xdel t",
    ]);
  }));

Deno.test("idle, seen and active times follow the clock", () =>
  withServer(async (client, { clock }) => {
    await run(client, "XADD s 1-1 f v", "XADD s 1-2 f v", "XGROUP CREATE s g 0");
    await run(client, "XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    clock.advance(100);
    await run(client, "XREADGROUP GROUP g d STREAMS s >");
    clock.advance(50);
    assertEquals(
      await client.run("XPENDING s g - + 10"),
      `*2\r\n*4\r\n${bulk("1-1")}${bulk("c")}:150\r\n:1\r\n*4\r\n${bulk("1-2")}${bulk("d")}:50\r\n:1\r\n`,
    );
    assertEquals(
      await client.run("XPENDING s g IDLE 60 - + 10"),
      `*1\r\n*4\r\n${bulk("1-1")}${bulk("c")}:150\r\n:1\r\n`,
    );
    await run(client, "XREADGROUP GROUP g c STREAMS s >", "XGROUP CREATECONSUMER s g never");
    clock.advance(7);
    const times = (await client.run("XINFO CONSUMERS s g")).match(/(?<=idle\r\n|inactive\r\n):-?\d+/g);
    assertEquals(times, [":7", ":157", ":57", ":57", ":7", ":-1"]);
    assertEquals(await client.run("XCLAIM s g d 200 1-1"), "*0\r\n");
    assertEquals(await client.run("XCLAIM s g d 157 1-1 JUSTID"), `*1\r\n${bulk("1-1")}`);
    assertEquals(await client.run("XCLAIM s g d 0 1-2 IDLE 500 JUSTID"), `*1\r\n${bulk("1-2")}`);
    assertEquals(
      await client.run("XAUTOCLAIM s g c 400 0"),
      `*3\r\n${bulk("0-0")}*1\r\n*2\r\n${bulk("1-2")}*2\r\n${bulk("f")}${bulk("v")}*0\r\n`,
    );
  }));

/** The figures of producers in XINFO STREAM: tracked producers and messages, added messages, duplicates. */
async function figures(client: TestClient): Promise<(number | undefined)[]> {
  const info = await client.run("XINFO STREAM s");
  return ["pids-tracked", "iids-tracked", "iids-added", "iids-duplicates"].map((name) =>
    Number(new RegExp(`${name}\r\n:(\\d+)`).exec(info)?.[1])
  );
}

Deno.test("a message that is sent again gets the id of its entry, until it is forgotten", () =>
  withServer(async (client, { clock }) => {
    const now = clock.nowMs();
    assertEquals(await client.run("XADD s IDMP p one * f v"), bulk(`${now}-0`));
    clock.advance(1);
    assertEquals(await client.run("XADD s IDMP p one * f other"), bulk(`${now}-0`));
    assertEquals(await client.run("XADD s IDMP q one * f v"), bulk(`${now + 1}-0`));
    assertEquals(await client.run("XADD s IDMPAUTO p * a 1 b 2"), bulk(`${now + 1}-1`));
    // The order of the fields does not matter.
    assertEquals(await client.run("XADD s IDMPAUTO p * b 2 a 1"), bulk(`${now + 1}-1`));
    assertEquals(await figures(client), [2, 3, 3, 2]);
    await run(client, "COPY s t", "RENAME t u", "MOVE u 1");
    clock.advance(99_999);
    assertEquals(await figures(client), [2, 2, 3, 2]);
    clock.advance(101);
    assertEquals(await figures(client), [0, 0, 3, 2]);
    assertEquals(await client.run("XADD s IDMP p one * f v"), bulk(`${now + 100_101}-0`));
    await run(client, "SELECT 1");
    assertMatch(await client.run("XINFO STREAM u"), /pids-tracked\r\n:0/);
  }));

Deno.test("a producer knows so many messages, and new limits make it forget them", () =>
  withServer(async (client) => {
    await run(client, "XADD s 1-1 f v", "XCFGSET s IDMP-MAXSIZE 2");
    await run(client, "XADD s IDMP p one * f v", "XADD s IDMP p two * f v", "XADD s IDMP p three * f v");
    assertEquals(await figures(client), [1, 2, 3, 0]);
    const before = await client.run("XLEN s");
    await run(client, "XADD s IDMP p three * f v", "XCFGSET s IDMP-MAXSIZE 2 IDMP-DURATION 100");
    assertEquals(await client.run("XLEN s"), before);
    await run(client, "XCFGSET s IDMP-DURATION 99");
    assertEquals(await figures(client), [0, 0, 3, 1]);
  }));

differential("messages that name themselves have Redis's names", async ({ memdb, redis }) => {
  // The names are kept in payloads, so those of one server are known to the other.
  const long = "x".repeat(700);
  for (const pairs of ["a 1", "a 1 b 2 c 3", `f ${long}`, `"" ${"y".repeat(130)} ${"z".repeat(300)} 5`, "12 -7"]) {
    for (const [from, to] of [[memdb, redis], [redis, memdb]]) {
      await from.run("DEL s");
      const id = await from.run(`XADD s IDMPAUTO producer * ${pairs.replaceAll('""', "e")}`);
      const payload = await from.command("DUMP", "s");
      const bytes = Uint8Array.from(payload.slice(payload.indexOf("\r\n") + 2, -2), (c) => c.charCodeAt(0));
      assertEquals(await to.command("RESTORE", "s", "0", bytes, "REPLACE"), "+OK\r\n");
      assertEquals(await to.run(`XADD s IDMPAUTO producer * ${pairs.replaceAll('""', "e")}`), id);
    }
  }
});

/** A stream of many entries, of which a group has half pending. */
async function fillStream(client: TestClient, { server }: TestServer, count: number): Promise<void> {
  await run(client, "XGROUP CREATE s g 0 MKSTREAM", "XGROUP CREATECONSUMER s g c");
  const { store } = server.engine, [db] = store.databases;
  const streams = store.valueType(Type.STREAM) as StreamValue;
  const key = new Uint8Array([115]);
  streams.open(db.bodyOf(db.find(key, 0, 1)));
  const bytes = new TextEncoder().encode("fieldvalue"), start = [0, 5], end = [5, 10];
  const group = streams.groups.groupOf(streams.groups.all(streams.body)[0]);
  const [consumer] = streams.groups.names.all(streams.groups.consumersOf(group));
  const id = newId();
  for (let i = 1; i <= count; i++) {
    id[1] = i;
    streams.append(id, { bytes, start, end, from: 0, count: 1 });
    if (i % 2 === 0) streams.groups.pending.add(group, consumer, id, i, 1);
  }
  assertEquals(idText(id), `${count}-0`);
}

for (
  const line of [
    "DEL s",
    "XGROUP DESTROY s g",
    "XGROUP DELCONSUMER s g c",
    "XTRIM s MAXLEN 0",
    "XTRIM s MAXLEN 90",
    "XTRIM s MINID 99950",
    "XADD s MAXLEN 90 * f v",
    "FLUSHALL",
  ]
) {
  Deno.test(`${line} of a large stream frees it in slices`, () =>
    withServer(async (client, server) => {
      const { engine } = server.server, { store } = engine;
      await fillStream(client, server, 100_000);
      const before = store.arena.blockCount;
      // No slice is freed until the counts are compared.
      store.reclaim = () => {};
      await run(client, line);
      assert(store.arena.blockCount > before - 700, "not all is freed at once");
      store.reclaim = Store.prototype.reclaim;
      store.check();
      assert(store.arena.blockCount < before - 900);
      // The log does not have the entries, which no command added.
      await run(client, "DEL s");
    }));
}
