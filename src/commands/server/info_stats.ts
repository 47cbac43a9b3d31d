/**
 * The sections of INFO with measurements: memory, work done, processor time, and counts per command, error and
 * database.
 */
import { Type } from "../../store/keyspace.ts";
import { Subscriptions } from "../../conversations/subscriptions.ts";
import { Functions } from "../../scripting/functions.ts";
import { Scripts } from "../../scripting/scripts.ts";
import { Tracking } from "../../conversations/tracking.ts";
import type { Call } from "../../dispatch/call.ts";
import { memoryReport, ratio } from "./memory_report.ts";

/** Name and value of a line. */
export type Field = readonly [string, string | number];

const UNITS = ["B", "K", "M", "G", "T", "P"];

/** Bytes in Redis's human-readable form: "694.27K". */
export function humanBytes(bytes: number): string {
  let unit = 0;
  while (bytes >= 1024 ** (unit + 1) && unit < UNITS.length - 1) unit++;
  return unit === 0 ? `${bytes}B` : `${(bytes / 1024 ** unit).toFixed(2)}${UNITS[unit]}`;
}

/** Two lines: the bytes, and their human-readable form under another name. */
function bytesFields(name: string, bytes: number): Field[] {
  return [[name, bytes], [`${name}_human`, humanBytes(bytes)]];
}

/**
 * Whether the process already has Deno's permission for this system information; requesting it would stop the server
 * at a prompt.
 */
export function mayKnow(kind: "osRelease" | "systemMemoryInfo"): boolean {
  return Deno.permissions.querySync({ name: "sys", kind }).state === "granted";
}

export function memoryFields({ engine }: Call): Field[] {
  const report = memoryReport(engine);
  const { usedBytes, allocatedBytes, reservedBytes, residentBytes, peakBytes, startBytes } = report;
  const { overheadBytes, datasetBytes } = report;
  const { values } = engine.settings;
  const scripts = engine.part(Scripts), functions = engine.part(Functions);
  return [
    ...bytesFields("used_memory", usedBytes),
    ...bytesFields("used_memory_rss", residentBytes),
    ...bytesFields("used_memory_peak", peakBytes),
    ["used_memory_peak_time", engine.stats.peakTime],
    ["used_memory_peak_perc", `${(100 * ratio(usedBytes, peakBytes)).toFixed(2)}%`],
    ["used_memory_overhead", overheadBytes],
    ["used_memory_startup", startBytes],
    ["used_memory_dataset", datasetBytes],
    ["used_memory_dataset_perc", `${(100 * ratio(datasetBytes, usedBytes - startBytes)).toFixed(2)}%`],
    ["allocator_allocated", allocatedBytes],
    ["allocator_active", reservedBytes],
    ["allocator_resident", reservedBytes],
    ["allocator_muzzy", 0],
    ...bytesFields("total_system_memory", mayKnow("systemMemoryInfo") ? Deno.systemMemoryInfo().total : 0),
    ["used_memory_lua", scripts.usedBytes],
    ["used_memory_vm_eval", scripts.usedBytes],
    ["used_memory_lua_human", humanBytes(scripts.usedBytes)],
    ["used_memory_scripts_eval", scripts.cache.bytes],
    ["number_of_cached_scripts", scripts.cache.count],
    ["number_of_functions", functions.functionCount],
    ["number_of_libraries", functions.libraries.length],
    ["used_memory_vm_functions", functions.usedBytes],
    ...bytesFields("used_memory_vm_total", scripts.usedBytes + functions.usedBytes),
    ["used_memory_functions", functions.libraryBytes],
    ...bytesFields("used_memory_scripts", scripts.cache.bytes + functions.libraryBytes),
    ...bytesFields("maxmemory", values.maxmemory),
    ["maxmemory_policy", values.maxmemoryPolicy],
    ["allocator_frag_ratio", ratio(reservedBytes, allocatedBytes).toFixed(2)],
    ["allocator_frag_bytes", reservedBytes - allocatedBytes],
    ["allocator_rss_ratio", "1.00"],
    ["allocator_rss_bytes", 0],
    ["rss_overhead_ratio", ratio(residentBytes, reservedBytes).toFixed(2)],
    ["rss_overhead_bytes", residentBytes - reservedBytes],
    ["mem_fragmentation_ratio", ratio(residentBytes, usedBytes).toFixed(2)],
    ["mem_fragmentation_bytes", residentBytes - usedBytes],
    ["mem_not_counted_for_evict", 0],
    ["mem_replication_backlog", 0],
    ["mem_total_replication_buffers", 0],
    ["mem_replica_full_sync_buffer", 0],
    ["mem_clients_slaves", engine.clientMemory.byKind.replica],
    ["mem_clients_normal", report.clientBytes],
    ["mem_cluster_slot_migration_output_buffer", 0],
    ["mem_cluster_slot_migration_input_buffer", 0],
    ["mem_cluster_slot_migration_input_buffer_peak", 0],
    ["mem_cluster_links", 0],
    ["mem_aof_buffer", engine.persistence.pendingBytes],
    ["mem_allocator", "memdb-arena"],
    ["mem_overhead_db_hashtable_rehashing", 0],
    ["active_defrag_running", 0],
    ["lazyfree_pending_objects", engine.store.garbageCount],
    ["lazyfreed_objects", engine.store.freedLater],
  ];
}

export function statsFields({ engine, table }: Call): Field[] {
  const { eviction, rates, stats, store } = engine;
  let commandUs = 0;
  for (const { stats } of table.all()) commandUs += stats.usec;
  const subscriptions = engine.part(Subscriptions), tracking = engine.part(Tracking);
  const kbps = (rate: { perSecond: number }) => (rate.perSecond / 1024).toFixed(2);
  return [
    ["total_connections_received", stats.connections],
    ["total_commands_processed", stats.commands],
    ["instantaneous_ops_per_sec", Math.round(rates.commands.perSecond)],
    ["total_net_input_bytes", stats.inputBytes],
    ["total_net_output_bytes", stats.outputBytes],
    ["total_net_repl_input_bytes", 0],
    ["total_net_repl_output_bytes", 0],
    ["instantaneous_input_kbps", kbps(rates.inputBytes)],
    ["instantaneous_output_kbps", kbps(rates.outputBytes)],
    ["instantaneous_input_repl_kbps", "0.00"],
    ["instantaneous_output_repl_kbps", "0.00"],
    ["rejected_connections", stats.rejectedConnections],
    ["sync_full", 0],
    ["sync_partial_ok", 0],
    ["sync_partial_err", 0],
    ["expired_subkeys", store.expiredFields],
    ["expired_subkeys_active", stats.expiredFieldsActive],
    ["expired_keys", store.expired],
    ["expired_keys_active", stats.expiredActive],
    ["expired_stale_perc", stats.stalePercent.toFixed(2)],
    ["expired_time_cap_reached_count", stats.expireCycleStopped],
    ["expire_cycle_cpu_milliseconds", Math.floor(stats.expireCycleUs / 1000)],
    ["evicted_keys", stats.evicted],
    ["evicted_clients", stats.evictedClients],
    ["evicted_scripts", stats.evictedScripts],
    ["total_eviction_exceeded_time", Math.floor((stats.evictionExceededUs + eviction.exceededUs) / 1000)],
    ["current_eviction_exceeded_time", Math.floor(eviction.exceededUs / 1000)],
    ["keyspace_hits", store.hits],
    ["keyspace_misses", store.misses],
    ["pubsub_channels", subscriptions.count("channel")],
    ["pubsub_patterns", subscriptions.count("pattern")],
    ["pubsubshard_channels", subscriptions.count("shard")],
    ["latest_fork_usec", 0],
    ["total_forks", 0],
    ["migrate_cached_sockets", 0],
    ["slave_expires_tracked_keys", 0],
    ["active_defrag_hits", 0],
    ["active_defrag_misses", 0],
    ["active_defrag_key_hits", 0],
    ["active_defrag_key_misses", 0],
    ["total_active_defrag_time", 0],
    ["current_active_defrag_time", 0],
    ["tracking_total_keys", tracking.keyCount],
    ["tracking_total_items", tracking.itemCount],
    ["tracking_total_prefixes", tracking.prefixCount],
    ["unexpected_error_replies", 0],
    ["total_error_replies", stats.errors],
    ["dump_payload_sanitizations", 0],
    ["total_reads_processed", stats.reads],
    ["total_writes_processed", stats.writes],
    ["io_threaded_reads_processed", 0],
    ["io_threaded_writes_processed", 0],
    ["io_threaded_total_prefetch_batches", 0],
    ["io_threaded_total_prefetch_entries", 0],
    ["client_query_buffer_limit_disconnections", stats.queryLimitDisconnections],
    ["client_output_buffer_limit_disconnections", stats.outputLimitDisconnections],
    ["eventloop_cycles", stats.eventLoopCycles],
    ["eventloop_duration_sum", Math.round(stats.eventLoopUs)],
    ["eventloop_duration_cmd_sum", Math.round(commandUs)],
    ["instantaneous_eventloop_cycles_per_sec", Math.round(rates.eventLoopCycles.perSecond)],
    [
      "instantaneous_eventloop_duration_usec",
      Math.round(ratio(rates.eventLoopUs.perSecond, rates.eventLoopCycles.perSecond)),
    ],
    ["acl_access_denied_auth", stats.denied.auth],
    ["acl_access_denied_cmd", stats.denied.command],
    ["acl_access_denied_key", stats.denied.key],
    ["acl_access_denied_channel", stats.denied.channel],
    ["acl_access_denied_tls_cert", 0],
    ...engine.identity.personality === "valkey" ? [["acl_access_denied_db", stats.denied.database] as const] : [],
  ];
}

/** One thread serves all clients. */
export function threadFields({ engine: { sessions, stats } }: Call): Field[] {
  return [["io_thread_0", `clients=${sessions.size},reads=${stats.reads},writes=${stats.writes}`]];
}

/** Deno does not report processor time per thread, so the main thread has no separate figures. */
export function cpuFields(): Field[] {
  const { system, user } = globalThis.process.cpuUsage();
  return [
    ["used_cpu_sys", (system / 1e6).toFixed(6)],
    ["used_cpu_user", (user / 1e6).toFixed(6)],
    ["used_cpu_sys_children", "0.000000"],
    ["used_cpu_user_children", "0.000000"],
  ];
}

export function hotKeysFields({ engine: { hotKeys } }: Call): Field[] {
  if (hotKeys === undefined) return [];
  return [
    ["hotkeys-tracking-active", hotKeys.active ? 1 : 0],
    ["hotkeys-cmd-cpu-time", Math.floor(hotKeys.ownUs / 1000)],
  ];
}

export function commandFields({ table }: Call): Field[] {
  return [...table.all()].filter(({ stats }) => stats.calls + stats.rejected + stats.failed > 0).map(
    ({ fullName, stats: { calls, usec, rejected, failed } }) => [
      `cmdstat_${fullName}`,
      `calls=${calls},usec=${Math.round(usec)},usec_per_call=${ratio(usec, calls).toFixed(2)},` +
      `rejected_calls=${rejected},failed_calls=${failed}`,
    ],
  );
}

export function errorFields({ engine }: Call): Field[] {
  return [...engine.stats.errorCodes].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([code, count]) => [`errorstat_${code}`, `count=${count}`]);
}

export function latencyFields({ engine, table }: Call): Field[] {
  const percents = engine.settings.values.latencyTrackingInfoPercentiles;
  return [...table.all()].filter(({ stats }) => stats.latency.total > 0).map(({ fullName, stats }) => [
    `latency_percentiles_usec_${fullName}`,
    percents.map((percent) => `p${percent}=${stats.latency.percentile(percent).toFixed(3)}`).join(","),
  ]);
}

export function keyspaceFields({ store, valkey }: Call): Field[] {
  const hashes = valkey ? "keys_with_volatile_items" : "subexpiry";
  return store.databases.filter((db) => db.size > 0).map((db) => [
    `db${db.index}`,
    `keys=${db.size},expires=${db.expiresSize},avg_ttl=${Math.round(db.averageTtlMs)},${hashes}=${db.fieldExpiresSize}`,
  ]);
}

/** The histograms of Keysizes: their names by type. */
const SIZE_NAMES: readonly [type: number, name: string][] = [
  [Type.STRING, "strings_sizes"],
  [Type.LIST, "lists_items"],
  [Type.SET, "sets_items"],
  [Type.ZSET, "zsets_items"],
  [Type.HASH, "hashes_items"],
];

export function keySizeFields({ store }: Call): Field[] {
  return store.databases.flatMap(({ index, sizes }) =>
    SIZE_NAMES.flatMap(([type, name]): Field[] => {
      const bins = sizes.bins(type).map(({ from, keys }) => `${powerText(from)}=${keys}`);
      return bins.length === 0 ? [] : [[`db${index}_distrib_${name}`, bins.join(",")]];
    })
  );
}

/** A power of two, or 0, with a unit of 1024, 1024^2 or more: 32K. */
function powerText(value: number): string {
  const units = ["", "K", "M", "G", "T"];
  const unit = value === 0 ? 0 : Math.floor(Math.log2(value) / 10);
  return `${value / 1024 ** unit}${units[unit]}`;
}
