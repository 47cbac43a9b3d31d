/**
 * Messages that producers may send again: XADD with IDMP and IDMPAUTO, and the commands that set what is known of them.
 */
import { fail, messages } from "../../core/errors.ts";
import { compareIds, newId, type StreamId } from "../../core/stream_id.ts";
import { combinedHash } from "../../core/xxh3.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { MessageExpiry } from "../../engine/message_expiry.ts";
import { Type } from "../../store/keyspace.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import { NONE } from "../../store/memory/arena.ts";
import { StreamCounter } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import { changedQuietly, idArgument, openStream, replyId } from "./stream_call.ts";
import { obeys } from "./trim_options.ts";

export const messageCommands: readonly CommandSpec[] = [
  {
    name: "xcfgset",
    summary: "Sets how long and how many messages of its producers a stream knows.",
    since: "8.6.0",
    group: "stream",
    complexity: "O(1)",
    arity: -2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: "key [<IDMP-DURATION> duration] [<IDMP-MAXSIZE> maxsize]",
    types: { duration: "integer", maxsize: "integer" },
    only: "redis",
    handler: configure,
  },
  {
    name: "xidmprecord",
    summary: "Says which message of a producer an entry is; for logs.",
    since: "8.6.2",
    group: "stream",
    complexity: "O(1)",
    arity: 5,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: "key pid iid stream-id",
    only: "redis",
    handler: record,
  },
];

const TWICE = "ERR syntax error, IDMP/IDMPAUTO specified multiple times";

/** A message that a request names. */
export interface Message {
  /** The argument of the producer's name. */
  readonly producerAt: number;
  /** The last argument of the option. */
  readonly last: number;
  /** The name of the message is made of the entry. */
  readonly automatic: boolean;
  /** Set by `findMessage`: the record of the producer, and the name of the message. */
  producer: RecordRef;
  name: Uint8Array;
}

/** The message that the option at argument i names; `other` is one that was named before. */
export function messageOf(call: Call, i: number, other: Message | undefined): Message {
  const automatic = call.is(i, "idmpauto");
  if (other !== undefined) fail(TWICE);
  const isEmpty = (k: number) => call.start(k) === call.end(k);
  const option = automatic ? "IDMPAUTO" : "IDMP";
  if (isEmpty(i + 1)) fail(`ERR syntax error, ${option} requires a non-empty producer ID`);
  if (!automatic && isEmpty(i + 2)) fail("ERR syntax error, IDMP requires a non-empty idempotent ID");
  return {
    producerAt: i + 1,
    last: automatic ? i + 1 : i + 2,
    automatic,
    producer: NONE,
    name: automatic ? new Uint8Array(0) : call.view(i + 2),
  };
}

/**
 * Looks for a message whose fields begin at argument `first`. If it was added before, replies with its id. During a
 * replay no message is known, because a log contains only messages that were added.
 */
export function findMessage(call: Call, streams: StreamValue, message: Message, first: number): boolean {
  const { producers, body } = streams, { bytes } = call, { producerAt } = message;
  const logged = obeys(call);
  if (!logged) producers.expire(body, call.store.nowMs);
  message.producer = producers.obtain(body, bytes, call.start(producerAt), call.end(producerAt));
  if (message.automatic) {
    const { start, end } = call.request;
    message.name = combinedHash(bytes, start, end, first, (call.argc - first) >>> 1);
  }
  const id = newId(), { name, producer } = message;
  if (!producers.lookUp(producer, name, 0, name.length, id)) return false;
  if (logged) {
    producers.forget(producer, name, 0, name.length);
    return false;
  }
  replyId(call, id);
  streams.incrementCounter(StreamCounter.IIDS_DUPLICATE);
  return true;
}

/** Remembers a message with the id of its entry. */
export function recordMessage(
  call: Call,
  streams: StreamValue,
  { producer, name }: Pick<Message, "producer" | "name">,
  id: StreamId,
): void {
  streams.producers.add(streams.body, producer, name, 0, name.length, id);
  streams.incrementCounter(StreamCounter.IIDS_ADDED);
  call.engine.part(MessageExpiry).watch(call.db, call.bytes, call.start(1), call.end(1));
}

const SECONDS_MAX = 86_400, MESSAGES_MAX = 10_000;

function configure(call: Call): void {
  const ref = call.lookupTypeWrite(1, Type.STREAM);
  if (ref === 0) fail(messages.noSuchKey);
  let seconds = -1, most = -1;
  for (let i = 2; i < call.argc; i += 2) {
    const more = i + 1 < call.argc;
    if (more && call.is(i, "idmp-duration")) {
      if (seconds !== -1) fail("ERR IDMP-DURATION specified multiple times");
      seconds = call.integer(i + 1);
      if (seconds < 1 || seconds > SECONDS_MAX) {
        fail(`ERR IDMP-DURATION must be between 1 and ${SECONDS_MAX} seconds`);
      }
    } else if (more && call.is(i, "idmp-maxsize")) {
      if (most !== -1) fail("ERR IDMP-MAXSIZE specified multiple times");
      most = call.integer(i + 1);
      if (most < 1 || most > MESSAGES_MAX) fail(`ERR IDMP-MAXSIZE must be between 1 and ${MESSAGES_MAX} entries`);
    } else {
      fail(messages.syntax);
    }
  }
  if (seconds === -1 && most === -1) fail("ERR At least one parameter must be specified");
  const streams = openStream(call, ref);
  const changes = (seconds !== -1 && streams.duration !== seconds) || (most !== -1 && streams.maxSize !== most);
  if (changes) {
    if (seconds !== -1) streams.duration = seconds;
    if (most !== -1) streams.maxSize = most;
    streams.producers.clear(streams.body);
    changedQuietly(call, "", 1);
  }
  call.reply.ok();
}

function record(call: Call): void {
  const id = newId(), known = newId(), { bytes } = call;
  idArgument(call, 4, id);
  if (call.start(2) === call.end(2)) fail("ERR producer ID must be non-empty");
  if (call.start(3) === call.end(3)) fail("ERR idempotent ID must be non-empty");
  const ref = call.lookupTypeWrite(1, Type.STREAM);
  if (ref === 0) fail(messages.noSuchKey);
  const streams = openStream(call, ref), { producers, body } = streams;
  if (!streams.hasEntry(id)) fail("ERR No such message in stream");
  const producer = producers.obtain(body, bytes, call.start(2), call.end(2));
  if (producers.lookUp(producer, bytes, call.start(3), call.end(3), known)) {
    if (compareIds(known, 0, id, 0) !== 0) {
      fail("ERR IID already exists for this producer with a different stream ID");
    }
    return call.reply.ok();
  }
  recordMessage(call, streams, { producer, name: call.view(3) }, id);
  call.reply.ok();
  changedQuietly(call, "", 1);
}
