/**
 * Values of JavaScript and of the protocol: arguments of commands become bytes, and replies become native values.
 */
import { utf8 } from "../core/bytes.ts";
import type { Reply } from "../resp/decoder.ts";

/** An argument of a command. Text is UTF-8; numbers and booleans become text, Uint8Array stays as it is. */
export type Argument = string | number | bigint | boolean | Uint8Array;

/**
 * A reply as a native value: text as string, or Uint8Array if it is not UTF-8; an integer as number, or bigint beyond
 * 2^53; a map as object; a set as Set; nothing as null. An error within a reply is an Error.
 */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | Error
  | Value[]
  | Set<Value>
  | { [name: string]: Value };

/** The server answered with an error; `message` is its text, `code` its first word. */
export class ReplyError extends Error {
  /** The name of the class. */
  override name = "ReplyError";
  /** The first word of the error: "WRONGTYPE". */
  readonly code: string;

  /** Takes the text of the error reply. */
  constructor(message: string) {
    super(message);
    this.code = message.split(" ", 1)[0];
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function bytesOf(argument: Argument): Uint8Array {
  return argument instanceof Uint8Array ? argument : utf8(String(argument));
}

/** Text if the bytes are UTF-8, else a copy of them. */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return decoder.decode(bytes);
  } catch {
    return bytes.slice();
  }
}

export function valueOf(reply: Reply): Value {
  switch (reply.type) {
    case "string":
    case "status":
    case "verbatim":
      return textOrBytes(reply.bytes);
    case "error":
      return new ReplyError(nameOf(reply));
    case "integer":
    case "bignum": {
      const number = Number(reply.value);
      return Number.isSafeInteger(number) ? number : reply.value;
    }
    case "double":
    case "boolean":
      return reply.value;
    case "nil":
      return null;
    case "array":
    case "push":
      return reply.items.map(valueOf);
    case "set":
      return new Set(reply.items.map(valueOf));
    case "map":
      return Object.fromEntries(reply.entries.map(([name, value]) => [nameOf(name), valueOf(value)]));
  }
}

/** The text of a scalar, as the name of a member. */
function nameOf(reply: Reply): string {
  if ("bytes" in reply) return new TextDecoder().decode(reply.bytes);
  return "value" in reply ? String(reply.value) : "";
}
