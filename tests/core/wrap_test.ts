import { assertEquals } from "@std/assert";
import { wrapWords } from "../../src/core/wrap.ts";

Deno.test("text breaks between words, never inside one", () => {
  const cases: [text: string, width: number, indent: number, used: number, wrapped: string][] = [
    ["", 10, 0, 0, ""],
    ["one two three", 80, 4, 4, "one two three"],
    ["one two three", 7, 0, 0, "one two\nthree"],
    ["one two three", 9, 2, 2, "one two\n  three"],
    ["one two three", 9, 2, 6, "one\n  two\n  three"],
    ["a considerable word", 5, 1, 1, "a\n considerable\n word"],
    ["considerable", 5, 0, 0, "considerable"],
  ];
  for (const [text, width, indent, used, wrapped] of cases) {
    assertEquals(wrapWords(text, width, indent, used), wrapped, `${text} in ${width}`);
  }
});
