/**
 * The arguments of the commands on field deadlines as Redis parses them: options and FIELDS numfields field ... come in
 * any order.
 */
import { fail, shownText } from "../../core/errors.ts";
import { INT64_BOUND } from "../../core/numbers.ts";
import { NEVER } from "../../store/keyspace.ts";
import type { Call } from "../../dispatch/call.ts";
import { conditionAt, fromNow, inSeconds, Unit, unitAt } from "../shared/expiry.ts";
import { openHash, openHashToWrite } from "./hash_call.ts";
import {
  DEADLINE_MAX,
  type ExpireArguments,
  type FieldBlock,
  type Forms,
  type NamedFields,
  type OptionArguments,
} from "./field_arguments.ts";

const NEGATIVE_TIME = "ERR invalid expire time, must be >= 0";
const TOO_FEW = "ERR wrong number of arguments";
const COUNT_MISMATCH = "ERR The `numfields` parameter must match the number of arguments";
const FIELDS_MISSING = "ERR Mandatory argument FIELDS is missing or not at the right position";
const FIELDS_POSITIVE = "ERR Number of fields must be a positive integer";
const ONE_CONDITION = "ERR Only one of FXX or FNX arguments can be specified";
const ONE_KEY_CONDITION = "ERR Only one of NX or XX arguments can be specified";

export const redisForms: Forms = {
  expire,
  ask: (call) => ({ ref: openHash(call), block: plainBlock(call) }),
  change: (call) => ({ ref: openHashToWrite(call), block: plainBlock(call) }),
  hgetex: (call) => ({ ref: openHashToWrite(call), ...readOptions(call, GET_RULES) }),
  hsetex: (call) => {
    const options = readOptions(call, SET_RULES);
    return { ref: openHashToWrite(call), ...options };
  },
  pastEvent: "hdel",
  announcesPastDeadline: false,
  countsPast: false,
  seconds: (ms) => Math.ceil(ms / 1000),
};

/** The deadline in argument i, converted from its unit. Throws CommandError. */
function deadlineAt(call: Call, i: number, unit: Unit): number {
  const value = call.integer(i);
  if (value < 0) fail(NEGATIVE_TIME);
  const ms = inSeconds(unit) ? value * 1000 : value;
  const base = fromNow(unit) ? call.store.nowMs : 0;
  if (ms > DEADLINE_MAX - base) fail(`ERR invalid expire time in '${call.command.fullName}' command`);
  return Math.max(1, base + ms);
}

/** FIELDS at argument 2 with all arguments behind it. */
function plainBlock(call: Call): FieldBlock {
  const { argc } = call;
  if (!call.is(2, "fields")) fail(FIELDS_MISSING);
  const count = call.integerIn(3, 1, INT64_BOUND, FIELDS_POSITIVE, FIELDS_POSITIVE);
  if (count !== argc - 4) fail(COUNT_MISMATCH);
  return { count, first: 4, end: argc };
}

/** The form of a command's FIELDS: the number of arguments per field, and the error texts. */
interface BlockRules {
  readonly width: number;
  /** The error for too few arguments after FIELDS. */
  readonly least: number;
  readonly tooShort: (call: Call) => never;
  readonly badCount: string;
}

const EXPIRE_RULES: BlockRules = {
  width: 1,
  least: 2,
  tooShort: () => fail("ERR FIELDS requires at least numfields and one field argument"),
  badCount: "ERR Parameter `numFields` should be greater than 0",
};
const GET_RULES: BlockRules = {
  width: 1,
  least: 1,
  tooShort: (call) => call.failArity(),
  badCount: "ERR invalid number of fields",
};
const SET_RULES: BlockRules = { ...GET_RULES, width: 2 };

/**
 * Parses options and FIELDS, in any order, from argument `from` on. `option` parses the option in argument i and
 * returns the number of arguments that it consumes, 0 if there is no such option. Throws CommandError.
 */
function readBlock(call: Call, from: number, rules: BlockRules, option: (i: number) => number): FieldBlock {
  const { argc } = call;
  let block: FieldBlock | undefined;
  for (let i = from; i < argc;) {
    if (call.is(i, "fields")) {
      if (block !== undefined) fail("ERR FIELDS keyword specified multiple times");
      if (argc - i - 1 < rules.least) rules.tooShort(call);
      const count = call.integerIn(i + 1, 1, 2 ** 31 - 1, rules.badCount, rules.badCount);
      const first = i + 2, end = first + count * rules.width;
      if (end > argc) fail(TOO_FEW);
      block = { count, first, end };
      i = end;
    } else {
      const taken = option(i);
      if (taken === 0) fail(`ERR unknown argument: ${shownText(call.text(i))}`);
      i += taken;
    }
  }
  return block ?? fail("ERR missing FIELDS argument");
}

function expire(call: Call, unit: Unit): ExpireArguments {
  const ref = openHashToWrite(call);
  const deadline = deadlineAt(call, 2, unit);
  let conditions = 0;
  const block = readBlock(call, 3, EXPIRE_RULES, (i) => {
    const found = conditionAt(call, i);
    conditions |= found;
    return found === 0 ? 0 : 1;
  });
  // More than one condition.
  if ((conditions & (conditions - 1)) !== 0) fail("ERR Multiple condition flags specified");
  return { ref, block, deadline, conditions };
}

/**
 * Parses the arguments of HGETEX and HSETEX. Both accept the union of their options first, and each refuses the
 * other's at the end, as in Redis. NX and XX of HSETEX are Valkey's.
 */
function readOptions(call: Call, rules: BlockRules): Omit<OptionArguments, keyof NamedFields> & { block: FieldBlock } {
  const sets = rules === SET_RULES;
  let keyCondition: OptionArguments["keyCondition"], condition: OptionArguments["condition"];
  let expires = false, persist = false, keepTtl = false, deadline: number = NEVER;
  const block = readBlock(call, 2, rules, (i) => {
    const unit = unitAt(call, i);
    if (unit !== Unit.NONE) {
      if (expires || persist || keepTtl) failExpiry(sets);
      if (i + 1 === call.argc) fail("ERR missing expire time");
      deadline = deadlineAt(call, i + 1, unit);
      expires = true;
      return 2;
    }
    if (call.is(i, "persist")) {
      if (expires || persist) failExpiry(sets);
      persist = true;
    } else if (call.is(i, "keepttl")) {
      if (expires || keepTtl) failExpiry(sets);
      keepTtl = true;
    } else if (call.is(i, "fnx") || call.is(i, "fxx")) {
      if (condition !== undefined) fail(ONE_CONDITION);
      condition = call.is(i, "fnx") ? "fnx" : "fxx";
    } else if (sets && (call.is(i, "nx") || call.is(i, "xx"))) {
      if (keyCondition !== undefined) fail(ONE_KEY_CONDITION);
      keyCondition = call.is(i, "nx") ? "nx" : "xx";
    } else {
      return 0;
    }
    return 1;
  });
  if (sets ? persist : keepTtl || condition !== undefined) fail("ERR unknown argument");
  return { block, keyCondition, condition, expires, deadline, persist, keepTtl };
}

function failExpiry(sets: boolean): never {
  fail(`ERR Only one of EX, PX, EXAT, PXAT or ${sets ? "KEEPTTL" : "PERSIST"} arguments can be specified`);
}
