import { assert, assertEquals } from "@std/assert";
import { utf8 } from "../../src/core/bytes.ts";
import { Crc64 } from "../../src/rdb/crc64.ts";
import { property, randomBytes } from "../helpers/property.ts";

function digits(bytes: Uint8Array): string {
  const out = new Uint8Array(8);
  const crc = new Crc64();
  crc.add(bytes, 0, bytes.length);
  crc.write(out, 0);
  assert(crc.matches(out, 0));
  return out.reduceRight((text, byte) => text + byte.toString(16).padStart(2, "0"), "");
}

Deno.test("the checksum is that of Redis", () => {
  assertEquals(digits(utf8("123456789")), "e9c6d914c4b8d9ca");
  assertEquals(digits(new Uint8Array(0)), "0000000000000000");
});

Deno.test("a checksum does not depend on the pieces in which the bytes come", () =>
  property(20, (random) => {
    const bytes = randomBytes(random, random.below(200));
    const crc = new Crc64();
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + random.below(30));
      crc.add(bytes, at, end);
      at = end;
    }
    const out = new Uint8Array(8);
    crc.write(out, 0);
    assertEquals(out.reduceRight((text, byte) => text + byte.toString(16).padStart(2, "0"), ""), digits(bytes));
  }));
