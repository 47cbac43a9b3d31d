/** An invalid seed; `message` is one line for the user. */
export class SeedError extends Error {
  override name = "SeedError";
  /** The line of the error, 0 if it belongs to no line. */
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}
