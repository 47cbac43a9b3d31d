/**
 * Random schedules of waiting, subscribed, watching and tracking clients: the same on MemDB and on redis-server.
 * `deno task test:conversations --minutes 10` runs others.
 */
import { runInterleaving } from "./interleavings.ts";
import { peerTest } from "./servers.ts";

const STEPS = 100;

for (const seed of [1, 2, 3, 4]) {
  peerTest(
    `clients receive in the random schedule ${seed} what they receive from redis-server`,
    () => runInterleaving(seed, STEPS),
  );
}
