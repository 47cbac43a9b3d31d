/**
 * Sockets through epoll: one loop that asks the kernel which sockets are ready, reads them into one buffer, and ends the
 * turn when all are served. It takes the place of Deno's sockets where libc.ts can be used, and does nothing that they do
 * not: the server behaves the same on both.
 *
 * While requests come, the loop waits in the kernel for up to a millisecond, which costs less than a trip to another
 * thread. After a millisecond without any it waits on a thread of its own, so that everything else goes on. In between,
 * and at least every few milliseconds, Deno's own event loop gets its turn: timers, files, signals.
 */
import { setImmediate } from "node:timers";
import { invariant } from "../core/assert.ts";
import * as os from "./libc.ts";
import type { Socket, SocketOwner } from "./socket.ts";

const EVENTS_MAX = 512;
const READ_BYTES = 64 * 1024;
const ACCEPTS_AT_ONCE = 64;
const WAIT_MS = 1;
const YIELD_AFTER_US = 4000;
/** How long a listener rests when the process is out of file descriptors. */
const REST_MS = 10;
const NO_FLAGS = 0;
/** What a socket's option is set to. */
const ON = Uint8Array.of(1, 0, 0, 0);
/**
 * What streams wait for: the moment when bytes come, or the end of them. Asking for the state instead would have the
 * kernel look at every socket a second time, to find that it was read.
 */
const WATCHED = os.EPOLLIN | os.EPOLLRDHUP | os.EPOLLET;
const ENDED = os.EPOLLRDHUP | os.EPOLLHUP | os.EPOLLERR;
const READABLE = os.EPOLLIN | ENDED;

/** What the loop needs to know of the turns of the server. */
export interface Turns {
  /** What runs until `endRound` ends in one turn. */
  beginRound(): void;
  endRound(): void;
  /** Whether a turn waits for something that Deno's event loop brings, such as a sync. */
  readonly waiting: boolean;
}

export class Poller {
  readonly #libc: os.Libc;
  readonly #turns: Turns;
  readonly #nowUs: () => number;
  readonly #epoll: number;
  readonly #wake: number;
  readonly #errno: Deno.UnsafePointerView;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #eventBytes = new Uint8Array(os.EVENT_BYTES);
  readonly #event = new DataView(this.#eventBytes.buffer);
  readonly #peer = new Uint8Array(os.ADDRESS_BYTES_MAX);
  readonly #peerLength = new Uint32Array(1);
  /** Streams by their sockets' numbers. */
  readonly #streams: (EpollSocket | undefined)[] = [];
  readonly #listeners = new Map<number, (socket: number, peer: Uint8Array) => void>();
  #stopped = false;
  #running: Promise<void> | undefined;

  private constructor(libc: os.Libc, turns: Turns, nowUs: () => number) {
    this.#libc = libc;
    this.#turns = turns;
    this.#nowUs = nowUs;
    const errno = libc.__errno_location();
    invariant(errno !== null, "the C library has no errno");
    this.#errno = new Deno.UnsafePointerView(errno);
    this.#epoll = libc.epoll_create1(os.EPOLL_CLOEXEC);
    this.#wake = libc.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK);
    invariant(this.#epoll >= 0 && this.#wake >= 0, "epoll cannot be set up");
    this.#control(os.EPOLL_CTL_ADD, this.#wake, os.EPOLLIN);
  }

  /** A poller, or undefined where the kernel cannot be asked directly. `nowUs` is a monotonic clock. */
  static open(turns: Turns, nowUs: () => number): Poller | undefined {
    const libc = os.openLibc();
    return libc === undefined ? undefined : new Poller(libc, turns, nowUs);
  }

  /**
   * Listens on a literal address. Returns the address in use, or undefined if `hostname` is a name that only Deno can
   * resolve. Throws as Deno.listen does.
   */
  listen(
    hostname: string,
    port: number,
    keepAlive: () => boolean,
    welcome: (stream: EpollSocket, hostname: string) => void,
  ): Deno.NetAddr | undefined {
    const address = os.socketAddress(hostname, port);
    if (address === undefined) return undefined;
    const socket = this.#bind(address, `${hostname}:${port}`);
    const room = new Uint8Array(os.ADDRESS_BYTES_MAX);
    this.#libc.getsockname(socket, room, Uint32Array.of(room.length));
    const local = os.readAddress(room)!;
    const localText = addressText(local);
    this.#listeners.set(socket, (client, peer) => {
      this.#option(client, os.IPPROTO_TCP, os.TCP_NODELAY);
      if (keepAlive()) this.#option(client, os.SOL_SOCKET, os.SO_KEEPALIVE);
      const remote = os.readAddress(peer) ?? { hostname: "?", port: 0 };
      welcome(this.#stream(client, addressText(remote), localText, false), remote.hostname);
    });
    return { transport: "tcp", ...local };
  }

  /** Listens on a Unix socket. Returns false if its path is too long for the kernel. */
  listenUnix(path: string, welcome: (stream: EpollSocket) => void): boolean {
    const address = os.unixAddress(path);
    if (address === undefined) return false;
    const socket = this.#bind(address, path);
    this.#listeners.set(socket, (client) => welcome(this.#stream(client, `${path}:0`, `${path}:0`, true)));
    return true;
  }

  /** Serves until `stop`. Rejects only with what is our own fault. */
  run(): Promise<void> {
    return this.#running ??= this.#run();
  }

  /** No new clients from now on. */
  stopListening(): void {
    for (const socket of this.#listeners.keys()) this.#libc.close(socket);
    this.#listeners.clear();
  }

  /** Ends the loop; all streams must be closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#libc.write(this.#wake, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 8);
    await this.#running?.catch(() => {});
    this.#libc.close(this.#wake);
    this.#libc.close(this.#epoll);
  }

  async #run(): Promise<void> {
    const libc = this.#libc, turns = this.#turns;
    const events = new DataView(new ArrayBuffer(EVENTS_MAX * os.EVENT_BYTES));
    const bytes = new Uint8Array(events.buffer);
    let yieldedUs = this.#nowUs();
    while (!this.#stopped) {
      let count = libc.epoll_wait(this.#epoll, bytes, EVENTS_MAX, turns.waiting ? 0 : WAIT_MS);
      if (count <= 0 && !turns.waiting) {
        count = await libc.epoll_wait_apart(this.#epoll, bytes, EVENTS_MAX, -1);
        yieldedUs = this.#nowUs();
      }
      if (count > 0) {
        turns.beginRound();
        for (let i = 0; i < count && !this.#stopped; i++) {
          const at = i * os.EVENT_BYTES;
          this.#serve(events.getInt32(at + os.EVENT_FD, true), events.getUint32(at, true));
        }
        turns.endRound();
      }
      if (turns.waiting || this.#nowUs() - yieldedUs > YIELD_AFTER_US) {
        await new Promise((resolve) => setImmediate(resolve));
        yieldedUs = this.#nowUs();
      }
    }
  }

  #serve(socket: number, events: number): void {
    const stream = this.#streams[socket];
    if (stream === undefined) return this.#accept(socket);
    if ((events & os.EPOLLOUT) !== 0) stream.writable();
    if ((events & READABLE) !== 0) stream.readable(this.#buffer, (events & ENDED) !== 0);
  }

  #accept(listener: number): void {
    const welcome = this.#listeners.get(listener);
    if (welcome === undefined) return; // the wake-up call, or a socket that was closed in this round
    const peer = this.#peer, length = this.#peerLength;
    for (let i = 0; i < ACCEPTS_AT_ONCE; i++) {
      length[0] = peer.length;
      const client = this.#libc.accept4(listener, peer, length, os.SOCK_NONBLOCK | os.SOCK_CLOEXEC);
      if (client >= 0) {
        welcome(client, peer);
        continue;
      }
      const errno = this.errno();
      if (errno === os.EMFILE || errno === os.ENFILE) {
        this.#control(os.EPOLL_CTL_MOD, listener, 0);
        setTimeout(() => {
          if (this.#listeners.has(listener)) this.#control(os.EPOLL_CTL_MOD, listener, os.EPOLLIN);
        }, REST_MS);
      }
      return;
    }
  }

  #bind(address: Uint8Array<ArrayBuffer>, shown: string): number {
    const family = address[0];
    const socket = this.#libc.socket(family, os.SOCK_STREAM | os.SOCK_NONBLOCK | os.SOCK_CLOEXEC, 0);
    if (family !== os.AF_UNIX) this.#option(socket, os.SOL_SOCKET, os.SO_REUSEADDR);
    if (family === os.AF_INET6) this.#option(socket, os.IPPROTO_IPV6, os.IPV6_V6ONLY);
    if (this.#libc.bind(socket, address, address.length) < 0 || this.#libc.listen(socket, 511) < 0) {
      const errno = this.errno();
      this.#libc.close(socket);
      if (errno === os.EADDRINUSE) throw new Deno.errors.AddrInUse(`${shown} is in use`);
      throw Object.assign(new Error(`cannot listen on ${shown} (errno ${errno})`), { code: "EIO" });
    }
    this.#control(os.EPOLL_CTL_ADD, socket, os.EPOLLIN);
    return socket;
  }

  #stream(socket: number, remote: string, local: string, unix: boolean): EpollSocket {
    return new EpollSocket(this, this.#libc, socket, remote, local, unix);
  }

  #option(socket: number, level: number, name: number): void {
    this.#libc.setsockopt(socket, level, name, ON, 4);
  }

  #control(operation: number, socket: number, events: number): void {
    this.#event.setUint32(0, events, true);
    this.#event.setInt32(os.EVENT_FD, socket, true);
    this.#libc.epoll_ctl(this.#epoll, operation, socket, this.#eventBytes);
  }

  // What follows is for this file's streams.

  errno(): number {
    return this.#errno.getInt32();
  }

  watch(stream: EpollSocket, socket: number): void {
    this.#streams[socket] = stream;
    this.#control(os.EPOLL_CTL_ADD, socket, WATCHED);
  }

  rewatch(socket: number, events: number): void {
    this.#control(os.EPOLL_CTL_MOD, socket, events);
  }

  forget(socket: number): void {
    this.#streams[socket] = undefined;
  }
}

/** A stream over a socket of the kernel's. */
export class EpollSocket implements Socket {
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  readonly #poller: Poller;
  readonly #libc: os.Libc;
  #socket: number;
  #owner: SocketOwner | undefined;
  #reading = true;
  #bytes: Uint8Array | undefined;
  #at = 0;
  #length = 0;

  constructor(poller: Poller, libc: os.Libc, socket: number, remote: string, local: string, unix: boolean) {
    this.#poller = poller;
    this.#libc = libc;
    this.#socket = socket;
    this.remote = remote;
    this.local = local;
    this.unix = unix;
  }

  start(owner: SocketOwner): void {
    this.#owner = owner;
    this.#poller.watch(this, this.#socket);
  }

  send(bytes: Uint8Array, length: number): void {
    const count = this.#libc.send(this.#socket, bytes as Uint8Array<ArrayBuffer>, length, os.MSG_NOSIGNAL);
    if (count === length) {
      this.#owner?.sent();
    } else if (count >= 0 || this.#transient()) {
      this.#bytes = bytes;
      this.#at = Math.max(0, count);
      this.#length = length;
      this.#watch();
    } else {
      this.#owner?.lost();
    }
  }

  close(): void {
    if (this.#socket < 0) return;
    this.#poller.forget(this.#socket);
    this.#libc.close(this.#socket);
    this.#socket = -1;
    this.#bytes = undefined;
  }

  /** The kernel has bytes, or, if `ended`, the end of them or an error, before which there may be bytes. */
  readable(buffer: Uint8Array<ArrayBuffer>, ended: boolean): void {
    const owner = this.#owner;
    if (owner === undefined || !this.#reading) return;
    const count = this.#libc.recv(this.#socket, buffer, buffer.length, NO_FLAGS);
    if (count > 0) {
      const more = owner.receivedShared(buffer, count);
      if (!more) this.#reading = false;
      // Not all was read, or the end is still to be met: the kernel tells once more.
      else if (ended || count === buffer.length) this.#watch();
    } else if (count === 0) {
      this.#reading = false;
      owner.ended();
    } else if (this.#transient()) {
      this.#watch();
    } else {
      owner.lost();
    }
  }

  /** The kernel takes bytes again. */
  writable(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    const rest = bytes.subarray(this.#at, this.#length) as Uint8Array<ArrayBuffer>;
    const count = this.#libc.send(this.#socket, rest, rest.length, os.MSG_NOSIGNAL);
    if (count < 0) {
      if (!this.#transient()) this.#owner?.lost();
      return;
    }
    this.#at += count;
    if (this.#at < this.#length) return;
    this.#bytes = undefined;
    this.#watch();
    this.#owner?.sent();
  }

  #transient(): boolean {
    const errno = this.#poller.errno();
    return errno === os.EAGAIN || errno === os.EINTR;
  }

  #watch(): void {
    if (this.#socket < 0) return;
    this.#poller.rewatch(
      this.#socket,
      (this.#reading ? WATCHED : os.EPOLLET) | (this.#bytes === undefined ? 0 : os.EPOLLOUT),
    );
  }
}

function addressText({ hostname, port }: { hostname: string; port: number }): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
