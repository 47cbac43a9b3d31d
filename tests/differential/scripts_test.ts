/** The scripts in scripts/ on MemDB and on Redis. */
import { testUnless } from "../helpers/programs.ts";
import { describe, duel } from "./duel.ts";
import { readScripts } from "./scripts.ts";
import { noOracle, Servers } from "./servers.ts";

for (const { name, commands } of readScripts()) {
  testUnless(noOracle("redis"), `the commands of ${name} get the replies that Redis gives`, async () => {
    await using servers = await Servers.start("redis");
    for (const protocol of [2, 3] as const) {
      const difference = await duel(servers, protocol, commands);
      if (difference !== undefined) throw new Error(describe(difference, protocol));
    }
  });
}
