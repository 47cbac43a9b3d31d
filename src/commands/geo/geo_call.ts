/**
 * Helpers of the geo commands: parsing places and units, and printing distances.
 */
import { fail } from "../../core/errors.ts";
import { LATITUDE_MAX, LONGITUDE_MAX } from "../../core/geohash.ts";
import type { Call } from "../../dispatch/call.ts";

const badUnit = "ERR unsupported unit provided. please use M, KM, FT, MI";
const METRES: readonly (readonly [string, number])[] = [["m", 1], ["km", 1000], ["ft", 0.3048], ["mi", 1609.34]];
/** From this value on JavaScript prints numbers with an exponent. */
const PLAIN_MAX = 1e21;

/** Parses the longitude in argument i and the latitude after it. Throws CommandError if they are not a valid place. */
export function placeIn(call: Call, i: number): [longitude: number, latitude: number] {
  const longitude = call.double(i), latitude = call.double(i + 1);
  if (Math.abs(longitude) > LONGITUDE_MAX || Math.abs(latitude) > LATITUDE_MAX) {
    fail(`ERR invalid longitude,latitude pair ${sixDecimals(longitude)},${sixDecimals(latitude)}`);
  }
  return [longitude, latitude];
}

/** Metres per unit named in argument i. Throws CommandError. */
export function metresIn(call: Call, i: number): number {
  for (const [name, metres] of METRES) {
    if (call.is(i, name)) return metres;
  }
  return fail(badUnit);
}

/** Redis prints the shortest digits that give the coordinate, Valkey 17 decimals. */
export function replyCoordinate({ reply, valkey }: Call, degrees: number): void {
  if (valkey) reply.doubleText(degrees.toFixed(17).replace(/\.?0+$/, ""));
  else reply.double(degrees);
}

/**
 * Replies with a distance of at most half the earth's circumference: four decimals, a bulk string in both protocols.
 */
export function replyDistance(call: Call, distance: number): void {
  call.reply.bulkText(distance.toFixed(4));
}

/** A number in the format of C's %f. */
function sixDecimals(value: number): string {
  if (Math.abs(value) === Infinity) return value < 0 ? "-inf" : "inf";
  if (Math.abs(value) >= PLAIN_MAX) return `${BigInt(value)}.000000`;
  return (Object.is(value, -0) ? "-" : "") + value.toFixed(6);
}
