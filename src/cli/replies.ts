/**
 * What the client must know about particular commands to read their replies: which print unformatted, which change the
 * connection's state, which arrive as pushes. Pure questions; the session acts on the answers.
 */
import type { Reply } from "../resp/decoder.ts";
import { fromBytes } from "./binary.ts";
import { quote } from "./quoting.ts";

/** Whether the reply is a text for people, printed as it is in every output mode. */
export function printsRaw(args: readonly string[]): boolean {
  const [command, sub] = args.map((arg) => arg.toLowerCase());
  if (command === "info" || command === "lolwut") return true;
  const pair = `${command} ${sub}`;
  switch (args.length) {
    case 1:
      return false;
    case 2:
      if (/^(cluster (nodes|info)|client info|memory (malloc-stats|doctor)|latency doctor)$/.test(pair)) return true;
      break;
    case 3:
      if (/^(debug htstats|latency graph)$/.test(pair)) return true;
      break;
  }
  return pair === "client list" || (args.length >= 3 && /^debug htstats(-key)?$/.test(pair));
}

/** What a reply says about subscriptions: its kind and, of confirmations, the channel. */
export interface PubSubEvent {
  readonly kind: string;
  readonly channel: string | undefined;
  readonly confirms: boolean;
}

/** The pub/sub event that `reply` is: a push, or in RESP2 an array of the same content. */
export function pubSubEvent(reply: Reply): PubSubEvent | undefined {
  if ((reply.type !== "push" && reply.type !== "array") || reply.items.length < 3) return undefined;
  const [first, second] = reply.items;
  if (first?.type !== "string" && first?.type !== "status") return undefined;
  const kind = fromBytes(first.bytes);
  const confirms = /^[ps]?(un)?subscribe$/.test(kind);
  if (!confirms && !/^[ps]?message$/.test(kind)) return undefined;
  return { kind, channel: second !== undefined && "bytes" in second ? fromBytes(second.bytes) : undefined, confirms };
}

/** Whether the command is answered by one confirmation for each channel. */
export function isSubscription(command: string): boolean {
  return /^[ps]?(un)?subscribe$/i.test(command);
}

/** `-> invalidate: 'key'` for client-side caching's push about keys; undefined for every other reply. */
export function formatInvalidation(reply: Reply): string | undefined {
  if (reply.type !== "push" || reply.items.length !== 2) return undefined;
  const [first, keys] = reply.items;
  if (first === undefined || !("bytes" in first) || fromBytes(first.bytes) !== "invalidate") return undefined;
  if (keys?.type !== "array") return undefined;
  const names = keys.items.map((key) => "bytes" in key ? fromBytes(key.bytes) : "");
  return `-> invalidate: ${names.map((name) => /^[ -~]*$/.test(name) ? `'${name}'` : quote(name)).join(", ")}\n`;
}
