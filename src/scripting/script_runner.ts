/**
 * Runs scripts and functions: the session in which they call commands, the rules for these commands, and the end of a
 * script that was killed. One script runs at a time, as one unit.
 *
 * A script's session acts for the session that called it: same user and database at the beginning, but its own
 * protocol version, and SELECT changes only the script's database.
 */
import { latin1 } from "../core/bytes.ts";
import { fail, messages } from "../core/errors.ts";
import { Call } from "../dispatch/call.ts";
import { denialOf } from "../dispatch/permissions.ts";
import { type Command, Flag, unknownSubcommand } from "../dispatch/registry.ts";
import type { Engine } from "../engine/engine.ts";
import { type Origin, Session } from "../engine/session.ts";
import { Reply } from "../resp/reply.ts";
import type { Request } from "../resp/request.ts";
import { type LuaFailure, type LuaHost, type LuaInstance, type RegisteredFunction, Verdict } from "./instance.ts";
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
}

/** The running script, as others see it. */
export interface RunningScript {
  readonly kind: ScriptKind;
  readonly name: string;
  /** The command that runs it. */
  readonly request: Request;
  readonly ms: number;
}

/** A library whose code runs to register its functions. */
export interface LoadingLibrary {
  /** Whether the code may run for half a second only. */
  readonly limited: boolean;
  /** Adds a function; the result is that of LuaHost.addFunction. */
  add(registered: RegisteredFunction): number;
}

const LOAD_MS_MAX = 500;
/** Where no client can be served during a script, it ends after so many times busy-reply-threshold, unless it wrote. */
const UNREACHABLE_FACTOR = 12;
/** A script whose commands take longer is timed by itself. */
const LONG_US = 100;
const REPLICATE_TO_FILE = 1;
const LOG_LEVELS = ["debug", "verbose", "notice", "warning"] as const;
/** A reply beyond this size is not kept as room for the next one. */
const REPLY_ROOM_BYTES = 64 * 1024;

const KILLED_BY = { script: "SCRIPT KILL", function: "FUNCTION KILL" } as const;

export class ScriptRunner implements LuaHost {
  readonly #engine: Engine;
  /** The calls of scripts by the origin of their callers. */
  readonly #calls = new Map<Origin, Call>();
  /** The command that runs a script; undefined while none runs. The other fields belong to the running script. */
  #caller: Call | undefined;
  #call!: Call;
  #options!: RunOptions;
  /** The time of the first tick; 0 before it. */
  #startUs = 0;
  #loading: LoadingLibrary | undefined;
  #readOnly = false;
  /** Commands that need memory are refused until the first write. */
  #noMemory = false;
  #wrote = false;
  #killed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The running script; undefined while there is none. */
  get running(): RunningScript | undefined {
    if (this.#caller === undefined) return undefined;
    const { kind, name } = this.#options;
    return { kind, name, request: this.#caller.request, ms: this.#ms() };
  }

  /**
   * Runs a compiled function for a command and writes the reply. The keys are `keys` arguments from `first` on, the
   * rest are its arguments. A command that may not write says so with `readOnly`. Hot.
   */
  run(
    caller: Call,
    lua: LuaInstance,
    reference: number,
    first: number,
    keys: number,
    options: RunOptions,
    readOnly: boolean,
  ): void {
    this.checkIdle();
    const { flags } = options, declared = (flags & ScriptFlag.UNDECLARED) === 0;
    if (declared) {
      const refusal = this.#refusal(caller, flags, readOnly);
      if (refusal !== "") return this.#fail(caller, refusal, false);
    }
    const engine = this.#engine, { effects } = engine, { open } = effects;
    const call = this.#call = this.#callFor(caller), { session } = call;
    this.#caller = caller;
    this.#options = options;
    this.#startUs = 0;
    this.#readOnly = readOnly || (declared && (flags & ScriptFlag.NO_WRITES) !== 0);
    this.#noMemory = !(declared && (flags & ScriptFlag.ALLOW_OOM) !== 0) && !this.#hasMemory(caller);
    this.#wrote = this.#killed = false;
    const mark = caller.reply.mark();
    let failure: LuaFailure | undefined;
    caller.runner.beginInside();
    effects.begin();
    try {
      failure = lua.run(reference, caller.request, first, keys, caller.reply);
    } finally {
      this.#caller = undefined;
      engine.busy = undefined;
      effects.open = open;
      effects.end();
      if (caller.runner.endInside() >= LONG_US) caller.long = true;
    }
    if (session.wrote) {
      session.wrote = false;
      caller.session.wrote = true;
    }
    if (failure === undefined) return;
    caller.reply.rewind(mark);
    this.#report(caller, options.name, failure);
  }

  /** Throws CommandError if a script runs: only DEBUG lets scripts run commands that need a Lua state themselves. */
  checkIdle(): void {
    if (this.#caller !== undefined) fail(`ERR This ${this.#engine.identity.title} command is not allowed from script`);
  }

  /** Runs the code of a library. Throws LuaSyntaxError. */
  load(lua: LuaInstance, code: Uint8Array, library: LoadingLibrary): void {
    this.#loading = library;
    this.#startUs = 0;
    try {
      lua.load(code);
    } finally {
      this.#loading = undefined;
    }
  }

  /** Ends the running script. Returns an error message, or "". */
  kill(kind: ScriptKind): string {
    if (this.#caller === undefined) return "NOTBUSY No scripts in execution right now.";
    if (this.#wrote) {
      return "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait " +
        "the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
    }
    if (this.#options.kind !== kind) return this.#busyMessage(this.#options.kind);
    this.#killed = true;
    return "";
  }

  // What Lua asks.

  call(request: Request): Reply {
    const call = this.#call, { reply } = call;
    const command = this.#find(request);
    const refusal = this.#commandRefusal(command, request);
    if (refusal !== "") {
      this.#engine.stats.countError(refusal);
      if (command !== undefined) command.stats.rejected++;
      reply.error(refusal);
      return reply;
    }
    if ((command!.bits & Flag.WRITE) !== 0) this.#wrote = true;
    call.runner.perform(call, request, command);
    return reply;
  }

  replyRead(): void {
    const { reply } = this.#call;
    if (reply.single && reply.chunk.length <= REPLY_ROOM_BYTES) reply.rewind(0);
    else reply.clear();
  }

  mayRun(request: Request): number {
    const command = this.#find(request);
    if (command === undefined) return -1;
    if (!hasArity(command, request)) return -2;
    return denialOf(this.#call.session.user, command, request, this.#call.db.index) === undefined ? 1 : 0;
  }

  addFunction(registered: RegisteredFunction): number {
    return this.#loading!.add(registered);
  }

  log(level: number, text: Uint8Array): void {
    this.#engine.log(LOG_LEVELS[level], latin1(text));
  }

  setReplication(flags: number): void {
    const { effects } = this.#engine;
    effects.open = effects.heard && (flags & REPLICATE_TO_FILE) !== 0;
  }

  setVersion(version: number): void {
    this.#call.reply.version = version;
  }

  tick(): Verdict {
    const engine = this.#engine, threshold = engine.settings.values.busyReplyThreshold;
    if (this.#caller === undefined) {
      return this.#ms() > LOAD_MS_MAX && this.#loading!.limited ? Verdict.KILLED : Verdict.GO_ON;
    }
    this.#caller.long = true;
    if (threshold <= 0) return Verdict.GO_ON;
    const ms = this.#ms();
    if (ms >= threshold) {
      if (engine.busy === undefined) this.#becomeBusy(ms);
      const { current } = engine;
      const served = engine.serveOthers();
      engine.current = current;
      if (!served && !this.#wrote && ms >= threshold * UNREACHABLE_FACTOR) return Verdict.UNREACHABLE;
    }
    return this.#killed ? Verdict.KILLED : Verdict.GO_ON;
  }

  clock(): number {
    return this.#engine.clock.monotonicUs() / 1e6;
  }

  failed(message: string, counted: boolean): void {
    this.#fail(this.#caller!, message, counted);
  }

  /** Milliseconds since the first tick of the running script. */
  #ms(): number {
    const us = this.#engine.clock.monotonicUs();
    if (this.#startUs === 0) this.#startUs = us;
    return (us - this.#startUs) / 1000;
  }

  #becomeBusy(ms: number): void {
    const { kind, name } = this.#options;
    this.#engine.busy = { message: this.#busyMessage(kind), end: () => this.#killed = true };
    this.#engine.log(
      "warning",
      `Slow script detected: still in execution after ${Math.floor(ms)} milliseconds. You can try killing the script ` +
        `using the ${kind === "script" ? "SCRIPT KILL" : "FUNCTION KILL"} command. Script name is: ${name}.`,
    );
  }

  /** The reason for refusing a script with declared flags, or "". */
  #refusal(caller: Call, flags: number, readOnly: boolean): string {
    if ((flags & ScriptFlag.NO_WRITES) === 0) {
      const { failure, fileFailure } = this.#engine.persistence;
      if (failure !== "") return failureOfScript(this.#engine.identity.title, fileFailure);
      if (readOnly) return "ERR Can not execute a script with write flag using *_ro command.";
    }
    if ((flags & (ScriptFlag.ALLOW_OOM | ScriptFlag.NO_WRITES)) === 0 && !this.#hasMemory(caller)) {
      return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
    }
    return "";
  }

  #busyMessage(kind: keyof typeof KILLED_BY): string {
    const { title } = this.#engine.identity;
    return `BUSY ${title} is busy running a script. You can only call ${KILLED_BY[kind]} or SHUTDOWN NOSAVE.`;
  }

  #hasMemory({ inUnit }: Call): boolean {
    const engine = this.#engine, { maxmemory } = engine.settings.values;
    if (maxmemory === 0) return true;
    return inUnit ? engine.usedBytes <= maxmemory : engine.makeRoom();
  }

  /** The reason for refusing a command of a script, or "". The executor checks the rest. */
  #commandRefusal(command: Command | undefined, request: Request): string {
    const { personality, title } = this.#engine.identity, kind = personality === "redis" ? "Redis command" : "command";
    if (command === undefined) {
      // Valkey refuses an unknown subcommand as it does outside of scripts.
      const container = personality === "valkey" &&
        this.#call.table.find(request.bytes, request.start[0], request.end[0]);
      return container ? unknownSubcommand(container, request) : `ERR Unknown ${kind} called from script`;
    }
    if (!hasArity(command, request)) return `ERR Wrong number of args calling ${kind} from script`;
    const { bits } = command;
    if ((bits & Flag.NO_SCRIPT) !== 0 && !this.#engine.knobs.scriptsRunAll) {
      return `ERR This ${title} command is not allowed from script`;
    }
    if (this.#readOnly && (bits & (Flag.WRITE | Flag.MAY_REPLICATE)) !== 0) {
      return "ERR Write commands are not allowed from read-only scripts.";
    }
    if (this.#noMemory && !this.#wrote && (bits & Flag.DENY_OOM) !== 0) return messages.outOfMemory;
    return "";
  }

  /** The command or subcommand that a request names. */
  #find(request: Request): Command | undefined {
    const { bytes, start, end, argc } = request;
    const command = this.#call.table.find(bytes, start[0], end[0]);
    if (command === undefined || argc < 2 || command.subcommands.length === 0) return command;
    return command.subcommand(bytes, start[1], end[1]);
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
    own.expiryMode = session.expiryMode;
    call.select(session.db);
    call.reply.version = 2;
    return call;
  }

  #report(caller: Call, name: string, { kind, message, place, counted }: LuaFailure): void {
    if (kind === "error") {
      const named = this.#engine.identity.personality === "redis" ? ` ${name},` : "";
      const where = place === "" ? "" : ` script:${named} on ${place}.`;
      this.#fail(caller, `${message}${where}`, counted);
    } else {
      this.#fail(
        caller,
        `ERR Error running script${this.#engine.identity.personality === "redis" ? ` ${name}` : ""}, ${
          message.slice(0, 100)
        }`,
        false,
      );
    }
  }

  #fail(caller: Call, message: string, counted: boolean): void {
    if (!counted) return caller.runner.fail(caller, message);
    caller.command.stats.failed++;
    caller.reply.error(message);
  }
}

function hasArity({ arity }: Command, { argc }: Request): boolean {
  return arity > 0 ? argc === arity : argc >= -arity;
}

function failureOfScript(title: string, fileFailure: string): string {
  const rule = "Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";
  const configured = (what: string) =>
    `MISCONF ${title} is configured to ${what}, but it's currently unable to persist`;
  return fileFailure === ""
    ? `${configured("save RDB snapshots")} to disk. ${rule}`
    : `${configured("persist data to AOF")} to disk. ${rule} AOF error: ${fileFailure}`;
}
