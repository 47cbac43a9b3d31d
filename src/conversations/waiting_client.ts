/**
 * A client whose command waits: what all kinds of waiting have in common. A kind adds the reason for which the wait
 * ends, and the reply after a timeout.
 */
import type { Timed } from "../core/deadline_heap.ts";
import type { Call } from "../dispatch/call.ts";
import type { Suspension } from "../engine/session.ts";
import { Deadlines } from "./deadlines.ts";

export abstract class WaitingClient implements Suspension, Timed {
  readonly again = false;
  heapIndex = -1;

  /** `deadlineMs` is in milliseconds since the epoch; 0 means never. */
  constructor(readonly call: Call, readonly deadlineMs: number) {}

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
    call.runner.answer(call, write);
    call.session.transport?.resume();
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
