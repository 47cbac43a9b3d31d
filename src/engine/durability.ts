/**
 * How the end of a turn makes changes durable. The append-only file is one implementation; a recorder in tests is another.
 * The turn of the event loop knows this interface only.
 */
export interface Durability {
  /** Whether something must be committed before replies may leave. */
  readonly pending: boolean;
  /**
   * Commits the changes of this turn. False, with the reason in `engine.persistence.failure`, if they cannot be kept: the
   * replies to their clients then become errors.
   */
  commit(): boolean;
  /** Resolves when the replies of this turn may leave; undefined if they may leave at once. */
  delay(): Promise<void> | undefined;
}
