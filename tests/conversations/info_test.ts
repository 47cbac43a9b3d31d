/**
 * INFO clients, stats, errorstats and commandstats: compared with released servers after the same conversations.
 */
import { compareScripts } from "./compare_scripts.ts";
import { INFO_SCRIPTS } from "./info_scripts.ts";

/** The fields that do not depend on sizes, times, and the connections of the harness before. */
const COMPARED = new Set([
  "connected_clients",
  "blocked_clients",
  "pubsub_clients",
  "watching_clients",
  "clients_in_timeout_table",
  "total_watched_keys",
  "total_blocking_keys",
  "total_blocking_keys_on_nokey",
  "total_connections_received",
  "total_commands_processed",
  "rejected_connections",
  "expired_keys",
  "evicted_keys",
  "keyspace_hits",
  "keyspace_misses",
  "pubsub_channels",
  "pubsub_patterns",
  "pubsubshard_channels",
  "total_error_replies",
  "unexpected_error_replies",
]);

function comparable(text: string): string {
  return text.split("\r\n").filter((line) => {
    const name = line.split(":")[0];
    return COMPARED.has(name) || /^(errorstat|cmdstat)_/.test(line) || !/^(\$\d+|[a-z_0-9]+:.*)$/.test(line);
  }).map((line) => line.replace(/usec=\d+,usec_per_call=[\d.]+/, "")).sort().join("\r\n");
}

compareScripts("INFO tells what it tells on", INFO_SCRIPTS, { mask: comparable, programs: ["redis-server"] });
