/** How the executor times commands, with a clock that advances only when it is read. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { Clock } from "../../src/core/clock.ts";
import { utf8 } from "../../src/core/bytes.ts";
import { Call } from "../../src/dispatch/call.ts";
import { Executor } from "../../src/dispatch/executor.ts";
import { commandTable } from "../../src/commands/table.ts";
import { Session } from "../../src/engine/session.ts";
import { Reply } from "../../src/resp/reply.ts";
import { RequestParser } from "../../src/resp/parser.ts";
import { createEngine } from "../helpers/engine.ts";

const STEP_US = 20_000;

class CountingClock implements Clock {
  reads = 0;

  nowMs(): number {
    return 1;
  }

  monotonicUs(): number {
    return this.reads++ * STEP_US;
  }

  schedule(): () => void {
    return () => {};
  }
}

Deno.test("a range is timed with those before it while replies are short, and by itself when its own is long", () => {
  const clock = new CountingClock();
  const engine = createEngine(clock);
  const executor = new Executor(engine, commandTable);
  const session = new Session(1, new Reply(), 0), call = new Call(engine, session, executor);
  const parser = new RequestParser();
  /** Runs requests as one batch; returns the number of clock readings. */
  const run = (...requests: string[]) => {
    const bytes = utf8(requests.map((request) => `${request}\r\n`).join(""));
    for (let at = 0; at < bytes.length;) {
      const room = parser.room(), count = Math.min(room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + count));
      parser.filled(count);
      at += count;
    }
    const { reads } = clock;
    executor.begin();
    executor.run(call, parser);
    executor.end();
    return clock.reads - reads;
  };
  for (let i = 0; i < 300; i++) run(`ZADD z ${i} ${"m".repeat(90)}${i}`);
  const range = executor.table.named("zrange")!;
  assertEquals(run("ZRANGE z 0 1", "ZRANGE z 0 2", "ZRANGE z 5 6"), 2);
  assertEquals(range.stats.calls, 3);
  assertAlmostEquals(range.stats.usec, STEP_US);
  assertEquals(engine.commandLogs.slow.entries.length, 0);
  // The batch reads the clock at its begin and end, and again after the long reply.
  assertEquals(run("ZRANGE z 0 1", "ZRANGE z 0 -1", "ZRANGE z 0 1"), 4);
  assertEquals(range.stats.calls, 6);
  assertAlmostEquals(range.stats.usec, 3 * STEP_US);
  assertEquals(engine.commandLogs.slow.entries.map(({ value }) => value), [Math.round(STEP_US - STEP_US / 5)]);
});
