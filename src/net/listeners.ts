/**
 * The addresses that a server listens on, and how clients come in: through the poller where there is one, else through
 * Deno's listeners. Every client arrives as a socket.
 */
import { dirname } from "node:path";
import { ensureDir } from "@std/fs";
import type { SettingValues } from "../settings/settings.ts";
import type { Poller } from "./poller.ts";
import { DenoSocket, type Socket } from "./socket.ts";

/** How long a listener rests after it failed to accept. */
const REST_MS = 10;
/** That the file descriptors are used up is logged so often at most. */
const LOG_EVERY_MS = 1000;

export interface Host {
  readonly values: SettingValues;
  readonly poller: Poller | undefined;
  /** A client came; `hostname` is its address, undefined over a Unix socket. */
  welcome(socket: Socket, hostname: string | undefined): void;
  warn(text: string): void;
  /** A client could not be let in: no file descriptor was left. */
  refused(): void;
  fatal(error: unknown): void;
}

export class Listeners {
  readonly addresses: Deno.Addr[] = [];
  /** The TCP port, the one that was picked for port 0; 0 without TCP. */
  port = 0;
  readonly #host: Host;
  readonly #listeners: Deno.Listener[] = [];
  #unixPath = "";
  #closed = false;
  #loggedMs = -LOG_EVERY_MS;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Listens on every address of the settings. */
  async open(): Promise<void> {
    const { port, bind, unixsocket, unixsocketperm } = this.#host.values;
    this.port = Math.max(0, port);
    if (port >= 0) { for (const hostname of bind) this.#listen(hostname); }
    if (unixsocket === "") return;
    await ensureDir(dirname(unixsocket));
    await Deno.remove(unixsocket).catch(() => {});
    this.#listenUnix(unixsocket);
    this.#unixPath = unixsocket;
    if (unixsocketperm > 0) await Deno.chmod(unixsocket, unixsocketperm);
  }

  /** No new clients from now on. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const listener of this.#listeners) listener.close();
    this.#host.poller?.stopListening();
    if (this.#unixPath !== "") await Deno.remove(this.#unixPath).catch(() => {});
  }

  /** No file descriptor is left for a client. */
  exhausted(): void {
    this.#host.refused();
    const nowMs = performance.now();
    if (nowMs - this.#loggedMs < LOG_EVERY_MS) return;
    this.#loggedMs = nowMs;
    this.#host.warn("Accepting client connection: accept: Too many open files");
  }

  #listen(hostname: string): void {
    const host = this.#host;
    const keepAlive = () => host.values.tcpKeepalive > 0;
    let address = host.poller?.listen(hostname, this.port, keepAlive, (socket, from) => host.welcome(socket, from));
    if (address === undefined) {
      const listener = Deno.listen({ hostname, port: this.port });
      address = listener.addr as Deno.NetAddr;
      void this.#accept(listener);
    }
    this.port = address.port;
    this.addresses.push(address);
  }

  #listenUnix(path: string): void {
    const host = this.#host;
    if (!host.poller?.listenUnix(path, (socket) => host.welcome(socket, undefined))) {
      void this.#accept(Deno.listen({ transport: "unix", path }));
    }
    this.addresses.push({ transport: "unix", path });
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    const host = this.#host;
    this.#listeners.push(listener);
    while (!this.#closed) {
      try {
        const socket = await listener.accept();
        let hostname: string | undefined;
        if (socket.remoteAddr.transport === "tcp") {
          hostname = socket.remoteAddr.hostname;
          const tcp = socket as Deno.TcpConn;
          tcp.setNoDelay(true);
          if (host.values.tcpKeepalive > 0) tcp.setKeepAlive(true);
        }
        host.welcome(new DenoSocket(socket, (error) => host.fatal(error)), hostname);
      } catch (error) {
        if (this.#closed || error instanceof Deno.errors.BadResource) return;
        if (/too many open files/i.test((error as Error).message)) this.exhausted();
        else host.warn(`Cannot accept a client: ${(error as Error).message}`);
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
      }
    }
  }
}
