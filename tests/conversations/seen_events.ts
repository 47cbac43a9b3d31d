/**
 * The keyspace events that the scripts of the differential tests cause. The table of docs/notifications.md is made of
 * them.
 */
import { ManualClock } from "../../src/core/clock.ts";
import { commandTable } from "../../src/commands/table.ts";
import { Call } from "../../src/dispatch/call.ts";
import { Executor } from "../../src/dispatch/executor.ts";
import { ExpiryState, runExpiryCycle } from "../../src/engine/expiry.ts";
import { Notify, type NotifyClass } from "../../src/engine/listeners.ts";
import { Session } from "../../src/engine/session.ts";
import { RequestParser } from "../../src/resp/parser.ts";
import { Reply } from "../../src/resp/reply.ts";
import { readScripts } from "../differential/scripts.ts";
import { encodeRequest } from "../helpers/client.ts";
import { createEngine } from "../helpers/engine.ts";

/** The causes by event, the events by class. A cause is the name of a command, or words for what happens without one. */
export type SeenEvents = ReadonlyMap<NotifyClass, ReadonlyMap<string, ReadonlySet<string>>>;

/** Scripts whose commands observe or change the server. */
const OTHER_SCRIPTS = /^(connection|server)/;
/** The causes of events that no command announces itself. */
const WITHOUT_COMMAND: Readonly<Record<string, string>> = {
  expired: "the deadline of a key",
  hexpired: "the deadline of a field",
  evicted: "maxmemory",
};
/** Runs the commands in an engine without a server. */
export function seenEvents(): SeenEvents {
  const clock = new ManualClock(Date.UTC(2026, 0, 1)), engine = createEngine(clock);
  const executor = new Executor(engine, commandTable), parser = new RequestParser();
  const session = new Session(1, new Reply(), clock.nowMs());
  const call = new Call(engine, session, executor);
  const seen = new Map<NotifyClass, Map<string, Set<string>>>(Object.values(Notify).map((kind) => [kind, new Map()]));
  engine.listeners.keyEvent.add((_, kind, event) => {
    // Scripts cause the events of their commands.
    if (session.lastCommand?.fullName.startsWith("eval")) return;
    const causes = seen.get(kind)!.get(event) ?? new Set();
    seen.get(kind)!.set(event, causes.add(WITHOUT_COMMAND[event] ?? nameOf(session.lastCommand?.fullName ?? "")));
  });
  const run = (words: readonly string[]) => {
    const bytes = encodeRequest(words);
    parser.borrow(bytes, bytes.length);
    executor.run(call, parser);
    parser.giveBack();
    session.reply.clear();
  };
  for (const { name, commands } of readScripts()) {
    if (OTHER_SCRIPTS.test(name)) continue;
    for (const command of [...commands, ["RESET"], ["FLUSHALL"]]) run(command);
  }
  run(["HSET", "h", "f", "v", "g", "v"]);
  run(["HPEXPIRE", "h", "10", "FIELDS", "1", "f"]);
  run(["SET", "k", "v", "PX", "10"]);
  clock.advance(20);
  executor.readClock();
  runExpiryCycle(engine, new ExpiryState());
  engine.settings.set("maxmemory-policy", "allkeys-random");
  engine.settings.set("maxmemory", "1");
  run(["SET", "last", "v"]);
  return seen;
}

function nameOf(fullName: string): string {
  return fullName.toUpperCase().replace("|", " ");
}
