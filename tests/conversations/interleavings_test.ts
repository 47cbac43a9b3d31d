/**
 * Random schedules of waiting, subscribed, watching and tracking clients: the same on MemDB and on redis-server.
 * `deno task test:conversations --minutes 10` runs more of them.
 */
import { property } from "../helpers/property.ts";
import { runInterleaving } from "./interleavings.ts";
import { peerTest } from "./servers.ts";

const SEEDS = 4, STEPS = 100;

peerTest(
  "clients receive in random schedules what they receive from redis-server",
  () => property(SEEDS, (_, seed) => runInterleaving(seed, STEPS)),
);
