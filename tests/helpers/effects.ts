/**
 * The logged commands and announced events of an engine, as text, for tests.
 */
import type { Engine } from "../../src/engine/engine.ts";
import { latin1 } from "./client.ts";

/** The words of commands in RESP, one command per line. */
function wordsOf(resp: string): string {
  const parts = resp.split("\r\n");
  return parts.filter((_, i) => i > 0 && i % 2 === 0).join(" ");
}

/** Collects the commands logged from now on, as `db: command`. */
export function recordEffects(engine: Engine): string[] {
  const logged: string[] = [];
  engine.effects.listen({
    effect: (db, bytes, start, end) => logged.push(`${db}: ${wordsOf(latin1(bytes.subarray(start, end)))}`),
  });
  return logged;
}

/** Classes of events that are recorded only on request. As in Redis, "A" does not include them. */
const ON_REQUEST = "nmoc";

/** Collects the key events from now on, as `db: class event key`, including those of the classes `more`. */
export function recordEvents(engine: Engine, more = ""): string[] {
  const events: string[] = [];
  engine.listeners.keyEvent.add((db, kind, event, bytes, start, end) => {
    if (ON_REQUEST.includes(kind) && !more.includes(kind)) return;
    events.push(`${db.index}: ${kind} ${event} ${latin1(bytes.subarray(start, end))}`);
  });
  return events;
}
