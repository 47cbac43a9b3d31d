/**
 * How the end of a turn makes changes durable. The append-only file is one implementation; a recorder in tests is another.
 * The turn of the event loop knows this interface only.
 */
export interface Durability {
  /** Whether something must be committed before replies may leave. */
  readonly pending: boolean;
  /**
   * Commits the changes of this turn. False, with the reason in `engine.persistence.fileFailure`, if they cannot be kept:
   * the replies to their clients then become `unsavedReply`.
   */
  commit(): boolean;
  /** Resolves when the replies of this turn may leave; undefined if they may leave at once. */
  delay(): Promise<void> | undefined;
}

/**
 * The error reply to each request of a client whose changes could not be made durable. They have been made: other clients
 * see them, and they are written when that is possible. The reply says so, under a code of its own, because a client that
 * took it for a refusal would send its commands again.
 */
export function unsavedReply(reason: string): string {
  return `UNSAVED The commands that arrived together have run, but their changes are only in memory until the AOF file can ` +
    `be written. Do not send them again. ${reason}`;
}
