/**
 * A client whose command waits: what all kinds of waiting have in common. A kind adds the reason for which the wait
 * ends, and the reply after a timeout.
 */
import type { Timed } from "../core/deadline_heap.ts";
import type { Call } from "../dispatch/call.ts";
import type { Suspension } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import type { Request } from "../resp/request.ts";
import { Arena } from "../store/memory/arena.ts";
import { Deadlines } from "./deadlines.ts";
import { HeldBytes } from "./queues.ts";

/** Longer requests are copied into memory of their own when they are parsed again. */
const ROOM_BYTES = 4096;

/** The memory for the requests of waiting clients, and for the keys for which they wait. */
export class WaitingRequests {
  readonly arena = new Arena();
  readonly #parser = new RequestParser();
  readonly #room = new Uint8Array(ROOM_BYTES);

  constructor() {
    this.#parser.bulkBytesMax = Infinity;
  }

  /** Keeps a copy of a request in RESP. */
  hold(request: Request): HeldBytes {
    const { bytes, rawStart, rawEnd } = request;
    if (rawStart >= 0) return new HeldBytes(this.arena, bytes, rawStart, rawEnd);
    const copy = request.clone().bytes;
    return new HeldBytes(this.arena, copy, 0, copy.length);
  }

  /** Frees a request and passes it to `run`, which must not use it afterwards. */
  release(held: HeldBytes, run: (request: Request) => void): void {
    const room = held.length > ROOM_BYTES ? new Uint8Array(held.length) : this.#room;
    held.copyTo(room);
    const { length } = held;
    held.free();
    const parser = this.#parser;
    parser.borrow(room, length);
    parser.next();
    run(parser.request);
    parser.finish();
    parser.giveBack();
  }
}

export abstract class WaitingClient implements Suspension, Timed {
  heapIndex = -1;

  /** The request in RESP. */
  readonly #request: HeldBytes;

  /** A request of `call` waits. `deadlineMs` is in milliseconds since the epoch; 0 means never. */
  constructor(readonly call: Call, request: Request, readonly deadlineMs: number) {
    this.#request = call.engine.part(WaitingRequests).hold(request);
  }

  get again(): boolean {
    return false;
  }

  /** Suspends the session. */
  begin(): void {
    const { engine, session } = this.call;
    if (this.deadlineMs > 0) engine.part(Deadlines).add(this);
    session.suspension = this;
  }

  end(): void {
    this.leave();
    this.#request.free();
  }

  /** Ends the wait, except for the memory of the request. */
  protected leave(): void {
    const { engine, session } = this.call;
    if (this.deadlineMs > 0) engine.part(Deadlines).remove(this);
    session.suspension = undefined;
  }

  #release(run: (request: Request) => void): void {
    this.call.engine.part(WaitingRequests).release(this.#request, run);
  }

  /** Ends the wait with the reply that `write` writes. */
  answer(write: () => void): void {
    const { call } = this;
    this.leave();
    this.#release((request) => call.runner.answer(call, request, write));
    call.session.transport?.resume();
  }

  /** Ends the wait and runs the request again. The session may wait once more afterwards. */
  retry(): void {
    const { call } = this, { session } = call;
    this.leave();
    session.transport?.answering();
    this.#release((request) => call.runner.retry(call, request));
    if (session.suspension === undefined) session.transport?.resume();
  }

  timeOut(): boolean {
    this.answer(() => this.replyTimeout());
    return true;
  }

  fail(message: string): boolean {
    this.answer(() => this.call.runner.fail(this.call, message));
    return true;
  }

  /** Writes the reply after a timeout. */
  protected abstract replyTimeout(): void;
}
