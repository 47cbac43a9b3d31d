/**
 * Sockets through epoll: one loop asks the kernel which sockets are ready, reads them into one buffer, and ends the
 * turn after it has served all of them. It replaces Deno's sockets where libc.ts works. The server behaves the same
 * with both.
 *
 * While requests arrive, the loop waits in the kernel for up to a millisecond, which costs less than switching to
 * another thread. After a millisecond without requests it waits on another thread, so that Deno's event loop (timers,
 * files, signals) can run. Deno's event loop also runs at least every few milliseconds while requests arrive.
 *
 * A round sends about ROUND_BYTES. The remaining work waits in two queues, of sockets with short and with long replies.
 * The next round first serves the sockets that have events and short replies, then at least one entry of each queue. So
 * a client with short replies waits for at most one long reply of another client, not for all of them.
 */
import { setImmediate } from "node:timers";
import { invariant } from "../core/assert.ts";
import * as os from "./libc.ts";
import type { Socket, SocketOwner } from "./socket.ts";

const EVENTS_MAX = 512;
/** Events that are taken at once from within a script. */
const INSIDE_EVENTS_MAX = 64;
const READ_BYTES = 64 * 1024;
const ACCEPTS_AT_ONCE = 64;
/** Bytes that a round passes to the kernel before further long replies wait for the next round. */
const ROUND_BYTES = 1024 * 1024;
/** Bytes after which sockets with short replies wait too. */
const ROUND_BYTES_MAX = 2 * ROUND_BYTES;
/** The size from which a reply is long. */
const LONG_BYTES = 64 * 1024;
const WAIT_MS = 1;
const YIELD_AFTER_US = 4000;
/** The pause of a listener when no file descriptor is left even for refusing a client. */
const REST_MS = 10;
/** Memory blocks of at least this size return to the system when they are freed. */
const MAPPED_BYTES_MIN = 256 * 1024;
const NO_FLAGS = 0;
/** The option value that switches a socket option on. */
const ON = Uint8Array.of(1, 0, 0, 0);
/**
 * The events of clients are edge-triggered: the arrival of bytes, and their end. With level-triggered events the kernel
 * would check every socket a second time, only to find that it was read.
 */
const WATCHED = os.EPOLLIN | os.EPOLLRDHUP | os.EPOLLET;
const ENDED = os.EPOLLRDHUP | os.EPOLLHUP | os.EPOLLERR;
const READABLE = os.EPOLLIN | ENDED;
/** Entries of the queue that are not events of the kernel: call `sent`, call `proceed`. */
const SENT = 1 << 27, PROCEED = 1 << 28;

/** The turns of the server, from the loop's point of view. */
export interface Turns {
  /** Everything that runs until `endRound` belongs to one turn. */
  beginRound(): void;
  endRound(): void;
  /** Whether a turn waits for work of Deno's event loop, such as a sync. */
  readonly waiting: boolean;
  /** Whether further long replies must wait for the next turn. */
  isExhausted(): boolean;
}

/** Called with the error number if no file descriptor is left for a client. */
export type RefusedListener = (errno: number) => void;

export class Poller {
  readonly #libc: os.Libc;
  readonly #turns: Turns;
  readonly #nowUs: () => number;
  readonly #epoll: number;
  /** The event file descriptor that ends the wait on the other thread. */
  readonly #wake: number;
  /** A file descriptor that is closed to refuse a client when no other one is left; negative while it is not open. */
  #spare: number;
  readonly #refused: RefusedListener;
  readonly #errno: Deno.UnsafePointerView;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #eventBytes = new Uint8Array(os.EVENT_BYTES);
  readonly #event = new DataView(this.#eventBytes.buffer);
  readonly #peer = new Uint8Array(os.ADDRESS_BYTES_MAX);
  readonly #peerLength = new Uint32Array(1);
  /** Sockets, indexed by their file descriptors. */
  readonly #sockets: (EpollSocket | undefined)[] = [];
  /** Sockets with postponed work and short or long replies, in order of arrival. */
  #soon: EpollSocket[] = [];
  #later: EpollSocket[] = [];
  /** Bytes that were passed to the kernel in this round. */
  #offeredBytes = 0;
  #asleep = false;
  /** The events of the round: their number, and the index of the next one to serve. */
  readonly #events = new DataView(new ArrayBuffer(EVENTS_MAX * os.EVENT_BYTES));
  #count = 0;
  #next = 0;
  /** The buffers of `serveInside`; those of the loop are in use then. */
  #inside: { readonly events: DataView<ArrayBuffer>; readonly buffer: Uint8Array<ArrayBuffer> } | undefined;
  readonly #listeners = new Map<number, (socket: number, peer: Uint8Array) => void>();
  #stopped = false;
  #running: Promise<void> | undefined;

  private constructor(libc: os.Libc, turns: Turns, nowUs: () => number, refused: RefusedListener) {
    this.#libc = libc;
    this.#turns = turns;
    this.#nowUs = nowUs;
    this.#refused = refused;
    const errno = libc.__errno_location();
    invariant(errno !== null, "the C library has no errno");
    this.#errno = new Deno.UnsafePointerView(errno);
    this.#epoll = libc.epoll_create1(os.EPOLL_CLOEXEC);
    this.#wake = libc.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK);
    invariant(this.#epoll >= 0 && this.#wake >= 0, "epoll cannot be set up");
    this.#control(os.EPOLL_CTL_ADD, this.#wake, os.EPOLLIN | os.EPOLLET);
    this.#spare = this.#openSpare();
    // By default glibc raises the threshold with every large block that is freed, and then keeps smaller blocks.
    libc.mallopt(os.M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
  }

  /**
   * Opens a poller; undefined where epoll is not available. `nowUs` is a monotonic clock. `refused` is called with the
   * error number if no client can be accepted.
   */
  static open(turns: Turns, nowUs: () => number, refused: RefusedListener): Poller | undefined {
    const libc = os.openLibc();
    return libc === undefined ? undefined : new Poller(libc, turns, nowUs, refused);
  }

  /**
   * Listens on a literal address. Returns the address in use and a function that closes it, or undefined if `hostname`
   * is a name that only Deno can resolve. Throws the same errors as Deno.listen, or an error with the system's `errno`.
   */
  listen(
    hostname: string,
    port: number,
    keepAlive: () => boolean,
    welcome: (socket: EpollSocket, hostname: string) => void,
  ): { address: Deno.NetAddr; close: () => void } | undefined {
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
      welcome(this.#client(client, addressText(remote), localText, false), remote.hostname);
    });
    return { address: { transport: "tcp", ...local }, close: () => this.#stopListening(socket) };
  }

  /** Listens on a Unix socket. Returns a function that closes it; undefined if the path is too long for the kernel. */
  listenUnix(path: string, welcome: (socket: EpollSocket) => void): (() => void) | undefined {
    const address = os.unixAddress(path);
    if (address === undefined) return undefined;
    const socket = this.#bind(address, path);
    this.#listeners.set(socket, (client) => welcome(this.#client(client, `${path}:0`, `${path}:0`, true)));
    return () => this.#stopListening(socket);
  }

  /** Serves until `stop`. Rejects only with faults of the server itself. */
  run(): Promise<void> {
    return this.#running ??= this.#run();
  }

  #stopListening(socket: number): void {
    if (this.#listeners.delete(socket)) this.#libc.close(socket);
  }

  /**
   * Serves the sockets that are ready from within a running script. The client that runs it is served later. Every
   * reply is sent at once.
   */
  serveInside(): void {
    const inside = this.#inside ??= {
      events: new DataView(new ArrayBuffer(INSIDE_EVENTS_MAX * os.EVENT_BYTES)),
      buffer: new Uint8Array(READ_BYTES),
    };
    const { events, buffer } = inside;
    // The kernel reports no event of the round again.
    while (this.#next < this.#count) this.#serveInside(this.#events, this.#next++, buffer);
    const count = this.#libc.epoll_wait(this.#epoll, new Uint8Array(events.buffer), INSIDE_EVENTS_MAX, 0);
    for (let i = 0; i < count && !this.#stopped; i++) this.#serveInside(events, i, buffer);
  }

  #serveInside(events: DataView, index: number, buffer: Uint8Array<ArrayBuffer>): void {
    const at = index * os.EVENT_BYTES, number = events.getInt32(at + os.EVENT_FD, true);
    const socket = this.#sockets[number], happened = events.getUint32(at, true);
    if (socket === undefined) this.#accept(number);
    else if (socket.running) socket.putOff(happened);
    else socket.happened(happened, buffer);
  }

  /** Ends the loop. All sockets must be closed before. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#awake();
    await this.#running?.catch(() => {});
    this.#libc.close(this.#wake);
    if (this.#spare >= 0) this.#libc.close(this.#spare);
    this.#libc.close(this.#epoll);
  }

  async #run(): Promise<void> {
    const libc = this.#libc, turns = this.#turns;
    const events = this.#events, bytes = new Uint8Array(events.buffer);
    let yieldedUs = this.#nowUs();
    while (!this.#stopped) {
      const late = this.#soon.length > 0 || this.#later.length > 0;
      const busy = turns.waiting || late;
      let count = libc.epoll_wait(this.#epoll, bytes, EVENTS_MAX, busy ? 0 : WAIT_MS);
      if (count <= 0 && !busy) {
        this.#asleep = true;
        count = await libc.epoll_wait_apart(this.#epoll, bytes, EVENTS_MAX, -1);
        this.#asleep = false;
        yieldedUs = this.#nowUs();
      }
      if (count > 0 || late) {
        turns.beginRound();
        const soon = this.#soon, later = this.#later;
        if (soon.length > 0) this.#soon = [];
        if (later.length > 0) this.#later = [];
        this.#offeredBytes = 0;
        this.#count = count;
        for (this.#next = 0; this.#next < this.#count && !this.#stopped;) {
          const at = this.#next++ * os.EVENT_BYTES;
          this.#serve(events.getInt32(at + os.EVENT_FD, true), events.getUint32(at, true));
        }
        if (soon !== this.#soon) this.#soon = [...this.#serveLate(soon), ...this.#soon];
        if (later !== this.#later) this.#later = [...this.#serveLate(later), ...this.#later];
        turns.endRound();
      }
      if (turns.waiting || this.#nowUs() - yieldedUs > YIELD_AFTER_US) {
        await new Promise((resolve) => setImmediate(resolve));
        yieldedUs = this.#nowUs();
      }
    }
  }

  #serve(number: number, events: number): void {
    const socket = this.#sockets[number];
    if (socket === undefined) this.#accept(number);
    else if (this.#mustWait(socket)) socket.putOff(events);
    else socket.happened(events, this.#buffer);
  }

  #mustWait(socket: EpollSocket): boolean {
    return this.#offeredBytes >= ROUND_BYTES && (socket.long || this.#offeredBytes >= ROUND_BYTES_MAX);
  }

  /**
   * Does postponed work: at least one entry, and the others as far as the byte limit of the round allows. Returns the
   * rest.
   */
  #serveLate(waiting: EpollSocket[]): EpollSocket[] {
    let k = 0;
    do waiting[k++].catchUp(this.#buffer); while (k < waiting.length && !this.exhausted && !this.#stopped);
    return waiting.slice(k);
  }

  #accept(listener: number): void {
    const welcome = this.#listeners.get(listener);
    if (welcome === undefined) return; // our own event, or a socket that was closed in this round
    const peer = this.#peer, length = this.#peerLength;
    for (let i = 0; i < ACCEPTS_AT_ONCE; i++) {
      length[0] = peer.length;
      const client = this.#libc.accept4(listener, peer, length, os.SOCK_NONBLOCK | os.SOCK_CLOEXEC);
      if (client >= 0) {
        welcome(client, peer);
        continue;
      }
      const errno = this.errno();
      if (errno === os.EMFILE || errno === os.ENFILE) this.#refuse(listener, errno);
      return;
    }
  }

  /**
   * Refuses a client for which no file descriptor is left. The spare descriptor is used to send the refusal, and the
   * listener tries again with the next client. Without a spare descriptor the listener pauses briefly, so that the loop
   * does not spin.
   */
  #refuse(listener: number, errno: number): void {
    this.#refused(errno);
    const libc = this.#libc;
    let client = -1;
    if (this.#spare >= 0) {
      libc.close(this.#spare);
      client = libc.accept4(listener, null, null, os.SOCK_NONBLOCK | os.SOCK_CLOEXEC);
      if (client >= 0) {
        libc.send(client, TOO_MANY_CLIENTS, TOO_MANY_CLIENTS.length, os.MSG_NOSIGNAL);
        libc.close(client);
      }
    }
    this.#spare = this.#openSpare();
    if (client >= 0) return;
    this.#control(os.EPOLL_CTL_MOD, listener, 0);
    setTimeout(() => {
      if (this.#listeners.has(listener)) this.#control(os.EPOLL_CTL_MOD, listener, os.EPOLLIN);
    }, REST_MS);
  }

  #openSpare(): number {
    return this.#libc.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK);
  }

  #awake(): void {
    this.#libc.write(this.#wake, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 8);
  }

  #bind(address: Uint8Array<ArrayBuffer>, shown: string): number {
    const family = address[0];
    const socket = this.#libc.socket(family, os.SOCK_STREAM | os.SOCK_NONBLOCK | os.SOCK_CLOEXEC, 0);
    if (socket < 0) throw cannotListen(shown, this.errno());
    if (family !== os.AF_UNIX) this.#option(socket, os.SOL_SOCKET, os.SO_REUSEADDR);
    if (family === os.AF_INET6) this.#option(socket, os.IPPROTO_IPV6, os.IPV6_V6ONLY);
    if (this.#libc.bind(socket, address, address.length) < 0 || this.#libc.listen(socket, 511) < 0) {
      const errno = this.errno();
      this.#libc.close(socket);
      if (errno === os.EADDRINUSE) throw new Deno.errors.AddrInUse(`${shown} is in use`);
      throw cannotListen(shown, errno);
    }
    this.#control(os.EPOLL_CTL_ADD, socket, os.EPOLLIN);
    return socket;
  }

  #client(socket: number, remote: string, local: string, unix: boolean): EpollSocket {
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

  // The following methods are for the sockets of this file.

  errno(): number {
    return this.#errno.getInt32();
  }

  watch(socket: EpollSocket, number: number): void {
    this.#sockets[number] = socket;
    this.#control(os.EPOLL_CTL_ADD, number, WATCHED);
  }

  rewatch(number: number, events: number): void {
    this.#control(os.EPOLL_CTL_MOD, number, events);
  }

  forget(number: number): void {
    this.#sockets[number] = undefined;
  }

  /** Counts bytes that a socket passes to the kernel. */
  offer(bytes: number): void {
    this.#offeredBytes += bytes;
  }

  /** Whether this round has reached its byte limit. */
  get exhausted(): boolean {
    return this.#offeredBytes >= ROUND_BYTES || this.#turns.isExhausted();
  }

  /** Queues a socket; a later round calls its `catchUp`. */
  queue(socket: EpollSocket): void {
    (socket.long ? this.#later : this.#soon).push(socket);
    if (this.#asleep) this.#awake();
  }
}

function cannotListen(shown: string, errno: number): Error {
  return Object.assign(new Error(`cannot listen on ${shown} (errno ${errno})`), { code: "EIO", errno });
}

/** A socket that uses system calls directly. */
export class EpollSocket implements Socket {
  readonly remote: string;
  readonly local: string;
  readonly unix: boolean;
  /** The last reply was long. */
  long = false;
  readonly #poller: Poller;
  readonly #libc: os.Libc;
  #socket: number;
  #owner: SocketOwner | undefined;
  #reading = true;
  /** Bytes that the kernel has not accepted yet: `bytes[at, length)`. */
  #bytes: Uint8Array | undefined;
  #at = 0;
  #length = 0;
  /** Postponed events and calls. */
  #putOff = 0;

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

  send(bytes: Uint8Array, length: number, transient = false): void {
    this.long = length >= LONG_BYTES;
    this.#poller.offer(length);
    const count = this.#libc.send(this.#socket, bytes as Uint8Array<ArrayBuffer>, length, os.MSG_NOSIGNAL);
    if (count === length) {
      this.#sent();
    } else if (count >= 0 || this.#transient()) {
      this.#bytes = transient ? bytes.slice(0, length) : bytes;
      this.#at = Math.max(0, count);
      this.#length = length;
      this.#watch();
    } else {
      this.#owner?.lost();
    }
  }

  resume(): void {
    this.#reading = true;
    // Registering again makes the kernel report the bytes that have arrived meanwhile.
    this.#watch();
  }

  /** Whether requests of this client are running. */
  get running(): boolean {
    return this.#owner?.running ?? false;
  }

  defer(): void {
    this.long = true;
    this.putOff(PROCEED);
  }

  close(): void {
    if (this.#socket < 0) return;
    this.#poller.forget(this.#socket);
    this.#libc.close(this.#socket);
    this.#socket = -1;
    this.#bytes = undefined;
  }

  /** Handles events of the kernel. `buffer` is used for reading. */
  happened(events: number, buffer: Uint8Array<ArrayBuffer>): void {
    if ((events & os.EPOLLOUT) !== 0) this.#writable();
    if ((events & READABLE) !== 0) this.#readable(buffer, (events & ENDED) !== 0);
  }

  /** Postpones events, SENT or PROCEED to a later round. */
  putOff(work: number): void {
    if (this.#putOff === 0) this.#poller.queue(this);
    this.#putOff |= work;
  }

  /** Handles all postponed work. */
  catchUp(buffer: Uint8Array<ArrayBuffer>): void {
    const work = this.#putOff;
    this.#putOff = 0;
    if ((work & SENT) !== 0 && this.#socket >= 0) this.#owner?.sent();
    if ((work & PROCEED) !== 0 && this.#socket >= 0) this.#owner?.proceed();
    if (this.#socket >= 0) this.happened(work, buffer);
  }

  #sent(): void {
    if (this.long && this.#poller.exhausted) this.putOff(SENT);
    else this.#owner?.sent();
  }

  /** The kernel has bytes. If `ended`, it has their end or an error, possibly after more bytes. */
  #readable(buffer: Uint8Array<ArrayBuffer>, ended: boolean): void {
    const owner = this.#owner;
    if (owner === undefined || !this.#reading || this.#socket < 0) return;
    const count = this.#libc.recv(this.#socket, buffer, buffer.length, NO_FLAGS);
    if (count > 0) {
      const more = owner.receivedShared(buffer, count);
      if (!more) this.#reading = false;
      // Bytes or the end remain: registering again makes the kernel report them.
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

  /** The kernel accepts bytes again. */
  #writable(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    const rest = bytes.subarray(this.#at, this.#length) as Uint8Array<ArrayBuffer>;
    const count = this.#libc.send(this.#socket, rest, rest.length, os.MSG_NOSIGNAL);
    if (count < 0) {
      if (!this.#transient()) this.#owner?.lost();
      return;
    }
    this.#poller.offer(count);
    this.#at += count;
    if (this.#at < this.#length) return;
    this.#bytes = undefined;
    this.#watch();
    this.#sent();
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

const TOO_MANY_CLIENTS = new TextEncoder().encode("-ERR max number of clients reached\r\n");

function addressText({ hostname, port }: { hostname: string; port: number }): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
