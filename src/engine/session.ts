/**
 * A session: who speaks. Not a socket: replay, scripts and the embedding API have sessions too. It carries what a client
 * has told about itself and chosen, and the reply writer.
 */
import type { Reply } from "../resp/reply.ts";
import type { Transaction } from "./transaction.ts";

/** How a session reaches its client; a session without a socket has none. */
export interface Transport {
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  /** Bytes of requests that wait, room in the request buffer, bytes of replies not yet sent. */
  queryBytes(): number;
  queryRoomBytes(): number;
  outputBytes(): number;
  /** Ends the connection at once, or when all replies are sent. */
  close(afterReplies: boolean): void;
  /** Sends what the reply writer holds although no request is running: pushes, MONITOR. */
  wake(): void;
  /** Ends the connection if its unsent replies exceed client-output-buffer-limit. */
  checkOutput(): void;
  /** Tells the parser whether the client is let in: before that, requests must be small. */
  trust(trusted: boolean): void;
}

export type ClientKind = "normal" | "pubsub" | "replica" | "master";

export class Session {
  readonly id: number;
  readonly reply: Reply;
  readonly transport: Transport | undefined;
  /** Index of the selected database. */
  db = 0;
  user = "default";
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
  kind: ClientKind = "normal";
  /** A request since the last reply that was sent has changed something that is logged. */
  wrote = false;
  /** No further request is run; the connection ends when the replies are sent. */
  closing = false;
  commandCount = 0;
  bytesIn = 0;
  bytesOut = 0;

  constructor(id: number, reply: Reply, nowMs: number, transport?: Transport) {
    this.id = id;
    this.reply = reply;
    this.transport = transport;
    this.createdMs = nowMs;
    this.lastActiveMs = nowMs;
  }

  /** Whether the client is on this machine, or is no client at all: what "local" means in settings. */
  get local(): boolean {
    return this.transport === undefined || this.transport.unix ||
      /^(127\.|\[?::1\]?:|\[?::ffff:127\.)/.test(this.transport.remote);
  }
}
