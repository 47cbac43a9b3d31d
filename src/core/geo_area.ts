/**
 * Areas on earth, circles and boxes around a position, and polygons: whether a position is inside, and which ranges of
 * geohashes cover the area.
 *
 * The map is a grid of 2^step by 2^step cells, and a cell is one range of geohashes. A cell and its eight neighbours
 * cover an area, with the finest step for which they suffice. The columns wrap at the date line; the rows end at the
 * upper and lower edges of the map.
 */
import {
  BITS,
  degrees,
  distanceM,
  EARTH_RADIUS_M,
  interleave,
  LATITUDE_MAX,
  latitudeDistanceM,
  LONGITUDE_MAX,
  offsetOf,
  radians,
} from "./geohash.ts";
import { isInside, type Polygon } from "./geo_polygon.ts";

/** Half of the side of the map; Redis derives its cell sizes from it. */
const MAP_RADIUS_M = 20037726.37;
/** From each of these latitudes on, a degree of longitude is so short that cells must be one step larger. */
const HIGH_LATITUDES = [66, 80];
/** The floating point error, in degrees and as a fraction. */
const TOLERANCE = 1e-9, NEARLY_ONE = 1 - 1e-6;
/** Geohashes of positions exactly on the eastern or upper edge of the map. */
const EDGE_FROM = 2 ** (2 * BITS), EDGE_TO = 2 ** (2 * BITS + 2);

/** Neighbours as [columns east, rows north], in Redis's order: the order of unsorted replies depends on it. */
const AROUND = [[0, 0], [0, 1], [0, -1], [1, 0], [-1, 0], [1, 1], [-1, 1], [1, -1], [-1, -1]];

/** Geohashes from `from` to below `to`. */
export interface HashRange {
  readonly from: number;
  readonly to: number;
}

export class Area {
  readonly #longitude: number;
  readonly #latitude: number;
  readonly #halfWidthM: number;
  readonly #halfHeightM: number;
  readonly #round: boolean;
  readonly #polygon: Polygon | undefined;

  /**
   * A circle with a radius; a box whose height, and whose width along every parallel, is twice the given half; or a
   * polygon within such a circle.
   */
  private constructor(
    longitude: number,
    latitude: number,
    halfWidthM: number,
    halfHeightM: number,
    round: boolean,
    polygon?: Polygon,
  ) {
    this.#longitude = longitude;
    this.#latitude = latitude;
    this.#halfWidthM = halfWidthM;
    this.#halfHeightM = halfHeightM;
    this.#round = round;
    this.#polygon = polygon;
  }

  static circle(longitude: number, latitude: number, radiusM: number): Area {
    return new Area(longitude, latitude, radiusM, radiusM, true);
  }

  static box(longitude: number, latitude: number, widthM: number, heightM: number): Area {
    return new Area(longitude, latitude, widthM / 2, heightM / 2, false);
  }

  static polygon(polygon: Polygon): Area {
    const { longitude, latitude, west, east, south, north } = polygon;
    const corners = [[west, north], [east, north], [west, south], [east, south]];
    const radiusM = Math.max(...corners.map(([x, y]) => distanceM(longitude, latitude, x, y)));
    return new Area(longitude, latitude, radiusM, radiusM, true, polygon);
  }

  /** The distance of a position from the centre; NaN if the position is outside. Hot. */
  distanceTo(longitude: number, latitude: number): number {
    if (!this.#round) {
      if (latitudeDistanceM(latitude, this.#latitude) > this.#halfHeightM) return NaN;
      if (distanceM(longitude, latitude, this.#longitude, latitude) > this.#halfWidthM) return NaN;
    } else if (this.#polygon !== undefined) {
      if (!isInside(this.#polygon, longitude, latitude)) return NaN;
      return distanceM(this.#longitude, this.#latitude, longitude, latitude);
    }
    const distance = distanceM(this.#longitude, this.#latitude, longitude, latitude);
    return this.#round && distance > this.#halfWidthM ? NaN : distance;
  }

  /** The parallels and meridians around the area. */
  #bounds(): { west: number; east: number; south: number; north: number } {
    if (this.#polygon !== undefined) return this.#polygon;
    const latitudes = Math.min(2 * LATITUDE_MAX, degrees(this.#halfHeightM / EARTH_RADIUS_M)) + TOLERANCE;
    const longitudes = this.#longitudes(latitudes) + TOLERANCE;
    return {
      west: this.#longitude - longitudes,
      east: this.#longitude + longitudes,
      south: Math.max(-LATITUDE_MAX, this.#latitude - latitudes),
      north: Math.min(LATITUDE_MAX, this.#latitude + latitudes),
    };
  }

  /** Ranges that do not overlap and contain every position of the area. */
  ranges(): HashRange[] {
    const { west, east, south, north } = this.#bounds();
    const first = this.#firstStep();
    for (let step = first;; step--) {
      const cells = 2 ** step, last = cells - 1;
      // The middle of a polygon may be nearer to a pole than the map reaches.
      const row = Math.max(0, Math.min(last, offsetOf(this.#latitude, LATITUDE_MAX, cells)));
      const column = Math.min(last, offsetOf(this.#longitude, LONGITUDE_MAX, cells));
      const rows = [offsetOf(south, LATITUDE_MAX, cells), Math.min(last, offsetOf(north, LATITUDE_MAX, cells))];
      const columns = [offsetOf(west, LONGITUDE_MAX, cells), offsetOf(east, LONGITUDE_MAX, cells)];
      const reached = rows[0] >= row - 1 && rows[1] <= row + 1 && columns[0] >= column - 1 && columns[1] <= column + 1;
      // Redis never accepts the first step at the edge of the map.
      const isEdge = step === first && (row === 0 || row === last || column === 0 || column === last);
      if (step > 1 && (isEdge || !reached)) continue;

      const numbers = new Set<number>();
      for (const [columnsEast, rowsNorth] of AROUND) {
        const x = column + columnsEast, y = row + rowsNorth;
        if (y < rows[0] || y > rows[1] || x < columns[0] || x > columns[1]) continue;
        numbers.add(interleave(y, (x + cells) % cells));
      }
      const size = 4 ** (BITS - step);
      const ranges = [...numbers].map((number) => ({ from: number * size, to: (number + 1) * size }));
      const meetsEdge = west <= -LONGITUDE_MAX || east >= LONGITUDE_MAX || north >= LATITUDE_MAX;
      return meetsEdge ? [...ranges, { from: EDGE_FROM, to: EDGE_TO }] : ranges;
    }
  }

  /**
   * The extent of the area to both sides in degrees. Two positions at the latitudes a and b with the angular distance
   * `angle` differ in longitude by at most 2 asin(sin(angle / 2) / sqrt(cos(a) cos(b))). Both cosines are at least the
   * cosine of the latitude nearest to a pole.
   */
  #longitudes(latitudes: number): number {
    const highest = Math.abs(this.#latitude) + latitudes;
    const angle = this.#halfWidthM / EARTH_RADIUS_M;
    if (highest >= 90 || angle >= Math.PI) return 180;
    const sine = Math.sin(angle / 2) / Math.cos(radians(highest));
    return sine >= NEARLY_ONE ? 180 : degrees(2 * Math.asin(sine));
  }

  /** The step at which a cell has about the size of the area. */
  #firstStep(): number {
    const radiusM = this.#round ? this.#halfWidthM : Math.hypot(this.#halfWidthM, this.#halfHeightM);
    const halvings = radiusM === 0 ? Infinity : Math.max(0, Math.ceil(Math.log2(MAP_RADIUS_M / radiusM)));
    if (halvings === Infinity) return BITS;
    const larger = HIGH_LATITUDES.filter((latitude) => Math.abs(this.#latitude) > latitude).length;
    return Math.max(1, Math.min(BITS, halvings - 1 - larger));
  }
}
