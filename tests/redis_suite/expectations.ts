/**
 * The tests that do not pass, and the reasons. The table is in expected.json, by reason and unit; `compare` checks a
 * run against it, and `updated` adapts it to a run.
 */
import type { UnitResult } from "./run_unit.ts";

/** Names of tests by unit. */
type TestsByUnit = Record<string, string[]>;

export interface Expectations {
  /** Tests that fail, by reason. */
  readonly fails: Readonly<Record<string, TestsByUnit>>;
  /** Tests that fail or pass at random, by reason. */
  readonly varies: Readonly<Record<string, TestsByUnit>>;
}

export interface Failure {
  readonly unit: string;
  readonly name: string;
  readonly message: string;
}

export interface Comparison {
  /** Failures that are not in the table. */
  readonly unexpected: readonly Failure[];
  /** Tests in the table that pass. */
  readonly passing: readonly Omit<Failure, "message">[];
  /** Tests in the table that did not run although their unit did. */
  readonly absent: readonly Omit<Failure, "message">[];
}

/** The reason of unexplained failures; such a failure is never expected. */
export const UNEXPLAINED = "not explained";

/** Missing features, by their commands and subcommands. */
const COMMANDS: Readonly<Record<string, RegExp>> = {
  "needs streams": /^x[a-z]+$/,
  "needs scripts": /^(eval|eval_ro|evalsha|evalsha_ro|script)$/,
  "needs functions": /^(function|fcall|fcall_ro)$/,
  "needs publish and subscribe": /^(p|s)?(un)?subscribe$|^s?publish$|^pubsub$/,
  "needs blocking commands": /^(b[lrz][a-z]+|unblock)$/,
  "needs replication": /^(replicaof|slaveof|sync|psync|replconf|failover|role|wait|waitaof)$/,
  "needs cluster mode": /^(cluster|asking|readonly|readwrite)$/,
  "needs MIGRATE": /^migrate$/,
  "needs modules": /^module$/,
  "needs CLIENT PAUSE": /^(pause|unpause)$/,
  "needs the latency monitor": /^(latency|reset|history|latest|doctor|graph)$/,
};

/** Missing features, by other words of a message. */
const MESSAGES: Readonly<Record<string, RegExp>> = {
  "needs blocking commands": /^no blocked clients|waiting for blocked clients/i,
  "needs replication": /MemDB has no replicas|replication_stream error|bad value '[^']*' for replicaof/,
  "needs cluster mode": /unknown setting 'cluster-|cluster_incompatible_ops/,
  "needs the folder of files that Redis appends to; MemDB has one file": /appendonlydir\/\S*": no such file/,
};

/** The missing item named in a message, and its name in the reason. */
const NAMED: readonly (readonly [pattern: RegExp, reason: (name: string) => string])[] = [
  [/arguments for '([\w-]+)'\. Try DEBUG HELP/, (name) => `needs DEBUG ${name.toUpperCase()}`],
  [/arguments for CONFIG SET - '([\w-]+)'/, (name) => `needs the setting ${name}`],
  [/unknown setting '([\w-]+)'/, (name) => `needs the setting ${name}`],
  [/([\w-]+) is not supported: /, (name) => `MemDB does not take ${name}`],
  [/bad value '[^']*' for (?:--)?([\w-]+)/, (name) => `MemDB refuses to set ${name}`],
  [/related to argument '([\w-]+)'\) - (?!argument)/, (name) => `MemDB refuses to set ${name}`],
];

/** The feature that a failing test lacks, derived from its message. */
export function missingFeature(message: string): string | undefined {
  const command = /unknown (?:command|subcommand) '?(\w+)/i.exec(message)?.[1].toLowerCase();
  const find = (features: Readonly<Record<string, RegExp>>, text: string) =>
    Object.entries(features).find(([, pattern]) => pattern.test(text))?.[0];
  const feature = (command === undefined ? undefined : find(COMMANDS, command)) ?? find(MESSAGES, message);
  if (feature !== undefined) return feature;
  for (const [pattern, reason] of NAMED) {
    const name = pattern.exec(message)?.[1];
    if (name !== undefined) return reason(name);
  }
}

export function readExpectations(text: string): Expectations {
  return JSON.parse(text);
}

/** Calls `visit` for each entry of one half of the table. */
function* entries(half: Expectations["fails"]): Generator<{ reason: string; unit: string; name: string }> {
  for (const [reason, units] of Object.entries(half)) {
    for (const [unit, names] of Object.entries(units)) {
      for (const name of names) yield { reason, unit, name };
    }
  }
}

/** One outcome per name: a test that runs several times under one name counts as failed if one run failed. */
export function failuresOf({ unit, results }: UnitResult): Map<string, Failure> {
  const failures = new Map<string, Failure>();
  for (const { name, outcome, message } of results) {
    if (outcome === "failed" && !failures.has(name)) failures.set(name, { unit, name, message });
  }
  return failures;
}

/** The reason why a test is expected to fail, always or at random. */
export function reasonsOf(table: Expectations): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const half of [table.fails, table.varies]) {
    for (const { reason, unit, name } of entries(half)) {
      if (reason !== UNEXPLAINED) reasons.set(keyOf(unit, name), reason);
    }
  }
  return reasons;
}

export function keyOf(unit: string, name: string): string {
  return `${unit}: ${name}`;
}

export function compare(table: Expectations, units: readonly UnitResult[]): Comparison {
  const reasons = reasonsOf(table);
  const unexpected = units.flatMap((unit) => [...failuresOf(unit).values()])
    .filter(({ unit, name }) => !reasons.has(keyOf(unit, name)));
  const passing: Omit<Failure, "message">[] = [];
  const absent: Omit<Failure, "message">[] = [];
  const byUnit = new Map(units.map((unit) => [unit.unit, unit]));
  for (const { unit, name } of entries(table.fails)) {
    const result = byUnit.get(unit);
    if (result === undefined || failuresOf(result).has(name)) continue;
    const passed = result.results.some((test) => test.name === name && test.outcome === "passed");
    (passed ? passing : absent).push({ unit, name });
  }
  return { unexpected, passing, absent };
}

/**
 * The table adapted to a run: without tests that pass or no longer exist, with each new failure under the feature that
 * it lacks, or as not explained.
 */
export function updated(table: Expectations, units: readonly UnitResult[]): Expectations {
  const ran = new Set(units.map(({ unit }) => unit));
  const failures = new Map(units.map((unit) => [unit.unit, failuresOf(unit)]));
  const fails: Record<string, TestsByUnit> = {};
  const add = (reason: string, unit: string, name: string) => ((fails[reason] ??= {})[unit] ??= []).push(name);
  for (const { reason, unit, name } of entries(table.fails)) {
    if (!ran.has(unit) || failures.get(unit)!.has(name)) add(reason, unit, name);
  }
  const known = new Set(
    [table.fails, table.varies].flatMap((half) => [...entries(half)].map(({ unit, name }) => keyOf(unit, name))),
  );
  for (const { unit, name, message } of [...failures.values()].flatMap((byName) => [...byName.values()])) {
    if (!known.has(keyOf(unit, name))) add(missingFeature(message) ?? UNEXPLAINED, unit, name);
  }
  return { fails, varies: table.varies };
}
