/**
 * A client whose command waits: what all kinds of waiting have in common. A kind adds the reason for which the wait
 * ends, and the reply after a timeout.
 */
import type { Timed } from "../core/deadline_heap.ts";
import type { Call } from "../dispatch/call.ts";
import type { Suspension } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import type { Request } from "../resp/request.ts";
import { Deadlines } from "./deadlines.ts";

/** For the requests of all waiting clients: none is parsed while another one runs. */
const parser = new RequestParser();
parser.bulkBytesMax = Infinity;

export abstract class WaitingClient implements Suspension, Timed {
  readonly again = false;
  heapIndex = -1;

  /** The request in RESP. */
  readonly #request: Uint8Array;

  /** The request of `call` waits. `deadlineMs` is in milliseconds since the epoch; 0 means never. */
  constructor(readonly call: Call, readonly deadlineMs: number) {
    const { bytes, rawStart, rawEnd } = call.request;
    this.#request = rawStart >= 0 ? bytes.slice(rawStart, rawEnd) : call.request.clone().bytes;
  }

  /** Suspends the session. */
  begin(): void {
    const { engine, session } = this.call;
    if (this.deadlineMs > 0) engine.part(Deadlines).add(this);
    session.suspension = this;
  }

  end(): void {
    const { engine, session } = this.call;
    if (this.deadlineMs > 0) engine.part(Deadlines).remove(this);
    session.suspension = undefined;
  }

  /** Ends the wait with the reply that `write` writes. */
  answer(write: () => void): void {
    const { call } = this;
    this.end();
    this.#withRequest((request) => call.runner.answer(call, request, write));
    call.session.transport?.resume();
  }

  /** Ends the wait and runs the request again. The session may wait once more afterwards. */
  retry(): void {
    const { call } = this, { session } = call;
    this.end();
    session.transport?.answering();
    this.#withRequest((request) => call.runner.retry(call, request));
    if (session.suspension === undefined) session.transport?.resume();
  }

  #withRequest(run: (request: Request) => void): void {
    parser.borrow(this.#request, this.#request.length);
    parser.next();
    run(parser.request);
    // The parser gives up a borrowed buffer only between requests.
    parser.next();
    parser.giveBack();
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
