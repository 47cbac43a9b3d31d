import { assertEquals, assertThrows } from "@std/assert";
import { commandTable } from "../../src/commands/table.ts";
import { commandList, withTables } from "../../scripts/readme_tables.ts";

const readme = new URL("../../README.md", import.meta.url);

function readmeText(): string | undefined {
  try {
    return Deno.readTextFileSync(readme);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const text = readmeText();

Deno.test({
  name: "the tables of README.md are current (deno task docs writes them)",
  ignore: text === undefined,
  fn: () => assertEquals(text, withTables(text!)),
});

Deno.test("the list of commands has every command", () => {
  const list = commandList();
  const names = commandTable.map(({ name }) => name.toUpperCase());
  assertEquals(names.filter((name) => !list.includes(`| \`${name}\``) && !list.includes(`| \`${name} `)), []);
});

Deno.test("tables are written between their marks, and once more without a change", () => {
  const written = withTables("before\n<!-- table: flags -->\nwhat stood here\n<!-- end of table -->\nafter");
  assertEquals(written.startsWith("before\n<!-- table: flags -->\n"), true);
  assertEquals(written.endsWith("<!-- end of table -->\nafter"), true);
  assertEquals(written.includes("what stood here"), false);
  assertEquals(withTables(written), written);
});

Deno.test("a mark of an unknown table is an error", () => {
  assertThrows(() => withTables("<!-- table: none -->\n<!-- end of table -->"), Error, "no table is called none");
});
