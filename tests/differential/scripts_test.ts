/** The scripts in scripts/ on MemDB and on Redis. */
import { describe, duel } from "./duel.ts";
import { readScripts } from "./scripts.ts";
import { available, Servers } from "./servers.ts";

for (const { name, commands } of readScripts()) {
  const title = `the commands of ${name} get the replies that Redis gives`;
  Deno.test({
    name: available ? title : `${title} (skipped: no redis-server on the PATH)`,
    ignore: !available,
    fn: async () => {
      await using servers = await Servers.start();
      for (const protocol of [2, 3] as const) {
        const difference = await duel(servers, protocol, commands);
        if (difference !== undefined) throw new Error(describe(difference, protocol));
      }
    },
  });
}
