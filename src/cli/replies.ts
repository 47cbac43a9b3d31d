/**
 * The commands and replies that are not one reply for one request: texts that are printed unformatted, subscriptions
 * and their messages, pushes, redirections. Pure functions; the session acts on their results.
 */
import type { Reply } from "../resp/decoder.ts";
import { fromBytes } from "./binary.ts";
import { quote } from "./quoting.ts";

/** Whether the reply is a text for people, printed as it is in every output mode. */
export function printsRaw(args: readonly string[]): boolean {
  const [command, sub] = args.map((arg) => arg.toLowerCase());
  if (command === "info" || command === "lolwut") return true;
  const pair = `${command} ${sub}`;
  if (/^(debug (htstats|htstats-key|client-eviction)|memory (malloc-stats|doctor)|client (list|info))$/.test(pair)) {
    return true;
  }
  if (args.length === 2) return /^(cluster (nodes|info)|latency doctor)$/.test(pair);
  return args.length === 3 && pair === "latency graph";
}

/** A message of publish/subscribe, or the confirmation of a subscription. */
export interface PubSubEvent {
  /** "message", "psubscribe", ... */
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
  // Control characters could move the cursor; redis-cli prints them.
  // deno-lint-ignore no-control-regex
  return `-> invalidate: ${names.map((name) => /[\x00-\x1f\x7f]/.test(name) ? quote(name) : `'${name}'`).join(", ")}\n`;
}

/** Another server of a cluster that a command belongs to. An empty host stands for the host that was asked. */
export interface Redirection {
  readonly slot: string;
  readonly host: string;
  readonly port: number;
  /** The other server accepts the command after ASKING only. */
  readonly asking: boolean;
}

/** The redirection that an error reply is; undefined for every other reply. */
export function redirectionOf(reply: Reply): Redirection | undefined {
  if (reply.type !== "error") return undefined;
  const [, kind, slot, host, port] = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(fromBytes(reply.bytes)) ?? [];
  return kind === undefined ? undefined : { slot: slot!, host: host!, port: Number(port), asking: kind === "ASK" };
}
