/**
 * Switches that DEBUG sets, for tests of the server from outside. Each is read by the part that it concerns, and begins
 * with the value that a server without DEBUG has.
 */
export class DebugKnobs {
  /** RESTORE takes payloads whose checksum is wrong. */
  skipChecksum = false;
  /** Microseconds that the server sleeps before it writes to the append-only file. */
  aofFlushSleepUs = 0;
  /** Set while expired keys and fields are shown: hides them again. */
  releaseExpired: (() => void) | undefined;
}
