/**
 * The examples of docs/testing.md run as they stand there.
 */
import { assert, assertEquals } from "@std/assert";

const root = new URL("../../", import.meta.url);
const path = (name: string) => decodeURI(new URL(name, root).pathname);

Deno.test("every example of docs/testing.md passes as a test", async () => {
  const page = await Deno.readTextFile(path("docs/testing.md"));
  const examples = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]);
  assert(examples.length > 5);
  const folder = await Deno.makeTempDir();
  try {
    for (const [i, text] of examples.entries()) {
      // A console.assert that fails only prints, so it becomes an error here.
      const strict = "console.assert = (ok) => { if (!ok) throw new Error('an assertion failed'); };\n";
      const program = text.replaceAll('"@memdb/memdb"', JSON.stringify(new URL("mod.ts", root).href));
      await Deno.writeTextFile(`${folder}/example${i}_test.ts`, strict + program);
    }
    const args = ["test", "--no-check", "-A", "--config", path("tests/clients/deno.json"), folder];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const shown = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 0, shown);
    assertEquals([...shown.matchAll(/\.\.\. .*ok/g)].length, examples.length, shown);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
