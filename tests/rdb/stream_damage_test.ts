/**
 * Payloads of streams in which something is changed: each is refused, or is a stream that every command can work with.
 */
import { assert, assertEquals } from "@std/assert";
import type { Argument } from "../helpers/client.ts";
import { bodyOf, bulkBytes, payloadOf } from "../helpers/payload.ts";
import { property } from "../helpers/property.ts";
import { withServer } from "../helpers/server.ts";

/** A stream with everything that streams can have. */
const MAKE = [
  "XADD s 5-1 a 1 b 2",
  "XADD s 5-2 a 3 b four",
  "XADD s 6-0 other 70000",
  "XADD s 7-0 a 5 b 6",
  "XADD s IDMP p m * a 7 b 8",
  "XDEL s 6-0",
  "XGROUP CREATE s g 0",
  "XREADGROUP GROUP g one COUNT 2 STREAMS s >",
  "XREADGROUP GROUP g two STREAMS s >",
  "XACK s g 5-2",
  "XGROUP CREATE s h 5-1",
];
/** What reads, changes and ends a stream in every way. */
const USE = [
  "XLEN k",
  "XRANGE k - +",
  "XREVRANGE k + -",
  "XRANGE k 5-2 7-0",
  "XREAD STREAMS k 0",
  "XINFO STREAM k FULL COUNT 0",
  "XINFO GROUPS k",
  "XINFO CONSUMERS k g",
  "XPENDING k g - + 10",
  "MEMORY USAGE k",
  "DEBUG DIGEST",
  "COPY k l",
  "DUMP l",
  "XREADGROUP GROUP h new COUNT 2 STREAMS k >",
  "XAUTOCLAIM k g new 0 0",
  "XACKDEL k g DELREF IDS 1 7-0",
  "XDEL k 5-1",
  "XADD k * a 1 b 2",
  "XADD k IDMP p m * a 7 b 8",
  "XTRIM k MAXLEN ~ 2",
  "XTRIM k MINID 7",
  "XDELEX k ACKED IDS 2 5-2 7-0",
  "XGROUP DELCONSUMER k g one",
  "XGROUP DESTROY k h",
  "XTRIM l MAXLEN 0",
  "DUMP k",
  "FLUSHALL",
];

Deno.test("payloads of damaged streams are refused, or are streams that work", async () => {
  await property(1, (random) =>
    withServer(async (client, { server: { engine } }) => {
      for (const line of MAKE) assert(!(await client.run(line)).startsWith("-"), line);
      const body = [...bodyOf(bulkBytes(await client.run("DUMP s")))];
      await client.run("FLUSHALL");
      const { arena } = engine.store, used = arena.usedBytes;
      let refused = 0;
      for (let i = 0; i < body.length; i++) {
        const changed = body.map((byte, k) => k === i ? byte ^ 1 << random.below(8) : byte);
        const other = body.map((byte, k) => k === i ? random.below(256) : byte);
        for (const bytes of [changed, other, body.slice(0, i), body.toSpliced(i, 1)]) {
          const words: Argument[] = ["RESTORE", "k", "0", payloadOf(bytes, 13)];
          const reply = await client.command(...words);
          if (reply !== "+OK\r\n") assertEquals(reply, "-ERR Bad data format\r\n"), refused++;
          else for (const line of USE) await client.run(line);
          assert(arena.usedBytes <= used, `byte ${i}: memory was lost`);
        }
        engine.store.check();
      }
      assert(refused > body.length);
    }, { notReplayed: "RESTORE of damaged values" }));
});
