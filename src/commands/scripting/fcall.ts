/**
 * FCALL and FCALL_RO: run a function of a library.
 */
import { fail } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import { feedMonitors } from "../../dispatch/monitor.ts";
import { type CommandFlag, type CommandSpec, keyCount } from "../../dispatch/spec.ts";
import { Functions } from "../../scripting/functions.ts";
import { bitsOfScript } from "../../scripting/shebang.ts";
import { keyCountOf } from "../../scripting/scripts.ts";

const FLAGS: readonly CommandFlag[] = ["noscript", "stale", "skip_monitor", "no_mandatory_keys", "movablekeys"];
const COMMON = {
  group: "scripting",
  complexity: "Depends on the function that is executed.",
  arity: -3,
  likelyKey: 3,
  mayBeLong: true,
  needsDisk: true,
} as const;
const SYNTAX = "function numkeys [key [key ...]] [arg [arg ...]]";
const NOTE = "We cannot tell how the keys will be used so we assume the worst, ";

export const fcallCommands: readonly CommandSpec[] = [
  {
    ...COMMON,
    name: "fcall",
    summary: "Runs a function of a library.",
    since: "7.0.0",
    flags: [...FLAGS, "may_replicate"],
    keys: keyCount(2, "RW ACCESS UPDATE").map((key) => ({ ...key, notes: `${NOTE}RW and UPDATE` })),
    syntax: SYNTAX,
    bitsOf: (call, bits) => bitsOfScript(call.engine.part(Functions).find(call.text(1))?.flags, bits),
    handler: (call) => run(call, false),
  },
  {
    ...COMMON,
    name: "fcall_ro",
    summary: "Runs a function that cannot write.",
    since: "7.0.0",
    flags: ["readonly", ...FLAGS],
    keys: keyCount(2, "RO ACCESS").map((key) => ({ ...key, notes: `${NOTE}RO and ACCESS` })),
    syntax: SYNTAX,
    bitsOf: (call, bits) => bitsOfScript(call.engine.part(Functions).find(call.text(1))?.flags, bits),
    handler: (call) => run(call, true),
  },
];

function run(call: Call, readOnly: boolean): void {
  const { engine } = call;
  // Monitors see the function before the commands that it calls.
  if (engine.monitors.size > 0) feedMonitors(engine, call);
  const functions = engine.part(Functions);
  const called = functions.find(call.text(1)) ?? fail("ERR Function not found");
  functions.call(call, called, keyCountOf(call, "ERR Bad number of keys provided"), readOnly);
}
