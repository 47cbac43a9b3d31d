/**
 * Forgets messages of producers after the time for which a stream remembers them. Ten times a second it checks the
 * streams that remember any. While there are none, no timer runs and nothing listens.
 */
import { fromLatin1, latin1 } from "../core/bytes.ts";
import { hashBytes } from "../core/hash_function.ts";
import { type Keyspace, Type } from "../store/keyspace.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";
import type { Engine } from "./engine.ts";

const PERIOD_MS = 100;

export class MessageExpiry {
  readonly #engine: Engine;
  /** The names of the keys, in latin1. Some may have gone, or hold another value. */
  readonly #keys = new Map<Keyspace, Set<string>>();
  #stopListening: (() => void)[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The stream of a key knows a message of a producer. */
  watch(db: Keyspace, bytes: Uint8Array, start: number, end: number): void {
    if (this.#keys.size === 0) this.#begin();
    this.#add(db, latin1(bytes, start, end));
  }

  #add(db: Keyspace, key: string): void {
    const keys = this.#keys.get(db) ?? new Set();
    this.#keys.set(db, keys.add(key));
  }

  #begin(): void {
    const { listeners } = this.#engine;
    this.#stopListening = [
      // Streams get other names, and other databases.
      listeners.keyspace.add({
        created: (db, bytes, start, end, type) => {
          if (type === Type.STREAM) this.#add(db, latin1(bytes, start, end));
        },
        replaced: (db, bytes, start, end, type) => {
          if (type === Type.STREAM) this.#add(db, latin1(bytes, start, end));
        },
      }),
      listeners.replacing.add((db, by) => {
        if (by !== undefined) { for (const key of this.#keys.get(by) ?? []) this.#add(db, key); }
      }),
    ];
    this.#schedule();
  }

  #schedule(): void {
    const { clock } = this.#engine;
    clock.schedule(clock.nowMs() + PERIOD_MS, () => this.#run());
  }

  #run(): void {
    const nowMs = this.#engine.clock.nowMs();
    for (const [db, keys] of this.#keys) {
      for (const key of keys) if (!this.#expire(db, fromLatin1(key), nowMs)) keys.delete(key);
      if (keys.size === 0) this.#keys.delete(db);
    }
    if (this.#keys.size > 0) return this.#schedule();
    for (const stop of this.#stopListening) stop();
    this.#stopListening = [];
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
