/**
 * The object that a handler receives: the arguments of the request, the session and its reply writer, the selected
 * database, and the methods that log and announce a change. A Call lives as long as its session.
 *
 * Argument 0 is the name of the command. A handler parses all arguments before it changes anything, so that an error
 * never leaves a partial change.
 */
import { equalsWord, latin1 } from "../core/bytes.ts";
import { fail, messages } from "../core/errors.ts";
import { parseDouble, parseInt64, parseSafeInt } from "../core/numbers.ts";
import type { EffectArgument } from "../engine/effects.ts";
import type { Engine } from "../engine/engine.ts";
import { Notify, type NotifyClass } from "../engine/listeners.ts";
import type { Session } from "../engine/session.ts";
import type { Reply } from "../resp/reply.ts";
import type { Request } from "../resp/request.ts";
import { hashBytes } from "../core/hash_function.ts";
import type { Deadline } from "../store/deadline.ts";
import { ExpiryMode, type Keyspace } from "../store/keyspace.ts";
import type { Store } from "../store/store.ts";
import { type Command, type CommandTable, wrongArity } from "./registry.ts";
import type { RecordRef } from "../store/memory/arena.ts";

/** An effect that replaces the request in the log. */
export interface PendingEffect {
  db: number;
  args: EffectArgument[];
}

/** Runs commands; implemented by the executor only. */
export interface CommandRunner {
  readonly table: CommandTable;
  /** Runs one request inside the running command, and writes its reply; `command` is the one that it names. */
  perform(call: Call, request: Request, command?: Command): void;
  /** Runs one request between commands, followed by the phase after the command. */
  execute(call: Call, request: Request): void;
  /** Runs the request of a suspended command again, between commands. */
  retry(call: Call, request: Request): void;
  /** Counts a suspended command as run; `write` writes its reply. */
  answer(call: Call, request: Request, write: () => void): void;
  /**
   * The replies of the requests that the command performs are parts of its own reply, whose head is written: CLIENT
   * REPLY drops or keeps each by itself.
   */
  replyInParts(call: Call): void;
  /** From now on requests run inside the running command: their times are taken apart from its own. */
  beginInside(): void;
  /** The running command goes on by itself. Returns the microseconds of the longer requests inside it. */
  endInside(): number;
  /** Writes an error reply and counts it. */
  fail(call: Call, message: string): void;
}

export class Call {
  readonly engine: Engine;
  readonly store: Store;
  readonly session: Session;
  readonly reply: Reply;
  readonly runner: CommandRunner;
  db: Keyspace;
  request!: Request;
  /** The running command, with the data compiled from its spec. */
  command!: Command;
  /** Number of changes by the running command; 0 means that nothing is logged. */
  dirty = 0;
  /** Effects that are logged instead of the request; undefined to log the request as received. */
  effects: PendingEffect[] | undefined;
  /** A command with `mayBeLong` has done more than a brief command does. */
  long = false;
  /** The running command is part of a unit, so it must not change the state of its client's connection. */
  inUnit = false;
  /** The beginning of the reply that CLIENT REPLY may drop, for a session that is not plain. */
  mark = 0;
  /** The command runs again after it has waited. */
  retried = false;
  /** Microseconds for which the waiting command ran until now. */
  spentUs = 0;
  /** Indices of arguments that neither the logs of commands nor MONITOR may show. */
  secrets: Set<number> | undefined;

  /** `reply` receives the replies if they do not go to the session's client. */
  constructor(engine: Engine, session: Session, runner: CommandRunner, reply: Reply = session.reply) {
    this.engine = engine;
    this.store = engine.store;
    this.session = session;
    this.reply = reply;
    this.runner = runner;
    this.db = engine.store.databases[session.db];
  }

  /** Whether the server answers as Valkey. For texts of errors and other cold paths; see CommandSpec.valkey. */
  get valkey(): boolean {
    return this.engine.identity.personality === "valkey";
  }

  get table(): CommandTable {
    return this.runner.table;
  }

  /**
   * Runs a request inside the running command, under all rules for commands, and writes its reply. The running command
   * then continues with its own request.
   */
  perform(request: Request): void {
    this.runner.perform(this, request);
  }

  /**
   * Runs `body` as one unit: after a crash all of its effects are present, or none. The clock of commands stands still,
   * and a command of the unit counts the changes before the unit as its client's latest.
   */
  unit(body: () => void): void {
    const { effects, stats } = this.engine, outer = this.inUnit, { changes } = stats;
    effects.begin();
    this.inUnit = true;
    body();
    this.inUnit = outer;
    effects.end();
    if (!outer && stats.changes > changes) this.session.changesAtWrite = stats.changes;
  }

  /**
   * Whether the command may suspend its session. False within a unit, and for a session without a client that could
   * wait.
   */
  get mayWait(): boolean {
    return !this.inUnit && this.session.transport !== undefined;
  }

  get argc(): number {
    return this.request.argc;
  }

  /** The bytes of the request; argument i is `bytes[start(i), end(i))`. */
  get bytes(): Uint8Array {
    return this.request.bytes;
  }

  start(i: number): number {
    return this.request.start[i];
  }

  end(i: number): number {
    return this.request.end[i];
  }

  /** Throws the error for a wrong number of arguments. */
  failArity(): never {
    fail(wrongArity(this.command));
  }

  /** Argument i as latin1 text. Cold. */
  text(i: number): string {
    return latin1(this.request.bytes, this.request.start[i], this.request.end[i]);
  }

  /** A copy of argument i. Cold. */
  arg(i: number): Uint8Array {
    return this.request.bytes.slice(this.request.start[i], this.request.end[i]);
  }

  /** Whether argument i equals `word` (lower case), ignoring case. */
  is(i: number, word: string): boolean {
    return equalsWord(this.request.bytes, this.request.start[i], this.request.end[i], word);
  }

  /**
   * Argument i as a 64-bit integer. Beyond 2^53 the result is the nearest double, which suffices for counts, indices
   * and limits. Throws CommandError with `message`.
   */
  integer(i: number, message: string = messages.notInteger): number {
    const { bytes, start, end } = this.request;
    const value = parseSafeInt(bytes, start[i], end[i]);
    return Number.isNaN(value) ? Number(this.int64(i, message)) : value;
  }

  /** Argument i as an exact 64-bit integer. */
  int64(i: number, message: string = messages.notInteger): bigint {
    const { bytes, start, end } = this.request;
    return parseInt64(bytes, start[i], end[i]) ?? fail(message);
  }

  /**
   * Argument i as an integer in [min, max]. The error is `message` for other text and `rangeMessage` for other
   * integers.
   */
  integerIn(i: number, min: number, max: number, rangeMessage: string, message: string = messages.notInteger): number {
    const value = this.integer(i, message);
    return value < min || value > max ? fail(rangeMessage) : value;
  }

  /** Argument i as a double; NaN is refused. */
  double(i: number, message: string = messages.notFloat): number {
    const { bytes, start, end } = this.request;
    return parseDouble(bytes, start[i], end[i]) ?? fail(message);
  }

  /** The hash of key argument i. The hash of the first key may be known already. */
  hash(i: number): number {
    const { bytes, start, end, keyHash } = this.request;
    return i === 1 && keyHash !== 0 ? keyHash : hashBytes(bytes, start[i], end[i]);
  }

  /** The hash of argument i, the command's first element, if it is known already; else 0. */
  elementHash(i: number): number {
    return i === this.command.element ? this.request.elementHash : 0;
  }

  /** The record of key argument i for reading, 0 if missing. Counts a hit or a miss. */
  lookup(i: number): RecordRef {
    const { bytes, start, end } = this.request;
    return this.db.lookup(bytes, start[i], end[i], this.hash(i));
  }

  /**
   * Like `lookup`, but does not count as a use of the key: its clock stays unchanged. If `silent`, a missing key is not
   * announced.
   */
  peek(i: number, silent = false): RecordRef {
    const { bytes, start, end } = this.request;
    const ref = this.db.find(bytes, start[i], end[i], this.hash(i));
    if (ref !== 0) {
      this.store.hits++;
    } else {
      this.store.misses++;
      if (!silent) this.store.observer?.missed?.(this.db, bytes, start[i], end[i]);
    }
    return ref;
  }

  /** The record of key argument i for writing, 0 if missing. */
  lookupWrite(i: number): RecordRef {
    const { bytes, start, end } = this.request;
    return this.db.lookupWrite(bytes, start[i], end[i], this.hash(i));
  }

  /** The record of key argument i, 0 if missing; WRONGTYPE if it holds another type. */
  lookupType(i: number, type: number): RecordRef {
    const ref = this.lookup(i);
    if (ref !== 0 && this.db.typeOf(ref) !== type) fail(messages.wrongType);
    return ref;
  }

  /** Like `lookupType`, for a command that writes. */
  lookupTypeWrite(i: number, type: number): RecordRef {
    const ref = this.lookupWrite(i);
    if (ref !== 0 && this.db.typeOf(ref) !== type) fail(messages.wrongType);
    return ref;
  }

  /**
   * Whether a key or field that gets this deadline is deleted at once. While a file loads or in import mode it stays,
   * because the file or the source contains the deletion. DEBUG SET-ALLOW-ACCESS-EXPIRED does not keep it.
   */
  isOver(deadline: Deadline): boolean {
    if (deadline > this.store.nowMs || this.engine.importMode.on) return false;
    if (this.store.expiryMode !== ExpiryMode.KEEP) return true;
    return this.engine.knobs.releaseExpired !== undefined && this.session.expiryMode !== ExpiryMode.KEEP;
  }

  /**
   * Reports a change of key argument i: the command is logged, `count` changes are counted, and the event is announced
   * under Redis's name. An empty name announces nothing.
   */
  changed(kind: NotifyClass, event: string, i: number, count = 1): void {
    this.dirty += count;
    if (!this.engine.listeners.hearKeys) return;
    const { bytes, start, end } = this.request;
    this.#report(this.db, kind, event, bytes, start[i], end[i]);
  }

  /** Like `changed`, for a key that is not an argument or is in another database. */
  changedKey(
    db: Keyspace,
    kind: NotifyClass,
    event: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    count = 1,
  ): void {
    this.dirty += count;
    if (this.engine.listeners.hearKeys) this.#report(db, kind, event, bytes, start, end);
  }

  /** Counts changes that do not belong to one key, such as those of whole databases. */
  countChanges(count: number): void {
    this.dirty += count;
  }

  /** Reports the removal of key argument i as part of a change that is counted already. */
  removed(i: number): void {
    this.announced(Notify.GENERIC, "del", i);
  }

  /** Announces an event of key argument i that is not a change, or is part of a change that is counted already. */
  announced(kind: NotifyClass, event: string, i: number, db: Keyspace = this.db): void {
    const { listeners } = this.engine;
    if (!listeners.hearKeys) return;
    const { bytes, start, end } = this.request;
    listeners.announced(db, kind, event, bytes, start[i], end[i]);
  }

  /** The type of key argument i that is about to be overwritten; -1 if it is missing, or nobody listens to keys. */
  typeBefore(i: number, db: Keyspace = this.db): number {
    if (!this.engine.listeners.hearKeys) return -1;
    const { bytes, start, end } = this.request;
    const ref = db.find(bytes, start[i], end[i]);
    return ref === 0 ? -1 : db.typeOf(ref);
  }

  /** Announces that key argument i, of type `before`, was overwritten by a value of another or the same type. */
  overwrote(i: number, before: number, type: number, db: Keyspace = this.db): void {
    if (before < 0) return;
    this.announced(Notify.OVERWRITTEN, "overwritten", i, db);
    if (before !== type) this.announced(Notify.TYPE_CHANGED, "type_changed", i, db);
  }

  #report(db: Keyspace, kind: NotifyClass, event: string, bytes: Uint8Array, start: number, end: number): void {
    const { listeners } = this.engine;
    listeners.changed(db, bytes, start, end, this.session);
    if (event !== "") listeners.announced(db, kind, event, bytes, start, end);
  }

  /**
   * Logs a command instead of the request. It states the outcome and never depends on chance or the clock. Several
   * commands form one unit. Text is UTF-8. The arguments must stay unchanged until the handler returns.
   */
  logInstead(...args: EffectArgument[]): void {
    if (!this.engine.effects.open) return;
    (this.effects ??= []).push({ db: this.db.index, args });
  }

  /** Hides argument i, such as a password, from the slow log and MONITOR. */
  redact(i: number): void {
    (this.secrets ??= new Set()).add(i);
  }

  /** A view of the bytes of argument i, for logInstead. */
  view(i: number): Uint8Array {
    return this.request.bytes.subarray(this.request.start[i], this.request.end[i]);
  }

  /** Selects another database for the session. */
  select(index: number): void {
    this.session.db = index;
    this.db = this.store.databases[index];
  }
}
