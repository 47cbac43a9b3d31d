/** Records with every legal combination of flags, at all boundaries of key and value length. */
import { assert, assertEquals } from "@std/assert";
import { Arena, type BodyRef, CHUNK_SHIFT, GRANULE_MASK } from "../../../src/store/memory/arena.ts";
import {
  BODY,
  bodyOf,
  createRecord,
  deadlineOf,
  flagsOf,
  hasPassed,
  headBytes,
  INLINE_BYTES_MAX,
  keyEquals,
  keyLength,
  keyStart,
  META,
  metaOf,
  NUMBER,
  setBody,
  setDeadline,
  setMeta,
  setValueLength,
  valueLength,
  valueStart,
} from "../../../src/store/blocks/record.ts";
import { pick, property, randomBytes } from "../../helpers/property.ts";

const FLAGS = [0, META, META | NUMBER, BODY, META | BODY, META | NUMBER | BODY];
const KEY_LENGTHS = [0, 1, 3, 4, 16, 255, 4093, 4094, 4095, 4096, 4097, 70000];
const VALUE_LENGTHS = [0, 1, 2, 31, 4095, 4096, 32768, 65534, 65535];

Deno.test("a record gives back all its parts for every combination of flags and lengths", async () => {
  await property(1, (random) => {
    const arena = new Arena();
    const before = randomBytes(random, 70010), values = randomBytes(random, 65535);
    for (const flags of FLAGS) {
      for (const length of KEY_LENGTHS) {
        for (const size of VALUE_LENGTHS) {
          const at = random.below(10);
          const ref = createRecord(arena, flags, before, at, at + length, size);
          const bytes = arena.u8[ref >>> CHUNK_SHIFT];
          const meta = random.below(2 ** 32) | 0,
            body = random.below(2 ** 32) | 0,
            number = random.below(2 ** 31) * 1000;
          if (flags & META) setMeta(arena, ref, meta);
          if (flags & NUMBER) setDeadline(arena, ref, number);
          if (flags & BODY) setBody(arena, ref, body as BodyRef);
          bytes.set(values.subarray(0, size), valueStart(arena, ref));
          assertEquals(flagsOf(arena, ref), flags);
          assertEquals(keyLength(arena, ref), length);
          assertEquals(valueLength(arena, ref), size);
          assert(keyEquals(arena, ref, before, at, at + length));
          const start = keyStart(arena, ref);
          assert(equal(bytes, start, before, at, length));
          assertEquals(valueStart(arena, ref), start + length);
          assert(equal(bytes, start + length, values, 0, size));
          if (flags & META) assertEquals(metaOf(arena, ref), meta);
          if (flags & NUMBER) assertEquals(deadlineOf(arena, ref), number);
          if (flags & BODY) assertEquals(bodyOf(arena, ref), body);
          assertEquals(headBytes(arena, ref), start + length - ((ref & GRANULE_MASK) << 3));
          assert(headBytes(arena, ref) + size <= arena.sizeOf(ref));
          if (length < 1000 || size < 40) continue;
          arena.free(ref);
        }
      }
    }
    arena.check();
  });
});

function equal(a: Uint8Array, at: number, b: Uint8Array, bt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[bt + i]) return false;
  return true;
}

Deno.test("keyEquals tells keys apart that differ in length or in one byte", async () => {
  const arena = new Arena();
  await property(300, (random) => {
    const length = pick(random, KEY_LENGTHS);
    const key = randomBytes(random, length);
    const ref = createRecord(arena, pick(random, FLAGS), key, 0, length, random.below(20));
    assert(keyEquals(arena, ref, key, 0, length));
    if (length > 0) {
      assert(!keyEquals(arena, ref, key, 0, length - 1));
      assert(!keyEquals(arena, ref, key, 1, length));
      const other = key.slice();
      const at = pick(random, [0, length - 1, random.below(length)]);
      other[at] ^= 1 << random.below(8);
      assert(!keyEquals(arena, ref, other, 0, length));
    }
    const longer = new Uint8Array(length + 1);
    longer.set(key);
    assert(!keyEquals(arena, ref, longer, 0, length + 1));
    arena.free(ref);
  });
});

Deno.test("a value's length changes alone", () => {
  const arena = new Arena();
  const key = new Uint8Array([1, 2, 3]);
  for (const flags of FLAGS) {
    const ref = createRecord(arena, flags, key, 0, 3, INLINE_BYTES_MAX);
    for (const length of VALUE_LENGTHS) {
      setValueLength(arena, ref, length);
      assertEquals(valueLength(arena, ref), length);
      assertEquals(flagsOf(arena, ref), flags);
      assert(keyEquals(arena, ref, key, 0, 3));
    }
  }
});

Deno.test("a record's deadline keeps all 64 bits, and far ones never pass", () => {
  const arena = new Arena();
  const ref = createRecord(arena, META | NUMBER | BODY, new Uint8Array(5), 0, 5, 7);
  for (const ms of [0, 1, 1_700_000_000_000, Number.MAX_SAFE_INTEGER]) {
    setDeadline(arena, ref, ms);
    assertEquals(deadlineOf(arena, ref), ms);
    assert(hasPassed(arena, ref, ms));
    assert(!hasPassed(arena, ref, ms - 1));
  }
  // The negatives of some, read as doubles, are negative, infinite or NaN.
  for (let bits = 53n; bits < 63n; bits++) {
    for (const ms of [2n ** bits, 2n ** bits + 1n, 2n ** (bits + 1n) - 1n, 2n ** 63n - 2n ** (bits - 1n)]) {
      setDeadline(arena, ref, ms);
      assertEquals(deadlineOf(arena, ref), ms);
      assert(!hasPassed(arena, ref, Number.MAX_SAFE_INTEGER));
    }
  }
});
