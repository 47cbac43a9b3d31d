/**
 * Commands on keys of any type: deletion, existence, names, copies and moves, introspection. Deadlines are in
 * expire.ts.
 */
import { bytesEqual, equalsWord, latin1 } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import { Notify } from "../../engine/listeners.ts";
import { Encoding, ExpiryMode, type Keyspace, Type } from "../../store/keyspace.ts";
import { encodingName, typeName } from "../../store/type_names.ts";
import type { Call } from "../../dispatch/call.ts";
import { subcommandHelp } from "../shared/help.ts";
import { matchesPattern, parseCursor, parseScanOptions } from "../shared/scanning.ts";
import type { Request } from "../../resp/request.ts";
import { type CommandSpec, keyAt, keyRange, type KeyUse } from "../../dispatch/spec.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

const SAME_OBJECT = "ERR source and destination objects are the same";
const INT32_RANGE = "ERR value is out of range, value must between -2147483648 and 2147483647";
const INT32_MIN = -2147483648, INT32_MAX = 2147483647;
const NO_FREQUENCIES =
  "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching " +
  "between policies at runtime LRU and LFU data will take some time to adjust.";
const NO_IDLE_TIMES =
  "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies " +
  "at runtime LRU and LFU data will take some time to adjust.";

export const keyCommands: readonly CommandSpec[] = [
  {
    name: "del",
    summary: "Removes keys together with their values.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys; large values are freed in slices afterwards.",
    arity: -2,
    flags: ["write"],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    keys: keyRange(1, -1, 1, "RM DELETE"),
    syntax: "key [key ...]",
    handler: del,
  },
  {
    name: "unlink",
    summary: "Removes keys; their values are freed later.",
    since: "4.0.0",
    group: "generic",
    complexity: "O(1) for each key, whatever it holds; the values are freed in slices afterwards.",
    arity: -2,
    flags: ["write", "fast"],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    keys: keyRange(1, -1, 1, "RM DELETE"),
    syntax: "key [key ...]",
    handler: del,
  },
  {
    name: "exists",
    summary: "Counts how many of the given keys exist; a key given twice counts twice.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys.",
    arity: -2,
    flags: ["readonly", "fast"],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    keys: keyRange(1, -1, 1, "RO"),
    syntax: "key [key ...]",
    handler: exists,
  },
  {
    name: "type",
    summary: "Names the type of the value at a key, or none.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO"),
    syntax: "key",
    handler: type,
  },
  {
    name: "touch",
    summary: "Marks keys as used now and counts those that exist.",
    since: "3.2.1",
    group: "generic",
    complexity: "O(N) where N is the number of keys.",
    arity: -2,
    flags: ["readonly", "fast"],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    keys: keyRange(1, -1, 1, "RO"),
    syntax: "key [key ...]",
    handler: touch,
  },
  {
    name: "keys",
    summary: "Lists all keys whose names match a glob, in one reply.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys in the database.",
    arity: 2,
    flags: ["readonly"],
    categories: ["dangerous"],
    tips: ["request_policy:all_shards", "nondeterministic_output_order"],
    syntax: "pattern",
    handler: keys,
  },
  {
    name: "scan",
    summary: "Walks over the keys of the database, some with each call.",
    since: "2.8.0",
    group: "generic",
    complexity: "O(1) for each call, O(N) for a whole walk over N keys.",
    arity: -2,
    flags: ["readonly"],
    categories: ["keyspace"],
    tips: ["nondeterministic_output", "request_policy:special", "response_policy:special"],
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    differs: ["Valkey refuses a TYPE that no value has; in Redis it matches nothing."],
    handler: scan,
  },
  {
    name: "randomkey",
    summary: "Picks a key at random.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 1,
    flags: ["readonly"],
    tips: ["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    syntax: "",
    handler: randomkey,
  },
  {
    name: "rename",
    summary: "Gives a key another name, replacing any key of that name.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: ["write"],
    keys: [...keyAt(1, "RW ACCESS DELETE"), ...keyAt(2, "OW UPDATE")],
    syntax: "key newkey",
    handler: (call) => rename(call, false),
  },
  {
    name: "renamenx",
    summary: "Gives a key another name unless that name is taken.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "fast"],
    keys: [...keyAt(1, "RW ACCESS DELETE"), ...keyAt(2, "OW INSERT")],
    syntax: "key newkey",
    handler: (call) => rename(call, true),
  },
  {
    name: "copy",
    summary: "Copies a value and its deadline to another key, here or in another database.",
    since: "6.2.0",
    group: "generic",
    complexity: "O(N) where N is the number of elements of the value; O(1) for strings.",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [...keyAt(1, "RO ACCESS"), ...keyAt(2, "OW UPDATE")],
    reach: "across",
    usesAcross: copyUses,
    databases: copyDatabases,
    syntax: "source destination [DB destination-db] [REPLACE]",
    handler: copy,
  },
  {
    name: "move",
    summary: "Moves a key to another database unless the name is taken there.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    reach: "across",
    usesAcross: moveUses,
    databases: () => [2],
    syntax: "key db",
    handler: move,
  },
  {
    name: "object",
    summary: "Looks at how the value of a key is held; a container.",
    since: "2.2.3",
    group: "generic",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: [],
    syntax: "",
    subcommands: [
      {
        name: "encoding",
        summary: "Names the encoding of a value.",
        since: "2.2.3",
        group: "generic",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        tips: ["nondeterministic_output"],
        keys: keyAt(2, "RO"),
        syntax: "key",
        handler: objectEncoding,
      },
      {
        name: "freq",
        summary: "Tells how often a key is used, on a logarithmic scale to 255.",
        since: "4.0.0",
        group: "generic",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        tips: ["nondeterministic_output"],
        keys: keyAt(2, "RO"),
        syntax: "key",
        handler: objectFreq,
      },
      {
        name: "help",
        summary: "Lists the subcommands.",
        since: "6.2.0",
        group: "generic",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        syntax: "",
        handler: subcommandHelp,
      },
      {
        name: "idletime",
        summary: "Tells how many seconds ago a key was last used.",
        since: "2.2.3",
        group: "generic",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        tips: ["nondeterministic_output"],
        keys: keyAt(2, "RO"),
        syntax: "key",
        handler: objectIdletime,
      },
      {
        name: "refcount",
        summary: "Tells how many references to a value Redis would count.",
        since: "2.2.3",
        group: "generic",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        tips: ["nondeterministic_output"],
        keys: keyAt(2, "RO"),
        syntax: "key",
        handler: objectRefcount,
      },
    ],
  },
];

function del(call: Call): void {
  let count = 0;
  for (let i = 1; i < call.argc; i++) {
    if (!call.db.remove(call.bytes, call.start(i), call.end(i))) continue;
    count++;
    call.changed(Notify.GENERIC, "del", i);
  }
  call.reply.integer(count);
}

function exists(call: Call): void {
  let count = 0;
  for (let i = 1; i < call.argc; i++) if (call.peek(i) !== 0) count++;
  call.reply.integer(count);
}

function type(call: Call): void {
  const ref = call.peek(1);
  call.reply.simple(ref === 0 ? "none" : typeName(call.db.typeOf(ref)));
}

function touch(call: Call): void {
  // The only command that updates access clocks even for a client with CLIENT NO-TOUCH.
  call.store.holdClocks = call.store.clocksOfChanges;
  let count = 0;
  for (let i = 1; i < call.argc; i++) if (call.lookup(i) !== 0) count++;
  call.reply.integer(count);
}

/** Skips expired keys without deleting them, as in Redis. */
function keys(call: Call): void {
  const { db, store } = call;
  const found: RecordRef[] = [];
  store.dict.each(db.keys, (ref) => {
    if (keyMatches(call, 1, ref) && !db.isExpired(ref)) found.push(ref);
  });
  replyKeys(call, found);
}

/** Deletes the visited keys that are expired and match the pattern, as in Redis. */
function scan(call: Call): void {
  const { db, store, reply } = call;
  const cursor = parseCursor(call, 1);
  const { count, pattern, type } = parseScanOptions(call, 2, "keys");
  const found: RecordRef[] = [], expired: RecordRef[] = [];
  const deletes = deletesExpired(call);
  const next = store.dict.scan(db.keys, cursor, count, (ref) => {
    if (!keyMatches(call, pattern, ref)) return;
    if (db.isExpired(ref)) {
      if (deletes) expired.push(ref);
    } else if (type === undefined || typeName(db.typeOf(ref)) === type) found.push(ref);
  });
  for (const ref of expired) db.expire(ref);
  reply.array(2);
  reply.bulkInteger(next);
  replyKeys(call, found);
}

function keyMatches(call: Call, pattern: number, ref: RecordRef): boolean {
  const { db } = call;
  db.readKey(ref);
  return matchesPattern(call, pattern, db.bytes, db.start, db.start + db.length);
}

function replyKeys(call: Call, refs: readonly RecordRef[]): void {
  call.reply.array(refs.length);
  for (const ref of refs) replyKey(call, ref);
}

function replyKey(call: Call, ref: RecordRef): void {
  const { db } = call;
  db.readKey(ref);
  call.reply.bulk(db.bytes, db.start, db.start + db.length);
}

/**
 * Where expired keys are not deleted, RANDOMKEY tries this often and then replies with the last key, like a replica of
 * Redis.
 */
const RANDOM_TRIES = 100;

function randomkey(call: Call): void {
  const { db, store, reply } = call;
  const deletes = deletesExpired(call);
  for (let tries = 1; db.size > 0; tries++) {
    const ref = store.dict.random(db.keys, store.random);
    if (!db.isExpired(ref) || (!deletes && tries === RANDOM_TRIES)) return replyKey(call, ref);
    if (deletes) db.expire(ref);
  }
  reply.null();
}

/**
 * Whether a command that visits arbitrary keys deletes the expired ones: no if the session only hides them, and within
 * a unit as the setting lazyexpire-nested-arbitrary-keys says.
 */
function deletesExpired({ engine, inUnit, store }: Call): boolean {
  return store.expiryMode === ExpiryMode.DELETE && (!inUnit || engine.settings.values.lazyexpireNestedArbitraryKeys);
}

function rename(call: Call, onlyIfFree: boolean): void {
  const { db, reply } = call;
  const ref = call.lookupWrite(1);
  if (ref === 0) fail(messages.noSuchKey);
  const same = sameKey(call, 1, 2);
  if (same || (onlyIfFree && call.lookupWrite(2) !== 0)) {
    return onlyIfFree ? reply.integer(0) : reply.ok();
  }
  const before = call.typeBefore(2), type = db.typeOf(ref);
  const moved = db.moveTo(ref, db, call.bytes, call.start(2), call.end(2));
  call.store.renewClock(moved);
  holdEncoding(db, moved);
  call.changed(Notify.GENERIC, "rename_from", 1);
  call.changed(Notify.GENERIC, "rename_to", 2, 0);
  call.overwrote(2, before, type);
  if (onlyIfFree) reply.integer(1);
  else reply.ok();
}

/** The keys of MOVE: the same name in two databases. */
function moveUses(request: Request, db: number): KeyUse[] {
  return [{ db, index: 1, written: true }, { db: databaseAt(request, 2), index: 1, written: true }];
}

/** The keys of COPY: DB selects the database of the second. */
function copyUses(request: Request, db: number): KeyUse[] {
  let target = db;
  for (let i = 3; i + 1 < request.argc; i++) {
    if (equalsWord(request.bytes, request.start[i], request.end[i], "db")) target = databaseAt(request, i + 1);
  }
  return [{ db, index: 1, written: false }, { db: target, index: 2, written: true }];
}

/** The arguments of COPY that name a database. */
function copyDatabases({ argc, bytes, start, end }: Request): number[] {
  const found: number[] = [];
  for (let i = 3; i + 1 < argc; i++) if (equalsWord(bytes, start[i], end[i], "db")) found.push(++i);
  return found;
}

/** The database number in a request that has already run. */
function databaseAt({ bytes, start, end }: Request, i: number): number {
  return Number(latin1(bytes, start[i], end[i]));
}

function copy(call: Call): void {
  const { reply, store } = call;
  let to = call.db, replace = false;
  for (let i = 3; i < call.argc; i++) {
    if (call.is(i, "replace")) replace = true;
    else if (call.is(i, "db") && i + 1 < call.argc) to = store.databases[databaseIndex(call, ++i)];
    else fail(messages.syntax);
  }
  if (to === call.db && sameKey(call, 1, 2)) fail(SAME_OBJECT);
  const ref = call.lookup(1);
  if (ref === 0) return reply.integer(0);
  const { bytes } = call, start = call.start(2), end = call.end(2);
  const old = to.lookupWrite(bytes, start, end), before = old === 0 ? -1 : to.typeOf(old);
  if (old !== 0) {
    if (!replace) return reply.integer(0);
    to.unlink(old);
  }
  holdEncoding(to, call.db.copyTo(ref, to, bytes, start, end));
  call.changedKey(to, Notify.GENERIC, "copy_to", bytes, start, end);
  call.overwrote(2, before, call.db.typeOf(ref), to);
  reply.integer(1);
}

function move(call: Call): void {
  const { db, reply, store, bytes } = call;
  const to = store.databases[databaseIndex(call, 2)];
  if (to === db) fail(SAME_OBJECT);
  const ref = call.lookupWrite(1);
  if (ref === 0 || to.lookupWrite(bytes, call.start(1), call.end(1)) !== 0) return reply.integer(0);
  call.store.renewClock(db.moveTo(ref, to, bytes, call.start(1), call.end(1)));
  call.changed(Notify.GENERIC, "move_from", 1);
  call.changedKey(to, Notify.GENERIC, "move_to", bytes, call.start(1), call.end(1), 0);
  reply.integer(1);
}

/** A string that is raw because of its long key stays raw under a short key, as in Redis. */
function holdEncoding(db: Keyspace, ref: RecordRef): void {
  if (db.typeOf(ref) === Type.STRING && encodingName(db, ref) === "raw") db.setEncoding(ref, Encoding.RAW);
}

function sameKey(call: Call, i: number, j: number): boolean {
  const { bytes } = call;
  return bytesEqual(bytes, call.start(i), call.end(i), bytes, call.start(j), call.end(j));
}

function databaseIndex(call: Call, i: number): number {
  const index = call.integerIn(i, INT32_MIN, INT32_MAX, INT32_RANGE);
  return index < 0 || index >= call.store.databases.length ? fail(messages.dbIndex) : index;
}

function objectEncoding(call: Call): void {
  const ref = call.peek(2, true);
  if (ref === 0) return call.reply.null();
  call.reply.bulkText(encodingName(call.db, ref));
}

function objectFreq(call: Call): void {
  const ref = call.peek(2, true);
  if (ref === 0) return call.reply.null();
  if (!call.store.frequencies) fail(NO_FREQUENCIES);
  call.reply.integer(call.store.frequency(ref));
}

function objectIdletime(call: Call): void {
  const ref = call.peek(2, true);
  if (ref === 0) return call.reply.null();
  if (call.store.frequencies) fail(NO_IDLE_TIMES);
  call.reply.integer(call.store.idleSeconds(ref));
}

/** As in Redis, no key shares its value with another. */
function objectRefcount(call: Call): void {
  if (call.peek(2, true) === 0) call.reply.null();
  else call.reply.integer(1);
}
