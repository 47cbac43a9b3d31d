/** LATENCY: the events of the latency monitor. Its events themselves are tested in tests/aof/latency_test.ts. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { sparkline } from "../../../src/commands/server/sparkline.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import { decode } from "../../helpers/decode.ts";
import { differential, redisTest, withRedis } from "../../helpers/redis.ts";
import { TestServer, withServer } from "../../helpers/server.ts";

redisTest("LATENCY tells and draws the same samples as Redis", () =>
  withRedis(async (redis) => {
    const seconds = async () => Number((decode(await redis.run("TIME")) as string[])[0]);
    await redis.run("CONFIG SET latency-monitor-threshold 1");
    for (const sleep of ["0.005", "0.002", "0.009"]) {
      const before = await seconds();
      await redis.run(`DEBUG SLEEP ${sleep}`);
      while (await seconds() === before) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await redis.run("CONFIG SET latency-monitor-threshold 0");
    const samples = decode(await redis.run("LATENCY HISTORY command")) as [number, number][];
    assert(samples.length >= 3);
    const clock = new ManualClock(samples[0][0] * 1000);
    await using server = await TestServer.start({ clock });
    const client = await server.connect();
    for (const [timeSeconds, ms] of samples) {
      clock.advance(timeSeconds * 1000 - clock.nowMs());
      server.server.engine.latency.add("command", ms * 1000);
    }
    const maxMs = (decode(await redis.run("LATENCY LATEST")) as [string, number, number, number][])
      .find(([event]) => event === "command")![3];
    assertEquals(maxMs, Math.max(...samples.map(([, ms]) => ms)));
    assertEquals(await client.run("LATENCY HISTORY command"), await redis.run("LATENCY HISTORY command"));
    for (const hello of ["HELLO 2", "HELLO 3"]) {
      await client.run(hello);
      await redis.run(hello);
      for (;;) {
        const before = await seconds(), drawn = await redis.run("LATENCY GRAPH command");
        // The ages in the graph are those of one second only.
        if (await seconds() !== before) continue;
        clock.advance(before * 1000 - clock.nowMs());
        assertEquals(await client.run("LATENCY GRAPH command"), drawn);
        break;
      }
    }
  }));

Deno.test("a graph has blocks of 80 columns and the ages of the samples", () => {
  const text = sparkline(Array.from({ length: 83 }, (_, i) => i), Array(83).fill("12m"), 80);
  const lines = text.split("\n");
  assertEquals(lines.map(({ length }) => length), [80, 80, 80, 80, 80, 80, 80, 80, 0, 3, 3, 3, 3, 3, 3, 3, 3, 0]);
  assertEquals(lines.slice(9, 17), ["###", "|||", "|||", "|||", "   ", "111", "222", "mmm"]);
  assertEquals(sparkline([7], ["1s"], 80), " \n \n \n_\n \n1\ns\n");
});

Deno.test("LATENCY LATEST, HISTORY, RESET and DOCTOR know each event", () =>
  withServer(async (client, server) => {
    const { latency } = server.server.engine;
    assertMatch(await client.run("LATENCY DOCTOR"), /monitor is off/);
    await client.run("CONFIG SET latency-monitor-threshold 10");
    assertMatch(await client.run("LATENCY DOCTOR"), /nothing has taken 10 milliseconds/);
    latency.note("command", 9_999);
    latency.note("command", 10_000);
    latency.note("expire-cycle", 25_900);
    latency.note("expire-cycle", 20_000);
    server.clock.advance(2000);
    latency.note("expire-cycle", 12_000);
    const start = (server.clock.nowMs() - 2000) / 1000;
    assertEquals(decode(await client.run("LATENCY LATEST")), [
      ["command", start, 10, 10],
      ["expire-cycle", start + 2, 12, 25],
    ]);
    assertEquals(decode(await client.run("LATENCY HISTORY expire-cycle")), [[start, 25], [start + 2, 12]]);
    assertEquals(await client.run("LATENCY HISTORY EXPIRE-CYCLE"), "*0\r\n");
    const report = await client.run("LATENCY DOCTOR");
    assertMatch(report, /1\. command: 1 latency spikes \(average 10ms, mean deviation 0ms, period 2\.00 sec\)/);
    assertMatch(report, /2\. expire-cycle: 2 latency .* period 1\.00 sec\)\. Worst all time event 25ms\./);
    assertMatch(report, /\n- .*slow log/);
    assertEquals(await client.run("LATENCY RESET Command command nothing"), ":1\r\n");
    assertEquals(await client.run("LATENCY RESET"), ":1\r\n");
    assertEquals(await client.run("LATENCY LATEST"), "*0\r\n");
    for (let second = 0; second < 200; second++) {
      server.clock.advance(1000);
      latency.note("command", (10 + second) * 1000);
    }
    const kept = decode(await client.run("LATENCY HISTORY command")) as [number, number][];
    assertEquals([kept.length, kept[0][1], kept.at(-1)![1]], [160, 50, 209]);
  }));

differential("LATENCY refuses what Redis refuses", async (pair) => {
  await pair.sameLines(`
    LATENCY
    LATENCY NOPE
    LATENCY LATEST
    LATENCY LATEST a
    LATENCY HISTORY
    LATENCY HISTORY nothing
    LATENCY HISTORY a b
    LATENCY GRAPH
    LATENCY GRAPH nothing
    LATENCY GRAPH a b
    LATENCY RESET
    LATENCY RESET nothing
    LATENCY RESET a b c
    LATENCY DOCTOR a
    LATENCY HELP a
    CONFIG SET latency-monitor-threshold -1
    CONFIG SET latency-monitor-threshold 1000000
    CONFIG GET latency-monitor-threshold
    LATENCY LATEST
  `);
});
