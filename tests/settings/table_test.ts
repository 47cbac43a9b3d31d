/** The table of settings: every accepted setting has an effect or a notice that it has none. */
import { assertEquals } from "@std/assert";
import { allSettings, camelCase } from "../../src/settings/table.ts";

const SOURCES = new URL("../../src/", import.meta.url);
/** These files hold the table and know every name. */
const TABLE = /\/settings\/(table|compatibility|kinds)\.ts$/;

function* sources(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* sources(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

Deno.test("every setting is read by the source, or the table says why it has no effect", () => {
  const texts = [...sources(SOURCES)].filter(({ pathname }) => !TABLE.test(pathname))
    .map((file) => Deno.readTextFileSync(file).replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, ""));
  const isRead = (name: string) => {
    const pattern = new RegExp(`\\b${camelCase(name)}\\b|"${name}"`);
    return texts.some((text) => pattern.test(text));
  };
  const silent = allSettings.filter(({ idle, fixed, name }) => (idle ?? fixed) === undefined && !isRead(name));
  assertEquals(silent.map(({ name }) => name), []);
});
