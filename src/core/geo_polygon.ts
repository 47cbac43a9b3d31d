/**
 * Polygons on the map: positions as pairs of longitude and latitude, edges as straight lines between them, and the last
 * vertex joined with the first. A polygon does not cross the date line.
 */
import { degrees, radians } from "./geohash.ts";

export interface Polygon {
  /** Longitude and latitude of each vertex in turn. */
  readonly vertices: Float64Array;
  /** The middle of the vertices on the sphere. */
  readonly longitude: number;
  readonly latitude: number;
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
}

export function polygonOf(vertices: Float64Array): Polygon {
  let x = 0, y = 0, z = 0;
  const longitudes: number[] = [], latitudes: number[] = [];
  for (let i = 0; i < vertices.length; i += 2) {
    longitudes.push(vertices[i]);
    latitudes.push(vertices[i + 1]);
    const longitude = radians(vertices[i]), latitude = radians(vertices[i + 1]);
    x += Math.cos(latitude) * Math.cos(longitude);
    y += Math.cos(latitude) * Math.sin(longitude);
    z += Math.sin(latitude);
  }
  const least = (numbers: number[]) => numbers.reduce((a, b) => Math.min(a, b));
  const greatest = (numbers: number[]) => numbers.reduce((a, b) => Math.max(a, b));
  return {
    vertices,
    longitude: degrees(Math.atan2(y, x)),
    latitude: degrees(Math.atan2(z, Math.sqrt(x * x + y * y))),
    west: least(longitudes),
    east: greatest(longitudes),
    south: least(latitudes),
    north: greatest(latitudes),
  };
}

/** Whether a ray from the position to the east meets an odd number of edges. Hot. */
export function isInside({ vertices }: Polygon, longitude: number, latitude: number): boolean {
  let inside = false;
  let otherX = vertices[vertices.length - 2], otherY = vertices[vertices.length - 1];
  for (let i = 0; i < vertices.length; i += 2) {
    const x = vertices[i], y = vertices[i + 1];
    if (y > latitude !== otherY > latitude && longitude < (otherX - x) * (latitude - y) / (otherY - y) + x) {
      inside = !inside;
    }
    otherX = x;
    otherY = y;
  }
  return inside;
}
