/** The error of a server that cannot start as it was asked to. */

/** The message is a sentence for the user that names the remedy; there is no stack trace to show. */
export class StartError extends Error {
  override name = "StartError";
}
