/**
 * The executor: runs one request in one session. Only the executor resolves a name to a handler, applies the rules for
 * all commands, turns an error into a reply, and turns a change into an effect. Sockets, replay, transactions and
 * scripts all use `execute` or, inside a running command, `perform`.
 *
 * Every command is timed individually, except brief ones: reading the clock twice would add a fifth to their cost.
 * Consecutive calls of the same brief command (a run) are timed together. For a busy command only one in eight batches
 * is timed, and the other batches are assumed to cost the same. A command whose time grows with its reply is brief
 * while its reply is short, and all of its runs are timed. When slowlog-log-slower-than is below a millisecond, or the
 * latency monitor is on, every command is timed individually.
 */
import { latin1 } from "../core/bytes.ts";
import { CommandError, messages, shownText, titled } from "../core/errors.ts";
import type { Personality } from "../core/personality.ts";
import type { CommandLog } from "../engine/command_log.ts";
import { AclLog, type DenialReason } from "../engine/acl_log.ts";
import type { Engine } from "../engine/engine.ts";
import type { HotKeys } from "../engine/hot_keys.ts";
import type { Session } from "../engine/session.ts";
import type { RequestParser } from "../resp/parser.ts";
import { Request } from "../resp/request.ts";
import { PREFETCH_MAX } from "../store/blocks/dict.ts";
import type { Call, CommandRunner } from "./call.ts";
import { keysOf, reportReads } from "./key_positions.ts";
import { type Denial, denialOf, denialText, deniedObject } from "./permissions.ts";
import { Prefetcher } from "./prefetch.ts";
import { feedMonitors } from "./monitor.ts";
import { type Command, CommandTable, Flag, shownName, unknownSubcommand, wrongArity } from "./registry.ts";
import type { CommandSpec } from "./spec.ts";

const PRECISE_BELOW_US = 1000;
/** A brief command with more calls than this has only one batch in SAMPLE_EVERY timed. */
const BUSY_CALLS = 1000;
const SAMPLE_EVERY = 8;
const UNTIMED = -1;
/** A command whose time grows with its reply is brief up to this reply length, which takes some ten microseconds. */
const BRIEF_REPLY_BYTES = 16 * 1024;

/** Unsent bytes after which the limit of output is checked with every request. */
const LONG_REPLY_BYTES = 64 * 1024;

/** The error of EXEC for a queued command that its user may no longer run, followed by what is missing. */
const CHANGED_RULES = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC " +
  "call. This command is no longer allowed for the following reason: ";
const LACKS: Readonly<Record<DenialReason, string>> = {
  auth: "no permission",
  command: "no permission to execute the command or subcommand",
  database: "no permission",
  key: "no permission to touch the specified keys",
  channel: "no permission to access one of the channels used as arguments",
};

const COPIED_SETTINGS = [
  "commandlog-reply-larger-than",
  "commandlog-request-larger-than",
  "latency-monitor-threshold",
  "maxmemory",
  "slowlog-log-slower-than",
] as const;

export class Executor implements CommandRunner {
  readonly table: CommandTable;
  /** Number of requests that `run` has run, for all sessions. */
  requestCount = 0;
  readonly #engine: Engine;
  /** The command of the current run of brief commands. */
  #run: Command | undefined;
  #runCalls = 0;
  #runStartUs = 0;
  /** The run to which a command belongs while requests run inside it. */
  #outerRun: Command | undefined;
  #outerRunCalls = 0;
  #outerRunStartUs = 0;
  /** The time of the requests inside a command, as far as it was taken for each. */
  #insideUs = 0;
  #batch = 0;
  /** Requests that were parsed ahead. */
  readonly #requests = Array.from({ length: PREFETCH_MAX }, () => new Request());
  readonly #commands: (Command | undefined)[] = new Array(PREFETCH_MAX).fill(undefined);
  readonly #prefetcher: Prefetcher;
  // Copies of settings that are read for every command.
  #precise = false;
  #maxmemory = 0;
  #largeRequestBytes = Infinity;
  #largeReplyBytes = Infinity;

  constructor(engine: Engine, specs: readonly CommandSpec[]) {
    this.#engine = engine;
    this.table = new CommandTable(specs, engine.identity.personality);
    this.#prefetcher = new Prefetcher(this.table);
    const { settings } = engine;
    const copySettings = () => {
      const { latencyMonitorThreshold, maxmemory, slowlogLogSlowerThan } = settings.values;
      this.#precise = latencyMonitorThreshold > 0 ||
        (slowlogLogSlowerThan >= 0 && slowlogLogSlowerThan < PRECISE_BELOW_US);
      this.#maxmemory = maxmemory;
      const { commandlogReplyLargerThan: replyBytes, commandlogRequestLargerThan: requestBytes } = settings.values;
      this.#largeReplyBytes = replyBytes < 0 ? Infinity : replyBytes;
      this.#largeRequestBytes = requestBytes < 0 ? Infinity : requestBytes;
    };
    copySettings();
    for (const name of COPIED_SETTINGS) settings.onChange(name, copySettings);
  }

  /** Reads the time that commands see; one reading serves many requests. */
  readClock(): void {
    this.#engine.store.setTime(this.#engine.clock.nowMs());
  }

  /** Starts a batch of requests. */
  begin(): void {
    this.#batch = (this.#batch + 1) % SAMPLE_EVERY;
  }

  /** Ends a batch. */
  end(): void {
    if (this.#run !== undefined) this.#endRun();
  }

  /**
   * Runs the requests that have arrived until the session closes, is suspended or is held; the parser keeps the rest.
   * Passes on the errors of the parser.
   */
  run(call: Call, parser: RequestParser): void {
    const { session } = call;
    const requests = this.#requests, commands = this.#commands;
    while (!session.stopped) {
      const count = parser.parseAhead(requests);
      this.#prefetcher.pipeline(call, requests, commands, count);
      for (let k = 0; k < count; k++) {
        this.requestCount++;
        this.execute(call, requests[k], commands[k]);
        // Long replies count against the limit at once, not only at the end of the batch.
        if (call.reply.pendingBytes > LONG_REPLY_BYTES) session.transport?.checkOutput();
        if (session.stopped) {
          this.#takeBack(session, parser, requests[k], k + 1 < count ? requests[k + 1] : undefined);
          break;
        }
        requests[k].shrink();
      }
      if (count === 0) {
        if (!parser.next()) return;
        this.requestCount++;
        this.execute(call, parser.request);
        if (session.stopped) this.#takeBack(session, parser, parser.request, undefined);
      }
      if (!call.reply.single) session.transport?.checkOutput();
    }
  }

  /** Runs requests of another client from within a running script. The phase after the command waits for its end. */
  runInside(call: Call, parser: RequestParser): void {
    const engine = this.#engine, { session } = call;
    while (!session.stopped && parser.next()) {
      const { request } = parser;
      this.requestCount++;
      engine.current = session;
      this.#execute(call, request, this.table.find(request.bytes, request.start[0], request.end[0]));
      if (session.tracker !== undefined) session.tracker.commandEnded();
      engine.current = undefined;
      session.flushOutbox();
      if (session.stopped) this.#takeBack(session, parser, request, undefined);
    }
  }

  /** Returns the requests that did not run to the parser after a session was held or suspended. */
  #takeBack(session: Session, parser: RequestParser, request: Request, next: Request | undefined): void {
    if (session.closing) return;
    if (session.suspension?.again) {
      this.requestCount--;
      parser.unread(request);
    } else if (next !== undefined) {
      parser.unread(next);
    } else {
      parser.finish();
    }
  }

  /**
   * Runs one request, writes its reply, and runs the phase after the command; `command` is the command that the request
   * names. Throws only faults of the server itself. Hot.
   */
  execute(
    call: Call,
    request: Request,
    command = this.table.find(request.bytes, request.start[0], request.end[0]),
  ): void {
    const engine = this.#engine, { session } = call;
    engine.current = session;
    this.#execute(call, request, command);
    if (session.tracker !== undefined) session.tracker.commandEnded();
    engine.current = undefined;
    if (engine.afterCommand.pending) this.#afterCommand(session);
  }

  #afterCommand(session: Session): void {
    session.flushOutbox();
    this.#engine.afterCommand.run();
  }

  /** Runs a request inside the running command: a unit, a script, a function. */
  perform(
    call: Call,
    request: Request,
    command = this.table.find(request.bytes, request.start[0], request.end[0]),
  ): void {
    const outer = call.request, { command: outerCommand, dirty, effects, mark, secrets } = call;
    call.effects = call.secrets = undefined;
    this.#execute(call, request, command);
    call.session.lastCommand = call.command = outerCommand;
    call.request = outer;
    call.dirty = dirty;
    call.effects = effects;
    call.mark = mark;
    call.secrets = secrets;
  }

  #execute(call: Call, request: Request, command: Command | undefined): void {
    const { session } = call;
    call.request = request;
    if (command !== undefined && command.subcommands.length > 0) command = this.#subcommand(command, request);
    session.lastCommand = command;
    if (command !== undefined && session.plain && this.#mayRun(command, request.argc)) {
      const mark = call.reply.mark();
      this.#runHandler(call, command, request, mark);
      if (!session.plain) this.#dropUnwanted(call, mark);
    } else {
      this.#executeByRules(call, request, command);
    }
  }

  /** Whether no rule stands against a command of a plain session. Hot: `#refusal` has all rules. */
  #mayRun(command: Command, argc: number): boolean {
    const { busy, measuring, pause, persistence } = this.#engine, { bits } = command;
    return argc >= command.argcMin && argc <= command.argcMax && pause === undefined && busy === undefined &&
      measuring === undefined && !persistence.loading &&
      this.#maxmemory === 0 && ((bits & Flag.NEEDS_DISK) === 0 || persistence.failure === "");
  }

  /** Refuses, holds back, queues or runs a request. */
  #executeByRules(call: Call, request: Request, command: Command | undefined): void {
    const { reply, session } = call;
    const observed = session.observer !== undefined && !call.inUnit ? session.observer.request(session, request) : "";
    if (session.stopped) return;
    const refusal = observed === "" ? this.#refusal(call, command, request) : observed;
    const mark = call.mark = reply.mark();
    if (refusal !== "") {
      // A request with an unknown subcommand is none of its container.
      if (command !== undefined && (command.subcommands.length === 0 || request.argc === 1)) command.stats.rejected++;
      this.#error(call, this.#discarding(call, command, refusal));
    } else if (this.#engine.pause !== undefined && this.#isPaused(call, command!)) {
      this.#engine.pause.hold(session);
      return;
    } else if (session.transaction !== undefined && (command!.bits & Flag.IMMEDIATE) === 0) {
      session.transaction.add(request, bitsOf(call, command!));
      reply.simple("QUEUED");
    } else {
      this.#handle(call, command!, request, mark);
    }
    this.#dropUnwanted(call, call.mark);
  }

  retry(call: Call, request: Request): void {
    call.retried = true;
    this.execute(call, request);
    call.retried = false;
  }

  answer(call: Call, request: Request, write: () => void): void {
    const { clock, stats } = this.#engine, { command, reply, session } = call, mark = reply.mark();
    const startUs = clock.monotonicUs();
    session.transport?.answering();
    write();
    command.stats.calls++;
    stats.commands++;
    session.commandCount++;
    this.#timed(call, command, request, clock.monotonicUs() - startUs);
    this.#dropUnwanted(call, mark);
  }

  beginInside(): void {
    this.#outerRun = this.#run;
    this.#outerRunCalls = this.#runCalls;
    this.#outerRunStartUs = this.#runStartUs;
    this.#run = undefined;
    this.#runCalls = this.#insideUs = 0;
  }

  endInside(): number {
    if (this.#run !== undefined) this.#endRun();
    this.#run = this.#outerRun;
    this.#runCalls = this.#outerRunCalls;
    this.#runStartUs = this.#outerRunStartUs;
    return this.#insideUs;
  }

  fail(call: Call, message: string): void {
    call.command.stats.failed++;
    this.#error(call, message);
  }

  /** Drops the reply since `mark` if CLIENT REPLY says so. Only a whole request, not a part of a unit, ends a skip. */
  #dropUnwanted(call: Call, mark: number): void {
    const { inUnit, reply, session } = call, { replyMode } = session;
    if (replyMode === "on" || session.suspension !== undefined || reply !== session.reply) return;
    if (replyMode !== "skip-next" && mark < reply.mark()) reply.rewind(mark);
    if (inUnit || replyMode === "off") return;
    session.replyMode = replyMode === "skip-next" ? "skip" : "on";
  }

  replyInParts(call: Call): void {
    const { reply, session: { replyMode } } = call;
    if (replyMode === "off" || replyMode === "skip") reply.rewind(call.mark);
    call.mark = Infinity;
  }

  /** Runs the handler, and measures it if HOTKEYS asks for it. The commands of a script count as the script. */
  #handle(call: Call, command: Command, request: Request, mark: number): void {
    const { measuring, store } = this.#engine;
    if (measuring !== undefined && call.session.origin === "client" && measuring.takes(store.nowMs)) {
      this.#runMeasured(measuring, call, command, request, mark);
    } else {
      this.#runHandler(call, command, request, mark);
    }
  }

  #runMeasured(hotKeys: HotKeys, call: Call, command: Command, request: Request, mark: number): void {
    const { clock } = this.#engine;
    if (this.#run !== undefined) this.#endRun();
    const startUs = clock.monotonicUs();
    this.#runHandler(call, command, request, mark);
    const us = clock.monotonicUs() - startUs;
    // A command that waits counts when it runs again.
    if (call.session.suspension !== undefined) return;
    const keys = (keysOf(command, request) ?? []).map(({ index }) => index);
    if (keys.length > 0) hotKeys.note(request, keys, us, request.size() + call.reply.mark() - mark);
  }

  #runHandler(call: Call, command: Command, request: Request, mark: number): void {
    const engine = this.#engine, { store, listeners } = engine, { session } = call;
    call.command = command;
    call.dirty = 0;
    const { bits } = command;
    const brief = (bits & (Flag.BRIEF | Flag.MAY_BE_LONG)) !== 0 && !this.#precise;
    const startUs = brief && command === this.#run ? UNTIMED : this.#startTiming(command, brief);
    if (brief) this.#runCalls++;
    store.holdClocks = session.noTouch || store.clocksOfChanges;
    store.expiryMode = session.expiryMode > engine.expiryFloor ? session.expiryMode : engine.expiryFloor;
    if ((bits & Flag.WRITE) !== 0 && !listeners.beforeWrite.empty) this.#announceWrite(call, command, request);
    try {
      command.handler!(call);
      // A run that began inside the command ends with the command.
      if (this.#run !== undefined && this.#run !== command) this.#endRun();
    } catch (error) {
      this.#handlerFailed(call, command, mark, error);
    }
    if (call.dirty > 0) {
      engine.stats.changes += call.dirty;
      if (!call.inUnit) session.changesAtWrite = engine.stats.changes;
      if (engine.effects.open) {
        session.wrote = true;
        this.#log(call, request);
      }
    }
    call.effects = undefined;
    if ((bits & Flag.READS) !== 0 && engine.current?.tracker !== undefined) {
      reportReads(engine.current.tracker, command, request);
    }
    if (engine.monitors.size > 0 && (bits & (Flag.SKIP_MONITOR | Flag.ADMIN)) === 0) this.#feedMonitors(call);
    if (session.stopped && session.suspension !== undefined) return this.#suspended(call, startUs);
    // Counted last: INFO does not count itself, and CONFIG RESETSTAT counts itself anew.
    command.stats.calls++;
    engine.stats.commands++;
    session.commandCount++;
    const replyBytes = call.reply.mark() - mark;
    if (!brief) this.#timed(call, command, request, engine.clock.monotonicUs() - startUs);
    else if ((bits & Flag.MAY_BE_LONG) !== 0 && (call.long || replyBytes > BRIEF_REPLY_BYTES)) {
      this.#endLong(call, command, request);
    }
    if (replyBytes >= this.#largeReplyBytes || request.rawEnd - request.rawStart >= this.#largeRequestBytes) {
      this.#logLarge(call, command, request, replyBytes);
    }
    call.secrets = undefined;
  }

  /** A command that waits was shown when it began to wait. */
  #feedMonitors(call: Call): void {
    if (!call.retried) feedMonitors(this.#engine, call);
  }

  /** Ends the run of another command and begins one of this command if it is brief. Returns the start, or UNTIMED. */
  #startTiming(command: Command, brief: boolean): number {
    if (this.#run !== undefined) this.#endRun();
    const timed = !brief || (command.bits & Flag.MAY_BE_LONG) !== 0 || this.#batch === 0 ||
      command.stats.calls < BUSY_CALLS;
    const startUs = timed ? this.#engine.clock.monotonicUs() : UNTIMED;
    if (brief) {
      this.#run = command;
      this.#runStartUs = startUs;
    }
    return startUs;
  }

  #announceWrite(call: Call, command: Command, request: Request): void {
    const indices = (keysOf(command, request) ?? []).map(({ index }) => index);
    for (const listener of this.#engine.listeners.beforeWrite.all) {
      listener(call.db.index, command.reach, request, indices);
    }
  }

  /** Replaces the reply of a handler by the error that it threw. Passes on faults of the server itself. */
  #handlerFailed(call: Call, { stats }: Command, mark: number, error: unknown): void {
    if (!(error instanceof CommandError)) throw error;
    call.reply.rewind(mark);
    stats.failed++;
    this.#error(call, error.message);
  }

  /** A waiting command counts when it is answered, with the time that it ran until now; it leaves its run. */
  #suspended(call: Call, startUs: number): void {
    const nowUs = this.#engine.clock.monotonicUs(), runs = this.#runCalls;
    if (startUs !== UNTIMED) call.spentUs += Math.round(nowUs - startUs);
    else if (this.#runStartUs !== UNTIMED) call.spentUs += Math.round((nowUs - this.#runStartUs) / runs);
    call.secrets = undefined;
    if (this.#run !== call.command) return;
    this.#runCalls--;
    if (this.#runCalls > 0) this.#endRun();
    else this.#run = undefined;
  }

  /** Whether CLIENT PAUSE holds a request back. A unit that has begun continues. */
  #isPaused(call: Call, command: Command): boolean {
    const { inUnit, session } = call;
    if (inUnit || session.origin !== "client") return false;
    if (this.#engine.pause!.all) return true;
    return (bitsOf(call, command) & (Flag.WRITE | Flag.MAY_REPLICATE)) !== 0;
  }

  /**
   * Marks the transaction as failed after a refusal between MULTI and EXEC, so that EXEC runs nothing. Returns the
   * error reply.
   */
  #discarding({ engine, session }: Call, command: Command | undefined, refusal: string): string {
    if (session.transaction !== undefined) session.transaction.failed = true;
    if (command === undefined || (command.bits & Flag.RUNS_QUEUE) === 0) return refusal;
    session.transaction = undefined;
    engine.watches.forget(session);
    return `EXECABORT Transaction discarded because of: ${refusal.replace(/^ERR /, "")}`;
  }

  /** Counts the time of a command: `us` is the time of this run, without that of runs before a wait. */
  #timed(call: Call, command: Command, request: Request, us: number): void {
    const { commandLogs, latency, settings } = this.#engine;
    const { slowlogLogSlowerThan, latencyTracking } = settings.values;
    const wholeUs = us + call.spentUs;
    call.spentUs = 0;
    call.long = false;
    this.#insideUs += us;
    command.stats.usec += wholeUs;
    // Later requests of this turn must not see the time from before a slow command. Within a unit the time stands
    // still.
    if (us >= 1000 && !call.inUnit) this.readClock();
    if (latencyTracking) command.stats.latency.record(wholeUs);
    if (us >= latency.thresholdUs) latency.add(command.spec.flags.includes("fast") ? "fast-command" : "command", us);
    if (slowlogLogSlowerThan >= 0 && wholeUs >= slowlogLogSlowerThan) {
      this.#remember(call, command, request, commandLogs.slow, wholeUs);
    }
  }

  /** Logs a large request or reply. The size of an inline request is known only here. */
  #logLarge(call: Call, command: Command, request: Request, replyBytes: number): void {
    const { commandLogs } = this.#engine;
    const requestBytes = request.size();
    if (requestBytes >= this.#largeRequestBytes) {
      this.#remember(call, command, request, commandLogs["large-request"], requestBytes);
    }
    const sentBytes = call.session.replyMode === "off" ? 0 : replyBytes;
    if (sentBytes >= this.#largeReplyBytes) {
      this.#remember(call, command, request, commandLogs["large-reply"], sentBytes);
    }
  }

  #remember(call: Call, { bits }: Command, request: Request, log: CommandLog, value: number): void {
    if ((bits & Flag.SKIP_SLOWLOG) !== 0) return;
    const { session } = call;
    // What a script calls has neither address nor name in Redis, and those of the caller in Valkey.
    const { name, transport } = call.valkey ? session.caller ?? session : session;
    log.add(request, value, this.#engine.store.nowMs, transport?.remote ?? "", name, call.secrets);
  }

  /**
   * Ends a run with a command that was not brief after all. The earlier calls of the run are assumed to have cost the
   * usual time.
   */
  #endLong(call: Call, command: Command, request: Request): void {
    const { stats } = command;
    const us = this.#engine.clock.monotonicUs() - this.#runStartUs;
    const others = this.#runCalls - 1;
    const usual = Math.min(stats.usec / stats.calls, us / this.#runCalls);
    stats.usec += usual * others;
    if (others > 0 && this.#engine.settings.values.latencyTracking) stats.latency.record(usual, others);
    this.#run = undefined;
    this.#runCalls = 0;
    this.#timed(call, command, request, us - usual * others);
  }

  #endRun(): void {
    const { stats } = this.#run!;
    if (this.#runStartUs === UNTIMED) {
      stats.untimed += this.#runCalls;
    } else {
      const each = (this.#engine.clock.monotonicUs() - this.#runStartUs) / this.#runCalls;
      const calls = this.#runCalls + stats.untimed;
      stats.usec += each * calls;
      if (this.#engine.settings.values.latencyTracking) stats.latency.record(each, calls);
      stats.untimed = 0;
    }
    this.#run = undefined;
    this.#runCalls = 0;
  }

  #log(call: Call, request: Request): void {
    const { effects } = this.#engine;
    const pending = call.effects;
    if (pending === undefined) {
      if (request.rawStart >= 0) effects.pass(call.db.index, request.bytes, request.rawStart, request.rawEnd);
      else effects.command(call.db.index, Array.from({ length: request.argc }, (_, i) => call.arg(i)));
      return;
    }
    if (pending.length > 1) effects.begin();
    for (const { db, args } of pending) effects.command(db, args);
    if (pending.length > 1) effects.end();
  }

  #error(call: Call, message: string): void {
    this.#engine.stats.countError(message);
    call.reply.error(message);
  }

  /** The subcommand that a request names; the container itself if it has no subcommand of that name. */
  #subcommand(command: Command, request: Request): Command {
    if (request.argc < 2) return command;
    return command.subcommand(request.bytes, request.start[1], request.end[1]) ?? command;
  }

  /**
   * Evicts keys if memory is short. Messages about them precede the reply. Returns whether a command may use memory.
   */
  #makeRoom(session: Session): boolean {
    const enough = this.#engine.makeRoom();
    session.sendAhead();
    return enough;
  }

  /** Adds a request that the user may not run to ACL LOG. Returns the error reply. */
  #denied(call: Call, denial: Denial, command: Command, request: Request): string {
    const { engine, inUnit, session } = call;
    // The log shows the client with its own command, EXEC.
    if (inUnit) session.lastCommand = call.command;
    const inScript = session.caller !== undefined;
    const context = inScript ? "lua" : inUnit || session.transaction !== undefined ? "multi" : "toplevel";
    const object = deniedObject(denial, command, request), { reason } = denial;
    engine.part(AclLog).add(session, { reason, context, object, user: session.user.name });
    if (!inScript && inUnit) return CHANGED_RULES + LACKS[reason];
    const text = denialText(denial, session.user, command, request);
    return inScript ? `ERR ACL failure in script: ${text}` : `NOPERM ${text}`;
  }

  /** The reason for refusing a request, or "". */
  #refusal(call: Call, command: Command | undefined, request: Request): string {
    const engine = this.#engine;
    if (command === undefined) return unknownCommand(request, engine.identity.personality);
    if (command.handler === undefined || (command.subcommands.length > 0 && request.argc > 1)) {
      if (request.argc < 2) return wrongArity(command);
      return unknownSubcommand(command, request);
    }
    const { arity } = command, { transaction } = call.session;
    if (arity > 0 ? request.argc !== arity : request.argc < -arity) return wrongArity(command);
    if (transaction !== undefined && (command.bits & Flag.NO_MULTI) !== 0) {
      return notInTransaction(command, engine.identity.personality);
    }
    const bits = bitsOf(call, command);
    if (!call.session.authenticated && (bits & Flag.NO_AUTH) === 0) return messages.noAuth;
    const denial = denialOf(call.session.user, command, request, call.db.index);
    if (denial !== undefined) return this.#denied(call, denial, command, request);
    if (engine.persistence.loading && (bits & Flag.LOADING) === 0 && call.session.origin === "client") {
      return titled.loading(engine.identity.title);
    }
    if (engine.busy !== undefined && !call.inUnit && (bits & Flag.ALLOW_BUSY) === 0) return engine.busy.message;
    if (call.session.monitoring && touchesKeys(command)) return "ERR Replica can't interact with the keyspace";
    if ((bits & Flag.NEEDS_DISK) !== 0 && engine.persistence.failure !== "") return engine.persistence.failure;
    // A unit got its memory at EXEC, and no later part of it may be refused.
    if (this.#maxmemory > 0 && !call.inUnit && !this.#makeRoom(call.session) && (bits & Flag.DENY_OOM) !== 0) {
      return messages.outOfMemory;
    }
    if (
      call.session.kind === "pubsub" && (bits & Flag.WHILE_SUBSCRIBED) === 0 && !call.inUnit && call.reply.version === 2
    ) {
      return `ERR Can't execute '${command.fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET ` +
        "are allowed in this context";
    }
    return "";
  }
}

/** The flags of a command, including those of the queued commands that it will run. */
function bitsOf(call: Call, { bits, spec }: Command): number {
  const { transaction } = call.session;
  if (transaction !== undefined && (bits & Flag.RUNS_QUEUE) !== 0) return bits | transaction.bits;
  return spec.bitsOf === undefined ? bits : spec.bitsOf(call, bits);
}

/** To Redis a monitoring client is a replica, which may not read or write keys. */
function touchesKeys(command: Command): boolean {
  const { flags } = command.spec;
  return flags.includes("readonly") || flags.includes("write") || flags.includes("may_replicate");
}

function notInTransaction(command: Command, personality: Personality): string {
  const name = personality === "valkey" ? ` '${command.fullName}'` : "";
  return `ERR Command${name} not allowed inside a transaction`;
}

/** Redis says nothing of the arguments if there are none. */
function unknownCommand(request: Request, personality: Personality): string {
  const { bytes, start, end } = request;
  let args = "";
  for (let i = 1; i < request.argc && args.length < 128; i++) {
    args += `'${shownText(latin1(bytes, start[i], Math.min(end[i], start[i] + 128 - args.length)))}' `;
  }
  const shown = args === "" && personality === "redis" ? "" : `, with args beginning with: ${args}`;
  return `ERR unknown command '${shownName(bytes, start[0], end[0])}'${shown}`;
}
