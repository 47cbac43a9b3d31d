/**
 * CLIENT PAUSE: holds back all requests of clients, or those that may write. Keys neither expire nor are evicted during
 * a pause, so the data does not change. The engine has a Pause object only during a pause.
 */
import type { Clock } from "../core/clock.ts";
import type { Session, Suspension } from "./session.ts";

export class Pause {
  /** True if all requests wait, false if only writes do. */
  all: boolean;
  /** The end of the pause, in milliseconds since the epoch. */
  untilMs: number;
  readonly #clock: Clock;
  readonly #over: () => void;
  readonly #held = new Set<Session>();
  readonly #work: (() => void)[] = [];
  #stopTimer: (() => void) | undefined;

  /** `over` is called once, after the end of the pause and before requests continue. */
  constructor(clock: Clock, untilMs: number, all: boolean, over: () => void) {
    this.#clock = clock;
    this.#over = over;
    this.untilMs = untilMs;
    this.all = all;
    this.#schedule();
  }

  /** Extends the pause with another request to pause: the later end and the stricter kind apply. */
  extend(untilMs: number, all: boolean): void {
    this.untilMs = Math.max(this.untilMs, untilMs);
    this.all ||= all;
    this.#schedule();
  }

  /** Suspends a session. Its request runs after the pause. */
  hold(session: Session): void {
    this.#held.add(session);
    const held: Suspension = {
      again: true,
      end: () => this.#held.delete(session),
      timeOut: () => false,
      fail: () => false,
    };
    session.suspension = held;
  }

  /** Calls `work` after the pause. */
  whenOver(work: () => void): void {
    this.#work.push(work);
  }

  /** Ends the pause. */
  end(): void {
    this.#stopTimer?.();
    this.#over();
    for (const work of this.#work) work();
    for (const session of this.#held) {
      session.suspension = undefined;
      session.transport?.resume();
    }
    this.#held.clear();
  }

  #schedule(): void {
    this.#stopTimer?.();
    this.#stopTimer = this.#clock.schedule(this.untilMs, () => {
      if (this.#clock.nowMs() >= this.untilMs) this.end();
      else this.#schedule();
    });
  }
}
