/**
 * One Lua state in its own instance of the module: compiles chunks, runs them, and passes their calls on to the host.
 *
 * Strings cross the boundary through two buffers in the module's memory: one for the input and output of a run and for
 * the replies of commands, one for the request of a command, which the command reads in place. A trap makes the
 * instance useless (`broken`); its owner then makes a new one.
 */
import { NO_BYTES } from "../core/bytes.ts";
import { writeDouble } from "../core/numbers.ts";
import { sha1, SHA1_BYTES } from "../core/sha1.ts";
import type { Reply } from "../resp/reply.ts";
import { Request } from "../resp/request.ts";
import { type Address, instantiate, type LuaExports } from "./module.ts";

/** Whether a script goes on, or why it ends: a user has killed it, or none can while it runs. As in host.c. */
export const Verdict = { GO_ON: 0, KILLED: 1, UNREACHABLE: 2 } as const;
export type Verdict = typeof Verdict[keyof typeof Verdict];

/** What a running script asks of the server. */
export interface LuaHost {
  /** Runs a command. The returned writer holds its reply and nothing else until `replyRead`. */
  call(request: Request): Reply;
  replyRead(): void;
  /** Whether the user may run a command: 1 or 0; -1 for an unknown command, -2 for a wrong number of arguments. */
  mayRun(request: Request): number;
  /** A library registers a function. Returns 0; 1 if the name is not allowed, 2 if the library has it already. */
  addFunction(registered: RegisteredFunction): number;
  log(level: number, text: Uint8Array): void;
  setReplication(flags: number): void;
  setVersion(version: number): void;
  /** Called about every tenth of a millisecond. */
  tick(): Verdict;
  /** Seconds of processor time. */
  clock(): number;
  /** An error within the result of the script; `counted` if the statistics have it already. */
  failed(message: string, counted: boolean): void;
}

/** A function as a library has registered it. */
export interface RegisteredFunction {
  readonly name: string;
  readonly description: Uint8Array | undefined;
  /** Bits of ScriptFlag. */
  readonly flags: number;
  /** For LuaInstance.run. */
  readonly reference: number;
}

/** How a run ended that did not return a result. */
export interface LuaFailure {
  /** "error" has a text with a code; "broken" a text without one; "trap" lost the state. */
  readonly kind: "error" | "broken" | "trap";
  readonly message: string;
  /** The chunk and line of the error; "" if unknown. */
  readonly place: string;
  /** The statistics have the error already. */
  readonly counted: boolean;
}

export interface LuaOptions {
  /** The limit of Lua's memory. */
  readonly limitBytes: number;
  /** Whether getfenv, setfenv and newproxy exist. */
  readonly deprecated: boolean;
  /** Whether the names of the server, in constants and errors, are those of Valkey. */
  readonly valkey: boolean;
}

/** A chunk that does not compile; the message is Lua's. */
export class LuaSyntaxError extends Error {
  override name = "LuaSyntaxError";
}

/** The words of the structs that host.c exports. */
const Io = { ADDRESS: 0, SIZE: 1, LENGTH: 2 } as const;
const Outcome = { STATUS: 0, LENGTH: 1, SOURCE_LENGTH: 2, LINE_LENGTH: 3, COUNTED: 4 } as const;
const Status = { OK: 0, FAILED: 1, BROKEN: 2 } as const;
/** The arguments that a call from Lua can have. */
const ARGUMENTS_MAX = 8192;
const LENGTH_BYTES = 4;
/** Garbage below this size is left to Lua's own collector. */
const TIDY_BYTES = 4 * 1024 * 1024;
/** Up to this length a loop copies faster than `set`. */
const LOOP_BYTES_MAX = 48;
/** Output of the module, which is then empty. */
const NO_WORDS = new Int32Array(0);

const HEX = new TextEncoder().encode("0123456789abcdef");
const hash = new Uint8Array(SHA1_BYTES);

export class LuaInstance {
  /** The state is lost: use no method any more. */
  broken = false;
  readonly #host: LuaHost;
  readonly #functions: boolean;
  readonly #exports: LuaExports;
  readonly #io: Address;
  readonly #outcome: Address;
  readonly #rawRequest: Address;
  readonly #places: Address;
  /** Views of the memory; they become empty when the memory grows. */
  #bytes: Uint8Array = NO_BYTES;
  #words: Int32Array = NO_WORDS;
  readonly #request = new Request();
  /** The writer that receives the result of the running script. */
  #reply: Reply | undefined;
  /** A call of the host is running. */
  #inHost = false;

  /** `functions` chooses the world of function libraries instead of that of scripts. */
  constructor(host: LuaHost, functions: boolean, { deprecated, limitBytes, valkey }: LuaOptions) {
    this.#host = host;
    this.#functions = functions;
    this.#exports = instantiate({
      call: (argc, rawLength) => this.#call(argc, rawLength),
      add_function: (name, length, description, descriptionLength, flags, reference) =>
        host.addFunction({
          name: this.#text(name, length),
          description: description === 0
            ? undefined
            : this.#memory().slice(description, description + descriptionLength),
          flags,
          reference,
        }),
      acl_check: (argc) => host.mayRun(this.#requestOf(argc, 0)),
      digits: (value, into) => writeDouble(this.#memory(), into, value) - into,
      log: (level, text, length) => host.log(level, this.#memory().slice(text, text + length)),
      set_repl: (flags) => host.setReplication(flags),
      set_resp: (version) => host.setVersion(version),
      sha1: (text, length, hex) => this.#sha1(text, length, hex),
      tick: () => host.tick(),
      clock: () => host.clock(),
      write: (bytes, length) => this.#reply!.raw(this.#memory(), bytes, bytes + length),
      write_double: (value) => this.#reply!.double(value),
      write_error: (text, length, counted) => host.failed(this.#text(text, length), counted !== 0),
    });
    const exports = this.#exports;
    this.#io = exports.io() >> 2;
    this.#outcome = exports.outcome() >> 2;
    this.#rawRequest = exports.request() >> 2;
    this.#places = exports.places();
    if (exports.open(functions ? 1 : 0, deprecated ? 1 : 0, valkey ? 1 : 0, limitBytes) === 0) {
      throw new Error("Lua's memory limit is too low");
    }
  }

  /** Bytes that Lua uses, and the size of the memory that holds them. */
  get usedBytes(): number {
    return this.#exports.used();
  }

  /** Read from the view if it is still that of the whole memory, because asking the memory itself is slower. */
  get memoryBytes(): number {
    return this.#bytes.length || this.#exports.memory.buffer.byteLength;
  }

  setLimit(bytes: number): void {
    this.#exports.limit(bytes);
  }

  /** Compiles a chunk and returns a reference to its function. Throws LuaSyntaxError. */
  compile(source: Uint8Array): number {
    const exports = this.#exports;
    if (exports.reserve(source.length) === 0) throw new LuaSyntaxError("not enough memory");
    this.#memory().set(source, this.#words[this.#io + Io.ADDRESS]);
    const reference = this.#guarded(() => exports.compile(source.length, this.#functions ? 1 : 0));
    if (reference === 0) throw new LuaSyntaxError(this.#outcomeText(0, Outcome.LENGTH));
    return reference;
  }

  /** Runs the code of a library, which registers functions with the host. Throws LuaSyntaxError with its message. */
  load(source: Uint8Array): void {
    const exports = this.#exports;
    if (exports.reserve(source.length) === 0) throw new LuaSyntaxError("not enough memory");
    this.#memory().set(source, this.#words[this.#io + Io.ADDRESS]);
    const done = this.#guarded(() => exports.load(source.length));
    if (done === 0) throw new LuaSyntaxError(this.#outcomeText(0, Outcome.LENGTH));
  }

  /** Gives up a compiled function. */
  release(reference: number): void {
    this.#exports.release(reference);
  }

  /** Collects the garbage of a script that has used much memory. */
  tidy(): void {
    if (this.memoryBytes > TIDY_BYTES && this.usedBytes > TIDY_BYTES) this.#exports.collect();
  }

  /**
   * Runs a compiled function. Its keys are `keys` arguments of the request from `first` on, its arguments the rest.
   * The result goes to `reply`; without one the function returns how the run ended. Hot.
   */
  run(reference: number, request: Request, first: number, keys: number, reply: Reply): LuaFailure | undefined {
    const exports = this.#exports, count = request.argc - first;
    if (!this.#putArguments(request, first)) return outOfMemory();
    const outer = this.#reply;
    this.#reply = reply;
    let status: number;
    try {
      status = exports.run(reference, keys, count - keys, this.#functions ? 0 : 1, reply.version);
    } catch (error) {
      return this.#trapped(error);
    } finally {
      this.#reply = outer;
    }
    const bytes = this.#memory(), words = this.#words, length = words[this.#outcome + Outcome.LENGTH];
    if (status === Status.OK) {
      const from = words[this.#io + Io.ADDRESS];
      reply.raw(bytes, from, from + length);
      return undefined;
    }
    return this.#failure(status);
  }

  /** Writes the arguments from `first` on into the input buffer. Returns false if the memory limit forbids it. */
  #putArguments({ argc, bytes, start, end }: Request, first: number): boolean {
    let size = 0;
    for (let i = first; i < argc; i++) size += end[i] - start[i] + LENGTH_BYTES;
    let memory = this.#memory(), words = this.#words;
    if (size > words[this.#io + Io.SIZE]) {
      if (this.#exports.reserve(size) === 0) return false;
      memory = this.#memory();
      words = this.#words;
    }
    let at = words[this.#io + Io.ADDRESS];
    for (let i = first; i < argc; i++) {
      const length = end[i] - start[i];
      memory[at] = length;
      memory[at + 1] = length >>> 8;
      memory[at + 2] = length >>> 16;
      memory[at + 3] = length >>> 24;
      at = copy(bytes, start[i], end[i], memory, at + LENGTH_BYTES);
    }
    return true;
  }

  /** Runs a command for Lua: the request is in the module's memory, the reply is copied there. Hot. */
  #call(argc: number, rawLength: number): void {
    const host = this.#host;
    this.#inHost = true;
    const reply = host.call(this.#requestOf(argc, rawLength));
    this.#inHost = false;
    const size = reply.pendingBytes;
    if (size > this.#words[this.#io + Io.SIZE] && this.#exports.reserve(size) === 0) {
      host.replyRead();
      return this.#putReply(OUT_OF_MEMORY_REPLY);
    }
    if (reply.single) {
      const memory = this.#memory();
      copy(reply.chunk, 0, size, memory, this.#words[this.#io + Io.ADDRESS]);
    } else {
      this.#putReply(reply.copySince(0));
    }
    host.replyRead();
  }

  #putReply(bytes: Uint8Array): void {
    this.#memory().set(bytes, this.#words[this.#io + Io.ADDRESS]);
  }

  /** The request that Lua has built. It is valid until Lua continues. */
  #requestOf(argc: number, rawLength: number): Request {
    const request = this.#request;
    const memory = this.#memory();
    request.bytes = memory;
    request.argc = argc;
    request.keyHash = 0;
    request.elementHash = 0;
    request.rawStart = this.#words[this.#rawRequest + Io.ADDRESS];
    request.rawEnd = request.rawStart + rawLength;
    return request;
  }

  /** The memory, after it may have grown. */
  #memory(): Uint8Array {
    if (this.#bytes.length === 0) this.#view();
    return this.#bytes;
  }

  #view(): void {
    const { buffer } = this.#exports.memory;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#request.start = new Int32Array(buffer, this.#places, ARGUMENTS_MAX);
    this.#request.end = new Int32Array(buffer, this.#places + 4 * ARGUMENTS_MAX, ARGUMENTS_MAX);
  }

  #text(from: Address, length: number): string {
    const bytes = this.#memory();
    let text = "";
    for (let i = from; i < from + length; i++) text += String.fromCharCode(bytes[i]);
    return text;
  }

  /** A text of the outcome; `skip` bytes of other texts are before it. */
  #outcomeText(skip: number, field: number): string {
    this.#memory();
    return this.#text(this.#words[this.#io + Io.ADDRESS] + skip, Math.max(0, this.#words[this.#outcome + field]));
  }

  #failure(status: number): LuaFailure {
    if (status === Status.BROKEN) {
      return { kind: "broken", message: this.#outcomeText(0, Outcome.LENGTH), place: "", counted: false };
    }
    this.#memory();
    const words = this.#words, at = this.#outcome;
    const length = words[at + Outcome.LENGTH], sourceLength = words[at + Outcome.SOURCE_LENGTH];
    const message = length < 0 ? "ERR unknown error" : this.#outcomeText(0, Outcome.LENGTH);
    const skip = Math.max(0, length);
    let place = "";
    if (sourceLength >= 0 && words[at + Outcome.LINE_LENGTH] >= 0) {
      const line = this.#outcomeText(skip + sourceLength, Outcome.LINE_LENGTH);
      place = `${this.#outcomeText(skip, Outcome.SOURCE_LENGTH)}:${line}`;
    }
    return { kind: "error", message, place, counted: words[at + Outcome.COUNTED] !== 0 };
  }

  #sha1(text: Address, length: number, hex: Address): void {
    const memory = this.#memory();
    sha1(memory.subarray(text, text + length), hash);
    for (let i = 0; i < SHA1_BYTES; i++) {
      memory[hex + 2 * i] = HEX[hash[i] >> 4];
      memory[hex + 2 * i + 1] = HEX[hash[i] & 15];
    }
  }

  #guarded<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw new LuaSyntaxError(this.#trapped(error).message);
    }
  }

  /** The failure after a trap. Passes on the faults of the server itself. */
  #trapped(error: unknown): LuaFailure {
    this.broken = true;
    const isTrap = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
    if (this.#inHost || !isTrap) throw error;
    return { kind: "trap", message: "stack overflow", place: "", counted: false };
  }
}

function outOfMemory(): LuaFailure {
  return { kind: "broken", message: "not enough memory", place: "", counted: false };
}

const OUT_OF_MEMORY_REPLY = new TextEncoder().encode("-OOM the reply exceeds the memory limit of scripts\r\n");

/** Copies `from[start, end)` to `at` and returns the index after it. */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  if (end - start > LOOP_BYTES_MAX) {
    to.set(from.subarray(start, end), at);
    return at + end - start;
  }
  while (start < end) to[at++] = from[start++];
  return at;
}
