/**
 * The socket of a connection: bytes in, bytes out. This implementation uses a socket of Deno. poller.ts has the other
 * implementation, for systems with epoll.
 */
import { setImmediate } from "node:timers";

/** A connection's socket. */
export interface Socket {
  /** Addresses in the format of CLIENT LIST. */
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  /** Starts to read for its owner. */
  start(owner: SocketOwner): void;
  /**
   * Sends `bytes[0, length)`. It calls the owner's `sent` when the system has accepted all of them, possibly before it
   * returns. Only one call may be in progress. If the bytes are `transient`, they change at the end of the turn, and
   * the socket copies those that the system has not accepted.
   */
  send(bytes: Uint8Array, length: number, transient?: boolean): void;
  /** Reads again after the owner has stopped the reading. */
  resume(): void;
  /** Calls the owner's `proceed` once, after other clients have had their turn. */
  defer(): void;
  close(): void;
}

/** The interface of the connection for its socket. */
export interface SocketOwner {
  /** Requests that arrived earlier are running. */
  readonly running: boolean;
  /** A view to read into. */
  room(): Uint8Array;
  /** Bytes arrived in the view from `room`. Returns false to stop reading until `resume`. */
  received(count: number): boolean;
  /** Bytes arrived in the buffer that all sockets share. Returns false to stop reading until `resume`. */
  receivedShared(buffer: Uint8Array, count: number): boolean;
  /** The system has accepted all bytes to send. */
  sent(): void;
  /** The call that `defer` asked for. */
  proceed(): void;
  /** The client will send no more bytes. */
  ended(): void;
  /** The connection is lost. */
  lost(): void;
}

/** A socket of Deno. */
export class DenoSocket implements Socket {
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  readonly #socket: Deno.Conn;
  readonly #onFault: (error: unknown) => void;
  #owner!: SocketOwner;
  #bytes: Uint8Array = NOTHING;
  #at = 0;
  #length = 0;
  /** Continues a read loop that its owner has stopped. */
  #readOn: (() => void) | undefined;

  /** `onFault` is called with errors that are not network errors. */
  constructor(socket: Deno.Conn, onFault: (error: unknown) => void) {
    this.#socket = socket;
    this.#onFault = onFault;
    this.unix = socket.localAddr.transport === "unix";
    this.remote = addressText(socket.remoteAddr, socket.localAddr);
    this.local = addressText(socket.localAddr, socket.localAddr);
  }

  start(owner: SocketOwner): void {
    this.#owner = owner;
    void this.#read();
  }

  async #read(): Promise<void> {
    const owner = this.#owner;
    try {
      for (;;) {
        const count = await this.#socket.read(owner.room());
        if (count === null) break;
        if (!owner.received(count)) await new Promise<void>((resolve) => this.#readOn = resolve);
      }
      owner.ended();
    } catch (error) {
      this.#failed(error);
    }
  }

  send(bytes: Uint8Array, length: number, transient = false): void {
    if (transient) bytes = bytes.slice(0, length);
    this.#bytes = bytes;
    this.#at = 0;
    this.#length = length;
    this.#socket.write(bytes.length === length ? bytes : bytes.subarray(0, length)).then(this.#written, this.#failed);
  }

  resume(): void {
    this.#readOn?.();
    this.#readOn = undefined;
  }

  defer(): void {
    deferred.push(this);
    if (deferred.length === 1) setImmediate(proceedNext);
  }

  proceed(): void {
    this.#owner.proceed();
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // The peer has closed the socket already.
    }
  }

  // Closures in fields are created once, not for every reply.
  readonly #written = (count: number) => {
    this.#at += count;
    if (this.#at === this.#length) {
      this.#bytes = NOTHING;
      this.#owner.sent();
    } else {
      this.#socket.write(this.#bytes.subarray(this.#at, this.#length)).then(this.#written, this.#failed);
    }
  };

  readonly #failed = (error: unknown) => {
    if (isDisconnection(error)) this.#owner.lost();
    else this.#onFault(error);
  };
}

const NOTHING = new Uint8Array(0);

/** Sockets whose `proceed` is due: one in each round of Deno's event loop, so that others are read in between. */
const deferred: DenoSocket[] = [];

function proceedNext(): void {
  const socket = deferred.shift()!;
  if (deferred.length > 0) setImmediate(proceedNext);
  socket.proceed();
}

function addressText(address: Deno.Addr, local: Deno.Addr): string {
  if (address.transport === "unix" || local.transport === "unix") return `${(local as Deno.UnixAddr).path}:0`;
  const { hostname, port } = address as Deno.NetAddr;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether an error only reports that the client or the server has closed the connection. */
function isDisconnection(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.TimedOut || error instanceof Deno.errors.UnexpectedEof ||
    (error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("E"));
}
