/**
 * The subcommands of DEBUG that change an internal parameter. Subcommands for parts that MemDB does not have only
 * check their argument; docs/compatibility.md lists them.
 */
import { fail } from "../../core/errors.ts";
import { latin1, utf8 } from "../../core/bytes.ts";
import type { Call } from "../../dispatch/call.ts";
import { parseMemory } from "../../settings/kinds.ts";
import { ExpiryMode } from "../../store/keyspace.ts";
import { failWords } from "../shared/help.ts";
import { rewriteConfigFile } from "../shared/config_rewrite.ts";
import { type DebugSubcommand, isOn, looseInteger } from "./subcommand.ts";

export const knobSubcommands: readonly DebugSubcommand[] = [
  {
    name: "ALLOCSIZE-SLOTS-ASSERT",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "No effect: MemDB keeps no sums of sizes by slot.",
    run: idleInteger,
  },
  {
    name: "AOF-FLUSH-SLEEP",
    argc: [3, 3],
    syntax: "<microseconds>",
    summary: "Sleeps before each write to the append-only file.",
    run: (call) => {
      call.engine.knobs.aofFlushSleepUs = looseInteger(call, 2);
      call.reply.ok();
    },
  },
  {
    name: "CONFIG-REWRITE-FORCE-ALL",
    argc: [2, 2],
    syntax: "",
    summary: "Rewrites the config file with all settings, defaults included.",
    run: (call) => {
      const reason = rewriteConfigFile(call, true);
      if (reason !== "") fail(`ERR CONFIG-REWRITE-FORCE-ALL failed: ${latin1(utf8(reason))}`);
      call.reply.ok();
    },
  },
  {
    name: "DICT-RESIZING",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "No effect: a table grows and shrinks in small steps at all times.",
    run: (call) => call.reply.ok(),
  },
  {
    name: "KEYSIZES-HIST-ASSERT",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "Checks the histograms of INFO keysizes after every command that changes a key.",
    run: assertSizes,
  },
  {
    name: "PAUSE-CRON",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "Stops or starts the periodic work of the server.",
    run: (call) => {
      call.engine.cronPaused = isOn(call, 2);
      call.reply.ok();
    },
  },
  {
    name: "QUICKLIST-PACKED-THRESHOLD",
    argc: [3, 3],
    syntax: "<size>",
    summary: "No effect: the size at which an element gets a node of its own is fixed.",
    run: (call) => {
      const bytes = parseMemory(call.text(2));
      if (bytes === undefined || bytes > PACKED_THRESHOLD_MAX) fail(WRONG_THRESHOLD);
      call.reply.ok();
    },
  },
  {
    name: "REPLY-COPY-AVOIDANCE",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "No effect: every reply is copied into chunks.",
    run: (call) => call.reply.ok(),
  },
  {
    name: "REPLYBUFFER",
    argc: [4, 4],
    syntax: "PEAK-RESET-TIME <NEVER|RESET|milliseconds> | RESIZING <0|1>",
    summary: "No effect: a client holds memory for replies only while it has some.",
    run: replyBuffer,
  },
  {
    name: "SET-ACTIVE-EXPIRE",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "Stops or starts the deletion of expired keys and fields that no command touches.",
    run: (call) => {
      call.engine.activeExpiry = isOn(call, 2);
      call.reply.ok();
    },
  },
  {
    name: "SET-ALLOW-ACCESS-EXPIRED",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "Shows expired keys and fields to commands, and deletes none of them.",
    run: setAllowExpired,
  },
  {
    name: "SET-DISABLE-DENY-SCRIPTS",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "Lets scripts run every command.",
    run: (call) => {
      call.engine.knobs.scriptsRunAll = isOn(call, 2);
      call.reply.ok();
    },
  },
  {
    name: "SET-SKIP-CHECKSUM-VALIDATION",
    argc: [3, 3],
    syntax: "<0|1>",
    summary: "Lets RESTORE take payloads whose checksum is wrong.",
    run: (call) => {
      call.engine.knobs.skipChecksum = isOn(call, 2);
      call.reply.ok();
    },
  },
];

/** Redis's limit: slightly below 4 GiB. */
const PACKED_THRESHOLD_MAX = 2n ** 32n - 2n ** 20n;
const WRONG_THRESHOLD = "ERR argument must be a memory value bigger than 1 and smaller than 4gb";

function idleInteger(call: Call): void {
  call.integer(2);
  call.reply.ok();
}

function assertSizes(call: Call): void {
  const { engine, store } = call;
  const on = call.integer(2) !== 0;
  engine.knobs.stopSizeChecks?.();
  engine.knobs.stopSizeChecks = undefined;
  if (on) {
    const check = { run: () => store.databases.forEach((db) => db.checkSizes()) };
    engine.knobs.stopSizeChecks = engine.listeners.keyChanged.add(() => engine.afterCommand.add(check));
  }
  call.reply.ok();
}

function replyBuffer(call: Call): void {
  if (call.is(2, "peak-reset-time")) {
    if (!call.is(3, "never") && !call.is(3, "reset")) call.integer(3);
  } else if (!call.is(2, "resizing")) {
    failWords(call, "DEBUG");
  }
  call.reply.ok();
}

function setAllowExpired(call: Call): void {
  const { engine, reply, store } = call;
  engine.knobs.releaseExpired?.();
  engine.knobs.releaseExpired = isOn(call, 2) ? engine.holdExpiry(ExpiryMode.KEEP) : undefined;
  store.expiryMode = engine.expiryFloor;
  reply.ok();
}
