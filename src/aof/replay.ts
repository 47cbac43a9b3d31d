/**
 * Loading an append-only file: every command in it is run as a client's would be, in a session without a socket. Commands
 * between MULTI and EXEC are one unit and run when the EXEC is there.
 *
 * A file that ends within a command or a unit was cut off by a crash: what precedes is loaded, and the result says where
 * the whole part ends. Anything else that is not a command is damage, and an AofError names its offset.
 */
import { latin1 } from "../core/bytes.ts";
import { ProtocolError } from "../core/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { Session } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import { Reply } from "../resp/reply.ts";
import type { Request } from "../resp/request.ts";
import { Call } from "../commands/call.ts";
import type { Executor } from "../commands/execute.ts";

/** A file that cannot be loaded. */
export class AofError extends Error {
  override name = "AofError";
}

export interface ReplayResult {
  commands: number;
  /** Commands that replied with an error, and what the first one said. */
  failed: number;
  firstFailure: string;
  /** Bytes of whole commands and units; what is behind them was cut off. */
  wholeBytes: number;
  totalBytes: number;
}

/** The event loop gets a turn after so many milliseconds of loading, to answer -LOADING and to show progress. */
const SLICE_MS = 50;

export class Replay {
  readonly #engine: Engine;
  readonly #executor: Executor;
  readonly #call: Call;
  readonly #parser = new RequestParser();
  /** Requests of the unit that is open, undefined outside of one. */
  #unit: Request[] | undefined;
  #wholeBytes = 0;
  #offset = 0;
  #commands = 0;
  #failed = 0;
  #firstFailure = "";

  constructor(engine: Engine, executor: Executor) {
    this.#engine = engine;
    this.#executor = executor;
    const session = new Session(0, new Reply(), engine.clock.nowMs());
    this.#call = new Call(engine, session, executor.table);
  }

  /** Loads a file from its start. `progress` is called between slices. Throws AofError. */
  async load(file: Deno.FsFile, progress: () => void): Promise<ReplayResult> {
    const { persistence, store, effects, clock } = this.#engine;
    persistence.loading = true;
    persistence.loadTotalBytes = file.statSync().size;
    persistence.loadingStartMs = clock.nowMs();
    store.holdExpiry = true;
    const wasOpen = effects.open;
    effects.open = false;
    try {
      let sliceStartUs = clock.monotonicUs();
      for (;;) {
        const count = file.readSync(this.#parser.room());
        if (count === null) break;
        this.#parser.filled(count);
        persistence.loadedBytes += count;
        this.#executor.readClock();
        this.#executor.begin();
        this.#run();
        this.#executor.end();
        if (clock.monotonicUs() - sliceStartUs > SLICE_MS * 1000) {
          persistence.loadedKeys = this.#commands;
          progress();
          await new Promise((resolve) => setTimeout(resolve));
          sliceStartUs = clock.monotonicUs();
        }
      }
    } finally {
      store.holdExpiry = false;
      effects.open = wasOpen;
      persistence.loading = false;
    }
    return {
      commands: this.#commands,
      failed: this.#failed,
      firstFailure: this.#firstFailure,
      wholeBytes: this.#wholeBytes,
      totalBytes: persistence.loadedBytes,
    };
  }

  #run(): void {
    const parser = this.#parser;
    try {
      while (parser.next()) {
        const { request } = parser;
        if (request.rawStart < 0) throw new ProtocolError("a command must begin with '*'");
        this.#command(request);
        this.#offset += request.rawEnd - request.rawStart;
        if (this.#unit === undefined) this.#wholeBytes = this.#offset;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new AofError(`damaged at byte ${this.#offset}: ${error.message}`);
    }
  }

  #command(request: Request): void {
    const name = request.argc === 1 ? latin1(request.bytes, request.start[0], request.end[0]).toUpperCase() : "";
    if (name === "MULTI") {
      if (this.#unit !== undefined) throw new AofError(`damaged at byte ${this.#offset}: MULTI within MULTI`);
      this.#unit = [];
    } else if (name === "EXEC") {
      if (this.#unit === undefined) throw new AofError(`damaged at byte ${this.#offset}: EXEC without MULTI`);
      const unit = this.#unit;
      this.#unit = undefined;
      for (const queued of unit) this.#execute(queued);
    } else if (this.#unit !== undefined) {
      this.#unit.push(request.clone());
    } else {
      this.#execute(request);
    }
  }

  #execute(request: Request): void {
    const call = this.#call;
    const { reply } = call;
    const errors = reply.errors;
    this.#executor.execute(call, request);
    this.#commands++;
    if (reply.errors !== errors) {
      if (reply.lastError.startsWith("ERR unknown command")) {
        throw new AofError(`damaged at byte ${this.#offset}: ${reply.lastError}`);
      }
      this.#failed++;
      if (this.#firstFailure === "") this.#firstFailure = `at byte ${this.#offset}: ${reply.lastError}`;
    }
    reply.rewind(0);
  }
}
