/**
 * The log of refusals by permissions and of failed authentications: ACL LOG. Similar events within a minute share one
 * entry. The newest entry is first.
 */
import type { Engine } from "./engine.ts";
import { clientLine } from "./client_line.ts";
import type { Session } from "./session.ts";

export type DenialReason = "auth" | "command" | "database" | "key" | "channel";
export type DenialContext = "toplevel" | "multi" | "lua" | "module";

/** An event. Texts are latin1. */
export interface Denied {
  readonly reason: DenialReason;
  readonly context: DenialContext;
  /** The command, key or channel. */
  readonly object: string;
  readonly user: string;
}

export interface AclLogEntry extends Denied {
  readonly id: number;
  count: number;
  readonly createdMs: number;
  updatedMs: number;
  /** The line of CLIENT LIST of the latest client. */
  client: string;
}

const GROUPED_MS = 60_000;
/** A new event is compared with this number of entries. */
const COMPARED = 10;

export class AclLog {
  readonly #engine: Engine;
  readonly entries: AclLogEntry[] = [];
  #nextId = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Counts an event of a session and adds it to the log. */
  add(session: Session, event: Denied): void {
    const { settings, stats, store: { nowMs } } = this.#engine, { entries } = this;
    stats.denied[event.reason]++;
    const lengthMax = settings.values.acllogMaxLen;
    if (lengthMax === 0) {
      entries.length = 0;
      return;
    }
    const client = clientLine(session.caller ?? session, this.#engine, 0);
    const at = entries.slice(0, COMPARED).findIndex((entry) =>
      entry.reason === event.reason && entry.context === event.context && entry.object === event.object &&
      entry.user === event.user && Math.abs(nowMs - entry.updatedMs) <= GROUPED_MS
    );
    if (at >= 0) {
      const [entry] = entries.splice(at, 1);
      entry.count++;
      entry.updatedMs = nowMs;
      entry.client = client;
      entries.unshift(entry);
      return;
    }
    entries.unshift({ ...event, id: this.#nextId++, count: 1, createdMs: nowMs, updatedMs: nowMs, client });
    if (entries.length > lengthMax) entries.length = lengthMax;
  }
}
