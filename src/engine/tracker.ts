/**
 * Client-side caching as one session has it: the mode that CLIENT TRACKING chose, and what the executor reports.
 * src/conversations/tracking.ts keeps the keys and sends the invalidations.
 */
import type { Session } from "./session.ts";

/** Approximate bytes of a prefix without its text; they include the entries in both directions. */
const PREFIX_BYTES = 160;

/** The options of CLIENT TRACKING ON. */
export interface TrackingMode {
  /** The client hears of every changed key with one of its prefixes, not only of keys that it has read. */
  readonly broadcast: boolean;
  /** Reads are remembered only after CLIENT CACHING YES. */
  readonly optIn: boolean;
  /** Reads are remembered except after CLIENT CACHING NO. */
  readonly optOut: boolean;
  /** The client does not hear of its own changes. */
  readonly noLoop: boolean;
}

export abstract class Tracker {
  readonly session: Session;
  #mode: TrackingMode | undefined;
  #caching = false;
  /** Whether invalidations wait for the end of the running command. */
  hasWaiting = false;
  /** Whether the keys of the running command are to be remembered if it reads. Hot. */
  remembers = false;
  /** The id of the session that receives the invalidations; 0 for the own one. */
  redirect = 0;
  /** An invalidation found that session gone. */
  redirectBroken = false;
  /** The prefixes of the broadcast mode (latin1). */
  readonly prefixes = new Set<string>();

  constructor(session: Session) {
    this.session = session;
  }

  /** The mode; undefined while tracking is off. */
  get mode(): TrackingMode | undefined {
    return this.#mode;
  }

  set mode(mode: TrackingMode | undefined) {
    this.#mode = mode;
    this.#updateRemembers();
  }

  /** CLIENT CACHING was given for the next command. */
  get caching(): boolean {
    return this.#caching;
  }

  set caching(caching: boolean) {
    this.#caching = caching;
    this.#updateRemembers();
  }

  #updateRemembers(): void {
    const mode = this.#mode;
    this.remembers = mode !== undefined && !mode.broadcast && (this.#caching ? !mode.optOut : !mode.optIn);
  }

  /** Bytes that count as memory of the client. */
  get bytes(): number {
    let bytes = 0;
    for (const prefix of this.prefixes) bytes += PREFIX_BYTES + prefix.length;
    return bytes;
  }

  /** Remembers that the session has read the key `bytes[start, end)`. Hot. */
  abstract remember(bytes: Uint8Array, start: number, end: number, hash: number): void;

  /** Prepares for up to PREFETCH_MAX keys with these hashes that are likely read next. Hot. */
  abstract prefetch(hashes: Int32Array, count: number): void;

  /** Sends the invalidations that waited because a command of this session was running. */
  abstract flush(): void;

  /** The outermost command of the session has ended. */
  commandEnded(): void {
    if (this.hasWaiting) this.flush();
    if (!this.#caching) return;
    const { lastCommand, suspension, transaction } = this.session;
    if (suspension !== undefined || transaction !== undefined) return;
    // CACHING holds for one command or transaction; the subcommands of CLIENT do not count.
    if (!lastCommand?.fullName.startsWith("client|")) this.caching = false;
  }
}
