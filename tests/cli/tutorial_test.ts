import { assertEquals } from "@std/assert";
import { TestServer } from "../helpers/server.ts";
import { testUnless } from "../helpers/programs.ts";
import { clientCommand, run } from "./helpers.ts";
import { hasTerminal, Terminal } from "./terminal.ts";

const text = await Deno.readTextFile(new URL("../../docs/tutorial.md", import.meta.url));
const [session, conversation] = text.split("\n## Publish and subscribe");
const prompt = /^127\.0\.0\.1:6379(?:\(TX\)|\(subscribed mode\))?> /;

/** The lines of the code blocks that show a terminal session. */
function shownLines(part: string): string[] {
  return [...part.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block]) => block!.split("\n").slice(0, -1));
}

/** The client with the whole table of commands. */
const client = [...clientCommand.slice(0, -1), new URL("../../main.ts", import.meta.url).pathname, "cli"];

Deno.test("the tutorial's session prints what the page shows", async () => {
  await using server = await TestServer.start();
  const lines = shownLines(session!);
  const input = lines.filter((line) => prompt.test(line)).map((line) => line.replace(prompt, "") + "\n").join("");
  const args = [...client, "-p", String(server.port), "--no-raw"];
  const { out } = await run(Deno.execPath(), args, { input });
  assertEquals(out.trimEnd().split("\n"), lines.filter((line) => !prompt.test(line)));
});

const reason = hasTerminal() ? undefined : "no util-linux script on the PATH";

testUnless(
  reason,
  "the tutorial's two terminals show what the page shows",
  async () => {
    await using server = await TestServer.start();
    const start = () =>
      new Terminal(Deno.execPath(), [...client, "-p", String(server.port)], { MEMDB_HISTFILE: "/dev/null" });
    await using first = start();
    await using second = start();
    const own = `127.0.0.1:${server.port}`;
    const rowsOf = { first: [] as string[], second: [] as string[] };
    await Promise.all([first, second].map((terminal) => terminal.untilLast(`${own}>`)));
    for (const [, block] of conversation!.matchAll(/```console\n(.*?)```/gs)) {
      for (const line of block!.split("\n").slice(0, -1)) {
        const [name, terminal] = /PUBLISH/.test(line) || rowsOf.second.at(-1)?.includes("PUBLISH")
          ? ["second", second] as const
          : ["first", first] as const;
        if (prompt.test(line)) await terminal.type(`${line.replace(prompt, "")}\r`);
        if (line.startsWith("Reading messages")) await terminal.untilLast(line);
        else rowsOf[name].push(line.replace("127.0.0.1:6379", own));
        const wanted = rowsOf[name].length;
        await terminal.until(`row ${wanted}: ${line}`, (screen) => screen.rows.length > wanted);
      }
    }
    assertEquals(first.screen.rows.slice(0, -1), rowsOf.first);
    assertEquals(second.screen.rows.slice(0, -1), rowsOf.second);
  },
);
