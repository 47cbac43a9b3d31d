/** A small command table for tests of the client, and the program that runs the client with it. */
import { runCli } from "../../src/cli/main.ts";
import type { CommandSpec } from "../../src/dispatch/spec.ts";

const spec = (
  name: string,
  group: CommandSpec["group"],
  syntax: string,
  more: Partial<CommandSpec> = {},
): CommandSpec => ({
  name,
  summary: `Does ${name}.`,
  since: "1.0.0",
  group,
  complexity: "O(1)",
  arity: -1,
  flags: [],
  syntax,
  ...more,
});

export const table: readonly CommandSpec[] = [
  spec("get", "string", "key"),
  spec("set", "string", "key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]"),
  spec("mset", "string", "key value [key value ...]"),
  spec("getset", "string", "key value", { deprecated: { since: "6.2.0", replacedBy: "`SET` with `GET`" } }),
  spec("del", "generic", "key [key ...]"),
  spec("sort", "generic", "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]"),
  spec("linsert", "list", "key <BEFORE | AFTER> pivot element"),
  spec("config", "server", "", {
    subcommands: [
      spec("get", "server", "parameter [parameter ...]"),
      spec("set", "server", "parameter value [parameter value ...]"),
      spec("rewrite", "server", ""),
    ],
  }),
];

if (import.meta.main) Deno.exit(await runCli(Deno.args, table));
