/**
 * SUBSCRIBE, UNSUBSCRIBE and their variants for patterns and shard channels. Each name is confirmed by a separate
 * message with the number of subscriptions: those to channels and patterns together, or those to shard channels.
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { fail } from "../../core/errors.ts";
import { Subscriptions } from "../../conversations/subscriptions.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandFlag, CommandSpec } from "../../dispatch/spec.ts";
import { keyRange } from "../../dispatch/spec.ts";
import type { Session } from "../../engine/session.ts";
import type { NameKind } from "../../engine/subscriber.ts";

const FLAGS: readonly CommandFlag[] = ["pubsub", "noscript", "loading", "stale"];
const SUBSCRIBING = {
  group: "pubsub",
  arity: -2,
  flags: ["denyoom", ...FLAGS],
  whileSubscribed: true,
  valkey: { flags: FLAGS },
} as const;
const UNSUBSCRIBING = { group: "pubsub", arity: -1, flags: FLAGS, whileSubscribed: true } as const;
const SHARD_CHANNELS = keyRange(1, -1, 1, "NOT_KEY");

export const subscribeCommands: readonly CommandSpec[] = [
  {
    ...SUBSCRIBING,
    name: "subscribe",
    channels: "subscribe",
    summary: "Subscribes to channels and receives the messages published to them.",
    since: "2.0.0",
    complexity: "O(N) with N channels",
    syntax: "channel [channel ...]",
    handler: (call) => subscribe(call, "channel"),
  },
  {
    ...UNSUBSCRIBING,
    name: "unsubscribe",
    summary: "Ends subscriptions to channels: to all of them if none is named.",
    since: "2.0.0",
    complexity: "O(N) with N channels",
    syntax: "[channel [channel ...]]",
    handler: (call) => unsubscribe(call, "channel"),
  },
  {
    ...SUBSCRIBING,
    name: "psubscribe",
    channels: "pattern",
    summary: "Subscribes to all channels whose names match patterns.",
    since: "2.0.0",
    complexity: "O(N) with N patterns",
    syntax: "pattern [pattern ...]",
    handler: (call) => subscribe(call, "pattern"),
  },
  {
    ...UNSUBSCRIBING,
    name: "punsubscribe",
    summary: "Ends subscriptions to patterns: to all of them if none is named.",
    since: "2.0.0",
    complexity: "O(N) with N patterns",
    syntax: "[pattern [pattern ...]]",
    handler: (call) => unsubscribe(call, "pattern"),
  },
  {
    ...SUBSCRIBING,
    name: "ssubscribe",
    channels: "subscribe",
    summary: "Subscribes to shard channels and receives the messages that SPUBLISH sends to them.",
    since: "7.0.0",
    complexity: "O(N) with N shard channels",
    keys: SHARD_CHANNELS,
    syntax: "shardchannel [shardchannel ...]",
    handler: (call) => subscribe(call, "shard"),
  },
  {
    ...UNSUBSCRIBING,
    name: "sunsubscribe",
    summary: "Ends subscriptions to shard channels: to all of them if none is named.",
    since: "7.0.0",
    complexity: "O(N) with N shard channels",
    keys: SHARD_CHANNELS,
    syntax: "[shardchannel [shardchannel ...]]",
    handler: (call) => unsubscribe(call, "shard"),
  },
];

function subscribe(call: Call, kind: NameKind): void {
  const { argc, command, engine, inUnit, session } = call;
  // Within a transaction Redis allows subscriptions to channels, but not to shard channels.
  if (session.transport === undefined || (inUnit && kind === "shard")) {
    fail(`ERR ${command.fullName.toUpperCase()} isn't allowed for a DENY BLOCKING client`);
  }
  const subscriptions = engine.part(Subscriptions);
  confirming(call, () => {
    for (let i = 1; i < argc; i++) {
      subscriptions.subscribe(session, kind, call.text(i));
      confirm(call, kind, i);
    }
  });
}

function unsubscribe(call: Call, kind: NameKind): void {
  const { argc, engine, session } = call;
  const subscriptions = engine.part(Subscriptions);
  confirming(call, () => {
    for (let i = 1; i < argc; i++) {
      subscriptions.unsubscribe(session, kind, call.text(i));
      confirm(call, kind, i);
    }
    if (argc > 1) return;
    const names = session.subscriber?.names(kind) ?? [];
    for (const name of names) {
      subscriptions.unsubscribe(session, kind, name);
      confirm(call, kind, name);
    }
    if (names.length === 0) confirm(call, kind, undefined);
  });
}

/** Confirmations are messages, so CLIENT REPLY does not suppress them. */
function confirming({ engine, reply, session }: Call, confirmAll: () => void): void {
  const mark = reply.mark();
  confirmAll();
  if (session.replyMode === "on") return;
  const messages = reply.copySince(mark);
  reply.rewind(mark);
  engine.push(session, messages);
}

/** `name` is the index of an argument, or a name in latin1. Without garbage: one request may name thousands. */
function confirm(call: Call, kind: NameKind, name: number | string | undefined): void {
  const { command, reply, session } = call;
  reply.push(3);
  reply.bulkText(command.fullName);
  if (name === undefined) reply.null();
  else if (typeof name === "string") reply.bulk(fromLatin1(name));
  else reply.bulk(call.bytes, call.start(name), call.end(name));
  reply.integer(countOf(session, kind));
}

/** The number of subscriptions in a confirmation. */
function countOf({ subscriber }: Session, kind: NameKind): number {
  if (subscriber === undefined) return 0;
  return kind === "shard" ? subscriber.count("shard") : subscriber.count("channel") + subscriber.count("pattern");
}
