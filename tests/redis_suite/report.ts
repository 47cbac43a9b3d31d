/**
 * The table of a run, as text for the terminal and as Markdown for docs/compatibility.md.
 */
import { type Comparison, type Expectations, failuresOf, keyOf, reasonsOf } from "./expectations.ts";
import type { UnitResult } from "./run_unit.ts";
import type { Units } from "./units.ts";

const END = "<!-- end of table -->";
const HEADS = ["unit", "passed", "failed", "skipped"];

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function countsOf({ results }: Pick<UnitResult, "results">): Counts {
  const count = (outcome: string) => results.filter((result) => result.outcome === outcome).length;
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
}

/** Rows of the table: one per unit, and the total. */
function rows(units: readonly UnitResult[]): string[][] {
  const row = (unit: string, { passed, failed, skipped }: Counts) => [unit, `${passed}`, `${failed}`, `${skipped}`];
  const all = { results: units.flatMap(({ results }) => results) };
  return [...units.map((unit) => row(unit.unit, countsOf(unit))), row("all", countsOf(all))];
}

/** The table in columns. */
export function textTable(units: readonly UnitResult[]): string {
  const lines = [HEADS, ...rows(units)];
  const widths = HEADS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines.map((line) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join("  ")
  ).join("\n");
}

/** The result of the comparison, in lines; empty if the run is as expected. */
export function textComparison({ unexpected, passing, absent }: Comparison): string {
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`), ""];
  return [
    ...part(
      "Not expected to fail",
      unexpected.map(({ unit, name, message }) => `${keyOf(unit, name)}\n    ${message.split("\n")[0]}`),
    ),
    ...part("Expected to fail, but passing", passing.map(({ unit, name }) => keyOf(unit, name))),
    ...part("Expected to fail, but not run", absent.map(({ unit, name }) => keyOf(unit, name))),
  ].join("\n");
}

/** The generated part of docs/compatibility.md. */
export function markdown(
  units: readonly UnitResult[],
  leftOut: Units["leftOut"],
  table: Expectations,
): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escape).join(" | ")} |`;
  const head = [line(HEADS), "| --- | ---: | ---: | ---: |"];
  const parts = [[...head, ...rows(units).map(line)].join("\n")];
  parts.push("Units that do not run:");
  parts.push(
    ["| unit | reason |", "| --- | --- |", ...leftOut.map(({ unit, reason }) => line([unit, reason]))].join("\n"),
  );
  parts.push("### Tests that do not pass");
  for (const [reason, tests] of byReason(units, table)) {
    const items = [...tests].map(([unit, names]) =>
      `- ${unit}\n${names.map((name) => `  - ${escape(name)}`).join("\n")}`
    );
    parts.push(`#### ${reason[0].toUpperCase()}${reason.slice(1)}`, items.join("\n"));
  }
  return parts.join("\n\n");
}

/** Failing tests by reason and unit. */
function byReason(units: readonly UnitResult[], table: Expectations): Map<string, Map<string, string[]>> {
  const reasons = reasonsOf(table);
  const found = new Map<string, Map<string, string[]>>();
  for (const { unit, name } of units.flatMap((unit) => [...failuresOf(unit).values()])) {
    const reason = reasons.get(keyOf(unit, name)) ?? "not explained";
    const tests = found.get(reason) ?? new Map<string, string[]>();
    found.set(reason, tests.set(unit, [...tests.get(unit) ?? [], name]));
  }
  return new Map([...found].sort(([a], [b]) => a < b ? -1 : 1));
}

/** Characters with a meaning in Markdown. */
function escape(text: string): string {
  return text.replace(/[\\|*_<>`[\]]/g, "\\$&");
}

/** A document with a generated part replaced. Throws an error if the document has no markers of its name. */
export function withGenerated(document: string, name: string, generated: string): string {
  const mark = `<!-- table: ${name} -->`;
  const begin = document.indexOf(mark);
  const end = document.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`the document has no ${mark} with ${END} after it`);
  const fenced = `\n\n<!-- deno-fmt-ignore-start -->\n\n${generated}\n\n<!-- deno-fmt-ignore-end -->\n\n`;
  return document.slice(0, begin + mark.length) + fenced + document.slice(end);
}
