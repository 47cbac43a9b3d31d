/**
 * What the clients of an embedded server do: each request is remembered, and reported to listeners. Faults that a test
 * asked for are looked up here, before the request runs.
 */
import { equalsWord, fromUtf8 } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { RequestObserver, Session } from "../engine/session.ts";
import type { Request } from "../resp/request.ts";
import type { Faults } from "./faults.ts";
import { textOrBytes } from "./values.ts";

/** A request of a client. */
export interface CommandRecord {
  /** The command in upper case, without a subcommand: "SET". */
  readonly name: string;
  /** The arguments behind it; text if they are UTF-8. */
  readonly args: readonly (string | Uint8Array)[];
  /** The id of the client, as CLIENT ID tells it. */
  readonly client: number;
  /** The name that the client gave itself, "" if none. */
  readonly clientName: string;
  /** The number of the selected database. */
  readonly db: number;
  /** When it arrived, by the server's clock. */
  readonly at: Date;
}

/** A client connected or left. */
export interface ClientRecord {
  /** The id of the client, as CLIENT ID tells it. */
  readonly client: number;
  /** The address of the client: "127.0.0.1:49152". */
  readonly address: string;
}

/** What `on` reports, by its name. */
export interface Events {
  /** A client sent a request. */
  command: CommandRecord;
  /** A client connected. */
  connect: ClientRecord;
  /** A client left. */
  disconnect: ClientRecord;
}

type Listener = (event: never) => void;

/** Commands whose arguments may hold a password, which is not remembered, and the settings that are one. */
const SECRETIVE = /^(ACL|AUTH|HELLO|MIGRATE)$/, PASSWORDS = ["requirepass", "masterauth"];

export class Observer implements RequestObserver {
  readonly #clock: Clock;
  readonly #faults: Faults;
  readonly #remembered: number;
  /** The latest requests, oldest first; at most twice `#remembered` before the older half goes. */
  #records: CommandRecord[] = [];
  readonly #listeners = new Map<keyof Events, Set<Listener>>();

  constructor(clock: Clock, faults: Faults, remembered: number) {
    this.#clock = clock;
    this.#faults = faults;
    this.#remembered = remembered;
  }

  /** Observes the clients of an engine: again after each restart. */
  observe(engine: Engine): void {
    engine.listeners.sessions.add({
      began: (session) => this.#began(session),
      ended: (session) => this.#emit("disconnect", clientOf(session)),
    });
  }

  /** The latest requests, oldest first; those of one command if it is named. */
  calls(name?: string): CommandRecord[] {
    const records = this.#records.slice(-this.#remembered);
    if (name === undefined) return records;
    const wanted = name.toUpperCase();
    return records.filter((record) => record.name === wanted);
  }

  forgetCalls(): void {
    this.#records = [];
  }

  /** Calls `listener` soon after each event. The returned function ends that. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) this.#listeners.set(name, listeners = new Set());
    listeners.add(listener as Listener);
    return () => void listeners.delete(listener as Listener);
  }

  request(session: Session, request: Request): string {
    const verdict = this.#faults.request(session, request);
    // A delayed request comes a second time.
    if (session.suspension === undefined) this.#remember(session, request);
    return verdict;
  }

  #began(session: Session): void {
    if (session.transport === undefined) return;
    session.observer = this;
    this.#emit("connect", clientOf(session));
  }

  #remember(session: Session, request: Request): void {
    const { argc, bytes, start, end } = request;
    const name = fromUtf8(bytes.subarray(start[0], end[0])).toUpperCase();
    const secret = SECRETIVE.test(name) || (name === "CONFIG" && argc > 2 && isPassword(request));
    const args: (string | Uint8Array)[] = [];
    for (let i = 1; i < argc; i++) args.push(secret ? "(redacted)" : textOrBytes(bytes.subarray(start[i], end[i])));
    const { id, name: clientName, db } = session;
    const record = { name, args, client: id, clientName, db, at: new Date(this.#clock.nowMs()) };
    if (this.#remembered > 0) this.#records.push(record);
    if (this.#records.length > 2 * this.#remembered) this.#records = this.#records.slice(-this.#remembered);
    this.#emit("command", record);
  }

  #emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      // A listener may send commands itself, so it runs after the running one.
      queueMicrotask(() => (listener as (event: Events[Name]) => void)(event));
    }
  }
}

function clientOf({ id, transport }: Session): ClientRecord {
  return { client: id, address: transport?.remote ?? "" };
}

/** Whether a request of CONFIG names a setting that is a password. */
function isPassword({ argc, bytes, start, end }: Request): boolean {
  for (let i = 2; i < argc; i++) {
    if (PASSWORDS.some((name) => equalsWord(bytes, start[i], end[i], name))) return true;
  }
  return false;
}
