/**
 * Scripts where no other client can be served while they run, as with the sockets of Deno.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Call } from "../../src/dispatch/call.ts";
import { Session } from "../../src/engine/session.ts";
import { Reply } from "../../src/resp/reply.ts";
import { Request } from "../../src/resp/request.ts";
import { Settings } from "../../src/settings/settings.ts";
import { createDetachedEngine } from "../../src/tools/detached.ts";

function evaluate(script: string): string {
  const settings = new Settings();
  settings.change([["busy-reply-threshold", "1"]], true);
  const { engine, executor } = createDetachedEngine(settings);
  const reply = new Reply(), call = new Call(engine, new Session(1, reply, 0), executor);
  executor.readClock();
  executor.execute(call, Request.of(["EVAL", script, "0"].map((word) => new TextEncoder().encode(word))));
  return new TextDecoder().decode(reply.copySince(0));
}

Deno.test("a script that never ends and has not written ends by itself where no client can kill it", () => {
  const caught = "while true do pcall(function() while true do end end) end";
  for (const script of ["while true do end", caught]) {
    assertMatch(evaluate(script), /^-ERR Script ended, because it ran for long and no client can be served meanwhile/);
  }
});

Deno.test("a script that has written goes on, so that nothing is half done", () => {
  const script =
    "redis.call('SET', 'a', 'b') local from = os.clock() while os.clock() < from + 0.1 do end return 'done'";
  assertEquals(evaluate(script), "$4\r\ndone\r\n");
});
