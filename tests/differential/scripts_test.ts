/** The scripts in scripts/ on MemDB and on Redis; those of Valkey's commands, whose names say so, on Valkey. */
import { testUnless } from "../helpers/programs.ts";
import { describe, duel } from "./duel.ts";
import { readScripts } from "./scripts.ts";
import { noOracle, Servers } from "./servers.ts";

for (const { name, commands } of readScripts()) {
  const personality = name.startsWith("valkey") ? "valkey" : "redis";
  testUnless(
    noOracle(personality),
    `the commands of ${name} get the replies that ${personality}-server gives`,
    async () => {
      await using servers = await Servers.start(personality);
      for (const protocol of [2, 3] as const) {
        const difference = await duel(servers, protocol, commands);
        if (difference !== undefined) throw new Error(describe(difference, protocol));
      }
    },
  );
}
