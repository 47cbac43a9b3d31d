import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { sha1, SHA1_BYTES } from "../../src/core/sha1.ts";

Deno.test("hashes are those of the platform, at every length around the edges of blocks", () => {
  const message = Uint8Array.from({ length: 300 }, (_, i) => i * 7 + (i >>> 3));
  const hash = new Uint8Array(SHA1_BYTES);
  for (let size = 0; size <= message.length; size++) {
    const bytes = message.subarray(0, size);
    sha1(bytes, hash);
    assertEquals(hash, new Uint8Array(createHash("sha1").update(bytes).digest()), `${size} bytes`);
  }
});

Deno.test("a hash may take the place of its message", () => {
  const bytes = new Uint8Array(SHA1_BYTES);
  const expected = new Uint8Array(createHash("sha1").update(bytes).digest());
  sha1(bytes, bytes);
  assertEquals(bytes, expected);
});
