/**
 * A server without sockets, for thousands of histories: engine, executor, manager and turns, on a disk chosen by the
 * test, with a clock that only moves when it is read or set.
 */
import { AofManager } from "../../src/aof/manager.ts";
import type { Disk } from "../../src/aof/disk.ts";
import { Call } from "../../src/dispatch/call.ts";
import { Executor } from "../../src/dispatch/executor.ts";
import { commandTable } from "../../src/commands/table.ts";
import { latin1 } from "../../src/core/bytes.ts";
import type { Clock } from "../../src/core/clock.ts";
import { Engine } from "../../src/engine/engine.ts";
import { Session } from "../../src/engine/session.ts";
import { Reply } from "../../src/resp/reply.ts";
import { Request } from "../../src/resp/request.ts";
import { Turn } from "../../src/net/turn.ts";
import type { Connection } from "../../src/net/connection.ts";
import { createEngine } from "../helpers/engine.ts";

/** Each reading advances the clock, so that work in time slices ends after a fixed number of steps. */
export class SteppingClock implements Clock {
  ms = Date.UTC(2026, 0, 1);
  /** Number of readings of the monotonic time. */
  readingCount = 0;
  #us = 0;
  readonly #stepUs: number;

  constructor(stepUs = 200) {
    this.#stepUs = stepUs;
  }

  nowMs(): number {
    return this.ms;
  }

  monotonicUs(): number {
    this.readingCount++;
    return this.#us += this.#stepUs;
  }

  advance(ms: number): void {
    this.ms += ms;
    this.#us += ms * 1000;
  }

  /** Nothing here waits for a timer. */
  schedule(): () => void {
    return () => {};
  }
}

const encoder = new TextEncoder();

/** A request of words, texts as UTF-8. */
export function requestOf(words: readonly (string | number | Uint8Array)[]): Request {
  return Request.of(words.map((word) => word instanceof Uint8Array ? word : encoder.encode(String(word))));
}

export class Node {
  /** Two servers must not use the same random numbers, or one would store members exactly where the other had them. */
  static #seed = 1;
  readonly engine: Engine;
  readonly executor: Executor;
  readonly manager: AofManager;
  readonly turn: Turn;
  readonly clock: SteppingClock;
  readonly #call: Call;
  /** The log of the engine. */
  readonly logged: string[] = [];
  /** The reply that replaced the replies of the last turn that was not acknowledged. */
  refusal = "";

  private constructor(disk: Disk, options: Record<string, string>, clock: SteppingClock) {
    this.clock = clock;
    this.engine = createEngine(clock, options, Node.#seed++);
    this.engine.log = (_, text) => this.logged.push(text);
    this.executor = new Executor(this.engine, commandTable);
    this.manager = new AofManager(this.engine, this.executor, disk);
    this.turn = new Turn(this.engine, this.executor);
    this.#call = new Call(this.engine, new Session(1, new Reply(), clock.nowMs()), this.executor);
  }

  /** Loads the files on the disk, and continues with them. */
  static async start(
    disk: Disk,
    options: Record<string, string> = {},
    clock: SteppingClock = new SteppingClock(),
  ): Promise<Node> {
    const node = new Node(disk, { appendonly: "yes", aofpath: "/data/a.aof", ...options }, clock);
    await node.manager.open();
    return node;
  }

  /** Runs one command outside a turn; returns the reply. */
  run(...words: (string | number | Uint8Array)[]): string {
    const { reply } = this.#call;
    this.executor.execute(this.#call, requestOf(words));
    const text = latin1(reply.copySince(0));
    reply.rewind(0);
    return text;
  }

  /** Runs `body`, commands of one client, in a turn. Returns whether they were acknowledged. */
  async inTurn(body: () => void): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { session } = this.#call;
    this.turn.enter();
    this.executor.begin();
    session.wrote = false;
    body();
    this.executor.end();
    let refused = false;
    const refuse = (message: string) => {
      this.refusal = message;
      refused = true;
    };
    const client = { session, refuse, delay: () => {}, send: () => resolve(!refused) };
    this.turn.add(client as unknown as Connection);
    return await promise;
  }

  /** Runs several commands as one unit. */
  unit(body: () => void): void {
    this.engine.effects.begin();
    body();
    this.engine.effects.end();
  }
}
