/**
 * Random commands on MemDB and on Redis or Valkey, for some seconds. `deno task test:differential` runs the same for any time.
 */
import { SeededRandom } from "../../src/core/random.ts";
import { testUnless } from "../helpers/programs.ts";
import type { Peer } from "../helpers/redis.ts";
import { describe, duel, type Protocol } from "./duel.ts";
import { calledCommands, randomCommands, valkeyCommands, watchedCommands } from "./generate.ts";
import { noPeer, Servers } from "./servers.ts";
import { streamCommands } from "./streams.ts";

const ROUNDS = 60;
const COMMANDS = 150;

function duels(
  name: string,
  protocol: Protocol,
  commands: (random: SeededRandom) => string[][],
  peer: Peer = "redis-server",
): void {
  testUnless(noPeer(peer), name, async () => {
    await using servers = await Servers.start(peer);
    const first = Number(Deno.env.get("MEMDB_TEST_BASE") ?? Math.floor(Math.random() * 1e9));
    for (let seed = first; seed < first + ROUNDS; seed++) {
      const difference = await duel(servers, protocol, commands(new SeededRandom(seed)));
      if (difference !== undefined) throw new Error(`seed ${seed}, ${describe(difference, protocol)}`);
    }
  });
}

for (const protocol of [2, 3] as const) {
  duels(
    `random commands get the replies that Redis gives, in RESP${protocol}`,
    protocol,
    (random) => randomCommands(random, COMMANDS),
  );
  duels(
    `random commands on streams and groups get the replies that Redis gives, in RESP${protocol}`,
    protocol,
    (random) => streamCommands(random, COMMANDS),
  );
}

for (const protocol of [2, 3] as const) {
  duels(
    `random commands in scripts do what they do in Redis, in RESP${protocol}`,
    protocol,
    (random) => calledCommands(random, COMMANDS),
  );
}

duels(
  "random commands change watched keys where they do in Redis",
  3,
  (random) => watchedCommands(random, COMMANDS),
);

duels(
  "random commands of Valkey get the replies that Valkey gives",
  3,
  (random) => valkeyCommands(random, COMMANDS),
  "valkey-server",
);
