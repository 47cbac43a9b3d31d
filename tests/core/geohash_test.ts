/**
 * Geohashes as numbers and as text, and distances. The expected values come from Redis and from the definition of the
 * text.
 */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  distanceM,
  EARTH_RADIUS_M,
  geohashOf,
  geohashText,
  LATITUDE_MAX,
  latitudeOf,
  LONGITUDE_MAX,
  longitudeOf,
} from "../../src/core/geohash.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { property } from "../helpers/property.ts";

/** A coordinate that does not lie on a border between two cells. */
const within = (random: SeededRandom, max: number) => ((random.below(500_000_000) + 0.3) / 250_000_000 - 1) * max;

/** The number by its definition: halve the ranges of longitude and latitude alternately, longitude first. */
function slowGeohash(longitude: number, latitude: number, bits: number, latitudeMax: number): bigint {
  const ranges = [[-LONGITUDE_MAX, LONGITUDE_MAX], [-latitudeMax, latitudeMax]];
  let hash = 0n;
  for (let i = 0; i < bits; i++) {
    const range = ranges[i % 2], middle = (range[0] + range[1]) / 2;
    const isUpper = [longitude, latitude][i % 2] >= middle;
    range[isUpper ? 0 : 1] = middle;
    hash = hash << 1n | (isUpper ? 1n : 0n);
  }
  return hash;
}

Deno.test("known places have Redis's numbers and everybody's texts", () => {
  assertEquals(geohashOf(13.361389, 38.115556), 3479099956230698);
  assertEquals(geohashOf(15.087269, 37.502669), 3479447370796909);
  assertEquals(geohashText(longitudeOf(3479099956230698), latitudeOf(3479099956230698)), "sqc8b49rny0");
  assertEquals(geohashText(-5.6, 42.6), "ezs42e44yx0");
  assertEquals([longitudeOf(3479099956230698), latitudeOf(3479099956230698)], [13.361389338970184, 38.1155563954963]);
});

Deno.test("numbers and texts follow their definition", () =>
  property(20, (random) => {
    for (let i = 0; i < 200; i++) {
      const longitude = within(random, LONGITUDE_MAX), latitude = within(random, LATITUDE_MAX);
      assertEquals(BigInt(geohashOf(longitude, latitude)), slowGeohash(longitude, latitude, 52, LATITUDE_MAX));
      const text = slowGeohash(longitude, latitude, 50, 90);
      const characters = Array.from({ length: 10 }, (_, k) => Number(text >> BigInt(45 - 5 * k)) & 31);
      const expected = characters.map((c) => "0123456789bcdefghjkmnpqrstuvwxyz"[c]).join("") + "0";
      assertEquals(geohashText(longitude, latitude), expected);
    }
  }));

Deno.test("a place comes back as the middle of its cell, which has the same number", () =>
  property(20, (random) => {
    for (let i = 0; i < 200; i++) {
      const longitude = within(random, LONGITUDE_MAX), latitude = within(random, LATITUDE_MAX);
      const hash = geohashOf(longitude, latitude);
      assertAlmostEquals(longitudeOf(hash), longitude, 360 / 2 ** 27 + 1e-12);
      assertAlmostEquals(latitudeOf(hash), latitude, 171 / 2 ** 27 + 1e-12);
      assertEquals(geohashOf(longitudeOf(hash), latitudeOf(hash)), hash);
    }
  }));

Deno.test("the edges of the map stay on it", () => {
  for (const longitude of [-LONGITUDE_MAX, LONGITUDE_MAX]) {
    for (const latitude of [-LATITUDE_MAX, LATITUDE_MAX]) {
      const hash = geohashOf(longitude, latitude);
      assertAlmostEquals(longitudeOf(hash), longitude, 1e-5);
      assertAlmostEquals(latitudeOf(hash), latitude, 1e-5);
    }
  }
});

Deno.test("any score is some place", () => {
  for (const score of [-1, -0.5, 2 ** 53, 1e300, -1e300, Infinity, -Infinity]) {
    assertEquals(Math.abs(longitudeOf(score)) <= LONGITUDE_MAX, true);
    assertEquals(Math.abs(latitudeOf(score)) <= LATITUDE_MAX, true);
  }
});

Deno.test("distances are those of a sphere", () => {
  assertEquals(distanceM(1, 2, 1, 2), 0);
  assertAlmostEquals(distanceM(0, 0, 180, 0), Math.PI * EARTH_RADIUS_M, 1e-6);
  assertAlmostEquals(distanceM(0, 30, 180, -30), Math.PI * EARTH_RADIUS_M, 1e-6);
  assertAlmostEquals(distanceM(7, 0, 7, 90), Math.PI / 2 * EARTH_RADIUS_M, 1e-6);
  assertAlmostEquals(distanceM(179, 0, -179, 0), Math.PI / 90 * EARTH_RADIUS_M, 1e-6);
  // Antipodes whose haversine is rounded to more than 1 have a distance, too.
  for (let i = 0; i < 1000; i++) {
    const longitude = i * 0.18, latitude = i * 0.08;
    assertEquals(Number.isNaN(distanceM(longitude, latitude, longitude - 180, -latitude)), false);
  }
});
