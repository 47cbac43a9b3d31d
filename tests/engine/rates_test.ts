import { assertEquals } from "@std/assert";
import { Rates } from "../../src/engine/rates.ts";
import { LatencyHistogram, Stats } from "../../src/engine/stats.ts";

Deno.test("a rate is the mean of the last sixteen samples", () => {
  const stats = new Stats();
  const rates = new Rates(0);
  for (let i = 1; i <= 8; i++) {
    stats.commands += 10;
    rates.sample(stats, i * 100_000);
  }
  assertEquals(rates.commands.perSecond, 50);
  for (let i = 9; i <= 24; i++) {
    stats.commands += 10;
    rates.sample(stats, i * 100_000);
  }
  assertEquals(rates.commands.perSecond, 100);
  assertEquals(rates.inputBytes.perSecond, 0);
});

Deno.test("no time, no sample; and a counter that was reset is no negative rate", () => {
  const stats = new Stats();
  const rates = new Rates(0);
  stats.commands = 1000;
  rates.sample(stats, 0);
  assertEquals(rates.commands.perSecond, 0);
  rates.sample(stats, 1_000_000);
  stats.reset();
  rates.sample(stats, 2_000_000);
  assertEquals(rates.commands.perSecond, 1000 / 16);
});

Deno.test("a histogram counts up to the steps that Redis prints", () => {
  const histogram = new LatencyHistogram();
  assertEquals(histogram.cumulative(), []);
  for (const us of [0, 1, 2, 5, 33, 34, 1000, 1_000_000]) histogram.record(us);
  histogram.record(3, 10);
  assertEquals(histogram.cumulative(), [
    { us: 1, count: 2 },
    { us: 2, count: 3 },
    { us: 4, count: 13 },
    { us: 8, count: 14 },
    { us: 33, count: 15 },
    { us: 66, count: 16 },
    { us: 1056, count: 17 },
    { us: 1_082_130, count: 18 },
  ]);
  assertEquals(histogram.percentile(50), 3);
});
