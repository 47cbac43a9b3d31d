import { assertEquals, assertThrows } from "@std/assert";
import { compare, type Expectations, missingFeature, readExpectations, updated } from "./expectations.ts";
import type { Outcome } from "./output.ts";
import { markdown, textComparison, textTable, withGenerated } from "./report.ts";
import type { UnitResult } from "./run_unit.ts";
import { SKIPS } from "./skips.ts";

function unit(name: string, tests: Readonly<Record<string, [Outcome, string?]>>): UnitResult {
  const results = Object.entries(tests).map(([name, [outcome, message]]) => ({
    name,
    outcome,
    message: message ?? "",
  }));
  return { unit: name, results, seconds: 1 };
}

const table: Expectations = {
  fails: {
    "needs ladders": { "unit/fruit": ["apple", "pear"], "unit/trees": ["oak"] },
    "not explained": { "unit/fruit": ["plum"] },
  },
  varies: { "depends on the wind": { "unit/fruit": ["leaf"] } },
};

const fruit = unit("unit/fruit", {
  apple: ["failed", "too high"],
  pear: ["passed"],
  plum: ["failed", "too blue"],
  leaf: ["failed", "gone"],
  quince: ["failed", "ERR unknown command 'XADD', with args"],
  grape: ["passed"],
  fig: ["skipped"],
});

Deno.test("a failure without a reason is unexpected, and an expected one that passes is told", () => {
  const { unexpected, passing, absent } = compare(table, [fruit]);
  assertEquals(unexpected.map(({ name }) => name), ["plum", "quince"]);
  assertEquals(passing, [{ unit: "unit/fruit", name: "pear" }]);
  assertEquals(absent, []);
  assertEquals(compare(table, [unit("unit/trees", {})]).absent, [{ unit: "unit/trees", name: "oak" }]);
});

Deno.test("an update drops passing tests, keeps the reasons, and names the missing feature of new failures", () => {
  assertEquals(updated(table, [fruit]), {
    fails: {
      "needs ladders": { "unit/fruit": ["apple"], "unit/trees": ["oak"] },
      "not explained": { "unit/fruit": ["plum"] },
      "needs streams": { "unit/fruit": ["quince"] },
    },
    varies: table.varies,
  });
});

Deno.test("the missing feature follows from the unknown command", () => {
  assertEquals(
    missingFeature("ERR unknown command 'BLPOP', with args beginning with: 'k' '0'"),
    "needs blocking commands",
  );
  assertEquals(missingFeature("ERR unknown command 'xadd', with args beginning with:"), "needs streams");
  assertEquals(missingFeature("ERR unknown command 'GET'"), undefined);
  assertEquals(missingFeature("Expected '1' to be equal to '2'"), undefined);
  assertEquals(
    missingFeature("ERR unknown subcommand or wrong number of arguments for 'fly'. Try DEBUG HELP."),
    "needs DEBUG FLY",
  );
  assertEquals(
    missingFeature("ERR Unknown option or number of arguments for CONFIG SET - 'wings'"),
    "needs the setting wings",
  );
  assertEquals(
    missingFeature("ERR CONFIG SET failed (possibly related to argument 'port') - no"),
    "MemDB refuses to set port",
  );
});

Deno.test("a run as expected has nothing to tell", () => {
  assertEquals(textComparison({ unexpected: [], passing: [], absent: [] }), "");
});

Deno.test("the table of a run has a row for each unit, and the sum", () => {
  assertEquals(textTable([fruit, unit("unit/trees", { oak: ["failed"] })]).split("\n").map((line) => line.trim()), [
    "unit        passed  failed  skipped",
    "unit/fruit       2       4        1",
    "unit/trees       0       1        0",
    "all              2       5        1",
  ]);
});

Deno.test("the document's generated part is replaced, and nothing else", () => {
  const generated = markdown([fruit], [{ unit: "unit/roots", reason: "too deep" }], table);
  const document = "# Head\n\n<!-- table: redis-suite -->old<!-- end of table -->\n\nFoot\n";
  const written = withGenerated(document, "redis-suite", generated);
  assertEquals(withGenerated(written, "redis-suite", generated), written);
  assertEquals(written.startsWith("# Head\n\n<!-- table: redis-suite -->\n"), true);
  assertEquals(written.endsWith("<!-- end of table -->\n\nFoot\n"), true);
  assertEquals(written.includes("old"), false);
  assertEquals(/#### Needs ladders\n\n- unit\/fruit\n {2}- apple\n/.test(written), true);
  assertEquals(written.includes("| unit/roots | too deep |"), true);
  assertThrows(() => withGenerated("# Head\n", "redis-suite", generated), Error, "the document has no");
});

Deno.test("the repository's table names every test once, and every skipped test has a reason", () => {
  const { fails, varies } = readExpectations(Deno.readTextFileSync(new URL("expected.json", import.meta.url)));
  const names = [fails, varies].flatMap((half) =>
    Object.values(half).flatMap((units) =>
      Object.entries(units).flatMap(([unit, names]) => names.map((name) => `${unit}: ${name}`))
    )
  );
  assertEquals(names.filter((name, i) => names.indexOf(name) !== i), []);
  const reasons = Object.values(SKIPS).flatMap((tests) => Object.values(tests));
  assertEquals(reasons.filter((reason) => reason.trim() === ""), []);
});
