/**
 * Helpers of the bit commands: reading an offset, and growing a string until it holds a bit.
 */
import { NO_BYTES } from "../../core/bytes.ts";
import { fail } from "../../core/errors.ts";
import { parseInt64 } from "../../core/numbers.ts";
import { Encoding, NEVER, Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";

const badOffset = "ERR bit offset is not an integer or out of range";
const HASH = 0x23;

/** The bit offset in argument i; with `width`, "#N" means N times that many bits. Throws CommandError. */
export function bitOffset(call: Call, i: number, width: number): number {
  const { bytes, start, end } = call.request;
  const counted = width > 0 && bytes[start[i]] === HASH && end[i] > start[i];
  const number = parseInt64(bytes, counted ? start[i] + 1 : start[i], end[i]) ?? fail(badOffset);
  const offset = Number(counted ? BigInt.asIntN(64, number * BigInt(width)) : number);
  const { settings, persistence } = call.engine;
  if (offset < 0) fail(badOffset);
  // Commands from a file were checked when they were written.
  if (Math.floor(offset / 8) >= settings.values.protoMaxBulkLen && !persistence.loading) fail(badOffset);
  return offset;
}

/**
 * Makes sure that the string of key argument 1 contains the bit `offset`, and leaves its address and length in the
 * registers of the database. Returns whether the string grew.
 */
export function growString(call: Call, offset: number): boolean {
  const { db } = call;
  const { bytes, start, end } = call.request;
  let ref = call.lookupTypeWrite(1, Type.STRING);
  if (ref === 0) ref = db.setString(bytes, start[1], end[1], NO_BYTES, 0, 0, NEVER);
  db.readString(ref);
  const old = db.length, length = Math.max(old, Math.floor(offset / 8) + 1);
  db.setEncoding(db.resizeString(ref, length), Encoding.RAW);
  return length > old;
}
