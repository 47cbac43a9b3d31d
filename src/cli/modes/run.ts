/** Chooses the mode that a flag names and gives it a connection. */
import type { Mode } from "../options.ts";
import { Session } from "../session.ts";
import type { ModeContext, ModeSettings } from "./context.ts";
import { hotKeys, largestKeys } from "./keys.ts";
import { intrinsicLatency, latency } from "./latency.ts";
import { lruTest } from "./cache_workload.ts";
import { pipe } from "./pipe.ts";
import { scan } from "./scan.ts";
import { stat } from "./stat.ts";

/** Modes that talk to a server; false when something failed, which was printed. */
const modes: Readonly<Partial<Record<Mode, (context: ModeContext) => Promise<void | boolean>>>> = {
  scan,
  stat,
  latency,
  pipe: (context) => pipe(context, Deno.stdin.readable),
  bigkeys: (context) => largestKeys(context, "elements"),
  memkeys: (context) => largestKeys(context, "memory"),
  hotkeys: hotKeys,
  "latency-history": latency,
  "lru-test": lruTest,
};

/** Runs a mode other than "commands". Returns the exit status. */
export async function runMode(mode: Mode, settings: ModeSettings): Promise<number> {
  if (mode === "intrinsic-latency") {
    intrinsicLatency(settings);
    return 0;
  }
  const { options, output, sink } = settings;
  const session = new Session(
    { options: { ...options, protocol: 2 }, output, showPushes: false, interactive: false },
    sink,
  );
  const connection = await session.detach();
  if (connection === undefined) return 1;
  try {
    return await modes[mode]!({ ...settings, connection }) === false ? 1 : 0;
  } finally {
    connection.close();
  }
}
