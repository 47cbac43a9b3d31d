/** Sums of long doubles. The expected values were computed with C's long double on x86-64. */
import { assertEquals } from "@std/assert";
import { fromLatin1 } from "../../src/core/bytes.ts";
import {
  addLongDoubles,
  formatLongDouble,
  isFiniteLongDouble,
  LONG_ZERO,
  type LongDouble,
  parseLongDouble,
} from "../../src/core/long_double.ts";
import { property } from "../helpers/property.ts";

function parse(text: string): LongDouble | undefined {
  return parseLongDouble(fromLatin1(`1${text}1`), 1, 1 + text.length);
}

/** The sum as INCRBYFLOAT prints it. */
function sum(a: string, b: string): string {
  const x = parse(a), y = parse(b);
  if (x === undefined || y === undefined) return "invalid";
  const value = addLongDoubles(x, y);
  return isFiniteLongDouble(value) ? formatLongDouble(value) : "not finite";
}

Deno.test("sums have the digits of a long double", () => {
  const cases: [string, string, string][] = [
    ["0", "1.5", "1.5"],
    ["0.1", "0.2", "0.3"],
    ["1.5", "1.5", "3"],
    ["5.0e3", "200", "5200"],
    ["3", "-3", "0"],
    ["1", "-1.0000", "0"],
    ["0", "-1e-20", "0"],
    ["0", "-1e-17", "-0.00000000000000001"],
    ["0", "1.000000000000000005", "1"],
    ["100000000000000000000", "-1e-18", "100000000000000000000"],
    ["0", "12345678901234567890123", "12345678901234567889920"],
    // 2^64 + 1 is a tie, which rounds to the even neighbour; 2^64 + 3 rounds up.
    ["18446744073709551616", "1", "18446744073709551616"],
    ["18446744073709551616", "3", "18446744073709551620"],
    ["18446744073709551615", "0.5", "18446744073709551616"],
    ["9223372036854775807", "0.5", "9223372036854775807.5"],
    ["0x1p3", "0", "8"],
    ["-0X.8p1", "+.5", "-0.5"],
    ["0e99999999999999999999", "1", "1"],
    ["0x1p-16445", "0", "0"],
  ];
  for (const [a, b, expected] of cases) assertEquals(sum(a, b), expected, `${a} + ${b}`);
});

Deno.test("the largest numbers keep their 4933 digits, and overflow is not finite", () => {
  const text = sum("1e4932", "1e4931");
  assertEquals(text.length, 4933);
  assertEquals(text.slice(0, 40), "1100000000000000000038868581125278743253");
  assertEquals(sum("1e4932", "1e4932"), "not finite");
  assertEquals(sum("1.18e4932", "0").length, 4933);
  assertEquals(sum("inf", "1"), "not finite");
  assertEquals(sum("1", "-Infinity"), "not finite");
  assertEquals(sum("inf", "-inf"), "not finite");
});

Deno.test("a text that Redis refuses as a float is refused", () => {
  const texts = ["", " 1", "1 ", "1e", "1e+", ".", "+", "nan", "nan(1)", "infin", "0x", "0x.p1", "0x1p", "1_0", "1,5"];
  texts.push(
    "5\0",
    "1e5000",
    "-1e5000",
    "1e-5000",
    "1.19e4932",
    "1e-4951",
    "0x1p-16446",
    "0x1p16384",
    "1e9999999999999999",
  );
  texts.push("1".repeat(5120), "0".repeat(5119) + "1");
  for (const text of texts) assertEquals(parse(text), undefined, text);
  assertEquals(parse("0".repeat(5118) + "1")!.exponent, -63);
});

Deno.test("sums of fractions of 1024 are exact", () =>
  property(20, (random) => {
    let total = LONG_ZERO, exact = 0;
    for (let i = 0; i < 50; i++) {
      const units = random.below(2_000_001) - 1_000_000;
      total = parse(formatLongDouble(addLongDoubles(total, parse(String(units / 1024))!)))!;
      exact += units;
      assertEquals(formatLongDouble(total), String(exact / 1024));
    }
  }));

Deno.test("sums of integers below 2^63 are exact, in any order", () =>
  property(20, (random) => {
    for (let i = 0; i < 50; i++) {
      const integer = () =>
        BigInt(random.below(2 ** 31)) * BigInt(random.below(2 ** 31)) * (random.below(2) ? 1n : -1n);
      const a = integer(), b = integer();
      assertEquals(sum(String(a), String(b)), String(a + b));
      assertEquals(sum(String(b), String(a)), String(a + b));
    }
  }));
