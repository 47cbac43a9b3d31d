/**
 * The broadcast mode of client-side caching: which trackers want to hear of changed keys with which prefixes, and the
 * keys that have changed in this turn. Prefixes and keys are latin1 text, one character per byte.
 */
import { fromLatin1, latin1 } from "../core/bytes.ts";
import type { Session } from "../engine/session.ts";
import type { Tracker } from "../engine/tracker.ts";
import { encodeArray } from "../resp/push.ts";

/** The trackers of one prefix. */
class Audience {
  readonly trackers = new Set<Tracker>();
  /** The keys changed in this turn, each with the session that changed it last, if a command did. */
  changed = new Map<string, Session | undefined>();
}

export class Prefixes {
  readonly #audiences = new Map<string, Audience>();
  /** The lengths of the prefixes, with their number, so that a key is looked up once for each length. */
  readonly #lengths = new Map<number, number>();

  /** Number of distinct prefixes. */
  get count(): number {
    return this.#audiences.size;
  }

  /** Adds a tracker to a prefix; no effect if it is there already. */
  add(prefix: string, tracker: Tracker): void {
    let audience = this.#audiences.get(prefix);
    if (audience === undefined) {
      this.#audiences.set(prefix, audience = new Audience());
      this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
    }
    audience.trackers.add(tracker);
    tracker.prefixes.add(prefix);
  }

  /** Removes a tracker from all of its prefixes. Changes that it has not heard of are dropped. */
  forget(tracker: Tracker): void {
    for (const prefix of tracker.prefixes) {
      const { trackers } = this.#audiences.get(prefix)!;
      trackers.delete(tracker);
      if (trackers.size > 0) continue;
      this.#audiences.delete(prefix);
      const count = this.#lengths.get(prefix.length)! - 1;
      if (count > 0) this.#lengths.set(prefix.length, count);
      else this.#lengths.delete(prefix.length);
    }
    tracker.prefixes.clear();
  }

  /** Notes the change of a key. Returns whether a tracker is to hear of it. */
  note(bytes: Uint8Array, start: number, end: number, by: Session | undefined): boolean {
    const key = latin1(bytes, start, end);
    let found = false;
    for (const length of this.#lengths.keys()) {
      if (length > key.length) continue;
      const audience = this.#audiences.get(key.slice(0, length));
      if (audience === undefined) continue;
      audience.changed.set(key, by);
      found = true;
    }
    return found;
  }

  /**
   * Reports the changes since the last call: for each prefix, in their order, `send` receives each of its trackers with
   * an encoded array of the keys in their order. A tracker without loops is not told of its own changes.
   */
  takeChanges(send: (tracker: Tracker, keys: Uint8Array) => void): void {
    for (const prefix of [...this.#audiences.keys()].sort()) {
      const audience = this.#audiences.get(prefix)!, { changed } = audience;
      if (changed.size === 0) continue;
      audience.changed = new Map();
      const sorted = [...changed.keys()].sort(), all = encodeArray(sorted.map(fromLatin1));
      for (const tracker of audience.trackers) {
        if (!tracker.mode!.noLoop) {
          send(tracker, all);
          continue;
        }
        const others = sorted.filter((key) => changed.get(key) !== tracker.session);
        if (others.length === sorted.length) send(tracker, all);
        else if (others.length > 0) send(tracker, encodeArray(others.map(fromLatin1)));
      }
    }
  }
}
