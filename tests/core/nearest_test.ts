import { assertEquals } from "@std/assert";
import { nearest } from "../../src/core/nearest.ts";

Deno.test("the nearest word has the fewest edits, swaps of neighbours included", () => {
  assertEquals(nearest("prot", ["proto-max-bulk-len", "port", "root"]), "port");
  assertEquals(nearest("maxmemry", ["maxmemory", "maxmemory-policy"]), "maxmemory");
});

Deno.test("a word that is far from all others has no nearest", () => {
  assertEquals(nearest("frobnicate", ["port", "timeout"]), undefined);
  assertEquals(nearest("x", []), undefined);
});
