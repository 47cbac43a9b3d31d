/**
 * Memory of clients: their buffers, queued commands, watched keys and prefixes. Each connection reports the bytes of
 * its session after a batch of its requests and after its replies leave, so the sums cost nothing to read. maxmemory
 * limits the sums together with the data; maxmemory-clients limits them alone.
 */
import type { Settings } from "../settings/settings.ts";
import type { ClientKind, Session } from "./session.ts";
import type { Watches } from "./watches.ts";

/** Approximate bytes of a session and its connection without buffers. */
const SESSION_BYTES = 1024;
/** Bytes that a session takes for each key that it watches, without the key. */
const WATCHED_KEY_BYTES = 72;
/** The lowest limit in bytes. Below it no client could send the command that raises the limit again. */
const LIMIT_BYTES_MIN = 128 * 1024;

/** Bytes that a session takes, with its buffers. */
export function sessionBytes(session: Session, watches: Watches): number {
  const { subscriber, tracker, transaction, transport } = session;
  let bytes = SESSION_BYTES;
  if (transaction !== undefined) bytes += transaction.bytes;
  if (subscriber !== undefined) bytes += subscriber.bytes;
  if (tracker !== undefined) bytes += tracker.bytes;
  if (transport !== undefined) bytes += transport.queryOwnBytes() + transport.outputRoomBytes();
  if (watches.sessionCount > 0) bytes += watches.countOf(session) * WATCHED_KEY_BYTES;
  return bytes;
}

export class ClientMemory {
  /** Bytes of all sessions by their kind. */
  readonly byKind: Record<ClientKind, number> = { normal: 0, pubsub: 0, replica: 0, master: 0 };
  /** Bytes of all replies that are written but not sent. */
  outputBytes = 0;
  /** The most bytes that evictable sessions may take together; 0 means no limit. */
  limitBytes = 0;
  readonly #sessions: ReadonlyMap<number, Session>;
  readonly #watches: Watches;

  constructor(settings: Settings, sessions: ReadonlyMap<number, Session>, watches: Watches) {
    this.#sessions = sessions;
    this.#watches = watches;
    const configure = () => {
      const { maxmemory, maxmemoryClients } = settings.values;
      // A negative value is a share of maxmemory in percent.
      const bytes = maxmemoryClients < 0 ? Math.floor((maxmemory * -maxmemoryClients) / 100) : maxmemoryClients;
      this.limitBytes = bytes === 0 ? 0 : Math.max(bytes, LIMIT_BYTES_MIN);
    };
    configure();
    settings.onChange("maxmemory-clients", configure);
    settings.onChange("maxmemory", configure);
  }

  /** Bytes that count against maxmemory. Buffers of replicas do not count, as in Redis. */
  get countedBytes(): number {
    const { normal, pubsub, master } = this.byKind;
    return normal + pubsub + master;
  }

  /** Whether the clients take more than maxmemory-clients allows. */
  get exceeded(): boolean {
    return this.limitBytes > 0 && this.byKind.normal + this.byKind.pubsub >= this.limitBytes;
  }

  /** Updates the sums with the current bytes of a session. Hot. */
  update(session: Session): void {
    const bytes = sessionBytes(session, this.#watches), outputBytes = session.transport?.outputBytes() ?? 0;
    const { counted } = session;
    if (bytes === counted.bytes && outputBytes === counted.outputBytes && session.kind === counted.kind) return;
    this.byKind[counted.kind] -= counted.bytes;
    this.byKind[session.kind] += bytes;
    this.outputBytes += outputBytes - counted.outputBytes;
    counted.kind = session.kind;
    counted.bytes = bytes;
    counted.outputBytes = outputBytes;
  }

  /** Removes an ended session from the sums. */
  forget({ counted }: Session): void {
    this.byKind[counted.kind] -= counted.bytes;
    this.outputBytes -= counted.outputBytes;
    counted.bytes = counted.outputBytes = 0;
  }

  /**
   * The sessions to evict, the largest first; without them the clients are within the limit. Sessions with CLIENT
   * NO-EVICT are never evicted; `enough` is false if they alone exceed the limit.
   */
  toEvict(): { sessions: Session[]; enough: boolean } {
    let excess = this.byKind.normal + this.byKind.pubsub - this.limitBytes;
    const sessions: Session[] = [];
    const evictable = [...this.#sessions.values()]
      .filter(({ noEvict, kind }) => !noEvict && (kind === "normal" || kind === "pubsub"))
      .sort((a, b) => b.counted.bytes - a.counted.bytes);
    for (const session of evictable) {
      if (excess < 0) break;
      sessions.push(session);
      excess -= session.counted.bytes;
    }
    return { sessions, enough: excess < 0 };
  }
}
