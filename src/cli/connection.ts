/**
 * One connection to a server: bytes out, replies in, in order. It reads all the time, so that pushes and the end of the
 * connection are noticed between commands. It knows no command and prints nothing.
 */
import { encodeRequest, type Reply, ReplyDecoder, ReplyProtocolError } from "../resp/decoder.ts";
import { fromText, toBytes } from "./binary.ts";
import { addressOf, dial, type Target, type Transport } from "./transport.ts";

/** The connection ended; `message` is a line for the user, as a byte string. */
export class ConnectionError extends Error {
  override name = "ConnectionError";
}

/** Gets replies that arrive while no call of `read` waits for them, and the end of the connection. */
export interface IdleListener {
  reply(reply: Reply): void;
  closed(error: ConnectionError): void;
}

export class Connection {
  readonly #conn: Transport;
  readonly #arrived: Reply[] = [];
  #error: ConnectionError | undefined;
  #waiter: { resolve: (reply: Reply) => void; reject: (error: ConnectionError) => void } | undefined;
  #listener: IdleListener | undefined;

  private constructor(conn: Transport) {
    this.#conn = conn;
    this.#pump();
  }

  /** Connects. Throws ConnectionError with Redis's words. */
  static async open(target: Target): Promise<Connection> {
    try {
      return new Connection(await dial(target));
    } catch (error) {
      const reason = error instanceof Error ? error.message : error;
      throw new ConnectionError(fromText(`Could not connect to Redis at ${addressOf(target)}: ${reason}`));
    }
  }

  get closed(): boolean {
    return this.#error !== undefined;
  }

  /** Sends one request; the arguments are byte strings. */
  send(args: readonly string[]): Promise<void> {
    return this.write(encodeRequest(args.map(toBytes)));
  }

  /** Sends bytes that are RESP already. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    } catch {
      // Replies that came before the end are still to be read; `read` reports the end after them.
      if (this.#error !== undefined && this.#arrived.length === 0) throw this.#error;
    }
  }

  /** The next reply. Throws ConnectionError once the connection has ended and all replies are read. */
  read(): Promise<Reply> {
    const reply = this.#arrived.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }

  /** Hands the replies that have arrived, and those to come, to `listener`; undefined ends that. */
  listen(listener: IdleListener | undefined): void {
    this.#listener = listener;
    if (listener === undefined) return;
    for (let reply = this.#arrived.shift(); reply !== undefined; reply = this.#arrived.shift()) listener.reply(reply);
    if (this.#error !== undefined) listener.closed(this.#error);
  }

  close(): void {
    this.#end(new ConnectionError("Server closed the connection"));
  }

  #end(error: ConnectionError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    try {
      this.#conn.close();
    } catch { /* the other side has closed it */ }
    this.#waiter?.reject(error);
    this.#waiter = undefined;
    this.#listener?.closed(error);
  }

  async #pump(): Promise<void> {
    const decoder = new ReplyDecoder();
    const buffer = new Uint8Array(64 * 1024);
    try {
      while (this.#error === undefined) {
        const size = await this.#conn.read(buffer);
        if (size === null) break;
        decoder.push(buffer.subarray(0, size));
        for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) this.#deliver(reply);
      }
    } catch (error) {
      if (error instanceof ReplyProtocolError) return this.#end(new ConnectionError(error.message));
      if (error instanceof Deno.errors.ConnectionReset) {
        return this.#end(new ConnectionError("Connection reset by peer"));
      }
    }
    this.#end(new ConnectionError("Server closed the connection"));
  }

  #deliver(reply: Reply): void {
    const waiter = this.#waiter;
    if (waiter !== undefined) {
      this.#waiter = undefined;
      waiter.resolve(reply);
    } else if (this.#listener !== undefined) {
      this.#listener.reply(reply);
    } else {
      this.#arrived.push(reply);
    }
  }
}
