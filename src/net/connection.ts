/**
 * One client's connection: reads requests, has them run, and sends the replies at the end of the turn. It owns the socket
 * and nothing of what commands mean. A slow reader costs memory up to its output limit, never anybody else's time.
 */
import { NO_BYTES } from "../core/bytes.ts";
import { ProtocolError } from "../core/errors.ts";
import { Session, type Transport } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import { releaseChunk, Reply } from "../resp/reply.ts";
import { Call } from "../dispatch/call.ts";
import type { Executor } from "../dispatch/executor.ts";
import type { Engine } from "../engine/engine.ts";
import type { Turn } from "./turn.ts";
import type { Socket, SocketOwner } from "./socket.ts";

/** Replies that take no more are sent whatever the limit is: in Redis each client has so much room of its own. */
const FREE_OUTPUT_BYTES = 16 * 1024;

/** Bytes of unsent replies: a client with more than `hard`, or more than `soft` for `seconds`, is cut off. 0 is no limit. */
export interface OutputLimit {
  readonly hard: number;
  readonly soft: number;
  readonly seconds: number;
}

/** The part of a server that a connection needs. */
export interface ConnectionHost {
  readonly engine: Engine;
  readonly executor: Executor;
  readonly turn: Turn;
  outputLimit(session: Session): OutputLimit;
  /** The connection has ended. */
  forget(connection: Connection): void;
}

export class Connection implements Transport, SocketOwner {
  readonly session: Session;
  readonly #server: ConnectionHost;
  readonly #socket: Socket;
  readonly #reply = new Reply();
  readonly #parser = new RequestParser();
  readonly #call: Call;
  /** The chunk that is being sent, with its bytes, and those that follow it. */
  #chunk: Uint8Array = NO_BYTES;
  #sendingBytes = 0;
  readonly #parts: { chunk: Uint8Array; view: Uint8Array }[] = [];
  #sending = false;
  /** Already on the turn's list. */
  #queued = false;
  /** What the turn brought: how many requests, and where their replies begin. */
  #requests = 0;
  #mark = 0;
  #closeWhenSent = false;
  #closed = false;
  /** Since when the output is above the soft limit, in ms; 0 while it is not. */
  #aboveSoftLimitMs = 0;

  /** Takes over a socket; the caller starts it. */
  constructor(server: ConnectionHost, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
    const { engine } = server;
    this.session = new Session(engine.nextSessionId(), this.#reply, engine.clock.nowMs(), "client", this);
    this.session.authenticated = engine.settings.values.requirepass === "";
    this.#call = new Call(engine, this.session, server.executor);
    this.trust(this.session.authenticated);
    engine.sessions.set(this.session.id, this.session);
    engine.listeners.sessionBegan(this.session);
  }

  /** The socket's: a view to read into. Tell `received` how much came. */
  room(): Uint8Array {
    return this.#parser.room();
  }

  /** The socket's: bytes came into the view that `room` gave. False when no more must be read. */
  received(count: number): boolean {
    this.#parser.filled(count);
    this.#process(count);
    if (this.#parser.empty) this.#parser.trim(count);
    return this.#open;
  }

  /** The socket's: bytes came into a buffer that all sockets share. False when no more must be read. */
  receivedShared(buffer: Uint8Array, count: number): boolean {
    const parser = this.#parser;
    if (parser.empty) {
      parser.borrow(buffer, count);
      this.#process(count);
      parser.giveBack();
      return this.#open;
    }
    // What waits is completed with as much as there is room for at a time, so that the room need not grow.
    for (let at = 0; at < count && this.#open;) {
      const room = parser.room();
      const size = Math.min(room.length, count - at);
      room.set(buffer.subarray(at, at + size));
      parser.filled(size);
      at += size;
      this.#process(size);
    }
    return this.#open;
  }

  /** The socket's: the client will send no more. */
  ended(): void {
    this.close(true);
  }

  /** The socket's: the connection is lost. */
  lost(): void {
    this.close(false);
  }

  get #open(): boolean {
    return !this.#closed && !this.session.closing;
  }

  #process(count: number): void {
    const { session } = this;
    const { engine } = this.#server;
    session.bytesIn += count;
    engine.stats.inputBytes += count;
    engine.stats.reads++;
    const parser = this.#parser;
    if (parser.pendingBytes > engine.settings.values.clientQueryBufferLimit) {
      engine.stats.queryLimitDisconnections++;
      engine.log("warning", `Closing client ${this.remote}: its request exceeds client-query-buffer-limit`);
      this.close(false);
      return;
    }
    this.#server.turn.enter();
    session.lastActiveMs = engine.store.nowMs;
    this.#run();
  }

  /** Runs the requests that have arrived. */
  #run(): void {
    const { session } = this, parser = this.#parser;
    const { engine, executor } = this.#server;
    if (!this.#queued) {
      this.#mark = this.#reply.mark();
      this.#requests = 0;
    }
    executor.begin();
    const requestsBefore = executor.requestCount;
    parser.bulkBytesMax = engine.settings.values.protoMaxBulkLen;
    try {
      executor.run(this.#call, parser);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#reply.error(`ERR Protocol error: ${error.message}`);
      engine.stats.countError("ERR");
      session.closing = true;
    } finally {
      executor.end();
      this.#requests += executor.requestCount - requestsBefore;
      // A request that waits has no reply in this turn.
      if (session.suspension?.again === false && executor.requestCount > requestsBefore) this.#requests--;
    }
    this.wake();
  }

  /**
   * Replaces the replies of this turn by errors: what its requests changed is not safe. Where replies and requests do not
   * match one by one, the connection ends without them.
   */
  refuse(message: string): void {
    const { session } = this;
    if (this.#requests === 0 || session.kind !== "normal" || session.monitoring || session.replyMode !== "on") {
      this.close(false);
      return;
    }
    this.#reply.rewind(this.#mark);
    for (; this.#requests > 0; this.#requests--) this.#reply.error(message);
  }

  /** Sends what was written. One write is under way at a time; what comes meanwhile follows it. */
  send(): void {
    this.#queued = false;
    this.session.wrote = false;
    if (this.#sending || this.#closed) {
      if (!this.#closed) this.checkOutput();
      return;
    }
    const reply = this.#reply;
    if (reply.pendingBytes === 0) {
      if (this.#closeWhenSent || this.session.closing) this.close(false);
      return;
    }
    // Like Redis, which does not even begin to send what exceeds a limit.
    if (reply.pendingBytes > FREE_OUTPUT_BYTES) {
      this.checkOutput();
      if (this.#closed) return;
    }
    this.#sending = true;
    this.session.bytesOut += reply.pendingBytes;
    this.#server.engine.stats.outputBytes += reply.pendingBytes;
    if (!reply.single) this.#parts.push(...reply.take());
    else {
      this.#chunk = reply.chunk;
      this.#sendingBytes = reply.length;
      reply.reset();
      this.#server.engine.stats.writes++;
      this.#socket.send(this.#chunk, this.#sendingBytes);
      return;
    }
    this.#sendPart();
  }

  #sendPart(): void {
    const { chunk, view } = this.#parts.shift()!;
    this.#chunk = chunk;
    this.#sendingBytes = view.length;
    this.#server.engine.stats.writes++;
    this.#socket.send(view, view.length);
  }

  /** The socket's: it took all that it was to send. */
  sent(): void {
    releaseChunk(this.#chunk);
    this.#chunk = NO_BYTES;
    this.#sendingBytes = 0;
    if (this.#parts.length > 0) return this.#sendPart();
    this.#sending = false;
    if (this.#reply.pendingBytes > 0 && !this.#queued) this.send();
    else if (this.#closeWhenSent || (this.session.closing && !this.#queued)) this.close(false);
  }

  get remote(): string {
    return this.#socket.remote;
  }

  get local(): string {
    return this.#socket.local;
  }

  get unix(): boolean {
    return this.#socket.unix;
  }

  queryBytes(): number {
    return this.#parser.pendingBytes;
  }

  queryRoomBytes(): number {
    return this.#parser.roomBytes;
  }

  outputBytes(): number {
    let bytes = this.#reply.pendingBytes + this.#sendingBytes;
    for (const { view } of this.#parts) bytes += view.length;
    return bytes;
  }

  trust(trusted: boolean): void {
    this.#parser.trusted = trusted;
  }

  answering(): void {
    if (!this.#queued) {
      this.#mark = this.#reply.mark();
      this.#requests = 0;
    }
    this.#requests++;
  }

  resume(): void {
    this.wake();
    this.#server.turn.resume(this);
  }

  /** The turn's: runs what has waited behind a suspended request. */
  goOn(): void {
    if (this.#open) this.#run();
  }

  wake(): void {
    if (this.#queued || this.#closed) return;
    if (this.#reply.pendingBytes === 0 && !this.session.closing) return;
    this.#queued = true;
    this.#server.turn.add(this);
  }

  close(afterReplies: boolean): void {
    if (this.#closed) return;
    if (afterReplies && (this.#sending || this.#queued || this.#reply.pendingBytes > 0)) {
      this.#closeWhenSent = true;
      this.wake();
      return;
    }
    this.#closed = true;
    const { engine } = this.#server;
    engine.sessions.delete(this.session.id);
    engine.listeners.sessionEnded(this.session);
    this.session.closing = true;
    this.#socket.close();
    this.#server.forget(this);
  }

  /** Once in a while: gives memory back, and cuts off who is idle or reads too slowly. */
  maintain(nowMs: number, timeoutSeconds: number): void {
    const idleMs = nowMs - this.session.lastActiveMs;
    const { session } = this;
    if (
      timeoutSeconds > 0 && idleMs > timeoutSeconds * 1000 && session.kind === "normal" && !session.monitoring &&
      session.suspension === undefined
    ) {
      this.#server.engine.log("verbose", `Closing idle client ${this.remote}`);
      this.close(false);
    } else {
      this.checkOutput();
    }
  }

  checkOutput(): void {
    const { engine } = this.#server;
    const { hard, soft, seconds } = this.#server.outputLimit(this.session);
    const bytes = this.outputBytes();
    if (soft === 0 || bytes <= soft) this.#aboveSoftLimitMs = 0;
    else if (this.#aboveSoftLimitMs === 0) this.#aboveSoftLimitMs = engine.clock.nowMs();
    const tooLong = this.#aboveSoftLimitMs > 0 && engine.clock.nowMs() - this.#aboveSoftLimitMs > seconds * 1000;
    if ((hard === 0 || bytes <= hard) && !tooLong) return;
    engine.stats.outputLimitDisconnections++;
    engine.log("warning", `Closing client ${this.remote}: its unread replies exceed client-output-buffer-limit`);
    this.close(false);
  }
}
