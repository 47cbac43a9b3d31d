/** Random commands of random users: what ACL DRYRUN and the real call say is what they say in Redis. */
import { SeededRandom } from "../../src/core/random.ts";
import { testUnless } from "../helpers/programs.ts";
import { describe, duel } from "./duel.ts";
import { noOracle, Servers } from "./servers.ts";
import { userCommands } from "./users.ts";

const ROUNDS = 30, COMMANDS = 80;

testUnless(
  noOracle("redis"),
  "random commands of random users are permitted where they are in Redis",
  async () => {
    await using servers = await Servers.start("redis");
    const first = Number(Deno.env.get("MEMDB_TEST_BASE") ?? Math.floor(Math.random() * 1e9));
    for (let seed = first; seed < first + ROUNDS; seed++) {
      const difference = await duel(servers, 3, userCommands(new SeededRandom(seed), COMMANDS));
      if (difference !== undefined) throw new Error(`seed ${seed}, ${describe(difference, 3)}`);
    }
  },
);
