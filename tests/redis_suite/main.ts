/**
 * Runs Redis's own tests on MemDB, or Valkey's on its personality: `deno task test:redis-suite [unit ...]`. It prints a
 * table and compares the failures with expected.json or expected_valkey.json. Exit status: 0 as expected, 1 for an unexpected failure, 2 for a wrong command line.
 */
import { parseArgs } from "@std/cli";
import { resolve } from "node:path";
import { PERSONALITIES, type Personality } from "../../src/core/personality.ts";
import { compare, type Expectations, readExpectations, updated } from "./expectations.ts";
import { countsOf, markdown, textComparison, textTable, withGenerated } from "./report.ts";
import { type Mode, PORTS_PER_RUN, runUnit, type UnitResult, warmUp } from "./run_unit.ts";
import { SKIPS } from "./skips.ts";
import { findPrograms, sourceProblem } from "./tree.ts";
import { chooseUnits } from "./units.ts";

const HELP = `Usage: deno task test:redis-suite [flags] [unit ...]

Runs Redis's own tests on MemDB. Needs Redis's source, tclsh (Debian: apt-get install tcl), and redis-cli,
redis-benchmark, redis-check-aof and redis-check-rdb of the same version on the PATH.

  --personality P  redis (default); valkey: Valkey's tests, with its source and programs
  --source DIR     the source; or REDIS_SOURCE or VALKEY_SOURCE in the environment
  --mode MODE      internal (default): the suite starts its servers; external: it talks to a running one
  --jobs N         units at a time (2)
  --silence SEC    seconds without an outcome after which a test counts as hanging (120)
  --limit SEC      seconds for one run of a unit (1800)
  --base-port N    the first port to use (21111)
  --write-docs     write the table of docs/compatibility.md anew; needs a run of all units
  --update         bring expected.json up to this run
  --json FILE      write every result to a file
  --from FILE      take the results from such a file and run nothing
  --verbose        show the suite's output
`;
const SOURCE_HELP =
  `Redis's source is the archive of a release: https://github.com/redis/redis/archive/refs/tags/8.6.3.tar.gz
Unpack it, and name the folder with --source DIR or REDIS_SOURCE.`;

const EXPECTED: Readonly<Record<Personality, URL>> = {
  redis: new URL("expected.json", import.meta.url),
  valkey: new URL("expected_valkey.json", import.meta.url),
};
const DOCUMENT = new URL("../../docs/compatibility.md", import.meta.url);
const INTERRUPTIONS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM"];
/** The exit status that shells use for an interrupted program. */
const EXIT_INTERRUPTED = 130;
const DEFAULTS = {
  personality: "redis",
  mode: "internal",
  jobs: "2",
  silence: "120",
  limit: "1800",
  "base-port": "21111",
};

interface Options {
  readonly personality: Personality;
  readonly source: string;
  readonly mode: Mode;
  readonly jobs: number;
  readonly silence: number;
  readonly limit: number;
  readonly basePort: number;
  readonly named: readonly string[];
  readonly writeDocs: boolean;
  readonly update: boolean;
  readonly json: string | undefined;
  readonly from: string | undefined;
  readonly verbose: boolean;
}

/** Parses the command line. Throws an error whose message is for the user. */
function readOptions(args: readonly string[]): Options {
  const flags = parseArgs([...args], {
    string: ["source", "json", "from", ...Object.keys(DEFAULTS)],
    boolean: ["write-docs", "update", "verbose"],
    default: DEFAULTS,
    unknown: (arg: string) => {
      if (arg.startsWith("-")) throw new Error(`unknown flag ${arg}`);
      return true;
    },
  });
  const personality = PERSONALITIES.find((name) => name === flags.personality);
  if (personality === undefined) throw new Error(`--personality is ${PERSONALITIES.join(" or ")}`);
  const source = flags.source ?? Deno.env.get(`${personality.toUpperCase()}_SOURCE`);
  if (source === undefined) throw new Error(`the source is not named.\n${SOURCE_HELP}`);
  const problem = sourceProblem(resolve(source));
  if (problem !== undefined) throw new Error(`${problem}.\n${SOURCE_HELP}`);
  if (flags.mode !== "internal" && flags.mode !== "external") throw new Error("--mode is internal or external");
  const named = flags._.map(String);
  if (flags["write-docs"] && named.length > 0) throw new Error("--write-docs needs a run of all units");
  // The table describes internal mode, in which every test runs.
  if (flags.mode === "external" && (flags["write-docs"] || flags.update)) {
    throw new Error("--write-docs and --update need internal mode");
  }
  return {
    personality,
    source: resolve(source),
    mode: flags.mode,
    jobs: positive("jobs", flags.jobs),
    silence: positive("silence", flags.silence),
    limit: positive("limit", flags.limit),
    basePort: positive("base-port", flags["base-port"]),
    named,
    writeDocs: flags["write-docs"],
    update: flags.update,
    json: flags.json,
    from: flags.from,
    verbose: flags.verbose,
  };
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} is a whole number above 0`);
  return number;
}

/**
 * Runs units, `jobs` in parallel, until `signal`. Returns the results of the finished units, in the order of `units`.
 */
async function runAll(
  units: readonly string[],
  jobs: number,
  options: Options & { signal: AbortSignal },
): Promise<UnitResult[]> {
  const programs = findPrograms(options.personality);
  await warmUp();
  const results = new Map<string, UnitResult>();
  const waiting = [...units];
  const work = async (job: number) => {
    for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) {
      const result = await runUnit(unit, {
        ...options,
        programs,
        basePort: options.basePort + job * (PORTS_PER_RUN + 100),
        skips: Object.keys(SKIPS[unit] ?? {}),
        echo: options.verbose ? (line) => console.log(line) : undefined,
      });
      if (options.signal.aborted) return;
      results.set(unit, result);
      const { passed, failed, skipped } = countsOf(result);
      console.log(`${unit}: ${passed} passed, ${failed} failed, ${skipped} skipped (${result.seconds} s)`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => work(job)));
  return units.map((unit) => results.get(unit)).filter((result) => result !== undefined);
}

function writeExpectations(file: URL, table: Expectations): void {
  Deno.writeTextFileSync(file, JSON.stringify(table, null, 2) + "\n");
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP.trimEnd());
    return 0;
  }
  let options: Options;
  let units;
  try {
    options = readOptions(args);
    units = chooseUnits(options.source, options.named);
    findPrograms(options.personality);
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  const interrupted = new AbortController();
  for (const name of INTERRUPTIONS) Deno.addSignalListener(name, () => interrupted.abort());
  const { signal } = interrupted;
  const results = options.from === undefined
    ? await runAll(units.run, options.jobs, { ...options, signal })
    : JSON.parse(Deno.readTextFileSync(options.from)) as UnitResult[];
  if (options.json !== undefined) Deno.writeTextFileSync(options.json, JSON.stringify(results, null, 2));
  console.log(`\n${textTable(results)}\n`);
  if (signal.aborted) return EXIT_INTERRUPTED;
  const file = EXPECTED[options.personality];
  let table = readExpectations(Deno.readTextFileSync(file));
  if (options.update) writeExpectations(file, table = updated(table, results));
  const comparison = compare(table, results);
  // In external mode, tests that need a separate server do not run.
  console.log(textComparison(options.mode === "external" ? { ...comparison, absent: [] } : comparison));
  if (options.writeDocs) {
    const generated = markdown(results, units.leftOut, table);
    const document = Deno.readTextFileSync(DOCUMENT);
    Deno.writeTextFileSync(DOCUMENT, withGenerated(document, `${options.personality}-suite`, generated));
  }
  return comparison.unexpected.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
