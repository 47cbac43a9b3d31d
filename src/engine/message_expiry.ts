/**
 * Forgetting the messages of producers that a stream has known for long enough: ten times a second, the streams to
 * which producers added something are looked at. While there are none, no timer runs.
 */
import { fromLatin1, latin1 } from "../core/bytes.ts";
import { type Keyspace, Type } from "../store/keyspace.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";
import { hashBytes } from "../core/hash_function.ts";
import type { Engine } from "./engine.ts";

const PERIOD_MS = 100;

export class MessageExpiry {
  readonly #engine: Engine;
  /** The names of the keys, in latin1. */
  readonly #keys = new Map<Keyspace, Set<string>>();
  #running = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A stream has got a message of a producer. */
  watch(db: Keyspace, bytes: Uint8Array, start: number, end: number): void {
    const keys = this.#keys.get(db) ?? new Set();
    this.#keys.set(db, keys.add(latin1(bytes, start, end)));
    this.#schedule();
  }

  #schedule(): void {
    if (this.#running) return;
    this.#running = true;
    const { clock } = this.#engine;
    clock.schedule(clock.nowMs() + PERIOD_MS, () => this.#run());
  }

  #run(): void {
    this.#running = false;
    const nowMs = this.#engine.clock.nowMs();
    for (const [db, keys] of this.#keys) {
      for (const key of keys) if (!this.#expire(db, fromLatin1(key), nowMs)) keys.delete(key);
      if (keys.size === 0) this.#keys.delete(db);
    }
    if (this.#keys.size > 0) this.#schedule();
  }

  /** Whether the stream of a key still knows messages. */
  #expire(db: Keyspace, key: Uint8Array, nowMs: number): boolean {
    const ref = db.peek(key, 0, key.length, hashBytes(key, 0, key.length));
    if (ref === 0 || db.typeOf(ref) !== Type.STREAM) return false;
    const { producers } = db.store.valueType(Type.STREAM) as StreamValue, body = db.bodyOf(ref);
    producers.expire(body, nowMs);
    return producers.treeOf(body) !== 0;
  }
}
