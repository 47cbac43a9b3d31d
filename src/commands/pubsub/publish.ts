/**
 * PUBLISH, SPUBLISH, and PUBSUB, which lists the current subscriptions.
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { globMatch } from "../../core/glob.ts";
import { type Message, Subscriptions } from "../../conversations/subscriptions.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandFlag, type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import type { NameKind } from "../../engine/subscriber.ts";
import { failWords, subcommandHelp } from "../shared/help.ts";

/** A message to this many sessions takes about ten microseconds. */
const BRIEF_RECEIVERS = 100;
const PUBLISHING: readonly CommandFlag[] = ["pubsub", "loading", "stale", "fast", "may_replicate"];
const ASKING = { group: "pubsub", arity: -2, flags: ["pubsub", "loading", "stale"] } as const;

export const publishCommands: readonly CommandSpec[] = [
  {
    name: "publish",
    summary: "Sends a message to the subscribers of a channel, and returns how many got it.",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N+M) with N subscribers of the channel and M patterns that have subscribers",
    arity: 3,
    flags: PUBLISHING,
    channels: "publish",
    syntax: "channel message",
    mayBeLong: true,
    handler: (call) => replyCount(call, call.engine.part(Subscriptions).publish(message(call))),
  },
  {
    name: "spublish",
    summary: "Sends a message to the subscribers of a shard channel, and returns how many got it.",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) with N subscribers of the shard channel",
    arity: 3,
    flags: PUBLISHING,
    channels: "publish",
    keys: keyAt(1, "NOT_KEY"),
    syntax: "shardchannel message",
    mayBeLong: true,
    handler: (call) => replyCount(call, call.engine.part(Subscriptions).publishToShard(message(call))),
  },
  {
    name: "pubsub",
    summary: "A container for commands about subscriptions.",
    since: "2.8.0",
    group: "pubsub",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: [],
    syntax: "",
    subcommands: [
      {
        ...ASKING,
        name: "channels",
        summary: "Returns the channels that have subscribers: all, or those that match a pattern.",
        since: "2.8.0",
        complexity: "O(N) with N channels",
        syntax: "[pattern]",
        handler: (call) => names(call, "channel"),
      },
      {
        ...ASKING,
        name: "help",
        summary: "Describes the subcommands.",
        since: "6.2.0",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        categories: ["-pubsub"],
        syntax: "",
        handler: subcommandHelp,
      },
      {
        ...ASKING,
        name: "numpat",
        summary: "Returns the number of different patterns that have subscribers.",
        since: "2.8.0",
        complexity: "O(1)",
        arity: 2,
        syntax: "",
        handler: ({ engine, reply }) => reply.integer(engine.part(Subscriptions).count("pattern")),
      },
      {
        ...ASKING,
        name: "numsub",
        summary: "Returns channels with their numbers of subscribers; those of patterns do not count.",
        since: "2.8.0",
        complexity: "O(N) with N channels asked for",
        syntax: "[channel [channel ...]]",
        handler: (call) => subscriberCounts(call, "channel"),
      },
      {
        ...ASKING,
        name: "shardchannels",
        summary: "Returns the shard channels that have subscribers: all, or those that match a pattern.",
        since: "7.0.0",
        complexity: "O(N) with N shard channels",
        syntax: "[pattern]",
        handler: (call) => names(call, "shard"),
      },
      {
        ...ASKING,
        name: "shardnumsub",
        summary: "Returns shard channels with their numbers of subscribers.",
        since: "7.0.0",
        complexity: "O(N) with N shard channels asked for",
        syntax: "[shardchannel [shardchannel ...]]",
        handler: (call) => subscriberCounts(call, "shard"),
      },
    ],
  },
];

/** The message of argument 2 to the channel of argument 1. */
function message({ request: { bytes, start, end } }: Call): Message {
  return { channel: { bytes, start: start[1], end: end[1] }, payload: { bytes, start: start[2], end: end[2] } };
}

function replyCount(call: Call, receivers: number): void {
  call.long = receivers > BRIEF_RECEIVERS;
  call.reply.integer(receivers);
}

function names(call: Call, kind: NameKind): void {
  const { argc, bytes, engine, reply } = call;
  if (argc > 3) failWords(call, "PUBSUB");
  let found = Array.from(engine.part(Subscriptions).names(kind), fromLatin1);
  if (argc === 3) {
    const start = call.start(2), end = call.end(2);
    found = found.filter((name) => globMatch(bytes, start, end, name, 0, name.length, false));
  }
  reply.array(found.length);
  for (const name of found) reply.bulk(name);
}

function subscriberCounts(call: Call, kind: NameKind): void {
  const { argc, engine, reply } = call;
  const subscriptions = engine.part(Subscriptions);
  reply.array((argc - 2) * 2);
  for (let i = 2; i < argc; i++) {
    reply.bulk(call.bytes, call.start(i), call.end(i));
    reply.integer(subscriptions.subscriberCount(kind, call.text(i)));
  }
}
