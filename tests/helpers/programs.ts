/**
 * The external programs that tests need. A test whose programs are missing is ignored, and its name says which are
 * missing. The full check treats an ignored test as failed.
 */
import { REDIS_VERSION } from "../../src/core/version.ts";

/** Major and minor version: replies change between releases of Redis, not between patches. */
const ORACLE = REDIS_VERSION.slice(0, REDIS_VERSION.lastIndexOf("."));
/** The folder with an older redis-server and its tools, for moving files between releases. */
const STABLE_PEERS = Deno.env.get("MEMDB_STABLE_PEERS");

/** The version that a program prints, undefined if it cannot be run. */
function versionOf(program: string): string | undefined {
  try {
    const args = ["--version"];
    const { stdout } = new Deno.Command(program, { args, stdin: "null", stderr: "null" }).outputSync();
    return new TextDecoder().decode(stdout);
  } catch {
    return undefined;
  }
}

/** Whether a program is on the PATH. */
export function isInstalled(program: string): boolean {
  return versionOf(program) !== undefined;
}

/** The reason why a test cannot use a program; undefined if it can. */
function problemOf(program: string): string | undefined {
  const version = versionOf(program);
  if (version === undefined) return `no ${program} on the PATH`;
  const release = /^Redis server v=(\d+\.\d+)/.exec(version)?.[1];
  if (program === "redis-server" && release !== ORACLE) {
    return `redis-server is of release ${release ?? "unknown"}, not ${ORACLE}`;
  }
}

/** The reason why a test cannot use these programs; undefined if it can. */
export function missing(programs: readonly string[]): string | undefined {
  const problems = programs.map(problemOf).filter((problem) => problem !== undefined);
  return problems.length === 0 ? undefined : problems.join(", ");
}

/** A test that is ignored if a reason is given. */
export function testUnless(reason: string | undefined, name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name: reason === undefined ? name : `${name} (skipped: ${reason})`, ignore: reason !== undefined, fn });
}

/** A test that needs programs on the PATH. */
export function testWith(programs: readonly string[], name: string, fn: () => void | Promise<void>): void {
  testUnless(missing(programs), name, fn);
}

/** The programs of one release of Redis. */
export interface Release {
  readonly title: string;
  /** The path or name of a program: "redis-server". */
  command(program: string): string;
}

/**
 * Defines a test with the newest server, on the PATH, and one with the older server in the folder MEMDB_STABLE_PEERS.
 * Both are Redis, or Valkey, whose programs then stand for those of Redis.
 */
export function testWithReleases(
  name: string,
  fn: (release: Release) => Promise<void>,
  server: "Redis" | "Valkey" = "Redis",
): void {
  const own = (program: string) => program.replace("redis", server.toLowerCase());
  const newest: Release = { title: `the newest ${server}`, command: own };
  const older: Release = { title: `an older ${server}`, command: (program) => `${STABLE_PEERS}/${own(program)}` };
  testWith([newest.command("redis-server")], `${name}: ${newest.title}`, () => fn(newest));
  const reason = STABLE_PEERS === undefined
    ? "MEMDB_STABLE_PEERS is not set"
    : isInstalled(older.command("redis-server"))
    ? undefined
    : `no ${own("redis-server")} in ${STABLE_PEERS}`;
  testUnless(reason, `${name}: ${older.title}`, () => fn(older));
}
