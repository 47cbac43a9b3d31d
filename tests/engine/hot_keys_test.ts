/** The measurement of hot keys: exact for few commands, by samples for many. */
import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../../src/core/clock.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { HotKeys, type HotKeysOptions } from "../../src/engine/hot_keys.ts";
import { Request } from "../../src/resp/request.ts";
import { property } from "../helpers/property.ts";

const START_MS = 1_000_000;

function started(options: Partial<HotKeysOptions>, random = new SeededRandom(1)) {
  const clock = new ManualClock(START_MS), ends: number[] = [];
  const all = { cpu: true, net: true, count: 10, durationMs: 0, sampleRatio: 1, ...options };
  const hotKeys = new HotKeys(all, clock, random, () => ends.push(clock.nowMs()));
  return { clock, ends, hotKeys };
}

const request = (...words: string[]) => Request.of(words.map((word) => new TextEncoder().encode(word)));

Deno.test("few commands are measured one by one, and several keys share their command", () => {
  const { hotKeys } = started({});
  const get = request("GET", "a"), mget = request("MGET", "a", "b", "c");
  for (let i = 0; i < 10; i++) {
    assert(hotKeys.takes(START_MS));
    hotKeys.note(get, [1], 7, 50);
  }
  assert(hotKeys.takes(START_MS));
  hotKeys.note(mget, [1, 2, 3], 30, 100);
  assertEquals(hotKeys.byTime(), [{ name: "a", weight: 80 }, { name: "b", weight: 10 }, { name: "c", weight: 10 }]);
  assertEquals(hotKeys.byBytes(), [{ name: "a", weight: 533 }, { name: "b", weight: 33 }, { name: "c", weight: 33 }]);
  assertEquals([hotKeys.commandsUs, hotKeys.commandsBytes, hotKeys.countedBytes], [100, 600, 599]);
});

Deno.test("samples stand for many commands: sums and shares come close, at a small part of the measurements", () =>
  property(5, (random) => {
    const { hotKeys } = started({ count: 2 }, random);
    const commands = 400_000, hot = request("GET", "hot");
    let measured = 0;
    for (let i = 0; i < commands; i++) {
      if (!hotKeys.takes(START_MS)) continue;
      measured++;
      if (i % 2 === 0) hotKeys.note(hot, [1], 1, 10);
      else hotKeys.note(request("GET", `k${random.below(1000)}`), [1], 1, 10);
    }
    assert(measured < commands / 100, `${measured}`);
    assert(Math.abs(hotKeys.commandsUs / commands - 1) < 0.2, `${hotKeys.commandsUs}`);
    const [first] = hotKeys.byTime()!;
    assertEquals(first.name, "hot");
    assert(Math.abs(first.weight / commands - 0.5) < 0.2, `${first.weight}`);
  }));

Deno.test("after a while commands are measured one by one again", () => {
  const { hotKeys } = started({});
  for (let i = 0; i < 1000; i++) hotKeys.takes(START_MS);
  for (let i = 0; i < 50; i++) assert(hotKeys.takes(START_MS + 100));
});

Deno.test("one in SAMPLE commands counts for the keys, and all of them for the sums", () => {
  const { hotKeys } = started({ sampleRatio: 4 });
  for (let i = 0; i < 4000; i++) {
    assert(hotKeys.takes(START_MS + 100 * i));
    hotKeys.note(request("GET", "a"), [1], 1, 10);
  }
  assertEquals(hotKeys.commandsBytes, 40_000);
  assert(Math.abs(hotKeys.byBytes()![0].weight - 10_000) < 1500);
  assertEquals(hotKeys.countedBytes, hotKeys.byBytes()![0].weight);
});

Deno.test("the measurement ends by itself after its duration, or earlier when it is stopped", () => {
  const { clock, ends, hotKeys } = started({ durationMs: 5000 });
  clock.advance(4999);
  assertEquals([hotKeys.active, hotKeys.durationMs], [true, 4999]);
  clock.advance(1000);
  assertEquals([hotKeys.active, hotKeys.durationMs, ends.length], [false, 5999, 1]);
  hotKeys.stop();
  assertEquals(ends.length, 1);
});

Deno.test("with SAMPLE the commands that count are measured one by one, even if there are many others", () => {
  const { hotKeys } = started({ sampleRatio: 500 });
  for (let i = 0; i < 30_000; i++) {
    if (hotKeys.takes(START_MS)) hotKeys.note(request("GET", `k${i % 10}`), [1], 1, 10);
  }
  const weights = hotKeys.byBytes()!.map(({ weight }) => weight), sum = weights.reduce((a, b) => a + b, 0);
  assert(Math.abs(sum - 600) < 300, `${sum}`);
  assert(weights.every((weight) => weight < 500), `${weights}`);
});
