import { assertEquals } from "@std/assert";
import { KeyedItems } from "../../src/core/radix_sort.ts";
import { oneIn, pick, property } from "../helpers/property.ts";

const EXTREMES = [0, -0, 1, -1, Infinity, -Infinity, 5e-324, -5e-324, 2 ** 53, -(2 ** 53), 1e308, 1.5, -1.5];

Deno.test("few and many items are sorted by doubles, up and down, equal ones as they were", () =>
  property(60, (random) => {
    const count = random.below(pick(random, [3, 100, 2000]));
    const values = Float64Array.from({ length: count }, () => {
      if (oneIn(random, 5)) return pick(random, EXTREMES);
      return oneIn(random, 3) ? random.below(20) : (random.unit() - 0.5) * 10 ** random.below(30);
    });
    for (const mask of [0, -1]) {
      const keyed = new KeyedItems(Int32Array.from(values, (_, i) => i));
      for (let i = 0; i < count; i++) keyed.setDouble(i, values[i], mask);
      keyed.sort();
      const order = (a: number, b: number) => values[a] < values[b] ? -1 : values[a] > values[b] ? 1 : 0;
      const sign = mask === 0 ? 1 : -1;
      const expected = Array.from(values, (_, i) => i).sort((a, b) => sign * order(a, b));
      assertEquals([...keyed.items], expected);

      const ties: [number, number][] = [];
      keyed.eachTie((from, to) => ties.push([from, to]));
      const wanted: [number, number][] = [];
      for (let from = 0, to = 1; from < count; from = to++) {
        while (to < count && order(expected[from], expected[to]) === 0) to++;
        if (to - from > 1) wanted.push([from, to]);
      }
      assertEquals(ties, wanted);
    }
  }));
