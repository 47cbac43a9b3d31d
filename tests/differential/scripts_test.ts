/** The scripts in scripts/ on MemDB and on Redis; those of Valkey's commands, whose names say so, on Valkey. */
import { testUnless } from "../helpers/programs.ts";
import { describe, duel } from "./duel.ts";
import { readScripts } from "./scripts.ts";
import { noPeer, Servers } from "./servers.ts";

for (const { name, commands } of readScripts()) {
  const peer = name.startsWith("valkey") ? "valkey-server" : "redis-server";
  testUnless(noPeer(peer), `the commands of ${name} get the replies that ${peer} gives`, async () => {
    await using servers = await Servers.start(peer);
    for (const protocol of [2, 3] as const) {
      const difference = await duel(servers, protocol, commands);
      if (difference !== undefined) throw new Error(describe(difference, protocol));
    }
  });
}
