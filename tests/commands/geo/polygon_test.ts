/** GEOSEARCH and GEOSEARCHSTORE with BYPOLYGON, which only Valkey has, compared with Valkey. */
import { assertEquals } from "@std/assert";
import { decode } from "../../helpers/decode.ts";
import { pick, property } from "../../helpers/property.ts";
import { valkeyDifferential } from "../../helpers/redis.ts";
import { withServer } from "../../helpers/server.ts";

const PLACES = "13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.496366 41.902782 Rome " +
  "2.3522219 48.856614 Paris -0.1276474 51.5072178 London";
const AROUND_SICILY = "10 35 20 35 14 43", WEST_OF_ROME = "-10 30 -10 60 12 60 12 30";

valkeyDifferential(
  "BYPOLYGON finds what it finds in Valkey, with every option and every error",
  (pair) =>
    pair.sameLines(`
    GEOADD g ${PLACES}
    GEOSEARCH g BYPOLYGON 3 ${AROUND_SICILY} ASC WITHDIST WITHHASH
    GEOSEARCH g BYPOLYGON 3 ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON 4 ${WEST_OF_ROME} DESC WITHDIST
    GEOSEARCH g BYPOLYGON 4 ${WEST_OF_ROME} COUNT 1
    GEOSEARCH g BYPOLYGON 4 ${WEST_OF_ROME} COUNT 1 ANY
    GEOSEARCH g BYPOLYGON 4 ${WEST_OF_ROME} ANY
    GEOSEARCH g ASC BYPOLYGON 4 ${WEST_OF_ROME} BYPOLYGON 3 ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON 2 ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON 4 ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON x ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON 4294967299 ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON -1 ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON 3 10 35 20 95 14 43
    GEOSEARCH g BYPOLYGON 3 10 35 20 x 14 43
    GEOSEARCH g BYPOLYGON 3 10 35 20 35 14
    GEOSEARCH g BYPOLYGON 3 ${AROUND_SICILY} FROMMEMBER Rome
    GEOSEARCH g FROMMEMBER Rome BYPOLYGON 3 ${AROUND_SICILY}
    GEOSEARCH g FROMLONLAT 1 1 BYPOLYGON 3 ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON 3 ${AROUND_SICILY} BYRADIUS 1 m
    GEOSEARCH g BYPOLYGON 3 ${AROUND_SICILY} BYBOX 1 1 m
    GEOSEARCH g BYRADIUS 1 m BYPOLYGON 3 ${AROUND_SICILY}
    GEOSEARCH g BYPOLYGON 3 1 1 1 1 1 1
    GEOSEARCH missing BYPOLYGON 3 ${AROUND_SICILY}
    GEOSEARCHSTORE d g BYPOLYGON 3 ${AROUND_SICILY}
    ZRANGE d 0 -1 WITHSCORES
    GEOSEARCHSTORE d g BYPOLYGON 3 ${AROUND_SICILY} STOREDIST
    ZRANGE d 0 -1
    GEOSEARCHSTORE d g BYPOLYGON 3 ${AROUND_SICILY} WITHDIST
    GEOSEARCHSTORE d g BYPOLYGON 3 1 1 1 1 1 1
    EXISTS d
    GEORADIUS g 1 1 1 m BYPOLYGON 3 ${AROUND_SICILY}
  `),
);

valkeyDifferential(
  "random polygons contain the members that they contain in Valkey",
  (pair) =>
    property(3, async (random) => {
      const within = (low: number, high: number) => low + (high - low) * random.below(2 ** 30) / 2 ** 30;
      await pair.same("FLUSHALL");
      const members = Array.from({ length: 400 }, (_, i) => [within(5, 25), within(30, 50), `m${i}`]);
      await pair.same("GEOADD", "g", ...members.flat());
      for (let i = 0; i < 100; i++) {
        const count = 3 + random.below(8);
        const vertices = Array.from({ length: count }, () => [within(5, 25), within(30, 50)]).flat();
        const options = pick(random, [["ASC"], ["DESC", "WITHDIST"], ["COUNT", 7], ["ASC", "WITHHASH", "COUNT", 50]]);
        await pair.same("GEOSEARCH", "g", "BYPOLYGON", count, ...vertices, ...options);
      }
    }),
);

Deno.test("a polygon around the whole map contains every member, where Valkey misses some", () =>
  withServer(async (client) => {
    await client.run(`GEOADD g ${PLACES}`);
    const found = await client.run("GEOSEARCH g BYPOLYGON 4 -180 -85 -180 85 180 85 180 -85 ASC");
    assertEquals((decode(found) as string[]).toSorted(), ["Catania", "London", "Palermo", "Paris", "Rome"]);
  }));
