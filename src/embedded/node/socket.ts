/**
 * Clients through node:net, where the server runs in Node.js or Bun.
 */
import type { Server, Socket as NetSocket } from "node:net";
import { net } from "../../core/builtin.ts";
import { StartError } from "../../core/start_error.ts";
import type { OwnListener } from "../../net/listeners.ts";
import type { Socket, SocketOwner } from "../../net/socket.ts";

class NodeSocket implements Socket {
  readonly remote: string;
  readonly local: string;
  readonly unix = false;
  readonly #socket: NetSocket;
  #owner: SocketOwner | undefined;
  #closed = false;

  constructor(socket: NetSocket) {
    this.#socket = socket;
    this.remote = addressText(socket.remoteAddress, socket.remotePort);
    this.local = addressText(socket.localAddress, socket.localPort);
    socket.setNoDelay(true);
    // Errors before `start` end the connection too.
    socket.on("error", () => this.#lost());
  }

  start(owner: SocketOwner): void {
    this.#owner = owner;
    const socket = this.#socket;
    socket.on("data", (chunk) => {
      // A Buffer differs from the Uint8Array that the parser expects: its slices share memory.
      const bytes = new Uint8Array(chunk as Uint8Array);
      if (!this.#closed && !owner.receivedShared(bytes, bytes.length)) socket.pause();
    });
    socket.on("end", () => this.#closed || owner.ended());
    socket.on("close", () => this.#lost());
  }

  send(bytes: Uint8Array, length: number, transient = false): void {
    const sent = transient ? bytes.slice(0, length) : bytes.subarray(0, length);
    this.#socket.write(sent, (error) => {
      if (this.#closed) return;
      if (error) this.#lost();
      else this.#owner?.sent();
    });
  }

  resume(): void {
    this.#socket.resume();
  }

  defer(): void {
    setTimeout(() => this.#closed || this.#owner?.proceed());
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #lost(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner?.lost();
    this.#socket.destroy();
  }
}

/** Listens through node:net. Throws StartError. */
export function listenOnNode(
  hostname: string,
  port: number,
  welcome: (socket: Socket, hostname: string) => void,
): Promise<OwnListener> {
  const server: Server = net().createServer({ allowHalfOpen: true }, (socket) => {
    welcome(new NodeSocket(socket), socket.remoteAddress ?? "");
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new StartError(`Failed listening on port ${port} (tcp): ${error.message}`)));
    server.listen({ host: hostname, port }, () => {
      const address = server.address() as { address: string; port: number };
      resolve({
        address: { transport: "tcp", hostname: address.address, port: address.port },
        // The connections are closed by their owners.
        close: () => void server.close(),
      });
    });
  });
}

function addressText(hostname = "?", port = 0): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
