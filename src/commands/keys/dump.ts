/**
 * DUMP and RESTORE: a value in the binary format of RDB files, which other servers read.
 */
import { fail, messages } from "../../core/errors.ts";
import { Notify } from "../../engine/listeners.ts";
import { VERSION_DUMP } from "../../rdb/format.ts";
import { dumpValue, isSound, restoreValue, withoutChecksum } from "../../rdb/payload.ts";
import type { StoreTarget } from "../../rdb/store_target.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";
import { type Deadline, deadlineOfMs } from "../../store/deadline.ts";

const RESTORE = {
  group: "generic",
  complexity: "O(N) where N is the size of the value; O(N*log(N)) for sorted sets.",
  arity: -4,
  keys: keyAt(1, "OW UPDATE"),
  categories: ["dangerous"],
  syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
  types: { ttl: "integer", seconds: "integer" },
  handler: restore,
} as const;

export const dumpCommands: readonly CommandSpec[] = [
  {
    name: "dump",
    summary: "Returns a value in a form that RESTORE takes.",
    since: "2.6.0",
    group: "generic",
    complexity: "O(N) where N is the size of the value",
    arity: 2,
    flags: ["readonly"],
    tips: ["nondeterministic_output"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    differs: [
      "The payload has RDB version 13 as in Redis 8.6, or 80 as in Valkey 9. RESTORE takes both.",
    ],
    handler: dump,
  },
  {
    ...RESTORE,
    name: "restore",
    summary: "Creates a key from a payload that DUMP returned.",
    since: "2.6.0",
    flags: ["write", "denyoom"],
  },
];

const WRONG_CHECKSUM = "ERR DUMP payload version or checksum are wrong";
const BAD_FORMAT = "ERR Bad data format";
const BUSY = "BUSYKEY Target key name already exists.";

function dump(call: Call): void {
  const { db, engine, reply, store } = call;
  const ref = call.lookup(1);
  if (ref === 0) return reply.null();
  const payload = dumpValue(
    store,
    db,
    ref,
    VERSION_DUMP[engine.identity.personality],
    engine.settings.values.rdbcompression,
  );
  reply.bulk(payload, 0, payload.length);
}

interface RestoreOptions {
  replace: boolean;
  absolute: boolean;
  idleSeconds: number;
  frequency: number;
}

function readOptions(call: Call): RestoreOptions {
  const options: RestoreOptions = { replace: false, absolute: false, idleSeconds: -1, frequency: -1 };
  for (let i = 4; i < call.argc; i++) {
    const more = i + 1 < call.argc;
    if (call.is(i, "replace")) {
      options.replace = true;
    } else if (call.is(i, "absttl")) {
      options.absolute = true;
    } else if (call.is(i, "idletime") && more && options.frequency < 0) {
      options.idleSeconds = call.integerIn(++i, 0, Infinity, "ERR Invalid IDLETIME value, must be >= 0");
    } else if (call.is(i, "freq") && more && options.idleSeconds < 0) {
      options.frequency = call.integerIn(++i, 0, 255, "ERR Invalid FREQ value, must be >= 0 and <= 255");
    } else {
      fail(messages.syntax);
    }
  }
  return options;
}

function restore(call: Call): void {
  const { db, store } = call;
  const options = readOptions(call);
  const old = call.lookupWrite(1);
  if (old !== 0 && !options.replace) fail(BUSY);
  const ttl = call.int64(2);
  if (ttl < 0) fail("ERR Invalid TTL value, must be >= 0");
  const payload = call.view(3), { skipChecksum } = call.engine.knobs;
  if (!isSound(payload, skipChecksum)) fail(WRONG_CHECKSUM);
  const value = restoreValue(store, payload) ?? fail(BAD_FORMAT);
  const before = old === 0 ? -1 : db.typeOf(old);
  if (old !== 0) db.unlink(old);
  const deadline = ttl === 0n
    ? NEVER
    : deadlineOfMs(options.absolute ? ttl : BigInt.asIntN(64, BigInt(store.nowMs) + ttl));
  call.reply.ok();
  if (deadline !== NEVER && call.isOver(deadline)) {
    value.drop();
    store.expired++;
    if (old === 0) return;
    call.logInstead("DEL", call.view(1));
    call.changed(Notify.GENERIC, "del", 1);
    return;
  }
  attach(call, value, deadline, options);
  if (skipChecksum || (deadline !== NEVER && !options.absolute)) {
    log(call, deadline, skipChecksum ? withoutChecksum(payload) : payload, options);
  }
  call.changed(Notify.GENERIC, "restore", 1);
  if (before >= 0) call.overwrote(1, before, call.typeBefore(1));
}

function attach(
  { bytes, db, request, store }: Call,
  value: StoreTarget,
  deadline: Deadline,
  options: RestoreOptions,
): void {
  const ref = value.attach(db, bytes, request.start[1], request.end[1], deadline);
  if (store.frequencies && options.frequency >= 0) store.setFrequency(ref, options.frequency);
  if (!store.frequencies && options.idleSeconds >= 0) store.setIdle(ref, options.idleSeconds);
}

/**
 * Logs the absolute deadline instead of a time to live, and a payload that a replay accepts without a valid checksum.
 */
function log(
  call: Call,
  deadline: Deadline,
  payload: Uint8Array,
  { replace, idleSeconds, frequency }: RestoreOptions,
): void {
  call.logInstead(
    "RESTORE",
    call.view(1),
    deadline === NEVER ? 0 : `${deadline}`,
    payload,
    "ABSTTL",
    ...(replace ? ["REPLACE"] : []),
    ...(idleSeconds >= 0 ? ["IDLETIME", idleSeconds] : []),
    ...(frequency >= 0 ? ["FREQ", frequency] : []),
  );
}
