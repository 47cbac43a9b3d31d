/**
 * Direct looks at the data of an embedded server: commands without a socket, run at once, that no test double counts as
 * calls of the program under test.
 */
import { Call } from "../dispatch/call.ts";
import type { Executor } from "../dispatch/executor.ts";
import type { Engine } from "../engine/engine.ts";
import { Session } from "../engine/session.ts";
import { ReplyDecoder } from "../resp/decoder.ts";
import { releaseChunk } from "../resp/chunks.ts";
import { Reply } from "../resp/reply.ts";
import { Request } from "../resp/request.ts";
import { type Argument, bytesOf, ReplyError, type Value, valueOf } from "./values.ts";

/** The text that `dump` cuts values to, in characters. */
const SHOWN_CHARACTERS_MAX = 200;

export class Looks {
  readonly #engine: Engine;
  readonly #executor: Executor;
  readonly #call: Call;

  constructor(engine: Engine, executor: Executor) {
    this.#engine = engine;
    this.#executor = executor;
    const reply = new Reply();
    reply.version = 3;
    const session = new Session(0, reply, engine.clock.nowMs());
    session.noTouch = true;
    this.#call = new Call(engine, session, executor);
  }

  /** Runs a command at once. Throws ReplyError. */
  run(db: number, ...args: readonly Argument[]): Value {
    const { session, reply } = this.#call, executor = this.#executor;
    session.db = db;
    this.#call.db = this.#engine.store.databases[db];
    executor.readClock();
    executor.begin();
    executor.execute(this.#call, Request.of(args.map(bytesOf)));
    executor.end();
    const decoder = new ReplyDecoder();
    for (const { chunk, view } of reply.take()) {
      decoder.push(view);
      releaseChunk(chunk);
    }
    const value = valueOf(decoder.next()!);
    if (value instanceof ReplyError) throw value;
    return value;
  }

  /** The value of a key of any type, undefined without the key. */
  value(db: number, key: string): Value | undefined {
    switch (this.run(db, "TYPE", key)) {
      case "none":
        return undefined;
      case "string":
        return this.run(db, "GET", key);
      case "list":
        return this.run(db, "LRANGE", key, 0, -1);
      case "set":
        return this.run(db, "SMEMBERS", key);
      case "hash":
        return this.run(db, "HGETALL", key);
      case "zset": {
        const pairs = this.run(db, "ZRANGE", key, 0, -1, "WITHSCORES") as [string, number][];
        return Object.fromEntries(pairs);
      }
      default:
        return (this.run(db, "XRANGE", key, "-", "+") as [string, string[]][]).map(([id, fields]) => ({
          id,
          ...Object.fromEntries(pairsOf(fields)),
        }));
    }
  }

  keys(db: number, pattern: string): string[] {
    return (this.run(db, "KEYS", pattern) as Value[]).map(String).sort();
  }

  /** All keys of all databases with their values, for people. */
  dump(): string {
    const lines: string[] = [];
    for (const { index, size } of this.#engine.store.databases) {
      if (size === 0) continue;
      if (index > 0 || lines.length > 0) lines.push(`db ${index}`);
      for (const key of this.keys(index, "*")) {
        const ttlMs = this.run(index, "PTTL", key) as number;
        const expires = ttlMs < 0 ? "" : `, expires in ${ttlMs / 1000} s`;
        const type = this.run(index, "TYPE", key);
        lines.push(`${JSON.stringify(key)} (${type}${expires}): ${shown(this.value(index, key))}`);
      }
    }
    return lines.length === 0 ? "(no keys)" : lines.join("\n");
  }
}

function* pairsOf(fields: readonly string[]): Generator<[string, string]> {
  for (let i = 0; i < fields.length; i += 2) yield [fields[i], fields[i + 1]];
}

function shown(value: Value | undefined): string {
  const text = JSON.stringify(value, (_, part) => {
    if (part instanceof Set) return [...part];
    if (part instanceof Uint8Array) return `<${part.length} bytes>`;
    return typeof part === "bigint" ? String(part) : part;
  });
  return text.length <= SHOWN_CHARACTERS_MAX
    ? text
    : `${text.slice(0, SHOWN_CHARACTERS_MAX)}… (${text.length} characters)`;
}
