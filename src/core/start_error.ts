/** The server cannot start as requested. */

/** The message is a sentence for the user that names the remedy. The error has no stack trace to show. */
export class StartError extends Error {
  override name = "StartError";
}
