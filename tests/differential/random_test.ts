/**
 * Random commands on MemDB and on the released servers, for some seconds: under each personality against its server.
 * `deno task test:differential` runs the same for any time.
 */
import { PERSONALITIES } from "../../src/core/personality.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { testUnless } from "../helpers/programs.ts";
import { describe, duel, type Protocol } from "./duel.ts";
import { Generator } from "./generate.ts";
import { noOracle, Servers } from "./servers.ts";
import { streamCommands } from "./streams.ts";

const ROUNDS = 60;
const COMMANDS = 150;

for (const personality of PERSONALITIES) {
  const generator = new Generator(personality);

  const duels = (name: string, protocol: Protocol, commands: (random: SeededRandom) => string[][]) => {
    testUnless(noOracle(personality), name, async () => {
      await using servers = await Servers.start(personality);
      const first = Number(Deno.env.get("MEMDB_TEST_BASE") ?? Math.floor(Math.random() * 1e9));
      for (let seed = first; seed < first + ROUNDS; seed++) {
        const difference = await duel(servers, protocol, commands(new SeededRandom(seed)));
        if (difference !== undefined) throw new Error(`seed ${seed}, ${describe(difference, protocol)}`);
      }
    });
  };

  for (const protocol of [2, 3] as const) {
    duels(
      `random commands get the replies that ${personality}-server gives, in RESP${protocol}`,
      protocol,
      (random) => generator.commands(random, COMMANDS),
    );
  }

  duels(
    `random commands change watched keys where they do in ${personality}-server`,
    3,
    (random) => generator.watchedCommands(random, COMMANDS),
  );

  for (const protocol of [2, 3] as const) {
    duels(
      `random commands in scripts do what they do in ${personality}-server, in RESP${protocol}`,
      protocol,
      (random) => generator.calledCommands(random, COMMANDS),
    );
    if (personality === "redis") {
      duels(
        `random commands on streams and groups get the replies that Redis gives, in RESP${protocol}`,
        protocol,
        (random) => streamCommands(random, COMMANDS),
      );
    }
  }
}
