/** `--scan`, and the walk over the keyspace that other modes are built on. */
import { fromBytes } from "../binary.ts";
import { quote } from "../quoting.ts";
import { ask, type ModeContext, ModeError, pause } from "./context.ts";

/** The keys, a batch for each SCAN. */
export async function* scanKeys({ connection, options }: ModeContext): AsyncGenerator<string[]> {
  let cursor = "0";
  do {
    const args = ["SCAN", cursor];
    if (options.pattern !== undefined) args.push("MATCH", options.pattern);
    if (options.count !== undefined) args.push("COUNT", String(options.count));
    const reply = await ask(connection, args);
    const [next, keys] = "items" in reply ? reply.items : [];
    if (next === undefined || !("bytes" in next) || keys === undefined || !("items" in keys)) {
      throw new ModeError("SCAN failed: not the reply of a SCAN");
    }
    cursor = fromBytes(next.bytes);
    yield keys.items.map((key) => "bytes" in key ? fromBytes(key.bytes) : "");
  } while (cursor !== "0");
}

/** `--scan`: one key a line, quoted in standard output. */
export async function scan(context: ModeContext): Promise<void> {
  for await (const keys of scanKeys(context)) {
    const lines = keys.map((key) => (context.output === "standard" ? quote(key) : key) + "\n");
    context.sink.write(lines.join(""));
    if (context.options.intervalMs > 0) await pause(context.options.intervalMs);
  }
}

/**
 * The keys of the whole database in batches, each with the share of the keys that came before it, as a percentage.
 * Pauses for `-i` after every 100 SCANs.
 */
export async function* sampleKeys(context: ModeContext): AsyncGenerator<{ keys: string[]; share: string }> {
  const { connection, options } = context;
  const total = await ask(connection, ["DBSIZE"]);
  let [sampled, rounds] = [0, 0];
  for await (const keys of scanKeys(context)) {
    const share = total.type === "integer" && total.value > 0 ? 100 * sampled / Number(total.value) : 0;
    yield { keys, share: percentage(share) };
    sampled += keys.length;
    if (++rounds % 100 === 0 && options.intervalMs > 0) await pause(options.intervalMs);
  }
}

/** 7.5 as "07.50%". */
export function percentage(share: number): string {
  return share.toFixed(2).padStart(5, "0") + "%";
}
