/** COMMAND: every command is described as in Redis. */
import { assert, assertEquals } from "@std/assert";
import { PERSONALITIES } from "../../../src/core/personality.ts";
import { commandTable } from "../../../src/commands/table.ts";
import type { TestClient } from "../../helpers/client.ts";
import { decode, type Value } from "../../helpers/decode.ts";
import { differential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

type Fields = { [name: string]: Value };

/** The reply of COMMAND INFO without the text of notes; of subcommands only whether there are any. */
function comparableInfo(info: Value): Value {
  if (!Array.isArray(info)) return info;
  const keys = (info[8] as Fields[]).map(({ notes: _, ...key }) => key);
  return [...info.slice(0, 8), keys];
}

/** The names of the commands and subcommands that only one server has. */
const only = new Map(commandTable.flatMap((spec) => {
  const subs = (spec.subcommands ?? []).map((sub) => [`${spec.name}|${sub.name}`, spec.only ?? sub.only] as const);
  return [[spec.name, spec.only] as const, ...subs];
}));

/** The commands that are newer than Redis and Valkey here. */
const NEWER: ReadonlySet<string> = new Set(commandTable.filter((spec) => spec.byDocumentation).map(({ name }) => name));

/** Newer options: the COUNT of AGGREGATE. */
function isNewer({ token, type }: Fields): boolean {
  return token === "COUNT" && type === "pure-token";
}

/** The argument tree without history, and without names, which our notation does not have. */
function comparableTree(tree: Value | undefined): Value {
  return ((tree ?? []) as Fields[]).filter((argument) => !isNewer(argument)).map((argument) => {
    const { type, token, display_text, key_spec_index, flags, arguments: members } = argument;
    return {
      type,
      ...token === undefined ? {} : { token },
      ...display_text === undefined || type === "pure-token" ? {} : { display_text },
      ...type === "key" ? { key_spec_index } : {},
      flags: [...(flags ?? []) as string[]].sort(),
      ...members === undefined ? {} : { arguments: comparableTree(members) },
    };
  });
}

function comparableDocs(docs: Value): Value {
  const { since, group, doc_flags, deprecated_since, replaced_by, arguments: tree } = Object.values(
    docs as Fields,
  )[0] as Fields;
  return [since, group, doc_flags ?? [], deprecated_since ?? "", replaced_by ?? "", comparableTree(tree)];
}

for (const personality of PERSONALITIES) {
  differential(
    `COMMAND INFO and the facts of COMMAND DOCS are those of ${personality}-server for every command`,
    async ({ memdb, redis }) => {
      const ask = async (client: TestClient, ...args: string[]) => decode(await client.command(...args));
      for (const client of [memdb, redis]) await client.run("HELLO 3");
      const names = await ask(memdb, "COMMAND", "LIST") as string[];
      for (const name of names.filter((name) => !NEWER.has(name) && (only.get(name) ?? personality) === personality)) {
        const [ours, theirs] = [await ask(memdb, "COMMAND", "INFO", name), await ask(redis, "COMMAND", "INFO", name)];
        assertEquals(comparableInfo((ours as Value[])[0]), comparableInfo((theirs as Value[])[0]), name);
        const [our, their] = [await ask(memdb, "COMMAND", "DOCS", name), await ask(redis, "COMMAND", "DOCS", name)];
        assertEquals(comparableDocs(our), comparableDocs(their), name);
      }
    },
    { personality },
  );
}

differential("COMMAND answers as Redis's does, errors included", async (pair) => {
  const lines = `
    COMMAND NOPE
    COMMAND COUNT a
    COMMAND LIST foo
    COMMAND LIST FILTERBY
    COMMAND LIST FILTERBY ACLCAT
    COMMAND LIST FILTERBY NOPE x
    COMMAND LIST FILTERBY ACLCAT nope
    COMMAND LIST FILTERBY MODULE nope
    COMMAND LIST FILTERBY PATTERN PING
    COMMAND LIST FILTERBY pattern p[i]n*
    COMMAND INFO nope
    COMMAND INFO nope get
    COMMAND INFO GET
    COMMAND INFO client|LIST
    COMMAND INFO client|nope
    COMMAND INFO ping|pong
    COMMAND INFO client|list|nope
    COMMAND DOCS nope
    COMMAND GETKEYS
    COMMAND GETKEYS nope
    COMMAND GETKEYS nope a
    COMMAND GETKEYS get
    COMMAND GETKEYS GET a
    COMMAND GETKEYS get a b
    COMMAND GETKEYS ping
    COMMAND GETKEYS mset a b c d
    COMMAND GETKEYS mset a b c
    COMMAND GETKEYS del a b c
    COMMAND GETKEYS client
    COMMAND GETKEYS client list
    COMMAND GETKEYS client nope
    COMMAND GETKEYS memory usage a
    COMMAND GETKEYS memory|usage a
    COMMAND GETKEYS object encoding a
    COMMAND GETKEYS sort a
    COMMAND GETKEYS sort a by store get c store d store e
    COMMAND GETKEYS sort a limit store 1 store
    COMMAND GETKEYS lmpop 2 a b LEFT
    COMMAND GETKEYS lmpop 0 a LEFT
    COMMAND GETKEYS lmpop x a LEFT
    COMMAND GETKEYS lmpop -1 a LEFT
    COMMAND GETKEYS lmpop 7 a LEFT
    COMMAND GETKEYSANDFLAGS get a
    COMMAND GETKEYSANDFLAGS set a b
    COMMAND GETKEYSANDFLAGS set a b EX 1 get
    COMMAND GETKEYSANDFLAGS rename a b
    COMMAND GETKEYSANDFLAGS lmpop 2 a b LEFT
    COMMAND GETKEYSANDFLAGS sort_ro a BY x
    COMMAND GETKEYSANDFLAGS ping
  `;
  await pair.sameLines(lines);
  await pair.memdb.run("HELLO 3");
  await pair.redis.run("HELLO 3");
  await pair.sameLines(lines);
});

Deno.test("COMMAND describes the commands of the table, and COUNT counts them", () =>
  withServer(async (client) => {
    assertEquals(decode(await client.run("COMMAND COUNT")), commandTable.length);
    const all = decode(await client.run("COMMAND")) as Value[][];
    assertEquals(all.map(([name]) => name), commandTable.map(({ name }) => name));
    assertEquals(decode(await client.run("COMMAND INFO")), all);
    await client.run("HELLO 3");
    const docs = decode(await client.run("COMMAND DOCS")) as Fields;
    assertEquals(Object.keys(docs), commandTable.map(({ name }) => name));
    const { summary, subcommands } = docs.client as { summary: string; subcommands: Fields };
    assert(summary.length > 0);
    assert("client|list" in subcommands);
    const names = decode(await client.run("COMMAND LIST")) as string[];
    assertEquals(names.length, commandTable.reduce((sum, { subcommands: all = [] }) => sum + 1 + all.length, 0));
    const scripting = decode(await client.run("COMMAND LIST FILTERBY ACLCAT scripting")) as string[];
    assert(scripting.includes("eval") && scripting.includes("script|load") && !scripting.includes("get"));
  }));

Deno.test("every command is summed up in a sentence", () => {
  for (const { name, summary } of commandTable.flatMap((spec) => [spec, ...spec.subcommands ?? []])) {
    assert(/^[A-Z].*\.$/.test(summary), `${name}: ${summary}`);
  }
});
