/**
 * Strings: setting and reading whole values, and the table of all string commands. Parts of values are in ranges.ts,
 * arithmetic is in numbers.ts, values of several keys are in several.ts, and conditions on a value in conditions.ts.
 *
 * Hot: SET without options and GET allocate nothing.
 */
import { equalsWord } from "../../core/bytes.ts";
import { Notify } from "../../engine/listeners.ts";
import { NEVER, Type } from "../../store/keyspace.ts";
import type { Request } from "../../resp/request.ts";
import type { Call } from "../../dispatch/call.ts";
import { keyFlags } from "../../dispatch/key_flags.ts";
import { type CommandSpec, keyAt, type KeyPosition, notDeprecated } from "../../dispatch/spec.ts";
import {
  CONDITION_SYNTAX,
  CONDITION_TYPES,
  conditionalStringCommands,
  conditionAt,
  ValueCondition,
  valueMeets,
} from "./conditions.ts";
import { increxCommands } from "./increx.ts";
import { stringNumberCommands } from "./numbers.ts";
import { severalStringsCommands } from "./several.ts";
import { drop, replyString } from "./string_call.ts";
import { dropPast, PAST_DIFFERS, Unit } from "../shared/expiry.ts";
import { deadlineAt, EXPIRY_SYNTAX, StringOptions } from "./options.ts";
import { stringRangeCommands } from "./ranges.ts";
import type { Deadline } from "../../store/deadline.ts";
import type { RecordRef } from "../../store/memory/arena.ts";

export const stringCommands: readonly CommandSpec[] = [
  {
    name: "get",
    summary: "Returns the string at a key.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: keyAt(1, "RO ACCESS"),
    syntax: "key",
    handler: get,
  },
  {
    name: "set",
    summary: "Sets a key to a string, replacing any old value; optionally on a condition and with an expire time.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [{
      ...keyAt(1, "RW ACCESS UPDATE VARIABLE_FLAGS")[0],
      notes: "read only when GET is given",
    }],
    findKeys: setKeys,
    syntax: `key value [NX | XX | ${CONDITION_SYNTAX}] [GET] [${EXPIRY_SYNTAX} | KEEPTTL]`,
    types: CONDITION_TYPES,
    valkey: { syntax: `key value [NX | XX | IFEQ comparison-value] [GET] [${EXPIRY_SYNTAX} | KEEPTTL]` },
    differs: [
      "With a deadline that is past Valkey sets nothing: it deletes the key and announces `expired`.",
      "NX and XX may follow a condition on the value in Redis, not in Valkey.",
    ],
    handler: set,
  },
  {
    name: "getset",
    summary: "Sets a key to a string and returns the one that it held before.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "RW ACCESS UPDATE"),
    syntax: "key value",
    deprecated: { since: "6.2.0", replacedBy: "`SET` with the `!GET` argument" },
    valkey: notDeprecated,
    handler: getset,
  },
  {
    name: "getdel",
    summary: "Returns the string at a key and deletes the key.",
    since: "6.2.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "fast"],
    keys: keyAt(1, "RW ACCESS DELETE"),
    syntax: "key",
    handler: getdel,
  },
  {
    name: "getex",
    summary: "Returns the string at a key and sets or removes the key's expire time.",
    since: "6.2.0",
    group: "string",
    complexity: "O(1)",
    arity: -2,
    flags: ["write", "fast"],
    keys: [{ ...keyAt(1, "RW ACCESS UPDATE")[0], notes: "RW and UPDATE because it changes the TTL" }],
    syntax: `key [${EXPIRY_SYNTAX} | PERSIST]`,
    differs: [PAST_DIFFERS, "A wrong time is an error in Valkey even if the key is missing or of another type."],
    handler: getex,
  },
  {
    name: "setnx",
    summary: "Sets a key to a string if the key is missing.",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: keyAt(1, "OW INSERT"),
    syntax: "key value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `NX` argument" },
    valkey: notDeprecated,
    handler: setnx,
  },
  {
    name: "setex",
    summary: "Sets a key to a string that expires after some seconds.",
    since: "2.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "OW UPDATE"),
    syntax: "key seconds value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `EX` argument" },
    valkey: notDeprecated,
    handler: (call) => setExpiring(call, Unit.EX),
  },
  {
    name: "psetex",
    summary: "Sets a key to a string that expires after some milliseconds.",
    since: "2.6.0",
    group: "string",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: keyAt(1, "OW UPDATE"),
    syntax: "key milliseconds value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `PX` argument" },
    valkey: notDeprecated,
    handler: (call) => setExpiring(call, Unit.PX),
  },
  ...severalStringsCommands,
  ...conditionalStringCommands,
  ...increxCommands,
  ...stringNumberCommands,
  ...stringRangeCommands,
];

const options = new StringOptions();

/** SET reads its key only with GET or a condition on its value, options at any position after the value. */
function setKeys(request: Request): KeyPosition[] {
  const { argc, bytes, start, end } = request;
  let flags = keyFlags("OW UPDATE");
  for (let i = 3; i < argc; i++) {
    if (equalsWord(bytes, start[i], end[i], "get")) return [{ index: 1, flags: keyFlags("RW ACCESS UPDATE") }];
    if (conditionAt(request, i) !== ValueCondition.NONE) flags = keyFlags("RW UPDATE");
  }
  return [{ index: 1, flags }];
}

/** Sets key argument 1 to value argument v. */
function assign(call: Call, v: number, deadline: Deadline): void {
  const { bytes, start, end } = call.request, before = call.typeBefore(1);
  call.db.setString(bytes, start[1], end[1], bytes, start[v], end[v], deadline, call.hash(1));
  call.overwrote(1, before, Type.STRING);
  call.changed(Notify.STRING, "set", 1);
}

function get(call: Call): void {
  replyString(call, call.lookupType(1, Type.STRING));
}

function set(call: Call): void {
  if (call.argc > 3) return setWithOptions(call);
  assign(call, 2, NEVER);
  call.reply.ok();
}

function setWithOptions(call: Call): void {
  const { db, reply } = call;
  options.parse(call, 3, "set");
  let deadline = options.deadline(call);
  const expires = deadline !== NEVER;
  if (options.get || options.nx || options.xx || options.keepTtl || options.condition !== ValueCondition.NONE) {
    const old = options.get ? call.lookupType(1, Type.STRING) : call.lookupWrite(1);
    const meets = (old === 0 ? !options.xx : !options.nx) && meetsCondition(call, old);
    if (options.get) replyString(call, old);
    if (!meets) {
      if (!options.get) reply.null();
      return;
    }
    if (options.keepTtl && old !== 0) deadline = db.deadlineOf(old);
  }
  if (expires && call.valkey && call.isOver(deadline)) {
    const old = call.lookupWrite(1);
    if (old !== 0) dropPast(call, old);
  } else {
    assign(call, 2, deadline);
    if (expires) call.announced(Notify.GENERIC, "expire", 1);
    if (call.engine.effects.open) logSet(call, deadline);
  }
  if (!options.get) reply.ok();
}

/** Whether the old value meets the condition of SET. A missing key meets only the negative ones. */
function meetsCondition(call: Call, old: RecordRef): boolean {
  const { condition, matchAt } = options;
  if (condition === ValueCondition.NONE) return true;
  if (old === 0) return condition === ValueCondition.IFNE || condition === ValueCondition.IFDNE;
  // As in Redis the comparison is a use of the key of its own.
  return valueMeets(call, call.lookupType(1, Type.STRING), condition, matchAt);
}

/** The log entry of a SET with options: relative times become absolute; GET and conditions on values are left out. */
function logSet(call: Call, deadline: Deadline): void {
  const asReceived = !options.get && options.condition === ValueCondition.NONE;
  if (options.unit === Unit.PXAT && asReceived) return;
  if (options.unit !== Unit.NONE) return call.logInstead("SET", call.view(1), call.view(2), "PXAT", `${deadline}`);
  if (asReceived) return;
  call.logInstead("SET", call.view(1), call.view(2), ...options.keepTtl ? ["KEEPTTL"] : []);
}

function getset(call: Call): void {
  replyString(call, call.lookupType(1, Type.STRING));
  assign(call, 2, NEVER);
  if (call.engine.effects.open) call.logInstead("SET", call.view(1), call.view(2));
}

function getdel(call: Call): void {
  const ref = call.lookupType(1, Type.STRING);
  replyString(call, ref);
  if (ref !== 0) drop(call, ref);
}

function getex(call: Call): void {
  const { db, engine } = call;
  options.parse(call, 2, "getex");
  // In Redis a missing key is answered before the time is checked, in Valkey after it.
  if (call.valkey) options.deadline(call);
  const ref = call.lookupType(1, Type.STRING);
  if (ref === 0) return call.reply.null();
  const deadline = options.deadline(call);
  replyString(call, ref);
  if (deadline !== NEVER) {
    if (call.isOver(deadline)) return dropPast(call, ref);
    db.setDeadline(ref, deadline);
    call.changed(Notify.GENERIC, "expire", 1);
    if (engine.effects.open) call.logInstead("PEXPIREAT", call.view(1), `${deadline}`);
  } else if (options.persist && db.deadlineOf(ref) !== NEVER) {
    db.setDeadline(ref, NEVER);
    call.changed(Notify.GENERIC, "persist", 1);
    if (engine.effects.open) call.logInstead("PERSIST", call.view(1));
  }
}

function setnx(call: Call): void {
  const missing = call.lookupWrite(1) === 0;
  if (missing) assign(call, 2, NEVER);
  call.reply.integer(missing ? 1 : 0);
}

function setExpiring(call: Call, unit: Unit): void {
  const deadline = deadlineAt(call, 2, unit);
  assign(call, 3, deadline);
  call.announced(Notify.GENERIC, "expire", 1);
  if (call.engine.effects.open) call.logInstead("SET", call.view(1), call.view(3), "PXAT", `${deadline}`);
  call.reply.ok();
}
