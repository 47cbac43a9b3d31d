/**
 * The table of client-side caching, compared with a model.
 */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../src/core/bytes.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { hashBytes } from "../../src/core/hash_function.ts";
import { TrackedKeys } from "../../src/conversations/tracked_keys.ts";
import { createEngine } from "../helpers/engine.ts";
import { oneIn, property } from "../helpers/property.ts";

const OPERATIONS = 4000, CLIENTS = 60;

Deno.test("the table of tracked keys holds what a map of sets holds", () =>
  property(5, (random) => {
    const { store } = createEngine(new ManualClock(0)), startBytes = store.arena.usedBytes;
    const table = new TrackedKeys(store), emptyBytes = store.arena.usedBytes;
    const model = new Map<string, Set<number>>();
    // A few keys are long. Client numbers of all sizes, up to 32 bits, lead to both forms of a value.
    const keys = Array.from({ length: 300 }, (_, i) => oneIn(random, 50) ? `${i}`.repeat(3000) : `key:${i}`);
    const clients = Array.from({ length: CLIENTS }, () => random.below(2 ** (4 + random.below(29))));
    const dead = new Set<number>();
    for (let i = 0; i < OPERATIONS; i++) {
      const text = keys[random.below(keys.length)], key = fromLatin1(`x${text}`), end = key.length;
      const dice = random.below(1000);
      if (dice < 750) {
        const client = clients[random.below(CLIENTS)], known = model.get(text) ?? new Set();
        assertEquals(table.add(key, 1, end, hashBytes(key, 1, end), client), !known.has(client));
        model.set(text, known.add(client));
      } else if (dice < 950) {
        assertEquals(table.take(key, 1, end), [...model.get(text) ?? []].sort((a, b) => a - b));
        model.delete(text);
      } else if (dice < 990) {
        if (model.size > 0) {
          const taken = table.takeRandom(random), name = latin1(taken.key);
          assertEquals(taken.numbers, [...model.get(name)!].sort((a, b) => a - b));
          model.delete(name);
        }
      } else if (dice < 998) {
        dead.add(clients[random.below(CLIENTS)]);
        for (let cursor = table.sweep(0, 10, (each) => !dead.has(each)); cursor > 0;) {
          cursor = table.sweep(cursor, 10, (each) => !dead.has(each));
        }
        for (const [name, numbers] of model) {
          for (const number of dead) numbers.delete(number);
          if (numbers.size === 0) model.delete(name);
        }
        dead.clear();
      } else {
        table.clear();
        model.clear();
      }
      assertEquals(table.keyCount, model.size);
    }
    let items = 0;
    for (const numbers of model.values()) items += numbers.size;
    assertEquals(table.itemCount, items);
    store.check();
    assert(items === 0 || store.arena.usedBytes > emptyBytes);
    table.clear();
    store.check();
    assertEquals(store.arena.usedBytes, emptyBytes);
    assert(emptyBytes > startBytes);
  }));

Deno.test("a key that thousands of clients have read holds each of them once", () => {
  const { store } = createEngine(new ManualClock(0)), table = new TrackedKeys(store);
  const key = fromLatin1("hot"), hash = hashBytes(key, 0, 3), count = 40_000;
  for (let number = 0; number < count; number++) assert(table.add(key, 0, 3, hash, number));
  for (let number = 0; number < count; number += 100) assert(!table.add(key, 0, 3, hash, number));
  assertEquals(table.itemCount, count);
  assertEquals(table.take(key, 0, 3), Array.from({ length: count }, (_, i) => i));
  assertEquals([table.keyCount, table.itemCount], [0, 0]);
  store.check();
});
