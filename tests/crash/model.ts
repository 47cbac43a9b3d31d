/**
 * The model of one client's keys after each of its operations: the few commands that the clients of the crash tests
 * send, on plain maps, and the expected replies. The name of a key contains its kind. The model does not contain the
 * keys that all clients share, and does not depend on files and processes.
 */
import type { TestClient } from "../helpers/client.ts";
import { decode, type Value } from "../helpers/decode.ts";

/** Number of small strings of a client; they make a rewrite take long. */
export const FILLERS = 8000;
/** Number of elements in the big hash and the big list of a client. */
export const BIG = 2000;
/**
 * Tolerance in milliseconds between the clocks of the two processes, including the time since a turn of the server
 * began.
 */
const SLACK_MS = 1000;
const READ_AT_ONCE = 1000;

/** A stream and its only group, with ids without their second part. */
interface Stream {
  readonly entries: Map<number, string>;
  last: number;
  group?: { last: number; readonly pending: Map<number, string> };
}

type Content = string | string[] | Set<string> | Map<string, string> | Stream;

interface Entry {
  content: Content;
  /** The earliest and latest time at which the key expires; absent if it has no deadline. */
  deadline?: readonly [number, number];
}

/** A client's keys as the server has them: value as text (`render`), and the deadline, -1 for none. */
export interface Actual {
  readonly values: ReadonlyMap<string, { text: string; deadline: number; members?: ReadonlySet<string> }>;
  /** Time before the first key was read. */
  readonly at: number;
}

/** Knowledge that determines the result of a command with a random choice. */
export type Known = { reply: Value } | { actual: Actual };

/** A result that cannot have happened. */
export class Impossible extends Error {}

const SMALL = ["count", "text", "lease", "hash", "zset", "pool", "stream"];
const FEW = ["pair:0", "pair:1", "pair:2", "pair:3", "list:0", "list:1", "set:0", "set:1"];
const LARGE = ["bighash", "biglist"];

export class Model {
  readonly #entries = new Map<string, Entry>();

  /** @param id the client's number, the first part of its keys' names. */
  constructor(readonly id: number) {}

  clone(): Model {
    const copy = new Model(this.id);
    for (const [key, { content, deadline }] of this.#entries) {
      copy.#entries.set(key, { content: typeof content === "string" ? content : structuredClone(content), deadline });
    }
    return copy;
  }

  /** Every key that this client can create; the keys that change most come first. */
  *keys(): Generator<string> {
    for (const name of [...SMALL, ...FEW, ...LARGE]) yield `${this.id}:${name}`;
    for (let i = 0; i < FILLERS; i++) yield `${this.id}:fill:${i}`;
  }

  /** The first key whose value differs between model and server, with both values. Undefined if all are equal. */
  difference(actual: Actual): string | undefined {
    for (const key of this.keys()) {
      const entry = this.#entries.get(key);
      const there = actual.values.get(key);
      const late = entry?.deadline !== undefined && actual.at >= entry.deadline[0] - SLACK_MS;
      if (there === undefined) {
        if (entry !== undefined && !late) return `${key} is missing, not ${brief(render(entry.content))}`;
        continue;
      }
      if (entry === undefined) return `${key} is ${brief(there.text)}, not missing`;
      const text = render(entry.content);
      if (text !== there.text) return `${key} is ${brief(there.text)}, not ${brief(text)}`;
      const [from, to] = entry.deadline ?? [-1, -1];
      if (entry.deadline === undefined ? there.deadline !== -1 : !near(there.deadline, from, to)) {
        return `${key} goes at ${there.deadline}, not at ${from} to ${to}`;
      }
    }
  }

  /**
   * Executes one command that was sent and executed between two points in time. Returns the expected reply, undefined
   * if every reply is right. Throws Impossible if the known data contradicts the command.
   */
  apply(command: readonly string[], known: Known, from: number, to: number): Value | undefined {
    const [name, key, ...args] = command;
    switch (name) {
      case "SET":
        this.#entries.set(key, {
          content: args[0],
          deadline: args.length > 1 ? [from + Number(args[2]), to + Number(args[2])] : undefined,
        });
        return "OK";
      case "MSET":
        for (let i = 1; i < command.length; i += 2) this.#entries.set(command[i], { content: command[i + 1] });
        return "OK";
      case "INCR": {
        const value = Number(this.#text(key)) + 1;
        this.#put(key, `${value}`);
        return value;
      }
      case "APPEND": {
        const value = this.#text(key) + args[0];
        this.#put(key, value);
        return value.length;
      }
      case "DEL":
        this.#entries.delete(key);
        return undefined;
      case "RENAME": {
        const entry = this.#entries.get(key);
        if (entry === undefined) return "-ERR no such key";
        this.#entries.delete(key);
        this.#entries.set(args[0], entry);
        return "OK";
      }
      case "PEXPIRE": {
        const entry = this.#entries.get(key);
        if (entry === undefined) return 0;
        entry.deadline = [from + Number(args[0]), to + Number(args[0])];
        return 1;
      }
      case "PERSIST": {
        const entry = this.#entries.get(key);
        if (entry?.deadline === undefined) return 0;
        entry.deadline = undefined;
        return 1;
      }
      case "RPUSH": {
        const list = this.#list(key);
        list.push(...args);
        this.#put(key, list);
        return list.length;
      }
      case "LPUSH": {
        const list = this.#list(key);
        list.unshift(...args.toReversed());
        this.#put(key, list);
        return list.length;
      }
      case "LPOP": {
        const list = this.#list(key);
        const value = list.shift() ?? null;
        this.#put(key, list);
        return value;
      }
      case "LSET":
        this.#list(key)[Number(args[0])] = args[1];
        return "OK";
      case "LTRIM":
        this.#put(key, this.#list(key).slice(-Number(args[0].slice(1))));
        return "OK";
      case "LMOVE": {
        const value = this.#list(key).at(args[1] === "LEFT" ? 0 : -1);
        if (value === undefined) return null;
        const rest = this.#list(key);
        if (args[1] === "LEFT") rest.shift();
        else rest.pop();
        const target = key === args[0] ? rest : this.#list(args[0]);
        if (args[2] === "LEFT") target.unshift(value);
        else target.push(value);
        this.#put(args[0], target);
        if (key !== args[0]) this.#put(key, rest);
        return value;
      }
      case "SADD": {
        const set = this.#set(key);
        const before = set.size;
        for (const member of args) set.add(member);
        this.#put(key, set);
        return set.size - before;
      }
      case "SREM":
        return this.#remove(key, this.#set(key), args[0]);
      case "SMOVE": {
        if (this.#remove(key, this.#set(key), args[1]) === 0) return 0;
        this.#put(args[0], this.#set(args[0]).add(args[1]));
        return 1;
      }
      case "SUNIONSTORE": {
        const union = this.#set(args[0]).union(this.#set(args[1]));
        this.#entries.delete(key);
        this.#put(key, union);
        return union.size;
      }
      case "SPOP":
        return this.#pop(key, Number(args[0]), known);
      case "HSET": {
        const hash = this.#hash(key);
        const before = hash.size;
        for (let i = 0; i < args.length; i += 2) hash.set(args[i], args[i + 1]);
        this.#put(key, hash);
        return hash.size - before;
      }
      case "HINCRBY":
      case "ZINCRBY": {
        const [by, field] = name === "HINCRBY" ? [args[1], args[0]] : [args[0], args[1]];
        const value = Number(this.#hash(key).get(field) ?? 0) + Number(by);
        this.#put(key, this.#hash(key).set(field, `${value}`));
        return name === "HINCRBY" ? value : `${value}`;
      }
      case "HDEL":
      case "ZREM":
        return this.#remove(key, this.#hash(key), args[0]);
      case "ZADD": {
        const hash = this.#hash(key);
        const before = hash.size;
        for (let i = 0; i < args.length; i += 2) hash.set(args[i + 1], args[i]);
        this.#put(key, hash);
        return hash.size - before;
      }
      default:
        if (name.startsWith("X")) return this.#stream(command);
        throw new Error(`the model does not know ${name}`);
    }
  }

  /** The commands of streams, as `Writer` sends them. */
  #stream(command: readonly string[]): Value | undefined {
    const [name, sub] = command;
    const key = name === "XREADGROUP" ? command[7] : name === "XGROUP" ? command[2] : sub;
    let stream = this.#entries.get(key)?.content as Stream | undefined;
    const group = stream?.group;
    if (name === "XADD" || sub === "CREATE") {
      if (stream === undefined) this.#entries.set(key, { content: stream = { entries: new Map(), last: 0 } });
      if (sub !== "CREATE") {
        stream.entries.set(stream.last = parseInt(command[5]), command[7]);
        trim(stream, Number(command[3]));
        return command[5];
      }
      if (group !== undefined) return "-BUSYGROUP Consumer Group name already exists";
      stream.group = { last: 0, pending: new Map() };
      return "OK";
    }
    if (name === "XTRIM") return stream === undefined ? 0 : trim(stream, Number(command[3]));
    if (name === "XDELEX") return [stream !== undefined && remove(stream, parseInt(command[5])) ? 1 : -1];
    if (name === "XACK") return group?.pending.delete(parseInt(command[3])) ? 1 : 0;
    if (stream === undefined || group === undefined) return undefined;
    if (sub === "DESTROY") {
      stream.group = undefined;
      return 1;
    }
    const { entries } = stream, { pending } = group;
    if (name === "XREADGROUP") {
      const read = [...entries].filter(([id]) => id > group.last).slice(0, Number(command[5]));
      for (const [id] of read) pending.set(group.last = id, command[3]);
      return read.length === 0 ? null : [[key, read.map(([id, value]) => [`${id}-0`, ["f", value]])]];
    }
    // XAUTOCLAIM with COUNT, from the start.
    const ids = [...pending.keys()].toSorted((a, b) => a - b), count = Number(command[7]);
    for (const id of ids.slice(0, count)) pending.set(id, command[3]);
    const claimed = ids.slice(0, count).map((id) => [`${id}-0`, ["f", entries.get(id)!]]);
    return [`${ids[count] ?? 0}-0`, claimed, []];
  }

  /** Removes members from the pool: those in the reply, or any that the server no longer has. Members never return. */
  #pop(key: string, count: number, known: Known): Value | undefined {
    const set = this.#set(key);
    const size = Math.min(count, set.size);
    const left = "actual" in known ? known.actual.values.get(key)?.members : undefined;
    const gone = "reply" in known ? known.reply as string[] : [...set].filter((m) => !left?.has(m)).slice(0, size);
    if (gone.length !== size || new Set(gone).size !== size || !gone.every((member) => set.has(member))) {
      throw new Impossible(`SPOP ${key} ${count} took ${JSON.stringify(gone)} of ${brief(render(set))}`);
    }
    for (const member of gone) set.delete(member);
    this.#put(key, set);
    return undefined;
  }

  #remove(key: string, from: Set<string> | Map<string, string>, member: string): number {
    const removed = from.delete(member);
    if (from.size === 0) this.#entries.delete(key);
    return removed ? 1 : 0;
  }

  #put(key: string, content: Content): void {
    const entry = this.#entries.get(key);
    const empty = Array.isArray(content)
      ? content.length === 0
      : content instanceof Set || content instanceof Map
      ? content.size === 0
      : false;
    if (empty) this.#entries.delete(key);
    else if (entry === undefined) this.#entries.set(key, { content });
    else entry.content = content;
  }

  #text(key: string): string {
    return (this.#entries.get(key)?.content ?? "") as string;
  }

  #list(key: string): string[] {
    return (this.#entries.get(key)?.content ?? []) as string[];
  }

  #set(key: string): Set<string> {
    return (this.#entries.get(key)?.content ?? new Set()) as Set<string>;
  }

  #hash(key: string): Map<string, string> {
    return (this.#entries.get(key)?.content ?? new Map()) as Map<string, string>;
  }
}

/** Reads all of a client's keys. */
export async function readActual(client: TestClient, model: Model): Promise<Actual> {
  const at = Date.now();
  const values = new Map<string, { text: string; deadline: number; members?: ReadonlySet<string> }>();
  const keys = [...model.keys()];
  const fillers = keys.splice(SMALL.length + FEW.length + LARGE.length);
  const requests: string[][] = keys.flatMap((key) => [["PEXPIRETIME", key], reading(key)]);
  for (let i = 0; i < fillers.length; i += READ_AT_ONCE) requests.push(["MGET", ...fillers.slice(i, i + READ_AT_ONCE)]);
  const sent = client.send(encode(requests));
  for (const key of keys) {
    const deadline = decode(await client.receive()) as number;
    const reply = await client.receive();
    const value = !key.endsWith("stream") ? valueOf(reply) : reply === "-ERR no such key\r\n" ? null : decode(reply);
    if (typeof value === "string" && value.startsWith("-")) throw new Error(`${key}: ${value}`);
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    const content = contentOf(key, value);
    values.set(key, { text: render(content), deadline, members: content instanceof Set ? content : undefined });
  }
  for (let i = 0; i < fillers.length; i += READ_AT_ONCE) {
    const texts = valueOf(await client.receive()) as (string | null)[];
    texts.forEach((text, j) => text === null || values.set(fillers[i + j], { text, deadline: -1 }));
  }
  await sent;
  return { values, at };
}

const encoder = new TextEncoder();

/** Encodes requests of ASCII text in one pass, because the clients must be faster than the server. */
export function encode(requests: readonly (readonly string[])[]): Uint8Array {
  const text = (args: readonly string[]) =>
    `*${args.length}\r\n` + args.map((a) => `$${a.length}\r\n${a}\r\n`).join("");
  return encoder.encode(requests.map(text).join(""));
}

/** The same as `decode`, but fast for long arrays of texts; no text here contains a line break. */
function valueOf(reply: string): Value {
  if (!reply.startsWith("*")) return decode(reply);
  const lines = reply.split("\r\n"), items: (string | null)[] = [];
  for (let i = 1; i < lines.length - 1; i++) items.push(lines[i] === "$-1" ? null : lines[++i]);
  return items;
}

function reading(key: string): string[] {
  if (key.includes("list")) return ["LRANGE", key, "0", "-1"];
  if (key.includes("hash")) return ["HGETALL", key];
  if (key.includes("zset")) return ["ZRANGE", key, "0", "-1", "WITHSCORES"];
  if (key.includes(":set:") || key.includes("pool")) return ["SMEMBERS", key];
  if (key.endsWith("stream")) return ["XINFO", "STREAM", key, "FULL", "COUNT", "0"];
  return ["GET", key];
}

function contentOf(key: string, value: Value): Content {
  if (typeof value === "string") return value;
  if (key.endsWith("stream")) return streamOf(value);
  const items = value as string[];
  if (key.includes("list")) return items;
  if (key.includes(":set:") || key.includes("pool")) return new Set(items);
  const pairs = new Map<string, string>();
  for (let i = 0; i < items.length; i += 2) pairs.set(items[i], items[i + 1]);
  return pairs;
}

/** One text for each value, independent of the order of its members. */
function render(content: Content): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.join(" ");
  if (content instanceof Set) return [...content].toSorted().join(" ");
  if (!(content instanceof Map)) {
    const { entries, last, group } = content;
    const waiting = group === undefined ? "" : `, group ${group.last}: ${render(text(group.pending))}`;
    return `to ${last}: ${render(text(entries))}${waiting}`;
  }
  return [...content].map((pair) => pair.join("=")).toSorted().join(" ");
}

function text(map: Map<number, string>): Map<string, string> {
  return new Map([...map].map(([id, value]) => [`${id}`, value]));
}

/** Leaves the newest entries. Returns the number of the removed ones. */
function trim(stream: Stream, length: number): number {
  const gone = [...stream.entries.keys()].slice(0, Math.max(0, stream.entries.size - length));
  for (const id of gone) remove(stream, id);
  return gone.length;
}

/** Removes an entry and what is pending for it: a rewritten file cannot hold the one without the other. */
function remove(stream: Stream, id: number): boolean {
  stream.group?.pending.delete(id);
  return stream.entries.delete(id);
}

/** What `XINFO STREAM` with `FULL` says. */
function streamOf(reply: Value): Stream {
  const fields = (list: Value): Record<string, Value> => {
    const items = list as Value[];
    return Object.fromEntries(items.flatMap((_, i) => i % 2 === 0 ? [[items[i] as string, items[i + 1]]] : []));
  };
  const ids = (list: Value, of: (rest: Value[]) => string) =>
    new Map((list as Value[][]).map(([id, ...rest]) => [parseInt(id as string), of(rest)]));
  const all = fields(reply), group = (all.groups as Value[]).map(fields).at(0);
  return {
    entries: ids(all.entries, ([pair]) => (pair as string[])[1]),
    last: parseInt(all["last-generated-id"] as string),
    group: group &&
      { last: parseInt(group["last-delivered-id"] as string), pending: ids(group.pending, ([name]) => name as string) },
  };
}

function near(deadline: number, from: number, to: number): boolean {
  return deadline >= from - SLACK_MS && deadline <= to + SLACK_MS;
}

function brief(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 100)} … ${text.slice(-100)} (${text.length} characters)`;
}
