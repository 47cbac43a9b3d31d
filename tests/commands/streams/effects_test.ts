/** Random commands on streams and groups: the log that they leave leads to the same data. */
import { streamCommands } from "../../differential/streams.ts";
import { encodeRequest } from "../../helpers/client.ts";
import { property } from "../../helpers/property.ts";
import { withServer } from "../../helpers/server.ts";

const COMMANDS = 120;

Deno.test("the log of random commands on streams leads to the same streams", () =>
  property(12, (random) =>
    withServer(async (client, { clock }) => {
      for (const words of streamCommands(random, COMMANDS)) {
        await client.send(encodeRequest(words));
        await client.receive();
        clock.advance(random.below(3));
      }
    })));
