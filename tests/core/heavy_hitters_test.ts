/** The heaviest names: what is sure of their weights, and that none of the heavy ones is missed. */
import { assert, assertEquals } from "@std/assert";
import { HeavyHitters, NAME_LENGTH_MAX } from "../../src/core/heavy_hitters.ts";
import { oneIn, property } from "../helpers/property.ts";

Deno.test("weights are exact while there is an entry for each name", () =>
  property(20, (random) => {
    const hitters = new HeavyHitters(20), model = new Map<string, number>();
    for (let i = 0; i < 500; i++) {
      const name = `k${random.below(20)}`, weight = random.below(10);
      hitters.add(name, weight);
      if (weight > 0) model.set(name, (model.get(name) ?? 0) + weight);
    }
    const expected = [...model.values()].sort((a, b) => b - a);
    assertEquals(hitters.heaviest(100).map(({ weight }) => weight), expected);
    for (const { name, weight } of hitters.heaviest(7)) assertEquals(model.get(name), weight);
  }));

Deno.test("no weight is too high, and no name is missed that has more than its share of all", () =>
  property(20, (random) => {
    const capacity = 30, hitters = new HeavyHitters(capacity), model = new Map<string, number>();
    let total = 0;
    for (let i = 0; i < 5000; i++) {
      const name = oneIn(random, 3) ? `hot${random.below(4)}` : `k${random.below(3000)}`, weight = 1 + random.below(5);
      hitters.add(name, weight);
      model.set(name, (model.get(name) ?? 0) + weight);
      total += weight;
    }
    const found = hitters.heaviest(capacity);
    assertEquals(found.length, capacity);
    for (const { name, weight } of found) assert(weight <= model.get(name)!, name);
    for (const [name, weight] of model) {
      if (weight > total / capacity) assert(found.some((other) => other.name === name), name);
    }
    assertEquals(found.slice(0, 4).map(({ name }) => name).toSorted(), ["hot0", "hot1", "hot2", "hot3"]);
  }));

Deno.test("weights of 0 and very long names are left out", () => {
  const hitters = new HeavyHitters(4);
  hitters.add("a", 0);
  hitters.add("x".repeat(NAME_LENGTH_MAX + 1), 5);
  hitters.add("x".repeat(NAME_LENGTH_MAX), 5);
  assertEquals(hitters.heaviest(4).map(({ weight }) => weight), [5]);
});
