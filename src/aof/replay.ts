/**
 * Replays an append-only file: runs every command of it in a session without a socket. The commands between MULTI and
 * EXEC are one unit, which runs at the EXEC.
 *
 * The file is verified before (verify.ts), and only its undamaged part runs. So damaged data is never visible.
 */
import { latin1 } from "../core/bytes.ts";
import { KeyDelay, wait } from "../engine/delay.ts";
import type { Engine } from "../engine/engine.ts";
import { Session } from "../engine/session.ts";
import { Reply } from "../resp/reply.ts";
import type { Request } from "../resp/request.ts";
import { ExpiryMode } from "../store/keyspace.ts";
import { RdbInput } from "../rdb/input.ts";
import { RdbLoader, type RdbLoadOptions, type RdbLoadResult } from "../rdb/loader.ts";
import { Call } from "../dispatch/call.ts";
import type { Executor } from "../dispatch/executor.ts";
import { AofReader, Item } from "./reader.ts";
import { type SeekableSource, type Verdict, verify } from "./verify.ts";

/** The place of the commands in a file. */
type Place = Pick<Verdict, "startBytes" | "wholeBytes">;

/** A file that cannot be loaded. */
export class AofError extends Error {
  override name = "AofError";
}

export interface ReplayResult {
  commands: number;
  /** Number of commands with an error reply, and the first of these replies. */
  failed: number;
  firstFailure: string;
}

/** Milliseconds of loading after which the event loop gets a turn, for -LOADING replies and the progress line. */
const SLICE_MS = 50;

export class Replay {
  readonly #engine: Engine;
  readonly #executor: Executor;
  readonly #call: Call;
  readonly #delay: KeyDelay;
  /** Requests of the open unit; undefined outside of one. */
  #unit: Request[] | undefined;
  #offset = 0;
  #sliceStartUs = 0;
  #commands = 0;
  #failed = 0;
  #firstFailure = "";

  constructor(engine: Engine, executor: Executor) {
    this.#engine = engine;
    this.#executor = executor;
    const session = new Session(0, new Reply(), engine.clock.nowMs(), "replay");
    this.#call = new Call(engine, session, executor);
    this.#delay = new KeyDelay(() => engine.settings.values.keyLoadDelay);
  }

  /** Loads the snapshot at the beginning of a file. Throws RdbError. */
  loadSnapshot(file: SeekableSource, options: RdbLoadOptions, progress: () => void): Promise<RdbLoadResult> {
    const { persistence, settings, snapshots, store } = this.#engine;
    const totalBytes = file.seekSync(0, Deno.SeekMode.End);
    file.seekSync(0, Deno.SeekMode.Start);
    const input = new RdbInput((into) => file.readSync(into), totalBytes);
    const { keepExpired = false } = options;
    const stepKeys = this.#delay.active ? 1 : undefined;
    const { libraries } = this.#engine;
    const library = libraries === undefined ? undefined : (source: Uint8Array) => libraries.add(source, true);
    const loader = new RdbLoader(store, input, {
      checksum: settings.values.rdbchecksum,
      stepKeys,
      library,
      ...options,
    });
    persistence.loadTotalBytes = totalBytes;
    const release = keepExpired ? this.#engine.holdExpiry(ExpiryMode.KEEP) : () => {};
    return this.#loading(async () => {
      this.#executor.begin();
      try {
        for (const _ of loader.steps()) {
          persistence.loadedBytes = input.offset;
          persistence.loadedKeys = loader.result.keys;
          const waiting = this.#pause(progress);
          if (waiting !== undefined) await waiting;
          if (this.#delay.active) await wait(this.#delay.after(1));
        }
      } finally {
        release();
      }
      persistence.loadedBytes = input.offset;
      snapshots.loadedKeys = loader.result.keys;
      snapshots.loadedExpiredKeys = loader.result.expired;
      return loader.result;
    });
  }

  /** Verifies the commands of a file from byte `start`, before any of them runs. */
  verify(file: SeekableSource, start = 0): Promise<Verdict> {
    const { table } = this.#executor;
    return this.#loading(() =>
      verify(file, {
        start,
        knows: ({ bytes, start, end }) => table.find(bytes, start[0], end[0]) !== undefined,
        pause: () => this.#pause(() => {}),
      })
    );
  }

  /** Runs the commands of a file up to `verdict.wholeBytes`. Calls `progress` between slices. */
  async load(file: SeekableSource, verdict: Verdict, progress: () => void): Promise<ReplayResult> {
    this.#engine.persistence.loadTotalBytes = verdict.wholeBytes;
    const release = this.#hold();
    try {
      await this.#loading(() => this.#read(file, verdict, progress));
    } finally {
      release();
    }
    return this.#result;
  }

  /** Loads a file that this server has written completely, in one turn of the event loop. */
  loadNow(file: SeekableSource, verdict: Place): ReplayResult {
    const release = this.#hold();
    try {
      for (const _ of this.#slices(file, verdict)) continue;
    } finally {
      release();
    }
    return this.#result;
  }

  get #result(): ReplayResult {
    return { commands: this.#commands, failed: this.#failed, firstFailure: this.#firstFailure };
  }

  /** Stops expiry, logging and the refusal of writes, until the returned function is called. */
  #hold(): () => void {
    const engine = this.#engine, { effects, persistence } = engine;
    const wasOpen = effects.open;
    const release = engine.holdExpiry(ExpiryMode.KEEP);
    effects.open = false;
    persistence.failure = "";
    return () => {
      release();
      effects.open = wasOpen;
      engine.settleFailure();
    };
  }

  /** Runs `body` while clients get -LOADING. */
  async #loading<T>(body: () => Promise<T>): Promise<T> {
    const { persistence, clock } = this.#engine;
    const before = persistence.loading;
    if (!before) persistence.loadingStartMs = clock.nowMs();
    persistence.loading = true;
    this.#sliceStartUs = clock.monotonicUs();
    try {
      return await body();
    } finally {
      persistence.loading = before;
    }
  }

  /** Gives the event loop a turn if it has waited long enough. */
  #pause(progress: () => void): Promise<void> | undefined {
    const { clock } = this.#engine;
    if (clock.monotonicUs() - this.#sliceStartUs < SLICE_MS * 1000) return undefined;
    progress();
    return new Promise((resolve) =>
      setTimeout(() => {
        this.#sliceStartUs = clock.monotonicUs();
        resolve();
      })
    );
  }

  async #read(file: SeekableSource, verdict: Verdict, progress: () => void): Promise<void> {
    for (const _ of this.#slices(file, verdict)) {
      const waiting = this.#pause(progress);
      if (waiting !== undefined) await waiting;
      if (this.#delay.active) await wait(this.#delay.after(1));
    }
  }

  /** Runs the commands of a file in slices of one read; with key-load-delay, in slices of one command. */
  *#slices(file: SeekableSource, { startBytes, wholeBytes }: Place): Generator<void> {
    const { persistence } = this.#engine;
    file.seekSync(startBytes, Deno.SeekMode.Start);
    const reader = new AofReader(file, wholeBytes, startBytes);
    while (reader.fill()) {
      this.#executor.begin();
      for (let item = reader.next(); item !== Item.MORE; item = reader.next()) {
        this.#offset = reader.itemStart;
        if (item === Item.COMMAND) this.#command(reader.request);
        if (this.#delay.active) yield;
      }
      this.#executor.end();
      persistence.loadedBytes = reader.readBytes;
      persistence.loadedKeys = this.#commands;
      yield;
    }
  }

  #command(request: Request): void {
    const name = request.argc === 1 ? latin1(request.bytes, request.start[0], request.end[0]).toUpperCase() : "";
    if (name === "MULTI") {
      this.#unit = [];
    } else if (name === "EXEC") {
      const unit = this.#unit ?? [];
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
      this.#failed++;
      if (this.#firstFailure === "") this.#firstFailure = `at byte ${this.#offset}: ${reply.lastError}`;
    }
    reply.rewind(0);
  }
}
