import { assert, assertEquals } from "@std/assert";
import { utf8 } from "../../src/core/bytes.ts";
import { compress, decompress, isPossibleLength } from "../../src/rdb/lzf.ts";
import { oneIn, property, randomBytes } from "../helpers/property.ts";
import type { SeededRandom } from "../../src/core/random.ts";

/** Bytes with near and far repetitions, with few or many different values. */
function compressible(random: SeededRandom): Uint8Array {
  const values = 1 + random.below(oneIn(random, 3) ? 256 : 4);
  const bytes = randomBytes(random, random.below(20_000)).map((byte) => byte % values);
  for (let i = random.below(10); i > 0 && bytes.length > 0; i--) {
    const from = random.below(bytes.length), length = random.below(Math.min(600, bytes.length - from));
    bytes.copyWithin(random.below(bytes.length), from, from + length);
  }
  return bytes;
}

Deno.test("compressed bytes expand to the original", () =>
  property(100, (random) => {
    const bytes = compressible(random);
    const start = random.below(bytes.length + 1);
    const packed = new Uint8Array(bytes.length * 2 + 64);
    const length = compress(bytes, start, bytes.length, packed, packed.length);
    assert(isPossibleLength(length, bytes.length - start));
    const target = new Uint8Array(bytes.length - start);
    assert(decompress(packed, 0, length, target, target.length));
    assertEquals(target, bytes.slice(start));
  }));

Deno.test("bytes that do not fit the room are not compressed", () =>
  property(50, (random) => {
    const bytes = compressible(random);
    const room = random.below(bytes.length + 1);
    const packed = new Uint8Array(room + 100).fill(7);
    const length = compress(bytes, 0, bytes.length, packed, room);
    assert(length <= room);
    assert(packed.subarray(room).every((byte) => byte === 7), "written behind the room");
  }));

Deno.test("repetitions shrink to a hundredth", () => {
  const bytes = utf8("0123456789".repeat(1000));
  const packed = new Uint8Array(bytes.length);
  const length = compress(bytes, 0, bytes.length, packed, packed.length);
  assert(length < 150, `${length} bytes`);
});

Deno.test("random bytes expand to nothing or to the announced length, and never leave the target", () =>
  property(300, (random) => {
    const bytes = randomBytes(random, random.below(100));
    const length = random.below(300);
    const target = new Uint8Array(length + 10);
    decompress(bytes, 0, bytes.length, target, length);
    assert(target.subarray(length).every((byte) => byte === 0));
  }));
