/**
 * HyperLogLog: PFADD, PFCOUNT, PFMERGE, and PFDEBUG and PFSELFTEST for tests. The values are strings.
 */
import { fail, messages, shownText } from "../../core/errors.ts";
import { SeededRandom } from "../../core/random.ts";
import { Notify } from "../../engine/listeners.ts";
import {
  cachedCount,
  CorruptHyperLogLog,
  estimate,
  HyperLogLog,
  isHyperLogLog,
  REGISTERS,
} from "../../store/values/hyperloglog.ts";
import { Encoding, NEVER, Type } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { type CommandSpec, keyAt, keyRange } from "../../dispatch/spec.ts";

const NOT_ONE = "WRONGTYPE Key is not a valid HyperLogLog string value.";
const CORRUPT = "INVALIDOBJ Corrupted HLL object detected";

export const hyperLogLogCommands: readonly CommandSpec[] = [
  {
    name: "pfadd",
    summary: "Counts elements in a HyperLogLog, which is created if the key is missing.",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(1) for each element.",
    arity: -2,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW INSERT"),
    syntax: "key [element ...]",
    handler: pfadd,
  },
  {
    name: "pfcount",
    summary: "Estimates how many different elements one or several HyperLogLogs have counted together.",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(1) for one key, O(N) with N keys and a large constant for several.",
    arity: -2,
    flags: ["readonly", "may_replicate"],
    keys: keyRange(1, -1, 1, "RW ACCESS").map((spec) => ({
      ...spec,
      notes: "RW because it may change the internal representation of the key, and propagate to replicas",
    })),
    syntax: "key [key ...]",
    handler: pfcount,
  },
  {
    name: "pfmerge",
    summary: "Merges HyperLogLogs into one.",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(N) with N keys and a large constant.",
    arity: -2,
    flags: ["write", "denyoom"],
    keys: [...keyAt(1, "RW ACCESS INSERT"), ...keyRange(2, -1, 1, "RO ACCESS")],
    syntax: "destkey [sourcekey [sourcekey ...]]",
    handler: pfmerge,
  },
  {
    name: "pfdebug",
    summary: "Shows the inside of a HyperLogLog.",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "N/A",
    arity: 3,
    flags: ["write", "denyoom", "admin"],
    keys: keyAt(2, "RW ACCESS"),
    syntax: "subcommand key",
    system: true,
    handler: pfdebug,
  },
  {
    name: "pfselftest",
    summary: "Checks the HyperLogLog implementation on random elements.",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "N/A",
    arity: 1,
    flags: ["admin"],
    syntax: "",
    system: true,
    handler: pfselftest,
  },
];

/** The working buffer of all servers: commands are synchronous and leave no data in it. */
const work = new HyperLogLog();

/** Loads the value of key argument i. Returns false if the key is missing. */
function load(call: Call, i: number, write: boolean): boolean {
  const { db } = call;
  const ref = write ? call.lookupWrite(i) : call.lookup(i);
  work.sparseBytesMax = call.engine.settings.values.hllSparseMaxBytes;
  if (ref === 0) return false;
  if (db.typeOf(ref) !== Type.STRING) fail(messages.wrongType);
  db.readString(ref);
  if (!isHyperLogLog(db.bytes, db.start, db.length)) fail(NOT_ONE);
  guarded(() => work.load(db.bytes, db.start, db.length));
  return true;
}

/** Stores the loaded value as key argument i, which keeps its deadline. */
function store(call: Call, i: number): void {
  const { db } = call;
  const old = call.lookupWrite(i);
  const deadline = old === 0 ? NEVER : db.deadlineOf(old);
  const ref = db.setString(call.bytes, call.start(i), call.end(i), work.bytes, 0, work.length, deadline);
  db.setEncoding(ref, Encoding.RAW);
}

/** Runs `body`, and converts the exception for a corrupt value into an error reply. */
function guarded<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof CorruptHyperLogLog) fail(CORRUPT);
    throw error;
  }
}

function pfadd(call: Call): void {
  const missing = !load(call, 1, true);
  if (missing) work.clear();
  let changed = missing;
  guarded(() => {
    for (let i = 2; i < call.argc; i++) {
      if (work.add(call.bytes, call.start(i), call.end(i))) changed = true;
    }
  });
  if (changed) {
    work.invalidate();
    store(call, 1);
    call.changed(Notify.STRING, "pfadd", 1);
  }
  call.reply.integer(changed ? 1 : 0);
}

function pfcount(call: Call): void {
  const registers = new Uint8Array(REGISTERS);
  if (call.argc > 2) {
    for (let i = 1; i < call.argc; i++) if (load(call, i, false)) guarded(() => work.maximum(registers));
    return call.reply.integer(estimate(registers));
  }
  if (!load(call, 1, false)) return call.reply.integer(0);
  let count = cachedCount(work.bytes, 0);
  if (count < 0) {
    guarded(() => work.maximum(registers));
    count = estimate(registers);
    // The estimate is cached in the value, so this is a write, as in Redis.
    work.cache(count);
    store(call, 1);
    call.changed(Notify.STRING, "", 1);
  }
  call.reply.integer(count);
}

function pfmerge(call: Call): void {
  const registers = new Uint8Array(REGISTERS);
  let dense = false;
  for (let i = 1; i < call.argc; i++) {
    if (!load(call, i, false)) continue;
    if (work.dense) dense = true;
    guarded(() => work.maximum(registers));
  }
  if (!load(call, 1, true)) work.clear();
  guarded(() => {
    if (dense) work.makeDense();
    for (let index = 0; index < REGISTERS; index++) {
      if (registers[index] > 0) work.raise(index, registers[index]);
    }
  });
  // Redis counts every merge as a change, and invalidates the estimate.
  work.invalidate();
  store(call, 1);
  call.changed(Notify.STRING, "pfadd", 1);
  call.reply.ok();
}

function pfdebug(call: Call): void {
  const { reply } = call;
  if (call.is(1, "simd")) {
    if (!call.is(2, "on") && !call.is(2, "off")) fail("ERR Argument must be ON or OFF");
    return reply.simple(call.is(2, "on") ? "enabled" : "disabled");
  }
  if (!load(call, 2, true)) fail("ERR The specified key does not exist");
  if (call.is(1, "getreg")) {
    if (!work.dense) toDense(call);
    const registers = new Uint8Array(REGISTERS);
    work.maximum(registers);
    reply.array(REGISTERS);
    for (const value of registers) reply.integer(value);
  } else if (call.is(1, "decode")) {
    if (work.dense) fail("ERR HLL encoding is not sparse");
    const parts: string[] = [];
    work.runs((value, length, long) =>
      parts.push(value > 0 ? `v:${value},${length}` : `${long ? "Z" : "z"}:${length}`)
    );
    reply.bulkText(parts.join(" "));
  } else if (call.is(1, "encoding")) {
    reply.simple(work.dense ? "dense" : "sparse");
  } else if (call.is(1, "todense")) {
    const convert = !work.dense;
    if (convert) toDense(call);
    reply.integer(convert ? 1 : 0);
  } else {
    fail(`ERR Unknown PFDEBUG subcommand '${shownText(call.text(1))}'`);
  }
}

function toDense(call: Call): void {
  guarded(() => work.makeDense());
  store(call, 2);
  call.changed(Notify.STRING, "", 2);
}

/** Elements of the self-test, and the allowed deviation of an estimate in standard errors. */
const SELFTEST_ELEMENTS = 100_000;
const STANDARD_ERRORS = 6;

function pfselftest(call: Call): void {
  const sparse = new HyperLogLog(), dense = new HyperLogLog();
  sparse.clear();
  dense.clear();
  dense.makeDense();
  const random = new SeededRandom(1);
  const element = new Uint8Array(8);
  const registers = new Uint8Array(REGISTERS), others = new Uint8Array(REGISTERS);
  for (let n = 1; n <= SELFTEST_ELEMENTS; n++) {
    for (let i = 0; i < element.length; i++) element[i] = random.below(256);
    if (sparse.add(element, 0, 8) !== dense.add(element, 0, 8)) fail("ERR TESTFAILED the encodings differ");
    if (n !== 10 && n !== 1000 && n !== SELFTEST_ELEMENTS) continue;
    registers.fill(0);
    others.fill(0);
    sparse.maximum(registers);
    dense.maximum(others);
    if (registers.some((value, i) => value !== others[i])) fail("ERR TESTFAILED the registers differ");
    const error = Math.abs(estimate(registers) - n);
    const bound = Math.max(1, Math.ceil((1.04 / Math.sqrt(REGISTERS)) * n * STANDARD_ERRORS));
    if (error > bound) fail(`ERR TESTFAILED Too big error. card:${n} error:${error}`);
  }
  call.reply.ok();
}
