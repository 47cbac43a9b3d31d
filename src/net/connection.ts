/**
 * The connection of one client: reads requests, has them executed, and sends the replies at the end of the turn. It
 * owns the socket and does not depend on commands. While too many bytes are unsent, further requests of the client wait
 * and the socket is not read, so a slow reader uses a bounded amount of memory.
 */
import { NO_BYTES } from "../core/bytes.ts";
import { ProtocolError } from "../core/errors.ts";
import { Session, type Transport } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import { freeBuffer, releaseChunk } from "../resp/chunks.ts";
import { Reply, type ReplyPart } from "../resp/reply.ts";
import { Call } from "../dispatch/call.ts";
import type { Executor } from "../dispatch/executor.ts";
import type { Engine } from "../engine/engine.ts";
import type { Turn } from "./turn.ts";
import type { Socket, SocketOwner } from "./socket.ts";

/**
 * Replies up to this size are sent regardless of the limit, because Redis gives each client a static buffer of this
 * size.
 */
const FREE_OUTPUT_BYTES = 16 * 1024;

/**
 * Above this number of unsent bytes no further request of a client runs and its socket is not read, if the unsent
 * replies of all clients together exceed AHEAD_BYTES_ALL. A reply that has begun is always finished.
 */
const AHEAD_BYTES = 1024 * 1024;
const AHEAD_BYTES_ALL = 32 * 1024 * 1024;
/** The size from which the replies of one run of requests are long. */
const LONG_BYTES = 64 * 1024;

/**
 * Limits for unsent replies in bytes. A client above `hard`, or above `soft` for `seconds`, is disconnected. 0 means no
 * limit.
 */
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
  /** The connections that are above their soft limit, which `checkOutput` must be called for several times a second. */
  readonly aboveSoftLimit: Set<Connection>;
  /** Called when the connection has ended. */
  forget(connection: Connection): void;
  /** Called when the clients exceed maxmemory-clients. */
  evictClients(): void;
}

/** A fault of the program while a session's request ran; `cause` is the thrown value. */
export class CommandFault extends Error {
  override name = "CommandFault";
  readonly session: Session;

  constructor(session: Session, cause: unknown) {
    super(cause instanceof Error ? cause.message : `${cause}`, { cause });
    this.session = session;
  }
}

export class Connection implements Transport, SocketOwner {
  readonly session: Session;
  readonly #server: ConnectionHost;
  readonly #socket: Socket;
  readonly #reply = new Reply();
  readonly #parser = new RequestParser();
  readonly #call: Call;
  /** The chunk that is being sent, its number of bytes, and the chunks that follow. */
  #chunk: Uint8Array = NO_BYTES;
  #sendingBytes = 0;
  readonly #parts: ReplyPart[] = [];
  #partBytes = 0;
  #partRoomBytes = 0;
  #sending = false;
  /** True while the connection is on the turn's list. */
  #queued = false;
  /** The number of requests of this turn, and the position where their replies begin. */
  #requests = 0;
  #mark = 0;
  #closeWhenSent = false;
  #closed = false;
  /** True while requests of this connection run, and the unsent bytes of replies before they ran. */
  #running = false;
  #runStart = 0;
  /** The replies of the last run were long. A new client counts as one with long replies. */
  #long = true;
  /** True after the socket was asked to call `proceed`. */
  #proceeding = false;
  /** The time in ms since which the output is above the soft limit; 0 while it is not. */
  #aboveSoftLimitMs = 0;

  /** Takes over a socket. The caller starts it. */
  constructor(server: ConnectionHost, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
    const { engine } = server;
    this.#reply.onLimit = () => this.checkOutput();
    this.session = new Session(engine.nextSessionId(), this.#reply, engine.clock.nowMs(), "client", this);
    this.session.user = engine.users.default;
    this.session.authenticated = engine.users.default.open;
    this.#call = new Call(engine, this.session, server.executor);
    this.trust(this.session.authenticated);
    engine.sessions.set(this.session.id, this.session);
    engine.listeners.sessionBegan(this.session);
  }

  /** For the socket: a view to read into. The socket reports the number of bytes with `received`. */
  room(): Uint8Array {
    return this.#parser.room();
  }

  /** For the socket: bytes arrived in the view from `room`. Returns false if the socket must stop reading. */
  received(count: number): boolean {
    this.#parser.filled(count);
    this.#process(count);
    if (this.#parser.empty) this.#parser.trim(count);
    this.#account();
    return this.#open;
  }

  /**
   * For the socket: bytes arrived in the buffer that all sockets share. Returns false if the socket must stop reading.
   */
  receivedShared(buffer: Uint8Array, count: number): boolean {
    const parser = this.#parser;
    if (parser.empty) {
      parser.borrow(buffer, count);
      this.#process(count);
      parser.giveBack();
      this.#account();
      return this.#open;
    }
    // A waiting request is completed piece by piece, within the existing room, so that the room need not grow. If the
    // session is held meanwhile, the parser keeps the rest.
    for (let at = 0; at < count && !this.#closed && !this.session.closing;) {
      const room = parser.room();
      const size = Math.min(room.length, count - at);
      room.set(buffer.subarray(at, at + size));
      parser.filled(size);
      at += size;
      this.#process(size);
    }
    this.#account();
    return this.#open;
  }

  /** For the socket: other clients have had their turn. Continues with the held requests. */
  proceed(): void {
    const { session } = this;
    this.#proceeding = false;
    if (this.#closed || !session.held) return;
    session.held = false;
    if (!this.#parser.empty) this.#run();
    if (this.#parser.empty) this.#parser.trim(0);
    this.#account();
    if (this.#open) this.#socket.resume();
  }

  /** For the socket: the client will send no more bytes. */
  ended(): void {
    this.close(true);
  }

  /** For the socket: the connection is lost. */
  lost(): void {
    this.close(false);
  }

  get #open(): boolean {
    return !this.#closed && !this.session.closing && !this.session.held;
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
    const { turn } = this.#server;
    turn.enter();
    session.lastActiveMs = engine.store.nowMs;
    if (this.#long && turn.isExhausted()) {
      session.held = true;
      this.#release();
      return;
    }
    this.#run();
  }

  /** Runs the requests that have arrived, as far as they may run now. */
  #run(): void {
    const { session } = this, parser = this.#parser;
    const { engine, executor } = this.#server;
    this.#server.turn.enter();
    if (!this.#queued) {
      this.#mark = this.#reply.mark();
      this.#requests = 0;
    }
    executor.begin();
    const requestsBefore = executor.requestCount;
    this.#running = true;
    this.#runStart = this.#reply.pendingBytes;
    const { hard } = this.#server.outputLimit(session);
    this.#reply.limitBytes = hard === 0 ? Infinity : hard + FREE_OUTPUT_BYTES;
    parser.bulkBytesMax = engine.settings.values.protoMaxBulkLen;
    try {
      if (engine.busy === undefined) executor.run(this.#call, parser);
      else executor.runInside(this.#call, parser);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw new CommandFault(session, error);
      this.#reply.error(`ERR Protocol error: ${error.message}`);
      engine.stats.countError("ERR");
      session.closing = true;
    } finally {
      executor.end();
      this.#requests += executor.requestCount - requestsBefore;
      // A request that waits has no reply in this turn.
      if (session.suspension?.again === false && executor.requestCount > requestsBefore) this.#requests--;
      this.#running = false;
      if (this.#closed) this.#dispose();
    }
    const produced = this.#reply.pendingBytes - this.#runStart;
    this.#long = produced >= LONG_BYTES;
    if (this.#long) this.#server.turn.produced(produced);
    // While a script runs the turn does not end, but a client that has written nothing need not wait for it.
    if (engine.busy !== undefined && !session.wrote) this.send();
    else if (this.#mustSend()) this.#server.turn.add(this);
    if (session.held) this.#release();
  }

  /** For the socket: whether requests of this connection are running. */
  get running(): boolean {
    return this.#running;
  }

  /**
   * Replaces the replies of this turn by errors, because the changes of its requests are not durable. If replies and
   * requests do not correspond one to one, the connection is closed without replies.
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

  /** Called when the replies leave after the end of the turn. */
  delay(): void {
    this.#reply.own();
  }

  /** Sends the written replies. Only one write is in progress at a time; later replies follow it. */
  send(): void {
    this.#queued = false;
    this.session.wrote = false;
    if (this.#closed) return;
    if (this.#sending) {
      this.#reply.own();
      this.checkOutput();
      this.#account();
      return;
    }
    const reply = this.#reply;
    if (reply.pendingBytes === 0) {
      if (this.#closeWhenSent || this.session.closing) this.close(false);
      return;
    }
    // Replies beyond a limit are not even sent in part, as in Redis.
    if (reply.pendingBytes > FREE_OUTPUT_BYTES) {
      this.checkOutput();
      if (this.#closed) return;
    }
    this.#sending = true;
    this.session.bytesOut += reply.pendingBytes;
    this.#server.engine.stats.outputBytes += reply.pendingBytes;
    if (reply.shared) {
      const bytes = reply.takeShared();
      this.#sendingBytes = bytes.length;
      this.#server.engine.stats.writes++;
      this.#socket.send(bytes, bytes.length, true);
      return;
    }
    if (!reply.single) {
      reply.take(this.#parts);
      for (const { chunk, view } of this.#parts) {
        this.#partBytes += view.length;
        this.#partRoomBytes += chunk.length;
      }
    } else {
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
    this.#partBytes -= view.length;
    this.#partRoomBytes -= chunk.length;
    this.#chunk = chunk;
    this.#sendingBytes = view.length;
    this.#server.engine.stats.writes++;
    this.#socket.send(view, view.length);
  }

  /** For the socket: it has sent all bytes. */
  sent(): void {
    if (this.#chunk !== NO_BYTES) releaseChunk(this.#chunk);
    this.#chunk = NO_BYTES;
    this.#sendingBytes = 0;
    if (this.session.held) this.#release();
    if (this.#parts.length > 0) return this.#sendPart();
    this.#sending = false;
    if (this.#reply.pendingBytes > 0 && !this.#queued) this.send();
    else if (this.#closeWhenSent || (this.session.closing && !this.#queued)) this.close(false);
    // Replies that are sent at once were never counted.
    if (this.session.counted.outputBytes > 0) this.#account();
  }

  /** Asks the socket to continue with held requests, once enough replies are sent. */
  #release(): void {
    if (this.#proceeding || this.#closed || this.#mustHold(this.#server.outputLimit(this.session))) return;
    this.#proceeding = true;
    this.#socket.defer();
  }

  /** Whether the running requests have produced as much as one turn may. */
  #mustYield(): boolean {
    return this.#running && this.#server.turn.isExhausted(this.#reply.pendingBytes - this.#runStart);
  }

  /**
   * Whether too many bytes are unsent for a further request to run. A client with a hard limit is disconnected at that
   * limit and not held before; a client with a soft limit must be able to exceed it.
   */
  #mustHold({ hard, soft }: OutputLimit): boolean {
    const bytes = this.outputBytes();
    if (bytes <= AHEAD_BYTES || hard > 0 || bytes <= soft + AHEAD_BYTES) return false;
    const { clientMemory } = this.#server.engine;
    return clientMemory.outputBytes - this.session.counted.outputBytes + bytes > AHEAD_BYTES_ALL;
  }

  /** Reports the memory of this client. */
  #account(): void {
    const { clientMemory } = this.#server.engine;
    if (this.#closed) return;
    clientMemory.update(this.session);
    if (clientMemory.exceeded) this.#server.evictClients();
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
    return this.#parser.waitingBytes;
  }

  queryRoomBytes(): number {
    return this.#parser.roomBytes;
  }

  queryOwnBytes(): number {
    return this.#parser.ownRoomBytes;
  }

  outputBytes(): number {
    return this.#reply.pendingBytes + this.#sendingBytes + this.#partBytes;
  }

  outputRoomBytes(): number {
    return this.#reply.roomBytes + this.#chunk.length + this.#partRoomBytes;
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

  /** For the turn: runs the requests that waited behind a suspended request. */
  goOn(): void {
    if (this.#open) this.#run();
  }

  wake(): void {
    if (this.#mustSend()) this.#server.turn.addLast(this);
  }

  /** Whether the turn must be told about replies to send. It is told once per turn. */
  #mustSend(): boolean {
    if (this.#queued || this.#closed || (this.#reply.pendingBytes === 0 && !this.session.closing)) return false;
    return this.#queued = true;
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
    if (!this.#running) this.#dispose();
  }

  /** Releases all memory. No pool takes the chunk that is being sent, because the system may still read it. */
  #dispose(): void {
    if (this.#sendingBytes > 0 && this.#chunk !== NO_BYTES) freeBuffer(this.#chunk);
    this.#chunk = NO_BYTES;
    for (const { chunk } of this.#parts) releaseChunk(chunk);
    this.#parts.length =
      this.#partBytes =
      this.#partRoomBytes =
      this.#sendingBytes =
        0;
    this.#reply.clear();
    this.#parser.dispose();
  }

  /**
   * Called about once a second: releases memory, and closes the connection if the client is idle or reads too slowly.
   */
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
      if (session.held) this.#release();
      this.#account();
    }
  }

  checkOutput(): boolean {
    if (this.#closed) return false;
    const { engine } = this.#server;
    const limit = this.#server.outputLimit(this.session);
    const { hard, soft, seconds } = limit;
    const bytes = this.outputBytes();
    const { aboveSoftLimit } = this.#server;
    if (soft > 0 && bytes >= soft) {
      if (this.#aboveSoftLimitMs === 0) this.#aboveSoftLimitMs = engine.clock.nowMs();
      aboveSoftLimit.add(this);
    } else if (this.#aboveSoftLimitMs !== 0) {
      this.#aboveSoftLimitMs = 0;
      aboveSoftLimit.delete(this);
    }
    // Redis compares whole seconds.
    const aboveSeconds = Math.floor(engine.clock.nowMs() / 1000) - Math.floor(this.#aboveSoftLimitMs / 1000);
    const tooLong = this.#aboveSoftLimitMs > 0 && aboveSeconds > seconds;
    if ((hard === 0 || bytes < hard) && !tooLong) {
      if (!this.session.held) this.session.held = this.#mustYield() || this.#mustHold(limit);
      return true;
    }
    engine.stats.outputLimitDisconnections++;
    engine.log("warning", `Closing client ${this.remote}: its unread replies exceed client-output-buffer-limit`);
    this.close(false);
    return false;
  }
}
