/**
 * Timeouts of blocking commands.
 */
import { fail } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";

const NO_FLOAT = "ERR timeout is not a float or out of range";
const NO_INTEGER = "ERR timeout is not an integer or out of range";
const NEGATIVE = "ERR timeout is negative";
const OUT_OF_RANGE = "ERR timeout is out of range";
const INT64_MAX = 2 ** 63;

/** The deadline of a timeout in seconds in argument i, in milliseconds since the epoch; 0 means no timeout. */
export function deadlineInSeconds(call: Call, i: number): number {
  return deadlineAfter(call, Math.ceil(call.double(i, NO_FLOAT) * 1000));
}

/** The same for a timeout in milliseconds. */
export function deadlineInMs(call: Call, i: number): number {
  return deadlineAfter(call, call.integer(i, NO_INTEGER));
}

function deadlineAfter(call: Call, ms: number): number {
  if (ms >= INT64_MAX) fail(OUT_OF_RANGE);
  if (ms < 0) fail(NEGATIVE);
  if (ms === 0) return 0;
  const deadlineMs = ms + call.store.nowMs;
  return deadlineMs >= INT64_MAX ? fail(OUT_OF_RANGE) : deadlineMs;
}
