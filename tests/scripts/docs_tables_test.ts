import { assertEquals, assertThrows } from "@std/assert";
import { commandTable } from "../../src/commands/table.ts";
import { allSettings } from "../../src/settings/table.ts";
import { commandList, FILES_WITH_TABLES, withTables } from "../../scripts/docs_tables.ts";

function textOf(file: string): string {
  return Deno.readTextFileSync(new URL(`../../${file}`, import.meta.url));
}

for (const file of FILES_WITH_TABLES) {
  Deno.test(`the tables of ${file} are current (deno task docs writes them)`, () => {
    assertEquals(textOf(file), withTables(textOf(file)));
  });
}

Deno.test("the list of commands has every command", () => {
  const list = commandList();
  const names = commandTable.map(({ name }) => name.toUpperCase());
  assertEquals(names.filter((name) => !list.includes(`| \`${name}\``) && !list.includes(`| \`${name} `)), []);
});

Deno.test("the page of settings has every setting once, with its second name", () => {
  const heads = textOf("docs/settings.md").matchAll(/^\| `([a-z0-9_-]+)`(?:, `([a-z0-9_-]+)`)? \|/gm);
  const listed = [...heads].map(([, name, alias]) => alias === undefined ? name : `${name} ${alias}`);
  const expected = allSettings.map(({ name, alias }) => alias === undefined ? name : `${name} ${alias}`);
  assertEquals(listed.toSorted(), expected.toSorted());
});

Deno.test("tables are written between their marks, and once more without a change", () => {
  const written = withTables("before\n<!-- table: settings -->\nold text\n<!-- end of table -->\nafter");
  assertEquals(written.startsWith("before\n<!-- table: settings -->\n"), true);
  assertEquals(written.endsWith("<!-- end of table -->\nafter"), true);
  assertEquals(written.includes("old text"), false);
  assertEquals(withTables(written), written);
});

Deno.test("a mark of an unknown table is an error", () => {
  assertThrows(() => withTables("<!-- table: none -->\n<!-- end of table -->"), Error, "no table is called none");
});
