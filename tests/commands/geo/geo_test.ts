/** The geo commands over the wire: on MemDB alone, and compared with Redis. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { latin1 } from "../../../src/core/bytes.ts";
import { distanceM, latitudeDistanceM, latitudeOf, longitudeOf } from "../../../src/core/geohash.ts";
import type { SeededRandom } from "../../../src/core/random.ts";
import { geoCommands } from "../../../src/commands/geo/geo.ts";
import { type Argument, encodeRequest, type TestClient } from "../../helpers/client.ts";
import { decode } from "../../helpers/decode.ts";
import { oneIn, pick, property } from "../../helpers/property.ts";
import { differential, type Pair } from "../../helpers/redis.ts";
import { recordEvents } from "../../helpers/effects.ts";
import { withServer } from "../../helpers/server.ts";

const sicily = "GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania";
const words = (reply: string) => decode(reply) as string[];

Deno.test("members are found by distance, within circles and boxes", () =>
  withServer(async (client) => {
    assertEquals(await client.run(sicily), ":2\r\n");
    assertEquals(await client.run("GEODIST s Palermo Catania km"), "$8\r\n166.2742\r\n");
    assertEquals(words(await client.run("GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km DESC")), ["Palermo", "Catania"]);
    assertEquals(words(await client.run("GEOSEARCH s FROMLONLAT 15 37 BYBOX 200 200 km ASC")), ["Catania"]);
    // Members that a packed set stores as integers.
    await client.run("GEOADD n 13.361389 38.115556 1 15.087269 37.502669 2");
    assertEquals(words(await client.run("GEOSEARCH n FROMLONLAT 15 37 BYRADIUS 200 km DESC")), ["1", "2"]);
    assertEquals(words(await client.run("GEOHASH s Palermo Catania")), ["sqc8b49rny0", "sqdtr74hyu0"]);
    assertEquals(await client.run("GEOPOS s none"), "*1\r\n*-1\r\n");
    await client.run("HELLO 3");
    assertEquals(
      await client.run("GEOPOS s Palermo none"),
      "*2\r\n*2\r\n,13.361389338970184\r\n,38.1155563954963\r\n_\r\n",
    );
  }));

Deno.test("places on the edges of the map are found from both sides", () =>
  withServer(async (client) => {
    await client.run("GEOADD c 180 10 a -180 10 b 179.9999 10 c -179.9999 10 d 10 85.05112878 e 10 85.05 f");
    for (const longitude of [179.999, 180, -180, -179.999]) {
      const found = words(await client.run(`GEOSEARCH c FROMLONLAT ${longitude} 10 BYRADIUS 10 km`));
      assertEquals(found.toSorted(), ["a", "b", "c", "d"], String(longitude));
      const boxed = words(await client.run(`GEOSEARCH c FROMLONLAT ${longitude} 10 BYBOX 10 10 km`));
      assertEquals(boxed.toSorted(), ["a", "b", "c", "d"], String(longitude));
    }
    for (const latitude of [85.05112878, 85.0501]) {
      const found = words(await client.run(`GEOSEARCH c FROMLONLAT 10 ${latitude} BYRADIUS 1 km`));
      assertEquals(found.toSorted(), ["e", "f"], String(latitude));
    }
    const all = words(await client.run("GEOSEARCH c FROMLONLAT 0 0 BYRADIUS 30000 km"));
    assertEquals(all.toSorted(), ["a", "b", "c", "d", "e", "f"]);
  }));

Deno.test("the log contains the scores, and no command without a change", () =>
  withServer(async (client, { server }) => {
    const logged: string[] = [];
    server.engine.effects.listen({
      effect: (_db, bytes, start, end) =>
        logged.push(latin1(bytes, start, end).replace(/[*$]\d+\r\n/g, "").trim().replaceAll("\r\n", " ")),
    });
    const lines = [
      ...[sicily, sicily, "GEOADD s XX CH 13 38 Palermo", "GEOADD s XX 1 1 none", "GEOADD s NX 1 1 Palermo"],
      ...["GEOADD s 180 85.05112878 corner", "GEORADIUS s 15 37 1000 km", "GEORADIUS s 15 37 1000 km STORE d"],
      ...["GEORADIUS none 1 1 1 km STORE d", "GEORADIUS none 1 1 1 km STORE d"],
      ...["GEOSEARCHSTORE d s FROMLONLAT 15 37 BYBOX 1 1 km", "GEOSEARCHSTORE d s FROMMEMBER Catania BYRADIUS 9 ft"],
    ];
    for (const line of lines) await client.run(line);
    assertEquals(logged, [
      ...["ZADD s 3479099956230698 Palermo 3479447370796909 Catania", "ZADD s XX CH 3479065152021743 Palermo"],
      ...["ZADD s 13510798882111488 corner", "GEORADIUS s 15 37 1000 km STORE d", "GEORADIUS none 1 1 1 km STORE d"],
      "GEOSEARCHSTORE d s FROMMEMBER Catania BYRADIUS 9 ft",
    ]);
  }));

Deno.test("the keys of geo sets are announced with the events of Redis", () =>
  withServer(async (client, { server }) => {
    const events = recordEvents(server.engine);
    const lines = [
      ...[sicily, sicily, "GEORADIUS s 15 37 1000 km STORE d", "GEORADIUS none 1 1 1 km STORE d"],
      ...["GEORADIUSBYMEMBER s Palermo 1 km STOREDIST d", "GEOSEARCHSTORE d s FROMLONLAT 15 37 BYBOX 500 500 km"],
      ...["GEOSEARCHSTORE d s FROMLONLAT 0 0 BYBOX 5 5 km", "GEOSEARCHSTORE d s FROMLONLAT 0 0 BYBOX 5 5 km"],
    ];
    for (const line of lines) await client.run(line);
    assertEquals(events, [
      ...[
        "0: z zadd s",
        "0: z georadiusstore d",
        "0: g del d",
        "0: z georadiusstore d",
        "0: z geosearchstore d",
        "0: g del d",
      ],
    ]);
  }));

Deno.test("a request may add more members than a function takes arguments", () =>
  withServer(async (client, { server }) => {
    let logged = 0;
    server.engine.effects.listen({ effect: (_db, _bytes, start, end) => logged += end - start });
    const args = Array.from({ length: 70_000 }, (_, i) => [i % 170, i % 80, i]).flat();
    await client.send(encodeRequest(["GEOADD", "big"].concat(args.map(String))));
    assertEquals(await client.receive(), ":70000\r\n");
    assertEquals(logged > 70_000 * 20, true);
  }));

type Size = { radius: number } | { width: number; height: number };

/** The expected result of a search: every member inside the area by Redis's distance, computed from the scores only. */
function inside(
  scores: ReadonlyMap<string, number>,
  [longitude, latitude]: readonly [number, number],
  area: Size,
): string[] {
  return [...scores].filter(([, score]) => {
    const x = longitudeOf(score), y = latitudeOf(score);
    if ("radius" in area) return distanceM(longitude, latitude, x, y) <= area.radius;
    return latitudeDistanceM(latitude, y) <= area.height / 2 && distanceM(longitude, y, x, y) <= area.width / 2;
  }).map(([member]) => member).toSorted();
}

/** A random coordinate, most often near the edges and around a center. */
function coordinate(random: SeededRandom, max: number, middle: number): number {
  const unit = random.below(2 ** 30) / 2 ** 29 - 1;
  const value = pick(random, [
    unit * max,
    max * (1 - Math.abs(unit) / 1000),
    -max * (1 - Math.abs(unit) / 1000),
    middle + unit,
    middle + unit / 100,
    oneIn(random, 4) ? pick(random, [-max, 0, max]) : unit * max,
  ]);
  return Math.max(-max, Math.min(max, value));
}

/** Metres, from zero to more than the earth's circumference, evenly over the orders of magnitude. */
const metres = (random: SeededRandom) => oneIn(random, 40) ? 0 : 10 ** (random.below(8000) / 1000);

async function fill(random: SeededRandom, clients: readonly TestClient[], count: number): Promise<[number, number]> {
  const middle: [number, number] = [random.below(360) - 180, random.below(170) - 85];
  const args = Array.from({ length: count }, (_, i) => [
    ...[coordinate(random, 180, middle[0]), coordinate(random, 85.05112878, middle[1]), `m${i}`],
  ]).flat();
  for (const client of clients) await client.command("GEOADD", "g", ...args);
  return middle;
}

Deno.test("a search finds every member in its area: at the poles, at the date line, and however large", () =>
  property(4, (random) =>
    withServer(async (client) => {
      const middle = await fill(random, [client], 3000);
      const pairs = words(await client.run("ZRANGE g 0 -1 WITHSCORES"));
      const scores = new Map(pairs.flatMap((word, i) => i % 2 === 0 ? [[word, Number(pairs[i + 1])] as const] : []));
      for (let i = 0; i < 100; i++) {
        const place = [coordinate(random, 180, middle[0]), coordinate(random, 85.05112878, middle[1])] as const;
        const area: Size = oneIn(random, 2)
          ? { radius: metres(random) }
          : { width: metres(random), height: metres(random) };
        const by: Argument[] = "radius" in area
          ? ["BYRADIUS", area.radius, "m"]
          : ["BYBOX", area.width, area.height, "m"];
        const found = words(await client.command("GEOSEARCH", "g", "FROMLONLAT", ...place, ...by));
        assertEquals(found.toSorted(), inside(scores, place, area), `${place} ${by.join(" ")}`);
        const count = 1 + random.below(30);
        const order = pick(random, ["ASC", "DESC"]);
        const ordered = words(await client.command("GEOSEARCH", "g", "FROMLONLAT", ...place, ...by, order));
        const first = words(
          await client.command("GEOSEARCH", "g", "FROMLONLAT", ...place, ...by, "COUNT", count, order),
        );
        assertEquals(first, ordered.slice(0, count));
      }
    })));

const lines = (key: string) => `
  GEOADD ${key} NX XX 1 1 a
  GEOADD ${key} NX CH CH
  GEOADD ${key} CH CH CH CH
  GEOADD ${key} CH CH
  GEOADD ${key} 1 1 a 2
  GEOADD ${key} 1 1 a 2 2
  GEOADD ${key} GT 1 1 a
  GEOADD ${key} x 1e22 a
  GEOADD ${key} 1 y a
  GEOADD ${key} nan 1 a
  GEOADD ${key} 181 1 a
  GEOADD ${key} 1 -86 a
  GEOADD ${key} 1 1 a 1 90 b
  GEOADD ${key} inf 1 a
  GEOADD ${key} -inf -infinity a
  GEOADD ${key} 1e300 -1e21 a
  GEOADD ${key} -0 1e20 a
  GEOADD ${key} -0.0000001 999 a
  GEOADD ${key} XX 1 1 nobody
  GEOPOS ${key} Palermo none edge
  GEOPOS ${key}
  GEOHASH ${key} Palermo none edge
  GEOHASH ${key}
  GEODIST ${key} Palermo Catania
  GEODIST ${key} Palermo Catania KM
  GEODIST ${key} Palermo Catania ft
  GEODIST ${key} Palermo Catania Mi
  GEODIST ${key} Palermo Palermo
  GEODIST ${key} Palermo none
  GEODIST ${key} none none m
  GEODIST ${key} Palermo Catania xx
  GEODIST ${key} Palermo Catania km x
  GEORADIUS ${key} 15 37 200 km
  GEORADIUS ${key} 15 37 200 km withdist withcoord withhash
  GEORADIUS ${key} 15 37 200 km withdist
  GEORADIUS ${key} 15 37 200 km withhash desc
  GEORADIUS ${key} 15 37 200000 ft withcoord asc
  GEORADIUS ${key} 15 37 100 mi asc desc count 1
  GEORADIUS ${key} 15 37 200 km count 1
  GEORADIUS ${key} 15 37 200 km count 2 any withdist
  GEORADIUS ${key} 15 37 200 km any count 1 desc
  GEORADIUS ${key} 15 37 200 km count 2 count 1
  GEORADIUS ${key} 15 37 200 km count 0
  GEORADIUS ${key} 15 37 200 km count -1
  GEORADIUS ${key} 15 37 200 km count x
  GEORADIUS ${key} 15 37 200 km count 9223372036854775807
  GEORADIUS ${key} 15 37 200 km count 9223372036854775808
  GEORADIUS ${key} 15 37 200 km count
  GEORADIUS ${key} 15 37 200 km any
  GEORADIUS ${key} 15 37 200 km foo
  GEORADIUS ${key} 15 37 200 km any store d withdist
  GEORADIUS ${key} 15 37 200 km store
  GEORADIUS ${key} 15 37 200 km withcoord store d
  GEORADIUS ${key} 15 37 200 km storedist d withhash
  GEORADIUS ${key} 15 37 x km
  GEORADIUS ${key} 15 37 -1 km
  GEORADIUS ${key} 15 37 -1 xx
  GEORADIUS ${key} 15 37 1 xx
  GEORADIUS ${key} 15 37 -0 m
  GEORADIUS ${key} x 37 1 xx
  GEORADIUS ${key} 1000 37 1 xx
  GEORADIUS ${key} 15 37 1e300 km
  GEORADIUS ${key} 15 37 inf m count 2
  GEORADIUS ${key} 15 37 0 m
  GEORADIUS ${key} 15 37 200 km store d
  ZRANGE d 0 -1 WITHSCORES
  GEORADIUS ${key} 15 37 200 km storedist d
  ZRANGE d 0 -1 WITHSCORES
  GEORADIUS ${key} 15 37 200 km storedist d store e
  ZRANGE e 0 -1 WITHSCORES
  GEORADIUS ${key} 15 37 200 km store d count 1 desc
  ZRANGE d 0 -1 WITHSCORES
  GEORADIUS ${key} 15 37 0 km store d
  GEORADIUS ${key} 15 37 0 km store d
  GEORADIUS_RO ${key} 15 37 200 km withdist
  GEORADIUS_RO ${key} 15 37 200 km store d
  GEORADIUSBYMEMBER ${key} Palermo 200 km
  GEORADIUSBYMEMBER ${key} none 200 km
  GEORADIUSBYMEMBER ${key} none x xx
  GEORADIUSBYMEMBER ${key} none x xx foo
  GEORADIUSBYMEMBER ${key} Palermo x xx
  GEORADIUSBYMEMBER ${key} Palermo 200 km store q withdist
  GEORADIUSBYMEMBER ${key} Palermo 200 km store q
  ZRANGE q 0 -1 WITHSCORES
  GEORADIUSBYMEMBER ${key} none 200 km store q
  GEORADIUSBYMEMBER_RO ${key} Palermo 200 km withdist asc
  GEORADIUSBYMEMBER_RO ${key} Palermo 200 km storedist q
  GEOSEARCH ${key} FROMMEMBER Palermo BYRADIUS 200 km
  GEOSEARCH ${key} FROMMEMBER Palermo BYRADIUS 200 km BYBOX 1 1 km
  GEOSEARCH ${key} BYBOX 1 1 km FROMMEMBER Palermo BYRADIUS 200 km
  GEOSEARCH ${key} FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 200 km
  GEOSEARCH ${key} FROMLONLAT 1 1 FROMMEMBER Palermo BYRADIUS 200 km
  GEOSEARCH ${key} FROMMEMBER Palermo FROMMEMBER Catania BYRADIUS 1 km
  GEOSEARCH ${key} FROMLONLAT 1 1 FROMLONLAT 15 37 BYRADIUS 200 km ASC
  GEOSEARCH ${key} FROMLONLAT 15 37 BYRADIUS 1 km BYRADIUS 200 km DESC WITHDIST
  GEOSEARCH ${key} FROMLONLAT 15 37 BYRADIUS 200 m BYRADIUS 200 km
  GEOSEARCH ${key} FROMLONLAT 15 37 BYBOX 1 1 km BYBOX 400 400 km WITHDIST
  GEOSEARCH ${key} FROMLONLAT 15 37 ASC DESC WITHDIST
  GEOSEARCH ${key} BYRADIUS 1 km ASC DESC ASC
  GeoSearch ${key} BYRADIUS 1 km ASC ANY ASC
  GEOSEARCH ${key} FROMMEMBER x BYRADIUS x xx
  GEOSEARCH ${key} FROMMEMBER none foo BYRADIUS 1 km
  GEOSEARCH ${key} FROMMEMBER Palermo foo BYRADIUS 1 km
  GEOSEARCH ${key} FROMLONLAT 15 BYRADIUS 1 km
  GEOSEARCH ${key} FROMLONLAT 15 99 BYRADIUS x km
  GEOSEARCH ${key} FROMLONLAT 15 37 BYBOX 400 400 km WITHDIST WITHCOORD WITHHASH
  GEOSEARCH ${key} FROMLONLAT 15 37 BYBOX x y km
  GEOSEARCH ${key} FROMLONLAT 15 37 BYBOX 1 y km
  GEOSEARCH ${key} FROMLONLAT 15 37 BYBOX -1 2 km
  GEOSEARCH ${key} FROMLONLAT 15 37 BYBOX 1 -2 xx
  GEOSEARCH ${key} FROMLONLAT 15 37 BYBOX 1 2 xx
  GEOSEARCH ${key} FROMLONLAT 15 37 BYBOX 1 2
  GEOSEARCH ${key} FROMLONLAT 15 37 BYRADIUS 1
  GEOSEARCH ${key} FROMLONLAT 15 37 BYRADIUS 1 km STOREDIST
  GEOSEARCH ${key} FROMLONLAT 15 37 BYRADIUS 1 km STORE x
  GEOSEARCH ${key} FROMLONLAT 15 37 BYRADIUS 1 km ANY
  GEOSEARCH ${key} FROMLONLAT 15 37 BYRADIUS 200 km ANY COUNT 1
  GEOSEARCHSTORE d ${key} FROMLONLAT 15 37 BYBOX 400 400 km
  ZRANGE d 0 -1 WITHSCORES
  GEOSEARCHSTORE d ${key} FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST
  ZRANGE d 0 -1 WITHSCORES
  GEOSEARCHSTORE d ${key} FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST WITHDIST
  GEOSEARCHSTORE d ${key} BYBOX 400 400 km WITHCOORD
  GEOSEARCHSTORE d ${key} FROMLONLAT 15 37 BYBOX 400 400 km STORE x
  GEOSEARCHSTORE d ${key} FROMLONLAT 15 37 ASC STOREDIST ASC
  GEOSEARCHSTORE d ${key} FROMMEMBER Palermo BYRADIUS 1 m COUNT 1 ANY
  GEOSEARCHSTORE d ${key} FROMLONLAT 0 0 BYBOX 1 1 m
  EXISTS d
`;

const others = `
  GEOADD s CH 14 37.5 new 13.361389 38.115556 Palermo 14 37.6 new
  GEOADD s NX CH 14.5 37 new 14.5 37.5 newer
  GEOADD s XX CH 14.5 37 new 14.5 37.5 newest
  GEOADD s 14.5 37 new 14.6 37 new
  ZRANGE s 0 -1 WITHSCORES
  SET d string
  GEOSEARCHSTORE d s FROMLONLAT 14 37 BYRADIUS 500 km
  TYPE d
  EXPIRE d 100
  GEORADIUS s 14 37 500 km STOREDIST d
  TTL d
  GEOSEARCHSTORE s s FROMLONLAT 14 37 BYRADIUS 500 km COUNT 2
  ZRANGE s 0 -1 WITHSCORES
  ZADD w -5 neg 1e17 big inf inf -inf ninf 4503599627370496 p52 9007199254740992 p53 1.7 frac -9.3e18 low 1.8e19 high 2e19 higher -0 zero -0.5 half
  GEOPOS w neg big inf ninf p52 p53 frac low high higher zero half
  GEOHASH w neg big inf ninf p52 p53 frac low high higher zero half
  GEODIST w neg big
  GEODIST w inf ninf
  GEOADD t 0.00001 0.00001 tiny -0.00001 -0.00001 mini 0 0 none
  GEOPOS t tiny mini none
  GEOSEARCH t FROMLONLAT 0 0 BYRADIUS 9 m WITHCOORD WITHDIST ASC
  COMMAND GETKEYS GEORADIUS s 15 37 200 km STORE d STOREDIST e
  COMMAND GETKEYS GEORADIUS s 15 37 200 km STORE d
  COMMAND GETKEYS GEORADIUS s 15 37 200 STORE d
  COMMAND GETKEYS GEORADIUS s 15 37 200 km COUNT store d
  COMMAND GETKEYS GEORADIUS s 15 37 200 km STORE
  COMMAND GETKEYSANDFLAGS GEORADIUSBYMEMBER s Palermo 37 km STOREDIST d
  COMMAND GETKEYSANDFLAGS GEOSEARCHSTORE d s FROMLONLAT 1 1 BYRADIUS 1 m
  COMMAND GETKEYS GEORADIUS_RO s 15 37 200 km STORE d
`;

for (const [limit, encoding] of [["128", "packed"], ["0", "large"]]) {
  for (const version of [2, 3]) {
    differential(`every option and every error of ${encoding} geo sets is Redis's in RESP${version}`, async (pair) => {
      for (const client of [pair.memdb, pair.redis]) await client.run(`HELLO ${version}`);
      await pair.same("SET", "str", "string");
      await pair.sameLines(`${sicily} 13.5 37.3 edge 100 20 far`);
      for (const { name } of geoCommands) await pair.same(name);
      for (const key of ["none", "str", "s"]) await pair.sameLines(lines(key));
      await pair.sameLines(others);
    }, { "zset-max-listpack-entries": limit });
  }
}

/** Sends one search to both servers: sorted by distance, unsorted, and stored. */
async function sameSearch(random: SeededRandom, pair: Pair, place: readonly number[]): Promise<void> {
  const unit = pick(random, ["m", "km", "ft", "mi"]);
  // Redis misses members of boxes far in the north or south, and at the edges of the map.
  const length = () => 10 ** (random.below(6000) / 1000) / (unit === "km" ? 1000 : unit === "mi" ? 1609 : 1);
  const from = oneIn(random, 3) ? ["FROMMEMBER", `m${random.below(500)}`] : ["FROMLONLAT", ...place];
  const by = oneIn(random, 2) ? ["BYRADIUS", length(), unit] : ["BYBOX", length(), length(), unit];
  const count = oneIn(random, 3) ? ["COUNT", 1 + random.below(20)] : [];
  const any = count.length > 0 && oneIn(random, 2) ? ["ANY"] : [];
  const order = pick(random, [[], ["ASC"], ["DESC"]]);
  const extras = ["WITHDIST", "WITHCOORD", "WITHHASH"].filter(() => oneIn(random, 2));
  const options = [...from, ...by, ...count, ...any, ...order];
  await pair.same("GEOSEARCH", "g", ...options, ...extras);
  if (!oneIn(random, 3)) return;
  await pair.same("GEOSEARCHSTORE", "d", "g", ...options);
  await pair.same("ZRANGE", "d", 0, -1, "WITHSCORES");
  await pair.same("GEOSEARCHSTORE", "d", "g", ...options, "STOREDIST");
  await pair.same("ZRANGE", "d", 0, -1);
  // The last bit of an arc sine may differ from that of the C library.
  const scores = async (client: TestClient) =>
    words(await client.run("ZRANGE d 0 -1 WITHSCORES")).filter((_, i) => i % 2 === 1).map(Number);
  const [ours, theirs] = await Promise.all([scores(pair.memdb), scores(pair.redis)]);
  ours.forEach((score, i) => assertAlmostEquals(score, theirs[i], theirs[i] * 1e-15));
}

differential("random searches reply what Redis replies, in the same order", (pair) =>
  property(4, async (random) => {
    const { memdb, redis } = pair;
    await pair.same("DEL", "g", "d");
    const middle = [random.below(300) - 150, random.below(120) - 60];
    const near = (spread: number, at: number) => at + spread * (random.below(2 ** 30) / 2 ** 29 - 1);
    const place = () => {
      const spread = pick(random, [0.01, 0.1, 1, 5]);
      return [near(spread, middle[0]), near(spread, middle[1])];
    };
    const args = Array.from({ length: 500 }, (_, i) => [...place(), `m${i}`]).flat();
    for (const client of [memdb, redis]) await client.command("GEOADD", "g", ...args);
    await pair.same("ZRANGE", "g", 0, -1, "WITHSCORES");
    for (let i = 0; i < 500; i++) {
      await pair.same("GEODIST", "g", `m${i}`, `m${random.below(500)}`, pick(random, ["m", "km", "ft", "mi"]));
    }
    await pair.same("GEOHASH", "g", ...Array.from({ length: 500 }, (_, i) => `m${i}`));
    await pair.same("GEOPOS", "g", ...Array.from({ length: 500 }, (_, i) => `m${i}`));
    for (let i = 0; i < 200; i++) await sameSearch(random, pair, place());
  }));
