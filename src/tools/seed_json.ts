/**
 * Seeds as JSON: one object whose members are keys. Every member becomes commands:
 *
 *     "name": "Ada"  "n": 1  "on": true              SET, numbers as they are written
 *     "queue": ["a", "b"]                            RPUSH
 *     "user:1": {"name": "Ada", "age": 36}           HSET
 *     "tags": {"$set": ["a", "b"]}                   SADD
 *     "board": {"$zset": {"ada": 10, "bob": 7.5}}    ZADD
 *     "session": {"$string": "x", "$expire": 60}     a value of any kind ($string, $list, $hash, $set, $zset) with
 *                                                    seconds to live
 *
 * The parser is its own, because errors must name the line, a key must not stand there twice, and numbers must keep
 * their digits.
 */
import { utf8 } from "../core/bytes.ts";
import { SeedError } from "./seed_error.ts";

/** A command and the line of the file it comes from. */
export interface SeedCommand {
  readonly line: number;
  readonly args: readonly Uint8Array[];
}

/** A value with the line where it begins. Scalars keep their text; null has none. */
type Node =
  & { readonly line: number }
  & (
    | { readonly kind: "scalar"; readonly text: string; readonly isNumber: boolean }
    | { readonly kind: "null" }
    | { readonly kind: "array"; readonly items: Node[] }
    | { readonly kind: "object"; readonly members: Map<string, Node> }
  );

/** The commands that create the data in the JSON text. Throws SeedError. */
export function commandsOfJson(text: string): SeedCommand[] {
  const root = new JsonParser(text).parse();
  if (root.kind !== "object") throw new SeedError("an object of keys is needed", root.line);
  return [...root.members].flatMap(([key, node]) => commandsOf(key, node));
}

function commandsOf(key: string, node: Node): SeedCommand[] {
  if (node.kind !== "object" || ![...node.members.keys()].some((name) => name.startsWith("$"))) {
    return [create(key, plainKind(key, node), node)];
  }
  const members = new Map(node.members);
  const expire = members.get("$expire");
  members.delete("$expire");
  const [entry, ...others] = members;
  const kind = entry?.[0].slice(1) as Kind;
  if (entry === undefined || others.length > 0 || !entry[0].startsWith("$") || !KINDS.includes(kind)) {
    const forms = KINDS.map((kind) => `$${kind}`).join(", ");
    throw new SeedError(`"${key}" needs one of ${forms}, and may have $expire`, node.line);
  }
  const commands = [create(key, kind, entry[1])];
  if (expire !== undefined) {
    const seconds = expire.kind === "scalar" && expire.isNumber ? Number(expire.text) : NaN;
    if (!(seconds > 0)) throw new SeedError(`$expire of "${key}" must be a number of seconds above 0`, expire.line);
    commands.push(command(expire.line, "PEXPIRE", key, String(Math.ceil(seconds * 1000))));
  }
  return commands;
}

const KINDS = ["string", "list", "hash", "set", "zset"] as const;
type Kind = typeof KINDS[number];

function plainKind(key: string, node: Node): Kind {
  switch (node.kind) {
    case "scalar":
      return "string";
    case "array":
      return "list";
    case "object":
      return "hash";
    case "null":
      throw new SeedError(`"${key}" is null: leave the key out`, node.line);
  }
}

function create(key: string, kind: Kind, node: Node): SeedCommand {
  const { line } = node;
  switch (kind) {
    case "string":
      return command(line, "SET", key, scalar(key, node));
    case "list":
      return command(line, "RPUSH", key, ...itemsOf(key, node).map((item) => scalar(key, item)));
    case "set":
      return command(line, "SADD", key, ...itemsOf(key, node).map((item) => scalar(key, item)));
    case "hash":
      return command(line, "HSET", key, ...membersOf(key, node).flatMap(([name, value]) => [name, scalar(key, value)]));
    case "zset":
      return command(line, "ZADD", key, ...membersOf(key, node).flatMap(([name, value]) => [scalar(key, value), name]));
  }
}

function command(line: number, ...args: string[]): SeedCommand {
  return { line, args: args.map(utf8) };
}

function scalar(key: string, node: Node): string {
  if (node.kind === "scalar") return node.text;
  const found = node.kind === "null" ? "null" : `an ${node.kind}`;
  throw new SeedError(`"${key}" holds ${found} where only text, a number, true or false can stand`, node.line);
}

function itemsOf(key: string, node: Node): Node[] {
  if (node.kind !== "array") throw new SeedError(`"${key}" needs an array`, node.line);
  if (node.items.length === 0) throw new SeedError(`"${key}" is empty, and no such key can exist`, node.line);
  return node.items;
}

function membersOf(key: string, node: Node): [string, Node][] {
  if (node.kind !== "object") throw new SeedError(`"${key}" needs an object`, node.line);
  if (node.members.size === 0) throw new SeedError(`"${key}" is empty, and no such key can exist`, node.line);
  return [...node.members];
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
/** Maximum depth of nesting. */
const DEPTH_MAX = 100;

class JsonParser {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineAt = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node {
    const node = this.#value(0);
    if (this.#peek() !== "") throw this.#error("nothing may follow the object");
    return node;
  }

  #value(depth: number): Node {
    const first = this.#peek();
    const line = this.#here();
    if (depth > DEPTH_MAX) throw this.#error("too deep");
    if (first === "{") return { line, kind: "object", members: this.#members(depth) };
    if (first === "[") return { line, kind: "array", items: this.#items(depth) };
    const text = first === '"' ? this.#string() : this.#take(NUMBER) ?? this.#take(WORD);
    if (text === undefined) throw this.#error("a value is missing or misspelt");
    if (text === "null" && first === "n") return { line, kind: "null" };
    return { line, kind: "scalar", text, isNumber: first !== '"' && first !== "t" && first !== "f" };
  }

  #members(depth: number): Map<string, Node> {
    const members = new Map<string, Node>();
    this.#at++;
    if (this.#ends("}")) return members;
    do {
      if (this.#peek() !== '"') throw this.#error('a name in "quotes" is missing');
      const name = this.#string();
      if (members.has(name)) throw this.#error(`"${name}" stands there twice`);
      if (this.#peek() !== ":") throw this.#error(`":" is missing behind "${name}"`);
      this.#at++;
      members.set(name, this.#value(depth + 1));
    } while (this.#continues("}"));
    return members;
  }

  #items(depth: number): Node[] {
    const items: Node[] = [];
    this.#at++;
    if (this.#ends("]")) return items;
    do items.push(this.#value(depth + 1)); while (this.#continues("]"));
    return items;
  }

  #ends(mark: string): boolean {
    if (this.#peek() !== mark) return false;
    this.#at++;
    return true;
  }

  #continues(mark: string): boolean {
    if (this.#ends(mark)) return false;
    if (this.#peek() !== ",") throw this.#error(`"," or "${mark}" is missing`);
    this.#at++;
    return true;
  }

  #string(): string {
    const literal = this.#take(STRING);
    if (literal === undefined) throw this.#error("the text does not end, or holds what must be escaped");
    return JSON.parse(literal);
  }

  /** Skips space. Returns the next character, "" at the end. */
  #peek(): string {
    this.#take(SPACE);
    return this.#text.charAt(this.#at);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match[0];
  }

  /** The line of the current position, counted on from the position of the previous call. */
  #here(): number {
    for (; this.#lineAt < this.#at; this.#lineAt++) {
      if (this.#text[this.#lineAt] === "\n") this.#line++;
    }
    return this.#line;
  }

  #error(message: string): SeedError {
    return new SeedError(message, this.#here());
  }
}
