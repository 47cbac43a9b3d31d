/**
 * Clients that wait until their changes are safe: WAIT counts replicas, WAITAOF also the append-only file of this
 * server. A session remembers the number of changes at its latest write (`changesAtWrite`); the file reports the number
 * of changes that survive a power failure. There are no replicas, so each count of replicas is 0.
 */
import { fail } from "../core/errors.ts";
import type { Call } from "../dispatch/call.ts";
import type { DeferredWork } from "../engine/phase.ts";
import type { Engine } from "../engine/engine.ts";
import { WaitingClient } from "./waiting_client.ts";

const NO_FILE = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/** The acknowledgements that a command asks for. */
export interface Asked {
  readonly replicas: number;
  /** The number of files of this server, 0 or 1; undefined for WAIT, whose reply does not tell it. */
  readonly local?: number;
  /** The time of the reply in any case, in milliseconds since the epoch; 0 means never. */
  readonly deadlineMs: number;
}

/** A client that waits for acknowledgements of its changes. */
class Waiter extends WaitingClient {
  constructor(readonly waiting: Set<Waiter>, call: Call, readonly asked: Asked) {
    super(call, call.request, asked.deadlineMs);
    waiting.add(this);
  }

  protected override leave(): void {
    super.leave();
    this.waiting.delete(this);
  }

  override replyTimeout(): void {
    reply(this.call, this.asked);
  }
}

export class Acknowledgements implements DeferredWork {
  readonly #engine: Engine;
  readonly #waiting = new Set<Waiter>();

  constructor(engine: Engine) {
    this.#engine = engine;
    engine.listeners.safe.add(() => {
      if (this.#waiting.size === 0) return;
      if (engine.current === undefined) this.run();
      else engine.afterCommand.add(this);
    });
  }

  /** Replies with the acknowledgements, at once or when there are as many as asked for. */
  wait(call: Call, asked: Asked): void {
    if (isFileMissing(this.#engine, asked)) fail(NO_FILE);
    if (isMet(call, asked) || !call.mayWait) reply(call, asked);
    else new Waiter(this.#waiting, call, asked).begin();
  }

  /** Replies to the clients whose wait is over, the latest first, as in Redis. */
  run(): void {
    for (const waiter of [...this.#waiting].reverse()) {
      const { asked, call } = waiter;
      if (isFileMissing(this.#engine, asked)) waiter.fail(NO_FILE);
      else if (isMet(call, asked)) waiter.answer(() => reply(call, asked));
    }
  }
}

function isFileMissing({ settings }: Engine, { local }: Asked): boolean {
  return local === 1 && !settings.values.appendonly;
}

/** The number of this server's files that keep all changes of a client: 0 or 1. */
function localCount({ engine, session }: Call): number {
  if (!engine.settings.values.appendonly) return 0;
  return (engine.durability?.safeChanges ?? 0) >= session.changesAtWrite ? 1 : 0;
}

function isMet(call: Call, { local = 0, replicas }: Asked): boolean {
  return replicas <= 0 && (local === 0 || localCount(call) === 1);
}

function reply(call: Call, { local }: Asked): void {
  if (local !== undefined) {
    call.reply.array(2);
    call.reply.integer(localCount(call));
  }
  call.reply.integer(0);
}
