/**
 * XGROUP: groups of consumers.
 */
import { fail } from "../../core/errors.ts";
import { IdOption, newId, type StreamId } from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { Notify } from "../../engine/listeners.ts";
import { Encoding, Type } from "../../store/keyspace.ts";
import { type GroupRef, StreamCounter, StreamPoint, UNKNOWN_COUNT } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import { failWords, subcommandHelp } from "../shared/help.ts";
import { changedQuietly, findGroup, idArgument, obtainConsumer, openStream, shown, streamsOf } from "./stream_call.ts";

const COMMON = { group: "stream", since: "5.0.0", complexity: "O(1)" } as const;

export const groupCommands: readonly CommandSpec[] = [{
  ...COMMON,
  name: "xgroup",
  summary: "A container for commands about groups of consumers.",
  complexity: "Depends on subcommand.",
  arity: -2,
  flags: [],
  syntax: "",
  subcommands: [
    {
      ...COMMON,
      name: "create",
      summary: "Creates a group that reads a stream from an id on.",
      arity: -5,
      flags: ["write", "denyoom"],
      keys: keyAt(2, "RW INSERT"),
      syntax: "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
      handler: create,
    },
    {
      ...COMMON,
      name: "createconsumer",
      summary: "Creates a consumer of a group.",
      since: "6.2.0",
      arity: 5,
      flags: ["write", "denyoom"],
      keys: keyAt(2, "RW INSERT"),
      syntax: "key group consumer",
      handler: createConsumer,
    },
    {
      ...COMMON,
      name: "delconsumer",
      summary: "Deletes a consumer of a group with all that it has pending.",
      complexity: "O(N*log(N)) with N entries pending for the consumer; O(1) if no other consumer has any",
      arity: 5,
      flags: ["write"],
      keys: keyAt(2, "RW DELETE"),
      syntax: "key group consumer",
      handler: deleteConsumer,
    },
    {
      ...COMMON,
      name: "destroy",
      summary: "Deletes a group.",
      arity: 4,
      flags: ["write"],
      keys: keyAt(2, "RW DELETE"),
      syntax: "key group",
      handler: destroy,
    },
    {
      ...COMMON,
      name: "help",
      summary: "Describes the subcommands.",
      arity: 2,
      flags: ["loading", "stale"],
      syntax: "",
      handler: subcommandHelp,
    },
    {
      ...COMMON,
      name: "setid",
      summary: "Sets the id from which a group reads on.",
      arity: -5,
      flags: ["write"],
      keys: keyAt(2, "RW UPDATE"),
      syntax: "key group <id | $> [ENTRIESREAD entries-read]",
      handler: setId,
    },
  ],
}];

const NO_KEY = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the " +
  "MKSTREAM option to create an empty stream automatically.";
const BUSY = "BUSYGROUP Consumer Group name already exists";

/** The options of CREATE and SETID. */
interface Options {
  readonly create: boolean;
  readonly entriesRead: bigint;
}

function parseOptions(call: Call, mayCreate: boolean): Options {
  let create = false, entriesRead = UNKNOWN_COUNT;
  for (let i = 5; i < call.argc;) {
    if (mayCreate && call.is(i, "mkstream")) {
      create = true;
      i++;
    } else if (call.is(i, "entriesread") && i + 1 < call.argc) {
      entriesRead = call.int64(i + 1);
      if (entriesRead < UNKNOWN_COUNT) fail("ERR value for ENTRIESREAD must be positive or -1");
      i += 2;
    } else {
      failWords(call, "XGROUP");
    }
  }
  return { create, entriesRead };
}

/** The stream of key argument 2, undefined if it is missing. */
function lookUp(call: Call): StreamValue | undefined {
  const ref = call.lookupTypeWrite(2, Type.STREAM);
  return ref === 0 ? undefined : openStream(call, ref);
}

/** The stream and its group, which must exist. */
function required(call: Call): { streams: StreamValue; group: GroupRef } {
  const streams = lookUp(call) ?? fail(NO_KEY);
  const group = findGroup(call, streams, 3);
  if (group === 0) fail(`NOGROUP No such consumer group '${shown(call, 3)}' for key name '${shown(call, 2)}'`);
  return { streams, group };
}

/** The id in argument 4; `$` is the last one of the stream. */
function startOf(call: Call, streams: StreamValue | undefined, options: number): StreamId {
  const id = newId();
  if (!call.is(4, "$")) idArgument(call, 4, id, options);
  else streams?.readPoint(StreamPoint.LAST, id);
  return id;
}

/** No group has read more entries than were added. */
function limited(streams: StreamValue, entriesRead: bigint): bigint {
  const added = streams.counter(StreamCounter.ADDED);
  return entriesRead !== UNKNOWN_COUNT && entriesRead > added ? added : entriesRead;
}

function create(call: Call): void {
  const { create, entriesRead } = parseOptions(call, true);
  let streams = lookUp(call);
  if (streams === undefined && !create) fail(NO_KEY);
  if (call.argc > 8) failWords(call, "XGROUP");
  const id = startOf(call, streams, IdOption.NONE);
  const { bytes } = call;
  if (streams === undefined) {
    streams = streamsOf(call);
    streams.create();
    call.db.add(bytes, call.start(2), call.end(2), Type.STREAM, Encoding.STREAM, streams.body);
    call.changed(Notify.STREAM, "", 2, 0);
  }
  if (findGroup(call, streams, 3) !== 0) fail(BUSY);
  streams.groups.create(streams.body, bytes, call.start(3), call.end(3), id, limited(streams, entriesRead));
  call.reply.ok();
  changedQuietly(call, "xgroup-create", 2);
}

function setId(call: Call): void {
  const { entriesRead } = parseOptions(call, false);
  const { streams, group } = required(call);
  if (call.argc !== 5 && call.argc !== 7) failWords(call, "XGROUP");
  // Other than CREATE, SETID takes the edges.
  streams.groups.setLastId(group, startOf(call, streams, IdOption.EDGES));
  streams.groups.setEntriesRead(group, limited(streams, entriesRead));
  call.reply.ok();
  changedQuietly(call, "xgroup-setid", 2);
}

function destroy(call: Call): void {
  const streams = lookUp(call) ?? fail(NO_KEY);
  if (!streams.removeGroup(call.bytes, call.start(3), call.end(3))) return call.reply.integer(0);
  call.reply.integer(1);
  changedQuietly(call, "xgroup-destroy", 2);
}

function createConsumer(call: Call): void {
  const { streams, group } = required(call);
  const { groups } = streams, { bytes } = call;
  if (groups.findConsumer(group, bytes, call.start(4), call.end(4)) !== 0) return call.reply.integer(0);
  obtainConsumer(call, streams, group, 4, 2);
  call.reply.integer(1);
}

function deleteConsumer(call: Call): void {
  const { streams, group } = required(call);
  const consumer = streams.groups.findConsumer(group, call.bytes, call.start(4), call.end(4));
  if (consumer === 0) return call.reply.integer(0);
  call.reply.integer(streams.removeConsumer(group, consumer));
  changedQuietly(call, "xgroup-delconsumer", 2);
}
