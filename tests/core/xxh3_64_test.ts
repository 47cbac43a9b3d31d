/** XXH3 with 64 bits compared with digests that Redis's DIGEST replied. */
import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/core/bytes.ts";
import { xxh3Digest } from "../../src/core/xxh3_64.ts";

/** Digests of the first bytes of a fixed text, by their number; the edges of each way through the function. */
const DIGESTS: readonly (readonly [number, string])[] = [
  [0, "2d06800538d394c2"],
  [1, "4c5cca45d0f4811f"],
  [2, "a7e250c97710ff27"],
  [3, "15f7093b173d005c"],
  [4, "dca012f95811b6b9"],
  [5, "b290cafc7b254345"],
  [7, "7561869c23da3c1b"],
  [8, "dec6a9a43575982e"],
  [9, "cbe393399f17ffbd"],
  [12, "46aaf92c7550afa4"],
  [16, "7e484c18d74895d0"],
  [17, "208bde5ee2bed407"],
  [32, "03df0ac5255d1446"],
  [33, "199a362122d71f46"],
  [64, "dd30702ab46b3745"],
  [65, "fab36b851b94ce20"],
  [96, "d245cd2541582982"],
  [97, "60e3e1d0d43785b3"],
  [127, "a915ed6396db8cc0"],
  [128, "f92b70eaa21a6288"],
  [129, "f8f76713f2bb60fa"],
  [143, "c372f52c27156971"],
  [144, "d87f00765ee3d89e"],
  [239, "caa9b7a588464745"],
  [240, "ccc7375172c41f03"],
  [241, "0b3b630948ce4a00"],
  [255, "89932170686cdd9a"],
  [256, "ec85b75bafe6ca74"],
  [1024, "23bc880ebf0d29c6"],
  [1025, "c09fdfbc398c7d82"],
  [1088, "a16bad67843c5a45"],
  [2048, "19f6f9c987331373"],
  [2049, "5045460f5d85c275"],
  [4000, "9d5e1be70ba5d851"],
];

Deno.test("XXH3 gives the digests of Redis for inputs of every length class, at any place", () => {
  const bytes = Uint8Array.from({ length: 4200 }, (_, i) => ((i - 100) * 31 + 7) & 255);
  for (const [length, expected] of DIGESTS) {
    assertEquals(latin1(xxh3Digest(new DataView(bytes.buffer), 100, 100 + length)), expected, `${length} bytes`);
    const moved = bytes.slice(99, 101 + length);
    assertEquals(latin1(xxh3Digest(new DataView(moved.buffer), 1, 1 + length)), expected, `${length} bytes, moved`);
  }
});
