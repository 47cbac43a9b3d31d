/**
 * A client of the crash tests: sends random operations in pipelines until the server is gone, remembers the sent and
 * the acknowledged operations, and then determines which prefixes of the sent operations explain the server's data. An
 * operation is a command, or several in a transaction, a script or a function. It does not start or kill the server.
 */
import type { TestClient } from "../helpers/client.ts";
import { decode, type Value } from "../helpers/decode.ts";
import { pick } from "../helpers/property.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { BIG, encode, FILLERS, Impossible, Model, readActual } from "./model.ts";

export const SHARED_GROUP = Array.from({ length: 6 }, (_, i) => `shared:group:${i}`);
export const SHARED_COUNT = "shared:count";
export const SHARED_LISTS = ["shared:list:0", "shared:list:1"] as const;
export const SHARED_SETS = ["shared:set:0", "shared:set:1"] as const;
export const TOKENS = 40;
const MOST_IN_A_BATCH = 24;
const MOST_IN_A_TRANSACTION = 4;

/** Runs commands and returns their replies. In its arguments each command stands behind the number of its words. */
const RUN = `local replies, at = {}, 1
while at <= #ARGV do
  local last = at + ARGV[at]
  replies[#replies + 1] = redis.pcall(unpack(ARGV, at + 1, last))
  at = last + 1
end
return replies`;
/** A library with a function that does the same. */
export const LIBRARY = `#!lua name=crash\nredis.register_function('run', function(KEYS, ARGV) ${RUN} end)`;
/** The words that run several commands as one. */
const CALLS = { script: ["EVAL", RUN, "0"], function: ["FCALL", "run", "0"] } as const;

export interface Operation {
  /** Several commands are a transaction, or what `within` says. */
  readonly commands: readonly (readonly string[])[];
  readonly within?: keyof typeof CALLS;
  /** Time before the operation was sent. */
  readonly at: number;
}

/** A state or reply that must never occur. */
export class Violation extends Error {}

export class Writer {
  #model: Model;
  #number = 0;
  /** Whether the server has transactions; without them every operation is one command. */
  transactions = false;
  /** Operations sent since the server started, in order. */
  readonly sent: Operation[] = [];
  /** Number of acknowledged operations. */
  acknowledged = 0;

  constructor(readonly id: number) {
    this.#model = new Model(id);
  }

  /** Creates the many small strings and the big collections, and waits for the acknowledgement. */
  async fill(client: TestClient, random: SeededRandom): Promise<void> {
    const commands: string[][] = [];
    const many = (count: number, each: (i: number) => string[]) =>
      Array.from({ length: count }, (_, i) => each(i)).flat();
    for (let i = 0; i < FILLERS; i += 500) {
      commands.push(["MSET", ...many(500, (j) => [this.#key(`fill:${i + j}`), "v".repeat(20 + random.below(100))])]);
    }
    commands.push(["RPUSH", this.#key("biglist"), ...many(BIG, (i) => [`element ${i}`])]);
    commands.push(["HSET", this.#key("bighash"), ...many(BIG, (i) => [`field ${i}`, `${i}`])]);
    const operations = commands.map((command) => ({ commands: [command], at: Date.now() }));
    await this.#send(client, operations);
    await this.#receive(client, operations);
  }

  /** Sends operations until the connection breaks. Throws Violation for a wrong reply. */
  async drive(client: TestClient, random: SeededRandom): Promise<void> {
    try {
      let before: Operation[] = [];
      for (;;) {
        const batch = Array.from({ length: 1 + random.below(MOST_IN_A_BATCH) }, () => this.#operation(random));
        await this.#send(client, batch);
        await this.#receive(client, before);
        before = batch;
      }
    } catch (error) {
      if (error instanceof Violation) throw error;
    }
  }

  /**
   * Every number of operations, at least the acknowledged ones, that explains the current values of this client's
   * keys. Throws Violation if there is none.
   */
  async explain(client: TestClient, killedAt: number): Promise<number[]> {
    const actual = await readActual(client, this.#model);
    const trial = this.#model.clone();
    const fitting: number[] = [];
    let first = "";
    try {
      for (let count = this.acknowledged;; count++) {
        const difference = trial.difference(actual);
        if (difference === undefined) fitting.push(count);
        else first ||= difference;
        if (count === this.sent.length) break;
        const { commands, at } = this.sent[count];
        for (const command of commands) if (isOwn(command)) trial.apply(command, { actual }, at, killedAt);
      }
    } catch (error) {
      if (!(error instanceof Impossible)) throw error;
    }
    if (fitting.length === 0) {
      const recent = this.sent.slice(Math.max(0, this.acknowledged - 3), this.acknowledged + 3);
      throw new Violation(
        `client ${this.id}: ${this.acknowledged} operations were acknowledged and ${this.sent.length} sent, ` +
          `and no such number explains its keys; after the acknowledged ones ${first}; around there it sent\n` +
          recent.map(({ commands }) => `  ${JSON.stringify(commands)}`).join("\n"),
      );
    }
    const kept = fitting[0];
    for (const { commands, at } of this.sent.slice(this.acknowledged, kept)) {
      for (const command of commands) if (isOwn(command)) this.#model.apply(command, { actual }, at, killedAt);
    }
    return fitting;
  }

  /** Starts counting anew. */
  forget(): void {
    this.sent.length = 0;
    this.acknowledged = 0;
  }

  async #send(client: TestClient, operations: readonly Operation[]): Promise<void> {
    this.sent.push(...operations);
    const requests = operations.flatMap(({ commands, within }) => {
      if (within !== undefined) {
        return [[...CALLS[within], ...commands.flatMap((words) => [String(words.length), ...words])]];
      }
      return commands.length === 1 ? commands : [["MULTI"], ...commands, ["EXEC"]];
    });
    await client.send(encode(requests));
  }

  async #receive(client: TestClient, operations: readonly Operation[]): Promise<void> {
    for (const { commands, within, at } of operations) {
      const several = commands.length > 1 && within === undefined;
      if (several) { for (let i = 0; i <= commands.length; i++) await client.receive(); }
      const reply = decode(await client.receive());
      if (within !== undefined && !Array.isArray(reply)) throw new Violation(`a ${within} was answered with ${reply}`);
      const replies = several || within !== undefined ? reply as Value[] : [reply];
      commands.forEach((command, i) => this.#acknowledge(command, replies[i], at));
      this.acknowledged++;
    }
  }

  #acknowledge(command: readonly string[], reply: Value, at: number): void {
    const refused = typeof reply === "string" && reply.startsWith("-");
    let wanted: Value | undefined = refused ? null : undefined;
    try {
      if (isOwn(command)) wanted = this.#model.apply(command, { reply }, at, Date.now());
    } catch (error) {
      if (error instanceof Impossible) throw new Violation(`client ${this.id}: ${error.message}`);
      throw error;
    }
    if (wanted === undefined || JSON.stringify(wanted) === JSON.stringify(reply)) return;
    throw new Violation(
      `client ${this.id}: ${command.slice(0, 6).join(" ")} was answered with ${JSON.stringify(reply)}` +
        (isOwn(command) ? `, not with ${JSON.stringify(wanted)}` : ""),
    );
  }

  #key(name: string): string {
    return `${this.id}:${name}`;
  }

  #operation(random: SeededRandom): Operation {
    const several = this.transactions && random.below(4) === 0;
    const count = several ? 2 + random.below(MOST_IN_A_TRANSACTION - 1) : 1;
    const within = several ? pick(random, [undefined, "script", "function"] as const) : undefined;
    return { commands: Array.from({ length: count }, () => this.#command(random)), within, at: Date.now() };
  }

  /** A random command; `value` is another one each time, so that one state is seldom taken for another. */
  #command(random: SeededRandom): string[] {
    const key = (name: string) => this.#key(name);
    const value = `${this.id}-${this.#number++}`;
    const list = key(`list:${random.below(2)}`), other = key(`list:${random.below(2)}`);
    const set = key(`set:${random.below(2)}`), field = `f${random.below(40)}`, small = `${random.below(100)}`;
    const stream = key("stream"),
      id = `${this.#number}-0`,
      recent = `${Math.max(1, this.#number - random.below(400))}-0`;
    const side = () => pick(random, ["LEFT", "RIGHT"]);
    const [from, to] = pick(random, [[0, 1], [1, 0]] as const);
    const far = `${100_000_000 + random.below(1000)}`;
    return pick<() => string[]>(random, [
      () => ["INCR", key("count")],
      () => ["INCR", key("count")],
      () => ["SET", key("text"), value],
      () => ["APPEND", key("text"), value],
      () => ["MSET", ...[0, 1, 2, 3].flatMap((i) => [key(`pair:${i}`), value])],
      () => ["RENAME", key(`pair:${random.below(4)}`), key(`pair:${random.below(4)}`)],
      () => ["SET", key("lease"), value, "PX", `${1 + random.below(4000)}`],
      () => ["RPUSH", list, value, `${value}+`],
      () => ["LPUSH", list, value, `${value}+`],
      () => ["LPOP", list],
      () => ["LMOVE", list, other, side(), side()],
      () => ["LTRIM", list, "-50", "-1"],
      () => ["RENAME", key(`list:${from}`), key(`list:${to}`)],
      () => ["SADD", set, small, value],
      () => ["SREM", set, small],
      () => ["SMOVE", key(`set:${from}`), key(`set:${to}`), small],
      () => ["SUNIONSTORE", key(`set:${from}`), key(`set:${to}`), key(`set:${to}`)],
      () => ["DEL", set],
      () => ["SADD", key("pool"), value, `${value}+`],
      () => ["SPOP", key("pool"), `${1 + random.below(4)}`],
      () => ["HSET", key("hash"), field, value, "last", value],
      () => ["HINCRBY", key("hash"), "sum", small],
      () => ["HDEL", key("hash"), field],
      () => ["ZADD", key("zset"), small, field],
      () => ["ZINCRBY", key("zset"), small, field],
      () => ["ZREM", key("zset"), field],
      () => ["PEXPIRE", pick(random, [list, set, key("hash"), key("zset"), key("text"), key("pair:0")]), far],
      () => ["PERSIST", pick(random, [list, set, key("hash"), key("zset"), key("text"), key("pair:0")])],
      () => ["DEL", key("zset")],
      () => ["XADD", stream, "MAXLEN", "300", "DELREF", id, "f", value],
      () => ["XADD", stream, "MAXLEN", "300", "DELREF", id, "f", value],
      () => ["XADD", stream, "MAXLEN", "300", "DELREF", id, "f", value],
      () => ["XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"],
      () => ["XREADGROUP", "GROUP", "g", `c${from}`, "COUNT", `${1 + random.below(6)}`, "STREAMS", stream, ">"],
      () => ["XREADGROUP", "GROUP", "g", `c${to}`, "COUNT", `${1 + random.below(6)}`, "STREAMS", stream, ">"],
      () => ["XACK", stream, "g", recent],
      () => ["XDELEX", stream, "DELREF", "IDS", "1", recent],
      () => ["XAUTOCLAIM", stream, "g", `c${from}`, "0", "0", "COUNT", `${1 + random.below(4)}`],
      () => random.below(20) === 0 ? ["XGROUP", "DESTROY", stream, "g"] : ["XTRIM", stream, "MAXLEN", small, "DELREF"],
      () => ["HSET", key("bighash"), `field ${random.below(BIG)}`, value],
      () => ["LSET", key("biglist"), `${random.below(BIG)}`, value],
      () => ["SET", key(`fill:${random.below(FILLERS)}`), value],
      () => ["MSET", ...[0, 1, 2].flatMap(() => [key(`fill:${random.below(FILLERS)}`), value])],
      () => ["MSET", ...SHARED_GROUP.flatMap((name) => [name, value])],
      () => ["INCR", SHARED_COUNT],
      () => ["LMOVE", SHARED_LISTS[from], SHARED_LISTS[to], side(), side()],
      () => ["SMOVE", SHARED_SETS[from], SHARED_SETS[to], `token ${random.below(TOKENS)}`],
    ])();
  }
}

function isOwn(command: readonly string[]): boolean {
  return !command[1].startsWith("shared:");
}
