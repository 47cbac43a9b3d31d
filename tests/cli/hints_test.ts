import { assert, assertEquals } from "@std/assert";
import { argumentsOf, Catalog } from "../../src/cli/catalog.ts";
import { helpOn } from "../../src/cli/help.ts";
import { completionsFor, hintFor } from "../../src/cli/hints.ts";
import { parseSyntax, renderSyntax } from "../../src/cli/syntax.ts";
import { type Reply, ReplyDecoder } from "../../src/resp/decoder.ts";
import { bytes } from "./helpers.ts";
import { table } from "./table.ts";

const catalog = new Catalog(table);
const plain = { colored: false, width: 80 };

Deno.test("a hint shows the arguments that may still follow", () => {
  const cases: [line: string, hint: string][] = [
    ["", ""],
    ["nosuch ", ""],
    ["ge", ""],
    ["get", " key"],
    ["get ", "key"],
    ["get a", " key"],
    ["get a ", ""],
    ["get a b ", ""],
    ['get "a b" ', ""],
    ['get "a b', " key"],
    ["3 get ", "key"],
    ["SET a ", "value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]"],
    ["set a 1 e", " [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]"],
    ["set a 1 ex ", "seconds [NX|XX] [GET]"],
    ["set a 1 ex 5 ", "[NX|XX] [GET]"],
    ["set a 1 get xx px 5 ", ""],
    ["set a 1 bogus ", ""],
    ["mset a ", "value [key value ...]"],
    ["mset a 1 ", "[key value ...]"],
    ["mset a 1 b ", "value"],
    ["mset a 1 b 2 ", "[key value ...]"],
    ["del a b ", "[key ...]"],
    ["sort l limit 0 ", "count [BY pattern] [GET pattern [GET pattern ...]] [ASC|DESC] [ALPHA]"],
    ["sort l get a get b ", "[GET pattern ...] [BY pattern] [LIMIT offset count] [ASC|DESC] [ALPHA]"],
    ["linsert l ", "<BEFORE|AFTER> pivot element"],
    ["linsert l after ", "pivot element"],
    ["config", " GET|REWRITE|SET"],
    ["config ", "GET|REWRITE|SET"],
    ["config get ", "parameter [parameter ...]"],
    ["config nosuch ", ""],
    ["config rewrite", ""],
  ];
  for (const [line, hint] of cases) assertEquals(hintFor(line, catalog), hint, JSON.stringify(line));
});

Deno.test("Tab completes commands, subcommands, tokens and help's topics, in the case that is being typed", () => {
  const cases: [line: string, hits: string[], word: string][] = [
    ["ge", ["get ", "getset "], "ge"],
    ["GET", ["GET ", "GETSET "], "GET"],
    ["config ", ["get ", "rewrite ", "set "], ""],
    ["CONFIG re", ["rewrite "], "re"],
    ["set a 1 n", ["nx "], "n"],
    ["set a 1 NX ", ["get ", "ex ", "px ", "keepttl "], ""],
    ["linsert l b", ["before "], "b"],
    ["get ", [], ""],
    ["help @s", ["@server ", "@string "], "@s"],
    ["help conf", ["config "], "conf"],
    ["help config s", ["set "], "s"],
    ["cl", ["clear "], "cl"],
    ["nosuch a", [], "a"],
  ];
  for (const [line, hits, word] of cases) {
    assertEquals(completionsFor(line, catalog), [hits, word], JSON.stringify(line));
  }
});

Deno.test("the notation is printed as it was read", () => {
  for (
    const text of [
      "",
      "key [key ...]",
      "numkeys key [key ...] <LEFT|RIGHT> [COUNT count]",
      "key [NX|XX] [CH] [INCR] score member [score member ...]",
      'host port <key|""> destination-db timeout [AUTH password|AUTH2 username password] [KEYS key [key ...]]',
      "key [MAXLEN|MINID [=|~] threshold [LIMIT count]] <*|id> field value [field value ...]",
    ]
  ) assertEquals(renderSyntax(parseSyntax(text)), text);
  assertEquals(
    renderSyntax(parseSyntax("key [EX seconds | PX milliseconds] [key value ...]")),
    "key [EX seconds|PX milliseconds] [key value ...]",
  );
  assertEquals(renderSyntax(parseSyntax("a [b <c")), "a [b c]");
});

Deno.test("help describes a command, its subcommands, or a group", () => {
  const get = helpOn(["get"], catalog, plain);
  for (const part of ["GET key\n", "summary: Does get.", "since: 1.0.0", "group: string", "complexity: O(1)"]) {
    assert(get.includes(part), part);
  }
  const config = helpOn(["config"], catalog, plain);
  assert(config.includes("CONFIG GET|REWRITE|SET\n") && config.includes("CONFIG SET parameter value"));
  assert(helpOn(["getset"], catalog, plain).includes("deprecated, use: `SET` with `GET`"));
  const strings = helpOn(["@string"], catalog, plain);
  assert(strings.includes("MSET key value") && !strings.includes("LINSERT"));
  assert(helpOn(["@nosuch"], catalog, plain).includes("Groups: @generic @list @server @string"));
  assert(helpOn(["ETS"], catalog, plain).includes("Similar: GETSET"));
  assert(helpOn(["get"], catalog, { colored: true, width: 80 }).includes("\x1b[1mGET\x1b[0m \x1b[90mkey\x1b[0m"));
});

Deno.test("help breaks between words at the width of the terminal", () => {
  const whole = helpOn(["sort"], catalog, { colored: false, width: 1000 });
  assertEquals(whole.split("\n").length, 8);
  const narrow = helpOn(["sort"], catalog, { colored: false, width: 40 });
  assertEquals(narrow.split("\n").slice(0, 5), [
    "",
    "  SORT key [BY pattern] [LIMIT offset",
    "    count] [GET pattern [GET pattern",
    "    ...]] [ASC|DESC] [ALPHA]",
    "  summary: Does sort.",
  ]);
  assertEquals(narrow.replaceAll(/\s+/g, " "), whole.replaceAll(/\s+/g, " "));
});

Deno.test("COMMAND DOCS of a server adds what the table lacks, in RESP2 and RESP3", () => {
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
  const pairs = (mark: "%" | "*", fields: Record<string, string>) => {
    const entries = Object.entries(fields);
    const count = mark === "%" ? entries.length : entries.length * 2;
    return `${mark}${count}\r\n${entries.map(([name, value]) => bulk(name) + value).join("")}`;
  };
  for (const mark of ["%", "*"] as const) {
    const argument = (fields: Record<string, string>) =>
      pairs(
        mark,
        Object.fromEntries(
          Object.entries(fields).map(([name, value]) => [name, /^[*~]/.test(value) ? value : bulk(value)]),
        ),
      );
    const args = [
      argument({ name: "key", type: "key", display_text: "key" }),
      argument({ name: "count", type: "integer", display_text: "n", token: "COUNT", flags: "*1\r\n+optional\r\n" }),
      argument({
        name: "how",
        type: "oneof",
        flags: "*1\r\n+optional\r\n",
        arguments: `*2\r\n${argument({ name: "a", type: "pure-token", token: "ASC" })}${
          argument({ name: "d", type: "pure-token", token: "DESC" })
        }`,
      }),
      argument({
        name: "pair",
        type: "block",
        flags: "*1\r\n+multiple\r\n",
        arguments: `*2\r\n${argument({ name: "f", type: "string", display_text: "field" })}${
          argument({ name: "v", type: "string" })
        }`,
      }),
      argument({ name: "p", type: "pattern", token: "GET", flags: "*2\r\n+optional\r\n+multiple_token\r\n" }),
    ];
    const docs = pairs(mark, {
      get: pairs(mark, { summary: bulk("Not ours.") }),
      other: pairs(mark, {
        summary: bulk("Another."),
        group: bulk("module"),
        arguments: `*${args.length}\r\n${args.join("")}`,
      }),
      config: pairs(mark, { subcommands: pairs(mark, { "config|extra": pairs(mark, { summary: bulk("More.") }) }) }),
    });
    const enriched = new Catalog(table);
    enriched.addDocs(decodeOne(docs));
    assertEquals(enriched.get("GET")!.summary, "Does get.");
    assertEquals(
      argumentsOf(enriched.get("other")!),
      "key [COUNT n] [ASC|DESC] field v [field v ...] [GET p [GET p ...]]",
    );
    assertEquals(enriched.get("config extra")!.summary, "More.");
    assertEquals(hintFor("config ", enriched), "EXTRA|GET|REWRITE|SET");
    assert(enriched.groups().includes("module"));
  }
});

function decodeOne(wire: string): Reply {
  const decoder = new ReplyDecoder();
  decoder.push(bytes(wire));
  return decoder.next()!;
}
