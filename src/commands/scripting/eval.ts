/**
 * EVAL and EVALSHA, which run Lua scripts, and their variants that cannot write.
 */
import type { Call } from "../../dispatch/call.ts";
import { feedMonitors } from "../../dispatch/monitor.ts";
import { type CommandFlag, type CommandSpec, keyCount } from "../../dispatch/spec.ts";
import { Scripts } from "../../scripting/scripts.ts";
import { bitsOfScript } from "../../scripting/shebang.ts";

const FLAGS: readonly CommandFlag[] = ["noscript", "stale", "skip_monitor", "no_mandatory_keys", "movablekeys"];
const WRITING = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
const READING = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";
const COMMON = {
  group: "scripting",
  complexity: "Depends on the script that is executed.",
  arity: -3,
  differs: [
    "Errors name the server, and those of Valkey do not name the script.",
    "`redis.REDIS_VERSION` is 7.2.4 in Valkey, which also has `server.VALKEY_VERSION` and `server.SERVER_NAME`.",
  ],
  likelyKey: 3,
  mayBeLong: true,
  needsDisk: true,
} as const;
const MAY_WRITE = { flags: [...FLAGS, "may_replicate"], keys: keyCount(2, "RW ACCESS UPDATE") } as const;
const READ_ONLY = { flags: ["readonly", ...FLAGS], keys: keyCount(2, "RO ACCESS") } as const;

export const evalCommands: readonly CommandSpec[] = [
  {
    ...COMMON,
    ...MAY_WRITE,
    name: "eval",
    summary: "Runs a Lua script.",
    since: "2.6.0",
    keys: MAY_WRITE.keys.map((key) => ({ ...key, notes: WRITING })),
    syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
    bitsOf: (call, bits) => bitsOfScript(call.engine.part(Scripts).flagsOf(call, false), bits),
    handler: (call) => run(call, false, false),
  },
  {
    ...COMMON,
    ...READ_ONLY,
    name: "eval_ro",
    summary: "Runs a Lua script that cannot write.",
    since: "7.0.0",
    keys: READ_ONLY.keys.map((key) => ({ ...key, notes: READING })),
    syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
    bitsOf: (call, bits) => bitsOfScript(call.engine.part(Scripts).flagsOf(call, false), bits),
    handler: (call) => run(call, false, true),
  },
  {
    ...COMMON,
    ...MAY_WRITE,
    name: "evalsha",
    summary: "Runs a Lua script that the server knows, by its SHA-1.",
    since: "2.6.0",
    syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
    bitsOf: (call, bits) => bitsOfScript(call.engine.part(Scripts).flagsOf(call, true), bits),
    handler: (call) => run(call, true, false),
  },
  {
    ...COMMON,
    ...READ_ONLY,
    name: "evalsha_ro",
    summary: "Runs a Lua script that the server knows and that cannot write, by its SHA-1.",
    since: "7.0.0",
    syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
    bitsOf: (call, bits) => bitsOfScript(call.engine.part(Scripts).flagsOf(call, true), bits),
    handler: (call) => run(call, true, true),
  },
];

function run(call: Call, bySha: boolean, readOnly: boolean): void {
  const { engine } = call;
  // Monitors see the script before the commands that it calls.
  if (engine.monitors.size > 0) feedMonitors(engine, call);
  const scripts = engine.part(Scripts);
  if (bySha) scripts.evaluateSha(call, readOnly);
  else scripts.evaluate(call, readOnly);
}
