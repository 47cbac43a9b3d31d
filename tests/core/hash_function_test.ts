/**
 * The hash function: its result is odd, independent of the position of the bytes, evenly distributed, and keyed per
 * process.
 */
import { assert, assertEquals } from "@std/assert";
import { hashBytes } from "../../src/core/hash_function.ts";
import { hashBytes as hashElsewhere } from "../../src/core/hash_function.ts?elsewhere";
import { pick, property, randomBytes } from "../helpers/property.ts";

Deno.test("a hash is a 32-bit integer and odd, so that no slot looks empty", async () => {
  await property(200, (random) => {
    const bytes = randomBytes(random, random.below(40));
    const hash = hashBytes(bytes, 0, bytes.length);
    assertEquals(hash, hash | 0);
    assertEquals(hash & 1, 1);
  });
});

Deno.test("a hash depends on the bytes alone, not on their place or what surrounds them", async () => {
  await property(200, (random) => {
    const bytes = randomBytes(random, random.below(70));
    const around = randomBytes(random, 100), at = random.below(30);
    around.set(bytes, at);
    assertEquals(hashBytes(around, at, at + bytes.length), hashBytes(bytes, 0, bytes.length));
  });
});

Deno.test("one flipped bit changes every bit of the hash half of the time", async () => {
  await property(1, (random) => {
    const flips = new Float64Array(32);
    const rounds = 20000;
    for (let round = 0; round < rounds; round++) {
      const bytes = randomBytes(random, 1 + random.below(24));
      const before = hashBytes(bytes, 0, bytes.length);
      bytes[random.below(bytes.length)] ^= 1 << random.below(8);
      const changed = before ^ hashBytes(bytes, 0, bytes.length);
      for (let bit = 0; bit < 32; bit++) flips[bit] += (changed >>> bit) & 1;
    }
    for (let bit = 1; bit < 32; bit++) assert(Math.abs(flips[bit] / rounds - 0.5) < 0.025, `bit ${bit}`);
  });
});

Deno.test("keys that differ in little spread evenly over prefixes and home slots", () => {
  const shapes: ((i: number) => string)[] = [(i) => `key:${i}`, (i) => `${i}`.padStart(16, "0"), (i) => "x".repeat(i)];
  for (const shape of shapes) {
    const count = shape(5) === "xxxxx" ? 4096 : 65536;
    for (const shift of [24, 1]) {
      const buckets = new Int32Array(256);
      for (let i = 0; i < count; i++) {
        const bytes = new TextEncoder().encode(shape(i));
        buckets[(hashBytes(bytes, 0, bytes.length) >>> shift) & 255]++;
      }
      const expected = count / 256;
      const chiSquare = buckets.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
      // 255 degrees of freedom: six standard deviations, once in a thousand million runs.
      assert(chiSquare < 255 + 6 * Math.sqrt(2 * 255), `chi-square ${chiSquare}`);
    }
  }
});

Deno.test("keys of zero bytes differ by their length, and short ones never collide", () => {
  const zeros = new Uint8Array(64);
  const seen = new Set<number>();
  for (let length = 0; length <= 64; length++) seen.add(hashBytes(zeros, 0, length));
  assert(seen.size >= 64);
});

Deno.test("another instance of the module, as another process has it, hashes differently", () => {
  const hashes = [1, 2, 3, 4].map((n) => [hashBytes, hashElsewhere].map((hash) => hash(new Uint8Array([n]), 0, 1)));
  assert(hashes.some(([a, b]) => a !== b));
});

Deno.test("equal lengths with different bytes give different hashes, almost always", async () => {
  await property(1, (random) => {
    let collisions = 0;
    for (let i = 0; i < 5000; i++) {
      const length = pick(random, [4, 8, 16, 17, 18, 19]);
      const a = randomBytes(random, length), b = randomBytes(random, length);
      if (hashBytes(a, 0, length) === hashBytes(b, 0, length)) collisions++;
    }
    assert(collisions <= 1);
  });
});
