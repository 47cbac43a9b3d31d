/**
 * A client whose command waits: what all kinds of waiting have in common. A kind adds the reason for which the wait
 * ends, and the reply after a timeout.
 */
import type { Timed } from "../core/deadline_heap.ts";
import type { Call } from "../dispatch/call.ts";
import type { Suspension } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import type { Request } from "../resp/request.ts";
import type { BodyRef } from "../store/memory/arena.ts";
import { Deadlines } from "./deadlines.ts";
import { HeldBytes } from "./queues.ts";

/** Longer requests are copied into memory of their own when they are parsed again. */
const ROOM_BYTES = 4096;

/** Parses the requests of waiting clients again: none while another one runs. */
class RequestReader {
  readonly #parser = new RequestParser();
  readonly #room = new Uint8Array(ROOM_BYTES);

  constructor() {
    this.#parser.bulkBytesMax = Infinity;
  }

  /** Frees a request and passes it to `run`, which must not use it afterwards. */
  release(held: HeldBytes, ref: BodyRef, length: number, run: (request: Request) => void): void {
    const room = length > ROOM_BYTES ? new Uint8Array(length) : this.#room;
    held.copyTo(room, ref, length);
    held.free(ref);
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
  /** The request in RESP, among the HeldBytes. */
  readonly #requestRef: BodyRef;
  readonly #requestLength: number;

  /** A request of `call` waits. `deadlineMs` is in milliseconds since the epoch; 0 means never. */
  constructor(readonly call: Call, request: Request, readonly deadlineMs: number) {
    const { bytes, rawStart, rawEnd } = request.rawStart >= 0 ? request : request.clone();
    this.#requestRef = call.engine.part(HeldBytes).hold(bytes, rawStart, rawEnd);
    this.#requestLength = rawEnd - rawStart;
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
    this.call.engine.part(HeldBytes).free(this.#requestRef);
  }

  /** Ends the wait, except for the memory of the request. */
  protected leave(): void {
    const { engine, session } = this.call;
    if (this.deadlineMs > 0) engine.part(Deadlines).remove(this);
    session.suspension = undefined;
  }

  #release(run: (request: Request) => void): void {
    const { engine } = this.call;
    engine.part(RequestReader).release(engine.part(HeldBytes), this.#requestRef, this.#requestLength, run);
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
