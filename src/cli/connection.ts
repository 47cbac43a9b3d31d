/**
 * One connection to a server: bytes out, replies in, in order. It reads all the time, so that pushes and the end of the
 * connection are noticed between commands. It knows no command and prints nothing.
 */
import { encodeRequest, type Reply, ReplyDecoder, ReplyProtocolError } from "../resp/decoder.ts";
import { toBytes } from "./binary.ts";
import type { Options } from "./options.ts";

/** The connection ended; `message` is a line for the user. */
export class ConnectionError extends Error {
  override name = "ConnectionError";
}

type Target = Pick<
  Options,
  "host" | "port" | "socket" | "tls" | "cacert" | "cert" | "key" | "connectTimeoutMs"
>;

/** Gets what arrives while nobody waits in `read`. */
export interface IdleListener {
  reply(reply: Reply): void;
  closed(error: ConnectionError): void;
}

export class Connection {
  readonly #conn: Deno.Conn;
  readonly #arrived: Reply[] = [];
  #error: ConnectionError | undefined;
  #waiter: { resolve: (reply: Reply) => void; reject: (error: ConnectionError) => void } | undefined;
  #listener: IdleListener | undefined;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
    this.#pump();
  }

  /** Connects. Throws ConnectionError with Redis's words. */
  static async open(target: Target): Promise<Connection> {
    try {
      return new Connection(await withTimeout(dial(target), target.connectTimeoutMs));
    } catch (error) {
      throw new ConnectionError(`Could not connect to Redis at ${addressOf(target)}: ${reasonOf(error)}`);
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
      // What the server said before it closed is still to be read; the reader finds the end behind it.
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

  /** Hands what arrives from now on, and what has arrived, to `listener`; undefined ends that. */
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
    } catch { /* closed by the other side already */ }
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

/** How the server is called in messages and in the prompt. */
export function addressOf(target: Pick<Target, "host" | "port" | "socket">): string {
  if (target.socket !== undefined) return target.socket;
  return target.host.includes(":") ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;
}

async function dial(target: Target): Promise<Deno.Conn> {
  if (target.socket !== undefined) return await Deno.connect({ transport: "unix", path: target.socket });
  const { host: hostname, port } = target;
  if (!target.tls) {
    const conn = await Deno.connect({ hostname, port });
    conn.setNoDelay();
    return conn;
  }
  const options: Deno.ConnectTlsOptions = { hostname, port };
  if (target.cacert !== undefined) options.caCerts = [await Deno.readTextFile(target.cacert)];
  if (target.cert === undefined || target.key === undefined) return await Deno.connectTls(options);
  const [cert, key] = [await Deno.readTextFile(target.cert), await Deno.readTextFile(target.key)];
  return await Deno.connectTls({ ...options, cert, key });
}

async function withTimeout(dialing: Promise<Deno.Conn>, ms: number): Promise<Deno.Conn> {
  if (ms === 0) return await dialing;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("Connection timed out")), ms);
  });
  try {
    return await Promise.race([dialing, timeout]);
  } catch (error) {
    dialing.then((conn) => conn.close(), () => {});
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The operating system's words without the runtime's decoration. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \(os error \d+\).*$/, "").replace(/^failed to lookup address information: /, "");
}
