/**
 * Switches that DEBUG sets, for tests that control the server from outside. Each switch starts with its normal value
 * and is read by the part of the server that it concerns.
 */
export class DebugKnobs {
  /** RESTORE accepts payloads with a wrong checksum. */
  skipChecksum = false;
  /** Scripts may run every command. */
  scriptsRunAll = false;
  /** Microseconds that the server sleeps before each write to the append-only file. */
  aofFlushSleepUs = 0;
  /** Set while the histograms of sizes are checked after every command; calling it ends the checks. */
  stopSizeChecks: (() => void) | undefined;
  /** Set while expired keys and fields are visible; calling it hides them again. */
  releaseExpired: (() => void) | undefined;
}
