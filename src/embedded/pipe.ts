/**
 * A connection within the process: the server's end is a Socket like any other, the client's end takes and gives bytes.
 */
import type { Socket, SocketOwner } from "../net/socket.ts";

/** The client's end. */
export interface PipeClient {
  /** Bytes arrived. They are the receiver's own. */
  received(bytes: Uint8Array): void;
  /** The server has closed the connection. */
  closed(): void;
}

export class PipeSocket implements Socket {
  readonly remote: string;
  readonly local = "127.0.0.1:0";
  readonly unix = false;
  readonly #client: PipeClient;
  #owner: SocketOwner | undefined;
  #reading = true;
  #closed = false;
  /** Bytes from the client that the server has not taken yet. */
  #waiting: Uint8Array[] = [];
  #ended = false;
  #due = false;
  /** Bytes were sent, but the client does not take more at the moment. */
  #full = false;
  #sentWhileFull = false;

  constructor(client: PipeClient, number: number) {
    this.#client = client;
    this.remote = `127.0.0.1:${number}`;
  }

  start(owner: SocketOwner): void {
    this.#owner = owner;
    this.#soon();
  }

  send(bytes: Uint8Array, length: number): void {
    if (this.#closed) return;
    this.#client.received(bytes.slice(0, length));
    if (this.#full) this.#sentWhileFull = true;
    else this.#owner?.sent();
  }

  resume(): void {
    this.#reading = true;
    this.#soon();
  }

  defer(): void {
    setTimeout(() => {
      if (!this.#closed) this.#owner?.proceed();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    queueMicrotask(() => this.#client.closed());
  }

  // The client's side.

  /** Sends bytes to the server, which keeps them. They arrive after the running command. */
  write(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#waiting.push(bytes);
    this.#soon();
  }

  /** The client sends no more. */
  end(): void {
    this.#ended = true;
    this.#soon();
  }

  /** The client takes no further bytes until `full` is set to false again. */
  set full(full: boolean) {
    this.#full = full;
    if (full || !this.#sentWhileFull) return;
    this.#sentWhileFull = false;
    queueMicrotask(() => {
      if (!this.#closed) this.#owner?.sent();
    });
  }

  #soon(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    while (this.#reading && !this.#closed) {
      const bytes = this.#waiting.shift();
      if (bytes === undefined) break;
      if (bytes.length > 0 && !owner.receivedShared(bytes, bytes.length)) this.#reading = false;
    }
    if (this.#ended && this.#waiting.length === 0 && this.#reading && !this.#closed) {
      this.#reading = false;
      owner.ended();
    }
  }
}
