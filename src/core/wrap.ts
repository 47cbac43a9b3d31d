/** Breaks text into lines between words. It measures in columns; each character counts as one column. */

/** The narrowest lines, and the columns of a line where standard output is not a terminal. */
const COLUMNS_MIN = 40, COLUMNS_USUAL = 80;

/** The columns of a line on standard output. */
export function outputColumns(): number {
  return Deno.stdout.isTerminal() ? Math.max(COLUMNS_MIN, Deno.consoleSize().columns) : COLUMNS_USUAL;
}

/**
 * `text` in lines of at most `width` columns, broken at spaces. Lines after the first begin with `indent` spaces;
 * `used` columns of the first line are occupied already. A word longer than a line stays whole.
 */
export function wrapWords(text: string, width: number, indent: number, used = indent): string {
  const margin = " ".repeat(indent);
  let [wrapped, column, first] = ["", used, true];
  for (const word of text.split(" ")) {
    if (!first && column + 1 + word.length > width) {
      wrapped += `\n${margin}${word}`;
      column = indent + word.length;
    } else {
      wrapped += first ? word : ` ${word}`;
      column += word.length + (first ? 0 : 1);
    }
    first = false;
  }
  return wrapped;
}
