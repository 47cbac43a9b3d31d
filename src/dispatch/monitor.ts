/**
 * The output of MONITOR: one line per command, with its time, database, client and quoted arguments.
 */
import { fromLatin1 } from "../core/bytes.ts";
import type { Engine } from "../engine/engine.ts";
import type { Call } from "./call.ts";

const ESCAPES: Record<number, string> = { 10: "\\n", 13: "\\r", 9: "\\t", 7: "\\a", 8: "\\b", 34: '\\"', 92: "\\\\" };

/** Bytes quoted as in Redis: within double quotes, with printable ASCII unchanged and the other bytes escaped. */
export function quote(bytes: Uint8Array, start: number, end: number): string {
  let out = '"';
  for (let i = start; i < end; i++) {
    const c = bytes[i];
    out += ESCAPES[c] ??
      (c >= 32 && c < 127 ? String.fromCharCode(c) : `\\x${c.toString(16).padStart(2, "0")}`);
  }
  return out + '"';
}

/** Sends the request of a call to all monitors. */
export function feedMonitors(engine: Engine, call: Call): void {
  const us = Math.floor(engine.clock.nowMs() * 1000);
  const seconds = Math.floor(us / 1e6);
  const source = call.session.transport === undefined ? "lua" : call.session.transport.remote;
  let line = `${seconds}.${String(us % 1e6).padStart(6, "0")} [${call.session.db} ${source}]`;
  for (let i = 0; i < call.argc; i++) {
    line += call.secrets?.has(i) ? ' "(redacted)"' : ` ${quote(call.bytes, call.start(i), call.end(i))}`;
  }
  const message = fromLatin1(`+${line}\r\n`);
  // These messages are replies to MONITOR, so CLIENT REPLY OFF drops them.
  for (const session of engine.monitors) if (session.replyMode !== "off") engine.push(session, message);
}
