/**
 * Positions on earth as numbers of 52 bits: 26 bits of latitude and 26 bits of longitude, interleaved. This number is
 * the score of a member of a geo set. This file contains the number, its text of 11 characters, and distances on a
 * sphere; geo_area.ts contains areas and their covering ranges. Angles are in degrees, distances in metres.
 */

export const LONGITUDE_MAX = 180;
/** The latitude at which the square map of the Mercator projection ends. */
export const LATITUDE_MAX = 85.05112878;
/** Bits of each coordinate. */
export const BITS = 26;
export const EARTH_RADIUS_M = 6372797.560856;

const SIDE = 2 ** BITS;
const WORD = 2 ** 32;
const RADIANS = Math.PI / 180;

/** The limit of latitudes in the text form, which uses the full range like other systems. */
const TEXT_LATITUDE_MAX = 90;
const ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";
const CHARACTER_BITS = 5;

export function radians(degrees: number): number {
  return degrees * RADIANS;
}

export function degrees(radians: number): number {
  return radians / RADIANS;
}

/**
 * The number of a position. A position exactly on the upper edge of a coordinate's range has the bit above the 26 set,
 * as in Redis. Such numbers have up to 54 bits, rounded to a double.
 */
export function geohashOf(longitude: number, latitude: number): number {
  return interleave(offsetOf(latitude, LATITUDE_MAX, SIDE), offsetOf(longitude, LONGITUDE_MAX, SIDE));
}

/**
 * The index of the part that contains a coordinate when [-max, max] is divided into `cells` equal parts. The upper edge
 * has the index `cells`, which is not a part.
 */
export function offsetOf(coordinate: number, max: number, cells: number): number {
  return Math.floor((coordinate + max) / (max + max) * cells);
}

/** The longitude of the centre of a number's cell. Accepts any double, as Redis accepts any score. */
export function longitudeOf(hash: number): number {
  const bits = unsigned(hash);
  return middle(squash(low(bits) >>> 1) | squash(high(bits) >>> 1) << 16, LONGITUDE_MAX);
}

/** The latitude of the centre of a number's cell. */
export function latitudeOf(hash: number): number {
  const bits = unsigned(hash);
  return middle(squash(low(bits)) | squash(high(bits)) << 16, LATITUDE_MAX);
}

/**
 * The text of 11 characters that other systems use for a position. It holds 50 bits: the last character is always 0.
 */
export function geohashText(longitude: number, latitude: number): string {
  const y = offsetOf(latitude, TEXT_LATITUDE_MAX, SIDE), x = offsetOf(longitude, LONGITUDE_MAX, SIDE);
  let text = "";
  for (let bit = 2 * BITS - CHARACTER_BITS; bit >= 0; bit -= CHARACTER_BITS) {
    text += ALPHABET[Math.floor(interleave(y % SIDE, x % SIDE) / 2 ** bit) % ALPHABET.length];
  }
  return text + ALPHABET[0];
}

/** The distance between two positions by the haversine formula. */
export function distanceM(longitude1: number, latitude1: number, longitude2: number, latitude2: number): number {
  const v = Math.sin((radians(longitude2) - radians(longitude1)) / 2);
  if (v === 0) return latitudeDistanceM(latitude1, latitude2);
  const y1 = radians(latitude1), y2 = radians(latitude2);
  const u = Math.sin((y2 - y1) / 2);
  // For opposite points of the sphere rounding may give more than 1.
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(u * u + Math.cos(y1) * Math.cos(y2) * v * v)));
}

/** The distance between two parallels. */
export function latitudeDistanceM(latitude1: number, latitude2: number): number {
  return EARTH_RADIUS_M * Math.abs(radians(latitude2) - radians(latitude1));
}

/**
 * Interleaves the bits of two offsets, with those of `y` in the even positions. Beyond 53 bits the result may be
 * rounded.
 */
export function interleave(y: number, x: number): number {
  const lower = spread(y & 0xffff) | spread(x & 0xffff) << 1;
  const upper = spread(y >>> 16) | spread(x >>> 16) << 1;
  return (upper >>> 0) * WORD + (lower >>> 0);
}

/** Moves 16 bits to the even positions of 32. */
function spread(bits: number): number {
  bits = (bits | bits << 8) & 0x00ff00ff;
  bits = (bits | bits << 4) & 0x0f0f0f0f;
  bits = (bits | bits << 2) & 0x33333333;
  return (bits | bits << 1) & 0x55555555;
}

/** Collects the 16 bits in the even positions of 32. */
function squash(bits: number): number {
  bits &= 0x55555555;
  bits = (bits | bits >>> 1) & 0x33333333;
  bits = (bits | bits >>> 2) & 0x0f0f0f0f;
  bits = (bits | bits >>> 4) & 0x00ff00ff;
  return (bits | bits >>> 8) & 0x0000ffff;
}

/** C's conversion of a double to an unsigned 64-bit integer, with the result on x86-64. */
function unsigned(value: number): number {
  if (value >= WORD * WORD) return 0;
  return value < -WORD * WORD / 2 ? -WORD * WORD / 2 : Math.trunc(value);
}

function low(bits: number): number {
  return bits >>> 0;
}

function high(bits: number): number {
  return Math.floor(bits / WORD) >>> 0;
}

/** The centre of the cell with an offset, limited to the end of the range. */
function middle(offset: number, max: number): number {
  const cell = offset >>> 0, range = max + max;
  const from = -max + cell / SIDE * range, to = -max + (cell + 1) / SIDE * range;
  return Math.max(-max, Math.min(max, (from + to) / 2));
}
