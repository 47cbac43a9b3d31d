/**
 * A session: who speaks. Not a socket: replay, scripts and the embedding API have sessions too. It carries what a
 * client has told about itself and chosen, and the reply writer.
 */
import type { Reply } from "../resp/reply.ts";
import { ExpiryMode } from "../store/keyspace.ts";
import type { Transaction } from "./transaction.ts";
import type { Subscriber } from "./subscriber.ts";
import { DEFAULT_USER, type User } from "./user.ts";

/** How a session reaches its client; a session without a socket has none. */
export interface Transport {
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  /** Bytes of requests that wait, room in the request buffer, bytes of replies not yet sent. */
  queryBytes(): number;
  queryRoomBytes(): number;
  /** Room in the request buffer, 0 while it is the one that all connections share. */
  queryOwnBytes(): number;
  outputBytes(): number;
  /** Bytes of the chunks that hold these replies. */
  outputRoomBytes(): number;
  /** Ends the connection at once, or when all replies are sent. */
  close(afterReplies: boolean): void;
  /** Tells that a reply to a suspended request follows. */
  answering(): void;
  /** Lets the requests that waited behind a suspended one run, when the turn ends. */
  resume(): void;
  /** Sends what the reply writer holds although no request is running: pushes, MONITOR. */
  wake(): void;
  /**
   * Ends the connection if its unsent replies exceed client-output-buffer-limit: false if it has ended. Holds its
   * requests back if very many bytes are unsent.
   */
  checkOutput(): boolean;
  /** Tells the parser whether the client is let in: before that, requests must be small. */
  trust(trusted: boolean): void;
}

/**
 * Where the requests of a session come from. It decides whether a command may be refused while a file loads, what
 * happens to expired keys, and whether a command may block.
 */
export type Origin = "client" | "replay" | "primary" | "script" | "embedded" | "console";

/** The mode of expiry for each origin: a log or a primary says itself what expired. */
const EXPIRY_MODES: Readonly<Record<Origin, ExpiryMode>> = {
  client: ExpiryMode.DELETE,
  replay: ExpiryMode.KEEP,
  primary: ExpiryMode.KEEP,
  script: ExpiryMode.DELETE,
  embedded: ExpiryMode.DELETE,
  console: ExpiryMode.DELETE,
};

/** What a suspended session waits for. Each of these ends the wait; the session is then no longer suspended. */
export interface Suspension {
  /** The request itself runs again when the wait ends; otherwise it has been answered. */
  readonly again: boolean;
  /** The session has ended. */
  end(): void;
  /** Answers as if time had run out. False if this kind of wait knows no such answer; it then goes on. */
  timeOut(): boolean;
  /** Answers with an error, likewise. */
  fail(message: string): boolean;
}

export type ClientKind = "normal" | "pubsub" | "replica" | "master";

export class Session {
  readonly id: number;
  readonly reply: Reply;
  readonly transport: Transport | undefined;
  readonly origin: Origin;
  readonly expiryMode: ExpiryMode;
  /** Index of the selected database. */
  db = 0;
  user: User = DEFAULT_USER;
  authenticated = true;
  name = "";
  libName = "";
  libVersion = "";
  readonly createdMs: number;
  lastActiveMs: number;
  lastCommand: { readonly fullName: string } | undefined;
  /** CLIENT REPLY: replies are dropped while off; skip drops one. */
  replyMode: "on" | "off" | "skip" | "skip-next" = "on";
  /** Between MULTI and EXEC: what was queued. */
  transaction: Transaction | undefined;
  noEvict = false;
  noTouch = false;
  monitoring = false;
  /** Its subscriptions; undefined while it has none. */
  subscriber: Subscriber | undefined;
  kind: ClientKind = "normal";
  /** A request since the last reply that was sent has changed something that is logged. */
  wrote = false;
  /** No further request is run; the connection ends when the replies are sent. */
  closing = false;
  /** No further request is run before more of the replies are sent. */
  held = false;
  /** The bytes of this session as the sums of ClientMemory contain them, and the kind that they are counted for. */
  readonly counted: { kind: ClientKind; bytes: number; outputBytes: number } = {
    kind: "normal",
    bytes: 0,
    outputBytes: 0,
  };
  commandCount = 0;
  bytesIn = 0;
  bytesOut = 0;

  /** Pushes that wait for the end of the running command, so that none lands inside a reply. */
  #outbox: Uint8Array[] | undefined;
  /** The running command waits: no further request of the session is run until it has been answered. */
  suspension: Suspension | undefined;

  constructor(id: number, reply: Reply, nowMs: number, origin: Origin = "embedded", transport?: Transport) {
    this.id = id;
    this.reply = reply;
    this.origin = origin;
    this.expiryMode = EXPIRY_MODES[origin];
    this.transport = transport;
    this.createdMs = nowMs;
    this.lastActiveMs = nowMs;
  }

  /**
   * Sends a message outside of replies. While a command of this session runs (`running`) the message waits until the
   * reply is whole. The bytes must not change afterwards; one message may go to many sessions.
   */
  push(message: Uint8Array, running: boolean): void {
    if (running) {
      (this.#outbox ??= []).push(message);
      return;
    }
    if (this.closing) return;
    const { reply, transport } = this;
    reply.raw(message, 0, message.length);
    transport?.wake();
    // Very many messages count against the limit at once, not only at the end of the turn.
    if (!reply.single) transport?.checkOutput();
  }

  /** Whether pushes wait. Hot code asks before it calls `flushOutbox`. */
  get hasPushes(): boolean {
    return this.#outbox !== undefined;
  }

  /** Sends the pushes that have waited for the end of a command. */
  flushOutbox(): void {
    const messages = this.#outbox ?? [];
    this.#outbox = undefined;
    for (const message of messages) this.push(message, false);
  }

  /** Whether the client is on this machine, or is no client at all: what "local" means in settings. */
  get local(): boolean {
    return this.transport === undefined || this.transport.unix ||
      /^(127\.|\[?::1\]?:|\[?::ffff:127\.)/.test(this.transport.remote);
  }
}
