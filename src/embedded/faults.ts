/**
 * Faults on purpose: a test asks that commands fail, take long or lose their connection, so that it can see how its
 * program bears that.
 */
import { fromUtf8, utf8 } from "../core/bytes.ts";
import { globMatch } from "../core/glob.ts";
import type { Clock } from "../core/clock.ts";
import type { CommandTable } from "../dispatch/registry.ts";
import { keysOf } from "../dispatch/key_positions.ts";
import type { Session } from "../engine/session.ts";
import type { Request } from "../resp/request.ts";
import type { Socket, SocketOwner } from "../net/socket.ts";

/** Which requests are struck, and by what. A request must meet every condition that is given. */
export interface Fault {
  /** The command, or several of them, in any case; every command if this is missing. */
  readonly command?: string | readonly string[];
  /** A glob pattern that one of the keys must match. */
  readonly key?: string;
  /** Requests that are let through before the first one is struck; 0 if missing. */
  readonly after?: number;
  /** Requests that are struck; all of them if missing. */
  readonly times?: number;

  /** The error to answer instead of running the command: "LOADING Redis is loading the dataset in memory". */
  readonly error?: string;
  /** Milliseconds by the server's clock before the command runs. Later requests of the client wait behind it. */
  readonly delay?: number;
  /** Closes the connection instead of running the command. */
  readonly disconnect?: boolean;
  /** Runs the command, sends half of the reply, and closes the connection. */
  readonly halfReply?: boolean;

  /** New clients are refused: the connection is closed as soon as it is there. */
  readonly refuse?: boolean;
  /** Replies to all clients leave at this many bytes a second, as to a slow network. */
  readonly bytesPerSecond?: number;
}

/** A fault in force. It ends with `end`, or at the end of a block that declares it with `using`. */
export interface ActiveFault extends Disposable {
  /** What was asked for. */
  readonly fault: Fault;
  /** Requests or connections that were struck so far. */
  readonly struck: number;
  /** Ends the fault. */
  end(): void;
}

class FaultInForce implements ActiveFault {
  readonly fault: Fault;
  struck = 0;
  #passed = 0;
  readonly #commands: ReadonlySet<string> | undefined;
  readonly #keyPattern: Uint8Array | undefined;
  readonly #end: (fault: FaultInForce) => void;

  /** Throws TypeError if the fault does nothing or contradicts itself. */
  constructor(fault: Fault, end: (fault: FaultInForce) => void) {
    const { command, key, error, delay, disconnect, halfReply, refuse, bytesPerSecond } = fault;
    const kinds = [error, disconnect, halfReply, refuse, bytesPerSecond].filter((kind) => kind !== undefined);
    if (kinds.length > 1 || (kinds.length === 0 && delay === undefined)) {
      throw new TypeError("a fault has one of error, disconnect, halfReply, refuse, bytesPerSecond, or a delay");
    }
    if ((refuse || bytesPerSecond !== undefined) && (command ?? key ?? delay) !== undefined) {
      throw new TypeError("refuse and bytesPerSecond concern connections, not commands, keys or delays");
    }
    if (bytesPerSecond !== undefined && !(bytesPerSecond > 0)) {
      throw new TypeError("bytesPerSecond must be above 0");
    }
    if (error !== undefined && /[\r\n]/.test(error)) throw new TypeError("an error is one line");
    this.fault = fault;
    this.#end = end;
    const names = command === undefined ? undefined : typeof command === "string" ? [command] : command;
    this.#commands = names && new Set(names.map((name) => name.toUpperCase()));
    this.#keyPattern = key === undefined ? undefined : utf8(key);
  }

  end(): void {
    this.#end(this);
  }

  [Symbol.dispose](): void {
    this.end();
  }

  /** Whether the fault strikes now. Counts it. */
  strikes(): boolean {
    const { after = 0, times = Infinity } = this.fault;
    if (this.struck >= times) return false;
    if (this.#passed++ < after) return false;
    this.struck++;
    return true;
  }

  matches(table: CommandTable, request: Request): boolean {
    const { argc, bytes, start, end } = request;
    const { refuse, bytesPerSecond } = this.fault;
    if (refuse || bytesPerSecond !== undefined) return false;
    if (this.#commands !== undefined) {
      if (!this.#commands.has(fromUtf8(bytes.subarray(start[0], end[0])).toUpperCase())) return false;
    }
    const pattern = this.#keyPattern;
    if (pattern === undefined) return true;
    const found = table.find(bytes, start[0], end[0]);
    const command = (argc > 1 ? found?.subcommand(bytes, start[1], end[1]) : undefined) ?? found;
    if (command === undefined) return false;
    return (keysOf(command, request) ?? []).some(({ index }) =>
      globMatch(pattern, 0, pattern.length, bytes, start[index], end[index], false)
    );
  }
}

export class Faults {
  readonly #clock: Clock;
  readonly #table: CommandTable;
  readonly #active = new Set<FaultInForce>();
  readonly #sockets = new WeakMap<Session, FaultySocket>();
  /** Sessions whose delay is over. */
  readonly #delayed = new WeakSet<Session>();

  constructor(clock: Clock, table: CommandTable) {
    this.#clock = clock;
    this.#table = table;
  }

  add(fault: Fault): ActiveFault {
    const active = new FaultInForce(fault, (ended) => this.#active.delete(ended));
    this.#active.add(active);
    return active;
  }

  /** Ends all faults. */
  clear(): void {
    this.#active.clear();
  }

  /** The error for a request, "" if it may run. It may also be suspended, or its session closed. */
  request(session: Session, request: Request): string {
    if (this.#active.size === 0 || this.#delayed.delete(session)) return "";
    for (const active of this.#active) {
      if (!active.matches(this.#table, request) || !active.strikes()) continue;
      const { error, delay = 0, disconnect, halfReply } = active.fault;
      if (disconnect) session.transport?.close(false);
      else if (halfReply) this.#sockets.get(session)?.cut();
      else if (error !== undefined) return error;
      if (delay > 0 && !session.closing) this.#delay(session, delay);
      return "";
    }
    return "";
  }

  /** Whether a new client is refused. */
  refuses(): boolean {
    return [...this.#active].some((active) => active.fault.refuse && active.strikes());
  }

  /** The socket that the server uses for a client, around its own. */
  wrap(socket: Socket): FaultySocket {
    return new FaultySocket(socket, () => this.#rate());
  }

  began(session: Session, socket: FaultySocket): void {
    this.#sockets.set(session, socket);
  }

  #rate(): number {
    return Math.min(Infinity, ...[...this.#active].map(({ fault }) => fault.bytesPerSecond ?? Infinity));
  }

  #delay(session: Session, ms: number): void {
    const over = () => {
      session.suspension = undefined;
      this.#delayed.add(session);
      session.transport?.resume();
    };
    const cancel = this.#clock.schedule(this.#clock.nowMs() + ms, over);
    session.suspension = { again: true, end: cancel, timeOut: () => false, fail: () => false };
  }
}

/** The interval of a slow socket. */
const DRIP_MS = 10;

/** A socket that passes bytes on, cuts a reply or slows it down. */
export class FaultySocket implements Socket {
  readonly #inner: Socket;
  readonly #rate: () => number;
  #owner: SocketOwner | undefined;
  #cut = false;
  /** Bytes that leave slowly, and the timer for the next of them. */
  #slow: Uint8Array | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(inner: Socket, rate: () => number) {
    this.#inner = inner;
    this.#rate = rate;
  }

  get remote(): string {
    return this.#inner.remote;
  }

  get local(): string {
    return this.#inner.local;
  }

  get unix(): boolean {
    return this.#inner.unix;
  }

  start(owner: SocketOwner): void {
    this.#owner = owner;
    this.#inner.start({
      get running() {
        return owner.running;
      },
      room: () => owner.room(),
      received: (count) => owner.received(count),
      receivedShared: (buffer, count) => owner.receivedShared(buffer, count),
      sent: () => this.#sent(),
      proceed: () => owner.proceed(),
      ended: () => owner.ended(),
      lost: () => owner.lost(),
    });
  }

  send(bytes: Uint8Array, length: number, transient = false): void {
    if (this.#cut) {
      const half = bytes.slice(0, length >> 1);
      this.#slow = undefined;
      return this.#inner.send(half, half.length);
    }
    if (this.#rate() === Infinity) return this.#inner.send(bytes, length, transient);
    this.#slow = bytes.slice(0, length);
    this.#drip();
  }

  resume(): void {
    this.#inner.resume();
  }

  defer(): void {
    this.#inner.defer();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#slow = undefined;
    this.#inner.close();
  }

  /** The next reply is cut, and the connection closed. */
  cut(): void {
    this.#cut = true;
  }

  #drip(): void {
    const bytes = this.#slow!;
    const count = Math.min(bytes.length, Math.max(1, Math.round(this.#rate() * DRIP_MS / 1000)));
    const part = bytes.slice(0, count);
    this.#slow = count === bytes.length ? undefined : bytes.subarray(count);
    this.#timer = setTimeout(() => this.#inner.send(part, part.length), DRIP_MS);
  }

  #sent(): void {
    if (this.#cut) this.#owner?.lost();
    else if (this.#slow !== undefined) this.#drip();
    else this.#owner?.sent();
  }
}
