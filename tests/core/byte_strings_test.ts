import { assertEquals } from "@std/assert";
import { compareBytes } from "../../src/core/bytes.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { ByteStrings } from "../../src/core/byte_strings.ts";
import { oneIn, pick, property } from "../helpers/property.ts";

/**
 * Strings with common prefixes, prefixes of each other, or trailing zeros: numeric keys of a few bytes cannot
 * distinguish them.
 */
function randomText(random: SeededRandom, common: Uint8Array): Uint8Array {
  const length = random.below(pick(random, [3, 9, 20, 60]));
  const letters = pick(random, [[0], [0, 1], [97, 98], [0, 97, 255]]);
  const text = Uint8Array.from({ length }, () => pick(random, letters));
  return oneIn(random, 4) ? text : Uint8Array.from([...common, ...text]);
}

Deno.test("strings are sorted by their bytes, up and down, equal ones as they were and told", () =>
  property(60, (random) => {
    const common = new Uint8Array(random.below(30)).fill(random.below(256));
    const count = random.below(pick(random, [5, 60, 1500]));
    const all = Array.from({ length: count }, () => randomText(random, common));
    const texts = new ByteStrings();
    for (const text of all) texts.add(Uint8Array.from([1, ...text, 1]), 1, 1 + text.length);
    assertEquals(texts.count, count);
    assertEquals(all.map((_, i) => texts.bytes.slice(texts.start(i), texts.end(i))), all);

    const order = (a: number, b: number) => compareBytes(all[a], 0, all[a].length, all[b], 0, all[b].length);
    const chosen = all.map((_, i) => i).filter(() => !oneIn(random, 10));
    const visited: Uint8Array[] = [];
    texts.each(Int32Array.from(chosen), (start, end) => visited.push(texts.bytes.slice(start, end)));
    assertEquals(visited, chosen.map((i) => all[i]));
    for (const mask of [0, -1]) {
      const items = Int32Array.from(chosen);
      const ties: string[] = [];
      texts.sort(items, 0, items.length, mask, (from, to) => ties.push(`${from} ${to}`));
      const sign = mask === 0 ? 1 : -1;
      const expected = chosen.toSorted((a, b) => sign * order(a, b));
      assertEquals([...items], expected);
      const wanted: string[] = [];
      for (let from = 0, to = 1; from < expected.length; from = to++) {
        while (to < expected.length && order(expected[from], expected[to]) === 0) to++;
        if (to - from > 1) wanted.push(`${from} ${to}`);
      }
      assertEquals(ties.toSorted(), wanted.toSorted());
    }
  }));
