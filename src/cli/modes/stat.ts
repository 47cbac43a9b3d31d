/** `--stat`: the server's figures, a line at a time. */
import { ask, type ModeContext, pause, textOf } from "./context.ts";

/** `--stat`: a line of figures every interval (1 s), until interrupted; `-r` limits the lines. */
export async function stat({ connection, options, sink }: ModeContext): Promise<void> {
  let previousRequests: number | undefined;
  const lines = options.repeat > 1 ? options.repeat : Infinity;
  for (let line = 0; line < lines; line++) {
    if (line > 0) await pause(options.intervalMs || 1000);
    const info = new Map(
      textOf(await ask(connection, ["INFO"])).split("\r\n").filter((row) => row.includes(":"))
        .map((row) => [row.slice(0, row.indexOf(":")), row.slice(row.indexOf(":") + 1)] as const),
    );
    if (line % 20 === 0) {
      sink.write("------- data ------ --------------------- load -------------------- - child -\n");
      sink.write("keys       mem      clients blocked requests            connections          \n");
    }
    let keys = 0;
    for (const [name, value] of info) {
      if (/^db\d+$/.test(name)) keys += Number(/keys=(\d+)/.exec(value)?.[1] ?? 0);
    }
    const requests = Number(info.get("total_commands_processed") ?? 0);
    const delta = previousRequests === undefined ? 0 : requests - previousRequests;
    previousRequests = requests;
    const running = (name: string) => info.get(name) === "1";
    const saving = running("rdb_bgsave_in_progress");
    const rewriting = running("aof_rewrite_in_progress");
    const child = running("loading")
      ? "LOAD"
      : saving && rewriting
      ? "SAVE+AOF"
      : saving
      ? "SAVE"
      : rewriting
      ? "AOF"
      : "";
    const cells = [
      String(keys).padEnd(11),
      humanBytes(Number(info.get("used_memory") ?? 0)).padEnd(9),
      (info.get("connected_clients") ?? "").padEnd(8),
      (info.get("blocked_clients") ?? "").padEnd(8),
      `${requests} (+${delta})`.padEnd(20),
      (info.get("total_connections_received") ?? "").padEnd(12),
      child,
    ];
    sink.write(cells.join("") + "\n");
  }
}

/** 1536 as "1.50K". */
function humanBytes(size: number): string {
  let [value, unit] = [size, "B"];
  for (const next of ["K", "M", "G", "T"]) {
    if (value < 1024) break;
    [value, unit] = [value / 1024, next];
  }
  return unit === "B" ? `${value}B` : `${value.toFixed(2)}${unit}`;
}
