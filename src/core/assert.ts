/**
 * Assertions that stay enabled in production. A failed assertion is a fault of the program, never of the client: it
 * throws InvariantError, which ends the process. Messages are static, because a template would allocate even if the
 * condition holds.
 */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Throws InvariantError with `message` unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
