/**
 * Runs scripts and functions: the session in which they call commands, the rules for these commands, and the end of a
 * script that was killed. One script runs at a time, as one unit.
 *
 * A script's session acts for the session that called it: same user and database at the beginning, but its own
 * protocol version, and SELECT changes only the script's database.
 */
import { latin1 } from "../core/bytes.ts";
import { messages } from "../core/errors.ts";
import { Call } from "../dispatch/call.ts";
import { type Command, Flag } from "../dispatch/registry.ts";
import type { Engine } from "../engine/engine.ts";
import { type Origin, Session } from "../engine/session.ts";
import { Reply } from "../resp/reply.ts";
import type { Request } from "../resp/request.ts";
import type { LuaFailure, LuaHost, LuaInstance } from "./instance.ts";
import { ScriptFlag } from "./shebang.ts";

/** The kinds of scripts; each has its own command that kills it. */
export type ScriptKind = "script" | "function";

/** What a run needs to know about its script. */
export interface RunOptions {
  readonly kind: ScriptKind;
  /** The SHA-1 of a script, the name of a function. */
  readonly name: string;
  /** Bits of ScriptFlag. */
  readonly flags: number;
  /** The command that calls it may not write: EVAL_RO. */
  readonly readOnly: boolean;
}

/** A script that runs. */
interface Run {
  readonly options: RunOptions;
  readonly caller: Call;
  readonly call: Call;
  readonly startUs: number;
  readonly readOnly: boolean;
  /** Commands that need memory are refused until the first write. */
  readonly noMemory: boolean;
  wrote: boolean;
  killed: boolean;
}

const REPLICATE_TO_FILE = 1;
const LOG_LEVELS = ["debug", "verbose", "notice", "warning"] as const;
/** A reply beyond this size is not kept as room for the next one. */
const REPLY_ROOM_BYTES = 64 * 1024;

const slow = {
  script: "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
  function: "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
} as const;

export class ScriptRunner implements LuaHost {
  readonly #engine: Engine;
  /** The calls of scripts by the origin of their callers. */
  readonly #calls = new Map<Origin, Call>();
  #run: Run | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The running script; undefined while there is none. */
  get running():
    | { readonly kind: ScriptKind; readonly name: string; readonly request: Request; startUs: number }
    | undefined {
    const run = this.#run;
    if (run === undefined) return undefined;
    return { kind: run.options.kind, name: run.options.name, request: run.caller.request, startUs: run.startUs };
  }

  /**
   * Runs a compiled function for a command and writes the reply. The keys are `keys` arguments from `first` on, the
   * rest are its arguments.
   */
  run(caller: Call, lua: LuaInstance, reference: number, first: number, keys: number, options: RunOptions): void {
    const refusal = this.#refusal(caller, options);
    if (refusal !== "") return this.#fail(caller, refusal, false);
    const call = this.#callFor(caller);
    const { flags } = options, declared = (flags & ScriptFlag.UNDECLARED) === 0;
    const run = this.#run = {
      options,
      caller,
      call,
      startUs: this.#engine.clock.monotonicUs(),
      readOnly: options.readOnly || (declared && (flags & ScriptFlag.NO_WRITES) !== 0),
      noMemory: !(declared && (flags & ScriptFlag.ALLOW_OOM) !== 0) && !this.#hasMemory(caller),
      wrote: false,
      killed: false,
    };
    const effects = this.#engine.effects, { open } = effects;
    const mark = caller.reply.mark();
    let failure: LuaFailure | undefined;
    try {
      caller.unit(() => failure = lua.run(reference, caller.request, first, keys, caller.reply));
    } finally {
      this.#run = undefined;
      this.#engine.busy = undefined;
      effects.open = open;
    }
    if (call.session.wrote) caller.session.wrote = true;
    call.session.wrote = false;
    if (failure === undefined) return;
    caller.reply.rewind(mark);
    this.#report(caller, run.options.name, failure);
  }

  /** Ends the running script. Returns an error message, or "". */
  kill(kind: ScriptKind): string {
    const run = this.#run;
    if (run === undefined) return "NOTBUSY No scripts in execution right now.";
    if (run.wrote) {
      return "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait " +
        "the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
    }
    if (run.options.kind !== kind) return slow[run.options.kind];
    run.killed = true;
    return "";
  }

  // What Lua asks.

  call(request: Request): Reply {
    const run = this.#run!, { call } = run, { reply } = call;
    const command = this.#find(request);
    const refusal = this.#commandRefusal(run, command, request);
    if (refusal !== "") {
      this.#engine.stats.countError(refusal);
      if (command !== undefined) command.stats.rejected++;
      reply.error(refusal);
      return reply;
    }
    if ((command!.bits & Flag.WRITE) !== 0) run.wrote = true;
    call.runner.perform(call, request);
    return reply;
  }

  replyRead(): void {
    const { reply } = this.#run!.call;
    if (reply.roomBytes > REPLY_ROOM_BYTES) reply.clear();
    else reply.rewind(0);
  }

  mayRun(request: Request): number {
    const command = this.#find(request);
    if (command === undefined) return -1;
    return hasArity(command, request) ? 1 : -2;
  }

  log(level: number, text: Uint8Array): void {
    this.#engine.log(LOG_LEVELS[level], latin1(text));
  }

  setReplication(flags: number): void {
    const { effects } = this.#engine;
    effects.open = effects.heard && (flags & REPLICATE_TO_FILE) !== 0;
  }

  setVersion(version: number): void {
    this.#run!.call.reply.version = version;
  }

  tick(): boolean {
    const run = this.#run;
    if (run === undefined) return false;
    const engine = this.#engine, threshold = engine.settings.values.busyReplyThreshold;
    if (threshold <= 0) return false;
    const ms = (engine.clock.monotonicUs() - run.startUs) / 1000;
    if (ms < threshold) return run.killed;
    if (engine.busy === undefined) this.#becomeBusy(run, ms);
    const { current } = engine;
    engine.serveOthers();
    engine.current = current;
    return run.killed;
  }

  clock(): number {
    return this.#engine.clock.monotonicUs() / 1e6;
  }

  failed(message: string, counted: boolean): void {
    const { caller } = this.#run!;
    this.#fail(caller, message, counted);
  }

  #becomeBusy(run: Run, ms: number): void {
    const { kind, name } = run.options;
    this.#engine.busy = { message: slow[kind], end: () => run.killed = true };
    this.#engine.log(
      "warning",
      `Slow script detected: still in execution after ${Math.floor(ms)} milliseconds. You can try killing the script ` +
        `using the ${kind === "script" ? "SCRIPT KILL" : "FUNCTION KILL"} command. Script name is: ${name}.`,
    );
  }

  /** The reason for refusing a script, or "". Without declared flags its commands are checked one by one. */
  #refusal(caller: Call, { flags, readOnly }: RunOptions): string {
    if ((flags & ScriptFlag.UNDECLARED) !== 0) return "";
    if ((flags & ScriptFlag.NO_WRITES) === 0) {
      const { failure, fileFailure } = this.#engine.persistence;
      if (failure !== "") return failureOfScript(fileFailure);
      if (readOnly) return "ERR Can not execute a script with write flag using *_ro command.";
    }
    if ((flags & (ScriptFlag.ALLOW_OOM | ScriptFlag.NO_WRITES)) === 0 && !this.#hasMemory(caller)) {
      return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
    }
    return "";
  }

  #hasMemory({ inUnit }: Call): boolean {
    const engine = this.#engine, { maxmemory } = engine.settings.values;
    if (maxmemory === 0) return true;
    return inUnit ? engine.usedBytes <= maxmemory : engine.makeRoom();
  }

  /** The reason for refusing a command of a script, or "". The executor checks the rest. */
  #commandRefusal(run: Run, command: Command | undefined, request: Request): string {
    if (command === undefined) return "ERR Unknown Redis command called from script";
    if (!hasArity(command, request)) return "ERR Wrong number of args calling Redis command from script";
    const { bits } = command;
    if ((bits & Flag.NO_SCRIPT) !== 0) return "ERR This Redis command is not allowed from script";
    if (run.readOnly && (bits & (Flag.WRITE | Flag.MAY_REPLICATE)) !== 0) {
      return "ERR Write commands are not allowed from read-only scripts.";
    }
    if (run.noMemory && !run.wrote && (bits & Flag.DENY_OOM) !== 0) return messages.outOfMemory;
    return "";
  }

  /** The command or subcommand that a request names. */
  #find(request: Request): Command | undefined {
    const { bytes, start, end, argc } = request;
    const command = this.#table.find(bytes, start[0], end[0]);
    if (command === undefined || argc < 2 || command.subcommands.length === 0) return command;
    return command.subcommand(bytes, start[1], end[1]);
  }

  get #table() {
    return this.#run!.caller.table;
  }

  /** The call in which a script runs commands for `caller`. */
  #callFor(caller: Call): Call {
    const { session } = caller;
    let call = this.#calls.get(session.origin);
    if (call === undefined) {
      const origin = session.origin === "client" ? "script" : session.origin;
      const own = new Session(this.#engine.nextSessionId(), new Reply(), this.#engine.store.nowMs, origin);
      call = new Call(this.#engine, own, caller.runner);
      call.inUnit = true;
      this.#calls.set(session.origin, call);
    }
    const own = call.session;
    own.caller = session;
    own.user = session.user;
    own.noTouch = session.noTouch;
    call.select(session.db);
    call.reply.version = 2;
    return call;
  }

  #report(caller: Call, name: string, { kind, message, place, counted }: LuaFailure): void {
    if (kind === "error") {
      const where = place === "" ? "" : ` script: ${name}, on ${place}.`;
      this.#fail(caller, `${message}${where}`, counted);
    } else {
      this.#fail(caller, `ERR Error running script ${name}, ${message.slice(0, 100)}`, false);
    }
  }

  #fail(caller: Call, message: string, counted: boolean): void {
    if (counted) caller.reply.error(message);
    else caller.runner.fail(caller, message);
  }
}

function hasArity({ arity }: Command, { argc }: Request): boolean {
  return arity > 0 ? argc === arity : argc >= -arity;
}

function failureOfScript(fileFailure: string): string {
  const rule = "Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";
  return fileFailure === ""
    ? `MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. ${rule}`
    : `MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. ${rule} AOF ` +
      `error: ${fileFailure}`;
}
