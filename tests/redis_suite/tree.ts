/**
 * The folder in which Redis's suite runs, or Valkey's, which has the same form: a tree of symbolic links to the source. Its src/ holds the programs that the
 * suite starts, and its tests/support/util.tcl loads the prelude. The source itself is not changed.
 */
import { join } from "node:path";
import type { Personality } from "../../src/core/personality.ts";
import { commandLine } from "../e2e/process.ts";

/** Programs that the suite starts besides the server, without the name of theirs in front. */
const CLIENTS = ["cli", "benchmark", "check-aof", "check-rdb"];

/**
 * Folders of the source in which the suite writes, in which the tree differs, or through which Valkey's suite looks for
 * its units. Other folders are single links.
 */
const OWN_FOLDERS = [
  "",
  "src",
  "tests",
  "tests/support",
  "tests/tmp",
  "tests/unit",
  "tests/unit/type",
  "tests/integration",
];
const REAL_UTIL = "tests/support/redis_util.tcl", PRELUDE = "tests/support/memdb_prelude.tcl";
const EXECUTABLE = 0o755;

export interface TreeOptions {
  readonly personality: Personality;
  /** The root of the source. */
  readonly source: string;
  /** The path of each program of the released server. */
  readonly programs: ReadonlyMap<string, string>;
}

/** The reason why a folder is not the source of Redis with its suite; undefined if it is. */
export function sourceProblem(source: string): string | undefined {
  for (const file of ["tests/test_helper.tcl", "tests/support/util.tcl", "tests/unit"]) {
    try {
      Deno.statSync(join(source, file));
    } catch {
      return `there is no ${file} in ${source}`;
    }
  }
}

/** Finds the client programs on the PATH. Throws an error that names the missing ones. */
export function findPrograms(personality: Personality): Map<string, string> {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  const found = new Map<string, string>();
  const names = CLIENTS.map((name) => `${personality}-${name}`);
  for (const name of names) {
    const path = folders.map((folder) => join(folder, name)).find(isFile);
    if (path !== undefined) found.set(name, path);
  }
  const missing = names.filter((name) => !found.has(name));
  if (missing.length > 0) throw new Error(`not on the PATH: ${missing.join(", ")}`);
  return found;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Creates the tree in a new temporary folder. Returns its path. */
export function buildTree({ personality, source, programs }: TreeOptions): string {
  const tree = Deno.makeTempDirSync({ prefix: "memdb-suite-" });
  for (const folder of OWN_FOLDERS) {
    Deno.mkdirSync(join(tree, folder), { recursive: true });
    // The suite finds the programs of src/ by their names, and needs no source files there.
    if (folder === "src" || folder === "tests/tmp") continue;
    for (const { name } of Deno.readDirSync(join(source, folder))) {
      const path = join(folder, name);
      if (OWN_FOLDERS.includes(path)) continue;
      const link = path === "tests/support/util.tcl" ? REAL_UTIL : path;
      Deno.symlinkSync(join(source, path), join(tree, link));
    }
  }
  for (const [name, path] of programs) Deno.symlinkSync(path, join(tree, "src", name));
  Deno.writeTextFileSync(join(tree, PRELUDE), preludeFor(personality));
  Deno.writeTextFileSync(join(tree, "tests/support/util.tcl"), `source ${REAL_UTIL}\nsource ${PRELUDE}\n`);
  Deno.writeTextFileSync(join(tree, `src/${personality}-server`), serverWrapper(personality), { mode: EXECUTABLE });
  return tree;
}

/** The prelude with the names of a suite: what is redis:: there is valkey:: in that of Valkey. */
function preludeFor(personality: Personality): string {
  const text = Deno.readTextFileSync(new URL("prelude.tcl", import.meta.url));
  return text.replaceAll(/redis(?=::|Handle|_reset_state)/g, personality);
}

/**
 * The program that the suite starts as the server: it replaces itself by MemDB, so that the process keeps its id. The
 * suite reads the log from standard output. It waits two minutes for a line with the process id, also if the start
 * fails, so the wrapper adds this line to the log of a process that has ended without it.
 */
function serverWrapper(personality: Personality): string {
  const command = commandLine().map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  return `#!/bin/sh
log=$(readlink "/proc/$$/fd/1")
if [ -f "$log" ]; then
  (
    until grep -q "Server initialized" "$log" || [ ! -d "/proc/$$" ]; do sleep 0.05; done
    if [ ! -d "/proc/$$" ]; then echo " PID: $$ Server initialized"; fi
  ) &
fi
exec ${command} "$@" --personality ${personality} 2>&1
`;
}
