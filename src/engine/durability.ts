/**
 * How the end of a turn makes changes durable. The append-only file implements it; tests use a recorder. The turn of
 * the event loop depends on this interface only.
 */
export interface Durability {
  /** Whether changes must be committed before replies may leave. */
  readonly pending: boolean;
  /**
   * Commits the changes of this turn. Returns false if they cannot be kept, with the reason in
   * `engine.persistence.fileFailure`. The replies to the clients of the turn are then replaced by `unsavedReply`.
   */
  commit(): boolean;
  /**
   * The number of changes, as `engine.stats.changes` counts them, that survive a power failure. `listeners.safe` is
   * called when it grows.
   */
  readonly safeChanges: number;
  /** Resolves when the replies of this turn may leave; undefined if they may leave at once. */
  delay(): Promise<void> | undefined;
}

/**
 * The error reply to each request of a client whose changes could not be made durable. The changes are in memory: other
 * clients see them, and the server writes them as soon as it can. The reply has its own error code, because a client
 * that takes the error for a refusal sends its commands again.
 */
export function unsavedReply(reason: string): string {
  return `UNSAVED The commands that arrived together have run, but their changes are only in memory until the AOF ` +
    `file can be written. Do not send them again. ${reason}`;
}
