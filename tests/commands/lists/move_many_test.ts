/** LMOVEM and BLMOVEM, as their documentation says. */
import { assertEquals } from "@std/assert";
import { decode } from "../../helpers/decode.ts";
import { recordEffects, recordEvents } from "../../helpers/effects.ts";
import { pick, property } from "../../helpers/property.ts";
import { type TestServer, withServer } from "../../helpers/server.ts";
import { Blocking } from "../../../src/conversations/blocking.ts";

const SYNTAX = "-ERR syntax error\r\n";

/** Waits until so many clients wait for keys. */
async function waiting({ server }: TestServer, clients: number): Promise<void> {
  while (server.engine.part(Blocking).clientCount !== clients) await new Promise((resolve) => setTimeout(resolve, 1));
}

Deno.test("LMOVEM moves elements one by one or in bulk, as many as there are or exactly so many", () =>
  withServer(async (client) => {
    const shown = async (line: string) => decode(await client.run(line));
    await client.run("RPUSH list 1 2 3 4");
    assertEquals(await shown("LMOVEM list other LEFT LEFT COUNT 2 OBO"), ["2", "1"]);
    assertEquals(await shown("LRANGE list 0 -1"), ["3", "4"]);
    assertEquals(await shown("LRANGE other 0 -1"), ["2", "1"]);
    assertEquals(await client.run("LMOVEM list other LEFT LEFT EXACTLY 5 BULK"), "$-1\r\n");
    await client.run("RPUSH some a b c");
    assertEquals(await shown("LMOVEM some some LEFT LEFT EXACTLY 2 OBO"), ["b", "a"]);
    assertEquals(await shown("LRANGE some 0 -1"), ["b", "a", "c"]);
    assertEquals(await shown("LMOVEM some some LEFT LEFT COUNT 9 BULK"), ["b", "a", "c"]);
    assertEquals(await shown("LRANGE some 0 -1"), ["b", "a", "c"]);
    assertEquals(await shown("LMOVEM some last RIGHT LEFT"), ["c"]);
    assertEquals(await shown("LMOVEM list last left right count 9 bulk"), ["3", "4"]);
    assertEquals(await client.run("EXISTS list"), ":0\r\n");
    assertEquals(await shown("LRANGE last 0 -1"), ["c", "3", "4"]);
    assertEquals(await client.run("LMOVEM missing last LEFT LEFT COUNT 1 OBO"), "*0\r\n");
    assertEquals(await client.run("LMOVEM missing last LEFT LEFT"), "*0\r\n");
    assertEquals(await client.run("LMOVEM missing last LEFT LEFT EXACTLY 1 OBO"), "$-1\r\n");
    for (
      const bad of ["COUNT 1", "OBO", "COUNT 1 BOTH", "ANY 1 OBO", "COUNT 1 OBO BULK", "COUNT 1 OBO EXACTLY 1 OBO"]
    ) {
      assertEquals(await client.run(`LMOVEM last other LEFT LEFT ${bad}`), SYNTAX, bad);
    }
    assertEquals(await client.run("LMOVEM last other UP LEFT"), SYNTAX);
    for (const count of ["0", "-1", "x"]) {
      const reply = await client.run(`LMOVEM last other LEFT LEFT COUNT ${count} OBO`);
      assertEquals(reply, "-ERR count should be greater than 0\r\n");
    }
    await client.run("SET string v");
    const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    assertEquals(await client.run("LMOVEM last string LEFT LEFT"), wrongType);
    assertEquals(await client.run("LMOVEM string last LEFT LEFT"), wrongType);
    assertEquals(await shown("LRANGE last 0 -1"), ["c", "3", "4"]);
  }));

Deno.test("random moves of many elements leave what single moves leave", () =>
  property(20, (random) =>
    withServer(async (client) => {
      const lists: Record<string, string[]> = { a: [], b: [] };
      for (let i = 0; i < 60; i++) {
        const from = pick(random, ["a", "b"]), to = pick(random, ["a", "b"]), count = 1 + random.below(12);
        const fromTail = random.below(2) === 1, toTail = random.below(2) === 1, bulk = random.below(2) === 1;
        const size = random.below(6);
        if (size > 0) {
          const pushed = Array.from({ length: size }, () => `${random.below(1000)}`.repeat(1 + random.below(40)));
          await client.command("RPUSH", from, ...pushed);
          lists[from].push(...pushed);
        }
        const end = (tail: boolean) => tail ? "RIGHT" : "LEFT";
        const words = ["LMOVEM", from, to, end(fromTail), end(toTail), "COUNT", count, bulk ? "BULK" : "OBO"] as const;
        const reply = decode(await client.command(...words));
        const source = lists[from];
        const taken = fromTail ? source.splice(Math.max(0, source.length - count)) : source.splice(0, count);
        // One by one, elements that come from an end to the same end are turned round.
        const arrived = !bulk && fromTail === toTail ? taken.toReversed() : taken;
        if (toTail) lists[to].push(...arrived);
        else lists[to].unshift(...arrived);
        assertEquals(reply, arrived, words.join(" "));
        for (const key of ["a", "b"]) {
          assertEquals(decode(await client.run(`LRANGE ${key} 0 -1`)), lists[key], `${words.join(" ")}: ${key}`);
        }
      }
    })));

Deno.test("the log of LMOVEM has a removal and an addition, and so have the events", () =>
  withServer(async (client, server) => {
    const logged = recordEffects(server.server.engine), events = recordEvents(server.server.engine);
    await client.run("RPUSH l a b c");
    logged.length = events.length = 0;
    await client.run("LMOVEM l m LEFT LEFT COUNT 2 BULK");
    assertEquals(logged.splice(0).filter((line) => !/MULTI|EXEC/.test(line)), ["0: LPOP l 2", "0: LPUSH m b a"]);
    assertEquals(events.splice(0), ["0: l lpush m", "0: l lpop l"]);
    await client.run("BLMOVEM l m RIGHT RIGHT 0");
    assertEquals(logged.splice(0).filter((line) => !/MULTI|EXEC/.test(line)), ["0: RPOP l 1", "0: RPUSH m c"]);
    assertEquals(events.splice(0), ["0: l rpush m", "0: l rpop l", "0: g del l"]);
  }));

Deno.test("BLMOVEM waits for an element, or with EXACTLY until the list is long enough", () =>
  withServer(async (client, server) => {
    const one = await server.connect(), many = await server.connect();
    const first = one.command("BLMOVEM", "l", "m", "LEFT", "RIGHT", 0, "COUNT", 5, "OBO");
    await waiting(server, 1);
    const all = many.command("BLMOVEM", "l", "m", "LEFT", "RIGHT", 0, "EXACTLY", 3, "BULK");
    await waiting(server, 2);
    await client.run("RPUSH l a b");
    assertEquals(decode(await first), ["a", "b"]);
    await client.run("RPUSH l 1 2");
    await client.run("LINSERT l BEFORE 2 x");
    assertEquals(decode(await all), ["1", "x", "2"]);
    assertEquals(decode(await client.run("LRANGE m 0 -1")), ["a", "b", "1", "x", "2"]);
    assertEquals(await client.run("BLMOVEM l m LEFT LEFT x"), "-ERR timeout is not a float or out of range\r\n");
    const late = many.command("BLMOVEM", "l", "m", "LEFT", "RIGHT", 2, "EXACTLY", 3, "BULK");
    await waiting(server, 1);
    await client.run("RPUSH l a b");
    server.clock.advance(2000);
    assertEquals(await late, "*-1\r\n");
    for (const line of ["MULTI", "BLMOVEM l m LEFT LEFT 0 EXACTLY 9 OBO", "BLMOVEM l m LEFT LEFT 0 EXACTLY 2 OBO"]) {
      await client.run(line);
    }
    assertEquals(decode(await client.run("EXEC")), [null, ["b", "a"]]);
  }));
