/** The integer set compared with a sorted array of bigints, and its bytes compared with the format. */
import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../../src/core/bytes.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import { Arena, type BodyRef } from "../../../src/store/memory/arena.ts";
import { IntSet } from "../../../src/store/blocks/intset.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";

const EDGES = [7n, 8n, 15n, 16n, 31n, 32n, 53n, 63n].flatMap((
  bits,
) => [-(2n ** bits) - 1n, -(2n ** bits), 1n - 2n ** bits, 2n ** bits - 1n, 2n ** bits, 2n ** bits + 1n]).filter((
  value,
) => BigInt.asIntN(64, value) === value);

function randomInteger(random: SeededRandom): bigint {
  if (oneIn(random, 3)) return pick(random, EDGES);
  const bits = BigInt(1 + random.below(63));
  const value = BigInt(random.below(2 ** 32)) << 31n | BigInt(random.below(2 ** 31));
  return BigInt.asIntN(Number(bits), value);
}

function take(integers: IntSet, text: string): boolean {
  return integers.take(fromLatin1(text), 0, text.length);
}

function valuesOf(integers: IntSet, set: BodyRef): bigint[] {
  return Array.from({ length: integers.count(set) }, (_, i) => {
    integers.read(set, i);
    return BigInt(latin1(integers.text, 0, integers.length));
  });
}

Deno.test("an integer set holds integers of all widths in order", () =>
  property(40, (random) => {
    const arena = new Arena(), integers = new IntSet(arena);
    let set = integers.create();
    const model = new Set<bigint>();
    for (let i = 0; i < 150; i++) {
      const value = randomInteger(random);
      assert(take(integers, String(value)));
      assertEquals(integers.find(set), model.has(value));
      if (!model.has(value)) {
        set = integers.insert(set);
        model.add(value);
      } else if (oneIn(random, 2)) {
        set = integers.remove(set);
        model.delete(value);
      }
    }
    const sorted = [...model].sort((a, b) => a < b ? -1 : 1);
    assertEquals(valuesOf(integers, set), sorted);
    integers.check(set);
    const copy = integers.copy(set);
    while (integers.count(set) > 0) set = integers.removeAt(set, random.below(integers.count(set)));
    assertEquals(valuesOf(integers, copy), sorted);
    integers.check(copy);
    arena.free(copy);
    arena.free(set);
    assertEquals(arena.check().size, 0);
  }));

Deno.test("an image is an intset as Redis has it", () => {
  const integers = new IntSet(new Arena());
  let set = integers.create();
  const hex = () => [...integers.image(set)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  assertEquals(hex(), "0200000000000000");
  for (const text of ["5", "-1", "300"]) {
    take(integers, text);
    integers.find(set);
    set = integers.insert(set);
  }
  assertEquals(hex(), "0200000003000000" + "ffff" + "0500" + "2c01");
  take(integers, "65536");
  integers.find(set);
  set = integers.insert(set);
  assertEquals(hex(), "0400000004000000" + "ffffffff" + "05000000" + "2c010000" + "00000100");
  take(integers, "-9223372036854775808");
  integers.find(set);
  set = integers.insert(set);
  assertEquals(hex().slice(0, 48), "0800000005000000" + "0000000000000080" + "ffffffffffffffff");
});

Deno.test("only canonical 64-bit integers are taken", () => {
  const integers = new IntSet(new Arena());
  for (
    const text of ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "a", "9223372036854775808", "-9223372036854775809"]
  ) {
    assert(!take(integers, text), text);
  }
  assert(!take(integers, "1".repeat(21)));
});
