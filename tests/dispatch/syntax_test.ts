/** The notation of arguments, parsed into the tree of COMMAND DOCS. */
import { assertEquals, assertThrows } from "@std/assert";
import { type Argument, argumentsOf, SyntaxNotationError } from "../../src/dispatch/syntax.ts";
import { commandTable } from "../../src/commands/table.ts";

/** A tree in one line: type, name, token, flags (? optional, * multiple, + with the token). */
function brief(tree: readonly Argument[]): string {
  return tree.map(({ name, type, token, optional, multiple, multipleToken, arguments: members }) =>
    (type === "pure-token" ? "" : token === undefined ? "" : `${token}=`) +
    (type === "pure-token" ? token : members ? `${type}(${brief(members)})` : `${type}:${name}`) +
    (optional ? "?" : "") + (multiple ? "*" : "") + (multipleToken ? "+" : "")
  ).join(" ");
}

const CASES: Record<string, string> = {
  "": "",
  "key": "key:key",
  "key value": "key:key string:value",
  "key [key ...]": "key:key*",
  "[section [section ...]]": "string:section?*",
  "[section ...]": "string:section?*",
  "key value [key value ...]": "block(key:key string:value)*",
  "[NX | XX] [GET]": "oneof(NX XX)? GET?",
  "[EX seconds | PX milliseconds | KEEPTTL]": "oneof(EX=integer:seconds PX=integer:milliseconds KEEPTTL)?",
  "[LIMIT offset count]": "LIMIT=block(integer:offset integer:count)?",
  "[TYPE <A | B>]": "TYPE=oneof(A B)?",
  "[ID client-id [client-id ...]]": "ID=integer:client-id?*",
  "[GET pattern [GET pattern ...]]": "GET=pattern:pattern?*+",
  "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]":
    "integer:numkeys key:key* oneof(LEFT RIGHT) COUNT=integer:count?",
  "[COUNT count] STREAMS key [key ...] id [id ...]": "COUNT=integer:count? STREAMS=block(key:key* string:id*)",
  "<MEMBER member | AT longitude latitude>": "oneof(MEMBER=string:member AT=block(double:longitude double:latitude))",
  "[protover [AUTH username password] [SETNAME clientname]]":
    "block(integer:protover AUTH=block(string:username string:password)? SETNAME=string:clientname?)?",
  "<ip:port | <[ID client-id] | [SKIPME <YES | NO>]> ...>":
    "oneof(string:ip:port oneof(ID=integer:client-id? SKIPME=oneof(YES NO)?)*)",
  'key ["=" | "~"] threshold': "key:key oneof(= ~)? string:threshold",
};

for (const [syntax, tree] of Object.entries(CASES)) {
  Deno.test(`the syntax ${JSON.stringify(syntax)} is read as ${tree || "nothing"}`, () => {
    assertEquals(brief(argumentsOf(syntax)), tree);
  });
}

Deno.test("a spec's own types take the place of the usual ones", () => {
  assertEquals(brief(argumentsOf("key increment", { increment: "double" })), "key:key double:increment");
});

Deno.test("unbalanced brackets are a mistake of ours", () => {
  for (const syntax of ["[key", "key]", "<a | b", "[a>"]) assertThrows(() => argumentsOf(syntax), SyntaxNotationError);
});

Deno.test("the syntax of every command can be read", () => {
  for (const spec of commandTable) {
    for (const { syntax, types } of [spec, ...spec.subcommands ?? []]) argumentsOf(syntax, types);
  }
});
