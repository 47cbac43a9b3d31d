/**
 * CLIENT PAUSE: while it lasts, requests of clients wait where they stand: all of them, or those that may write. Keys
 * neither expire nor are evicted meanwhile, so that the data stands still. The engine has a Pause only while one lasts.
 */
import type { Clock } from "../core/clock.ts";
import type { Session, Suspension } from "./session.ts";

export class Pause {
  /** All requests wait, not only writes. */
  all: boolean;
  /** When it ends, in milliseconds since the epoch. */
  untilMs: number;
  readonly #clock: Clock;
  readonly #over: () => void;
  readonly #held = new Set<Session>();
  readonly #work: (() => void)[] = [];
  #stopTimer: (() => void) | undefined;

  /** `over` is called once, when the pause has ended and before requests go on. */
  constructor(clock: Clock, untilMs: number, all: boolean, over: () => void) {
    this.#clock = clock;
    this.#over = over;
    this.untilMs = untilMs;
    this.all = all;
    this.#schedule();
  }

  /** A further request to pause: the later end and the stricter kind hold. */
  extend(untilMs: number, all: boolean): void {
    this.untilMs = Math.max(this.untilMs, untilMs);
    this.all ||= all;
    this.#schedule();
  }

  /** Number of sessions whose request waits. */
  get heldCount(): number {
    return this.#held.size;
  }

  /** Suspends a session: its request runs when the pause is over. */
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

  /** Calls `work` when the pause is over. */
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
