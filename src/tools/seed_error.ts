/** A seed that cannot be used; `message` is one line for the user. */
export class SeedError extends Error {
  override name = "SeedError";
  /** The line where it is wrong, 0 if no line is. */
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}
