/**
 * The sections of INFO about the identity and state of the server: server, clients, persistence, replication.
 */
import { MEMDB_VERSION } from "../../core/version.ts";
import type { Engine } from "../../engine/engine.ts";
import { Blocking } from "../../conversations/blocking.ts";
import { Deadlines } from "../../conversations/deadlines.ts";
import { Tracking } from "../../conversations/tracking.ts";
import type { Call } from "../../dispatch/call.ts";
import { type Field, mayKnow } from "./info_stats.ts";

const SYSTEM_NAMES: Partial<Record<typeof Deno.build.os, string>> = {
  darwin: "Darwin",
  linux: "Linux",
  windows: "Windows",
};

/** Name, release and machine as printed by uname; without the permission to read the release, it is left out. */
function systemName(): string {
  const { arch, os } = Deno.build;
  const release = mayKnow("osRelease") ? Deno.osRelease() : "";
  return [SYSTEM_NAMES[os] ?? os, release, arch].filter((part) => part !== "").join(" ");
}

/** One field for each kind of listener, with its addresses. */
function listenerFields({ port, settings: { values } }: Engine): Field[] {
  const listeners: string[] = [];
  if (port > 0) listeners.push(`name=tcp,${values.bind.map((address) => `bind=${address},`).join("")}port=${port}`);
  if (values.unixsocket !== "") listeners.push(`name=unix,bind=${values.unixsocket}`);
  return listeners.map((text, i) => [`listener${i}`, text]);
}

export function serverFields({ engine }: Call): Field[] {
  const nowMs = engine.clock.nowMs();
  const upSeconds = Math.max(0, Math.floor((nowMs - engine.startMs) / 1000));
  const { hz } = engine.settings.values;
  return [
    ["redis_version", engine.identity.redisVersion],
    ["redis_git_sha1", "00000000"],
    ["redis_git_dirty", 0],
    ["redis_build_id", MEMDB_VERSION],
    ["redis_mode", "standalone"],
    ["memdb_version", MEMDB_VERSION],
    ["memdb_deno_version", Deno.version.deno],
    ["os", systemName()],
    ["arch_bits", 64],
    ["monotonic_clock", "performance.now"],
    ["multiplexing_api", "deno"],
    ["process_id", Deno.pid],
    ["process_supervised", "no"],
    ["run_id", engine.runId],
    ["tcp_port", engine.port],
    ["server_time_usec", Math.floor(nowMs * 1000)],
    ["uptime_in_seconds", upSeconds],
    ["uptime_in_days", Math.floor(upSeconds / 86400)],
    ["hz", hz],
    ["configured_hz", hz],
    ["lru_clock", Math.floor(nowMs / 1000) & 0xffffff],
    ["executable", Deno.execPath()],
    ["config_file", engine.configFile],
    ["io_threads_active", 0],
    ...listenerFields(engine),
  ];
}

export function clientFields({ engine }: Call): Field[] {
  const { keys, onRemoval } = engine.part(Blocking).keyCounts();
  const sessions = [...engine.sessions.values()];
  const largest = (bytesOf: (session: typeof sessions[number]) => number) => Math.max(0, ...sessions.map(bytesOf));
  return [
    ["connected_clients", sessions.length],
    ["cluster_connections", 0],
    ["maxclients", engine.settings.values.maxclients],
    ["client_recent_max_input_buffer", largest((session) => session.transport!.queryRoomBytes())],
    ["client_recent_max_output_buffer", largest((session) => session.transport!.outputBytes())],
    ["blocked_clients", sessions.filter(({ suspension }) => suspension !== undefined).length],
    ["tracking_clients", engine.part(Tracking).clientCount],
    ["pubsub_clients", sessions.filter(({ kind }) => kind === "pubsub").length],
    ["watching_clients", engine.watches.sessionCount],
    ["clients_in_timeout_table", engine.part(Deadlines).size],
    ["total_watched_keys", engine.watches.keyCount],
    ["total_blocking_keys", keys],
    ["total_blocking_keys_on_nokey", onRemoval],
  ];
}

/** Progress of loading the append-only file. */
function loadingFields({ clock, persistence }: Engine): Field[] {
  const { loadingStartMs, loadTotalBytes, loadedBytes } = persistence;
  const seconds = Math.max(0, (clock.nowMs() - loadingStartMs) / 1000);
  const share = loadTotalBytes === 0 ? 0 : loadedBytes / loadTotalBytes;
  const left = share === 0 ? 1 : Math.round(seconds * (1 - share) / share);
  return [
    ["loading_start_time", Math.floor(loadingStartMs / 1000)],
    ["loading_total_bytes", loadTotalBytes],
    ["loading_rdb_used_mem", 0],
    ["loading_loaded_bytes", loadedBytes],
    ["loading_loaded_perc", (100 * share).toFixed(2)],
    ["loading_eta_seconds", left],
  ];
}

function rewriteSeconds({ clock, persistence }: Engine): number {
  return Math.floor((clock.monotonicUs() - persistence.rewriteStartUs) / 1e6);
}

/** Before the first save, the time of the start, as in Redis. */
export function persistenceFields({ engine }: Call): Field[] {
  const { persistence, snapshots } = engine;
  const saving = snapshots.cancel !== undefined;
  const status = persistence.fileFailure === "" ? "ok" : "err";
  const fields: Field[] = [
    ["loading", persistence.loading ? 1 : 0],
    ["async_loading", 0],
    ["current_cow_peak", 0],
    ["current_cow_size", 0],
    ["current_cow_size_age", 0],
    ["current_fork_perc", "0.00"],
    ["current_save_keys_processed", saving ? snapshots.keysWritten : persistence.rewriteKeys],
    ["current_save_keys_total", saving ? snapshots.keysTotal : persistence.rewriteKeysTotal],
    ["rdb_changes_since_last_save", engine.stats.changes - snapshots.savedChanges],
    ["rdb_bgsave_in_progress", saving ? 1 : 0],
    ["rdb_last_save_time", Math.floor(snapshots.lastSaveMs / 1000)],
    ["rdb_last_bgsave_status", snapshots.lastFailed ? "err" : "ok"],
    ["rdb_last_bgsave_time_sec", snapshots.lastSeconds],
    ["rdb_current_bgsave_time_sec", saving ? Math.floor((engine.clock.nowMs() - snapshots.startMs) / 1000) : -1],
    ["rdb_saves", snapshots.saves],
    ["rdb_saves_consecutive_failures", snapshots.failures],
    ["rdb_last_cow_size", 0],
    ["rdb_last_load_keys_expired", snapshots.loadedExpiredKeys],
    ["rdb_last_load_keys_loaded", snapshots.loadedKeys],
    ["aof_enabled", persistence.enabled ? 1 : 0],
    ["aof_rewrite_in_progress", persistence.rewriting ? 1 : 0],
    ["aof_rewrite_scheduled", 0],
    ["aof_last_rewrite_time_sec", persistence.lastRewriteSeconds],
    ["aof_current_rewrite_time_sec", persistence.rewriting ? rewriteSeconds(engine) : -1],
    ["aof_last_bgrewrite_status", persistence.rewriteFailed ? "err" : "ok"],
    ["aof_rewrites", persistence.rewrites],
    ["aof_rewrites_consecutive_failures", persistence.rewriteFailures],
    ["aof_last_write_status", status],
    ["aof_last_cow_size", 0],
    ["module_fork_in_progress", 0],
    ["module_fork_last_cow_size", 0],
  ];
  if (persistence.enabled) {
    fields.push(
      ["aof_current_size", persistence.currentBytes],
      ["aof_base_size", persistence.baseBytes],
      ["aof_pending_rewrite", 0],
      ["aof_buffer_length", persistence.pendingBytes],
      ["aof_pending_bio_fsync", persistence.fsyncPending],
      ["aof_delayed_fsync", persistence.delayedFsyncs],
    );
  }
  if (persistence.fileFailure !== "") fields.push(["aof_last_write_error", persistence.fileFailure]);
  if (persistence.loading) fields.push(...loadingFields(engine));
  return fields;
}

export function replicationFields({ engine }: Call): Field[] {
  return [
    ["role", "master"],
    ["connected_slaves", 0],
    ["master_failover_state", "no-failover"],
    ["master_replid", engine.runId],
    ["master_replid2", "0".repeat(40)],
    ["master_repl_offset", 0],
    ["second_repl_offset", -1],
    ["repl_backlog_active", 0],
    ["repl_backlog_size", 1024 * 1024],
    ["repl_backlog_first_byte_offset", 0],
    ["repl_backlog_histlen", 0],
  ];
}
