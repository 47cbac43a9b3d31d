/**
 * Commands about the append-only file: BGREWRITEAOF. The rewriting itself is in src/aof.
 */
import { fail } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";

export const persistenceCommands: readonly CommandSpec[] = [{
  name: "bgrewriteaof",
  summary: "Writes the append-only file anew, as short as the data allows, while the server goes on.",
  since: "1.0.0",
  group: "server",
  complexity: "O(1); the N keys are written in slices afterwards.",
  arity: 1,
  flags: ["admin", "noscript", "no_async_loading"],
  syntax: "",
  handler: rewriteAof,
}];

function rewriteAof({ engine, reply }: Call): void {
  if (engine.persistence.rewriting) fail("ERR Background append only file rewriting already in progress");
  if (engine.rewriteAof === undefined) {
    fail("ERR Can't execute an AOF background rewriting. Please check the server logs");
  }
  void engine.rewriteAof();
  reply.simple("Background append only file rewriting started");
}
