import { assertEquals } from "@std/assert";
import { OutputParser } from "./output.ts";

const begin = (name: string) => `\x01begin ${name}`;

function parse(lines: readonly string[]): OutputParser {
  const parser = new OutputParser();
  for (const line of lines) parser.line(line);
  parser.end();
  return parser;
}

/** Name and outcome of each result, in one line. */
function outcomes({ results }: OutputParser): string[] {
  return results.map(({ name, outcome }) => `${outcome}: ${name}`);
}

Deno.test("a run to its end has an outcome for each test", () => {
  const parser = parse([
    "Starting test server at port 21079",
    "[ready]: 4711",
    "Testing unit/fruit",
    begin("An apple (red) is sweet"),
    "[ok]: An apple (red) is sweet (12 ms)",
    begin("A pear in tests is green"),
    "[err]: A pear in tests is green in tests/unit/fruit.tcl",
    "Expected 'green' to be equal to 'yellow' (context: type eval line 2)",
    "Waiting for process 4712 to exit...",
    "[skip]: A quince is hard",
    "[ignore]: A plum: blue: Tag: needs:debug denied",
    "[ignore]: Not supported on external server",
    "[1/1 done]: unit/fruit (3 seconds)",
    "",
    "                   The End",
    "!!! WARNING The following tests failed:",
    "*** [err]: A pear in tests is green in tests/unit/fruit.tcl",
  ]);
  assertEquals(parser.ending, "done");
  assertEquals(parser.running, undefined);
  assertEquals(outcomes(parser), [
    "passed: An apple (red) is sweet",
    "failed: A pear in tests is green",
    "skipped: A quince is hard",
    "skipped: A plum: blue",
    "skipped: (block)",
  ]);
  assertEquals(parser.results[1].message, "Expected 'green' to be equal to 'yellow' (context: type eval line 2)");
  assertEquals(parser.results[3].message, "Tag: needs:debug denied");
});

Deno.test("an error that is no assertion comes whole, from the stack below its cut first line", () => {
  const stack = ["ERR unknown command 'PEEL'", "    while executing", '"r peel apple"'];
  const [result] =
    parse(["[err]: Peeling in tests/unit/fruit.tcl", "n command 'PEEL'", ...stack, "[ok]: x (1 ms)"]).results;
  assertEquals(result, { name: "Peeling", outcome: "failed", message: stack.join("\n") });
});

Deno.test("a failure outside of tests has a name that numbers do not change", () => {
  const name = (lines: readonly string[]) => parse(lines).results.map((result) => result.name);
  assertEquals(name(["[err]: ERR no tree 17", "ERR no tree 17", "    while executing"]), [
    "(outside of tests) ERR no tree N",
  ]);
  const start = ["[err]: Can't start the Redis server", "CONFIGURATION:", "port 21111", "", "ERROR:"];
  assertEquals(name([...start, "12:M port 21111 is taken", " PID: 12 Server initialized", "[ok]: x (1 ms)"]), [
    "(outside of tests) Can't start the Redis server: N:M port N is taken",
    "x",
  ]);
});

Deno.test("the test that hangs is the last that began and has no outcome", () => {
  const parser = parse([
    begin("first"),
    begin("second"),
    "[ok]: first (1 ms)",
    "[TIMEOUT]: clients state report follows.",
    "sock5 => (IN PROGRESS) second",
    "Killing still running Redis server 99",
  ]);
  assertEquals(parser.ending, "silent");
  assertEquals(parser.running, "second");
});

Deno.test("a run that breaks off says why", () => {
  const parser = parse([
    begin("first"),
    "[exception]: Executing test client: no such file.",
    "no such file",
    "    while x",
  ]);
  assertEquals(parser.ending, "aborted");
  assertEquals(parser.running, "first");
  assertEquals(parser.abortMessage, "Executing test client: no such file.\nno such file\n    while x");
});

Deno.test("the beginning of a test can stand in another line", () => {
  const parser = parse([
    `[ok]: first (1 ms)${begin("second")}`,
    "",
    "[err]: second in tests/unit/fruit.tcl",
    `Expected 1${begin("third")}`,
    "[1/1 done]: unit/fruit (3 seconds)",
  ]);
  assertEquals(outcomes(parser), ["passed: first", "failed: second"]);
  assertEquals(parser.results[1].message, "Expected 1");
  assertEquals(parser.running, "third");
});
