/**
 * HOTKEYS: finds the keys that take the most processor time and network bytes. The counting is in engine/hot_keys.ts.
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import type { Weighted } from "../../core/heavy_hitters.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";
import { HotKeys, type HotKeysOptions } from "../../engine/hot_keys.ts";
import { subcommandHelp } from "../shared/help.ts";

const COMMON = { group: "server", complexity: "O(1)", since: "8.6.0", flags: ["admin", "noscript"] } as const;
const SPECIAL = ["request_policy:special"];

const COUNT = 10, COUNT_MAX = 64;
/** Seconds. */
const DURATION_MAX = 1_000_000;
const METRICS_MAX = 2;
const INT_MAX = 2 ** 31 - 1;
const SLOT_LAST = 16383;

export const hotKeysCommands: readonly CommandSpec[] = [{
  name: "hotkeys",
  only: "redis",
  summary: "A container for commands that find the most used keys.",
  since: "8.6.0",
  group: "server",
  complexity: "Depends on subcommand.",
  arity: -2,
  flags: [],
  syntax: "",
  subcommands: [
    {
      ...COMMON,
      name: "get",
      summary: "Returns the keys that took the most time or bytes.",
      complexity: "O(K) where K is the number of keys returned",
      arity: 2,
      tips: ["nondeterministic_output", ...SPECIAL, "response_policy:special"],
      syntax: "",
      handler: get,
    },
    {
      ...COMMON,
      name: "help",
      summary: "Describes the subcommands.",
      since: "8.6.1",
      flags: ["loading", "stale"],
      arity: 2,
      syntax: "",
      handler: subcommandHelp,
    },
    {
      ...COMMON,
      name: "reset",
      summary: "Forgets what was found.",
      arity: 2,
      tips: SPECIAL,
      syntax: "",
      handler: reset,
    },
    {
      ...COMMON,
      name: "start",
      summary: "Begins to count the time or the bytes of commands for their keys.",
      arity: -2,
      tips: SPECIAL,
      syntax: "METRICS <count [CPU] [NET]> [COUNT k] [DURATION seconds] [SAMPLE ratio] [SLOTS count slot [slot ...]]",
      types: { k: "integer", ratio: "integer" },
      handler: start,
    },
    {
      ...COMMON,
      name: "stop",
      summary: "Ends the counting, and keeps what was found.",
      arity: 2,
      tips: SPECIAL,
      syntax: "",
      handler: stop,
    },
  ],
}];

function start(call: Call): void {
  const { engine, reply } = call;
  if (engine.hotKeys?.active) fail("ERR hotkey tracking session already in progress");
  const options = readOptions(call);
  const hotKeys = new HotKeys(options, engine.clock, engine.store.random, () => engine.measuring = undefined);
  engine.hotKeys = engine.measuring = hotKeys;
  cpuAtStart.set(hotKeys, globalThis.process.cpuUsage());
  reply.ok();
}

/** The processor time of the process when a tracking began. */
const cpuAtStart = new WeakMap<HotKeys, { user: number; system: number }>();

/** Throws CommandError. */
function readOptions(call: Call): HotKeysOptions {
  if (call.argc < 4 || !call.is(2, "metrics")) fail("ERR METRICS parameter is required");
  const badMetrics = `ERR METRICS count must be > 0 and <= ${METRICS_MAX}`;
  const behind = 4 + call.integerIn(3, 1, METRICS_MAX, badMetrics, badMetrics);
  let cpu = false, net = false;
  for (let i = 4; i < Math.min(behind, call.argc); i++) {
    // An unknown metric is left out, as in Redis.
    if (call.is(i, "cpu")) cpu = cpu ? fail("ERR METRICS CPU defined more than once!") : true;
    else if (call.is(i, "net")) net = net ? fail("ERR METRICS NET defined more than once!") : true;
  }
  if (behind > call.argc) fail("ERR METRICS count does not match number of metric types provided");
  if (!cpu && !net) fail("ERR METRICS no valid metrics passed. Supported: CPU|NET");
  let count = COUNT, durationMs = 0, sampleRatio = 1;
  for (let i = behind; i < call.argc; i += 2) {
    if (i + 1 === call.argc) fail(messages.syntax);
    const number = (max: number, message: string) => call.integerIn(i + 1, 1, max, message, message);
    if (call.is(i, "count")) count = number(COUNT_MAX, `ERR COUNT must be between 1 and ${COUNT_MAX}`);
    else if (call.is(i, "duration")) {
      durationMs = 1000 * number(DURATION_MAX, `ERR DURATION must be between 1 and ${DURATION_MAX}`);
    } else if (call.is(i, "sample")) sampleRatio = number(INT_MAX, "ERR SAMPLE ratio must be positive");
    else fail(call.is(i, "slots") ? "ERR SLOTS parameter cannot be used in non-cluster mode" : messages.syntax);
  }
  return { cpu, net, count, durationMs, sampleRatio };
}

function stop({ engine: { hotKeys }, reply }: Call): void {
  if (!hotKeys?.active) return reply.null();
  hotKeys.stop();
  reply.ok();
}

function reset({ engine, reply }: Call): void {
  if (engine.hotKeys?.active) fail("ERR hotkey tracking session in progress, stop tracking first");
  engine.hotKeys = undefined;
  reply.ok();
}

/** An array of one map, because the results of several nodes may be put together. */
function get(call: Call): void {
  const { engine: { hotKeys }, reply } = call;
  if (hotKeys === undefined) return reply.null();
  const { active, commandsBytes, commandsUs, countedBytes, durationMs, options, startMs } = hotKeys;
  const byTime = hotKeys.byTime(), byBytes = hotKeys.byBytes();
  reply.array(1);
  reply.map(7 + (byTime === undefined ? 0 : 3) + (byBytes === undefined ? 0 : 2));
  replyNumber(call, "tracking-active", active ? 1 : 0);
  replyNumber(call, "sample-ratio", options.sampleRatio);
  reply.bulkText("selected-slots");
  reply.array(1);
  reply.array(2);
  reply.integer(0);
  reply.integer(SLOT_LAST);
  replyNumber(call, "all-commands-all-slots-us", commandsUs);
  replyNumber(call, "net-bytes-all-commands-all-slots", commandsBytes);
  replyNumber(call, "collection-start-time-unix-ms", startMs);
  replyNumber(call, "collection-duration-ms", durationMs);
  if (byTime !== undefined) {
    const { user, system } = globalThis.process.cpuUsage(cpuAtStart.get(hotKeys));
    replyNumber(call, "total-cpu-time-user-ms", user / 1000);
    replyNumber(call, "total-cpu-time-sys-ms", system / 1000);
  }
  if (byBytes !== undefined) replyNumber(call, "total-net-bytes", countedBytes);
  if (byTime !== undefined) replyKeys(call, "by-cpu-time-us", byTime);
  if (byBytes !== undefined) replyKeys(call, "by-net-bytes", byBytes);
}

function replyNumber({ reply }: Call, name: string, value: number): void {
  reply.bulkText(name);
  reply.integer(Math.floor(value));
}

function replyKeys({ reply }: Call, name: string, keys: readonly Weighted[]): void {
  reply.bulkText(name);
  reply.array(2 * keys.length);
  for (const { name, weight } of keys) {
    reply.bulk(fromLatin1(name));
    reply.integer(weight);
  }
}
