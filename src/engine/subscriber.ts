/**
 * The subscriptions of one session. The module subscriptions.ts of src/conversations delivers the messages; the engine
 * only counts the memory of subscriptions.
 */

/** The kind of a name: a channel, a pattern for channel names, or a shard channel. */
export type NameKind = "channel" | "pattern" | "shard";

/** Approximate bytes of a subscription without its name; they include the entries in both directions. */
const SUBSCRIPTION_BYTES = 160;

export class Subscriber {
  readonly #names = new Map<NameKind, Set<string>>();
  /** Approximate bytes of all subscriptions. */
  bytes = 0;

  /** Adds a name (latin1). Returns false if it is present already. */
  add(kind: NameKind, name: string): boolean {
    let names = this.#names.get(kind);
    if (names === undefined) this.#names.set(kind, names = new Set());
    if (names.has(name)) return false;
    names.add(name);
    this.bytes += SUBSCRIPTION_BYTES + name.length;
    return true;
  }

  /** Removes a name. Returns false if it is not present. */
  delete(kind: NameKind, name: string): boolean {
    const names = this.#names.get(kind);
    if (names === undefined || !names.delete(name)) return false;
    if (names.size === 0) this.#names.delete(kind);
    this.bytes -= SUBSCRIPTION_BYTES + name.length;
    return true;
  }

  count(kind: NameKind): number {
    return this.#names.get(kind)?.size ?? 0;
  }

  /** The names of a kind, in order of subscription. */
  names(kind: NameKind): string[] {
    return [...this.#names.get(kind) ?? []];
  }

  get empty(): boolean {
    return this.#names.size === 0;
  }
}
