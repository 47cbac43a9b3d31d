/**
 * Replies as plain values, for tests that compare their meaning: maps become objects, sets become arrays, errors
 * become text.
 */
import { type Reply, ReplyDecoder } from "../../src/resp/decoder.ts";
import { latin1 } from "../../src/core/bytes.ts";

export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };

/** The value of one reply given as latin1 text of its RESP. */
export function decode(text: string): Value {
  const decoder = new ReplyDecoder();
  decoder.push(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  const reply = decoder.next();
  if (reply === undefined) throw new Error("no whole reply");
  return valueOf(reply);
}

function valueOf(reply: Reply): Value {
  switch (reply.type) {
    case "nil":
      return null;
    case "integer":
    case "bignum":
      return Number(reply.value);
    case "double":
    case "boolean":
      return reply.value;
    case "array":
    case "set":
    case "push":
      return reply.items.map(valueOf);
    case "map":
      return Object.fromEntries(reply.entries.map(([key, value]) => [String(valueOf(key)), valueOf(value)]));
    case "error":
      return `-${latin1(reply.bytes)}`;
    default:
      return latin1(reply.bytes);
  }
}
