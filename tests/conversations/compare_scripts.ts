/**
 * Tests that run each script on MemDB and on both released servers.
 */
import { compare, type Mask } from "./conversation.ts";
import type { Scripts } from "./scripts.ts";
import { peerTest, withPeers } from "./servers.ts";

/** Client ids differ between the servers. */
const noIds = (text: string) => text.replace(/\bid=\d+/g, "id=?");

/** One test for each released server; `name` is continued by the server's. */
export function compareScripts(
  name: string,
  scripts: Scripts,
  { programs = ["redis-server", "valkey-server"], settings = {}, mask = (text) => text }: {
    programs?: readonly string[];
    settings?: Record<string, string>;
    mask?: Mask;
  } = {},
): void {
  for (const program of programs) {
    peerTest(`${name} ${program}`, () =>
      withPeers(
        async (ours, theirs) => {
          for (const [title, steps] of Object.entries(scripts)) {
            try {
              await compare(ours, theirs, steps, (text) => mask(noIds(text)));
              for (const client of new Set(steps.map(([client]) => client))) await compare(ours, theirs, [[client]]);
              await compare(ours, theirs, [["end", "FLUSHALL ASYNC", "DBSIZE"], ["end"]]);
            } catch (error) {
              throw new Error(`${title}: ${(error as Error).message}`, { cause: error });
            }
          }
        },
        program,
        settings,
      ), program);
  }
}
