/**
 * A session: the state of one speaker of the protocol. It is independent of sockets, because replay, scripts and the
 * embedding API also have sessions. It holds the client's name, its choices and the reply writer.
 */
import { CHUNK_BYTES } from "../resp/chunks.ts";
import type { Reply } from "../resp/reply.ts";
import type { Request } from "../resp/request.ts";
import type { SharedBytes } from "../resp/shared_bytes.ts";
import { ExpiryMode } from "../store/keyspace.ts";
import type { Transaction } from "./transaction.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Tracker } from "./tracker.ts";
import { INTERNAL_USER, type User } from "./user.ts";

/** How a session reaches its client; a session without a socket has none. */
export interface Transport {
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  /** Three numbers of bytes: requests that wait, the size of the request buffer, and replies that are not sent yet. */
  queryBytes(): number;
  queryRoomBytes(): number;
  /** Size of the request buffer in bytes; 0 while the connection uses the buffer that all connections share. */
  queryOwnBytes(): number;
  outputBytes(): number;
  /** Size in bytes of the chunks that hold these replies. */
  outputRoomBytes(): number;
  /** Closes the connection, at once or after all replies are sent. */
  close(afterReplies: boolean): void;
  /** Reports that the reply to a suspended request follows. */
  answering(): void;
  /** At the end of the turn, runs the requests that waited behind a suspended one. */
  resume(): void;
  /** Sends the content of the reply writer while no request runs: pushes, MONITOR. */
  wake(): void;
  /**
   * Closes the connection if its unsent replies exceed client-output-buffer-limit, and then returns false. Holds its
   * requests back while too many bytes are unsent.
   */
  checkOutput(): boolean;
  /** Tells the parser whether the client is authenticated. Requests of other clients must be small. */
  trust(trusted: boolean): void;
}

/**
 * The source of a session's requests. It decides whether a command may be refused while a file loads, how expired keys
 * are treated, and whether a command may block.
 */
export type Origin = "client" | "replay" | "primary" | "script" | "embedded" | "console";

/** The expiry mode of each origin. A log or a primary contains the deletions of expired keys itself. */
const EXPIRY_MODES: Readonly<Record<Origin, ExpiryMode>> = {
  client: ExpiryMode.DELETE,
  replay: ExpiryMode.KEEP,
  primary: ExpiryMode.KEEP,
  script: ExpiryMode.DELETE,
  embedded: ExpiryMode.DELETE,
  console: ExpiryMode.DELETE,
};

/** The wait of a suspended session. Each method ends the wait, and the session is then no longer suspended. */
export interface Suspension {
  /** True if the request runs again when the wait ends; false if the wait itself produces the reply. */
  readonly again: boolean;
  /** Ends the wait because the session has ended. */
  end(): void;
  /** Replies as after a timeout. Returns false, and the wait continues, if this kind of wait has no such reply. */
  timeOut(): boolean;
  /** Replies with an error. Returns false, and the wait continues, if this kind of wait has no such reply. */
  fail(message: string): boolean;
}

/** Sees each request of a session before it runs: the embedded server's view of the program under test. */
export interface RequestObserver {
  /**
   * Returns the error to answer instead of running the request, or "". It may also suspend the session, so that the
   * request runs later, or close it.
   */
  request(session: Session, request: Request): string;
}

export type ReplyMode = "on" | "off" | "skip" | "skip-next";

export type ClientKind = "normal" | "pubsub" | "replica" | "master";

export class Session {
  readonly id: number;
  readonly reply: Reply;
  readonly transport: Transport | undefined;
  readonly origin: Origin;
  expiryMode: ExpiryMode;
  /** Index of the selected database. */
  db = 0;
  name = "";
  libName = "";
  libVersion = "";
  /** The session for which the session of a script acts. */
  caller: Session | undefined;
  readonly createdMs: number;
  lastActiveMs: number;
  lastCommand: { readonly fullName: string } | undefined;
  noEvict = false;
  noTouch = false;
  /** The client copies another server's data here: CLIENT IMPORT-SOURCE. */
  importSource = false;
  /** What the client says that it can do, one letter each: CLIENT CAPA. */
  capabilities = "";
  /** The subscriptions of the session; undefined while it has none. */
  subscriber: Subscriber | undefined;
  /** The client-side caching of the session; undefined before its first CLIENT TRACKING ON. */
  tracker: Tracker | undefined;
  /** A request since the last sent reply has made a change that is logged. */
  wrote = false;
  /** The number of changes of all sessions (`engine.stats.changes`) right after the latest write of this one. */
  changesAtWrite = 0;
  /** The bytes of this session that the sums of ClientMemory include, and the kind under which they are counted. */
  readonly counted: { kind: ClientKind; bytes: number; outputBytes: number } = {
    kind: "normal",
    bytes: 0,
    outputBytes: 0,
  };
  commandCount = 0;
  bytesIn = 0;
  bytesOut = 0;

  /**
   * True while no state of the session changes how its commands run: it is authenticated as a user who may do
   * everything, an ordinary client, outside of a transaction, and gets all replies. Hot code checks this instead of
   * each state.
   */
  plain = true;
  #user: User = INTERNAL_USER;
  #authenticated = true;
  #transaction: Transaction | undefined;
  #monitoring = false;
  #kind: ClientKind = "normal";
  #observer: RequestObserver | undefined;
  #replyMode: ReplyMode = "on";
  /** Pushes that wait for the end of the running command, because a push must not split a reply. */
  #outbox: Uint8Array[] | undefined;
  /** True while no further request runs: the session is closing, held or suspended. Hot code checks this. */
  stopped = false;
  #closing = false;
  #held = false;
  #suspension: Suspension | undefined;

  constructor(id: number, reply: Reply, nowMs: number, origin: Origin = "embedded", transport?: Transport) {
    this.id = id;
    this.reply = reply;
    this.origin = origin;
    this.expiryMode = EXPIRY_MODES[origin];
    this.transport = transport;
    this.createdMs = nowMs;
    this.lastActiveMs = nowMs;
  }

  /** The user for whom the session acts. */
  get user(): User {
    return this.#user;
  }

  set user(user: User) {
    this.#user = user;
    this.#updatePlain();
  }

  /** Takes over changed permissions of the session's user. */
  userChanged(): void {
    this.#updatePlain();
    this.transport?.trust(this.authenticated);
  }

  /** A session that has not authenticated acts for the default user, who may let it in without a password. */
  get authenticated(): boolean {
    return this.#authenticated || this.#user.open;
  }

  set authenticated(authenticated: boolean) {
    this.#authenticated = authenticated;
    this.#updatePlain();
  }

  /** The queued requests between MULTI and EXEC. */
  get transaction(): Transaction | undefined {
    return this.#transaction;
  }

  set transaction(transaction: Transaction | undefined) {
    this.#transaction = transaction;
    this.#updatePlain();
  }

  /** Whether the session receives all commands of all clients, after MONITOR. */
  get monitoring(): boolean {
    return this.#monitoring;
  }

  set monitoring(monitoring: boolean) {
    this.#monitoring = monitoring;
    this.#updatePlain();
  }

  get observer(): RequestObserver | undefined {
    return this.#observer;
  }

  set observer(observer: RequestObserver | undefined) {
    this.#observer = observer;
    this.#updatePlain();
  }

  get kind(): ClientKind {
    return this.#kind;
  }

  set kind(kind: ClientKind) {
    this.#kind = kind;
    this.#updatePlain();
  }

  /** The mode of CLIENT REPLY: "off" drops all replies, "skip" drops one. */
  get replyMode(): ReplyMode {
    return this.#replyMode;
  }

  set replyMode(mode: ReplyMode) {
    this.#replyMode = mode;
    this.#updatePlain();
  }

  /** Whether the connection closes when the replies are sent. */
  get closing(): boolean {
    return this.#closing;
  }

  set closing(closing: boolean) {
    this.#closing = closing;
    this.#updateStopped();
  }

  /** Whether requests wait until more replies are sent. */
  get held(): boolean {
    return this.#held;
  }

  set held(held: boolean) {
    this.#held = held;
    this.#updateStopped();
  }

  /** The wait of the running command. */
  get suspension(): Suspension | undefined {
    return this.#suspension;
  }

  set suspension(suspension: Suspension | undefined) {
    this.#suspension = suspension;
    this.#updateStopped();
  }

  #updateStopped(): void {
    this.stopped = this.#closing || this.#held || this.#suspension !== undefined;
  }

  #updatePlain(): void {
    this.plain = this.authenticated && this.#user.unrestricted && this.#transaction === undefined &&
      !this.#monitoring &&
      this.#kind === "normal" && this.#replyMode === "on" && this.#observer === undefined;
  }

  /**
   * Sends a message outside of replies. While a command of this session runs (`running`), the message waits until the
   * reply is complete. The bytes must not change after the call; several sessions may share one message.
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
    // A large number of messages counts against the limit at once, not only at the end of the turn.
    if (!reply.single) transport?.checkOutput();
  }

  /** Like `push`, for the message that was encoded last in `shared`. Hot. */
  share(shared: SharedBytes, running: boolean): void {
    if (running) {
      (this.#outbox ??= []).push(shared.copy());
      return;
    }
    if (this.#closing) return;
    const { reply, transport } = this;
    if (transport === undefined) return reply.raw(shared.chunk, shared.start, shared.end);
    reply.share(shared.chunk, shared.start, shared.end);
    transport.wake();
    if (reply.pendingBytes > CHUNK_BYTES) transport.checkOutput();
  }

  /** Sends the pushes that waited for the end of a command. */
  flushOutbox(): void {
    const messages = this.#outbox;
    if (messages === undefined) return;
    this.#outbox = undefined;
    for (const message of messages) this.push(message, false);
  }

  /** Sends all messages that wait ahead of the reply to the running command, of which nothing is written yet. */
  sendAhead(): void {
    if (this.tracker?.hasWaiting) this.tracker.flush();
    this.flushOutbox();
  }

  /** Whether the client is on this machine or the session has no client: the meaning of "local" in settings. */
  get local(): boolean {
    return this.transport === undefined || this.transport.unix ||
      /^(127\.|\[?::1\]?:|\[?::ffff:127\.)/.test(this.transport.remote);
  }
}
