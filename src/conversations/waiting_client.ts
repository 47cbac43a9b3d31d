/**
 * A client whose command waits: what all kinds of waiting have in common. A kind adds the reason for which the wait
 * ends, and the reply after a timeout.
 */
import { latin1 } from "../core/bytes.ts";
import type { Timed } from "../core/deadline_heap.ts";
import type { Call } from "../dispatch/call.ts";
import type { Suspension } from "../engine/session.ts";
import { RequestParser } from "../resp/parser.ts";
import type { Request } from "../resp/request.ts";
import { Deadlines } from "./deadlines.ts";

const ROOM_USUAL = 1024;
/** For the requests of all waiting clients: none is parsed while another one runs. */
let room = new Uint8Array(ROOM_USUAL);
const parser = new RequestParser();
parser.bulkBytesMax = Infinity;

export abstract class WaitingClient implements Suspension, Timed {
  heapIndex = -1;
  /** The request in RESP. Text takes far less memory than a small array of bytes. */
  readonly #request: string;

  /** The request of `call` waits. `deadlineMs` is in milliseconds since the epoch; 0 means never. */
  constructor(readonly call: Call, readonly deadlineMs: number) {
    const { bytes, rawStart, rawEnd } = call.request;
    this.#request = rawStart >= 0 ? latin1(bytes, rawStart, rawEnd) : latin1(call.request.clone().bytes);
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
    const { length } = this.#request;
    if (room.length < length) room = new Uint8Array(length);
    for (let i = 0; i < length; i++) room[i] = this.#request.charCodeAt(i);
    parser.borrow(room, length);
    parser.next();
    run(parser.request);
    parser.finish();
    parser.giveBack();
    if (room.length > ROOM_USUAL) room = new Uint8Array(ROOM_USUAL);
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
