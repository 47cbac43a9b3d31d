/**
 * What a connection talks through: bytes in, bytes out, over a socket of Deno's. poller.ts has the other implementation,
 * for systems where the kernel can be asked directly.
 */

/** A connection's socket. */
export interface Socket {
  /** Addresses as CLIENT LIST prints them. */
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  /** Begins to read for its owner. */
  start(owner: SocketOwner): void;
  /** Sends `bytes[0, length)`; the owner's `sent` is called when the socket has taken all, perhaps at once. One at a time. */
  send(bytes: Uint8Array, length: number): void;
  close(): void;
}

/** What a stream tells its connection. */
export interface SocketOwner {
  room(): Uint8Array;
  received(count: number): boolean;
  receivedShared(buffer: Uint8Array, count: number): boolean;
  sent(): void;
  ended(): void;
  lost(): void;
}

/** A stream over one of Deno's own sockets. */
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

  /** `onFault` is told of errors that are not the network's. */
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
        if (count === null || !owner.received(count)) break;
      }
      owner.ended();
    } catch (error) {
      this.#failed(error);
    }
  }

  send(bytes: Uint8Array, length: number): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#length = length;
    this.#socket.write(bytes.length === length ? bytes : bytes.subarray(0, length)).then(this.#written, this.#failed);
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // The other side was quicker.
    }
  }

  // Fields, not methods: made once, not for every reply.
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
