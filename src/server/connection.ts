/**
 * One client's connection: reads requests, has them run, and sends the replies at the end of the turn. It owns the socket
 * and nothing of what commands mean. A slow reader costs memory up to its output limit, never anybody else's time.
 */
import { NO_BYTES } from "../core/bytes.ts";
import { ProtocolError } from "../core/errors.ts";
import { Session, type Transport } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import { releaseChunk, Reply } from "../resp/reply.ts";
import { Call } from "../commands/call.ts";
import type { Server } from "./server.ts";

export class Connection implements Transport {
  readonly session: Session;
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  readonly #server: Server;
  readonly #socket: Deno.Conn;
  readonly #reply = new Reply();
  readonly #parser = new RequestParser();
  readonly #call: Call;
  /** The chunk that is being sent, and the bytes that the socket has not taken yet. */
  #chunk: Uint8Array = NO_BYTES;
  #sendingBytes = 0;
  #sending = false;
  /** Already on the turn's list. */
  #queued = false;
  #closeWhenSent = false;
  #closed = false;
  /** Since when the output is above the soft limit, in ms; 0 while it is not. */
  #aboveSoftLimitMs = 0;

  constructor(server: Server, socket: Deno.Conn) {
    this.#server = server;
    this.#socket = socket;
    this.unix = socket.localAddr.transport === "unix";
    this.remote = addressText(socket.remoteAddr, socket.localAddr);
    this.local = addressText(socket.localAddr, socket.localAddr);
    const { engine } = server;
    this.session = new Session(engine.nextSessionId(), this.#reply, engine.clock.nowMs(), this);
    this.session.authenticated = engine.settings.values.requirepass === "";
    this.#call = new Call(engine, this.session, server.executor.table);
    this.trust(this.session.authenticated);
    engine.sessions.set(this.session.id, this.session);
  }

  /** Serves the client until either side ends the connection. */
  async run(): Promise<void> {
    const parser = this.#parser;
    try {
      while (!this.#closed && !this.session.closing) {
        const count = await this.#socket.read(parser.room());
        if (count === null) break;
        parser.filled(count);
        this.#process(count);
      }
      this.close(true);
    } catch (error) {
      if (isDisconnection(error)) this.close(false);
      else this.#server.fatal(error);
    }
  }

  #process(count: number): void {
    const { session } = this;
    const { engine, executor } = this.#server;
    session.bytesIn += count;
    engine.stats.inputBytes += count;
    this.#server.turn.enter();
    executor.begin();
    session.lastActiveMs = engine.store.nowMs;
    const parser = this.#parser;
    parser.bulkBytesMax = engine.settings.values.protoMaxBulkLen;
    try {
      while (!session.closing && parser.next()) executor.execute(this.#call, parser.request);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#reply.error(`ERR Protocol error: ${error.message}`);
      engine.stats.countError("ERR");
      session.closing = true;
    } finally {
      executor.end();
    }
    parser.trim(false);
    if (parser.pendingBytes > engine.settings.values.clientQueryBufferLimit) {
      engine.stats.queryLimitDisconnections++;
      engine.log("warning", `Closing client ${this.remote}: its request exceeds client-query-buffer-limit`);
      this.close(false);
      return;
    }
    this.wake();
  }

  /** Sends what was written. One write is under way at a time; what comes meanwhile follows it. */
  send(): void {
    this.#queued = false;
    if (this.#sending || this.#closed) {
      if (!this.#closed) this.#checkOutputLimit();
      return;
    }
    const reply = this.#reply;
    if (reply.pendingBytes === 0) {
      if (this.#closeWhenSent || this.session.closing) this.close(false);
      return;
    }
    this.#sending = true;
    this.session.bytesOut += reply.pendingBytes;
    this.#server.engine.stats.outputBytes += reply.pendingBytes;
    if (!reply.single) return void this.#sendMany();
    const { chunk, length } = reply;
    reply.reset();
    this.#chunk = chunk;
    this.#sendingBytes = length;
    this.#socket.write(chunk.subarray(0, length)).then(this.#written, this.#failed);
  }

  /** The socket took some of the only chunk. A field, not a method: made once, not for every reply. */
  readonly #written = (written: number) => {
    const chunk = this.#chunk;
    if (written < this.#sendingBytes) return void this.#sendRest(chunk, written, this.#sendingBytes);
    this.#chunk = NO_BYTES;
    releaseChunk(chunk);
    this.#sent();
  };

  async #sendMany(): Promise<void> {
    const parts = this.#reply.take();
    this.#sendingBytes = parts.reduce((sum, { view }) => sum + view.length, 0);
    try {
      for (const { chunk, view } of parts) {
        for (let at = 0; at < view.length;) {
          const written = await this.#socket.write(at === 0 ? view : view.subarray(at));
          at += written;
          this.#sendingBytes -= written;
        }
        releaseChunk(chunk);
      }
      this.#sent();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #sendRest(chunk: Uint8Array, from: number, length: number): Promise<void> {
    try {
      while (from < length) {
        const written = await this.#socket.write(chunk.subarray(from, length));
        from += written;
        this.#sendingBytes = length - from;
      }
      releaseChunk(chunk);
      this.#sent();
    } catch (error) {
      this.#failed(error);
    }
  }

  #sent(): void {
    this.#sending = false;
    this.#sendingBytes = 0;
    if (this.#reply.pendingBytes > 0 && !this.#queued) this.send();
    else if (this.#closeWhenSent || (this.session.closing && !this.#queued)) this.close(false);
  }

  readonly #failed = (error: unknown) => {
    if (isDisconnection(error)) this.close(false);
    else this.#server.fatal(error);
  };

  queryBytes(): number {
    return this.#parser.pendingBytes;
  }

  queryRoomBytes(): number {
    return this.#parser.roomBytes;
  }

  outputBytes(): number {
    return this.#reply.pendingBytes + this.#sendingBytes;
  }

  trust(trusted: boolean): void {
    this.#parser.trusted = trusted;
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
    engine.monitors.delete(this.session);
    this.session.closing = true;
    try {
      this.#socket.close();
    } catch {
      // The other side was quicker.
    }
    this.#server.forget(this);
  }

  /** Once in a while: gives memory back, and cuts off who is idle or reads too slowly. */
  maintain(nowMs: number, timeoutSeconds: number): void {
    const idleMs = nowMs - this.session.lastActiveMs;
    if (idleMs > 2000) this.#parser.trim(true);
    const { session } = this;
    if (timeoutSeconds > 0 && idleMs > timeoutSeconds * 1000 && session.kind === "normal" && !session.monitoring) {
      this.#server.engine.log("verbose", `Closing idle client ${this.remote}`);
      this.close(false);
    } else {
      this.#checkOutputLimit();
    }
  }

  #checkOutputLimit(): void {
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

function addressText(address: Deno.Addr, local: Deno.Addr): string {
  if (address.transport === "unix" || local.transport === "unix") return `${(local as Deno.UnixAddr).path}:0`;
  const { hostname, port } = address as Deno.NetAddr;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether an error only says that the other side, or we ourselves, ended the connection. */
function isDisconnection(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.TimedOut || error instanceof Deno.errors.UnexpectedEof ||
    (error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("E"));
}
