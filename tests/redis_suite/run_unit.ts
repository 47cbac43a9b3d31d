/**
 * Runs one unit of the suite to its end. If a test hangs or ends the run, only that test is lost: the unit runs again
 * without it. Every process that the suite leaves behind is killed.
 */
import { join } from "node:path";
import { TextLineStream } from "@std/streams";
import { ServerProcess } from "../e2e/process.ts";
import { OutputParser, type TestResult } from "./output.ts";
import { buildTree, type TreeOptions } from "./tree.ts";

/** Internal: the suite starts its servers. External: the unmodified suite connects to a running server. */
export type Mode = "internal" | "external";

export interface RunOptions extends TreeOptions {
  readonly mode: Mode;
  /** Seconds without an outcome after which a test counts as hanging. */
  readonly silence: number;
  /** Maximum seconds for one run of a unit. */
  readonly limit: number;
  /** The first port of this run's range. */
  readonly basePort: number;
  /** Names of tests to leave out. */
  readonly skips: readonly string[];
  /** Aborts the run; its result is then invalid. */
  readonly signal: AbortSignal;
  /** Receives every line of the suite. */
  readonly echo?: (line: string) => void;
}

export interface UnitResult {
  readonly unit: string;
  readonly results: readonly TestResult[];
  readonly seconds: number;
}

/** Number of ports per run. */
export const PORTS_PER_RUN = 900;
/** Maximum number of tests that may end the run of a unit before the unit is given up. */
const RESTARTS_MAX = 12;
const SERVER_SETTINGS = ["--enable-debug-command", "yes", "--enable-protected-configs", "yes", "--save", ""];

/** Starts MemDB once, to check that it starts, and to compile it, because the suite would not wait for that. */
export async function warmUp(): Promise<void> {
  await using _server = await ServerProcess.start([]);
}

export async function runUnit(unit: string, options: RunOptions): Promise<UnitResult> {
  const began = performance.now();
  const fatal: TestResult[] = [];
  for (;;) {
    const skips = [...options.skips, ...fatal.map(({ name }) => name)];
    const { parser, late } = await runOnce(unit, { ...options, skips });
    const seconds = Math.round((performance.now() - began) / 1000);
    const ended = parser.ending === "done";
    const culprit = ended ? undefined : parser.running;
    const message = late
      ? `the unit takes longer than ${options.limit} seconds`
      : parser.ending === "silent"
      ? `no outcome in ${options.silence} seconds`
      : parser.abortMessage || "the suite ended early";
    if (ended || culprit === undefined || fatal.length === RESTARTS_MAX || options.signal.aborted) {
      const own = parser.results.filter(({ name, outcome }) =>
        outcome !== "skipped" || !fatal.some((result) => result.name === name)
      );
      const end: TestResult[] = ended ? [] : [{ name: "(the end of the unit)", outcome: "failed", message }];
      return { unit, results: [...own, ...fatal, ...end], seconds };
    }
    fatal.push({ name: culprit, outcome: "failed", message });
  }
}

async function runOnce(unit: string, options: RunOptions): Promise<{ parser: OutputParser; late: boolean }> {
  const tree = buildTree(options);
  try {
    if (options.mode === "internal") return await runSuite(unit, tree, [], options);
    const dir = join(tree, "data");
    Deno.mkdirSync(dir);
    await using server = await ServerProcess.start([...SERVER_SETTINGS, "--dir", dir]);
    return await runSuite(unit, tree, ["--host", "127.0.0.1", "--port", String(server.port)], options);
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

async function runSuite(
  unit: string,
  tree: string,
  target: readonly string[],
  { silence, limit, basePort, skips, signal, echo }: RunOptions,
): Promise<{ parser: OutputParser; late: boolean }> {
  const ports = ["--baseport", String(basePort), "--portcount", String(PORTS_PER_RUN)];
  const skipping = skips.flatMap((name) => ["--skiptest", name]);
  const child = new Deno.Command("tclsh", {
    args: [
      "tests/test_helper.tcl",
      ...["--single", unit, "--durable", "--clients", "1", "--timeout", String(silence)],
      ...ports,
      ...target,
      ...skipping,
    ],
    cwd: tree,
    // Colors would appear between a line's bracket and its status.
    env: { TERM: "dumb" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    // A separate process group, so that one signal reaches all of its processes.
    detached: true,
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child.pid);
  }, limit * 1000);
  const stop = () => killGroup(child.pid);
  signal.addEventListener("abort", stop);
  const parser = new OutputParser();
  const lines: ReadableStream<string> = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TextLineStream(),
  );
  // Servers that outlive the suite keep its output open.
  const ended = child.status.then(() => killGroup(child.pid));
  for await (const line of lines) {
    echo?.(line);
    parser.line(line);
  }
  await ended;
  clearTimeout(timer);
  signal.removeEventListener("abort", stop);
  parser.end();
  return { parser, late };
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // All processes have ended.
  }
}
