/**
 * A graph of numbers in characters, as LATENCY GRAPH draws it: one column for each number, filled from the ground, with
 * its label below, written downwards.
 */
const ROWS = 4;
/** The tops of a column within one row, from low to high. */
const TOPS = "_o#";

/** Draws `values` in blocks of at most `columns` columns. Every line has the width of its block. */
export function sparkline(values: readonly number[], labels: readonly string[], columns: number): string {
  const low = Math.min(...values), range = Math.max(...values) - low || 1;
  const levels = ROWS * TOPS.length;
  const heights = values.map((value) => Math.min(levels - 1, Math.floor(((value - low) * levels) / range)));
  const blocks: string[] = [];
  for (let from = 0; from < values.length; from += columns) {
    blocks.push(block(heights.slice(from, from + columns), labels.slice(from, from + columns)));
  }
  return blocks.join("\n");
}

function block(heights: readonly number[], labels: readonly string[]): string {
  const lines: string[] = [];
  for (let row = ROWS - 1; row >= 0; row--) {
    const ground = row * TOPS.length;
    lines.push(heights.map((height) => height < ground ? " " : TOPS[height - ground] ?? "|").join(""));
  }
  lines.push(" ".repeat(heights.length));
  const labelRows = Math.max(...labels.map(({ length }) => length));
  for (let i = 0; i < labelRows; i++) lines.push(labels.map((label) => label[i] ?? " ").join(""));
  return lines.map((line) => `${line}\n`).join("");
}
