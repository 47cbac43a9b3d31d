import { assertEquals, assertThrows } from "@std/assert";
import { Folder, unixTest } from "../e2e/process.ts";
import { buildTree, sourceProblem } from "./tree.ts";
import { chooseUnits } from "./units.ts";

/** A source with the files that the runner checks. */
function fakeSource(folder: Folder): string {
  const files = [
    "runtest",
    "src/server.c",
    "tests/test_helper.tcl",
    "tests/support/util.tcl",
    "tests/support/redis.tcl",
  ];
  const units = ["unit/multi", "unit/tls", "unit/type/incr", "unit/type/multi", "integration/rdb"];
  for (const file of [...files, ...units.map((unit) => `tests/${unit}.tcl`)]) {
    const path = folder.file(`source/${file}`);
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(path, file);
  }
  return folder.file("source");
}

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

unixTest("the suite's folder has links to the source, and files of its own where the suite writes", async () => {
  await using folder = new Folder();
  const source = fakeSource(folder);
  const tree = buildTree({ personality: "redis", source, programs: new Map([["redis-cli", "/usr/bin/redis-cli"]]) });
  try {
    assertEquals(Deno.readLinkSync(`${tree}/runtest`), `${source}/runtest`);
    assertEquals(names(`${tree}/src`), ["redis-cli", "redis-server"]);
    assertEquals(Deno.statSync(`${tree}/src/redis-server`).mode! & 0o100, 0o100);
    assertEquals(names(`${tree}/tests`), ["integration", "support", "test_helper.tcl", "tmp", "unit"]);
    assertEquals(names(`${tree}/tests/support`), ["memdb_prelude.tcl", "redis.tcl", "redis_util.tcl", "util.tcl"]);
    Deno.writeTextFileSync(`${tree}/tests/tmp/file`, "");
    assertEquals(Deno.readTextFileSync(`${source}/tests/support/util.tcl`), "tests/support/util.tcl");
    assertEquals(names(`${source}/tests`), ["integration", "support", "test_helper.tcl", "unit"]);
  } finally {
    Deno.removeSync(tree, { recursive: true });
  }
});

unixTest("units go by their whole name or by its end, and some run only by name", async () => {
  await using folder = new Folder();
  const source = fakeSource(folder);
  assertEquals(chooseUnits(source, []).run, ["unit/type/incr", "unit/type/multi", "unit/multi", "integration/rdb"]);
  assertEquals(chooseUnits(source, []).leftOut.some(({ unit }) => unit === "unit/tls"), true);
  assertEquals(chooseUnits(source, ["tls", "type/incr"]).run, ["unit/tls", "unit/type/incr"]);
  assertThrows(() => chooseUnits(source, ["multi"]), Error, "multi can be unit/type/multi or unit/multi");
  assertThrows(() => chooseUnits(source, ["fruit"]), Error, "no unit is called fruit");
  assertEquals(sourceProblem(source), undefined);
  assertEquals(sourceProblem(folder.path), `there is no tests/test_helper.tcl in ${folder.path}`);
});
