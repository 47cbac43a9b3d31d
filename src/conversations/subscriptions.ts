/**
 * Publish and subscribe: which sessions have subscribed to which channels, patterns and shard channels, and the
 * delivery of messages. A message is encoded once for each protocol version. A session receives it between replies; the
 * publishing session receives it after the reply to its command.
 *
 * Names are latin1 text, one character per byte. Most channels have one subscriber and need no set.
 */
import { fromLatin1, latin1, utf8 } from "../core/bytes.ts";
import { globMatch } from "../core/glob.ts";
import type { Engine } from "../engine/engine.ts";
import type { SharedBytes } from "../resp/shared_bytes.ts";
import { Session } from "../engine/session.ts";
import { type NameKind, Subscriber } from "../engine/subscriber.ts";

const MESSAGE = utf8("message"), PATTERN_MESSAGE = utf8("pmessage"), SHARD_MESSAGE = utf8("smessage");

/** The subscribers of one name. */
type Subscribers = Session | Set<Session>;

/** The names of one kind, with their subscribers. */
class Directory {
  readonly #subscribers = new Map<string, Subscribers>();

  get size(): number {
    return this.#subscribers.size;
  }

  names(): Iterable<string> {
    return this.#subscribers.keys();
  }

  get(name: string): Subscribers | undefined {
    return this.#subscribers.get(name);
  }

  count(name: string): number {
    const found = this.#subscribers.get(name);
    return found === undefined ? 0 : found instanceof Session ? 1 : found.size;
  }

  add(name: string, session: Session): void {
    const found = this.#subscribers.get(name);
    if (found === undefined) this.#subscribers.set(name, session);
    else if (found instanceof Session) this.#subscribers.set(name, new Set([found, session]));
    else found.add(session);
  }

  delete(name: string, session: Session): void {
    const found = this.#subscribers.get(name);
    if (found instanceof Set) {
      found.delete(session);
      if (found.size > 0) return;
    }
    this.#subscribers.delete(name);
  }
}

export class Subscriptions {
  readonly #engine: Engine;
  readonly #directories: Readonly<Record<NameKind, Directory>> = {
    channel: new Directory(),
    pattern: new Directory(),
    shard: new Directory(),
  };
  /** The bytes of the patterns, by their latin1 text. */
  readonly #patterns = new Map<string, Uint8Array>();

  constructor(engine: Engine) {
    this.#engine = engine;
    const forget = (session: Session) => this.forget(session);
    engine.listeners.sessions.add({ reset: forget, ended: forget });
  }

  /** Number of distinct names of a kind that have subscribers. */
  count(kind: NameKind): number {
    return this.#directories[kind].size;
  }

  /** The names of a kind that have subscribers. */
  names(kind: NameKind): Iterable<string> {
    return this.#directories[kind].names();
  }

  /** Number of sessions that have subscribed to a name. */
  subscriberCount(kind: NameKind, name: string): number {
    return this.#directories[kind].count(name);
  }

  /** Subscribes a session to a name; no effect if it is subscribed already. */
  subscribe(session: Session, kind: NameKind, name: string): void {
    const subscriber = session.subscriber ??= new Subscriber();
    session.kind = "pubsub";
    if (!subscriber.add(kind, name)) return;
    this.#directories[kind].add(name, session);
    if (kind === "pattern" && !this.#patterns.has(name)) this.#patterns.set(name, fromLatin1(name));
  }

  /** Ends a subscription; no effect if there is none. */
  unsubscribe(session: Session, kind: NameKind, name: string): void {
    const { subscriber } = session;
    if (subscriber === undefined || !subscriber.delete(kind, name)) return;
    const directory = this.#directories[kind];
    directory.delete(name, session);
    if (kind === "pattern" && directory.count(name) === 0) this.#patterns.delete(name);
    if (!subscriber.empty) return;
    session.subscriber = undefined;
    session.kind = "normal";
  }

  /** Ends all subscriptions of a session without sending messages. */
  forget(session: Session): void {
    for (const kind of ["channel", "pattern", "shard"] as const) {
      for (const name of session.subscriber?.names(kind) ?? []) this.unsubscribe(session, kind, name);
    }
  }

  /**
   * Sends a message to the subscribers of a channel, then to those of matching patterns. Returns the number of messages
   * sent.
   */
  publish(channel: Uint8Array, message: Uint8Array): number {
    const { channel: channels, pattern: patterns } = this.#directories;
    let count = 0;
    if (channels.size > 0) count = this.#send(channels.get(latin1(channel)), [MESSAGE, channel, message]);
    for (const [text, pattern] of this.#patterns) {
      if (!globMatch(pattern, 0, pattern.length, channel, 0, channel.length, false)) continue;
      count += this.#send(patterns.get(text), [PATTERN_MESSAGE, pattern, channel, message]);
    }
    return count;
  }

  /** Sends a message to the subscribers of a shard channel. */
  publishToShard(channel: Uint8Array, message: Uint8Array): number {
    return this.#send(this.#directories.shard.get(latin1(channel)), [SHARD_MESSAGE, channel, message]);
  }

  #send(subscribers: Subscribers | undefined, parts: readonly Uint8Array[]): number {
    if (subscribers === undefined) return 0;
    const engine = this.#engine;
    if (subscribers instanceof Session) {
      const shared = engine.sharedBytes(subscribers);
      shared.encode(parts);
      engine.share(subscribers, shared);
      return 1;
    }
    let resp2: SharedBytes | undefined, resp3: SharedBytes | undefined, count = 0;
    // A session that is disconnected while it receives the message leaves the set.
    for (const session of subscribers) {
      let shared = session.reply.version === 3 ? resp3 : resp2;
      if (shared === undefined) {
        shared = engine.sharedBytes(session);
        shared.encode(parts);
        if (session.reply.version === 3) resp3 = shared;
        else resp2 = shared;
      }
      engine.share(session, shared);
      count++;
    }
    return count;
  }
}
