/**
 * The subcommands of DEBUG that show the structures behind a key. Lines and field names are Redis's where MemDB has a
 * structure of that kind; the numbers are MemDB's own.
 */
import { fail, messages } from "../../core/errors.ts";
import { hashBytes } from "../../core/hash_function.ts";
import type { Call } from "../../dispatch/call.ts";
import { VERSION_DUMP } from "../../rdb/format.ts";
import { dumpValue } from "../../rdb/payload.ts";
import { Encoding, Type } from "../../store/keyspace.ts";
import type { DictRef, RecordRef } from "../../store/memory/arena.ts";
import { encodingName } from "../../store/type_names.ts";
import type { List } from "../../store/values/list.ts";
import type { DebugSubcommand } from "./subcommand.ts";

export const structureSubcommands: readonly DebugSubcommand[] = [
  {
    name: "HTSTATS",
    argc: [3, Infinity],
    syntax: "<dbid>",
    summary: "Tells the size of a database's tables.",
    run: databaseStats,
  },
  {
    name: "HTSTATS-KEY",
    argc: [3, Infinity],
    syntax: "<key>",
    summary: "Tells the size of the table that keeps a key's value.",
    run: valueStats,
  },
  {
    name: "LISTPACK",
    argc: [3, 3],
    syntax: "<key>",
    summary: "Writes to the log how much a packed value takes.",
    run: describePacked,
  },
  {
    name: "OBJECT",
    argc: [3, 3],
    syntax: "<key>",
    summary: "Describes how a key's value is kept.",
    run: describeObject,
  },
  {
    name: "SDSLEN",
    argc: [3, 3],
    syntax: "<key>",
    summary: "Tells the lengths of a key and its string, and the bytes that they take.",
    run: describeString,
  },
];

/**
 * The record of the key in argument 2, also of an expired one that is not deleted yet; reading it does not update its
 * clock. Throws CommandError if the key is missing.
 */
function recordOf(call: Call): RecordRef {
  const start = call.start(2), end = call.end(2);
  const ref = call.db.peek(call.bytes, start, end, hashBytes(call.bytes, start, end));
  return ref === 0 ? fail(messages.noSuchKey) : ref;
}

function tableText(slots: number, elements: number): string {
  return `Hash table 0 stats (main hash table):\n table size: ${slots}\n number of elements: ${elements}\n`;
}

function databaseStats(call: Call): void {
  const { reply, store } = call;
  const db = store.databases[call.integer(2)] ?? fail("ERR Out of range database");
  const part = (title: string, dict: DictRef) => {
    const count = store.dict.count(dict);
    return `[${title}]\n${count === 0 ? "" : tableText(store.dict.slotCount(dict), count)}`;
  };
  reply.verbatim("txt", part("Dictionary HT", db.keys) + part("Expires HT", db.expires));
}

/** Value tables consist of pages of entries and have no slots: the reply shows their bytes instead of the slots. */
function valueStats(call: Call): void {
  const { db, reply, store } = call;
  const ref = recordOf(call), encoding = db.encodingOf(ref);
  if (encoding !== Encoding.HASHTABLE && encoding !== Encoding.HASHTABLE_EX && encoding !== Encoding.SKIPLIST) {
    fail("ERR The value stored at the specified key is not represented using an hash table");
  }
  const type = store.valueType(db.typeOf(ref)), body = db.bodyOf(ref);
  const bytes = type.sizeBytes(encoding, body, 0);
  reply.verbatim("txt", `${tableText(0, type.count(encoding, body))} bytes: ${bytes}\n`);
}

function describePacked(call: Call): void {
  const { db, engine, reply, store } = call;
  const ref = recordOf(call), encoding = db.encodingOf(ref);
  if (encoding !== Encoding.LISTPACK && encoding !== Encoding.LISTPACK_EX) fail("ERR Not a listpack encoded object.");
  const type = store.valueType(db.typeOf(ref)), body = db.bodyOf(ref);
  const bytes = type.sizeBytes(encoding, body, 0);
  engine.log(
    "notice",
    `DEBUG LISTPACK: ${encodingName(db, ref)} elements:${type.count(encoding, body)} bytes:${bytes}`,
  );
  reply.simple("Listpack structure written to the log");
}

function describeString(call: Call): void {
  const { db, reply } = call;
  const ref = recordOf(call);
  const encoding = encodingName(db, ref);
  if (db.typeOf(ref) !== Type.STRING || encoding === "int") fail("ERR Not an sds encoded string.");
  db.readString(ref);
  const bytes = db.sizeBytes(ref, 0);
  reply.simple(
    `key_sds_len:${call.end(2) - call.start(2)}, key_sds_avail:0, key_zmalloc: ${bytes}, ` +
      `val_sds_len:${db.length}, val_sds_avail:0, val_zmalloc: 0`,
  );
}

/** Bytes of the value in a snapshot: the payload of DUMP without its type, version and checksum. */
const PAYLOAD_FRAME_BYTES = 11;

/** The line of DEBUG OBJECT. "serializedlength" is the size of the value in a snapshot. */
function describeObject(call: Call): void {
  const { db, engine, reply, store } = call;
  const ref = recordOf(call);
  const encoding = encodingName(db, ref);
  const { identity, settings: { values: { rdbcompression } } } = engine;
  const savedBytes = dumpValue(store, db, ref, VERSION_DUMP[identity.personality], rdbcompression).length -
    PAYLOAD_FRAME_BYTES;
  const extra = db.encodingOf(ref) === Encoding.QUICKLIST ? quicklistText(call, ref) : "";
  reply.simple(
    `Value at:0x${ref.toString(16)} refcount:1 encoding:${encoding} serializedlength:${savedBytes} ` +
      `lru:${store.clockOf(ref)} lru_seconds_idle:${store.idleSeconds(ref)}${extra}`,
  );
}

function quicklistText({ db, store }: Call, ref: RecordRef): string {
  const lists = store.valueType(Type.LIST) as List;
  const bytes = lists.sizeBytes(db.encodingOf(ref), db.bodyOf(ref), 0);
  lists.open(db.encodingOf(ref), db.bodyOf(ref));
  const { length, maxListpackSize, nodeCount } = lists;
  return ` ql_nodes:${nodeCount} ql_avg_node:${(length / nodeCount).toFixed(2)} ql_listpack_max:${maxListpackSize} ` +
    `ql_compressed:0 ql_uncompressed_size:${bytes}`;
}
