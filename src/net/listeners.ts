/**
 * The addresses on which a server listens, and the arrival of clients: through the poller where there is one, else
 * through Deno's listeners. Every client arrives as a socket. The addresses follow the settings `bind` and `port` while
 * the server runs.
 */
import { dirname } from "node:path";
import { reasonOf } from "../core/io_error.ts";
import { StartError } from "../core/start_error.ts";
import { SettingError, type Settings } from "../settings/settings.ts";
import type { Poller } from "./poller.ts";
import { DenoSocket, type Socket } from "./socket.ts";

/** The pause of a listener after a failed accept, in milliseconds. */
const REST_MS = 10;
/** The shortest time between two log lines about missing file descriptors. */
const LOG_EVERY_MS = 1000;
/** The most bytes of a path that fit into struct sockaddr_un. */
const UNIX_PATH_BYTES_MAX = Deno.build.os === "linux" ? 107 : 103;
/** The words for "all addresses of this machine". */
const WILDCARDS: Readonly<Record<string, string>> = { "*": "0.0.0.0", "::*": "::" };

/** Linux's error numbers, and those of macOS and Windows where they differ. */
const EADDRNOTAVAIL = [99, 49, 10049];
const EACCES = [13, 10013];
/** Unsupported protocol: EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EPFNOSUPPORT, ENOPROTOOPT. */
const UNSUPPORTED = [97, 93, 94, 96, 92, 47, 43, 44, 46, 42, 10047, 10043, 10044, 10046, 10042];

export interface Host {
  readonly settings: Settings;
  readonly poller: Poller | undefined;
  /** Listens in the place of Deno, on one address that then stays. */
  readonly listen?: (hostname: string, port: number, welcome: Host["welcome"]) => Promise<OwnListener>;
  /** A client connected; `hostname` is its address, undefined over a Unix socket. */
  welcome(socket: Socket, hostname: string | undefined): void;
  /** The port or the addresses have changed. */
  moved(): void;
  warn(text: string): void;
  /** A client was refused because no file descriptor was left. */
  refused(): void;
  fatal(error: unknown): void;
}

/** A listener of a runtime without Deno's. */
export interface OwnListener {
  readonly address: Deno.NetAddr;
  close(): void;
}

/** An open listener. */
interface Listening {
  /** The address as written in the setting, without "-". */
  readonly hostname: string;
  readonly address: Deno.NetAddr;
  close(): void;
}

export class Listeners {
  /** The TCP port; for port 0 the assigned one; 0 without TCP. */
  port = 0;
  readonly #host: Host;
  #tcp: Listening[] = [];
  #closeUnix = () => {};
  #unixPath = "";
  #closed = false;
  #loggedMs = -LOG_EVERY_MS;

  constructor(host: Host) {
    this.#host = host;
  }

  get addresses(): readonly Deno.Addr[] {
    const unix: Deno.UnixAddr[] = this.#unixPath === "" ? [] : [{ transport: "unix", path: this.#unixPath }];
    return [...this.#tcp.map(({ address }) => address), ...unix];
  }

  /** Listens on every address of the settings, and follows changes of `bind` and `port`. Throws StartError. */
  async open(): Promise<void> {
    const { settings, listen, welcome } = this.#host;
    const { port, bind, unixsocket, unixsocketperm } = settings.values;
    if (listen !== undefined) {
      const hostname = hostnameOf(bind[0]);
      this.#tcp = [{ hostname, ...await listen(hostname, port, welcome) }];
      this.port = this.#tcp[0].address.port;
      return;
    }
    this.#listen(bind, port);
    settings.onChange("port", (port, previous) => {
      if (port === 0 && previous !== 0) throw new SettingError("port 0 picks a free port at the start only");
      this.#move("Unable to listen on this port. Check server logs.");
    });
    settings.onChange("bind", () => this.#move("Failed to bind to specified addresses."));
    if (unixsocket !== "") await this.#listenUnix(unixsocket, unixsocketperm);
  }

  /** Stops accepting clients. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const listening of this.#tcp) listening.close();
    this.#closeUnix();
    if (this.#unixPath !== "") await Deno.remove(this.#unixPath).catch(() => {});
  }

  /** Handles a client for which no file descriptor is left. */
  exhausted(): void {
    this.#host.refused();
    const nowMs = performance.now();
    if (nowMs - this.#loggedMs < LOG_EVERY_MS) return;
    this.#loggedMs = nowMs;
    this.#host.warn("Accepting client connection: accept: Too many open files");
  }

  /**
   * Moves to the current addresses of `bind` and `port`. If that fails, all listeners stay as they were, and `failure`
   * is the reply.
   */
  #move(failure: string): void {
    const { bind, port, unixsocket } = this.#host.settings.values;
    if (bind.length === 0 && unixsocket === "") throw new SettingError("without an address no client can connect");
    const wantedPort = port === 0 ? this.port : port;
    const stays = ({ hostname, address }: Listening) =>
      address.port === wantedPort && bind.some((word) => hostnameOf(word) === hostname);
    const leaving = this.#tcp.filter((listening) => !stays(listening));
    this.#tcp = this.#tcp.filter(stays);
    let closed = false;
    const close = () => {
      if (!closed) { for (const listening of leaving) listening.close(); }
      closed = true;
    };
    try {
      // An address and "all addresses" exclude each other on one port, so the old listeners must be closed first.
      if (leaving.some(({ address, hostname }) => address.port === wantedPort && isAll(hostname)) || bind.some(isAll)) {
        close();
      }
      this.#listen(bind, wantedPort);
      close();
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      this.#host.warn(error.message);
      if (!closed) this.#tcp.push(...leaving);
      else this.#restore(leaving);
      throw new SettingError(failure);
    }
    this.#host.moved();
  }

  /** Listens again on addresses that were given up. Deno closes a listener with a short delay. */
  #restore(leaving: readonly Listening[]): void {
    if (leaving.length === 0 || this.#closed) return;
    try {
      this.#listen(leaving.map(({ hostname }) => hostname), leaving[0].address.port);
    } catch {
      setTimeout(() => this.#restore(leaving), REST_MS);
    }
  }

  /**
   * Listens on the addresses of `bind` that have no listener yet: all or none. As in Redis, an address with "-" may be
   * missing on this machine, and a protocol that the machine does not support is skipped. Throws StartError.
   */
  #listen(bind: readonly string[], port: number): void {
    const before = this.#tcp;
    const opened: Listening[] = [];
    let picked = before.length > 0 ? before[0].address.port : port;
    // Where "::" also serves IPv4, it must come before "0.0.0.0", which then needs no listener.
    const words = this.#host.poller === undefined
      ? [...bind].sort((a, b) => Number(isV6All(b)) - Number(isV6All(a)))
      : bind;
    for (const word of words) {
      const hostname = hostnameOf(word);
      if ([...before, ...opened].some((listening) => listening.hostname === hostname)) continue;
      try {
        const listening = this.#open(hostname, picked);
        opened.push(listening);
        picked = listening.address.port;
      } catch (error) {
        const errno = errnoOf(error);
        if (UNSUPPORTED.includes(errno) || (word.startsWith("-") && EADDRNOTAVAIL.includes(errno))) continue;
        if (error instanceof Deno.errors.AddrInUse && hostname === "0.0.0.0" && opened.some(isV6Listening)) continue;
        for (const listening of opened) listening.close();
        throw new StartError(sentence(error, hostname, picked));
      }
    }
    if (before.length + opened.length === 0 && bind.length > 0) {
      throw new StartError(`Failed listening on port ${port} (tcp): this machine has none of the addresses of bind`);
    }
    this.#tcp = [...before, ...opened];
    this.port = this.#tcp[0]?.address.port ?? 0;
  }

  #open(hostname: string, port: number): Listening {
    const { poller, settings, welcome } = this.#host;
    const keepAlive = () => settings.values.tcpKeepalive > 0;
    const polled = poller?.listen(hostname, port, keepAlive, (socket, from) => welcome(socket, from));
    if (polled !== undefined) return { hostname, ...polled };
    const listener = Deno.listen({ hostname, port });
    void this.#accept(listener);
    return { hostname, address: listener.addr as Deno.NetAddr, close: () => listener.close() };
  }

  async #listenUnix(path: string, mode: number): Promise<void> {
    const { poller, welcome } = this.#host;
    const length = new TextEncoder().encode(path).length;
    if (length > UNIX_PATH_BYTES_MAX) {
      throw new StartError(
        `The path of unixsocket has ${length} bytes, and the system allows ${UNIX_PATH_BYTES_MAX}. ` +
          "Choose a shorter one",
      );
    }
    try {
      await Deno.mkdir(dirname(path), { recursive: true });
      // A server has left this socket behind. A file of another kind at this path must not be removed.
      const there = await Deno.lstat(path).catch(() => undefined);
      if (there?.isSocket) await Deno.remove(path);
      const close = poller?.listenUnix(path, (socket) => welcome(socket, undefined));
      if (close !== undefined) this.#closeUnix = close;
      else {
        const listener = Deno.listen({ transport: "unix", path });
        void this.#accept(listener);
        this.#closeUnix = () => listener.close();
      }
      this.#unixPath = path;
      if (mode > 0) await Deno.chmod(path, mode);
    } catch (error) {
      const reason = error instanceof Deno.errors.AddrInUse
        ? "a file that is not a socket exists there"
        : reasonOf(error);
      throw new StartError(`Failed opening the Unix socket ${path}: ${reason}; choose another path for unixsocket`);
    }
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    const { settings, welcome, fatal, warn } = this.#host;
    while (!this.#closed) {
      try {
        const socket = await listener.accept();
        let hostname: string | undefined;
        if (socket.remoteAddr.transport === "tcp") {
          hostname = socket.remoteAddr.hostname;
          const tcp = socket as Deno.TcpConn;
          tcp.setNoDelay(true);
          if (settings.values.tcpKeepalive > 0) tcp.setKeepAlive(true);
        }
        welcome(new DenoSocket(socket, (error) => fatal(error)), hostname);
      } catch (error) {
        if (this.#closed || error instanceof Deno.errors.BadResource) return;
        if (/too many open files/i.test(reasonOf(error))) this.exhausted();
        else warn(`Cannot accept a client: ${reasonOf(error)}`);
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
      }
    }
  }
}

/** The address for a word of `bind`: without "-", and with the system's address for "*". */
function hostnameOf(word: string): string {
  const name = word.replace(/^-/, "");
  return WILDCARDS[name] ?? name;
}

/** Whether a word of `bind` means all addresses of a protocol. */
function isAll(word: string): boolean {
  return Object.values(WILDCARDS).includes(hostnameOf(word));
}

function isV6All(word: string): boolean {
  return hostnameOf(word) === "::";
}

function isV6Listening({ hostname }: Listening): boolean {
  return hostname === "::";
}

/** The system's error number, 0 if the error has none. */
function errnoOf(error: unknown): number {
  const { errno, message } = error as { errno?: number; message?: string };
  return errno ?? Number(/\(os error (\d+)\)/.exec(message ?? "")?.[1] ?? 0);
}

function sentence(error: unknown, hostname: string, port: number): string {
  const shown = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  return `Failed listening on port ${port} (tcp): ${reason()}`;

  function reason(): string {
    const errno = errnoOf(error);
    if (error instanceof Deno.errors.AddrInUse) {
      return `port ${port} is in use. Stop the program that listens on ${shown}, or choose another with --port`;
    }
    if (EADDRNOTAVAIL.includes(errno)) {
      return `this machine has no address ${hostname}. Correct bind, or write -${hostname} if it may be missing`;
    }
    if (EACCES.includes(errno) || error instanceof Deno.errors.PermissionDenied) {
      return `the system does not allow this user to listen on ${shown}. Choose a port above 1023 with --port`;
    }
    // Deno gives no error number for a name that it cannot resolve.
    if (errno === 0) return `'${hostname}' is neither an address nor a known host name. Correct bind`;
    return `cannot listen on ${shown}: ${reasonOf(error)}`;
  }
}
