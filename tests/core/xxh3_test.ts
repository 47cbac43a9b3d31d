/** XXH3 with 128 bits compared with hashes that the reference implementation made. */
import { assertEquals } from "@std/assert";
import { xxh3 } from "../../src/core/xxh3.ts";

/** Hashes of the first bytes of a fixed text, by their number; one or two for each way through the function. */
const HASHES: readonly (readonly [number, string])[] = [
  [0, "99aa06d3014798d86001c324468d497f"],
  [1, "495b62073ef70ca44c5cca45d0f4811f"],
  [3, "46f66cb93538156515f7093b173d005c"],
  [8, "803c675a846cc6c256bb836ceb6d4baa"],
  [9, "d46556872d230f224376673580310154"],
  [16, "650fe308c566747df853dd94614dfa07"],
  [128, "b4f87b99d2db8a511e04fad9f0cacb4d"],
  [200, "8d8629a1aef9ef9060ea018811f9a437"],
  [240, "de57aab31e77a2ff93e173833f75ab66"],
  [241, "92b991a7192f3f080b3b630948ce4a00"],
  [1270, "d4094c3224b87772e20683a61119e138"],
  [3986, "44228c3c62013a82dd06c40434ad789b"],
];

Deno.test("XXH3 gives the hashes of the reference implementation for inputs of every length class", () => {
  const bytes = Uint8Array.from({ length: 4100 }, (_, i) => ((i - 100) * 31 + 7) & 255);
  const hex = (value: bigint) => value.toString(16).padStart(16, "0");
  for (const [length, expected] of HASHES) {
    const { low, high } = xxh3(bytes, 100, 100 + length);
    assertEquals(hex(high) + hex(low), expected, `${length} bytes`);
  }
});
