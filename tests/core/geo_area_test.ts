/** Areas: which places are inside, and that the score ranges cover the area with little surplus. */
import { assertEquals } from "@std/assert";
import { Area } from "../../src/core/geo_area.ts";
import { isInside, polygonOf } from "../../src/core/geo_polygon.ts";
import { geohashOf, LATITUDE_MAX, latitudeOf, longitudeOf } from "../../src/core/geohash.ts";
import { oneIn, pick, property } from "../helpers/property.ts";

const covers = (area: Area, hash: number) => area.ranges().filter(({ from, to }) => from <= hash && hash < to).length;
/** The fraction of the map that the ranges of an area cover. */
const share = (area: Area) =>
  area.ranges().reduce((sum, { from, to }) => sum + (from < 2 ** 52 ? to - from : 0), 0) / 2 ** 52;

Deno.test("a circle contains places by distance, and a box by width and height", () => {
  const circle = Area.circle(15, 37, 200_000), box = Area.box(15, 37, 400_000, 400_000);
  assertEquals(Math.round(circle.distanceTo(15.087269, 37.502669)), 56441);
  assertEquals(circle.distanceTo(17, 38.7), NaN);
  assertEquals(Math.round(box.distanceTo(17, 38.7)), 258069);
  assertEquals(box.distanceTo(15, 38.9), NaN);
  assertEquals(box.distanceTo(17.3, 37), NaN);
});

Deno.test("every place of an area is in exactly one of its ranges", () =>
  property(30, (random) => {
    const unit = () => random.below(2 ** 30) / 2 ** 29 - 1;
    for (let i = 0; i < 100; i++) {
      const longitude = pick(random, [unit() * 180, 180, -180, 180 - Math.abs(unit()), Math.abs(unit()) - 180]);
      const highest = LATITUDE_MAX - Math.abs(unit()) / 10;
      const latitude = pick(random, [unit() * LATITUDE_MAX, LATITUDE_MAX, -LATITUDE_MAX, highest, -highest]);
      const metres = () => 10 ** (random.below(8000) / 1000);
      const area = oneIn(random, 2)
        ? Area.circle(longitude, latitude, metres())
        : Area.box(longitude, latitude, metres(), metres());
      let inside = 0;
      for (let k = 0; k < 300 && inside < 20; k++) {
        // Places near the center of the area, at growing distances.
        const spread = 180 / 2 ** (k % 30);
        const x = (((longitude + unit() * spread + 180) % 360) + 360) % 360 - 180;
        const y = Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, latitude + unit() * spread));
        const hash = geohashOf(oneIn(random, 20) ? 180 : x, y);
        if (Number.isNaN(area.distanceTo(longitudeOf(hash), latitudeOf(hash)))) continue;
        inside++;
        assertEquals(covers(area, hash), 1, `${longitude} ${latitude} has ${hash}`);
      }
    }
  }));

Deno.test("every place within a polygon is in exactly one of its ranges", () =>
  property(30, (random) => {
    const unit = () => random.below(2 ** 30) / 2 ** 29 - 1;
    for (let i = 0; i < 100; i++) {
      const spread = 180 / 2 ** random.below(20), longitude = unit() * 180, latitude = unit() * LATITUDE_MAX;
      const near = () => [
        Math.max(-180, Math.min(180, longitude + unit() * spread)),
        Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, latitude + unit() * spread)),
      ];
      const polygon = polygonOf(Float64Array.from(Array.from({ length: 3 + random.below(6) }, near).flat()));
      const area = Area.polygon(polygon);
      for (let k = 0; k < 50; k++) {
        const [x, y] = near(), hash = geohashOf(x, y), found = [longitudeOf(hash), latitudeOf(hash)] as const;
        const inside = !Number.isNaN(area.distanceTo(...found));
        assertEquals(inside, isInside(polygon, ...found));
        if (inside) assertEquals(covers(area, hash), 1, `${polygon.vertices} has ${hash}`);
      }
    }
  }));

Deno.test("a polygon contains a place if a ray from there meets an odd number of edges", () => {
  const bow = polygonOf(Float64Array.of(0, 0, 10, 10, 10, 0, 0, 10));
  for (const [x, y, inside] of [[1, 5, true], [9, 5, true], [5, 1, false], [5, 9, false], [-1, 5, false]] as const) {
    assertEquals(isInside(bow, x, y), inside, `${x} ${y}`);
  }
  assertEquals(bow.longitude.toFixed(6), "5.000000");
});

Deno.test("small areas take a small part of the map, wherever they are", () => {
  for (const latitude of [0, 45, -70, 84]) {
    for (const longitude of [0, 45.1, 179.99999, -180]) {
      assertEquals(share(Area.circle(longitude, latitude, 1000)) < 1e-5, true, `${longitude} ${latitude}`);
      assertEquals(share(Area.box(longitude, latitude, 1000, 1000)) < 1e-5, true, `${longitude} ${latitude}`);
    }
  }
  assertEquals(share(Area.circle(10, 10, 0)) < 1e-14, true);
});

Deno.test("an area may be the whole world, and more", () => {
  for (const radius of [2e7, 1e9, 1e300, Infinity]) {
    assertEquals(share(Area.circle(10, 10, radius)), 1);
    assertEquals(share(Area.box(10, 10, 2 * radius, 2 * radius)), 1);
  }
});
