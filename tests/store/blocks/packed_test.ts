/**
 * The packed block compared with an array of strings: every encoding, both directions, and the bytes of Redis's
 * listpack.
 */
import { assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../../src/core/bytes.ts";
import { Arena, type BodyRef } from "../../../src/store/memory/arena.ts";
import { entriesBytes } from "../../../src/store/blocks/entry.ts";
import { Packed } from "../../../src/store/blocks/packed.ts";
import { pick, property } from "../../helpers/property.ts";

const INTEGERS = [
  ...["0", "1", "127", "128", "-1", "-2", "4095", "4096", "-4096", "-4097", "32767", "32768", "-32768", "-32769"],
  ...["8388607", "8388608", "-8388608", "-8388609", "2147483647", "2147483648", "-2147483648", "-2147483649"],
  ...[
    "4294967295",
    "4294967296",
    "999999999",
    "1000000000",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
  ],
  ...["-9007199254740991", "-9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775800"],
  ...["1234567890123456789", "-1234567890123456789", "-4294967296", "-4294967295", "-9223372032559808512"],
];
const NO_INTEGERS = [
  ...["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "1e3", "9223372036854775808", "-9223372036854775809"],
  ...[
    "99999999999999999999",
    "18446744073709551616",
    "-18446744073709551615",
    "12345678901234567890",
    "123456789a",
    "a",
  ],
];

function textAt(packed: Packed, block: BodyRef, position: number): string {
  packed.read(block, position);
  packed.text();
  return latin1(packed.bytes, packed.start, packed.start + packed.length);
}

function toArray(packed: Packed, block: BodyRef): string[] {
  const out: string[] = [];
  for (let p = packed.first(block); p < packed.end(block); p = packed.next(block, p)) {
    out.push(textAt(packed, block, p));
  }
  return out;
}

function encode(packed: Packed, text: string): void {
  const bytes = fromLatin1(text);
  packed.encode(bytes, 0, bytes.length);
}

function packedOf(packed: Packed, texts: string[]): BodyRef {
  let block = packed.create();
  for (const text of texts) {
    encode(packed, text);
    block = packed.append(block);
  }
  return block;
}

Deno.test("every integer of 64 bits comes back as its text, and nothing else is taken for one", () => {
  const packed = new Packed(new Arena());
  for (const text of [...INTEGERS, ...NO_INTEGERS]) {
    const block = packedOf(packed, [text]);
    assertEquals(toArray(packed, block), [text]);
    packed.read(block, packed.first(block));
    assertEquals(packed.integer, INTEGERS.includes(text), text);
    if (packed.integer) assertEquals(packed.value, Number(text));
    packed.check(block);
  }
});

Deno.test("a small block takes one word beside its entries, whether it was made for them or grew", () =>
  property(20, (random) => {
    const arena = new Arena();
    const packed = new Packed(arena);
    const texts = Array.from({ length: 1 + random.below(20) }, () => {
      return random.below(3) === 0 ? pick(random, INTEGERS) : "x".repeat(random.below(24));
    });
    const bytes = fromLatin1(texts.join(""));
    const start: number[] = [], end: number[] = [];
    for (const text of texts) {
      start.push(end.at(-1) ?? 0);
      end.push(start.at(-1)! + text.length);
    }
    const size = entriesBytes(bytes, start, end, 0, texts.length);
    const made = packed.create(size), grown = packedOf(packed, texts);
    let block = made;
    for (const text of texts) {
      encode(packed, text);
      block = packed.append(block);
    }
    assertEquals(block, made);
    assertEquals([arena.sizeOf(made), arena.sizeOf(grown)], [arena.roundUp(4 + size), arena.roundUp(4 + size)]);
    assertEquals(packed.sizeOf(made), size + 7);
    packed.check(made);
    packed.check(grown);
  }));

Deno.test("a block's image is the listpack of the same elements", () => {
  const packed = new Packed(new Arena());
  const hex = (block: BodyRef) => Array.from(packed.image(block), (b) => b.toString(16).padStart(2, "0")).join(" ");
  assertEquals(hex(packed.create()), "07 00 00 00 00 00 ff");
  assertEquals(hex(packedOf(packed, ["a", "1", "-1"])), "0f 00 00 00 03 00 81 61 02 01 01 df ff 02 ff");
  assertEquals(hex(packedOf(packed, ["1000", "-4097"])), "0e 00 00 00 02 00 c3 e8 02 f1 ff ef 03 ff");
  assertEquals(hex(packedOf(packed, ["40000", "3000000"])), "11 00 00 00 02 00 f2 40 9c 00 04 f2 c0 c6 2d 04 ff");
  assertEquals(hex(packedOf(packed, ["2147483647"])), "0d 00 00 00 01 00 f3 ff ff ff 7f 05 ff");
  const long = packed.image(packedOf(packed, ["x".repeat(64)]));
  assertEquals([...long.subarray(6, 8), long.at(-2), long.length], [0xe0, 64, 66, 7 + 67]);
  const longer = packed.image(packedOf(packed, ["x".repeat(4096)]));
  assertEquals([...longer.subarray(6, 11), ...longer.subarray(-3)], [0xf0, 0, 16, 0, 0, 32, 133, 255]);
});

Deno.test("lengths at the edges of the encodings can be walked both ways", () => {
  const packed = new Packed(new Arena());
  for (const length of [0, 1, 62, 63, 64, 125, 126, 127, 4095, 4096, 16377, 16378, 16379, 65536, 2097145, 2097147]) {
    const block = packedOf(packed, ["first", "x".repeat(length), "last"]);
    packed.check(block);
    const last = packed.previous(block, packed.end(block));
    const middle = packed.previous(block, last);
    assertEquals(textAt(packed, block, middle).length, length);
    assertEquals(textAt(packed, block, packed.previous(block, middle)), "first");
    assertEquals(packed.previous(block, packed.first(block)), 0);
  }
});

Deno.test("find looks at every stride-th element and says how many it passed", () => {
  const packed = new Packed(new Arena());
  const block = packedOf(packed, ["a", "b", "b", "12", "12", "x", "123", "123"]);
  const at = (i: number) => packed.at(block, i);
  const find = (text: string, from: number, stride: number) => {
    encode(packed, text);
    return [packed.find(block, at(from), stride), packed.passed];
  };
  assertEquals(find("b", 0, 1), [at(1), 1]);
  assertEquals(find("b", 0, 2), [at(2), 2]);
  assertEquals(find("12", 1, 2), [at(3), 2]);
  assertEquals(find("12", 0, 2), [at(4), 4]);
  assertEquals(find("123", 0, 1), [at(6), 6]);
  assertEquals(find("none", 0, 2), [0, 8]);
  assertEquals(find("1", 3, 1), [0, 5]);
});

Deno.test("after random writes the block equals an array, and no memory leaks", () => {
  return property(20, (random) => {
    const arena = new Arena();
    const packed = new Packed(arena);
    const element = () => {
      const kind = random.below(10);
      if (kind < 3) return pick(random, INTEGERS);
      if (kind < 5) return String(random.below(2000) - 1000);
      const length = kind < 8 ? random.below(20) : kind < 9 ? random.below(200) : random.below(5000);
      return String.fromCharCode(97 + random.below(26)).repeat(length);
    };
    const model: string[] = [];
    let block = packed.create(random.below(2) * random.below(200));
    const most = 1 + random.below(100);
    for (let step = 0; step < 300; step++) {
      const i = random.below(model.length + 1);
      const kind = model.length >= most ? 6 + random.below(2) : random.below(9);
      const text = element();
      encode(packed, text);
      if (kind < 2) {
        block = packed.append(block);
        model.push(text);
      } else if (kind < 4) {
        block = packed.prepend(block);
        model.unshift(text);
      } else if (kind === 4) {
        block = packed.insert(block, packed.at(block, i));
        model.splice(i, 0, text);
        assertEquals(textAt(packed, block, packed.position), text);
      } else if (kind === 5 && i < model.length) {
        block = packed.replace(block, packed.at(block, i));
        model[i] = text;
        assertEquals(textAt(packed, block, packed.position), text);
      } else if (kind < 8 && i < model.length) {
        const n = kind === 6 ? 1 : 1 + random.below(model.length - i);
        block = packed.remove(block, packed.at(block, i), n);
        model.splice(i, n);
        assertEquals(packed.position, packed.at(block, i));
      } else if (kind === 8) {
        const from = packed.at(block, i);
        const part = packed.copyRange(block, from, packed.end(block), model.length - i);
        block = packed.appendAll(packed.removeRange(block, from, packed.end(block), model.length - i), part);
        arena.free(part);
      }
      packed.check(block);
      if (step % 20 === 0) assertEquals(toArray(packed, block), model);
    }
    assertEquals(toArray(packed, block), model);
    const copy = packed.copy(block);
    arena.free(block);
    assertEquals(toArray(packed, copy), model);
    packed.check(copy);
    arena.free(copy);
    assertEquals(arena.check().size, 0);
  });
});
