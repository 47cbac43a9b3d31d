/**
 * Assertions stay on in production. A failed one is our own fault, never the client's: it throws InvariantError, which
 * the process does not survive. Messages are static, because a template would allocate even when all is well.
 */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Throws InvariantError with `message` unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
