/**
 * The side of the session of publish and subscribe: the names that it is subscribed to. Who gets a message is decided in
 * conversations; the engine only counts what a session takes.
 */

/** What a name is: a channel, a pattern for names of channels, a channel of a shard. */
export type NameKind = "channel" | "pattern" | "shard";

/** Bytes that a subscription takes besides its name, roughly, in both directions together. */
const SUBSCRIPTION_BYTES = 160;

export class Subscriber {
  readonly #names = new Map<NameKind, Set<string>>();
  /** Bytes that all subscriptions take, roughly. */
  bytes = 0;

  /** Adds a name (latin1). False if it is there already. */
  add(kind: NameKind, name: string): boolean {
    let names = this.#names.get(kind);
    if (names === undefined) this.#names.set(kind, names = new Set());
    if (names.has(name)) return false;
    names.add(name);
    this.bytes += SUBSCRIPTION_BYTES + name.length;
    return true;
  }

  /** Takes a name away. False if it is not there. */
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

  /** The names of a kind, in the order in which they came. */
  names(kind: NameKind): string[] {
    return [...this.#names.get(kind) ?? []];
  }

  get empty(): boolean {
    return this.#names.size === 0;
  }
}
