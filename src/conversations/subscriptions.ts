/**
 * Publish and subscribe: which sessions have subscribed to which channels, patterns and shard channels, and the
 * delivery of messages. A message is encoded once for each protocol version. A session receives it between replies; the
 * publishing session receives it after the reply to its command.
 *
 * Names are latin1 text, one character per byte. Most channels have one subscriber and need no set.
 */
import { bytesEqual, fromLatin1, latin1, NO_BYTES, utf8 } from "../core/bytes.ts";
import { globMatch } from "../core/glob.ts";
import type { Engine } from "../engine/engine.ts";
import type { SharedBytes } from "../resp/shared_bytes.ts";
import { Session } from "../engine/session.ts";
import { type NameKind, Subscriber } from "../engine/subscriber.ts";

const MESSAGE = utf8("message"), PATTERN_MESSAGE = utf8("pmessage"), SHARD_MESSAGE = utf8("smessage");

/** The subscribers of one name. */
type Subscribers = Session | Set<Session>;

/** The bytes `bytes[start, end)`. */
interface Bytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** A message to the subscribers of a channel. */
export interface Message {
  readonly channel: Bytes;
  readonly payload: Bytes;
}

/** The names of one kind, with their subscribers. */
class Directory {
  readonly #subscribers = new Map<string, Subscribers>();
  /** The name that was looked for last, in both forms: messages often go to one channel again and again. */
  #recent: Uint8Array = NO_BYTES;
  #recentText = "";

  get size(): number {
    return this.#subscribers.size;
  }

  names(): Iterable<string> {
    return this.#subscribers.keys();
  }

  get(name: string): Subscribers | undefined {
    return this.#subscribers.get(name);
  }

  /** The subscribers of the name `bytes[start, end)`. Hot. */
  find(bytes: Uint8Array, start: number, end: number): Subscribers | undefined {
    if (!bytesEqual(bytes, start, end, this.#recent, 0, this.#recent.length)) {
      this.#recent = bytes.slice(start, end);
      this.#recentText = latin1(this.#recent);
    }
    return this.#subscribers.get(this.#recentText);
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

/** Encodes a message with its kind and, for PATTERN_MESSAGE, the pattern that its channel matches. */
function encode(shared: SharedBytes, kind: Uint8Array, { channel, payload }: Message, pattern: Uint8Array): void {
  const bytes = kind.length + pattern.length + channel.end - channel.start + payload.end - payload.start;
  shared.begin(kind === PATTERN_MESSAGE ? 4 : 3, bytes);
  shared.add(kind);
  if (kind === PATTERN_MESSAGE) shared.add(pattern);
  shared.add(channel.bytes, channel.start, channel.end);
  shared.add(payload.bytes, payload.start, payload.end);
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
  publish(message: Message): number {
    const { channel: channels, pattern: patterns } = this.#directories;
    const { bytes, start, end } = message.channel;
    let count = 0;
    if (channels.size > 0) count = this.#send(channels.find(bytes, start, end), MESSAGE, message);
    for (const [text, pattern] of this.#patterns) {
      if (!globMatch(pattern, 0, pattern.length, bytes, start, end, false)) continue;
      count += this.#send(patterns.get(text), PATTERN_MESSAGE, message, pattern);
    }
    return count;
  }

  /** Sends a message to the subscribers of a shard channel. */
  publishToShard(message: Message): number {
    const { bytes, start, end } = message.channel;
    return this.#send(this.#directories.shard.find(bytes, start, end), SHARD_MESSAGE, message);
  }

  #send(
    subscribers: Subscribers | undefined,
    kind: Uint8Array,
    message: Message,
    pattern: Uint8Array = NO_BYTES,
  ): number {
    if (subscribers === undefined) return 0;
    const engine = this.#engine;
    if (subscribers instanceof Session) {
      const shared = engine.sharedBytes(subscribers);
      encode(shared, kind, message, pattern);
      engine.share(subscribers, shared);
      return 1;
    }
    let resp2: SharedBytes | undefined, resp3: SharedBytes | undefined, count = 0;
    // A session that is disconnected while it receives the message leaves the set.
    for (const session of subscribers) {
      let shared = session.reply.version === 3 ? resp3 : resp2;
      if (shared === undefined) {
        shared = engine.sharedBytes(session);
        encode(shared, kind, message, pattern);
        if (session.reply.version === 3) resp3 = shared;
        else resp2 = shared;
      }
      engine.share(session, shared);
      count++;
    }
    return count;
  }
}
