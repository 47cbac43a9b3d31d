/**
 * The arguments of the commands on field deadlines as Valkey parses them: options, then FIELDS numfields field ... up
 * to the end. The order of the checks decides which error a wrong request gets.
 */
import { fail, messages } from "../../core/errors.ts";
import { INT64_MAX } from "../../core/numbers.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { conditionsIn, fromNow, inSeconds, Unit, unitAt } from "../shared/expiry.ts";
import { openHash, openHashToWrite } from "./hash_call.ts";
import {
  DEADLINE_MAX,
  type ExpireArguments,
  type FieldBlock,
  type Forms,
  type OptionArguments,
} from "./field_arguments.ts";

const COUNT_MISMATCH = "ERR numfields should be greater than 0 and match the provided number of fields";

export const valkeyForms: Forms = {
  expire,
  ask: (call) => {
    const block = plainBlock(call, messages.syntax);
    return { block, ref: openHash(call) };
  },
  change: (call) => {
    const block = plainBlock(call, COUNT_MISMATCH);
    return { block, ref: openHashToWrite(call) };
  },
  hgetex: (call) => readOptions(call, false),
  hsetex: (call) => readOptions(call, true),
  pastEvent: "hexpired",
  announcesPastDeadline: true,
  countsPast: true,
  seconds: (ms) => Math.floor((ms + 500) / 1000),
};

/** The deadline in argument i, converted from its unit. Throws CommandError. */
function deadlineAt(call: Call, i: number, unit: Unit): number {
  const ms = call.int64(i) * (inSeconds(unit) ? 1000n : 1n);
  const base = fromNow(unit) ? call.store.nowMs : 0;
  if (ms < 0n || ms > INT64_MAX - BigInt(base)) fail(`ERR invalid expire time in '${call.command.fullName}' command`);
  return Math.min(DEADLINE_MAX, Math.max(1, base + Number(ms)));
}

/** FIELDS at argument 2 with all arguments behind it; `mismatch` is the error for a wrong count. */
function plainBlock(call: Call, mismatch: string): FieldBlock {
  if (!call.is(2, "fields")) fail(messages.syntax);
  return blockAt(call, 2, 1, mismatch);
}

/** The block whose FIELDS is argument i and that ends the request, with `width` arguments for each field. */
function blockAt(call: Call, i: number, width: number, mismatch: string): FieldBlock {
  const { argc } = call, first = i + 2;
  const count = call.integer(i + 1);
  if (count <= 0 || count * width !== argc - first) fail(mismatch);
  return { count, first, end: argc };
}

/** The first FIELDS from argument `from` on that has an argument behind it. */
function findFields(call: Call, from: number): number {
  for (let i = from; i < call.argc - 1; i++) {
    if (call.is(i, "fields")) return i;
  }
  return fail(COUNT_MISMATCH);
}

function expire(call: Call, unit: Unit): ExpireArguments {
  const at = findFields(call, 3);
  const conditions = conditionsIn(call, 3, at);
  const block = blockAt(call, at, 1, COUNT_MISMATCH);
  const deadline = deadlineAt(call, 2, unit);
  return { ref: openHashToWrite(call), block, deadline, conditions };
}

/** Parses the arguments of HGETEX, or of HSETEX if `sets`. An option may be repeated; the last time counts. */
function readOptions(call: Call, sets: boolean): OptionArguments {
  const at = findFields(call, 2);
  let keyCondition: OptionArguments["keyCondition"], condition: OptionArguments["condition"];
  let unit: Unit = Unit.NONE, timeAt = 0, persist = false, keepTtl = false;
  for (let i = 2; i < at; i++) {
    const found = unitAt(call, i);
    if (found !== Unit.NONE) {
      if (i + 1 === at || persist || keepTtl || (unit !== Unit.NONE && unit !== found)) fail(messages.syntax);
      unit = found;
      timeAt = ++i;
    } else if (!sets && call.is(i, "persist") && unit === Unit.NONE) {
      persist = true;
    } else if (sets && call.is(i, "keepttl") && unit === Unit.NONE) {
      keepTtl = true;
    } else if (sets && (call.is(i, "fnx") || call.is(i, "fxx"))) {
      const word = call.is(i, "fnx") ? "fnx" : "fxx";
      if (condition !== undefined && condition !== word) fail(messages.syntax);
      condition = word;
    } else if (sets && (call.is(i, "nx") || call.is(i, "xx"))) {
      const word = call.is(i, "nx") ? "nx" : "xx";
      if (keyCondition !== undefined && keyCondition !== word) fail(messages.syntax);
      keyCondition = word;
    } else {
      fail(messages.syntax);
    }
  }
  const block = blockAt(call, at, sets ? 2 : 1, COUNT_MISMATCH);
  const ref = openHashToWrite(call);
  // An unmet condition of the key is answered before the time is checked.
  const unmet = keyCondition !== undefined && (keyCondition === "nx") === (ref !== 0);
  const expires = unit !== Unit.NONE && !unmet;
  const deadline = expires ? deadlineAt(call, timeAt, unit) : NEVER;
  return { ref, block, keyCondition, condition, expires, deadline, persist, keepTtl };
}
