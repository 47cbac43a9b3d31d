/** The active expiry cycle, with a clock that moves in steps. */
import { assert, assertEquals } from "@std/assert";
import { type Clock, ManualClock } from "../../src/core/clock.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { ExpiryState, runExpiryCycle } from "../../src/engine/expiry.ts";
import { ExpiryMode } from "../../src/store/keyspace.ts";
import { recordEffects, recordEvents } from "../helpers/effects.ts";
import { createEngine, setString } from "../helpers/engine.ts";
import { property } from "../helpers/property.ts";

const START_MS = Date.UTC(2026, 0, 1);
const TICK_MS = 100;

/** A clock whose durations grow by one step with each reading. */
class TickingClock implements Clock {
  #us = 0;
  readonly #stepUs: number;

  constructor(stepUs: number) {
    this.#stepUs = stepUs;
  }

  nowMs(): number {
    return START_MS;
  }

  monotonicUs(): number {
    return this.#us += this.#stepUs;
  }

  schedule(): () => void {
    return () => {};
  }
}

function expiredShare(engine: Engine): number {
  const [db] = engine.store.databases;
  let expired = 0;
  engine.store.dict.each(db.expires, (ref) => {
    if (db.isExpired(ref)) expired++;
  });
  return expired / Math.max(1, db.expiresSize);
}

/** Counts the records that the cycle visits, and collects the dictionaries that it walks. */
function watchScans(engine: Engine): { visits: number; dicts: Set<number> } {
  const { dict } = engine.store;
  const seen = { visits: 0, dicts: new Set<number>() };
  const scan = dict.scan;
  dict.scan = (name, cursor, count, visit) => {
    seen.dicts.add(name);
    return scan.call(dict, name, cursor, count, (ref) => {
      seen.visits++;
      visit(ref);
    });
  };
  return seen;
}

Deno.test("the share of expired keys stays below a few per cent while keys come and go", () =>
  property(2, (random) => {
    const clock = new ManualClock(START_MS);
    const engine = createEngine(clock);
    const [db] = engine.store.databases;
    const state = new ExpiryState();
    const seen = watchScans(engine);
    let born = 0, worst = 0, sum = 0;
    for (let tick = 0; tick < 600; tick++) {
      clock.advance(TICK_MS);
      engine.store.setTime(clock.nowMs());
      // 2000 new keys per second, with a time to live of up to 20 seconds.
      for (let i = 0; i < 200; i++) setString(db, `key:${born++}`, "v", clock.nowMs() + 1 + random.below(20_000));
      runExpiryCycle(engine, state);
      if (tick < 200) continue;
      const share = expiredShare(engine);
      worst = Math.max(worst, share);
      sum += share / 400;
    }
    assert(sum < 0.035 && worst < 0.09, `${sum} of the keys were expired on average, ${worst} at worst`);
    const perExpired = seen.visits / engine.store.expired;
    assert(perExpired < 40, `${perExpired} keys were looked at for each that had expired`);
    engine.store.check();
  }));

Deno.test("keys that expire together are gone after one round, given the time", () => {
  const clock = new ManualClock(START_MS);
  const engine = createEngine(clock);
  const [db] = engine.store.databases;
  for (let i = 0; i < 20_000; i++) setString(db, `old:${i}`, "v", START_MS + 50);
  for (let i = 0; i < 1000; i++) setString(db, `new:${i}`, "v", START_MS + 1e6);
  clock.advance(TICK_MS);
  engine.store.setTime(clock.nowMs());
  assertEquals(runExpiryCycle(engine, new ExpiryState()), TICK_MS);
  assert(expiredShare(engine) < 0.05);
  assert(engine.stats.stalePercent > 0);
  assert(db.averageTtlMs > 0.9e6 && db.averageTtlMs < 1e6);
});

Deno.test("only keys with a deadline are looked at, and few of them when nothing expires", () => {
  const clock = new ManualClock(START_MS);
  const engine = createEngine(clock);
  const [db] = engine.store.databases;
  for (let i = 0; i < 5000; i++) setString(db, `plain:${i}`, "v");
  const seen = watchScans(engine);
  const state = new ExpiryState();
  for (let i = 0; i < 10; i++) runExpiryCycle(engine, state);
  assertEquals(seen.visits, 0);
  for (let i = 0; i < 5000; i++) setString(db, `late:${i}`, "v", START_MS + 1e6);
  for (let i = 0; i < 10; i++) runExpiryCycle(engine, state);
  assertEquals([...seen.dicts], [db.expires]);
  assert(seen.visits >= 640 && seen.visits < 2000);
});

Deno.test("a round ends when its time is used up, and the next follows soon", () => {
  const engine = createEngine(new TickingClock(1000));
  for (const db of engine.store.databases.slice(0, 3)) {
    for (let i = 0; i < 5000; i++) setString(db, `key:${i}`, "v", START_MS - 1);
  }
  const state = new ExpiryState();
  const waitMs = runExpiryCycle(engine, state);
  // Five readings of the clock use up the slice of 5 ms: 64 keys each, and some more that share their home slots.
  assert(engine.store.expired >= 300 && engine.store.expired < 1000, `${engine.store.expired}`);
  assertEquals(engine.stats.expireCycleStopped, 1);
  assert(waitMs > 5 && waitMs < 30, `${waitMs}`);
  // The next databases get their turn although the first is not finished.
  runExpiryCycle(engine, state);
  runExpiryCycle(engine, state);
  for (const db of engine.store.databases.slice(0, 3)) assert(db.size < 5000);
  while (engine.store.databases.some((db) => db.size > 0)) runExpiryCycle(engine, state);
  engine.store.check();
});

Deno.test("more effort leaves fewer expired keys behind", () => {
  const shares = ["1", "10"].map((effort) => {
    const clock = new ManualClock(START_MS);
    const engine = createEngine(clock, { "active-expire-effort": effort });
    const [db] = engine.store.databases;
    for (let i = 0; i < 50_000; i++) setString(db, `key:${i}`, "v", START_MS + 1 + i * 20);
    const state = new ExpiryState();
    let sum = 0;
    for (let tick = 0; tick < 500; tick++) {
      clock.advance(TICK_MS);
      engine.store.setTime(clock.nowMs());
      runExpiryCycle(engine, state);
      if (tick % 50 === 49) sum += expiredShare(engine);
    }
    return sum / 10;
  });
  assert(shares[1] < shares[0] / 2, `${shares}`);
  assert(shares[0] < 0.05);
});

Deno.test("the cycle rests while it is switched off and while a file loads", () => {
  const engine = createEngine(new ManualClock(START_MS));
  const [db] = engine.store.databases;
  setString(db, "a", "v", START_MS - 1);
  const state = new ExpiryState();
  engine.activeExpiry = false;
  runExpiryCycle(engine, state);
  assertEquals(db.size, 1);
  engine.activeExpiry = true;
  const release = engine.holdExpiry(ExpiryMode.KEEP);
  runExpiryCycle(engine, state);
  assertEquals(db.size, 1);
  release();
  runExpiryCycle(engine, state);
  assertEquals(db.size, 0);
  const passive = createEngine(new ManualClock(START_MS), { startexpiryloop: "no" });
  setString(passive.store.databases[0], "a", "v", START_MS - 1);
  runExpiryCycle(passive, new ExpiryState());
  assertEquals(passive.store.databases[0].size, 1);
});

Deno.test("a key that the cycle deletes is logged as deleted and announced as expired", () => {
  const engine = createEngine(new ManualClock(START_MS));
  setString(engine.store.databases[3], "a", "v", START_MS - 1);
  const logged = recordEffects(engine), events = recordEvents(engine);
  runExpiryCycle(engine, new ExpiryState());
  assertEquals(logged, ["3: DEL a"]);
  assertEquals(events, ["3: x expired a"]);
  assertEquals(engine.store.expired, 1);
});
