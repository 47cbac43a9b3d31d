/** Numbers as Redis parses and prints them. The expected values come from its server. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../src/core/bytes.ts";
import {
  decimalLength,
  formatDouble,
  isInt64,
  parseDouble,
  parseInt64,
  parseSafeInt,
  shortestText,
  writeDecimal,
} from "../../src/core/numbers.ts";
import { shortestText as modelText } from "../helpers/grisu_model.ts";
import { pick, property } from "../helpers/property.ts";
import { redisTest, withRedis } from "../helpers/redis.ts";

/** Parses `text` in the middle of other bytes. */
function within<T>(parse: (bytes: Uint8Array, start: number, end: number) => T, text: string): T {
  return parse(fromLatin1(`1${text}1`), 1, 1 + text.length);
}

Deno.test("integers are read in their one canonical form", () => {
  for (const [text, value] of [["0", 0], ["7", 7], ["-1", -1], ["999999999999999", 999999999999999]] as const) {
    assertStrictEquals(within(parseSafeInt, text), value);
    assertEquals(within(parseInt64, text), BigInt(value));
    assert(within(isInt64, text));
  }
  for (
    const text of ["", "-", "-0", "+1", "01", "00", " 1", "1 ", "1.0", "1e3", "0x1", "a", "1\n", "--1", "1-", "/", ":"]
  ) {
    assert(Number.isNaN(within(parseSafeInt, text)), text);
    assertEquals(within(parseInt64, text), undefined, text);
    assert(!within(isInt64, text), text);
  }
});

Deno.test("integers end where 64 bits end", () => {
  for (const text of ["9223372036854775807", "-9223372036854775808", "1000000000000000", "-9999999999999999"]) {
    assertEquals(within(parseInt64, text), BigInt(text));
    assert(Number.isNaN(within(parseSafeInt, text)));
    assert(within(isInt64, text));
  }
  for (const text of ["9223372036854775808", "-9223372036854775809", "99999999999999999999", "123456789012345678901"]) {
    assertEquals(within(parseInt64, text), undefined);
    assert(!within(isInt64, text));
  }
});

Deno.test("safe integers are written as String writes them", () =>
  property(20, (random) => {
    const target = new Uint8Array(24);
    for (let i = 0; i < 200; i++) {
      const digits = 1 + random.below(16);
      const value = Math.floor(random.unit() * Math.min(10 ** digits, 2 ** 53)) * (random.below(2) === 0 ? 1 : -1) + 0;
      const end = writeDecimal(target, 2, value);
      assertEquals(latin1(target, 2, end), String(value));
      assertEquals(decimalLength(value), end - 2);
      if (digits <= 15) assertStrictEquals(parseSafeInt(target, 2, end), value);
    }
    for (const value of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 31, 2 ** 31 - 1, 1e15, -(10 ** 15)]) {
      assertEquals(latin1(target, 2, writeDecimal(target, 2, value)), String(value));
    }
  }));

Deno.test("doubles are printed as Redis prints them", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [-0, "-0"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
    [NaN, "nan"],
    [3, "3"],
    [0.5, "0.5"],
    [0.0001, "0.0001"],
    [0.00001, "0.00001"],
    [0.000012345, "1.2345e-5"],
    [1e-7, "1e-7"],
    [1.5e-7, "1.5e-7"],
    [1234567.891, "1234567.891"],
    [0.12345678901234568, "0.12345678901234568"],
    // Whole numbers: up to 2^62 with all digits, above with few digits and at most seven zeros.
    [1e15, "1000000000000000"],
    [1e18, "1000000000000000000"],
    [2 ** 62, "4611686018427387904"],
    [-(2 ** 62), "-4611686018427387904"],
    [2 ** 62 + 1024, "4611686018427389000"],
    [5e18, "5e+18"],
    [-5e18, "-5e+18"],
    [123456789012345680000, "123456789012345680000"],
    [1e21, "1e+21"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    [5e-324, "5e-324"],
    [2.2250738585072014e-308, "2.2250738585072014e-308"],
    // Grisu2 does not always find the shortest or the nearest digits.
    [5e22, "49999999999999996000000"],
    [1e23, "99999999999999990000000"],
    [-8.4e22, "-83999999999999990000000"],
    [7e22, "70000000000000004000000"],
    [-3.2709226541141247e-19, "-3.2709226541141246e-19"],
    [3210995.384540756, "3.2109953845407558e+6"],
    [-8.78503967693324e+249, "-8.785039676933241e+249"],
  ];
  for (const [value, text] of cases) assertEquals(formatDouble(value), text);
});

Deno.test("digits found in words are those found in BigInt", () =>
  property(10, (random) => {
    const words = new Uint32Array(2), double = new Float64Array(words.buffer);
    for (let i = 0; i < 2000; i++) {
      words[0] = pick(random, [0, 1, 2 ** 32 - 1, 2 ** 31, random.below(2 ** 32), random.below(2 ** 32)]);
      words[1] = random.below(2 ** 32);
      // The smallest numbers, and those at a power of two.
      if (random.below(8) === 0) words[1] = random.below(2) * 2 ** 31 + random.below(2 ** 21);
      if (random.below(8) === 0) words[1] = words[1] & 0xfff00000;
      const short = Number((random.unit() * 10 ** random.below(12)).toFixed(random.below(8)));
      const value = pick(random, [double[0], short, random.unit(), random.unit() * 10 ** random.below(25)]);
      if (Number.isFinite(value) && value !== 0) assertEquals(shortestText(value), modelText(value), String(value));
    }
    for (const value of [5e-324, 1e-323, 2 ** -1022, 2 ** -1022 - 5e-324, Number.MAX_VALUE, 2 ** 1023, 1, 2, 0.1]) {
      assertEquals(shortestText(value), modelText(value));
    }
  }));

Deno.test("a printed double reads back as itself", () =>
  property(20, (random) => {
    const words = new Uint32Array(2), double = new Float64Array(words.buffer);
    for (let i = 0; i < 100; i++) {
      words[0] = random.below(2 ** 32);
      words[1] = random.below(2 ** 32);
      const value = pick(random, [double[0], random.unit(), random.unit() * 10 ** random.below(25)]);
      if (Number.isFinite(value)) assertStrictEquals(within(parseDouble, formatDouble(value)), value);
    }
  }));

Deno.test("doubles are read as strtod reads them", () => {
  const cases: [string, number][] = [
    ["1", 1],
    ["+1", 1],
    ["-0", -0],
    ["1.", 1],
    [".5", 0.5],
    ["1e5", 1e5],
    ["1E+5", 1e5],
    ["1e-310", 1e-310],
    ["0e-400", 0],
    ["000.10", 0.1],
    ["9007199254740993", 9007199254740992],
    ["inf", Infinity],
    ["+Inf", Infinity],
    ["-INFINITY", -Infinity],
    ["0x10", 16],
    ["0x1p3", 8],
    ["-0x1p3", -8],
    ["0X1.8P1", 3],
    ["0x.8", 0.5],
    ["0x1p-1074", 5e-324],
    ["0x1.8p-1075", 5e-324],
    ["0x1fffffffffffff8", 144115188075855870],
  ];
  for (const [text, value] of cases) assertStrictEquals(within(parseDouble, text), value, text);
});

Deno.test("plain decimals of any length are read as the nearest double", () =>
  property(20, (random) => {
    const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join("");
    for (let i = 0; i < 500; i++) {
      const sign = pick(random, ["", "-", "+"]), zeros = "0".repeat(pick(random, [0, 0, 3, 20]));
      const whole = digits(random.below(pick(random, [8, 18]))), fraction = digits(random.below(pick(random, [4, 28])));
      const text = sign + zeros + whole + pick(random, ["", `.${fraction}`]);
      if (/[0-9]/.test(text)) assertStrictEquals(within(parseDouble, text), Number(text), text);
    }
  }));

Deno.test("a text that is no number, or beyond doubles, is no float", () => {
  const texts = ["", " 1", "1 ", "1e", "1e+", ".", "-", "nan", "infin", "0x", "0x.p1", "0x1p", "1_0", "1,5", "1\0"];
  texts.push("1e400", "-1e400", "1e-400", "0x1p-1075", "0x1p1024", "0x1p99999999999", "1e99999999999", "--1", "1.2.3");
  for (const text of texts) assertEquals(within(parseDouble, text), undefined, text);
});

redisTest("random doubles are printed with the digits of Redis", () =>
  withRedis(async (redis) => {
    const words = new Uint32Array(2), double = new Float64Array(words.buffer);
    await property(1, async (random) => {
      for (let i = 0; i < 500; i++) {
        words[0] = random.below(2 ** 32);
        words[1] = random.below(2 ** 32);
        const value = pick(random, [double[0], random.unit() * 10 ** random.below(25), random.below(10000) * 1e19]);
        if (!Number.isFinite(value)) continue;
        await redis.command("DEL", "z");
        const text = formatDouble(value);
        assertEquals(await redis.command("ZADD", "z", "INCR", String(value), "m"), `$${text.length}\r\n${text}\r\n`);
      }
    });
  }));
