import { assertEquals } from "@std/assert";
import { quote, splitArguments } from "../../src/cli/quoting.ts";
import { latin1Text } from "./helpers.ts";
import { property, randomBytes } from "../helpers/property.ts";

Deno.test("a line splits at white space, quotes hold words together", () => {
  const cases: [string, string[] | undefined][] = [
    ["", []],
    ["  \t ", []],
    ["set a  b\r", ["set", "a", "b"]],
    ['set "a b" \'c "d"\'', ["set", "a b", 'c "d"']],
    ['"\\n\\r\\t\\b\\a\\x00\\xfF\\"\\\\\\q"', ['\n\r\t\b\x07\0\xff"\\q']],
    ['"\\xzz"', ["xzz"]],
    ["'\\n\\''", ["\\n'"]],
    ['a"b"', ["ab"]],
    ["\"\" ''", ["", ""]],
    ['"a"b', undefined],
    ['"a', undefined],
    ["'a\\'", undefined],
    ['"a\\"', undefined],
  ];
  for (const [line, args] of cases) assertEquals(splitArguments(line), args, JSON.stringify(line));
});

Deno.test("a quoted string splits back into itself, whatever its bytes", async () => {
  await property(50, (random) => {
    const text = latin1Text(randomBytes(random, random.below(40)));
    assertEquals(splitArguments(quote(text)), [text]);
  });
});
