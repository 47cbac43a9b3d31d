/**
 * Adding entries to streams, trimming them, and the commands that set what a stream knows about itself.
 */
import { fail, messages } from "../../core/errors.ts";
import {
  compareIds,
  ID_MAX,
  IdForm,
  IdOption,
  idText,
  idTime,
  incrementId,
  isZeroId,
  newId,
  setIdTime,
  type StreamId,
} from "../../core/stream_id.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { Notify } from "../../engine/listeners.ts";
import { Encoding, Type } from "../../store/keyspace.ts";
import type { RecordRef } from "../../store/memory/arena.ts";
import { StreamCounter, StreamPoint } from "../../store/values/streams/layout.ts";
import type { StreamValue } from "../../store/values/streams/stream_value.ts";
import { References, type Trim, trimStream } from "../../store/values/streams/trim.ts";
import { findMessage, type Message, messageOf, recordMessage } from "./messages.ts";
import { changedQuietly, idArgument, openStream, replyId, streamsOf } from "./stream_call.ts";
import { obeys, referencesSyntax, trimOptions, trimSyntax } from "./trim_options.ts";

const addedSyntax = `[${trimSyntax}] <"*" | id> field value [field value ...]`;

export const addStreamCommands: readonly CommandSpec[] = [
  {
    name: "xadd",
    summary: "Adds an entry to a stream, and creates the stream if it is missing.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1) for adding, O(N) for trimming with N the number of deleted entries",
    arity: -5,
    flags: ["write", "denyoom", "fast"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RW UPDATE").map((key) => ({
      ...key,
      notes: "UPDATE instead of INSERT because of the optional trimming feature",
    })),
    syntax: `key [NOMKSTREAM] [${referencesSyntax}] [<<IDMPAUTO> pid> | <<IDMP> pid iid>] ${addedSyntax}`,
    valkey: { syntax: `key [NOMKSTREAM] ${addedSyntax}` },
    handler: add,
  },
  {
    name: "xtrim",
    summary: "Deletes entries from the beginning of a stream.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) with N the number of deleted entries, which mostly go by whole blocks",
    arity: -4,
    flags: ["write"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RW DELETE"),
    syntax: `key <${trimSyntax} [${referencesSyntax}]>`,
    valkey: { syntax: `key <${trimSyntax}>` },
    handler: trim,
  },
  {
    name: "xsetid",
    summary: "Sets the last id and the counters of a stream; for logs.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW UPDATE"),
    syntax: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    handler: setId,
  },
];

const ZERO_ID = "ERR The ID specified in XADD must be greater than 0-0";
const SMALL_ID = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
const EXHAUSTED = "ERR The stream has exhausted the last possible ID, unable to add more items";
const TOO_LARGE = "ERR Elements are too large to be stored";
/** The most bytes of all fields and values of an entry. */
const ENTRY_BYTES_MAX = 2 ** 30;

/** How the id of a new entry comes about. */
const NewId = { CLOCK: 0, GIVEN: 1, SEQUENCE: 2 } as const;

const id: StreamId = newId();

function add(call: Call): void {
  const { argc } = call;
  const options = trimOptions.begin();
  let noCreate = false, kind: number = NewId.CLOCK, message: Message | undefined;
  let i = 2;
  for (; i < argc; i++) {
    if (call.is(i, "*")) break;
    const next = options.take(call, i);
    if (next > i) {
      i = next - 1;
    } else if (call.is(i, "nomkstream")) {
      noCreate = true;
    } else if ((call.is(i, "idmpauto") && i + 1 < argc) || (call.is(i, "idmp") && i + 2 < argc)) {
      message = messageOf(call, i, message);
      i = message.last;
    } else {
      kind = idArgument(call, i, id, IdOption.AUTO) === IdForm.WHOLE ? NewId.GIVEN : NewId.SEQUENCE;
      if (message !== undefined && !obeys(call)) {
        fail("ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs");
      }
      break;
    }
  }
  const trim = options.finish(call, false);
  const first = i + 1, words = argc - first;
  if (words < 2 || words % 2 === 1) call.failArity();
  if (kind === NewId.GIVEN && isZeroId(id)) fail(ZERO_ID);
  const ref = call.lookupTypeWrite(1, Type.STREAM);
  if (ref === 0 && noCreate) return call.reply.null();
  const streams = openOrCreate(call, ref);
  if (message !== undefined && findMessage(call, streams, message, first)) return;
  const { start, end } = call.request;
  chooseId(call, streams, kind);
  let bytes = 0;
  for (let k = first; k < argc; k++) bytes += end[k] - start[k];
  if (bytes > ENTRY_BYTES_MAX) fail(TOO_LARGE);
  streams.append(id, { bytes: call.bytes, start, end, from: first, count: words >>> 1 });
  replyId(call, id);
  if (message !== undefined) recordMessage(call, streams, message, id);
  call.changed(Notify.STREAM, "xadd", 1);
  if (trim !== undefined && trimStream(streams, trim) > 0) call.announced(Notify.STREAM, "xtrim", 1);
  if (kind !== NewId.GIVEN || options.approximate) logOutcome(call, streams, options, trim, i);
}

/** Opens the stream of key argument 1, which is created if `ref` is 0. */
function openOrCreate(call: Call, ref: RecordRef): StreamValue {
  if (ref !== 0) return openStream(call, ref);
  const streams = streamsOf(call);
  streams.create();
  call.db.add(call.bytes, call.start(1), call.end(1), Type.STREAM, Encoding.STREAM, streams.body);
  return streams;
}

/** Completes the id of a new entry, which must be above the stream's last one. */
function chooseId(call: Call, streams: StreamValue, kind: number): void {
  const { words, at } = streams, last = at + StreamPoint.LAST;
  if (compareIds(words, last, ID_MAX, 0) === 0) fail(EXHAUSTED);
  if (kind === NewId.CLOCK) {
    const { nowMs } = call.store;
    if (nowMs > idTime(words, last)) {
      setIdTime(id, nowMs);
      id[2] = id[3] = 0;
      return;
    }
    streams.readPoint(StreamPoint.LAST, id);
    incrementId(id);
    return;
  }
  if (kind === NewId.SEQUENCE && id[0] === words[last] && id[1] === words[last + 1]) {
    // The sequence must not overflow into the time.
    if ((words[last + 2] & words[last + 3]) === -1) fail(SMALL_ID);
    streams.readPoint(StreamPoint.LAST, id);
    incrementId(id);
  }
  if (compareIds(id, 0, words, last) <= 0) fail(SMALL_ID);
}

/** Logs a request with the id that was chosen, and what an approximate trimming came to. */
function logOutcome(
  call: Call,
  streams: StreamValue,
  options: typeof trimOptions,
  trim: Trim | undefined,
  idAt: number,
): void {
  if (!call.engine.effects.open) return;
  const args: (Uint8Array | string)[] = [];
  for (let i = 0; i < call.argc; i++) args.push(call.view(i));
  if (idAt > 0) args[idAt] = idText(id);
  if (trim !== undefined && options.approximate) {
    const { argument } = options;
    // A length says what is gone where an id does not: some entries before it may have stayed because of groups.
    const byLength = trim.length !== undefined || trim.references !== References.KEEP;
    if (byLength) args[argument - 2] = "MAXLEN";
    args[argument - 1] = "=";
    args[argument] = byLength ? String(streams.length) : edgeText(streams);
  }
  call.logInstead(...args);
}

/** The id of a stream's first entry, deleted or not: an exact threshold that leaves the stream as it is. */
function edgeText(streams: StreamValue): string {
  const edge = newId();
  streams.readEdge(edge);
  return idText(edge);
}

function trim(call: Call): void {
  const { argc } = call;
  const options = trimOptions.begin();
  for (let i = 2; i < argc;) {
    const next = options.take(call, i);
    if (next === i) fail(messages.syntax);
    i = next;
  }
  const trim = options.finish(call, true)!;
  const ref = call.lookupTypeWrite(1, Type.STREAM);
  if (ref === 0) return call.reply.integer(0);
  const streams = openStream(call, ref);
  const deleted = trimStream(streams, trim);
  if (deleted > 0) {
    call.changed(Notify.STREAM, "xtrim", 1, deleted);
    if (options.approximate) logOutcome(call, streams, options, trim, 0);
  }
  call.reply.integer(deleted);
}

function setId(call: Call): void {
  const { argc } = call;
  const last = newId(), largest = newId();
  idArgument(call, 2, last);
  let added = -1n;
  for (let i = 3; i < argc; i += 2) {
    const more = i + 1 < argc;
    if (more && call.is(i, "entriesadded")) {
      added = call.int64(i + 1);
      if (added < 0n) fail("ERR entries_added must be positive");
    } else if (more && call.is(i, "maxdeletedid")) {
      idArgument(call, i + 1, largest);
      if (compareIds(last, 0, largest, 0) < 0) {
        fail("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
      }
    } else {
      fail(messages.syntax);
    }
  }
  const ref = call.lookupTypeWrite(1, Type.STREAM);
  if (ref === 0) fail(messages.noSuchKey);
  const streams = openStream(call, ref);
  if (streams.compareToPoint(last, 0, StreamPoint.DELETED) < 0) {
    fail("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  }
  if (streams.length > 0) {
    const top = newId();
    streams.readLastLive(top);
    if (compareIds(last, 0, top, 0) < 0) {
      fail("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if (added !== -1n && BigInt(streams.length) > added) {
      fail("ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
  }
  streams.setPoint(StreamPoint.LAST, last);
  if (added !== -1n) streams.setCounter(StreamCounter.ADDED, added);
  if (!isZeroId(largest)) streams.setPoint(StreamPoint.DELETED, largest);
  call.reply.ok();
  changedQuietly(call, "xsetid", 1);
}
